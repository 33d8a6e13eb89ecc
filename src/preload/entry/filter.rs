//! What the entry in machine code knows about watched names: enough to answer almost every other name
//! by itself.
//!
//! The first two bytes of a name select one of [`SLOTS`] slots. One bit of the slot says whether any
//! watched name begins with them. If so, [`BEGINNINGS`] has the beginnings of the watched names in this
//! slot. A configuration may spell out further names; then [`EXTENDED`] takes the place of that table.

use core::sync::atomic::{AtomicU64, Ordering};
use opentelemetry_injector_policy::runtimes::variable;

/// How many slots there are: as many as a register has bits.
const SLOTS: usize = 64;

/// Spreads the first two bytes of a name over the slots: the upper 6 bits of their 32-bit product.
/// The factor was searched for: with it, none of the names that every program asks for meets a
/// watched beginning, and no two different watched beginnings meet.
pub const SPREAD: u32 = 0xa41a_afad;

/// How many bits of the product are left out.
pub const SHIFT: u32 = u32::BITS - SLOTS.ilog2();

/// How much of a beginning is kept.
pub const LENGTH: usize = 8;

/// The slot of a name that begins with these two bytes.
const fn slot(name: &[u8]) -> usize {
    let start = u16::from_le_bytes([name[0], name[1]]);
    ((start as u32).wrapping_mul(SPREAD) >> SHIFT) as usize
}

/// The bits of the slots that have something watched.
pub const WATCHED_SLOTS: u64 = {
    let mut slots = 0;
    let mut index = 0;
    while index < variable::BEGINNINGS.len() {
        slots |= 1 << slot(variable::BEGINNINGS[index].as_bytes());
        index += 1;
    }
    slots
};

/// What all watched names of a slot begin with; zeroes follow where that is shorter.
pub static BEGINNINGS: [[u8; LENGTH]; SLOTS] = {
    let mut beginnings = [[0; LENGTH]; SLOTS];
    let mut index = 0;
    while index < variable::BEGINNINGS.len() {
        let name = variable::BEGINNINGS[index].as_bytes();
        let place = &mut beginnings[slot(name)];
        *place = match place[0] {
            0 => common(name, name),
            _ => common(name, place),
        };
        // Two different ones in one slot would have nothing in common.
        assert!(place[0] != 0);
        index += 1;
    }
    beginnings
};

/// The bits of the slots that have something watched by the configuration's word, too; 0 where
/// [`BEGINNINGS`] counts.
pub static ADDED_SLOTS: AtomicU64 = AtomicU64::new(0);

/// All beginnings, where the configuration has added some; each number is a beginning's bytes in their
/// order.
pub static EXTENDED: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];

const _: () = assert!(LENGTH == size_of::<u64>());

/// Watches further names, all of them longer than one character; before any hook is in place.
pub fn watch<'n>(names: impl Iterator<Item = &'n str>) {
    let mut added = 0;
    for name in names.map(str::as_bytes) {
        if added == 0 {
            for (place, beginning) in EXTENDED.iter().zip(BEGINNINGS) {
                place.store(u64::from_ne_bytes(beginning), Ordering::Relaxed);
            }
        }
        let slot = slot(name);
        let is_taken = (WATCHED_SLOTS | added) & 1 << slot != 0;
        if let Some(place) = EXTENDED.get(slot) {
            let beginning = if is_taken {
                common(name, &place.load(Ordering::Relaxed).to_ne_bytes())
            } else {
                common(name, name)
            };
            place.store(u64::from_ne_bytes(beginning), Ordering::Relaxed);
        }
        added |= 1 << slot;
    }
    ADDED_SLOTS.store(added, Ordering::Release);
}

/// The bits of all slots that have something watched.
pub fn slots() -> u64 {
    WATCHED_SLOTS | ADDED_SLOTS.load(Ordering::Relaxed)
}

/// Where the table of beginnings is that counts, with [`LENGTH`] bytes for each slot.
pub fn beginnings() -> usize {
    if is_extended() {
        EXTENDED.as_ptr() as usize
    } else {
        BEGINNINGS.as_ptr() as usize
    }
}

/// Whether the configuration has added names.
pub fn is_extended() -> bool {
    ADDED_SLOTS.load(Ordering::Relaxed) != 0
}

/// What two names begin with, at most [`LENGTH`] bytes.
const fn common(one: &[u8], other: &[u8]) -> [u8; LENGTH] {
    let mut beginning = [0; LENGTH];
    let mut index = 0;
    while index < LENGTH && index < one.len() && index < other.len() && one[index] == other[index] {
        beginning[index] = one[index];
        index += 1;
    }
    beginning
}

/// Checked when the object is built: no name that many programs ask for shares a slot with a watched name.
const _: () = {
    let names = [
        "PATH",
        "PWD",
        "HOME",
        "USER",
        "TERM",
        "TZ",
        "LANG",
        "LC_ALL",
        "DISPLAY",
        "EDITOR",
        "SHELL",
        "LOGNAME",
        "HOSTNAME",
        "TMPDIR",
        "MALLOC_",
        "XDG_",
        "COLUMNS",
        "SSL_",
        "http_",
        "LS_COLORS",
        "MAIL",
        "GCONV_PATH",
        "RES_OPTIONS",
        "KUBERNETES_",
        "AWS_",
        "SYSTEMD_",
        "GIT_",
        "CLASSPATH",
        "_JAVA_OPTIONS",
        "GOMAXPROCS",
        "DBUS_",
        "QT_",
        "GIO_",
        "BASH_ENV",
        "NLSPATH",
    ];
    let mut index = 0;
    while index < names.len() {
        assert!(WATCHED_SLOTS & 1 << slot(names[index].as_bytes()) == 0);
        index += 1;
    }
};
