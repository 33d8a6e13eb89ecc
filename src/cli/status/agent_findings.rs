//! The configuration, and the agents that it names.

use crate::check::agent_files;
use crate::check::closed_files::Closed;
use crate::check::findings::Findings;
use crate::install::trust;
use crate::machine::configuration_files::as_path;
use crate::machine::default_agents;
use crate::machine::possible_process::PossibleProcess;
use crate::output::{names, shell_word};
use crate::status::bytecode;
use crate::status::findings::Finding;
use crate::status::preload_findings;
use opentelemetry_injector_policy::config::overrides;
use opentelemetry_injector_policy::process::directory;
use opentelemetry_injector_policy::reason::Lossy;
use opentelemetry_injector_policy::runtimes::default_agents::FOLDER;
use opentelemetry_injector_policy::{Configuration, Reason, Runtime};

const CONFIGURATION: &str = "configuration";

/// The configuration that processes use which are started from here.
///
/// # Errors
/// Why they could use none.
pub fn configuration() -> Result<Configuration, Reason> {
    let path = overrides::configuration_path(&PossibleProcess::WithOwnEnvironment);
    default_agents::load(&path)
}

/// All there is to say.
pub fn findings() -> Vec<Finding> {
    let path = overrides::configuration_path(&PossibleProcess::WithOwnEnvironment);
    let report = Findings::of(&path);
    if let Some(untold) = report.untold.first() {
        let finding = if untold.is_missing() {
            Finding::problem(CONFIGURATION, untold.to_string(), how_to_write(&path))
        } else {
            Finding::unknown(CONFIGURATION, untold.to_string())
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
        if let Ok((_, path)) = Runtime::Python.agent(&configuration) {
            findings.extend(bytecode::findings(path));
        }
    }
    findings
}

/// The command that writes a configuration, and its folder where that is missing.
fn how_to_write(path: &[u8]) -> String {
    let quoted = |path: &[u8]| shell_word::quoted(&Lossy(path).to_string());
    let command = format!("opentelemetry-injector config init {}", quoted(path));
    let folder = directory(path);
    if folder.is_empty() || as_path(folder).is_dir() {
        command
    } else {
        format!("mkdir -p {} && {command}", quoted(folder))
    }
}

fn no_agent(path: &[u8]) -> Finding {
    let next = format!(
        "set agent_path for a runtime in {}, then {}",
        Lossy(path),
        how_to_check(path)
    );
    Finding::problem(
        "agents",
        format!("none is configured, and none is in {FOLDER}: nothing is injected"),
        next,
    )
}

fn how_to_check(path: &[u8]) -> String {
    let path = shell_word::quoted(&Lossy(path).to_string());
    format!("opentelemetry-injector check {path}")
}

fn judged(path: &[u8], report: &Findings) -> Finding {
    let text = report.to_string();
    let summary = text.lines().last().unwrap_or_default();
    if report.has_problems() {
        Finding::problem(CONFIGURATION, summary, how_to_check(path))
    } else if report.has_warnings() {
        Finding::note(CONFIGURATION, summary).with_next(how_to_check(path))
    } else {
        Finding::ok(CONFIGURATION, summary)
    }
}

/// What only root's processes can read: where services of one user load the object, it may be meant so.
fn closed_to_others(closed: &Closed) -> Finding {
    let what = format!("{}: {}", closed.path().display(), closed.what());
    if preload_findings::is_installed() {
        Finding::problem(CONFIGURATION, what, closed.help())
    } else {
        Finding::note(CONFIGURATION, what).with_next(closed.help())
    }
}

fn switched_off(configuration: &Configuration) -> Option<Finding> {
    let what = "enabled = false: no process is injected";
    (!configuration.enabled).then(|| Finding::note(CONFIGURATION, what))
}

/// What keeps a runtime's agent from its processes; nothing of runtimes that are not configured.
fn of_agent(runtime: Runtime, configuration: &Configuration) -> Option<Finding> {
    let subject = format!("agent for {}", names::runtime(runtime));
    let path = match runtime.agent(configuration) {
        Ok((_, path)) => path,
        Err(Reason::NoAgentConfigured) => return None,
        Err(reason) => return Some(Finding::note(subject, reason.to_string())),
    };
    if let Some(fault) = agent_files::fault(runtime, configuration) {
        return Some(Finding::problem(subject, fault.to_string(), fault.help()));
    }
    let fixed = agent_files::common_folder(path).unwrap_or(path);
    Some(match trust::path(as_path(fixed.as_bytes())) {
        Ok(()) => Finding::ok(subject, path),
        Err(distrust) if preload_findings::is_installed() => Finding::problem(
            subject,
            distrust.to_string(),
            "correct this, or move the agent: root's processes load it, too",
        ),
        Err(distrust) => Finding::note(subject, distrust.to_string()),
    })
}
