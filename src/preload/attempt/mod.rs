//! Work that may fail in any way and still leaves the host process as it was.
//!
//! Reading the configuration and computing a value allocate memory, and a library may panic. [`attempt`]
//! gives such work its own memory (it never calls the host's allocator) and a way out: a panic, including
//! out-of-memory, ends the attempt and not the process. Asynchronous signals are blocked, so that no
//! handler can longjmp out. Signals that an instruction raises synchronously are not blocked: their
//! handlers may be part of what the host does (a sandbox serves system calls in this way).
//!
//! An answer is computed on its own stack. The caller's may be tiny: a signal handler on an alternate
//! signal stack, or a thread with a few pages. There is no lock and no thread-local storage: an attempt
//! is identified by the stack that it runs on. (The thread pointer does not identify it: a clone(2) child
//! that shares memory has its parent's, and may have been killed in an attempt.)
//!
//! Signals stay blocked for the whole attempt, so an attempt must never wait. Memory comes from the
//! kernel. Files are opened without waiting for the other end of a FIFO, and only regular files are read.
//! A log line is dropped if its reader is slow. What remains is a file system that does not answer (NFS):
//! an attempt opens only the agent's files and those that the user's options name, and the runtime itself
//! opens these next.

mod arena;
pub mod permanent;

use crate::attempt::arena::Arena;
use crate::entry::{machine, machine_code};
use crate::sys::kernel;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::{Cell, UnsafeCell};
use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use core::{ptr, slice};

/// How many attempts can run at the same time. A further one waits, but gives up after [`PATIENCE`] tries
/// and then gets no answer. Programs with hundreds of threads do ask at the same time. Memory that is not
/// used costs nothing.
const PLACES: usize = 1024;

/// How often a waiting attempt yields before it gives up.
const PATIENCE: usize = 1000;

/// The length of an attempt's own stack in bytes. Answers take up to 6 KiB, because nothing in them
/// goes deeper with its input. Pages that are not used cost nothing.
const STACK: usize = 256 * 1024;

/// All zeroes where it is free and fresh.
struct Place {
    /// The thread whose attempt it is; 0 where the place is free.
    owner: AtomicUsize,
    /// The lowest address of the attempt's stack; 0 before it is known, and for the constructor's.
    stack: AtomicUsize,
    saved: UnsafeCell<usize>,
    arena: UnsafeCell<Arena>,
    /// Whether something permanent refers to the memory.
    kept: Cell<bool>,
}

// SAFETY: `owner` and `stack` are atomics. `saved`, `arena` and `kept` are used only by the thread that
// claimed the place: `claim` sets `owner` (acquire), `release` clears it (release), and the next owner
// therefore sees what the one before has written.
unsafe impl Sync for Place {}

/// The constructor's: it runs once.
static AT_START: Place = Place {
    owner: AtomicUsize::new(0),
    stack: AtomicUsize::new(0),
    saved: UnsafeCell::new(0),
    arena: UnsafeCell::new(Arena::new()),
    kept: Cell::new(false),
};

/// [`PLACES`] places for answers; null until the first one is asked for.
static AT_ANSWERS: AtomicPtr<Place> = AtomicPtr::new(ptr::null_mut());

/// One more than the highest place ever claimed, so that searches stay short.
static CLAIMED: AtomicUsize = AtomicUsize::new(0);

/// Runs `work` and returns its result. Returns `None` if `work` panicked or ran out of memory, if no place
/// was free, or if this thread is already inside an attempt.
///
/// The memory of the attempt is freed when it ends. So the result must not refer to it, unless [`keep`] was
/// called: `Copy` keeps out what owns memory (`Vec`, `Box`), and a reference to what `work` made does not
/// compile. If the attempt fails, destructors do not run.
pub fn attempt<R: Copy>(work: impl FnOnce() -> R) -> Option<R> {
    let signals = kernel::block_signals().ok()?;
    let result = on_own_stack(work);
    kernel::unblock_signals(signals);
    result
}

