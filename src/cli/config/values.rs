//! The value of every key of a configuration, and how it is written in TOML and in JSON.

use opentelemetry_injector_policy::config::keys::KEYS;
use opentelemetry_injector_policy::config::{Engine, Level};
use opentelemetry_injector_policy::matching::texts;
use opentelemetry_injector_policy::{Configuration, Runtime};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt;
use toml_writer::{ToTomlKey, ToTomlValue, TomlStringBuilder};

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// true or false.
    Boolean(bool),
    /// A whole number.
    Number(u64),
    /// A text: a name, a path, a setting.
    Text(String),
    /// A list of patterns.
    List(Vec<String>),
}

/// Every key that has a value, in the order of [`KEYS`]; the names below `environment`,
/// `resource_attributes` and the runtimes' `environment` are keys of their own.
pub fn all(configuration: &Configuration) -> Vec<(String, Value)> {
    let mut values = Vec::new();
    for key in KEYS {
        let Some(names) = free_names(key, configuration) else {
            values.extend(of(key, configuration).map(|value| (key.into(), value)));
            continue;
        };
        let names = names.iter();
        values.extend(names.map(|(name, text)| {
            let value = Value::Text(text.clone());
            (format!("{key}.{name}"), value)
        }));
    }
    values
}

/// The names below a table that has names of the user's own, with their values.
fn free_names<'c>(
    key: &str,
    configuration: &'c Configuration,
) -> Option<&'c BTreeMap<String, String>> {
    match key {
        "environment" => Some(&configuration.environment),
        "resource_attributes" => Some(&configuration.resource_attributes),
        _ => {
            let section = key.strip_suffix(".environment")?;
            Some(&configuration.agent(of_section(section)?).environment)
        }
    }
}

fn of_section(section: &str) -> Option<Runtime> {
    let mut runtimes = Runtime::ALL.into_iter();
    runtimes.find(|runtime| runtime.section() == section)
}

/// The value of a key with a fixed name; `None` where nothing is said and there is no default.
pub fn of(key: &str, configuration: &Configuration) -> Option<Value> {
    let c = configuration;
    let list = |list: &Vec<String>| (!list.is_empty()).then(|| Value::List(list.clone()));
    let value = match key {
        "enabled" => Value::Boolean(c.enabled),
        "service_name" => Value::Text(c.service_name.as_text().into()),
        "injector_version" => Value::Boolean(c.injector_version),
        "environment_prefixes" => list(&c.environment_prefixes)?,
        "nodejs.esm" => Value::Boolean(c.nodejs_esm),
        "dotnet.profiler" => Value::Boolean(c.dotnet_profiler),
        "processes.include" => Value::List(c.processes.include.clone()?),
        "processes.exclude" => list(&c.processes.exclude)?,
        "processes.include_arguments" => Value::List(c.processes.include_arguments.clone()?),
        "processes.exclude_arguments" => list(&c.processes.exclude_arguments)?,
        "hook.engine" => Value::Text(engine(c.engine).into()),
        "log.level" => Value::Text(level(c.log.level).into()),
        "log.file" => Value::Text(c.log.file.clone()?),
        "report.file" => Value::Text(c.report.file.clone()?),
        "report.max_bytes" => Value::Number(c.report.max_bytes),
        "report.journal" => Value::Boolean(c.report.journal),
        _ => {
            let (section, name) = key.split_once('.')?;
            let agent = c.agent(of_section(section)?);
            match name {
                "enabled" => Value::Boolean(agent.enabled),
                "agent_path" => Value::Text(agent.agent_path.clone()?),
                "allow_other_agents" => Value::Boolean(agent.allow_other_agents),
                "allow_own_sdk" => Value::Boolean(agent.allow_own_sdk),
                _ => return None,
            }
        }
    };
    Some(value)
}

fn engine(engine: Engine) -> &'static str {
    let named = |name: &&str| Engine::from_name(name.as_bytes()) == Some(engine);
    texts::words(Engine::NAMES).find(named).unwrap_or_default()
}

fn level(level: Level) -> &'static str {
    let named = |name: &&str| Level::from_name(name.as_bytes()) == Some(level);
    texts::words(Level::NAMES).find(named).unwrap_or_default()
}

