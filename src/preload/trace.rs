//! Hook tracing: a line for every call of a hooked function.

use crate::attempt::{Memory, attempt};
use crate::{gum, loaded_objects, log};
use alloc::vec::Vec;
use core::ffi::{CStr, c_char};
use core::fmt;
use opentelemetry_injector_policy::reason::Lossy;

/// Tells of one call. Values are not shown: they may be secrets.
pub fn call(name: *const c_char, original: *const c_char, answer: *const c_char, caller: usize) {
    let outcome = match (original.is_null(), core::ptr::eq(original, answer)) {
        (_, false) => "injected",
        (false, true) => "hit",
        (true, true) => "miss",
    };
    attempt(|| {
        let name = match name.is_null() {
            true => c"(null)",
            // SAFETY: the call has read it as a C string.
            false => unsafe { CStr::from_ptr(name) },
        };
        let place = Place::of(caller);
        log::line(format_args!(
            "getenv(\"{}\") {outcome}, called from {place}",
            Lossy(name.to_bytes())
        ));
        for frame in above(caller, gum::backtrace()) {
            log::line(format_args!("    at {}", Place::of(frame)));
        }
        ((), Memory::Freed)
    });
}

/// The frames above the caller; all of them where the caller is not among them.
fn above(caller: usize, mut frames: Vec<usize>) -> Vec<usize> {
    if let Some(index) = frames.iter().position(|frame| *frame == caller) {
        frames.drain(..=index);
    }
    frames
}

/// An address as its object's path and the offset in it, as `addr2line` takes them.
struct Place {
    path: Vec<u8>,
    offset: usize,
}

impl Place {
    fn of(address: usize) -> Self {
        let found = loaded_objects::find(|object| {
            object.contains(address).then(|| Self {
                path: object.path.to_bytes().to_vec(),
                offset: address.wrapping_sub(object.base()),
            })
        });
        found.unwrap_or(Self {
            path: b"(no object)".to_vec(),
            offset: address,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The loader has no name for the executable.
        let path: &[u8] = match self.path.is_empty() {
            true => b"executable",
            false => &self.path,
        };
        write!(f, "{}+{:#x}", Lossy(path), self.offset)
    }
}
