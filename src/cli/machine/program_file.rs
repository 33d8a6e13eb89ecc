//! A program's file, as far as it decides whether a preload object is loaded into it.

use crate::machine::configuration_files::open_regular;
use object::elf::{
    DT_NEEDED, DT_NULL, ELFCLASS64, ELFMAG, EM_AARCH64, EM_X86_64, FileHeader64, PT_INTERP,
};
use object::read::elf::{Dyn, ElfFile64, FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectSymbol, ReadCache, ReadRef};
use opentelemetry_injector_policy::Runtime;
use opentelemetry_injector_policy::process::file_name;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What the kernel would start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Who loads libraries into it.
    pub loader: Loader,
    /// The names of its notes (elf(5), `PT_NOTE`).
    pub notes: Vec<Vec<u8>>,
    /// The libraries that it names (DT_NEEDED), as it names them.
    pub needed: Vec<Vec<u8>>,
    /// The runtime that it is linked with, whatever its name is.
    pub linked: Option<Runtime>,
}

impl Program {
    /// Whether it is written in Go: then it asks no libc for variables.
    pub fn is_go(&self) -> bool {
        self.notes.iter().any(|name| name == b"Go")
    }
}

/// Who loads libraries into a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loader {
    /// glibc's loader, or one that behaves like it; its path.
    Glibc(Vec<u8>),
    /// musl's loader; its path. It does not read /etc/ld.so.preload.
    Musl(Vec<u8>),
    /// Nobody: the program is linked statically.
    Nobody,
    /// A loader of another machine, or of 32-bit programs: the object does not fit.
    Foreign,
}

/// Opens a regular file, and nothing else: to open a FIFO would let its writer go on, and a device may do anything.
pub fn open(path: &Path) -> Option<File> {
    let is_file = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    // The path may lead elsewhere by now.
    let file = is_file.then(|| open_regular(path.as_os_str().as_bytes()).ok());
    file.flatten().map(|(file, _)| file)
}

/// The first page of a regular file; empty where it cannot be read.
pub fn first_page(path: &Path) -> Vec<u8> {
    let mut start = vec![0; 4096];
    let read = open(path).and_then(|file| file.read_at(&mut start, 0).ok());
    start.truncate(read.unwrap_or(0));
    start
}

/// What is in a file; `None` where it is no ELF program.
///
/// # Errors
/// As read(2).
pub fn read(file: File) -> io::Result<Option<Program>> {
    let mut file = io::BufReader::new(file);
    let mut start = Vec::new();
    file.by_ref().take(20).read_to_end(&mut start)?;
    file.rewind()?;
    if !start.starts_with(&ELFMAG) {
        return Ok(None);
    }
    let foreign = Program {
        loader: Loader::Foreign,
        notes: Vec::new(),
        needed: Vec::new(),
        linked: None,
    };
    if start.get(4) != Some(&ELFCLASS64) {
        return Ok(Some(foreign));
    }
    let cache = ReadCache::new(file);
    let Ok(elf) = ElfFile64::<Endianness, _>::parse(&cache) else {
        return Ok(None);
    };
    let endian = elf.endian();
    if elf.elf_header().e_machine(endian) != MACHINE {
        return Ok(Some(foreign));
    }
    let Ok(segments) = elf.elf_header().program_headers(endian, &cache) else {
        return Ok(None);
    };
    let loader = segments
        .iter()
        .find_map(|segment| segment.interpreter(endian, &cache).ok()?);
    let mut notes = Vec::new();
    for segment in segments {
        let Ok(Some(mut found)) = segment.notes(endian, &cache) else {
            continue;
        };
        while let Ok(Some(note)) = found.next() {
            notes.push(note.name().to_vec());
        }
    }
    let loader = match loader {
        None => Loader::Nobody,
        Some(path) if file_name(path).starts_with(b"ld-musl-") => Loader::Musl(path.to_vec()),
        Some(path) => Loader::Glibc(path.to_vec()),
    };
    Ok(Some(Program {
        loader,
        notes,
        needed: needed(&elf, &cache).unwrap_or_default(),
        linked: linked(&elf),
    }))
}

