//! What is told of a session when it is over.

use crate::output::first_few::first_few;
use crate::output::{Style, printable, wrap};
use crate::trace::callers::Callers;
use crate::trace::changes::{Change, Event};
use crate::trace::channel::Counts;
use crate::trace::copies;
use crate::trace::filters::Filters;
use crate::trace::findings::Finding;
use crate::trace::live;
use crate::trace::recording::{Call, Function, Program, Recording};
use crate::trace::summary::{self, Row};
use crate::trace::tree;
use crate::trace::untraced::Untraced;
use opentelemetry_injector_policy::runtimes::{boot, variable};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;

/// How the table tells of stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stacks {
    /// None were recorded.
    None,
    /// Each name's own.
    ByName,
    /// All as one tree.
    Tree,
}

/// How many processes are named of which the same is told.
const SHOWN: usize = 3;

/// A session that is over.
pub struct Report<'s> {
    /// What was told.
    pub recording: &'s Recording,
    /// Who has called.
    pub callers: Callers,
    /// How stacks are told of.
    pub stacks: Stacks,
    /// What is told of.
    pub filters: &'s Filters,
    /// The command's own process.
    pub first: u32,
    /// The programs that read unseen, as [`copies::copies`] finds them.
    pub copies: BTreeMap<usize, &'static str>,
    /// What is odd.
    pub findings: Vec<Finding>,
    /// What was counted.
    pub counts: Counts,
    /// Records of killed processes.
    pub unfinished: u64,
    /// The command's exit code.
    pub exit_code: u8,
    /// Processes of the session that still run.
    pub running: Vec<u32>,
    /// Programs that took no part.
    pub untraced: Vec<Untraced>,
}

