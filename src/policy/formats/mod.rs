//! Formats of system files and kernel answers, read from bytes.

pub mod ancestors;
pub mod directory_records;
pub mod mappings;
pub mod preload_file;
pub mod trace_channel;
