//! JSON lines; docs/trace.schema.json says what is in them.

use crate::trace::callers::Caller;
use crate::trace::changes::{Change, Event};
use crate::trace::recording::{Call, Outcome, Program, Recording};
use crate::trace::redaction;
use crate::trace::session_report::Report;
use serde_json::{Value, json};

/// All lines of a session.
pub fn lines(report: &mut Report<'_>) -> String {
    let mut values: Vec<Value> = Vec::new();
    let recording = report.recording;
    let start = report.recording.start();
    values.extend(
        recording
            .programs
            .iter()
            .map(|program| process(program, start)),
    );
    for call in report.calls() {
        let stack = report.callers.stack(recording, call);
        values.push(self::call(recording, call, &stack, start));
    }
    values.extend(
        report
            .changes()
            .into_iter()
            .map(|change| self::change(recording, change, start)),
    );
    values.extend(report.rows().iter().map(|row| {
        let [misses, hits, injected] = row.outcomes;
        json!({
            "type": "name", "name": row.name, "calls": row.calls(),
            "misses": misses, "hits": hits, "injected": injected,
            "processes": row.processes, "first_caller": place(&row.caller),
            "value": row.value, "changed": row.has_changed,
        })
    }));
    values.extend(
        report.findings.iter().map(
            |finding| json!({"type": "finding", "names": finding.names, "text": finding.text}),
        ),
    );
    values.extend(report.untraced.iter().map(|untraced| {
        json!({
            "type": "untraced", "pid": untraced.process, "executable": untraced.executable,
            "text": untraced.why.text(),
        })
    }));
    values.push(json!({
        "type": "end", "exit_code": report.exit_code, "dropped": report.counts.dropped,
        "unfinished": report.unfinished, "refused_processes": report.counts.refused,
    }));
    values.iter().map(|value| format!("{value}\n")).collect()
}

fn process(program: &Program, start: u64) -> Value {
    json!({
        "type": "process", "pid": program.process, "parent": program.parent,
        "time": seconds(program.time, start), "executable": program.executable,
        "arguments": program.arguments, "forked": program.forked_from.is_some(),
        "notes": program.notes,
    })
}

fn call(recording: &Recording, call: &Call, stack: &[Caller], start: u64) -> Value {
    let text = recording.text(call);
    let value = redaction::shown(&text.name, &text.value);
    let mut line = json!({
        "type": "call", "pid": recording.programs[call.program].process, "thread": call.thread,
        "time": seconds(call.time, start), "function": call.function.name(),
        "name": text.name,
        "result": call.outcome.name(),
        "value": (call.outcome != Outcome::Miss).then_some(value),
        "caller": stack.first().map(place),
    });
    if call.stack.is_some() {
        line["stack"] = stack.iter().map(place).collect();
    }
    line
}

fn change(recording: &Recording, change: &Change, start: u64) -> Value {
    let [old, new] = change.shown();
    let name = (change.event != Event::Cleared).then_some(&change.name);
    json!({
        "type": "change", "event": change.event.name(),
        "pid": recording.programs[change.program].process, "thread": change.thread,
        "time": seconds(change.time, start), "name": name,
        "old": old, "new": new,
    })
}

fn place(caller: &Caller) -> Value {
    let function = caller.function.as_ref();
    json!({
        "module": caller.module, "address": caller.address,
        "function": function.map(|function| &function.name),
        "offset": function.map(|function| function.offset), "line": caller.line,
    })
}

/// Seconds since the start.
fn seconds(time: u64, start: u64) -> f64 {
    time.saturating_sub(start) as f64 / 1e9
}
