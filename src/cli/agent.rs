//! Whether the agents that the configuration names can be taken by the processes.

use crate::diagnostics::{Diagnostic, Excerpt, Severity};
use crate::process::Prospect;
use opentelemetry_injector_policy::{Configuration, Reason, Runtime, Variable};
use std::ops::Range;
use toml::de::DeTable;

/// The place of a runtime's `agent_path` in a text; none where it is not given there.
pub fn span(runtime: Runtime, text: &str) -> Option<Range<usize>> {
    let table = DeTable::parse(text).ok()?;
    let section = table.get_ref().get(runtime.section())?;
    Some(section.get_ref().as_table()?.get("agent_path")?.span())
}

/// What keeps every process of a runtime from getting its agent, by the function that the preload
/// object asks.
///
/// `file` and `place` say where the agent is named.
pub fn judge(
    runtime: Runtime,
    configuration: &Configuration,
    file: &[u8],
    place: Excerpt,
) -> Option<Diagnostic> {
    let mut variables = Variable::ALL.into_iter();
    let variable = variables.find(|variable| variable.runtime() == runtime)?;
    let reason = variable.value(None, &Prospect::Bare, configuration).err()?;
    let (severity, help) = match &reason {
        Reason::AgentPathUnusable { .. } => (
            Severity::Problem,
            "move the agent: processes are not injected with this path",
        ),
        Reason::AgentUnreadable(_) => (
            Severity::Warning,
            "put the agent there, readable for every user whose processes are injected",
        ),
        _ => return None,
    };
    Some(Diagnostic {
        severity,
        path: file.to_vec(),
        excerpt: Some(place),
        message: reason.to_string(),
        notes: Vec::new(),
        help: help.into(),
    })
}

/// No runtime has an agent; `file` is the configuration's first.
pub fn none(file: &[u8]) -> Diagnostic {
    Diagnostic {
        severity: Severity::Warning,
        path: file.to_vec(),
        excerpt: None,
        message: Reason::NoAgentConfigured.to_string(),
        notes: Vec::new(),
        help: "name the agent: `agent_path = \"/…/opentelemetry-javaagent.jar\"` under `[jvm]`"
            .into(),
    }
}
