//! Processes that the command starts and ends.

use crate::machine::programs;
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};

/// A program that is tried: with little in its environment, in its home, and with a process group of its
/// own, so that what it starts can be ended with it.
pub fn trial(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(home)
        .env_clear()
        .env("PATH", programs::trial_path())
        .env("LC_ALL", "C")
        .env("HOME", home)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .process_group(0);
    command
}

/// Sends a signal to a child that leads a process group, and to what it has started.
pub fn signal_group(child: &Child, signal: Signal) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, signal);
    }
}
