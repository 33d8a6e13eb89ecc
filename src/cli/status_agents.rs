//! The configuration, and the agents that it names.

use crate::files::{FileSystem, as_path};
use crate::findings::Finding;
use crate::process::Prospect;
use crate::report::Report;
use crate::{agent, status_preload, trust, users};
use opentelemetry_injector_policy::reason::Lossy;
use opentelemetry_injector_policy::{
    Configuration, Reason, Runtime, configuration_files, overrides,
};

const CONFIGURATION: &str = "configuration";

/// The configuration that processes use which are started from here.
///
/// # Errors
/// Why they could use none.
pub fn configuration() -> Result<Configuration, Reason> {
    let path = overrides::configuration_path(&Prospect::WithOwnEnvironment);
    configuration_files::load(&FileSystem, &path)
}

/// All there is to say.
pub fn findings() -> Vec<Finding> {
    let path = overrides::configuration_path(&Prospect::WithOwnEnvironment);
    let report = Report::of(&path);
    if let Some(untold) = report.untold.first() {
        let finding = match untold.is_missing() {
            true => Finding::problem(
                CONFIGURATION,
                untold.to_string(),
                "write it: README, \"Set it up\"",
            ),
            false => Finding::unknown(CONFIGURATION, untold.to_string()),
        };
        return vec![finding];
    }
    let mut findings = vec![judged(&path, &report)];
    if let Ok(configuration) = configuration() {
        findings.extend(switched_off(&configuration));
        let runtimes = Runtime::ALL.into_iter();
        findings.extend(runtimes.filter_map(|runtime| of_agent(runtime, &configuration)));
    }
    findings
}

fn judged(path: &[u8], report: &Report) -> Finding {
    let text = report.to_string();
    let summary = text.lines().last().unwrap_or_default();
    match report.has_problems() {
        true => Finding::problem(
            CONFIGURATION,
            summary,
            format!("opentelemetry-injector check {}", Lossy(path)),
        ),
        false => Finding::ok(CONFIGURATION, summary),
    }
}

fn switched_off(configuration: &Configuration) -> Option<Finding> {
    let what = "enabled = false: no process is injected";
    (!configuration.enabled).then(|| Finding::note(CONFIGURATION, what))
}

/// What keeps a runtime's agent from its processes; nothing of runtimes that are not configured.
fn of_agent(runtime: Runtime, configuration: &Configuration) -> Option<Finding> {
    let subject = format!("agent for {}", users::runtime(runtime));
    let path = match runtime.agent(configuration) {
        Ok((_, path)) => path,
        Err(Reason::NoAgentConfigured) => return None,
        Err(reason) => return Some(Finding::note(subject, reason.to_string())),
    };
    if let Some(fault) = agent::fault(runtime, configuration) {
        return Some(Finding::problem(subject, fault.to_string(), fault.help()));
    }
    let fixed = agent::common_folder(path).unwrap_or(path);
    Some(match trust::path(as_path(fixed.as_bytes())) {
        Ok(()) => Finding::ok(subject, path),
        Err(distrust) if status_preload::is_installed() => Finding::problem(
            subject,
            distrust.to_string(),
            "change that, or move the agent: root's processes load it, too",
        ),
        Err(distrust) => Finding::note(subject, distrust.to_string()),
    })
}
