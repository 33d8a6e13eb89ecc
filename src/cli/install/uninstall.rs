//! `opentelemetry-injector uninstall`: removes our entries from `/etc/ld.so.preload` and changes nothing else.
//!
//! It needs neither the object nor a configuration, so it works before and after their files are deleted.

use crate::install::image_root::{self, RootError};
use crate::install::ld_so_preload::{PreloadFile, PreloadFileError};
use crate::{complain, output};
use opentelemetry_injector_policy::formats::preload_file::{self, PATH};
use opentelemetry_injector_policy::reason::Lossy;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

/// Remove the preload object from /etc/ld.so.preload, so that no new program loads it.
///
/// Removes every entry named libopentelemetry_injector.so, whatever its folder, and keeps all others.
/// Deletes the file if it is empty then.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// Show what would be removed, but change nothing
    #[arg(long)]
    dry_run: bool,
    /// Work on the image in this folder instead of on this machine
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Exit status:
  0  no new program loads the object (with --dry-run: the entry can be removed)
  1  the file could not be changed; it has its old content
  2  wrong usage, or not root, or a dry run's report could not be written

LD_PRELOAD in the environment of services may still name the object: `opentelemetry-injector status`
reports it.

Examples:
  opentelemetry-injector uninstall --dry-run
  opentelemetry-injector uninstall";

const NOT_UNINSTALLED: u8 = 1;
const CANNOT: u8 = 2;

/// Why the entry is still there.
#[derive(Debug)]
enum UninstallError {
    Root(RootError),
    NotRoot,
    PreloadFile(PreloadFileError),
}

/// Runs the command.
pub fn uninstall(arguments: &Arguments) -> ExitCode {
    match try_to_uninstall(arguments) {
        Ok(report) => match output::print(&report) {
            // It is done, and stderr has what became of the report.
            Err(_) if arguments.dry_run => CANNOT.into(),
            _ => ExitCode::SUCCESS,
        },
        Err(problem) => {
            complain(&problem);
            match problem {
                UninstallError::PreloadFile(_) => NOT_UNINSTALLED.into(),
                UninstallError::Root(_) | UninstallError::NotRoot => CANNOT.into(),
            }
        }
    }
}

fn try_to_uninstall(arguments: &Arguments) -> Result<String, UninstallError> {
    image_root::enter(arguments.root.as_deref()).map_err(UninstallError::Root)?;
    if !rustix::process::geteuid().is_root() && !arguments.dry_run {
        return Err(UninstallError::NotRoot);
    }
    let file = PreloadFile::open().map_err(UninstallError::PreloadFile)?;
    let content = preload_file::remove(file.content());
    if content == file.content() {
        return Ok(format!(
            "{PATH} has no entry of the injector; nothing was changed\n"
        ));
    }
    let entries = preload_file::entries(file.content()).into_iter();
    let entries = entries.filter(|entry| preload_file::is_ours(entry));
    let entries: Vec<_> = entries.map(|entry| Lossy(entry).to_string()).collect();
    let entries = entries.join(", ");
    if arguments.dry_run {
        return Ok(format!(
            "{entries} would be taken out of {PATH}; nothing was changed\n"
        ));
    }
    let rest = Some(content.as_slice()).filter(|content| !content.is_empty());
    file.write(rest).map_err(UninstallError::PreloadFile)?;
    let running = image_root::RUNNING_PROCESSES;
    Ok(format!(
        "{entries} is no longer in {PATH}: no new program loads it\n{running}"
    ))
}

impl fmt::Display for UninstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(problem) => problem.fmt(f),
            Self::NotRoot => write!(f, "only root may write {PATH}; --dry-run needs no root"),
            Self::PreloadFile(problem) => problem.fmt(f),
        }
    }
}

impl core::error::Error for UninstallError {}
