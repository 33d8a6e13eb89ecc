//! The preload object: where it is installed, and how `LD_PRELOAD` names it.

use crate::machine::configuration_files;
use opentelemetry_injector_policy::formats::preload_file;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{self, Path, PathBuf};

/// The variable that names objects to the loader (ld.so(8)).
pub const LD_PRELOAD: &str = "LD_PRELOAD";

/// The object's name.
pub const FILE_NAME: &str = preload_file::OBJECT;

/// The folder that the packages put it into.
const PACKAGE: &str = "/usr/lib/opentelemetry/injector";

/// Why no preload object can be named.
#[derive(Debug)]
pub enum ObjectError {
    /// It is at none of these places.
    NotInstalled(Vec<PathBuf>),
    /// The object that was asked for is missing, not a file, or not readable.
    Unreadable(PathBuf),
    /// The loader would take this path for several.
    Unnameable(PathBuf),
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled(places) => {
                let places: Vec<_> = places.iter().map(|place| place.to_string_lossy()).collect();
                let places = places.join(", ");
                write!(f, "{FILE_NAME} is not in {places}; name it with --object")
            }
            Self::Unreadable(path) => write!(
                f,
                "{}: not a file that you can read; name {FILE_NAME} with --object",
                path.display()
            ),
            Self::Unnameable(path) => write!(
                f,
                "{}: {LD_PRELOAD} takes no path with blanks or colons; put the object elsewhere",
                path.display()
            ),
        }
    }
}

impl core::error::Error for ObjectError {}

/// The absolute path of the object that was asked for, or else of the installed one.
///
/// # Errors
/// Why there is none, or none that can be named.
pub fn find(asked_for: Option<&Path>) -> Result<PathBuf, ObjectError> {
    let object = match asked_for {
        Some(path) if !is_readable(path) => return Err(ObjectError::Unreadable(path.into())),
        Some(path) => path::absolute(path).unwrap_or_else(|_| path.into()),
        None => installed()?,
    };
    if object.as_os_str().as_bytes().iter().any(is_separator) {
        Err(ObjectError::Unnameable(object))
    } else {
        Ok(object)
    }
}

/// The value of `LD_PRELOAD` with the object in it, before what the user has there.
pub fn preload(object: &Path, users: Option<&OsStr>) -> OsString {
    let object = object.as_os_str().as_bytes();
    let users = users.unwrap_or_default().as_bytes();
    let value = match users {
        b"" => object.to_vec(),
        _ if users.split(is_separator).any(|path| path == object) => users.to_vec(),
        _ => [object, b":", users].concat(),
    };
    OsString::from_vec(value)
}

/// glibc splits at blanks and colons, musl at any white space.
fn is_separator(byte: &u8) -> bool {
    byte.is_ascii_whitespace() || *byte == b':'
}

/// The object that is installed with this command.
///
/// # Errors
/// It is in none of the places.
pub fn installed() -> Result<PathBuf, ObjectError> {
    let folders = match env::current_exe() {
        Ok(command) => folders_beside(&command),
        // There is no /proc to tell where the command is.
        Err(_) => vec![PACKAGE.into()],
    };
    let objects = folders.iter().map(|folder| folder.join(FILE_NAME));
    let found = objects.into_iter().find(|object| is_readable(object));
    found.ok_or(ObjectError::NotInstalled(folders))
}

/// The folders that an object may be in that belongs to a command: its own (a build), and those
/// of an installation below one prefix.
fn folders_beside(command: &Path) -> Vec<PathBuf> {
    let folder = command.parent().unwrap_or(command);
    let library = folder.parent().unwrap_or(folder).join("lib");
    vec![
        folder.into(),
        library.join("opentelemetry/injector"),
        library,
    ]
}

fn is_readable(path: &Path) -> bool {
    configuration_files::is_readable_file(path.as_os_str().as_bytes())
}
