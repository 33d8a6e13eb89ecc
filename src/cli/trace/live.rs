//! Calls as they happen, one line each.

use crate::output::{Style, cut, printable};
use crate::trace::callers::Callers;
use crate::trace::changes::{Change, Event};
use crate::trace::filters::Filters;
use crate::trace::recording::{Call, Outcome, Recording};
use crate::trace::redaction;
use std::collections::BTreeSet;

/// How many columns a value, or a command line, takes at most.
const VALUE: usize = 100;

/// Tells of the calls of a recording that grows.
pub struct Live {
    callers: Callers,
    told: usize,
    /// How many of the recording's changes were told.
    changes_told: usize,
    /// The programs that were told of.
    programs_told: BTreeSet<usize>,
    style: Style,
}

impl Live {
    /// Has told nothing yet.
    pub fn new(style: Style) -> Self {
        Self {
            callers: Callers::default(),
            told: 0,
            changes_told: 0,
            programs_told: BTreeSet::new(),
            style,
        }
    }

    /// The lines for the calls that have come. A call whose name has not come yet is waited for, unless
    /// everything `is_over`.
    pub fn lines(
        &mut self,
        recording: &Recording,
        filters: &Filters,
        first: u32,
        is_over: bool,
    ) -> String {
        let new = recording.calls.get(self.told..).unwrap_or_default();
        let have_come = new
            .iter()
            .take_while(|call| recording.has_text(call) || is_over);
        let new = have_come.map(|call| (call, filters.accept_call(recording, call, first)));
        let new: Vec<_> = new.collect();
        let accepted = new.iter().filter(|(_, is_accepted)| *is_accepted);
        let accepted: Vec<_> = accepted.map(|(call, _)| *call).collect();
        self.callers.find_stacks(recording, &accepted);
        let mut lines = String::new();
        for (call, is_accepted) in new {
            lines += &self.changes(recording, filters, first);
            self.told += 1;
            if is_accepted && filters.accept_stack(&self.callers.stack(recording, call)) {
                let caller = self.callers.of(recording, call);
                lines += &self.program(recording, call.program);
                lines += &self.line(recording, call, &caller.to_string());
            }
        }
        lines + &self.changes(recording, filters, first)
    }

    /// The lines for the changes that came before the next call.
    fn changes(&mut self, recording: &Recording, filters: &Filters, first: u32) -> String {
        let changes = recording.changes.get(self.changes_told..);
        let mut lines = String::new();
        for change in changes.unwrap_or_default() {
            if change.calls_before > self.told {
                break;
            }
            self.changes_told += 1;
            if filters.accept_change(&change.name, &recording.programs[change.program], first) {
                lines += &self.program(recording, change.program);
                let place = place(recording, change.time, change.program, change.thread);
                lines += &format!("{place} {}\n", self.style.warning(&sentence(change)));
            }
        }
        lines
    }

    /// Who a process is, before its first line.
    fn program(&mut self, recording: &Recording, index: usize) -> String {
        if !self.programs_told.insert(index) {
            return String::new();
        }
        let program = &recording.programs[index];
        let what = if program.forked_from.is_some() {
            format!("{} (child of {})", program.name(), program.parent)
        } else {
            redaction::arguments(&program.arguments).join(" ")
        };
        let seconds = program.time.saturating_sub(recording.start()) as f64 / 1e9;
        let line = cut(&printable(&what), VALUE);
        let line = self.style.strong(&format!("{}: {line}", program.process));
        format!("+{seconds:.6} {line}\n")
    }

    fn line(&self, recording: &Recording, call: &Call, caller: &str) -> String {
        let text = recording.text(call);
        let value = || {
            cut(
                &printable(&redaction::shown(&text.name, &text.value)),
                VALUE,
            )
        };
        let result = match call.outcome {
            Outcome::Miss => self.style.faint("miss"),
            Outcome::Hit => format!("\"{}\"", value()),
            Outcome::Injected => self.style.good(&format!("injected \"{}\"", value())),
        };
        let name = printable(&text.name);
        let caller = self.style.faint(&printable(caller));
        let function = call.function.name();
        let place = place(recording, call.time, call.program, call.thread);
        format!("{place} {function}(\"{name}\") = {result}  {caller}\n")
    }
}

/// When and where something happened: seconds since the start, process and thread.
fn place(recording: &Recording, time: u64, program: usize, thread: u32) -> String {
    let seconds = time.saturating_sub(recording.start()) as f64 / 1e9;
    let process = recording.programs[program].process;
    format!("+{seconds:.6} {process}/{thread}")
}

/// What a program has changed, for people.
pub fn sentence(change: &Change) -> String {
    let cut = |value: Option<String>| cut(&printable(&value.unwrap_or_default()), VALUE);
    let ([old, new], name) = (change.shown().map(cut), printable(&change.name));
    match change.event {
        Event::Set => format!("{name} set to \"{new}\""),
        Event::Changed => format!("{name} changed from \"{old}\" to \"{new}\""),
        Event::Unset => format!("{name} unset (was \"{old}\")"),
        Event::Cleared => "the whole environment cleared".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::recording::fixture;

    #[test]
    fn each_call_is_one_line_and_told_once() {
        let recording = fixture::of(&[
            (1, "A\u{1b}", Some("x\u{1b}]0;y\n"), false),
            (2, "TOKEN", Some("y"), true),
        ]);
        let mut live = Live::new(Style::plain());
        let filters = Filters::default();
        assert_eq!(
            live.lines(&recording, &filters, 1, false),
            "+0.000000 1: p\n\
             +0.000000 1/1 getenv(\"A\u{fffd}\") = \"x\u{fffd}]0;y\u{fffd}\"  no file+0xf\n\
             +0.000000 2: p\n\
             +0.000001 2/2 getenv(\"TOKEN\") = injected \"(hidden)\"  no file+0xf\n"
        );
        assert_eq!(live.lines(&recording, &filters, 1, true), "");
    }

    #[test]
    fn callers_of_calls_that_are_not_shown_are_not_looked_up() {
        // No process has a number above 2^22 (proc(5), pid_max).
        let process = (2 << 22) + std::process::id();
        let mut recording =
            fixture::of(&[(process, "OTHER", None, false), (process, "A", None, false)]);
        let later = recording.calls.pop();
        let filters = Filters::of_names(&["A"]);
        let mut live = Live::new(Style::plain());
        assert_eq!(live.lines(&recording, &filters, process, false), "");
        // The code that both come from gets its name.
        let map = format!("/tmp/perf-{process}.map");
        std::fs::write(&map, "f 10 made\n").unwrap();
        recording.calls.extend(later);
        let lines = live.lines(&recording, &filters, process, false);
        std::fs::remove_file(&map).unwrap();
        assert!(
            lines.ends_with("getenv(\"A\") = miss  made+0x0 (no file)\n"),
            "{lines}"
        );
    }
}
