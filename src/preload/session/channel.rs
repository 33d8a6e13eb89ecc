//! Writing into the channel: reserve slots, fill them, then write the first one's head.

use crate::sys::kernel::{self, Descriptor};
use core::ffi::CStr;
use core::sync::atomic::{AtomicU64, Ordering};
use core::{hint, ptr};
use opentelemetry_injector_policy::formats::trace_channel::{
    self as layout, CONTINUED, HEADER, Kind, PAYLOAD, SLOT,
};

/// How often the limit is looked at while the command makes room, before the record is dropped: about ten
/// milliseconds, in which the command has looked after the channel if it can run at all.
const LOOKS: usize = 1 << 18;

/// The channel as this process has it mapped.
pub struct Channel {
    start: *mut u8,
    length: usize,
    /// The limit at which the command was waited for in vain: no thread does so again, until it moves on.
    given_up_at: AtomicU64,
}

impl Channel {
    /// Maps the channel at a path. `None` where it is not one of this user's, or where somebody could
    /// still make it shorter: then what is written would end the process (SIGBUS).
    pub fn open(path: &CStr) -> Option<Self> {
        // Opening some files has an effect; this only looks.
        let looked_at = kernel::open(path, libc::O_PATH, 0).ok()?;
        let status = kernel::status(looked_at.number()).ok()?;
        let is_regular = status.st_mode & libc::S_IFMT == libc::S_IFREG;
        if !is_regular || status.st_uid != kernel::effective_user() {
            return None;
        }
        let file = kernel::open(path, libc::O_RDWR, 0).ok()?;
        let seals = kernel::seals(&file).ok()?;
        let length = usize::try_from(kernel::status(file.number()).ok()?.st_size).ok()?;
        if seals & libc::F_SEAL_SHRINK == 0 || length < HEADER + SLOT {
            return None;
        }
        let header = Self::map(&file, HEADER)?;
        let is_channel = header.word(layout::MAGIC_AT)?.load(Ordering::Relaxed) == layout::MAGIC
            && header.word(layout::LENGTH_AT)?.load(Ordering::Relaxed) == length as u64;
        // A program whose memory is limited needs it for itself.
        let whole = if is_channel && !kernel::is_memory_limited() {
            Self::map(&file, length).inspect(Self::keep_from_dumps)
        } else {
            None
        };
        if is_channel && whole.is_none() {
            header
                .word(layout::REFUSED_AT)?
                .fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: `map` gave this range, and no reference to the header is used below.
        unsafe { kernel::unmap(header.start, HEADER) };
        whole
    }

    fn map(file: &Descriptor, length: usize) -> Option<Self> {
        let start = kernel::map_shared(file, length).ok()?;
        Some(Self {
            start,
            length,
            given_up_at: AtomicU64::new(0),
        })
    }

    /// What all processes of the session have told is not one program's.
    fn keep_from_dumps(&self) {
        // SAFETY: `map` gave this range.
        unsafe { kernel::keep_from_dumps(self.start, self.length) };
    }

    /// A word of the header.
    fn word(&self, at: usize) -> Option<&AtomicU64> {
        // SAFETY: `at` is one of the layout's constants, all multiples of 8 below HEADER; the mapping begins at a
        // page and is at least HEADER long. Every process accesses these words only as atomics.
        (at < HEADER).then(|| unsafe { &*self.start.add(at).cast::<AtomicU64>() })
    }

    /// How many bytes of stack each call is to record.
    pub fn stack_length(&self) -> usize {
        let word = self.word(layout::STACK_AT);
        word.map_or(0, |word| word.load(Ordering::Relaxed) as usize)
    }

    /// Appends a record of `length` bytes, which `write` puts; longer ones are cut. False where there is no
    /// room, which is counted.
    pub fn append(&self, kind: Kind, length: usize, write: impl FnOnce(&mut Record)) -> bool {
        let length = length.min(kind.longest());
        let slots = length.div_ceil(PAYLOAD);
        let Some(start) = self.reserve(slots * SLOT) else {
            return false;
        };
        let mut record = Record {
            start,
            length,
            written: 0,
        };
        write(&mut record);
        let head = layout::head(kind, slots, length);
        // SAFETY: `reserve` gave these slots to this call alone. A slot begins at a multiple of SLOT (64), so its
        // first word is aligned. The reader accesses it as an atomic, too.
        unsafe { &*start.cast::<AtomicU64>() }.store(head, Ordering::Release);
        true
    }

    fn reserve(&self, length: usize) -> Option<*mut u8> {
        let limit = self.word(layout::LIMIT_AT)?;
        let mut looks = LOOKS;
        loop {
            let end = limit.load(Ordering::Acquire);
            if let Some(start) = self.reserve_below(end, length) {
                return Some(start);
            }
            if !self.waits_for_more_than(end, limit, &mut looks) {
                self.word(layout::DROPPED_AT)?
                    .fetch_add(1, Ordering::Relaxed);
                return None;
            }
        }
    }

    fn reserve_below(&self, limit: u64, length: usize) -> Option<*mut u8> {
        let next = self.word(layout::NEXT_AT)?;
        let limit = (limit as usize).min(self.length);
        let is_free = |at: u64| {
            let end = (at as usize).checked_add(length)?;
            let is_slot = at as usize >= HEADER && (at as usize).is_multiple_of(SLOT);
            (is_slot && end <= limit).then_some(end as u64)
        };
        let at = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_free);
        // SAFETY: `is_free` has checked that the slots lie between HEADER and the end of the mapping.
        at.ok().map(|at| unsafe { self.start.add(at as usize) })
    }

