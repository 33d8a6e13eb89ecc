//! Applications that bring an OpenTelemetry SDK or another agent along keep their telemetry.

use super::{configure, loaded, stand_in, stand_in_folder};
use std::fs;
use std::path::Path;
use support::{Scene, has, skip, succeed};

/// A package without any code.
fn package(modules: &Path, name: &str) {
    let folder = modules.join("node_modules").join(name);
    fs::create_dir_all(&folder).unwrap();
    let description =
        format!("{{\"name\": \"{name}\", \"version\": \"1.0.0\", \"main\": \"x.js\"}}");
    fs::write(folder.join("package.json"), description).unwrap();
    fs::write(folder.join("x.js"), "").unwrap();
}

/// Runs `app/src/main.js`; how often the agent was loaded, and what the application sees of settings.
fn run(scene: &Scene, options: &[&str]) -> (usize, String) {
    let folder = scene.path("app/src");
    fs::create_dir_all(&folder).unwrap();
    let script = folder.join("main.js");
    fs::write(&script, "console.log(process.env.OTEL_SERVICE_NAME)").unwrap();
    let before = loaded(scene).len();
    let mut command = scene.command("node", "auto");
    let printed = succeed(
        command
            .args(options)
            .arg(script)
            .current_dir(scene.folder.path()),
    );
    (loaded(scene).len() - before, printed.trim_end().into())
}

#[test]
fn an_sdk_of_the_applications_own_keeps_ours_out() {
    if !has("node") {
        skip!("no node");
    }
    for name in [
        "@opentelemetry/sdk-node",
        "@opentelemetry/sdk-trace-base",
        "@opentelemetry/sdk-trace-node",
        "@opentelemetry/auto-instrumentations-node",
        "dd-trace",
        "@sentry/node",
    ] {
        let scene = stand_in();
        package(&scene.path("app"), name);
        assert_eq!(run(&scene, &[]), (0, "undefined".into()), "{name}");
    }
}

#[test]
fn who_wants_both_says_so() {
    if !has("node") {
        skip!("no node");
    }
    for (name, key) in [
        ("@opentelemetry/sdk-node", "allow_own_sdk = true\n"),
        ("dd-trace", "allow_other_agents = true\n"),
    ] {
        let scene = stand_in();
        configure(&scene, stand_in_folder(&scene).to_str().unwrap(), key);
        package(&scene.path("app"), name);
        assert_eq!(run(&scene, &[]).0, 1, "{name}");
    }
}

#[test]
fn the_api_alone_is_no_sdk() {
    if !has("node") {
        skip!("no node");
    }
    let scene = stand_in();
    for name in [
        "@opentelemetry/api",
        "@opentelemetry/api-logs",
        "@opentelemetry/semantic-conventions",
        "express",
    ] {
        package(&scene.path("app"), name);
    }
    // Not above the script, but where the command was given.
    package(scene.folder.path(), "@opentelemetry/sdk-node");
    fs::rename(scene.path("node_modules"), scene.path("elsewhere")).unwrap();
    assert_eq!(run(&scene, &[]), (1, "shop".into()));
}

#[test]
fn modules_that_are_loaded_before_the_script_count() {
    if !has("node") {
        skip!("no node");
    }
    let scene = stand_in();
    package(&scene.path("tracing"), "@opentelemetry/sdk-node");
    let file = scene.path("tracing/start.js");
    fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    for options in [&["--require", "./tracing/start.js"][..], &["-r", file]] {
        assert_eq!(run(&scene, options), (0, "undefined".into()), "{options:?}");
    }
    let mut command = scene.command("node", "auto");
    command.env("NODE_OPTIONS", format!("--require=\"{file}\""));
    assert_eq!(
        succeed(command.args(["-p", "process.env.OTEL_SERVICE_NAME"])),
        "undefined\n"
    );
    assert_eq!(loaded(&scene), [""; 0]);
}

#[test]
fn packages_in_a_file_of_yarns_count() {
    if !has("node") {
        skip!("no node");
    }
    let scene = stand_in();
    let list = |name: &str| {
        let text = format!("const RAW_RUNTIME_STATE = '[\\\n [\"{name}\", [\\\n');");
        fs::create_dir_all(scene.path("app")).unwrap();
        fs::write(scene.path("app/.pnp.cjs"), text).unwrap();
    };
    list("@opentelemetry/api");
    assert_eq!(run(&scene, &[]), (1, "shop".into()));
    list("@opentelemetry/sdk-trace-node");
    assert_eq!(run(&scene, &[]), (0, "undefined".into()));
}
