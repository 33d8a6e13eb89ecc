//! .NET: `DOTNET_STARTUP_HOOKS`, `DOTNET_ADDITIONAL_DEPS`, `DOTNET_SHARED_STORE`.

use crate::{Configuration, Process, Reason, Runtime};
use alloc::vec::Vec;

/// The value of `DOTNET_STARTUP_HOOKS` for this process.
///
/// # Errors
/// Why the process gets the original value.
pub fn startup_hooks(
    _original: Option<&[u8]>,
    _process: &impl Process,
    configuration: &Configuration,
) -> Result<Vec<u8>, Reason> {
    let (_agent, _path) = Runtime::Dotnet.agent(configuration)?;
    Err(Reason::NoAgentConfigured)
}

/// The value of `DOTNET_ADDITIONAL_DEPS` for this process.
///
/// # Errors
/// Why the process gets the original value.
pub fn additional_deps(
    _original: Option<&[u8]>,
    _process: &impl Process,
    configuration: &Configuration,
) -> Result<Vec<u8>, Reason> {
    let (_agent, _path) = Runtime::Dotnet.agent(configuration)?;
    Err(Reason::NoAgentConfigured)
}

/// The value of `DOTNET_SHARED_STORE` for this process.
///
/// # Errors
/// Why the process gets the original value.
pub fn shared_store(
    _original: Option<&[u8]>,
    _process: &impl Process,
    configuration: &Configuration,
) -> Result<Vec<u8>, Reason> {
    let (_agent, _path) = Runtime::Dotnet.agent(configuration)?;
    Err(Reason::NoAgentConfigured)
}
