//! What a command comes to: the program that runs in the end, by way of `PATH`, `#!` lines, env(1)
//! and other programs that start a command in their own place.

use crate::explain::{erlang_scripts, wrappers};
use opentelemetry_injector_policy::process::file_name;
use opentelemetry_injector_policy::settings::added::split;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// How many programs may stand for one another; the kernel takes five interpreters
/// (`bprm_execve`'s loop in fs/exec.c), and env(1) starts anew.
const MOST_HOPS: usize = 10;

/// How much of a script's first line the kernel reads (BINPRM_BUF_SIZE).
const LONGEST_LINE: u64 = 256;

/// The shell that execvp(3) gives a file to that is neither a program nor has a `#!` line.
const SHELL: &[u8] = b"/bin/sh";

/// The program that runs in the end.
#[derive(Debug, Default)]
pub struct ResolvedCommand {
    /// What the kernel tells the program that it was started by (AT_EXECFN): of a script, the
    /// script.
    pub started_as: Vec<u8>,
    /// The program's file.
    pub program: PathBuf,
    /// Its arguments, its own name first.
    pub arguments: Vec<Vec<u8>>,
    /// Its environment, `NAME=value` each.
    pub environment: Vec<Vec<u8>>,
    /// What was gone through.
    pub way: Way,
}

/// What a command goes through to the program that runs in the end.
#[derive(Debug, Default)]
pub struct Way {
    /// Scripts.
    pub scripts: Vec<Vec<u8>>,
    /// Programs that start another one in their own place, `env` left out.
    pub wrappers: Vec<Vec<u8>>,
}

/// Why nothing would run.
#[derive(Debug, PartialEq, Eq)]
pub enum CommandError {
    /// There is no such program, in no folder of `PATH`.
    NotFound(Vec<u8>),
    /// It is a folder.
    Folder(Vec<u8>),
    /// Its mode lets nobody execute it.
    ForNobody(Vec<u8>),
    /// It may not be executed by this user.
    NotExecutable(Vec<u8>),
    /// The first line of a script names this interpreter, which is not there.
    NoInterpreter {
        /// The script.
        script: Vec<u8>,
        /// Empty where the line names none.
        interpreter: Vec<u8>,
    },
    /// Scripts whose interpreters are scripts, or env(1) that starts itself.
    TooManyHops(Vec<u8>),
    /// An option of a program that starts another one, which is not understood here.
    WrapperOption {
        /// The program's name.
        wrapper: &'static str,
        /// The option.
        option: Vec<u8>,
    },
}

/// Follows a command, as it would be started with an environment.
///
/// # Errors
/// Why nothing would run.
pub fn follow(
    command: Vec<Vec<u8>>,
    environment: Vec<Vec<u8>>,
) -> Result<ResolvedCommand, CommandError> {
    let name = command.first().cloned().unwrap_or_default();
    let program = look_up(&name, &environment)?;
    let mut invocation = ResolvedCommand {
        started_as: program.as_os_str().as_bytes().to_vec(),
        program,
        arguments: command,
        environment,
        way: Way::default(),
    };
    for _ in 0..MOST_HOPS {
        if !invocation.hop()? {
            return Ok(invocation);
        }
    }
    Err(CommandError::TooManyHops(name))
}

impl ResolvedCommand {
    /// Goes on to what the program stands for; false where it stands for itself.
    fn hop(&mut self) -> Result<bool, CommandError> {
        let path = self.program.as_os_str().as_bytes().to_vec();
        if let Some(command) = erlang_scripts::become_command(&self.program, &self.arguments) {
            self.way.scripts.push(path);
            return self.start(command).map(|()| true);
        }
        match start_of(&self.program).map_err(|()| CommandError::NotExecutable(path.clone()))? {
            start if start.starts_with(b"\x7fELF") => {
                if file_name(&path) == b"env" {
                    return self.run_env();
                }
                let wrapped =
                    wrappers::unwrap(file_name(&path), &self.arguments, &self.environment)?;
                wrapped.map_or(Ok(false), |wrapped| {
                    self.way.wrappers.push(path.clone());
                    self.environment = wrapped.environment;
                    self.start(wrapped.command).map(|()| true)
                })
            }
            start if start.starts_with(b"#!") => {
                self.interpret(path.clone(), words(&start[2..]));
                match executable(&self.program) {
                    Err(CommandError::NotFound(interpreter)) => {
                        let script = path;
                        Err(CommandError::NoInterpreter {
                            script,
                            interpreter,
                        })
                    }
                    outcome => outcome.map(|()| true),
                }
            }
            _ => {
                self.interpret(path, vec![SHELL.to_vec()]);
                self.started_as = SHELL.to_vec();
                Ok(true)
            }
        }
    }

