//! What is being done: one line that changes on a terminal, a line for each step elsewhere.

use crate::output;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// The least time between two changes of the line.
const PACE: Duration = Duration::from_millis(100);

/// Writes to stderr: stdout is for the result.
pub struct Progress {
    is_terminal: bool,
    step: String,
    last: Option<Instant>,
}

impl Progress {
    /// On a terminal or not.
    pub fn new() -> Self {
        Self {
            is_terminal: io::stderr().is_terminal(),
            step: String::new(),
            last: None,
        }
    }

    /// Something begins.
    pub fn begin(&mut self, step: impl Into<String>) {
        self.step = step.into();
        self.last = None;
        if self.is_terminal {
            self.draw("");
        } else {
            say(&format!("{}\n", self.step));
        }
    }

    /// How far it is.
    pub fn advance(&mut self, how_far: &str) {
        let is_soon = self.last.is_some_and(|last| last.elapsed() < PACE);
        if self.is_terminal && !is_soon {
            self.last = Some(Instant::now());
            self.draw(how_far);
        }
    }

    /// It has ended, or something else is about to be said.
    pub fn end(&mut self) {
        if self.is_terminal {
            say("\r\x1b[K");
        }
    }

    fn draw(&self, how_far: &str) {
        let line = format!("{} {how_far}", self.step);
        let width = output::terminal_width().unwrap_or(80);
        say(&format!(
            "\r{}\x1b[K",
            output::cut(line.trim_end(), width - 1)
        ));
    }
}

fn say(text: &str) {
    // Where stderr is closed the exit code has to do.
    let mut stderr = io::stderr();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}
