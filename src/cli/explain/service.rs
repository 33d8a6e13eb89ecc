//! What a process's service is called, who says so, and which rules hold for the process.

use opentelemetry_injector_policy::config::rules;
use opentelemetry_injector_policy::settings::identity::source::{Source, service_name};
use opentelemetry_injector_policy::{Configuration, Process, Runtime};
use serde_json::{Value, json};

/// The service of a process.
pub struct Service {
    /// Its name, where somebody or something tells it.
    pub name: Option<String>,
    /// What tells it, or why there is none.
    pub source: String,
    /// The rules that match, in their order: the place, and the keys that are taken from it.
    pub rules: Vec<(String, Vec<String>)>,
}

impl Service {
    /// What is known of a process.
    pub fn of(runtime: Runtime, process: &impl Process, configuration: &Configuration) -> Self {
        let (name, source) = service_name(runtime, process, configuration);
        let mut taken = Vec::new();
        let mut rules = Vec::new();
        for rule in rules::matching(configuration, runtime, process).unwrap_or_default() {
            let keys = rule.keys().into_iter();
            let keys: Vec<_> = keys.filter(|key| !taken.contains(key)).collect();
            taken.extend(keys.iter().cloned());
            rules.push((rule.place.to_string(), keys));
        }
        let source = match &source {
            Source::Derived(evidence) => format!("derived from {evidence}"),
            other => other.to_string(),
        };
        Self {
            name,
            source,
            rules,
        }
    }

    /// The same for machines.
    pub fn json(&self) -> Value {
        let rules = self.rules.iter();
        let rules = rules.map(|(place, keys)| json!({"place": place, "keys": keys}));
        json!({
            "name": self.name,
            "source": self.source,
            "rules": rules.collect::<Vec<_>>(),
        })
    }
}
