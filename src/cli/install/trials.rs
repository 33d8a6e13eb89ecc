//! Runs a program with and without the object, and compares exit status, stdout and stderr. If anything differs,
//! the object is not installed.

use crate::install::signals;
use crate::install::trial_programs::{Kind, NOBODY, Program};
use crate::machine::processes::{self, signal_group};
use opentelemetry_injector_policy::config::overrides::{CONFIGURATION, DEBUG};
use rustix::process::Signal;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A program that has not ended by then hangs: none takes more than a few seconds, a JVM with its
/// agent on a slow machine about half of it.
const LONGEST: Duration = Duration::from_secs(60);

/// What the debug log's lines begin with.
const LOG: &[u8] = b"opentelemetry-injector[";

/// What a program did.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ended.
    Ended {
        /// How.
        status: ExitStatus,
        /// What it wrote to stdout.
        stdout: Vec<u8>,
        /// What it wrote to stderr.
        stderr: Vec<u8>,
    },
    /// It had to be ended, by its time or because this command shall end.
    Hung,
    /// It could not be started: the error's number.
    NotStarted(Option<i32>),
}

/// How a program is started, beside its own arguments.
#[derive(Default)]
pub struct Circumstances {
    /// More variables of its environment.
    pub variables: Vec<(&'static str, OsString)>,
}

impl Circumstances {
    /// With the object in LD_PRELOAD.
    pub fn with_object(object: &Path) -> Self {
        Self {
            variables: vec![("LD_PRELOAD", object.into())],
        }
    }

    /// With one more variable.
    pub fn and(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }
}

/// How a program differs from what it did without the object.
#[derive(Debug)]
pub enum Difference {
    /// It ends otherwise: before, now.
    End(String, String),
    /// Other output on this stream; the first line that differs.
    Output(&'static str, String),
}

/// Starts a program with little in its environment and waits for its end. Agents that may be
/// injected send nothing.
pub fn run(program: &Program, circumstances: &Circumstances) -> Outcome {
    let mut command = processes::trial(&program.path, Path::new("/"));
    command
        .args(program.arguments)
        .env("OTEL_SDK_DISABLED", "true")
        .envs(
            circumstances
                .variables
                .iter()
                .map(|(name, value)| (name, value)),
        )
        // An image may have no /dev/null.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if matches!(program.kind, Kind::OfUser | Kind::SetId) && rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    match command.spawn() {
        Ok(child) => wait(child, program.input)
            .unwrap_or_else(|error| Outcome::NotStarted(error.raw_os_error())),
        Err(error) => Outcome::NotStarted(error.raw_os_error()),
    }
}

fn wait(mut child: Child, input: &str) -> io::Result<Outcome> {
    if let Some(mut stdin) = child.stdin.take() {
        // It may have ended without reading, which its outcome tells.
        let _ = stdin.write_all(input.as_bytes());
    }
    let stdout = child.stdout.take().map(read_all).transpose();
    let stderr = child.stderr.take().map(read_all).transpose();
    let (stdout, stderr) = match (stdout, stderr) {
        (Ok(stdout), Ok(stderr)) => (stdout, stderr),
        (Err(error), _) | (_, Err(error)) => {
            signal_group(&child, Signal::KILL);
            child.wait()?;
            return Err(error);
        }
    };
    let end = Instant::now() + LONGEST;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if Instant::now() > end || signals::received().is_some() {
            break None;
        }
        thread::sleep(Duration::from_millis(2));
    };
    let readers = [&stdout, &stderr].map(Option::as_ref);
    let are_done = || readers.iter().flatten().all(|reader| reader.is_finished());
    while status.is_some() && !are_done() && Instant::now() < end {
        thread::sleep(Duration::from_millis(2));
    }
    // One that hangs may have closed what it writes to.
    if status.is_none() || !are_done() {
        // It, and what it has left running, which keeps the pipes open.
        signal_group(&child, Signal::KILL);
    }
    let Some(status) = status else {
        child.wait()?;
        return Ok(Outcome::Hung);
    };
    Ok(Outcome::Ended {
        status,
        stdout: stdout.map(joined).unwrap_or_default(),
        stderr: stderr.map(joined).unwrap_or_default(),
    })
}

/// A limit on memory or processes may leave no room for a thread.
fn read_all(mut pipe: impl Read + Send + 'static) -> io::Result<JoinHandle<Vec<u8>>> {
    thread::Builder::new().spawn(move || {
        let mut content = Vec::new();
        let _ = pipe.read_to_end(&mut content);
        content
    })
}

