//! JSON lines; docs/trace.schema.json says what is in them.

use crate::trace::callers::Caller;
use crate::trace::changes::{Change, Event};
use crate::trace::recording::{Call, Outcome, Program, Recording, Text};
use crate::trace::redaction;
use crate::trace::session_report::Report;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write;

/// All lines of a session.
pub fn lines(report: &mut Report<'_>) -> String {
    let mut text = String::new();
    let recording = report.recording;
    let start = recording.start();
    for program in &recording.programs {
        add(&mut text, &process(program, start));
    }
    let mut parts = Parts::default();
    for call in report.calls_with_stacks() {
        parts.write_call(&mut text, report, call);
    }
    for change in report.changes() {
        add(&mut text, &self::change(recording, change, start));
    }
    for row in report.rows() {
        let [misses, hits, injected] = row.outcomes;
        let name = json!({
            "type": "name", "name": row.name, "calls": row.calls(),
            "misses": misses, "hits": hits, "injected": injected,
            "processes": row.processes, "first_caller": place(&row.caller),
            "value": row.value, "changed": row.has_changed,
        });
        add(&mut text, &name);
    }
    for finding in &report.findings {
        let finding = json!({"type": "finding", "names": finding.names, "text": finding.text});
        add(&mut text, &finding);
    }
    for untraced in &report.untraced {
        let untraced = json!({
            "type": "untraced", "pid": untraced.process, "executable": untraced.executable,
            "text": untraced.why.text(),
        });
        add(&mut text, &untraced);
    }
    let end = json!({
        "type": "end", "exit_code": report.exit_code, "dropped": report.counts.dropped,
        "unfinished": report.unfinished, "refused_processes": report.counts.refused,
    });
    add(&mut text, &end);
    text
}

fn add(text: &mut String, line: &Value) {
    let _ = writeln!(text, "{line}");
}

/// Parts of the lines of calls. There are many calls of few names from few places, so each part is made once.
#[derive(Default)]
struct Parts {
    /// Name and value, by the text's number and by whether there is a value.
    texts: HashMap<(u64, bool), String>,
    /// Places, by program and address.
    places: HashMap<(usize, u64), String>,
}

impl Parts {
    fn write_call(&mut self, text: &mut String, report: &mut Report<'_>, call: &Call) {
        let recording = report.recording;
        let has_value = call.outcome != Outcome::Miss;
        let names = self.texts.entry((call.text, has_value)).or_insert_with(|| {
            let Text { name, value } = recording.text(call);
            let value = has_value.then(|| redaction::shown(name, value));
            format!("\"name\":{},\"value\":{}", json!(name), json!(value))
        });
        let _ = write!(
            text,
            "{{\"type\":\"call\",\"pid\":{},\"thread\":{},\"time\":{},\"function\":\"{}\",{names},\
             \"result\":\"{}\",\"caller\":",
            recording.programs[call.program].process,
            call.thread,
            seconds(call.time, recording.start()),
            call.function.name(),
            call.outcome.name(),
        );
        self.write_place(text, report, (call.program, call.caller));
        if call.stack.is_some() {
            text.push_str(",\"stack\":[");
            for (index, address) in recording.addresses(call).iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                self.write_place(text, report, (call.program, *address));
            }
            text.push(']');
        }
        text.push_str("}\n");
    }

    fn write_place(&mut self, text: &mut String, report: &mut Report<'_>, key: (usize, u64)) {
        let callers = &mut report.callers;
        let find = || place(&callers.at(report.recording, key)).to_string();
        text.push_str(self.places.entry(key).or_insert_with(find));
    }
}

fn process(program: &Program, start: u64) -> Value {
    json!({
        "type": "process", "pid": program.process, "parent": program.parent,
        "time": seconds(program.time, start), "executable": program.executable,
        "arguments": redaction::arguments(&program.arguments), "forked": program.forked_from.is_some(),
        "notes": program.notes,
    })
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
