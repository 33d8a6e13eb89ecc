//! The objects that the loader has mapped, and the functions that they define.
//!
//! The list is the one that the loader keeps for debuggers (`r_debug` and `link_map`, glibc's link.h).
//! Walking it calls nothing that takes a lock or that a program may define. libc's functions are looked
//! up in libc's own symbol table, because a program may define its own `getenv` (bash does), and `dlsym`
//! would need a newer glibc than this object does.

use crate::constructor::at_start::AtStart;
use crate::hook::elf::{self, Entry, Function, Image};
use crate::sys::{auxiliary, kernel};
use crate::version;
use core::ffi::{CStr, c_char, c_int};
use core::sync::atomic::{AtomicPtr, Ordering};
use core::{iter, ptr, slice};
use libc::{Elf64_Ehdr as Header, Elf64_Phdr as ProgramHeader};
use libc::{PT_DYNAMIC, PT_LOAD, PT_NOTE, PT_PHDR};
use opentelemetry_injector_policy::process::{directory, file_name};

/// The beginning of an entry, which glibc and musl have in common.
#[repr(C)]
struct LinkMap {
    base: usize,
    name: *const c_char,
    dynamic: *const Entry,
    next: *const LinkMap,
}

/// The beginning of `r_debug`.
#[repr(C)]
struct Debug {
    version: c_int,
    first: *const LinkMap,
}

/// Where the loader tells debuggers of its [`Debug`]: in the executable's dynamic section.
const DT_DEBUG: usize = 21;

unsafe extern "C" {
    /// The preload object's own dynamic section, which the linker names so.
    #[link_name = "_DYNAMIC"]
    static OWN_DYNAMIC: Entry;
}

/// One loaded object.
pub struct Object {
    /// Its path as the loader has it; empty for the executable.
    pub path: &'static CStr,
    base: usize,
    dynamic: *const Entry,
}

impl Object {
    fn of(entry: &LinkMap) -> Option<Self> {
        if entry.name.is_null() || entry.dynamic.is_null() {
            return None;
        }
        Some(Self {
            // SAFETY: `l_name` is a C string of the loader that lives as long as the object is loaded. The list is
            // only walked in the constructor, where nothing is unloaded.
            path: unsafe { CStr::from_ptr(entry.name) },
            base: entry.base,
            dynamic: entry.dynamic,
        })
    }

    fn file_name(&self) -> &[u8] {
        file_name(self.path.to_bytes())
    }

    /// Its tables; `None` where they are not as the loader itself would want them.
    fn image(&self) -> Option<Image<'static>> {
        // SAFETY: an object of the loader's list; nothing is unloaded in the constructor.
        unsafe { Image::of_library(self.base, self.dynamic, kernel::is_readable_at_start) }
    }

    fn has_note(&self, name: &CStr) -> bool {
        self.image().is_some_and(|image| {
            // SAFETY: the page can be read: it is where the image's tables have been found from.
            let headers = unsafe { elf::headers_at(self.base) };
            headers.is_some_and(|headers| has_note(&image, headers, name))
        })
    }
}

/// The loaded objects in the loader's order.
///
/// Not inlined, so that who reaches it is seen in the object's code.
#[inline(never)]
fn loaded(start: &AtStart) -> impl Iterator<Item = Object> + use<> {
    let first = debug(start).map_or(ptr::null(), |debug| debug.first);
    // SAFETY: null or the loader's list, which nobody changes meanwhile.
    let follow = |entry: *const LinkMap| unsafe { entry.as_ref() };
    let entries = iter::successors(follow(first), move |entry| follow(entry.next));
    entries.filter_map(Object::of)
}

/// The loader's `r_debug`, whose list of objects debuggers read.
fn debug(start: &AtStart) -> Option<&'static Debug> {
    let (base, dynamic, headers) = executable()?;
    // SAFETY: the executable's dynamic section, which the loader has read.
    let mut entries = unsafe { elf::entries(dynamic) };
    let told = entries.find(|[tag, value]| *tag == DT_DEBUG && *value != 0);
    // A program may be linked without that place, and musl's loader, run as a command, leaves its own
    // headers where the executable's should be.
    let told = told.map(|[_, value]| value as *const Debug).or_else(|| {
        let loader = match start.auxiliary().loader {
            // SAFETY: the kernel has mapped the loader there from its header on.
            0 => unsafe { Image::of_program(base, dynamic, headers) },
            // SAFETY: as above.
            loader => unsafe { Image::of_mapped(loader) },
        }?;
        let own = loader.variable::<Debug>(c"_r_debug");
        own.or_else(|| {
            let pointer = loader.variable::<*const Debug>(c"_dl_debug_addr")?;
            // SAFETY: `variable` has found it in the loader's data with the size and alignment of a pointer.
            Some(unsafe { *pointer })
        })
    })?;
    // SAFETY: null, or the loader's `r_debug`, which lives as long as the process.
    unsafe { told.as_ref() }
}

/// Base, dynamic section and program headers of what the kernel (or glibc's loader, run as a command) has
/// told of as the executable. They are there as long as the process: an answer may ask, too.
fn executable() -> Option<(usize, *const Entry, &'static [ProgramHeader])> {
    let (address, count) = auxiliary::program_headers()?;
    // SAFETY: AT_PHDR and AT_PHNUM (getauxval(3)) say where the executable's program headers are mapped, and how
    // many there are. The executable is never unmapped.
    let headers = unsafe { slice::from_raw_parts(address as *const ProgramHeader, count) };
    let base = base_of(headers, address)?;
    let is_dynamic = |header: &&ProgramHeader| header.p_type == PT_DYNAMIC;
    let dynamic = headers.iter().find(is_dynamic)?.p_vaddr as usize;
    Some((base, base.wrapping_add(dynamic) as *const Entry, headers))
}

