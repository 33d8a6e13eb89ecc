//! What happens when the loader calls the constructor: the checks in their order, then the hooks.

pub mod at_start;

use crate::answer::{answers, hooks};
use crate::attempt::{attempt_at_start, keep};
use crate::constructor::at_start::AtStart;
use crate::hook::{direct, gum, loaded_objects};
use crate::report;
use crate::session;
use crate::sys::file_system::FileSystem;
use crate::sys::host::Host;
use crate::sys::{auxiliary, environment, log};
use alloc::boxed::Box;
use opentelemetry_injector_policy::config::{Level, Report};
use opentelemetry_injector_policy::engine::{self, Choice};
use opentelemetry_injector_policy::reason::{EngineProblem, Lossy};
use opentelemetry_injector_policy::{Configuration, Reason, decision};

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn(usize, usize, usize) = construct;

/// glibc's loader passes `main`'s arguments; musl's passes none, and the values are of no use.
extern "C" fn construct(count: usize, arguments: usize, environment: usize) {
    // Before anything else: a process with AT_SECURE is left alone, with no file read and nothing logged. The
    // same if the auxiliary vector is not found, because then AT_SECURE is unknown.
    let Some(auxiliary) = auxiliary::read([count, arguments, environment]) else {
        return;
    };
    if auxiliary.is_secure {
        return;
    }
    let start = AtStart::new(auxiliary);
    restore();
    attempt_at_start(|| {
        let host = Host::default();
        session::join(&start, &host);
        let mut report = Report::default();
        if let Err(reason) = inject(&start, &host, &mut report) {
            log::debug!("nothing is injected: {reason}");
            report::left_alone_at_start(&report, &host, &reason);
            if session::is_on() {
                trace_alone(&start, &reason);
            }
        }
    });
    auxiliary::forget_first_argument();
}

/// Hooks a process that is in a trace session and is given nothing, unless nothing may be hooked there.
fn trace_alone(start: &AtStart, reason: &Reason) {
    session::note(format_args!("nothing is injected: {reason}"));
    if !reason.forbids_hooks() {
        hooks::tell_session();
        if let Err(problem) = with_direct(start) {
            session::note(format_args!("no call is seen: {problem}"));
        }
    }
}

/// Removes what the injector added to the parent's environment. This happens before any check, even if this
/// process is left alone.
fn restore() {
    if let Some(marker) = environment::marker() {
        attempt_at_start(|| environment::restore(marker));
    }
}

/// `report` is what the configuration says of it, as far as it could be read.
fn inject(start: &AtStart, host: &Host, report: &mut Report) -> Result<(), Reason> {
    log::start(host);
    let mut level = Level::Off;
    let configuration =
        decision::prepare_at_start(host, &FileSystem::new(start), |path, configuration| {
            level = log::configure(&configuration.log, host);
            report.clone_from(&configuration.report);
            log::debug!("configuration: {}", Lossy(path));
        })?;
    // The configuration lives as long as the hooks, whatever happens from here on.
    keep();
    let configuration = Box::leak(configuration);
    answers::configure(configuration);
    loaded_objects::find_own_path(start);
    if session::is_on() {
        hooks::tell_session();
    }
    if level == Level::Trace {
        hooks::trace_calls();
    }
    hook(start, host, configuration).map_err(Reason::Engine)
}

fn hook(start: &AtStart, host: &Host, configuration: &Configuration) -> Result<(), EngineProblem> {
    match engine::choose(host, configuration, || gum::installed().is_some()) {
        Choice::Direct => with_direct(start),
        Choice::Gum => with_gum(start),
        Choice::GumOrDirect => with_gum(start).or_else(|problem| {
            log::debug!("the engine is direct: {problem}");
            with_direct(start)
        }),
    }
}

fn with_direct(start: &AtStart) -> Result<(), EngineProblem> {
    direct::hook(start, |name, address| {
        log::debug!("engine direct: {name} hooked at {address:#x}")
    })
}

fn with_gum(start: &AtStart) -> Result<(), EngineProblem> {
    let object = gum::installed().ok_or(EngineProblem::GumUnavailable)?;
    gum::hook(start, &object, |name, address| {
        log::debug!("engine gum: {name} hooked at {address:#x}");
    })
}
