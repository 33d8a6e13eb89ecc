//! What runs instead of libc's `getenv` and `secure_getenv`.

use crate::{answers, environment, trace};
use core::ffi::{CStr, c_char};
use core::mem;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use opentelemetry_injector_policy::Variable;

type Getenv = unsafe extern "C" fn(*const c_char) -> *const c_char;

/// libc's own `getenv` behind Gum's trampoline; 0 with the direct engine, which asks `environ`.
static ORIGINAL: AtomicUsize = AtomicUsize::new(0);

/// Whether every call is told.
static TRACING: AtomicBool = AtomicBool::new(false);

/// Sets where libc's own `getenv` is to be had; before the hook is in place.
pub fn call_original_at(trampoline: usize) {
    ORIGINAL.store(trampoline, Ordering::Release);
}

/// Turns hook tracing on; before the hook is in place.
pub fn trace_calls() {
    TRACING.store(true, Ordering::Release);
}

/// The hook. For a name that is not watched it allocates nothing, takes no lock and makes no
/// system call: it may run in a signal handler, between fork and exec, and in any thread.
///
/// # Safety
/// As for getenv(3).
pub unsafe extern "C" fn answer(name: *const c_char, caller: usize) -> *const c_char {
    // SAFETY: the caller's promise.
    let original = unsafe { original(name) };
    // SAFETY: `original` has read the name, unless there is no environment at all.
    let variable = match name.is_null() {
        true => None,
        false => unsafe { watched(name) },
    };
    let answer = match variable {
        None => original,
        Some(variable) => answers::answer(variable, original),
    };
    if TRACING.load(Ordering::Relaxed) {
        trace::call(name, original, answer, caller);
    }
    answer
}

#[inline(always)]
unsafe fn original(name: *const c_char) -> *const c_char {
    match ORIGINAL.load(Ordering::Relaxed) {
        // SAFETY: the caller's promise.
        0 => unsafe { environment::scan(name) },
        address => {
            // SAFETY: Gum's trampoline has the signature of the function it stands for.
            let getenv = unsafe { mem::transmute::<usize, Getenv>(address) };
            // SAFETY: the caller's promise.
            unsafe { getenv(name) }
        }
    }
}

/// The watched variable of that name. Most names differ in their first character.
#[inline(always)]
unsafe fn watched(name: *const c_char) -> Option<Variable> {
    // SAFETY: a C string.
    let first = unsafe { *name.cast::<u8>() };
    let mut candidates = Variable::ALL.into_iter();
    candidates.find(|variable| {
        first == variable.name().as_bytes()[0]
            // SAFETY: a C string.
            && unsafe { CStr::from_ptr(name) }.to_bytes() == variable.name().as_bytes()
    })
}
