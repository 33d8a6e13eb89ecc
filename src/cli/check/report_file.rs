//! Whether processes can write to the report that the configuration asks for.

use crate::check::diagnostics::{Diagnostic, Excerpt, Severity};
use crate::output::{names, shell_word};
use opentelemetry_injector_policy::config::Report;
use opentelemetry_injector_policy::report::LONGEST;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Everybody may write (inode(7)).
const WRITE: u32 = 0o002;

/// What keeps some processes or all from writing to `report.file`, which is given in `file` at `place`.
pub fn judge(report: &Report, file: &[u8], place: Excerpt) -> Option<Diagnostic> {
    let path = report.file.as_deref()?;
    let (message, help) = match fs::symlink_metadata(path) {
        Ok(metadata) => of_file(path, &metadata, report.max_bytes)?,
        Err(error) if error.kind() == ErrorKind::NotFound => of_none(path),
        Err(_) => return None,
    };
    Some(Diagnostic {
        severity: Severity::Warning,
        path: file.to_vec(),
        excerpt: Some(place),
        message: format!("{path}: {message}"),
        notes: vec!["`report.journal = true` needs no file".into()],
        help,
    })
}

fn of_file(path: &str, metadata: &Metadata, most: u64) -> Option<(String, String)> {
    let word = shell_word::quoted(path);
    let mode = metadata.mode() & 0o7777;
    let owner = names::user(metadata.uid());
    if metadata.is_symlink() {
        Some((
            "a symbolic link, which is not followed; nothing is reported".into(),
            "write the path of the file itself".into(),
        ))
    } else if !metadata.is_file() {
        Some((
            "not a regular file; nothing is reported".into(),
            "write the path of a file".into(),
        ))
    } else if metadata.uid() != 0 {
        Some((
            format!("it belongs to {owner}, so only processes of {owner} report"),
            format!("chown root {word} && chmod 0666 {word}"),
        ))
    } else if mode & WRITE == 0 {
        Some((
            format!("mode {mode:04o}, so processes of other users than root do not report"),
            format!("chmod 0666 {word}"),
        ))
    } else if metadata.size().saturating_add(LONGEST as u64) > most {
        Some((
            format!(
                "it has {} bytes of {most}; what comes now is not reported",
                metadata.size()
            ),
            "move it away, or set a greater report.max_bytes".into(),
        ))
    } else {
        None
    }
}

fn of_none(path: &str) -> (String, String) {
    let folder = Path::new(path).parent().unwrap_or(Path::new("/"));
    let word = shell_word::quoted(path);
    let make = format!("install -m 0666 /dev/null {word}");
    if folder.is_dir() {
        (
            "no such file; the first process makes it for its own user alone".into(),
            make,
        )
    } else {
        let folder = shell_word::quoted(&folder.to_string_lossy());
        (
            "no such folder; nothing is reported".into(),
            format!("mkdir -p {folder} && {make}"),
        )
    }
}
