//! The symbol tables of an ELF file (elf(5)), read as they are: a large program has a hundred thousand
//! symbols, of which a trace needs a few, so names are looked at last.

use object::elf::{
    FileHeader64, NT_GNU_BUILD_ID, PT_LOAD, SHT_DYNSYM, SHT_NOTE, SHT_SYMTAB, STT_FUNC,
};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, ReadCache};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The length of a symbol in bytes (Elf64_Sym).
const SYMBOL: usize = 24;

/// The longest table that is read, in bytes.
const LARGEST: u64 = 256 << 20;

/// STT_GNU_IFUNC: the resolver of a function.
const RESOLVER: u8 = 10;

/// What a file's headers tell.
pub struct Headers {
    /// The first segment's address, at the beginning of a page.
    pub base: u64,
    /// The build id; empty where there is none.
    pub build_id: Vec<u8>,
}

/// One table of symbols with its names.
pub struct SymbolTable {
    symbols: Vec<u8>,
    names: Vec<u8>,
}

/// The headers and the symbol tables of a file of this machine's byte order; `None` where it is no ELF
/// file of 64 bits.
pub fn read(path: &Path) -> Option<(Headers, Vec<SymbolTable>)> {
    let file = File::open(path).ok()?;
    let cache = ReadCache::new(&file);
    let header = FileHeader64::<Endianness>::parse(&cache).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, &cache).ok()?;
    let loaded = segments
        .iter()
        .filter(|segment| segment.p_type(endian) == PT_LOAD);
    let first = loaded.map(|segment| segment.p_vaddr(endian)).min();
    let sections = header.section_headers(endian, &cache).ok()?;
    let content = |section: &object::elf::SectionHeader64<Endianness>| {
        let (offset, length) = section.file_range(endian)?;
        let mut bytes = vec![0; usize::try_from(length).ok().filter(|_| length <= LARGEST)?];
        file.read_exact_at(&mut bytes, offset).ok()?;
        Some(bytes)
    };
    let (mut tables, mut build_id) = (Vec::new(), Vec::new());
    for section in sections {
        match section.sh_type(endian) {
            SHT_SYMTAB | SHT_DYNSYM => {
                let names = sections
                    .get(section.sh_link(endian) as usize)
                    .and_then(content);
                if let (Some(symbols), Some(names)) = (content(section), names) {
                    tables.push(SymbolTable { symbols, names });
                }
            }
            SHT_NOTE => {
                if let Ok(Some(mut notes)) = section.notes(endian, &cache) {
                    while let Ok(Some(note)) = notes.next() {
                        if note.name() == b"GNU" && note.n_type(endian) == NT_GNU_BUILD_ID {
                            build_id = note.desc().to_vec();
                        }
                    }
                }
            }
            _ => {}
        }
    }
    // Mappings begin with whole pages.
    let base = first? & !0xfff;
    Some((Headers { base, build_id }, tables))
}

impl SymbolTable {
    /// The function that an address lies in: where it begins, and its name.
    pub fn function(&self, address: u64) -> Option<(u64, String)> {
        let is_there = |symbol: &Symbol| {
            let offset = address.checked_sub(symbol.start);
            offset.is_some_and(|offset| offset < symbol.length.max(1))
        };
        let here = self.functions().filter(is_there);
        let symbol = here.max_by_key(|symbol| symbol.start)?;
        let name = self.names.get(symbol.name as usize..)?;
        let end = name.iter().position(|byte| *byte == 0)?;
        let name = String::from_utf8_lossy(&name[..end]).into_owned();
        (!name.is_empty()).then_some((symbol.start, name))
    }

    fn functions(&self) -> impl Iterator<Item = Symbol> {
        self.symbols
            .chunks_exact(SYMBOL)
            .filter_map(Symbol::of_function)
    }

    /// Where a function begins, if the file defines it.
    pub fn start_of(&self, name: &str) -> Option<u64> {
        let name = [name.as_bytes(), b"\0"].concat();
        let is_named = |symbol: &Symbol| {
            let own = self.names.get(symbol.name as usize..);
            own.is_some_and(|own| own.starts_with(&name))
        };
        self.functions().find(is_named).map(|symbol| symbol.start)
    }
}

struct Symbol {
    name: u32,
    start: u64,
    length: u64,
}

impl Symbol {
    /// A function that the file defines: st_name, st_info, st_other, st_shndx, st_value, st_size.
    fn of_function(bytes: &[u8]) -> Option<Self> {
        let kind = *bytes.get(4)? & 0xf;
        let section = u16::from_ne_bytes(bytes.get(6..8)?.try_into().ok()?);
        if !matches!(kind, STT_FUNC | RESOLVER) || section == 0 {
            return None;
        }
        Some(Self {
            name: u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?),
            start: u64::from_ne_bytes(bytes.get(8..16)?.try_into().ok()?),
            length: u64::from_ne_bytes(bytes.get(16..24)?.try_into().ok()?),
        })
    }
}
