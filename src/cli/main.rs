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

/// Only the subcommand that is named gets its options built; building all of them takes longer than the rest of a
/// start. So what each does is said here as well, for the list of all.
#[derive(Subcommand)]
#[command(defer = true)]
enum Command {
    /// Install, list, upgrade or remove the runtimes' agents.
    Agent(agent::Arguments),
    /// Check the configuration and report every problem, with its place and a remedy.
    Check(check::Arguments),
    /// Write, show, check or import a configuration.
    Config(config::Arguments),
    /// Run a command with the injector, without installing it.
    Run(run::Arguments),
    /// Run a command and tell what it and its children ask their environment for.
    Trace(trace::Arguments),
    /// Explain what the injector decides for one process, step by step, and why.
    Explain(explain::Arguments),
    /// List every process that could be instrumented: whether it is, and if not, why.
    Ps(ps::Arguments),
    /// Count the decisions that processes have reported, by runtime, unit and reason.
    Report(report::Arguments),
    /// Show the injector's state on this machine: what loads it, the object, the configuration, the agents, and what to
    /// do next.
    Status(status::Arguments),
    /// Show the status, then start one small program per installed runtime and check that it loads its agent and
    /// otherwise behaves as it does without the object.
    Doctor(status::doctor::Arguments),
    /// Add the preload object to /etc/ld.so.preload, so that every new program loads it.
    Install(install::Arguments),
    /// Remove the preload object from /etc/ld.so.preload, so that no new program loads it.
    Uninstall(install::uninstall::Arguments),
    /// Print the completion script of this command for bash, zsh or fish.
    Completions(docs::completions::Arguments),
    /// Print this command's manual page, or write the pages of all subcommands into a folder.
    Man(docs::man::Arguments),
}

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_list_of_subcommands_says_what_their_own_help_says() {
        let listed = Arguments::command();
        let mut built = Arguments::command();
        built.build();
        for subcommand in listed.get_subcommands() {
            let name = subcommand.get_name();
            let own = built.find_subcommand(name).unwrap();
            assert_eq!(subcommand.get_arguments().count(), 0, "{name} is built");
            let about = |command: &clap::Command| command.get_about().map(ToString::to_string);
            assert!(about(own).is_some(), "{name}");
            assert_eq!(about(subcommand), about(own), "{name}");
        }
    }
}
