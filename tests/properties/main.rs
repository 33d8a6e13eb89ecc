//! Properties that hold for any input: of the fuzz targets, and against the runtimes' own parsers.

mod corpus;
mod runtime_parsers;
mod runtime_tables;
#[path = "../fuzz/lib.rs"]
mod targets;
