//! The token that proves that code runs in the constructor: only the constructor can make one.

use crate::sys::auxiliary::Auxiliary;

/// Functions that take one may be called in the constructor alone: no other thread runs there, and libc
/// and the loader may be called. In an answer another thread may hold their locks, and in a child of
/// fork nobody would ever give them back.
pub struct AtStart {
    auxiliary: Auxiliary,
}

impl AtStart {
    /// The constructor's.
    pub(super) fn new(auxiliary: Auxiliary) -> Self {
        Self { auxiliary }
    }

    /// What the kernel has told the process.
    pub fn auxiliary(&self) -> &Auxiliary {
        &self.auxiliary
    }
}
