//! The memory of one attempt: taken from the kernel in chunks, handed out in order, freed at once.

use crate::sys::kernel;
use core::alloc::Layout;
use core::arch::global_asm;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};
use core::{mem, ptr};

/// The usual size of a chunk in bytes. Pages that are not used cost nothing.
const CHUNK: usize = 256 * 1024;

/// A chunk that needs no system call, for one attempt at a time: the constructor's, which keeps it
/// where it injects.
const FIRST_CHUNK: usize = 32 * 1024;

unsafe extern "C" {
    #[link_name = "opentelemetry_injector_arena"]
    static FIRST: UnsafeCell<[u8; FIRST_CHUNK]>;
}

static FIRST_TAKEN: AtomicBool = AtomicBool::new(false);

// The first chunk lies behind all other memory that begins as zeroes, so that its beginning shares a page with
// them: most starts need no other. And that memory begins with a page. Otherwise the loader maps a page of the
// file for it, to fill the rest of that page with zeroes: one mapping and one copied page more in every process.
// The assembler's part of the object comes first.
global_asm!(
    ".pushsection .bss.opentelemetry_injector, \"awR\", %nobits",
    ".balign 4096",
    ".zero 8",
    ".popsection",
    ".pushsection .arena, \"aw\", %nobits",
    ".balign 64",
    ".hidden opentelemetry_injector_arena",
    ".globl opentelemetry_injector_arena",
    "opentelemetry_injector_arena:",
    ".zero {length}",
    ".popsection",
    length = const FIRST_CHUNK,
);

/// Written at the start of every chunk that came from the kernel.
struct Header {
    older: *mut u8,
    length: usize,
}

/// See the module.
pub struct Arena {
    /// The newest chunk that came from the kernel.
    chunk: *mut u8,
    next: usize,
    end: usize,
    owns_first: bool,
}

impl Arena {
    /// An arena without any memory yet.
    pub const fn new() -> Self {
        Self {
            chunk: ptr::null_mut(),
            next: 0,
            end: 0,
            owns_first: false,
        }
    }

    /// A fresh block, or null where the kernel has none.
    pub fn allocate(&mut self, layout: Layout) -> *mut u8 {
        if let Some(block) = self.take(layout) {
            return block;
        }
        if self.grow(layout) {
            self.take(layout).unwrap_or(ptr::null_mut())
        } else {
            ptr::null_mut()
        }
    }

    /// Takes the newest block back: most work drops what it has just made.
    pub fn take_back(&mut self, block: *mut u8, layout: Layout) {
        if block as usize + layout.size() == self.next {
            self.next = block as usize;
        }
    }

    /// A block with the content of `block`, of another size; null where there is no memory.
    ///
    /// # Safety
    /// `block` came from this arena with `layout`.
    pub unsafe fn resize(&mut self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let is_newest = block as usize + layout.size() == self.next;
        let fits = (block as usize).checked_add(size);
        if let Some(end) = fits.filter(|end| is_newest && *end <= self.end) {
            self.next = end;
            return block;
        }
        let Ok(layout_after) = Layout::from_size_align(size, layout.align()) else {
            return ptr::null_mut();
        };
        let fresh = self.allocate(layout_after);
        if !fresh.is_null() {
            let length = layout.size().min(size);
            // SAFETY: both blocks are at least this long, and a fresh one overlaps no other.
            unsafe { ptr::copy_nonoverlapping(block, fresh, length) };
        }
        fresh
    }

    /// Gives everything back.
    ///
    /// # Safety
    /// Nothing refers to any block any more.
    pub unsafe fn free(&mut self) {
        let mut old = mem::replace(self, Self::new());
        while !old.chunk.is_null() {
            // SAFETY: a chunk begins with its header.
            let header = unsafe { old.chunk.cast::<Header>().read() };
            // SAFETY: the caller's promise.
            unsafe { kernel::unmap(old.chunk, header.length) };
            old.chunk = header.older;
        }
        if old.owns_first {
            FIRST_TAKEN.store(false, Ordering::Release);
        }
    }

    fn take(&mut self, layout: Layout) -> Option<*mut u8> {
        let start = self.next.checked_next_multiple_of(layout.align())?;
        let end = start.checked_add(layout.size())?;
        if self.next == 0 || end > self.end {
            return None;
        }
        self.next = end;
        Some(start as *mut u8)
    }

    fn grow(&mut self, layout: Layout) -> bool {
        if self.next == 0 && !FIRST_TAKEN.swap(true, Ordering::AcqRel) {
            self.owns_first = true;
            self.next = (&raw const FIRST) as usize;
            self.end = self.next + FIRST_CHUNK;
            if layout.size() + layout.align() <= FIRST_CHUNK {
                return true;
            }
        }
        let needed = size_of::<Header>() + layout.size() + layout.align();
        let length = needed.max(CHUNK);
        let Ok(chunk) = kernel::map(length) else {
            return false;
        };
        let older = self.chunk;
        // SAFETY: the chunk is fresh, aligned to a page and longer than the header.
        unsafe { chunk.cast::<Header>().write(Header { older, length }) };
        self.chunk = chunk;
        self.next = chunk as usize + size_of::<Header>();
        self.end = chunk as usize + length;
        true
    }
}
