//! `opentelemetry-injector agent remove`.

use crate::agent::drop_in;
use crate::agent::error::AgentError;
use crate::agent::places::{self, Places};
use crate::agent::staging::Workshop;
use crate::agent::{EXIT_STATUS, NOT_DONE, Named, WRONG_USAGE, install, runtimes};
use crate::machine::file_changes;
use crate::{complain, output};
use opentelemetry_injector_policy::Runtime;
use std::path::PathBuf;
use std::process::ExitCode;

/// Remove agents: all versions with the drop-in that names them, or one version.
///
/// Restart the processes that run with an agent before you remove it: a runtime may read further files of
/// it at any time.
#[derive(clap::Args)]
#[command(after_help = after_help())]
pub struct Arguments {
    /// The runtimes
    #[arg(value_name = "RUNTIME", required = true)]
    runtimes: Vec<Named>,
    /// Only this version, which must not be the current one
    #[arg(long)]
    version: Option<String>,
    /// The root folder of an image, instead of this machine's
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

fn after_help() -> String {
    format!(
        "{EXIT_STATUS}

Examples:
  opentelemetry-injector agent remove python
  opentelemetry-injector agent remove jvm --version 2.30.0"
    )
}

/// Runs the command.
pub fn remove(arguments: &Arguments) -> ExitCode {
    let places = match Places::below(arguments.root.as_deref()) {
        Ok(places) => places,
        Err(problem) => {
            complain(&problem);
            return WRONG_USAGE.into();
        }
    };
    let mut has_failed = false;
    for runtime in runtimes(&arguments.runtimes) {
        let removed = match &arguments.version {
            Some(version) => remove_version(&places, runtime, version),
            None => remove_all(&places, runtime),
        };
        match removed {
            Ok(report) => has_failed |= output::print(&report).is_err(),
            Err(problem) => {
                complain(&format_args!("{}: {problem}", runtime.section()));
                has_failed = true;
            }
        }
    }
    if has_failed {
        NOT_DONE.into()
    } else {
        ExitCode::SUCCESS
    }
}

fn remove_version(places: &Places, runtime: Runtime, version: &str) -> Result<String, AgentError> {
    let folder = places.folder(runtime);
    let place = folder.join(version);
    if !places::is_version(version) {
        return Err(AgentError::BadVersion(version.into()));
    }
    if places.current(runtime).as_deref() == Some(version) {
        let why = "new processes are given it; install another version first, or remove all";
        return Err(AgentError::NotAnAgent(place, why.into()));
    }
    if !place.is_dir() {
        let why = "it is not installed; see `opentelemetry-injector agent list`";
        return Err(AgentError::NotAnAgent(place, why.into()));
    }
    let workshop = Workshop::open(&folder)?;
    workshop.discard(version)?;
    Ok(format!("{} {version}: removed\n", runtime.section()))
}

/// First nothing names the agent any more, then its files go.
fn remove_all(places: &Places, runtime: Runtime) -> Result<String, AgentError> {
    let folder = places.folder(runtime);
    let failed = |error| AgentError::file("read it", &folder)(error);
    let versions = places.versions(runtime).map_err(failed)?;
    let section = runtime.section();
    if versions.is_empty() && places.current(runtime).is_none() {
        return Ok(format!("{section}: no agent is installed\n"));
    }
    let workshop = Workshop::open(&folder)?;
    let current = places.current(runtime).unwrap_or_default();
    let agent = install::agent_path(places, runtime, &current);
    if !drop_in::remove(places, runtime, &agent)? {
        let path = places.drop_in(runtime);
        complain(&format_args!(
            "{}: has been changed and stays; remove its agent_path",
            path.display()
        ));
    }
    let link = places.link(runtime);
    file_changes::remove(&link)?;
    for version in &versions {
        workshop.discard(version)?;
    }
    Ok(format!("{section} {}: removed\n", versions.join(", ")))
}
