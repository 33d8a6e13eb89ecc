//! The preload object: `libopentelemetry_injector.so`.
//!
//! Its constructor decides on the process and hooks libc's `getenv` in place; from then on watched
//! variables are answered with the agent added. Read it in this order: [`constructor`],
//! [`answer::hooks`], [`answer::answers`], [`hook::direct`], [`attempt`].
//!
//! It has no standard library, no thread-local storage and no lock. Where it
//! answers, it calls libc for nothing that could fail, allocate or set `errno`; the constructor alone
//! asks for the loader's list of objects, which needs the loader's lock, and for what has to be
//! libc's own call.
#![no_std]

extern crate alloc;

mod answer;
mod attempt;
mod constructor;
mod entry;
mod hook;
mod sys;
mod version;
