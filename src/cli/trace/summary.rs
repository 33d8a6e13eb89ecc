//! A session's calls, totalled by name.

use crate::output::{Style, cut, printable, table};
use crate::trace::callers::{Caller, Callers};
use crate::trace::recording::{Call, Outcome, Recording, Text};
use crate::trace::redaction;
use opentelemetry_injector_policy::runtimes::variable;
use std::collections::{BTreeSet, HashMap};
use unicode_width::UnicodeWidthStr;

/// How many columns a caller takes at least and at most.
const CALLER: [usize; 2] = [16, 48];

/// How many columns of a value are wanted at least, and how many before a caller has more than it needs.
const VALUE: [usize; 2] = [24, 60];

/// Columns between columns.
const GAP: usize = 2;

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

    /// Names that the injector looks at, and what it has changed, come first; libc's own questions last.
    fn rank(&self) -> u8 {
        let is_watched = variable::watched(self.name.as_bytes()).is_some();
        let module = self.caller.module_name();
        let is_libcs = ["libc.so", "libc-2", "ld-"]
            .iter()
            .any(|libc| module.starts_with(libc));
        match (self.outcomes[Outcome::Injected as usize] > 0, is_watched) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) if !is_libcs => 2,
            (false, false) => 3,
        }
    }

    /// The value as the table has it.
    fn value(&self) -> String {
        let changed = if self.has_changed { " (changed)" } else { "" };
        let value = match self.value.as_deref() {
            None => "-",
            Some("") => "\"\"",
            Some(value) => value,
        };
        format!("{}{changed}", printable(value))
    }
}

