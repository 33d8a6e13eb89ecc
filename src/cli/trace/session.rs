//! A session: the command runs, its processes write into the channel, and the channel is kept open for
//! them.

use crate::machine::process_status::{ProcessStatus, ignored_signals};
use crate::trace::channel::{Channel, Reader};
use crate::trace::recording::Recording;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::flag;
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::Cause;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A session, from before its command starts.
pub struct Session(Signals);

/// What became of a session.
pub struct Ended {
    /// What was told.
    pub recording: Recording,
    /// The command's own process.
    pub first: u32,
    /// How it has ended.
    pub status: ExitStatus,
    /// What `/proc/PID/status` said of it then.
    pub last: ProcessStatus,
    /// Records that were never finished.
    pub unfinished: u64,
}

/// What is known at a look.
pub struct Look<'l> {
    /// What has been told so far.
    pub recording: &'l Recording,
    /// The command's own process.
    pub first: u32,
    /// Whether that has nothing more to say. It takes a while to give its memory back.
    pub is_ending: bool,
    /// Whether nothing was told since the last look.
    pub is_quiet: bool,
}

impl Session {
    /// Takes the signals. Where SIGCHLD is ignored, nobody could tell otherwise how a command has ended.
    ///
    /// # Errors
    /// They cannot be taken.
    pub fn new() -> io::Result<Self> {
        Signals::new().map(Self)
    }

    /// Waits for the command's end, and looks at the channel from time to time. Stacks get at most so many `frames`.
    ///
    /// # Errors
    /// The channel cannot be read.
    pub fn run(
        mut self,
        mut child: Child,
        channel: &mut Channel,
        frames: usize,
        mut look: impl FnMut(&Look<'_>),
    ) -> io::Result<Ended> {
        let signals = &mut self.0;
        let first = child.id();
        let mut memory = Memory::of(first);
        let (mut recording, mut reader) = (Recording::with_stacks(frames), Reader::new());
        let mut problem = None;
        while !has_ended(first) {
            if signals.wait(channel.interval()) {
                signals.pass_on(first);
                if has_ended(first) {
                    break;
                }
            }
            // Without memory the processes drop what they have to say, and that is counted.
            let _ = channel.make_room();
            let is_ending = memory.is_given_back();
            // What is read now need not be read when the command has ended.
            let mut is_quiet = true;
            let read = reader.read(channel, false, |kind, payload| {
                recording.take(kind, payload);
                is_quiet = false;
            });
            // The command is waited for whatever is known of it.
            problem = problem.or(read.err());
            look(&Look {
                recording: &recording,
                first,
                is_ending,
                is_quiet,
            });
        }
        // Once it is waited for, nothing is known of it any more.
        let last = ProcessStatus::of(first).unwrap_or_default();
        let status = child.wait()?;
        signals.give_back();
        if let Some(problem) = problem {
            return Err(problem);
        }
        reader.read(channel, true, |kind, payload| recording.take(kind, payload))?;
        recording.finish();
        Ok(Ended {
            recording,
            first,
            status,
            last,
            unfinished: reader.unfinished,
        })
    }
}

/// Whether a child has ended, which is not waited for yet.
fn has_ended(process: u32) -> bool {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    let only_ask = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let asked = process.map(|process| waitid(WaitId::Pid(process), only_ask));
    !matches!(asked, Some(Ok(None)))
}

/// A process's memory.
struct Memory(Option<File>);

impl Memory {
    fn of(process: u32) -> Self {
        Self(File::open(format!("/proc/{process}/statm")).ok())
    }

    /// Whether the process has begun to give it back; told once. It has no size then (Linux, kernel/exit.c,
    /// `exit_mm`).
    fn is_given_back(&mut self) -> bool {
        let mut size = [0; 2];
        let read = self.0.as_ref().map(|file| file.read_exact_at(&mut size, 0));
        let is_given_back = matches!(read, Some(Ok(()))) && size == *b"0 ";
        if is_given_back {
            self.0 = None;
        }
        is_given_back
    }
}

/// The signals that matter while the command runs.
struct Signals {
    delivery: SignalDelivery<UnixStream, WithOrigin>,
    is_over: Arc<AtomicBool>,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        let taken = signals_to_take();
        let is_over = Arc::new(AtomicBool::new(false));
        for signal in &taken {
            flag::register_conditional_default(*signal, Arc::clone(&is_over))?;
        }
        let all = taken.into_iter().chain([SIGCHLD]);
        let delivery = SignalDelivery::with_pipe(read, write, WithOrigin::default(), all)?;
        Ok(Self { delivery, is_over })
    }

    /// Waits for one of them. Whether there was one before this time was over.
    fn wait(&self, most: Duration) -> bool {
        let mut pipe = [PollFd::new(self.delivery.get_read(), PollFlags::IN)];
        let most = Timespec::try_from(most).ok();
        // A handler interrupts the wait.
        poll(&mut pipe, most.as_ref()).map_or(true, |ready| ready > 0)
    }

    /// Hands on to the command what is for this process alone.
    fn pass_on(&mut self, process: u32) {
        let process = i32::try_from(process).ok().and_then(Pid::from_raw);
        for origin in self.delivery.pending() {
            let sender = origin.process.and_then(|sender| Pid::from_raw(sender.pid));
            // The terminal sends these to both, and a program to its own group.
            let is_own = origin.cause != Cause::Kernel && (sender.is_none() || sender != process);
            let signal = match origin.signal {
                SIGTERM => Signal::TERM,
                SIGHUP => Signal::HUP,
                SIGUSR1 => Signal::USR1,
                SIGUSR2 => Signal::USR2,
                SIGINT if is_own => Signal::INT,
                SIGQUIT if is_own => Signal::QUIT,
                _ => continue,
            };
            if let Some(process) = process {
                let _ = kill_process(process, signal);
            }
        }
    }

    /// From now on they end this command again.
    fn give_back(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Those that would end this command before it has told anything. Those that its caller ignores stay so, for the
/// command as well (nohup(1)).
fn signals_to_take() -> Vec<i32> {
    let ignored = ignored_signals();
    let is_ignored = |signal: &i32| ignored >> (signal - 1) & 1 == 1;
    let ending = [SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2];
    let ending = ending.into_iter();
    ending.filter(|signal| !is_ignored(signal)).collect()
}

/// The exit code that a shell would see.
pub fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// The processes of a session that still run.
pub fn running(recording: &Recording) -> Vec<u32> {
    let programs = recording.programs.iter();
    let processes: BTreeSet<u32> = programs.map(|program| program.process).collect();
    let is_alive = |process: &u32| {
        let status = ProcessStatus::of(process).unwrap_or_default();
        let state = status.field("State");
        state.is_some_and(|state| !state.starts_with(['Z', 'X']))
    };
    processes.into_iter().filter(is_alive).collect()
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
