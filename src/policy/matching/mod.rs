//! How names, paths and command lines are matched.

pub mod beginnings;
pub mod command_line;
pub mod commands;
pub mod glob;
pub mod other_injectors;
pub mod texts;
pub mod tools;
