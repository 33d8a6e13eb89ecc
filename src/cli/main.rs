//! `opentelemetry-injector` installs the preload object, checks its configuration and explains its
//! decisions.
//!
//! For that it calls the same functions as the preload object (crate `opentelemetry-injector-policy`).
#![forbid(unsafe_code)]

mod agent;
mod check;
mod config;
mod docs;
mod explain;
mod install;
mod machine;
mod output;
mod ps;
mod report;
mod run;
mod spans;
mod status;
mod trace;

use clap::{Parser, Subcommand};
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Install the OpenTelemetry injector, check its configuration, and explain its decisions.
#[derive(Parser)]
#[command(name = NAME, version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Agent(agent::Arguments),
    Check(check::Arguments),
    Config(config::Arguments),
    Run(run::Arguments),
    Trace(trace::Arguments),
    Explain(explain::Arguments),
    Ps(ps::Arguments),
    Report(report::Arguments),
    Status(status::Arguments),
    Doctor(status::doctor::Arguments),
    Install(install::Arguments),
    Uninstall(install::uninstall::Arguments),
    Completions(docs::completions::Arguments),
    Man(docs::man::Arguments),
}

const NAME: &str = "opentelemetry-injector";

const EXAMPLES: &str = "\
Examples:
  opentelemetry-injector agent install
  opentelemetry-injector check
  opentelemetry-injector run --debug -- java -jar shop.jar
  opentelemetry-injector trace -- node app.js
  opentelemetry-injector explain --pid 4711
  opentelemetry-injector doctor
  opentelemetry-injector install --dry-run";

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Agent(arguments) => agent::agent(&arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Config(arguments) => config::config(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Trace(arguments) => trace::trace(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Ps(arguments) => ps::ps(&arguments),
        Command::Report(arguments) => report::report(&arguments),
        Command::Status(arguments) => status::status(&arguments),
        Command::Doctor(arguments) => status::doctor::doctor(&arguments),
        Command::Install(arguments) => install::install(&arguments),
        Command::Uninstall(arguments) => install::uninstall::uninstall(&arguments),
        Command::Completions(arguments) => docs::completions::completions(&arguments),
        Command::Man(arguments) => docs::man::man(&arguments),
    }
}

/// One line on stderr that says who speaks: under `run` the command writes there, too. Where
/// stderr is closed the exit code has to do.
fn complain(message: &impl Display) {
    let _ = writeln!(io::stderr(), "{NAME}: {message}");
}
