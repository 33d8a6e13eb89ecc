//! Formats of the system's files and answers, read from bytes.

pub mod directory_records;
pub mod mappings;
pub mod preload_file;
