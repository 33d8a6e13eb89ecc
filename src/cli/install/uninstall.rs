//! `opentelemetry-injector uninstall`: removes our entries from `/etc/ld.so.preload` and changes nothing else.
//!
//! It needs neither the object nor a configuration, so it works before and after their files are deleted.

use crate::install::apparmor::{self, AppArmorError};
use crate::install::at_boot::{self, AtBootError, State};
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
/// Deletes the file if it is empty then. Also undoes `install --at-boot` and `install --apparmor`.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// Show what would be removed, but change nothing
    #[arg(long)]
    dry_run: bool,
    /// Work on the image in this folder instead of on this machine
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Let systemd add the entry again at the next boot (see `install --at-boot`)
    #[arg(long)]
    keep_at_boot: bool,
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
    AtBoot(AtBootError),
    AppArmor(AppArmorError),
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
                UninstallError::Root(_) | UninstallError::NotRoot => CANNOT.into(),
                _ => NOT_UNINSTALLED.into(),
            }
        }
    }
}

fn try_to_uninstall(arguments: &Arguments) -> Result<String, UninstallError> {
    image_root::enter(arguments.root.as_deref()).map_err(UninstallError::Root)?;
    if !rustix::process::geteuid().is_root() && !arguments.dry_run {
        return Err(UninstallError::NotRoot);
    }
    let undone = if arguments.keep_at_boot {
        String::new()
    } else {
        undo_at_boot(arguments)? + &undo_apparmor(arguments)?
    };
    let taken_out = take_out(arguments, undone.is_empty())?;
    Ok(undone + &taken_out)
}

/// Before the entry goes: a unit that is stopped takes it out itself.
fn undo_at_boot(arguments: &Arguments) -> Result<String, UninstallError> {
    let name = at_boot::UNIT;
    if arguments.dry_run {
        let is_enabled = !matches!(at_boot::state(), State::Disabled);
        return Ok(if is_enabled {
            format!("{name} would be disabled\n")
        } else {
            String::new()
        });
    }
    let is_running = arguments.root.is_none() && at_boot::is_booted();
    let was_there = at_boot::disable(is_running).map_err(UninstallError::AtBoot)?;
    Ok(if was_there {
        format!("{name} is disabled: it no longer adds the object at boot\n")
    } else {
        String::new()
    })
}

fn undo_apparmor(arguments: &Arguments) -> Result<String, UninstallError> {
    let (snippet, reload) = (apparmor::SNIPPET, apparmor::RELOAD);
    if arguments.dry_run {
        return Ok(if apparmor::is_allowed() {
            format!("{snippet} would be removed\n")
        } else {
            String::new()
        });
    }
    let was_there = apparmor::forget().map_err(UninstallError::AppArmor)?;
    Ok(if was_there {
        format!("{snippet} is removed: {reload}\n")
    } else {
        String::new()
    })
}

fn take_out(arguments: &Arguments, is_all: bool) -> Result<String, UninstallError> {
    let file = PreloadFile::open().map_err(UninstallError::PreloadFile)?;
    let content = preload_file::remove(file.content());
    if content == file.content() {
        let nothing = if is_all { "; nothing was changed" } else { "" };
        return Ok(format!("{PATH} has no entry of the injector{nothing}\n"));
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
    Ok(format!(
        "{entries} is no longer in {PATH}: no new program loads it\n\
         running processes keep the object until they are restarted\n"
    ))
}

impl fmt::Display for UninstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(problem) => problem.fmt(f),
            Self::NotRoot => write!(f, "only root may write {PATH}; --dry-run needs no root"),
            Self::PreloadFile(problem) => problem.fmt(f),
            Self::AtBoot(problem) => problem.fmt(f),
            Self::AppArmor(problem) => problem.fmt(f),
        }
    }
}

impl core::error::Error for UninstallError {}
