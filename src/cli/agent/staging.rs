//! A folder in the making: it gets its name when it is complete, or goes away.

use crate::agent::error::AgentError;
use crate::agent::files;
use crate::agent::places::{CURRENT, PARTIAL};
use crate::machine::file_changes;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process;

/// The folder of one runtime's agents, for one command at a time.
pub struct Workshop {
    folder: PathBuf,
    /// Holds the lock.
    opened: File,
}

/// An unfinished agent.
pub struct Staging {
    path: PathBuf,
}

impl Workshop {
    /// Makes the folder and locks it; takes away what a command left that was killed.
    ///
    /// # Errors
    /// It cannot be made, or another command is at work.
    pub fn open(folder: &Path) -> Result<Self, AgentError> {
        file_changes::make_folder(folder)?;
        let opened = File::open(folder).map_err(AgentError::file("open it", folder))?;
        if flock(&opened, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(AgentError::Busy(folder.into()));
        }
        let entries = fs::read_dir(folder).map_err(AgentError::file("read it", folder))?;
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
                let path = entry.path();
                file_changes::remove(&path)?;
            }
        }
        Ok(Self {
            folder: folder.into(),
            opened,
        })
    }

    /// An empty folder for a new agent.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn stage(&self) -> Result<Staging, AgentError> {
        let path = self.folder.join(format!("{PARTIAL}{}", process::id()));
        file_changes::make_folder(&path)?;
        Ok(Staging { path })
    }

    /// Gives a complete folder, a staging or one in it, its name. Everything in it can be read by all, and
    /// is on the disk before.
    ///
    /// # Errors
    /// It cannot be done; then there is no such name.
    pub fn publish(&self, complete: &Path, version: &str) -> Result<(), AgentError> {
        let place = self.folder.join(version);
        files::open_to_all(complete)?;
        rustix::fs::syncfs(&self.opened)
            .map_err(io::Error::from)
            .map_err(AgentError::file("write it to the disk", complete))?;
        fs::rename(complete, &place).map_err(AgentError::file("make it", &place))
    }

    /// Takes a version away: its name first, so that none is ever there in part.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn discard(&self, version: &str) -> Result<(), AgentError> {
        let place = self.folder.join(version);
        let gone = self.folder.join(format!("{PARTIAL}{version}"));
        fs::rename(&place, &gone).map_err(AgentError::file("remove it", &place))?;
        file_changes::remove(&gone)?;
        Ok(())
    }

    /// Lets the link name a version, in one step.
    ///
    /// # Errors
    /// It cannot be done; then the link stays as it was.
    pub fn switch(&self, version: &str) -> Result<(), AgentError> {
        let link = self.folder.join(CURRENT);
        let new = self.folder.join(format!("{PARTIAL}link-{}", process::id()));
        let switched = symlink(version, &new).and_then(|()| fs::rename(&new, &link));
        switched.map_err(|error| {
            let _ = fs::remove_file(&new);
            AgentError::file("switch it", &link)(error)
        })
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // Where nothing is installed, nothing stays: not even a folder.
        let _ = fs::remove_dir(&self.folder);
    }
}

impl Staging {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now, the next command removes.
        let _ = file_changes::remove(&self.path);
    }
}
