//! `opentelemetry-injector ps` on the processes of this machine.

use serde_json::Value;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;
use support::explain::{Running, Waiting, command, waiting_program};
use support::machine;
use support::machine::COMMAND;
use support::{Scene, has, is_root, skip, stderr, stdout, succeed, until};

const NAME: &str = "JAVA_TOOL_OPTIONS";

fn listed() -> Vec<Value> {
    let output = command(&["ps", "--json"]).output().unwrap();
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Even root may find processes that it cannot look at, and is told so.
    let hidden = value["not_permitted"].as_u64().unwrap();
    assert_eq!(output.status.code(), Some(if hidden == 0 { 0 } else { 2 }));
    assert_eq!(stderr(&output).is_empty(), hidden == 0);
    value["processes"].as_array().unwrap().clone()
}

fn one(processes: &[Value], process: u32) -> Option<&Value> {
    processes
        .iter()
        .find(|told| told["process"]["pid"] == process)
}

#[test]
fn runtimes_are_listed_with_decision_version_and_age() {
    let scene = Scene::new();
    let java = waiting_program(&scene, "java");
    let other = waiting_program(&scene, "other");
    let injected = Waiting::start(scene.command(&java, "direct").arg(NAME));
    let left_alone = Waiting::start(Command::new(&java).env_clear().arg(NAME));
    let none = Waiting::start(scene.command(&other, "direct").arg(NAME));
    let processes = listed();
    let told = one(&processes, injected.id()).unwrap();
    assert_eq!(told["verdict"], "injected");
    assert_eq!(told["object"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(told["changed_since_start"].as_array().unwrap().len(), 0);
    let told = one(&processes, left_alone.id()).unwrap();
    assert_eq!(told["verdict"], "not_injected");
    assert_eq!(told["object"], Value::Null);
    assert!(one(&processes, none.id()).is_none());

    thread::sleep(Duration::from_millis(100));
    fs::write(&scene.agent, "a newer one").unwrap();
    let output = command(&["ps"]).output().unwrap();
    let text = stdout(&output);
    let line = |process: u32| {
        let mut lines = text.lines();
        let line = lines.find(|line| line.starts_with(&format!("{process} ")));
        line.unwrap_or_else(|| panic!("{process}: {text}"))
            .split_whitespace()
            .collect::<Vec<_>>()
    };
    let version = format!("{}*", env!("CARGO_PKG_VERSION"));
    assert_eq!(line(injected.id())[2..6], ["JVM", "-", "yes", &version]);
    assert_eq!(line(left_alone.id())[2..7], ["JVM", "-", "no", "-", "not"]);
    assert!(text.starts_with("PID "), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

/// Runtimes with a boot file, with an agent that cannot be loaded and a program that waits.
const FAILING: [(&str, &str, &str, &str); 4] = [
    ("nodejs", "node", "setTimeout(() => {}, 60000)", "agent.cjs"),
    ("python", "python3", "import time; time.sleep(60)", "folder"),
    ("ruby", "ruby", "sleep 60", "agent.rb"),
    ("php", "php", "<?php sleep(60);", "folder"),
];

#[test]
fn a_runtime_whose_boot_file_has_given_up_is_listed_as_not_injected() {
    let scene = Scene::new();
    let path = |name: &str| scene.path(name).display().to_string();
    fs::create_dir_all(scene.path("folder/opentelemetry/instrumentation/auto_instrumentation"))
        .unwrap();
    let module = "folder/opentelemetry/instrumentation/auto_instrumentation/__init__.py";
    let mut configuration = String::new();
    for (runtime, program, script, agent) in FAILING {
        configuration += &format!("{runtime}.agent_path = '{}'\n", path(agent));
        fs::write(scene.path(&format!("{program}.script")), script).unwrap();
    }
    for (file, content) in [
        ("agent.cjs", "throw new Error('broken')"),
        ("agent.rb", "raise 'broken'"),
        ("minimum_ruby_version", "2.7"),
        (
            "folder/autoload.php",
            "<?php throw new Exception('broken');",
        ),
        (module, "raise RuntimeError"),
    ] {
        fs::write(scene.path(file), content).unwrap();
    }
    scene.configure(&configuration);
    let mut started = Vec::new();
    for (runtime, program, _, _) in FAILING {
        let Ok(executable) = fs::canonicalize(format!("/usr/bin/{program}")) else {
            println!("skipped: {runtime}, for want of {program}");
            continue;
        };
        let mut command = scene.command(&executable, "direct");
        command.arg(path(&format!("{program}.script")));
        let name = executable.file_name().unwrap().to_str().unwrap();
        let process = Running::start(&mut command, name);
        started.push((runtime, process));
    }
    for (runtime, process) in started {
        let told = until(runtime, || {
            let told = one(&listed(), process.id())?.clone();
            told["process"]["stood_down"].is_string().then_some(told)
        });
        assert_eq!(told["runtime"], runtime);
        assert_eq!(told["verdict"], "not_injected", "{runtime}");
        assert_eq!(told["process"]["stood_down"], "FAILED", "{runtime}");
        let wanted = "the boot file stood down: the agent could not be loaded";
        assert_eq!(told["reason"], wanted, "{runtime}");
    }
}

#[test]
fn another_user_is_told_what_may_not_be_seen() {
    if !is_root() || !has("setpriv") {
        skip!("another user needs root and setpriv");
    }
    let scene = Scene::new();
    let copy = scene.path("opentelemetry-injector");
    succeed(
        Command::new("cp")
            .arg(support::built().join("opentelemetry-injector"))
            .arg(&copy),
    );
    let mut ask = Command::new("setpriv");
    ask.args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&copy);
    let output = ask.args(["ps", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("cannot be inspected by this user"));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(value["not_permitted"].as_u64().unwrap() > 0);
}

#[test]
fn processes_that_end_meanwhile_are_no_errors() {
    // A shell that starts and ends processes as fast as it can.
    let mut busy = Command::new("sh")
        .args(["-c", "while :; do /bin/true & wait; done"])
        .spawn()
        .unwrap();
    for _ in 0..10 {
        let output = command(&["ps"]).output().unwrap();
        let said = stderr(&output);
        assert!(
            said.is_empty() || said.contains("cannot be inspected"),
            "{said}"
        );
        assert!(said.lines().count() <= 1, "{said}");
    }
    busy.kill().unwrap();
    busy.wait().unwrap();
}

#[test]
fn without_proc_it_says_that_nothing_can_be_told() {
    let machine = machine!();
    let without_proc = "umount \"$ROOT/proc\"";
    for arguments in [&["ps"][..], &["ps", "--json"], &["explain", "--pid", "1"]] {
        let told = machine.run(without_proc, &[&[COMMAND], arguments].concat());
        assert_eq!((told.code, told.stdout.as_str()), (2, ""), "{told:?}");
        assert!(
            told.stderr.contains("/proc is not mounted here"),
            "{told:?}"
        );
    }
}
