//! What there is to say of a configuration: its files are read one after the other, then judged.

use crate::check::closed_files::Closed;
use crate::check::diagnostics::{Diagnostic, Excerpt, Severity};
use crate::check::{
    advice, agent_files, closed_files, declarative, other_injector, report_file, rule_flaws,
    settings,
};
use crate::machine::configuration_files::FileSystem;
use crate::machine::default_agents;
use opentelemetry_injector_policy::config::keys::{self, ConfigurationError, Words};
use opentelemetry_injector_policy::config::sources::{FileProblem, drop_ins, read_text};
use opentelemetry_injector_policy::reason::Lossy;
use opentelemetry_injector_policy::{Configuration, Files, Reason, Runtime};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::{fmt, io};

/// What there is to say of a configuration. `Display` gives all of it but what is untold.
#[derive(Default)]
pub struct Findings {
    path: Vec<u8>,
    /// The files that it is made of.
    pub files: Vec<Vec<u8>>,
    diagnostics: Vec<Diagnostic>,
    /// What could not be looked at.
    pub untold: Vec<Untold>,
    /// What of it other users may not read.
    pub closed: Vec<Closed>,
    /// What the files together say.
    pub configuration: Configuration,
    /// How much there is to read in them.
    words: Words,
    /// Where each key stands that a file gives: the last place counts.
    pub origins: BTreeMap<String, Origin>,
    /// Whether processes inject nothing, whatever else the files say.
    pub is_unusable: bool,
    /// The file that names each runtime's agent, and where.
    agent_places: [Option<(Vec<u8>, Excerpt)>; Runtime::ALL.len()],
    /// The file that has `report.file`, and where.
    report_place: Option<(Vec<u8>, Excerpt)>,
}

/// The place of a key.
#[derive(Clone)]
pub struct Origin {
    /// The file.
    pub path: Vec<u8>,
    /// From 1.
    pub line: usize,
}

/// Why a file, or `conf.d`, could not be looked at.
#[derive(Debug)]
pub struct Untold(Reason);

impl Findings {
    /// Reads the configuration that begins with the file `path`.
    pub fn of(path: &[u8]) -> Self {
        let mut findings = Self {
            path: path.to_vec(),
            ..Self::default()
        };
        let others = other_injector::read(path, &mut findings.configuration, &mut findings.words);
        let is_configured_elsewhere = !others.files.is_empty();
        findings.take(others);
        findings.read(path);
        if findings.untold.iter().all(Untold::is_missing) {
            findings.read_drop_ins();
            // Another injector's configuration is enough, and so is an agent where one is looked for.
            if is_configured_elsewhere
                || default_agents::may_lack_its_file(path, &findings.configuration)
            {
                findings.forget_missing(path);
            }
        }
        // Without its first file there is no configuration to judge.
        if findings.untold.is_empty() {
            default_agents::name(&mut findings.configuration);
            findings.judge_agents();
            findings.judge_report();
            findings
                .diagnostics
                .extend(rule_flaws::find(&findings.configuration));
            findings
                .diagnostics
                .extend(declarative::diagnostics(&findings.configuration));
            findings.closed = closed_files::find(&findings.files);
            let closed = findings.closed.iter().map(Closed::diagnostic);
            findings.diagnostics.extend(closed);
        }
        findings
    }

    /// Takes the first file, which is missing, for one that need not be there.
    fn forget_missing(&mut self, path: &[u8]) {
        if self.untold.iter().any(Untold::is_missing) {
            self.untold.retain(|untold| !untold.is_missing());
            self.files.retain(|file| file != path);
        }
    }

    fn take(&mut self, others: other_injector::Found) {
        self.files.extend(others.files);
        self.diagnostics.extend(others.diagnostics);
        for (runtime, path, place) in others.agents {
            self.agent_places[runtime as usize] = Some((path, place));
        }
    }

    /// Whether a file has to be changed.
    pub fn has_problems(&self) -> bool {
        self.count(Severity::Problem) > 0
    }

    /// Whether something may not be meant as it is.
    pub fn has_warnings(&self) -> bool {
        self.count(Severity::Warning) > 0
    }

    /// The same for machines, what is untold included.
    pub fn json(&self) -> Value {
        let files = self.files.iter().map(|file| Lossy(file).to_string());
        let diagnostics = self.diagnostics.iter().map(Diagnostic::json);
        let untold = self.untold.iter().map(Untold::to_string);
        json!({
            "files": files.collect::<Vec<_>>(),
            "problems": self.count(Severity::Problem),
            "warnings": self.count(Severity::Warning),
            "diagnostics": diagnostics.collect::<Vec<_>>(),
            "untold": untold.collect::<Vec<_>>(),
        })
    }

    fn count(&self, severity: Severity) -> usize {
        let diagnostics = self.diagnostics.iter();
        diagnostics
            .filter(|diagnostic| diagnostic.severity == severity)
            .count()
    }

    fn read_drop_ins(&mut self) {
        match drop_ins(&FileSystem, &self.path) {
            Ok(paths) => paths.iter().for_each(|path| self.read(path)),
            Err(Reason::Configuration { path, problem }) => {
                self.add_file_problem(&path, problem, &[]);
            }
            Err(reason) => self.untold.push(Untold(reason)),
        }
    }

