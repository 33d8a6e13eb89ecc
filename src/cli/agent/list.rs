//! `opentelemetry-injector agent list`.

use crate::agent::error::AgentError;
use crate::agent::places::{self, Places};
use crate::agent::{Named, WRONG_USAGE, install, recipes, runtimes};
use crate::complain;
use crate::output::{self, Style};
use opentelemetry_injector_policy::Runtime;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// List the agents that are installed.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The runtimes [default: all]
    #[arg(value_name = "RUNTIME")]
    runtimes: Vec<Named>,
    /// Write JSON
    #[arg(long)]
    json: bool,
    /// The root folder of an image, instead of this machine's
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Exit status:
  0  listed
  2  the agents cannot be looked at

Examples:
  opentelemetry-injector agent list
  opentelemetry-injector agent list jvm --json";

/// One version of an agent.
struct Installed {
    runtime: Runtime,
    version: String,
    is_current: bool,
    path: PathBuf,
    agent_path: Option<PathBuf>,
}

/// Runs the command.
pub fn list(arguments: &Arguments) -> ExitCode {
    let listed = Places::below(arguments.root.as_deref()).and_then(|places| {
        let named = runtimes(&arguments.runtimes);
        installed(&places, &named)
    });
    let printed = match listed {
        Ok(installed) if arguments.json => output::print_json(&json(&installed)),
        Ok(installed) => output::print(&text(&installed, Style::of_stdout())),
        Err(problem) => {
            complain(&problem);
            return WRONG_USAGE.into();
        }
    };
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => WRONG_USAGE.into(),
    }
}

fn installed(places: &Places, named: &[Runtime]) -> Result<Vec<Installed>, AgentError> {
    let mut installed = Vec::new();
    let all = Runtime::ALL.into_iter();
    for runtime in all.filter(|runtime| named.is_empty() || named.contains(runtime)) {
        let folder = places.folder(runtime);
        let versions = places.versions(runtime);
        let versions = versions.map_err(AgentError::file("read it", &folder))?;
        let current = places.current(runtime);
        for version in versions {
            let is_current = current.as_deref() == Some(&version);
            installed.push(Installed {
                runtime,
                path: places::in_image(places, &folder.join(&version)),
                is_current,
                agent_path: is_current.then(|| install::agent_path(places, runtime, &version)),
                version,
            });
        }
    }
    Ok(installed)
}

fn tested(installed: &Installed) -> &'static str {
    recipes::of(installed.runtime).tested()
}

fn text(installed: &[Installed], style: Style) -> String {
    const CURRENT: usize = 2;
    if installed.is_empty() {
        return "no agent is installed; see `opentelemetry-injector agent install --help`\n".into();
    }
    let header = ["RUNTIME", "VERSION", "STATE", "PATH"].map(String::from);
    let mut rows = vec![header.to_vec()];
    rows.extend(installed.iter().map(|agent| {
        let state = match (agent.is_current, agent.version == tested(agent)) {
            (true, true) => "current".into(),
            (true, false) => format!("current, tested is {}", tested(agent)),
            (false, _) => "not used by new processes".into(),
        };
        let path = agent.path.display().to_string();
        vec![
            agent.runtime.section().into(),
            agent.version.clone(),
            state,
            path,
        ]
    }));
    output::table(&rows, output::terminal_width(), |column, cell| match cell {
        "RUNTIME" | "VERSION" | "STATE" | "PATH" => style.strong(cell),
        _ if column == CURRENT && cell.starts_with("current") => style.good(cell),
        _ => cell.into(),
    })
}

fn json(installed: &[Installed]) -> Value {
    let agents = installed.iter().map(|agent| {
        json!({
            "runtime": agent.runtime.section(),
            "version": agent.version,
            "current": agent.is_current,
            "tested_version": tested(agent),
            "path": agent.path.to_string_lossy(),
            "agent_path": agent.agent_path.as_ref().map(|path| path.to_string_lossy()),
        })
    });
    json!({ "agents": agents.collect::<Vec<_>>() })
}
