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
    /// False with `-S`, which leaves every `sitecustomize` out.
    pub imports_site: bool,
}

impl<'a> CommandLine<'a> {
    /// Reads the arguments, the program's own name first.
    pub fn parse(arguments: &'a [Vec<u8>]) -> Self {
        let mut read = Self {
            program: Program::Unknown,
            imports_site: true,
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
                b'S' => self.imports_site = false,
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str], imports_site: bool, program: Program<'_>) {
        let owned: Vec<Vec<u8>> = arguments.iter().map(|a| a.as_bytes().to_vec()).collect();
        let wanted = CommandLine {
            program,
            imports_site,
        };
        assert_eq!(CommandLine::parse(&owned), wanted, "{arguments:?}");
    }

    #[test]
    fn the_program_stands_behind_the_options() {
        check(
            &["/v/bin/python3.11", "a.py", "-S"],
            true,
            Program::Script(b"a.py"),
        );
        check(
            &["python", "-Wm", "-X", "dev", "a"],
            true,
            Program::Script(b"a"),
        );
        check(
            &["python", "-um", "pip", "-c"],
            true,
            Program::Module(b"pip"),
        );
        check(&["python", "-mpip"], true, Program::Module(b"pip"));
        check(&["python", "-bScx=1"], false, Program::Code(b"x=1"));
        let pycs = ["python", "--check-hash-based-pycs", "never", "a"];
        check(&pycs, true, Program::Script(b"a"));
    }

    #[test]
    fn other_command_lines_tell_nothing() {
        check(&["python", "-", "pip"], true, Program::Unknown);
        check(&["python", "-m"], true, Program::Module(b""));
        check(&["uwsgi", "-S", "pip"], true, Program::Unknown);
        check(&[], true, Program::Unknown);
    }
}
