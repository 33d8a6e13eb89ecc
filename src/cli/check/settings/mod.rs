//! Values under `environment` that agents do not take: they would refuse to start, or ignore them.

mod kinds;

pub use kinds::{is_url, names};

use crate::check::diagnostics::{Diagnostic, Excerpt, Severity};
use kinds::Fault;
use opentelemetry_injector_policy::Runtime;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The name of the tables.
const ENVIRONMENT: &str = "environment";

/// One table of settings.
struct Table<'t> {
    settings: &'t DeTable<'t>,
    /// Whose agent reads them; none: those of all runtimes.
    runtime: Option<Runtime>,
    /// Whether an empty value may be meant: it takes that of a broader table away.
    is_narrow: bool,
}

/// What there is to say of the settings in a text of TOML.
pub fn diagnostics(path: &[u8], text: &str) -> Vec<Diagnostic> {
    let Ok(root) = DeTable::parse(text) else {
        return Vec::new();
    };
    let tables = tables(root.get_ref());
    let faults = tables.iter().flat_map(|table| {
        table.settings.iter().filter_map(|(name, value)| {
            let fault = fault(name.get_ref(), value, table)?;
            Some(diagnostic(path, text, value.span(), fault))
        })
    });
    faults.collect()
}

/// What there is to say of one setting in a line of libotelinject.so's `default_env.conf`.
pub fn of_line(path: &[u8], place: Excerpt, name: &str, value: &str) -> Option<Diagnostic> {
    let fault = kinds::fault(name, value, None, &|_| None)?;
    Some(told(path, place, fault))
}

fn fault(name: &str, value: &Spanned<DeValue<'_>>, table: &Table<'_>) -> Option<Fault> {
    let text = value.get_ref().as_str()?;
    if text.is_empty() && table.is_narrow {
        return None;
    }
    let other = |name: &str| table.settings.get(name)?.get_ref().as_str();
    kinds::fault(name, text, table.runtime, &other)
}

/// Every table of settings, in the order of the text as far as it matters: problems are put in order by
/// their places.
fn tables<'t>(root: &'t DeTable<'t>) -> Vec<Table<'t>> {
    let below = |table: &'t DeTable<'t>, runtime, is_narrow| {
        let settings = table.get(ENVIRONMENT)?.get_ref().as_table()?;
        Some(Table {
            settings,
            runtime,
            is_narrow,
        })
    };
    let mut tables = Vec::from_iter(below(root, None, false));
    for runtime in Runtime::ALL {
        let section = root.get(runtime.section());
        let section = section.and_then(|section| section.get_ref().as_table());
        tables.extend(section.and_then(|section| below(section, Some(runtime), true)));
    }
    let rules = root
        .get("rule")
        .and_then(|rules| rules.get_ref().as_array());
    for rule in rules.into_iter().flat_map(|rules| rules.iter()) {
        let rule = rule.get_ref().as_table();
        tables.extend(rule.and_then(|rule| below(rule, None, true)));
    }
    tables
}

fn diagnostic(path: &[u8], text: &str, span: Range<usize>, fault: Fault) -> Diagnostic {
    told(path, Excerpt::new(text, &span), fault)
}

fn told(path: &[u8], place: Excerpt, fault: Fault) -> Diagnostic {
    Diagnostic {
        severity: Severity::Warning,
        path: path.to_vec(),
        excerpt: Some(place),
        message: fault.message,
        notes: Vec::new(),
        help: fault.help,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that say something, each with its message.
    fn said(text: &str) -> Vec<String> {
        let told = diagnostics(b"c", text);
        let firsts = told.iter().map(|one| one.to_string());
        let firsts = firsts.map(|one| one.lines().next().unwrap_or_default().to_owned());
        firsts.collect()
    }

    #[test]
    fn every_table_is_looked_at_and_places_are_those_of_the_values() {
        let text = "[environment]\nOTEL_EXPORTER_OTLP_ENDPOINT = \"\"\n\
                    [jvm.environment]\nOTEL_TRACES_EXPORTER = 'oltp'\n\
                    [[rule]]\nmatch.user = 'a'\nenvironment.OTEL_TRACES_SAMPLER = 'always'\n";
        let said = said(text);
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].starts_with("c:2:31: warning: `OTEL_EXPORTER_OTLP_ENDPOINT` is empty"));
        assert!(
            said[1].starts_with("c:4:24: warning: `oltp` is no"),
            "{said:?}"
        );
        assert!(
            said[2].starts_with("c:7:35: warning: `always` is no"),
            "{said:?}"
        );
    }

    #[test]
    fn a_narrow_table_may_take_a_setting_away() {
        let text = "jvm.environment.OTEL_EXPORTER_OTLP_ENDPOINT = ''\n\
                    [[rule]]\nenvironment.OTEL_TRACES_EXPORTER = ''\n";
        assert_eq!(said(text), [""; 0]);
    }
}
