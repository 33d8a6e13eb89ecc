//! The variables whose answers may change, and the value of each.

use crate::{Configuration, Process, Reason, jvm};
use alloc::vec::Vec;

/// A watched variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// `JAVA_TOOL_OPTIONS`, read by every JVM when it is created.
    JavaToolOptions,
}

impl Variable {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 1] = [Self::JavaToolOptions];

    /// The variable's name in the environment.
    pub const fn name(self) -> &'static str {
        match self {
            Self::JavaToolOptions => "JAVA_TOOL_OPTIONS",
        }
    }

    /// The value that the process gets instead of `original`.
    ///
    /// # Errors
    /// The reason for which the process gets the original.
    pub fn value(
        self,
        original: Option<&[u8]>,
        process: &impl Process,
        configuration: &Configuration,
    ) -> Result<Vec<u8>, Reason> {
        match self {
            Self::JavaToolOptions => jvm::value(original, process, configuration),
        }
    }
}