impl<'s> Report<'s> {
    /// The calls that pass the filters.
    pub fn calls(&mut self) -> Vec<&'s Call> {
        let recording = self.recording;
        let is_accepted = |call: &&Call| self.filters.accept_call(recording, call, self.first);
        let mut accepted: Vec<_> = recording.calls.iter().filter(is_accepted).collect();
        if self.filters.need_callers() {
            self.callers.find_stacks(recording, &accepted);
            accepted.retain(|call| {
                let stack = self.callers.stack(recording, call);
                self.filters.accept_stack(&stack)
            });
        }
        accepted
    }

    /// The same; all functions of their stacks are found.
    pub fn calls_with_stacks(&mut self) -> Vec<&'s Call> {
        let calls = self.calls();
        self.callers.find_stacks(self.recording, &calls);
        calls
    }

    /// The changes that pass the filters.
    pub fn changes(&self) -> Vec<&'s Change> {
        let recording = self.recording;
        let is_told = |change: &&Change| {
            let program = &recording.programs[change.program];
            self.filters
                .accept_change(&change.name, program, self.first)
        };
        recording.changes.iter().filter(is_told).collect()
    }

    /// The table's rows.
    pub fn rows(&mut self) -> Vec<Row> {
        let calls = self.calls();
        summary::rows(self.recording, &calls, &mut self.callers)
    }

    /// What a person reads.
    pub fn text(&mut self, width: Option<usize>, style: Style) -> String {
        let rows = self.rows();
        let mut text = format!("{}\n", style.strong(&self.heading(&rows)));
        if !rows.is_empty() {
            text += &summary::shown(&rows, width, style);
        }
        let width = width.unwrap_or(100);
        match self.stacks {
            Stacks::None => {}
            Stacks::ByName => text += &tree::stacks(self, style),
            Stacks::Tree => text += &tree::tree(self, style),
        }
        self.write_secure(&mut text, width);
        self.write_changes(&mut text, width, style);
        self.write_notes(&mut text, width, style);
        self.write_findings(&mut text, width, style);
        self.write_gaps(&mut text, width, style);
        text
    }

    fn heading(&self, rows: &[Row]) -> String {
        let told: usize = rows.iter().map(Row::calls).sum();
        let all = self.recording.calls.len();
        let mut processes: Vec<_> = self.recording.programs.iter().map(|p| p.process).collect();
        processes.sort_unstable();
        processes.dedup();
        let calls = if told == all {
            counted(all, "call")
        } else {
            format!("{told} of {}", counted(all, "call"))
        };
        format!(
            "Trace: {calls} of getenv for {} in {}{}",
            counted(rows.len(), "name"),
            counted(processes.len(), "process"),
            match self.counts.dropped {
                0 => String::new(),
                dropped => format!("; {} dropped", counted(dropped as usize, "event")),
            }
        )
    }

    /// Names of agents that were asked for in the way that has no answers in privileged programs.
    fn write_secure(&mut self, text: &mut String, width: usize) {
        let calls = self.calls();
        let secure = calls
            .iter()
            .filter(|call| call.function == Function::SecureGetenv);
        let names: BTreeSet<_> = secure
            .map(|call| printable(&self.recording.text(call).name))
            .filter(|name| variable::watched(name.as_bytes()).is_some())
            .collect();
        if !names.is_empty() {
            let names: Vec<_> = names.into_iter().collect();
            let line = format!(
                "By secure_getenv, which answers nothing in programs with raised privileges: {}",
                names.join(", ")
            );
            let _ = writeln!(text, "{}", wrap(&line, 4, width));
        }
    }

    /// What programs have changed in their own environments, the same changes together; of many different ones of a
    /// name the last.
    fn write_changes(&self, text: &mut String, width: usize, style: Style) {
        let mut places: HashMap<(&str, Event), usize> = HashMap::new();
        let mut changed: Vec<Vec<(String, Vec<&Change>)>> = Vec::new();
        for change in self.changes() {
            let next = changed.len();
            let place = *places.entry((&change.name, change.event)).or_insert(next);
            if place == next {
                changed.push(Vec::new());
            }
            let sentence = live::sentence(change);
            // What came before the last few of many is not told.
            let sentences = &mut changed[place];
            match sentences
                .iter_mut()
                .rev()
                .take(SHOWN + 1)
                .find(|(known, _)| *known == sentence)
            {
                Some((_, changes)) => changes.push(change),
                None => sentences.push((sentence, vec![change])),
            }
        }
        if !changed.is_empty() {
            let _ = writeln!(text, "\n{}", style.strong("Changed by the program itself"));
        }
        for sentences in changed {
            let all: usize = sentences.iter().map(|(_, changes)| changes.len()).sum();
            let (skipped, of) = if sentences.len() > SHOWN {
                (
                    sentences.len() - 1,
                    format!(", the last of {all} such changes"),
                )
            } else {
                (0, String::new())
            };
            for (sentence, changes) in &sentences[skipped..] {
                let programs = self.programs(changes);
                let line = format!("  {sentence}{of}: {programs}");
                let _ = writeln!(text, "{}", wrap(&line, 4, width));
            }
        }
    }

    /// Who has made these changes, and when.
    fn programs(&self, changes: &[&Change]) -> String {
        let told = changes.iter().map(|change| {
            let program = &self.recording.programs[change.program];
            let seconds = change.time.saturating_sub(self.recording.start()) as f64 / 1e9;
            let name = printable(program.name());
            format!("{name} ({}, +{seconds:.3} s)", program.process)
        });
        first_few(told, "more times")
    }

    fn write_notes(&self, text: &mut String, width: usize, style: Style) {
        let mut noted: Vec<(&str, ByName<'_>)> = Vec::new();
        for program in &self.recording.programs {
            let notes = program.notes.iter();
            for note in notes.filter(|note| !note.starts_with(boot::PREFIX)) {
                let programs = entry(&mut noted, note.as_str());
                entry(programs, program.name()).insert(program.process);
            }
        }
        if !noted.is_empty() {
            let _ = writeln!(text, "\n{}", style.strong("What the injector decided"));
        }
        for (note, programs) in noted {
            let programs: Vec<_> = programs
                .iter()
                .map(|(name, processes)| named(name, processes))
                .collect();
            let line = format!("  {}: {}", printable(&programs.join(", ")), printable(note));
            let _ = writeln!(text, "{}", wrap(&line, 4, width));
        }
    }

    fn write_findings(&self, text: &mut String, width: usize, style: Style) {
        if self.findings.is_empty() {
            return;
        }
        let title = style.strong("Why a setting may not count");
        let _ = writeln!(text, "\n{title}");
        for finding in &self.findings {
            let line = format!("  {}", printable(&finding.sentence()));
            let _ = writeln!(text, "{}", wrap(&line, 4, width));
        }
    }

    /// What this session cannot tell of.
    fn write_gaps(&mut self, text: &mut String, width: usize, style: Style) {
        let copies = copies::told(self.recording, &self.copies);
        let mut gaps = vec![(
            !copies.is_empty(),
            format!(
                "Not seen: what these read without libc's getenv: {}",
                copies.join(", ")
            ),
        )];
        gaps.extend(untraced_told(&self.untraced).map(|line| (true, line)));
        let Counts {
            dropped,
            refused,
            is_full,
        } = self.counts;
        let remedy = if is_full {
            "give a larger --buffer"
        } else {
            "the command was too slow for so many at a time"
        };
        gaps.extend([
            (
                dropped > 0,
                match dropped {
                    1 => format!("1 event was dropped: {remedy}"),
                    _ => format!("{dropped} events were dropped: {remedy}"),
                },
            ),
            (
                self.unfinished > 0,
                format!(
                    "killed processes have left {} unfinished",
                    counted(self.unfinished as usize, "event")
                ),
            ),
            (
                refused > 0,
                format!(
                    "{} with limited memory (RLIMIT_AS) took no part",
                    counted(refused as usize, "process")
                ),
            ),
            (
                !self.running.is_empty(),
                format!(
                    "still running: {}; questions from now on are not told of",
                    self.running_told()
                ),
            ),
            (
                self.recording.programs.is_empty() && refused == 0 && self.untraced.is_empty(),
                "no process took part: the program is statically linked, set-user-ID, of another user, \
                 or its loader does not read LD_PRELOAD"
                    .into(),
            ),
        ]);
        gaps.retain(|(applies, _)| *applies);
        if !gaps.is_empty() {
            text.push('\n');
        }
        for (_, gap) in gaps {
            let line = wrap(&printable(&gap), 2, width);
            let _ = writeln!(text, "{}", style.warning(&line));
        }
    }

    fn running_told(&self) -> String {
        let programs = &self.recording.programs;
        let of = |process: &u32| programs.iter().rfind(|program| program.process == *process);
        first_few(
            self.running.iter().filter_map(of).map(Program::told),
            "more",
        )
    }
}

