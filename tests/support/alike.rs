//! Programs that lay traps, run with the preload object and without it: whatever can be seen of
//! them must be the same.
//!
//! The programs are in `programs/traps`. Where one prints `watched: (null)`, the hooked run prints
//! the injected value in that place, or the same, as the test says.

use crate::{Scene, engines, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// What a program that asks for the watched name gets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The agent.
    Injected,
    /// Its own environment: the trap keeps the hook away.
    Untouched,
}

const PLAIN: &str = "watched: (null)";

/// What can be seen of a run.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    /// The exit status or the signal.
    pub status: ExitStatus,
    /// Standard output as text.
    pub stdout: String,
    /// Standard error as text.
    pub stderr: String,
}

impl Run {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().expect("the program starts");
        Self {
            status: output.status,
            stdout: stdout(&output),
            stderr: stderr(&output),
        }
    }
}

impl Scene {
    /// Compiles `programs/traps/NAME.c`.
    pub fn trap(&self, name: &str, arguments: &[&str]) -> PathBuf {
        self.compile_with("cc", &format!("traps/{name}"), arguments)
    }

    /// Compiles `programs/traps/NAME.c` to a shared library.
    pub fn trap_library(&self, name: &str, arguments: &[&str]) -> PathBuf {
        let arguments = [&["-shared", "-fPIC"], arguments].concat();
        self.trap(name, &arguments)
    }

    /// Runs a program plainly and on every engine that is built, and compares. Returns the plain
    /// run.
    pub fn alike(&self, program: &Path, answer: Answer, change: impl Fn(&mut Command)) -> Run {
        self.alike_on(&engines(), program, answer, change)
    }

    /// [`Scene::alike`] on the engines named.
    pub fn alike_on(
        &self,
        engines: &[&str],
        program: &Path,
        answer: Answer,
        change: impl Fn(&mut Command),
    ) -> Run {
        let command = |engine: &str| {
            let mut command = self.command(program, engine);
            change(&mut command);
            command
        };
        let plain = Run::of(command("direct").env_remove("LD_PRELOAD"));
        let mut wanted = plain.stdout.clone();
        if answer == Answer::Injected {
            assert!(
                wanted.contains(PLAIN),
                "{program:?} does not ask: {plain:?}"
            );
            wanted = wanted.replace(PLAIN, &format!("watched: {}", self.injected()));
        }
        for engine in engines {
            let hooked = Run::of(&mut command(engine));
            let seen = (hooked.status, &hooked.stdout, &hooked.stderr);
            let wanted = (plain.status, &wanted, &plain.stderr);
            assert_eq!(seen, wanted, "{program:?} on engine {engine}");
        }
        plain
    }
}
