//! What must hold for any input, whoever makes it: libFuzzer (`targets/`), or a test of the main
//! workspace that repeats the corpus.

pub mod added;
pub mod configuration;
pub mod fields;
pub mod foreign_files;
pub mod glob;
pub mod identity;
pub mod kernel_answers;
pub mod merges;
pub mod preload_file;
pub mod proc_files;
#[path = "../../src/cli/machine/proc_formats.rs"]
pub mod proc_formats;
pub mod process;
pub mod rules;
