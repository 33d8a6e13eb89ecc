//! The symbol tables of an ELF file (elf(5)). A large program has a hundred thousand symbols and megabytes of
//! names, of which a trace needs a few: the symbols are read once, piece by piece, and only the names that are found.

use crate::machine::program_file;
use object::elf::{
    FileHeader64, NT_GNU_BUILD_ID, PF_X, PT_LOAD, SHT_DYNSYM, SHT_NOTE, SHT_SYMTAB, STT_FUNC,
};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, ReadCache};
use std::cell::OnceCell;
use std::cmp::Reverse;
use std::ffi::CStr;
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

/// How many symbols of a table are read: four times as many as the largest browsers have. A damaged file may claim any
/// number.
const MOST: u64 = 8 << 20;

/// For how many of them there is room at first.
const USUAL: usize = 1 << 20;

/// How many functions before an address are looked at, the nearest first.
const NEAR: usize = 1000;

/// How many functions of one place are known, and how many long ones: the rest of them has no names. Files have some
/// dozens, and hundreds.
const TOGETHER: usize = 1 << 16;

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
    /// What was read of it.
    starts: OnceCell<Starts>,
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
            // There is one of each (elf(5)).
            kind @ (SHT_SYMTAB | SHT_DYNSYM)
                if !tables
                    .iter()
                    .any(|table: &SymbolTable| table.is_exports == (kind == SHT_DYNSYM)) =>
            {
                let names = sections
                    .get(section.sh_link(endian) as usize)
                    .and_then(range);
                if let (Some(symbols), Some(names)) = (range(section), names) {
                    let most = symbols.start.saturating_add(MOST * SYMBOL as u64);
                    tables.push(SymbolTable {
                        file: Rc::clone(&file),
                        symbols: symbols.start..symbols.end.min(most),
                        names,
                        is_exports: kind == SHT_DYNSYM,
                        starts: OnceCell::new(),
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
    let all = tables.iter().find(|table| !table.is_exports);
    if let Some(count) = all.map(SymbolTable::count) {
        tables.retain(|table| !table.is_exports || table.count() > count);
    }
}

impl SymbolTable {
    /// The function that an address lies in: where that begins, and its name. Of several, the one that begins last.
    pub fn function(&self, address: u64) -> Option<(u64, String)> {
        let starts = self.starts.get_or_init(|| self.read());
        let is_inside = |function: &Symbol| function.range().contains(&address);
        let near = starts.before(address).into_iter();
        let mut near = near.take(NEAR).filter_map(|index| self.symbol(index));
        let near = near.find(is_inside);
        let long = starts.long.iter().rev().copied().filter(is_inside);
        let later = |best: Symbol, next: Symbol| if next.start > best.start { next } else { best };
        let function = near.into_iter().chain(long).reduce(later)?;
        Some((function.start, self.name(function.name)?))
    }

    /// Where all functions begin. What cannot be read is left out.
    fn read(&self) -> Starts {
        let mut starts = Starts::for_about(usize::try_from(self.count()).unwrap_or(USUAL));
        let mut bytes = vec![0; PIECE];
        let mut at = self.symbols.start;
        while at < self.symbols.end {
            let rest = usize::try_from(self.symbols.end - at).unwrap_or(PIECE);
            let piece = &mut bytes[..rest.min(PIECE)];
            if self.file.read_exact_at(piece, at).is_err() {
                break;
            }
            let (symbols, _) = piece.as_chunks();
            for symbol in symbols {
                starts.add(Symbol::of_function(symbol));
            }
            at += piece.len() as u64;
        }
        starts
    }

    /// The number of symbols.
    pub fn count(&self) -> u64 {
        (self.symbols.end - self.symbols.start) / SYMBOL as u64
    }

    fn symbol(&self, index: u32) -> Option<Symbol> {
        let mut bytes = [0; SYMBOL];
        let at = self.symbols.start + u64::from(index) * SYMBOL as u64;
        self.file.read_exact_at(&mut bytes, at).ok()?;
        Symbol::of_function(&bytes)
    }

    /// The name at a place, if it is not empty.
    fn name(&self, place: u32) -> Option<String> {
        let start = self.names.start.checked_add(place.into())?;
        let rest = usize::try_from(self.names.end.checked_sub(start)?).ok()?;
        let mut bytes = vec![0; rest.min(256)];
        loop {
            self.file.read_exact_at(&mut bytes, start).ok()?;
            if let Ok(name) = CStr::from_bytes_until_nul(&bytes) {
                bytes.truncate(name.count_bytes());
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

/// Functions by where they begin, in little memory: to put them in order would take longer than a session needs for all
/// that it looks up, and the memory is taken and given back while a program is waited for.
struct Starts {
    /// One for each symbol; of what is no function, none leads to it.
    all: Vec<Start>,
    /// The last function of each place: its index.
    last: Vec<u32>,
    /// The functions that may reach beyond the next place.
    long: Vec<Symbol>,
}

struct Start {
    /// The lower half of the address.
    address: u32,
    /// The function before in the same place.
    before: u32,
}

impl Starts {
    /// The base-two logarithm of a place's length in bytes.
    const SHIFT: u32 = 14;

    /// The number of places; those that are far away from each other share one.
    const PLACES: usize = 1 << 12;

    /// No function.
    const NONE: u32 = u32::MAX;

    fn for_about(count: usize) -> Self {
        Self {
            all: Vec::with_capacity(count.min(USUAL)),
            last: vec![Self::NONE; Self::PLACES],
            long: Vec::new(),
        }
    }

    /// Adds the next symbol, which may be no function.
    fn add(&mut self, function: Option<Symbol>) {
        let mut start = Start {
            address: 0,
            before: Self::NONE,
        };
        let index = u32::try_from(self.all.len()).unwrap_or(Self::NONE);
        match function {
            Some(function) if function.length <= 1 << Self::SHIFT => {
                let last = &mut self.last[Self::place(function.start)];
                start.address = function.start as u32;
                start.before = core::mem::replace(last, index);
            }
            Some(function) if self.long.len() < TOGETHER => self.long.push(function),
            _ => {}
        }
        self.all.push(start);
    }

    /// The functions that begin not far before an address, the nearest first; of those that are equally near, the last.
    fn before(&self, address: u64) -> Vec<u32> {
        let places = [address, address.wrapping_sub(1 << Self::SHIFT)];
        let near = places.into_iter().flat_map(|place| self.of_place(place));
        let near = near.filter_map(|(index, start)| {
            let behind = (address as u32).wrapping_sub(start.address);
            (behind <= 1 << Self::SHIFT).then_some((behind, Reverse(index)))
        });
        let mut near: Vec<_> = near.collect();
        near.sort_unstable();
        near.into_iter().map(|(_, Reverse(index))| index).collect()
    }

    fn of_place(&self, address: u64) -> impl Iterator<Item = (u32, &Start)> {
        let get = |index: u32| Some((index, self.all.get(index as usize)?));
        let last = get(self.last[Self::place(address)]);
        core::iter::successors(last, move |(_, start)| get(start.before)).take(TOGETHER)
    }

    fn place(address: u64) -> usize {
        (address >> Self::SHIFT) as usize % Self::PLACES
    }
}

#[derive(Clone, Copy)]
struct Symbol {
    start: u64,
    /// In bytes.
    length: u64,
    /// Where its name is among the names.
    name: u32,
}

impl Symbol {
    /// A function that the file defines: st_name, st_info, st_other, st_shndx, st_value, st_size.
    fn of_function(bytes: &[u8; SYMBOL]) -> Option<Self> {
        let (first, value_and_size) = bytes.split_first_chunk()?;
        let (value, size) = value_and_size.split_first_chunk()?;
        // Both architectures are little-endian.
        let first = u64::from_le_bytes(*first);
        let (kind, section) = (first >> 32 & 0xf, first >> 48);
        if !matches!(kind as u8, STT_FUNC | RESOLVER) || section == 0 {
            return None;
        }
        Some(Self {
            start: u64::from_le_bytes(*value),
            length: u64::from_le_bytes(*size.first_chunk()?),
            name: first as u32,
        })
    }

    /// Its addresses; one without a length has one.
    fn range(&self) -> Range<u64> {
        self.start..self.start.saturating_add(self.length.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of functions: where they begin, and their lengths. Their names are `0`, `1`, and so on.
    fn table(all: &[(u64, u64)]) -> SymbolTable {
        let mut symbols = Vec::new();
        let mut names = vec![0];
        for (index, (start, length)) in all.iter().enumerate() {
            symbols.extend((names.len() as u32).to_le_bytes());
            symbols.extend([STT_FUNC, 0, 1, 0]);
            symbols.extend(start.to_le_bytes());
            symbols.extend(length.to_le_bytes());
            // A variable at the same place.
            symbols.extend([0; 4]);
            symbols.extend([1, 0, 1, 0]);
            symbols.extend(start.to_le_bytes());
            symbols.extend(length.to_le_bytes());
            names.extend(format!("{index}\0").bytes());
        }
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[&symbols[..], &names].concat(), 0)
            .unwrap();
        let end = symbols.len() as u64;
        SymbolTable {
            file: Rc::new(file),
            symbols: 0..end,
            names: end..end + names.len() as u64,
            is_exports: false,
            starts: OnceCell::new(),
        }
    }

    #[test]
    fn many_functions_in_one_place_are_looked_at_up_to_a_number() {
        let mut all = vec![(0x1000, 0x100)];
        all.resize(NEAR, (0x1080, 1));
        assert_eq!(table(&all).function(0x1090).unwrap().1, "0");
        all.push((0x1080, 1));
        assert_eq!(table(&all).function(0x1090), None);
        assert_eq!(table(&all).function(0x1080).unwrap().1, NEAR.to_string());
    }

    #[test]
    fn a_table_that_claims_more_than_any_program_has_is_read_up_to_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("damaged");
        let mut bytes = std::fs::read("/proc/self/exe").unwrap();
        // e_shoff, e_shentsize, e_shnum; sh_type, sh_offset, sh_size (elf(5)).
        let number = |bytes: &[u8], at: usize| {
            u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize
        };
        let sections = number(&bytes, 0x28);
        let count = usize::from(u16::from_le_bytes([bytes[0x3c], bytes[0x3d]]));
        for section in (0..count).map(|index| sections + index * 64) {
            if [SHT_SYMTAB, SHT_DYNSYM].contains(&bytes[section + 4].into()) {
                bytes[section + 32..section + 40].copy_from_slice(&(1_u64 << 30).to_le_bytes());
            }
        }
        std::fs::write(&path, &bytes).unwrap();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(1 << 31)
            .unwrap();
        let (_, tables) = read(&path).unwrap();
        let longest = tables.iter().map(SymbolTable::count).max();
        assert_eq!(longest, Some(MOST));
        assert!(tables.iter().all(|table| table.function(1).is_none()));
    }

    #[test]
    fn a_function_is_found_wherever_it_begins() {
        const PLACE: u64 = 1 << Starts::SHIFT;
        const FAR: u64 = PLACE * Starts::PLACES as u64;
        const HALF: u64 = 1 << 32;
        let table = table(&[
            (0x1000, 0x100),
            // As long as a place, over the end of its own.
            (PLACE - 8, PLACE),
            // Longer, with a shorter one inside.
            (10 * PLACE, 5 * PLACE),
            (12 * PLACE, 1),
            // In the same place as the first, if one looks at a part of the address.
            (FAR + 0x1000, 0x10),
            (HALF + 0x1000, 0x10),
            // Without a length.
            (0x1200, 0),
            // Two names.
            (0x1000, 0x100),
            (20 * PLACE, HALF * 2),
        ]);
        for (address, name) in [
            (0xfff, None),
            (0x1000, Some(7)),
            (0x10ff, Some(7)),
            (0x1100, None),
            (0x1200, Some(6)),
            (0x1201, None),
            (PLACE - 8, Some(1)),
            (2 * PLACE - 9, Some(1)),
            (2 * PLACE - 8, None),
            (11 * PLACE, Some(2)),
            (12 * PLACE, Some(3)),
            (12 * PLACE + 1, Some(2)),
            (15 * PLACE - 1, Some(2)),
            (15 * PLACE, None),
            (FAR + 0x100f, Some(4)),
            (FAR + 0x1010, Some(8)),
            (HALF + 0x1000, Some(5)),
            (20 * PLACE + HALF * 2, None),
            (u64::MAX, None),
        ] {
            let found = table.function(address).map(|(_, name)| name);
            assert_eq!(
                found,
                name.map(|name: u32| name.to_string()),
                "{address:#x}"
            );
        }
    }
}
