//! Whether libc's `getenv` is hooked in a live process: its code there is held against the file.

use crate::machine::proc_files::ProcFiles;
use crate::machine::proc_formats::{Mapped, is_libc};
use object::elf::PT_LOAD;
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectSymbol, ReadCache};
use std::fs::File;
use std::io::BufReader;

/// How much of the function either engine changes, at least.
const LENGTH: usize = 16;

/// Whether it is; `None` where the memory or libc's file cannot be read.
pub fn is_hooked(files: &ProcFiles, mapped: &[Mapped]) -> Option<bool> {
    let libc = mapped.iter().find(|mapped| is_libc(&mapped.path))?;
    let base = u64::from_str_radix(libc.range.split('-').next()?, 16).ok()?;
    let file = files.open_mapped(libc).ok()?;
    let (address, code) = getenv(file)?;
    let mut memory = [0; LENGTH];
    let length = files.memory(base + address, &mut memory).ok()?;
    (length == LENGTH).then(|| memory != code)
}

/// Where the function begins, from where the file is mapped on, and its first bytes.
fn getenv(file: File) -> Option<(u64, [u8; LENGTH])> {
    let cache = ReadCache::new(BufReader::new(file));
    let elf = ElfFile64::<Endianness, _>::parse(&cache).ok()?;
    let endian = elf.endian();
    let symbol = elf
        .dynamic_symbols()
        .find(|symbol| symbol.name_bytes() == Ok(b"getenv"))?;
    let address = symbol.address();
    let segments = elf.elf_header().program_headers(endian, &cache).ok()?;
    let loaded = || {
        segments
            .iter()
            .filter(|segment| segment.p_type(endian) == PT_LOAD)
    };
    let first = loaded().next()?.p_vaddr(endian);
    let code = loaded().find_map(|segment| {
        let data = segment.data_as_array::<u8, _>(endian, &cache).ok()?;
        let start = usize::try_from(address.checked_sub(segment.p_vaddr(endian))?).ok()?;
        data.get(start..start + LENGTH)?.try_into().ok()
    })?;
    Some((address - first, code))
}
