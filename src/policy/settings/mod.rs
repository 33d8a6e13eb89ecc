//! The agent's settings (`OTEL_…`) that a process gets: those of `[environment]`, of rules and of the defaults
//! below that its user has not set, and the resource attributes.

pub mod added;
pub mod declarative;
pub mod identity;
pub mod resource_attributes;

use crate::config::rules::{Rule, SERVICE_NAME};
use crate::config::{ServiceName, is_given};
use crate::matching::texts;
use crate::settings::resource_attributes::{has_key, merge, with_environment};
use crate::{Configuration, Process, Reason, Runtime};
use alloc::{collections::BTreeMap, string::String, vec::Vec};

/// Texts by their names: many are looked for among many in no more time than both take. One type for all, so
/// that the object has its code once; made by inserting, because collecting would sort.
pub type ByName<'t> = BTreeMap<&'t [u8], &'t [u8]>;

/// What a runtime's agent needs where neither the user nor the configuration says otherwise.
/// The Python distribution's own default is grpc, which fails where only the http exporter is
/// installed; Node's detectors ask cloud services that may not be there, and warn; PHP's SDK does
/// nothing under Composer's autoloader before it is told to, and without a collector it writes to
/// the application's stderr.
///
/// Where the collector hangs, agents hold up the end of a program until the exporter's timeout, 10 s by
/// the specification: Java's and .NET's send what is left, Node.js waits for an export that is under
/// way, and PHP's SDK tries four times at the end of each request (opentelemetry-php 1.x,
/// `PsrTransport`). With these timeouts it is less than 2 s.
pub fn default(name: &str, runtime: Runtime) -> Option<&'static str> {
    match (runtime, name) {
        (Runtime::Jvm | Runtime::Nodejs | Runtime::Dotnet, "OTEL_EXPORTER_OTLP_TIMEOUT") => {
            Some("1000")
        }
        (Runtime::Php, "OTEL_EXPORTER_OTLP_TIMEOUT") => Some("300"),
        (Runtime::Python, "OTEL_EXPORTER_OTLP_PROTOCOL") => Some("http/protobuf"),
        (Runtime::Php, "OTEL_PHP_AUTOLOAD_ENABLED") => Some("true"),
        (Runtime::Php, "OTEL_PHP_LOG_DESTINATION") => Some("none"),
        (Runtime::Nodejs, "OTEL_NODE_RESOURCE_DETECTORS") => Some("env,host,os,process"),
        _ => None,
    }
}

/// The names that have a default for some runtime.
pub const DEFAULTS: &str = "
    OTEL_EXPORTER_OTLP_PROTOCOL
    OTEL_EXPORTER_OTLP_TIMEOUT
    OTEL_NODE_RESOURCE_DETECTORS
    OTEL_PHP_AUTOLOAD_ENABLED
    OTEL_PHP_LOG_DESTINATION
";

/// Names and values of `[environment]` that this process lacks.
///
/// An empty value counts as not set, there and here (OpenTelemetry specification, "Environment Variable
/// Specification"). Resource attributes are merged elsewhere. A service name among the user's
/// resource attributes (`user_attributes`), or among those that the environment tells, would lose
/// against `OTEL_SERVICE_NAME`, so it keeps that one out.
pub fn missing<'c>(
    process: &impl Process,
    configuration: &'c Configuration,
    user_attributes: &[u8],
) -> Vec<(&'c str, &'c str)> {
    let settings = configuration.environment.iter();
    settings
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, value)| {
            is_given(name, value) && is_missing(name, process, || user_attributes.to_vec())
        })
        .collect()
}

/// Whether a process lacks a name of `[environment]`.
fn is_missing(
    name: &str,
    process: &impl Process,
    user_attributes: impl FnOnce() -> Vec<u8>,
) -> bool {
    match name {
        resource_attributes::VARIABLE => return false,
        SERVICE_NAME => {
            let attributes = with_environment(&user_attributes(), process);
            if has_key(&attributes, b"service.name") {
                return false;
            }
        }
        _ => {}
    }
    process.variable(name).is_none_or(|value| value.is_empty())
}

/// How the names of the agents' own settings begin; those of a vendor's agent begin otherwise.
pub const PREFIX: &str = "OTEL_";

/// The settings that no prefix tells: names that the configuration spells out for all processes, for a
/// runtime or in a rule. A name may come more than once.
pub fn spelled_out(configuration: &Configuration) -> impl Iterator<Item = &str> {
    let agents = Runtime::ALL.map(|runtime| &configuration.agent(runtime).environment);
    let rules = configuration.rules.iter().map(|rule| &rule.environment);
    let tables = [&configuration.environment].into_iter();
    let names = tables.chain(agents).chain(rules).flat_map(BTreeMap::keys);
    let names = names.map(String::as_str);
    names.filter(|name| !name.starts_with(PREFIX))
}

/// Whether `[environment]`, `[resource_attributes]`, a default, or the environment's own
/// `OTEL_INJECTOR_…` (which are not looked at here) may say anything of a name. It allocates nothing: the
/// preload object asks outside of its attempts, where there is no memory.
pub fn is_configured(name: &str, runtime: Runtime, configuration: &Configuration) -> bool {
    let of_rule = |rule: &Rule| {
        rule.environment.contains_key(name) || name == SERVICE_NAME && rule.names_service()
    };
    configuration.environment.contains_key(name)
        || configuration.agent(runtime).environment.contains_key(name)
        || configuration.rules.iter().any(of_rule)
        || name == SERVICE_NAME && matches!(configuration.service_name, ServiceName::Given(_))
        || name == resource_attributes::VARIABLE
        || default(name, runtime).is_some()
}

