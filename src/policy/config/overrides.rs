//! What the environment of one process may tell the injector, without any configuration file.

use crate::config::Level;
use crate::config::libotelinject::variables;
use crate::{Process, Reason};
use alloc::vec::Vec;

/// Names the configuration file instead of `DEFAULT_CONFIGURATION`.
pub const CONFIGURATION: &str = "OPENTELEMETRY_INJECTOR_CONFIGURATION";
/// `true` or `1` turns the debug log on; `trace` turns hook tracing on.
pub const DEBUG: &str = "OPENTELEMETRY_INJECTOR_DEBUG";
/// `auto`, `direct` or `gum`: stronger than `hook.engine`.
pub const ENGINE: &str = "OPENTELEMETRY_INJECTOR_ENGINE";
/// Names the channel of a trace session (`formats::trace_channel`); `opentelemetry-injector trace` sets
/// it, and children inherit it on purpose.
pub const TRACE: &str = "OPENTELEMETRY_INJECTOR_TRACE";
/// `true` or `1` in one of these: the process is left alone.
pub const KILL_SWITCHES: [&str; 2] = ["OPENTELEMETRY_INJECTOR_DISABLED", "OTEL_INJECTOR_DISABLED"];

/// The configuration file where nothing else is named.
pub const DEFAULT_CONFIGURATION: &str = "/etc/opentelemetry/injector/configuration.toml";

/// The kill switch.
///
/// # Errors
/// The variable that turns injection off in this process.
pub fn kill_switch(process: &impl Process) -> Result<(), Reason> {
    let on = |name: &&str| process.variable(name).is_some_and(|value| is_true(&value));
    match KILL_SWITCHES.into_iter().find(on) {
        Some(name) => Err(Reason::KillSwitch(name)),
        None => Ok(()),
    }
}

/// The configuration file of this process.
pub fn configuration_path(process: &impl Process) -> Vec<u8> {
    match process.variable(CONFIGURATION) {
        Some(path) if !path.is_empty() => path,
        _ => DEFAULT_CONFIGURATION.into(),
    }
}

/// The level of the debug log that the environment asks for.
pub fn level(process: &impl Process) -> Level {
    match process.variable(DEBUG) {
        Some(value) if value.eq_ignore_ascii_case(b"trace") => Level::Trace,
        Some(value) if is_true(&value) => Level::Debug,
        Some(_) => Level::Off,
        None => variables::level(process),
    }
}

/// `true` and `t` (in any case) and `1` are true, everything else is not.
pub fn is_true(value: &[u8]) -> bool {
    value == b"1" || value.eq_ignore_ascii_case(b"true") || value.eq_ignore_ascii_case(b"t")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;

    fn with(name: &str, value: &str) -> Fixture {
        let mut process = Fixture::default();
        process.variables.insert(name.into(), value.into());
        process
    }

    #[test]
    fn both_kill_switches_work_and_only_with_true() {
        for name in KILL_SWITCHES {
            for value in ["true", "TRUE", "1", "t", "T"] {
                assert_eq!(
                    kill_switch(&with(name, value)),
                    Err(Reason::KillSwitch(name))
                );
            }
            for value in ["", "false", "0", "no"] {
                assert_eq!(kill_switch(&with(name, value)), Ok(()));
            }
        }
    }

    #[test]
    fn an_empty_name_means_the_default_file() {
        let default = DEFAULT_CONFIGURATION.as_bytes();
        assert_eq!(configuration_path(&with(CONFIGURATION, "")), default);
        assert_eq!(configuration_path(&with(CONFIGURATION, "/x")), b"/x");
    }
}
