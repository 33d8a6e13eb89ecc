//! The objects that the loader has mapped, and the functions they define.
//!
//! libc's functions are looked up in libc's own symbol table: a program may define a `getenv` of
//! its own (bash does), and `dlsym` would need a newer glibc than this object does.

use crate::entry::machine_code;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::sync::atomic::{AtomicPtr, Ordering};
use core::{ptr, slice};
use libc::{
    Elf64_Addr as Address, Elf64_Ehdr as FileHeader, Elf64_Phdr as ProgramHeader,
    Elf64_Sym as Symbol,
};
use libc::{PF_R, PT_DYNAMIC, PT_LOAD, PT_PHDR};
use opentelemetry_injector_policy::process::{directory, file_name};

/// One loaded object, for the duration of a visit.
pub struct Object<'a> {
    /// Its path as the loader has it; empty for the executable.
    pub path: &'a CStr,
    base: usize,
    headers: &'a [ProgramHeader],
}

/// A function's place in memory.
#[derive(Clone, Copy)]
pub struct Function {
    /// Where it begins.
    pub address: usize,
    /// Its length in bytes.
    pub size: usize,
}

/// Visits the loaded objects in the loader's order until `visit` returns something.
pub fn find<R>(mut visit: impl FnMut(&Object<'_>) -> Option<R>) -> Option<R> {
    struct Search<'v, R> {
        visit: &'v mut dyn FnMut(&Object<'_>) -> Option<R>,
        found: Option<R>,
    }

    unsafe extern "C" fn each<R>(
        info: *mut libc::dl_phdr_info,
        _: usize,
        data: *mut c_void,
    ) -> c_int {
        // SAFETY: `data` is the `Search` below; `info` is valid during this call
        // (dl_iterate_phdr(3)).
        let (search, info) = unsafe { (&mut *data.cast::<Search<'_, R>>(), &*info) };
        if info.dlpi_phdr.is_null() || info.dlpi_name.is_null() {
            return 0;
        }
        // SAFETY: the loader's own table and name.
        let (headers, path) = unsafe {
            let count = usize::from(info.dlpi_phnum);
            (
                slice::from_raw_parts(info.dlpi_phdr, count),
                CStr::from_ptr(info.dlpi_name),
            )
        };
        let base = info.dlpi_addr as usize;
        let object = Object {
            path,
            base,
            headers,
        };
        search.found = (search.visit)(&object);
        c_int::from(search.found.is_some())
    }

    let mut search = Search {
        visit: &mut visit,
        found: None,
    };
    // SAFETY: `each` gets the search that it expects.
    unsafe { libc::dl_iterate_phdr(Some(each::<R>), (&raw mut search).cast()) };
    search.found
}

/// The preload object's path as the loader has it: a string of the loader's own, which stays.
static OWN_PATH: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());

/// Looks for the preload object itself; in the constructor, where the loader's lock is free.
pub fn find_own_path() {
    let ours = machine_code::entry as *const () as usize;
    find(|object| {
        let path = object.path.as_ptr().cast_mut();
        object
            .contains(ours)
            .then(|| OWN_PATH.store(path, Ordering::Release))
    });
}

/// The folder that the preload object was loaded from; empty where it is not known.
pub fn own_folder() -> &'static [u8] {
    let path = OWN_PATH.load(Ordering::Acquire);
    match path.is_null() {
        true => b"",
        // SAFETY: the loader keeps the name of an object that is never unloaded.
        false => directory(unsafe { CStr::from_ptr(path) }.to_bytes()),
    }
}

/// Whether the executable defines a function for others. Asks neither the loader, whose lock another
/// thread may hold, nor /proc: the kernel tells where the program headers are (getauxval(3)).
pub fn executable_defines(name: &CStr) -> bool {
    // SAFETY: getauxval(3) has no requirements.
    let [headers, count] =
        [libc::AT_PHDR, libc::AT_PHNUM].map(|tag| unsafe { libc::getauxval(tag) });
    if headers == 0 {
        return false;
    }
    let start = headers as *const ProgramHeader;
    // SAFETY: the executable's own table, which stays mapped.
    let headers = unsafe { slice::from_raw_parts(start, count as usize) };
    let Some(own) = headers.iter().find(|header| header.p_type == PT_PHDR) else {
        return false;
    };
    let object = Object {
        path: c"",
        base: (start as usize).wrapping_sub(own.p_vaddr as usize),
        headers,
    };
    object.function(name).is_some()
}

