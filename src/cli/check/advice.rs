//! What to do about a problem: one line for each kind, in the words of the file where it can.

use crate::check::similar_names;
use opentelemetry_injector_policy::config::keys::{
    ConfigurationError, ConfigurationErrorKind, KEYS, RULE_KEYS, SECTIONS, line_and_column, meaning,
};
use opentelemetry_injector_policy::config::sources::FileProblem;
use opentelemetry_injector_policy::matching::texts;

/// The tables that have names of the user's own below them.
const FREE_TABLES: [&str; 2] = ["environment", "resource_attributes"];

/// What the key means that the problem is about: of an unknown one, the key that it was meant to
/// be. Nothing where no key is known.
pub fn about(problem: &ConfigurationError) -> Option<String> {
    let key = match problem.kind {
        ConfigurationErrorKind::UnknownKey | ConfigurationErrorKind::UnknownMatch => {
            similar_names::key(&problem.key)?
        }
        _ => problem.key.as_str(),
    };
    let key = match key.strip_prefix("rule.") {
        Some(name) if FREE_TABLES.iter().any(|table| name.starts_with(*table)) => name,
        _ => key,
    };
    let table = key.split('.').next().unwrap_or(key);
    let key = if FREE_TABLES.contains(&table) {
        table
    } else {
        key
    };
    match meaning(key) {
        "" => None,
        meaning => Some(format!("{key}: {meaning}")),
    }
}

/// What to do about a problem of a text.
pub fn for_text(problem: &ConfigurationError, text: &str) -> String {
    let there = text.get(problem.span.clone()).unwrap_or_default();
    let key = problem.key.as_str();
    match &problem.kind {
        ConfigurationErrorKind::Syntax(message) => {
            let before = text.get(..problem.span.start).unwrap_or_default();
            syntax(message, there, before.ends_with('['))
        }
        ConfigurationErrorKind::UnknownKey | ConfigurationErrorKind::UnknownMatch => {
            unknown_key(key)
        }
        ConfigurationErrorKind::Empty => "give at least one pattern, or remove the key".into(),
        ConfigurationErrorKind::NotOtelName => not_otel_name(key),
        ConfigurationErrorKind::NotASetting | ConfigurationErrorKind::NotForDotnet => {
            "set it where the process is started".into()
        }
        ConfigurationErrorKind::WrongType { expected, found } => {
            wrong_type(key, expected, found, there)
        }
        ConfigurationErrorKind::NotOneOf(names) => {
            match similar_names::name(unquoted(there), texts::words(names)) {
                Some(name) => format!("write `\"{name}\"`"),
                None => "write one of these, or remove the key to use the default".into(),
            }
        }
        ConfigurationErrorKind::NotAbsolute if unquoted(there).starts_with(['~', '$']) => {
            "write the path from `/` on: `~` and variables are not expanded".into()
        }
        ConfigurationErrorKind::NotAbsolute => {
            "write the path from `/` on: processes run in any directory".into()
        }
        ConfigurationErrorKind::Nul => "remove the NUL character (`\\u0000`)".into(),
        ConfigurationErrorKind::BadAttributeKey => bad_attribute_key(key),
        ConfigurationErrorKind::TooDeep => "remove it: no key is nested this deep".into(),
        ConfigurationErrorKind::TooMany => "remove keys and items".into(),
    }
}

/// What to do about a file whose text cannot be read at all.
pub fn for_file(problem: &FileProblem, content: &[u8]) -> String {
    match problem {
        FileProblem::NotUtf8(offset) => {
            let text = String::from_utf8_lossy(content.get(..*offset).unwrap_or_default());
            let (line, column) = line_and_column(&text, *offset);
            format!(
                "save it as UTF-8, for example with `iconv -f latin1 -t utf-8` \
                 (line {line}, column {column})"
            )
        }
        FileProblem::TooLarge => {
            "check that this is the right file: processes do not read a file of this size".into()
        }
        FileProblem::WritableByAll => "run `chmod o-w` on it, and check who has changed it".into(),
        FileProblem::Missing => "remove this link, or restore the file that it points to".into(),
        _ => "put the settings into a regular file: processes read no other".into(),
    }
}

fn syntax(message: &str, there: &str, is_header: bool) -> String {
    match message {
        _ if message.contains("must be quoted") && !there.is_empty() => match boolean(there) {
            // `off` is a level, too.
            Some(boolean) if there != "off" => format!("write `{boolean}`"),
            _ => format!("write `{}`", quoted(there)),
        },
        "duplicate key" if is_header => format!("put the keys of both `[{there}]` under one"),
        "duplicate key" => format!("keep one of the lines that set `{there}`"),
        _ => "lines are `key = value`, `[section]` or `# comment`; strings are in quotes".into(),
    }
}

