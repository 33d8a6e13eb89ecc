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

/// All mappings as the kernel tells them; nothing where /proc is hidden.
pub fn content() -> Vec<u8> {
    kernel::read_all(c"/proc/self/maps").unwrap_or_default()
}
