//! Signals: what is half done is taken away before the command ends.

use crate::install::signals;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// Tells whether the command is to end.
pub struct Interrupt(());

/// The signal that came.
#[derive(Clone, Copy, Debug)]
pub struct Interrupted(i32);

impl Interrupt {
    /// Takes the signals over.
    ///
    /// # Errors
    /// The system's.
    pub fn take_over() -> io::Result<Self> {
        signals::hold().map(|()| Self(()))
    }

    /// Goes on, unless a signal has come.
    ///
    /// # Errors
    /// One has.
    pub fn check(&self) -> Result<(), Interrupted> {
        signals::received().map_or(Ok(()), |signal| Err(Interrupted(signal)))
    }
}

impl Interrupted {
    /// What a shell says of a program that a signal ended.
    pub fn exit_code(self) -> ExitCode {
        let code = u8::try_from(128 + self.0).unwrap_or(u8::MAX);
        code.into()
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted; nothing is left half installed")
    }
}
