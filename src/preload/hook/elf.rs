//! The tables of a loaded object in memory, read as the loader reads them, and never outside of what is
//! mapped. Every table and every index is checked against the segment that contains it. An object that
//! fails a check is ignored.
//!
//! This does not call the loader, and the kernel only through [`Image::of_library`]'s caller. (`tests/fuzz` reads
//! damaged objects with it and compares the results with those of dlsym(3).)

use core::ffi::CStr;
use core::{ptr, slice};
use libc::{Elf64_Ehdr as Header, Elf64_Phdr as ProgramHeader, Elf64_Sym as Symbol};
use libc::{PF_R, PF_W, PF_X, PT_DYNAMIC, PT_LOAD};

/// An entry of a dynamic section: tag and value.
pub type Entry = [usize; 2];

// Tags of the dynamic section (System V gABI, "Dynamic Section"; DT_GNU_HASH and DT_VERSYM: elf.h).
const DT_NULL: usize = 0;
const DT_HASH: usize = 4;
const DT_STRTAB: usize = 5;
const DT_SYMTAB: usize = 6;
const DT_SONAME: usize = 14;
const DT_GNU_HASH: usize = 0x6fff_fef5;
const DT_VERSYM: usize = 0x6fff_fff0;

const STT_OBJECT: u8 = 1;
const STT_FUNC: u8 = 2;

const STB_LOCAL: u8 = 0;

/// In DT_VERSYM: not the version that is meant where none is asked for.
const HIDDEN: u16 = 0x8000;

/// The smallest page of any architecture here: what is mapped is mapped in whole ones.
pub const PAGE: usize = 4096;

/// A function's place in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// Where it begins.
    pub address: usize,
    /// Its length in bytes.
    pub size: usize,
}

/// A loaded object.
pub struct Image<'a> {
    base: usize,
    /// From the first one of type PT_LOAD to the last.
    segments: &'a [ProgramHeader],
    tables: Tables,
}

/// The addresses of the tables; `None` where there is none. (The name is an offset in the strings.)
#[derive(Default)]
struct Tables {
    strings: Option<usize>,
    symbols: Option<usize>,
    gnu_hash: Option<usize>,
    hash: Option<usize>,
    versions: Option<usize>,
    name: Option<usize>,
}

impl Tables {
    fn take(&mut self, [tag, value]: Entry) {
        let place = match tag {
            DT_STRTAB => &mut self.strings,
            DT_SYMTAB => &mut self.symbols,
            DT_GNU_HASH => &mut self.gnu_hash,
            DT_HASH => &mut self.hash,
            DT_VERSYM => &mut self.versions,
            DT_SONAME => &mut self.name,
            _ => return,
        };
        *place = Some(value);
    }
}

/// The entries of a dynamic section.
///
/// # Safety
/// `entry` is the dynamic section of a loaded object, which the loader has read up to DT_NULL.
pub unsafe fn entries(mut entry: *const Entry) -> impl Iterator<Item = Entry> {
    core::iter::from_fn(move || {
        // SAFETY: DT_NULL has not come yet.
        let [tag, value] = unsafe { *entry };
        // SAFETY: as above.
        entry = unsafe { entry.add(1) };
        (tag != DT_NULL).then_some([tag, value])
    })
}

impl<'a> Image<'a> {
    /// A library that is loaded at `base` (as the loader says: what is added to addresses in its file)
    /// and whose dynamic section is `dynamic`. One whose file does not begin at address 0 is not looked at.
    ///
    /// `is_readable` says whether the memory at an address may be read: the loader maps no page at `base` for an
    /// object whose segments begin later, and none of its tables proves that it has, because it does not read them all.
    ///
    /// # Safety
    /// The loader has loaded such an object, and keeps it as long as the result.
    pub unsafe fn of_library(
        base: usize,
        dynamic: *const Entry,
        is_readable: fn(usize) -> bool,
    ) -> Option<Self> {
        if base == 0 || !base.is_multiple_of(PAGE) || dynamic.is_null() || !is_readable(base) {
            return None;
        }
        // SAFETY: the page at `base` may be read (checked above).
        let headers = unsafe { headers_at(base) }?;
        let begins_at_base = |header: &ProgramHeader| {
            header.p_type == PT_LOAD && header.p_offset == 0 && header.p_vaddr == 0
        };
        headers.iter().any(begins_at_base).then_some(())?;
        // SAFETY: the caller's promise.
        unsafe { Self::of_program(base, dynamic, headers) }
    }

