//! The preload object: `libopentelemetry_injector.so`.
//!
//! Its constructor decides on the process and hooks libc's `getenv` in place; from then on watched
//! variables are answered with the agent added. Read it in this order: [`constructor`], [`hooks`],
//! [`answers`], [`direct`], [`attempt`].
//!
//! It has no standard library, no thread-local storage and no lock. Where it
//! answers, it calls libc for nothing that could fail, allocate or set `errno`; the constructor alone
//! asks for the loader's list of objects, which needs the loader's lock, and for what has to be
//! libc's own call.
#![no_std]

extern crate alloc;

mod answers;
mod arena;
mod attempt;
mod constructor;
mod direct;
mod environment;
mod files;
mod filter;
mod gum;
mod hooks;
mod host;
mod kernel;
mod loaded_objects;
mod log;
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
mod machine;
mod machine_code;
mod mappings;
mod permanent;
mod trace;
mod version;
