//! What the boot files have reported about this process, and what has been injected.
//!
//! Other processes find these four bytes through the object's ELF note of kind 2 (elf(5), "Notes"; owner
//! `OpenTelemetry`). Its descriptor is one 64-bit number: the distance from the descriptor's own virtual
//! address to that of [`STATE`]. Both addresses are in the object's file. In the process
//! (`/proc/PID/mem`, proc(5)) the address of the object's first mapping has to be added.

use core::arch::global_asm;
use core::sync::atomic::{AtomicU8, Ordering};
use opentelemetry_injector_policy::Runtime;
use opentelemetry_injector_policy::runtimes::boot::StoodDown;

/// The process's state; all zeroes before anything was answered.
#[repr(C)]
pub struct State {
    /// One more than the runtime whose agent has been injected here (its place in
    /// [`Runtime::ALL`]).
    activated: AtomicU8,
    /// 1 where the runtime has read its own variables.
    started: AtomicU8,
    /// 1 where the agent has read its settings.
    agent_loaded: AtomicU8,
    /// One more than the reason for which the boot file has given up (its place in
    /// [`StoodDown::ALL`]).
    stood_down: AtomicU8,
}

/// The one of this process.
pub static STATE: State = State {
    activated: AtomicU8::new(0),
    started: AtomicU8::new(0),
    agent_loaded: AtomicU8::new(0),
    stood_down: AtomicU8::new(0),
};

global_asm!(
    ".pushsection .note.opentelemetry_injector, \"a\", %note",
    ".p2align 2",
    ".long 14, 8, 2",
    ".asciz \"OpenTelemetry\"",
    ".p2align 2",
    ".quad {state} - .",
    ".popsection",
    state = sym STATE,
);

impl State {
    /// An answer has injected a runtime's agent.
    pub fn activate(&self, runtime: Runtime) {
        set(&self.activated, runtime as u8 + 1);
    }

    /// The runtime whose agent has been injected.
    pub fn activated(&self) -> Option<Runtime> {
        let index = usize::from(self.activated.load(Ordering::Acquire)).checked_sub(1)?;
        Runtime::ALL.get(index).copied()
    }

    /// The runtime has read its own variables; nothing where no agent has been injected.
    pub fn start(&self) {
        self.told(&self.started, 1);
    }

    /// Whether [`start`](Self::start) was told.
    pub fn has_started(&self) -> bool {
        self.started.load(Ordering::Acquire) != 0
    }

    /// The agent has read its settings; nothing where none has been injected.
    pub fn load_agent(&self) {
        self.told(&self.agent_loaded, 1);
    }

    /// Whether [`load_agent`](Self::load_agent) was told.
    pub fn is_agent_loaded(&self) -> bool {
        self.agent_loaded.load(Ordering::Acquire) != 0
    }

    /// The boot file has given up; returns whether an agent had been injected.
    pub fn stand_down(&self, reason: StoodDown) -> bool {
        self.told(&self.stood_down, reason as u8 + 1)
    }

    /// Whether [`stand_down`](Self::stand_down) was told.
    pub fn has_stood_down(&self) -> bool {
        self.stood_down.load(Ordering::Acquire) != 0
    }

    /// A request begins in a runtime that has read its own variables; what was told of the one before
    /// counts no more. `stood_down`: why the boot file will not run in it.
    pub fn begin_request(&self, stood_down: Option<StoodDown>) {
        self.start();
        set(
            &self.stood_down,
            stood_down.map_or(0, |reason| reason as u8 + 1),
        );
    }

    fn told(&self, place: &AtomicU8, value: u8) -> bool {
        let is_ours = self.activated().is_some();
        if is_ours {
            set(place, value);
        }
        is_ours
    }
}

/// Looks before it stores: a store to what other processors read costs them all.
fn set(place: &AtomicU8, value: u8) {
    if place.load(Ordering::Acquire) != value {
        place.store(value, Ordering::Release);
    }
}
