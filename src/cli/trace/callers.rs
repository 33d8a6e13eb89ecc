//! Who has called: a place in a file, and the function there.

use crate::output::cut;
use crate::trace::perf_maps::{self, PerfMaps};
use crate::trace::recording::{Call, Recording};
use crate::trace::symbols::{Function, SymbolFile};
use opentelemetry_injector_policy::process::file_name;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use unicode_width::UnicodeWidthStr;

/// Where a call comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The file's path; `None` for code that is in no file.
    pub module: Option<String>,
    /// The call's address: in the file as its symbols have it (what `addr2line -e FILE` takes), or in
    /// memory.
    pub address: u64,
    /// The function, where anything tells.
    pub function: Option<Function>,
    /// File and line, where debug information tells.
    pub line: Option<String>,
}

impl Caller {
    /// The function and its file; the address where there is none.
    pub fn function_name(&self) -> String {
        match &self.function {
            Some(function) => format!("{} ({})", function.name, self.module_name()),
            None => self.to_string(),
        }
    }

    /// The same within so many columns, as far as they are enough for the file: without parameters, then with less of
    /// the function.
    pub fn within(&self, width: usize) -> String {
        let whole = self.to_string();
        let Some(function) = self.function.as_ref().filter(|_| whole.width() > width) else {
            return cut(&whole, width);
        };
        let name = without_parameters(&function.name);
        let module = format!(" ({})", self.module_name());
        let short = format!("{name}+{:#x}{module}", function.offset);
        if short.width() <= width {
            return short;
        }
        match width.checked_sub(module.width()) {
            Some(left @ 2..) => cut(&name, left) + &module,
            _ => cut(self.module_name(), width),
        }
    }

    /// The file's name without its folder.
    pub fn module_name(&self) -> &str {
        let Some(path) = &self.module else {
            return "no file";
        };
        str::from_utf8(file_name(path.as_bytes())).unwrap_or(path)
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some(function) => write!(
                f,
                "{}+{:#x} ({})",
                function.name,
                function.offset,
                self.module_name()
            ),
            None => write!(f, "{}+{:#x}", self.module_name(), self.address),
        }
    }
}

/// A function's name without the types that C++ and Java write: parameters, and arguments of templates.
fn without_parameters(name: &str) -> String {
    const ANONYMOUS: &str = "(anonymous namespace)";
    let mut short = String::new();
    let mut depth = 0_usize;
    let mut rest = name;
    while let Some(character) = rest.chars().next() {
        let mut length = character.len_utf8();
        match character {
            '(' if depth == 0 && rest.starts_with(ANONYMOUS) => {
                short += ANONYMOUS;
                length = ANONYMOUS.len();
            }
            '<' if short.ends_with("operator") || short.is_empty() => return name.into(),
            '<' | '(' => depth += 1,
            '>' | ')' => depth = depth.saturating_sub(1),
            character if depth == 0 => short.push(character),
            _ => {}
        }
        rest = &rest[length..];
    }
    short
}

/// A caller in one program: the program's index, and the return address.
type Key = (usize, u64);

/// An address in a file, and who has it.
type Place = (u64, Key);

/// Whether a mapped file is but memory, in which runtimes (.NET) write their code.
fn is_memory(path: &Path) -> bool {
    path.starts_with("/dev/zero") || path.as_os_str().as_encoded_bytes().starts_with(b"/memfd:")
}

/// Finds callers, each once.
#[derive(Default)]
pub struct Callers {
    files: HashMap<PathBuf, SymbolFile>,
    maps: PerfMaps,
    found: HashMap<Key, Caller>,
    /// How many of the recording's calls have been looked at.
    seen: usize,
    /// Whether lines are looked for, which takes time: debug information has to be unpacked.
    with_lines: bool,
}

impl Callers {
    /// Finds callers, on demand with their lines.
    pub fn new(with_lines: bool) -> Self {
        Self {
            with_lines,
            ..Self::default()
        }
    }

    /// Where a call of the recording comes from.
    pub fn of(&mut self, recording: &Recording, call: &Call) -> Caller {
        self.at(recording, (call.program, call.caller))
    }

    /// The functions of a call's stack, the caller first; where no stack was recorded, that alone.
    pub fn stack(&mut self, recording: &Recording, call: &Call) -> Vec<Caller> {
        let addresses = recording.addresses(call).iter();
        addresses
            .map(|address| self.at(recording, (call.program, *address)))
            .collect()
    }

