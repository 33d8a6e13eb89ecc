//! One command line, explained and started.

use crate::agents::Agents;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use support::{built, object};

/// What `explain` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Injected,
    LeftAlone,
    CannotTell,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Loaded,
    NotLoaded,
}

/// How long a line may take, since some wait or serve; and where what is told is not what is seen by then. In
/// that case its standard input stays open: a shell ends with its input, and that may be before its agent starts.
pub const QUICK: Duration = Duration::from_secs(3);
pub const PATIENT: Duration = Duration::from_secs(30);

/// How long a process that has loaded the agent, and has not ended, is waited for.
const AFTER_LOADING: Duration = Duration::from_millis(50);

/// The variables in front of a line, `NAME=value` each as a shell takes them, and the command itself.
pub fn split<'a>(line: &'a [&'a str]) -> (Vec<(&'a str, &'a str)>, &'a [&'a str]) {
    let variable = |word: &&'a str| {
        let (name, value) = word.split_once('=')?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        name.bytes().all(is_name).then_some((name, value))
    };
    let variables: Vec<_> = line.iter().map_while(variable).collect();
    let command = &line[variables.len()..];
    (variables, command)
}

fn command(agents: &Agents, program: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        .env("HOME", agents.folder())
        .env("LANG", "C.UTF-8")
        .env("DIFFERENTIAL_MARK", agents.mark())
        .env(
            "OPENTELEMETRY_INJECTOR_CONFIGURATION",
            agents.configuration(),
        )
        .envs(variables.iter().copied())
        .current_dir(agents.folder())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// What is told of a line.
pub fn explain(agents: &Agents, line: &[&str]) -> Verdict {
    let (variables, line) = split(line);
    let program = built().join("opentelemetry-injector");
    let mut explain = command(agents, program.to_str().unwrap(), &variables);
    explain
        .args(["explain", "--"])
        .args(line)
        .env("LD_PRELOAD", object());
    match explain.status().expect("explain starts").code() {
        Some(0) => Verdict::Injected,
        Some(1) => Verdict::LeftAlone,
        _ => Verdict::CannotTell,
    }
}

/// What happens when it is started.
pub fn start(agents: &Agents, line: &[&str], longest: Duration) -> Outcome {
    agents.clear();
    let (variables, line) = split(line);
    let mut start = command(agents, line[0], &variables);
    start.args(&line[1..]).env("LD_PRELOAD", object());
    if longest == PATIENT {
        start.stdin(Stdio::piped());
    }
    wait(start, longest, || agents.is_loaded());
    if agents.is_loaded() {
        Outcome::Loaded
    } else {
        Outcome::NotLoaded
    }
}

/// Whether the line fails without the object: then it says nothing about it.
pub fn fails(agents: &Agents, line: &[&str]) -> bool {
    let (variables, line) = split(line);
    let mut start = command(agents, line[0], &variables);
    start.args(&line[1..]);
    wait(start, PATIENT, || false) != Some(0)
}

/// The exit code of a command; `None` where it was ended, by us or by a signal.
fn wait(mut command: Command, longest: Duration, is_enough: impl Fn() -> bool) -> Option<i32> {
    let mut child = command
        .process_group(0)
        .spawn()
        .expect("the program starts");
    let end = Instant::now() + longest;
    loop {
        if let Some(status) = child.try_wait().expect("the child is ours") {
            return status.code();
        }
        if Instant::now() > end || is_enough() {
            thread::sleep(AFTER_LOADING);
            let group = i32::try_from(child.id()).expect("a process's number");
            // SAFETY: the group is the child's own, which has not been waited for.
            unsafe { libc::kill(-group, libc::SIGKILL) };
            child.wait().expect("the child is ours");
            return None;
        }
        thread::sleep(Duration::from_millis(2));
    }
}
