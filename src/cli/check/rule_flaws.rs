//! Rules that cannot do what they are meant for, with their places.

use crate::check::diagnostics::{Diagnostic, Excerpt, Severity};
use crate::machine::configuration_files::FileSystem;
use opentelemetry_injector_policy::config::rules::Place;
use opentelemetry_injector_policy::config::rules::checks::{Flaw, flaws};
use opentelemetry_injector_policy::{Configuration, Files};

/// What there is to say of the rules.
pub fn find(configuration: &Configuration) -> Vec<Diagnostic> {
    let flaws = flaws(&configuration.rules).into_iter();
    let diagnostics = flaws.filter_map(|(index, flaw)| {
        let place = &configuration.rules.get(index)?.place;
        Some(Diagnostic {
            severity: Severity::Warning,
            path: place.path.clone(),
            excerpt: excerpt(place),
            message: flaw.to_string(),
            notes: Vec::new(),
            help: help(&flaw).into(),
        })
    });
    diagnostics.collect()
}

/// The line in which a rule begins.
fn excerpt(place: &Place) -> Option<Excerpt> {
    let text = String::from_utf8(FileSystem.read(&place.path).ok()?).ok()?;
    let before = text
        .split_inclusive('\n')
        .take(place.line - 1)
        .map(str::len);
    let start: usize = before.sum();
    let length = text.get(start..)?.lines().next().map_or(0, str::len);
    Some(Excerpt::new(&text, &(start..start + length)))
}

fn help(flaw: &Flaw) -> &'static str {
    match flaw {
        Flaw::NeverMatches { .. } => "correct the pattern, or remove the rule",
        Flaw::Shadowed { .. } => {
            "put the narrower rule first: for each key, the first rule that matches wins"
        }
        Flaw::SaysNothing => {
            "set at least one key: enabled, service_name, agent_path, environment or \
             resource_attributes"
        }
    }
}
