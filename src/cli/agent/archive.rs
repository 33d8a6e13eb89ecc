//! Archives: zip by a library, tar by its program.

use crate::agent::client;
use crate::agent::error::AgentError;
use crate::agent::files;
use crate::agent::work::Work;
use crate::machine::file_changes;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What the name of a tar archive ends in.
const TAR: [&str; 6] = [".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.zst", ".tar.bz2"];

/// Whether a file's name is that of an archive that [`unpack`] reads.
pub fn is_archive(file: &Path) -> bool {
    is_zip(file) || is_tar(file)
}

fn name(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default();
    name.to_string_lossy().to_lowercase()
}

fn is_zip(file: &Path) -> bool {
    name(file).ends_with(".zip")
}

fn is_tar(file: &Path) -> bool {
    TAR.iter().any(|ending| name(file).ends_with(ending))
}

/// Unpacks into an empty folder. Where everything in it is in one folder, that one is the result.
///
/// # Errors
/// It is damaged, does not fit, or would leave the folder.
pub fn unpack(file: &Path, folder: &Path, work: &mut Work) -> Result<PathBuf, AgentError> {
    file_changes::make_folder(folder)?;
    if is_zip(file) {
        let opened = File::open(file).map_err(AgentError::file("read it", file))?;
        let unpacked = zip::ZipArchive::new(opened).and_then(|mut zip| zip.extract(folder));
        unpacked.map_err(|error| AgentError::NotAnAgent(file.into(), error.to_string()))?;
    } else {
        let mut tar = client::find("tar", "unpacks the archive")?;
        tar.arg("--extract").arg("--no-same-owner");
        tar.arg("--file").arg(file).arg("--directory").arg(folder);
        client::run(&mut tar, work).map_err(|problem| match problem {
            AgentError::Client(_, said) => {
                AgentError::NotAnAgent(file.into(), said.replace('\n', "; "))
            }
            other => other,
        })?;
    }
    work.interrupt.check()?;
    Ok(match &files::entries(folder)?[..] {
        [only] if only.is_dir() && !only.is_symlink() => only.clone(),
        _ => folder.into(),
    })
}

/// A file in a zip archive, as text.
pub fn text_in_zip(archive: &Path, name: &str) -> Option<String> {
    let mut archive = zip::ZipArchive::new(File::open(archive).ok()?).ok()?;
    let file = archive.by_name(name).ok()?;
    std::io::read_to_string(file).ok()
}
