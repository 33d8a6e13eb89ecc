//! `--from FILE|URL|FOLDER`: an agent that the administrator has.

use crate::agent::archive;
use crate::agent::download::{self, Checked};
use crate::agent::error::AgentError;
use crate::agent::work::Work;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What `--from` names.
#[derive(Clone)]
pub enum Source {
    /// A file or folder.
    Path(PathBuf),
    /// `http://…`, `https://…`
    Url(String),
}

impl Source {
    /// What a text means.
    pub fn parse(text: &str) -> Result<Self, std::convert::Infallible> {
        let is_url = ["http://", "https://"]
            .iter()
            .any(|scheme| text.starts_with(scheme));
        Ok(if is_url {
            Self::Url(text.into())
        } else {
            Self::Path(text.strip_prefix("file://").unwrap_or(text).into())
        })
    }

    /// The file or folder, downloaded and unpacked into `scratch` where it has to be.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn get(&self, scratch: &Path, work: &mut Work) -> Result<PathBuf, AgentError> {
        let path = match self {
            Self::Path(path) => {
                let real = fs::canonicalize(path).map_err(AgentError::file("read it", path))?;
                if real.is_file() {
                    download::check_beside(&real)?;
                }
                real
            }
            Self::Url(url) => {
                let without_query = url.split(['?', '#']).next().unwrap_or(url);
                let name = without_query
                    .rsplit('/')
                    .next()
                    .filter(|name| !name.is_empty());
                let file = scratch.join(name.unwrap_or("download"));
                if let Checked::No = download::to_file(url, &file, work)? {
                    work.progress.end();
                    crate::complain(&format_args!("{url}: no checksum is published beside it"));
                }
                file
            }
        };
        if path.is_file() && archive::is_archive(&path) {
            return archive::unpack(&path, &scratch.join("unpacked"), work);
        }
        if !path.is_file() && !path.is_dir() {
            let error = io::Error::other("neither a file nor a folder");
            return Err(AgentError::file("use it", &path)(error));
        }
        Ok(path)
    }
}
