//! `opentelemetry-injector completions`: what a shell completes the command's words by.

use crate::Arguments as Whole;
use crate::NAME;
use crate::output::print;
use clap::CommandFactory;
use clap_complete::Shell;
use std::process::ExitCode;

/// Print the completion script of this command for bash, zsh or fish.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The shell
    shell: Name,
}

const AFTER_HELP: &str = "\
The packages install these files.

Examples:
  opentelemetry-injector completions bash > /etc/bash_completion.d/opentelemetry-injector
  opentelemetry-injector completions zsh > /usr/local/share/zsh/site-functions/_opentelemetry-injector
  opentelemetry-injector completions fish > ~/.config/fish/completions/opentelemetry-injector.fish";

/// The shells that are tried in the tests.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Name {
    Bash,
    Zsh,
    Fish,
}

/// Runs the command.
pub fn completions(arguments: &Arguments) -> ExitCode {
    let mut script = Vec::new();
    let shell = match arguments.shell {
        Name::Bash => Shell::Bash,
        Name::Zsh => Shell::Zsh,
        Name::Fish => Shell::Fish,
    };
    // Their subcommands are not known before they are built, and `help` completes those, too.
    let mut whole = Whole::command().mut_subcommands(|subcommand| {
        let name = format!("{NAME} {}", subcommand.get_name());
        let mut subcommand = subcommand.bin_name(name);
        subcommand.build();
        subcommand
    });
    clap_complete::generate(shell, &mut whole, NAME, &mut script);
    match print(&String::from_utf8_lossy(&script)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(2),
    }
}