    /// Puts an interpreter, with what its `#!` line adds, in front of a script.
    fn interpret(&mut self, script: Vec<u8>, mut line: Vec<Vec<u8>>) {
        let interpreter = line.first().cloned().unwrap_or_default();
        self.program = OsString::from_vec(interpreter).into();
        line.push(script.clone());
        line.extend(self.arguments.drain(1.min(self.arguments.len())..));
        self.arguments = line;
        self.way.scripts.push(script);
    }

    /// env(1): what it does to the environment, and the command that it runs; false where it runs
    /// none.
    fn run_env(&mut self) -> Result<bool, CommandError> {
        let mut rest: Vec<Vec<u8>> = self.arguments.get(1..).unwrap_or_default().to_vec();
        while let Some(argument) = rest.first().cloned() {
            rest.remove(0);
            match argument.as_slice() {
                b"-i" | b"-" | b"--ignore-environment" => self.environment.clear(),
                b"-u" | b"--unset" if !rest.is_empty() => {
                    let name = rest.remove(0);
                    self.unset(&name);
                }
                b"-S" | b"--split-string" if !rest.is_empty() => {
                    let split = blank_separated(&rest.remove(0));
                    rest.splice(0..0, split);
                }
                [b'-', b'S', line @ ..] => {
                    rest.splice(0..0, blank_separated(line));
                }
                b"--" => {}
                option if option.starts_with(b"-") => {
                    return Err(CommandError::WrapperOption {
                        wrapper: "env",
                        option: argument,
                    });
                }
                entry if split(entry).is_some() => {
                    if let Some((name, _)) = split(entry) {
                        self.unset(name);
                    }
                    self.environment.push(argument);
                }
                _ => {
                    rest.insert(0, argument);
                    return self.start(rest).map(|()| true);
                }
            }
        }
        Ok(false)
    }

    /// Goes on to another command.
    fn start(&mut self, command: Vec<Vec<u8>>) -> Result<(), CommandError> {
        let name = command.first().map_or(b"".as_slice(), Vec::as_slice);
        self.program = look_up(name, &self.environment)?;
        self.started_as = self.program.as_os_str().as_bytes().to_vec();
        self.arguments = command;
        Ok(())
    }

    fn unset(&mut self, name: &[u8]) {
        let is_it = |entry: &Vec<u8>| split(entry).is_some_and(|(other, _)| other == name);
        self.environment.retain(|entry| !is_it(entry));
    }
}

/// The file that execvp(3) would take.
fn look_up(name: &[u8], environment: &[Vec<u8>]) -> Result<PathBuf, CommandError> {
    let file = Path::new(OsStr::from_bytes(name));
    if name.contains(&b'/') {
        return executable(file).map(|()| file.into());
    }
    let path = environment
        .iter()
        .find_map(|entry| entry.strip_prefix(b"PATH="));
    // What execvp(3) searches where there is no PATH.
    let path = path.unwrap_or(b"/bin:/usr/bin");
    let mut outcome = Err(CommandError::NotFound(name.into()));
    for folder in path.split(|byte| *byte == b':') {
        let folder: &[u8] = if folder.is_empty() { b"." } else { folder };
        let file = Path::new(OsStr::from_bytes(folder)).join(file);
        match executable(&file) {
            Ok(()) => return Ok(file),
            Err(CommandError::NotFound(_)) => {}
            Err(problem) => outcome = Err(problem),
        }
    }
    outcome
}

fn executable(path: &Path) -> Result<(), CommandError> {
    let bytes = || path.as_os_str().as_bytes().to_vec();
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => CommandError::NotExecutable(bytes()),
        _ => CommandError::NotFound(bytes()),
    })?;
    if metadata.is_dir() {
        return Err(CommandError::Folder(bytes()));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(CommandError::ForNobody(bytes()));
    }
    let is_executable =
        metadata.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
    if is_executable {
        Ok(())
    } else {
        Err(CommandError::NotExecutable(bytes()))
    }
}

/// The first line of a script, or the first bytes of a program.
fn start_of(path: &Path) -> Result<Vec<u8>, ()> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(|_| ())?;
    file.take(LONGEST_LINE)
        .read_to_end(&mut start)
        .map_err(|_| ())?;
    let line = start.split(|byte| *byte == b'\n').next();
    Ok(line.unwrap_or_default().to_vec())
}

