//! `/etc/ld.so.preload` on the disk: read under a lock, replaced in one step.
//!
//! The new content is written to a file beside the old one (mode 0644, root's), synced to the disk, and renamed
//! over the old one. So a process that starts meanwhile sees the old file or the new one, and so does a machine
//! after a power failure. The lock is a file beside it that only root may open ([`Lock`]).

use crate::complain;
use crate::install::lock::{Lock, LockError};
use opentelemetry_injector_policy::formats::preload_file::PATH;
use rustix::fs::{AtFlags, CWD, StatVfs, StatVfsMountFlags, StatxAttributes, StatxFlags};
use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::process::{self, Command};

/// What every user may read and only root may write.
const MODE: u32 = 0o644;

/// What the new file's name begins with until it takes the old one's place; each run has a name of
/// its own. One that a killed run has left is removed by the next.
const TEMPORARY: &str = ".ld.so.preload.opentelemetry-injector.";

/// The preload file, locked for as long as this value lives.
pub struct PreloadFile {
    /// Where it really is: `/etc/ld.so.preload` may be a symbolic link.
    path: PathBuf,
    /// Its content; `None` where there is no file.
    content: Option<Vec<u8>>,
    /// Whether it is root's and mode 0644.
    is_in_order: bool,
    /// `None` where nothing can be written into the folder anyway, or where this process is not root's and only
    /// wants to look.
    _lock: Option<Lock>,
}

/// Why the preload file could not be read or written.
#[derive(Debug)]
pub struct PreloadFileError {
    path: PathBuf,
    what: What,
}

#[derive(Debug)]
enum What {
    Lock(LockError),
    Read(io::Error),
    NotRegular,
    Dangling,
    Changed,
    /// This file or folder has an attribute of chattr(1).
    Fixed(PathBuf),
    Write(io::Error),
}

impl PreloadFile {
    /// Waits for the lock and reads the file.
    ///
    /// # Errors
    /// It cannot be locked or read.
    pub fn open() -> Result<Self, PreloadFileError> {
        let path = resolve(Path::new(PATH))?;
        let can_be_made = obstacle(folder(&path)).is_none();
        let locked = rustix::process::geteuid().is_root() && can_be_made;
        let lock = locked.then(|| Lock::take(folder(&path))).transpose();
        let lock = lock.map_err(|error| problem(&path, What::Lock(error)))?;
        // What it is now, not what it was before the lock was free.
        let path = resolve(Path::new(PATH))?;
        let is_in_order = match fs::metadata(&path) {
            Ok(metadata) if !metadata.is_file() => return Err(problem(&path, What::NotRegular)),
            Ok(metadata) => metadata.mode() & 0o7777 == MODE && metadata.uid() == 0,
            Err(_) => true,
        };
        let content = read(&path).map_err(|error| problem(&path, What::Read(error)))?;
        Ok(Self {
            path,
            content,
            is_in_order,
            _lock: lock,
        })
    }

    /// The content; empty where there is no file.
    pub fn content(&self) -> &[u8] {
        self.content.as_deref().unwrap_or_default()
    }

    /// Whether the file is root's and every user may read it, and nobody else write it.
    pub fn is_in_order(&self) -> bool {
        self.is_in_order
    }

    /// Looks whether the file could be written at all, and changes nothing.
    ///
    /// # Errors
    /// Its file system is mounted read-only, it is a mount of its own, or chattr(1) has made it or its folder
    /// immutable or append-only.
    pub fn check_writable(&self) -> Result<(), PreloadFileError> {
        let of_file = || obstacle(&self.path).or_else(|| mount(&self.path));
        match obstacle(folder(&self.path)).or_else(of_file) {
            Some(what) => Err(problem(&self.path, what)),
            None => Ok(()),
        }
    }

    /// Puts this content in the file's place, mode 0644 and root's; `None` takes the file away, or
    /// empties it where it is reached by a symbolic link. The loader makes no difference between
    /// no file and an empty one.
    ///
    /// # Errors
    /// The file is as it was, or as another program has written it since it was read.
    pub fn write(&self, content: Option<&[u8]>) -> Result<(), PreloadFileError> {
        self.exchange(self.content.as_deref(), content)
    }

    /// Brings back what was read when the file was opened, after `written` has been.
    ///
    /// # Errors
    /// What was written since is still there.
    pub fn restore(&self, written: Option<&[u8]>) -> Result<(), PreloadFileError> {
        self.exchange(written, self.content.as_deref())
    }

