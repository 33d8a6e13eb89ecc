//! Which thread asks, without a system call where libc keeps the number beside the thread's pointer.

use crate::constructor::at_start::AtStart;
use crate::entry::machine;
use crate::sys::kernel;

/// Where the number stands from the thread's pointer on: in musl's `struct pthread` (1.1 to 1.2,
/// pthread_impl.h: `tid`) and in glibc's (2.0 to 2.43, nptl/descr.h: `tid`). musl's is looked at
/// first, since it is shorter; glibc has a random number there.
#[cfg(target_arch = "x86_64")]
const PLACES: &[usize] = &[0x30, 0x2d0];
/// On arm64 it stands before the pointer, by as much as each version's structure is long.
#[cfg(target_arch = "aarch64")]
const PLACES: &[usize] = &[];

/// How to tell threads.
pub struct Threads {
    /// The distance of the number from the thread's pointer; 0 if only the kernel knows it (gettid(2)).
    place: usize,
}

impl Threads {
    /// Looks where this thread's own number stands.
    pub fn new(start: &AtStart) -> Self {
        let own = kernel::thread_id();
        let glibc = || start.libc()?.image.function(c"gnu_get_libc_version");
        let known = if glibc().is_some() {
            PLACES
        } else {
            PLACES.get(..1).unwrap_or_default()
        };
        let is_there = |place: &usize| number_at(*place) == own;
        let place = known.iter().copied().find(is_there).unwrap_or(0);
        Self { place }
    }

    /// The calling thread's number.
    pub fn current(&self) -> usize {
        match self.place {
            0 => kernel::thread_id(),
            place => number_at(place),
        }
    }
}

fn number_at(place: usize) -> usize {
    let address = machine::thread().wrapping_add(place) as *const u32;
    // SAFETY: the first place lies in the thread's structure of both libcs. The second one, which only glibc's
    // is long enough for, is read only if the libc is glibc.
    unsafe { address.read_volatile() as usize }
}
