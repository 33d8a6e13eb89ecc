//! The calling process, as the policy sees it.

use crate::hook::loaded_objects;
use crate::sys::{auxiliary, environment, file_system, kernel, memory_map};
use alloc::ffi::CString;
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell};
use core::ffi::CStr;
use opentelemetry_injector_policy::formats::ancestors::{self, ProcFile, strings};
use opentelemetry_injector_policy::settings::ByName;
use opentelemetry_injector_policy::{Process, formats};

/// The calling process.
#[derive(Default)]
pub struct Host {
    executable: OnceCell<Vec<u8>>,
    boot_folder: OnceCell<Vec<u8>>,
    mappings: OnceCell<Vec<u8>>,
    /// How many variables were asked for.
    asked: Cell<usize>,
    variables: OnceCell<ByName<'static>>,
}

/// After that many questions the environment is put in order: thousands of settings are looked for among
/// thousands of variables.
const MANY: usize = 64;

/// The executable's path without its mark for a file that was replaced since (proc(5)).
fn executable() -> Option<Vec<u8>> {
    let mut buffer = [0; libc::PATH_MAX as usize];
    let path = kernel::read_link(c"/proc/self/exe", &mut buffer).ok()?;
    Some(path.strip_suffix(b" (deleted)").unwrap_or(path).to_vec())
}

/// A file below `/proc`.
fn proc_file(path: &[u8]) -> Option<ProcFile> {
    let path = CString::new([b"/proc/", path].concat()).ok()?;
    let file = kernel::open(&path, libc::O_RDONLY, 0).ok()?;
    let owner = kernel::status_of_open(&file).ok()?.st_uid;
    let content = kernel::read_rest(&file, ancestors::LONGEST).ok()?;
    Some(ProcFile { content, owner })
}

impl Process for Host {
    fn executable(&self) -> &[u8] {
        // Without /proc the path that it was started by is the closest there is.
        let path = || executable().unwrap_or_else(|| self.started_as().to_vec());
        self.executable.get_or_init(path)
    }

    fn started_as(&self) -> &[u8] {
        auxiliary::started_as()
    }

    fn command_line(&self) -> Vec<Vec<u8>> {
        let content = kernel::read_all(c"/proc/self/cmdline").unwrap_or_default();
        strings(&content)
    }

    fn first_argument(&self) -> Vec<u8> {
        auxiliary::first_argument().to_vec()
    }

    fn ancestor(&self, above: usize) -> Option<Vec<Vec<u8>>> {
        ancestors::command_line(b"self", above, self.user()?, proc_file)
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        self.asked.set(self.asked.get() + 1);
        if self.asked.get() <= MANY {
            return environment::value(name.as_bytes()).map(|value| value.to_bytes().to_vec());
        }
        let variables = self.variables.get_or_init(environment::by_name);
        variables.get(name.as_bytes()).map(|value| value.to_vec())
    }

    fn is_readable_file(&self, path: &[u8]) -> bool {
        let Ok(path) = CString::new(path) else {
            return false;
        };
        let is_regular = |status: libc::stat| status.st_mode & libc::S_IFMT == libc::S_IFREG;
        kernel::status_of(&path).is_ok_and(is_regular) && kernel::may_read(&path)
    }

    fn content(&self, path: &[u8]) -> Option<Vec<u8>> {
        file_system::content(path).ok()
    }

    fn working_directory(&self) -> Vec<u8> {
        let mut buffer = [0; libc::PATH_MAX as usize];
        match kernel::read_link(c"/proc/self/cwd", &mut buffer) {
            // Its mark for a folder that is gone stays: no path of ours is below it.
            Ok(path) => path.to_vec(),
            Err(_) => Vec::new(),
        }
    }

    fn control_groups(&self) -> Vec<u8> {
        kernel::read_all(c"/proc/self/cgroup").unwrap_or_default()
    }

    fn user(&self) -> Option<u32> {
        u32::try_from(auxiliary::started_by()).ok()
    }

    fn is_folder(&self, path: &[u8]) -> bool {
        let is_folder = |status: libc::stat| status.st_mode & libc::S_IFMT == libc::S_IFDIR;
        CString::new(path).is_ok_and(|path| kernel::status_of(&path).is_ok_and(is_folder))
    }

    fn is_absent(&self, path: &[u8]) -> bool {
        let status = CString::new(path).map(|path| kernel::status_of(&path));
        matches!(status, Ok(Err(libc::ENOENT | libc::ENOTDIR)))
    }

    fn boot_folder(&self) -> &[u8] {
        let folder = || [loaded_objects::own_folder(), b"/boot"].concat();
        self.boot_folder.get_or_init(folder)
    }

    fn loaded(&self, is_wanted: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        // A value may depend on several libraries.
        let content = self.mappings.get_or_init(memory_map::content);
        let mapped = formats::mappings::find(content, |mapped| is_wanted(&mapped.path));
        mapped.map(|mapped| mapped.path)
    }

    fn exports(&self, function: &CStr) -> bool {
        loaded_objects::executable_defines(function)
    }

    fn has_note(&self, name: &CStr) -> bool {
        loaded_objects::executable_has_note(name)
    }
}
