//! Rules as `config show` writes them.

use crate::config::values::Value;
use opentelemetry_injector_policy::Runtime;
use opentelemetry_injector_policy::config::rules::{Match, Rule};
use opentelemetry_injector_policy::reason::Lossy;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use toml_writer::ToTomlKey;

/// The rule in TOML, its place behind the header.
pub fn in_toml(rule: &Rule, remark: impl Fn(&str) -> String) -> String {
    let mut text = format!("\n[[rule]]  {}\n", remark(&format!("# {}", rule.place)));
    for (key, value) in values(rule) {
        let parts: Vec<_> = key.iter().map(|part| part.to_toml_key()).collect();
        text += &format!("{} = {value}\n", parts.join("."));
    }
    text
}

/// The rule in JSON.
pub fn in_json(rule: &Rule) -> Json {
    let values = values(rule).into_iter();
    let keys: Map<_, _> = values
        .map(|(key, value)| (key.join("."), value.json()))
        .collect();
    json!({
        "file": Lossy(&rule.place.path).to_string(),
        "line": rule.place.line,
        "keys": keys,
    })
}

type Values = Vec<(Vec<String>, Value)>;

/// Every key that it gives, part by part.
fn values(rule: &Rule) -> Values {
    let mut values = of_match(&rule.matches);
    let plain = [
        ("enabled", rule.enabled.map(Value::Boolean)),
        (
            "service_name",
            rule.service_name.as_ref().map(|name| text(name.as_text())),
        ),
        ("agent_path", rule.agent_path.as_deref().map(text)),
    ];
    let plain = plain
        .into_iter()
        .filter_map(|(key, value)| Some((vec![key.to_owned()], value?)));
    values.extend(plain);
    for (table, names) in [
        ("environment", &rule.environment),
        ("resource_attributes", &rule.resource_attributes),
    ] {
        values.extend(below(table, names));
    }
    values
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn below(table: &str, names: &BTreeMap<String, String>) -> Values {
    let names = names.iter();
    names
        .map(|(name, value)| (vec![table.to_owned(), name.clone()], text(value)))
        .collect()
}

fn of_match(matches: &Match) -> Values {
    let runtimes = matches
        .runtime
        .iter()
        .map(|runtime| Runtime::section(*runtime).to_owned());
    let runtimes = runtimes.collect();
    let lists = [
        ("executable", &matches.executable),
        ("arguments", &matches.arguments),
        ("user", &matches.user),
        ("unit", &matches.unit),
        ("working_directory", &matches.working_directory),
        ("runtime", &runtimes),
        ("container", &matches.container),
    ];
    let given = lists
        .into_iter()
        .filter(|(_, patterns)| !patterns.is_empty());
    let key = |name: &str| vec!["match".to_owned(), name.to_owned()];
    let mut values: Values = given
        .map(|(name, patterns)| (key(name), patterns_of(patterns)))
        .collect();
    for (name, patterns) in &matches.environment {
        let mut key = key("environment");
        key.push(name.clone());
        values.push((key, patterns_of(patterns)));
    }
    values
}

/// One pattern is written as it was: a single text.
fn patterns_of(patterns: &[String]) -> Value {
    match patterns {
        [only] => text(only),
        _ => Value::List(patterns.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_injector_policy::Configuration;
    use opentelemetry_injector_policy::config::keys::read;

    #[test]
    fn a_rule_is_read_back_as_it_was() {
        let text = "[[rule]]\nmatch = { executable = ['java', 'node'], arguments = '*a\"b*', user = 'u', \
                    unit = 'x', working_directory = '/srv', environment = { A = '*', \"b c\" = ['1', '2'] }, \
                    runtime = 'jvm', container = 'c' }\nenabled = true\nservice_name = 'shop'\n\
                    agent_path = '/a'\nenvironment.OTEL_A = 'x'\nresource_attributes.a.b = 'y'\n\
                    [[rule]]\nservice_name = 'off'\n";
        let mut configuration = Configuration::default();
        assert_eq!(read(text, &mut configuration), []);
        let rules = configuration.rules.iter();
        let shown: String = rules.map(|rule| in_toml(rule, str::to_owned)).collect();
        let mut again = Configuration::default();
        assert_eq!(read(&shown, &mut again), [], "{shown}");
        let without_places = |rules: Vec<Rule>| -> Vec<Rule> {
            let rules = rules.into_iter();
            rules
                .map(|rule| Rule {
                    place: Default::default(),
                    ..rule
                })
                .collect()
        };
        assert_eq!(
            without_places(again.rules),
            without_places(configuration.rules.clone())
        );
        let json = in_json(&configuration.rules[0]);
        assert_eq!(json["keys"]["match.environment.A"], "*");
        assert_eq!(json["line"], 1);
    }
}
