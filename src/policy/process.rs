//! The facts about a process on which decisions are based.

use crate::matching::texts;
use alloc::vec::Vec;
use core::ffi::CStr;

/// One process: the calling one in the preload object, any live one in the command.
///
/// Every function reads the current state, with the rights of that process.
pub trait Process {
    /// The path of the running executable, symbolic links resolved (`/proc/PID/exe`); empty where
    /// it cannot be told. Asking costs a look into /proc, so it is asked only where a pattern
    /// needs it.
    fn executable(&self) -> &[u8];

    /// The path with which the program was started (AT_EXECFN in the auxiliary vector, getauxval(3)). Costs no
    /// system call. Symbolic links are not resolved. Empty if it is not known.
    fn started_as(&self) -> &[u8];

    /// The command line, the program's own name first (`/proc/PID/cmdline`); empty where it cannot
    /// be told. Where the dynamic loader was called by name, its own part stands in front.
    fn command_line(&self) -> Vec<Vec<u8>>;

    /// The same without the part of a loader that was called by name.
    fn arguments(&self) -> Vec<Vec<u8>> {
        without_loader(self.command_line())
    }

    /// The path of the program: the executable's, or that of the program behind a loader that was called by
    /// name.
    fn program(&self) -> Vec<u8> {
        if is_loader(file_name(self.executable())) {
            self.arguments().into_iter().next().unwrap_or_default()
        } else {
            self.executable().to_vec()
        }
    }

    /// The first word of the command line, for a script its interpreter; empty where it cannot be told.
    /// In a process that starts it is free of cost.
    fn first_argument(&self) -> Vec<u8> {
        self.command_line().into_iter().next().unwrap_or_default()
    }

    /// The command line of the process's parent where `above` is 0, of the parent's parent where it is 1, and
    /// so on ([`ancestors`](crate::formats::ancestors)). `None` where it has ended, belongs to another user,
    /// or cannot be told.
    fn ancestor(&self, above: usize) -> Option<Vec<Vec<u8>>>;

    /// The value of a variable in the process's own environment, before any hook.
    fn variable(&self, name: &str) -> Option<Vec<u8>>;

    /// Whether `path` is a regular file that the process may open for reading. Its content is not
    /// looked at.
    fn is_readable_file(&self, path: &[u8]) -> bool;

    /// The content of a regular file, relative paths from the process's working directory; `None` where
    /// it may not read it or it is longer than a configuration may be.
    fn content(&self, path: &[u8]) -> Option<Vec<u8>>;

    /// The path of the working directory (`/proc/PID/cwd`); empty where it cannot be told.
    fn working_directory(&self) -> Vec<u8>;

    /// The control groups (`/proc/PID/cgroup`, cgroups(7)); empty where they cannot be told.
    fn control_groups(&self) -> Vec<u8>;

    /// The number of the effective user at the process's start (AT_EUID, getauxval(3)): free of cost.
    fn user(&self) -> Option<u32>;

    /// Whether `path` is a folder.
    fn is_folder(&self, path: &[u8]) -> bool;

    /// Whether `path` certainly does not exist. False also if this cannot be found out.
    fn is_absent(&self, path: &[u8]) -> bool;

    /// The folder of the boot files: `boot` beside the preload object.
    fn boot_folder(&self) -> &[u8];

    /// The path of the first loaded shared library for which `is_wanted` returns true.
    fn loaded(&self, is_wanted: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>>;

    /// The path of a loaded shared library by what its file name begins with, for example `libjvm.so`.
    fn loaded_library(&self, beginning: &str) -> Option<Vec<u8>> {
        self.loaded(|path| file_name(path).starts_with(beginning.as_bytes()))
    }

    /// Whether the executable itself defines a function for others, in its dynamic symbol table.
    fn exports(&self, function: &CStr) -> bool;

    /// Whether the executable has a note of this name (elf(5), `PT_NOTE`).
    fn has_note(&self, name: &CStr) -> bool;
}

/// Whether a program is a dynamic loader (ld.so(8)), by its file name: glibc's or musl's, which may be
/// called by name with a program.
pub fn is_loader(name: &[u8]) -> bool {
    texts::words("ld-linux ld-musl- ld.so ld64.so")
        .any(|beginning| name.starts_with(beginning.as_bytes()))
}

/// What a process takes for the path that it was started by: glibc's loader, called by name, replaces the
/// kernel's value (AT_EXECFN, elf/rtld.c) by the program behind it.
pub fn started_as(path: Vec<u8>, command_line: &[Vec<u8>]) -> Vec<u8> {
    let name = file_name(&path);
    if !is_loader(name) || name.starts_with(b"ld-musl-") {
        return path;
    }
    let program = without_loader(command_line.to_vec()).into_iter().next();
    program.unwrap_or(path)
}

/// Options of a loader whose value is the next argument (`ld.so --help` of glibc 2.41; musl's
/// `ldso/dynlink.c`).
const LOADER_OPTIONS: &str = "--library-path --inhibit-rpath --audit --preload --argv0 \
    --glibc-hwcaps-prepend --glibc-hwcaps-mask";

/// A command line without what a loader that was called by name takes for itself.
pub(crate) fn without_loader(mut arguments: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    if !arguments
        .first()
        .is_some_and(|own| is_loader(file_name(own)))
    {
        return arguments;
    }
    let mut program = 1;
    while let Some(option) = arguments
        .get(program)
        .filter(|word| word.starts_with(b"--"))
    {
        let has_value = LOADER_OPTIONS
            .split(' ')
            .any(|name| name.as_bytes() == option);
        program += 1 + usize::from(has_value);
    }
    arguments.split_off(program.min(arguments.len()))
}

/// The last component of a path.
pub fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// A path without its last component; empty where it has only one.
pub fn directory(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    path.get(..end).unwrap_or_default()
}

/// A process made of plain values, for the tests of this crate.
#[cfg(test)]
pub(crate) mod fixture {
    use super::Process;
    use alloc::{string::String, vec::Vec};
    use core::cell::Cell;
    use std::collections::BTreeMap;

