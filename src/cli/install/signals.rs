//! Signals that would end or stop the command: they wait until what it does is done or undone. For `install`, the
//! preload file is then verified or is what it was.

use crate::machine::process_status::ignored_signals;
use signal_hook::consts::{
    SIGABRT, SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU,
    SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ,
};
use signal_hook::{flag, low_level};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

/// Those that end a process by default (signal(7)), but for those that tell of a fault in it and those that
/// cannot be caught. Rust's runtime ignores SIGPIPE.
const ENDING: [i32; 15] = [
    SIGABRT,
    SIGALRM,
    SIGHUP,
    SIGINT,
    SIGIO,
    SIGPROF,
    libc::SIGPWR,
    SIGQUIT,
    libc::SIGSTKFLT,
    SIGTERM,
    SIGUSR1,
    SIGUSR2,
    SIGVTALRM,
    SIGXCPU,
    SIGXFSZ,
];

/// Those that stop one by default: a run that is stopped would hold the lock, perhaps for days.
const STOPPING: [i32; 3] = [SIGTSTP, SIGTTIN, SIGTTOU];

/// The number of the last one that came and would have ended the command; 0 for none.
static RECEIVED: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// From here on they do nothing by themselves: [`received`] tells of those that would end the command. Those
/// that are ignored (nohup(1)) stay ignored. The programs that are started get the defaults back (execve(2)).
///
/// # Errors
/// The kernel takes no handler.
pub fn hold() -> io::Result<()> {
    let ignored = ignored_signals();
    let is_heard = |signal: &i32| ignored & (1 << (signal - 1)) == 0;
    let of_real_time = libc::SIGRTMIN()..=libc::SIGRTMAX();
    for signal in ENDING.into_iter().chain(of_real_time).filter(is_heard) {
        let number = usize::try_from(signal).unwrap_or_default();
        flag::register_usize(signal, RECEIVED.clone(), number)?;
    }
    for signal in STOPPING.into_iter().filter(is_heard) {
        flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
}

/// The number of a signal that has come.
pub fn received() -> Option<i32> {
    let number = i32::try_from(RECEIVED.load(Ordering::SeqCst)).ok()?;
    (number != 0).then_some(number)
}

/// Ends this process by a signal, as it would have ended without [`hold`]. Returns where that fails.
pub fn end_by(signal: i32) {
    let _ = low_level::emulate_default_handler(signal);
}

/// A signal's name, for example `SIGTERM`.
pub fn name(signal: i32) -> &'static str {
    low_level::signal_name(signal).unwrap_or("a signal")
}
