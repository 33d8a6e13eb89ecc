//! The callers of a hooked function's caller.

use frida_gum::Backtracer;
use frida_gum_sys::GumCpuContext;
use std::{mem, slice};

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
