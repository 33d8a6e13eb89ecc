//! What somebody meant who wrote a name that does not exist.

use opentelemetry_injector_policy::config::keys::{KEYS, RULE_KEYS, SECTIONS};
use opentelemetry_injector_policy::matching::texts;

/// How alike two names are at least (Jaro-Winkler, from 0 to 1) where one is taken for the other.
const ALIKE: f64 = 0.82;

/// The key or section that an unknown key was meant to be.
pub fn key(unknown: &str) -> Option<&'static str> {
    let (section, word) = split(unknown);
    if section == "rule" || section.starts_with("rule.") {
        let candidates = RULE_KEYS.into_iter().filter(|key| split(key).0 == section);
        return nearest(word, candidates, |key| split(key).1);
    }
    let candidates = || {
        let sections = texts::words(SECTIONS);
        KEYS.into_iter().chain(sections).chain(["rule"])
    };
    // A name that several sections have says nothing about a key of yet another section.
    let may_be_meant = |candidate: &&str| {
        let (its_section, its_name) = split(candidate);
        let bearers = candidates().filter(|key| split(key).1 == its_name);
        its_section == section || bearers.count() == 1
    };
    nearest(word, candidates().filter(may_be_meant), |key| split(key).1)
}

/// The one of `names` that a word was meant to be.
pub fn name<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    nearest(word, names.into_iter(), |name| name)
}

/// A key's section, which may be empty, and its name there.
pub fn split(key: &str) -> (&str, &str) {
    key.rsplit_once('.').unwrap_or(("", key))
}

fn nearest<'n>(
    word: &str,
    names: impl Iterator<Item = &'n str>,
    compared: fn(&str) -> &str,
) -> Option<&'n str> {
    let word = plain(word);
    let scored = names.map(|name| (likeness(&word, &plain(compared(name))), name));
    let alike = scored.filter(|(likeness, _)| *likeness >= ALIKE);
    let nearest = alike.max_by(|(one, _), (other, _)| one.total_cmp(other));
    nearest.map(|(_, name)| name)
}

/// Jaro-Winkler; but names that one slip makes the same (two letters swapped, one too many, one missing,
/// another one) are alike however short they are.
fn likeness(word: &str, name: &str) -> f64 {
    match strsim::damerau_levenshtein(word, name) {
        0 | 1 if word.len() > 2 => 1.0,
        _ => strsim::jaro_winkler(word, name),
    }
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelled_keys_and_sections_are_recognised() {
        for (unknown, meant) in [
            ("enable", "enabled"),
            ("jvm.agnet_path", "jvm.agent_path"),
            ("jvm.agent-path", "jvm.agent_path"),
            ("jvm.agentPath", "jvm.agent_path"),
            ("jvm.agent", "jvm.agent_path"),
            ("processes.exclude_args", "processes.exclude_arguments"),
            ("process", "processes"),
            ("jmv", "jvm"),
            ("rbuy", "ruby"),
            ("logging", "log"),
            ("rules", "rule"),
            ("rule.match.exectuable", "rule.match.executable"),
            ("rule.enabeld", "rule.enabled"),
            ("rule.agent", "rule.agent_path"),
            ("env", "environment"),
            ("resources", "resource_attributes"),
        ] {
            assert_eq!(key(unknown), Some(meant), "{unknown}");
        }
    }

    #[test]
    fn keys_are_recognised_in_the_wrong_section_and_in_none() {
        for (unknown, meant) in [
            ("profiler", "dotnet.profiler"),
            ("jvm.level", "log.level"),
            ("jvm.enviroment", "jvm.environment"),
            ("jvm.resource_attributes", "resource_attributes"),
        ] {
            assert_eq!(key(unknown), Some(meant), "{unknown}");
        }
    }

    #[test]
    fn what_is_like_nothing_is_not_guessed() {
        for unknown in ["agent_path", "java", "jvm.jar", "jvm.xyz", "log.path", ""] {
            assert_eq!(key(unknown), None, "{unknown}");
        }
        // There is `enabled` and `jvm.enabled`, of which neither is about the log.
        assert_eq!(key("log.enabled"), None);
    }

    #[test]
    fn misspelled_names_are_recognised() {
        let levels = ["off", "debug", "trace"];
        assert_eq!(name("DEBUG", levels), Some("debug"));
        assert_eq!(name("tracing", levels), Some("trace"));
        assert_eq!(name("info", levels), None);
    }
}