    /// An object whose file is mapped from `start` on; `None` where that is no ELF file.
    ///
    /// # Safety
    /// `start` is the beginning of a page, a file is mapped there from its first byte on, that page may be read,
    /// and the file stays mapped as long as the result is used.
    pub unsafe fn of_mapped(start: usize) -> Option<Self> {
        // SAFETY: the caller's promise.
        let headers = unsafe { headers_at(start) }?;
        let begins = |header: &&ProgramHeader| header.p_type == PT_LOAD && header.p_offset == 0;
        let base = start.wrapping_sub(headers.iter().find(begins)?.p_vaddr as usize);
        let is_dynamic = |header: &&ProgramHeader| header.p_type == PT_DYNAMIC;
        let dynamic = base.wrapping_add(headers.iter().find(is_dynamic)?.p_vaddr as usize);
        // SAFETY: the caller's promise.
        unsafe { Self::of_program(base, dynamic as *const Entry, headers) }
    }

    /// An object whose program headers are known.
    ///
    /// # Safety
    /// As for [`of_library`](Self::of_library).
    pub unsafe fn of_program(
        base: usize,
        dynamic: *const Entry,
        headers: &'a [ProgramHeader],
    ) -> Option<Self> {
        let is_loaded = |header: &ProgramHeader| header.p_type == PT_LOAD;
        let first = headers.iter().position(is_loaded)?;
        let last = headers.iter().rposition(is_loaded)?;
        let mut image = Self {
            base,
            segments: headers.get(first..=last)?,
            tables: Tables::default(),
        };
        let is_dynamic = |header: &&ProgramHeader| header.p_type == PT_DYNAMIC;
        let segment = headers.iter().find(is_dynamic)?;
        // The base and the headers are of one object.
        if base.wrapping_add(segment.p_vaddr as usize) != dynamic as usize {
            return None;
        }
        let length = segment.p_memsz as usize / size_of::<Entry>();
        let entries: &[Entry] = image.slice(dynamic as usize, length)?;
        let entries = entries.iter().take_while(|[tag, _]| *tag != DT_NULL);
        let mut tables = Tables::default();
        entries.for_each(|entry| tables.take(*entry));
        image.tables = image.found(&tables)?;
        Some(image)
    }

    /// The tables where they lie in memory; `None` if one that is needed lies nowhere.
    fn found(&self, told: &Tables) -> Option<Tables> {
        let find = |table: Option<usize>| match table {
            Some(table) => self.resolve(table).map(Some),
            None => Some(None),
        };
        let hash = told.hash.filter(|_| told.gnu_hash.is_none());
        Some(Tables {
            strings: find(told.strings)?,
            symbols: find(told.symbols)?,
            gnu_hash: find(told.gnu_hash)?,
            hash: find(hash)?,
            versions: find(told.versions)?,
            name: told.name,
        })
    }

    /// Whether the object calls itself so (DT_SONAME).
    pub fn is_named(&self, name: &CStr) -> bool {
        let own = self.tables.name.and_then(|offset| self.string(offset));
        own == Some(name)
    }

    /// A function that the object defines, in code of its own.
    pub fn function(&self, name: &CStr) -> Option<Function> {
        let (kind, address, size) = self.symbol(name)?;
        let is_code = self.segment(address, size, PF_X).is_some();
        (kind == STT_FUNC && is_code).then_some(Function { address, size })
    }

    /// A variable that the object defines.
    pub fn variable<T>(&self, name: &CStr) -> Option<*const T> {
        let address = self.data(name, size_of::<T>(), align_of::<T>(), PF_R)?;
        Some(address as *const T)
    }

    /// A variable that the object defines and that may be written.
    pub fn writable_variable<T>(&self, name: &CStr) -> Option<*mut T> {
        let address = self.data(name, size_of::<T>(), align_of::<T>(), PF_R | PF_W)?;
        Some(address as *mut T)
    }

    /// The address of a variable that is at least this long.
    fn data(&self, name: &CStr, length: usize, alignment: usize, rights: u32) -> Option<usize> {
        let (kind, address, size) = self.symbol(name)?;
        let fits = size >= length && address.is_multiple_of(alignment);
        let is_data = fits && self.segment(address, size, rights).is_some();
        (kind == STT_OBJECT && is_data).then_some(address)
    }

    /// Whether a range may be read: code may be for executing alone.
    pub fn is_readable(&self, function: Function) -> bool {
        self.segment(function.address, function.size, PF_R)
            .is_some()
    }

    /// Where in the object's file the byte at an address comes from.
    pub fn place_in_file(&self, address: usize) -> Option<usize> {
        let place = address.wrapping_sub(self.base);
        self.segments.iter().find_map(|segment| {
            let into = place.checked_sub(segment.p_vaddr as usize)?;
            let is_there = segment.p_type == PT_LOAD && into < segment.p_filesz as usize;
            is_there.then(|| into.checked_add(segment.p_offset as usize))?
        })
    }

