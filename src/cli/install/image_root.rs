//! `--root DIR`: enters the root folder of an image (chroot(2)). Not to be confused with the user root.

use std::env;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why the folder cannot be the root.
#[derive(Debug)]
pub struct RootError(PathBuf, io::Error);

/// Makes the folder the root of this process: from here on every path, symbolic links included, is
/// read as the image's programs will read it, and the programs that are started are the image's.
///
/// # Errors
/// It is no folder, or only root may.
pub fn enter(root: Option<&Path>) -> Result<(), RootError> {
    let Some(root) = root else {
        return Ok(());
    };
    let entered = rustix::process::chroot(root)
        .map_err(io::Error::from)
        .and_then(|()| env::set_current_dir("/"));
    entered.map_err(|error| RootError(root.into(), error))
}

impl fmt::Display for RootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(root, error) = self;
        write!(f, "--root {}: {error}", root.display())
    }
}

impl core::error::Error for RootError {}
