//! Whether only root can change a file that every process loads. The file and every folder on its path must
//! belong to root and be writable by nobody else. Otherwise some user could run code in root's processes.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Others than the owner may write. A folder's sticky bit changes nothing: whoever may add names
/// there can put one in the place of a file of his own.
const WRITABLE: u32 = 0o022;

/// Only the owner may take a name out of such a folder (inode(7)).
const STICKY: u32 = 0o1000;

/// As many symbolic links as the kernel follows in one path (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Why a file is not to be trusted, or cannot be used by every user.
#[derive(Debug)]
pub struct Distrust {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    NotRoots(u32),
    Writable(u32),
    Unreadable(u32),
    NotRegular,
    TooManyLinks,
    System(io::Error),
}

/// Checks a path from `/` on, symbolic links resolved: every folder on the way and the regular file
/// at its end are root's, written by nobody else, and open to every user. Returns where the file
/// really is.
///
/// # Errors
/// The first file or folder that is not.
pub fn file(path: &Path) -> Result<PathBuf, Distrust> {
    let (path, metadata) = resolve(path)?;
    if !metadata.is_file() {
        return Err(distrust(&path, Why::NotRegular));
    }
    usable(&path, &metadata, 0o004)?;
    Ok(path)
}

/// Checks a path and the folders on the way to it, as [`file`] does, whether it is a file or a
/// folder.
///
/// # Errors
/// The first file or folder that fails.
pub fn path(path: &Path) -> Result<(), Distrust> {
    let (path, metadata) = resolve(path)?;
    let others_need = if metadata.is_dir() { 0o005 } else { 0o004 };
    usable(&path, &metadata, others_need)
}

/// Checks a folder and everything in it, as [`file`] does.
///
/// # Errors
/// The first file or folder that fails.
pub fn tree(path: &Path) -> Result<(), Distrust> {
    let (path, metadata) = resolve(path)?;
    if !metadata.is_dir() {
        return usable(&path, &metadata, 0o004);
    }
    usable(&path, &metadata, 0o005)?;
    let failed = |error| distrust(&path, Why::System(error));
    for entry in fs::read_dir(&path).map_err(failed)? {
        tree(&entry.map_err(failed)?.path())?;
    }
    Ok(())
}

/// Where a path leads, one component after the other; the folders are checked on the way.
fn resolve(path: &Path) -> Result<(PathBuf, Metadata), Distrust> {
    let mut reached = PathBuf::from("/");
    let mut metadata = status(&reached)?;
    let mut left = components(path);
    let mut links = 0;
    while let Some(name) = left.pop() {
        usable(&reached, &metadata, 0o001)?;
        if name == ".." {
            reached.pop();
            metadata = status(&reached)?;
            continue;
        }
        let next = reached.join(&name);
        metadata = status(&next)?;
        if !metadata.is_symlink() {
            reached = next;
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Err(distrust(path, Why::TooManyLinks));
        }
        let target = fs::read_link(&next).map_err(|error| distrust(&next, Why::System(error)))?;
        if target.is_absolute() {
            reached = PathBuf::from("/");
        }
        left.extend(components(&target));
        metadata = status(&reached)?;
    }
    Ok((reached, metadata))
}

/// The names in a path, the last one first.
fn components(path: &Path) -> Vec<OsString> {
    let names = path
        .components()
        .rev()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        });
    names.collect()
}

fn status(path: &Path) -> Result<Metadata, Distrust> {
    fs::symlink_metadata(path).map_err(|error| distrust(path, Why::System(error)))
}

fn usable(path: &Path, metadata: &Metadata, others_need: u32) -> Result<(), Distrust> {
    let mode = metadata.mode() & 0o7777;
    let why = match metadata.uid() {
        0 if mode & WRITABLE != 0 => Why::Writable(mode),
        0 if mode & others_need != others_need => Why::Unreadable(mode),
        0 => return Ok(()),
        owner => Why::NotRoots(owner),
    };
    Err(distrust(path, why))
}

fn distrust(path: &Path, why: Why) -> Distrust {
    Distrust {
        path: path.into(),
        why,
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::NotRoots(owner) => write!(
                f,
                "{path} belongs to user {owner}, who could change what every process loads: \
                 `chown root {path}`, or another place"
            ),
            // It is meant to be shared: `/tmp` must stay as it is.
            Why::Writable(mode) if mode & STICKY != 0 => write!(
                f,
                "{path} (mode {mode:04o}) can be written by others than root: take another place"
            ),
            Why::Writable(mode) => write!(
                f,
                "{path} (mode {mode:04o}) can be written by others than root: `chmod go-w {path}`, \
                 or another place"
            ),
            Why::Unreadable(mode) => write!(
                f,
                "{path} (mode {mode:04o}) is closed to other users, whose programs would print \
                 errors: `chmod a+rX {path}`"
            ),
            Why::NotRegular => write!(f, "{path} is not a regular file"),
            Why::TooManyLinks => write!(f, "{path} leads through too many symbolic links"),
            Why::System(error) => write!(f, "{path}: {error}"),
        }
    }
}

impl core::error::Error for Distrust {}
