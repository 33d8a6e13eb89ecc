//! Whether the agents that the configuration names can be taken by the processes.

use crate::check::diagnostics::{Diagnostic, Excerpt, Severity};
use crate::machine::configuration_files::{self, open_regular};
use crate::machine::possible_process::PossibleProcess;
use opentelemetry_injector_policy::config::sources::FileProblem;
use opentelemetry_injector_policy::reason::Lossy;
use opentelemetry_injector_policy::runtimes::default_agents::FOLDER;
use opentelemetry_injector_policy::{Configuration, Reason, Runtime, Variable};
use std::ops::Range;
use std::path::Path;
use std::{fmt, fs, io};
use toml::de::DeTable;

/// The place of a runtime's `agent_path` in a text; none where it is not given there.
pub fn span(runtime: Runtime, text: &str) -> Option<Range<usize>> {
    let table = DeTable::parse(text).ok()?;
    let section = table.get_ref().get(runtime.section())?;
    Some(section.get_ref().as_table()?.get("agent_path")?.span())
}

/// What keeps every process of a runtime from getting its agent.
#[derive(Debug)]
pub enum Fault {
    /// The runtime does not take such a path.
    Path(Reason),
    /// What has to be at this path cannot be read.
    File(Vec<u8>, FileProblem),
}

/// What keeps every process of a runtime from getting its agent, by the function that the preload
/// object asks; nothing where no agent is configured.
pub fn fault(runtime: Runtime, configuration: &Configuration) -> Option<Fault> {
    let (_, path) = runtime.agent(configuration).ok()?;
    let mut variables = Variable::ALL.into_iter();
    let variable = variables.find(|variable| variable.runtime() == runtime)?;
    match variable.value(None, &PossibleProcess::Of(runtime), configuration) {
        Err(reason @ Reason::AgentPathUnusable { .. }) => Some(Fault::Path(reason)),
        Err(Reason::AgentUnreadable(file)) => {
            let problem = open_regular(file.as_bytes()).err()?;
            Some(Fault::File(file.into(), problem))
        }
        // With a placeholder it is the boot file that looks, for its own version.
        _ => {
            let folder = common_folder(path)?;
            let error = fs::metadata(Path::new(folder).join(".")).err()?;
            Some(Fault::File(
                folder.into(),
                configuration_files::problem(&error),
            ))
        }
    }
}

/// The folder that the agents for all versions of a runtime are below, where a part of the path
/// stands for the version or the libc.
pub fn common_folder(path: &str) -> Option<&str> {
    let (before, _) = path.split_once('{')?;
    let (folder, _) = before.rsplit_once('/')?;
    Some(if folder.is_empty() { "/" } else { folder })
}

impl Fault {
    /// What to do.
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Path(_) => {
                "move the agent: processes with this path in `agent_path` are not \
             injected"
            }
            Self::File(..) => {
                "put the agent there, and make it readable for every user whose processes are \
                 injected"
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(reason) => reason.fmt(f),
            Self::File(path, FileProblem::NotPermitted) => {
                write!(f, "{}: not readable by this user", Lossy(path))
            }
            Self::File(path, FileProblem::System(number)) => {
                let error = io::Error::from_raw_os_error(*number);
                write!(f, "{}: {error}", Lossy(path))
            }
            Self::File(path, problem) => write!(f, "{}{problem}", Lossy(path)),
        }
    }
}

impl core::error::Error for Fault {}

/// The same of an agent that is named in `file` at `place`.
pub fn judge(
    runtime: Runtime,
    configuration: &Configuration,
    file: &[u8],
    place: Excerpt,
) -> Option<Diagnostic> {
    let fault = fault(runtime, configuration)?;
    let severity = match &fault {
        Fault::Path(_) => Severity::Problem,
        Fault::File(..) => Severity::Warning,
    };
    Some(Diagnostic {
        severity,
        path: file.to_vec(),
        excerpt: Some(place),
        message: fault.to_string(),
        notes: Vec::new(),
        help: fault.help().into(),
    })
}

/// No runtime has an agent; `file` is the configuration's first.
pub fn none(file: &[u8]) -> Diagnostic {
    Diagnostic {
        severity: Severity::Warning,
        path: file.to_vec(),
        excerpt: None,
        message: format!("the configuration names no agent_path, and {FOLDER} has no agent"),
        notes: Vec::new(),
        help: "run `opentelemetry-injector agent install`, or name the agent: \
               `agent_path = \"/…/opentelemetry-javaagent.jar\"` under `[jvm]`"
            .into(),
    }
}
