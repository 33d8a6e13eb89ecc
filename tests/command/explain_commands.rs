//! `opentelemetry-injector explain -- COMMAND` where the command starts another program.

use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use support::command::write_file;
use support::explain::{Waiting, command, of_process, parsed, step, stops, waiting_program};
use support::{Scene, has, is_root, object, skip, stdout};

const NAME: &str = "JAVA_TOOL_OPTIONS";

/// What is told of a command that is started with the object.
fn told(scene: &Scene, words: &[&str]) -> (Value, i32) {
    let mut ask = command(&[&["explain", "--json", "--"], words].concat());
    ask.env("LD_PRELOAD", object());
    ask.env("OPENTELEMETRY_INJECTOR_CONFIGURATION", &scene.configuration);
    parsed(&ask.output().unwrap())
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

#[test]
fn programs_that_start_another_one_are_seen_through() {
    let scene = Scene::new();
    let program = waiting_program(&scene, "java");
    let program = program.to_str().unwrap();
    for wrapper in [
        "nice",
        "nice -n 5",
        "nice -5",
        "timeout -k 9 --signal=TERM 60",
        "setsid -w",
        "nohup",
        "taskset -c 0",
        "chrt --other 0",
        "ionice -c 2 -n 7",
        "choom -n 10",
        "setpriv --no-new-privs",
        "stdbuf -oL",
        "nice -n 1 timeout 60 env A=1",
        "tini -s --",
        "dumb-init -c --",
    ] {
        if !has(words(wrapper)[0]) {
            println!("skipped: {wrapper}, which is not installed");
            continue;
        }
        let line = format!("{wrapper} {program} {NAME}");
        let (told, code) = told(&scene, &words(&line));
        assert_eq!(code, 0, "{line}: {told:#}");
        assert_eq!(told["executable"], program, "{line}");
        let mut start = scene.command(words(wrapper)[0], "direct");
        let process = Waiting::start(start.args(&words(&line)[1..]));
        let answer = process.answers.get(NAME);
        assert_eq!(answer, Some(&scene.injected()), "{line}");
        // These stay, as the parents of what they run.
        let parents = ["timeout", "tini", "dumb-init"];
        if !parents.iter().any(|name| wrapper.contains(name)) {
            let (live, live_code) = of_process(process.id());
            assert_eq!(live_code, 0, "{line}: {live:#}");
            assert_eq!(live["command_line"], told["command_line"], "{line}");
            assert_eq!(live["started_as"], told["started_as"], "{line}");
        }
    }
}

#[test]
fn sudo_takes_the_object_away_where_only_a_variable_names_it() {
    let scene = Scene::new();
    if !has("sudo") || !is_root() {
        skip!("no sudo, or not root");
    }
    for option in ["-E", "-n"] {
        let (told, code) = told(&scene, &["sudo", option, "sleep", "0"]);
        assert_eq!(code, 1);
        assert!(stops(&told).contains(&"loaded"), "{told:#}");
    }
}

#[test]
fn an_option_that_is_not_known_is_not_guessed() {
    let scene = Scene::new();
    let ask = &mut command(&["explain", "--", "nice", "--unheard-of", "java"]);
    ask.env("OPENTELEMETRY_INJECTOR_CONFIGURATION", &scene.configuration);
    assert_eq!(ask.output().unwrap().status.code(), Some(2));
}

/// An agent's folder for Erlang, by the file that is looked for.
fn with_erlang(scene: &Scene) {
    let application = scene.path("opentelemetry/ebin/opentelemetry.app");
    fs::create_dir_all(application.parent().unwrap()).unwrap();
    fs::write(application, "").unwrap();
    let folder = scene.folder.path().display();
    scene.configure(&format!("erlang.agent_path = '{folder}'\n"));
}

#[test]
fn commands_of_erlang_and_elixir_are_followed_to_the_launcher() {
    if !has("erl") {
        skip!("Erlang is not installed");
    }
    let scene = Scene::new();
    with_erlang(&scene);
    let script = scene.path("script");
    fs::write(
        &script,
        "#!/usr/bin/env escript\n%%! -sname a\nmain(_) -> ok.\n",
    )
    .unwrap();
    for line in [
        "erl -noshell",
        "elixir --no-halt -e 1",
        "iex -S mix",
        "mix phx.server",
        "escript SCRIPT",
    ] {
        let line = line.replace("SCRIPT", script.to_str().unwrap());
        let program = words(&line)[0];
        if !has(program) {
            println!("skipped: {program}, which is not installed");
            continue;
        }
        let (told, _) = told(&scene, &words(&line));
        assert_eq!(told["runtime"], "erlang", "{line}: {told:#}");
        let executable = told["executable"].as_str().unwrap();
        assert!(executable.ends_with("/bin/erlexec"), "{line}: {executable}");
        let own = words(&line).pop().unwrap();
        let given = told["command_line"].as_array().unwrap();
        assert!(given.iter().any(|word| word == own), "{line}: {told:#}");
    }
    let (told, code) = told(&scene, &["erl", "-noshell"]);
    assert_eq!(code, 0, "{told:#}");
}

/// A script that everybody may execute.
fn script(scene: &Scene, name: &str, text: &str) -> String {
    let path = scene.path(name);
    write_file(&path, text);
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path.into_os_string().into_string().unwrap()
}

#[test]
fn a_shells_script_that_starts_a_runtime_is_not_told_as_none() {
    let scene = Scene::new();
    let start = script(
        &scene,
        "app",
        "#!/bin/sh\n# sets up\nexec \"$BINDIR/erlexec\" \"$@\"\n",
    );
    let (with_script, code) = told(&scene, &[&start, "start"]);
    assert_eq!(
        (code, &with_script["verdict"]),
        (2, &Value::from("unknown"))
    );
    let what = step(&with_script, "runtime")["what"].as_str().unwrap();
    assert!(what.contains("starts Erlang"), "{what}");
    let (told_of_line, code) = told(&scene, &["sh", "-c", "cd / && exec java -jar x"]);
    assert_eq!(code, 2, "{told_of_line:#}");
    let other = script(&scene, "other", "#!/bin/sh\necho java\n");
    assert_eq!(told(&scene, &[&other]).1, 1);
    // What pyenv, rbenv and asdf put in front of a runtime has the runtime's name.
    for (name, commands, wanted) in [
        ("node", "exec /usr/bin/node \"$@\"", "starts Node.js"),
        (
            "python3",
            "exec pyenv exec \"$program\" \"$@\"",
            "starts Python",
        ),
        (
            "ruby3.1",
            "exec /opt/rbenv/libexec/rbenv exec \"$@\"",
            "starts Ruby",
        ),
    ] {
        let shim = script(&scene, name, &format!("#!/bin/sh\n{commands}\n"));
        let (explanation, code) = told(&scene, &[&shim, "app"]);
        assert_eq!(code, 2, "{explanation:#}");
        let what = step(&explanation, "runtime")["what"].as_str().unwrap();
        assert!(what.contains(wanted), "{what}");
    }
}

#[test]
fn another_configuration_may_be_asked_for() {
    let scene = Scene::new();
    let program = waiting_program(&scene, "java");
    let other = scene.path("other.toml");
    fs::write(&other, "enabled = false\n").unwrap();
    for (configuration, wanted) in [(&scene.configuration, 0), (&other, 1)] {
        let path = configuration.to_str().unwrap();
        let mut ask = command(&["explain", "--config", path, "--", program.to_str().unwrap()]);
        ask.env("LD_PRELOAD", object());
        let output = ask.output().unwrap();
        assert_eq!(output.status.code(), Some(wanted), "{}", stdout(&output));
    }
    let process = Waiting::start(scene.command(&program, "direct").arg(NAME));
    let number = process.id().to_string();
    let ask = &mut command(&[
        "explain",
        "--config",
        other.to_str().unwrap(),
        "--pid",
        &number,
    ]);
    let text = stdout(&ask.output().unwrap());
    assert!(text.contains("enabled = false"), "{text}");
}

#[test]
fn a_runtime_that_is_switched_off_is_told_as_that() {
    let scene = Scene::new();
    let php = waiting_program(&scene, "php");
    scene.configure("[php]\nenabled = false\n");
    let (told, code) = told(&scene, &[php.to_str().unwrap()]);
    assert_eq!(code, 1);
    let what = step(&told, "agent")["what"].as_str().unwrap();
    assert!(what.starts_with("php.enabled = false"), "{what}");
}

#[test]
fn launchers_that_open_a_jvm_are_known_by_their_files() {
    let Ok(java) = fs::canonicalize("/usr/bin/java") else {
        skip!("Java is not installed");
    };
    let jdk = java.ancestors().nth(2).unwrap();
    let scene = Scene::new();
    let jsvc = waiting_program(&scene, "jsvc");
    let home = jdk.to_str().unwrap();
    let (of_jsvc, _) = told(&scene, &[jsvc.to_str().unwrap(), "-home", home, "Main"]);
    assert_eq!(of_jsvc["runtime"], "jvm", "{of_jsvc:#}");

    let image = scene.path("image");
    fs::create_dir_all(image.join("bin")).unwrap();
    fs::create_dir_all(image.join("lib/app")).unwrap();
    fs::write(image.join("lib/app/shop.cfg"), "").unwrap();
    std::os::unix::fs::symlink(jdk, image.join("lib/runtime")).unwrap();
    let shop = image.join("bin/shop");
    fs::copy(waiting_program(&scene, "any"), &shop).unwrap();
    let (of_image, _) = told(&scene, &[Path::new(&shop).to_str().unwrap()]);
    assert_eq!(of_image["runtime"], "jvm", "{of_image:#}");
}
