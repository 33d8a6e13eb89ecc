//! The Gum engine object: `libopentelemetry_injector_gum.so`, loaded by the preload object where
//! it is installed beside it.
//!
//! Its whole interface is the C ABI below. It is loaded only after the preload object has tried
//! out that memory can be made writable and executable: otherwise Gum would abort the process.

use frida_gum::{Backtracer, Gum, NativePointer, interceptor::Interceptor};
use frida_gum_sys::GumCpuContext;
use lazy_static::lazy_static;
use std::ffi::{c_int, c_void};
use std::{mem, slice};

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

/// Writes the return addresses above the caller of a hooked function, innermost first; returns how
/// many.
///
/// `frame` is what the hook's entry has left on the stack: the caller's rbp, rbx, r12 to r15, and
/// the return address.
///
/// # Safety
/// `frame` is on the calling thread's stack; `frames` has room for `capacity` addresses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opentelemetry_injector_gum_backtrace(
    frame: *const [usize; 7],
    frames: *mut usize,
    capacity: usize,
) -> usize {
    // SAFETY: the caller's promise.
    let [rbp, rbx, r12, r13, r14, r15, rip] = unsafe { *frame };
    // SAFETY: plain numbers, for which all zeroes are valid.
    let mut context: GumCpuContext = unsafe { mem::zeroed() };
    context.rip = rip as u64;
    // As it is when the hooked function has come back.
    context.rsp = frame.wrapping_add(1) as u64;
    (context.rbp, context.rbx) = (rbp as u64, rbx as u64);
    (context.r12, context.r13) = (r12 as u64, r13 as u64);
    (context.r14, context.r15) = (r14 as u64, r15 as u64);
    // SAFETY: the caller's promise.
    let frames = unsafe { slice::from_raw_parts_mut(frames, capacity) };
    let limit = u32::try_from(capacity).unwrap_or(u32::MAX);
    let found = Backtracer::accurate_with_context_and_limit(&context, limit);
    // Gum takes the word at the stack's top for the first address; before a call it is none.
    let filled = frames.iter_mut().zip(found.into_iter().skip(1));
    filled.map(|(frame, address)| *frame = address).count()
}

fn pointer(address: usize) -> NativePointer {
    NativePointer(address as *mut c_void)
}
