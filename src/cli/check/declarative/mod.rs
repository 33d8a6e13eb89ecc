//! The files of declarative configuration that `OTEL_CONFIG_FILE` names: what in them an agent would
//! refuse, ignore or not find.

pub mod agents;
pub mod schema;

use crate::check::diagnostics::{Diagnostic, Excerpt, Severity};
use crate::check::settings::is_url;
use crate::check::similar_names;
use crate::machine::configuration_files::FileSystem;
use opentelemetry_injector_policy::config::sources::FileProblem;
use opentelemetry_injector_policy::settings::declarative::{Reference, VARIABLES, references};
use opentelemetry_injector_policy::settings::resource_attributes;
use opentelemetry_injector_policy::{Configuration, Files, Runtime};
use saphyr::{LoadableYamlNode, MarkedYaml, YamlData};
use schema::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What there is to say of every such file that the configuration names, and of the agents that are to
/// run by it.
pub fn diagnostics(configuration: &Configuration) -> Vec<Diagnostic> {
    let tables = || {
        let of_runtimes = Runtime::ALL.map(|runtime| &configuration.agent(runtime).environment);
        let of_rules = configuration.rules.iter().map(|rule| &rule.environment);
        [&configuration.environment]
            .into_iter()
            .chain(of_runtimes)
            .chain(of_rules)
    };
    let named = tables().flat_map(|table| {
        VARIABLES
            .into_iter()
            .filter_map(move |name| table.get(name))
    });
    let paths: BTreeSet<_> = named.filter(|path| !path.is_empty()).collect();
    let mut given: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, value) in tables().flatten() {
        given.insert(name, value);
    }
    let files = paths.into_iter().flat_map(|path| of_path(path, &given));
    let mut diagnostics: Vec<_> = files.collect();
    diagnostics.extend(agents::diagnostics(configuration));
    diagnostics
}

fn of_path(path: &str, given: &BTreeMap<&str, &str>) -> Vec<Diagnostic> {
    let problem = |message: String| Diagnostic {
        severity: Severity::Problem,
        path: path.into(),
        excerpt: None,
        message,
        notes: vec!["OTEL_CONFIG_FILE names it: processes that run by it inject nothing".into()],
        help: "put the file there, readable for everybody whose processes are injected".into(),
    };
    match FileSystem.read(path.as_bytes()) {
        Ok(content) => match String::from_utf8(content) {
            Ok(text) => File {
                path,
                text: &text,
                given,
            }
            .judge(),
            Err(error) => {
                let problem_of_text = FileProblem::NotUtf8(error.utf8_error().valid_up_to());
                vec![problem(
                    problem_of_text.to_string().trim_start_matches(": ").into(),
                )]
            }
        },
        // Only the agent's own user may have to read it.
        Err(FileProblem::NotPermitted) => Vec::new(),
        Err(error) => vec![problem(error.to_string().trim_start_matches(": ").into())],
    }
}

struct File<'f> {
    path: &'f str,
    text: &'f str,
    /// What the configuration gives processes for `${NAME}`.
    given: &'f BTreeMap<&'f str, &'f str>,
}

