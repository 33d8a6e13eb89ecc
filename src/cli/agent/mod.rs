//! `opentelemetry-injector agent`: the runtimes' agents, fetched, listed, upgraded and removed.
//!
//! Versions lie side by side in `/usr/lib/opentelemetry/LANGUAGE/VERSION`. A link names the current one
//! and is switched in one step, so that running processes keep theirs.

mod archive;
mod client;
mod download;
mod drop_in;
mod error;
mod files;
mod install;
mod interpreters;
mod interrupt;
mod list;
mod places;
mod progress;
mod recipes;
mod remove;
mod source;
mod staging;
mod work;

use clap::{Subcommand, ValueEnum};
use opentelemetry_injector_policy::Runtime;
use std::process::ExitCode;

/// Install, list, upgrade or remove the runtimes' agents.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Install(install::Arguments),
    List(list::Arguments),
    Upgrade(install::UpgradeArguments),
    Remove(remove::Arguments),
}

const AFTER_HELP: &str = "\
Examples:
  opentelemetry-injector agent install
  opentelemetry-injector agent install jvm --from /mnt/opentelemetry-javaagent.jar
  opentelemetry-injector agent list
  opentelemetry-injector agent upgrade
  opentelemetry-injector agent remove python --version 0.62b1";

/// What every subcommand that changes something says of its exit status.
const EXIT_STATUS: &str = "\
Exit status:
  0    done
  1    not everything was done; it has been told
  2    wrong usage
  130  interrupted (143: terminated); nothing is left half installed";

const NOT_DONE: u8 = 1;
const WRONG_USAGE: u8 = 2;

/// A runtime by the name of its section.
#[derive(Clone, Copy)]
struct Named(Runtime);

impl ValueEnum for Named {
    fn value_variants<'v>() -> &'v [Self] {
        const ALL: [Named; Runtime::ALL.len()] = {
            let mut all = [Named(Runtime::Jvm); Runtime::ALL.len()];
            let mut index = 0;
            while index < all.len() {
                all[index] = Named(Runtime::ALL[index]);
                index += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.section()))
    }
}

/// The runtimes that were named, each once.
fn runtimes(named: &[Named]) -> Vec<Runtime> {
    let all = Runtime::ALL.into_iter();
    all.filter(|runtime| named.iter().any(|named| named.0 == *runtime))
        .collect()
}

/// Runs the command.
pub fn agent(arguments: &Arguments) -> ExitCode {
    match &arguments.command {
        Command::Install(arguments) => install::install(arguments),
        Command::List(arguments) => list::list(arguments),
        Command::Upgrade(arguments) => install::upgrade(arguments),
        Command::Remove(arguments) => remove::remove(arguments),
    }
}
