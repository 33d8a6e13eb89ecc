//! The readers of what `/proc/PID` tells the command: whatever is in those files, nothing panics and
//! nothing is made up.

use super::fields::Fields;
use super::proc_formats::{
    age, auxiliary_vector, below, family, identity, is_libc, is_overwritten, mapped, outside,
    without_mark,
};
use opentelemetry_injector_policy::formats::ancestors::{ProcFile, command_line, parent, strings};
use std::time::Duration;

/// Looks at an input as each of the files.
///
/// # Panics
/// Where a reader makes up what is not in its input.
pub fn look_at(input: &[u8]) {
    let joined = strings(input).join(&0);
    assert_eq!(joined, input.strip_suffix(b"\0").unwrap_or(input));
    let above = parent(input).map(|number| String::from_utf8_lossy(number).into_owned());
    let ancestor = command_line(b"self", 1, 0, |_| {
        let content = input.to_vec();
        Some(ProcFile { content, owner: 0 })
    });
    assert_eq!(ancestor.is_some(), above.is_some());
    if let Some(family) = family(input) {
        assert!(input.contains(&b')'), "{family:?}");
        let known = above.and_then(|number| number.parse().ok());
        assert_eq!(known.unwrap_or(0), family.parent);
    }
    assert!(!is_overwritten(&strings(input)) || !input.is_empty());
    for file in mapped(input) {
        assert!(
            !is_libc(&file.path)
                || file
                    .path
                    .windows(2)
                    .any(|part| part == b"ld" || part == b"li")
        );
        assert!(file.path.starts_with(b"/"));
        let mut paths = input.windows(file.path.len());
        assert!(paths.any(|window| window == file.path));
        assert!(!without_mark(&file.path).contains(&b'\n'));
    }
    let vector = auxiliary_vector(input);
    if input.len() < 16 {
        assert_eq!((vector.secure, vector.started_as), (None, None));
    }
    let mut fields = Fields::of(input);
    let (status, users, groups) = (fields.bytes(), outside(fields.bytes()), fields.bytes());
    if let Some(identity) = identity(status, [users.clone(), outside(groups)]) {
        assert_eq!(identity.ruled[0], users);
    }
    let uptime = Duration::from_secs(1_000_000);
    if let Some(age) = age(fields.bytes(), uptime) {
        assert!(age <= uptime, "older than the machine");
    }
    let (root, path) = (fields.bytes(), fields.bytes());
    let inside = below(root, path);
    assert!(inside == path || inside.starts_with(b"/"));
}
