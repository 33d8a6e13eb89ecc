//! For ui.perfetto.dev and chrome://tracing: JSON in the Trace Event Format.

use crate::trace::findings::Finding;
use crate::trace::recording::{Function, Outcome, Text};
use crate::trace::redaction;
use crate::trace::session_report::Report;
use serde_json::json;
use std::collections::HashMap;

/// The session as one JSON text.
pub fn text(report: &mut Report<'_>) -> String {
    let recording = report.recording;
    let start = report.recording.start();
    let mut text = String::from("{\"traceEvents\":[");
    let mut add = |event: &str| {
        text.push_str(if text.ends_with('[') { "\n" } else { ",\n" });
        text.push_str(event);
    };
    for program in &recording.programs {
        let name = if program.arguments.is_empty() {
            program.name().to_owned()
        } else {
            redaction::arguments(&program.arguments).join(" ")
        };
        let event = json!({
            "ph": "M", "name": "process_name", "pid": program.process, "tid": program.process,
            "args": {"name": name},
        });
        add(&event.to_string());
    }
    // What is the same in the calls of a name from a place, which are many.
    let mut parts: HashMap<(u64, usize, u64, Outcome, Function), String> = HashMap::new();
    let calls = report.calls();
    report.callers.find_callers(recording, &calls);
    for call in calls {
        let (outcome, function) = (call.outcome, call.function);
        let key = (call.text, call.program, call.caller, outcome, function);
        let part = parts.entry(key).or_insert_with(|| {
            let caller = report.callers.of(recording, call);
            let Text { name, value } = recording.text(call);
            let value = (outcome != Outcome::Miss).then(|| redaction::shown(name, value));
            let args = json!({
                "function": function.name(), "result": outcome.name(), "caller": caller.to_string(),
                "value": value,
            });
            let (name, pid) = (json!(name), recording.programs[call.program].process);
            format!(
                "{{\"ph\":\"i\",\"s\":\"t\",\"cat\":\"{}\",\"name\":{name},\"pid\":{pid},\"args\":{args}",
                outcome.name()
            )
        });
        let time = call.time.saturating_sub(start) as f64 / 1e3;
        add(&format!("{part},\"ts\":{time},\"tid\":{}}}", call.thread));
    }
    for change in report.changes() {
        let [old, new] = change.shown();
        let event = json!({
            "ph": "i", "s": "t", "cat": change.event.name(),
            "name": format!("{} {}", change.event.name(), change.name).trim_end(),
            "ts": change.time.saturating_sub(start) as f64 / 1e3,
            "pid": recording.programs[change.program].process, "tid": change.thread,
            "args": {"old": old, "new": new},
        });
        add(&event.to_string());
    }
    let findings = report.findings.iter();
    let findings: Vec<_> = findings.map(Finding::sentence).collect();
    // What has no place among the events.
    let about = json!({
        "exit_code": report.exit_code, "dropped": report.counts.dropped, "unfinished": report.unfinished,
        "refused_processes": report.counts.refused, "findings": findings,
    });
    text + &format!("\n],\"displayTimeUnit\":\"ns\",\"otherData\":{about}}}\n")
}
