//! Hook tracing: one line for each call of a hooked function.

use crate::attempt::attempt;
use crate::entry::machine::Frame;
use crate::sys::{log, memory_map};
use alloc::vec::Vec;
use core::ffi::{CStr, c_char};
use core::fmt;
use opentelemetry_injector_policy::reason::Lossy;

/// Tells of one call. Values are not shown: they may be secrets.
pub fn call(name: *const c_char, original: *const c_char, answer: *const c_char, frame: &Frame) {
    let outcome = match (original.is_null(), core::ptr::eq(original, answer)) {
        (_, false) => "injected",
        (false, true) => "hit",
        (true, true) => "miss",
    };
    attempt(|| {
        let name = if name.is_null() {
            c"(null)"
        } else {
            // SAFETY: the call has read it as a C string.
            unsafe { CStr::from_ptr(name) }
        };
        let place = Place::of(frame.return_address);
        log::line(format_args!(
            "getenv(\"{}\") {outcome}, called from {place}",
            Lossy(name.to_bytes())
        ));
    });
}

/// An address as its object's path and the offset from where that is loaded, as `addr2line` takes
/// it.
struct Place {
    path: Vec<u8>,
    offset: usize,
}

impl Place {
    fn of(address: usize) -> Self {
        match memory_map::at(address) {
            Some(mapped) => Self {
                offset: if memory_map::is_where_it_says(&mapped) {
                    address
                } else {
                    address.wrapping_sub(mapped.start) + mapped.offset
                },
                path: mapped.path,
            },
            None => Self {
                path: b"(no object)".to_vec(),
                offset: address,
            },
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:#x}", Lossy(&self.path), self.offset)
    }
}
