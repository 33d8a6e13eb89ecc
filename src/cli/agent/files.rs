//! Work with the files and folders of agents.

use crate::agent::error::AgentError;
use crate::agent::interrupt::Interrupt;
use crate::machine::file_changes::make_folder;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// How much is copied between two looks for a signal.
const BLOCK: usize = 1 << 16;

/// Copies a file, or a folder with its files, folders and links.
///
/// # Errors
/// It cannot be copied, or a signal came.
pub fn copy(from: &Path, to: &Path, interrupt: &Interrupt) -> Result<(), AgentError> {
    let failed = || AgentError::file("read it", from);
    let metadata = fs::symlink_metadata(from).map_err(failed())?;
    if metadata.is_symlink() {
        let target = fs::read_link(from).map_err(failed())?;
        return symlink(target, to).map_err(AgentError::file("write it", to));
    }
    if metadata.is_dir() {
        make_folder(to)?;
        for entry in entries(from)? {
            let name = entry.file_name().unwrap_or_default();
            copy(&entry, &to.join(name), interrupt)?;
        }
        return Ok(());
    }
    if !metadata.is_file() {
        return Err(failed()(io::Error::other("not a regular file")));
    }
    let source = File::open(from).map_err(failed())?;
    let mut target = File::create(to).map_err(AgentError::file("write it", to))?;
    pour(source, from, &mut target, to, interrupt)?;
    let mode = metadata.permissions();
    fs::set_permissions(to, mode).map_err(AgentError::file("write it", to))
}

fn pour(
    mut source: File,
    from: &Path,
    target: &mut File,
    to: &Path,
    interrupt: &Interrupt,
) -> Result<(), AgentError> {
    let mut block = vec![0; BLOCK];
    loop {
        interrupt.check()?;
        let length = source
            .read(&mut block)
            .map_err(AgentError::file("read it", from))?;
        if length == 0 {
            return Ok(());
        }
        target
            .write_all(block.get(..length).unwrap_or_default())
            .map_err(AgentError::file("write it", to))?;
    }
}

/// What is in a folder, in the order of the names.
///
/// # Errors
/// It cannot be read.
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>, AgentError> {
    let failed = || AgentError::file("read it", folder);
    let entries = fs::read_dir(folder).map_err(failed())?;
    let paths: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(failed())?;
    paths.sort();
    Ok(paths)
}

/// Lets all users read everything in a folder, and nobody but the owner write.
///
/// # Errors
/// A mode cannot be set.
pub fn open_to_all(path: &Path) -> Result<(), AgentError> {
    let failed = || AgentError::file("open it to all", path);
    let metadata = fs::symlink_metadata(path).map_err(failed())?;
    if metadata.is_symlink() {
        return Ok(());
    }
    let mode = metadata.permissions().mode() & 0o7777;
    let searchable = if metadata.is_dir() || mode & 0o100 != 0 {
        0o111
    } else {
        0
    };
    let wanted = mode & 0o755 | 0o644 | searchable;
    if mode != wanted {
        fs::set_permissions(path, Permissions::from_mode(wanted)).map_err(failed())?;
    }
    if metadata.is_dir() {
        for entry in entries(path)? {
            open_to_all(&entry)?;
        }
    }
    Ok(())
}
