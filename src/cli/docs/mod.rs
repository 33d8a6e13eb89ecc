//! Documents that the command writes of itself: man pages and completions.

pub mod completions;
pub mod man;