impl Object<'_> {
    /// The object whose file is mapped from `start` on; `None` where that is no ELF file.
    ///
    /// # Safety
    /// A file is mapped there, its first page may be read, and it is never unmapped meanwhile.
    pub unsafe fn mapped_at(start: usize) -> Option<Self> {
        // SAFETY: the caller's promise: the header is in the file's first page.
        let header = unsafe { &*(start as *const FileHeader) };
        if header.e_ident.get(..4) != Some(b"\x7fELF") {
            return None;
        }
        let headers = (start + header.e_phoff as usize) as *const ProgramHeader;
        // SAFETY: the loader has read them there.
        let headers = unsafe { slice::from_raw_parts(headers, usize::from(header.e_phnum)) };
        // The first segment begins with the header, so that the file's addresses are known.
        let first = headers.iter().find(|header| header.p_type == PT_LOAD)?;
        (first.p_offset == 0).then_some(Self {
            path: c"",
            base: start.wrapping_sub(first.p_vaddr as usize),
            headers,
        })
    }

    /// Whether one of the object's mappings holds an address.
    fn contains(&self, address: usize) -> bool {
        self.segment(address).is_some()
    }

    /// Whether a mapping that holds an address may be read: code may be for executing alone.
    pub fn is_readable(&self, address: usize) -> bool {
        let segment = self.segment(address);
        segment.is_some_and(|segment| segment.p_flags & PF_R != 0)
    }

    fn segment(&self, address: usize) -> Option<&ProgramHeader> {
        let mut headers = self.headers.iter();
        headers.find(|header| {
            let start = self.base + header.p_vaddr as usize;
            let range = start..start + header.p_memsz as usize;
            header.p_type == PT_LOAD && range.contains(&address)
        })
    }

    /// Whether this is the process's libc: glibc's or musl's.
    pub fn is_libc(&self) -> bool {
        self.is_glibc() || is_musl(self.path.to_bytes())
    }

    /// Whether this is glibc.
    pub fn is_glibc(&self) -> bool {
        self.is_named(c"libc.so.6")
    }

    /// Whether the object calls itself so (DT_SONAME).
    pub fn is_named(&self, name: &CStr) -> bool {
        let tables = self.tables();
        tables.is_some_and(|tables| tables.name() == Some(name))
    }

    /// A function that the object defines.
    pub fn function(&self, name: &CStr) -> Option<Function> {
        let tables = self.tables()?;
        let symbol = tables.symbol(name)?;
        let is_function = symbol.st_info & 0xf == STT_FUNC;
        (is_function && symbol.st_shndx != 0).then(|| Function {
            address: self.base + symbol.st_value as usize,
            size: symbol.st_size as usize,
        })
    }

    /// A variable that the object defines.
    pub fn variable(&self, name: &CStr) -> Option<*const c_char> {
        let tables = self.tables()?;
        let symbol = tables.symbol(name)?;
        let defined = symbol.st_info & 0xf == STT_OBJECT && symbol.st_shndx != 0;
        defined.then_some((self.base + symbol.st_value as usize) as *const c_char)
    }

    fn tables(&self) -> Option<Tables> {
        let mut headers = self.headers.iter();
        let dynamic = headers.find(|header| header.p_type == PT_DYNAMIC)?;
        let start = (self.base + dynamic.p_vaddr as usize) as *const [usize; 2];
        // SAFETY: a loaded object's dynamic section ends with DT_NULL.
        Some(unsafe { Tables::read(start, self.base) })
    }
}

/// musl's libc is its loader, by either of its names; Debian's has no DT_SONAME.
fn is_musl(path: &[u8]) -> bool {
    let name = file_name(path);
    name.starts_with(b"ld-musl-") || name == b"libc.so"
}

const STT_OBJECT: u8 = 1;
const STT_FUNC: u8 = 2;

// Tags of the dynamic section (System V gABI, "Dynamic Section").
const DT_NULL: usize = 0;
const DT_HASH: usize = 4;
const DT_STRTAB: usize = 5;
const DT_SYMTAB: usize = 6;
const DT_SONAME: usize = 14;
const DT_GNU_HASH: usize = 0x6fff_fef5;

