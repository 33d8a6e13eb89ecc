//! Compares runs with and without the object.

use crate::declaration::Application;
use crate::observed::Observed;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// How much longer an end may take with the object, in milliseconds.
const LONGER_END: u64 = 2_000;

/// What differs: each item one line.
pub type Differences = BTreeSet<String>;

/// What differs between the runs without and the run with the object. What differs between the plain
/// runs themselves does not count.
pub fn differences(
    application: &Application,
    plain: &[Observed],
    hooked: &Observed,
) -> Differences {
    let mut found = Differences::new();
    let any = |same: &dyn Fn(&Observed) -> bool| plain.iter().any(same);
    if !any(&|plain| plain.ready.is_some() == hooked.ready.is_some()) {
        found.insert(format!("ready: {:?}", hooked.ready));
    }
    if !any(&|plain| plain.code == hooked.code) {
        found.insert(format!("exit code {}, not {}", hooked.code, plain[0].code));
    }
    if !any(&|plain| plain.end == hooked.end) {
        found.insert(format!("end: {}, not {}", hooked.end, plain[0].end));
    }
    // Twice, because a busy machine may have been less busy before.
    if !any(&|plain| hooked.ending <= 2 * plain.ending + LONGER_END) {
        found.insert(format!(
            "the end takes {} ms, not {}",
            hooked.ending, plain[0].ending
        ));
    }
    lines(
        "answer",
        application,
        plain,
        hooked,
        |run| &run.answers,
        &mut found,
    );
    lines(
        "output",
        application,
        plain,
        hooked,
        |run| &run.output,
        &mut found,
    );
    for name in hooked
        .names
        .iter()
        .filter(|name| !any(&|plain| plain.names.contains(*name)))
    {
        found.insert(format!("environment has {name}"));
    }
    for trace in hooked
        .traces
        .iter()
        .filter(|trace| !any(&|plain| plain.traces.contains(*trace)))
    {
        found.insert(format!("environment: {trace}"));
    }
    if application.traced && hooked.spans == 0 {
        found.insert("no span".into());
    }
    let services: BTreeSet<_> = application.services.iter().cloned().collect();
    if !services.is_empty() && hooked.spans > 0 && services != hooked.services {
        let listed =
            |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        let (is, wanted) = (listed(&hooked.services), listed(&services));
        found.insert(format!("services: {is}, not {wanted}"));
    }
    if !application.traced && hooked.spans > 0 {
        found.insert("spans of what is to be left alone".into());
    }
    found
}

/// Lines that only one side has.
fn lines(
    what: &str,
    application: &Application,
    plain: &[Observed],
    hooked: &Observed,
    text: impl Fn(&Observed) -> &str,
    found: &mut Differences,
) {
    let set = |run: &Observed| -> BTreeSet<String> {
        let varies = |line: &str| application.varies.iter().any(|text| line.contains(text));
        let lines = text(run).lines().map(without_colours);
        let lines = lines.filter(|line| !varies(line) && !is_frame(line));
        lines.map(|line| unvarying(&line)).collect()
    };
    let with = set(hooked);
    let without: Vec<_> = plain.iter().map(set).collect();
    for line in &with {
        if !without.iter().any(|without| without.contains(line)) {
            found.insert(format!("{what} more: {line}"));
        }
    }
    for line in &without[0] {
        if !with.contains(line) && without.iter().all(|without| without.contains(line)) {
            found.insert(format!("{what} less: {line}"));
        }
    }
}

/// A line without the sequences that colour a terminal (ECMA-48, "SGR").
fn without_colours(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    let parts = parts.map(|part| part.split_once('m').map_or(part, |(_, rest)| rest));
    first + &parts.collect::<String>()
}

/// Whether a line is of a stack trace, in which an agent has its place.
fn is_frame(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("at ") || line.starts_with("File \"") || line.starts_with("... ")
}

/// A line without what is another in every run: numbers, and words that are made of them.
pub fn unvarying(line: &str) -> String {
    let mut kept = String::new();
    for (index, word) in line
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .enumerate()
    {
        if index > 0 {
            kept.push(' ');
        }
        if word.bytes().any(|byte| byte.is_ascii_digit()) {
            kept.push('#');
        } else {
            let _ = write!(kept, "{word}");
        }
    }
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Splits differences into those that are explained and the others.
pub fn explained(application: &Application, found: Differences) -> (Differences, Differences) {
    let is_known = |difference: &String| {
        let mut known = application.explained.iter();
        known.any(|(text, _)| {
            difference.contains(unvarying(text).as_str()) || difference.contains(text)
        })
    };
    found.into_iter().partition(is_known)
}
