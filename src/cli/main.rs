//! `opentelemetry-injector` checks the injector's configuration, explains what becomes of processes
//! and installs the preload object.
//!
//! What it says of a configuration and of a process comes from the very functions that the preload
//! object calls (crate `opentelemetry-injector-policy`).
#![forbid(unsafe_code)]

mod agent;
mod changes;
mod check;
mod closed_files;
mod completions;
mod config;
mod config_import;
mod config_init;
mod config_show;
mod config_values;
mod confinement;
mod diagnostics;
mod doctor;
mod explain;
mod explain_json;
mod explainer;
mod explanation;
mod facts;
mod files;
mod findings;
mod help;
mod hooked;
mod install;
mod invocation;
mod key_places;
mod launcher_scripts;
mod ld_so_preload;
mod live;
mod loaders;
mod man;
mod near_miss;
mod object_check;
mod object_version;
mod output;
mod peer_configuration;
mod preload_object;
mod preload_sources;
mod private_etc;
mod proc_files;
mod proc_formats;
mod process;
mod program;
mod prospect;
mod ps;
mod remedies;
mod report;
mod root;
mod run;
mod shell_word;
mod status;
mod status_agents;
mod status_object;
mod status_preload;
mod subject;
mod trial_programs;
mod trials;
mod trust;
mod uninstall;
mod users;
mod verdict;
mod versions;
mod view;

use clap::{Parser, Subcommand};
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Check the injector's configuration, explain what becomes of processes, and install the injector.
#[derive(Parser)]
#[command(name = NAME, version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Arguments),
    Config(config::Arguments),
    Run(run::Arguments),
    Explain(explain::Arguments),
    Ps(ps::Arguments),
    Status(status::Arguments),
    Doctor(doctor::Arguments),
    Install(install::Arguments),
    Uninstall(uninstall::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

const NAME: &str = "opentelemetry-injector";

const EXAMPLES: &str = "\
Examples:
  opentelemetry-injector check
  opentelemetry-injector run --debug -- java -jar shop.jar
  opentelemetry-injector explain --pid 4711
  opentelemetry-injector doctor
  opentelemetry-injector install --dry-run";

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Check(arguments) => check::check(&arguments),
        Command::Config(arguments) => config::config(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Ps(arguments) => ps::ps(&arguments),
        Command::Status(arguments) => status::status(&arguments),
        Command::Doctor(arguments) => doctor::doctor(&arguments),
        Command::Install(arguments) => install::install(&arguments),
        Command::Uninstall(arguments) => uninstall::uninstall(&arguments),
        Command::Completions(arguments) => completions::completions(&arguments),
        Command::Man(arguments) => man::man(&arguments),
    }
}

/// One line on stderr that says who speaks: under `run` the command writes there, too. Where
/// stderr is closed the exit code has to do.
fn complain(message: &impl Display) {
    let _ = writeln!(io::stderr(), "{NAME}: {message}");
}
