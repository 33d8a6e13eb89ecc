//! A process that is not there yet, as the policy sees it.

use crate::machine::configuration_files;
use opentelemetry_injector_policy::{Process, Runtime};
use std::env;
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// A process that the user of the command could start.
pub enum PossibleProcess {
    /// With the environment of the command.
    WithOwnEnvironment,
    /// Of this runtime, with nothing that speaks for or against injection. Its boot files are taken to
    /// be there: they are no matter of the configuration.
    Of(Runtime),
}

/// The folder of boot files that are not looked at: no file can have such a path.
const BOOT_FOLDER: &[u8] = b"\0boot";

impl Process for PossibleProcess {
    fn executable(&self) -> &[u8] {
        match self {
            Self::Of(runtime) => launcher(*runtime),
            Self::WithOwnEnvironment => b"",
        }
    }

    fn started_as(&self) -> &[u8] {
        b""
    }

    fn command_line(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn ancestor(&self, _above: usize) -> Option<Vec<Vec<u8>>> {
        None
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        match self {
            Self::WithOwnEnvironment => env::var_os(name).map(OsStringExt::into_vec),
            Self::Of(_) => None,
        }
    }

    fn is_readable_file(&self, path: &[u8]) -> bool {
        path.starts_with(BOOT_FOLDER) || configuration_files::is_readable_file(path)
    }

    fn content(&self, _path: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn working_directory(&self) -> Vec<u8> {
        Vec::new()
    }

    fn control_groups(&self) -> Vec<u8> {
        Vec::new()
    }

    fn user(&self) -> Option<u32> {
        None
    }

    fn is_folder(&self, path: &[u8]) -> bool {
        Path::new(OsStr::from_bytes(path)).is_dir()
    }

    fn is_absent(&self, _path: &[u8]) -> bool {
        false
    }

    fn boot_folder(&self) -> &[u8] {
        BOOT_FOLDER
    }

    fn loaded(&self, _is_wanted: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        None
    }

    fn exports(&self, _function: &CStr) -> bool {
        false
    }

    fn has_note(&self, _name: &CStr) -> bool {
        false
    }
}

/// A program that is this runtime.
const fn launcher(runtime: Runtime) -> &'static [u8] {
    match runtime {
        Runtime::Jvm => b"java",
        Runtime::Nodejs => b"node",
        Runtime::Python => b"python3",
        Runtime::Ruby => b"ruby",
        Runtime::Php => b"php",
        Runtime::Erlang => b"erlexec",
        Runtime::Dotnet => b"dotnet",
    }
}
