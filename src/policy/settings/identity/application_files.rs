//! Files of the application that reveal its name. Their content is untrusted: whatever it is, the result
//! is a name or none.

use super::{Named, Told, json, names, paths};
use crate::Process;
use alloc::vec::Vec;
use core::cell::Cell;

/// How many files of the application are read.
pub const MOST_FILES: usize = 2;

/// A longer file is none that a person wrote.
const LONGEST: usize = 64 * 1024;

/// How many folders a manifest is looked for in.
const MOST_FOLDERS: usize = 6;

/// Reads at most [`MOST_FILES`] files.
pub struct Reader<'p, P> {
    process: &'p P,
    left: Cell<usize>,
}

impl<'p, P: Process> Reader<'p, P> {
    /// A reader that has read nothing yet.
    pub fn new(process: &'p P) -> Self {
        let left = Cell::new(MOST_FILES);
        Self { process, left }
    }

    /// The content of a small file.
    pub fn read(&self, path: &[u8]) -> Option<Vec<u8>> {
        let left = self.left.get().checked_sub(1)?;
        let content = self.process.content(path)?;
        self.left.set(left);
        (content.len() <= LONGEST).then_some(content)
    }

    /// The name and version in the nearest manifest (`package.json`, `composer.json`) in a folder or
    /// above that has a name. A generic name gives way to the manifest's folder.
    pub fn manifest(&self, folder: &[u8], file: &'static str) -> Option<Named> {
        for folder in paths::upwards(folder, MOST_FOLDERS) {
            let path = [folder, b"/", file.as_bytes()].concat();
            let Some(content) = self.read(&path) else {
                continue;
            };
            let [name, version] = json::texts(&content, ["name", "version"]);
            // Without a name it says something else, such as `"type": "module"`.
            let Some(name) = name else { continue };
            let own = name.rsplit(|byte| *byte == b'/').next();
            let words = own.into_iter().chain(paths::folders(folder));
            let name = Told::new(names::best(words)?, file, path.clone());
            let version = version.and_then(|version| version_of(version, file, &path));
            return Some((name, version));
        }
        None
    }
}

/// A version, unless it is what stands there before anybody has thought of one.
fn version_of(version: Vec<u8>, file: &'static str, path: &[u8]) -> Option<Told> {
    let version = alloc::string::String::from_utf8(version).ok()?;
    let is_plain = version.bytes().all(|byte| byte.is_ascii_graphic());
    let is_one = !version.is_empty() && version.len() <= 64 && is_plain && version != "0.0.0";
    is_one.then(|| Told::new(version, file, path))
}
