//! The loader of configurations: it tells problems of any text, with places that are in the text,
//! and what it lets pass can be written into a variable.

use opentelemetry_injector_policy::config::keys::{self, line_and_column};
use opentelemetry_injector_policy::config::sources::{self, FileProblem};
use opentelemetry_injector_policy::{Configuration, Files, Runtime};

/// A main file and one drop-in.
struct Two<'i>(&'i [u8], &'i [u8]);

impl Files for Two<'_> {
    fn read(&self, path: &[u8]) -> Result<Vec<u8>, FileProblem> {
        Ok(if path == b"/main" { self.0 } else { self.1 }.to_vec())
    }
    fn names_in(&self, _directory: &[u8]) -> Result<Vec<Vec<u8>>, FileProblem> {
        Ok(vec![b"10-more.toml".to_vec()])
    }
}

/// Looks at a configuration: the main file and, behind a byte that no text holds, a drop-in.
///
/// # Panics
/// Where the loader breaks its word.
pub fn look_at(input: &[u8]) {
    let mut parts = input.splitn(2, |byte| *byte == 0xff);
    let (main, more) = (parts.next().unwrap_or_default(), parts.next());
    if let Ok(text) = std::str::from_utf8(main) {
        look_at_problems(text);
    }
    match sources::load(&Two(main, more.unwrap_or_default()), b"/main", |_| false) {
        Ok(configuration) => look_at_values(&configuration),
        Err(reason) => assert!(!reason.to_string().is_empty()),
    }
}

fn look_at_problems(text: &str) {
    let (mut once, mut twice) = (Configuration::default(), Configuration::default());
    let problems = keys::read(text, &mut once);
    let mut last = 0;
    for problem in &problems {
        assert!(text.get(problem.span.clone()).is_some(), "{problem:?}");
        assert!(problem.span.start >= last, "not in the order of the text");
        last = problem.span.start;
        let (line, column) = line_and_column(text, problem.span.start);
        assert!(line >= 1 && line <= text.len() + 1 && column >= 1);
        assert!(!problem.to_string().is_empty());
    }
    assert_eq!(problems, keys::read(text, &mut twice));
    assert_eq!(once, twice);
    assert_eq!(problems, keys::read(text, &mut twice));
    // Rules add up.
    let rules = twice.rules.split_off(once.rules.len());
    assert_eq!(once.rules, rules);
    // So do lists of patterns.
    twice.processes = once.processes.clone();
    assert_eq!(once, twice, "reading a text again changes something");
}

fn look_at_values(configuration: &Configuration) {
    let mut texts: Vec<&str> = Vec::new();
    let paths = Runtime::ALL.map(|runtime| configuration.agent(runtime).agent_path.as_deref());
    let files = [&configuration.log.file, &configuration.report.file];
    for path in paths.into_iter().chain(files.map(|file| file.as_deref())) {
        assert!(path.is_none_or(|path| path.starts_with('/')));
        texts.extend(path);
    }
    for (name, value) in &configuration.environment {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        assert!(name.starts_with("OTEL_") && name.bytes().all(fits));
        texts.push(value);
    }
    for (key, value) in &configuration.resource_attributes {
        assert!(!key.is_empty() && !key.contains([',', '=', '%', ' ', '\n']));
        texts.extend([key.as_str(), value]);
    }
    let processes = &configuration.processes;
    texts.extend(processes.exclude.iter().map(String::as_str));
    assert!(texts.iter().all(|text| !text.contains('\0')));
}
