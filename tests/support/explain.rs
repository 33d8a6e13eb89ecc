//! Runs `explain` and `ps`, and keeps processes for them to look at.

use crate::{Background, Scene, built, stderr, stdout, succeed, until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The command, with nothing in its environment that speaks to the injector.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(built().join("opentelemetry-injector"));
    command
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin:/bin");
    command
}

/// What JSON it writes, and its exit code.
pub fn json(arguments: &[&str]) -> (Value, i32) {
    parsed(&command(arguments).output().unwrap())
}

/// What JSON a run of the command came to.
pub fn parsed(output: &Output) -> (Value, i32) {
    let value = serde_json::from_slice(&output.stdout);
    let value = value.unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (value, output.status.code().unwrap())
}

/// The explanation of a live process, as JSON.
pub fn of_process(process: u32) -> (Value, i32) {
    json(&["explain", "--json", "--pid", &process.to_string()])
}

/// The text of an explanation of a live process, and its exit code.
pub fn text_of_process(process: u32) -> (String, i32) {
    let output = command(&["explain", "--pid", &process.to_string()])
        .output()
        .unwrap();
    assert_eq!(stderr(&output), "");
    (stdout(&output), output.status.code().unwrap())
}

/// The step of that name.
pub fn step<'v>(explanation: &'v Value, name: &str) -> &'v Value {
    let steps = explanation["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == name);
    step.unwrap_or_else(|| panic!("no step {name}: {explanation:#}"))
}

/// The steps that speak against injection: their names.
pub fn stops(explanation: &Value) -> Vec<&str> {
    let steps = explanation["steps"].as_array().unwrap().iter();
    let stops = steps.filter(|step| step["outcome"] == "no");
    stops.map(|step| step["name"].as_str().unwrap()).collect()
}

/// What the explanation says that getenv answers, by name; variables that stay are left out.
pub fn values(explanation: &Value) -> BTreeMap<String, String> {
    let variables = explanation["variables"].as_array().unwrap().iter();
    let variables = variables.filter_map(|variable| {
        let name = variable["name"].as_str().unwrap();
        Some((name.to_owned(), variable["value"].as_str()?.to_owned()))
    });
    let settings = explanation["settings"].as_object().unwrap().iter();
    let settings = settings.map(|(name, value)| (name.clone(), value.as_str().unwrap().into()));
    variables.chain(settings).collect()
}

/// A copy of `ask_and_wait` in the scene, under another name.
pub fn waiting_program(scene: &Scene, name: &str) -> PathBuf {
    let program = scene.compile_with("cc", "ask_and_wait", &["-rdynamic"]);
    let copy = scene.path(name);
    // An older copy may be running.
    succeed(
        Command::new("cp")
            .arg("--remove-destination")
            .args([&program, &copy]),
    );
    copy
}

/// A process that waits; it ends when this is dropped.
pub struct Waiting {
    process: Background,
    /// What it has been answered.
    pub answers: BTreeMap<String, String>,
}

impl Waiting {
    /// Starts a copy of `ask_and_wait`, and waits for its answers.
    pub fn start(command: &mut Command) -> Self {
        let process = Background::start(command.stdin(Stdio::piped()));
        let mut answers = BTreeMap::new();
        process.wait_for("end of the answers", |line| {
            if let Some((name, value)) = line.split_once('=') {
                answers.insert(name.to_owned(), value.to_owned());
            }
            line.is_empty().then_some(())
        });
        Self { process, answers }
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

/// Any other process; killed when dropped.
pub struct Running(Child);

impl Running {
    /// Starts a command, and waits until it has become `program`.
    pub fn start(command: &mut Command, program: &str) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null());
        let running = Self(command.spawn().unwrap());
        let link = format!("/proc/{}/exe", running.id());
        until(program, || {
            let path = std::fs::read_link(&link).unwrap_or_default();
            Path::new(&path).ends_with(program).then_some(())
        });
        running
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
