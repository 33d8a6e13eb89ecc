//! Whether the application brings the SDK (the gem `opentelemetry-sdk`) itself, according to the lock
//! file of its bundle. Ours would be configured first, and would instrument what the application's own
//! instruments.

use crate::process::{directory, file_name};
use crate::{Process, Reason};
use alloc::vec::Vec;

/// A bundle's files: what it wants, and the versions that Bundler has chosen.
const BUNDLES: [(&[u8], &[u8]); 2] = [(b"Gemfile", b"Gemfile.lock"), (b"gems.rb", b"gems.locked")];

/// How many folders above the working directory are looked at. Above the root is the root again.
const DEPTH: usize = 16;

/// Says where the application's own SDK was found.
///
/// The bundle is looked for as Bundler does: `BUNDLE_GEMFILE`, else in the working directory and the
/// folders above it. `bin/rails` and its like name the bundle beside their own folder.
///
/// # Errors
/// [`Reason::OwnSdk`].
pub fn is_absent(script: &[Vec<u8>], process: &impl Process) -> Result<(), Reason> {
    let lock = match process.variable("BUNDLE_GEMFILE") {
        Some(gemfile) if !gemfile.is_empty() => Some(lock_of(&gemfile)),
        _ => above(process).or_else(|| beside(script.first()?, process)),
    };
    match lock {
        Some(lock) if has_sdk(&process.content(&lock).unwrap_or_default()) => {
            Err(Reason::OwnSdk { place: lock })
        }
        _ => Ok(()),
    }
}

fn lock_of(gemfile: &[u8]) -> Vec<u8> {
    match file_name(gemfile) {
        b"gems.rb" => [gemfile.strip_suffix(b"rb").unwrap_or(gemfile), b"locked"].concat(),
        _ => [gemfile, b".lock"].concat(),
    }
}

/// The lock file of the first bundle from the working directory on upwards.
fn above(process: &impl Process) -> Option<Vec<u8>> {
    let mut folder = Vec::new();
    for _ in 0..DEPTH {
        if let Some(lock) = bundle_in(&folder, process) {
            return Some(lock);
        }
        folder.extend(b"../");
    }
    None
}

/// The lock file of a bundle in the folder above the script's.
fn beside(script: &[u8], process: &impl Process) -> Option<Vec<u8>> {
    let folder = match directory(script) {
        b"" => return None,
        folder => [folder, b"/../"].concat(),
    };
    bundle_in(&folder, process)
}

fn bundle_in(folder: &[u8], process: &impl Process) -> Option<Vec<u8>> {
    let is_there =
        |(wants, _): &&(&[u8], &[u8])| process.is_readable_file(&[folder, wants].concat());
    let (_, lock) = BUNDLES.iter().find(is_there)?;
    Some([folder, lock].concat())
}

/// A chosen version stands behind four blanks; what a gem depends on, behind six.
fn has_sdk(lock: &[u8]) -> bool {
    let mut lines = lock.split(|byte| *byte == b'\n');
    lines.any(|line| line.starts_with(b"    opentelemetry-sdk ("))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::string::String;

    const OWN: &str =
        "GEM\n  specs:\n    opentelemetry-sdk (1.5.0)\n      opentelemetry-api (~> 1.1)\n";
    const API: &str = "GEM\n  specs:\n    opentelemetry-api (1.5.0)\n    shop (1.0)\n      \
                       opentelemetry-sdk (~> 1.0)\n    opentelemetry-sdk-experimental (0.1)\n";

    fn process(files: &[(&str, &str)]) -> Fixture {
        Fixture {
            readable: files.iter().map(|(path, _)| String::from(*path)).collect(),
            contents: files
                .iter()
                .map(|(path, text)| ((*path).into(), (*text).into()))
                .collect(),
            ..Fixture::default()
        }
    }

    fn place(process: &Fixture, script: &str) -> Option<String> {
        match is_absent(&[script.into()], process) {
            Err(Reason::OwnSdk { place }) => String::from_utf8(place).ok(),
            _ => None,
        }
    }

    #[test]
    fn the_bundles_lock_file_tells() {
        let above = process(&[("../Gemfile", ""), ("../Gemfile.lock", OWN)]);
        assert_eq!(place(&above, "a.rb").as_deref(), Some("../Gemfile.lock"));
        let gems = process(&[("gems.rb", ""), ("gems.locked", OWN)]);
        assert_eq!(place(&gems, "a.rb").as_deref(), Some("gems.locked"));
        let beside = process(&[
            ("/srv/bin/../Gemfile", ""),
            ("/srv/bin/../Gemfile.lock", OWN),
        ]);
        let found = place(&beside, "/srv/bin/rails");
        assert_eq!(found.as_deref(), Some("/srv/bin/../Gemfile.lock"));
        assert_eq!(place(&beside, "rails"), None);
        for (gemfile, lock) in [
            ("/x/Gemfile", "/x/Gemfile.lock"),
            ("/x/gems.rb", "/x/gems.locked"),
        ] {
            let mut named = process(&[("Gemfile", ""), ("Gemfile.lock", API), (lock, OWN)]);
            named
                .variables
                .insert("BUNDLE_GEMFILE".into(), gemfile.into());
            assert_eq!(place(&named, "a.rb").as_deref(), Some(lock));
        }
    }

    #[test]
    fn the_api_alone_is_no_sdk() {
        let api = process(&[
            ("Gemfile", ""),
            ("Gemfile.lock", API),
            ("../Gemfile", ""),
            ("../Gemfile.lock", OWN),
        ]);
        assert_eq!(place(&api, "a.rb"), None);
        assert_eq!(place(&process(&[("Gemfile", "")]), "a.rb"), None);
        assert_eq!(place(&Fixture::default(), ""), None);
    }
}