    /// Waits a moment for the command to move the limit on from there. It never does from the end.
    fn waits_for_more_than(&self, end: u64, limit: &AtomicU64, looks: &mut usize) -> bool {
        if end >= self.length as u64 {
            return false;
        }
        while *looks > 0 && self.given_up_at.load(Ordering::Relaxed) < end {
            if limit.load(Ordering::Relaxed) != end {
                return true;
            }
            *looks -= 1;
            hint::spin_loop();
        }
        self.given_up_at.fetch_max(end, Ordering::Relaxed);
        false
    }
}

/// A record that is being written.
pub struct Record {
    start: *mut u8,
    length: usize,
    written: usize,
}

impl Record {
    /// Puts two numbers of 32 bits: of processes, threads.
    pub fn numbers(&mut self, one: usize, other: usize) {
        self.put(&(one as u32).to_ne_bytes());
        self.put(&(other as u32).to_ne_bytes());
    }

    /// Puts bytes, as far as the record goes.
    pub fn put(&mut self, bytes: &[u8]) {
        // SAFETY: a slice may be read.
        unsafe { self.put_memory(bytes.as_ptr(), bytes.len()) };
    }

    /// Puts what lies in memory, which others may write meanwhile, as far as the record goes.
    ///
    /// # Safety
    /// The memory may be read.
    pub unsafe fn put_memory(&mut self, start: *const u8, length: usize) {
        let (mut from, mut left) = (start, length);
        while self.written < self.length && left > 0 {
            let (slot, offset) = (self.written / PAYLOAD, self.written % PAYLOAD);
            let count = left.min(PAYLOAD - offset).min(self.length - self.written);
            // SAFETY: within the slots that were reserved, which nobody else writes; the caller's promise.
            unsafe {
                let slot_start = self.start.add(slot * SLOT);
                if slot > 0 && offset == 0 {
                    slot_start.cast::<u64>().write(CONTINUED);
                }
                let to = slot_start.add(SLOT - PAYLOAD + offset);
                ptr::copy_nonoverlapping(from, to, count);
                from = from.add(count);
            }
            self.written += count;
            left -= count;
        }
    }
}
