//! The values that watched variables are answered with.
//!
//! A value is computed once for each original value and published in a list that is only ever
//! added to. Reading takes no lock, and every pointer stays valid for ever.

use crate::attempt::{Memory, attempt};
use crate::host::Host;
use crate::{log, permanent};
use core::ffi::{CStr, c_char};
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use opentelemetry_injector_policy::reason::Lossy;
use opentelemetry_injector_policy::{Configuration, Variable};

struct Answer {
    older: *const Answer,
    /// A copy of the original value; null where the variable was not set.
    original: *const c_char,
    /// What is answered; null for the original itself.
    value: *const c_char,
}

static ANSWERS: [AtomicPtr<Answer>; Variable::ALL.len()] =
    [const { AtomicPtr::new(ptr::null_mut()) }; Variable::ALL.len()];

static CONFIGURATION: AtomicPtr<Configuration> = AtomicPtr::new(ptr::null_mut());

/// Sets the configuration that values are computed with; before any hook is in place.
pub fn configure(configuration: &'static Configuration) {
    let pointer = ptr::from_ref(configuration).cast_mut();
    CONFIGURATION.store(pointer, Ordering::Release);
}

/// What a process gets for a watched variable whose original value is `original` (null: not set).
pub fn answer(variable: Variable, original: *const c_char) -> *const c_char {
    let list = &ANSWERS[variable as usize];
    let newest = list.load(Ordering::Acquire);
    let value = match find(newest, ptr::null(), original) {
        Some(answer) => answer.value,
        None => attempt(|| (compute(variable, original, newest), Memory::Freed))
            .flatten()
            .unwrap_or(ptr::null()),
    };
    if value.is_null() { original } else { value }
}

/// The answer for `original` among those from `newest` on, down to but without `until`.
fn find(
    newest: *const Answer,
    until: *const Answer,
    original: *const c_char,
) -> Option<&'static Answer> {
    let mut next = newest;
    while next != until {
        // SAFETY: published answers live for ever and end with null.
        let answer = unsafe { next.as_ref() }?;
        if text(answer.original) == text(original) {
            return Some(answer);
        }
        next = answer.older;
    }
    None
}

fn text(value: *const c_char) -> Option<&'static CStr> {
    // SAFETY: null or a C string: of ours, or of the environment.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) })
}

/// Computes, publishes and returns an answer's value; `None` without memory.
fn compute(
    variable: Variable,
    original: *const c_char,
    newest: *const Answer,
) -> Option<*const c_char> {
    // SAFETY: null, or the configuration that the constructor keeps for ever.
    let configuration = unsafe { CONFIGURATION.load(Ordering::Acquire).as_ref() }?;
    let before = text(original).map(CStr::to_bytes);
    let outcome = variable.value(before, &Host::default(), configuration);
    log::debug!(
        "{} was {}",
        variable.name(),
        Lossy(before.unwrap_or(b"(not set)"))
    );
    match &outcome {
        Ok(value) => log::debug!("{} is now {}", variable.name(), Lossy(value)),
        Err(reason) => log::debug!("{} stays as it was: {reason}", variable.name()),
    }
    let value = match outcome {
        Ok(value) => permanent::c_string(&value)?,
        Err(_) => ptr::null(),
    };
    let original = match before {
        Some(bytes) => permanent::c_string(bytes)?,
        None => ptr::null(),
    };
    publish(variable, newest, original, value)
}

fn publish(
    variable: Variable,
    mut newest: *const Answer,
    original: *const c_char,
    value: *const c_char,
) -> Option<*const c_char> {
    let list = &ANSWERS[variable as usize];
    let fresh = permanent::allocate(size_of::<Answer>())?.cast::<Answer>();
    loop {
        let older = newest;
        // SAFETY: the block is long enough, aligned, and known to nobody else yet.
        unsafe {
            fresh.write(Answer {
                older,
                original,
                value,
            });
        }
        let expected = newest.cast_mut();
        match list.compare_exchange(expected, fresh, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Some(value),
            // Another thread was first: perhaps with the same answer.
            Err(now) => match find(now, newest, original) {
                Some(answer) => return Some(answer.value),
                None => newest = now,
            },
        }
    }
}
