//! `opentelemetry-injector install`: tries the preload object, then adds a line with its path to
//! `/etc/ld.so.preload`.
//!
//! `try_to_install` is the sequence. `preload_file::add` (in the policy) makes the new content, `ld_so_preload`
//! writes it atomically under `lock`, `trials` and `trial_programs` try programs, `private_etc` gives them a
//! preload file that nobody else sees, `object_check` and `trust` refuse unsuitable objects, and `signals` delays
//! signals until the file is verified or restored.

pub mod image_root;
pub mod ld_so_preload;
mod lock;
pub mod object_check;
pub mod private_etc;
pub mod signals;
pub mod trial_programs;
pub mod trials;
pub mod trust;
pub mod uninstall;

use crate::install::image_root::RootError;
use crate::install::ld_so_preload::{PreloadFile, PreloadFileError};
use crate::install::object_check::ObjectFault;
use crate::install::trial_programs::{Kind, Program};
use crate::install::trials::{Circumstances, Difference, Outcome};
use crate::machine::loaders::Loaders;
use crate::machine::preload_object::{self, ObjectError};
use crate::{complain, output};
use opentelemetry_injector_policy::formats::preload_file::{self, PATH};
use opentelemetry_injector_policy::matching::other_injectors;
use opentelemetry_injector_policy::reason::Lossy;
use std::fmt;
use std::io;
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
}

const AFTER_HELP: &str = "\
Exit status:
  0  every new program loads the object (with --dry-run: it would)
  1  it was not installed; nothing has changed
  2  wrong usage, or not root, or a dry run's report could not be written; nothing has changed
  3  the object does not work, and the preload file could not be restored: the message says why
After a signal (SIGINT, SIGTERM, SIGHUP, SIGQUIT), it restores the preload file before it ends.

--root runs the image's programs as root, with everything that root may do on this machine: use it on
images that you trust.

32-bit programs: their loader would print in each of them that the object has the wrong ELF class. If a
32-bit loader is installed, `install` refuses to add the object. To install it all the same, use a path
with `$LIB`, which each loader replaces by its own folder (lib/x86_64-linux-gnu, lib64, lib32, lib…), and
put a 32-bit object of the same name into the 32-bit folder. An empty one is enough:
  echo | gcc -m32 -shared -nostdlib -x c - -o /opt/opentelemetry/lib32/libopentelemetry_injector.so

Examples:
  opentelemetry-injector install --dry-run
  opentelemetry-injector install
  opentelemetry-injector install --object /opt/opentelemetry/libopentelemetry_injector.so
  opentelemetry-injector install --root /mnt/image";

const NOT_INSTALLED: u8 = 1;
const CANNOT: u8 = 2;
const HALF_DONE: u8 = 3;

/// Why the object is not installed.
#[derive(Debug)]
enum InstallError {
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
    PreloadFile(PreloadFileError),
    /// A signal came, and nothing has changed.
    Interrupted(i32),
    /// No signal can be held back.
    Signals(io::Error),
    /// The former content is back.
    Undone(Box<InstallError>),
    /// It could not be brought back.
    NotUndone(Box<InstallError>, PreloadFileError),
}

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
    let found = preload_object::installed();
    image_root::enter(arguments.root.as_deref()).map_err(InstallError::Root)?;
    let is_root = rustix::process::geteuid().is_root();
    if !is_root && !arguments.dry_run {
        return Err(InstallError::NotRoot);
    }
    let object = match &arguments.object {
        Some(object) => object.clone(),
        None => found.map_err(InstallError::Find)?,
    };
    signals::hold().map_err(InstallError::Signals)?;
    let loaders = Loaders::find();
    let version = check(&object, &loaders)?;
    let file = PreloadFile::open();
    unless_interrupted(Ok(()))?;
    let file = file.map_err(InstallError::PreloadFile)?;
    let content = preload_file::add(file.content(), object.as_os_str().as_bytes());
    let content = content.map_err(|problem| InstallError::Path(object.clone(), problem))?;
    let place = object.display();
    if content == file.content() && file.is_in_order() {
        return Ok(format!(
            "{place} ({version}) is already in {PATH}; nothing was changed\n"
        ));
    }
    if !arguments.accept_other_injectors {
        no_other_injector(file.content())?;
    }
    file.check_writable().map_err(InstallError::PreloadFile)?;
    let mut trial = Trial::new(&object, &loaders, arguments);
    unless_interrupted(trial.try_by_variable())?;
    if arguments.root.is_none() {
        unless_interrupted(trial.try_by_file(file.content(), &content))?;
    }
    let mut report = trial.report();
    if arguments.dry_run {
        report += &format!("{place} ({version}) would be added to {PATH}; nothing was changed\n");
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
    report += image_root::RUNNING_PROCESSES;
    Ok(report)
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

/// The programs that are tried, and what they do without the object.
struct Trial<'t> {
    object: &'t Path,
    programs: Vec<(Program, Outcome)>,
    skipped: Vec<String>,
    accept_32_bit_errors: bool,
}