    /// Replaces `old` by `new`. Other programs edit the file without our lock, so this fails if the file has another
    /// content than `old`, and never overwrites their changes.
    fn exchange(&self, old: Option<&[u8]>, new: Option<&[u8]>) -> Result<(), PreloadFileError> {
        self.check_writable()?;
        let failed = |error| problem(&self.path, What::Write(error));
        let now = read(&self.path).map_err(failed)?;
        if now.as_deref().unwrap_or_default() != old.unwrap_or_default() {
            return Err(problem(&self.path, What::Changed));
        }
        match new {
            None if self.path == Path::new(PATH) => fs::remove_file(&self.path),
            new => self.replace(new.unwrap_or_default()),
        }
        .map_err(failed)?;
        // It has changed for every program that starts from here on, whatever the disk says.
        if let Err(error) = self.bring_folder_to_disk() {
            let path = self.path.display();
            complain(&format_args!(
                "{path} has been changed, but the change may be lost if the power fails: {error}"
            ));
        }
        Ok(())
    }

    fn replace(&self, content: &[u8]) -> io::Result<()> {
        remove_left_over(folder(&self.path));
        let temporary = format!("{TEMPORARY}{}", process::id());
        let temporary = folder(&self.path).join(temporary);
        let replaced =
            write_file(&temporary, content).and_then(|()| fs::rename(&temporary, &self.path));
        match &replaced {
            Ok(()) => label(&self.path),
            // What another has under this name stays.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(_) => drop(fs::remove_file(&temporary)),
        }
        replaced
    }

    fn bring_folder_to_disk(&self) -> io::Result<()> {
        File::open(folder(&self.path))?.sync_all()
    }
}

/// Removes the new files of runs that were killed. Whoever holds the lock is the only one that runs.
fn remove_left_over(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Why nobody, not even root, can replace this file, or a file in this folder.
fn obstacle(path: &Path) -> Option<What> {
    let is_read_only = |system: StatVfs| system.f_flag.contains(StatVfsMountFlags::RDONLY);
    if rustix::fs::statvfs(path).is_ok_and(is_read_only) {
        return Some(What::Write(io::Error::from_raw_os_error(libc::EROFS)));
    }
    let fixed = StatxAttributes::IMMUTABLE | StatxAttributes::APPEND;
    (attributes(path).intersects(fixed)).then(|| What::Fixed(path.into()))
}

/// A mount cannot be replaced by rename(2).
fn mount(path: &Path) -> Option<What> {
    let is_mount = attributes(path).contains(StatxAttributes::MOUNT_ROOT);
    is_mount.then(|| What::Write(io::Error::from_raw_os_error(libc::EBUSY)))
}

/// None where there is no such file, or where the kernel or the file system does not know them (statx(2)).
fn attributes(path: &Path) -> StatxAttributes {
    let found = rustix::fs::statx(CWD, path, AtFlags::empty(), StatxFlags::empty());
    found.map_or(StatxAttributes::empty(), |found| {
        found.stx_attributes & found.stx_attributes_mask
    })
}

/// The file's content; `None` where there is no file.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        content => content.map(Some),
    }
}

/// Gives the file the label that SELinux's policy has for its path: a new one gets its folder's, by
/// which confined services may not be allowed to read it. Without the program, or where it fails,
/// those services go without the object.
fn label(path: &Path) {
    if Path::new("/sys/fs/selinux/enforce").exists() {
        let _ = Command::new("restorecon").arg(path).output();
    }
}

/// A file of this content, on the disk, with the mode and the owner that it shall have.
fn write_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    fchown(&file, Some(0), Some(0))?;
    // Not by open(2), which the umask would have a say in.
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.sync_all()
}

/// The path with symbolic links resolved. The file need not exist, unless the path is a symbolic link.
fn resolve(path: &Path) -> Result<PathBuf, PreloadFileError> {
    match fs::canonicalize(path) {
        Ok(path) => Ok(path),
        Err(error) if error.kind() == ErrorKind::NotFound && path.is_symlink() => {
            Err(problem(path, What::Dangling))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(path.into()),
        Err(error) => Err(problem(path, What::Read(error))),
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

fn problem(path: &Path, what: What) -> PreloadFileError {
    PreloadFileError {
        path: path.into(),
        what,
    }
}

impl fmt::Display for PreloadFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.what {
            What::Lock(error) => write!(f, "{path} was not changed: {error}"),
            What::Read(error) => write!(f, "{path}: {error}"),
            What::NotRegular => {
                write!(f, "{path} is not a regular file; the loader reads no other")
            }
            What::Dangling => write!(
                f,
                "{path} is a symbolic link to nothing: remove it, or create the file"
            ),
            What::Changed => write!(
                f,
                "{path} was changed by another program at the same time: run this again"
            ),
            What::Fixed(fixed) => {
                let fixed = fixed.display();
                write!(
                    f,
                    "{path} was not changed: {fixed} is immutable or append-only (`chattr -i -a {fixed}` makes \
                     it writable)"
                )
            }
            What::Write(error) if error.kind() == ErrorKind::ResourceBusy => write!(
                f,
                "{path} is a mount of its own and cannot be replaced: change the file that is \
                 mounted there"
            ),
            What::Write(error) => {
                write!(f, "{path} cannot be replaced and was not changed: {error}")
            }
        }
    }
}

impl core::error::Error for PreloadFileError {}
