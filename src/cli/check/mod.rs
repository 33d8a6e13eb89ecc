//! `opentelemetry-injector check`: every problem of the configuration, with its place.

pub mod advice;
pub mod agent_files;
pub mod closed_files;
pub mod declarative;
pub mod diagnostics;
pub mod findings;
pub mod other_injector;
pub mod report_file;
pub mod rule_flaws;
pub mod settings;
pub mod similar_names;

use crate::check::findings::Findings;
use crate::complain;
use crate::machine::possible_process::PossibleProcess;
use crate::output::{print, print_json};
use opentelemetry_injector_policy::config::overrides;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;

/// Check the configuration and report every problem, with its place and a remedy.
///
/// Reads FILE and the conf.d/*.toml files beside it, exactly as every process does.
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
  1  there are problems
  2  unknown: a file is missing or cannot be read

Environment:
  OPENTELEMETRY_INJECTOR_CONFIGURATION  the configuration file, if FILE is not given

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
    let report = Findings::of(&path);
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
