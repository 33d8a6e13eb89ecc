//! The entries of the environment as they were at the last traced call. The functions that change them (setenv(3),
//! putenv(3), unsetenv(3), clearenv(3)) are not hooked, and a program may write to `environ` itself: so a call
//! compares.
//!
//! Only addresses are kept. What lies at an old one may have been freed, and is never looked at.

use crate::sys::auxiliary::SMALLEST_PAGE;
use crate::sys::{environment, kernel};
use core::slice;
use core::sync::atomic::{AtomicUsize, Ordering};
use opentelemetry_injector_policy::formats::trace_channel::LONGEST;

/// How many entries are compared, from the first one on.
const ENTRIES: usize = 1024;

/// How many calls find another one comparing before one of them takes its turn: the other one may be gone
/// (longjmp(3) out of a signal handler, an ended thread).
const PATIENCE: usize = 1000;

/// Addresses of entries in their order. All zeroes where there is none.
pub struct Entries {
    count: AtomicUsize,
    known: [AtomicUsize; ENTRIES],
    /// What is there now, while it is compared.
    found: [AtomicUsize; ENTRIES],
}

/// What has changed, each with the entry's address.
pub enum Change<'t> {
    /// An entry is new; its text.
    Set(usize, &'t [u8]),
    /// An entry is there no more.
    Unset(usize),
}

impl Entries {
    /// Adds an entry behind the others.
    pub fn add(&self, entry: usize) {
        let count = self.count.load(Ordering::Relaxed);
        if let Some(place) = self.known.get(count) {
            place.store(entry, Ordering::Relaxed);
            self.count.store(count + 1, Ordering::Relaxed);
        }
    }

    /// Whether the environment is as it was.
    pub fn are_current(&self) -> bool {
        let count = self.count.load(Ordering::Relaxed);
        let mut known = self.known.iter().take(count);
        for entry in environment::entries().take(ENTRIES) {
            if known
                .next()
                .is_none_or(|known| known.load(Ordering::Relaxed) != entry as usize)
            {
                return false;
            }
        }
        known.next().is_none()
    }

    /// Remembers what is there now, and tells what is new, then what is gone. Only one call at a time (see
    /// [`Turn`]); two of them would tell the same twice.
    pub fn update(&self, mut tell: impl FnMut(Change<'_>)) {
        let mut count = 0;
        for (place, entry) in self.found.iter().zip(environment::entries()) {
            place.store(entry as usize, Ordering::Relaxed);
            count += 1;
        }
        let found = self.found.get(..count).unwrap_or_default();
        let known_count = self.count.load(Ordering::Relaxed);
        let known = self.known.get(..known_count).unwrap_or_default();
        let same = known
            .iter()
            .zip(found)
            .take_while(|(one, other)| are_equal(one, other));
        let same = same.count();
        // Mostly one entry was added at the end, or one is missing.
        let (known, found) = (rest(known, same), rest(found, same));
        for entry in found.iter().filter(|entry| !contain(known, entry)) {
            let entry = entry.load(Ordering::Relaxed);
            if let Some(text) = text(entry) {
                tell(Change::Set(entry, text));
            }
        }
        for entry in known.iter().filter(|entry| !contain(found, entry)) {
            tell(Change::Unset(entry.load(Ordering::Relaxed)));
        }
        for (place, entry) in self.known.iter().skip(same).zip(found) {
            place.store(entry.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.count.store(count, Ordering::Relaxed);
    }
}

fn rest(entries: &[AtomicUsize], from: usize) -> &[AtomicUsize] {
    entries.get(from..).unwrap_or_default()
}

fn contain(entries: &[AtomicUsize], entry: &AtomicUsize) -> bool {
    entries.iter().any(|other| are_equal(other, entry))
}

fn are_equal(one: &AtomicUsize, other: &AtomicUsize) -> bool {
    one.load(Ordering::Relaxed) == other.load(Ordering::Relaxed)
}

/// The text of an entry that was just found, as far as it is told; `None` where it cannot be read. libc reads no
/// more than the beginning of an entry, so each page is asked for.
fn text<'t>(start: usize) -> Option<&'t [u8]> {
    let mut length = 0;
    loop {
        let at = start.wrapping_add(length);
        let is_page_new = length == 0 || at.is_multiple_of(SMALLEST_PAGE);
        if is_page_new && !kernel::is_readable(at) {
            return None;
        }
        // SAFETY: the page may be read, and the text goes on up to here.
        if length == LONGEST || unsafe { *(at as *const u8) } == 0 {
            // SAFETY: as above, for every byte; the environment has the entry, as for who calls getenv.
            return Some(unsafe { slice::from_raw_parts(start as *const u8, length) });
        }
        length += 1;
    }
}

/// Lets one call at a time through, and waits for none. All zeroes where none is at it.
pub struct Turn(AtomicUsize);

impl Turn {
    /// Does something, unless another call is at it: the next call will do the same.
    pub fn take(&self, work: impl FnOnce()) {
        if self
            .0
            .fetch_add(1, Ordering::Acquire)
            .is_multiple_of(PATIENCE)
        {
            work();
            self.0.store(0, Ordering::Release);
        }
    }
}
