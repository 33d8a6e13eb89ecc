//! What the steps come to.

use crate::explain::explained_process::{ExplainedProcess, Live, Loading, NotLoaded};
use crate::explain::explanation::{Check, Mark, Step, Verdict};

/// The verdict on a process. What is in its memory is stronger than what its files say now.
pub fn of(process: &ExplainedProcess, steps: &[Step], changes: &[String]) -> Verdict {
    let live = process.live.as_ref();
    let stood_down = live.and_then(Live::stood_down).and_then(|_| {
        steps
            .iter()
            .find(|step| step.check == Check::Activation && step.mark == Mark::Stopped)
    });
    if let Some(step) = stood_down {
        return Verdict::NotInjected {
            why: step.what.clone(),
            after_restart: false,
        };
    }
    if live.and_then(Live::is_injected) == Some(true) {
        return Verdict::Injected;
    }
    let stops: Vec<_> = steps
        .iter()
        .filter(|step| step.mark == Mark::Stopped)
        .collect();
    let Some(first) = stops.first() else {
        let is_untold = |step: &&Step| step.check == Check::Runtime && step.mark == Mark::Unknown;
        if let Some(step) = steps.iter().find(is_untold) {
            return Verdict::Unknown(step.what.clone());
        }
        return match process.is_secure {
            Some(_) => Verdict::Injected,
            None => {
                Verdict::Unknown("it is unknown whether its rights differ from its user's".into())
            }
        };
    };
    let why = match first.check {
        Check::Loaded => format!("not loaded: {}", first.what),
        _ => first.what.clone(),
    };
    let is_hooked = live.and_then(|live| live.is_hooked);
    if is_hooked == Some(true) {
        if !changes.is_empty() && depends_on_files(first.check) {
            return Verdict::Unknown(format!(
                "it was hooked before something changed; after a restart: {why}"
            ));
        }
        if comes_before_hooks(steps) {
            return Verdict::Unknown(format!(
                "it is hooked, although {why} (it may have overwritten its command line)"
            ));
        }
    }
    let waits = match (&process.loading, first.check) {
        (Loading::NotLoaded(NotLoaded::StartedBefore(_)), Check::Loaded) => true,
        (_, Check::Engine) => !changes.is_empty(),
        _ => false,
    };
    match stops.get(1) {
        // What a restart would bring to light is what there is to do.
        Some(next) if waits => Verdict::NotInjected {
            why: format!("{why}; a restart alone does not help: {}", next.what),
            after_restart: false,
        },
        _ => Verdict::NotInjected {
            why,
            after_restart: waits,
        },
    }
}

/// Whether other files may have led to another outcome of this step.
fn depends_on_files(check: Check) -> bool {
    !matches!(
        check,
        Check::Loaded | Check::Rights | Check::KillSwitch | Check::Runtime
    )
}

/// Whether the preload object would have put no hook in place.
fn comes_before_hooks(steps: &[Step]) -> bool {
    let reached = |step: &Step| step.check == Check::Runtime && step.mark != Mark::NotReached;
    !steps.iter().any(reached)
}
