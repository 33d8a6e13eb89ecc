//! Who has called: a place in a file, and the function there.

use crate::trace::recording::{Call, Recording};
use crate::trace::symbols::{Function, PerfMaps, SymbolFile};
use opentelemetry_injector_policy::process::file_name;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

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

/// A caller in one program: the program's index, and the return address.
type Key = (usize, u64);

/// Finds callers, each once.
#[derive(Default)]
pub struct Callers {
    files: HashMap<String, SymbolFile>,
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

    fn at(&mut self, recording: &Recording, key: Key) -> Caller {
        if !self.found.contains_key(&key) {
            self.find(recording);
        }
        self.found
            .get(&key)
            .cloned()
            .unwrap_or_else(|| nowhere(key.1))
    }

    fn file(&mut self, path: &str) -> &mut SymbolFile {
        let read = || SymbolFile::read(Path::new(path));
        self.files.entry(path.to_owned()).or_insert_with(read)
    }

    /// Finds the callers of all new calls, for each file together.
    pub fn find(&mut self, recording: &Recording) {
        let mut in_files: HashMap<&str, Vec<(u64, Key)>> = HashMap::new();
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
                Some(module) => {
                    let place = (address - module.start, key);
                    in_files.entry(&module.path).or_default().push(place);
                }
                None => {
                    let process = recording.programs[program].process;
                    caller.function = self.maps.function(process, address);
                }
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
    fn find_in_file(&mut self, path: &str, places: &[(u64, Key)]) {
        let with_lines = self.with_lines;
        let file = self.file(path);
        let addresses: Vec<_> = places
            .iter()
            .map(|(offset, _)| file.address(*offset))
            .collect();
        let functions = file.functions(&addresses);
        let callers: Vec<_> = functions
            .into_iter()
            .zip(addresses)
            .map(|(function, address)| Caller {
                module: Some(path.to_owned()),
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
