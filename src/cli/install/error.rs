//! Why `install` has not installed the object, and the exit code that tells it.

use crate::install::apparmor::AppArmorError;
use crate::install::at_boot::AtBootError;
use crate::install::image_root::RootError;
use crate::install::ld_so_preload::PreloadFileError;
use crate::install::object_check::ObjectFault;
use crate::install::signals;
use crate::install::trials::Difference;
use crate::machine::preload_object::ObjectError;
use opentelemetry_injector_policy::formats::preload_file::{self, PATH};
use opentelemetry_injector_policy::reason::Lossy;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Nothing has changed.
const NOT_INSTALLED: u8 = 1;
/// It cannot be done here, or was not asked for in the right way.
pub const CANNOT: u8 = 2;
/// The preload file could not be restored.
const HALF_DONE: u8 = 3;

/// Why the object is not installed.
#[derive(Debug)]
pub enum InstallError {
    Root(RootError),
    NotRoot,
    Find(ObjectError),
    Path(PathBuf, preload_file::PreloadEntryError),
    NoLib(PathBuf),
    Object(PathBuf, ObjectFault),
    OnlyMusl,
    NoGlibc,
    Of32Bits(PathBuf),
    OtherInjector(&'static str, Vec<u8>),
    Trial(String, Difference),
    NotLoaded,
    /// No program could be started without the object either.
    NothingTried(String),
    PreloadFile(PreloadFileError),
    AtBoot(AtBootError),
    AppArmor(AppArmorError),
    /// The entry that was there is gone.
    TakenOut(Box<InstallError>),
    /// A signal came, and nothing has changed.
    Interrupted(i32),
    /// No signal can be held back.
    Signals(io::Error),
    /// The former content is back.
    Undone(Box<InstallError>),
    /// It could not be brought back.
    NotUndone(Box<InstallError>, PreloadFileError),
}

impl InstallError {
    /// The signal that ended the run.
    pub fn signal(&self) -> Option<i32> {
        match self {
            Self::Interrupted(signal) => Some(*signal),
            Self::Undone(problem) | Self::TakenOut(problem) => problem.signal(),
            _ => None,
        }
    }

    /// The exit code that tells what has changed.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Root(_) | Self::NotRoot | Self::Find(_) => CANNOT,
            Self::NotUndone(..) => HALF_DONE,
            Self::TakenOut(problem) => problem.exit_code(),
            _ => NOT_INSTALLED,
        }
    }
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(problem) => problem.fmt(f),
            Self::NotRoot => write!(f, "only root may write {PATH}; --dry-run needs no root"),
            Self::Find(problem) => problem.fmt(f),
            Self::Path(object, problem) => {
                write!(f, "{}: {problem}", Lossy(object.as_os_str().as_bytes()))
            }
            Self::NoLib(object) => {
                write!(
                    f,
                    "{}: no such file in any folder that $LIB stands for",
                    object.display()
                )
            }
            Self::Object(_, ObjectFault::Distrusted(distrust)) => distrust.fmt(f),
            Self::Object(object, fault) => write!(f, "{}: {fault}", object.display()),
            Self::OnlyMusl => write!(
                f,
                "the libc here is musl, whose loader reads no {PATH}: set LD_PRELOAD for the \
                 services instead"
            ),
            Self::NoGlibc => write!(
                f,
                "no glibc is installed here, and only its loader reads {PATH}"
            ),
            Self::Of32Bits(loader) => write!(
                f,
                "there is a loader for 32-bit programs ({}), and each such program would print an error, \
                 because it cannot load the object: remove that loader, name the object with $LIB, or use \
                 --accept-32-bit-errors (see --help)",
                loader.display()
            ),
            Self::OtherInjector(vendor, entry) => write!(
                f,
                "{PATH} has the injector of {vendor} ({}): remove it, or give \
                 --accept-other-injectors (--help tells more)",
                Lossy(entry)
            ),
            Self::Trial(program, difference) => {
                write!(
                    f,
                    "{program} does not run as before if it loads the object: {difference}"
                )
            }
            Self::NothingTried(what) => {
                write!(f, "no program can be started for the trial: {what}")
            }
            Self::NotLoaded => f.write_str("new programs do not load the object, or print nothing"),
            Self::PreloadFile(problem) => problem.fmt(f),
            Self::AtBoot(problem) => problem.fmt(f),
            Self::AppArmor(problem) => problem.fmt(f),
            Self::TakenOut(problem) => write!(f, "{problem}; the entry was removed from {PATH}"),
            Self::Interrupted(signal) => write!(f, "ended by {}", signals::name(*signal)),
            Self::Signals(error) => write!(f, "signals cannot be blocked: {error}"),
            Self::Undone(problem) => write!(f, "{problem}; {PATH} was restored"),
            Self::NotUndone(problem, second) => {
                write!(f, "{problem}; {PATH} could not be restored: {second}")
            }
        }
    }
}

impl core::error::Error for InstallError {}
