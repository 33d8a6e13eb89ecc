//! What traced processes have told, put together: processes, where their files are mapped, calls.

use crate::output::printable;
use crate::trace::changes::{Change, Environment};
use crate::trace::stacks::{CUT, Raw, Unwinding};
use opentelemetry_injector_policy::formats::trace_channel::{Kind, LONGEST, LONGEST_NAME, PAGE};
use opentelemetry_injector_policy::process::file_name;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::LazyLock;

/// A program in a process; after exec the same process has another one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// The process's number.
    pub process: u32,
    /// Its parent's.
    pub parent: u32,
    /// When it was told of, in nanoseconds of CLOCK_MONOTONIC.
    pub time: u64,
    /// The executable's path; a child of fork has its parent's.
    pub executable: String,
    /// Whether the executable has a getenv of its own, whose callers are not seen.
    pub has_own_getenv: bool,
    /// The command line; empty for a child of fork.
    pub arguments: Vec<String>,
    /// The program in the parent, for a child of fork.
    pub forked_from: Option<usize>,
    pub(super) modules: Vec<Module>,
    /// The environment at the start, in its order.
    pub variables: Vec<(String, String)>,
    pub(super) environment: Environment,
    /// How many of the parent's modules a child of fork has.
    pub(super) inherited: usize,
    /// What the object has decided.
    pub notes: Vec<String>,
}

/// A mapped file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Where its first mapping begins.
    pub start: u64,
    /// Where its last one ends.
    pub end: u64,
    /// Where its first mapping begins in the file, in bytes.
    pub offset: u64,
    /// Its path.
    pub path: PathBuf,
}

/// A call of a hooked function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The index of its [`Program`].
    pub program: usize,
    /// The thread's number.
    pub thread: u32,
    /// When, in nanoseconds of CLOCK_MONOTONIC.
    pub time: u64,
    /// The return address.
    pub caller: u64,
    /// The number of its text.
    pub text: u64,
    /// What was called.
    pub function: Function,
    /// What it has led to.
    pub outcome: Outcome,
    /// The number of its stack, where it was recorded.
    pub stack: Option<usize>,
}

/// What was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    /// getenv(3).
    Getenv,
    /// secure_getenv(3), which answers nothing in set-user-ID programs and their like.
    SecureGetenv,
}

impl Function {
    /// Its name in every output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Getenv => "getenv",
            Self::SecureGetenv => "secure_getenv",
        }
    }
}

/// What a call has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The variable is not set.
    Miss,
    /// The variable's own value.
    Hit,
    /// A value that the injector has made.
    Injected,
}

impl Outcome {
    /// Its name in every output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Miss => "miss",
            Self::Hit => "hit",
            Self::Injected => "injected",
        }
    }
}

/// A name and the value that was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The name.
    pub name: String,
    /// The value; empty where there is none.
    pub value: String,
}

/// The length of a text's number in bytes.
const NUMBER: usize = size_of::<u64>();

/// All that was told.
#[derive(Debug, Default)]
pub struct Recording {
    /// In the order in which they were told of.
    pub programs: Vec<Program>,
    /// In their order.
    pub calls: Vec<Call>,
    /// What programs have changed in their own environments, in their order.
    pub changes: Vec<Change>,
    /// Calls of processes that could not be told of.
    pub lost: u64,
    texts: HashMap<u64, Text>,
    /// The newest program of each process.
    newest: HashMap<u32, usize>,
    /// Different stacks: return addresses, from the call's on.
    stacks: Vec<Vec<u64>>,
    stack_numbers: HashMap<Vec<u64>, usize>,
    /// Stacks whose calls have not come yet, by process and thread.
    open_stacks: HashMap<(u32, u32), usize>,
    unwinding: Unwinding,
    /// How many functions a stack has at most.
    frames: usize,
}

impl Recording {
    /// One whose stacks have at most so many functions.
    pub fn with_stacks(frames: usize) -> Self {
        Self {
            frames,
            ..Self::default()
        }
    }

