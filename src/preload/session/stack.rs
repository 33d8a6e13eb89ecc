//! The stacks of calls, as bytes: the command unwinds them afterwards, so that nothing here allocates, locks, or
//! follows pointers.

use crate::sys::auxiliary::SMALLEST_PAGE;
use crate::sys::kernel;
use core::sync::atomic::{AtomicU64, Ordering};
use opentelemetry_injector_policy::formats::trace_channel::{BEFORE_STACK, LONGEST_STACK};

/// The least time between two looks for files that were loaded late, in nanoseconds.
const INTERVAL: u64 = 2_000_000;

/// A look takes at most one part in so many of a process's time.
const SHARE: u64 = 50;

/// How stacks are recorded.
pub struct Stacks {
    /// How many bytes of each; 0 for none.
    length: usize,
    /// When to look for new files, on the session's clock.
    next_look: AtomicU64,
}

impl Stacks {
    /// Records so many bytes of each stack, at most as many as a record takes; none where the kernel does not tell
    /// what may be read.
    pub fn new(length: usize) -> Self {
        let is_told = length > 0
            && !kernel::is_readable(8)
            && kernel::is_readable((&raw const length) as usize);
        Self {
            length: if is_told {
                length.min(LONGEST_STACK - BEFORE_STACK)
            } else {
                0
            },
            next_look: AtomicU64::new(0),
        }
    }

    /// Whether stacks are recorded.
    pub fn are_on(&self) -> bool {
        self.length > 0
    }

    /// How much of a stack may be read from its stack pointer on, in bytes. How far it goes nobody knows (fibers,
    /// signal stacks, a thread's own memory), so each page is asked for.
    pub fn readable(&self, start: usize) -> usize {
        let mut end = start;
        let last = start.saturating_add(self.length);
        while end < last && kernel::is_readable(end) {
            // The beginning of the next page.
            end = (end | (SMALLEST_PAGE - 1)).saturating_add(1);
        }
        end.min(last) - start
    }

    /// Whether this call is to look for new files. `end_look` follows.
    pub fn begin_look(&self, now: u64) -> bool {
        let next = self.next_look.load(Ordering::Relaxed);
        // Meanwhile nobody else does.
        let others = now.saturating_add(INTERVAL * SHARE);
        let exchange = |next| {
            let order = Ordering::Relaxed;
            self.next_look.compare_exchange(next, others, order, order)
        };
        now >= next && exchange(next).is_ok()
    }

    /// The look took from one time to the other.
    pub fn end_look(&self, began: u64, ended: u64) {
        let cost = ended.saturating_sub(began);
        let pause = cost.saturating_mul(SHARE).max(INTERVAL);
        self.next_look
            .store(ended.saturating_add(pause), Ordering::Relaxed);
    }
}
