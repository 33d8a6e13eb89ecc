//! The channel of a trace session: a file in memory that every traced process maps, and that the
//! command reads.
//!
//! It begins with [`HEADER`] bytes of 64-bit words, whose places are below. Behind them come slots of
//! [`SLOT`] bytes, each a 64-bit head and [`PAYLOAD`] bytes of payload. A record takes as many slots
//! as its payload needs. A process reserves them by moving [`NEXT`], fills them, and writes the head of
//! the first one last: a slot without a head belongs to a process that was killed meanwhile. Nothing
//! is ever written twice, so no process waits for another one.
//!
//! All numbers are in the machine's own byte order; times are CLOCK_MONOTONIC in nanoseconds.

use alloc::vec::Vec;

/// The first word.
pub const MAGIC: u64 = u64::from_le_bytes(*b"OTLTRC02");

/// Where the first slot begins.
pub const HEADER: usize = 4096;

/// The length of a slot in bytes: that of a line of the processor's cache.
pub const SLOT: usize = 64;

/// How much of a slot is payload, behind its head.
pub const PAYLOAD: usize = SLOT - 8;

/// The longest payload of a record in bytes; what is longer is cut. [`Kind::Stack`] has [`LONGEST_STACK`].
pub const LONGEST: usize = 96 * PAYLOAD;

/// The longest name in a [`Kind::Text`] in bytes; what is longer is cut.
pub const LONGEST_NAME: usize = LONGEST / 2;

/// The longest payload of a [`Kind::Stack`] in bytes: as many slots as a head can tell.
pub const LONGEST_STACK: usize = 255 * PAYLOAD;

/// The part of a [`Kind::Stack`] before the stack's bytes.
pub const BEFORE_STACK: usize = 40;

/// The unit of a [`Kind::Module`]'s offset in bytes.
pub const PAGE: usize = 4096;

/// Where [`MAGIC`] stands.
pub const MAGIC_AT: usize = 0;
/// Where the file's length stands.
pub const LENGTH_AT: usize = 8;
/// How far processes may write: the command makes sure of memory before it moves this on.
pub const LIMIT_AT: usize = 16;
/// How many bytes of stack each call records; 0 for none. It is written before there is any process.
pub const STACK_AT: usize = 24;
/// Where the next record begins. In a line of the cache of its own, which is written all the time.
pub const NEXT_AT: usize = 64;
/// How many records found no room.
pub const DROPPED_AT: usize = 128;
/// How many processes could not take part.
pub const REFUSED_AT: usize = 136;

/// What a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A program takes part: process, parent, time; a byte that is 1 if the executable has a getenv of its
    /// own; then the executable's path and the arguments, each with a zero behind it.
    Process = 1,
    /// A child of fork asks for the first time: process, the process whose memory it has a copy of, time. Between
    /// the two may be others, which have not asked.
    Fork = 2,
    /// Where a file is mapped: process, the offset in the file in units of [`PAGE`], start,
    /// end; its path.
    Module = 3,
    /// A name and its value, before the first call that is about them: their number; the name, a zero,
    /// the value.
    Text = 4,
    /// A call: process, thread, time, return address, number of the [`Kind::Text`], [`Function`] and
    /// [`Outcome`].
    Call = 5,
    /// An entry of the environment at the start: process, 0, where it lies; `NAME=value`.
    Variable = 6,
    /// What the object has decided: process, 0; a text for people.
    Note = 7,
    /// An entry that the environment has since the last call: process, thread, time, where it lies;
    /// `NAME=value`. The thread is 0 if the injector itself has put it there.
    Set = 8,
    /// An entry that the environment has no more: process, thread, time, where it lay. What is told of one
    /// moment has the same thread and time.
    Unset = 9,
    /// The stack of a call, right before that: process, thread, time, return address; stack pointer and frame
    /// pointer after the return; the stack's bytes from the stack pointer on.
    Stack = 10,
}

impl Kind {
    /// The longest payload in bytes.
    pub const fn longest(self) -> usize {
        match self {
            Self::Stack => LONGEST_STACK,
            _ => LONGEST,
        }
    }
}

/// The head of a record's further slots.
pub const CONTINUED: u64 = 0xff;

/// What was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Function {
    /// getenv(3).
    Getenv = 0,
    /// secure_getenv(3).
    SecureGetenv = 1,
}

/// What a call has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// The variable is not set.
    Miss = 0,
    /// The variable's own value.
    Hit = 1,
    /// A value that the injector has made.
    Injected = 2,
}

/// The head of a record's first slot: kind, number of slots, length of the payload.
pub const fn head(kind: Kind, slots: usize, length: usize) -> u64 {
    kind as u64 | (slots as u64 & 0xff) << 8 | (length as u64 & 0xffff) << 16
}

/// What the slots from some place on hold.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// A record: its kind, its payload, and how many slots it takes.
    Record(Kind, Vec<u8>, usize),
    /// A slot that was reserved and is not filled.
    Unfilled,
    /// A slot of a record whose beginning was never written.
    Orphan,
    /// The slots end within a record, or here.
    End,
}

/// Reads the record that begins with `slots`.
pub fn read(slots: &[u8]) -> Step {
    let Some((head, _)) = slots.split_first_chunk::<8>() else {
        return Step::End;
    };
    let head = u64::from_ne_bytes(*head);
    let kind = match head & 0xff {
        0 => return Step::Unfilled,
        1 => Kind::Process,
        2 => Kind::Fork,
        3 => Kind::Module,
        4 => Kind::Text,
        5 => Kind::Call,
        6 => Kind::Variable,
        7 => Kind::Note,
        8 => Kind::Set,
        9 => Kind::Unset,
        10 => Kind::Stack,
        _ => return Step::Orphan,
    };
    let count = (head >> 8 & 0xff) as usize;
    let length = (head >> 16 & 0xffff) as usize;
    let Some(record) = slots.get(..count * SLOT) else {
        return Step::End;
    };
    let mut payload = Vec::with_capacity(count * PAYLOAD);
    for slot in record.chunks_exact(SLOT) {
        payload.extend_from_slice(&slot[SLOT - PAYLOAD..]);
    }
    payload.truncate(length);
    Step::Record(kind, payload, count.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn records_are_read_over_several_slots_and_gaps_are_told() {
        let mut slots = vec![0; 4 * SLOT];
        slots[..8].copy_from_slice(&head(Kind::Note, 2, PAYLOAD + 3).to_ne_bytes());
        slots[8..SLOT].fill(b'a');
        slots[SLOT..SLOT + 8].copy_from_slice(&CONTINUED.to_ne_bytes());
        slots[SLOT + 8..SLOT + 11].fill(b'b');
        let payload = [vec![b'a'; PAYLOAD], vec![b'b'; 3]].concat();
        assert_eq!(read(&slots), Step::Record(Kind::Note, payload, 2));
        assert_eq!(read(&slots[SLOT..]), Step::Orphan);
        assert_eq!(read(&slots[2 * SLOT..]), Step::Unfilled);
        assert_eq!(read(&slots[..SLOT]), Step::End);
        assert_eq!(read(&[]), Step::End);
    }

    #[test]
    fn no_bytes_are_too_much() {
        for byte in 0..=255 {
            let slots = [byte; 3 * SLOT];
            let mut rest = &slots[..];
            while let Step::Record(_, payload, count) = read(rest) {
                assert!(payload.len() <= count * PAYLOAD);
                rest = rest.get(count * SLOT..).unwrap_or_default();
            }
        }
    }
}
