//! The symbol tables of an ELF file (elf(5)). A large program has a hundred thousand symbols and megabytes of
//! names, of which a trace needs a few: the symbols are read once, piece by piece, for all addresses together,
//! and only the names that are found.

use crate::machine::program_file;
use object::elf::{
    FileHeader64, NT_GNU_BUILD_ID, PF_X, PT_LOAD, SHT_DYNSYM, SHT_NOTE, SHT_SYMTAB, STT_FUNC,
};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, ReadCache};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;

/// The length of a symbol in bytes (Elf64_Sym).
const SYMBOL: usize = 24;

/// The bits of an address within the smallest page.
const PAGE_MASK: u64 = 0xfff;

/// How much is read at a time, in bytes: whole symbols.
const PIECE: usize = SYMBOL << 12;

/// The longest name that is read, in bytes.
const LONGEST_NAME: usize = 64 << 10;

/// STT_GNU_IFUNC: the resolver of a function.
const RESOLVER: u8 = 10;

/// What a file's headers tell.
pub struct Headers {
    /// Where its parts are in memory.
    pub segments: Segments,
    /// The build id; empty where there is none.
    pub build_id: Vec<u8>,
}

/// The segments that are loaded.
#[derive(Clone, Debug, Default)]
pub struct Segments {
    /// The first segment's address, at the beginning of a page.
    base: u64,
    /// The segments with code: their offsets in the file, from the beginning of a page on, and the address of the
    /// byte 0 of the file if they went on as far.
    code: Vec<(Range<u64>, u64)>,
}

impl Segments {
    /// The address of what is at an offset in the file, from where its mappings begin. (The whole object is mapped
    /// from offset 0 on; what is mapped elsewhere alone is code.)
    pub fn address(&self, offset: u64) -> u64 {
        let mut code = self.code.iter();
        match code.find(|(offsets, _)| offset > 0 && offsets.contains(&offset)) {
            Some((_, zero)) => zero.wrapping_add(offset),
            None => self.base.wrapping_add(offset),
        }
    }
}

/// One table of symbols with its names: where they are in the file.
pub struct SymbolTable {
    file: Rc<File>,
    symbols: Range<u64>,
    names: Range<u64>,
    /// `.dynsym`.
    is_exports: bool,
}

/// The headers and the symbol tables of a file of this machine's byte order; `None` where it is no ELF
/// file of 64 bits.
pub fn read(path: &Path) -> Option<(Headers, Vec<SymbolTable>)> {
    let file = Rc::new(program_file::open(path)?);
    let cache = ReadCache::new(&*file);
    let header = FileHeader64::<Endianness>::parse(&cache).ok()?;
    let endian = header.endian().ok()?;
    let loaded = header.program_headers(endian, &cache).ok()?.iter();
    let loaded = loaded.filter(|segment| segment.p_type(endian) == PT_LOAD);
    let mut segments = Segments {
        // Mappings begin with whole pages.
        base: loaded
            .clone()
            .map(|segment| segment.p_vaddr(endian))
            .min()?
            & !PAGE_MASK,
        code: Vec::new(),
    };
    for segment in loaded.filter(|segment| segment.p_flags(endian) & PF_X != 0) {
        let (start, length) = segment.file_range(endian);
        let zero = segment.p_vaddr(endian).wrapping_sub(start);
        let offsets = start & !PAGE_MASK..start.saturating_add(length);
        segments.code.push((offsets, zero));
    }
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
                        is_exports: section.sh_type(endian) == SHT_DYNSYM,
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
    leave_out_copies(&mut tables);
    Some((Headers { segments, build_id }, tables))
}

/// Of two tables, `.symtab` repeats what `.dynsym` has, unless it was made shorter (strip(1)).
fn leave_out_copies(tables: &mut Vec<SymbolTable>) {
    let length = |table: &SymbolTable| table.symbols.end - table.symbols.start;
    let all = tables.iter().filter(|table| !table.is_exports).map(length);
    if let Some(longest) = all.max() {
        tables.retain(|table| !table.is_exports || length(table) > longest);
    }
}

