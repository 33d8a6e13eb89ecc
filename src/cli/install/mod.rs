//! `opentelemetry-injector install`: tries the preload object, then adds a line with its path to
//! `/etc/ld.so.preload`.
//!
//! `try_to_install` is the sequence. `preload_file::add` (in the policy) makes the new content, `ld_so_preload`
//! writes it atomically under `lock`, `trials` and `trial_programs` try programs, `private_etc` gives them a
//! preload file that nobody else sees, `object_check` and `trust` refuse unsuitable objects, and `signals` delays
//! signals until the file is verified or restored.

pub mod apparmor;
pub mod at_boot;
mod error;
pub mod image_root;
pub mod ld_so_preload;
mod lock;
pub mod object_check;
pub mod private_etc;
pub mod signals;
mod trial;
pub mod trial_programs;
pub mod trials;
pub mod trust;
pub mod uninstall;

use crate::install::error::{CANNOT, InstallError};
use crate::install::ld_so_preload::PreloadFile;
use crate::install::trial::Trial;
use crate::machine::loaders::Loaders;
use crate::machine::preload_object::{self, ObjectError};
use crate::{complain, output};
use opentelemetry_injector_policy::formats::preload_file::{self, PATH};
use opentelemetry_injector_policy::matching::other_injectors;
use std::env;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Add the preload object to /etc/ld.so.preload, so that every new program loads it.
///
/// Checks the object, tries it on several programs, adds it to the file and verifies that new programs
/// start as before. If anything is wrong, the file is not changed.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The preload object, as an absolute path inside DIR; the loader replaces `$LIB` in it by its
    /// library folder [default: the one installed with this command]
    #[arg(long, value_name = "PATH")]
    object: Option<PathBuf>,
    /// Run all checks and trials, but change nothing
    #[arg(long)]
    dry_run: bool,
    /// Work on the image in this folder instead of on this machine; the trial runs the image's programs
    /// as root
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Install even if 32-bit programs will print an error because they cannot load the object
    #[arg(long)]
    accept_32_bit_errors: bool,
    /// Install although the preload file has another vendor's injector; runtimes that carry both are
    /// left alone, unless the configuration says allow_other_agents = true
    #[arg(long)]
    accept_other_injectors: bool,
    /// Let systemd try the object at each boot: it adds the entry if the trial succeeds, and removes it at
    /// shutdown
    #[arg(long)]
    at_boot: bool,
    /// Remove the entry first, and add it only if the object can still be installed
    #[arg(long, conflicts_with_all = ["dry_run", "at_boot"])]
    retry: bool,
    /// Allow the programs of AppArmor's profiles to load the object
    #[arg(long)]
    apparmor: bool,
}

/// What `install` ends with.
const RUNNING_PROCESSES: &str = "programs that already run load it when they are restarted: \
                                 `opentelemetry-injector ps --units` lists what to restart\n";

const AFTER_HELP: &str = "\
Exit status:
  0  every new program loads the object (with --dry-run: it would)
  1  it was not installed; nothing has changed (with --retry: the entry was removed)
  2  wrong usage, or not root, or a dry run's report could not be written; nothing has changed
  3  the object does not work, and the preload file could not be restored: the message says why
After a signal (SIGINT, SIGTERM, SIGHUP, SIGQUIT), it restores the preload file before it ends.

--root runs the image's programs as root, with everything that root may do on this machine: use it on
images that you trust.

32-bit programs: their loader would print in each of them that the object has the wrong ELF class. If a
32-bit loader is installed, `install` uses a path with `$LIB`, which each loader replaces by its own folder
(lib/x86_64-linux-gnu, lib64, lib32, lib…), where such folders lie beside the object. Otherwise it refuses to
add the object. Make a folder for each class, with an empty 32-bit object of the same name:
  echo | gcc -m32 -shared -nostdlib -x c - -o /opt/opentelemetry/lib32/libopentelemetry_injector.so

--at-boot enables opentelemetry-injector.service. `install` writes it. The entry is
in the file only while the machine is up and the object works.

Examples:
  opentelemetry-injector install --dry-run
  opentelemetry-injector install
  opentelemetry-injector install --at-boot
  opentelemetry-injector install --object /opt/opentelemetry/libopentelemetry_injector.so
  opentelemetry-injector install --root /mnt/image";

/// Runs the command.
pub fn install(arguments: &Arguments) -> ExitCode {
    match try_to_install(arguments) {
        Ok(report) => match output::print(&report) {
            // It is done, and stderr has what became of the report.
            Err(_) if arguments.dry_run => CANNOT.into(),
            _ => ExitCode::SUCCESS,
        },
        Err(problem) => {
            complain(&problem);
            if let Some(signal) = problem.signal() {
                signals::end_by(signal);
            }
            problem.exit_code().into()
        }
    }
}

