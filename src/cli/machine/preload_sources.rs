//! Who names preload objects to the loader: `LD_PRELOAD` and `/etc/ld.so.preload` (ld.so(8)).

use crate::machine::object_notes;
use crate::machine::preload_object::{FILE_NAME, LD_PRELOAD};
use crate::machine::program_file::Loader;
use crate::machine::visible_files::{Found, VisibleFiles};
use opentelemetry_injector_policy::config::sources::FileProblem;
use opentelemetry_injector_policy::formats::preload_file;
use opentelemetry_injector_policy::process::file_name;
use opentelemetry_injector_policy::reason::Lossy;

/// The file that names objects to every program of glibc.
pub use preload_file::PATH as PRELOAD_FILE;

/// Debian's folder of libraries for this machine.
const TRIPLET: &str = if cfg!(target_arch = "aarch64") {
    "lib/aarch64-linux-gnu"
} else {
    "lib/x86_64-linux-gnu"
};

/// A place where objects are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The variable.
    Variable,
    /// The file.
    File,
}

impl Source {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Variable => LD_PRELOAD,
            Self::File => PRELOAD_FILE,
        }
    }
}

/// An entry that means the injector's preload object.
pub struct Entry {
    /// Who has it.
    pub source: Source,
    /// The path that is named.
    pub path: Vec<u8>,
    /// The file, or why there is none for this process.
    pub file: Result<Found, FileProblem>,
}

/// The first entry that means our object, as the loader of a process would read them.
pub fn entry(variable: Option<&[u8]>, visible: &VisibleFiles, loader: &Loader) -> Option<Entry> {
    entries(variable, visible, loader)
        .into_iter()
        .find(Entry::is_ours)
}

/// The paths of all objects that are named and there.
pub fn objects(
    variable: Option<&[u8]>,
    visible: &VisibleFiles,
    loader: &Loader,
) -> impl Iterator<Item = Vec<u8>> {
    let entries = entries(variable, visible, loader).into_iter();
    entries
        .filter(|entry| entry.file.is_ok())
        .map(|entry| entry.path)
}

fn entries(variable: Option<&[u8]>, visible: &VisibleFiles, loader: &Loader) -> Vec<Entry> {
    let file = match loader {
        Loader::Musl(_) => Vec::new(),
        _ => visible.content(PRELOAD_FILE.as_bytes()).unwrap_or_default(),
    };
    let in_variable = paths(variable.unwrap_or_default()).map(|path| (Source::Variable, path));
    let in_file = preload_file::entries(&file).into_iter();
    let in_file = in_file.map(|path| (Source::File, path));
    let entries = in_variable.chain(in_file).map(|(source, path)| {
        let places = places(path);
        let found = places.iter().find(|place| visible.find(place).is_ok());
        let path = found.map_or(path, Vec::as_slice);
        Entry {
            source,
            path: path.to_vec(),
            file: visible.find(path),
        }
    });
    entries.collect()
}

/// Where the loader may find what is named: `$LIB` stands for one of its folders, and a name without
/// a slash is looked for in all of them (ld.so(8)). What the program itself adds (DT_RUNPATH) is
/// left out.
fn places(named: &[u8]) -> Vec<Vec<u8>> {
    let folders = [TRIPLET, "lib64", "lib"];
    let text = Lossy(named).to_string();
    if text.contains("$LIB") || text.contains("${LIB}") {
        let expanded = |folder| text.replace("${LIB}", folder).replace("$LIB", folder);
        return folders.map(|folder| expanded(folder).into_bytes()).to_vec();
    }
    if text.contains('/') {
        return vec![named.to_vec()];
    }
    let roots = ["/", "/usr/"].into_iter();
    let places = roots.flat_map(|root| folders.map(|folder| format!("{root}{folder}/{text}")));
    places.map(String::into_bytes).collect()
}

impl Entry {
    fn is_ours(&self) -> bool {
        let version = || {
            let found = self.file.as_ref().ok()?;
            object_notes::version_of_file(&found.path)
        };
        file_name(&self.path) == FILE_NAME.as_bytes() || version().is_some()
    }
}

/// The paths in a value of the variable. glibc splits at blanks and colons, musl at any white
/// space.
pub fn paths(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let separates = |byte: &u8| byte.is_ascii_whitespace() || *byte == b':';
    value.split(separates).filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_split_as_the_loader_does() {
        let listed: Vec<_> = paths(b" /a:/b  /c:").collect();
        assert_eq!(listed, [b"/a", b"/b", b"/c"]);
    }

    #[test]
    fn names_stand_for_the_loaders_folders() {
        let shown = |named: &[u8]| {
            let places = places(named).into_iter();
            places
                .map(|place| Lossy(&place).to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(b"/a/b.so"), ["/a/b.so"]);
        assert_eq!(
            shown(b"/usr/$LIB/x.so")[1..],
            ["/usr/lib64/x.so", "/usr/lib/x.so"]
        );
        assert_eq!(shown(b"/${LIB}/x.so")[2], "/lib/x.so");
        assert_eq!(shown(b"x.so")[1], "/lib64/x.so");
        assert_eq!(shown(b"x.so")[5], "/usr/lib/x.so");
    }
}
