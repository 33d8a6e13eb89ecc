//! Who has called: a place in a file, and the function there.

use crate::output::cut;
use crate::trace::perf_maps::{self, PerfMaps};
use crate::trace::recording::{Call, Module, Recording};
use crate::trace::symbols::{Function, SymbolFile};
use opentelemetry_injector_policy::process::file_name;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::os::unix::fs::MetadataExt;
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

/// Symbols that take a few milliseconds to read. Node.js has 110,000.
const FEW: u64 = 250_000;

/// A caller in one program: the program's index, and the return address.
type Key = (usize, u64);

/// A caller, and the mapping of a file that it is in.
type InFile<'r> = (Key, &'r Module);

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
    /// How many of the recording's calls were looked at ahead.
    seen: usize,
    /// Those of their callers whose files were not read then, because another one was.
    retry: Vec<Key>,
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
        self.at(recording, key(call))
    }

    /// The functions of a call's stack, the caller first; where no stack was recorded, that alone.
    pub fn stack(&mut self, recording: &Recording, call: &Call) -> Vec<Caller> {
        let keys = keys(recording, call);
        keys.map(|key| self.at(recording, key)).collect()
    }

    /// The caller in a program, by its index, at a return address.
    pub fn at(&mut self, recording: &Recording, key: Key) -> Caller {
        if let Some(caller) = self.found.get(&key) {
            return caller.clone();
        }
        self.find_at(recording, [key]);
        self.found[&key].clone()
    }

    /// Finds where some calls come from: together, which takes less time than one after the other.
    pub fn find_callers(&mut self, recording: &Recording, calls: &[&Call]) {
        self.find_at(recording, calls.iter().map(|call| key(call)));
    }

    /// The same for all functions of their stacks.
    pub fn find_stacks(&mut self, recording: &Recording, calls: &[&Call]) {
        let keys = calls.iter().flat_map(|call| keys(recording, call));
        self.find_at(recording, keys);
    }

    fn find_at(&mut self, recording: &Recording, keys: impl IntoIterator<Item = Key>) {
        let (in_files, others) = self.by_file(recording, keys);
        for (path, callers) in in_files {
            self.in_file(path, &callers);
        }
        for key in others {
            let caller = self.in_no_file(recording, key);
            self.found.insert(key, caller);
        }
    }

    /// Finds the callers of all new calls.
    pub fn find_new(&mut self, recording: &Recording) {
        let keys = self.new_ones(recording);
        self.find_at(recording, keys);
    }

    /// Finds the callers of new calls that are in files, while the program still runs. Code that a runtime generates is
    /// left for the end, because its names may be written only then. So are lines, which take too long, and files with
    /// very many symbols. Of the other files, one new one is read.
    pub fn find_ahead(&mut self, recording: &Recording) {
        if self.with_lines {
            return;
        }
        let mut has_read = false;
        let keys = self.new_ones(recording);
        let (in_files, _) = self.by_file(recording, keys);
        for (path, callers) in in_files {
            let is_new = !self.files.contains_key(path);
            if is_new && has_read {
                self.retry.extend(callers.iter().map(|(key, _)| *key));
                continue;
            }
            if is_new && !is_among_roots(path) {
                continue;
            }
            has_read |= is_new;
            if self.file(path).count() <= FEW {
                self.in_file(path, &callers);
            }
        }
    }

    /// The callers of the calls that were told since this was asked last, and those that were put off.
    fn new_ones<'r>(&mut self, recording: &'r Recording) -> impl Iterator<Item = Key> + use<'r> {
        let seen = core::mem::replace(&mut self.seen, recording.calls.len());
        let new = recording.calls.get(seen..).unwrap_or_default();
        let new = new.iter().flat_map(|call| keys(recording, call));
        core::mem::take(&mut self.retry).into_iter().chain(new)
    }

    /// Those of the callers that are not found yet, by their files; and those that are in none.
    fn by_file<'r>(
        &self,
        recording: &'r Recording,
        keys: impl IntoIterator<Item = Key>,
    ) -> (HashMap<&'r Path, Vec<InFile<'r>>>, Vec<Key>) {
        let unknown = keys.into_iter().filter(|key| !self.found.contains_key(key));
        let unknown: HashSet<_> = unknown.collect();
        let (mut in_files, mut others) = (HashMap::<_, Vec<_>>::new(), Vec::new());
        for key in unknown {
            match module_of(recording, key) {
                Some(module) => {
                    let callers = in_files.entry(&*module.path).or_default();
                    callers.push((key, module));
                }
                None => others.push(key),
            }
        }
        (in_files, others)
    }

    fn in_file(&mut self, path: &Path, callers: &[InFile<'_>]) {
        let with_lines = self.with_lines;
        let file = self.file(path);
        let addresses = callers.iter().map(|(key, module)| {
            let Caller { address, .. } = nowhere(key.1);
            file.address(module.offset, address - module.start)
        });
        let addresses: Vec<_> = addresses.collect();
        let functions = file.functions(&addresses);
        let found = callers.iter().zip(addresses).zip(functions);
        let found = found.map(|(((key, module), address), function)| {
            let line = with_lines.then(|| file.line(address)).flatten();
            let module = Some(module.path.to_string_lossy().into_owned());
            let caller = Caller {
                module,
                address,
                function,
                line,
            };
            (*key, caller)
        });
        let found: Vec<_> = found.collect();
        self.found.extend(found);
    }

    fn file(&mut self, path: &Path) -> &mut SymbolFile {
        let read = || SymbolFile::read(path);
        self.files.entry(path.to_owned()).or_insert_with(read)
    }

    /// In code that a runtime has made: a child of fork has its parent's.
    fn in_no_file(&mut self, recording: &Recording, (program, back): Key) -> Caller {
        let mut caller = nowhere(back);
        let since = perf_maps::moment(recording.start());
        let mut next = Some(program);
        while let Some(program) = next.map(|index| &recording.programs[index]) {
            caller.function = self.maps.function(program.process, caller.address, since);
            if caller.function.is_some() {
                break;
            }
            next = program.forked_from;
        }
        caller
    }
}

