//! `opentelemetry-injector config`: writing, showing, checking and importing configurations.

use crate::{check, config_import, config_init, config_show};
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
    Init(config_init::Arguments),
    Show(config_show::Arguments),
    Check(check::Arguments),
    Import(config_import::Arguments),
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
        Command::Init(arguments) => config_init::init(arguments),
        Command::Show(arguments) => config_show::show(arguments),
        Command::Check(arguments) => check::check(arguments),
        Command::Import(arguments) => config_import::import(arguments),
    }
}