impl File<'_> {
    fn judge(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        match MarkedYaml::load_from_str(self.text) {
            Err(error) => {
                let start = self.place(error.marker().index());
                found.push(self.problem(
                    start..start,
                    error.info().into(),
                    "write YAML: `key: value`, indented by blanks",
                ));
                return found;
            }
            Ok(documents) => match documents.first() {
                Some(root) if root.is_mapping() => {
                    self.format(root, &mut found);
                    if let Some(kind) = schema::kind(schema::FILE) {
                        self.table(root, &kind, &mut found);
                    }
                }
                _ => found.push(self.problem(
                    0..0,
                    "no keys".into(),
                    "begin with `file_format: \"1.0\"`",
                )),
            },
        }
        found.extend(self.unset());
        found.sort_by_key(|diagnostic| diagnostic.excerpt.as_ref().map(Excerpt::place));
        found
    }

    /// The bytes from a node's beginning on, of which the first line is shown.
    fn span(&self, node: &MarkedYaml<'_>) -> Range<usize> {
        self.place(node.span.start.index())..self.place(node.span.end.index())
    }

    /// The byte of a character.
    fn place(&self, character: usize) -> usize {
        let mut places = self.text.char_indices();
        places
            .nth(character)
            .map_or(self.text.len(), |(place, _)| place)
    }

    fn format(&self, root: &MarkedYaml<'_>, found: &mut Vec<Diagnostic>) {
        let help = "write `file_format: \"1.0\"`";
        let Some(format) = root.data.as_mapping_get("file_format") else {
            let message = "`file_format` is missing: agents refuse the file";
            return found.push(self.problem(0..0, message.into(), help));
        };
        let text = scalar(format);
        let is_known = ["1.0", "1.1"].iter().any(|known| text.starts_with(known));
        if text.starts_with("0.") {
            let message = format!("`file_format: {text}` is of before the schema was stable");
            found.push(self.warning(self.span(format), message, help));
        } else if !is_known && !text.contains("${") {
            let message = format!("`file_format: {text}` is no version that agents know");
            found.push(self.problem(self.span(format), message, help));
        }
    }

    fn table(&self, node: &MarkedYaml<'_>, kind: &Kind, found: &mut Vec<Diagnostic>) {
        match &node.data {
            YamlData::Sequence(items) => {
                items.iter().for_each(|item| self.table(item, kind, found))
            }
            YamlData::Mapping(entries) => {
                for (key, value) in entries {
                    let name = scalar(key);
                    if !kind.knows(&name) {
                        found.push(self.unknown(key, &name, kind));
                    }
                    if name == "endpoint" {
                        found.extend(self.endpoint(value));
                    }
                    if let Some(below) = kind.below(&name) {
                        self.table(value, &below, found);
                    }
                }
            }
            _ => {}
        }
    }

    fn unknown(&self, key: &MarkedYaml<'_>, name: &str, kind: &Kind) -> Diagnostic {
        let keys = kind.keys();
        let help = match similar_names::name(name, keys.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if keys.is_empty() => "nothing is to be told here".into(),
            None => format!("there are {}", keys.join(", ")),
        };
        let message = format!("unknown key `{name}`: agents ignore it, or refuse the file");
        self.warning(self.span(key), message, &help)
    }

    fn endpoint(&self, node: &MarkedYaml<'_>) -> Option<Diagnostic> {
        let address = self.resolved(&scalar(node))?;
        if is_url(&address) {
            return None;
        }
        let message = format!("`{address}` is no URL");
        let help = "write `http://HOST:4318/v1/traces`, or https";
        Some(self.problem(self.span(node), message, help))
    }

    /// A text with what stands for its references; none where only a process can tell.
    fn resolved(&self, text: &str) -> Option<String> {
        let mut resolved = String::new();
        let mut end = 0;
        for reference in references(text) {
            resolved += text.get(end..reference.start)?;
            let given = self.given.get(reference.name).copied();
            resolved += given
                .filter(|value| !value.is_empty())
                .or(reference.default)?;
            end = reference.start + text.get(reference.start..)?.find('}')? + 1;
        }
        Some(resolved + text.get(end..)?)
    }

    /// References that nothing stands for unless a process has them itself. Comments are looked at, too,
    /// by no agent.
    fn unset(&self) -> Vec<Diagnostic> {
        let is_unset = |reference: &Reference<'_>| {
            reference.default.is_none()
                && !self.given.contains_key(reference.name)
                && reference.name != resource_attributes::VARIABLE
                && !self.is_in_comment(reference.start)
        };
        let told = references(self.text).filter(is_unset).map(|reference| {
            let name = reference.name;
            let end = reference.start + name.len() + "${}".len();
            let message = format!(
                "nobody sets `{name}`: an empty text stands for it, unless the process has it"
            );
            let help = format!("give it under [environment], or a default: `${{{name}:-…}}`");
            self.warning(reference.start..end, message, &help)
        });
        told.collect()
    }

    fn is_in_comment(&self, place: usize) -> bool {
        let before = self.text.get(..place).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        line.trim_start().starts_with('#') || line.contains(" #")
    }

    fn problem(&self, span: Range<usize>, message: String, help: &str) -> Diagnostic {
        self.told(Severity::Problem, span, message, help)
    }

    fn warning(&self, span: Range<usize>, message: String, help: &str) -> Diagnostic {
        self.told(Severity::Warning, span, message, help)
    }

    fn told(
        &self,
        severity: Severity,
        span: Range<usize>,
        message: String,
        help: &str,
    ) -> Diagnostic {
        Diagnostic {
            severity,
            path: self.path.into(),
            excerpt: Some(Excerpt::new(self.text, &span)),
            message,
            notes: Vec::new(),
            help: help.into(),
        }
    }
}

