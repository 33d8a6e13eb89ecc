//! SIGINT and SIGTERM: what is half done is taken away before the command ends.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::fmt;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The signals that end the command.
const SIGNALS: [i32; 3] = [SIGHUP, SIGINT, SIGTERM];

/// Tells whether the command is to end.
#[derive(Clone)]
pub struct Interrupt {
    signal: Arc<AtomicUsize>,
}

/// The signal that came.
#[derive(Clone, Copy, Debug)]
pub struct Interrupted(usize);

impl Interrupt {
    /// Takes the signals over.
    ///
    /// # Errors
    /// The system's.
    pub fn take_over() -> io::Result<Self> {
        let signal = Arc::new(AtomicUsize::new(0));
        for number in SIGNALS {
            let value = usize::try_from(number).unwrap_or_default();
            signal_hook::flag::register_usize(number, Arc::clone(&signal), value)?;
        }
        Ok(Self { signal })
    }

    /// Goes on, unless a signal has come.
    ///
    /// # Errors
    /// One has.
    pub fn check(&self) -> Result<(), Interrupted> {
        match self.signal.load(Ordering::Relaxed) {
            0 => Ok(()),
            signal => Err(Interrupted(signal)),
        }
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
