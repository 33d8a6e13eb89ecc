//! Whether a process is hooked at all: the first of three stages at which a process can be left alone.
//!
//! 1. At the start, in this module: kill switch, configuration, `processes`, rules, tools, no agent.
//! 2. When the runtime reads its variable, in [`Variable::value`](crate::Variable::value): which runtime it is
//!    (`runtimes/recognition.rs`), other injectors, and the runtime's own checks (for example `runtimes/jvm`).
//! 3. Inside the runtime, in a boot file ([`StoodDown`](crate::runtimes::boot::StoodDown)).
//!
//! Every stage gives a [`Reason`].

use crate::config::Processes;
use crate::config::{overrides, rules, sources};
use crate::matching::{glob::Effort, tools};
use crate::runtimes::default_agents;
use crate::{Configuration, Files, Process, Reason, Runtime};
use alloc::boxed::Box;
use alloc::string::String;

/// Makes every check that comes before the hook, in this order: kill switch, reading the configuration, and
/// whether the configuration excludes this process. Returns the configuration if the process may be hooked.
///
/// `configured` is called with the path of the configuration's first file and with the configuration, as soon as
/// it has been read, even if the process is left alone afterwards.
///
/// # Errors
/// The first reason for leaving the process alone.
pub fn prepare(
    process: &impl Process,
    files: &impl Files,
    configured: impl FnOnce(&[u8], &Configuration),
) -> Result<Box<Configuration>, Reason> {
    overrides::kill_switch(process)?;
    let path = overrides::configuration_path(process);
    let configuration = sources::load_for(process, files, &path)?;
    configured(&path, &configuration);
    decide(process, &configuration)?;
    Ok(configuration)
}

/// [`prepare`] for the constructor, faster for most processes: if neither the program's name nor the first
/// word of its command line is that of a runtime's launcher, the files of libotelinject.so are not read yet.
/// [`complete`] reads them if the process later turns out to run a runtime.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_at_start(
    process: &impl Process,
    files: &impl Files,
    configured: impl FnOnce(&[u8], &Configuration),
) -> Result<Box<Configuration>, Reason> {
    if Runtime::at_start(process).is_some() {
        return prepare(process, files, configured);
    }
    overrides::kill_switch(process)?;
    let path = overrides::configuration_path(process);
    let configuration = sources::load_part(process, files, &path)?;
    configured(&path, &configuration);
    match decide(process, &configuration) {
        // Other files may name one.
        Err(Reason::NoAgentConfigured) if configuration.is_partial => {
            prepare(process, files, |_, _| {})
        }
        outcome => outcome.map(|()| configuration),
    }
}

/// Repeats [`prepare`] with all files, for a process whose configuration is partial so far
/// ([`Configuration::is_partial`]).
///
/// # Errors
/// As [`prepare`].
pub fn complete(process: &impl Process, files: &impl Files) -> Result<Box<Configuration>, Reason> {
    prepare(process, files, |_, _| {})
}

fn decide(process: &impl Process, configuration: &Configuration) -> Result<(), Reason> {
    // Cheapest check first. (With rules, one of them may still have `enabled = true`.)
    if !configuration.enabled && configuration.rules.is_empty() {
        return Err(Reason::DisabledBy("enabled"));
    }
    by_executable(process, &configuration.processes)?;
    by_arguments(process, &configuration.processes)?;
    rules::may_inject(process, configuration)?;
    any_agent(process, configuration)
}

/// Whether any runtime has an agent; otherwise the first reason for it. Where the configuration names none,
/// the default one of the runtime counts that the process's name tells: other processes look for none.
fn any_agent(process: &impl Process, configuration: &Configuration) -> Result<(), Reason> {
    if rules::may_bring_agent(configuration) {
        return Ok(());
    }
    let outcomes = Runtime::ALL.map(|runtime| runtime.agent(configuration).map(|_| ()));
    if outcomes.iter().any(Result::is_ok) {
        return Ok(());
    }
    // The reason is that of the first runtime that has an agent. One that is switched off and has no agent
    // would be a misleading reason.
    if Runtime::at_start(process).is_some_and(|own| has_default(own, process, configuration)) {
        return Ok(());
    }
    // A runtime that is switched off and has no agent either says nothing of the others.
    let has_agent = |runtime: &Runtime| configuration.agent(*runtime).agent_path.is_some();
    let switched_off = Runtime::ALL.into_iter().find(has_agent);
    let reason = switched_off.and_then(|runtime| runtime.agent(configuration).err());
    Err(reason.unwrap_or(Reason::NoAgentConfigured))
}

fn has_default(runtime: Runtime, process: &impl Process, configuration: &Configuration) -> bool {
    let agent = configuration.agent(runtime);
    (agent.enabled || rules::may_enable(configuration))
        && agent.agent_path.is_none()
        && default_agents::find(runtime, process).is_some()
}

fn by_executable(process: &impl Process, processes: &Processes) -> Result<(), Reason> {
    let effort = Effort::default();
    let path = |pattern: &String| effort.matches_path(pattern.as_bytes(), process.executable());
    let matching = |pattern: &&String| path(pattern);
    if let Some(pattern) = processes.exclude.iter().find(matching) {
        return Err(excluded("processes.exclude", pattern));
    }
    effort.was_enough()?;
    if let Some(include) = &processes.include {
        if include.iter().any(path) {
            return Ok(());
        }
        effort.was_enough()?;
        return Err(Reason::NotIncluded("processes.include"));
    }
    match tools::executable(process.started_as()) {
        Some(kind) => Err(Reason::BuiltInDenial(kind)),
        None => Ok(()),
    }
}

