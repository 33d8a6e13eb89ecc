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

/// Finds callers, each once.
#[derive(Default)]
pub struct Callers {
    files: HashMap<String, SymbolFile>,
    maps: PerfMaps,
    found: HashMap<(usize, u64), Caller>,
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

    /// Where a call comes from.
    pub fn of(&mut self, recording: &Recording, call: &Call) -> Caller {
        let key = (call.program, call.caller);
        if let Some(caller) = self.found.get(&key) {
            return caller.clone();
        }
        let caller = self.find(recording, call);
        self.found.insert(key, caller.clone());
        caller
    }

    /// Whether an executable has a getenv of its own, which is no hooked one.
    pub fn has_own_getenv(&mut self, executable: &str) -> bool {
        self.file(executable).defines("getenv")
    }

    fn file(&mut self, path: &str) -> &mut SymbolFile {
        let read = || SymbolFile::read(Path::new(path));
        self.files.entry(path.to_owned()).or_insert_with(read)
    }

    fn find(&mut self, recording: &Recording, call: &Call) -> Caller {
        // The return address may be the next function's first.
        let address = call.caller.wrapping_sub(1);
        let Some(module) = recording.module_at(call.program, address) else {
            let process = recording.programs[call.program].process;
            return Caller {
                module: None,
                address,
                function: self.maps.function(process, address),
                line: None,
            };
        };
        let with_lines = self.with_lines;
        let file = self.file(&module.path);
        let address = file.address(address - module.start);
        Caller {
            module: Some(module.path.clone()),
            address,
            function: file.function(address),
            line: if with_lines { file.line(address) } else { None },
        }
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