fn unknown_key(key: &str) -> String {
    if key.starts_with("rule.") {
        return unknown_rule_key(key);
    }
    if let Some(meant) = similar_names::key(key) {
        return match meant.split_once('.') {
            Some((section, name)) if similar_names::split(key).1 == name => {
                format!("did you mean `{meant}`? It belongs under `[{section}]`")
            }
            _ => format!("did you mean `{meant}`?"),
        };
    }
    let section = key.split('.').next().unwrap_or(key);
    if texts::has(SECTIONS, section.as_bytes()) {
        format!("`[{section}]` takes {}", keys_of(section).join(", "))
    } else {
        format!("the sections are {}", sections().join(", "))
    }
}

/// In a rule the tables are the rule's own: `match.user` is written, not `rule.match.user`.
fn unknown_rule_key(key: &str) -> String {
    let holder = similar_names::split(key).0;
    if let Some(meant) = similar_names::key(key) {
        let shown = meant.strip_prefix("rule.").unwrap_or(meant);
        return format!("did you mean `{shown}`?");
    }
    let keys = RULE_KEYS
        .into_iter()
        .filter(|known| similar_names::split(known).0 == holder);
    let keys: Vec<_> = keys.map(|known| similar_names::split(known).1).collect();
    format!("it takes {}", keys.join(", "))
}

fn keys_of(section: &str) -> Vec<&'static str> {
    let keys = KEYS.iter().filter_map(|key| key.split_once('.'));
    let keys = keys.filter(|(holder, _)| *holder == section);
    keys.map(|(_, key)| key).collect()
}

fn sections() -> Vec<String> {
    let names = texts::words(SECTIONS).chain(FREE_TABLES);
    names.map(|name| format!("[{name}]")).collect()
}

fn not_otel_name(key: &str) -> String {
    let name = key.strip_prefix("environment.").unwrap_or(key);
    let variable = name.to_uppercase().replace(['.', '-'], "_");
    if variable.starts_with("OTEL_") {
        return format!("did you mean `{variable}`?");
    }
    match name.find('_') {
        Some(end) => format!(
            "write it under a runtime, as `[jvm.environment]`, or name how it begins: \
             `environment_prefixes = [\"{}\"]`",
            &name[..=end]
        ),
        None => "only the agents' settings can stand here; set others where the process is started"
            .into(),
    }
}

fn wrong_type(key: &str, expected: &str, found: &str, there: &str) -> String {
    match (expected, found) {
        ("true or false", _) => match boolean(unquoted(there)) {
            Some(boolean) => format!("write `{boolean}`"),
            None => "write `true` or `false`".into(),
        },
        ("a list of strings", "a string") => format!("write `[{there}]`"),
        ("a list of strings", _) => "write strings between brackets: `[\"one\", \"two\"]`".into(),
        ("tables under [[rule]]", _) => "write each rule below a line `[[rule]]`".into(),
        ("a string or a list of strings", _) => "write a pattern: `\"…\"`".into(),
        ("a whole number of at least 0", _) => "write a number without quotes: `1000000`".into(),
        ("a table", _) => format!("write its keys below a line `[{key}]`"),
        (_, "a list" | "a table") => "write one string: `\"one,two\"`".into(),
        _ => format!("write `{}`", quoted(there)),
    }
}

fn bad_attribute_key(key: &str) -> String {
    let name = key.strip_prefix("resource_attributes.").unwrap_or(key);
    let fits = |character: char| character.is_alphanumeric() || "._-/".contains(character);
    let fitting = name.replace(|character| !fits(character), "_");
    match fitting.as_str() {
        "" => "give the attribute a name".into(),
        _ => format!("write `{fitting}`"),
    }
}

/// What somebody means who writes a boolean in another way.
fn boolean(word: &str) -> Option<&'static str> {
    match word.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some("true"),
        "false" | "no" | "off" | "0" => Some("false"),
        _ => None,
    }
}

/// The text as a TOML string. A single-quoted one takes everything but its own quote.
fn quoted(text: &str) -> String {
    if text.contains(['"', '\\']) {
        format!("'{text}'")
    } else {
        format!("\"{text}\"")
    }
}

