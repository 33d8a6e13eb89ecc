//! `opentelemetry-injector man`: manual pages, from the same definition as the help texts.

use crate::Arguments as Whole;
use crate::output::print;
use crate::{NAME, complain};
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use roff::{Roff, roman};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Print this command's manual page, or write the pages of all subcommands into a folder.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The folder; it must exist
    directory: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
The packages install these files.

Examples:
  opentelemetry-injector man | man -l -
  opentelemetry-injector man /usr/local/share/man/man1";

/// Runs the command.
pub fn man(arguments: &Arguments) -> ExitCode {
    let mut command = Whole::command().disable_help_subcommand(true);
    command.build();
    let written = match &arguments.directory {
        None => page(&command).and_then(|page| print(&page)),
        Some(directory) => write_pages(&command, directory),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(2),
    }
}

/// Writes the page of a command and those of its subcommands. What fails is told.
fn write_pages(command: &Command, directory: &Path) -> io::Result<()> {
    let path = directory.join(Man::new(command.clone()).get_filename());
    let written = page(command).and_then(|page| fs::write(&path, page));
    if let Err(error) = written {
        complain(&format_args!("{}: {error}", path.display()));
        return Err(error);
    }
    let mut subcommands = command.get_subcommands();
    subcommands.try_for_each(|subcommand| write_pages(subcommand, directory))
}

fn page(command: &Command) -> io::Result<String> {
    let source = format!("{NAME} {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).source(source);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(text) = command.get_after_help() {
        page.extend(sections(&text.to_string()).to_roff().into_bytes());
    }
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// What stands behind the options in the help: a section for each heading, which is a line of its
/// own that ends in a colon. Indented lines stay lines.
fn sections(text: &str) -> Roff {
    let mut roff = Roff::new();
    let mut is_in_section = false;
    for paragraph in text.split("\n\n") {
        let mut lines = paragraph.lines().peekable();
        let heading = lines.next_if(|line| line.ends_with(':') && !line.starts_with(' '));
        if let Some(heading) = heading {
            let heading = heading.trim_end_matches(':').to_uppercase();
            roff.control("SH", [heading.as_str()]);
        } else if is_in_section {
            roff.control("PP", []);
        } else {
            roff.control("SH", ["NOTES"]);
        }
        is_in_section = true;
        while let Some(line) = lines.next() {
            match line.strip_prefix("  ") {
                None => {
                    roff.text([roman(line)]);
                }
                Some(line) => {
                    roff.control("nf", []).control("RS", ["2"]);
                    roff.text([roman(line)]);
                    while let Some(line) = lines.peek().and_then(|line| line.strip_prefix("  ")) {
                        roff.text([roman(line)]);
                        lines.next();
                    }
                    roff.control("RE", []).control("fi", []);
                }
            }
        }
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_become_sections_and_indented_lines_stay() {
        let text = "Some text\nthat goes on.\n\nExamples:\n  a --b\n  .c";
        assert_eq!(
            sections(text).to_roff(),
            ".SH NOTES\nSome text\nthat goes on.\n.SH EXAMPLES\n.nf\n.RS 2\na \\-\\-b\n\\&.c\n.RE\n.fi\n"
        );
    }
}
