//! What a process has told its session already: where files are mapped, and texts.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many places are known; further ones are told by their addresses alone.
const PLACES: usize = 1024;

/// How many texts are known; a power of two. Further ones are told each time.
const TEXTS: usize = 4096;

/// How far a text may lie from where its number would have it.
const REACH: usize = 16;

/// How much of a value its number is made of; its length and where it lies count, too.
const COUNTED: usize = 64;

/// Stretches of addresses. All zeroes where there is none.
pub struct Places {
    count: AtomicUsize,
    places: [Place; PLACES],
}

struct Place {
    /// 0 as long as the end is not written.
    start: AtomicUsize,
    end: AtomicUsize,
}

impl Places {
    /// Whether an address needs no further look: it is known, or there is no room to know more.
    pub fn knows(&self, address: usize) -> bool {
        let count = self.count.load(Ordering::Acquire);
        let is_here = |place: &Place| {
            let start = place.start.load(Ordering::Acquire);
            start != 0 && (start..place.end.load(Ordering::Relaxed)).contains(&address)
        };
        count >= PLACES || self.places.iter().take(count).any(is_here)
    }

    /// Whether exactly this stretch was added.
    pub fn have(&self, start: usize, end: usize) -> bool {
        let count = self.count.load(Ordering::Acquire);
        let is_it = |place: &Place| {
            place.start.load(Ordering::Acquire) == start && place.end.load(Ordering::Relaxed) == end
        };
        self.places.iter().take(count).any(is_it)
    }

    /// Adds a place; false where there is no room.
    pub fn add(&self, start: usize, end: usize) -> bool {
        let index = self.count.fetch_add(1, Ordering::AcqRel);
        let Some(place) = self.places.get(index) else {
            self.count.store(PLACES, Ordering::Release);
            return false;
        };
        place.end.store(end, Ordering::Relaxed);
        place.start.store(start, Ordering::Release);
        true
    }
}

/// Numbers of texts. All zeroes where there is none.
pub struct Texts([AtomicU64; TEXTS]);

impl Texts {
    /// Forgets a number: its text could not be told.
    pub fn remove(&self, number: u64) {
        for place in &self.0 {
            let _ = place.compare_exchange(number, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Adds a number; whether the text is to be told.
    pub fn add(&self, number: u64) -> bool {
        for step in 0..REACH {
            let index = (number as usize).wrapping_add(step) & (TEXTS - 1);
            let Some(place) = self.0.get(index) else {
                return true;
            };
            match place.compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(known) if known == number => return false,
                Err(_) => {}
            }
        }
        true
    }
}

/// The number of a name and its value; never 0.
pub fn number(name: &[u8], value: &[u8]) -> u64 {
    let number = add(FIRST, name);
    let number = mix(number, value.as_ptr() as u64);
    let number = mix(number, value.len() as u64);
    add(number, value.get(..COUNTED).unwrap_or(value)).max(1)
}

/// FNV-1a's beginning and factor (64 bits), eight bytes at a time.
const FIRST: u64 = 0xcbf2_9ce4_8422_2325;
const FACTOR: u64 = 0x0100_0000_01b3;

fn mix(number: u64, word: u64) -> u64 {
    (number ^ word).wrapping_mul(FACTOR).rotate_left(29)
}

fn add(mut number: u64, mut bytes: &[u8]) -> u64 {
    while let Some((word, rest)) = bytes.split_first_chunk() {
        number = mix(number, u64::from_ne_bytes(*word));
        bytes = rest;
    }
    bytes
        .iter()
        .fold(mix(number, bytes.len() as u64), |number, byte| {
            mix(number, u64::from(*byte))
        })
}
