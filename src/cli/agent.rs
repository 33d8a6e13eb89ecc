//! Whether the agent that the configuration names can be taken by the processes.

use crate::diagnostics::{Diagnostic, Excerpt, Severity};
use crate::process::Prospect;
use opentelemetry_injector_policy::{Configuration, Reason, jvm};
use std::ops::Range;
use toml::de::DeTable;

/// The place of `jvm.agent_path` in a text; none where it is not given there.
pub fn span(text: &str) -> Option<Range<usize>> {
    let table = DeTable::parse(text).ok()?;
    let jvm = table.get_ref().get("jvm")?.get_ref().as_table()?;
    Some(jvm.get("agent_path")?.span())
}

/// What keeps every JVM from getting the agent, by the function that the preload object asks.
///
/// `file` and `place` say where the agent is named.
pub fn judge(
    configuration: &Configuration,
    file: &[u8],
    place: Option<Excerpt>,
) -> Option<Diagnostic> {
    let reason = jvm::value(None, &Prospect::Bare, configuration).err()?;
    let (severity, help) = match &reason {
        Reason::AgentPathUnusable(_) => (
            Severity::Problem,
            "move the agent to a path without `=`: JVMs are not injected with this one",
        ),
        Reason::AgentUnreadable(_) => (
            Severity::Warning,
            "put the agent there, readable for every user whose processes are injected",
        ),
        Reason::NoAgentConfigured => (
            Severity::Warning,
            "name the agent: `agent_path = \"/…/opentelemetry-javaagent.jar\"` under `[jvm]`",
        ),
        _ => return None,
    };
    Some(Diagnostic {
        severity,
        path: file.to_vec(),
        excerpt: place,
        message: reason.to_string(),
        notes: Vec::new(),
        help: help.into(),
    })
}