fn unquoted(value: &str) -> &str {
    value.trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_injector_policy::Configuration;
    use opentelemetry_injector_policy::config::keys::read;

    fn help(text: &str) -> String {
        let problems = read(text, &mut Configuration::default());
        assert_eq!(problems.len(), 1, "{problems:?}");
        for_text(&problems[0], text)
    }

    #[test]
    fn values_are_written_out_as_they_should_be() {
        for (text, value) in [
            ("environment.OTEL_A = 5000", "\"5000\""),
            ("environment.OTEL_A = 0.5", "\"0.5\""),
            ("environment.OTEL_A = true", "\"true\""),
            ("environment.OTEL_A = 2026-01-01", "\"2026-01-01\""),
            ("jvm.agent_path = /opt/a.jar", "\"/opt/a.jar\""),
            ("jvm.agent_path = C:\\a.jar", "'C:\\a.jar'"),
            ("enabled = yes", "true"),
            ("log.level = off", "\"off\""),
            ("enabled = 'No'", "false"),
            ("enabled = 0", "false"),
            ("enabled = 'off'", "false"),
            ("processes.include = 'java'", "['java']"),
            ("log.level = 'Debug'", "\"debug\""),
            ("hook.engine = 'guma'", "\"gum\""),
            ("resource_attributes.'a b' = 'x'", "a_b"),
        ] {
            assert_eq!(help(text), format!("write `{value}`"), "{text}");
        }
    }

    #[test]
    fn where_the_value_cannot_be_known_the_form_is_told() {
        for (text, told) in [
            ("enabled = 'perhaps'", "write `true` or `false`"),
            ("jvm = 1", "write its keys below a line `[jvm]`"),
            (
                "processes.include = 1",
                "write strings between brackets: `[\"one\", \"two\"]`",
            ),
            ("processes.include = ['a', 1]", "write `\"1\"`"),
            (
                "environment.OTEL_A = ['a']",
                "write one string: `\"one,two\"`",
            ),
            (
                "hook.engine = 'zydis'",
                "write one of these, or remove the key to use the default",
            ),
            (
                "log.file = '~/log'",
                "write the path from `/` on: `~` and variables are not expanded",
            ),
            (
                "log.file = 'log'",
                "write the path from `/` on: processes run in any directory",
            ),
            (
                "log.file = \"/\\u0000\"",
                "remove the NUL character (`\\u0000`)",
            ),
            ("resource_attributes.'' = ''", "give the attribute a name"),
        ] {
            assert_eq!(help(text), told, "{text}");
        }
    }

    #[test]
    fn unknown_names_get_a_near_one_or_what_there_is() {
        for (text, told) in [
            ("jvm.agnet_path = ''", "did you mean `jvm.agent_path`?"),
            // Every runtime has one.
            (
                "agent_path = ''",
                "the sections are [jvm], [nodejs], [python], [ruby], [php], [erlang], [dotnet], \
                 [processes], [hook], [log], [report], [environment], [resource_attributes]",
            ),
            (
                "profiler = true",
                "did you mean `dotnet.profiler`? It belongs under `[dotnet]`",
            ),
            (
                "jvm.xyz = ''",
                "`[jvm]` takes enabled, agent_path, allow_other_agents, environment",
            ),
            (
                "[cobol]\nx = 1",
                "the sections are [jvm], [nodejs], [python], [ruby], [php], [erlang], [dotnet], \
                 [processes], [hook], [log], [report], [environment], [resource_attributes]",
            ),
            (
                "environment.otel-service-name = ''",
                "did you mean `OTEL_SERVICE_NAME`?",
            ),
            (
                "environment.PATH = ''",
                "only the agents' settings can stand here; set others where the process is started",
            ),
            (
                "environment.SPLUNK_REALM = ''",
                "write it under a runtime, as `[jvm.environment]`, or name how it begins: \
                 `environment_prefixes = [\"SPLUNK_\"]`",
            ),
        ] {
            assert_eq!(help(text), told, "{text}");
        }
    }

    #[test]
    fn what_is_no_toml_gets_the_nearest_rule() {
        assert_eq!(
            help("[jvm]\nenabled = true\n[jvm]\nagent_path = '/a'"),
            "put the keys of both `[jvm]` under one"
        );
        assert_eq!(
            help("enabled = true\nenabled = false"),
            "keep one of the lines that set `enabled`"
        );
        assert_eq!(
            help("enabled: true"),
            "lines are `key = value`, `[section]` or `# comment`; strings are in quotes"
        );
    }
}