/// The interpreter and, as one word, what follows it (execve(2), "Interpreter scripts").
fn words(line: &[u8]) -> Vec<Vec<u8>> {
    let line = line.trim_ascii();
    let end = line.iter().position(|byte| *byte == b' ' || *byte == b'\t');
    let (interpreter, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_ascii();
    let words = [interpreter, rest]
        .into_iter()
        .filter(|word| !word.is_empty());
    words.map(<[u8]>::to_vec).collect()
}

fn blank_separated(line: &[u8]) -> Vec<Vec<u8>> {
    let words = line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    words.map(<[u8]>::to_vec).collect()
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use opentelemetry_injector_policy::reason::Lossy;
        match self {
            Self::NotFound(path) if path.contains(&b'/') => {
                write!(f, "{}: no such file", Lossy(path))
            }
            Self::NotFound(name) => write!(
                f,
                "{}: command not found; give its path, or extend PATH",
                Lossy(name)
            ),
            Self::Folder(path) => write!(f, "{}: a folder, not a program", Lossy(path)),
            Self::ForNobody(path) => write!(
                f,
                "{}: its mode lets nobody execute it; `chmod +x` it, or name the program that \
                 runs it",
                Lossy(path)
            ),
            Self::NoInterpreter {
                script,
                interpreter,
            } if interpreter.is_empty() => {
                write!(f, "{}: its first line names no interpreter", Lossy(script))
            }
            Self::NoInterpreter {
                script,
                interpreter,
            } => write!(
                f,
                "{}: its first line names {}, which is not there",
                Lossy(script),
                Lossy(interpreter)
            ),
            Self::NotExecutable(path) => write!(
                f,
                "{}: cannot be executed or read by this user; run explain as a user who can",
                Lossy(path)
            ),
            Self::TooManyHops(name) => write!(
                f,
                "{}: the scripts name each other in a circle; name the program itself",
                Lossy(name)
            ),
            Self::WrapperOption { wrapper, option } => write!(
                f,
                "{wrapper} {}: this option is not understood here; name the program itself",
                Lossy(option)
            ),
        }
    }
}

impl core::error::Error for CommandError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(folder: &Path, name: &str, text: &str) -> String {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    fn followed(command: &[&str]) -> Result<ResolvedCommand, CommandError> {
        let command = command
            .iter()
            .map(|word| word.as_bytes().to_vec())
            .collect();
        follow(
            command,
            vec![b"PATH=/usr/bin:/bin".to_vec(), b"A=1".to_vec()],
        )
    }

    fn arguments(invocation: &ResolvedCommand) -> String {
        String::from_utf8(invocation.arguments.join(&b' ')).unwrap()
    }

    #[test]
    fn a_program_is_found_in_path() {
        let found = followed(&["sh", "-c", "x"]).unwrap();
        assert_eq!(found.program, Path::new("/usr/bin/sh"));
        assert_eq!(found.started_as, b"/usr/bin/sh");
        assert_eq!(arguments(&found), "sh -c x");
        let problem = followed(&["no-such-program"]).unwrap_err();
        assert_eq!(problem, CommandError::NotFound(b"no-such-program".to_vec()));
        let problem = followed(&["/etc/passwd"]).unwrap_err();
        assert_eq!(problem, CommandError::ForNobody(b"/etc/passwd".to_vec()));
    }

    #[test]
    fn a_script_is_its_interpreter_under_its_own_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = script(folder.path(), "s", "#! /bin/sh -e -u \necho\n");
        let found = followed(&[&path, "a"]).unwrap();
        assert_eq!(found.program, Path::new("/bin/sh"));
        assert_eq!(found.started_as, path.as_bytes());
        assert_eq!(arguments(&found), format!("/bin/sh -e -u {path} a"));
        let path = script(folder.path(), "plain", "echo\n");
        let found = followed(&[&path]).unwrap();
        assert_eq!(arguments(&found), format!("/bin/sh {path}"));
        let path = script(
            folder.path(),
            "endless",
            &format!("#!{}/endless", folder.path().display()),
        );
        let problem = followed(&[&path]).unwrap_err();
        assert!(matches!(problem, CommandError::TooManyHops(_)));
    }

    #[test]
    fn env_becomes_what_it_runs() {
        let folder = tempfile::tempdir().unwrap();
        let path = script(folder.path(), "s", "#!/usr/bin/env -S B=2 sh -e\n");
        let found = followed(&[&path, "a"]).unwrap();
        assert_eq!(found.started_as, b"/usr/bin/sh");
        assert_eq!(arguments(&found), format!("sh -e {path} a"));
        let found = followed(&["env", "-u", "A", "B=1", "B=2", "sh"]).unwrap();
        let environment = found.environment.join(&b' ');
        assert_eq!(environment, b"PATH=/usr/bin:/bin B=2");
        assert_eq!(followed(&["env", "-i", "sh"]).unwrap().environment.len(), 0);
        assert_eq!(arguments(&followed(&["env"]).unwrap()), "env");
        assert!(matches!(
            followed(&["env", "--chdir=/", "sh"]).unwrap_err(),
            CommandError::WrapperOption { .. }
        ));
    }
}
