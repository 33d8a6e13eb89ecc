//! The lock of the preload file: two runs that change it at the same time would each undo the other's
//! work.
//!
//! It is a file beside the preload file, mode 0600 and root's, locked by flock(2). Who may not open it
//! cannot hold the lock. A folder's own lock would not do: every user may open `/etc` and hold it.

use crate::complain;
use crate::install::signals;
use rustix::fs::OFlags;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

const NAME: &str = ".ld.so.preload.lock";

/// Longer than a trial takes on a slow machine. A run that holds the lock for longer hangs.
const LONGEST: Duration = Duration::from_secs(180);

const STEP: Duration = Duration::from_millis(50);

/// The lock, held for as long as this value lives.
pub struct Lock {
    path: PathBuf,
    _file: File,
}

/// Why the lock could not be had.
#[derive(Debug)]
pub struct LockError {
    path: PathBuf,
    /// `None`: another run has held it all the time.
    error: Option<io::Error>,
}

impl Lock {
    /// Waits for the lock of what is in this folder.
    ///
    /// # Errors
    /// The file cannot be made, a signal came (see [`signals`]), or another run does not give it back within three minutes.
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join(NAME);
        let failed = |error| LockError {
            path: path.clone(),
            error,
        };
        let end = Instant::now() + LONGEST;
        let mut is_told = false;
        while Instant::now() < end {
            make_private(&path);
            if let Some(file) = try_to_lock(&path).map_err(|error| failed(Some(error)))? {
                return Ok(Self { path, _file: file });
            }
            if signals::received().is_some() {
                return Err(failed(Some(ErrorKind::Interrupted.into())));
            }
            if !is_told {
                let path = path.display();
                complain(&format_args!("waiting for another run to release {path}"));
                is_told = true;
            }
            thread::sleep(STEP);
        }
        Err(failed(None))
    }
}

/// Removes a file that others may open and hold, and that so was not made here. Where there is none, another run may
/// make its own in the next moment: that must stay.
fn make_private(path: &Path) {
    let is_private =
        |own: &fs::Metadata| own.is_file() && own.uid() == 0 && own.mode() & 0o077 == 0;
    if fs::symlink_metadata(path).is_ok_and(|own| !is_private(&own)) {
        let _ = fs::remove_file(path);
    }
}

/// The file, locked; `None` where another run holds it.
fn try_to_lock(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = options
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    let own = file.metadata()?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // The one that held it has removed it since: another run may have made a new one.
    let is_there = fs::symlink_metadata(path)
        .is_ok_and(|there| (own.dev(), own.ino()) == (there.dev(), there.ino()));
    Ok(is_there.then_some(file))
}

impl Drop for Lock {
    /// While it is still locked: who waits for this file finds that it is gone, and takes a new one.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.error {
            Some(error) => write!(f, "{path} cannot be locked: {error}"),
            None => write!(
                f,
                "another run has locked {path} for {} minutes: end it, and run this again",
                LONGEST.as_secs() / 60
            ),
        }
    }
}

impl core::error::Error for LockError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn one_holds_it_at_a_time() {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: the lock is root's");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let is_held = Arc::new(AtomicBool::new(false));
        let threads = [(); 4].map(|()| {
            let (folder, is_held) = (folder.path().to_owned(), Arc::clone(&is_held));
            thread::spawn(move || {
                for _ in 0..10_000 {
                    make_private(&folder.join(NAME));
                    let Some(file) = try_to_lock(&folder.join(NAME)).unwrap() else {
                        continue;
                    };
                    let path = folder.join(NAME);
                    let lock = Lock { path, _file: file };
                    assert!(!is_held.swap(true, Ordering::SeqCst), "held by two");
                    thread::sleep(Duration::from_micros(20));
                    is_held.store(false, Ordering::SeqCst);
                    drop(lock);
                }
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
    }
}
