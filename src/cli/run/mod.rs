//! `opentelemetry-injector run`: one command with the preload object, without an installation.

use crate::complain;
use crate::install::object_check::{self, ObjectFault};
use crate::machine::configuration_files::FileSystem;
use crate::machine::preload_object::{self, FILE_NAME, LD_PRELOAD, ObjectError};
use crate::output::shell_word;
use clap::builder::PossibleValuesParser;
use opentelemetry_injector_policy::Reason;
use opentelemetry_injector_policy::config::Engine;
use opentelemetry_injector_policy::config::overrides::{CONFIGURATION, DEBUG, ENGINE};
use opentelemetry_injector_policy::config::sources;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{self, Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fmt, io};

/// Run a command with the injector, without installing it.
///
/// The preload object is loaded into the command and into every program that it starts.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// Write the decisions and every call of a hooked function to stderr (or to `log.file`)
    #[arg(long)]
    trace: bool,
    /// Write the decisions to stderr (or to `log.file`)
    #[arg(long)]
    debug: bool,
    /// The hook engine, instead of the one that `hook.engine` names
    #[arg(long, value_parser = PossibleValuesParser::new(Engine::NAMES))]
    engine: Option<String>,
    /// Use this configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The preload object [default: the one installed with this command]
    #[arg(long, value_name = "PATH")]
    object: Option<PathBuf>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true)]
    command: Vec<OsString>,
}

const AFTER_HELP: &str = "\
Exit status:
  that of the command, or
  2    the command was not started: the object or the file that --config names is unusable
  126  the command cannot be executed
  127  the command was not found

If nothing is injected, --debug says why.

Examples:
  opentelemetry-injector run -- java -jar shop.jar
  opentelemetry-injector run --debug --config ./configuration.toml -- java -jar shop.jar
  opentelemetry-injector run --trace --engine direct -- ./start-shop.sh";

/// Why the command did not run.
#[derive(Debug)]
enum RunError {
    Object(ObjectError),
    Unusable(PathBuf, ObjectFault),
    Configuration(PathBuf, Box<Reason>),
    Exec(OsString, io::Error),
}

/// Runs the command: returns only where it cannot be started.
///
/// The command finds SIGPIPE at its default even where the caller ignores it: Rust's runtime takes
/// it over before `main`, and to hand it on as it was needs unsafe code.
pub fn run(arguments: &Arguments) -> ExitCode {
    let problem = match prepare(arguments) {
        Ok(mut command) => {
            let error = command.exec();
            RunError::Exec(command.get_program().into(), error)
        }
        Err(problem) => problem,
    };
    complain(&problem);
    problem.exit_code().into()
}

fn prepare(arguments: &Arguments) -> Result<Command, RunError> {
    let object = preload_object::find(arguments.object.as_deref()).map_err(RunError::Object)?;
    if let Err(fault) = object_check::content(&object) {
        return Err(RunError::Unusable(object, fault));
    }
    let users = env::var_os(LD_PRELOAD);
    let mut words = arguments.command.iter();
    let mut command = Command::new(words.next().map_or(OsStr::new(""), OsString::as_os_str));
    command.args(words).env(
        LD_PRELOAD,
        preload_object::preload(&object, users.as_deref()),
    );
    if let Some(path) = &arguments.config {
        command.env(CONFIGURATION, configuration(path)?);
    }
    match (arguments.trace, arguments.debug) {
        (true, _) => command.env(DEBUG, "trace"),
        (false, true) => command.env(DEBUG, "true"),
        (false, false) => &mut command,
    };
    if let Some(engine) = &arguments.engine {
        command.env(ENGINE, engine);
    }
    Ok(command)
}

/// The path of a configuration that processes can use, as it holds in every working directory.
fn configuration(path: &Path) -> Result<PathBuf, RunError> {
    match sources::load(&FileSystem, path.as_os_str().as_bytes()) {
        Ok(_) => Ok(path::absolute(path).unwrap_or_else(|_| path.into())),
        Err(reason) => Err(RunError::Configuration(path.into(), reason.into())),
    }
}

impl RunError {
    /// Those of env(1), nohup(1) and others that start a command; 2 as for wrong usage.
    fn exit_code(&self) -> u8 {
        match self {
            Self::Object(_) | Self::Unusable(..) | Self::Configuration(..) => 2,
            Self::Exec(_, error) if error.kind() == io::ErrorKind::NotFound => 127,
            Self::Exec(..) => 126,
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(problem) => problem.fmt(f),
            Self::Unusable(object, fault) => {
                let object = object.display();
                write!(f, "{object}: {fault}; name {FILE_NAME} with --object")
            }
            Self::Configuration(path, reason) => {
                let path = shell_word::quoted(&path.to_string_lossy());
                write!(f, "{reason}; see `opentelemetry-injector check {path}`")
            }
            Self::Exec(program, error) if error.kind() == io::ErrorKind::NotFound => {
                let program = program.display();
                write!(
                    f,
                    "{program}: command not found; give its path, or extend PATH"
                )
            }
            Self::Exec(program, error) => {
                write!(f, "{}: cannot be executed: {error}", program.display())
            }
        }
    }
}

impl core::error::Error for RunError {}