    /// Whether a segment of notes (elf(5), `PT_NOTE`) has one of this name.
    pub fn has_note(&self, segment: &ProgramHeader, name: &CStr) -> bool {
        let start = self.base.wrapping_add(segment.p_vaddr as usize);
        let end = start.saturating_add(segment.p_memsz as usize);
        let mut place = Some(start);
        while let Some((own, next)) = place.and_then(|place| self.note(place)) {
            if own == name.to_bytes_with_nul() {
                return true;
            }
            place = Some(next).filter(|next| *next < end);
        }
        false
    }

    /// The name of the note at an address, and where the next one is.
    fn note(&self, place: usize) -> Option<(&'a [u8], usize)> {
        let header: &[u32; 3] = self.slice(place, 1)?.first()?;
        let [name_length, length, _] = header.map(|number| number as usize);
        let name = place.checked_add(size_of_val(header))?;
        let padded = |length: usize| length.next_multiple_of(size_of::<u32>());
        let next = name.checked_add(padded(name_length))?;
        let next = next.checked_add(padded(length))?;
        Some((self.slice(name, name_length)?, next))
    }

    /// A symbol's type, address and size.
    fn symbol(&self, name: &CStr) -> Option<(u8, usize, usize)> {
        let index = match self.tables.gnu_hash {
            Some(table) => self.by_gnu_hash(table, name),
            None => self.by_hash(self.tables.hash?, name),
        }?;
        let symbol = self.symbol_at(index)?;
        let address = self.base.wrapping_add(symbol.st_value as usize);
        Some((symbol.st_info & 0xf, address, symbol.st_size as usize))
    }

    /// DT_GNU_HASH: header, Bloom filter, buckets, chains whose last element has bit 0 set. The filter
    /// says of most names at once that they are not there; a bucket of 0 is empty.
    fn by_gnu_hash(&self, table: usize, name: &CStr) -> Option<usize> {
        let wanted = gnu_hash(name.to_bytes());
        let [buckets, first, filters, shift] = *self.slice::<[u32; 4]>(table, 1)?.first()?;
        let filter = table.checked_add(size_of::<[u32; 4]>())?;
        let words: &[u64] = self.slice(filter, filters as usize)?;
        let word = *words.get((wanted as usize / 64) & words.len().checked_sub(1)?)?;
        let bits = 1 << (wanted % 64) | 1 << (wanted.checked_shr(shift).unwrap_or(0) % 64);
        if !words.len().is_power_of_two() || word & bits != bits {
            return None;
        }
        let bucket = filter.checked_add(size_of_val(words))?;
        let chain = bucket.checked_add((buckets as usize).checked_mul(size_of::<u32>())?)?;
        let buckets: &[u32] = self.slice(bucket, buckets as usize)?;
        let start = *buckets.get(wanted.checked_rem(buckets.len() as u32)? as usize)?;
        if start == 0 {
            return None;
        }
        let mut index = start.checked_sub(first)? as usize;
        loop {
            let place = chain.checked_add(index.checked_mul(size_of::<u32>())?)?;
            let hash = *self.slice::<u32>(place, 1)?.first()?;
            let symbol = index.checked_add(first as usize)?;
            if hash | 1 == wanted | 1 && self.is_meant(symbol, name)? {
                return Some(symbol);
            }
            if hash & 1 == 1 {
                return None;
            }
            index += 1;
        }
    }

    /// DT_HASH: bucket count, chain count, buckets, chains that end with 0.
    fn by_hash(&self, table: usize, name: &CStr) -> Option<usize> {
        let [buckets, chains] = *self.slice::<[u32; 2]>(table, 1)?.first()?;
        let length = (buckets as usize).checked_add(chains as usize)?;
        let start = table.checked_add(size_of::<[u32; 2]>())?;
        let (buckets, chains) = self
            .slice::<u32>(start, length)?
            .split_at_checked(buckets as usize)?;
        let bucket = sysv_hash(name.to_bytes()).checked_rem(buckets.len() as u32)?;
        let mut index = *buckets.get(bucket as usize)? as usize;
        // Each link once: a chain may be a circle.
        for _ in chains {
            if index == 0 {
                return None;
            }
            if self.is_meant(index, name)? {
                return Some(index);
            }
            index = *chains.get(index)? as usize;
        }
        None
    }

    /// Whether the loader would take a symbol for that name (glibc's elf/dl-lookup.c, `check_match`);
    /// `None` where a table ends.
    fn is_meant(&self, index: usize, name: &CStr) -> Option<bool> {
        let symbol = self.symbol_at(index)?;
        let is_defined = symbol.st_shndx != 0 && symbol.st_value != 0;
        if !is_defined || symbol.st_info >> 4 == STB_LOCAL {
            return Some(false);
        }
        if let Some(versions) = self.tables.versions {
            let place = versions.checked_add(index.checked_mul(size_of::<u16>())?)?;
            if *self.slice::<u16>(place, 1)?.first()? & HIDDEN != 0 {
                return Some(false);
            }
        }
        Some(self.string(symbol.st_name as usize)? == name)
    }

