//! What the object asks of the kernel and of the process it is in.

pub mod auxiliary;
pub mod environment;
pub mod file_system;
pub mod host;
pub mod kernel;
pub mod log;
pub mod memory_map;
