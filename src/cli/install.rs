//! `opentelemetry-injector install`: the object into `/etc/ld.so.preload`, after it has been tried.

use crate::ld_so_preload::{PreloadFile, PreloadFileProblem};
use crate::loaders::Loaders;
use crate::object_check::{self, ObjectFault};
use crate::preload_object::{self, ObjectProblem};
use crate::root::{self, RootProblem};
use crate::trial_programs::{self, Kind, Program};
use crate::trials::{self, Circumstances, Difference, Outcome};
use crate::{complain, output, private_etc};
use opentelemetry_injector_policy::formats::preload_file::{self, PATH};
use opentelemetry_injector_policy::reason::Lossy;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Let every program that starts from now on load the preload object.
///
/// Checks the object, tries it on a number of programs, adds it to /etc/ld.so.preload and looks
/// whether new programs start as before. Where anything is wrong, the file stays as it is.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The preload object, as an absolute path inside of DIR; `$LIB` in it stands for the folder of
    /// libraries [default: the one that is installed with this command]
    #[arg(long, value_name = "PATH")]
    object: Option<PathBuf>,
    /// Check and try everything, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The root folder of an image, instead of this machine's
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Install although programs of 32 bits will complain that they cannot load the object
    #[arg(long)]
    accept_32_bit_errors: bool,
}

const AFTER_HELP: &str = "\
Exit status:
  0  every new program loads the object (with --dry-run: it would)
  1  it was not installed; nothing has changed
  2  wrong usage, or not root

Programs of 32 bits: their loader would complain, in every one of them, that the object is of the
wrong class. Where such programs are, the object is not installed, unless its path has `$LIB`, which
each loader replaces by its own folder (lib/x86_64-linux-gnu, lib64, lib32, lib…), and an object of
32 bits lies there under the same name. An empty one will do:
  echo | gcc -m32 -shared -nostdlib -x c - -o /opt/opentelemetry/lib32/libopentelemetry_injector.so

Examples:
  opentelemetry-injector install --dry-run
  opentelemetry-injector install
  opentelemetry-injector install --object /opt/opentelemetry/libopentelemetry_injector.so
  opentelemetry-injector install --root /mnt/image";

const NOT_INSTALLED: u8 = 1;
const CANNOT: u8 = 2;

/// Why the object is not installed.
enum Problem {
    Root(RootProblem),
    NotRoot,
    Find(ObjectProblem),
    Path(PathBuf, preload_file::Problem),
    NoLib(PathBuf),
    Object(PathBuf, ObjectFault),
    OnlyMusl,
    NoGlibc,
    Of32Bits(PathBuf),
    Trial(String, Difference),
    NotLoaded,
    PreloadFile(PreloadFileProblem),
    /// The former content is back.
    Undone(Box<Problem>),
    /// It could not be brought back.
    NotUndone(Box<Problem>, PreloadFileProblem),
}

/// Runs the command.
pub fn install(arguments: &Arguments) -> ExitCode {
    match try_to_install(arguments) {
        Ok(report) => match output::print(&report) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => CANNOT.into(),
        },
        Err(problem) => {
            complain(&problem);
            problem.exit_code().into()
        }
    }
}

fn try_to_install(arguments: &Arguments) -> Result<String, Problem> {
    // Where this command is is told by /proc, which an image may lack.
    let found = preload_object::installed();
    root::enter(arguments.root.as_deref()).map_err(Problem::Root)?;
    let is_root = rustix::process::geteuid().is_root();
    if !is_root && !arguments.dry_run {
        return Err(Problem::NotRoot);
    }
    let object = match &arguments.object {
        Some(object) => object.clone(),
        None => found.map_err(Problem::Find)?,
    };
    let loaders = Loaders::find();
    let version = check(&object, &loaders)?;
    let file = PreloadFile::open().map_err(Problem::PreloadFile)?;
    let content = preload_file::add(file.content(), object.as_os_str().as_bytes());
    let content = content.map_err(|problem| Problem::Path(object.clone(), problem))?;
    let place = object.display();
    if content == file.content() && file.is_in_order() {
        return Ok(format!(
            "{place} ({version}) is already in {PATH}; nothing was changed\n"
        ));
    }
    file.check_writable().map_err(Problem::PreloadFile)?;
    let mut trial = Trial::new(&object, &loaders, arguments);
    trial.try_by_variable()?;
    if arguments.root.is_none() {
        trial.try_by_file(file.content(), &content)?;
    }
    let mut report = trial.report();
    if arguments.dry_run {
        report += &format!("{place} ({version}) would be added to {PATH}; nothing was changed\n");
        return Ok(report);
    }
    file.write(Some(&content)).map_err(Problem::PreloadFile)?;
    if let Err(problem) = trial.verify() {
        return Err(match file.restore(Some(&content)) {
            Ok(()) => Problem::Undone(problem.into()),
            Err(second) => Problem::NotUndone(problem.into(), second),
        });
    }
    report += &format!("{place} ({version}) is in {PATH}: every new program loads it\n");
    report += root::RUNNING_PROCESSES;
    Ok(report)
}