/// The programs that took no part; those of one name, for one reason, together.
fn untraced_told(untraced: &[Untraced]) -> impl Iterator<Item = String> {
    let mut told: Vec<(String, &'static str, Vec<String>)> = Vec::new();
    for one in untraced {
        let (name, why) = (one.name(), one.why.text());
        let process = one.process.to_string();
        match told
            .iter_mut()
            .find(|(known, text, _)| *known == name && *text == why)
        {
            Some((.., processes)) => processes.push(process),
            None => told.push((name, why, vec![process])),
        }
    }
    told.into_iter().map(|(name, why, processes)| {
        format!(
            "{name} ({}) took no part: {why}",
            first_few(processes, "more")
        )
    })
}

/// Programs and their processes.
type ByName<'n> = Vec<(&'n str, BTreeSet<u32>)>;

/// What is kept under a key, in the order in which the keys come.
fn entry<K: PartialEq, V: Default>(entries: &mut Vec<(K, V)>, key: K) -> &mut V {
    let place = entries.iter().position(|(known, _)| *known == key);
    let place = place.unwrap_or_else(|| {
        entries.push((key, V::default()));
        entries.len() - 1
    });
    &mut entries[place].1
}

/// A program and its processes, of many the first.
fn named(name: &str, processes: &BTreeSet<u32>) -> String {
    let shown: Vec<_> = processes.iter().take(SHOWN).map(u32::to_string).collect();
    if processes.len() > SHOWN {
        format!(
            "{name} ({} processes: {} …)",
            processes.len(),
            shown.join(", ")
        )
    } else {
        format!("{name} ({})", shown.join(", "))
    }
}

/// A number and what is counted.
fn counted(count: usize, noun: &str) -> String {
    let ending = match count {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{count} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_processes_are_named_and_many_are_counted() {
        let processes = |last: u32| (1..=last).collect::<BTreeSet<_>>();
        assert_eq!(named("sh", &processes(3)), "sh (1, 2, 3)");
        assert_eq!(
            named("sh", &processes(300)),
            "sh (300 processes: 1, 2, 3 …)"
        );
    }

    #[test]
    fn one_is_told_as_one() {
        assert_eq!(counted(1, "process"), "1 process");
        assert_eq!(counted(2, "process"), "2 processes");
        assert_eq!(counted(0, "name"), "0 names");
    }
}