/// The value of one setting, for runtimes whose agents ask libc's `getenv`.
///
/// # Errors
/// The user's own value counts, or there is none.
pub fn value(
    name: &str,
    original: Option<&[u8]>,
    runtime: Runtime,
    process: &impl Process,
    configuration: &Configuration,
) -> Result<Vec<u8>, Reason> {
    let user_attributes = || {
        let attributes = process.variable(resource_attributes::VARIABLE);
        attributes.unwrap_or_default()
    };
    if name == resource_attributes::VARIABLE {
        let list = user_attributes();
        let why = || {
            if list.is_empty() {
                Reason::NoValue
            } else {
                Reason::SetByUser
            }
        };
        return merge(&list, false, runtime, process, configuration).ok_or_else(why);
    }
    if original.is_some_and(|value| !value.is_empty()) {
        return Err(Reason::SetByUser);
    }
    // Only this name is looked at: all of them for each one would take long.
    let configured = configuration.setting(name);
    let why = if configured.is_some() {
        Reason::SetByUser
    } else {
        Reason::NoValue
    };
    let configured = configured.filter(|_| is_missing(name, process, user_attributes));
    let value = configured.or(default(name, runtime));
    value.map(Into::into).ok_or(why)
}

/// All that [`value`] would answer, as `NAME=value` each.
pub fn entries(
    runtime: Runtime,
    process: &impl Process,
    configuration: &Configuration,
) -> Vec<Vec<u8>> {
    let environment = &configuration.environment;
    let others = texts::words(DEFAULTS).chain([resource_attributes::VARIABLE]);
    let others = others.filter(|name| !environment.contains_key(*name));
    let names = environment.keys().map(String::as_str);
    let mut entries = Vec::new();
    for name in names.chain(others) {
        let original = process.variable(name);
        let value = value(name, original.as_deref(), runtime, process, configuration);
        if let Ok(value) = value {
            entries.push([name.as_bytes(), b"=", &value].concat());
        }
    }
    entries
}

/// The same as lines; a line end within a value becomes a blank.
pub fn lines(runtime: Runtime, process: &impl Process, configuration: &Configuration) -> Vec<u8> {
    let mut lines = Vec::new();
    for mut entry in entries(runtime, process, configuration) {
        let line_ends = entry.iter_mut().filter(|byte| **byte == b'\n');
        line_ends.for_each(|byte| *byte = b' ');
        lines.extend(entry);
        lines.push(b'\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;

    #[test]
    fn the_users_values_count_and_defaults_come_last() {
        let mut configuration = Configuration::default();
        for name in ["OTEL_A", "OTEL_B"] {
            configuration.environment.insert(name.into(), "ours".into());
        }
        configuration
            .resource_attributes
            .insert("team".into(), "a b".into());
        let mut process = Fixture::default();
        process.variables.insert("OTEL_B".into(), "theirs".into());
        let told = lines(Runtime::Python, &process, &configuration);
        let wanted = "OTEL_A=ours\nOTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n\
                      OTEL_RESOURCE_ATTRIBUTES=team=a%20b\n";
        assert_eq!(core::str::from_utf8(&told).unwrap(), wanted);
        let told = value(
            "OTEL_B",
            Some(b"theirs"),
            Runtime::Ruby,
            &process,
            &configuration,
        );
        assert_eq!(told, Err(Reason::SetByUser));
        let none = Configuration::default();
        for name in [resource_attributes::VARIABLE, "OTEL_B_C"] {
            let told = value(name, None, Runtime::Ruby, &Fixture::default(), &none);
            assert_eq!(told, Err(Reason::NoValue), "{name}");
        }
    }

    #[test]
    fn an_empty_setting_is_none() {
        let mut configuration = Configuration::default();
        for name in [
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            "SPLUNK_EMPTY",
        ] {
            configuration.environment.insert(name.into(), String::new());
        }
        let process = Fixture::default();
        let names: Vec<_> = missing(&process, &configuration, b"");
        assert_eq!(names, [("SPLUNK_EMPTY", "")]);
        let told = lines(Runtime::Php, &process, &configuration);
        let told = core::str::from_utf8(&told).unwrap();
        assert!(told.contains("OTEL_EXPORTER_OTLP_TIMEOUT=300\n"), "{told}");
        assert!(!told.contains("ENDPOINT"), "{told}");
        assert!(told.contains("SPLUNK_EMPTY=\n"), "{told}");
    }

    #[test]
    fn the_environments_service_name_is_stronger_than_the_configurations() {
        let mut configuration = Configuration::default();
        let service_name = "OTEL_SERVICE_NAME";
        let environment = &mut configuration.environment;
        environment.insert(service_name.into(), "ours".into());
        let mut process = Fixture::default();
        let variables = &mut process.variables;
        variables.insert("OTEL_INJECTOR_SERVICE_NAME".into(), "shop".into());
        let told = |process: &Fixture| lines(Runtime::Ruby, process, &configuration);
        assert_eq!(
            told(&process),
            b"OTEL_RESOURCE_ATTRIBUTES=service.name=shop\n"
        );
        process.variables.clear();
        assert_eq!(told(&process), b"OTEL_SERVICE_NAME=ours\n");
    }
}
