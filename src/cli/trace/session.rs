//! A session: the command runs, its processes write into the channel, and the channel is kept open for
//! them.

use crate::trace::channel::{Channel, Reader};
use crate::trace::recording::Recording;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use std::{fs, io, thread};

/// How often the channel is looked after. In this time its processes must not write more than the memory
/// that is made sure of ahead of them: 125,000 calls.
const INTERVAL: Duration = Duration::from_millis(10);

/// What became of a session.
pub struct Ended {
    /// What was told.
    pub recording: Recording,
    /// The command's own process.
    pub first: u32,
    /// How it has ended.
    pub status: ExitStatus,
    /// Records that were never finished.
    pub unfinished: u64,
}

/// Starts the command.
///
/// # Errors
/// It cannot be started.
pub fn start(command: &mut Command) -> io::Result<Child> {
    command.spawn()
}

/// Waits for the command's end. `look` gets what has been told so far, from time to time.
/// Stacks get at most so many `frames`.
///
/// # Errors
/// The channel cannot be read, or no thread can be made.
pub fn run(
    mut child: Child,
    channel: &mut Channel,
    frames: usize,
    mut look: impl FnMut(&Recording, u32),
) -> io::Result<Ended> {
    let mut signals = Signals::new(signals_to_take())?;
    let first = child.id();
    let (ended, end) = mpsc::channel();
    thread::Builder::new().spawn(move || ended.send(child.wait()))?;
    let (mut recording, mut reader) = (Recording::with_stacks(frames), Reader::new());
    let take = |recording: &mut Recording, reader: &mut Reader, channel: &mut Channel, is_over| {
        reader.read(channel, is_over, |kind, payload| {
            recording.take(kind, payload)
        })
    };
    let status = loop {
        match end.recv_timeout(INTERVAL) {
            Ok(status) => break status?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("the waiter has ended"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        // Without memory the processes drop what they have to say, and that is counted.
        let _ = channel.make_room();
        signals.pending().for_each(|signal| pass_on(signal, first));
        // What is read now need not be read when the command has ended.
        take(&mut recording, &mut reader, channel, false)?;
        look(&recording, first);
    };
    take(&mut recording, &mut reader, channel, true)?;
    recording.finish();
    Ok(Ended {
        recording,
        first,
        status,
        unfinished: reader.unfinished,
    })
}

/// Signals that would end this command before it has told anything. Those that its caller ignores stay
/// so, for the command as well (nohup(1)).
fn signals_to_take() -> Vec<i32> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored
        .and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
        .unwrap_or(0);
    let is_ignored = |signal: &i32| ignored >> (signal - 1) & 1 == 1;
    let wanted = [SIGINT, SIGQUIT, SIGTERM, SIGHUP];
    wanted
        .into_iter()
        .filter(|signal| !is_ignored(signal))
        .collect()
}

/// The terminal sends SIGINT and SIGQUIT to the command as well; the others are for this one alone.
fn pass_on(signal: i32, process: u32) {
    let signal = match signal {
        SIGTERM => Signal::TERM,
        SIGHUP => Signal::HUP,
        _ => return,
    };
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    if let Some(process) = process {
        let _ = kill_process(process, signal);
    }
}

/// The exit code that a shell would see.
pub fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// How many processes of a session still run.
pub fn running(recording: &Recording) -> usize {
    let mut processes: Vec<_> = recording
        .programs
        .iter()
        .map(|program| program.process)
        .collect();
    processes.sort_unstable();
    processes.dedup();
    let is_alive = |process: &&u32| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let state = status.lines().find_map(|line| line.strip_prefix("State:"));
        state.is_some_and(|state| !state.trim_start().starts_with(['Z', 'X']))
    };
    processes.iter().filter(is_alive).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        assert_eq!(exit_code(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(exit_code(ExitStatus::from_raw(9)), 137);
        assert_eq!(exit_code(ExitStatus::from_raw(0)), 0);
    }
}