fn try_to_install(arguments: &Arguments) -> Result<String, InstallError> {
    // Before chroot: the command finds its own path, and so the object, through /proc, which an image may lack.
    let (found, command) = (preload_object::installed(), env::current_exe());
    image_root::enter(arguments.root.as_deref()).map_err(InstallError::Root)?;
    let is_root = rustix::process::geteuid().is_root();
    if !is_root && !arguments.dry_run {
        return Err(InstallError::NotRoot);
    }
    signals::hold().map_err(InstallError::Signals)?;
    if arguments.retry {
        return retry(arguments, found);
    }
    let loaders = Loaders::find();
    let object = object(arguments, found, &loaders)?;
    let unit = arguments.at_boot.then(|| {
        let command = command.unwrap_or_default();
        at_boot::unit(&command, &options(arguments)).map_err(InstallError::AtBoot)
    });
    let Some(unit) = unit.transpose()? else {
        return install_object(&object, &loaders, arguments);
    };
    let mut report = install_object(&object, &loaders, arguments)?;
    if !arguments.dry_run {
        report += &enable(&unit, arguments)?;
    }
    Ok(report)
}

/// The object that was asked for, or else the installed one, by a path that programs of every class can
/// use.
fn object(
    arguments: &Arguments,
    found: Result<PathBuf, ObjectError>,
    loaders: &Loaders,
) -> Result<PathBuf, InstallError> {
    match &arguments.object {
        Some(object) => Ok(object.clone()),
        None => Ok(for_every_class(found.map_err(InstallError::Find)?, loaders)),
    }
}

/// Where there are programs of 32 bits: the path by which they find an object of their own.
fn for_every_class(object: PathBuf, loaders: &Loaders) -> PathBuf {
    let needs_more = !loaders.glibc_32.is_empty();
    let named = needs_more.then(|| object_check::by_lib(&object)).flatten();
    named.unwrap_or(object)
}

/// The options that a later run needs to come to the same.
fn options(arguments: &Arguments) -> Vec<String> {
    let mut options = Vec::new();
    if let Some(object) = &arguments.object {
        options.extend(["--object".into(), object.display().to_string()]);
    }
    for (is_given, option) in [
        (arguments.accept_32_bit_errors, "--accept-32-bit-errors"),
        (arguments.accept_other_injectors, "--accept-other-injectors"),
    ] {
        options.extend(is_given.then(|| option.into()));
    }
    options
}

/// Takes the entry out, and installs it again where that can be done.
fn retry(
    arguments: &Arguments,
    found: Result<PathBuf, ObjectError>,
) -> Result<String, InstallError> {
    let entry = take_out()?;
    let loaders = Loaders::find();
    let object = match &entry {
        Some(entry) => Ok(for_every_class(entry.clone(), &loaders)),
        None => object(arguments, found, &loaders),
    };
    let installed = object.and_then(|object| install_object(&object, &loaders, arguments));
    installed.map_err(|problem| match entry {
        Some(_) => InstallError::TakenOut(problem.into()),
        None => problem,
    })
}

/// Takes every entry of the injector out of the preload file. Returns the first one.
fn take_out() -> Result<Option<PathBuf>, InstallError> {
    let file = PreloadFile::open().map_err(InstallError::PreloadFile)?;
    let mut entries = preload_file::entries(file.content()).into_iter();
    let Some(entry) = entries.find(|entry| preload_file::is_ours(entry)) else {
        return Ok(None);
    };
    let entry = PathBuf::from(OsStr::from_bytes(
        entry.strip_suffix(b"\r").unwrap_or(entry),
    ));
    let rest = preload_file::remove(file.content());
    let rest = Some(rest.as_slice()).filter(|rest| !rest.is_empty());
    file.write(rest).map_err(InstallError::PreloadFile)?;
    Ok(Some(entry))
}

