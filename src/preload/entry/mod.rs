//! The hook's entry and everything else in machine code. `machine` is the file `x86_64.rs` or `aarch64.rs`, and
//! `memory` is `memory_x86_64.rs` or `memory_aarch64.rs`, whichever the object is built for.

pub mod filter;
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
pub mod machine;
pub mod machine_code;
#[cfg_attr(target_arch = "aarch64", path = "memory_aarch64.rs")]
#[cfg_attr(target_arch = "x86_64", path = "memory_x86_64.rs")]
mod memory;
