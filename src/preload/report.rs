//! The report: a line for each decision about a runtime, where the configuration asks for it.
//!
//! A process tells each of them once. Its children by fork have been told of with it.

use crate::attempt::attempt;
use crate::sys::host::Host;
use crate::sys::{append, kernel};
use alloc::ffi::CString;
use alloc::format;
use core::ffi::CStr;
use core::sync::atomic::{AtomicU32, Ordering};
use opentelemetry_injector_policy::config::Report;
use opentelemetry_injector_policy::report::{
    Decision, IDENTIFIER, Line, MESSAGE_ID, decided_by, is_undecided, runtime_at_start,
};
use opentelemetry_injector_policy::runtimes::boot::StoodDown;
use opentelemetry_injector_policy::{Reason, Runtime, Variable};

/// Where systemd-journald takes messages (its "native" protocol).
const JOURNAL: &CStr = c"/run/systemd/journal/socket";

/// A bit for each decision and runtime that has been told.
static TOLD: AtomicU32 = AtomicU32::new(0);

const fn bit(decision: Decision<'_>, runtime: Runtime) -> u32 {
    let place = match decision {
        Decision::Injected => 0,
        Decision::LeftAlone(_) => 1,
        Decision::StoodDown(_) => 2,
    };
    1 << (place * Runtime::ALL.len() + runtime as usize)
}

/// The constructor has left the process alone; inside of an attempt.
pub fn left_alone_at_start(report: &Report, host: &Host, reason: &Reason) {
    if report.is_on()
        && let Some(runtime) = runtime_at_start(host, reason)
    {
        tell(report, host, runtime, Decision::LeftAlone(reason));
    }
}

/// A variable stays as it was; inside of an attempt.
pub fn left_alone(report: &Report, host: &Host, variable: Variable, reason: &Reason) {
    if report.is_on()
        && !is_undecided(reason)
        && let Some(runtime) = decided_by(variable)
    {
        tell(report, host, runtime, Decision::LeftAlone(reason));
    }
}

/// A variable has been answered with the agent.
pub fn injected(report: &Report, variable: Variable) {
    if report.is_on()
        && let Some(runtime) = decided_by(variable)
        && is_untold(runtime, Decision::Injected)
    {
        attempt(|| tell(report, &Host::default(), runtime, Decision::Injected));
    }
}

/// A runtime's boot file has given up.
pub fn stood_down(report: &Report, runtime: Runtime, reason: StoodDown) {
    let decision = Decision::StoodDown(reason);
    if report.is_on() && is_untold(runtime, decision) {
        attempt(|| tell(report, &Host::default(), runtime, decision));
    }
}

/// What an injected runtime is refused later (a second time, for its script) is no decision any more.
fn is_untold(runtime: Runtime, decision: Decision<'_>) -> bool {
    let mut settled = bit(decision, runtime);
    if let Decision::LeftAlone(_) = decision {
        settled |= bit(Decision::Injected, runtime);
    }
    TOLD.load(Ordering::Relaxed) & settled == 0
}

fn tell(report: &Report, host: &Host, runtime: Runtime, decision: Decision<'_>) {
    if !is_untold(runtime, decision) {
        return;
    }
    let bit = bit(decision, runtime);
    if TOLD.fetch_or(bit, Ordering::Relaxed) & bit != 0 {
        // Another thread was first.
        return;
    }
    let line = Line {
        time: kernel::seconds(),
        process: kernel::process_id(),
        user: kernel::effective_user(),
        runtime,
        decision,
    };
    let line = line.text(host);
    if let Some(Ok(path)) = report.file.as_deref().map(CString::new) {
        append::to_file(&path, line.as_bytes(), Some(report.max_bytes));
    }
    if report.journal && may_send(decision) {
        let message = format!(
            "MESSAGE_ID={MESSAGE_ID}\nSYSLOG_IDENTIFIER={IDENTIFIER}\nPRIORITY=6\nMESSAGE={line}"
        );
        let _ = kernel::send(JOURNAL, message.as_bytes());
    }
}

/// A filter (seccomp(2)) may kill a process that makes a socket. An agent makes some; a process without
/// one may never do so.
fn may_send(decision: Decision<'_>) -> bool {
    let Decision::LeftAlone(_) = decision else {
        return true;
    };
    let status = kernel::read_all(c"/proc/self/status").unwrap_or_default();
    let mut lines = status.split(|byte| *byte == b'\n');
    lines.any(|line| line == b"Seccomp:\t0")
}
