//! Which programs of the machine are run: all that can be executed in the usual folders, but those
//! on the reviewed list.

use opentelemetry_injector_policy::matching::glob;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Folders of programs, and of folders with helpers of programs.
const FOLDERS: [&str; 4] = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
const FOLDERS_OF_FOLDERS: [&str; 2] = ["/usr/lib", "/usr/libexec"];

/// What `--quick` runs of them, in every place where one of these names is.
const SAMPLE: &str = "apt-cache awk bash bzip2 c++ cat curl dash date dpkg env erl file find gawk \
                      gcc gdb git gpg grep gzip id java javac ld ls make mount node openssl passwd \
                      perl php python3 readelf ruby sed ssh sudo systemctl tar vim xz";

/// The programs of this machine, and how many of them the list leaves out.
pub struct Programs {
    /// In the order of their paths.
    pub run: Vec<PathBuf>,
    /// How many are on the list, or are for processors of 32 bits: there the loader itself says, in
    /// every program, that it leaves out an object of 64.
    pub skipped: usize,
}

impl Programs {
    /// Looks for them; `list` is the text of the list.
    pub fn find(list: &str, quick: bool) -> Self {
        let skips: Vec<&str> = list
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        let is_skipped = |path: &PathBuf| {
            if is_for_32_bits(path) {
                return true;
            }
            let path = path.as_os_str().as_bytes();
            skips
                .iter()
                .any(|skip| glob::matches_path(skip.as_bytes(), path))
        };
        let mut all = executables();
        if quick {
            let sample: Vec<&str> = SAMPLE.split_whitespace().collect();
            let name = |path: &Path| {
                path.file_name()
                    .and_then(|name| name.to_str())
                    .map(String::from)
            };
            all.retain(|path| name(path).is_some_and(|name| sample.contains(&name.as_str())));
        }
        let (skipped, run): (Vec<_>, Vec<_>) = all.into_iter().partition(is_skipped);
        Self {
            run,
            skipped: skipped.len(),
        }
    }
}

fn executables() -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for folder in FOLDERS {
        found.extend(executables_in(Path::new(folder)));
    }
    for outer in FOLDERS_OF_FOLDERS {
        found.extend(executables_in(Path::new(outer)));
        for entry in fs::read_dir(outer).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                found.extend(executables_in(&entry.path()));
            }
        }
    }
    found
}

fn executables_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| is_executable(path))
        .collect()
}

/// A file that may be executed: a script, or a program rather than a library.
fn is_executable(path: &Path) -> bool {
    let is_library = path
        .file_name()
        .is_some_and(|name| name.as_bytes().windows(3).any(|part| part == b".so"));
    let may_be_run = fs::metadata(path)
        .is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0);
    let is_known = |start: [u8; 5]| start.starts_with(ELF) || start.starts_with(b"#!");
    may_be_run && start(path).is_some_and(is_known) && !is_library
}

const ELF: &[u8] = b"\x7fELF";

fn is_for_32_bits(path: &Path) -> bool {
    // elf(5): EI_CLASS is ELFCLASS32.
    start(path).is_some_and(|start| start.starts_with(ELF) && start[4] == 1)
}

fn start(path: &Path) -> Option<[u8; 5]> {
    let mut start = [0; 5];
    File::open(path).ok()?.read_exact(&mut start).ok()?;
    Some(start)
}
