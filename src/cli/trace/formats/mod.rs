//! A session for other programs.

pub mod flamegraph;
pub mod json;
pub mod perfetto;
