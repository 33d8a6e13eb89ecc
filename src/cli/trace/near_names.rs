//! Which name somebody meant who has set another one.

use crate::check::settings;
use opentelemetry_injector_policy::config::rules::SERVICE_NAME;
use opentelemetry_injector_policy::matching::texts;
use opentelemetry_injector_policy::settings::declarative;
use opentelemetry_injector_policy::settings::{DEFAULTS, PREFIX};
use std::borrow::Cow;
use std::sync::LazyLock;

/// How many slips two names differ by at most (letters swapped, too many, missing or others) where one is
/// taken for the other.
const SLIPS: usize = 2;

/// So many letters make up for a slip: short names that differ are different names.
const LETTERS: usize = 4;

/// How the names begin of settings that only some agents have.
const OF_AGENTS: &str = "
    OTEL_DOTNET_ OTEL_GO_ OTEL_INSTRUMENTATION_ OTEL_JAVAAGENT_ OTEL_JAVA_ OTEL_JMX_ OTEL_NODE_ OTEL_PHP_
    OTEL_PYTHON_ OTEL_RESOURCE_PROVIDERS_ OTEL_RUBY_ OTEL_SEMCONV_
";

/// The settings of the specification, and those that agents need.
static KNOWN: LazyLock<Vec<String>> = LazyLock::new(|| {
    let others = texts::words(DEFAULTS).chain(declarative::VARIABLES);
    let others = others.chain([SERVICE_NAME]).map(str::to_owned);
    settings::names().chain(others).collect()
});

/// Whether agents have a setting of this name.
pub fn is_known(name: &str) -> bool {
    KNOWN.iter().any(|known| known == name)
}

/// Whether a setting of this name may well be one of an agent's own.
pub fn may_be_known(name: &str) -> bool {
    is_known(name) || texts::words(OF_AGENTS).any(|beginning| name.starts_with(beginning))
}

/// The known setting that a name looks like.
pub fn known_like(name: &str) -> Option<&'static str> {
    if !may_begin_like_a_setting(name) {
        return None;
    }
    nearest(name, KNOWN.iter().map(String::as_str))
}

/// The one of some names that a name looks like.
pub fn nearest<'n>(name: &str, others: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let written = written(name);
    let scored = others.filter_map(|other| Some((slips(name, &written, other)?, other)));
    let nearest = scored.min_by_key(|(slips, _)| *slips);
    nearest.map(|(_, other)| other)
}

/// Whether the first word may have been meant to be that of the settings.
fn may_begin_like_a_setting(name: &str) -> bool {
    let written = written(name);
    let word = written.split('_').next().unwrap_or_default();
    let meant = PREFIX.trim_end_matches('_');
    // Cheaper than to count.
    word.len().abs_diff(meant.len()) <= SLIPS && strsim::damerau_levenshtein(word, meant) <= SLIPS
}

/// A name with the letters and the separators that variables have.
fn written(name: &str) -> Cow<'_, str> {
    let is_usual = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if name.bytes().all(is_usual) {
        name.into()
    } else {
        name.to_ascii_uppercase().replace(['-', '.'], "_").into()
    }
}

/// By how many slips a name, and what is `written` of it, differ from another one that it is taken for.
fn slips(name: &str, written: &str, other: &str) -> Option<usize> {
    if name == other {
        return None;
    }
    let length = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).len();
    let longer = length(written).max(length(other));
    let most = (longer / LETTERS).min(SLIPS);
    // Cheaper than to count.
    if written.len().abs_diff(other.len()) > most {
        return None;
    }
    let slips = strsim::damerau_levenshtein(written, other);
    (slips <= most).then_some(slips)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_settings_are_recognised_however_they_begin() {
        for (name, meant) in [
            ("OTEL_EXPORTER_OTLP_ENDPONT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
            ("OTEL_EXPORTER_OLTP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
            ("OTLE_SERVICE_NAME", SERVICE_NAME),
            ("OTL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
            ("otel_service_name", SERVICE_NAME),
            ("Otel_Service_Nam", SERVICE_NAME),
            ("otel.service.name", SERVICE_NAME),
            ("OTEL-SERVICE-NAME", SERVICE_NAME),
            ("OTEL_RESOURCE_ATTRIBUTE", "OTEL_RESOURCE_ATTRIBUTES"),
        ] {
            assert_eq!(known_like(name), Some(meant), "{name}");
        }
        for name in ["OTEL_A", "OTEL_SERVICE", "SERVICE_NAME", "HOME", "_", ""] {
            assert_eq!(known_like(name), None, "{name}");
        }
    }

    #[test]
    fn short_names_that_differ_are_different_names() {
        let near = |name, other| nearest(name, [other].into_iter()).is_some();
        assert!(!near("OTEL_XX", "OTEL_A") && !near("OTEL_A", "OTEL_B"));
        assert!(near("NODE_OPTION", "NODE_OPTIONS") && near("PYTHON_PATH", "PYTHONPATH"));
        assert!(!near("NODE", "NODE_OPTIONS") && !near("OTEL_ABCD", "OTEL_ABCD"));
    }

    #[test]
    fn known_names_are_those_of_the_specification_and_of_agents() {
        for name in [SERVICE_NAME, "OTEL_EXPORTER_OTLP_LOGS_HEADERS"] {
            assert!(is_known(name), "{name}");
        }
        assert!(may_be_known("OTEL_INSTRUMENTATION_JDBC_ENABLED"));
        assert!(!may_be_known("OTEL_EXPORTER_OTLP_ENDPONT"));
    }
}
