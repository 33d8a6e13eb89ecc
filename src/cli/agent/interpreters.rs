//! The Pythons of a machine: each needs packages of its own.

use crate::agent::places::Places;
use crate::machine::programs;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One version of Python.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Python {
    /// Its major and minor version.
    pub version: (u32, u32),
    /// The interpreter; none where it is an image's, which is not started.
    pub path: Option<PathBuf>,
}

impl Python {
    /// The name of its folder.
    pub fn folder(&self) -> String {
        let (major, minor) = self.version;
        format!("{major}.{minor}")
    }
}

/// One interpreter of each version, those of the system before those of users.
pub fn find(places: &Places) -> Vec<Python> {
    let mut found: Vec<Python> = Vec::new();
    let of_image = places.are_of_image();
    for path in candidates(places) {
        let python = if of_image {
            version_by_name(&path).map(|version| Python {
                version,
                path: None,
            })
        } else {
            version_by_asking(&path).map(|version| Python {
                version,
                path: Some(path),
            })
        };
        let is_new = |python: &Python| !found.iter().any(|known| known.version == python.version);
        found.extend(python.filter(is_new));
    }
    found.sort();
    found
}

fn candidates(places: &Places) -> Vec<PathBuf> {
    let mut folders = if places.are_of_image() {
        programs::folders_below(places.root())
    } else {
        // Before shims of users, which may stand for nothing.
        let mut folders = programs::folders_below(Path::new("/"));
        folders.extend(programs::folders());
        folders
    };
    if !places.are_of_image() {
        folders.extend(of_pyenv());
    }
    let mut candidates = Vec::new();
    for folder in folders {
        let names = folder.read_dir().into_iter().flatten().flatten();
        let mut names: Vec<_> = names.map(|entry| entry.file_name()).collect();
        names.sort();
        let names = names
            .into_iter()
            .filter(|name| is_interpreter(&name.to_string_lossy()));
        candidates.extend(names.map(|name| folder.join(name)));
    }
    candidates.retain(|path| programs::is_executable(path));
    candidates
}

/// The folders of pyenv's interpreters.
fn of_pyenv() -> Vec<PathBuf> {
    let root = env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".pyenv")));
    let versions = root.and_then(|root| root.join("versions").read_dir().ok());
    let versions = versions.into_iter().flatten().flatten();
    versions.map(|entry| entry.path().join("bin")).collect()
}

/// `python3`, `python3.12`; not `python3-config` or `python3.12-dbg`.
fn is_interpreter(name: &str) -> bool {
    let Some(minor) = name.strip_prefix("python3") else {
        return false;
    };
    minor.is_empty()
        || minor
            .strip_prefix('.')
            .is_some_and(|minor| minor.parse::<u32>().is_ok())
}

/// By the name of the file that a link leads to: `python3` is one to `python3.11`.
fn version_by_name(path: &Path) -> Option<(u32, u32)> {
    let target = path.read_link().unwrap_or_else(|_| path.into());
    let name = target.file_name()?.to_string_lossy().into_owned();
    Some((3, name.strip_prefix("python3.")?.parse().ok()?))
}

fn version_by_asking(path: &Path) -> Option<(u32, u32)> {
    const CODE: &str = "import sys; print(sys.version_info[0], sys.version_info[1])";
    let output = Command::new(path)
        .args(["-I", "-S", "-c", CODE])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_are_told_by_their_names() {
        for name in ["python3", "python3.8", "python3.13"] {
            assert!(is_interpreter(name), "{name}");
        }
        for name in ["python", "python3-config", "python3.11-dbg", "python3."] {
            assert!(!is_interpreter(name), "{name}");
        }
    }
}
