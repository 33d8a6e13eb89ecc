//! Work that may fail in any way and still gives the host process back untouched.
//!
//! Reading the configuration and computing a value allocate, and a library underneath may panic.
//! [`attempt`] gives such work memory of its own (the host's allocator is never called) and a way
//! out: a panic, out-of-memory included, ends the attempt and not the process. There is no lock
//! and no thread-local storage: an attempt is found by the stack it runs on, so it works in any
//! thread, in a signal handler and after fork.

use crate::arena::Arena;
use crate::{kernel, x86_64};
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

/// How many attempts may run at once; a further one waits for its turn.
const PLACES: usize = 64;

/// How often a waiting attempt yields before it gives up.
const PATIENCE: usize = 10_000;

struct Place {
    /// The stack pointer at the attempt's start; 0 where the place is free.
    stack: AtomicUsize,
    saved: UnsafeCell<usize>,
    arena: UnsafeCell<Arena>,
}

// SAFETY: `saved` and `arena` belong to the thread that claimed the place through `stack`.
unsafe impl Sync for Place {}

static ATTEMPTS: [Place; PLACES] = [const {
    Place {
        stack: AtomicUsize::new(0),
        saved: UnsafeCell::new(0),
        arena: UnsafeCell::new(Arena::new()),
    }
}; PLACES];

/// One more than the highest place ever claimed, so that searches stay short.
static CLAIMED: AtomicUsize = AtomicUsize::new(0);

/// What becomes of the memory of an attempt that succeeded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Given back: the result must not refer to it.
    Freed,
    /// Kept as long as the process lives.
    Kept,
}

/// Runs `work`, which says what becomes of its memory; `None` where it panicked, ran out of memory
/// or found no place. Destructors of a failed attempt do not run.
pub fn attempt<R>(work: impl FnOnce() -> (R, Memory)) -> Option<R> {
    struct Call<W, R> {
        work: Option<W>,
        result: MaybeUninit<(R, Memory)>,
    }

    unsafe extern "C" fn run<W: FnOnce() -> (R, Memory), R>(data: *mut c_void) {
        // SAFETY: `data` is the `Call` below, which nothing else uses meanwhile.
        let call = unsafe { &mut *data.cast::<Call<W, R>>() };
        if let Some(work) = call.work.take() {
            call.result.write(work());
        }
    }

    fn runner<W: FnOnce() -> (R, Memory), R>(_: &W) -> unsafe extern "C" fn(*mut c_void) {
        run::<W, R>
    }

    let place = claim(stack_pointer())?;
    let run = runner(&work);
    let mut call = Call {
        work: Some(work),
        result: MaybeUninit::uninit(),
    };
    let data = (&raw mut call).cast();
    // SAFETY: `run` takes this `Call`; `saved` belongs to this attempt. The way out is only taken
    // from below this frame, by the panic handler.
    let failed = unsafe { x86_64::call_with_way_out(run, data, place.saved.get()) } != 0;
    if failed {
        place.release(Memory::Freed);
        return None;
    }
    // SAFETY: `run` came back, so it wrote the result.
    let (result, memory) = unsafe { call.result.assume_init_read() };
    place.release(memory);
    Some(result)
}

impl Place {
    fn release(&self, memory: Memory) {
        // SAFETY: this attempt still owns the place.
        let arena = unsafe { &mut *self.arena.get() };
        match memory {
            // SAFETY: the attempt's result does not refer to its memory.
            Memory::Freed => unsafe { arena.free() },
            Memory::Kept => *arena = Arena::new(),
        }
        self.stack.store(0, Ordering::Release);
    }
}

fn claim(stack: usize) -> Option<&'static Place> {
    for _ in 0..PATIENCE {
        for (index, place) in ATTEMPTS.iter().enumerate() {
            let free = place
                .stack
                .compare_exchange(0, stack, Ordering::AcqRel, Ordering::Relaxed);
            if free.is_ok() {
                CLAIMED.fetch_max(index + 1, Ordering::AcqRel);
                return Some(place);
            }
        }
        kernel::yield_processor();
    }
    None
}

/// The attempt that the caller runs in: the one whose stack begins closest above.
fn current() -> Option<&'static Place> {
    let here = stack_pointer();
    let claimed = ATTEMPTS.get(..CLAIMED.load(Ordering::Acquire))?;
    let above = claimed.iter().filter_map(|place| {
        let stack = place.stack.load(Ordering::Acquire);
        (stack > here).then_some((stack, place))
    });
    above
        .min_by_key(|(stack, _)| *stack)
        .map(|(_, place)| place)
}

/// An address in the caller's frame or below it.
#[inline(never)]
fn stack_pointer() -> usize {
    let here = 0u8;
    core::hint::black_box(&raw const here) as usize
}

struct AttemptMemory;

#[global_allocator]
static MEMORY: AttemptMemory = AttemptMemory;

// SAFETY: blocks come from the arena of the running attempt, which belongs to this thread, do not
// overlap, and live until the attempt ends. Outside of an attempt there is no memory.
unsafe impl GlobalAlloc for AttemptMemory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match current() {
            // SAFETY: the place belongs to this thread, and no reference to the arena is held.
            Some(place) => unsafe { (*place.arena.get()).allocate(layout) },
            None => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {
        // All at once, when the attempt ends.
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(place) = current() else {
            return ptr::null_mut();
        };
        // SAFETY: as in `alloc`.
        let arena = unsafe { &mut *place.arena.get() };
        // SAFETY: the caller's promise: `block` came from here with `layout`.
        unsafe { arena.resize(block, layout, size) }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    if let Some(place) = current() {
        // SAFETY: `saved` was written when this thread's attempt began, below which we run.
        unsafe { x86_64::way_out(*place.saved.get()) }
    }
    // Code outside of an attempt has no panic in it: the end-to-end tests look for that. Waiting
    // for ever would hang the host, going on is impossible.
    loop {
        kernel::yield_processor();
    }
}
