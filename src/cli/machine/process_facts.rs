//! A process, live or to be started, as the policy sees it: plain facts, gathered beforehand.

use crate::machine::visible_files::VisibleFiles;
use opentelemetry_injector_policy::config::overrides::CONFIGURATION;
use opentelemetry_injector_policy::formats::ancestors::{self, ProcFile};
use opentelemetry_injector_policy::settings::added::{Added, MARKER, Restore, split};
use opentelemetry_injector_policy::{Process, Runtime};
use std::cell::RefCell;
use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The facts.
pub struct ProcessFacts {
    /// See [`Process::executable`].
    pub executable: Vec<u8>,
    /// See [`Process::started_as`].
    pub started_as: Vec<u8>,
    /// See [`Process::command_line`].
    pub arguments: Vec<Vec<u8>>,
    /// The process as `/proc` numbers it; `None` where it does not run yet.
    pub process: Option<u32>,
    /// `NAME=value` each.
    pub environment: Vec<Vec<u8>>,
    /// The paths of shared libraries that are loaded, or will be when they matter.
    pub libraries: Vec<Vec<u8>>,
    /// The runtime that the executable is linked with.
    pub linked: Option<Runtime>,
    /// The names of the executable's notes.
    pub notes: Vec<Vec<u8>>,
    /// See [`Process::boot_folder`].
    pub boot_folder: Vec<u8>,
    /// See [`Process::control_groups`].
    pub control_groups: Vec<u8>,
    /// See [`Process::user`].
    pub user: Option<u32>,
    /// The file system.
    pub visible: VisibleFiles,
    /// The files that decisions have asked for, found or not.
    asked: RefCell<Vec<Vec<u8>>>,
}

impl ProcessFacts {
    /// A process of which nothing is known but what it sees.
    pub fn new(visible: VisibleFiles) -> Self {
        Self {
            executable: Vec::new(),
            started_as: Vec::new(),
            arguments: Vec::new(),
            process: None,
            environment: Vec::new(),
            libraries: Vec::new(),
            linked: None,
            notes: Vec::new(),
            boot_folder: Vec::new(),
            control_groups: Vec::new(),
            user: None,
            visible,
            asked: RefCell::default(),
        }
    }

    /// Makes it a process with this configuration, whatever its own is.
    pub fn configure(&mut self, path: &Path) {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
        let name = CONFIGURATION.as_bytes();
        self.environment
            .retain(|entry| split(entry).is_none_or(|(other, _)| other != name));
        self.environment
            .push([name, b"=", path.as_os_str().as_bytes()].concat());
    }

    /// The files that decisions have asked for so far.
    pub fn asked(&self) -> Vec<Vec<u8>> {
        self.asked.borrow().clone()
    }

    /// Notes that the process depends on a file.
    pub fn ask(&self, path: &[u8]) {
        let mut asked = self.asked.borrow_mut();
        if asked.iter().all(|other| other != path) {
            asked.push(path.to_vec());
        }
    }
}

/// The environment as the process has it: what a parent was given and handed on is taken back by
/// the preload object.
pub fn restored(environment: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let marker = environment.iter().filter_map(|entry| split(entry));
    let marker = marker
        .into_iter()
        .find(|(name, _)| *name == MARKER.to_bytes());
    let Some(marker) = marker.map(|(_, value)| value.to_vec()) else {
        return environment;
    };
    let added = Added::of(&marker);
    let kept = environment.iter().filter_map(|entry| {
        Some(match added.restore(entry) {
            Restore::Keep => entry.clone(),
            Restore::Shorten(part) => part.to_vec(),
            Restore::Remove => return None,
        })
    });
    kept.collect()
}

/// A file below `/proc`.
fn proc_file(path: &[u8]) -> Option<ProcFile> {
    let path = Path::new("/proc").join(OsStr::from_bytes(path));
    let file = File::open(path).ok()?;
    let owner = file.metadata().ok()?.uid();
    let mut content = Vec::new();
    let longest = ancestors::LONGEST as u64;
    file.take(longest + 1).read_to_end(&mut content).ok()?;
    (content.len() <= ancestors::LONGEST).then_some(ProcFile { content, owner })
}

impl Process for ProcessFacts {
    fn executable(&self) -> &[u8] {
        &self.executable
    }

    fn started_as(&self) -> &[u8] {
        &self.started_as
    }

    fn command_line(&self) -> Vec<Vec<u8>> {
        self.arguments.clone()
    }

    fn ancestor(&self, above: usize) -> Option<Vec<Vec<u8>>> {
        let process = self.process?.to_string();
        // As this command sees it: the process may see other numbers (user_namespaces(7)).
        let user = Path::new("/proc").join(&process).metadata().ok()?.uid();
        ancestors::command_line(process.as_bytes(), above, user, proc_file)
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        let mut entries = self.environment.iter().filter_map(|entry| split(entry));
        let entry = entries.find(|(entry, _)| *entry == name.as_bytes());
        entry.map(|(_, value)| value.to_vec())
    }

    fn is_readable_file(&self, path: &[u8]) -> bool {
        self.ask(path);
        self.visible.is_readable_file(path)
    }

    fn content(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.visible.content(path).ok()
    }

    fn working_directory(&self) -> Vec<u8> {
        self.visible.folder().to_vec()
    }

    fn control_groups(&self) -> Vec<u8> {
        self.control_groups.clone()
    }

    fn user(&self) -> Option<u32> {
        self.user
    }

    fn is_folder(&self, path: &[u8]) -> bool {
        self.visible.is_folder(path)
    }

    fn is_absent(&self, path: &[u8]) -> bool {
        self.visible.is_absent(path)
    }

    fn boot_folder(&self) -> &[u8] {
        &self.boot_folder
    }

    fn loaded(&self, is_wanted: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        let mut libraries = self.libraries.iter();
        libraries.find(|path| is_wanted(path)).cloned()
    }

    fn exports(&self, function: &CStr) -> bool {
        let linked = self.linked.and_then(Runtime::function);
        linked == Some(function)
    }

    fn has_note(&self, name: &CStr) -> bool {
        self.notes.iter().any(|note| note == name.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_injector_policy::settings::added;

    #[test]
    fn the_first_of_two_equal_names_counts() {
        let mut facts = ProcessFacts::new(VisibleFiles::own());
        facts.environment = ["A=1=2", "A=3", "B="].map(Vec::from).to_vec();
        assert_eq!(facts.variable("A"), Some(b"1=2".to_vec()));
        assert_eq!(facts.variable("B"), Some(Vec::new()));
        assert_eq!(facts.variable("C"), None);
    }

    #[test]
    fn what_a_parent_was_given_does_not_count() {
        let parent = ProcessFacts::new(VisibleFiles::own());
        let added = b"OTEL_A=ours".to_vec();
        let marker = added::marker(std::slice::from_ref(&added), &parent);
        let environment = vec![b"PATH=/x".to_vec(), added, marker];
        assert_eq!(restored(environment), [b"PATH=/x"]);
    }
}
