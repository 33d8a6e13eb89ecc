//! The command `opentelemetry-injector`, by what it prints and how it exits.

mod check;
mod config;
mod documents;
mod explain;
mod explain_commands;
mod kubernetes;
mod ps;
mod report;
mod run;
mod shells;
mod status;
mod trace;
mod trace_output;
