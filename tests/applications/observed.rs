//! What can be seen of one run of an application.

use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What a run showed.
#[derive(Default, Clone)]
pub struct Observed {
    /// Milliseconds until the service was ready; `None` where it never was.
    pub ready: Option<u64>,
    /// The exit code of what drives the application.
    pub code: i64,
    /// What that printed.
    pub answers: String,
    /// What the application printed.
    pub output: String,
    /// How the service ended.
    pub end: String,
    /// Milliseconds from the request to end until the end.
    pub ending: u64,
    /// The names in the environments of all processes that lived when the application had been driven.
    pub names: BTreeSet<String>,
    /// What of the injector's stood in a process's environment: program and entry.
    pub traces: BTreeSet<String>,
    /// How many spans reached the sink.
    pub spans: u64,
    /// What their services are called.
    pub services: BTreeSet<String>,
}

impl Observed {
    /// As JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "ready": self.ready,
            "code": self.code,
            "answers": self.answers,
            "output": self.output,
            "end": self.end,
            "ending": self.ending,
            "names": self.names,
            "traces": self.traces,
            "spans": self.spans,
            "services": self.services,
        })
    }

    /// From [`Observed::to_json`].
    pub fn from_json(value: &Value) -> Self {
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| value[key].as_u64().unwrap_or_default();
        let set = |key: &str| {
            let items = value[key].as_array().into_iter().flatten();
            items
                .filter_map(|item| Some(item.as_str()?.to_owned()))
                .collect()
        };
        Self {
            ready: value["ready"].as_u64(),
            code: value["code"].as_i64().unwrap_or(-1),
            answers: text("answers"),
            output: text("output"),
            end: text("end"),
            ending: number("ending"),
            names: set("names"),
            traces: set("traces"),
            spans: number("spans"),
            services: set("services"),
        }
    }
}
