//! Reads the keys of a rule.

use super::Rule;
use crate::Runtime;
use crate::config::ServiceName;
use crate::config::keys::ConfigurationErrorKind;
use crate::config::keys::values::{
    agent_path, boolean, is_outside_attribute_keys, one_or_more, spelled_name, text, wrong_type,
};
use crate::matching::texts;
use alloc::vec::Vec;
use toml::de::DeValue;

/// The tables of a rule.
const TABLES: &str = "rule.match rule.match.environment rule.environment rule.resource_attributes";

/// The names of runtimes' sections, for a message.
const RUNTIMES: &str = "jvm nodejs python ruby php erlang dotnet";

/// Whether a key of a rule is a table with names below it.
pub fn table_names(key: &str) -> bool {
    texts::has(TABLES, key.as_bytes()) || key.starts_with("rule.resource_attributes.")
}

/// Reads one key of a rule, `rule.` in front.
///
/// # Errors
/// What is wrong with it. A misspelt key of `match` is fatal: without it the rule would be for other
/// processes than it is meant for.
pub fn read_key(
    rule: &mut Rule,
    key: &str,
    value: &DeValue<'_>,
) -> Result<(), ConfigurationErrorKind> {
    match key {
        "rule.enabled" => rule.enabled = Some(boolean(value)?),
        "rule.service_name" => rule.service_name = Some(ServiceName::from_text(text(value)?)),
        "rule.agent_path" => rule.agent_path = Some(agent_path(value)?),
        _ => return read_below(rule, key, value),
    }
    Ok(())
}

fn read_below(
    rule: &mut Rule,
    key: &str,
    value: &DeValue<'_>,
) -> Result<(), ConfigurationErrorKind> {
    if let Some(name) = key.strip_prefix("rule.match.") {
        return read_match(rule, name, value);
    }
    if let Some(name) = key.strip_prefix("rule.environment.") {
        spelled_name(name)?;
        rule.environment.insert(name.into(), text(value)?);
        return Ok(());
    }
    if let Some(name) = key.strip_prefix("rule.resource_attributes.") {
        if name.is_empty() || name.contains(is_outside_attribute_keys) {
            return Err(ConfigurationErrorKind::BadAttributeKey);
        }
        rule.resource_attributes.insert(name.into(), text(value)?);
        return Ok(());
    }
    if texts::has(TABLES, key.as_bytes()) {
        Err(wrong_type("a table", value))
    } else {
        Err(ConfigurationErrorKind::UnknownKey)
    }
}

fn read_match(
    rule: &mut Rule,
    name: &str,
    value: &DeValue<'_>,
) -> Result<(), ConfigurationErrorKind> {
    let matches = &mut rule.matches;
    match name {
        "executable" => matches.executable = one_or_more(value)?,
        "arguments" => matches.arguments = one_or_more(value)?,
        "user" => matches.user = one_or_more(value)?,
        "unit" => matches.unit = one_or_more(value)?,
        "working_directory" => matches.working_directory = one_or_more(value)?,
        "container" => matches.container = one_or_more(value)?,
        "runtime" => matches.runtime = runtimes(value)?,
        "environment" => return Err(wrong_type("a table", value)),
        _ => match name.strip_prefix("environment.") {
            Some(variable) => {
                matches
                    .environment
                    .insert(variable.into(), one_or_more(value)?);
            }
            None => return Err(ConfigurationErrorKind::UnknownMatch),
        },
    }
    Ok(())
}

fn runtimes(value: &DeValue<'_>) -> Result<Vec<Runtime>, ConfigurationErrorKind> {
    let names = one_or_more(value)?;
    let of_name = |name: &alloc::string::String| {
        let mut runtimes = Runtime::ALL.into_iter();
        let runtime = runtimes.find(|runtime| runtime.section() == name);
        runtime.ok_or(ConfigurationErrorKind::NotOneOf(RUNTIMES))
    };
    names.iter().map(of_name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_every_runtime() {
        let sections = Runtime::ALL.map(Runtime::section);
        assert!(texts::words(RUNTIMES).eq(sections));
    }
}