/// The executable's tables.
fn executables_image() -> Option<Image<'static>> {
    let (base, dynamic, headers) = executable()?;
    // SAFETY: the loader has loaded it, and it stays.
    unsafe { Image::of_program(base, dynamic, headers) }
}

/// What is added to addresses in the file of which the kernel tells: the headers tell their own place
/// there. Where they do not (musl's loader), they follow the file's header, with which it is mapped.
fn base_of(headers: &[ProgramHeader], address: usize) -> Option<usize> {
    if let Some(own) = headers.iter().find(|header| header.p_type == PT_PHDR) {
        return Some(address.wrapping_sub(own.p_vaddr as usize));
    }
    let begins = |header: &&ProgramHeader| header.p_type == PT_LOAD && header.p_offset == 0;
    let first = headers.iter().find(begins)?;
    let header = address.checked_sub(size_of::<Header>())?;
    let base = header.wrapping_sub(first.p_vaddr as usize);
    header.is_multiple_of(elf::PAGE).then_some(base)
}

/// A variable of the executable's own, a copy of a library's among them.
pub fn executables_variable<T>(name: &CStr) -> Option<*const T> {
    executables_image()?.variable(name)
}

/// Whether the executable defines a function for others. Asks neither the loader, whose lock another
/// thread may hold, nor /proc.
pub fn executable_defines(name: &CStr) -> bool {
    executables_image().is_some_and(|image| image.function(name).is_some())
}

/// Whether the executable has a note of this name.
pub fn executable_has_note(name: &CStr) -> bool {
    let (Some(image), Some((_, _, headers))) = (executables_image(), executable()) else {
        return false;
    };
    has_note(&image, headers, name)
}

fn has_note(image: &Image<'_>, headers: &[ProgramHeader], name: &CStr) -> bool {
    let mut notes = headers.iter().filter(|header| header.p_type == PT_NOTE);
    notes.any(|segment| image.has_note(segment, name))
}

/// A process's libc.
pub struct Libc {
    /// Its path as the loader has it.
    path: &'static CStr,
    /// Its tables.
    pub image: Image<'static>,
    /// Whether it is glibc; else it is musl.
    pub is_glibc: bool,
}

impl Libc {
    /// The one of this process.
    pub fn find(start: &AtStart) -> Option<Self> {
        let by_name = |object: Object| {
            let is_glibc = object.file_name() == GLIBC.to_bytes();
            if !is_glibc && !is_musl(object.file_name()) {
                return None;
            }
            let image = object.image()?;
            let is_it = !is_glibc || image.is_named(GLIBC);
            is_it.then_some(Self {
                path: object.path,
                image,
                is_glibc,
            })
        };
        let by_own_name = |object: Object| {
            let image = object.image()?;
            image.is_named(GLIBC).then_some(Self {
                path: object.path,
                image,
                is_glibc: true,
            })
        };
        // The file may have any name (a bundle's); most have the right one.
        let found = loaded(start).find_map(by_name);
        found.or_else(|| loaded(start).find_map(by_own_name))
    }

    /// Whether libc's file has these bytes where those at an address come from: `false` where it cannot be read, or is
    /// not the loaded one any more.
    pub fn has_in_file<const LENGTH: usize>(&self, address: usize, bytes: &[u8; LENGTH]) -> bool {
        let Ok(file) = kernel::open(self.path, libc::O_RDONLY, 0) else {
            return false;
        };
        let mut there = [0; LENGTH];
        let place = self.image.place_in_file(address);
        place.is_some_and(|place| kernel::read_at(&file, &mut there, place) == Ok(LENGTH))
            && there == *bytes
    }
}

/// glibc's name for itself (DT_SONAME).
const GLIBC: &CStr = c"libc.so.6";

/// musl's libc is its loader, by either of its names; Debian's has no DT_SONAME.
fn is_musl(name: &[u8]) -> bool {
    name.starts_with(b"ld-musl-") || name == b"libc.so"
}

/// The libraries whose path `is_wanted` accepts.
pub fn library(start: &AtStart, is_wanted: impl Fn(&CStr) -> bool) -> Option<Image<'static>> {
    let mut objects = loaded(start);
    objects.find_map(|object| is_wanted(object.path).then(|| object.image()).flatten())
}

/// Whether another copy of the preload object is loaded, of whatever version: its note tells.
pub fn is_another_copy_loaded(start: &AtStart) -> bool {
    loaded(start).any(|object| {
        !ptr::eq(object.dynamic, &raw const OWN_DYNAMIC) && object.has_note(version::OWNER)
    })
}

/// The preload object's path as the loader has it: a string of the loader's own, which stays.
static OWN_PATH: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());

/// Looks for the preload object itself.
pub fn find_own_path(start: &AtStart) {
    let own = loaded(start).find(|object| ptr::eq(object.dynamic, &raw const OWN_DYNAMIC));
    if let Some(own) = own {
        OWN_PATH.store(own.path.as_ptr().cast_mut(), Ordering::Release);
    }
}

/// The folder that the preload object was loaded from; empty where it is not known.
pub fn own_folder() -> &'static [u8] {
    let path = OWN_PATH.load(Ordering::Acquire);
    if path.is_null() {
        b""
    } else {
        // SAFETY: the loader keeps the name of an object that is never unloaded.
        directory(unsafe { CStr::from_ptr(path) }.to_bytes())
    }
}

/// The address of a function that a library defines.
pub fn address(image: &Image<'_>, name: &CStr) -> Option<usize> {
    image.function(name).map(|Function { address, .. }| address)
}
