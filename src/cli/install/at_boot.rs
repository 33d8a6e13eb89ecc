//! `install --at-boot`: a unit of systemd that tries the object at each boot and only then adds the
//! entry.
//!
//! The packages ship the unit; where there is no package, or where it has to be run with options, this
//! command writes one of its own. The unit is enabled by a link, as systemctl(1) makes it, so that an
//! image needs no running systemd.

use crate::machine::file_changes::{self, FileError};
use std::fmt;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The unit's name.
pub const UNIT: &str = "opentelemetry-injector.service";

/// The unit as the packages ship it.
const TEXT: &str = include_str!("../../../packaging/opentelemetry-injector.service");

/// Where the packages' command is, and what the unit runs.
const COMMAND: &str = "/usr/bin/opentelemetry-injector";
const TRIAL: &str = "install --retry";

/// Where packages put units (systemd.unit(5)); the second one where `/lib` is a folder of its own.
const SHIPPED: [&str; 2] = ["/usr/lib/systemd/system", "/lib/systemd/system"];

/// Where the administrator's units are. They come before those of packages.
const OWN: &str = "/etc/systemd/system/opentelemetry-injector.service";

/// What enables the unit: the target of its `WantedBy=`.
const LINK: &str = "/etc/systemd/system/basic.target.wants/opentelemetry-injector.service";

/// A system with any of these is systemd's.
const SYSTEMD: [&str; 2] = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];

/// There where systemd is what runs the machine (sd_booted(3)).
const BOOTED: &str = "/run/systemd/system";

/// How it is with the unit.
pub enum State {
    /// It is not enabled.
    Disabled,
    /// It is enabled.
    Enabled,
    /// It is enabled, and is not there.
    Missing,
}

/// Why the unit could not be enabled or disabled.
#[derive(Debug)]
pub enum AtBootError {
    /// There is no systemd.
    NoSystemd,
    /// The administrator has masked it.
    Masked,
    /// The image has no such command.
    NoCommand(PathBuf),
    /// A file could not be written or removed.
    File(FileError),
    /// systemctl(1) has failed; what it said.
    Systemctl(String),
    /// The unit was started, and has failed.
    Failed,
}

/// A unit that can be enabled.
pub struct Unit {
    path: PathBuf,
    /// What has to be written there.
    text: Option<String>,
}

/// Whether systemd starts this machine or image.
pub fn has_systemd() -> bool {
    is_booted() || SYSTEMD.iter().any(|path| Path::new(path).exists())
}

/// Whether systemd is running here.
pub fn is_booted() -> bool {
    Path::new(BOOTED).is_dir()
}

/// How it is with the unit.
pub fn state() -> State {
    if fs::symlink_metadata(LINK).is_err() {
        State::Disabled
    } else if Path::new(LINK).exists() {
        State::Enabled
    } else {
        State::Missing
    }
}

/// The unit that runs this command with these options of `install`.
///
/// # Errors
/// There can be none. Nothing has changed.
pub fn unit(command: &Path, options: &[String]) -> Result<Unit, AtBootError> {
    if !has_systemd() {
        return Err(AtBootError::NoSystemd);
    }
    let command = [command, Path::new(COMMAND)]
        .into_iter()
        .find(|command| command.is_file())
        .ok_or_else(|| AtBootError::NoCommand(COMMAND.into()))?;
    let own = fs::read(OWN).unwrap_or_default();
    if fs::read_link(OWN).is_ok_and(|target| target == Path::new("/dev/null")) {
        return Err(AtBootError::Masked);
    }
    let text = text(command, options);
    let is_administrators = !own.is_empty() && !is_ours(&own);
    let shipped = shipped().filter(|_| text == TEXT && own.is_empty());
    Ok(match shipped {
        Some(path) => Unit { path, text: None },
        None => Unit {
            path: OWN.into(),
            text: (!is_administrators).then_some(text),
        },
    })
}

impl Unit {
    /// Enables it. systemd reads it at the next boot, or when it is [`start`]ed.
    ///
    /// # Errors
    /// A file could not be written; the unit is not enabled.
    pub fn enable(&self) -> Result<(), AtBootError> {
        if let Some(text) = &self.text {
            file_changes::write(&self.path, text)?;
        }
        let link = Path::new(LINK);
        file_changes::make_folder(link.parent().unwrap_or(link))?;
        file_changes::remove(link)?;
        symlink(&self.path, link).map_err(FileError::of("make it", link))?;
        Ok(())
    }
}