    fn read(&mut self, path: &[u8]) {
        self.files.push(path.to_vec());
        let content = match FileSystem.read(path) {
            Ok(content) => content,
            Err(problem) => return self.add_file_problem(path, problem, &[]),
        };
        match str::from_utf8(&content) {
            Ok(text) => self.read_text(path, text),
            Err(error) => {
                let problem = FileProblem::NotUtf8(error.valid_up_to());
                self.add_file_problem(path, problem, &content);
            }
        }
    }

    fn read_text(&mut self, path: &[u8], text: &str) {
        for problem in read_text(path, text, &mut self.configuration, &mut self.words) {
            self.is_unusable |= problem.kind.is_fatal();
            self.diagnostics.push(of_text(path, text, &problem));
        }
        self.diagnostics.extend(settings::diagnostics(path, text));
        for (key, span) in keys::places(text) {
            if key == "report.file" {
                self.report_place = Some((path.to_vec(), Excerpt::new(text, &span)));
            }
            let (line, _) = keys::line_and_column(text, span.start);
            let path = path.to_vec();
            self.origins.insert(key, Origin { path, line });
        }
        for runtime in Runtime::ALL {
            if let Some(span) = agent_files::span(runtime, text) {
                let place = (path.to_vec(), Excerpt::new(text, &span));
                self.agent_places[runtime as usize] = Some(place);
            }
        }
    }

    fn add_file_problem(&mut self, path: &[u8], problem: FileProblem, content: &[u8]) {
        let is_first = *path == *self.path;
        let is_untold = match problem {
            FileProblem::NotPermitted | FileProblem::System(_) => true,
            FileProblem::Missing => is_first,
            _ => false,
        };
        if !is_untold {
            self.is_unusable = true;
            self.diagnostics.push(of_file(path, &problem, content));
            return;
        }
        let path = path.to_vec();
        let reason = Reason::Configuration { path, problem };
        self.untold.push(Untold(reason));
    }

    fn judge_report(&mut self) {
        if let Some((file, place)) = self.report_place.take() {
            let diagnostic = report_file::judge(&self.configuration.report, &file, place);
            self.diagnostics.extend(diagnostic);
        }
    }

    fn judge_agents(&mut self) {
        let mut any = false;
        for runtime in Runtime::ALL {
            if let Some((file, place)) = self.agent_places[runtime as usize].take() {
                any = true;
                let diagnostic = agent_files::judge(runtime, &self.configuration, &file, place);
                self.diagnostics.extend(diagnostic);
            }
        }
        let agents = Runtime::ALL.map(|runtime| &self.configuration.agent(runtime).agent_path);
        any |= agents.iter().any(|path| path.is_some());
        let mut rules = self.configuration.rules.iter();
        let may_be_elsewhere = self.is_unusable
            || !self.untold.is_empty()
            || rules.any(|rule| rule.agent_path.is_some());
        if !any && !may_be_elsewhere {
            self.diagnostics.push(agent_files::none(&self.path));
        }
    }
}

fn of_text(path: &[u8], text: &str, problem: &ConfigurationError) -> Diagnostic {
    let consequence = if problem.kind.is_fatal() {
        "processes inject nothing because of this"
    } else {
        "processes ignore this key"
    };
    let mut notes = Vec::from_iter(advice::about(problem));
    notes.push(consequence.into());
    Diagnostic {
        severity: Severity::Problem,
        path: path.to_vec(),
        excerpt: Some(Excerpt::new(text, &problem.span)),
        message: problem.to_string(),
        notes,
        help: advice::for_text(problem, text),
    }
}

fn of_file(path: &[u8], problem: &FileProblem, content: &[u8]) -> Diagnostic {
    let message = problem.to_string();
    Diagnostic {
        severity: Severity::Problem,
        path: path.to_vec(),
        excerpt: None,
        message: message.trim_start_matches(": ").into(),
        notes: vec!["processes inject nothing because of this".into()],
        help: advice::for_file(problem, content),
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.diagnostics {
            writeln!(f, "{diagnostic}")?;
        }
        let problems = self.count(Severity::Problem);
        let warnings = self.count(Severity::Warning);
        if problems == 0 && !self.untold.is_empty() {
            return Ok(());
        }
        write!(f, "{}: ", Lossy(&self.path))?;
        match problems {
            0 => f.write_str("no problems")?,
            count => f.write_str(&counted(count, "problem"))?,
        }
        if warnings > 0 {
            write!(f, ", {}", counted(warnings, "warning"))?;
        }
        writeln!(f, " ({})", counted(self.files.len(), "file"))
    }
}

fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

impl Untold {
    /// Whether there is no such file, which is a fact and no failure to look.
    pub fn is_missing(&self) -> bool {
        let problem = match &self.0 {
            Reason::Configuration { problem, .. } => problem,
            _ => return false,
        };
        *problem == FileProblem::Missing
    }
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reason::Configuration { path, problem } = &self.0 else {
            return self.0.fmt(f);
        };
        let path = Lossy(path);
        match problem {
            FileProblem::Missing => {
                write!(f, "{path}{problem}; without it processes inject nothing")
            }
            FileProblem::NotPermitted => {
                write!(f, "{path}{problem}; run check as a user who can read it")
            }
            FileProblem::System(number) => {
                write!(f, "{path}: {}", io::Error::from_raw_os_error(*number))
            }
            _ => write!(f, "{path}{problem}"),
        }
    }
}

impl core::error::Error for Untold {}
