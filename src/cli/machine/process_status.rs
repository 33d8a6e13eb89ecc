//! What the kernel tells of a process in `/proc/PID/status` (proc_pid_status(5)).

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};

/// Longer than the file is, so that it is read at once.
const LENGTH: usize = 4096;

/// The text of the file.
#[derive(Debug, Default)]
pub struct ProcessStatus(String);

impl ProcessStatus {
    /// That of a process: its number, or `self`.
    ///
    /// # Errors
    /// The process has ended, or may not be read.
    pub fn of(process: impl Display) -> io::Result<Self> {
        let mut bytes = Vec::with_capacity(LENGTH);
        File::open(format!("/proc/{process}/status"))?.read_to_end(&mut bytes)?;
        // A name may be any bytes, also a part of a character.
        Ok(Self(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// What stands in the line of a name, without blanks around it.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.0.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.map(str::trim)
    }

    /// A set as a number: signals from 1 on, or capabilities from 0 on, begin at the lowest bit.
    pub fn set(&self, name: &str) -> Option<u64> {
        u64::from_str_radix(self.field(name)?, 16).ok()
    }
}

/// The signals that this process ignores.
pub fn ignored_signals() -> u64 {
    let status = ProcessStatus::of("self").unwrap_or_default();
    status.set("SigIgn").unwrap_or_default()
}

#[cfg(test)]
impl From<&str> for ProcessStatus {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process;

    #[test]
    fn fields_are_found_by_their_whole_names() {
        let status = ProcessStatus::from("Name:\ta b\nSigIgnored:\t1\nSigIgn:\t0000000000001002\n");
        assert_eq!(status.field("Name"), Some("a b"));
        assert_eq!(status.field("Nam"), None);
        assert_eq!(status.set("SigIgn"), Some(0x1002));
        assert_eq!(status.set("Name"), None);
    }

    #[test]
    fn this_process_has_one() {
        let status = ProcessStatus::of(process::id()).unwrap();
        assert_eq!(
            status.field("Tgid"),
            Some(process::id().to_string().as_str())
        );
        // Rust's runtime ignores SIGPIPE, number 13.
        assert_eq!(ignored_signals() >> 12 & 1, 1);
        assert!(ProcessStatus::of("none").is_err());
    }
}
