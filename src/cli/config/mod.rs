//! `opentelemetry-injector config`: writing, showing, checking and importing configurations.

pub mod import;
pub mod init;
pub mod key_places;
pub mod rules;
pub mod show;
pub mod values;

use crate::check;
use clap::Subcommand;
use std::process::ExitCode;

/// Write, show, check or import a configuration.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Arguments),
    Show(show::Arguments),
    Check(check::Arguments),
    Import(import::Arguments),
}

const AFTER_HELP: &str = "\
Examples:
  opentelemetry-injector config init /etc/opentelemetry/injector/configuration.toml
  opentelemetry-injector config show
  opentelemetry-injector config check
  opentelemetry-injector config import /etc/opentelemetry/injector/injector.conf";

/// Runs the command.
pub fn config(arguments: &Arguments) -> ExitCode {
    match &arguments.command {
        Command::Init(arguments) => init::init(arguments),
        Command::Show(arguments) => show::show(arguments),
        Command::Check(arguments) => check::check(arguments),
        Command::Import(arguments) => import::import(arguments),
    }
}
