//! Why a setting may not have counted.

use crate::trace::changes::{Change, Event};
use crate::trace::recording::{Call, Outcome, Recording};
use crate::trace::redaction;
use opentelemetry_injector_policy::runtimes::variable;
use std::collections::{BTreeMap, BTreeSet};

/// The prefix of the agents' settings.
const SETTINGS: &str = "OTEL_";

/// How many slips two names differ by at most (letters swapped, too many, missing or others) where one is
/// taken for the other.
const SLIPS: usize = 2;

/// Programs that ask a copy of the environment, which no hook sees; by what their names begin with.
const COPIES: [(&str, &str); 6] = [
    ("python", "Python (os.environ)"),
    ("java", "the JVM (System.getenv)"),
    ("beam", "Erlang (os:getenv)"),
    ("dotnet", ".NET (Environment.GetEnvironmentVariable)"),
    ("bash", "bash (which has a getenv of its own)"),
    ("gunicorn", "Python (os.environ)"),
];

/// Something to look at, in one sentence.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The setting.
    pub name: String,
    /// What is odd about it.
    pub text: String,
}

/// What a session shows. `configured` are the settings of the configuration's `[environment]`.
pub fn findings(recording: &Recording, configured: &BTreeMap<String, String>) -> Vec<Finding> {
    let mut found = Vec::new();
    let asked = asked(recording);
    let set = set(recording);
    let names: BTreeSet<&str> = set
        .keys()
        .copied()
        .chain(configured.keys().map(String::as_str))
        .collect();
    for name in names.into_iter().filter(|name| name.starts_with(SETTINGS)) {
        let from_environment = set.get(name);
        found.extend(unread(name, from_environment.is_some(), &asked, recording));
        found.extend(from_environment.and_then(|values| different(name, values)));
        if let (Some(values), Some(configured)) = (from_environment, configured.get(name)) {
            found.extend(overridden(name, values, configured));
        }
    }
    found.extend(misspelt(&set, &asked));
    for finding in recording
        .changes
        .iter()
        .filter_map(|change| own(change, recording))
    {
        if !found.contains(&finding) {
            found.push(finding);
        }
    }
    found
}

/// Variables that nobody asked for and that look like one by which a runtime takes an agent, which was asked for and
/// is not set.
fn misspelt(
    set: &BTreeMap<&str, Vec<&str>>,
    asked: &BTreeMap<&str, bool>,
) -> impl Iterator<Item = Finding> {
    let is_watched = |name: &str| variable::watched(name.as_bytes()).is_some();
    let others = set.keys().filter(move |name| {
        !name.starts_with(SETTINGS) && !is_watched(name) && !asked.contains_key(**name)
    });
    others.filter_map(move |name| {
        let missed = asked.iter().filter(|(_, was_there)| !**was_there);
        let mut missed = missed.map(|(missed, _)| *missed);
        let meant = missed.find(|missed| {
            !missed.starts_with(SETTINGS)
                && is_watched(missed)
                && strsim::damerau_levenshtein(name, missed) <= SLIPS
        })?;
        Some(Finding {
            name: (*name).into(),
            text: format!("is set, and {meant} was asked for and is not: is that what was meant?"),
        })
    })
}

/// A setting that a program has changed itself, at a time when that was too late, or in the way.
fn own(change: &Change, recording: &Recording) -> Option<Finding> {
    let is_all = change.event == Event::Cleared;
    if !is_all && !change.name.starts_with(SETTINGS) {
        return None;
    }
    let program = &recording.programs[change.program];
    let asks = |call: &&Call| {
        let is_name = || recording.text(call).name == change.name;
        call.program == change.program && is_name()
    };
    let (before, after) = recording.calls.split_at(change.calls_before);
    let had_asked = before.iter().any(|call| asks(&call));
    let asks_later = after.iter().any(|call| asks(&call));
    let by = format!(
        "by the program itself: {} ({})",
        program.name(),
        program.process
    );
    let [_, new] = change.shown();
    let text = match change.event {
        Event::Cleared => format!("was cleared {by}; what comes later finds no setting"),
        Event::Unset if had_asked => return None,
        Event::Unset => format!("was unset {by}, before it had asked for it"),
        Event::Set | Event::Changed => {
            let order = match (had_asked, asks_later) {
                (true, true) => "after the first call that asked for it",
                (true, false) => "after the last call that asked for it",
                (false, true) => return None,
                (false, false) => "and it was not asked for through getenv afterwards",
            };
            format!("was set to \"{}\" {by}, {order}", new.unwrap_or_default())
        }
    };
    let name = if is_all {
        "The environment"
    } else {
        &change.name
    };
    let name = name.to_owned();
    Some(Finding { name, text })
}

/// The names that were asked for, and whether each was ever there.
fn asked(recording: &Recording) -> BTreeMap<&str, bool> {
    let mut asked: BTreeMap<&str, bool> = BTreeMap::new();
    for call in &recording.calls {
        let is_there = asked.entry(&recording.text(call).name).or_default();
        *is_there |= call.outcome != Outcome::Miss;
    }
    asked
}

/// The values that each name has in the environments of the processes, in their order.
fn set(recording: &Recording) -> BTreeMap<&str, Vec<&str>> {
    let mut set: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in recording
        .programs
        .iter()
        .flat_map(|program| &program.variables)
    {
        let values = set.entry(name).or_default();
        if !values.contains(&value.as_str()) {
            values.push(value);
        }
    }
    set
}

