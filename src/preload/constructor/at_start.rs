//! A value that proves that code runs in the constructor. Functions that are safe only there take it as an
//! argument, and only the constructor can create it, so the compiler rejects calls from elsewhere.

use crate::hook::loaded_objects::Libc;
use crate::sys::auxiliary::Auxiliary;
use core::cell::OnceCell;

/// Functions that take one can be called only in the constructor. No other thread runs there, so libc and the
/// loader may be called. Later, another thread may hold their locks, and in a child of fork that thread does
/// not exist, so the lock would never be released.
pub struct AtStart {
    auxiliary: Auxiliary,
    libc: OnceCell<Option<Libc>>,
}

impl AtStart {
    /// The constructor's.
    pub(super) fn new(auxiliary: Auxiliary) -> Self {
        Self {
            auxiliary,
            libc: OnceCell::new(),
        }
    }

    /// The process's libc.
    pub fn libc(&self) -> Option<&Libc> {
        self.libc.get_or_init(|| Libc::find(self)).as_ref()
    }

    /// What the kernel has told the process.
    pub fn auxiliary(&self) -> &Auxiliary {
        &self.auxiliary
    }
}
