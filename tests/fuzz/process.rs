//! A process made of plain values.

use opentelemetry_injector_policy::Process;
use std::collections::BTreeMap;
use std::ffi::CStr;

/// A process in which every file is there.
#[derive(Default)]
pub struct Plain {
    /// Its executable, also what it was started as.
    pub executable: Vec<u8>,
    /// Its command line.
    pub arguments: Vec<Vec<u8>>,
    /// The command line of every ancestor; empty where it has none.
    pub parent: Vec<Vec<u8>>,
    /// Its environment.
    pub variables: BTreeMap<String, Vec<u8>>,
    /// The folder of the boot files.
    pub boot_folder: Vec<u8>,
    /// What every file holds; `None` where none can be read.
    pub content: Option<Vec<u8>>,
    /// Its working directory.
    pub working_directory: Vec<u8>,
    /// Its control groups.
    pub control_groups: Vec<u8>,
    /// Its user's number.
    pub user: Option<u32>,
    /// The libraries that it has loaded.
    pub libraries: Vec<&'static str>,
}

impl Process for Plain {
    fn executable(&self) -> &[u8] {
        &self.executable
    }
    fn started_as(&self) -> &[u8] {
        &self.executable
    }
    fn command_line(&self) -> Vec<Vec<u8>> {
        self.arguments.clone()
    }
    fn ancestor(&self, _above: usize) -> Option<Vec<Vec<u8>>> {
        (!self.parent.is_empty()).then(|| self.parent.clone())
    }
    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        self.variables.get(name).cloned()
    }
    fn is_readable_file(&self, _path: &[u8]) -> bool {
        true
    }
    fn content(&self, _path: &[u8]) -> Option<Vec<u8>> {
        self.content.clone()
    }
    fn working_directory(&self) -> Vec<u8> {
        self.working_directory.clone()
    }
    fn control_groups(&self) -> Vec<u8> {
        self.control_groups.clone()
    }
    fn user(&self) -> Option<u32> {
        self.user
    }
    fn is_folder(&self, _path: &[u8]) -> bool {
        true
    }
    fn is_absent(&self, _path: &[u8]) -> bool {
        false
    }
    fn boot_folder(&self) -> &[u8] {
        &self.boot_folder
    }
    fn loaded(&self, is_wanted: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        let mut libraries = self.libraries.iter();
        let path = libraries.find(|path| is_wanted(path.as_bytes()))?;
        Some(path.as_bytes().to_vec())
    }
    fn exports(&self, _function: &CStr) -> bool {
        false
    }
    fn has_note(&self, _name: &CStr) -> bool {
        false
    }
}
