//! For ui.perfetto.dev and chrome://tracing: JSON in the Trace Event Format.

use crate::trace::recording::Outcome;
use crate::trace::redaction;
use crate::trace::session_report::Report;
use serde_json::{Value, json};

/// The session as one JSON text.
pub fn text(report: &mut Report<'_>) -> String {
    let recording = report.recording;
    let start = report.recording.start();
    let mut events: Vec<Value> = Vec::new();
    for program in &recording.programs {
        let name = if program.arguments.is_empty() {
            program.name().to_owned()
        } else {
            program.arguments.join(" ")
        };
        events.push(json!({
            "ph": "M", "name": "process_name", "pid": program.process, "tid": program.process,
            "args": {"name": name},
        }));
    }
    for call in report.calls() {
        let caller = report.callers.of(recording, call);
        let text = recording.text(call);
        let value = redaction::shown(&text.name, &text.value);
        events.push(json!({
            "ph": "i", "s": "t", "cat": call.outcome.name(), "name": text.name,
            "ts": call.time.saturating_sub(start) as f64 / 1e3,
            "pid": recording.programs[call.program].process, "tid": call.thread,
            "args": {
                "function": call.function.name(), "result": call.outcome.name(), "caller": caller.to_string(),
                "value": (call.outcome != Outcome::Miss).then_some(value),
            },
        }));
    }
    for change in report.changes() {
        let [old, new] = change.shown();
        events.push(json!({
            "ph": "i", "s": "t", "cat": change.event.name(),
            "name": format!("{} {}", change.event.name(), change.name).trim_end(),
            "ts": change.time.saturating_sub(start) as f64 / 1e3,
            "pid": recording.programs[change.program].process, "tid": change.thread,
            "args": {"old": old, "new": new},
        }));
    }
    format!(
        "{}\n",
        json!({"traceEvents": events, "displayTimeUnit": "ns"})
    )
}
