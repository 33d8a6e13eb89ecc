//! `opentelemetry-injector status`: how this machine stands, and the next step.

pub mod agent_findings;
mod at_boot_findings;
pub mod bytecode;
pub mod confinement;
pub mod doctor;
pub mod endpoint;
pub mod findings;
pub mod given_agent;
pub mod object_findings;
pub mod preload_findings;

use crate::output::{self, Style};
use crate::status::findings::Finding;
use std::process::ExitCode;

/// Show the injector's state on this machine: what loads it, the object, the configuration, the
/// agents, and what to do next.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// Write JSON
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Exit status:
  0  no problems
  1  there are problems
  2  something could not be inspected: run it as root

Environment:
  LD_PRELOAD, OPENTELEMETRY_INJECTOR_…  are inspected: programs started from here inherit them
  NO_COLOR                              write no colours to a terminal

Examples:
  opentelemetry-injector status
  opentelemetry-injector status --json";

/// Runs the command.
pub fn status(arguments: &Arguments) -> ExitCode {
    print(&all(), arguments.json)
}

/// Everything that can be told without starting a program.
pub fn all() -> Vec<Finding> {
    let object = preload_findings::object();
    let mut all = preload_findings::findings();
    all.extend(at_boot_findings::findings());
    all.extend(object_findings::findings(object.as_deref()));
    all.extend(agent_findings::findings());
    all
}

/// Prints findings; the exit code that goes with them.
pub fn print(findings: &[Finding], as_json: bool) -> ExitCode {
    let printed = if as_json {
        output::print_json(&findings::json(findings))
    } else {
        output::print(&findings::text(findings, Style::of_stdout()))
    };
    match printed {
        Ok(()) => findings::exit_code(findings).into(),
        Err(_) => 2.into(),
    }
}