/// [`attempt`] for the constructor, with no system call of its own: below it there is nothing that
/// a signal handler could jump to, and the loader has left plenty of stack.
pub fn attempt_at_start<R: Copy>(work: impl FnOnce() -> R) -> Option<R> {
    let thread = machine::thread();
    let place = || claim(slice::from_ref(&AT_START), thread, 0);
    run_on(0, place, work)
}

/// Runs `work` on a stack of its own.
///
/// If the caller is a signal handler on the alternate signal stack (sigaltstack(2)), the kernel no longer sees
/// that this stack is in use, because the stack pointer is elsewhere now. A second signal would overwrite the
/// handler's frames. So the alternate stack is switched off meanwhile.
fn on_own_stack<R>(work: impl FnOnce() -> R) -> Option<R> {
    let stack = kernel::map(STACK).ok()?;
    // What goes deeper ends there instead of in somebody's memory. A refusal leaves it as it is.
    // SAFETY: nothing is in the lowest page yet.
    let _ = unsafe { kernel::protect(stack as usize, 1, libc::PROT_NONE) };
    let in_use = kernel::signal_stack_in_use();
    let result = run_on(
        stack as usize + STACK,
        || {
            let thread = machine::thread();
            let nested = current().is_some() || in_use.is_some() && is_owner(thread);
            if nested {
                return None;
            }
            claim(places()?, thread, stack as usize)
        },
        || {
            if in_use.is_some() {
                kernel::set_signal_stack(None);
            }
            work()
        },
    );
    if in_use.is_some() {
        kernel::set_signal_stack(in_use.as_ref());
    }
    // SAFETY: the work has ended, and with it everything on its stack.
    unsafe { kernel::unmap(stack, STACK) };
    result
}

/// Runs `work` in a place on the stack that ends at `top`; 0 for the caller's.
fn run_on<R>(
    top: usize,
    place: impl FnOnce() -> Option<&'static Place>,
    work: impl FnOnce() -> R,
) -> Option<R> {
    struct Call<W, R> {
        work: Option<W>,
        result: MaybeUninit<R>,
    }

    unsafe extern "C" fn run<W: FnOnce() -> R, R>(data: *mut c_void) {
        // SAFETY: `data` is the `Call` below, which nothing else uses meanwhile.
        let call = unsafe { &mut *data.cast::<Call<W, R>>() };
        if let Some(work) = call.work.take() {
            call.result.write(work());
        }
    }

    fn runner<W: FnOnce() -> R, R>(_: &W) -> unsafe extern "C" fn(*mut c_void) {
        run::<W, R>
    }

    let place = place()?;
    let run = runner(&work);
    let mut call = Call {
        work: Some(work),
        result: MaybeUninit::uninit(),
    };
    let data = (&raw mut call).cast();
    // SAFETY: `run` is made for this type of `Call`, and `call` lives until this function returns. `saved`
    // belongs to this attempt. The stack that ends at `top` is used by nobody else. Only the panic handler
    // takes the way out, and only while `run` runs, so this frame, to which it returns, still exists.
    let failed = unsafe { machine_code::call_with_way_out(run, data, place.saved.get(), top) } != 0;
    place.release();
    // SAFETY: 0 means that `run` returned. It found the work, which was put there above, and wrote the result.
    (!failed).then(|| unsafe { call.result.assume_init_read() })
}

/// Keeps the memory of this thread's attempt as long as the process lives, however it ends.
pub fn keep() {
    if let Some(place) = current() {
        place.kept.set(true);
    }
}

impl Place {
    fn release(&self) {
        // SAFETY: this attempt still owns the place.
        let arena = unsafe { &mut *self.arena.get() };
        if self.kept.replace(false) {
            *arena = Arena::new();
        } else {
            // SAFETY: the work has ended, and its result does not refer to the arena (see `attempt`).
            unsafe { arena.free() };
        }
        self.stack.store(0, Ordering::Release);
        self.owner.store(0, Ordering::Release);
    }
}

