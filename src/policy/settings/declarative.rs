//! Declarative configuration: a YAML file that tells an agent everything. Whatever the file does not refer
//! to is ignored, and `${NAME}` in it comes from the environment (OpenTelemetry specification,
//! "Declarative configuration", "Environment variable substitution").

use crate::{Configuration, Process, Reason};
use alloc::vec::Vec;

/// The variables that name the file; the second is that of agents from before August 2026.
pub const VARIABLES: [&str; 2] = ["OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE"];

/// The file by which the agent of a process runs: the user's, else the configuration's.
pub fn file(process: &impl Process, configuration: &Configuration) -> Option<Vec<u8>> {
    let of_user = |name: &str| process.variable(name).filter(|path| !path.is_empty());
    let configured = |name: &str| Some(configuration.setting(name)?.as_bytes().to_vec());
    let mut names = VARIABLES.into_iter();
    names.find_map(|name| of_user(name).or_else(|| configured(name)))
}

/// Whether the agent finds its file, where it has one: agents report errors into the application
/// otherwise, and send nothing.
///
/// # Errors
/// The file is missing or not readable by the process.
pub fn is_usable(process: &impl Process, configuration: &Configuration) -> Result<(), Reason> {
    match file(process, configuration) {
        Some(path) if !process.is_readable_file(&path) => Err(Reason::FileUnreadable(path)),
        _ => Ok(()),
    }
}

/// A variable that a file refers to, as `${NAME}`, `${NAME:-default}` or `${env:NAME}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference<'t> {
    /// Its name.
    pub name: &'t str,
    /// What stands for it where it is not set.
    pub default: Option<&'t str>,
    /// Where the reference begins: bytes of the text.
    pub start: usize,
}

/// The references in a text, in their order. `$$` is a plain dollar sign.
pub fn references(text: &str) -> impl Iterator<Item = Reference<'_>> {
    let mut next = 0;
    core::iter::from_fn(move || {
        loop {
            let start = next + text.get(next..)?.find('$')?;
            let rest = text.get(start + 1..)?;
            if rest.starts_with('$') {
                next = start + 2;
                continue;
            }
            next = start + 1;
            if let Some(reference) = rest.strip_prefix('{').and_then(|inner| of(inner, start)) {
                return Some(reference);
            }
        }
    })
}

/// The reference that begins with this text behind `${`; none where it is no reference.
fn of(inner: &str, start: usize) -> Option<Reference<'_>> {
    let (inner, _) = inner.split_once('}')?;
    let inner = inner.strip_prefix("env:").unwrap_or(inner);
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_name = name.bytes().all(fits) && !name.is_empty();
    let begins_with_digit = name.starts_with(|first: char| first.is_ascii_digit());
    (is_name && !begins_with_digit).then_some(Reference {
        name,
        default,
        start,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;

    #[test]
    fn references_are_found_in_every_spelling() {
        let text = "a: ${A}\nb: \"x${env:B_1:-d e}y$${C}\"\nc: $D ${1} ${} ${E-F} ${sys:G} ${H:-}$";
        let found: Vec<_> = references(text)
            .map(|reference| (reference.name, reference.default, reference.start))
            .collect();
        let wanted = [
            ("A", None, 3),
            ("B_1", Some("d e"), 13),
            ("H", Some(""), text.len() - 7),
        ];
        assert_eq!(found, wanted);
        assert_eq!(references("${A").count(), 0);
        assert_eq!(
            references("$$$${A} $$${B}")
                .map(|r| r.name)
                .collect::<Vec<_>>(),
            ["B"]
        );
    }

    #[test]
    fn the_users_file_comes_first_and_must_be_there() {
        let mut configuration = Configuration::default();
        let mut process = Fixture::default();
        assert_eq!(is_usable(&process, &configuration), Ok(()));
        let settings = &mut configuration.environment;
        settings.insert(VARIABLES[0].into(), "/ours.yaml".into());
        let missing = Reason::FileUnreadable(b"/ours.yaml".to_vec());
        assert_eq!(is_usable(&process, &configuration), Err(missing));
        process
            .variables
            .insert(VARIABLES[0].into(), "theirs.yaml".into());
        process.readable.push("theirs.yaml".into());
        assert_eq!(is_usable(&process, &configuration), Ok(()));
        assert_eq!(file(&process, &configuration).unwrap(), b"theirs.yaml");
    }
}