    #[derive(Default)]
    pub struct Fixture {
        pub executable: String,
        pub arguments: Vec<String>,
        pub variables: BTreeMap<String, String>,
        pub readable: Vec<String>,
        pub contents: BTreeMap<String, String>,
        pub folders: Vec<String>,
        pub libraries: Vec<String>,
        /// `None`: as the executable.
        pub started_as: Option<String>,
        pub exports: Vec<String>,
        pub notes: Vec<String>,
        pub working_directory: String,
        pub control_groups: String,
        /// The command lines of its parent, of the parent's parent and so on.
        pub ancestors: Vec<Vec<String>>,
        pub user: Option<u32>,
        /// How often the system has been asked: what is free of cost does not count.
        pub asked: Cell<usize>,
    }

    impl Fixture {
        fn ask(&self) {
            self.asked.set(self.asked.get() + 1);
        }
    }

    impl Process for Fixture {
        fn executable(&self) -> &[u8] {
            self.ask();
            self.executable.as_bytes()
        }
        fn started_as(&self) -> &[u8] {
            self.started_as
                .as_ref()
                .unwrap_or(&self.executable)
                .as_bytes()
        }
        fn command_line(&self) -> Vec<Vec<u8>> {
            self.ask();
            self.arguments
                .iter()
                .map(|a| a.clone().into_bytes())
                .collect()
        }
        fn first_argument(&self) -> Vec<u8> {
            let first = self.arguments.first().cloned();
            first.unwrap_or_default().into_bytes()
        }
        fn ancestor(&self, above: usize) -> Option<Vec<Vec<u8>>> {
            self.ask();
            let words = self.ancestors.get(above)?.iter();
            Some(words.map(|word| word.clone().into_bytes()).collect())
        }
        fn variable(&self, name: &str) -> Option<Vec<u8>> {
            self.variables.get(name).map(|v| v.clone().into_bytes())
        }
        fn is_readable_file(&self, path: &[u8]) -> bool {
            self.readable.iter().any(|file| file.as_bytes() == path)
        }
        fn content(&self, path: &[u8]) -> Option<Vec<u8>> {
            self.ask();
            let path = core::str::from_utf8(path).ok()?;
            let content = self.contents.get(path)?;
            Some(content.clone().into_bytes())
        }
        fn working_directory(&self) -> Vec<u8> {
            self.ask();
            self.working_directory.clone().into_bytes()
        }
        fn control_groups(&self) -> Vec<u8> {
            self.ask();
            self.control_groups.clone().into_bytes()
        }
        fn user(&self) -> Option<u32> {
            self.user
        }
        fn is_folder(&self, path: &[u8]) -> bool {
            self.folders.iter().any(|folder| folder.as_bytes() == path)
        }
        fn is_absent(&self, path: &[u8]) -> bool {
            let is_content = |path: &str| self.contents.contains_key(path);
            !self.is_readable_file(path)
                && !self.is_folder(path)
                && !core::str::from_utf8(path).is_ok_and(is_content)
        }
        fn boot_folder(&self) -> &[u8] {
            b"/boot"
        }
        fn loaded(&self, is_wanted: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
            let mut libraries = self.libraries.iter();
            let found = libraries.find(|path| is_wanted(path.as_bytes()));
            found.map(|path| path.clone().into_bytes())
        }
        fn exports(&self, function: &core::ffi::CStr) -> bool {
            self.exports
                .iter()
                .any(|name| name.as_bytes() == function.to_bytes())
        }
        fn has_note(&self, name: &core::ffi::CStr) -> bool {
            let mut notes = self.notes.iter();
            notes.any(|note| note.as_bytes() == name.to_bytes())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loaders_own_part_is_no_part_of_the_programs_line() {
        let words = |text: &str| text.split(' ').map(Vec::from).collect::<Vec<_>>();
        for (line, wanted) in [
            ("java -d", "java -d"),
            (
                "/lib64/ld-linux-x86-64.so.2 /usr/bin/java -d",
                "/usr/bin/java -d",
            ),
            (
                "ld.so --preload x.so --inhibit-cache --argv0 y java --preload z",
                "java --preload z",
            ),
            (
                "/lib/ld-musl-x86_64.so.1 --library-path=/x python3 -S",
                "python3 -S",
            ),
        ] {
            assert_eq!(without_loader(words(line)), words(wanted));
        }
        for (path, line, wanted) in [
            ("/bin/ld.so", "ld.so --inhibit-cache /x/java -d", "/x/java"),
            (
                "/lib/ld-musl-x86_64.so.1",
                "ld-musl-x86_64.so.1 /x/java",
                "/lib/ld-musl-x86_64.so.1",
            ),
            ("/x/java", "ld.so /y", "/x/java"),
            ("/bin/ld.so", "ld.so", "/bin/ld.so"),
        ] {
            assert_eq!(started_as(path.into(), &words(line)), wanted.as_bytes());
        }
        assert!(without_loader(words("ld.so --preload")).is_empty());
        assert!(without_loader(Vec::new()).is_empty());
    }
}