/// A setting that nobody asked for, or that looks like one that was asked for and is not set. (Whoever
/// copies an environment name by name asks for all that is there.)
fn unread(
    name: &str,
    is_set: bool,
    asked: &BTreeMap<&str, bool>,
    recording: &Recording,
) -> Option<Finding> {
    let whence = if is_set {
        "is set"
    } else {
        "is in the configuration"
    };
    let slips = |other: &str| strsim::damerau_levenshtein(name, other);
    let missed = asked.iter().filter(|(_, was_there)| !**was_there);
    let missed = missed
        .map(|(other, _)| *other)
        .filter(|other| *other != name);
    let alike = missed.filter(|other| slips(other) <= SLIPS);
    let text = match (alike.min_by_key(|other| slips(other)), copies(recording)) {
        (Some(other), _) => {
            format!("{whence}, and {other} was asked for and is not: is that what was meant?")
        }
        _ if asked.contains_key(name) => return None,
        (None, None) => format!("{whence}, and nobody asked for it through getenv"),
        (None, Some(copy)) => format!(
            "{whence}, and nobody asked for it through getenv; {copy} reads a copy of the \
             environment, which no hook sees"
        ),
    };
    let name = name.into();
    Some(Finding { name, text })
}

/// A program of the session that asks a copy.
fn copies(recording: &Recording) -> Option<&'static str> {
    let mut programs = recording.programs.iter();
    programs.find_map(|program| {
        let is_it = |(beginning, _): &&(&str, &str)| program.name().starts_with(beginning);
        COPIES.iter().find(is_it).map(|(_, copy)| *copy)
    })
}

fn different(name: &str, values: &[&str]) -> Option<Finding> {
    let shown = |value: &&str| format!("\"{}\"", redaction::shown(name, value));
    let all: Vec<_> = values.iter().map(shown).collect();
    (values.len() > 1).then(|| Finding {
        name: name.into(),
        text: format!(
            "has {} values: {} (where one environment has several, getenv answers the first)",
            values.len(),
            all.join(", ")
        ),
    })
}

fn overridden(name: &str, values: &[&str], configured: &str) -> Option<Finding> {
    let is_other = values.iter().any(|value| *value != configured);
    is_other.then(|| Finding {
        name: name.into(),
        text: format!(
            "is \"{}\" in the configuration, and the environment's own value counts",
            redaction::shown(name, configured)
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::recording::fixture;

    #[test]
    fn misspelt_names_of_activating_variables_are_found() {
        let mut recording = fixture::of(&[
            (1, "NODE_OPTIONS", None, false),
            (1, "ERL_AFLAGS", None, false),
            (1, "ERL_ZFLAGS", Some("x"), false),
        ]);
        for entry in [
            "NODE_OPTION=x",
            "NODE=x",
            "ERL_ZFLAGS=x",
            "NODE_OPTIONS_OF_MINE=x",
        ] {
            fixture::set(&mut recording, 1, entry);
        }
        let found = findings(&recording, &BTreeMap::new());
        let names: Vec<_> = found.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["NODE_OPTION"], "{found:?}");
    }

    #[test]
    fn settings_that_a_program_changes_itself_are_found_where_that_may_be_in_the_way() {
        let mut recording = fixture::of(&[(1, "OTEL_A", None, false), (1, "OTEL_B", None, false)]);
        fixture::set(&mut recording, 1, "OTEL_C=1");
        fixture::change(&mut recording, 1, 1, "", "OTEL_A=x");
        fixture::change(&mut recording, 1, 2, "", "OTEL_Z=x");
        fixture::change(&mut recording, 1, 3, "", "PATH=x");
        let found = findings(&recording, &BTreeMap::new());
        let lines: Vec<_> = found
            .iter()
            .map(|f| format!("{} {}", f.name, f.text))
            .collect();
        let wanted = [
            "OTEL_C is set, and OTEL_A was asked for and is not: is that what was meant?",
            "OTEL_A was set to \"x\" by the program itself: p (1), after the last call that asked for it",
            "OTEL_Z was set to \"x\" by the program itself: p (1), and it was not asked for through \
             getenv afterwards",
        ];
        assert_eq!(lines, wanted);
    }

    #[test]
    fn slips_doubles_and_names_without_a_reader_are_found() {
        let mut recording = fixture::of(&[
            (1, "OTEL_EXPORTER_OTLP_ENDPOINT", None, false),
            (1, "OTEL_SERVICE_NAME", Some("a"), false),
        ]);
        for entry in [
            "OTEL_EXPORTER_OTLP_ENDPONT=http://c",
            "OTEL_SERVICE_NAME=a",
            "OTEL_SERVICE_NAME=b",
            "JAVA_TOOL_OPTIONS=-X",
        ] {
            fixture::set(&mut recording, 1, entry);
        }
        let configured = BTreeMap::from([
            ("OTEL_SERVICE_NAME".into(), "c".into()),
            ("OTEL_LOG_LEVEL".into(), "debug".into()),
        ]);
        let found = findings(&recording, &configured);
        let lines: Vec<_> = found
            .iter()
            .map(|f| format!("{} {}", f.name, f.text))
            .collect();
        assert_eq!(
            lines,
            [
                "OTEL_EXPORTER_OTLP_ENDPONT is set, and OTEL_EXPORTER_OTLP_ENDPOINT was asked for and \
                 is not: is that what was meant?",
                "OTEL_LOG_LEVEL is in the configuration, and nobody asked for it through getenv",
                "OTEL_SERVICE_NAME has 2 values: \"a\", \"b\" (where one environment has several, \
                 getenv answers the first)",
                "OTEL_SERVICE_NAME is \"c\" in the configuration, and the environment's own value counts",
            ]
        );
    }
}
