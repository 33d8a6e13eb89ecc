//! `ps --units`: what becomes of each unit, container or pod.

use crate::explain::explanation::Verdict;
use crate::output::{Style, names, printable, table, terminal_width};
use crate::ps::Found;
use serde_json::{Value, json};

/// What becomes of a unit, the more pressing first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    AfterRestart,
    NotInjected,
    Unknown,
    Injected,
}

impl Fate {
    fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Injected => Self::Injected,
            Verdict::NotInjected {
                after_restart: true,
                ..
            } => Self::AfterRestart,
            Verdict::NotInjected { .. } => Self::NotInjected,
            Verdict::Unknown(_) => Self::Unknown,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::AfterRestart => "after_restart",
            Self::NotInjected => "not_injected",
            Self::Unknown => "unknown",
            Self::Injected => "injected",
        }
    }

    const fn shown(self) -> &'static str {
        match self {
            Self::AfterRestart => "after a restart",
            Self::NotInjected => "no",
            Self::Unknown => "?",
            Self::Injected => "yes",
        }
    }
}

/// The processes of one unit that have the same fate for the same reason.
struct Group<'f> {
    unit: String,
    fate: Fate,
    why: String,
    first: &'f Found,
    processes: Vec<u32>,
}

fn groups(found: &[Found]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for one in found {
        let unit = one.placement.name();
        let fate = Fate::of(&one.explanation.verdict);
        let why = one.why();
        let process = one.process.live.as_ref().map_or(0, |live| live.process);
        let is_same = |group: &&mut Group<'_>| {
            group.unit == unit
                && group.fate == fate
                && group.why == why
                && group.first.explanation.runtime == one.explanation.runtime
        };
        match groups.iter_mut().find(is_same) {
            Some(group) => group.processes.push(process),
            None => groups.push(Group {
                unit,
                fate,
                why,
                first: one,
                processes: vec![process],
            }),
        }
    }
    groups.sort_by(|one, other| (one.fate, &one.unit).cmp(&(other.fate, &other.unit)));
    groups
}

const HEADINGS: [&str; 6] = ["UNIT", "RUNTIME", "PROCESSES", "INJECTED", "RESTART", "WHY"];

/// The table.
pub fn text(found: &[Found]) -> String {
    let mut rows = vec![HEADINGS.map(String::from).to_vec()];
    rows.extend(groups(found).iter().map(|group| {
        let restart = group.first.placement.restart.as_deref();
        // Of one that would not be injected either after a restart, a restart is no help.
        let is_pending = match group.fate {
            Fate::AfterRestart => true,
            Fate::NotInjected => false,
            Fate::Unknown | Fate::Injected => !group.why.is_empty(),
        };
        vec![
            printable(&group.unit),
            group
                .first
                .explanation
                .runtime
                .map_or("", names::runtime)
                .into(),
            group.processes.len().to_string(),
            group.fate.shown().into(),
            printable(restart.filter(|_| is_pending).unwrap_or("-")),
            printable(&group.why),
        ]
    }));
    let style = Style::of_stdout();
    table(&rows, terminal_width(), |_, cell| match cell {
        "yes" => style.good(cell),
        "no" => style.bad(cell),
        "after a restart" | "?" => style.warning(cell),
        _ if HEADINGS.contains(&cell) => style.strong(cell),
        _ => cell.into(),
    })
}

/// The same for machines.
pub fn json(found: &[Found]) -> Value {
    let units = groups(found).into_iter().map(|group| {
        json!({
            "name": group.unit,
            "placement": group.first.placement.json(),
            "runtime": group.first.explanation.runtime.map(opentelemetry_injector_policy::Runtime::section),
            "verdict": group.fate.name(),
            "reason": (!group.why.is_empty()).then_some(&group.why),
            "processes": group.processes,
        })
    });
    units.collect()
}