    fn symbol_at(&self, index: usize) -> Option<&Symbol> {
        let place = self
            .tables
            .symbols?
            .checked_add(index.checked_mul(size_of::<Symbol>())?)?;
        self.slice(place, 1)?.first()
    }

    /// A string of the string table.
    fn string(&self, offset: usize) -> Option<&CStr> {
        let address = self.tables.strings?.checked_add(offset)?;
        let rest = self.segment(address, 1, PF_R)?;
        CStr::from_bytes_until_nul(self.slice(address, rest)?).ok()
    }

    /// Where a table lies whose address stands in the dynamic section: glibc has added the base there,
    /// but for sections that are read-only; musl has not.
    fn resolve(&self, value: usize) -> Option<usize> {
        let relative = self.base.wrapping_add(value);
        let is_there = |address: &usize| self.segment(*address, 1, PF_R).is_some();
        match (is_there(&value), is_there(&relative)) {
            (true, false) => Some(value),
            (false, true) => Some(relative),
            (true, true) if value == relative => Some(value),
            _ => None,
        }
    }

    /// `count` values at an address, all of them in one segment that may be read.
    fn slice<T: Plain>(&self, address: usize, count: usize) -> Option<&'a [T]> {
        let length = count.checked_mul(size_of::<T>())?;
        if !address.is_multiple_of(align_of::<T>()) {
            return None;
        }
        self.segment(address, length, PF_R)?;
        // SAFETY: the address is aligned, and `segment` has checked that the whole range lies in one readable
        // segment of the object, which stays mapped for `'a`. `Plain` allows any content.
        Some(unsafe { slice::from_raw_parts(ptr::with_exposed_provenance(address), count) })
    }

    /// How many bytes there are from an address on to the end of its segment, where the segment has
    /// these rights and the range lies in it.
    fn segment(&self, address: usize, length: usize, rights: u32) -> Option<usize> {
        self.segments.iter().find_map(|header| {
            // The cheapest look first: a start comes here hundreds of times.
            if header.p_type != PT_LOAD || header.p_flags & rights != rights {
                return None;
            }
            let start = self.base.wrapping_add(header.p_vaddr as usize);
            let rest = (header.p_memsz as usize).checked_sub(address.wrapping_sub(start))?;
            (rest > 0 && rest >= length).then_some(rest)
        })
    }
}

/// A type that may be read from any bytes.
///
/// # Safety
/// Every pattern of bits is a valid value of the type, and the type has no padding.
unsafe trait Plain: Copy {}
// SAFETY: a number.
unsafe impl Plain for u8 {}
// SAFETY: a number.
unsafe impl Plain for u16 {}
// SAFETY: a number.
unsafe impl Plain for u32 {}
// SAFETY: a number.
unsafe impl Plain for u64 {}
// SAFETY: numbers.
unsafe impl<const N: usize> Plain for [u32; N] {}
// SAFETY: numbers.
unsafe impl Plain for Entry {}
// SAFETY: numbers, without padding.
unsafe impl Plain for Symbol {}

/// The program headers in the first page of an object.
///
/// # Safety
/// The page at `base` may be read as long as the result.
pub unsafe fn headers_at<'a>(base: usize) -> Option<&'a [ProgramHeader]> {
    // SAFETY: the caller promises that the page at `base` may be read. Objects are mapped at pages, so `base` is
    // aligned. The header has only numbers.
    let header = unsafe { &*(base as *const Header) };
    let count = usize::from(header.e_phnum);
    let length = count.checked_mul(size_of::<ProgramHeader>())?;
    let offset = header.e_phoff as usize;
    let is_elf = header.e_ident.starts_with(b"\x7fELF\x02\x01");
    let is_ours = usize::from(header.e_phentsize) == size_of::<ProgramHeader>();
    let fits = offset.checked_add(length).is_some_and(|end| end <= PAGE);
    let is_aligned = offset.is_multiple_of(align_of::<ProgramHeader>());
    if !is_elf || !is_ours || !fits || !is_aligned {
        return None;
    }
    // SAFETY: within the page.
    Some(unsafe { slice::from_raw_parts((base + offset) as *const ProgramHeader, count) })
}

/// The hash of DT_GNU_HASH.
fn gnu_hash(name: &[u8]) -> u32 {
    let step = |hash: u32, byte: &u8| hash.wrapping_mul(33).wrapping_add(u32::from(*byte));
    name.iter().fold(5381, step)
}

/// The hash of DT_HASH (System V gABI, "Hash Table").
fn sysv_hash(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, byte| {
        let hash = (hash << 4).wrapping_add(u32::from(*byte));
        let high = hash & 0xf000_0000;
        (hash ^ (high >> 24)) & !high
    })
}
