//! How libc's functions are found and redirected to the entry: the two engines.

pub mod direct;
pub mod elf;
pub mod gum;
pub mod loaded_objects;
