//! Functions by their addresses: a file's own symbols, debug information that is installed beside it,
//! and what runtimes tell of code that they have made.

use crate::trace::symbol_tables::{self, SymbolTable};
use addr2line::Loader;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

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
    /// The first segment's address: what is mapped where the file's mappings begin.
    base: u64,
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
            base: headers.base,
            tables,
            debug,
            lines: None,
        })
    }

    /// The address in the file of what lies `offset` bytes behind the beginning of its mappings.
    pub fn address(&self, offset: u64) -> u64 {
        self.base.wrapping_add(offset)
    }

    /// For each of these addresses in the file, in ascending order, the function that it lies in.
    pub fn functions(&self, addresses: &[u64]) -> Vec<Option<Function>> {
        let mut found: Vec<Option<(u64, String)>> = vec![None; addresses.len()];
        for table in &self.tables {
            for (best, new) in found.iter_mut().zip(table.functions(addresses)) {
                let start =
                    |function: &Option<(u64, String)>| function.as_ref().map(|(start, _)| *start);
                if start(&new) >= start(best) && new.is_some() {
                    *best = new;
                }
            }
        }
        let function = |((start, name), address): ((u64, String), u64)| Function {
            name: demangled(&name),
            offset: address - start,
        };
        let found = found.into_iter().zip(addresses.iter().copied());
        found
            .map(|(found, address)| Some(function((found?, address))))
            .collect()
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

/// What runtimes say of the code that they have made: `/tmp/perf-PID.map` (Linux,
/// tools/perf/Documentation/jit-interface.txt).
#[derive(Default)]
pub struct PerfMaps(HashMap<u32, Vec<(u64, u64, String)>>);

impl PerfMaps {
    /// The function of a process at an address.
    pub fn function(&mut self, process: u32, address: u64) -> Option<Function> {
        let map = self.0.entry(process).or_insert_with(|| {
            let content = fs::read(format!("/tmp/perf-{process}.map")).unwrap_or_default();
            String::from_utf8_lossy(&content)
                .lines()
                .filter_map(perf_map_line)
                .collect()
        });
        // What was made last is what is there.
        let is_here = |(start, length, _): &&(u64, u64, String)| {
            address
                .checked_sub(*start)
                .is_some_and(|offset| offset < *length)
        };
        let (start, _, name) = map.iter().rev().find(is_here)?;
        Some(Function {
            name: name.clone(),
            offset: address - start,
        })
    }
}

/// A line `START LENGTH NAME`, the numbers in hexadecimal.
fn perf_map_line(line: &str) -> Option<(u64, u64, String)> {
    let mut parts = line.splitn(3, ' ');
    let start = u64::from_str_radix(parts.next()?, 16).ok()?;
    let length = u64::from_str_radix(parts.next()?, 16).ok()?;
    Some((start, length, parts.next()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let getenv = file.address(memory - start + number(words[2]));
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
            (nothing.functions(&[1]), nothing.address(2)),
            (vec![None], 2)
        );
    }

    #[test]
    fn perf_maps_are_read_line_by_line() {
        assert_eq!(
            perf_map_line("7f00 1c LazyCompile:~main /a b.js:1"),
            Some((0x7f00, 0x1c, "LazyCompile:~main /a b.js:1".into()))
        );
        assert_eq!(perf_map_line("x 1 y"), None);
        assert_eq!(perf_map_line(""), None);
    }
}
