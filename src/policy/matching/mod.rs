//! How names, paths and command lines are matched.

pub mod denials;
pub mod glob;
pub mod scripts;
