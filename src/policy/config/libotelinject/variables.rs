//! The variables that configure libotelinject.so for one process: stronger than any file.

use crate::config::Level;
use crate::config::libotelinject::keys;
use crate::matching::texts;
use crate::{Configuration, Process};
use alloc::string::String;
use alloc::vec::Vec;

/// Its file, instead of the one beside the configuration.
pub const CONFIG_FILE: &str = "OTEL_INJECTOR_CONFIG_FILE";
/// The folder of its drop-ins.
pub const CONFIG_DIR: &str = "OTEL_INJECTOR_CONFIG_DIR";
/// How much it logs; only `debug` means anything here.
pub const LOG_LEVEL: &str = "OTEL_INJECTOR_LOG_LEVEL";

/// The variables that replace keys of its file.
const OVERRIDES: &str = "
    JVM_AUTO_INSTRUMENTATION_AGENT_PATH
    NODEJS_AUTO_INSTRUMENTATION_AGENT_PATH
    PYTHON_AUTO_INSTRUMENTATION_AGENT_PATH_PREFIX
    RUBY_AUTO_INSTRUMENTATION_AGENT_PATH_PREFIX
    DOTNET_AUTO_INSTRUMENTATION_AGENT_PATH_PREFIX
    OTEL_INJECTOR_AUTO_INSTRUMENTATION_DISABLED
    OTEL_INJECTOR_INCLUDE_PATHS
    OTEL_INJECTOR_EXCLUDE_PATHS
    OTEL_INJECTOR_INCLUDE_WITH_ARGUMENTS
    OTEL_INJECTOR_EXCLUDE_WITH_ARGUMENTS
";

/// The key that a variable replaces.
fn key(variable: &str) -> String {
    let name = variable.strip_prefix("OTEL_INJECTOR_").unwrap_or(variable);
    name.to_ascii_lowercase()
}

/// Takes what the process's environment says into `configuration`; whether it says anything. A list
/// replaces those of the files.
pub fn take(process: &impl Process, configuration: &mut Configuration) -> bool {
    let mut is_given = false;
    for name in texts::words(OVERRIDES) {
        let Some(value) = text(process, name) else {
            continue;
        };
        let key = key(name);
        is_given = true;
        let processes = &mut configuration.processes;
        match key.as_str() {
            "include_paths" => processes.include = None,
            "exclude_paths" => processes.exclude = Vec::new(),
            "include_with_arguments" => processes.include_arguments = None,
            "exclude_with_arguments" => processes.exclude_arguments = Vec::new(),
            _ => {}
        }
        keys::take(configuration, &key, &value);
    }
    is_given
}

/// Whether the process's environment has one of the overrides.
pub fn is_given(process: &impl Process) -> bool {
    let is_set = |name| process.variable(name).is_some();
    texts::words(OVERRIDES).any(is_set)
}

/// A variable's text without blanks around it; `None` where it is not set or is not UTF-8.
pub fn text(process: &impl Process, name: &str) -> Option<String> {
    let value = String::from_utf8(process.variable(name)?).ok()?;
    Some(value.trim().into())
}

/// The level that the process's environment asks for.
pub fn level(process: &impl Process) -> Level {
    match text(process, LOG_LEVEL) {
        Some(level) if level.eq_ignore_ascii_case("debug") => Level::Debug,
        _ => Level::Off,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Runtime;
    use crate::process::fixture::Fixture;

    fn with(pairs: &[(&str, &str)]) -> Fixture {
        let pair = |(name, value): &(&str, &str)| (String::from(*name), String::from(*value));
        Fixture {
            variables: pairs.iter().map(pair).collect(),
            ..Fixture::default()
        }
    }

    #[test]
    fn a_pod_of_the_operator_needs_no_file() {
        let mut configuration = Configuration::default();
        let process = with(&[
            (
                "JVM_AUTO_INSTRUMENTATION_AGENT_PATH",
                " /otel/javaagent.jar\n",
            ),
            (
                "PYTHON_AUTO_INSTRUMENTATION_AGENT_PATH_PREFIX",
                "/otel/python",
            ),
        ]);
        assert!(take(&process, &mut configuration));
        let path = |runtime| configuration.agent(runtime).agent_path.as_deref();
        assert_eq!(path(Runtime::Jvm), Some("/otel/javaagent.jar"));
        assert_eq!(path(Runtime::Python), Some("/otel/python/{libc}"));
        assert_eq!(path(Runtime::Ruby), None);
    }

    #[test]
    fn an_empty_path_leaves_a_runtime_alone_and_a_list_replaces_that_of_the_files() {
        let mut configuration = Configuration::default();
        configuration.agent_mut(Runtime::Jvm).agent_path = Some("/a.jar".into());
        configuration.processes.exclude = Vec::from(["/usr/*".into()]);
        let process = with(&[
            ("JVM_AUTO_INSTRUMENTATION_AGENT_PATH", ""),
            ("OTEL_INJECTOR_EXCLUDE_PATHS", "/opt/*,/srv/*"),
            ("OTEL_INJECTOR_AUTO_INSTRUMENTATION_DISABLED", "nodejs"),
        ]);
        assert!(take(&process, &mut configuration));
        let path = configuration.agent(Runtime::Jvm).agent_path.as_deref();
        assert_eq!(path, Some(""));
        assert_eq!(configuration.processes.exclude, ["/opt/*", "/srv/*"]);
        assert!(!configuration.agent(Runtime::Nodejs).enabled);
        assert!(!take(&with(&[]), &mut configuration));
    }

    #[test]
    fn debug_is_the_only_level_that_says_anything() {
        for (value, wanted) in [
            ("debug", Level::Debug),
            ("DEBUG", Level::Debug),
            ("info", Level::Off),
        ] {
            assert_eq!(level(&with(&[(LOG_LEVEL, value)])), wanted);
        }
        assert_eq!(level(&with(&[])), Level::Off);
    }
}
