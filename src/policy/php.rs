//! PHP: `PHP_INI_SCAN_DIR`.

use crate::{Configuration, Process, Reason, Runtime};
use alloc::vec::Vec;

/// The value of `PHP_INI_SCAN_DIR` for this process.
///
/// # Errors
/// Why the process gets the original value.
pub fn value(
    _original: Option<&[u8]>,
    _process: &impl Process,
    configuration: &Configuration,
) -> Result<Vec<u8>, Reason> {
    let (_agent, _path) = Runtime::Php.agent(configuration)?;
    Err(Reason::NoAgentConfigured)
}
