//! The hook's entry and what else is machine code, of both architectures.

pub mod filter;
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
pub mod machine;
pub mod machine_code;
#[cfg_attr(target_arch = "aarch64", path = "memory_aarch64.rs")]
#[cfg_attr(target_arch = "x86_64", path = "memory_x86_64.rs")]
mod memory;
