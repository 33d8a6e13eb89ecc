//! Hook tracing: one line for each call of a hooked function.

use crate::attempt::attempt;
use crate::entry::machine::Frame;
use crate::sys::{log, memory_map};
use alloc::vec::Vec;
use core::ffi::{CStr, c_char};
use core::fmt;
use core::mem;
use core::sync::atomic::{AtomicUsize, Ordering};
use opentelemetry_injector_policy::reason::Lossy;

/// The deepest backtrace that is told.
const FRAMES: usize = 32;

/// Writes the return addresses above a frame's caller, at most as many as the last argument says;
/// returns how many there are (`opentelemetry_injector_gum_backtrace`).
pub type Backtrace = unsafe extern "C" fn(*const Frame, *mut usize, usize) -> usize;

/// The [`Backtrace`]; 0 where backtraces are off.
static BACKTRACE: AtomicUsize = AtomicUsize::new(0);

/// Turns backtraces on.
pub fn backtraces_by(backtrace: Backtrace) {
    BACKTRACE.store(backtrace as usize, Ordering::Release);
}

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
        for address in backtrace(frame) {
            log::line(format_args!("    at {}", Place::of(address)));
        }
    });
}

/// The return addresses above the hook's caller, where backtraces are on.
fn backtrace(frame: &Frame) -> Vec<usize> {
    let address = BACKTRACE.load(Ordering::Acquire);
    if address == 0 {
        return Vec::new();
    }
    // SAFETY: `backtraces_by` stored such a function.
    let backtrace = unsafe { mem::transmute::<usize, Backtrace>(address) };
    let mut frames = alloc::vec![0; FRAMES];
    // SAFETY: room for FRAMES addresses.
    let count = unsafe { backtrace(frame, frames.as_mut_ptr(), FRAMES) };
    frames.truncate(count);
    frames
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
                path: mapped.path,
                offset: address.wrapping_sub(mapped.start),
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