/// Who loads libraries into the program whose file begins with this page, as far as that tells; `None` where it is
/// none, or a loader does.
pub fn without_loader(start: &[u8]) -> Option<Loader> {
    if !start.starts_with(&ELFMAG) {
        return None;
    }
    if start.get(4) != Some(&ELFCLASS64) {
        return Some(Loader::Foreign);
    }
    let header = FileHeader64::<Endianness>::parse(start).ok()?;
    let endian = header.endian().ok()?;
    if header.e_machine(endian) != MACHINE {
        return Some(Loader::Foreign);
    }
    let segments = header.program_headers(endian, start).ok()?;
    let has_loader = segments
        .iter()
        .any(|segment| segment.p_type(endian) == PT_INTERP);
    (!has_loader).then_some(Loader::Nobody)
}

/// The libraries' names; `None` where the file is broken.
fn needed<'d, R: ReadRef<'d>>(elf: &ElfFile64<'d, Endianness, R>, data: R) -> Option<Vec<Vec<u8>>> {
    let endian = elf.endian();
    let (entries, link) = elf.elf_section_table().dynamic(endian, data).ok()??;
    let strings = elf.elf_section_table().strings(endian, data, link).ok()?;
    let entries = entries
        .iter()
        .take_while(|entry| entry.tag32(endian) != Some(DT_NULL));
    let libraries = entries.filter(|entry| entry.tag32(endian) == Some(DT_NEEDED));
    let names = libraries.filter_map(|entry| strings.get(entry.val32(endian)?).ok());
    Some(names.map(<[u8]>::to_vec).collect())
}

/// The runtime whose functions a program exports.
fn linked<'d, R: ReadRef<'d>>(elf: &ElfFile64<'d, Endianness, R>) -> Option<Runtime> {
    let exported = elf.dynamic_symbols().filter(ObjectSymbol::is_definition);
    let mut runtimes = exported.filter_map(|symbol| {
        let name = symbol.name_bytes().ok()?;
        let is_its = |runtime: &Runtime| runtime.function().is_some_and(|f| f.to_bytes() == name);
        Runtime::ALL.into_iter().find(is_its)
    });
    runtimes.next()
}

/// The machine that this command, and so the object beside it, was built for.
const MACHINE: u16 = if cfg!(target_arch = "aarch64") {
    EM_AARCH64
} else {
    EM_X86_64
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_is_a_program_with_a_loader() {
        let own = read(File::open("/proc/self/exe").unwrap())
            .unwrap()
            .unwrap();
        assert!(matches!(own.loader, Loader::Glibc(_) | Loader::Musl(_)));
        assert!(!own.is_go());
        assert!(own.needed.iter().any(|name| name.starts_with(b"libc.")));
        assert_eq!(own.linked, None);
        let start = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(without_loader(&start[..4096]), None);
    }

    #[test]
    fn the_first_page_of_a_program_tells_whether_it_has_a_loader() {
        let mut start = std::fs::read("/proc/self/exe").unwrap();
        start.truncate(4096);
        // No segments, another machine, 32-bit words.
        let mut none = start.clone();
        none[56..58].fill(0);
        assert_eq!(without_loader(&none), Some(Loader::Nobody));
        for (place, other) in [(18, 0xff), (4, 1)] {
            let mut foreign = start.clone();
            foreign[place] = other;
            assert_eq!(without_loader(&foreign), Some(Loader::Foreign));
        }
        assert_eq!(without_loader(b"#!/bin/sh"), None);
    }

    #[test]
    fn text_is_no_program() {
        assert_eq!(read(File::open("/etc/passwd").unwrap()).unwrap(), None);
    }
}
