//! Programs that lay traps, each compared with its plain run.

mod limits;
mod linking;
mod ownership;
mod privileges;
mod processes;
mod seccomp;
mod tools;
