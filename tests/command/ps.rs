//! `opentelemetry-injector ps` on the processes of this machine.

use serde_json::Value;
use std::fs;
use std::os::unix::process::CommandExt;
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
    assert_eq!(line(injected.id())[6], "java");
    assert_eq!(line(left_alone.id())[2..7], ["JVM", "-", "no", "-", "java"]);
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

/// Control groups of systemd's hierarchy below one of the test's own, as units have them; removed when
/// dropped, after the processes in them.
struct Units(std::path::PathBuf);

impl Units {
    /// `None` where they may not be made.
    fn new() -> Option<Self> {
        let hierarchies = ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup"];
        let name = format!("injector-test-{}.slice", std::process::id());
        let folders = hierarchies.map(|hierarchy| std::path::Path::new(hierarchy).join(&name));
        let is_cgroup = |folder: &std::path::PathBuf| folder.join("cgroup.procs").exists();
        let made = folders.into_iter().find(|folder| {
            let made = fs::create_dir(folder).is_ok();
            made && (is_cgroup(folder) || fs::remove_dir(folder).is_err())
        });
        made.map(Self)
    }

    fn put(&self, process: u32, unit: &str) {
        let folder = self.0.join(unit);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("cgroup.procs"), process.to_string()).unwrap();
    }
}

impl Drop for Units {
    fn drop(&mut self) {
        until("empty control groups", || {
            for folder in fs::read_dir(&self.0).into_iter().flatten().flatten() {
                let _ = fs::remove_dir(folder.path());
            }
            fs::remove_dir(&self.0).ok()
        });
    }
}

#[test]
fn units_are_listed_with_what_restarts_them() {
    if !is_root() {
        skip!("control groups need root");
    }
    let Some(units) = Units::new() else {
        skip!("no control group can be made here");
    };
    let scene = Scene::new();
    let java = waiting_program(&scene, "java");
    let injected = || Waiting::start(scene.command(&java, "direct").arg(NAME));
    let (one, other) = (injected(), injected());
    let without = Waiting::start(Command::new(&java).env_clear().arg(NAME));
    for (process, unit) in [
        (&one, "shop.service"),
        (&other, "shop.service"),
        (&without, "old.service"),
    ] {
        units.put(process.id(), unit);
    }
    let list = |arguments: &[&str]| {
        command(&[&["ps", "--units"], arguments].concat())
            .output()
            .unwrap()
    };
    let told: Value = serde_json::from_slice(&list(&["--json"]).stdout).unwrap();
    let unit = |name: &str| {
        let mut units = told["units"].as_array().unwrap().iter();
        let unit = units.find(|unit| unit["name"] == name);
        unit.unwrap_or_else(|| panic!("{name}: {told:#}"))
    };
    let shop = unit("shop.service");
    assert_eq!(shop["verdict"], "injected");
    assert_eq!(shop["processes"].as_array().unwrap().len(), 2);
    assert_eq!(shop["placement"]["program"], "java");
    assert_eq!(
        shop["placement"]["restart"],
        "systemctl restart shop.service"
    );
    let old = unit("old.service");
    assert_eq!(old["verdict"], "not_injected");
    assert_eq!(old["processes"], serde_json::json!([without.id()]));

    let text = stdout(&list(&[]));
    let line = |name: &str| {
        let mut lines = text.lines();
        let line = lines.find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("{name}: {text}")).to_owned()
    };
    println!(
        "{}\n{}\n{}",
        line("UNIT"),
        line("old.service"),
        line("shop.service")
    );
    // Nothing names the object: a restart would not help.
    assert!(!line("old.service").contains("systemctl"));
    assert_eq!(old["placement"]["restart"], "systemctl restart old.service");
    let words = line("shop.service");
    let words: Vec<_> = words.split_whitespace().collect();
    assert_eq!(words[..5], ["shop.service", "JVM", "2", "yes", "-"]);
    drop((one, other, without));
}

#[test]
fn a_list_can_be_followed() {
    let as_user = |command: &mut Command| {
        command.uid(65534).gid(65534);
    };
    for (is_possible, prepare) in [
        (true, (|_| {}) as fn(&mut Command)),
        // Also by one that may not look at every process.
        (is_root(), as_user),
    ] {
        if !is_possible {
            continue;
        }
        let mut watched = command(&["ps", "--units", "--json", "--watch"]);
        prepare(&mut watched);
        let watched = support::Background::start(&mut watched);
        for _ in 0..2 {
            watched.wait_for("list", |line| {
                line.starts_with("{\"not_permitted\"").then_some(())
            });
        }
    }
}

#[test]
fn a_process_that_has_left_for_another_root_has_its_object_still() {
    if !is_root() || !has("chroot") {
        skip!("chroot needs root");
    }
    let scene = Scene::new();
    let program = scene.compile_with("cc", "waits_in_another_root", &[]);
    fs::create_dir(scene.path("jail")).unwrap();
    let process = Waiting::start(scene.command(&program, "direct").arg(scene.path("jail")));
    let processes = listed();
    let told = one(&processes, process.id()).unwrap();
    let changes = told["changed_since_start"].to_string();
    assert!(!changes.contains("no longer"), "{told:#}");
    assert_eq!(
        told["object"]["version"],
        env!("CARGO_PKG_VERSION"),
        "{told:#}"
    );
}
