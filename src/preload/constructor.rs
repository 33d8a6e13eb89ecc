//! What happens when the loader hands a process over: the checks in their order, then the hooks.

use crate::answer::{answers, hooks};
use crate::attempt::{attempt_at_start, keep};
use crate::hook::{direct, gum, loaded_objects};
use crate::sys::file_system::FileSystem;
use crate::sys::host::Host;
use crate::sys::{environment, log};
use alloc::boxed::Box;
use opentelemetry_injector_policy::config::{Level, Log};
use opentelemetry_injector_policy::engine::{self, Choice};
use opentelemetry_injector_policy::reason::{EngineProblem, Lossy};
use opentelemetry_injector_policy::{Configuration, Reason, decision};

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = construct;

extern "C" fn construct() {
    // Before anything else: such a process is neither read nor told.
    // SAFETY: getauxval(3) has no requirements.
    if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        return;
    }
    restore();
    attempt_at_start(|| {
        if let Err(reason) = inject() {
            log::debug!("nothing is injected: {reason}");
        }
    });
}

/// A parent's additions are not for this process, whatever becomes of it.
fn restore() {
    if let Some(marker) = environment::marker() {
        attempt_at_start(|| environment::restore(marker));
    }
}

fn inject() -> Result<(), Reason> {
    let host = Host::default();
    log::start(&host);
    let mut level = Level::Off;
    let configuration = decision::prepare(&host, &FileSystem, |path, configuration| {
        level = log::configure(&configuration.log, &host);
        log::debug!("configuration: {}", Lossy(path));
    })?;
    // The configuration lives as long as the hooks, whatever happens from here on.
    keep();
    let configuration = Box::leak(Box::new(configuration));
    answers::configure(configuration);
    loaded_objects::find_own_path();
    if level == Level::Trace {
        hooks::trace_calls();
    }
    hook(&host, configuration, level).map_err(Reason::Engine)
}

fn hook(host: &Host, configuration: &Configuration, level: Level) -> Result<(), EngineProblem> {
    match engine::choose(host, configuration, level) {
        Choice::Direct => with_direct(),
        Choice::Gum => with_gum(&configuration.log),
        Choice::GumOrDirect => with_gum(&configuration.log).or_else(|problem| {
            log::debug!("the engine is direct: {problem}");
            with_direct()
        }),
    }
}

fn with_direct() -> Result<(), EngineProblem> {
    direct::hook(|name, address| log::debug!("engine direct: {name} hooked at {address:#x}"))
}

fn with_gum(log: &Log) -> Result<(), EngineProblem> {
    let object = gum::installed().ok_or(EngineProblem::GumUnavailable)?;
    gum::hook(&object, log.backtrace, |name, address| {
        log::debug!("engine gum: {name} hooked at {address:#x}");
    })
}