impl SymbolTable {
    /// For each of these addresses, in ascending order, the function that it lies in: where that begins, and its
    /// name.
    pub fn functions(&self, addresses: &[u64]) -> Vec<Option<(u64, String)>> {
        let mut found: Vec<Option<Symbol>> = addresses.iter().map(|_| None).collect();
        let pages = Pages::of(addresses);
        self.each(|symbol| {
            let end = symbol.start.saturating_add(symbol.length.max(1));
            if !pages.meet(symbol.start, end) {
                return;
            }
            let first = addresses.partition_point(|address| *address < symbol.start);
            let inside = addresses[first..].partition_point(|address| *address < end);
            for best in &mut found[first..first + inside] {
                if best.as_ref().is_none_or(|best| best.start <= symbol.start) {
                    *best = Some(symbol);
                }
            }
        });
        let name = |symbol: Symbol| Some((symbol.start, self.name(symbol.name)?));
        found
            .into_iter()
            .map(|symbol| symbol.and_then(name))
            .collect()
    }

    /// Calls `visit` with each function. What cannot be read is left out.
    fn each(&self, mut visit: impl FnMut(Symbol)) {
        let mut bytes = vec![0; PIECE];
        let mut at = self.symbols.start;
        while at < self.symbols.end {
            let rest = usize::try_from(self.symbols.end - at).unwrap_or(PIECE);
            let piece = &mut bytes[..rest.min(PIECE)];
            if self.file.read_exact_at(piece, at).is_err() {
                return;
            }
            let (symbols, _) = piece.as_chunks();
            symbols
                .iter()
                .filter_map(Symbol::of_function)
                .for_each(&mut visit);
            at += piece.len() as u64;
        }
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

/// The pages that some addresses lie in, by which most symbols are passed over at once: one bit for a page, which
/// it shares with others that are far away.
struct Pages([u64; 1024]);

impl Pages {
    /// The base-two logarithm of a page's length.
    const SHIFT: u32 = 12;

    /// The number of bits.
    const COUNT: u64 = 1024 * 64;

    /// More pages than this are not looked at one by one.
    const FEW: u64 = 16;

    fn of(addresses: &[u64]) -> Self {
        let mut pages = Self([0; 1024]);
        for address in addresses {
            let (word, bit) = Self::place(address >> Self::SHIFT);
            pages.0[word] |= bit;
        }
        pages
    }

    /// Whether one of the addresses may lie there; `end` is the first address behind.
    fn meet(&self, start: u64, end: u64) -> bool {
        let (first, last) = (start >> Self::SHIFT, (end - 1) >> Self::SHIFT);
        let is_met = |page| {
            let (word, bit) = Self::place(page);
            self.0[word] & bit != 0
        };
        last - first > Self::FEW || (first..=last).any(is_met)
    }

    fn place(page: u64) -> (usize, u64) {
        let index = page % Self::COUNT;
        ((index / 64) as usize, 1 << (index % 64))
    }
}

#[derive(Clone, Copy)]
struct Symbol {
    name: u32,
    start: u64,
    length: u64,
}

impl Symbol {
    /// A function that the file defines: st_name, st_info, st_other, st_shndx, st_value, st_size.
    fn of_function(bytes: &[u8; SYMBOL]) -> Option<Self> {
        let [n0, n1, n2, n3, info, _, s0, s1, value_and_size @ ..] = *bytes;
        let section = u16::from_ne_bytes([s0, s1]);
        if !matches!(info & 0xf, STT_FUNC | RESOLVER) || section == 0 {
            return None;
        }
        let (value, size) = value_and_size.split_first_chunk()?;
        Some(Self {
            name: u32::from_ne_bytes([n0, n1, n2, n3]),
            start: u64::from_ne_bytes(*value),
            length: u64::from_ne_bytes(*size.first_chunk()?),
        })
    }
}