/// The section that a key stands under (empty: none), and its name there as TOML writes it.
pub fn place(key: &str) -> (&str, String) {
    let Some((section, name)) = key.split_once('.') else {
        return ("", key.into());
    };
    match name.strip_prefix("environment.") {
        // A table within a runtime's section.
        Some(below) if of_section(section).is_some() => {
            (section, format!("environment.{}", below.to_toml_key()))
        }
        _ => (section, name.to_toml_key()),
    }
}

impl Value {
    /// The value in JSON.
    pub fn json(&self) -> Json {
        match self {
            Self::Boolean(value) => (*value).into(),
            Self::Number(value) => (*value).into(),
            Self::Text(text) => text.as_str().into(),
            Self::List(items) => items.as_slice().into(),
        }
    }
}

/// The value in TOML, on one line.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(text) => f.write_str(&in_toml(text)),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|item| in_toml(item)).collect();
                write!(f, "[{}]", items.join(", "))
            }
        }
    }
}

fn in_toml(text: &str) -> String {
    let builder = TomlStringBuilder::new(text);
    if text.contains('\n') {
        builder.as_basic().to_toml_value()
    } else {
        builder.as_default().to_toml_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_injector_policy::config::ServiceName;
    use opentelemetry_injector_policy::config::keys::read;

    /// A configuration with a value for every key, none of them the default.
    fn full() -> Configuration {
        let mut configuration = Configuration::default();
        configuration.enabled = false;
        configuration.service_name = ServiceName::Given("shop".into());
        configuration.injector_version = true;
        configuration.nodejs_esm = true;
        configuration.dotnet_profiler = true;
        configuration.engine = Engine::Gum;
        for runtime in Runtime::ALL {
            let agent = configuration.agent_mut(runtime);
            agent.enabled = false;
            agent.agent_path = Some(format!("/it's \"{}\"", runtime.section()));
            agent.allow_other_agents = true;
            // The JVM's agent bridges the application's own SDK: there is no such key.
            agent.allow_own_sdk = runtime != Runtime::Jvm;
            agent.environment.insert("SPLUNK_A".into(), "b".into());
        }
        let text = || "a\nb\t\"'\\\u{7f}\u{e4}".to_owned();
        let attributes = &mut configuration.resource_attributes;
        attributes.insert("service.name".into(), text());
        attributes.insert("gr\u{f6}\u{df}e".into(), String::new());
        configuration.environment.insert("OTEL_A".into(), text());
        configuration.environment_prefixes = vec!["SPLUNK_".into()];
        let list = || vec![text(), "*".into()];
        let processes = &mut configuration.processes;
        processes.include = Some(list());
        processes.exclude = list();
        processes.include_arguments = Some(Vec::new());
        processes.exclude_arguments = list();
        configuration.log.level = Level::Trace;
        configuration.log.file = Some("/log".into());
        configuration.report.file = Some("/report".into());
        configuration.report.max_bytes = 0;
        configuration.report.journal = true;
        configuration
    }

    #[test]
    fn every_key_has_a_value_and_toml_gives_it_back() {
        let full = full();
        let values = all(&full);
        for key in KEYS {
            let below = format!("{key}.");
            let is_there = |(name, _): &(String, Value)| name == key || name.starts_with(&below);
            assert!(values.iter().any(is_there), "{key}");
            let default = of(key, &Configuration::default());
            assert!(
                of(key, &full).is_none() || default != of(key, &full),
                "{key}"
            );
        }
        let mut text = String::new();
        for (key, value) in values {
            let line = match place(&key) {
                ("", name) => format!("{name} = {value}\n"),
                (section, name) => format!("{section}.{name} = {value}\n"),
            };
            assert_eq!(line.lines().count(), 1, "{line}");
            text.push_str(&line);
        }
        let mut read_back = Configuration::default();
        assert_eq!(read(&text, &mut read_back), []);
        assert_eq!(read_back, full);
    }

    #[test]
    fn json_has_the_same_types() {
        let list = Value::List(vec!["a".into()]).json();
        assert_eq!(list.to_string(), "[\"a\"]");
        assert_eq!(Value::Boolean(true).json().to_string(), "true");
        assert_eq!(Value::Text("\"".into()).json().to_string(), "\"\\\"\"");
    }
}