/// Whether a file is in the same file system as the root directory. One that is mounted for the program alone cannot be
/// unmounted while its file is open.
fn is_among_roots(path: &Path) -> bool {
    let device = |path: &Path| path.metadata().map(|about| about.dev()).ok();
    device(path) == device(Path::new("/"))
}

/// A call's caller.
fn key(call: &Call) -> Key {
    (call.program, call.caller)
}

/// The functions of a call's stack, the caller first.
fn keys<'r>(recording: &'r Recording, call: &'r Call) -> impl Iterator<Item = Key> + use<'r> {
    let addresses = recording.addresses(call).iter();
    addresses.map(|address| (call.program, *address))
}

/// The mapping of a file that a caller is in.
fn module_of(recording: &Recording, (program, back): Key) -> Option<&Module> {
    let module = recording.module_at(program, nowhere(back).address);
    module.filter(|module| !is_memory(&module.path))
}

/// A caller of which nothing is known but its return address, which may be the next function's first.
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
    use crate::trace::recording::fixture;
    use std::fs;

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
    fn code_in_no_file_is_named_when_its_runtime_has_told() {
        // No process has a number above 2^22 (proc(5), pid_max).
        let process = (1 << 22) + std::process::id();
        let mut recording = fixture::of(&[(process, "A", None, false)]);
        fixture::map(&mut recording, process, 0x1000..0x2000, "/etc/passwd");
        recording.calls[0].caller = 0x11;
        let in_file = (0, 0x1101);
        let call = Call {
            caller: in_file.1,
            ..recording.calls[0]
        };
        recording.calls.push(call);
        assert!(is_among_roots(Path::new("/etc/passwd")));
        assert!(!is_among_roots(Path::new("/proc/self/maps")));
        let mut callers = Callers::default();
        callers.find_ahead(&recording);
        let found: Vec<_> = callers.found.keys().copied().collect();
        assert_eq!(found, [in_file]);
        let map = format!("/tmp/perf-{process}.map");
        fs::write(&map, "10 10 made\n").unwrap();
        let names = recording
            .calls
            .iter()
            .map(|call| callers.of(&recording, call).to_string());
        let names: Vec<_> = names.collect();
        fs::remove_file(&map).unwrap();
        assert_eq!(names, ["made+0x0 (no file)", "passwd+0x100"]);
    }

    #[test]
    fn of_several_new_files_one_is_read_ahead_and_the_others_later() {
        let mut recording = fixture::of(&[(1, "A", None, false), (1, "A", None, false)]);
        for (index, path) in ["/etc/passwd", "/etc/group"].into_iter().enumerate() {
            let start = 0x1000 * (index as u64 + 1);
            fixture::map(&mut recording, 1, start..start + 0x1000, path);
            recording.calls[index].caller = start + 1;
        }
        let mut callers = Callers::default();
        for count in [1, 2, 2] {
            callers.find_ahead(&recording);
            assert_eq!(
                (callers.found.len(), callers.retry.len()),
                (count, 2 - count)
            );
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
