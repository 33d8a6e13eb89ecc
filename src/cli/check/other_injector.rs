//! The files of libotelinject.so that processes read as well: what in them has no counterpart.

use crate::check::diagnostics::{Diagnostic, Excerpt, Severity};
use crate::check::settings;
use crate::machine::configuration_files::FileSystem;
use opentelemetry_injector_policy::config::keys::Words;
use opentelemetry_injector_policy::config::libotelinject::keys::{self, LeftOut};
use opentelemetry_injector_policy::config::libotelinject::lines::{Content, Line, lines};
use opentelemetry_injector_policy::config::libotelinject::{Kind, Places, SETTINGS_KEY, count};
use opentelemetry_injector_policy::config::sources::FileProblem;
use opentelemetry_injector_policy::{Configuration, Files, Runtime};
use std::convert::Infallible;

/// What has been found in the files.
#[derive(Default)]
pub struct Found {
    /// The files that are there.
    pub files: Vec<Vec<u8>>,
    /// What processes ignore in them.
    pub diagnostics: Vec<Diagnostic>,
    /// The runtimes that get an agent, with the file and the line.
    pub agents: Vec<(Runtime, Vec<u8>, Excerpt)>,
}

/// Reads the files beside the configuration `path` into `configuration`, as processes do, and counts their
/// words.
pub fn read(path: &[u8], configuration: &mut Configuration, words: &mut Words) -> Found {
    let mut found = Found::default();
    let read = Places::beside(path).in_order(&FileSystem, |kind, path| {
        let mut settings = None;
        found.read_file(path, words, |key, value| match kind {
            Kind::Injector => {
                if key == SETTINGS_KEY {
                    settings = Some(value.into());
                }
                keys::take(configuration, key, value)
            }
            Kind::Settings => keys::take_setting(configuration, key, value),
        });
        Ok::<_, Infallible>(settings)
    });
    let Ok(()) = read;
    found
}

impl Found {
    fn read_file(
        &mut self,
        path: &[u8],
        words: &mut Words,
        mut take: impl FnMut(&str, &str) -> Vec<LeftOut>,
    ) {
        let Some(text) = FileSystem
            .read(path)
            .ok()
            .and_then(|content| String::from_utf8(content).ok())
        else {
            return;
        };
        self.files.push(path.to_vec());
        if let Err(problem) = count(&text, words) {
            self.diagnostics.push(too_much(path, &problem));
        }
        for line in lines(&text) {
            let place = excerpt(&text, &line);
            let messages = match &line.content {
                Content::Malformed(line) => vec![format!("`{line}` is not key=value")],
                Content::TooLong => vec!["the line is too long".into()],
                Content::Setting(key, value) => {
                    if let Some(runtime) = runtime_of(key).filter(|_| !value.is_empty()) {
                        self.agents.push((runtime, path.to_vec(), place.clone()));
                    }
                    let left_out = take(key, value);
                    left_out.iter().map(ToString::to_string).collect()
                }
            };
            let warnings = messages
                .into_iter()
                .map(|message| warning(path, place.clone(), message));
            self.diagnostics.extend(warnings);
            if let Content::Setting(name, value) = &line.content {
                let fault = settings::of_line(path, place, name, value);
                self.diagnostics.extend(fault);
            }
        }
    }
}

fn excerpt(text: &str, line: &Line<'_>) -> Excerpt {
    let start = text
        .split_inclusive('\n')
        .take(line.number - 1)
        .map(str::len)
        .sum();
    let length = text[start..].lines().next().map_or(0, str::len);
    Excerpt::new(text, &(start..start + length))
}

/// The runtime whose agent a key names.
fn runtime_of(key: &str) -> Option<Runtime> {
    let (section, rest) = key.split_once('_')?;
    let mut runtimes = Runtime::ALL.into_iter();
    runtimes
        .find(|runtime| runtime.section() == section)
        .filter(|_| rest.starts_with("auto_instrumentation_agent_path"))
}

fn too_much(path: &[u8], problem: &FileProblem) -> Diagnostic {
    Diagnostic {
        severity: Severity::Problem,
        path: path.to_vec(),
        excerpt: None,
        message: problem.to_string().trim_start_matches(": ").into(),
        notes: vec!["no process is injected".into()],
        help: "remove lines and items".into(),
    }
}

fn warning(path: &[u8], place: Excerpt, message: String) -> Diagnostic {
    Diagnostic {
        severity: Severity::Warning,
        path: path.to_vec(),
        excerpt: Some(place),
        message,
        notes: vec!["processes ignore this".into()],
        help:
            "write it into the configuration of this injector (`config import` converts the file)"
                .into(),
    }
}
