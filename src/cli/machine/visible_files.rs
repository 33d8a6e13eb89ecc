//! The file system as one process sees it: below its root, with its rights.
//!
//! Another user's rights are judged by modes, owners, groups and capabilities, as the kernel does it
//! (path_resolution(7)); access control lists and security modules are not looked at.

use crate::machine::configuration_files::{self, FileSystem};
use crate::machine::proc_formats::Identity;
use opentelemetry_injector_policy::Files;
use opentelemetry_injector_policy::config::sources::{FileProblem, LARGEST_FILE};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io::Read;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How many symbolic links are followed before the path counts as a loop (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Bits of the capabilities that set the modes of files aside (capabilities(7)).
const DAC_OVERRIDE: u64 = 1 << 1;
const DAC_READ_SEARCH: u64 = 1 << 2;

/// Bits of a mode, as they are for others.
const READ: u32 = 4;
const SEARCH: u32 = 1;

/// A process's visible.
pub struct VisibleFiles {
    /// Its root, as the command can reach it.
    root: PathBuf,
    /// The folder that relative paths begin in, as the process sees it.
    folder: PathBuf,
    /// Whose rights count; `None` for those of the command itself.
    identity: Option<Identity>,
}

/// A file that was found.
pub struct Found {
    /// Its path, as the command can reach it.
    pub path: PathBuf,
    /// What stat(2) says of it.
    pub metadata: Metadata,
}

impl VisibleFiles {
    /// What the command itself sees.
    pub fn own() -> Self {
        Self {
            root: "/".into(),
            folder: std::env::current_dir().unwrap_or_else(|_| "/".into()),
            identity: None,
        }
    }

    /// What a process sees whose root can be reached by `root`.
    pub fn new(root: PathBuf, folder: &[u8], identity: Option<Identity>) -> Self {
        Self {
            root,
            folder: configuration_files::as_path(folder).into(),
            identity,
        }
    }

    /// The folder that relative paths begin in.
    pub fn folder(&self) -> &[u8] {
        self.folder.as_os_str().as_bytes()
    }

    /// The file at a path, symbolic links followed.
    ///
    /// # Errors
    /// There is none that this process can get at.
    pub fn find(&self, path: &[u8]) -> Result<Found, FileProblem> {
        let path = self.folder.join(configuration_files::as_path(path));
        let mut rest = components(&path);
        let mut links = 0;
        // What is found has no links in it: to go up is to take the last name away.
        let mut found = self.root.clone();
        let mut depth = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                if depth > 0 {
                    found.pop();
                    depth -= 1;
                }
                continue;
            }
            let folder =
                fs::metadata(&found).map_err(|error| configuration_files::problem(&error))?;
            if !self.may(&folder, SEARCH) {
                return Err(FileProblem::NotPermitted);
            }
            let next = found.join(&name);
            let metadata = fs::symlink_metadata(&next)
                .map_err(|error| configuration_files::problem(&error))?;
            if !metadata.is_symlink() {
                found = next;
                depth += 1;
                continue;
            }
            links += 1;
            if links > MOST_LINKS {
                return Err(FileProblem::System(libc::ELOOP));
            }
            let target =
                fs::read_link(&next).map_err(|error| configuration_files::problem(&error))?;
            if target.is_absolute() {
                (found, depth) = (self.root.clone(), 0);
            }
            for name in components(&target).into_iter().rev() {
                rest.push_front(name);
            }
        }
        let metadata =
            fs::metadata(&found).map_err(|error| configuration_files::problem(&error))?;
        Ok(Found {
            path: found,
            metadata,
        })
    }

    /// Whether the process may open this regular file for reading.
    pub fn is_readable_file(&self, path: &[u8]) -> bool {
        self.readable(path)
            .is_ok_and(|found| found.metadata.is_file() && self.opens(&found.path))
    }

    /// Whether there is a folder.
    pub fn is_folder(&self, path: &[u8]) -> bool {
        self.find(path).is_ok_and(|found| found.metadata.is_dir())
    }

    /// Whether there is certainly nothing.
    pub fn is_absent(&self, path: &[u8]) -> bool {
        self.find(path)
            .is_err_and(|problem| problem == FileProblem::Missing)
    }

    /// The content of a regular file of a configuration's length, whoever may write it: for files
    /// that are not the injector's own.
    ///
    /// # Errors
    /// What keeps the process from reading it.
    pub fn content(&self, path: &[u8]) -> Result<Vec<u8>, FileProblem> {
        let found = self.readable(path)?;
        let (file, _) = configuration_files::open_regular(found.path.as_os_str().as_bytes())?;
        let mut content = Vec::new();
        match file.take(LARGEST_FILE as u64).read_to_end(&mut content) {
            Ok(_) => Ok(content),
            Err(error) => Err(configuration_files::problem(&error)),
        }
    }

    fn readable(&self, path: &[u8]) -> Result<Found, FileProblem> {
        let found = self.find(path)?;
        if self.may(&found.metadata, READ) {
            Ok(found)
        } else {
            Err(FileProblem::NotPermitted)
        }
    }

    /// Under its own rights the command tries it out.
    fn opens(&self, path: &Path) -> bool {
        self.identity.is_some()
            || configuration_files::is_readable_file(path.as_os_str().as_bytes())
    }

    /// Whether the rights suffice for something.
    fn may(&self, metadata: &Metadata, wanted: u32) -> bool {
        let Some(identity) = &self.identity else {
            return true;
        };
        identity.may(metadata, wanted)
    }
}

