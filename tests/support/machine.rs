//! A small machine in a folder: a shell and a few more programs, an `/etc`, the command and the
//! preload object, for tests that change what every program loads. It is entered by chroot(2) in a
//! mount namespace of its own, so that nothing outside sees it.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

use crate::command::{Outcome, built, copy_program, write_file};
use crate::with_own_mounts;

/// Where the object is in the machine.
pub const OBJECT: &str = "/usr/lib/opentelemetry/injector/libopentelemetry_injector.so";

/// Where the command is in the machine.
pub const COMMAND: &str = "/usr/bin/opentelemetry-injector";

/// The machine.
pub struct Machine {
    root: TempDir,
}

/// Gives the test's folder a mount namespace, and goes there. `$ROOT` is the folder; `$PREPARE` is
/// run before, with the machine's `/etc` as `$ROOT/etc`; `$OPTIONS` are those of chroot(8).
const ENTER: &str = r#"
set -e
mount --bind "$ROOT" "$ROOT"
mount -t proc proc "$ROOT/proc"
mount --bind /dev "$ROOT/dev"
eval "$PREPARE"
exec $TRACER chroot $OPTIONS "$ROOT" "$@"
"#;

impl Machine {
    /// A machine with an empty preload file, or why there can be none.
    pub fn new() -> Result<Self, String> {
        if !crate::is_root() || !crate::has("unshare") {
            return Err("a mount namespace needs root and unshare".into());
        }
        let machine = Self {
            root: tempfile::tempdir().unwrap(),
        };
        machine.set_mode("", 0o755);
        for folder in ["proc", "dev", "etc", "tmp", "usr/bin", "usr/lib"] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        symlink("usr/bin", machine.path("bin")).unwrap();
        for program in ["/bin/sh", "/bin/cat", "/bin/ls", "/sbin/ldconfig"] {
            machine.add_program(Path::new(program));
        }
        machine.add_program(Path::new("/bin/mount"));
        machine.set_mode("usr/bin/mount", 0o4755);
        machine.add_program(&built("opentelemetry-injector"));
        machine.write("etc/passwd", "root:x:0:0::/:/bin/sh\n");
        machine.install_object(&crate::object());
        let boot = crate::root().join("src/boot");
        let mut copy = Command::new("cp");
        copy.arg("-r")
            .arg(boot)
            .arg(machine.path(OBJECT).with_file_name("boot"));
        crate::succeed(&mut copy);
        match machine.run("", &["/bin/sh", "-c", "echo here"]) {
            Outcome {
                code: 0, stdout, ..
            } if stdout == "here\n" => Ok(machine),
            outcome => Err(format!("no mount namespace or chroot: {outcome:?}")),
        }
    }

    /// A path in the machine as it is outside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name.trim_start_matches('/'))
    }

    /// Writes a file, readable for all.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        write_file(&self.path(name), content);
        self.set_mode(name, 0o644);
    }

    /// Sets a mode.
    pub fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    /// Puts an object in the place of the preload object.
    pub fn install_object(&self, object: &Path) {
        copy_program(object, &self.path(OBJECT));
        self.set_mode(OBJECT, 0o644);
    }

    /// Puts an object with a hostile constructor in the place of the preload object.
    pub fn install_hostile_object(&self, definitions: &[&str]) {
        let scene = crate::Scene::new();
        let options = [&["-shared", "-fPIC"], definitions].concat();
        self.install_object(&scene.compile_with("cc", "hostile_object", &options));
    }

    /// Puts an object that does nothing somewhere.
    pub fn compile_empty_object(&self, name: &str) {
        let scene = crate::Scene::new();
        let object = scene.compile_with("cc", "empty_object", &["-shared", "-fPIC"]);
        copy_program(&object, &self.path(name));
        self.set_mode(name, 0o644);
    }

    /// Copies a program with the libraries that it needs.
    pub fn add_program(&self, program: &Path) {
        let name = program.file_name().unwrap();
        copy_program(program, &self.path("usr/bin").join(name));
        let listed = Command::new("ldd").arg(program).output().unwrap();
        for library in libraries(&crate::stdout(&listed)) {
            let place = self.path(library.to_str().unwrap());
            if !place.exists() {
                copy_program(&library, &place);
            }
        }
    }

    /// The preload file's content; `None` where there is no file.
    pub fn preload_file(&self) -> Option<String> {
        let content = fs::read(self.path("etc/ld.so.preload")).ok()?;
        Some(String::from_utf8(content).unwrap())
    }

    /// Runs something in the machine, after `prepare` has been run by a shell outside.
    pub fn run(&self, prepare: &str, words: &[&str]) -> Outcome {
        outcome(&self.command("", prepare, words).output().unwrap())
    }

    /// The same, to be started, under a tracer.
    pub fn command(&self, tracer: &str, prepare: &str, words: &[&str]) -> Command {
        let mut command = with_own_mounts(ENTER);
        command
            .args(words)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("ROOT", self.root.path().canonicalize().unwrap())
            .env("PREPARE", prepare)
            .env("TRACER", tracer)
            .env("OPTIONS", "");
        command
    }

    /// Runs the command in the machine.
    pub fn injector(&self, arguments: &[&str]) -> Outcome {
        self.run("", &[&[COMMAND], arguments].concat())
    }

    /// Asserts that programs start as ever: no word on stderr.
    pub fn assert_programs_start(&self) {
        let outcome = self.run("", &["/bin/sh", "-c", "cat /etc/passwd; mount --version"]);
        assert_eq!(
            (outcome.code, outcome.stderr.as_str()),
            (0, ""),
            "{outcome:?}"
        );
        assert!(
            outcome
                .stdout
                .starts_with("root:x:0:0::/:/bin/sh\nmount from"),
            "{outcome:?}"
        );
    }

    /// Asserts that no new file lies about that was not renamed.
    pub fn assert_no_litter(&self) {
        let names = fs::read_dir(self.path("etc")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let litter: Vec<_> = names.filter(|name| name.starts_with(".ld.so")).collect();
        assert!(litter.is_empty(), "{litter:?}");
    }

    /// Whether a program in the machine loads the object.
    pub fn loads_object(&self) -> bool {
        let line = "OPENTELEMETRY_INJECTOR_DEBUG=true exec cat /etc/passwd";
        let outcome = self.run("", &["/bin/sh", "-c", line]);
        assert_eq!(outcome.stdout, "root:x:0:0::/:/bin/sh\n");
        outcome.stderr.contains("opentelemetry-injector[")
    }
}

/// The small machine, or the test ends.
#[macro_export]
macro_rules! machine {
    () => {
        match $crate::machine::Machine::new() {
            Ok(machine) => machine,
            Err(why) => $crate::skip!("{why}"),
        }
    };
}

/// What a run came to, with the shell's number for one that was killed.
pub fn outcome(output: &Output) -> Outcome {
    use std::os::unix::process::ExitStatusExt;
    let status = output.status;
    let killed = || 128 + status.signal().unwrap();
    Outcome {
        code: status.code().unwrap_or_else(killed),
        stdout: crate::stdout(output),
        stderr: crate::stderr(output),
    }
}

/// The paths in what ldd(1) prints.
fn libraries(listed: &str) -> BTreeSet<PathBuf> {
    let words = listed.split_whitespace();
    words
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}

/// Asserts that a run did what it was asked to, and had nothing to complain of.
pub fn assert_done(outcome: &Outcome) {
    assert_eq!(
        (outcome.code, outcome.stderr.as_str()),
        (0, ""),
        "{outcome:?}"
    );
}