    /// The caller in a program, by its index, at a return address.
    pub fn at(&mut self, recording: &Recording, key: Key) -> Caller {
        if !self.found.contains_key(&key) {
            self.find(recording);
        }
        self.found
            .get(&key)
            .cloned()
            .unwrap_or_else(|| nowhere(key.1))
    }

    fn file(&mut self, path: &Path) -> &mut SymbolFile {
        let read = || SymbolFile::read(path);
        self.files.entry(path.to_owned()).or_insert_with(read)
    }

    /// The function in code that a runtime has made: a child of fork has its parent's.
    fn made(&mut self, recording: &Recording, program: usize, address: u64) -> Option<Function> {
        let since = perf_maps::moment(recording.start());
        let mut next = Some(program);
        while let Some(program) = next.map(|index| &recording.programs[index]) {
            let found = self.maps.function(program.process, address, since);
            if found.is_some() {
                return found;
            }
            next = program.forked_from;
        }
        None
    }

    /// Finds the callers of all new calls, for each file together.
    pub fn find(&mut self, recording: &Recording) {
        let mut in_files: HashMap<&Path, Vec<Place>> = HashMap::new();
        let new = recording.calls.get(self.seen..).unwrap_or_default();
        let places = new.iter().flat_map(|call| {
            let addresses = recording.addresses(call).iter();
            addresses.map(|address| (call.program, *address))
        });
        for key in places {
            if self.found.contains_key(&key) {
                continue;
            }
            let (program, back) = key;
            // The return address may be the next function's first.
            let address = back.wrapping_sub(1);
            let mut caller = nowhere(back);
            match recording.module_at(program, address) {
                Some(module) if !is_memory(&module.path) => {
                    let file = self.file(&module.path);
                    let place = file.address(module.offset, address - module.start);
                    in_files.entry(&module.path).or_default().push((place, key));
                }
                _ => caller.function = self.made(recording, program, address),
            }
            self.found.insert(key, caller);
        }
        self.seen = recording.calls.len();
        for (path, mut places) in in_files {
            places.sort_unstable();
            self.find_in_file(path, &places);
        }
    }

    /// Finds the callers at these places of a file, in ascending order.
    fn find_in_file(&mut self, path: &Path, places: &[Place]) {
        let with_lines = self.with_lines;
        let file = self.file(path);
        let addresses: Vec<_> = places.iter().map(|(address, _)| *address).collect();
        let functions = file.functions(&addresses);
        let callers: Vec<_> = functions
            .into_iter()
            .zip(addresses)
            .map(|(function, address)| Caller {
                module: Some(path.to_string_lossy().into_owned()),
                address,
                function,
                line: if with_lines { file.line(address) } else { None },
            })
            .collect();
        let keys = places.iter().map(|(_, key)| *key);
        self.found.extend(keys.zip(callers));
    }
}

/// A caller of which nothing is known but its return address.
fn nowhere(address: u64) -> Caller {
    Caller {
        module: None,
        address: address.wrapping_sub(1),
        function: None,
        line: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_lose_their_types_first() {
        for (name, short) in [
            ("getenv", "getenv"),
            (
                "app::Conf<std::__cxx11::basic_string<char> >::get(char const*) const",
                "app::Conf::get const",
            ),
            (
                "v8::(anonymous namespace)::Invoke(int)",
                "v8::(anonymous namespace)::Invoke",
            ),
            ("void jm.main(java.lang.String[])", "void jm.main"),
            ("A::operator<(A const&)", "A::operator<(A const&)"),
            ("<a::B as c::D>::e", "<a::B as c::D>::e"),
        ] {
            assert_eq!(without_parameters(name), short);
        }
    }

    #[test]
    fn a_caller_is_told_by_function_or_by_place() {
        let mut caller = Caller {
            module: Some("/usr/lib/libx.so.1".into()),
            address: 0x1234,
            function: None,
            line: None,
        };
        assert_eq!(caller.to_string(), "libx.so.1+0x1234");
        let name = "f".into();
        caller.function = Some(Function { name, offset: 4 });
        assert_eq!(caller.to_string(), "f+0x4 (libx.so.1)");
        caller.module = None;
        assert_eq!(caller.to_string(), "f+0x4 (no file)");
    }
}