fn by_arguments(process: &impl Process, processes: &Processes) -> Result<(), Reason> {
    if processes.include_arguments.is_none() && processes.exclude_arguments.is_empty() {
        return Ok(());
    }
    let arguments = process.arguments();
    let effort = Effort::default();
    let matching = |pattern: &&String| {
        let pattern = pattern.as_bytes();
        arguments
            .iter()
            .any(|argument| effort.matches(pattern, argument))
    };
    if let Some(pattern) = processes.exclude_arguments.iter().find(matching) {
        return Err(excluded("processes.exclude_arguments", pattern));
    }
    effort.was_enough()?;
    match &processes.include_arguments {
        Some(include) if !include.iter().any(|pattern| matching(&pattern)) => {
            effort.was_enough()?;
            Err(Reason::NotIncluded("processes.include_arguments"))
        }
        _ => Ok(()),
    }
}

fn excluded(key: &'static str, pattern: &str) -> Reason {
    let pattern = pattern.into();
    Reason::Excluded { key, pattern }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::vec;

    fn process(executable: &str, arguments: &[&str]) -> Fixture {
        Fixture {
            executable: executable.into(),
            arguments: arguments.iter().map(|a| String::from(*a)).collect(),
            ..Fixture::default()
        }
    }

    fn configuration() -> Configuration {
        let mut configuration = Configuration::default();
        configuration.agent_mut(Runtime::Jvm).agent_path = Some("/agent.jar".into());
        configuration
    }

    #[test]
    fn a_java_process_is_injected() {
        let java = process("/usr/bin/java", &["java", "Main"]);
        assert_eq!(decide(&java, &configuration()), Ok(()));
    }

    #[test]
    fn without_an_agent_nothing_is_injected() {
        let java = process("/usr/bin/java", &[]);
        let nothing = Configuration::default();
        assert_eq!(decide(&java, &nothing), Err(Reason::NoAgentConfigured));
    }

    #[test]
    fn the_default_agent_counts_where_the_name_tells_a_runtime() {
        let folder = "/usr/lib/opentelemetry/python";
        let with_agent = |executable: &str, arguments: &[&str]| {
            let mut process = process(executable, arguments);
            process.folders.push([folder, "/current"].concat());
            process.folders.push(folder.into());
            process
        };
        let python = with_agent("/usr/bin/python3.11", &["python3.11", "app.py"]);
        let mut script = with_agent("/usr/bin/python3.11", &["/usr/bin/python3", "app.py"]);
        script.started_as = Some("/srv/app.py".into());
        let mut configuration = Configuration::default();
        assert_eq!(decide(&python, &configuration), Ok(()));
        assert_eq!(decide(&script, &configuration), Ok(()));
        for (executable, first) in [("/usr/bin/uwsgi", "uwsgi"), ("/usr/bin/java", "java")] {
            let other = with_agent(executable, &[first]);
            let told = decide(&other, &configuration);
            assert_eq!(told, Err(Reason::NoAgentConfigured), "{first}");
        }
        configuration.agent_mut(Runtime::Python).agent_path = Some(String::new());
        let told = decide(&python, &configuration);
        assert_eq!(told, Err(Reason::AgentPathEmpty("python")));
        configuration.agent_mut(Runtime::Python).agent_path = None;
        configuration.agent_mut(Runtime::Python).enabled = false;
        assert!(decide(&python, &configuration).is_err());
    }

    #[test]
    fn what_is_switched_off_is_told_where_there_is_an_agent() {
        let mut configuration = Configuration::default();
        configuration.agent_mut(Runtime::Php).enabled = false;
        let php = process("/usr/bin/php", &[]);
        assert_eq!(decide(&php, &configuration), Err(Reason::NoAgentConfigured));
        let own = Runtime::Php.agent(&configuration).map(|_| ());
        assert_eq!(own, Err(Reason::DisabledBy("php.enabled")));
        configuration.agent_mut(Runtime::Php).agent_path = Some("/agent".into());
        assert_eq!(
            decide(&php, &configuration),
            Err(Reason::DisabledBy("php.enabled"))
        );
    }

    #[test]
    fn include_restricts_and_lifts_denials_and_exclude_beats_it() {
        let javac = process("/jdk/bin/javac", &[]);
        let java = process("/jdk/bin/java", &[]);
        let mut configuration = configuration();
        assert!(matches!(
            decide(&javac, &configuration),
            Err(Reason::BuiltInDenial(_))
        ));
        configuration.processes.include = Some(vec!["/jdk/*/javac".into()]);
        assert_eq!(decide(&javac, &configuration), Ok(()));
        assert_eq!(
            decide(&java, &configuration),
            Err(Reason::NotIncluded("processes.include"))
        );
        configuration.processes.exclude = vec!["javac".into()];
        assert_eq!(
            decide(&javac, &configuration),
            Err(excluded("processes.exclude", "javac"))
        );
    }

    #[test]
    fn arguments_are_matched_one_by_one() {
        let java = process("/usr/bin/java", &["java", "-jar", "shop.jar"]);
        let mut configuration = configuration();
        configuration.processes.include_arguments = Some(vec!["shop*.jar".into()]);
        assert_eq!(decide(&java, &configuration), Ok(()));
        configuration.processes.include_arguments = Some(vec!["-jar shop.jar".into()]);
        assert_eq!(
            decide(&java, &configuration),
            Err(Reason::NotIncluded("processes.include_arguments"))
        );
        configuration.processes.exclude_arguments = vec!["-jar".into()];
        assert_eq!(
            decide(&java, &configuration),
            Err(excluded("processes.exclude_arguments", "-jar"))
        );
    }
}
