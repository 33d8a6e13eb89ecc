//! What has changed since a process was started, so that it may be as it would not be now.

use crate::explain::explained_process::{ExplainedProcess, Loading, Object, Replacement};
use crate::machine::process_facts::ProcessFacts;
use opentelemetry_injector_policy::config::sources::drop_ins;
use opentelemetry_injector_policy::process::directory;
use opentelemetry_injector_policy::reason::Lossy;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

/// How exactly a process's start is known: the kernel counts it in hundredths of a second.
const GRAIN: Duration = Duration::from_millis(20);

/// Every change, in one line each; `configuration` is the configuration's first file. Nothing of a
/// process that does not run.
pub fn since_start(process: &ExplainedProcess, configuration: &[u8]) -> Vec<String> {
    let Some(live) = &process.live else {
        return Vec::new();
    };
    let (facts, started) = (&process.facts, live.started);
    let mut changes = Vec::new();
    if let Loading::Loaded(object) = &process.loading {
        changes.extend(of_object(object, facts, started));
    }
    let mut files = vec![
        configuration.to_vec(),
        [directory(configuration), b"/conf.d"].concat(),
    ];
    files.extend(drop_ins(&facts.visible, configuration).unwrap_or_default());
    let changed = |path: &&Vec<u8>| changed_after(facts, path, started);
    let told = |path: &Vec<u8>| format!("{} changed", Lossy(path));
    changes.extend(files.iter().filter(changed).map(told));
    let asked = facts.asked();
    changes.extend(asked.iter().filter(changed).map(told));
    let gone = asked.iter().filter(|path| {
        facts.visible.find(path).is_err() && changed_after(facts, directory(path), started)
    });
    changes.extend(gone.map(|path| format!("{} is missing, and its folder changed", Lossy(path))));
    changes
}

fn of_object(object: &Object, facts: &ProcessFacts, started: SystemTime) -> Option<String> {
    let path = Lossy(&object.path);
    let version = |version: &Option<String>| match version {
        Some(version) => version.clone(),
        None => "an unknown version".into(),
    };
    match &object.replacement {
        Some(Replacement::Nothing) => Some(format!("{path}, which is loaded, is no longer there")),
        Some(Replacement::Object(installed)) => Some(format!(
            "{path} was replaced: {} is loaded, {} is installed",
            version(&object.version),
            version(installed)
        )),
        None => changed_after(facts, &object.path, started).then(|| format!("{path} changed")),
    }
}

/// Whether a file, as the process sees it, changed after a moment: its content, its rights or its
/// name (a package keeps the time of its content).
pub fn changed_after(facts: &ProcessFacts, path: &[u8], moment: SystemTime) -> bool {
    let Ok(found) = facts.visible.find(path) else {
        return false;
    };
    let (seconds, nanoseconds) = (found.metadata.ctime(), found.metadata.ctime_nsec());
    let (Ok(seconds), Ok(nanoseconds)) = (u64::try_from(seconds), u32::try_from(nanoseconds))
    else {
        return false;
    };
    SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds) > moment + GRAIN
}
