//! Programs that fetch: the registries' own clients.

use crate::agent::error::AgentError;
use crate::agent::work::Work;
use crate::machine::processes::signal_group;
use crate::machine::programs;
use rustix::process::Signal;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How many lines of what a client said are told when it fails.
const LAST_LINES: usize = 12;

/// How long a client may take to end after it was told to.
const PATIENCE: Duration = Duration::from_secs(3);

/// A client by its name.
///
/// # Errors
/// It is not installed.
pub fn find(name: &'static str, purpose: &'static str) -> Result<Command, AgentError> {
    let path = programs::find(name).ok_or(AgentError::NoClient(name, purpose))?;
    Ok(Command::new(path))
}

/// Runs a client to its end.
///
/// # Errors
/// It cannot be started, fails, or a signal came: then it has been ended.
pub fn run(command: &mut Command, work: &mut Work) -> Result<String, AgentError> {
    let name = Path::new(command.get_program()).file_name();
    let name = name
        .map(OsStr::to_string_lossy)
        .unwrap_or_default()
        .into_owned();
    let started = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A signal from the terminal comes to this command alone, which ends the client.
        .process_group(0)
        .spawn();
    let mut child = started.map_err(|error| AgentError::Client(name.clone(), error.to_string()))?;
    let stdout = child.stdout.take().map(reader);
    let stderr = child.stderr.take().map(reader);
    let start = Instant::now();
    let status = loop {
        let ended = child.try_wait();
        match ended {
            Ok(Some(status)) => break status,
            Ok(None) => {}
            Err(error) => return Err(AgentError::Client(name, error.to_string())),
        }
        if let Err(interrupted) = work.interrupt.check() {
            end(&mut child);
            return Err(interrupted.into());
        }
        let seconds = start.elapsed().as_secs();
        work.progress.advance(&format!("({name}, {seconds} s)"));
        thread::sleep(Duration::from_millis(20));
    };
    let join = |reader: Option<thread::JoinHandle<String>>| {
        let text = reader.map(thread::JoinHandle::join);
        text.and_then(Result::ok).unwrap_or_default()
    };
    let (stdout, stderr) = (join(stdout), join(stderr));
    if status.success() {
        return Ok(stdout);
    }
    let said = if stderr.trim().is_empty() {
        stdout
    } else {
        stderr
    };
    let mut lines: Vec<_> = said.lines().rev().take(LAST_LINES).collect();
    lines.reverse();
    let said = format!("{}\n{status}", lines.join("\n"));
    Err(AgentError::Client(name, said.trim().into()))
}

fn reader(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut said = Vec::new();
        let _ = pipe.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    })
}

/// Ends a client and what it has started.
fn end(child: &mut Child) {
    signal_group(child, Signal::TERM);
    let start = Instant::now();
    while start.elapsed() < PATIENCE && matches!(child.try_wait(), Ok(None)) {
        thread::sleep(Duration::from_millis(20));
    }
    signal_group(child, Signal::KILL);
    let _ = child.wait();
}
