//! The environment with which a live process was started.
//!
//! Servers that show a title in process lists (FPM's workers, Puma, Gunicorn) write it over their command
//! line and on over their environment, which they keep elsewhere. FPM's workers empty theirs besides. What
//! `/proc/PID/environ` has of such a process is then a title, zeroes, and a rest.

use crate::machine::proc_files::ProcFiles;
use crate::machine::proc_formats::{Family, Mapped, is_libc, is_overwritten};
use object::elf::PT_LOAD;
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectSymbol, ReadCache};
use std::io;

/// More variables than that are read of nobody's memory.
const MOST: u64 = 10_000;

/// The longest variable that the kernel hands on, in bytes (MAX_ARG_STRLEN, execve(2)).
const LONGEST: usize = 128 * 1024;

/// The entries, `NAME=value` each; of a process that has written over them those of the process that it
/// was forked from, or what its C library has now.
///
/// # Errors
/// As open(2) and read(2).
pub fn of(files: &ProcFiles) -> io::Result<Vec<Vec<u8>>> {
    let own = files.strings("environ")?;
    if !is_overwritten(&own) {
        return Ok(own);
    }
    let images = same_images(files);
    let untouched = images.iter().rev().find_map(|files| {
        let entries = files.strings("environ").ok()?;
        (!is_overwritten(&entries)).then_some(entries)
    });
    // The first of them has lost the least.
    let kept = || images.iter().rev().find_map(in_memory);
    let rest = || {
        own.into_iter()
            .filter(|entry| entry.contains(&b'='))
            .collect()
    };
    Ok(untouched.or_else(kept).unwrap_or_else(rest))
}

/// The process, its parent and so on, as long as they have forked without exec: then they have their
/// environment at the same place, which is a random one.
fn same_images(files: &ProcFiles) -> Vec<ProcFiles> {
    /// Deeper than servers fork.
    const DEEPEST: usize = 16;
    let Ok(own) = files.family() else {
        return Vec::new();
    };
    let is_told = own.environment != [0; 2];
    let executable = files.link("exe").ok();
    let is_same = |files: &ProcFiles, family: &Family| {
        family.environment == own.environment && files.link("exe").ok() == executable
    };
    let mut images = vec![ProcFiles::of(own.process)];
    let mut parent = own.parent;
    while is_told && images.len() < DEEPEST {
        let files = ProcFiles::of(parent);
        match files.family() {
            Ok(family) if is_same(&files, &family) => parent = family.parent,
            _ => break,
        }
        images.push(files);
    }
    images
}

/// What the process's C library has.
fn in_memory(files: &ProcFiles) -> Option<Vec<Vec<u8>>> {
    let mapped = files.mapped().ok()?;
    let executable = files.link("exe").ok()?;
    // What the program has of the variable by a copy relocation counts for all.
    let program = mapped.iter().find(|mapped| mapped.path == executable);
    let libc = mapped.iter().find(|mapped| is_libc(&mapped.path));
    let candidates = [program, libc].into_iter().flatten();
    let place = candidates
        .filter_map(|mapped| place_of_environ(files, mapped))
        .next()?;
    let word = |address: u64| {
        let mut word = [0; 8];
        let length = files.memory(address, &mut word).ok()?;
        (length == word.len()).then(|| u64::from_ne_bytes(word))
    };
    let array = word(place)?;
    let mut entries = Vec::new();
    for index in 0..MOST {
        match word(array.checked_add(index * 8)?)? {
            0 => break,
            address => entries.extend(files.string_up_to(address, LONGEST).ok()),
        }
    }
    (!entries.is_empty()).then_some(entries)
}

/// The address of `environ` that a mapped file defines.
fn place_of_environ(files: &ProcFiles, mapped: &Mapped) -> Option<u64> {
    let base = u64::from_str_radix(mapped.range.split('-').next()?, 16).ok()?;
    let cache = ReadCache::new(io::BufReader::new(files.open_mapped(mapped).ok()?));
    let elf = ElfFile64::<Endianness, _>::parse(&cache).ok()?;
    let endian = elf.endian();
    let mut defined = elf.dynamic_symbols().filter(ObjectSymbol::is_definition);
    let symbol = defined.find(|symbol| {
        let name = symbol.name_bytes();
        name == Ok(b"environ") || name == Ok(b"__environ")
    })?;
    let segments = elf.elf_header().program_headers(endian, &cache).ok()?;
    let mut loaded = segments
        .iter()
        .filter(|segment| segment.p_type(endian) == PT_LOAD);
    let first = loaded.next()?.p_vaddr(endian);
    base.checked_add(symbol.address().checked_sub(first)?)
}
