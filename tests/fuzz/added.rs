//! What is added to an environment is taken back by a child, to the byte.

use super::merges::Scene;
use opentelemetry_injector_policy::settings::added::{self, Added, Restore};
use opentelemetry_injector_policy::{Process, Variable};

/// Adds the entries of a variable and takes them back.
///
/// # Panics
/// Where a child would keep one, or lose one of its user's.
pub fn look_at(scene: &Scene, variable: Variable) {
    let entries = variable.entries(&scene.process, &scene.configuration);
    let marker = added::marker(&entries, &scene.process);
    let Some((_, told)) = added::split(&marker) else {
        assert!(entries.is_empty());
        return;
    };
    for entry in &entries {
        let (name, _) = added::split(entry).expect("an entry has a name");
        let name = std::str::from_utf8(name).expect("names are ASCII");
        match (scene.process.variable(name), Added::of(told).restore(entry)) {
            (None, Restore::Remove) => {}
            (Some(before), Restore::Shorten(kept)) => {
                assert_eq!(kept, [name.as_bytes(), b"=", &before].concat());
            }
            (before, outcome) => panic!("{name} was {before:?}: {outcome:?}"),
        }
    }
    for (name, value) in &scene.process.variables {
        let entry = [name.as_bytes(), b"=", value].concat();
        let is_ours = entries.contains(&entry);
        assert!(is_ours || Added::of(told).restore(&entry) == Restore::Keep);
    }
}

/// Reads a marker and entries that are not ours.
pub fn look_at_foreign(marker: &[u8], entry: &[u8]) {
    if let Restore::Shorten(kept) = Added::of(marker).restore(entry) {
        assert!(entry.starts_with(kept));
    }
}
