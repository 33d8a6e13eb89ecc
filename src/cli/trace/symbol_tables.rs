//! The symbol tables of an ELF file (elf(5)). A large program has a hundred thousand symbols and megabytes of
//! names, of which a trace needs a few: the symbols are read once, piece by piece. What is kept of each only tells
//! whether the symbol is worth reading again.

use crate::machine::program_file;
use object::elf::{
    FileHeader64, NT_GNU_BUILD_ID, PF_X, PT_LOAD, SHT_DYNSYM, SHT_NOTE, SHT_SYMTAB, STT_FUNC,
};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, ReadCache};
use std::cell::{Cell, OnceCell};
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
const PIECE: usize = SYMBOL << 11;

/// How many symbols of a table are read: four times as many as the largest browsers have. A damaged file may claim any
/// number.
const MOST: u64 = 8 << 20;

/// How much is read at a time again, in bytes: symbols of one place often follow each other.
const FEW: usize = SYMBOL << 6;

/// For how many addresses functions are looked for at a time.
const TOGETHER: usize = 256;

/// The most functions of a table that are read again in a session; further addresses get no names. Files have some
/// hundreds at most near an address, but a damaged file may have all of them there.
const LOOKS: usize = 1 << 24;

/// The most long functions that are known of a table; further ones get no names. Files have some thousands.
const LONG: usize = 1 << 16;

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
    /// How many functions may still be read again.
    looks: Cell<usize>,
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
                        looks: Cell::new(LOOKS),
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
    /// The functions that addresses lie in: where each begins, and its name. Of several, the one that begins last; of
    /// those that begin together, a short one, and the last in the table.
    pub fn functions(&self, addresses: &[u64]) -> Vec<Option<(u64, String)>> {
        let mut wanted: Vec<_> = (0..addresses.len()).collect();
        wanted.sort_by_key(|index| addresses[*index]);
        let mut found = vec![None; addresses.len()];
        for wanted in wanted.chunks(TOGETHER) {
            let sorted = wanted.iter().map(|index| addresses[*index]);
            for (index, function) in wanted.iter().zip(self.search(sorted)) {
                found[*index] = function;
            }
        }
        let named = |function: Symbol| Some((function.start, self.name(function.name)?));
        let found = found.into_iter();
        found.map(|function| named(function?)).collect()
    }

    /// The functions that addresses lie in, which are in order.
    fn search(&self, addresses: impl Iterator<Item = u64>) -> Vec<Option<Symbol>> {
        let mut search = Search::new(addresses);
        let starts = self.starts.get_or_init(|| self.read());
        let near = starts.places.iter().zip(0_u32..);
        let near = near.filter(|(place, _)| search.near.contains(**place));
        let near: Vec<_> = near.map(|(_, index)| index).collect();
        let left = self.looks.get().checked_sub(near.len());
        self.looks.set(left.unwrap_or(0));
        if left.is_some() {
            starts.long.iter().for_each(|long| search.look_at(long));
            self.read_again(&near, |function| search.look_at(&function));
        }
        search.found()
    }

    /// Where the functions begin. What cannot be read is left out.
    fn read(&self) -> Starts {
        let count = usize::try_from(self.count()).unwrap_or(0);
        let (mut places, mut long) = (Vec::with_capacity(count), Vec::new());
        let mut bytes = [0; PIECE];
        let mut at = self.symbols.start;
        while at < self.symbols.end {
            let rest = usize::try_from(self.symbols.end - at).unwrap_or(PIECE);
            let piece = &mut bytes[..rest.min(PIECE)];
            if self.file.read_exact_at(piece, at).is_err() {
                break;
            }
            let (symbols, _) = piece.as_chunks();
            for symbol in symbols {
                let place = Place::of_function(symbol);
                if place == Place::LONG && long.len() < LONG {
                    long.extend(Symbol::of_function(symbol));
                }
                places.push(place);
            }
            at += piece.len() as u64;
        }
        Starts { places, long }
    }

    /// Reads the functions at some indices, which are in order.
    fn read_again(&self, indices: &[u32], mut take: impl FnMut(Symbol)) {
        let mut bytes = [0; FEW];
        // Where the symbols that were read last begin in the file, and their length.
        let (mut start, mut length) = (0, 0);
        for index in indices {
            let at = self.symbols.start + u64::from(*index) * SYMBOL as u64;
            if at + SYMBOL as u64 > start + length {
                start = at;
                length = (self.symbols.end - at).min(FEW as u64);
                let few = &mut bytes[..length as usize];
                if self.file.read_exact_at(few, at).is_err() {
                    return;
                }
            }
            let symbol = bytes[(at - start) as usize..].first_chunk();
            symbol.and_then(Symbol::of_function).map(&mut take);
        }
    }

    /// The number of symbols.
    pub fn count(&self) -> u64 {
        (self.symbols.end - self.symbols.start) / SYMBOL as u64
    }

    /// The name at an offset, if it is not empty.
    fn name(&self, offset: u32) -> Option<String> {
        let start = self.names.start.checked_add(offset.into())?;
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

/// Where the functions of a table begin.
struct Starts {
    /// One for each symbol.
    places: Vec<Place>,
    /// The functions that are longer than a place.
    long: Vec<Symbol>,
}

/// Where a function begins: the place, of 16 KiB, or that the function is longer than that. Places that are far away from
/// each other have the same number.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place(u16);

impl Place {
    /// The base-two logarithm of a place's length in bytes.
    const SHIFT: u32 = 14;

    /// The number of places.
    const COUNT: u64 = 0xfffe;

    /// That of all longer functions.
    const LONG: Self = Self(0xfffe);

    /// That of what is no function.
    const NONE: Self = Self(0xffff);

    /// Without a branch: whether a symbol is a function's is hard to guess for a processor.
    fn of_function(symbol: &[u8; SYMBOL]) -> Self {
        let (start, length) = Symbol::extent(symbol);
        let is_long = length > 1 << Self::SHIFT;
        let place = if is_long { Self::LONG } else { Self::of(start) };
        let is_function = Symbol::is_function(symbol);
        if is_function { place } else { Self::NONE }
    }

    fn of(address: u64) -> Self {
        Self(((address >> Self::SHIFT) % Self::COUNT) as u16)
    }
}

/// Some places: a bit for each.
struct Places([u64; Self::WORDS]);

impl Places {
    const WORDS: usize = (Place::NONE.0 as usize + 1) / 64;

    const EMPTY: Self = Self([0; Self::WORDS]);

    fn insert(&mut self, Place(place): Place) {
        self.0[usize::from(place / 64)] |= 1 << (place % 64);
    }

    fn contains(&self, Place(place): Place) -> bool {
        self.0[usize::from(place / 64)] >> (place % 64) & 1 == 1
    }
}

/// A search for the functions that addresses lie in.
struct Search {
    /// In the order of the addresses.
    wanted: Vec<Wanted>,
    /// Where functions begin that may reach as far as one of them.
    near: Places,
}

struct Wanted {
    address: u64,
    function: Option<Symbol>,
}

impl Search {
    fn new(addresses: impl Iterator<Item = u64>) -> Self {
        let mut near = Places::EMPTY;
        let wanted = addresses.map(|address| {
            near.insert(Place::of(address));
            near.insert(Place::of(address.wrapping_sub(1 << Place::SHIFT)));
            Wanted {
                address,
                function: None,
            }
        });
        let wanted = wanted.collect();
        Self { wanted, near }
    }

    /// Takes a function for the addresses that lie in it, if none that was seen before begins behind it.
    fn look_at(&mut self, function: &Symbol) {
        let range = function.range();
        let first = self
            .wanted
            .partition_point(|wanted| wanted.address < range.start);
        let inside = self.wanted[first..].iter_mut();
        for wanted in inside.take_while(|wanted| wanted.address < range.end) {
            if wanted
                .function
                .is_none_or(|best| best.start <= function.start)
            {
                wanted.function = Some(*function);
            }
        }
    }

    /// The functions, in the order of the addresses.
    fn found(self) -> Vec<Option<Symbol>> {
        let wanted = self.wanted.into_iter();
        wanted.map(|wanted| wanted.function).collect()
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
    /// The types of functions, a bit for each.
    const FUNCTIONS: u16 = 1 << STT_FUNC | 1 << RESOLVER;

    /// A function that the file defines: st_name, st_info, st_other, st_shndx, st_value, st_size.
    fn of_function(bytes: &[u8; SYMBOL]) -> Option<Self> {
        let (start, length) = Self::extent(bytes);
        Self::is_function(bytes).then_some(Self {
            start,
            length,
            name: word(bytes, 0) as u32,
        })
    }

    fn is_function(bytes: &[u8; SYMBOL]) -> bool {
        let first = word(bytes, 0);
        let (kind, section) = (first >> 32 & 0xf, first >> 48);
        (Self::FUNCTIONS >> kind & 1 == 1) & (section != 0)
    }

    /// Where a symbol begins, and its length.
    fn extent(bytes: &[u8; SYMBOL]) -> (u64, u64) {
        (word(bytes, 1), word(bytes, 2))
    }

    /// Its addresses; one without a length has one.
    fn range(&self) -> Range<u64> {
        self.start..self.start.saturating_add(self.length.max(1))
    }
}

/// One of a symbol's three words. Both architectures are little-endian.
fn word(bytes: &[u8; SYMBOL], index: usize) -> u64 {
    let (words, _) = bytes.as_chunks();
    u64::from_le_bytes(words[index])
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
            looks: Cell::new(LOOKS),
        }
    }

    #[test]
    fn functions_are_read_again_up_to_a_number() {
        const COUNT: usize = 1000;
        let mut all = vec![(0x1080, 1); COUNT];
        all[COUNT - 1] = (0x1000, 0x100);
        let table = table(&all);
        let name = || table.functions(&[0x1090])[0].take().map(|found| found.1);
        table.looks.set(2 * COUNT);
        let last = Some((COUNT - 1).to_string());
        assert_eq!([name(), name(), name()], [last.clone(), last, None]);
    }

    #[test]
    fn long_functions_are_known_up_to_a_number() {
        let mut all = vec![(0x1000, 1 << 20); LONG];
        all.push((0x1000, 1 << 21));
        let names = table(&all).functions(&[0x2000, 0x1000 + (1 << 20)]);
        assert_eq!(names[0].as_ref().unwrap().1, (LONG - 1).to_string());
        assert_eq!(names[1], None);
    }

    #[test]
    fn many_addresses_are_told_in_their_order() {
        let all: Vec<_> = (0..3000)
            .map(|index| (0x1000 + index * 0x100, 0x80))
            .collect();
        let addresses: Vec<_> = all.iter().rev().map(|(start, _)| start + 1).collect();
        let found = table(&all).functions(&addresses).into_iter();
        let names: Vec<_> = found.map(|found| found.unwrap().1).collect();
        let expected: Vec<_> = (0..3000).rev().map(|index| index.to_string()).collect();
        assert_eq!(names, expected);
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
        assert!(tables.iter().all(|table| table.functions(&[1]) == [None]));
    }

    #[test]
    fn a_function_is_found_wherever_it_begins() {
        const PLACE: u64 = 1 << Place::SHIFT;
        const FAR: u64 = PLACE * Place::COUNT;
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
        let all = [
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
        ];
        let addresses = all.map(|(address, _)| address);
        let names = all.map(|(_, name): (_, Option<u32>)| name.map(|name| name.to_string()));
        let found = table.functions(&addresses).into_iter();
        let found: Vec<_> = found.map(|found| Some(found?.1)).collect();
        assert_eq!(found, names);
        // Each alone, and in another order.
        for (address, name) in addresses.iter().zip(&names).rev() {
            let found = table.functions(&[*address, 0xfff, *address]).into_iter();
            let found: Vec<_> = found.map(|found| Some(found?.1)).collect();
            assert_eq!(found, [name.clone(), None, name.clone()], "{address:#x}");
        }
    }
}
