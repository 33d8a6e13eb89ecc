//! The Gum engine object: `libopentelemetry_injector_gum.so`, loaded by the preload object where
//! it is installed beside it.
//!
//! Its whole interface is the C ABI below. It is loaded only after the preload object has tried
//! out that memory can be made writable and executable: otherwise Gum would abort the process.

// Registers as the hook's entry leaves them, which are each architecture's own.
#[cfg(target_arch = "x86_64")]
mod backtrace;

use frida_gum::{Gum, NativePointer, interceptor::Interceptor};
use lazy_static::lazy_static;
use std::ffi::{c_int, c_void};
use std::slice;

// Before the standard library's own request for the shared one, so that the linker needs neither
// libgcc_s nor libm.
#[cfg(static_unwinder)]
#[link(name = "gcc_eh", kind = "static", modifiers = "-bundle")]
unsafe extern "C" {}
#[cfg(static_unwinder)]
#[link(name = "c")]
unsafe extern "C" {}

lazy_static! {
    /// Dropping it would revert every hook, so it lives as long as the process.
    static ref GUM: Gum = Gum::obtain();
}

/// Replaces functions in place.
///
/// `pairs` points to `count` pairs of addresses, each a function and its replacement. The address
/// at which the first function's original code can be called is written to `trampoline` before any
/// replacement can run. Returns 0, or 1 where nothing was replaced.
///
/// # Safety
/// The pointers are valid; each replacement has its function's signature; each function's memory
/// can be made writable and executable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opentelemetry_injector_gum_replace(
    pairs: *const [usize; 2],
    count: usize,
    trampoline: *mut usize,
) -> c_int {
    // SAFETY: the caller's promise.
    let pairs = unsafe { slice::from_raw_parts(pairs, count) };
    let mut interceptor = Interceptor::obtain(&GUM);
    interceptor.begin_transaction();
    let mut failed = pairs.is_empty();
    for (index, [function, replacement]) in pairs.iter().copied().enumerate() {
        let (function, replacement) = (pointer(function), pointer(replacement));
        match interceptor.replace_fast(function, replacement) {
            // SAFETY: the caller's promise.
            Ok(original) if index == 0 => unsafe { *trampoline = original.0 as usize },
            Ok(_) => {}
            Err(_) => failed = true,
        }
    }
    if failed {
        for [function, _] in pairs {
            interceptor.revert(pointer(*function));
        }
    }
    interceptor.end_transaction();
    c_int::from(failed)
}

fn pointer(address: usize) -> NativePointer {
    NativePointer(address as *mut c_void)
}
