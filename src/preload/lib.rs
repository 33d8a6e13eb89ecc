//! The preload object: `libopentelemetry_injector.so`.
//!
//! Its constructor decides about the process and hooks libc's `getenv` in place. From then on watched
//! variables are answered with the agent added. Read it in this order: [`constructor`], [`hook::direct`] (how
//! the jump gets into libc), [`entry`] (the code that it leads to), [`answer::hooks`], [`answer::answers`] (the
//! values and their cache), [`attempt`] (how failures are isolated).
//!
//! It uses no standard library, no thread-local storage and no lock, and it imports nothing but
//! `__environ`: what it runs is its own.
#![no_std]

extern crate alloc;

mod answer;
mod attempt;
mod constructor;
mod entry;
mod hook;
mod report;
mod session;
mod sys;
mod version;
