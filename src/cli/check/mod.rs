//! `opentelemetry-injector check`: every problem of the configuration, with its place.

pub mod advice;
pub mod agent_files;
pub mod closed_files;
pub mod diagnostics;
pub mod other_injector;
pub mod report;
pub mod rule_flaws;
pub mod similar_names;

use crate::check::report::Report;
use crate::complain;
use crate::machine::possible_process::PossibleProcess;
use crate::output::{print, print_json};
use opentelemetry_injector_policy::config::overrides;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;

/// Tell every problem of the configuration, and what to do about it.
///
/// Reads FILE and the conf.d/*.toml beside it by the rules that every process reads them by.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The configuration file [default: /etc/opentelemetry/injector/configuration.toml]
    file: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Exit status:
  0  no problems; there may be warnings
  1  problems
  2  it cannot be told: a file is missing or may not be read

Environment:
  OPENTELEMETRY_INJECTOR_CONFIGURATION  the configuration file, where FILE is not given

Examples:
  opentelemetry-injector check
  opentelemetry-injector check ./configuration.toml
  opentelemetry-injector check --json | jq -r '.diagnostics[].message'";

const PROBLEMS: u8 = 1;
const CANNOT_TELL: u8 = 2;

/// Runs the command.
pub fn check(arguments: &Arguments) -> ExitCode {
    let path = match &arguments.file {
        Some(file) => file.as_os_str().as_bytes().to_vec(),
        None => overrides::configuration_path(&PossibleProcess::WithOwnEnvironment),
    };
    let report = Report::of(&path);
    let printed = if arguments.json {
        print_json(&report.json())
    } else {
        print(&report.to_string())
    };
    if printed.is_err() {
        return CANNOT_TELL.into();
    }
    for untold in &report.untold {
        complain(untold);
    }
    match (report.untold.is_empty(), report.has_problems()) {
        (false, _) => CANNOT_TELL.into(),
        (true, true) => PROBLEMS.into(),
        (true, false) => ExitCode::SUCCESS,
    }
}
