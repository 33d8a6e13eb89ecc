//! One small program of a runtime with its real agent, and the span that it sends to a receiver here.

mod program;
mod trial;

use crate::install::trial_programs::{self, Kind};
use crate::output::{names, shell_word};
use crate::spans::trial::Outcome;
use crate::status::agent_findings;
use crate::status::findings::Finding;
use crate::status::given_agent;
use opentelemetry_injector_otlp::Span;
use opentelemetry_injector_policy::Runtime;
use std::path::Path;

/// Starts a program of a runtime under the object and waits for its span. `is_over` ends the waiting.
pub fn finding(runtime: Runtime, object: &Path, is_over: impl Fn() -> bool) -> Finding {
    let subject = format!("span: {}", names::runtime(runtime));
    let configuration = agent_findings::configuration();
    if let Some(why) = given_agent::why_none(runtime, &configuration) {
        let next = format!("opentelemetry-injector agent install {}", runtime.section());
        return Finding::note(subject, format!("not tried: {why}")).with_next(next);
    }
    let launchers = trial_programs::runtimes().into_iter();
    let mut launchers = launchers.filter(|program| program.kind == Kind::Runtime(runtime));
    let Some(launcher) = launchers.next() else {
        return Finding::note(subject, "not tried: no program of it was found");
    };
    let program = match program::of(runtime, &launcher.path) {
        Ok(program) => program,
        Err(why) => return Finding::unknown(subject, format!("not tried: {why}")),
    };
    let outcome = match trial::run(&program, object, configuration.as_ref().ok(), is_over) {
        Ok(outcome) => outcome,
        Err(why) => return Finding::unknown(subject, format!("not tried: {why}")),
    };
    match &outcome.span {
        Some(span) => Finding::ok(subject, arrived(span, &outcome)).with_resource(&span.resource),
        None => Finding::problem(subject, missing(runtime, &outcome), next(&launcher.path)),
    }
}

fn arrived(span: &Span, outcome: &Outcome) -> String {
    let (seconds, tenths) = (outcome.after.as_secs(), outcome.after.subsec_millis() / 100);
    let scope = &span.scope;
    format!(
        "`{}` of {scope} arrived after {seconds}.{tenths} s, with",
        span.name
    )
}

/// Why there is no span, as far as can be told.
fn missing(runtime: Runtime, outcome: &Outcome) -> String {
    let said = outcome.last_line.as_deref().unwrap_or_default();
    let said = if said.is_empty() {
        String::new()
    } else {
        format!("; it said: {said}")
    };
    match given_agent::arrival(runtime, &outcome.log) {
        Err(reason) => format!("is given no agent: {reason}"),
        Ok(variable) => {
            let seconds = outcome.after.as_secs();
            format!("is given its agent by {variable}, but no span came within {seconds} s{said}")
        }
    }
}

fn next(launcher: &Path) -> String {
    let launcher = shell_word::quoted(&launcher.to_string_lossy());
    format!("opentelemetry-injector run --debug -- {launcher} PROGRAM, and see what it says")
}
