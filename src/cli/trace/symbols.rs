//! Functions by their addresses: a file's own symbols, and debug information that is installed beside it.

use crate::trace::symbol_tables::{self, Segments, SymbolTable};
use addr2line::Loader;
use std::env;
use std::path::{Path, PathBuf};

/// Where distributions install debug information (gdb(1), "Separate Debug Files").
const DEBUG: &str = "/usr/lib/debug";

/// A function, and how far behind its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name as it is written in its language.
    pub name: String,
    /// In bytes.
    pub offset: u64,
}

/// What a file's symbols say.
#[derive(Default)]
pub struct SymbolFile {
    path: PathBuf,
    segments: Segments,
    tables: Vec<SymbolTable>,
    /// The file that has debug information.
    debug: Option<PathBuf>,
    lines: Option<Loader>,
}

impl SymbolFile {
    /// Reads a file; nothing is known where it cannot be read.
    pub fn read(path: &Path) -> Self {
        Self::try_read(path).unwrap_or_default()
    }

    fn try_read(path: &Path) -> Option<Self> {
        let (headers, mut tables) = symbol_tables::read(path)?;
        let debug = debug_file(path, &headers.build_id);
        if let Some((_, further)) = debug.as_deref().and_then(symbol_tables::read) {
            tables.extend(further);
        }
        Some(Self {
            path: path.to_owned(),
            segments: headers.segments,
            tables,
            debug,
            lines: None,
        })
    }

    /// The address in the file of what lies so many bytes behind the beginning of its mappings, which begin at an
    /// offset of the file.
    pub fn address(&self, offset: u64, behind: u64) -> u64 {
        self.segments.address(offset).wrapping_add(behind)
    }

    /// How many symbols it has.
    pub fn count(&self) -> u64 {
        self.tables.iter().map(SymbolTable::count).sum()
    }

    /// The functions that addresses of the file lie in.
    pub fn functions(&self, addresses: &[u64]) -> Vec<Option<Function>> {
        let start = |found: &Option<(u64, String)>| found.as_ref().map(|(start, _)| *start);
        let mut all = vec![None; addresses.len()];
        for table in &self.tables {
            for (best, next) in all.iter_mut().zip(table.functions(addresses)) {
                if start(&next) >= start(best) {
                    *best = next;
                }
            }
        }
        let function = |(address, found): (&u64, Option<(u64, String)>)| {
            let (start, name) = found?;
            Some(Function {
                name: demangled(&name),
                offset: address - start,
            })
        };
        addresses.iter().zip(all).map(function).collect()
    }

    /// File and line, where debug information tells. It may have to be unpacked first.
    pub fn line(&mut self, address: u64) -> Option<String> {
        let path = self.debug.as_ref().unwrap_or(&self.path);
        if self.lines.is_none() {
            self.lines = Loader::new(path).ok();
        }
        let location = self.lines.as_ref()?.find_location(address).ok()??;
        Some(format!("{}:{}", location.file?, location.line?))
    }
}

/// The file with debug information of the file at `path`, by its build id.
fn debug_file(path: &Path, build_id: &[u8]) -> Option<PathBuf> {
    let id: String = build_id.iter().map(|byte| format!("{byte:02x}")).collect();
    let (first, rest) = id.split_at_checked(2)?;
    let installed = format!("{DEBUG}/.build-id/{first}/{rest}.debug");
    let beside = format!("{DEBUG}{}.debug", path.display());
    let downloaded = debuginfod_caches().map(|cache| cache.join(&id).join("debuginfo"));
    let places = [installed.into(), beside.into()]
        .into_iter()
        .chain(downloaded);
    places.into_iter().find(|place: &PathBuf| place.is_file())
}

/// Where debuginfod-find(1) keeps what it has downloaded.
fn debuginfod_caches() -> impl Iterator<Item = PathBuf> {
    let folder = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
    let own = cache.map(|cache| cache.join("debuginfod_client"));
    let old = folder("HOME").map(|home| home.join(".debuginfod_client_cache"));
    [folder("DEBUGINFOD_CACHE_PATH"), own, old]
        .into_iter()
        .flatten()
}

/// A symbol as it is written in its language: Rust, C++; else as it is.
pub fn demangled(symbol: &str) -> String {
    if let Ok(name) = rustc_demangle::try_demangle(symbol) {
        return format!("{name:#}");
    }
    let cpp = symbol
        .starts_with("_Z")
        .then(|| cpp_demangle::Symbol::new(symbol).ok());
    let name = cpp.flatten().and_then(|symbol| symbol.demangle().ok());
    name.unwrap_or_else(|| symbol.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn names_are_written_as_in_their_languages() {
        assert_eq!(demangled("getenv"), "getenv");
        assert_eq!(
            demangled("_ZN4node7PerIsolC1Ev"),
            "node::PerIsol::PerIsol()"
        );
        let rust = "_ZN3std3env6var_os17h0123456789abcdefE";
        assert_eq!(demangled(rust), "std::env::var_os");
        assert_eq!(demangled("_ZN"), "_ZN");
    }

    #[test]
    fn a_library_is_named_by_its_functions() {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let memory = libc::getenv as *const () as u64;
        let number = |text: &str| u64::from_str_radix(text, 16).unwrap();
        // Start and end, rights, offset, device, inode, path. Other threads change the list meanwhile.
        let mut lines = maps
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        let (start, words) = lines
            .find_map(|words| {
                let (start, end) = words[0].split_once('-')?;
                let is_here = (number(start)..number(end)).contains(&memory);
                is_here.then(|| (number(start), words))
            })
            .unwrap();
        let path = Path::new(words[5]);
        let file = SymbolFile::read(path);
        let getenv = file.address(number(words[2]), memory - start);
        let found = file.functions(&[1, getenv, getenv + 3]);
        let function = |offset| {
            Some(Function {
                name: "getenv".into(),
                offset,
            })
        };
        assert_eq!(found, [None, function(0), function(3)]);
        let nothing = SymbolFile::read(Path::new("/nonexistent"));
        assert_eq!(
            (nothing.functions(&[1]), nothing.address(0, 2)),
            (vec![None], 2)
        );
    }
}