impl<'t> Trial<'t> {
    fn new(object: &'t Path, loaders: &Loaders, arguments: &Arguments) -> Self {
        let mut skipped = Vec::new();
        let mut programs: Vec<_> = trial_programs::all(loaders)
            .into_iter()
            .map(|program| {
                let outcome = trials::run(&program, &Circumstances::default());
                (program, outcome)
            })
            .collect();
        // An image for another machine; a kernel without programs of 32 bits.
        programs.retain(|(program, outcome)| {
            if let Outcome::NotStarted(_) = outcome {
                skipped.push(format!("{}: {outcome}", program.label));
            }
            !matches!(outcome, Outcome::NotStarted(_))
        });
        Self {
            object,
            programs,
            skipped,
            accept_32_bit_errors: arguments.accept_32_bit_errors,
        }
    }

    /// By LD_PRELOAD, which reaches the programs that are started here and no others.
    fn try_by_variable(&mut self) -> Result<(), InstallError> {
        let circumstances = Circumstances::with_object(self.object);
        let mut unsteady = Vec::new();
        for (program, before) in &self.programs {
            // Set-id programs take no object with a `/` from there (ld.so(8)).
            if program.kind == Kind::SetId {
                continue;
            }
            let now = trials::run(program, &circumstances);
            if let Err(problem) = self.judge(program, before, &now) {
                // It may be a program that gives different results in two runs without the object.
                let again = trials::run(program, &Circumstances::default());
                match trials::compare(before, &again) {
                    Some(_) => unsteady.push(program.label.clone()),
                    None => return Err(problem),
                }
            }
        }
        self.programs
            .retain(|(program, _)| !unsteady.contains(&program.label));
        let words = unsteady
            .iter()
            .map(|label| format!("{label}: its results differ without the object, too"));
        self.skipped.extend(words);
        Ok(())
    }

    /// By a preload file that only the programs that are started here see.
    fn try_by_file(&mut self, before: &[u8], after: &[u8]) -> Result<(), InstallError> {
        let tried = private_etc::with(|| -> io::Result<Result<(), InstallError>> {
            private_etc::write_preload_file(before)?;
            let run = |program| trials::run(program, &Circumstances::default());
            let programs = self.programs.iter().map(|(program, _)| program);
            let befores: Vec<_> = programs.map(run).collect();
            private_etc::write_preload_file(after)?;
            let programs = self.programs.iter().zip(befores);
            for ((program, _), before) in programs {
                if let Err(problem) = self.judge(program, &before, &run(program)) {
                    return Ok(Err(problem));
                }
            }
            Ok(self.is_loaded())
        });
        match tried.flatten() {
            Ok(result) => result,
            Err(error) => {
                let why = "there is no mount namespace for the trial of the preload file";
                self.skipped.push(format!("{why}: {error}"));
                Ok(())
            }
        }
    }

    /// With the preload file in place: new programs do what they did before, and load the object.
    fn verify(&self) -> Result<(), InstallError> {
        for (program, before) in &self.programs {
            // Those of the runtimes, which take long, have been tried.
            if !matches!(program.kind, Kind::Runtime(_)) {
                let now = trials::run(program, &Circumstances::default());
                self.judge(program, before, &now)?;
            }
        }
        self.is_loaded()
    }

    fn judge(
        &self,
        program: &Program,
        before: &Outcome,
        now: &Outcome,
    ) -> Result<(), InstallError> {
        match trials::compare(before, now) {
            None => Ok(()),
            Some(_) if program.kind == Kind::Of32Bits && self.accept_32_bit_errors => Ok(()),
            Some(_) if program.kind == Kind::Of32Bits => {
                Err(InstallError::Of32Bits(program.path.clone()))
            }
            Some(difference) => Err(InstallError::Trial(program.label.clone(), difference)),
        }
    }

    /// Whether the preload file brings the object into programs: into one of root's at least, and
    /// into the same one of another user.
    fn is_loaded(&self) -> Result<(), InstallError> {
        let is_loaded = |program: &&Program| trials::is_loaded(program, Circumstances::default());
        let of = |kind| {
            let programs = self.programs.iter().map(|(program, _)| program);
            programs.filter(move |program| program.kind == kind)
        };
        let Some(root) = of(Kind::Ordinary).find(is_loaded) else {
            return if self.programs.is_empty() {
                Ok(())
            } else {
                Err(InstallError::NotLoaded)
            };
        };
        let users = of(Kind::OfUser).filter(|users| users.path == root.path);
        if users.into_iter().all(|users| is_loaded(&users)) {
            Ok(())
        } else {
            Err(InstallError::NotLoaded)
        }
    }

    fn report(&self) -> String {
        let labels = self
            .programs
            .iter()
            .map(|(program, _)| program.label.as_str());
        let labels: Vec<_> = labels.collect();
        let mut report = if labels.is_empty() {
            String::from("no program could be tried\n")
        } else {
            format!("as before with the object: {}\n", labels.join(", "))
        };
        for skipped in &self.skipped {
            report += &format!("skipped: {skipped}\n");
        }
        report
    }
}

impl InstallError {
    /// The signal that ended the run.
    fn signal(&self) -> Option<i32> {
        match self {
            Self::Interrupted(signal) => Some(*signal),
            Self::Undone(problem) => problem.signal(),
            _ => None,
        }
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Root(_) | Self::NotRoot | Self::Find(_) => CANNOT,
            Self::NotUndone(..) => HALF_DONE,
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
            Self::NotLoaded => f.write_str("new programs do not load the object, or print nothing"),
            Self::PreloadFile(problem) => problem.fmt(f),
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