    /// Takes a record. What is too short for its kind is passed over.
    pub fn take(&mut self, kind: Kind, payload: &[u8]) {
        let mut fields = Fields(payload);
        // Each payload begins with numbers or with a text's number; see the policy's `Kind`.
        let _ = match kind {
            Kind::Process => self.process(&mut fields),
            Kind::Fork => self.fork(&mut fields),
            Kind::Module => self.module(&mut fields),
            Kind::Text => self.text_record(&mut fields),
            Kind::Call => self.call(&mut fields),
            Kind::Variable => self.variable(&mut fields),
            Kind::Note => self.note(&mut fields),
            Kind::Set => self.change(&mut fields, true),
            Kind::Unset => self.change(&mut fields, false),
            Kind::Stack => self.stack_record(&mut fields),
        };
    }

    /// Nothing more will be told.
    pub fn finish(&mut self) {
        (0..self.programs.len()).for_each(|program| self.settle(program));
    }

    /// The name and value of a call.
    pub fn text(&self, call: &Call) -> &Text {
        static DROPPED: LazyLock<Text> = LazyLock::new(|| Text {
            name: "(name dropped)".into(),
            value: String::new(),
        });
        self.texts.get(&call.text).unwrap_or(&DROPPED)
    }

    /// Whether a call's name has been told.
    pub fn has_text(&self, call: &Call) -> bool {
        self.texts.contains_key(&call.text)
    }

    fn module(&mut self, fields: &mut Fields<'_>) -> Option<()> {
        let program = *self.newest.get(&fields.number()?)?;
        let offset = u64::from(fields.number()?) * PAGE as u64;
        let (start, end) = (fields.long()?, fields.long()?);
        let path = OsStr::from_bytes(fields.0).into();
        self.programs[program].modules.push(Module {
            start,
            end,
            offset,
            path,
        });
        Some(())
    }

    /// The file that is mapped at an address of a program: the one that was told of last.
    pub fn module_at(&self, program: usize, address: u64) -> Option<&Module> {
        let is_here = |module: &&Module| (module.start..module.end).contains(&address);
        let mut program = &self.programs[program];
        // What a parent loads after the fork is not in its child.
        let mut known = usize::MAX;
        loop {
            let own = program
                .modules
                .len()
                .min(known.saturating_sub(program.inherited));
            let here = program.modules[..own].iter().rev().find(is_here);
            if here.is_some() {
                return here;
            }
            known = known.min(program.inherited);
            program = &self.programs[program.forked_from?];
        }
    }

    /// When the session began, in nanoseconds of CLOCK_MONOTONIC.
    pub fn start(&self) -> u64 {
        self.programs.first().map_or(0, |program| program.time)
    }

    /// Where files are mapped in a program, but for the first `known` ones; what was told last is at the end.
    fn modules_after(&self, program: usize, known: usize) -> Vec<&Module> {
        let program = &self.programs[program];
        let mut modules = match program.forked_from {
            Some(from) if known < program.inherited => self.modules_after(from, known),
            _ => Vec::new(),
        };
        // What the parent loads after that is not here.
        modules.truncate(program.inherited.saturating_sub(known));
        let own = program.modules.iter();
        let own = own.skip(known.saturating_sub(program.inherited));
        modules.extend(own);
        modules
    }

    /// The return addresses of a call, from its own on.
    pub fn addresses<'r>(&'r self, call: &'r Call) -> &'r [u64] {
        match call.stack.and_then(|stack| self.stacks.get(stack)) {
            Some(stack) => stack.strip_suffix(&[CUT]).unwrap_or(stack),
            None => core::slice::from_ref(&call.caller),
        }
    }

    /// Whether a call's stack has more functions than are known.
    pub fn is_cut(&self, call: &Call) -> bool {
        let stack = call.stack.and_then(|stack| self.stacks.get(stack));
        stack.is_some_and(|stack| stack.ends_with(&[CUT]))
    }

