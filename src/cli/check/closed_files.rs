//! Files of the machine's configuration that other users may not read: their processes inject
//! nothing, while everything looks well to root.

use crate::check::diagnostics::{Diagnostic, Severity};
use crate::machine::configuration_files::as_path;
use crate::output::shell_word;
use opentelemetry_injector_policy::config::overrides::DEFAULT_CONFIGURATION;
use opentelemetry_injector_policy::process::directory;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Bits of a mode, as they are for others.
const READ: u32 = 0o004;
const SEARCH: u32 = 0o001;

/// A file or a folder that others may not read, or not search.
#[derive(PartialEq, Eq)]
pub struct Closed {
    path: PathBuf,
    mode: u32,
}

/// Those of a configuration of these files, the first of which is its path; none where it is not the
/// one that every process reads.
pub fn find(files: &[Vec<u8>]) -> Vec<Closed> {
    let Some(first) = files
        .first()
        .filter(|path| *path == DEFAULT_CONFIGURATION.as_bytes())
    else {
        return Vec::new();
    };
    let folder = [directory(first), b"/conf.d"].concat();
    let files = files.iter().map(|file| closed(as_path(file), READ));
    let folder = closed(as_path(&folder), READ | SEARCH);
    let mut found = Vec::new();
    for closed in files.chain([folder]).flatten() {
        if !found.contains(&closed) {
            found.push(closed);
        }
    }
    found
}

/// What keeps others from a path that they need these rights to: itself, or a folder on the way.
fn closed(path: &Path, needed: u32) -> Option<Closed> {
    let needs = |on_the_way: &Path| if on_the_way == path { needed } else { SEARCH };
    path.ancestors().find_map(|path| {
        let mode = fs::metadata(path).ok()?.mode() & 0o7777;
        let needs = needs(path);
        (mode & needs != needs).then(|| Closed {
            path: path.into(),
            mode,
        })
    })
}

impl Closed {
    /// What is wrong with it.
    pub fn what(&self) -> String {
        format!(
            "mode {:04o} is closed to other users, whose processes inject nothing",
            self.mode
        )
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What to do.
    pub fn help(&self) -> String {
        let path = self.path.to_string_lossy();
        format!("chmod a+rX {}", shell_word::quoted(&path))
    }

    /// The same as a line of a report.
    pub fn diagnostic(&self) -> Diagnostic {
        Diagnostic {
            severity: Severity::Warning,
            path: self.path.as_os_str().as_bytes().to_vec(),
            excerpt: None,
            message: self.what(),
            notes: Vec::new(),
            help: self.help(),
        }
    }
}
