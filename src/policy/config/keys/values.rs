//! Reads the values that keys take.

use super::ConfigurationErrorKind;
use crate::{Variable, settings};
use alloc::{string::String, vec::Vec};
use core::ops::Range;
use toml::Spanned;
use toml::de::DeValue;

/// Characters with a meaning of their own in `OTEL_RESOURCE_ATTRIBUTES` (W3C Baggage).
pub fn is_outside_attribute_keys(character: char) -> bool {
    character.is_whitespace() || character.is_control() || ",=%;\"\\".contains(character)
}

/// What [`number`] takes.
const WHOLE_NUMBER: &str = "a whole number of at least 0";

pub fn boolean(value: &DeValue<'_>) -> Result<bool, ConfigurationErrorKind> {
    value
        .as_bool()
        .ok_or_else(|| wrong_type("true or false", value))
}

/// A whole number that is not negative.
pub fn number(value: &DeValue<'_>) -> Result<u64, ConfigurationErrorKind> {
    value
        .as_integer()
        .and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok())
        .ok_or_else(|| wrong_type(WHOLE_NUMBER, value))
}

pub fn text(value: &DeValue<'_>) -> Result<String, ConfigurationErrorKind> {
    let text = value
        .as_str()
        .ok_or_else(|| wrong_type("a string", value))?;
    if text.contains('\0') {
        Err(ConfigurationErrorKind::Nul)
    } else {
        Ok(text.into())
    }
}

pub fn absolute_path(value: &DeValue<'_>) -> Result<String, ConfigurationErrorKind> {
    let path = text(value)?;
    if path.starts_with('/') {
        Ok(path)
    } else {
        Err(ConfigurationErrorKind::NotAbsolute)
    }
}

/// The path of an agent, or an empty text: none.
pub fn agent_path(value: &DeValue<'_>) -> Result<String, ConfigurationErrorKind> {
    match value.as_str() {
        Some("") => Ok(String::new()),
        _ => absolute_path(value),
    }
}

pub fn patterns(value: &DeValue<'_>) -> Result<Vec<String>, ConfigurationErrorKind> {
    let array = value.as_array();
    let array = array.ok_or_else(|| wrong_type("a list of strings", value))?;
    let item = |item: &DeValue<'_>| match text(item) {
        Err(ConfigurationErrorKind::WrongType { found, .. }) => {
            Err(ConfigurationErrorKind::WrongType {
                expected: "strings as items",
                found,
            })
        }
        other => other,
    };
    array.iter().map(|value| item(value.get_ref())).collect()
}

/// The place of the first item of a list that is no string.
pub fn wrong_item(value: &Spanned<DeValue<'_>>) -> Option<Range<usize>> {
    let mut items = value.get_ref().as_array()?.iter();
    items
        .find(|item| text(item.get_ref()).is_err())
        .map(Spanned::span)
}

pub fn one_of<T>(
    value: &DeValue<'_>,
    names: &'static str,
    from_name: fn(&[u8]) -> Option<T>,
) -> Result<T, ConfigurationErrorKind> {
    let name = text(value)?;
    from_name(name.as_bytes()).ok_or(ConfigurationErrorKind::NotOneOf(names))
}

pub fn wrong_type(expected: &'static str, value: &DeValue<'_>) -> ConfigurationErrorKind {
    let found = match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    ConfigurationErrorKind::WrongType { expected, found }
}

/// One text, or a list of at least one: patterns of a rule.
pub fn one_or_more(value: &DeValue<'_>) -> Result<Vec<String>, ConfigurationErrorKind> {
    match value {
        DeValue::String(_) => Ok([text(value)?].into()),
        DeValue::Array(items) if items.is_empty() => Err(ConfigurationErrorKind::Empty),
        DeValue::Array(_) => patterns(value),
        _ => Err(wrong_type("a string or a list of strings", value)),
    }
}

/// Whether a name below `environment` is one of the agents' settings: `OTEL_…`, or by one of `prefixes`.
pub fn environment_name(name: &str, prefixes: &[String]) -> Result<(), ConfigurationErrorKind> {
    let begins = |prefix: &String| name.starts_with(prefix.as_str());
    let is_meant = name.starts_with(settings::PREFIX) || prefixes.iter().any(begins);
    if is_meant && is_name(name) {
        Ok(())
    } else {
        Err(ConfigurationErrorKind::NotOtelName)
    }
}

/// Whether a name that a runtime's section or a rule spells out can be a setting's: no variable that
/// this injector answers in another way.
pub fn spelled_name(name: &str) -> Result<(), ConfigurationErrorKind> {
    if is_name(name) && !is_own(name) {
        Ok(())
    } else {
        Err(ConfigurationErrorKind::NotASetting)
    }
}

/// Texts that names of settings may begin with.
pub fn prefixes(value: &DeValue<'_>) -> Result<Vec<String>, ConfigurationErrorKind> {
    let prefixes = patterns(value)?;
    if prefixes.iter().all(|prefix| is_name(prefix)) {
        Ok(prefixes)
    } else {
        Err(ConfigurationErrorKind::NotASetting)
    }
}

fn is_own(name: &str) -> bool {
    let activates = |variable: Variable| variable.name() == name;
    name.starts_with("OPENTELEMETRY_INJECTOR_") || Variable::ALL.into_iter().any(activates)
}

/// Letters, digits and underscores (POSIX, "Environment Variables"), and more than one: what tells names
/// apart needs two.
fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins_with_digit = name.starts_with(|first: char| first.is_ascii_digit());
    name.len() > 1 && name.bytes().all(fits) && !begins_with_digit
}
