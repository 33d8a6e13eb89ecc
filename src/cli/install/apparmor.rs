//! `install --apparmor`: what AppArmor's profiles have to allow, so that their programs can load the
//! object.
//!
//! `abstractions/base`, which nearly every profile includes, includes the files of
//! `abstractions/base.d` since AppArmor 3.0.

use crate::machine::file_changes::{self, FileError};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// The file with the rules.
pub const SNIPPET: &str = "/etc/apparmor.d/abstractions/base.d/opentelemetry-injector";

/// What to do after it has changed.
pub const RELOAD: &str = "reload AppArmor's profiles (systemctl reload apparmor)";

const BASE: &str = "/etc/apparmor.d/abstractions/base";

/// Where `agent install` and the packages put the object and the agents.
const FOLDER: &str = "/usr/lib/opentelemetry";

/// Why the rules could not be written or removed.
#[derive(Debug)]
pub enum AppArmorError {
    /// There is no AppArmor.
    NotHere,
    /// Its profiles include no such file.
    NotIncluded,
    /// The file could not be written or removed.
    File(FileError),
}

/// Whether the rules are there.
pub fn is_allowed() -> bool {
    Path::new(SNIPPET).exists()
}

/// Writes the rules for the object and what lies beside it.
///
/// # Errors
/// Nothing has changed.
pub fn allow(object: &Path) -> Result<(), AppArmorError> {
    let base = fs::read_to_string(BASE).map_err(|_| AppArmorError::NotHere)?;
    if !base.contains("abstractions/base.d") {
        return Err(AppArmorError::NotIncluded);
    }
    file_changes::write(Path::new(SNIPPET), &rules(object)).map_err(AppArmorError::File)
}

/// Removes the rules. Returns whether there were any.
///
/// # Errors
/// The file is still there.
pub fn forget() -> Result<bool, AppArmorError> {
    file_changes::remove(Path::new(SNIPPET)).map_err(AppArmorError::File)
}

/// AppArmor sees where a file really is, not the links that lead there.
fn rules(object: &Path) -> String {
    let object = fs::canonicalize(object).unwrap_or_else(|_| object.into());
    let beside = object.parent().unwrap_or(&object);
    let mut folders = vec![PathBuf::from(FOLDER)];
    if !beside.starts_with(FOLDER) {
        folders.push(beside.into());
    }
    let mut rules = String::from(
        "# Written by `opentelemetry-injector install --apparmor`; `opentelemetry-injector uninstall` \
         removes it.\n  /etc/ld.so.preload r,\n  /etc/opentelemetry/** r,\n",
    );
    for folder in folders {
        rules += &format!("  \"{}/**\" mr,\n", literal(&folder));
    }
    rules
}

/// A path in which AppArmor finds no pattern.
fn literal(path: &Path) -> String {
    let mut text = String::new();
    for character in path.display().to_string().chars() {
        if "\\\"*?[]{}^@".contains(character) {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

impl fmt::Display for AppArmorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHere => write!(
                f,
                "--apparmor: {BASE} is not here: AppArmor is not installed"
            ),
            Self::NotIncluded => write!(
                f,
                "--apparmor: {BASE} includes no abstractions/base.d (AppArmor 3.0 does): put the rules \
                 into the profiles themselves"
            ),
            Self::File(problem) => problem.fmt(f),
        }
    }
}

impl core::error::Error for AppArmorError {}