    fn stack_record(&mut self, fields: &mut Fields<'_>) -> Option<()> {
        let process = fields.number()?;
        let program = *self.newest.get(&process)?;
        let (thread, _time) = (fields.number()?, fields.long()?);
        let raw = Raw {
            caller: fields.long()?,
            stack_pointer: fields.long()?,
            frame_pointer: fields.long()?,
            bytes: fields.0,
        };
        let mut unwinding = core::mem::take(&mut self.unwinding);
        let new = self.modules_after(program, unwinding.known(program));
        let stack = unwinding.unwind(program, &new, &raw, self.frames);
        self.unwinding = unwinding;
        let next = self.stacks.len();
        let number = *self.stack_numbers.entry(stack).or_insert_with_key(|stack| {
            self.stacks.push(stack.clone());
            next
        });
        self.open_stacks.insert((process, thread), number);
        Some(())
    }

    fn process(&mut self, fields: &mut Fields<'_>) -> Option<()> {
        let (process, parent, time) = (fields.number()?, fields.number()?, fields.long()?);
        let has_own_getenv = fields.byte()? == 1;
        let rest = fields.rest();
        let mut parts = rest.strip_suffix('\0').unwrap_or(&rest).split('\0');
        let program = Program {
            process,
            parent,
            time,
            has_own_getenv,
            executable: parts.next()?.to_owned(),
            arguments: parts.map(str::to_owned).collect(),
            ..Program::default()
        };
        self.begin(program);
        Some(())
    }

    fn fork(&mut self, fields: &mut Fields<'_>) -> Option<()> {
        let (process, parent, time) = (fields.number()?, fields.number()?, fields.long()?);
        // A parent that has ended meanwhile has left its child to another.
        let forked_from = self.newest.get(&parent).copied();
        let (executable, environment) = forked_from
            .map(|index| &self.programs[index])
            .map(|parent| (parent.executable.clone(), parent.environment.clone()))
            .unwrap_or_default();
        let inherited = forked_from.map_or(0, |from| {
            let parent = &self.programs[from];
            parent.inherited + parent.modules.len()
        });
        self.begin(Program {
            process,
            parent,
            time,
            executable,
            environment,
            inherited,
            forked_from,
            ..Program::default()
        });
        Some(())
    }

    fn begin(&mut self, program: Program) {
        self.newest.insert(program.process, self.programs.len());
        self.programs.push(program);
    }

    fn text_record(&mut self, fields: &mut Fields<'_>) -> Option<()> {
        let number = fields.long()?;
        let length = fields.0.len();
        let name_length = fields.0.iter().position(|byte| *byte == 0)?;
        let rest = fields.rest();
        let (name, value) = rest.split_once('\0')?;
        let name = marked(name, name_length == LONGEST_NAME);
        let value = marked(value, length == LONGEST - NUMBER);
        self.texts.insert(number, Text { name, value });
        Some(())
    }

    fn call(&mut self, fields: &mut Fields<'_>) -> Option<()> {
        let process = fields.number()?;
        let Some(program) = self.newest.get(&process).copied() else {
            self.lost += 1;
            return None;
        };
        let (thread, time, caller) = (fields.number()?, fields.long()?, fields.long()?);
        let text = fields.long()?;
        let [function, outcome] = *fields.0.first_chunk()?;
        let function = match function {
            0 => Function::Getenv,
            _ => Function::SecureGetenv,
        };
        let outcome = match outcome {
            0 => Outcome::Miss,
            1 => Outcome::Hit,
            _ => Outcome::Injected,
        };
        if self.programs[program].environment.is_telling(thread) {
            self.settle(program);
        }
        self.calls.push(Call {
            program,
            thread,
            time,
            caller,
            text,
            function,
            outcome,
            stack: self.open_stacks.remove(&(process, thread)),
        });
        Some(())
    }

    fn variable(&mut self, fields: &mut Fields<'_>) -> Option<()> {
        let program = self.program(fields)?;
        let (place, entry) = (fields.long()?, fields.rest());
        let program = &mut self.programs[program];
        if let Some((name, value)) = entry.split_once('=') {
            program.variables.push((name.to_owned(), value.to_owned()));
        }
        program.environment.begin_with(place, entry);
        Some(())
    }

    fn change(&mut self, fields: &mut Fields<'_>, is_set: bool) -> Option<()> {
        let program = *self.newest.get(&fields.number()?)?;
        let moment = (fields.number()?, fields.long()?);
        let (place, entry) = (fields.long()?, fields.rest());
        let environment = &mut self.programs[program].environment;
        let settled = environment.tell(moment, place, is_set.then_some(entry));
        self.add_changes(program, settled);
        Some(())
    }

