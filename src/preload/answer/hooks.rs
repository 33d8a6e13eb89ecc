//! The replacements of libc's `getenv` and `secure_getenv`, which the entry in machine code calls.
//!
//! With the direct engine and without a trace, the entry itself answers names that are not watched. It
//! allocates nothing, takes no lock and makes no system call, so it may run in a signal handler, between fork
//! and exec, and in any thread. The same holds for both functions here if no value has to be computed.

use crate::answer::answers::{self, Question};
use crate::answer::call_log;
use crate::entry::machine;
use crate::session;
use crate::sys::environment;
use core::ffi::{CStr, c_char};
use core::mem;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use opentelemetry_injector_policy::formats::trace_channel::Function;
use opentelemetry_injector_policy::runtimes::variable;

type Getenv = unsafe extern "C" fn(*const c_char) -> *const c_char;

/// libc's own `getenv` behind Gum's trampoline; 0 with the direct engine, which asks `environ`.
pub static ORIGINAL: AtomicUsize = AtomicUsize::new(0);

/// Whether every call is told in the log.
static TRACING: AtomicBool = AtomicBool::new(false);

/// Whether every call takes [`answer_with_detour`] (traces). Otherwise only names that begin like a watched one are
/// passed on: by the entry with the direct engine, by the filter in front of the trampoline with Gum.
pub static DETOUR: AtomicBool = AtomicBool::new(false);

/// [`Function`] as the entry in machine code passes it.
pub const GETENV: usize = Function::Getenv as usize;
/// See [`GETENV`].
pub const SECURE_GETENV: usize = Function::SecureGetenv as usize;

/// Sets where libc's own `getenv` is to be had.
pub fn call_original_at(trampoline: usize) {
    ORIGINAL.store(trampoline, Ordering::Release);
}

/// Takes [`call_original_at`] back: the hooks could not be put in place, and another engine is to be tried.
pub fn call_no_original() {
    ORIGINAL.store(0, Ordering::Release);
}

/// Turns hook tracing on; before the hook is in place.
pub fn trace_calls() {
    TRACING.store(true, Ordering::Release);
    DETOUR.store(true, Ordering::Release);
}

/// Lets every call go through [`answer_with_detour`], which tells the trace session; before the hook
/// is in place.
pub fn tell_session() {
    DETOUR.store(true, Ordering::Release);
}

/// Whether every call takes [`answer_with_detour`].
pub fn is_every_call_told() -> bool {
    DETOUR.load(Ordering::Relaxed)
}

/// Answers a name that begins like a watched one; `original` is what libc answers, `caller` the
/// return address.
///
/// # Safety
/// As for getenv(3).
pub unsafe extern "C" fn answer_watched(
    name: *const c_char,
    original: *const c_char,
    caller: usize,
) -> *const c_char {
    // SAFETY: getenv's caller passes a C string, and the entry has already read its beginning (it is not null).
    let name = unsafe { CStr::from_ptr(name) };
    let bytes = name.to_bytes();
    match variable::watched(bytes).or_else(|| answers::spelled_out(bytes)) {
        None => original,
        Some(watched) => answers::answer(Question {
            name,
            watched,
            original,
            caller,
        }),
    }
}

/// Answers any name through Gum's trampoline or with a trace; `frame` is on the entry's stack, and `function` is
/// the [`Function`] that was called.
///
/// # Safety
/// As for getenv(3).
pub unsafe extern "C" fn answer_with_detour(
    name: *const c_char,
    frame: &machine::Frame,
    function: usize,
) -> *const c_char {
    let caller = frame.return_address;
    let original = match ORIGINAL.load(Ordering::Acquire) {
        // SAFETY: the caller's promise.
        0 => unsafe { environment::get(name) },
        address => {
            // SAFETY: Gum's trampoline has the signature of the function it stands for.
            let getenv = unsafe { mem::transmute::<usize, Getenv>(address) };
            // SAFETY: the caller's promise.
            unsafe { getenv(name) }
        }
    };
    // With no environment at all libc answers even NULL.
    let answer = if name.is_null() {
        original
    } else {
        // SAFETY: the caller's promise.
        unsafe { answer_watched(name, original, caller) }
    };
    session::call(session::Call {
        name,
        original,
        answer,
        frame,
        function: function as u8,
    });
    if TRACING.load(Ordering::Relaxed) {
        call_log::call(name, original, answer, frame);
    }
    answer
}
