//! The configuration, and the agents that it names.

use crate::closed_files::Closed;
use crate::files::{FileSystem, as_path};
use crate::findings::Finding;
use crate::process::Prospect;
use crate::report::Report;
use crate::{agent, shell_word, status_preload, trust, users};
use opentelemetry_injector_policy::config::{overrides, sources};
use opentelemetry_injector_policy::process::directory;
use opentelemetry_injector_policy::reason::Lossy;
use opentelemetry_injector_policy::{Configuration, Reason, Runtime};

const CONFIGURATION: &str = "configuration";

/// The configuration that processes use which are started from here.
///
/// # Errors
/// Why they could use none.
pub fn configuration() -> Result<Configuration, Reason> {
    let path = overrides::configuration_path(&Prospect::WithOwnEnvironment);
    sources::load(&FileSystem, &path)
}

/// All there is to say.
pub fn findings() -> Vec<Finding> {
    let path = overrides::configuration_path(&Prospect::WithOwnEnvironment);
    let report = Report::of(&path);
    if let Some(untold) = report.untold.first() {
        let finding = match untold.is_missing() {
            true => Finding::problem(CONFIGURATION, untold.to_string(), how_to_write(&path)),
            false => Finding::unknown(CONFIGURATION, untold.to_string()),
        };
        return vec![finding];
    }
    let mut findings = vec![judged(&path, &report)];
    findings.extend(report.closed.iter().map(closed_to_others));
    if let Ok(configuration) = configuration() {
        findings.extend(switched_off(&configuration));
        let runtimes = Runtime::ALL.into_iter();
        let agents = runtimes.filter_map(|runtime| of_agent(runtime, &configuration));
        let agents: Vec<_> = agents.collect();
        if agents.is_empty() && configuration.enabled {
            findings.push(no_agent(&path));
        }
        findings.extend(agents);
    }
    findings
}

/// The command that writes a configuration, and its folder where that is missing.
fn how_to_write(path: &[u8]) -> String {
    let quoted = |path: &[u8]| shell_word::quoted(&Lossy(path).to_string());
    let command = format!("opentelemetry-injector config init {}", quoted(path));
    let folder = directory(path);
    match folder.is_empty() || as_path(folder).is_dir() {
        true => command,
        false => format!("mkdir -p {} && {command}", quoted(folder)),
    }
}

fn no_agent(path: &[u8]) -> Finding {
    let next = format!(
        "set agent_path for a runtime in {}, then {}",
        Lossy(path),
        how_to_check(path)
    );
    Finding::problem("agents", "none is configured: nothing is injected", next)
}

fn how_to_check(path: &[u8]) -> String {
    let path = shell_word::quoted(&Lossy(path).to_string());
    format!("opentelemetry-injector check {path}")
}

fn judged(path: &[u8], report: &Report) -> Finding {
    let text = report.to_string();
    let summary = text.lines().last().unwrap_or_default();
    match report.has_problems() {
        true => Finding::problem(CONFIGURATION, summary, how_to_check(path)),
        false if report.has_warnings() => {
            Finding::note(CONFIGURATION, summary).with_next(how_to_check(path))
        }
        false => Finding::ok(CONFIGURATION, summary),
    }
}

/// What only root's processes can read: where services of one user load the object, it may be meant so.
fn closed_to_others(closed: &Closed) -> Finding {
    let what = format!("{}: {}", closed.path().display(), closed.what());
    match status_preload::is_installed() {
        true => Finding::problem(CONFIGURATION, what, closed.help()),
        false => Finding::note(CONFIGURATION, what).with_next(closed.help()),
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