    fn settle(&mut self, program: usize) {
        let settled = self.programs[program].environment.settle();
        self.add_changes(program, settled);
    }

    fn add_changes(&mut self, program: usize, settled: Vec<Change>) {
        let calls_before = self.calls.len();
        self.changes
            .extend(settled.into_iter().map(|change| Change {
                program,
                calls_before,
                ..change
            }));
    }

    fn note(&mut self, fields: &mut Fields<'_>) -> Option<()> {
        let program = self.program(fields)?;
        let note = fields.rest();
        let notes = &mut self.programs[program].notes;
        if !notes.contains(&note) {
            notes.push(note);
        }
        Some(())
    }

    /// The program of a record that begins with a process and a number without use.
    fn program(&self, fields: &mut Fields<'_>) -> Option<usize> {
        let process = fields.number()?;
        fields.number()?;
        self.newest.get(&process).copied()
    }
}

/// The text, with a mark where its end was cut.
fn marked(text: &str, is_cut: bool) -> String {
    let mark = if is_cut { "…" } else { "" };
    format!("{text}{mark}")
}

impl Program {
    /// What people call it: the executable's file name.
    pub fn name(&self) -> &str {
        let name = file_name(self.executable.as_bytes());
        let name = str::from_utf8(name).unwrap_or(&self.executable);
        if name.is_empty() { "(unknown)" } else { name }
    }

    /// The same with the process's number, as it may be printed.
    pub fn told(&self) -> String {
        format!("{} ({})", printable(self.name()), self.process)
    }
}

/// What is left of a payload.
struct Fields<'p>(&'p [u8]);

