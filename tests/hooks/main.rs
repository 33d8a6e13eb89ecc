//! The hooks, the constructor and the object itself, in programs of every kind.

mod answers;
mod arm64;
mod attempts;
mod bounds;
mod libotelinject;
mod preload_object;
mod processes;
mod relocation;
mod report;
mod secure_execution;
mod start;
mod state;
mod traps;
