//! The process's memory mappings (`/proc/self/maps`, proc(5)), which give an address its name.
//!
//! The loader's own list would need the loader's lock. Another thread may hold it, and in a child of fork
//! that thread does not exist. The mappings are read inside an attempt.

use crate::sys::kernel;
use alloc::vec::Vec;
use opentelemetry_injector_policy::formats::mappings::{self, Mapped};

/// The file that is mapped at an address.
pub fn at(address: usize) -> Option<Mapped> {
    mappings::find(&content(), |mapped| {
        (mapped.start..mapped.end).contains(&address)
    })
}

/// Whether a mapped file is an executable that is linked to fixed addresses (ET_EXEC in its ELF header, elf(5)).
pub fn is_where_it_says(mapped: &Mapped) -> bool {
    const LENGTH: usize = 18;
    if !kernel::is_readable(mapped.start) {
        return false;
    }
    // SAFETY: the page can be read, and is read as bytes. An address of its code is about to be told, so it is in use
    // and stays mapped.
    let header = unsafe { (mapped.start as *const [u8; LENGTH]).read_volatile() };
    matches!(header, [0x7f, b'E', b'L', b'F', .., 2, 0])
}

/// All mappings as the kernel tells them; nothing where /proc is hidden.
pub fn content() -> Vec<u8> {
    kernel::read_all(c"/proc/self/maps").unwrap_or_default()
}
