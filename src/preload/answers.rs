//! The values that watched variables are answered with.
//!
//! A value is computed once for each original value and published in a list that is only ever
//! added to. Reading takes no lock, and every pointer stays valid for ever.

use crate::attempt::{Memory, attempt};
use crate::host::Host;
use crate::{environment, log, permanent};
use core::ffi::{CStr, c_char};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering};
use opentelemetry_injector_policy::reason::Lossy;
use opentelemetry_injector_policy::{Configuration, Runtime, Variable, Watched, added, settings};

struct Answer {
    older: *const Answer,
    name: *const c_char,
    /// A copy of the original value; null where the variable was not set.
    original: *const c_char,
    /// What is answered; null for the original itself.
    value: *const c_char,
}

static ANSWERS: AtomicPtr<Answer> = AtomicPtr::new(ptr::null_mut());

static CONFIGURATION: AtomicPtr<Configuration> = AtomicPtr::new(ptr::null_mut());

/// One more than the runtime whose agent has been injected here; 0 before.
static ACTIVATED: AtomicU8 = AtomicU8::new(0);

/// Whether the runtime has said that it has read its own variables.
static STARTED: AtomicBool = AtomicBool::new(false);

/// Sets the configuration that values are computed with; before any hook is in place.
pub fn configure(configuration: &'static Configuration) {
    let pointer = ptr::from_ref(configuration).cast_mut();
    CONFIGURATION.store(pointer, Ordering::Release);
}

/// What a process gets for a watched name whose original value is `original` (null: not set).
pub fn answer(name: &CStr, watched: Watched<'_>, original: *const c_char) -> *const c_char {
    if !is_answered(watched) {
        return original;
    }
    let newest = ANSWERS.load(Ordering::Acquire);
    let value = match find(newest, ptr::null(), name, original) {
        Some(answer) => answer.value,
        None => attempt(|| (compute(name, watched, original, newest), Memory::Freed))
            .flatten()
            .unwrap_or(ptr::null()),
    };
    if let (Watched::Activation(variable), false) = (watched, value.is_null()) {
        ACTIVATED.store(variable.runtime() as u8 + 1, Ordering::Release);
    }
    if value.is_null() { original } else { value }
}

/// Whether a name is to be looked at in the state that this process is in.
fn is_answered(watched: Watched<'_>) -> bool {
    match watched {
        Watched::Activation(_) => !STARTED.load(Ordering::Acquire),
        Watched::Started => {
            STARTED.store(activated().is_some(), Ordering::Release);
            false
        }
        Watched::Question(_) => activated().is_some(),
        Watched::Setting(name) => activated().is_some_and(|runtime| {
            configuration().is_some_and(|c| settings::is_configured(name, runtime, c))
        }),
    }
}

fn activated() -> Option<Runtime> {
    let index = usize::from(ACTIVATED.load(Ordering::Acquire)).checked_sub(1)?;
    Runtime::ALL.get(index).copied()
}

fn configuration() -> Option<&'static Configuration> {
    // SAFETY: null, or the configuration that the constructor keeps for ever.
    unsafe { CONFIGURATION.load(Ordering::Acquire).as_ref() }
}

/// The answer for `name` and `original` among those from `newest` on, down to but without `until`.
fn find(
    newest: *const Answer,
    until: *const Answer,
    name: &CStr,
    original: *const c_char,
) -> Option<&'static Answer> {
    let mut next = newest;
    while next != until {
        // SAFETY: published answers live for ever and end with null.
        let answer = unsafe { next.as_ref() }?;
        if text(answer.name) == Some(name) && text(answer.original) == text(original) {
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
    name: &CStr,
    watched: Watched<'_>,
    original: *const c_char,
    newest: *const Answer,
) -> Option<*const c_char> {
    let before = text(original).map(CStr::to_bytes);
    let host = Host::default();
    let outcome = watched.value(before, activated(), &host, configuration()?);
    let shown = Lossy(name.to_bytes());
    log::debug!("{shown} was {}", Lossy(before.unwrap_or(b"(not set)")));
    match &outcome {
        Ok(value) => log::debug!("{shown} is now {}", Lossy(value)),
        Err(reason) => log::debug!("{shown} stays as it was: {reason}"),
    }
    let value = match &outcome {
        Ok(value) => permanent::c_string(value)?,
        Err(_) => ptr::null(),
    };
    if let (Watched::Activation(variable), Ok(_)) = (watched, &outcome) {
        add_entries(variable, &host)?;
    }
    let original = match before {
        Some(bytes) => permanent::c_string(bytes)?,
        None => ptr::null(),
    };
    let permanent_name = permanent::c_string(name.to_bytes())?;
    publish(newest, permanent_name, original, value)
}

/// Puts what the runtime reads in no other way into the environment.
fn add_entries(variable: Variable, host: &Host) -> Option<()> {
    let mut entries = variable.entries(host, configuration()?);
    if entries.is_empty() {
        return Some(());
    }
    let marker = added::marker(&entries, host);
    // It has the names: values may be secrets.
    log::debug!("environment: {}", Lossy(&marker));
    entries.push(marker);
    environment::add(&entries)
}

fn publish(
    mut newest: *const Answer,
    name: *const c_char,
    original: *const c_char,
    value: *const c_char,
) -> Option<*const c_char> {
    let fresh = permanent::allocate(size_of::<Answer>())?.cast::<Answer>();
    loop {
        let older = newest;
        // SAFETY: the block is long enough, aligned, and known to nobody else yet.
        unsafe {
            fresh.write(Answer {
                older,
                name,
                original,
                value,
            });
        }
        let expected = newest.cast_mut();
        match ANSWERS.compare_exchange(expected, fresh, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Some(value),
            // Another thread was first: perhaps with the same answer.
            Err(now) => match find(now, newest, text(name)?, original) {
                Some(answer) => return Some(answer.value),
                None => newest = now,
            },
        }
    }
}
