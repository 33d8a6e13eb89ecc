//! A private `/etc` for one thread and the programs that it starts, so that a preload file can be tried before any
//! other process sees it.
//!
//! The thread leaves the mount namespace of the machine, and puts a file system in memory over
//! `/etc` in which every name is bound to what it was before. The programs that it starts are in
//! the new namespace; it goes with the thread and them.

use opentelemetry_injector_policy::formats::preload_file::PATH;
use rustix::mount::{self, MountFlags, MountPropagationFlags};
use rustix::thread::UnshareFlags;
use std::env;
use std::fs::{self, DirEntry, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::thread;

/// Runs `work` in a thread with an `/etc` of its own, whose preload file can be written by
/// [`write_preload_file`].
///
/// # Errors
/// The thread could not get one (root in a container often may not); `work` has not run.
pub fn with<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            enter()?;
            Ok(work())
        });
        let lost = |_| Err(io::Error::other("its thread ended"));
        worker.join().unwrap_or_else(lost)
    })
}

/// Writes the preload file of the private `/etc`.
///
/// # Errors
/// It could not be written.
pub fn write_preload_file(content: &[u8]) -> io::Result<()> {
    fs::write(PATH, content)?;
    fs::set_permissions(PATH, Permissions::from_mode(0o644))
}

fn enter() -> io::Result<()> {
    // The descriptors stay shared with the other threads.
    #[expect(deprecated, reason = "unsafe for other flags than these two only")]
    rustix::thread::unshare(UnshareFlags::NEWNS | UnshareFlags::FS)?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount::mount_change("/", private)?;
    // What is below the new file system stays reachable by the working folder.
    env::set_current_dir("/etc")?;
    let entries = fs::read_dir(".")?.collect::<io::Result<Vec<_>>>()?;
    mount::mount(
        "tmpfs",
        "/etc",
        "tmpfs",
        MountFlags::empty(),
        Some(c"mode=755"),
    )?;
    for entry in entries {
        match bind(&entry) {
            // A file of a moment, gone since.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            bound => bound?,
        }
    }
    env::set_current_dir("/")
}

fn bind(entry: &DirEntry) -> io::Result<()> {
    let (from, to) = (entry.path(), Path::new("/etc").join(entry.file_name()));
    let kind = entry.file_type()?;
    if to == Path::new(PATH) {
        return Ok(());
    }
    if kind.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    }
    if kind.is_dir() {
        fs::create_dir(&to)?
    } else {
        fs::write(&to, b"")?
    }
    Ok(mount::mount_bind_recursive(&from, &to)?)
}
