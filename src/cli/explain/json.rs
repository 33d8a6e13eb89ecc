//! The same explanation for machines.

use crate::config::key_places::Place;
use crate::explain::explained_process::{ExplainedProcess, Live, Loading, Object, Replacement};
use crate::explain::explanation::{Answer, Explanation, Mark, Step, Verdict};
use crate::explain::service::Service;
use crate::output::names;
use opentelemetry_injector_policy::Runtime;
use opentelemetry_injector_policy::reason::Lossy;
use opentelemetry_injector_policy::runtimes::boot::StoodDown;
use serde_json::{Value, json};
use std::time::SystemTime;

/// An explanation. Bytes that are not UTF-8 are replaced.
pub fn explanation(process: &ExplainedProcess, explanation: &Explanation) -> Value {
    let facts = &process.facts;
    let arguments: Vec<_> = facts.arguments.iter().map(|word| text(word)).collect();
    let mut value = summary(process, explanation);
    value["executable"] = text(&facts.executable);
    value["started_as"] = text(&facts.started_as);
    value["command_line"] = arguments.into();
    value["steps"] = explanation.steps.iter().map(step).collect();
    value["variables"] = explanation.variables.iter().map(answer).collect();
    value["settings"] = explanation
        .settings
        .iter()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    value["service"] = explanation
        .service
        .as_ref()
        .map_or(Value::Null, Service::json);
    value["values_are_those_of_a_new_process"] = explanation.is_of_now().into();
    value["next"] = explanation.help.clone().into();
    value
}

/// What is told of a process in a list.
pub fn summary(process: &ExplainedProcess, explanation: &Explanation) -> Value {
    let already = explanation.already().map(ToString::to_string);
    let (verdict, reason, after_restart) = match &explanation.verdict {
        Verdict::Injected if already.is_some() => ("has_agent_already", already, None),
        Verdict::Injected if process.live.is_some() => ("injected", None, None),
        Verdict::Injected => ("would_be_injected", None, None),
        Verdict::NotInjected { why, after_restart } => {
            ("not_injected", Some(why.clone()), Some(*after_restart))
        }
        Verdict::Unknown(why) => ("unknown", Some(why.clone()), None),
    };
    json!({
        "process": process.live.as_ref().map(live),
        "runtime": explanation.runtime.map(Runtime::section),
        "service_name": explanation.service.as_ref().and_then(|service| service.name.clone()),
        "verdict": verdict,
        "reason": reason,
        "would_be_injected_after_restart": after_restart,
        "object": object(&process.loading),
        "changed_since_start": explanation.changes,
    })
}

fn live(live: &Live) -> Value {
    json!({
        "pid": live.process,
        "uid": live.user,
        "user": names::user(live.user),
        "started": live.started.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        "hooked": live.is_hooked,
        "stood_down": live.stood_down().map(StoodDown::code),
    })
}

fn object(loading: &Loading) -> Value {
    let Loading::Loaded(Object {
        path,
        version,
        source,
        replacement,
    }) = loading
    else {
        return Value::Null;
    };
    let installed = match replacement {
        None => version.clone(),
        Some(Replacement::Nothing) => None,
        Some(Replacement::Object(version)) => version.clone(),
    };
    json!({
        "path": text(path),
        "version": version,
        "named_by": source.map(|source| source.name()),
        "replaced": replacement.is_some(),
        "installed_version": installed,
    })
}

fn step(step: &Step) -> Value {
    json!({
        "name": step.check.name(),
        "outcome": match step.mark {
            Mark::Passed => "ok",
            Mark::Stopped => "no",
            Mark::Unknown => "unknown",
            Mark::NotReached => "not_reached",
        },
        "what": step.what,
        "place": step.place.as_ref().map(place),
    })
}

fn place(place: &Place) -> Value {
    json!({"file": text(&place.path), "line": place.line, "column": place.column})
}

fn answer(answer: &Answer) -> Value {
    let (value, reason) = match &answer.value {
        Ok(value) => (Some(text(value)), None),
        Err(reason) => (None, Some(reason.to_string())),
    };
    json!({
        "name": answer.variable.name(),
        "original": answer.original.as_deref().map(text),
        "value": value,
        "reason": reason,
    })
}

fn text(bytes: &[u8]) -> Value {
    Lossy(bytes).to_string().into()
}
