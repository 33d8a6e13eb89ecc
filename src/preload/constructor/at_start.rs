//! The token that proves that code runs in the constructor: only the constructor can make one.

use crate::hook::loaded_objects::Libc;
use crate::sys::auxiliary::Auxiliary;
use core::cell::OnceCell;

/// Functions that take one may be called in the constructor alone: no other thread runs there, and libc
/// and the loader may be called. In an answer another thread may hold their locks, and in a child of
/// fork nobody would ever give them back.
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
