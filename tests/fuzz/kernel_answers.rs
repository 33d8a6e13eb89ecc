//! The readers of what the kernel answers: `/proc/PID/maps`, directory records; and of the marker
//! in an environment, which anybody may have written.

use super::added;
use super::fields::Fields;
use opentelemetry_injector_policy::formats::directory_records::collect_names;
use opentelemetry_injector_policy::formats::mappings;

/// Looks at an input as each of them.
///
/// # Panics
/// Where a reader makes up what is not in its input.
pub fn look_at(input: &[u8]) {
    let found = mappings::find(input, |mapped| mapped.path.len() > 8);
    if let Some(mapped) = found.or_else(|| mappings::find(input, |_| true)) {
        assert!(mapped.path.starts_with(b"/"));
        let mut paths = input.windows(mapped.path.len());
        assert!(paths.any(|window| window == mapped.path));
    }
    let mut names = Vec::new();
    collect_names(input, &mut names);
    let records = 19 * names.len() + names.iter().map(Vec::len).sum::<usize>();
    assert!(records <= input.len(), "more names than the buffer holds");
    assert!(names.iter().all(|name| !name.contains(&0)));
    let mut fields = Fields::of(input);
    added::look_at_foreign(fields.bytes(), fields.bytes());
}
