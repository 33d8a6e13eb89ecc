//! Names taken from paths: the program's, else that of the nearest meaningful folder.

use super::{Told, names};
use crate::Process;
use crate::matching::texts;
use crate::process::{directory, file_name};
use alloc::vec::Vec;

/// How many folders are looked at, from the last one up.
const MOST_FOLDERS: usize = 12;

/// Folders that users' own folders are in: the name below is a user's.
const HOMES: &str = "home Users homes";

/// A path without `.`, `..` and double slashes; relative ones from the working directory. Empty where
/// that is not known.
pub fn absolute(path: &[u8], process: &impl Process) -> Vec<u8> {
    if path.starts_with(b"/") {
        return normal(path);
    }
    let folder = process.working_directory();
    if folder.starts_with(b"/") {
        normal(&[&folder, b"/".as_slice(), path].concat())
    } else {
        Vec::new()
    }
}

fn normal(path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    [b"/".as_slice(), &parts.join(&b'/')].concat()
}

/// The words of a folder's path that may name a service, the last one first; users' names are none.
pub fn folders(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let parts = || {
        path.split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty())
    };
    let is_home = parts().next().is_some_and(|first| texts::has(HOMES, first));
    let skipped = if is_home { 2 } else { 0 };
    let parts: Vec<_> = parts().skip(skipped).collect();
    parts.into_iter().rev().take(MOST_FOLDERS)
}

/// The name of a program's file, or of the folder that it is in.
pub fn of_program(path: &[u8], process: &impl Process, source: &'static str) -> Option<Told> {
    let path = absolute(path, process);
    let own = core::iter::once(file_name(&path));
    let name = names::best(own.chain(folders(directory(&path))))?;
    Some(Told::new(name, source, path))
}

/// The name of a folder.
pub fn of_folder(path: &[u8], source: &'static str) -> Option<Told> {
    let name = names::best(folders(path))?;
    Some(Told::new(name, source, path))
}

/// The name of the working directory.
pub fn of_working_directory(process: &impl Process) -> Option<Told> {
    of_folder(&process.working_directory(), "working directory")
}

/// Whether a folder is `above`, or below it.
pub fn is_within(folder: &[u8], above: &[u8]) -> bool {
    let rest = folder.strip_prefix(above);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// A folder and those above it, as many as asked for, the root included.
pub fn upwards(folder: &[u8], most: usize) -> impl Iterator<Item = &[u8]> {
    let first = folder.starts_with(b"/").then_some(folder);
    core::iter::successors(first, above).take(most)
}

fn above<'p>(folder: &&'p [u8]) -> Option<&'p [u8]> {
    let is_root = folder.is_empty() || *folder == b"/";
    (!is_root).then(|| directory(folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;

    fn name(path: &str) -> Option<alloc::string::String> {
        let process = Fixture {
            working_directory: "/srv/shop/src".into(),
            ..Fixture::default()
        };
        of_program(path.as_bytes(), &process, "script").map(|told| told.value)
    }

    #[test]
    fn a_generic_program_is_called_as_its_folder() {
        for (path, wanted) in [
            ("/srv/mailer.py", Some("mailer")),
            ("/opt/shop/bin/start", Some("shop")),
            ("main.py", Some("shop")),
            ("./../main.py", Some("shop")),
            ("/app/main.py", None),
            ("/home/alice/main.py", None),
            ("/home/alice/shop/main.py", Some("shop")),
            ("/srv/shop/releases/20240131101010/app.rb", Some("shop")),
            ("/srv/shop/worker.py", Some("shop-worker")),
            ("/", None),
        ] {
            assert_eq!(name(path).as_deref(), wanted, "{path}");
        }
    }

    #[test]
    fn the_way_up_ends_at_the_root() {
        let all: Vec<_> = upwards(b"/a/b", 9).collect();
        assert_eq!(all, [&b"/a/b"[..], b"/a", b""]);
        assert_eq!(upwards(b"a", 9).count(), 0);
        assert_eq!(upwards(b"/a/b/c/d", 2).count(), 2);
    }
}