impl Identity {
    fn may(&self, metadata: &Metadata, wanted: u32) -> bool {
        let is_ruled = |ranges: &[Range<u64>], owner: u32| {
            ranges.iter().any(|range| range.contains(&owner.into()))
        };
        let [users, groups] = &self.ruled;
        let rules = is_ruled(users, metadata.uid()) && is_ruled(groups, metadata.gid());
        if rules && self.capabilities & (DAC_OVERRIDE | DAC_READ_SEARCH) != 0 {
            return true;
        }
        let (group, mode) = (metadata.gid(), metadata.mode());
        // The first that fits counts, even where a later one would allow more.
        let allowed = match () {
            () if metadata.uid() == self.user => mode >> 6,
            () if group == self.group || self.groups.contains(&group) => mode >> 3,
            () => mode,
        };
        allowed & wanted == wanted
    }
}

impl Files for VisibleFiles {
    fn read(&self, path: &[u8]) -> Result<Vec<u8>, FileProblem> {
        let found = self.readable(path)?;
        FileSystem.read(found.path.as_os_str().as_bytes())
    }

    fn names_in(&self, directory: &[u8]) -> Result<Vec<Vec<u8>>, FileProblem> {
        let found = self.readable(directory)?;
        FileSystem.names_in(found.path.as_os_str().as_bytes())
    }
}

fn components(path: &Path) -> VecDeque<OsString> {
    let names = path.as_os_str().as_bytes().split(|byte| *byte == b'/');
    let names = names.filter(|name| !name.is_empty() && *name != b".");
    names.map(|name| OsStr::from_bytes(name).into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::iter;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn user(user: u32, group: u32) -> Identity {
        Identity {
            user,
            group,
            groups: Vec::new(),
            capabilities: 0,
            ruled: [0, 0].map(|start| iter::once(start..3_000_000).collect()),
        }
    }

    #[test]
    fn links_lead_nowhere_out_of_the_root() {
        let root = tempfile::tempdir().unwrap();
        let below = |path: &str| root.path().join(path);
        fs::create_dir_all(below("a/b")).unwrap();
        fs::write(below("a/file"), "here").unwrap();
        symlink("/a", below("absolute")).unwrap();
        symlink("../../../a/file", below("a/b/upwards")).unwrap();
        symlink("loop", below("loop")).unwrap();
        let visible = VisibleFiles::new(root.path().into(), b"/a", None);
        for path in [
            "/absolute/file",
            "/a/b/upwards",
            "/../a/file",
            "file",
            "b/../file",
        ] {
            assert_eq!(
                visible.read(path.as_bytes()),
                Ok(b"here".to_vec()),
                "{path}"
            );
        }
        assert_eq!(visible.read(b"/etc/passwd"), Err(FileProblem::Missing));
        let error = visible.read(b"/loop");
        assert_eq!(error, Err(FileProblem::System(libc::ELOOP)));
        assert!(visible.is_folder(b"/absolute/b"));
        assert!(!visible.is_folder(b"/a/file"));
    }

    #[test]
    fn a_folder_that_may_not_be_searched_hides_its_files() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("closed");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("file"), "").unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let owner = fs::metadata(&folder).unwrap();
        let sees = |identity: Identity| {
            let visible = VisibleFiles::new(root.path().into(), b"/", Some(identity));
            visible.is_readable_file(b"/closed/file")
        };
        assert!(sees(user(owner.uid(), 1)));
        assert!(!sees(user(4_000_000, 4_000_000)));
        let capable = Identity {
            capabilities: DAC_READ_SEARCH,
            ..user(4_000_000, 4_000_000)
        };
        assert!(sees(capable.clone()));
        // The owner is nobody in its user namespace.
        let elsewhere = Identity {
            ruled: [Vec::new(), Vec::new()],
            ..capable
        };
        assert!(!sees(elsewhere));
    }

    #[test]
    fn the_first_class_that_fits_counts() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o044)).unwrap();
        let metadata = fs::metadata(&file).unwrap();
        let (owner, group) = (metadata.uid(), metadata.gid());
        assert!(!user(owner, group).may(&metadata, READ));
        assert!(user(owner + 1, group).may(&metadata, READ));
        let member = Identity {
            groups: vec![group],
            ..user(owner + 1, group + 1)
        };
        assert!(member.may(&metadata, READ));
        assert!(!member.may(&metadata, SEARCH));
    }
}
