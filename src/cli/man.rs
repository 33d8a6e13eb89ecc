//! `opentelemetry-injector man`: manual pages, from the same definition as the help texts.

use crate::Arguments as Whole;
use crate::complain;
use crate::output::print;
use clap::CommandFactory;
use clap_mangen::Man;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Print this command's manual page, or write one for every subcommand into a folder.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The folder, which must be there
    directory: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
The packages install these files.

Examples:
  opentelemetry-injector man | man -l -
  opentelemetry-injector man /usr/local/share/man/man1";

/// Runs the command.
pub fn man(arguments: &Arguments) -> ExitCode {
    let written = match &arguments.directory {
        None => page().and_then(|page| print(&page)),
        Some(directory) => pages(directory),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(2),
    }
}

fn page() -> io::Result<String> {
    let mut page = Vec::new();
    Man::new(Whole::command()).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn pages(directory: &Path) -> io::Result<()> {
    let written = clap_mangen::generate_to(Whole::command(), directory);
    if let Err(error) = &written {
        complain(&format_args!("{}: {error}", directory.display()));
    }
    written
}
