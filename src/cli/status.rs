//! `opentelemetry-injector status`: how this machine stands, and the next step.

use crate::findings::{self, Finding};
use crate::output::{self, Style};
use crate::{status_agents, status_object, status_preload};
use std::process::ExitCode;

/// Tell how the injector stands on this machine: what loads it, the object, the configuration, the
/// agents; each with the next step.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// Write JSON
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Exit status:
  0  everything is as it should be
  1  there are problems
  2  something could not be looked at: ask as root

Environment:
  LD_PRELOAD, OPENTELEMETRY_INJECTOR_…  are looked at: they count for what is started from here
  NO_COLOR                              no colours on a terminal

Examples:
  opentelemetry-injector status
  opentelemetry-injector status --json";

/// Runs the command.
pub fn status(arguments: &Arguments) -> ExitCode {
    print(&all(), arguments.json)
}

/// Everything that can be told without starting a program.
pub fn all() -> Vec<Finding> {
    let object = status_preload::object();
    let mut all = status_preload::findings();
    all.extend(status_object::findings(object.as_deref()));
    all.extend(status_agents::findings());
    all
}

/// Prints findings; the exit code that goes with them.
pub fn print(findings: &[Finding], as_json: bool) -> ExitCode {
    let printed = match as_json {
        true => output::print_json(&findings::json(findings)),
        false => output::print(&findings::text(findings, Style::of_stdout())),
    };
    match printed {
        Ok(()) => findings::exit_code(findings).into(),
        Err(_) => 2.into(),
    }
}
