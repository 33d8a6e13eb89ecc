//! A session's calls, totalled by name.

use crate::output::{Style, cut, printable, table};
use crate::trace::callers::{Caller, Callers};
use crate::trace::recording::{Call, Outcome, Recording, Text};
use crate::trace::redaction;
use opentelemetry_injector_policy::runtimes::variable;
use std::collections::{BTreeSet, HashMap};

/// How many columns a caller takes at most.
const CALLER: usize = 48;

/// What is told of one name.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// The name.
    pub name: String,
    /// How many calls had which result: misses, hits, injected ones.
    pub outcomes: [usize; 3],
    /// The processes that have asked.
    pub processes: BTreeSet<u32>,
    /// Who has asked first.
    pub caller: Caller,
    /// The value that was answered last, as it may be shown; `None` where there never was one.
    pub value: Option<String>,
    /// Whether answers differed.
    pub has_changed: bool,
}

impl Row {
    /// How many calls there were.
    pub fn calls(&self) -> usize {
        self.outcomes.iter().sum()
    }

    /// `miss`, `hit`, `injected`, or how many of each.
    pub fn result(&self) -> String {
        let names = [Outcome::Miss, Outcome::Hit, Outcome::Injected].map(Outcome::name);
        let counted = || {
            self.outcomes
                .iter()
                .zip(names)
                .filter(|(count, _)| **count > 0)
        };
        match counted().count() {
            1 => counted().map(|(_, name)| name.to_owned()).collect(),
            _ => {
                let parts: Vec<_> = counted()
                    .map(|(count, name)| format!("{count} {name}"))
                    .collect();
                parts.join(", ")
            }
        }
    }

    /// Names that the injector looks at, and what it has changed, come first.
    fn rank(&self) -> u8 {
        let is_watched = variable::watched(self.name.as_bytes()).is_some();
        match (self.outcomes[Outcome::Injected as usize] > 0, is_watched) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 2,
        }
    }
}

/// The rows for these calls: what the injector has changed, what it looks at, then the rest; the most
/// often asked for first.
pub fn rows(recording: &Recording, calls: &[&Call], callers: &mut Callers) -> Vec<Row> {
    let mut indices: HashMap<&str, usize> = HashMap::new();
    let mut rows: Vec<Row> = Vec::new();
    let mut answers: Vec<Option<&str>> = Vec::new();
    for call in calls {
        let Text { name, value } = recording.text(call);
        let answer = (call.outcome != Outcome::Miss).then_some(value.as_str());
        let index = *indices.entry(name).or_insert_with(|| {
            rows.push(Row {
                name: name.clone(),
                outcomes: [0; 3],
                processes: BTreeSet::new(),
                caller: callers.of(recording, call),
                value: None,
                has_changed: false,
            });
            answers.push(answer);
            rows.len() - 1
        });
        let row = &mut rows[index];
        row.outcomes[call.outcome as usize] += 1;
        row.processes
            .insert(recording.programs[call.program].process);
        if answer.is_some() && (row.value.is_none() || answers[index] != answer) {
            row.value = answer.map(|answer| redaction::shown(name, answer));
        }
        row.has_changed |= answers[index] != answer;
        answers[index] = answer;
    }
    rows.sort_by(|one, other| {
        let key = |row: &Row| (row.rank(), usize::MAX - row.calls());
        key(one)
            .cmp(&key(other))
            .then_with(|| one.name.cmp(&other.name))
    });
    rows
}

/// The rows as a table.
pub fn shown(rows: &[Row], width: Option<usize>, style: Style) -> String {
    let header = [
        "NAME",
        "CALLS",
        "RESULT",
        "PROCESSES",
        "FIRST CALLER",
        "VALUE",
    ];
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|row| {
        let changed = if row.has_changed { " (changed)" } else { "" };
        let value = match row.value.as_deref() {
            None => "-",
            Some("") => "\"\"",
            Some(value) => value,
        };
        vec![
            printable(&row.name),
            row.calls().to_string(),
            row.result(),
            row.processes.len().to_string(),
            cut(&printable(&row.caller.to_string()), CALLER),
            format!("{}{changed}", printable(value)),
        ]
    }));
    table(&lines, width, |column, cell| match (column, cell) {
        (_, cell) if header.contains(&cell) => style.strong(cell),
        (2, cell) if cell.contains("injected") => style.good(cell),
        (2, "miss") | (5, "-") => style.faint(cell),
        _ => cell.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::recording::fixture;

    #[test]
    fn calls_are_totalled_over_processes_and_what_was_changed_comes_first() {
        let recording = fixture::of(&[
            (1, "LANG", None, false),
            (1, "LANG", None, false),
            (2, "LANG", Some("C"), false),
            (1, "OTEL_X", None, false),
            (2, "API_KEY", Some("x"), false),
            (2, "EMPTY", Some(""), false),
            (1, "NODE_OPTIONS", Some("--require a"), true),
        ]);
        let calls: Vec<_> = recording.calls.iter().collect();
        let rows = rows(&recording, &calls, &mut Callers::default());
        let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(
            names,
            ["NODE_OPTIONS", "OTEL_X", "LANG", "API_KEY", "EMPTY"]
        );
        let style = Style::plain();
        assert_eq!(
            shown(&rows, None, style),
            "NAME          CALLS  RESULT         PROCESSES  FIRST CALLER  VALUE\n\
             NODE_OPTIONS  1      injected       1          no file+0xf   --require a\n\
             OTEL_X        1      miss           1          no file+0xf   -\n\
             LANG          3      2 miss, 1 hit  2          no file+0xf   C (changed)\n\
             API_KEY       1      hit            1          no file+0xf   (hidden)\n\
             EMPTY         1      hit            1          no file+0xf   \"\"\n"
        );
    }
}
