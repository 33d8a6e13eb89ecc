//! The values that watched variables are answered with.
//!
//! A value is computed once for each original value and published in a list that is only ever
//! added to. Reading takes no lock, and every pointer stays valid for ever.

use crate::attempt::attempt;
use crate::host::Host;
use crate::{log, mappings, permanent};
use core::ffi::{CStr, c_char};
use core::ops::Range;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use opentelemetry_injector_policy::reason::Lossy;
use opentelemetry_injector_policy::{Configuration, Variable};

struct Answer {
    older: *const Answer,
    /// The addresses of the object that asked. Another object's question is looked at anew: what
    /// asks for itself before a JVM is loaded must not decide for the JVM.
    callers: Range<usize>,
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

/// A question: a watched variable, its original value (null: not set), the caller's address.
#[derive(Clone, Copy)]
pub struct Question {
    /// What is asked for.
    pub variable: Variable,
    /// What libc answers.
    pub original: *const c_char,
    /// Where the call comes back to.
    pub caller: usize,
}

/// What a process gets instead.
pub fn answer(question: Question) -> *const c_char {
    let newest = ANSWERS[question.variable as usize].load(Ordering::Acquire);
    let value = match find(newest, ptr::null(), question) {
        Some(answer) => answer.value,
        None => attempt(|| compute(question, newest))
            .flatten()
            .unwrap_or(ptr::null()),
    };
    match value.is_null() {
        true => question.original,
        false => value,
    }
}

/// The answer to a question among those from `newest` on, down to but without `until`.
fn find(
    newest: *const Answer,
    until: *const Answer,
    question: Question,
) -> Option<&'static Answer> {
    let mut next = newest;
    while next != until {
        // SAFETY: published answers live for ever and end with null.
        let answer = unsafe { next.as_ref() }?;
        let same_caller = answer.callers.contains(&question.caller);
        if same_caller && text(answer.original) == text(question.original) {
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
fn compute(question: Question, newest: *const Answer) -> Option<*const c_char> {
    // SAFETY: null, or the configuration that the constructor keeps for ever.
    let configuration = unsafe { CONFIGURATION.load(Ordering::Acquire).as_ref() }?;
    let before = text(question.original).map(CStr::to_bytes);
    let variable = question.variable;
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
        Ok(value) => match published(newest, question.original, &value) {
            Some(value) => value,
            None => permanent::c_string(&value)?,
        },
        Err(_) => ptr::null(),
    };
    let original = match before {
        Some(bytes) => permanent::c_string(bytes)?,
        None => ptr::null(),
    };
    // Where nothing tells the caller's object, the very address stands for it.
    let callers = match mappings::at(question.caller) {
        Some(object) => object.start..object.end,
        None => question.caller..question.caller + 1,
    };
    let answer = Answer {
        older: newest,
        callers,
        original,
        value,
    };
    publish(question, answer)
}

/// A value that was published for the same original: other callers keep the same pointer.
fn published(
    mut newest: *const Answer,
    original: *const c_char,
    value: &[u8],
) -> Option<*const c_char> {
    // SAFETY: published answers live for ever and end with null.
    while let Some(answer) = unsafe { newest.as_ref() } {
        let same_value = text(answer.value).map(CStr::to_bytes) == Some(value);
        if same_value && text(answer.original) == text(original) {
            return Some(answer.value);
        }
        newest = answer.older;
    }
    None
}

fn publish(question: Question, mut answer: Answer) -> Option<*const c_char> {
    let list = &ANSWERS[question.variable as usize];
    let fresh = permanent::allocate(size_of::<Answer>())?.cast::<Answer>();
    let value = answer.value;
    loop {
        let older = answer.older;
        // SAFETY: the block is long enough, aligned, and known to nobody else yet.
        unsafe { fresh.write(answer) };
        let expected = older.cast_mut();
        match list.compare_exchange(expected, fresh, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Some(value),
            // Another thread was first: perhaps with the same answer.
            Err(now) => {
                if let Some(theirs) = find(now, older, question) {
                    return Some(theirs.value);
                }
                // SAFETY: written above, and published by nobody.
                answer = unsafe { fresh.read() };
                answer.older = now;
            }
        }
    }
}