/// The rows for these calls: what the injector has changed, what it looks at, then the rest, at the
/// end what libc asks for itself; the most often asked for first.
pub fn rows(recording: &Recording, calls: &[&Call], callers: &mut Callers) -> Vec<Row> {
    let totals = totals(recording, calls);
    let first: Vec<_> = totals.iter().map(|total| total.first).collect();
    callers.find_callers(recording, &first);
    let rows = totals.into_iter().map(|total| {
        let name = &recording.text(total.first).name;
        Row {
            name: name.clone(),
            outcomes: total.outcomes,
            processes: total.processes,
            caller: callers.of(recording, total.first),
            // Looking for secrets takes time: once for each name, not for each call.
            value: total.value.map(|value| redaction::shown(name, value)),
            has_changed: total.has_changed,
        }
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_cached_key(|row| (row.rank(), usize::MAX - row.calls(), row.name.clone()));
    rows
}

/// What the calls of one name come to.
struct Total<'r> {
    first: &'r Call,
    outcomes: [usize; 3],
    processes: BTreeSet<u32>,
    /// The answer of the last call.
    last: Option<&'r str>,
    /// The last value that was answered.
    value: Option<&'r str>,
    has_changed: bool,
}

fn totals<'r>(recording: &'r Recording, calls: &[&'r Call]) -> Vec<Total<'r>> {
    let mut indices: HashMap<&str, usize> = HashMap::new();
    let mut totals: Vec<Total<'_>> = Vec::new();
    for call in calls {
        let Text { name, value } = recording.text(call);
        let answer = (call.outcome != Outcome::Miss).then_some(value.as_str());
        let index = *indices.entry(name).or_insert_with(|| {
            totals.push(Total {
                first: call,
                outcomes: [0; 3],
                processes: BTreeSet::new(),
                last: answer,
                value: None,
                has_changed: false,
            });
            totals.len() - 1
        });
        let total = &mut totals[index];
        total.outcomes[call.outcome as usize] += 1;
        total
            .processes
            .insert(recording.programs[call.program].process);
        total.has_changed |= total.last != answer;
        total.last = answer;
        total.value = answer.or(total.value);
    }
    totals
}

const HEADER: [&str; 6] = [
    "NAME",
    "CALLS",
    "RESULT",
    "PROCESSES",
    "FIRST CALLER",
    "VALUE",
];

/// The rows as a table. Where a terminal is narrow, callers are cut first, then values stand below, and at last each
/// name has lines of its own.
pub fn shown(rows: &[Row], width: Option<usize>, style: Style) -> String {
    let cells = |row: &Row| {
        [
            printable(&row.name),
            row.calls().to_string(),
            row.result(),
            row.processes.len().to_string(),
        ]
    };
    let mut lines = vec![
        HEADER[..4]
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
    ];
    lines.extend(rows.iter().map(|row| cells(row).to_vec()));
    let widest = |column: usize| lines.iter().map(|line| line[column].width()).max();
    let used: usize = (0..4).filter_map(widest).map(|width| width + GAP).sum();
    let left = width.map_or(usize::MAX, |width| width.saturating_sub(used));
    let value = rows
        .iter()
        .map(|row| row.value().width())
        .max()
        .unwrap_or(0);
    if left < CALLER[0] {
        return listed(rows, width.unwrap_or(usize::MAX), style);
    }
    let is_below = left < CALLER[0] + GAP + value.min(VALUE[0]);
    let for_caller = if is_below {
        left
    } else {
        left.saturating_sub(GAP + value.min(VALUE[1]))
            .clamp(CALLER[0], CALLER[1])
    };
    lines[0].push(HEADER[4].into());
    for (line, row) in lines[1..].iter_mut().zip(rows) {
        line.push(printable(&row.caller.within(for_caller)));
    }
    if !is_below {
        lines[0].push(HEADER[5].into());
        for (line, row) in lines[1..].iter_mut().zip(rows) {
            line.push(row.value());
        }
    }
    let text = table(&lines, width, |column, cell| match (column, cell) {
        (_, cell) if HEADER.contains(&cell) => style.strong(cell),
        (2, cell) if cell.contains("injected") => style.good(cell),
        (2, "miss") | (5, "-") => style.faint(cell),
        _ => cell.to_owned(),
    });
    if !is_below {
        return text;
    }
    let below = rows
        .iter()
        .map(|row| value_line(row, width.unwrap_or(usize::MAX)));
    let below = [String::new()].into_iter().chain(below);
    let lines = text.lines().zip(below);
    lines
        .map(|(line, below)| format!("{line}\n{below}"))
        .collect()
}

/// Each row in lines of its own.
fn listed(rows: &[Row], width: usize, style: Style) -> String {
    let mut text = String::new();
    for row in rows {
        let calls = format!("  {}, {}", row.calls(), row.result());
        let processes = match row.processes.len() {
            1 => String::new(),
            processes => format!(", {processes} processes"),
        };
        let left = width.saturating_sub(GAP).max(CALLER[0]);
        let caller = printable(&row.caller.within(left));
        text += &style.strong(&cut(&printable(&row.name), width));
        text += &format!(
            "\n{}\n  {caller}\n",
            cut(&format!("{calls}{processes}"), width)
        );
        text += &value_line(row, width);
    }
    text
}

/// A line with a row's value, if it has one.
fn value_line(row: &Row, width: usize) -> String {
    if row.value.is_none() {
        return String::new();
    }
    format!("{}\n", cut(&format!("  = {}", row.value()), width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::recording::fixture;
    use crate::trace::symbols::Function;

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

    #[test]
    fn the_value_is_the_last_that_was_answered() {
        for (answers, expected, has_changed) in [
            (&[None, None][..], None, false),
            (&[Some("a"), Some("b"), Some("a")], Some("a"), true),
            (&[Some("a"), Some("b"), None], Some("b"), true),
            (&[None, Some("a"), Some("a")], Some("a"), true),
            (&[Some("")], Some(""), false),
        ] {
            let calls: Vec<_> = answers
                .iter()
                .map(|answer| (1, "A", *answer, false))
                .collect();
            let recording = fixture::of(&calls);
            let calls: Vec<_> = recording.calls.iter().collect();
            let rows = rows(&recording, &calls, &mut Callers::default());
            let row = &rows[0];
            assert_eq!(
                (row.value.as_deref(), row.has_changed),
                (expected, has_changed),
                "{answers:?}"
            );
        }
    }

    #[test]
    fn a_name_with_many_different_answers_is_shown_at_once() {
        let values = ["a", "b"].map(|end| "key=a&b:c".repeat(500) + end);
        let calls: Vec<_> = (0..40_000)
            .map(|call| (1, "A", Some(values[call % 2].as_str()), false))
            .collect();
        let recording = fixture::of(&calls);
        let calls: Vec<_> = recording.calls.iter().collect();
        let begun = std::time::Instant::now();
        rows(&recording, &calls, &mut Callers::default());
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    }

    fn row(name: &str, module: &str, function: &str, value: Option<&str>) -> Row {
        let name = name.to_owned();
        Row {
            name,
            outcomes: [0, 1, 0],
            processes: BTreeSet::from([1]),
            caller: Caller {
                module: Some(format!("/lib/{module}")),
                address: 0x10,
                function: Some(Function {
                    name: function.into(),
                    offset: 0x30,
                }),
                line: None,
            },
            value: value.map(str::to_owned),
            has_changed: false,
        }
    }

    #[test]
    fn narrow_terminals_cut_callers_first_and_never_the_module_and_no_line_is_longer() {
        let rows = [
            row(
                "OTEL_A",
                "node",
                "uv_os_getenv",
                Some("http://a-long-name.example:4318"),
            ),
            row(
                "B",
                "libjvm.so",
                "Arguments::parse(char const*, std::vector<int, std::allocator<int> >&)",
                None,
            ),
            row("C", "node", "main", Some("")),
        ];
        for width in 20..200 {
            let text = shown(&rows, Some(width), Style::plain());
            for part in ["http://a-long", "libjvm.so)", "(node)", "\"\""] {
                let is_there = text.contains(part) || width < 24;
                assert!(is_there, "{part} at {width}:\n{text}");
            }
            assert!(
                text.lines().all(|line| line.width() <= width),
                "{width}\n{text}"
            );
        }
        assert_eq!(
            shown(&rows[..2], Some(90), Style::plain()),
            "NAME    CALLS  RESULT  PROCESSES  FIRST CALLER             VALUE\n\
             OTEL_A  1      hit     1          uv_os_getenv (node)      http://a-long-name.example:4318\n\
             B       1      hit     1          Arguments:… (libjvm.so)  -\n"
        );
    }

    #[test]
    fn what_libc_asks_for_itself_comes_last() {
        let rank = |module| row("LANG", module, "setlocale", None).rank();
        assert!(rank("libc.so.6") > rank("node"));
        assert!(rank("ld-musl-x86_64.so.1") > rank("libcurl.so.4"));
    }
}
