//! Memory that outlives the attempt: for published values, whose pointers the host may keep for ever. It is
//! never freed and never moved. (It is not part of the arena, and does not need an attempt.)

use crate::sys::kernel;
use core::ffi::c_char;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// The usual size of a chunk in bytes.
const CHUNK: usize = 16 * 1024;

/// What a block is aligned to.
const ALIGNMENT: usize = 16;

struct Chunk {
    used: AtomicUsize,
    length: usize,
}

static NEWEST: AtomicPtr<Chunk> = AtomicPtr::new(ptr::null_mut());

/// A zeroed block of `size` bytes, without a lock; `None` where the kernel has no memory.
pub fn allocate(size: usize) -> Option<*mut u8> {
    let size = size.checked_next_multiple_of(ALIGNMENT)?;
    loop {
        let chunk = NEWEST.load(Ordering::Acquire);
        if let Some(block) = take(chunk, size) {
            return Some(block);
        }
        let header = size_of::<Chunk>().next_multiple_of(ALIGNMENT);
        let length = header.checked_add(size)?.max(CHUNK);
        let fresh = kernel::map(length).ok()?.cast::<Chunk>();
        let used = AtomicUsize::new(header);
        // SAFETY: fresh memory, longer than the header, known to nobody else.
        unsafe { fresh.write(Chunk { used, length }) };
        let published = NEWEST.compare_exchange(chunk, fresh, Ordering::AcqRel, Ordering::Acquire);
        if published.is_err() {
            // SAFETY: it was never published.
            unsafe { kernel::unmap(fresh.cast(), length) };
        }
    }
}

fn take(chunk: *mut Chunk, size: usize) -> Option<*mut u8> {
    if chunk.is_null() {
        return None;
    }
    // SAFETY: published chunks live for ever.
    let header = unsafe { &*chunk };
    let free = |used: usize| (used + size <= header.length).then(|| used + size);
    let start = header
        .used
        .fetch_update(Ordering::AcqRel, Ordering::Acquire, free)
        .ok()?;
    // SAFETY: within the chunk, and `used` gave this part to nobody else.
    Some(unsafe { chunk.cast::<u8>().add(start) })
}

/// A permanent copy of bytes as a C string.
pub fn c_string(bytes: &[u8]) -> Option<*const c_char> {
    let block = allocate(bytes.len() + 1)?;
    // SAFETY: the block is long enough and ends with a zero of its own.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), block, bytes.len()) };
    Some(block.cast_const().cast())
}