fn joined(reader: JoinHandle<Vec<u8>>) -> Vec<u8> {
    reader.join().unwrap_or_default()
}

/// What differs between two runs of a program, the lines of the debug log not counted.
pub fn compare(before: &Outcome, now: &Outcome) -> Option<Difference> {
    let (
        Outcome::Ended {
            status,
            stdout,
            stderr,
        },
        Outcome::Ended {
            status: status_now,
            stdout: stdout_now,
            stderr: stderr_now,
        },
    ) = (before, now)
    else {
        return (before != now).then(|| Difference::End(before.to_string(), now.to_string()));
    };
    // What it says tells more than how it ends, unless it says nothing.
    let known = lines(stderr);
    let is_new = |line: &&[u8]| is_complaint(line) && !known.contains(line);
    if let Some(line) = lines(stderr_now).into_iter().find(is_new) {
        return Some(Difference::Output("stderr", shown(line)));
    }
    if let Some(line) = first_difference(&programs_own(stderr), &programs_own(stderr_now)) {
        return Some(Difference::Output("stderr", line));
    }
    if status != status_now {
        return Some(Difference::End(before.to_string(), now.to_string()));
    }
    first_difference(stdout, stdout_now).map(|line| Difference::Output("stdout", line))
}

fn first_difference(before: &[u8], now: &[u8]) -> Option<String> {
    if before == now {
        return None;
    }
    let mut befores = lines(before).into_iter();
    let mut nows = lines(now).into_iter();
    loop {
        match (befores.next(), nows.next()) {
            (one, other) if one == other && one.is_some() => {}
            (_, Some(line)) => return Some(shown(line)),
            (_, None) => return Some("less than before".into()),
        }
    }
}

fn lines(output: &[u8]) -> Vec<&[u8]> {
    output.split_inclusive(|byte| *byte == b'\n').collect()
}

fn shown(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end().into()
}

/// What a program itself wrote to stderr. Its loader may complain of fewer entries than before:
/// the one that is gone may be of an older object.
pub fn programs_own(stderr: &[u8]) -> Vec<u8> {
    let mut lines = lines(stderr);
    lines.retain(|line| !line.starts_with(LOG) && !is_complaint(line));
    lines.concat()
}

/// Whether the loader says that it cannot preload an object.
fn is_complaint(line: &[u8]) -> bool {
    line.starts_with(b"ERROR: ld.so: object ")
}

/// The lines of the debug log on stderr, without what they begin with.
pub fn log(outcome: &Outcome) -> Vec<String> {
    match outcome {
        Outcome::Ended { stderr, .. } => log_lines(stderr),
        Outcome::Hung | Outcome::NotStarted(_) => Vec::new(),
    }
}

/// The lines of the debug log in some output, without what they begin with.
pub fn log_lines(output: &[u8]) -> Vec<String> {
    let mut lines = lines(output);
    lines.retain(|line| line.starts_with(LOG));
    let messages = lines.into_iter().filter_map(|line| {
        let line = shown(line);
        Some(line.split_once("]: ")?.1.to_owned())
    });
    messages.collect()
}

/// The lines of the debug log that were added to a file since it had a length.
pub fn logged_since(file: &str, length: u64) -> Vec<String> {
    let content = fs::read(file).unwrap_or_default();
    let added = content.get(length as usize..).unwrap_or_default();
    log_lines(added)
}

/// Whether the object is in a program: it has something to say when it is asked to.
pub fn is_loaded(program: &Program, circumstances: Circumstances) -> bool {
    // Without a configuration there is no `log.file`, either.
    let circumstances = circumstances
        .and(DEBUG, "true")
        .and(CONFIGURATION, "/nonexistent");
    !log(&run(program, &circumstances)).is_empty()
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended { status, .. } => match (status.signal(), status.code()) {
                (Some(signal), _) => write!(f, "signal {signal}"),
                (None, code) => write!(f, "exit {}", code.unwrap_or_default()),
            },
            Self::Hung => write!(f, "it did not end within {} s", LONGEST.as_secs()),
            Self::NotStarted(number) => {
                let error = number.map(io::Error::from_raw_os_error);
                write!(
                    f,
                    "it did not start ({})",
                    error.map_or(String::new(), |error| error.to_string())
                )
            }
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End(before, now) => write!(f, "{now} instead of {before}"),
            Self::Output(stream, line) => write!(f, "{stream} differs: {line}"),
        }
    }
}
