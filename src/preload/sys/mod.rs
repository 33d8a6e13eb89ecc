//! What the object reads from the kernel and from its process.

pub mod append;
pub mod auxiliary;
pub mod environment;
pub mod file_system;
pub mod host;
pub mod kernel;
pub mod log;
pub mod memory_map;
