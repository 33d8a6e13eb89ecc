//! Why an agent is not installed, with what to do about it.

use crate::agent::interrupt::Interrupted;
use crate::machine::file_changes::FileError;
use crate::output::printable;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What went wrong.
#[derive(Debug)]
pub enum AgentError {
    /// SIGINT or SIGTERM.
    Interrupted(Interrupted),
    /// `--root`: no folder.
    Root(PathBuf, io::Error),
    /// A link in the image leads out of it: the link, and the root.
    Leaves(PathBuf, PathBuf),
    /// Work with a file or folder failed.
    File(FileError),
    /// Another command is at work in the folder.
    Busy(PathBuf),
    /// A program that is needed is not there: its name, and what it is needed for.
    NoClient(&'static str, &'static str),
    /// A program failed: its name, and the end of what it said.
    Client(String, String),
    /// A download failed.
    Download(String, String),
    /// A file is not what its checksum says: the file, the expected and the actual one.
    Checksum(String, String, String),
    /// What `--from` names is of no use for this runtime: why.
    NotAnAgent(PathBuf, String),
    /// The version of what `--from` names cannot be told.
    NoVersion(PathBuf),
    /// No folder could have this name.
    BadVersion(String),
    /// None of these interpreters can be given an agent.
    NoInterpreter(String),
}

impl AgentError {
    /// To be used with `map_err`.
    pub fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let of = FileError::of(what, path);
        move |error| Self::File(of(error))
    }
}

impl From<FileError> for AgentError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl From<Interrupted> for AgentError {
    fn from(interrupted: Interrupted) -> Self {
        Self::Interrupted(interrupted)
    }
}

impl fmt::Display for AgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted(interrupted) => interrupted.fmt(f),
            Self::Root(root, error) => write!(f, "--root {}: {error}", root.display()),
            Self::Leaves(link, root) => {
                let (link, root) = (link.display(), root.display());
                write!(
                    f,
                    "{link}: leads out of {root}; make the link a relative one"
                )
            }
            Self::File(problem) => {
                problem.fmt(f)?;
                match problem.error.kind() {
                    io::ErrorKind::PermissionDenied => f.write_str("; run it as root"),
                    io::ErrorKind::StorageFull => f.write_str("; make room and run it again"),
                    _ => Ok(()),
                }
            }
            Self::Busy(folder) => write!(
                f,
                "{}: another command is at work there; wait for it",
                folder.display()
            ),
            Self::NoClient(name, purpose) => write!(
                f,
                "`{name}` is not installed, which {purpose}; install it, or give --from"
            ),
            Self::Client(name, said) => {
                write!(f, "{name} failed")?;
                for line in said.lines() {
                    write!(f, "\n  {}", printable(line))?;
                }
                Ok(())
            }
            Self::Download(url, why) => {
                let why = printable(why);
                write!(f, "{url}: {why}; without network, give --from FILE")
            }
            Self::Checksum(file, expected, actual) => write!(
                f,
                "{file}: its checksum is {actual}, and {expected} was published: it is not used"
            ),
            Self::NotAnAgent(path, why) => write!(f, "{}: {why}", path.display()),
            Self::NoVersion(path) => write!(
                f,
                "{}: its version cannot be told; give --version",
                path.display()
            ),
            Self::BadVersion(version) => {
                write!(f, "--version {version:?}: not a version, such as 1.2.3")
            }
            Self::NoInterpreter(why) => f.write_str(why),
        }
    }
}

impl core::error::Error for AgentError {}
