//! What `status` and `doctor` find: each with its state and the next step.

use crate::output::{Style, cut, printable};
use serde_json::{Map, Value, json};

/// How it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Ok,
    /// To be known; it may be meant so.
    Note,
    /// Something has to be done.
    Problem,
    /// It could not be looked at.
    Unknown,
}

/// One thing that was found.
pub struct Finding {
    subject: String,
    state: State,
    what: String,
    next: Option<String>,
    resource: Map<String, Value>,
}

impl Finding {
    /// What is as it should be.
    pub fn ok(subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(subject, State::Ok, what)
    }

    /// What is to be known.
    pub fn note(subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(subject, State::Note, what)
    }

    /// What has to be changed, and how.
    pub fn problem(
        subject: impl Into<String>,
        what: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self::new(subject, State::Problem, what).with_next(next)
    }

    /// What could not be looked at.
    pub fn unknown(subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(subject, State::Unknown, what)
    }

    /// Whether it is as it should be.
    pub fn is_ok(&self) -> bool {
        self.state == State::Ok
    }

    fn new(subject: impl Into<String>, state: State, what: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            state,
            what: what.into(),
            next: None,
            resource: Map::new(),
        }
    }

    /// The same with the resource that telemetry came with.
    pub fn with_resource(mut self, resource: &Map<String, Value>) -> Self {
        self.resource = resource.clone();
        self
    }

    /// The same with what to do next.
    pub fn with_next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Problem => "problem",
            Self::Unknown => "unknown",
        }
    }

    fn styled(self, style: Style, text: &str) -> String {
        match self {
            Self::Ok => style.good(text),
            Self::Note => style.faint(text),
            Self::Problem => style.bad(text),
            Self::Unknown => style.warning(text),
        }
    }
}

/// The exit code that says the worst of it: 2 where something could not be looked at, 1 for
/// problems, else 0.
pub fn exit_code(findings: &[Finding]) -> u8 {
    let any = |state| findings.iter().any(|finding| finding.state == state);
    match (any(State::Unknown), any(State::Problem)) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    }
}

/// The findings for a person: state, subject and what was found in columns, the next step below.
pub fn text(findings: &[Finding], style: Style) -> String {
    const STATE: usize = 9;
    const LONGEST_ATTRIBUTE: usize = 100;
    let width = findings.iter().map(|finding| finding.subject.len()).max();
    let width = width.unwrap_or(0) + 2;
    let mut text = String::new();
    for finding in findings {
        let state = format!("{:STATE$}", finding.state.name());
        let state = finding.state.styled(style, &state);
        let (subject, what) = (&finding.subject, printable(&finding.what));
        text += &format!("{state}{subject:width$}{what}\n");
        for (key, value) in &finding.resource {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let attribute = cut(&printable(&format!("{key}={value}")), LONGEST_ATTRIBUTE);
            text += &format!("{:STATE$}  {attribute}\n", "");
        }
        if let Some(next) = &finding.next {
            let next = printable(next);
            text += &format!("{:STATE$}{:width$}next: {next}\n", "", "");
        }
    }
    text
}

/// The findings for machines.
pub fn json(findings: &[Finding]) -> Value {
    let items = findings.iter().map(|finding| {
        let mut item = json!({
            "subject": finding.subject,
            "state": finding.state.name(),
            "what": finding.what,
            "next": finding.next,
        });
        if !finding.resource.is_empty() {
            item["resource"] = finding.resource.clone().into();
        }
        item
    });
    let problems = findings
        .iter()
        .filter(|finding| finding.state == State::Problem);
    json!({ "problems": problems.count(), "findings": items.collect::<Vec<_>>() })
}
