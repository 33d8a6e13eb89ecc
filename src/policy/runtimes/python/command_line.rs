//! What a Python is started for, by its command line.
//!
//! Source: "Command line and environment" in CPython's documentation, 2.7 to 3.13.

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
    /// out, `-E` and `-I` the variable.
    pub opts_out: Option<&'static str>,
}

impl<'a> CommandLine<'a> {
    /// Reads the arguments, the program's own name first.
    pub fn parse(arguments: &'a [Vec<u8>]) -> Self {
        let mut read = Self {
            program: Program::Unknown,
            opts_out: None,
        };
        let mut arguments = arguments.iter().map(Vec::as_slice);
        let own_name = file_name(arguments.next().unwrap_or_default());
        if own_name.starts_with(b"python") {
            read.program = read.options(&mut arguments).unwrap_or(Program::Unknown);
        }
        read
    }

    fn options(&mut self, arguments: &mut impl Iterator<Item = &'a [u8]>) -> Option<Program<'a>> {
        while let Some(argument) = arguments.next() {
            let Some(letters) = argument.strip_prefix(b"-") else {
                return Some(Program::Script(argument));
            };
            match argument {
                b"-" => return None,
                b"--check-hash-based-pycs" => _ = arguments.next(),
                _ if letters.starts_with(b"-") => {}
                _ => {
                    if let Some(program) = self.letters(letters, arguments) {
                        return Some(program);
                    }
                }
            }
        }
        None
    }

    /// One argument with several options, the last of which may take a value.
    fn letters(
        &mut self,
        letters: &'a [u8],
        arguments: &mut impl Iterator<Item = &'a [u8]>,
    ) -> Option<Program<'a>> {
        for (index, letter) in letters.iter().enumerate() {
            let mut value = || match letters.get(index + 1..) {
                Some(attached) if !attached.is_empty() => attached,
                _ => arguments.next().unwrap_or_default(),
            };
            match letter {
                b'c' => return Some(Program::Code(value())),
                b'm' => return Some(Program::Module(value())),
                b'Q' | b'W' | b'X' => {
                    value();
                    return None;
                }
                b'S' => self.opts_out = Some("-S"),
                b'E' => self.opts_out = Some("-E"),
                b'I' => self.opts_out = Some("-I"),
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str], opts_out: Option<&'static str>, program: Program<'_>) {
        let owned: Vec<Vec<u8>> = arguments.iter().map(|a| a.as_bytes().to_vec()).collect();
        let wanted = CommandLine { program, opts_out };
        assert_eq!(CommandLine::parse(&owned), wanted, "{arguments:?}");
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