/// Checks what can be told without running anything; the object's version.
fn check(object: &Path, loaders: &Loaders) -> Result<String, Problem> {
    let bytes = object.as_os_str().as_bytes();
    preload_file::check(bytes).map_err(|problem| Problem::Path(object.into(), problem))?;
    if loaders.glibc.is_empty() {
        return Err(match loaders.musl.is_empty() {
            true => Problem::NoGlibc,
            false => Problem::OnlyMusl,
        });
    }
    let places = object_check::places(object);
    let first = places
        .first()
        .ok_or_else(|| Problem::NoLib(object.into()))?;
    let failed = |place: &Path, fault| Problem::Object(place.into(), fault);
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
    fn try_by_variable(&mut self) -> Result<(), Problem> {
        let circumstances = Circumstances::with_object(self.object);
        let mut unsteady = Vec::new();
        for (program, before) in &self.programs {
            // Set-id programs take no object with a `/` from there (ld.so(8)).
            if program.kind == Kind::SetId {
                continue;
            }
            let now = trials::run(program, &circumstances);
            if let Err(problem) = self.judge(program, before, &now) {
                // It may be a program that never does the same twice.
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
            .map(|label| format!("{label}: never does the same twice"));
        self.skipped.extend(words);
        Ok(())
    }

    /// By a preload file that only the programs that are started here see.
    fn try_by_file(&mut self, before: &[u8], after: &[u8]) -> Result<(), Problem> {
        let tried = private_etc::with(|| -> io::Result<Result<(), Problem>> {
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
                let why = "no mount namespace to try the preload file in";
                self.skipped.push(format!("{why}: {error}"));
                Ok(())
            }
        }
    }

    /// With the preload file in place: new programs do what they did before, and load the object.
    fn verify(&self) -> Result<(), Problem> {
        for (program, before) in &self.programs {
            // Those of the runtimes, which take long, have been tried.
            if !matches!(program.kind, Kind::Runtime(_)) {
                let now = trials::run(program, &Circumstances::default());
                self.judge(program, before, &now)?;
            }
        }
        self.is_loaded()
    }

    fn judge(&self, program: &Program, before: &Outcome, now: &Outcome) -> Result<(), Problem> {
        match trials::compare(before, now) {
            None => Ok(()),
            Some(_) if program.kind == Kind::Of32Bits && self.accept_32_bit_errors => Ok(()),
            Some(_) if program.kind == Kind::Of32Bits => {
                Err(Problem::Of32Bits(program.path.clone()))
            }
            Some(difference) => Err(Problem::Trial(program.label.clone(), difference)),
        }
    }

    /// Whether the preload file brings the object into programs: into one of root's at least, and
    /// into the same one of another user.
    fn is_loaded(&self) -> Result<(), Problem> {
        let is_loaded = |program: &&Program| trials::is_loaded(program, Circumstances::default());
        let of = |kind| {
            let programs = self.programs.iter().map(|(program, _)| program);
            programs.filter(move |program| program.kind == kind)
        };
        let Some(root) = of(Kind::Ordinary).find(is_loaded) else {
            return match self.programs.is_empty() {
                true => Ok(()),
                false => Err(Problem::NotLoaded),
            };
        };
        let users = of(Kind::OfUser).filter(|users| users.path == root.path);
        match users.into_iter().all(|users| is_loaded(&users)) {
            true => Ok(()),
            false => Err(Problem::NotLoaded),
        }
    }

    fn report(&self) -> String {
        let labels = self
            .programs
            .iter()
            .map(|(program, _)| program.label.as_str());
        let labels: Vec<_> = labels.collect();
        let mut report = match labels.is_empty() {
            true => String::from("no program could be tried\n"),
            false => format!("as before with the object: {}\n", labels.join(", ")),
        };
        for skipped in &self.skipped {
            report += &format!("skipped: {skipped}\n");
        }
        report
    }
}

impl Problem {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Root(_) | Self::NotRoot | Self::Find(_) => CANNOT,
            _ => NOT_INSTALLED,
        }
    }
}

impl fmt::Display for Problem {
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
            Self::NoGlibc => write!(f, "no loader here reads {PATH} (glibc's does)"),
            Self::Of32Bits(loader) => write!(
                f,
                "programs of 32 bits may be here ({}), and each would complain of an object that \
                 it cannot load: remove that loader, name the object with $LIB, or give \
                 --accept-32-bit-errors (--help tells more)",
                loader.display()
            ),
            Self::Trial(program, difference) => {
                write!(
                    f,
                    "with the object {program} does not run as before: {difference}"
                )
            }
            Self::NotLoaded => f.write_str("new programs do not load the object, or tell nothing"),
            Self::PreloadFile(problem) => problem.fmt(f),
            Self::Undone(problem) => write!(f, "{problem}; {PATH} is as it was before"),
            Self::NotUndone(problem, second) => {
                write!(f, "{problem}; and it could not be taken back: {second}")
            }
        }
    }
}
