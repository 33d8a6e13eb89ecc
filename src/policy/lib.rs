//! What the injector does to a process, and why: pure decisions, no system calls.
//!
//! The preload object and the command both call these functions, so what `opentelemetry-injector`
//! says of a process is what happens in it. Facts come in through [`Process`] and [`Files`];
//! decisions go out as values or as a [`Reason`] for leaving the process alone.
//!
//! Read it in this order: [`decision`], [`configuration`], [`variable`], [`jvm`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod added;
pub mod boot;
pub mod configuration;
pub mod configuration_files;
pub mod configuration_keys;
pub mod decision;
pub mod denials;
pub mod directory_records;
pub mod dotnet;
pub mod dotnet_agents;
pub mod dotnet_commands;
pub mod engine;
pub mod erlang;
pub mod erlang_flags;
pub mod glob;
pub mod jvm;
pub mod jvm_agents;
pub mod jvm_launcher;
mod jvm_option_files;
pub mod jvm_options;
pub mod mappings;
pub mod nodejs;
pub mod nodejs_agents;
pub mod nodejs_options;
pub mod overrides;
pub mod php;
pub mod preload_file;
pub mod process;
pub mod python;
pub mod python_command_line;
pub mod python_tools;
pub mod reason;
pub mod resource_attributes;
pub mod ruby;
pub mod runtime;
pub mod script;
pub mod settings;
pub mod variable;

pub use configuration::Configuration;
pub use configuration_files::Files;
pub use process::Process;
pub use reason::Reason;
pub use runtime::Runtime;
pub use variable::{Variable, Watched};
