//! Erlang and Elixir: `ERL_AFLAGS`.

use crate::{Configuration, Process, Reason, Runtime};
use alloc::vec::Vec;

/// The value of `ERL_AFLAGS` for this process.
///
/// # Errors
/// Why the process gets the original value.
pub fn value(
    _original: Option<&[u8]>,
    _process: &impl Process,
    configuration: &Configuration,
) -> Result<Vec<u8>, Reason> {
    let (_agent, _path) = Runtime::Erlang.agent(configuration)?;
    Err(Reason::NoAgentConfigured)
}