/// Tries the object and adds the entry, unless a unit of systemd shall do it.
fn install_object(
    object: &Path,
    loaders: &Loaders,
    arguments: &Arguments,
) -> Result<String, InstallError> {
    let version = check(object, loaders)?;
    let mut report = String::new();
    if arguments.apparmor && !arguments.dry_run {
        report += &allow(object)?;
    }
    let file = PreloadFile::open();
    unless_interrupted(Ok(()))?;
    let file = file.map_err(InstallError::PreloadFile)?;
    let content = preload_file::add(file.content(), object.as_os_str().as_bytes());
    let content = content.map_err(|problem| InstallError::Path(object.into(), problem))?;
    let place = object.display();
    let is_there = content == file.content() && file.is_in_order();
    if is_there && !arguments.at_boot {
        report += &format!("{place} ({version}) is already in {PATH}; nothing was changed\n");
        return Ok(report);
    }
    if !arguments.accept_other_injectors {
        no_other_injector(file.content())?;
    }
    file.check_writable().map_err(InstallError::PreloadFile)?;
    let mut trial = Trial::new(object, loaders, arguments.accept_32_bit_errors);
    if arguments.root.is_none() {
        unless_interrupted(trial.check_that_programs_start())?;
    }
    unless_interrupted(trial.try_by_variable())?;
    if arguments.root.is_none() {
        let before = if is_there {
            preload_file::remove(file.content())
        } else {
            file.content().to_vec()
        };
        unless_interrupted(trial.try_by_file(&before, &content))?;
    }
    report += &trial.report();
    if arguments.dry_run {
        report += &format!("{place} ({version}) would be added to {PATH}; nothing was changed\n");
        return Ok(report);
    }
    if arguments.at_boot {
        return Ok(report);
    }
    file.write(Some(&content))
        .map_err(InstallError::PreloadFile)?;
    if let Err(problem) = unless_interrupted(trial.verify()) {
        return Err(match file.restore(Some(&content)) {
            Ok(()) => InstallError::Undone(problem.into()),
            Err(second) => InstallError::NotUndone(problem.into(), second),
        });
    }
    report += &format!("{place} ({version}) is in {PATH}: every new program loads it\n");
    if arguments.root.is_none() {
        report += RUNNING_PROCESSES;
    }
    Ok(report)
}

/// Enables the unit, and has systemd start it where it runs the machine.
fn enable(unit: &at_boot::Unit, arguments: &Arguments) -> Result<String, InstallError> {
    let name = at_boot::UNIT;
    unit.enable().map_err(InstallError::AtBoot)?;
    let mut report = format!(
        "{name} is enabled: at each boot it tries the object and adds it to {PATH}; at shutdown it \
         removes it\n"
    );
    if arguments.root.is_some() || !at_boot::is_booted() {
        return Ok(report);
    }
    if let Err(problem) = at_boot::start() {
        return Err(match at_boot::disable(true) {
            Ok(_) => InstallError::AtBoot(problem),
            Err(second) => InstallError::AtBoot(second),
        });
    }
    report += &format!("{name} has added it to {PATH}: every new program loads it\n");
    report += RUNNING_PROCESSES;
    Ok(report)
}

/// Writes the rules for AppArmor.
fn allow(object: &Path) -> Result<String, InstallError> {
    let places = object_check::places(object);
    let object = places.first().map_or(object, PathBuf::as_path);
    apparmor::allow(object).map_err(InstallError::AppArmor)?;
    let (snippet, reload) = (apparmor::SNIPPET, apparmor::RELOAD);
    Ok(format!("{snippet} allows the object: {reload}\n"))
}

/// What a trial came to, unless a signal has ended it before its time.
fn unless_interrupted(outcome: Result<(), InstallError>) -> Result<(), InstallError> {
    match signals::received() {
        Some(signal) => Err(InstallError::Interrupted(signal)),
        None => outcome,
    }
}

fn no_other_injector(file: &[u8]) -> Result<(), InstallError> {
    let mut entries = preload_file::entries(file).into_iter();
    let other = entries.find_map(|entry| Some((other_injectors::vendor(entry)?, entry)));
    other.map_or(Ok(()), |(vendor, entry)| {
        Err(InstallError::OtherInjector(vendor, entry.into()))
    })
}

/// Checks what can be told without running anything; the object's version.
fn check(object: &Path, loaders: &Loaders) -> Result<String, InstallError> {
    let bytes = object.as_os_str().as_bytes();
    preload_file::check(bytes).map_err(|problem| InstallError::Path(object.into(), problem))?;
    if loaders.glibc.is_empty() {
        return Err(if loaders.musl.is_empty() {
            InstallError::NoGlibc
        } else {
            InstallError::OnlyMusl
        });
    }
    let places = object_check::places(object);
    let first = places
        .first()
        .ok_or_else(|| InstallError::NoLib(object.into()))?;
    let failed = |place: &Path, fault| InstallError::Object(place.into(), fault);
    for place in &places {
        object_check::trust(place).map_err(|fault| failed(place, fault))?;
    }
    object_check::content(first).map_err(|fault| failed(first, fault))
}
