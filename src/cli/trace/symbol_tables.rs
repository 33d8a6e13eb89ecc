//! The symbol tables of an ELF file (elf(5)). A large program has a hundred thousand symbols and megabytes of
//! names, of which a trace needs a few: the symbols are read once, piece by piece, for all addresses together,
//! and only the names that are found.

use memchr::memmem;
use object::elf::{
    FileHeader64, NT_GNU_BUILD_ID, PT_LOAD, SHT_DYNSYM, SHT_NOTE, SHT_SYMTAB, STT_FUNC,
};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, ReadCache};
use std::fs::File;
use std::ops::{ControlFlow, Range};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;

/// The length of a symbol in bytes (Elf64_Sym).
const SYMBOL: usize = 24;

/// How much is read at a time, in bytes: whole symbols.
const PIECE: usize = SYMBOL << 12;

/// The longest name that is read, in bytes.
const LONGEST_NAME: usize = 64 << 10;

/// STT_GNU_IFUNC: the resolver of a function.
const RESOLVER: u8 = 10;

/// What a file's headers tell.
pub struct Headers {
    /// The first segment's address, at the beginning of a page.
    pub base: u64,
    /// The build id; empty where there is none.
    pub build_id: Vec<u8>,
}

/// One table of symbols with its names: where they are in the file.
pub struct SymbolTable {
    file: Rc<File>,
    symbols: Range<u64>,
    names: Range<u64>,
}

/// The headers and the symbol tables of a file of this machine's byte order; `None` where it is no ELF
/// file of 64 bits.
pub fn read(path: &Path) -> Option<(Headers, Vec<SymbolTable>)> {
    let file = Rc::new(File::open(path).ok()?);
    let cache = ReadCache::new(&*file);
    let header = FileHeader64::<Endianness>::parse(&cache).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, &cache).ok()?;
    let loaded = segments
        .iter()
        .filter(|segment| segment.p_type(endian) == PT_LOAD);
    let first = loaded.map(|segment| segment.p_vaddr(endian)).min();
    let sections = header.section_headers(endian, &cache).ok()?;
    let range = |section: &object::elf::SectionHeader64<Endianness>| {
        let (offset, length) = section.file_range(endian)?;
        Some(offset..offset.checked_add(length)?)
    };
    let (mut tables, mut build_id) = (Vec::new(), Vec::new());
    for section in sections {
        match section.sh_type(endian) {
            SHT_SYMTAB | SHT_DYNSYM => {
                let names = sections
                    .get(section.sh_link(endian) as usize)
                    .and_then(range);
                if let (Some(symbols), Some(names)) = (range(section), names) {
                    tables.push(SymbolTable {
                        file: Rc::clone(&file),
                        symbols,
                        names,
                    });
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
    /// For each of these addresses, in ascending order, the function that it lies in: where that begins, and its
    /// name.
    pub fn functions(&self, addresses: &[u64]) -> Vec<Option<(u64, String)>> {
        let mut found: Vec<Option<Symbol>> = addresses.iter().map(|_| None).collect();
        let _ = self.each(|symbol| {
            let end = symbol.start.saturating_add(symbol.length.max(1));
            let first = addresses.partition_point(|address| *address < symbol.start);
            let inside = addresses[first..].partition_point(|address| *address < end);
            for best in &mut found[first..first + inside] {
                if best.as_ref().is_none_or(|best| best.start <= symbol.start) {
                    *best = Some(symbol);
                }
            }
            ControlFlow::<()>::Continue(())
        });
        let name = |symbol: Symbol| Some((symbol.start, self.name(symbol.name)?));
        found
            .into_iter()
            .map(|symbol| symbol.and_then(name))
            .collect()
    }

    /// Where a function begins, if the file defines it.
    pub fn start_of(&self, name: &str) -> Option<u64> {
        let places = self.places_of_name(&[name.as_bytes(), b"\0"].concat());
        let outcome = self.each(|symbol| {
            if places.contains(&symbol.name) {
                ControlFlow::Break(symbol.start)
            } else {
                ControlFlow::Continue(())
            }
        });
        outcome.break_value()
    }

    /// Calls `visit` with each function until it breaks.
    fn each<B>(&self, mut visit: impl FnMut(Symbol) -> ControlFlow<B>) -> ControlFlow<B> {
        pieces(&self.file, &self.symbols, 0, |_, piece| {
            let symbols = piece.chunks_exact(SYMBOL);
            symbols
                .filter_map(Symbol::of_function)
                .try_for_each(&mut visit)
        })
    }

    /// Where a name stands, with its end: symbols may share the end of a longer one.
    fn places_of_name(&self, name: &[u8]) -> Vec<u32> {
        let mut places = Vec::new();
        let _ = pieces(&self.file, &self.names, name.len() - 1, |at, piece| {
            let here = memmem::find_iter(piece, name).map(|index| at + index as u64);
            places.extend(here.filter_map(|place| u32::try_from(place).ok()));
            ControlFlow::<()>::Continue(())
        });
        places
    }

    /// The name at a place, if it is not empty.
    fn name(&self, place: u32) -> Option<String> {
        let start = self.names.start.checked_add(place.into())?;
        let rest = usize::try_from(self.names.end.checked_sub(start)?).ok()?;
        let mut bytes = vec![0; rest.min(256)];
        loop {
            self.file.read_exact_at(&mut bytes, start).ok()?;
            if let Some(end) = memchr::memchr(0, &bytes) {
                bytes.truncate(end);
                break;
            }
            if bytes.len() == rest.min(LONGEST_NAME) {
                return None;
            }
            bytes.resize((bytes.len() * 4).min(rest).min(LONGEST_NAME), 0);
        }
        (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Calls `visit` with a range of a file, piece by piece, and with where each piece begins in the range. Pieces
/// overlap by `overlap` bytes. What cannot be read is left out.
fn pieces<B>(
    file: &File,
    range: &Range<u64>,
    overlap: usize,
    mut visit: impl FnMut(u64, &[u8]) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let mut bytes = vec![0; PIECE];
    let mut at = range.start;
    while at < range.end {
        let length = usize::try_from(range.end - at).map_or(PIECE, |rest| rest.min(PIECE));
        let piece = &mut bytes[..length];
        if file.read_exact_at(piece, at).is_err() {
            break;
        }
        visit(at - range.start, piece)?;
        if length <= overlap {
            break;
        }
        at += (length
            - if at + (length as u64) < range.end {
                overlap
            } else {
                0
            }) as u64;
    }
    ControlFlow::Continue(())
}

#[derive(Clone, Copy)]
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