/// A plain value as text; empty for what is none.
fn scalar(node: &MarkedYaml<'_>) -> String {
    match &node.data {
        YamlData::Value(saphyr::Scalar::String(text)) => text.to_string(),
        YamlData::Value(saphyr::Scalar::Integer(number)) => number.to_string(),
        YamlData::Value(saphyr::Scalar::FloatingPoint(number)) => format!("{:?}", number.0),
        YamlData::Value(saphyr::Scalar::Boolean(value)) => value.to_string(),
        YamlData::Representation(text, ..) => text.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, given: &[(&str, &str)]) -> Vec<String> {
        let given = given.iter().copied().collect();
        let file = File {
            path: "/f",
            text,
            given: &given,
        };
        let told = file
            .judge()
            .into_iter()
            .map(|diagnostic| diagnostic.to_string());
        told.map(|told| told.lines().next().unwrap_or_default().to_owned())
            .collect()
    }

    #[test]
    fn the_reference_file_is_right() {
        let reference = include_str!("../../../../packaging/otel-config.yaml");
        assert_eq!(told(reference, &[]), [""; 0]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let text = "file_format: \"2\"\ntracer_provider:\n  procesors: []\n  processors:\n    - batch:\n        \
                    exporter:\n          otlp_http:\n            endpoint: ${HOST}:4318\n            \
                    headers_list: ${TOKEN} # ${NOT}\n            colour: red\n        shedule_delay: 5\n\
                    resorce: {}\n";
        assert_eq!(
            told(text, &[("HOST", "collector")]),
            [
                "/f:1:14: `file_format: 2` is no version that agents know",
                "/f:3:3: warning: unknown key `procesors`: agents ignore it, or refuse the file",
                "/f:8:23: `collector:4318` is no URL",
                "/f:9:27: warning: nobody sets `TOKEN`: an empty text stands for it, unless the process has it",
                "/f:10:13: warning: unknown key `colour`: agents ignore it, or refuse the file",
                "/f:11:9: warning: unknown key `shedule_delay`: agents ignore it, or refuse the file",
                "/f:12:1: warning: unknown key `resorce`: agents ignore it, or refuse the file",
            ]
        );
        assert_eq!(told("a: [", &[]).len(), 1);
        assert_eq!(told("- a", &[]), ["/f:1:1: no keys"]);
        assert!(told("resource: {}", &[])[0].contains("`file_format` is missing"));
        for address in [
            "http://a",
            "https://u@[::1]:1/x?y",
            "${X}",
            "${X:-http://a}/v1",
        ] {
            let text = format!(
                "file_format: 1.0\ntracer_provider: {{ processors: [ {{ simple: {{ exporter: {{ otlp_grpc: {{ endpoint: \"{address}\" }} }} }} }} ] }}"
            );
            let told = told(&text, &[]);
            assert!(!told.iter().any(|line| line.contains("no URL")), "{told:?}");
        }
    }
}
