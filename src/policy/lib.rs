//! What the injector does to a process, and why: pure decisions, no system calls.
//!
//! The preload object and the command both call these functions, so what `opentelemetry-injector`
//! says of a process is what happens in it. Facts come in through [`Process`] and [`Files`];
//! decisions go out as values or as a [`Reason`] for leaving the process alone.
//!
//! Read it in this order: [`decision`], [`config`], [`runtimes::variable`], [`runtimes::jvm`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod config;
pub mod decision;
pub mod engine;
pub mod formats;
pub mod matching;
pub mod process;
pub mod reason;
pub mod runtimes;
pub mod settings;

pub use config::Configuration;
pub use config::sources::Files;
pub use process::Process;
pub use reason::Reason;
pub use runtimes::Runtime;
pub use runtimes::variable::{Variable, Watched};
