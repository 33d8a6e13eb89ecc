//! Runs the command in a folder of its own and keeps what it says.

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// What a run of the command came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The exit code.
    pub code: i32,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
}

/// The outcome in the order in which tests think of it.
pub fn outcome(code: i32, stdout: &str, stderr: &str) -> Outcome {
    Outcome {
        code,
        stdout: stdout.into(),
        stderr: stderr.into(),
    }
}

/// A folder that goes away with the test.
pub struct Scratch(TempDir);

impl Scratch {
    /// An empty folder.
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, and the folders above it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_file(&path, content);
        path
    }

    /// The command, to be run in the folder.
    pub fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.path());
        // What the caller's environment says to the injector is not what is tested.
        let names = env::vars_os().map(|(name, _)| name);
        for name in names.filter(|name| is_for_injector(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command
    }

    /// Runs the built command in the folder.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        ran(self.command(&built("opentelemetry-injector"), arguments))
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs a command to its end.
pub fn ran(mut command: Command) -> Outcome {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    Outcome {
        code: status.code().unwrap(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// A file that `cargo build` made in the profile of this test, which lies in its folder `deps`. Another command can be
/// tested in place of that one: `scripts/test` names the release build's.
pub fn built(name: &str) -> PathBuf {
    let tested = env::var_os("TESTED_COMMAND").filter(|_| name == "opentelemetry-injector");
    let path = tested.map_or_else(
        || {
            env::current_exe()
                .unwrap()
                .parent()
                .unwrap()
                .with_file_name(name)
        },
        PathBuf::from,
    );
    assert!(
        path.is_absolute(),
        "{}: tests change their folder",
        path.display()
    );
    assert!(
        path.exists(),
        "{} is missing: run `cargo build` first",
        path.display()
    );
    path
}

/// Writes a file. What may be executed is written by another process, for the reason that [`copy_program`] has.
pub fn write_file(path: &Path, content: impl AsRef<[u8]>) {
    let content = content.as_ref();
    if !content.starts_with(b"#!") && !content.starts_with(b"\x7fELF") {
        fs::write(path, content).unwrap();
        return;
    }
    let mut writer = Command::new("sh");
    writer.args(["-c", "cat > \"$0\""]).arg(path);
    let mut writer = writer.stdin(Stdio::piped()).spawn().unwrap();
    writer.stdin.take().unwrap().write_all(content).unwrap();
    assert!(writer.wait().unwrap().success());
}

/// Copies a program by another process: while this one writes a file, what other tests start at the
/// same time would hold it open, and then it could not be executed (ETXTBSY).
pub fn copy_program(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let copied = Command::new("cp").args([from, to]).status();
    assert!(copied.unwrap().success());
}

fn is_for_injector(name: &str) -> bool {
    name.starts_with("OPENTELEMETRY_") || name.starts_with("OTEL_") || name == "LD_PRELOAD"
}