/// The tables of one object that a symbol is found through. Null where the object has none.
struct Tables {
    strings: *const c_char,
    symbols: *const Symbol,
    gnu_hash: *const u32,
    hash: *const u32,
    name: Option<usize>,
}

impl Tables {
    /// # Safety
    /// `entry` is the dynamic section of an object loaded at `base`.
    unsafe fn read(mut entry: *const [usize; 2], base: usize) -> Self {
        let mut tables = Self {
            strings: ptr::null(),
            symbols: ptr::null(),
            gnu_hash: ptr::null(),
            hash: ptr::null(),
            name: None,
        };
        // glibc has added the base to the addresses here, musl has not.
        let absolute = |value: usize| if value < base { base + value } else { value };
        loop {
            // SAFETY: DT_NULL has not come yet.
            let [tag, value] = unsafe { *entry };
            match tag {
                DT_NULL => return tables,
                DT_STRTAB => tables.strings = absolute(value) as *const c_char,
                DT_SYMTAB => tables.symbols = absolute(value) as *const Symbol,
                DT_GNU_HASH => tables.gnu_hash = absolute(value) as *const u32,
                DT_HASH => tables.hash = absolute(value) as *const u32,
                DT_SONAME => tables.name = Some(value),
                _ => {}
            }
            // SAFETY: as above.
            entry = unsafe { entry.add(1) };
        }
    }

    fn name(&self) -> Option<&CStr> {
        // SAFETY: DT_SONAME is an offset into the string table.
        self.name.map(|offset| unsafe { self.string(offset) })
    }

    /// # Safety
    /// The object has a string table and `offset` lies in it.
    unsafe fn string(&self, offset: usize) -> &CStr {
        // SAFETY: the caller's promise; the table consists of C strings.
        unsafe { CStr::from_ptr(self.strings.add(offset)) }
    }

    fn symbol(&self, name: &CStr) -> Option<&Symbol> {
        if self.strings.is_null() || self.symbols.is_null() {
            return None;
        }
        // SAFETY: the loader itself looks symbols up in these tables, by the same rules.
        unsafe {
            match (self.gnu_hash.is_null(), self.hash.is_null()) {
                (false, _) => self.by_gnu_hash(name),
                (true, false) => self.by_hash(name),
                (true, true) => None,
            }
        }
    }

    /// DT_GNU_HASH: header, Bloom filter, buckets, chains whose last element has bit 0 set.
    ///
    /// # Safety
    /// The tables are those of a loaded object.
    unsafe fn by_gnu_hash(&self, name: &CStr) -> Option<&Symbol> {
        let wanted = gnu_hash(name.to_bytes());
        // SAFETY: the table's own header says how long its parts are.
        unsafe {
            let [buckets, first, filters] = [0, 1, 2].map(|i| *self.gnu_hash.add(i));
            if buckets == 0 {
                return None;
            }
            let words = size_of::<Address>() / size_of::<u32>();
            let bucket = self.gnu_hash.add(4 + filters as usize * words);
            let chain = bucket.add(buckets as usize);
            let mut index = *bucket.add((wanted % buckets) as usize);
            if index < first {
                return None;
            }
            loop {
                let hash = *chain.add((index - first) as usize);
                let symbol = &*self.symbols.add(index as usize);
                if hash | 1 == wanted | 1 && self.string(symbol.st_name as usize) == name {
                    return Some(symbol);
                }
                if hash & 1 == 1 {
                    return None;
                }
                index += 1;
            }
        }
    }

    /// DT_HASH: bucket count, chain count, buckets, chains that end with 0.
    ///
    /// # Safety
    /// The tables are those of a loaded object.
    unsafe fn by_hash(&self, name: &CStr) -> Option<&Symbol> {
        // SAFETY: the table's own header says how long its parts are.
        unsafe {
            let buckets = *self.hash;
            if buckets == 0 {
                return None;
            }
            let bucket = self.hash.add(2);
            let chain = bucket.add(buckets as usize);
            let mut index = *bucket.add((sysv_hash(name.to_bytes()) % buckets) as usize);
            while index != 0 {
                let symbol = &*self.symbols.add(index as usize);
                if self.string(symbol.st_name as usize) == name {
                    return Some(symbol);
                }
                index = *chain.add(index as usize);
            }
            None
        }
    }
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