/// Starts the unit, which tries the object and adds the entry, and waits for it.
///
/// # Errors
/// It has failed.
pub fn start() -> Result<(), AtBootError> {
    systemctl(&["daemon-reload"])?;
    systemctl(&["restart", UNIT]).map_err(|problem| match problem {
        AtBootError::Systemctl(_) => AtBootError::Failed,
        problem => problem,
    })
}

/// Disables the unit, and stops it where `is_running`. Returns whether there was anything to disable.
///
/// # Errors
/// A file could not be removed, or systemd does not stop the unit.
pub fn disable(is_running: bool) -> Result<bool, AtBootError> {
    let mut found = file_changes::remove(Path::new(LINK))?;
    // While the unit is there to say how it is stopped.
    if found && is_running {
        systemctl(&["stop", UNIT])?;
    }
    if fs::read(OWN).is_ok_and(|own| is_ours(&own)) {
        found |= file_changes::remove(Path::new(OWN))?;
    }
    if found && is_running {
        systemctl(&["daemon-reload"])?;
    }
    Ok(found)
}

/// The unit's text with this command and these options.
fn text(command: &Path, options: &[String]) -> String {
    let command = word(&command.display().to_string());
    let options: String = options
        .iter()
        .map(|option| format!(" {}", word(option)))
        .collect();
    TEXT.replace(TRIAL, &format!("{TRIAL}{options}"))
        .replace(&format!("={COMMAND} "), &format!("={command} "))
}

/// A word of a command line of systemd (systemd.service(5)).
fn word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    if text.bytes().all(is_plain) {
        return text.into();
    }
    let escaped = text.replace('\\', r"\\").replace('"', "\\\"");
    format!("\"{}\"", escaped.replace('%', "%%").replace('$', "$$"))
}

/// Whether a unit was written by this command: it begins as the packages' does.
fn is_ours(unit: &[u8]) -> bool {
    let first = TEXT.lines().next().unwrap_or_default();
    unit.starts_with(first.as_bytes())
}

fn shipped() -> Option<PathBuf> {
    let places = SHIPPED.map(|folder| Path::new(folder).join(UNIT));
    places.into_iter().find(|place| place.is_file())
}

fn systemctl(arguments: &[&str]) -> Result<(), AtBootError> {
    let output = Command::new("systemctl").args(arguments).output();
    let output = output.map_err(|error| AtBootError::Systemctl(format!("systemctl: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or("systemctl failed");
    Err(AtBootError::Systemctl(said.into()))
}

impl From<FileError> for AtBootError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl fmt::Display for AtBootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSystemd => f.write_str(
                "--at-boot needs systemd, which is not here: let the system's own scripts run \
                 `opentelemetry-injector install --retry` at each boot and \
                 `opentelemetry-injector uninstall --keep-at-boot` at shutdown",
            ),
            Self::Masked => write!(f, "{UNIT} is masked: `systemctl unmask {UNIT}`"),
            Self::NoCommand(path) => write!(
                f,
                "--at-boot runs {}, which is not there: install the package",
                path.display()
            ),
            Self::File(problem) => problem.fmt(f),
            Self::Systemctl(said) => f.write_str(said),
            Self::Failed => write!(
                f,
                "{UNIT} has failed: `journalctl -u {UNIT}` has the reason"
            ),
        }
    }
}

impl core::error::Error for AtBootError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_has_the_command_and_the_options() {
        assert_eq!(text(Path::new(COMMAND), &[]), TEXT);
        let options = ["--object".into(), "/opt/$LIB/50%".into()];
        let unit = text(Path::new("/opt/in jector"), &options);
        for line in [
            "ExecStart=\"/opt/in jector\" install --retry --object \"/opt/$$LIB/50%%\"\n",
            "ExecStop=\"/opt/in jector\" uninstall --keep-at-boot\n",
        ] {
            assert!(unit.contains(line), "{unit}");
        }
        assert!(is_ours(unit.as_bytes()));
        assert!(!is_ours(b"[Unit]\n"));
    }
}
