//! Where the lines of the report are read from.

use crate::machine::configuration_files::{open_regular, problem};
use crate::report::counts::Counts;
use opentelemetry_injector_policy::config::sources::FileProblem;
use opentelemetry_injector_policy::report::{LONGEST, MESSAGE_ID};
use serde_json::{Value, json};
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A place that lines were read from.
pub enum Source {
    /// A file and its size in bytes; `None` where there is none yet.
    File(PathBuf, Option<u64>),
    /// Standard input.
    Input,
    /// The systemd journal.
    Journal,
}

/// Why the report cannot be read.
#[derive(Debug)]
pub enum SourceError {
    /// The configuration asks for none; its path.
    NotConfigured(String),
    /// The configuration cannot be used, and why.
    Unusable(String),
    /// A file of the report.
    File(PathBuf, FileProblem),
    /// Reading has failed half-way.
    Read(String, io::Error),
    /// journalctl(1) has failed; what it said.
    Journal(String),
}

/// The longest line of `journalctl --output=json` that is looked at: a decision with its fields.
const LONGEST_OF_JOURNAL: u64 = 16 * LONGEST as u64;

/// Counts the lines of a file; `-` is standard input.
///
/// # Errors
/// It cannot be read.
pub fn of_file(path: &Path, counts: &mut Counts) -> Result<Source, SourceError> {
    if path == Path::new("-") {
        count_lines(io::stdin().lock(), LONGEST as u64, |line| {
            counts.add(line, None)
        })
        .map_err(|error| SourceError::Read("standard input".into(), error))?;
        return Ok(Source::Input);
    }
    let opened = open_regular(path.as_os_str().as_bytes());
    let (file, metadata) = opened.map_err(|problem| SourceError::File(path.into(), problem))?;
    count_lines(BufReader::new(file), LONGEST as u64, |line| {
        counts.add(line, None)
    })
    .map_err(|error| SourceError::File(path.into(), problem(&error)))?;
    Ok(Source::File(path.into(), Some(metadata.len())))
}

/// The same for the file that the configuration names: it need not be there yet.
///
/// # Errors
/// It is there and cannot be read.
pub fn of_configured_file(path: &Path, counts: &mut Counts) -> Result<Source, SourceError> {
    match of_file(path, counts) {
        Err(SourceError::File(path, FileProblem::Missing)) => Ok(Source::File(path, None)),
        outcome => outcome,
    }
}

/// Counts what the systemd journal has.
///
/// # Errors
/// There is no journalctl, or it has failed.
pub fn of_journal(counts: &mut Counts) -> Result<Source, SourceError> {
    let mut command = Command::new("journalctl");
    command
        .args(["--quiet", "--no-pager", "--output=json"])
        .arg("--output-fields=MESSAGE,_SYSTEMD_CGROUP")
        .arg(format!("MESSAGE_ID={MESSAGE_ID}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let failed = |error: io::Error| SourceError::Journal(error.to_string());
    let mut child = command.spawn().map_err(failed)?;
    if let Some(output) = child.stdout.take() {
        let mut add = |entry: &[u8]| add_entry(entry, counts);
        count_lines(BufReader::new(output), LONGEST_OF_JOURNAL, &mut add).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        Ok(Source::Journal)
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(SourceError::Journal(said.trim().to_owned()))
    }
}

/// An entry of the journal: the line is its message, and the unit is what journald knows of the sender.
fn add_entry(entry: &[u8], counts: &mut Counts) {
    let entry: Value = serde_json::from_slice(entry).unwrap_or_default();
    let line = entry["MESSAGE"].as_str().unwrap_or_default();
    counts.add(line.as_bytes(), entry["_SYSTEMD_CGROUP"].as_str());
}

/// Calls `add` with every line, without its end. Of a line that is longer than `most` bytes it gets an
/// empty one: such a line is none of ours, and could be as long as memory.
fn count_lines(mut input: impl BufRead, most: u64, mut add: impl FnMut(&[u8])) -> io::Result<()> {
    let mut line = Vec::new();
    let mut is_too_long = false;
    loop {
        line.clear();
        let length = input.by_ref().take(most).read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok(());
        }
        let is_end = line.last() == Some(&b'\n');
        match (is_too_long, is_end) {
            // The rest of one that was counted already.
            (true, _) => {}
            (false, true) => add(line.trim_ascii_end()),
            (false, false) if (length as u64) < most => add(&line),
            (false, false) => add(&[]),
        }
        is_too_long = !is_end;
    }
}

impl Source {
    /// For machines; `most`: how many bytes the file may have.
    pub fn json(&self, most: Option<u64>) -> Value {
        match self {
            Self::File(path, bytes) => json!({
                "file": path.to_string_lossy(),
                "bytes": bytes,
                "max_bytes": most,
                "is_full": self.is_full(most),
            }),
            Self::Input => json!({"file": "-"}),
            Self::Journal => json!({"journal": true}),
        }
    }

    /// What else there is to know of it.
    pub fn note(&self, most: Option<u64>) -> Option<String> {
        match self {
            Self::File(path, None) => Some(format!(
                "{}: no such file; no process has reported yet, or none may write there",
                path.display()
            )),
            Self::File(path, _) if self.is_full(most) => Some(format!(
                "{}: full (report.max_bytes); later decisions are missing until it is moved away",
                path.display()
            )),
            _ => None,
        }
    }

    /// The size of the file in bytes.
    pub fn bytes(&self) -> Option<u64> {
        match self {
            Self::File(_, bytes) => *bytes,
            _ => None,
        }
    }

    /// Whether the longest line has no room any more.
    fn is_full(&self, most: Option<u64>) -> bool {
        let room = most
            .zip(self.bytes())
            .map(|(most, bytes)| most.saturating_sub(bytes));
        room.is_some_and(|room| room < LONGEST as u64)
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConfigured(path) => write!(
                f,
                "no report is configured: set report.file or report.journal in {path}"
            ),
            Self::Unusable(reason) => write!(f, "the configuration cannot be used: {reason}"),
            Self::File(path, FileProblem::NotPermitted) => {
                write!(f, "{}: not readable by this user", path.display())
            }
            Self::File(path, FileProblem::System(number)) => {
                let error = io::Error::from_raw_os_error(*number);
                write!(f, "{}: {error}", path.display())
            }
            Self::File(path, problem) => write!(f, "{}{problem}", path.display()),
            Self::Read(name, error) => write!(f, "{name}: {error}"),
            Self::Journal(said) => write!(f, "journalctl: {said}"),
        }
    }
}

impl core::error::Error for SourceError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_count_once_and_the_next_is_read() {
        let mut lines = Vec::new();
        let input = [b"one\n".as_slice(), &[b'x'; 25], b"\ntwo\r\nlast"].concat();
        count_lines(&input[..], 10, |line| {
            lines.push(String::from_utf8_lossy(line).into_owned());
        })
        .unwrap();
        assert_eq!(lines, ["one", "", "two", "last"]);
    }
}