impl Fields<'_> {
    fn number(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_ne_bytes(*bytes))
    }

    fn long(&mut self) -> Option<u64> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_ne_bytes(*bytes))
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    /// The rest as text. Bytes that are none stay apart from each other: `\xff`.
    fn rest(&self) -> String {
        let mut text = String::new();
        for chunk in self.0.utf8_chunks() {
            text += chunk.valid();
            for byte in chunk.invalid() {
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
        text
    }
}

#[cfg(test)]
pub mod fixture {
    use super::*;
    use std::ops::Range;

    /// A recording of calls: process, name, value (none: a miss), whether it was injected.
    pub fn of(calls: &[(u32, &str, Option<&str>, bool)]) -> Recording {
        let mut recording = Recording::default();
        for (index, (process, name, value, injected)) in calls.iter().enumerate() {
            if !recording.newest.contains_key(process) {
                let start = [
                    &numbers(*process, 1)[..],
                    &7_u64.to_ne_bytes(),
                    b"\0/bin/p\0p\0",
                ];
                recording.take(Kind::Process, &start.concat());
            }
            let number = (index as u64 + 1).to_ne_bytes();
            let value_text = value.unwrap_or_default().as_bytes();
            let text = [&number[..], name.as_bytes(), b"\0", value_text].concat();
            recording.take(Kind::Text, &text);
            let outcome = match (value, injected) {
                (None, _) => 0,
                (Some(_), false) => 1,
                (Some(_), true) => 2,
            };
            let (time, caller) = (1000 * index as u64, 0x10_u64);
            let call = [
                &numbers(*process, *process)[..],
                &time.to_ne_bytes(),
                &caller.to_ne_bytes(),
                &number,
                &[0, outcome],
            ];
            recording.take(Kind::Call, &call.concat());
        }
        recording
    }

    /// Tells that a process has a file mapped at some addresses.
    pub fn map(recording: &mut Recording, process: u32, addresses: Range<u64>, path: &str) {
        let module = [
            &numbers(process, 0)[..],
            &addresses.start.to_ne_bytes(),
            &addresses.end.to_ne_bytes(),
            path.as_bytes(),
        ];
        recording.take(Kind::Module, &module.concat());
    }

    /// Gives a process a variable at its start.
    pub fn set(recording: &mut Recording, process: u32, entry: &str) {
        let place = entry.as_ptr() as u64;
        let variable = [
            &numbers(process, 0)[..],
            &place.to_ne_bytes(),
            entry.as_bytes(),
        ];
        recording.take(Kind::Variable, &variable.concat());
    }

    /// A process changes an entry of its own environment, which gets another place.
    pub fn change(recording: &mut Recording, process: u32, time: u64, old: &str, new: &str) {
        for (kind, entry) in [(Kind::Set, new), (Kind::Unset, old)] {
            let place = (entry.as_ptr() as u64).to_ne_bytes();
            let record = [&numbers(process, process)[..], &time.to_ne_bytes(), &place];
            let text = if kind == Kind::Set { entry } else { "" };
            if !entry.is_empty() {
                recording.take(kind, &[&record.concat(), text.as_bytes()].concat());
            }
        }
        recording.finish();
    }

    pub fn numbers(one: u32, other: u32) -> Vec<u8> {
        [one.to_ne_bytes(), other.to_ne_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::numbers;
    use super::*;

    #[test]
    fn children_of_fork_know_their_parents_files_and_exec_forgets_them() {
        let mut recording = fixture::of(&[(10, "A", None, false)]);
        fixture::map(&mut recording, 10, 0x1000..0x2000, "/lib/x.so");
        let fork = [&numbers(11, 10)[..], &9_u64.to_ne_bytes()].concat();
        recording.take(Kind::Fork, &fork);
        assert_eq!(recording.programs[1].executable, "/bin/p");
        let path = |program, address| {
            let module = recording.module_at(program, address);
            module.and_then(|module| module.path.to_str())
        };
        assert_eq!(path(1, 0x1fff), Some("/lib/x.so"));
        assert_eq!(path(1, 0x2000), None);
        let grandchild = [&numbers(12, 11)[..], &9_u64.to_ne_bytes()].concat();
        recording.take(Kind::Fork, &grandchild);
        for process in [10, 11] {
            fixture::map(&mut recording, process, 0x1800..0x3000, "/lib/late.so");
        }
        let path = |program, address| {
            let module = recording.module_at(program, address);
            module.and_then(|module| module.path.to_str())
        };
        for (program, wanted) in [(0, "late"), (1, "late"), (2, "x")] {
            let wanted = format!("/lib/{wanted}.so");
            assert_eq!(path(program, 0x1fff), Some(wanted.as_str()), "{program}");
        }
        assert_eq!(path(2, 0x2fff), None);
        let exec = [
            &numbers(11, 10)[..],
            &9_u64.to_ne_bytes(),
            b"\x01/bin/q\0q\0-a\0",
        ]
        .concat();
        recording.take(Kind::Process, &exec);
        assert_eq!(recording.module_at(3, 0x1000), None);
        assert_eq!(recording.programs[3].arguments, ["q", "-a"]);
        let own = recording
            .programs
            .iter()
            .map(|program| program.has_own_getenv);
        assert_eq!(own.collect::<Vec<_>>(), [false, false, false, true]);
    }

    #[test]
    fn names_that_are_no_text_stay_apart() {
        let mut recording = Recording::default();
        for (number, name) in [(1_u64, b"BAD\xff\xfe"), (2, b"BAD\xff\xfd")] {
            let text = [&number.to_ne_bytes()[..], name, b"\0\xc3\xa9"].concat();
            recording.take(Kind::Text, &text);
        }
        let names = [1, 2].map(|number| recording.texts[&number].name.as_str());
        assert_eq!(names, [r"BAD\xff\xfe", r"BAD\xff\xfd"]);
        assert_eq!(recording.texts[&1].value, "é");
    }

    #[test]
    fn payloads_that_are_too_short_are_passed_over() {
        let mut recording = fixture::of(&[(10, "A", None, false)]);
        for kind in [Kind::Process, Kind::Fork, Kind::Module, Kind::Text] {
            recording.take(kind, &[1, 2, 3]);
        }
        let kinds = [
            Kind::Call,
            Kind::Variable,
            Kind::Note,
            Kind::Set,
            Kind::Unset,
            Kind::Stack,
        ];
        for kind in kinds {
            recording.take(kind, &numbers(10, 0)[..7]);
        }
        assert_eq!((recording.programs.len(), recording.calls.len()), (1, 1));
    }
}
