//! What a process's start tells of its service: whatever stands in foreign files, paths, control
//! groups and command lines, a name is a plain word, and the list that carries it gives it back.
//!
//! An input is the content of every file, the control groups, the working directory, the executable,
//! the command line, and a variable's value ([`Fields`]).

use super::fields::Fields;
use super::process::Plain;
use opentelemetry_injector_policy::settings::identity::{Identity, cgroup, json};
use opentelemetry_injector_policy::settings::resource_attributes::{self, value_of};
use opentelemetry_injector_policy::{Configuration, Runtime};

/// A name, and a part of it in front of another one.
const LONGEST: usize = 2 * 100 + 1;

/// Looks at one process in the eyes of every runtime.
///
/// # Panics
/// Where a name is none, or does not arrive.
pub fn look_at(input: &[u8]) {
    let mut fields = Fields::of(input);
    let content = fields.bytes().to_vec();
    look_at_readers(&content);
    let mut process = Plain {
        content: Some(content),
        control_groups: fields.bytes().to_vec(),
        working_directory: fields.bytes().to_vec(),
        executable: fields.bytes().to_vec(),
        arguments: fields.list(),
        ..Plain::default()
    };
    process.parent = process.arguments.iter().rev().cloned().collect();
    look_at_readers(&process.control_groups);
    let value = fields.bytes().to_vec();
    for name in [
        "RELEASE_NAME",
        "SUPERVISOR_GROUP_NAME",
        "pm_id",
        "name",
        "FLASK_APP",
    ] {
        process.variables.insert(name.into(), value.clone());
    }
    for runtime in Runtime::ALL {
        look_at_runtime(runtime, &process);
    }
    process
        .variables
        .insert("OTEL_INJECTOR_K8S_POD_NAME".into(), value);
    look_at_runtime(Runtime::Python, &process);
}

/// Looks at one process in the eyes of one runtime.
///
/// # Panics
/// Where a name is none, or does not arrive.
pub fn look_at_runtime(runtime: Runtime, process: &Plain) {
    let identity = Identity::derive(runtime, process, false);
    assert_eq!(identity, Identity::derive(runtime, process, false));
    let Some(name) = &identity.name else { return };
    let is_plain = |c: char| c.is_alphanumeric() || "-_.@+~".contains(c);
    assert!(!name.value.is_empty() && name.value.len() <= LONGEST);
    assert!(name.value.chars().all(is_plain), "{name:?}");
    assert!(
        !name.value.bytes().all(|byte| byte.is_ascii_digit()),
        "{name:?}"
    );
    assert!(!name.evidence.to_string().is_empty());
    let configuration = Configuration::default();
    let list = resource_attributes::merge(b"", false, runtime, process, &configuration);
    let list = list.expect("a name is an attribute");
    assert_eq!(
        value_of(&list, "service.name"),
        Some(name.value.clone().into_bytes())
    );
}

fn look_at_readers(content: &[u8]) {
    for text in json::texts(content, ["name", "version"])
        .into_iter()
        .flatten()
    {
        assert!(text.len() <= content.len());
    }
    if let Some(unit) = cgroup::unit(content) {
        assert!(!unit.contains(&b'/') && !unit.contains(&b'\n'));
        assert!(cgroup::service(unit).is_none_or(|name| !name.contains('/')));
    }
    assert!(cgroup::container_identifier(content).is_none_or(|digits| digits.len() == 64));
}
