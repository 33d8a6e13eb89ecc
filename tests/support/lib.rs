//! What the end-to-end tests share: where the built objects are, how programs are compiled and
//! started, and how a test says that it was skipped.

pub mod alike;
pub mod collectors;
pub mod command;
pub mod explain;
pub mod machine;

use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Ends a test that needs something absent, and says so in its output.
#[macro_export]
macro_rules! skip {
    ($($why:tt)*) => {{
        println!("skipped: {}", format_args!($($why)*));
        return;
    }};
}

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The folder of the release build, which is what the tests look at.
pub fn built() -> PathBuf {
    let folder = root().join("target/release").canonicalize();
    folder.expect("no release build: run scripts/build first")
}

/// The preload object.
pub fn object() -> PathBuf {
    let object = built().join("libopentelemetry_injector.so");
    assert!(
        object.exists(),
        "{object:?} is missing: run scripts/build first"
    );
    object
}

/// The preload object for arm64, where it is built (`scripts/build --target …`).
pub fn object_for_arm64() -> Option<PathBuf> {
    let folder = root().join("target/aarch64-unknown-linux-gnu/release");
    let object = folder.join("libopentelemetry_injector.so");
    object.exists().then_some(object)
}

/// The file name of the Gum engine's object.
pub const GUM_OBJECT: &str = "libopentelemetry_injector_gum.so";

/// The engines that are built: the direct one always, Gum where there was a devkit.
pub fn engines() -> Vec<&'static str> {
    engines_in(&built())
}

/// The engines that are built into a folder.
pub fn engines_in(folder: &Path) -> Vec<&'static str> {
    if folder.join(GUM_OBJECT).exists() {
        vec!["direct", "gum"]
    } else {
        println!("skipped: the Gum engine, which is not built (FRIDA_GUM_DEVKIT)");
        vec!["direct"]
    }
}

/// A folder of one test's own, with a configuration that injects a stand-in for an agent: a file
/// whose content nobody looks at until a JVM does.
pub struct Scene {
    /// The folder; everybody may read it.
    pub folder: TempDir,
    /// The path of the stand-in.
    pub agent: String,
    /// The path of the configuration.
    pub configuration: PathBuf,
}

impl Scene {
    /// A scene whose configuration names the stand-in, and lets services without a name be.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        allow_everybody(folder.path());
        let agent = folder.path().join("agent.jar");
        fs::write(&agent, "not read").expect("write the agent");
        let agent = agent.to_str().expect("UTF-8").to_owned();
        let scene = Self {
            configuration: folder.path().join("configuration.toml"),
            folder,
            agent,
        };
        scene.configure(&format!(
            "service_name = \"off\"\n[jvm]\nagent_path = \"{}\"\n",
            scene.agent
        ));
        scene
    }

    /// Replaces the configuration.
    pub fn configure(&self, text: &str) {
        fs::write(&self.configuration, text).expect("write the configuration");
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a watched variable is answered with where the user has set nothing.
    pub fn injected(&self) -> String {
        format!(
            "-javaagent:{} -Dotel.exporter.otlp.timeout=1000",
            self.agent
        )
    }

    /// A command with the preload object and this configuration, and little else in its
    /// environment.
    pub fn command(&self, program: impl AsRef<OsStr>, engine: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", "/here")
            .env("LD_PRELOAD", object())
            .env("OPENTELEMETRY_INJECTOR_CONFIGURATION", &self.configuration)
            .env("OPENTELEMETRY_INJECTOR_ENGINE", engine)
            .stdin(Stdio::null());
        command
    }

    /// Compiles `programs/NAME.c` with a compiler and further arguments. A program gets a folder of
    /// its own and is called `java` there: no other program would be answered for a JVM.
    pub fn compile_with(&self, compiler: &str, name: &str, arguments: &[&str]) -> PathBuf {
        let source = root().join("tests/programs").join(format!("{name}.c"));
        let mut program = self.path(&format!("{}-{compiler}", name.replace('/', "-")));
        if !arguments.contains(&"-shared") {
            fs::create_dir_all(&program).expect("a folder for the program");
            program.push("java");
        }
        let output = Command::new(compiler)
            .args(["-O2", "-Wall", "-Wextra", "-o"])
            .arg(&program)
            .arg(source)
            .args(arguments)
            .output();
        let output = output.expect("the C compiler starts");
        assert!(output.status.success(), "{name}.c: {}", stderr(&output));
        program
    }

    /// Compiles `programs/NAME.c`.
    pub fn compile(&self, name: &str) -> PathBuf {
        self.compile_with("cc", name, &["-pthread", "-ldl"])
    }
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

/// Lets every user read what is in a folder.
pub fn allow_everybody(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("chmod");
}

/// Runs a command that must exit with 0, and returns its standard output.
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        stdout(&output),
        stderr(&output)
    );
    stdout(&output)
}

/// Standard output as text.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Standard error as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Whether a program is to be had on this machine.
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Whether the tests run as root, which mount namespaces and other users need.
pub fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.starts_with("Uid:\t0\t0\t"))
}

/// An OTLP sink of the test's own.
pub struct Sink {
    program: Background,
    /// Where it listens: `http://127.0.0.1:PORT`.
    pub endpoint: String,
}

impl Sink {
    /// Starts one on a free port.
    pub fn start() -> Self {
        let tests = std::env::current_exe().expect("the test's own path");
        let folder = tests.ancestors().nth(2).expect("target/PROFILE");
        let program = Background::start(&mut Command::new(folder.join("otlp-sink")));
        let address = program.wait_for("address of the sink", |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            Some(line["listening"].as_str()?.to_owned())
        });
        let endpoint = format!("http://{address}");
        Self { program, endpoint }
    }

    /// The first thing that `wanted` makes of the spans that arrive within two minutes.
    pub fn wait_for<T>(&self, what: &str, mut wanted: impl FnMut(&Value) -> Option<T>) -> T {
        self.program.wait_for(what, |line| {
            let span = serde_json::from_str(line).ok()?;
            wanted(&span)
        })
    }
}

/// A program in the background whose output is read line by line; killed when dropped.
pub struct Background {
    child: Child,
    lines: Receiver<String>,
}

impl Background {
    /// Starts a command.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The first line within two minutes that `wanted` makes something of.
    pub fn wait_for<T>(&self, what: &str, mut wanted: impl FnMut(&str) -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    if let Some(found) = wanted(&line) {
                        return found;
                    }
                }
                Err(error) => panic!("no {what}: {error}"),
            }
        }
    }
}

/// `sh -c SCRIPT`, with mounts of its own that nobody else sees; arguments are `$1` and so on.
pub fn with_own_mounts(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-m", "--propagation", "private", "sh", "-c", script, "sh"]);
    command
}

/// Takes the signals that end a program as they come by default, for this process and what it starts: a shell
/// ignores some of them for what it starts in the background.
pub fn take_signals() {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        // SAFETY: no handler is set, and what the kernel does by default ends the tests.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// What `ask` comes to have within two minutes.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        match ask() {
            Some(found) => return found,
            None => assert!(Instant::now() < end, "no {what}"),
        }
        thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
