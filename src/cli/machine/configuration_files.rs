//! Configuration files, read by the rules that the preload object reads them by.

use opentelemetry_injector_policy::Files;
use opentelemetry_injector_policy::config::sources::{
    FileProblem, LARGEST_FILE, is_writable_by_all,
};
use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// The file system as the user who runs the command sees it.
pub struct FileSystem;

impl Files for FileSystem {
    fn read(&self, path: &[u8]) -> Result<Vec<u8>, FileProblem> {
        let (file, metadata) = open_regular(path)?;
        if is_writable_by_all(metadata.mode()) {
            return Err(FileProblem::WritableByAll);
        }
        let length = metadata.len();
        if length > LARGEST_FILE as u64 {
            return Err(FileProblem::TooLarge);
        }
        let mut content = Vec::new();
        // No further than the length that was asked for, as the preload object does.
        match file.take(length).read_to_end(&mut content) {
            Ok(_) => Ok(content),
            Err(error) => Err(problem(&error)),
        }
    }

    fn names_in(&self, directory: &[u8]) -> Result<Vec<Vec<u8>>, FileProblem> {
        let directory = as_path(directory);
        let metadata = fs::metadata(directory).map_err(|error| problem(&error))?;
        if is_writable_by_all(metadata.mode()) {
            return Err(FileProblem::WritableByAll);
        }
        let entries = fs::read_dir(directory).map_err(|error| problem(&error))?;
        let names = entries.map(|entry| Ok(entry?.file_name().into_vec()));
        names
            .collect::<io::Result<_>>()
            .map_err(|error| problem(&error))
    }
}

/// Whether `path` is a regular file that the user may open for reading.
pub fn is_readable_file(path: &[u8]) -> bool {
    open_regular(path).is_ok()
}

/// The path that these bytes are.
pub fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// An open regular file and what is known of it. To open a FIFO or a device must not wait for its other
/// end.
///
/// # Errors
/// What keeps the file from being opened.
pub fn open_regular(path: &[u8]) -> Result<(File, Metadata), FileProblem> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(as_path(path))
        .map_err(|error| problem(&error))?;
    let metadata = file.metadata().map_err(|error| problem(&error))?;
    if metadata.is_file() {
        Ok((file, metadata))
    } else {
        Err(FileProblem::NotRegular)
    }
}

/// What keeps a file from being read, by the error that said so.
pub fn problem(error: &io::Error) -> FileProblem {
    match error.raw_os_error() {
        // Without a number: a path that no file can have (it contains a NUL character).
        None | Some(libc::ENOENT | libc::ENOTDIR) => FileProblem::Missing,
        Some(libc::EACCES | libc::EPERM) => FileProblem::NotPermitted,
        // A socket, or a device without a driver.
        Some(libc::ENXIO) => FileProblem::NotRegular,
        Some(number) => FileProblem::System(number),
    }
}
