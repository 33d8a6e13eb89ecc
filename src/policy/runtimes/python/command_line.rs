//! What a Python runs, according to its command line.
//!
//! Source: "Command line and environment" in CPython's documentation, 2.7 to 3.13.

use crate::Runtime;
use crate::matching::command_line::{Grammar, Runs};
use crate::matching::texts;
use crate::process::file_name;
use alloc::vec::Vec;

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program<'a> {
    /// `-c`: a piece of code.
    Code(&'a [u8]),
    /// `-m`: a module.
    Module(&'a [u8]),
    /// A script, or a folder or an archive with one.
    Script(&'a [u8]),
    /// Standard input, or a program that only embeds Python.
    Unknown,
}

/// A command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandLine<'a> {
    /// What is run.
    pub program: Program<'a>,
    /// The option with which no `sitecustomize` of `PYTHONPATH` is imported: `-S` leaves every one
    /// out, `-E` and `-I` the variable, and with others Python prints something and ends.
    pub opts_out: Option<&'static str>,
    /// The arguments of what is run.
    pub rest: &'a [Vec<u8>],
}

/// `python --help`: what takes a value, and what names the program. Python 2 has `-Q`.
const GRAMMAR: Grammar = Grammar {
    with_value: "-Q -W -X --check-hash-based-pycs",
    naming: "-c -m",
    letters: true,
    marks: b"",
};

impl<'a> CommandLine<'a> {
    /// Reads the arguments, the program's own name first. `is_python`: whatever that name is, it is
    /// Python's own program.
    pub fn parse(arguments: &'a [Vec<u8>], is_python: bool) -> Self {
        let own_name = file_name(arguments.first().map_or(b"", Vec::as_slice));
        if !is_python && !Runtime::Python.launches(own_name) {
            return Self {
                program: Program::Unknown,
                opts_out: None,
                rest: &[],
            };
        }
        let line = GRAMMAR.read(arguments);
        let program = match line.runs {
            Runs::Script(path) => Program::Script(path),
            Runs::Named("-c", code) => Program::Code(code),
            Runs::Named(_, module) => Program::Module(module),
            Runs::Input | Runs::Nothing => Program::Unknown,
        };
        Self {
            program,
            opts_out: opts_out(line.options),
            rest: line.rest,
        }
    }
}

/// Options that leave our boot file out, or with which Python starts nothing (`python --help-all` of
/// 3.11 to 3.13).
const WITHOUT_BOOT: &str =
    "-S -E -I -h -? -V --help --help-all --help-env --help-xoptions --version";

/// The last of the options that leave our boot file out.
fn opts_out(options: &[Vec<u8>]) -> Option<&'static str> {
    let mut found = None;
    GRAMMAR.each(options, |name, _| {
        found = texts::find(WITHOUT_BOOT, name).or(found);
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str], opts_out: Option<&'static str>, program: Program<'_>) {
        let owned: Vec<Vec<u8>> = arguments.iter().map(|a| a.as_bytes().to_vec()).collect();
        let read = CommandLine::parse(&owned, false);
        assert_eq!(
            (read.opts_out, read.program),
            (opts_out, program),
            "{arguments:?}"
        );
    }

    #[test]
    fn the_program_stands_behind_the_options() {
        check(
            &["/v/bin/python3.11", "a.py", "-S"],
            None,
            Program::Script(b"a.py"),
        );
        check(
            &["python", "-Wm", "-X", "dev", "a"],
            None,
            Program::Script(b"a"),
        );
        check(
            &["python", "-um", "pip", "-c"],
            None,
            Program::Module(b"pip"),
        );
        check(&["python", "-mpip"], None, Program::Module(b"pip"));
        check(&["python", "-bScx=1"], Some("-S"), Program::Code(b"x=1"));
        check(&["python", "-bI", "a"], Some("-I"), Program::Script(b"a"));
        let isolated = ["python", "-W", "error", "-E", "-mpip", "-S"];
        check(&isolated, Some("-E"), Program::Module(b"pip"));
        check(&["python", "-VV", "a"], Some("-V"), Program::Script(b"a"));
        check(
            &["python", "--help-env"],
            Some("--help-env"),
            Program::Unknown,
        );
        let pycs = ["python", "--check-hash-based-pycs", "never", "a"];
        check(&pycs, None, Program::Script(b"a"));
    }

    #[test]
    fn other_command_lines_tell_nothing() {
        check(&["python", "-", "pip"], None, Program::Unknown);
        check(&["python", "-m"], None, Program::Module(b""));
        check(&["uwsgi", "-S", "pip"], None, Program::Unknown);
        check(&[], None, Program::Unknown);
    }
}
