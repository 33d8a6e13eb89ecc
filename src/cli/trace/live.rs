//! Calls as they happen, one line each.

use crate::output::{Style, printable};
use crate::trace::callers::Callers;
use crate::trace::filters::Filters;
use crate::trace::recording::{Call, Outcome, Recording};
use crate::trace::redaction;

/// Tells of the calls of a recording that grows.
pub struct Live {
    callers: Callers,
    told: usize,
    style: Style,
}

impl Live {
    /// Has told nothing yet.
    pub fn new(style: Style) -> Self {
        Self {
            callers: Callers::default(),
            told: 0,
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
        let mut lines = String::new();
        while let Some(call) = recording.calls.get(self.told) {
            if !recording.has_text(call) && !is_over {
                break;
            }
            self.told += 1;
            let program = &recording.programs[call.program];
            let name = &recording.text(call).name;
            if filters.accept(name, call.outcome, program, first) {
                let caller = self.callers.of(recording, call);
                if filters.accept_caller(&caller) {
                    lines += &self.line(recording, call, &caller.to_string());
                }
            }
        }
        lines
    }

    fn line(&self, recording: &Recording, call: &Call, caller: &str) -> String {
        let start = recording.programs.first().map_or(0, |program| program.time);
        let seconds = call.time.saturating_sub(start) as f64 / 1e9;
        let process = recording.programs[call.program].process;
        let text = recording.text(call);
        let result = match call.outcome {
            Outcome::Miss => self.style.faint("miss"),
            Outcome::Hit => format!("\"{}\"", redaction::shown(&text.name, &text.value)),
            Outcome::Injected => {
                let value = redaction::shown(&text.name, &text.value);
                self.style.good(&format!("injected \"{value}\""))
            }
        };
        let name = printable(&text.name);
        let caller = self.style.faint(&printable(caller));
        format!(
            "+{seconds:.6} {process}/{} getenv(\"{name}\") = {result}  {caller}\n",
            call.thread
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::recording::fixture;

    #[test]
    fn each_call_is_one_line_and_told_once() {
        let recording = fixture::of(&[
            (1, "A\u{1b}", Some("x"), false),
            (2, "TOKEN", Some("y"), true),
        ]);
        let mut live = Live::new(Style::plain());
        let filters = Filters::default();
        assert_eq!(
            live.lines(&recording, &filters, 1, false),
            "+0.000000 1/1 getenv(\"A\u{fffd}\") = \"x\"  no file+0xf\n\
             +0.000001 2/2 getenv(\"TOKEN\") = injected \"(hidden)\"  no file+0xf\n"
        );
        assert_eq!(live.lines(&recording, &filters, 1, true), "");
    }
}
