//! What `explain` and `ps` tell of servers that have written a title over their command line and their
//! environment, and of PHP's workers in another root or with `open_basedir`.

use crate::php::{agent, scene};
use crate::php_servers::{self, Server, fast_cgi};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use support::explain::{command, of_process, step};
use support::{Background, Scene, Sink, has, is_root, skip, until};

/// Long enough to go on over the environment.
fn title() -> String {
    "title-".repeat(300)
}

/// The children of a process.
fn children(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task/{process}/children");
    let children = fs::read_to_string(path).unwrap_or_default();
    let children = children.split_whitespace().map(str::parse);
    children.collect::<Result<_, _>>().unwrap()
}

fn is_overwritten(process: u32) -> bool {
    let environment = fs::read(format!("/proc/{process}/environ")).unwrap();
    let entries = environment.strip_suffix(b"\0").unwrap_or(&environment);
    let mut entries = entries.split(|byte| *byte == 0);
    // The kernel shows an empty one while a program is being started.
    entries.any(|entry| !entry.is_empty() && !entry.contains(&b'='))
}

/// That the explanation goes by the process's own configuration, and that its object is still there.
fn assert_known(told: &Value, scene: &Scene) {
    let configuration = step(told, "configuration");
    assert_eq!(configuration["outcome"], "ok", "{told:#}");
    let path = scene.configuration.display().to_string();
    assert!(
        configuration["what"].as_str().unwrap().starts_with(&path),
        "{told:#}"
    );
    let changes = told["changed_since_start"].as_array().unwrap();
    assert_eq!(changes.len(), 0, "{told:#}");
    assert_eq!(told["object"]["named_by"], "LD_PRELOAD", "{told:#}");
}

#[test]
fn fpms_workers_are_told_right_whatever_their_title_and_restrictions_are() {
    let (Some(fpm), true) = (php_servers::fpm(), is_root()) else {
        skip!("no php-fpm, or no root for chroot");
    };
    let sink = Sink::start();
    let scene = scene(&agent(), &sink);
    let script = scene.path("empty.php");
    fs::write(&script, "<?php echo 1;").unwrap();
    let folder = scene.folder.path().display();
    let closed = "CLOSED";
    for (name, limits, script, stood_down) in [
        ("open", String::new(), &*script, None),
        ("cleared", "clear_env = yes\n".into(), &script, None),
        ("kept", "clear_env = no\n".into(), &script, None),
        (
            "basedir",
            format!("php_admin_value[open_basedir] = {folder}\n"),
            &script,
            Some(closed),
        ),
        (
            "chroot",
            format!("chroot = {folder}\n"),
            Path::new("/empty.php"),
            Some(closed),
        ),
    ] {
        let listens = scene.path(name);
        let pool = format!(
            "{limits}[{}]\nlisten = {}\nuser = www-data\ngroup = www-data\npm = static\n\
             pm.max_children = 1\n{limits}",
            title(),
            listens.display()
        );
        let server = Server::fpm(&scene, scene.command(&fpm, "direct"), &pool);
        fast_cgi(&listens, script, &[]);
        server.get(script);
        let workers = until("workers", || {
            Some(children(server.id())).filter(|workers| workers.len() == 2)
        });
        assert!(
            workers.iter().any(|worker| is_overwritten(*worker)),
            "{name}"
        );
        for process in workers.into_iter().chain([server.id()]) {
            let (told, _) = of_process(process);
            // In another root there is another configuration, or none.
            if name == "chroot" {
                let changes = told["changed_since_start"].to_string();
                assert!(!changes.contains("no longer"), "{told:#}");
            } else {
                assert_known(&told, &scene);
            }
            let is_worker = process != server.id();
            let wanted = stood_down.filter(|_| is_worker);
            let verdict = if wanted.is_some() {
                "not_injected"
            } else {
                "injected"
            };
            assert_eq!(told["verdict"], verdict, "{name}: {told:#}");
            let reason = wanted.map_or(Value::Null, Value::from);
            assert_eq!(told["process"]["stood_down"], reason, "{name}: {told:#}");
            assert_eq!(listed(process)["verdict"], verdict, "{name}");
        }
    }
}

fn listed(process: u32) -> Value {
    let output = command(&["ps", "--json"]).output().unwrap();
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut processes = list["processes"].as_array().unwrap().iter();
    let listed = processes.find(|told| told["process"]["pid"] == process);
    listed
        .unwrap_or_else(|| panic!("{process} is not listed"))
        .clone()
}

/// Programs that set a title themselves, and a child that has it from them.
#[test]
fn a_title_over_the_environment_hides_nothing() {
    let scene = Scene::new();
    scene.configure("[ruby]\nagent_path = '/none.rb'\n[php]\nagent_path = '/none'\n");
    let mut tried = 0;
    // The title is not on the command line, which would take it.
    for (program, option, script) in [
        (
            "ruby",
            "-e",
            "Process.setproctitle('title-' * 300); fork { STDIN.read }; STDIN.read",
        ),
        (
            "ruby",
            "-e",
            "$0 = 'title-' * 300; fork { STDIN.read }; STDIN.read",
        ),
        (
            "php",
            "-r",
            "cli_set_process_title(str_repeat('title-', 300)); fgets(STDIN);",
        ),
    ] {
        if !has(program) {
            continue;
        }
        let mut command = scene.command(program, "direct");
        let running = Background::start(command.args([option, script]).stdin(Stdio::piped()));
        until("title", || is_overwritten(running.id()).then_some(()));
        let processes = children(running.id()).into_iter().chain([running.id()]);
        for process in processes {
            let (told, _) = of_process(process);
            let configuration = step(&told, "configuration")["what"].as_str().unwrap();
            let path = scene.configuration.display().to_string();
            assert!(configuration.starts_with(&path), "{program}: {told:#}");
            assert_eq!(
                told["object"]["named_by"], "LD_PRELOAD",
                "{program}: {told:#}"
            );
            let reason = told["reason"].as_str().unwrap();
            assert!(reason.contains("/none"), "{program}: {reason}");
        }
        tried += 1;
    }
    if tried == 0 {
        skip!("neither ruby nor php");
    }
}
