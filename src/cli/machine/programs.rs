//! Programs by their names, on this machine or in an image's folder.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where programs are looked for beside the caller's `PATH`.
const FOLDERS: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// The `PATH` of a program that is tried with little in its environment: the caller's, where there is one.
pub fn trial_path() -> OsString {
    env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into())
}

/// The folders that programs are looked for in: the caller's first.
pub fn folders() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let callers = env::split_paths(&path).filter(|folder| folder.is_absolute());
    callers.chain(FOLDERS.map(PathBuf::from)).collect()
}

/// The same of an image, whose programs no caller's `PATH` names.
pub fn folders_below(root: &Path) -> Vec<PathBuf> {
    let folders = FOLDERS.iter().filter_map(|folder| folder.strip_prefix('/'));
    folders.map(|folder| root.join(folder)).collect()
}

/// A program's path by its name.
pub fn find(name: &str) -> Option<PathBuf> {
    let mut places = folders().into_iter().map(|folder| folder.join(name));
    places.find(|path| is_executable(path))
}

/// Whether it is a file that somebody may execute.
pub fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o111 != 0)
}
