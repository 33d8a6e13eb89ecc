//! Files and folders that the command makes and removes, for all users to read and for root to write.

use std::fmt;
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A file or folder could not be worked with.
#[derive(Debug)]
pub struct FileError {
    /// What could not be done, for example `write it`.
    pub what: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

impl FileError {
    /// To be used with `map_err`.
    pub fn of(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self {
            what,
            path: path.into(),
            error,
        }
    }
}

/// Makes a folder and those above it, for all to read whatever the caller's umask.
///
/// # Errors
/// It cannot be made.
pub fn make_folder(folder: &Path) -> Result<(), FileError> {
    let missing: Vec<_> = folder
        .ancestors()
        .take_while(|place| !place.exists())
        .collect();
    for place in missing.into_iter().rev() {
        let made = DirBuilder::new().mode(0o755).create(place);
        match made {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(FileError::of("make it", place)(error));
            }
            _ => fs::set_permissions(place, Permissions::from_mode(0o755))
                .map_err(FileError::of("open it to all", place))?,
        }
    }
    Ok(())
}

/// Writes a file in one step, for all to read, with the folders above it.
///
/// # Errors
/// It cannot be written; then the former one stays.
pub fn write(path: &Path, content: &str) -> Result<(), FileError> {
    let failed = || FileError::of("write it", path);
    let folder = path.parent().unwrap_or(path);
    make_folder(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed())?;
    file.write_all(content.as_bytes()).map_err(failed())?;
    let opened = file.as_file();
    opened
        .set_permissions(Permissions::from_mode(0o644))
        .and_then(|()| opened.sync_all())
        .map_err(failed())?;
    file.persist(path)
        .map_err(|problem| failed()(problem.error))?;
    Ok(())
}

/// Removes a file, a link, or a folder with all that is in it. Returns whether there was one.
///
/// # Errors
/// It is still there, or a part of it.
pub fn remove(path: &Path) -> Result<bool, FileError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FileError::of("remove it", path)(error)),
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, path, error } = self;
        write!(f, "{}: cannot {what}: {error}", path.display())
    }
}

impl core::error::Error for FileError {}