/// The places for answers. A child of fork gets them all free: the threads whose they were are not
/// in it, and new ones get the same pointers (madvise(2), MADV_WIPEONFORK, since Linux 4.14).
fn places() -> Option<&'static [Place]> {
    let mut places = AT_ANSWERS.load(Ordering::Acquire);
    if places.is_null() {
        let length = PLACES * size_of::<Place>();
        let fresh = kernel::map(length).ok()?;
        // SAFETY: fresh memory; zeroes are free places, and a child has none of the threads that own others.
        unsafe { kernel::wipe_on_fork(fresh, length) };
        let (none, ours) = (ptr::null_mut(), fresh.cast());
        match AT_ANSWERS.compare_exchange(none, ours, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => places = ours,
            Err(theirs) => {
                places = theirs;
                // SAFETY: it was never published.
                unsafe { kernel::unmap(fresh, length) };
            }
        }
    }
    // SAFETY: the memory was mapped for PLACES places, is aligned to a page, and is never unmapped once it is
    // published. It begins as zeroes, which are valid, free places.
    Some(unsafe { slice::from_raw_parts(places, PLACES) })
}

fn claim(places: &'static [Place], thread: usize, stack: usize) -> Option<&'static Place> {
    if thread == 0 {
        return None;
    }
    for _ in 0..PATIENCE {
        for (index, place) in places.iter().enumerate() {
            let free = place
                .owner
                .compare_exchange(0, thread, Ordering::AcqRel, Ordering::Relaxed);
            if free.is_ok() {
                place.stack.store(stack, Ordering::Release);
                CLAIMED.fetch_max(index + 1, Ordering::AcqRel);
                return Some(place);
            }
        }
        kernel::yield_processor();
    }
    None
}

/// The attempt that runs here.
fn current() -> Option<&'static Place> {
    let here = machine::stack_pointer();
    let runs_on = |place: &Place| {
        let stack = place.stack.load(Ordering::Acquire);
        stack != 0 && here.wrapping_sub(stack) <= STACK
    };
    // The constructor's runs on the host's stack, while no other thread does anything of ours.
    if AT_START.owner.load(Ordering::Relaxed) == machine::thread() {
        return Some(&AT_START);
    }
    claimed().iter().find(|place| runs_on(place))
}

/// Whether an attempt belongs to a thread, or to what has its pointer too. On the stack of a signal
/// handler, which the attempt may have been interrupted for, nothing tells the two apart.
fn is_owner(thread: usize) -> bool {
    let is_owner = |place: &Place| place.owner.load(Ordering::Relaxed) == thread;
    claimed().iter().any(is_owner)
}

/// The places for answers that were ever claimed.
fn claimed() -> &'static [Place] {
    let places = AT_ANSWERS.load(Ordering::Acquire);
    if places.is_null() {
        return &[];
    }
    let claimed = CLAIMED.load(Ordering::Acquire).min(PLACES);
    // SAFETY: as in `places`.
    unsafe { slice::from_raw_parts(places, claimed) }
}

struct AttemptMemory;

#[global_allocator]
static MEMORY: AttemptMemory = AttemptMemory;

// SAFETY: blocks come from the arena of the thread's own attempt, do not overlap, and live until
// it ends. Outside of an attempt there is no memory.
unsafe impl GlobalAlloc for AttemptMemory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match current() {
            // SAFETY: the place belongs to this thread, and no reference to the arena is held.
            Some(place) => unsafe { (*place.arena.get()).allocate(layout) },
            None => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // The others go all at once, when the attempt ends.
        if let Some(place) = current() {
            // SAFETY: as in `alloc`.
            unsafe { (*place.arena.get()).take_back(block, layout) }
        }
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
        // SAFETY: `call_with_way_out` wrote `saved` when this thread's attempt began. Its frame still exists,
        // because we were called by the attempt's work.
        unsafe { machine_code::way_out(*place.saved.get()) }
    }
    // What runs outside of attempts (the entry, finding a published answer, claiming a place)
    // indexes, divides and unwraps nothing, so nothing comes here.
    loop {
        kernel::yield_processor();
    }
}
