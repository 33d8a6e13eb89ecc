//! Settings that programs have changed themselves, at a time when that was too late, or in the way.

use crate::output::first_few::first_few;
use crate::trace::changes::{Change, Event};
use crate::trace::findings::Finding;
use crate::trace::recording::{Program, Recording};
use opentelemetry_injector_policy::settings::PREFIX;
use std::collections::{BTreeMap, HashMap};

/// What a program has done to a setting, and when.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Doing {
    Cleared,
    Unset,
    UnsetBefore,
    SetBetween,
    SetAfter,
    SetWithoutReader,
}

/// Programs that have done the same, and the values that they have set.
#[derive(Default)]
struct Doers {
    programs: Vec<usize>,
    values: Vec<String>,
}

/// What there is to say; `copies` are the programs that read unseen.
pub fn findings(recording: &Recording, copies: &BTreeMap<usize, &str>) -> Vec<Finding> {
    if recording.changes.is_empty() {
        return Vec::new();
    }
    let asked = asked(recording);
    let mut done: BTreeMap<(&str, Doing), Doers> = BTreeMap::new();
    for change in &recording.changes {
        let Some(doing) = doing(change, &asked, copies) else {
            continue;
        };
        let doers = done.entry((&change.name, doing)).or_default();
        if doers.programs.last() != Some(&change.program) {
            doers.programs.push(change.program);
        }
        let [_, new] = change.shown();
        let value = new.unwrap_or_default();
        if doers.values.last() != Some(&value) {
            doers.values.push(value);
        }
    }
    let finding = |((name, doing), doers)| finding(recording, name, doing, &doers);
    done.into_iter().map(finding).collect()
}

/// The first and the last call for each setting, by program.
fn asked(recording: &Recording) -> HashMap<(usize, &str), (usize, usize)> {
    let mut asked = HashMap::new();
    for (index, call) in recording.calls.iter().enumerate() {
        let name = recording.text(call).name.as_str();
        if name.starts_with(PREFIX) {
            let known = asked.entry((call.program, name)).or_insert((index, index));
            known.1 = index;
        }
    }
    asked
}

fn doing(
    change: &Change,
    asked: &HashMap<(usize, &str), (usize, usize)>,
    copies: &BTreeMap<usize, &str>,
) -> Option<Doing> {
    if change.event == Event::Cleared {
        return Some(Doing::Cleared);
    }
    if !change.name.starts_with(PREFIX) {
        return None;
    }
    let asked = asked.get(&(change.program, change.name.as_str()));
    let had_asked = asked.is_some_and(|(first, _)| *first < change.calls_before);
    let asks_later = asked.is_some_and(|(_, last)| *last >= change.calls_before);
    // Whether the program has read its copy, and when, nobody knows.
    if asked.is_none() && copies.contains_key(&change.program) {
        return (change.event == Event::Unset).then_some(Doing::Unset);
    }
    match (change.event == Event::Unset, had_asked, asks_later) {
        (true, true, _) | (false, false, true) => None,
        (true, false, _) => Some(Doing::UnsetBefore),
        (false, true, true) => Some(Doing::SetBetween),
        (false, true, false) => Some(Doing::SetAfter),
        (false, false, false) => Some(Doing::SetWithoutReader),
    }
}

fn finding(recording: &Recording, name: &str, doing: Doing, doers: &Doers) -> Finding {
    let programs = doers.programs.iter();
    let programs = programs.map(|index| Program::told(&recording.programs[*index]));
    let programs = first_few(programs, "more times");
    let by = format!("by the program itself: {programs}");
    let value = match doers.values.as_slice() {
        [value] => format!("\"{value}\""),
        [.., last] => format!("several values, last \"{last}\","),
        [] => String::new(),
    };
    let text = match doing {
        Doing::Cleared => format!("was cleared {by}; what comes later finds no setting"),
        Doing::Unset => format!("was unset {by}"),
        Doing::UnsetBefore => format!("was unset {by}, before it had asked for it"),
        Doing::SetBetween => {
            format!("was set to {value} {by}, after the first call that asked for it")
        }
        Doing::SetAfter => {
            format!("was set to {value} {by}, after the last call that asked for it")
        }
        Doing::SetWithoutReader => {
            format!("was set to {value} {by}, and it was not asked for through getenv afterwards")
        }
    };
    if doing == Doing::Cleared {
        let names = Vec::new();
        return Finding { names, text };
    }
    Finding::of(name, text)
}
