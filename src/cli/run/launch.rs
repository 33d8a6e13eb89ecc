//! A command that is started with the preload object.

use crate::install::object_check::{self, ObjectFault};
use crate::machine::default_agents;
use crate::machine::preload_object::{self, FILE_NAME, LD_PRELOAD, ObjectError};
use crate::output::shell_word;
use clap::builder::PossibleValuesParser;
use object::elf::ELFMAG;
use opentelemetry_injector_policy::Reason;
use opentelemetry_injector_policy::config::Engine;
use opentelemetry_injector_policy::config::overrides::{CONFIGURATION, ENGINE};
use opentelemetry_injector_policy::matching::texts;
use rustix::fs::{self, Access, AtFlags};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{self, Path, PathBuf};
use std::process::Command;
use std::{env, fmt, io};

/// What is started, and with what.
#[derive(clap::Args)]
pub struct Launch {
    /// The hook engine, instead of the one that `hook.engine` names
    #[arg(long, value_parser = PossibleValuesParser::new(texts::words(Engine::NAMES)))]
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

/// Why the command did not run.
#[derive(Debug)]
pub enum LaunchError {
    /// There is no object.
    Object(ObjectError),
    /// The object is none that can be used.
    Unusable(PathBuf, ObjectFault),
    /// The configuration cannot be used.
    Configuration(PathBuf, Box<Reason>),
    /// The command cannot be executed.
    Exec(OsString, io::Error),
}

impl Launch {
    /// The command, ready to be started.
    ///
    /// # Errors
    /// The object or the configuration cannot be used.
    pub fn prepare(&self) -> Result<Command, LaunchError> {
        let object = preload_object::find(self.object.as_deref()).map_err(LaunchError::Object)?;
        if let Err(fault) = object_check::content(&object) {
            return Err(LaunchError::Unusable(object, fault));
        }
        let users = env::var_os(LD_PRELOAD);
        let mut words = self.command.iter();
        let mut command = Command::new(words.next().map_or(OsStr::new(""), OsString::as_os_str));
        command.args(words).env(
            LD_PRELOAD,
            preload_object::preload(&object, users.as_deref()),
        );
        if let Some(path) = &self.config {
            command.env(CONFIGURATION, configuration(path)?);
        }
        if let Some(engine) = &self.engine {
            command.env(ENGINE, engine);
        }
        Ok(command)
    }
}

/// Starts a command in one of the ways of [`Command`]. A script whose first line names no interpreter goes to the shell,
/// as execvp(3) does it with glibc; neither musl's nor posix_spawnp(3) do. Then the command's program, arguments and
/// environment count, and nothing else that it may have been given.
///
/// # Errors
/// It was not started.
pub fn start<T>(
    command: &mut Command,
    way: impl Fn(&mut Command) -> io::Result<T>,
) -> Result<T, LaunchError> {
    let started = way(command).or_else(|error| {
        let script = match error.raw_os_error() {
            Some(libc::ENOEXEC) => script(command.get_program()),
            _ => None,
        };
        match script {
            Some(script) => way(&mut by_shell(&script, command)),
            None => Err(error),
        }
    });
    started.map_err(|error| LaunchError::Exec(command.get_program().into(), error))
}

/// The file that a program's name stands for, unless it is a program of another machine's. The kernel has looked at it
/// before, so it is a regular file.
fn script(program: &OsStr) -> Option<PathBuf> {
    let path = if program.as_bytes().contains(&b'/') {
        program.into()
    } else {
        let folders = env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
        let mut places = env::split_paths(&folders).map(|folder| folder.join(program));
        places.find(|path| {
            path.is_file() && fs::accessat(fs::CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
        })?
    };
    let mut start = [0; ELFMAG.len()];
    let read = File::open(&path).and_then(|mut file| file.read(&mut start));
    (read.is_ok() && start != ELFMAG).then_some(path)
}

/// Where execvp(3) looks if there is no PATH, in glibc (confstr(3), `_CS_PATH`) and in musl (src/process/execvp.c).
const DEFAULT_PATH: &str = if cfg!(target_env = "musl") {
    "/usr/local/bin:/bin:/usr/bin"
} else {
    "/bin:/usr/bin"
};

fn by_shell(script: &Path, command: &Command) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.arg(script).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// The path of a configuration that processes can use, as it holds in every working directory.
fn configuration(path: &Path) -> Result<PathBuf, LaunchError> {
    match default_agents::load(path.as_os_str().as_bytes()) {
        Ok(_) => Ok(path::absolute(path).unwrap_or_else(|_| path.into())),
        Err(reason) => Err(LaunchError::Configuration(path.into(), reason.into())),
    }
}

impl LaunchError {
    /// Those of env(1), nohup(1) and others that start a command; 2 as for wrong usage.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Object(_) | Self::Unusable(..) | Self::Configuration(..) => 2,
            Self::Exec(_, error) if error.kind() == io::ErrorKind::NotFound => 127,
            Self::Exec(..) => 126,
        }
    }
}

impl fmt::Display for LaunchError {
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

impl core::error::Error for LaunchError {}
