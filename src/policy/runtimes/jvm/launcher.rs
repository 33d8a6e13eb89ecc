//! The `java` command line: which arguments are the launcher's own options.
//!
//! Source: the launcher's manual, java(1) of JDK 8 to 25.

use crate::process::file_name;
use alloc::vec::Vec;

/// The launcher's own part of a command line.
pub struct Launch<'a> {
    /// The options before the main class; the whole command line where the program is no launcher.
    pub options: &'a [Vec<u8>],
    /// The option by which the launcher is only asked for information.
    pub information: Option<&'a [u8]>,
}

/// Options after which the launcher prints something and ends.
const INFORMATION: [&[u8]; 15] = [
    b"-version",
    b"--version",
    b"-fullversion",
    b"--full-version",
    b"-help",
    b"--help",
    b"-h",
    b"-?",
    b"-X",
    b"--help-extra",
    b"--list-modules",
    b"-d",
    b"--describe-module",
    b"--dry-run",
    b"--validate-modules",
];

/// Options whose value is the next argument.
const WITH_VALUE: [&[u8]; 13] = [
    b"-cp",
    b"-classpath",
    b"--class-path",
    b"-p",
    b"--module-path",
    b"--upgrade-module-path",
    b"--add-modules",
    b"--limit-modules",
    b"--add-exports",
    b"--add-opens",
    b"--add-reads",
    b"--patch-module",
    b"--enable-native-access",
];

/// Options behind which the application begins, with its own arguments.
const APPLICATION: [&[u8]; 3] = [b"-jar", b"-m", b"--module"];

/// Whether a program is the launcher, by the path that it was started by.
pub fn is_launcher(started_as: &[u8]) -> bool {
    file_name(started_as) == b"java"
}

/// Reads a command line, the program's own name first.
pub fn launch<'a>(started_as: &[u8], arguments: &'a [Vec<u8>]) -> Launch<'a> {
    let mut end = 1;
    while let Some(argument) = arguments.get(end).map(Vec::as_slice) {
        let is_option = argument.starts_with(b"-") || argument.starts_with(b"@");
        if !is_launcher(started_as) || INFORMATION.contains(&argument) {
            break;
        }
        if APPLICATION.contains(&argument) || !is_option {
            return Launch {
                options: arguments.get(..end).unwrap_or_default(),
                information: None,
            };
        }
        end += if WITH_VALUE.contains(&argument) { 2 } else { 1 };
    }
    let stopped_at = arguments.get(end).map(Vec::as_slice);
    Launch {
        options: arguments,
        information: stopped_at.filter(|argument| INFORMATION.contains(argument)),
    }
}
