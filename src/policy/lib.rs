//! What the injector does to a process, and why: pure decisions without system calls.
//!
//! The preload object and the command call the same functions, so what `opentelemetry-injector` says
//! about a process is what happens in it. Facts come in through [`Process`] and [`Files`]. Decisions go
//! out as values, or as a [`Reason`] to leave the process alone.
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
pub mod report;
pub mod runtimes;
pub mod settings;

pub use config::Configuration;
pub use config::sources::Files;
pub use process::Process;
pub use reason::Reason;
pub use runtimes::Runtime;
pub use runtimes::variable::{Variable, Watched};
