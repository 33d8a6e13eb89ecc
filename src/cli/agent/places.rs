//! Where agents and their drop-ins are.

use crate::agent::error::AgentError;
use opentelemetry_injector_policy::Runtime;
use opentelemetry_injector_policy::config::overrides::CONFIGURATION;
use opentelemetry_injector_policy::runtimes::default_agents::{FOLDER, language};
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The configuration's folder, inside of the root.
const CONFIGURATION_FOLDER: &str = "etc/opentelemetry/injector";

/// The link to the version that processes are given.
pub const CURRENT: &str = "current";

/// What a folder's name begins with that is no version: an agent in the making.
pub const PARTIAL: &str = ".partial-";

/// The places of this machine, or of an image in a folder.
#[derive(Clone)]
pub struct Places {
    root: PathBuf,
    configuration: PathBuf,
}

impl Places {
    /// Those below a root folder; none is this machine's.
    ///
    /// # Errors
    /// It is no folder, or a link in it leads out of it.
    pub fn below(root: Option<&Path>) -> Result<Self, AgentError> {
        let Some(given) = root else {
            let configuration = env::var_os(CONFIGURATION).filter(|path| !path.is_empty());
            let folder = configuration.and_then(|path| Some(Path::new(&path).parent()?.to_owned()));
            return Ok(Self {
                root: "/".into(),
                configuration: folder.unwrap_or_else(|| Path::new("/").join(CONFIGURATION_FOLDER)),
            });
        };
        let failed = |error| AgentError::Root(given.into(), error);
        let root = fs::canonicalize(given).map_err(failed)?;
        if !root.is_dir() {
            return Err(failed(io::ErrorKind::NotADirectory.into()));
        }
        let configuration = root.join(CONFIGURATION_FOLDER);
        for path in [&root.join(agents()), &configuration] {
            stays_inside(&root, path)?;
        }
        Ok(Self {
            root,
            configuration,
        })
    }

    /// Whether they are an image's.
    pub fn are_of_image(&self) -> bool {
        self.root != Path::new("/")
    }

    /// The root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a runtime's agents.
    pub fn folder(&self, runtime: Runtime) -> PathBuf {
        self.root.join(agents()).join(language(runtime))
    }

    /// The link to the current one.
    pub fn link(&self, runtime: Runtime) -> PathBuf {
        self.folder(runtime).join(CURRENT)
    }

    /// The file of the configuration that every process reads.
    pub fn configuration(&self) -> PathBuf {
        self.configuration.join("configuration.toml")
    }

    /// The drop-in that names a runtime's agent.
    pub fn drop_in(&self, runtime: Runtime) -> PathBuf {
        let name = format!("{}.toml", language(runtime));
        self.configuration.join("conf.d").join(name)
    }

    /// The versions that are installed, in the order of their numbers.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn versions(&self, runtime: Runtime) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.folder(runtime)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut versions = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() && is_version(&name) {
                versions.push(name);
            }
        }
        versions.sort_by_key(|version| numbers(version));
        Ok(versions)
    }

    /// The version that processes are given; none where there is no link.
    pub fn current(&self, runtime: Runtime) -> Option<String> {
        let target = fs::read_link(self.link(runtime)).ok()?;
        target.to_str().map(str::to_owned)
    }
}

/// The folder of all agents, inside of the root.
fn agents() -> &'static str {
    FOLDER.trim_start_matches('/')
}

/// A path as the programs of the image see it.
pub fn in_image(places: &Places, path: &Path) -> PathBuf {
    let inside = path.strip_prefix(places.root()).unwrap_or(path);
    Path::new("/").join(inside)
}

/// Whether a text may be the name of a version's folder: it begins with a digit and stays in its folder.
pub fn is_version(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b".-+_~".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_digit()) && text.bytes().all(is_part)
}

/// The numbers in a version, by which versions are ordered, then the text.
fn numbers(version: &str) -> (Vec<u64>, String) {
    let parts = version.split(|byte: char| !byte.is_ascii_digit());
    let numbers = parts.filter_map(|part| part.parse().ok());
    (numbers.collect(), version.to_owned())
}

/// Looks at what is there of a path: nothing of it may lead out of the root.
fn stays_inside(root: &Path, path: &Path) -> Result<(), AgentError> {
    for place in path.ancestors().take_while(|place| *place != root) {
        let is_there = fs::symlink_metadata(place).is_ok();
        let leaves = || !fs::canonicalize(place).is_ok_and(|real| real.starts_with(root));
        if is_there && leaves() {
            return Err(AgentError::Leaves(place.into(), root.into()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_names_that_stay_in_their_folder() {
        for version in ["2.33.1", "0.66b1", "1.16.0-rc.1", "1"] {
            assert!(is_version(version), "{version}");
        }
        for other in ["", "current", "..", ".partial-1", "1/..", "1 2", "v1"] {
            assert!(!is_version(other), "{other}");
        }
    }

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let mut versions = ["2.33.1", "2.9.0", "0.66b1", "0.66b10"];
        versions.sort_by_key(|version| numbers(version));
        assert_eq!(versions, ["0.66b1", "0.66b10", "2.9.0", "2.33.1"]);
    }
}
