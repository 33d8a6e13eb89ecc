//! Where a key of the configuration is set: the file that wins, and the place in it.

use opentelemetry_injector_policy::config::keys::line_and_column;
use opentelemetry_injector_policy::config::sources::drop_ins;
use opentelemetry_injector_policy::{Files, reason::Lossy};
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: Vec<u8>,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// Where the value of a key stands that counts, or one item of it where it is a list; `path` is the
/// configuration's first file. `None` where no file sets it.
pub fn find(files: &impl Files, path: &[u8], key: &str, item: Option<&str>) -> Option<Place> {
    let mut paths = vec![path.to_vec()];
    paths.extend(drop_ins(files, path).unwrap_or_default());
    let found = paths.into_iter().filter_map(|path| {
        let text = String::from_utf8(files.read(&path).ok()?).ok()?;
        let (span, is_item) = span(&text, key, item)?;
        let (line, column) = line_and_column(&text, span.start);
        Some((is_item, Place { path, line, column }))
    });
    // The last file wins; lists add up, so that an item may stand in any of them.
    let best = found.max_by_key(|(is_item, _)| *is_item);
    best.map(|(_, place)| place)
}

/// The place of a key's value, or of an item in it, and whether that item is there.
fn span(text: &str, key: &str, item: Option<&str>) -> Option<(Range<usize>, bool)> {
    let table = DeTable::parse(text).ok()?;
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let value = match section {
        "" => table.get_ref().get(name)?,
        _ => {
            let section = table.get_ref().get(section)?;
            section.get_ref().as_table()?.get(name)?
        }
    };
    let is_item = |value: &&Spanned<DeValue<'_>>| value.get_ref().as_str() == item;
    let items = value.get_ref().as_array();
    let found = items.and_then(|items| items.iter().find(is_item));
    Some((found.unwrap_or(value).span(), found.is_some()))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", Lossy(&self.path), self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::configuration_files::FileSystem;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn the_last_file_counts_and_the_item_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("c.toml");
        fs::create_dir(folder.path().join("conf.d")).unwrap();
        let last = folder.path().join("conf.d/1.toml");
        fs::write(&first, "enabled = false\n[processes]\nexclude = ['x']\n").unwrap();
        fs::write(&last, "processes.exclude = [\n  'a',\n  'x' ]\n").unwrap();
        let place = |key: &str, item| {
            let place = find(&FileSystem, first.as_os_str().as_bytes(), key, item);
            place.map(|place| {
                let name = if place.path.ends_with(b"c.toml") {
                    "c"
                } else {
                    "1"
                };
                (name, place.line, place.column)
            })
        };
        assert_eq!(place("processes.exclude", Some("x")), Some(("1", 3, 3)));
        assert_eq!(place("processes.exclude", None), Some(("1", 1, 21)));
        assert_eq!(place("enabled", None), Some(("c", 1, 11)));
        assert_eq!(place("jvm.agent_path", None), None);
    }
}
