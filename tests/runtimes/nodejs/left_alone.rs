//! What Node.js is left alone for, by its options and by files that give options: each program runs
//! as without the preload object, and the command line reader knows the options of the real Node.js.

use super::{loaded, nodes, stand_in, told};
use opentelemetry_injector_policy::runtimes::nodejs::options::command_line;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use support::{Scene, built, skip, stderr, stdout, succeed};

/// A run in the scene's folder.
fn run(scene: &Scene, node: &Path, words: &[&str], with: bool) -> Output {
    let mut command = told(scene, node);
    command.args(words).current_dir(scene.folder.path());
    if !with {
        command.env_remove("LD_PRELOAD");
    }
    command.output().unwrap()
}

/// The same with and without the object, and no agent.
fn assert_left_alone(scene: &Scene, node: &Path, words: &[&str], reason: &str) {
    let outcome = |output: &Output| (stdout(output), output.status.code());
    let with = run(scene, node, words, true);
    assert_eq!(
        outcome(&with),
        outcome(&run(scene, node, words, false)),
        "{node:?} {words:?}"
    );
    assert!(
        stderr(&with).contains(reason),
        "{words:?}: {}",
        stderr(&with)
    );
    assert_eq!(loaded(scene), [""; 0], "{words:?}");
}

fn major(node: &Path) -> u32 {
    let version = stdout(&Command::new(node).arg("--version").output().unwrap());
    let major = version.trim_start_matches('v').split('.').next();
    major.and_then(|major| major.parse().ok()).unwrap()
}

/// The name of the option that turns the permission model on.
fn permission(node: &Path) -> &'static str {
    if major(node) >= 23 {
        "--permission"
    } else {
        "--experimental-permission"
    }
}

#[test]
fn options_in_a_file_are_not_displaced() {
    let nodes = nodes();
    let nodes: Vec<_> = nodes.iter().filter(|node| major(node) >= 20).collect();
    if nodes.is_empty() {
        skip!("no node from 20 on");
    }
    for node in nodes {
        let scene = stand_in();
        fs::write(scene.path(".env"), "A=1\nNODE_OPTIONS=--title=theirs\n").unwrap();
        let title = ["-p", "process.title"];
        let reason = "may contain Node.js options";
        for option in [&["--env-file=.env"][..], &["--env-file", ".env"]] {
            assert_left_alone(&scene, node, &[option, &title].concat(), reason);
        }
        assert_left_alone(
            &scene,
            node,
            &["-p", "process.title", "x", "--env-file", ".env"],
            reason,
        );
        let reads = "require('fs').readFileSync('/etc/hostname')";
        fs::write(
            scene.path(".env"),
            format!("NODE_OPTIONS='{}'", permission(node)),
        )
        .unwrap();
        let words = ["--env-file-if-exists=.env", "-e", reads];
        assert_left_alone(&scene, node, &words, reason);
        assert_eq!(run(&scene, node, &words, true).status.code(), Some(1));
    }
}

#[test]
fn options_in_a_configuration_are_not_displaced() {
    let nodes = nodes();
    let Some(node) = nodes.iter().find(|node| major(node) >= 24) else {
        skip!("no node from 24 on (scripts/fetch-nodejs-versions)");
    };
    let scene = stand_in();
    let configuration = r#"{"nodeOptions": {"max-http-header-size": 9999}}"#;
    fs::write(scene.path("node.config.json"), configuration).unwrap();
    for option in [
        "--experimental-default-config-file",
        "--experimental-config-file=node.config.json",
    ] {
        let words = [option, "-p", "require('http').maxHeaderSize"];
        assert_left_alone(&scene, node, &words, "may contain Node.js options");
        assert_eq!(stdout(&run(&scene, node, &words, true)), "9999\n");
    }
}

#[test]
fn a_file_of_variables_alone_keeps_nothing_out_and_its_settings_count() {
    for node in nodes().iter().filter(|node| major(node) >= 20) {
        let scene = stand_in();
        fs::write(scene.path(".env"), "OTEL_SERVICE_NAME=theirs\nA=1\n").unwrap();
        let words = [
            "--env-file=.env",
            "--env-file-if-exists=missing",
            "-p",
            "[process.env.A, process.env.OTEL_SERVICE_NAME] + ''",
        ];
        assert_eq!(stdout(&run(&scene, node, &words, true)), "1,theirs\n");
        assert_eq!(loaded(&scene), ["0 theirs team=x"], "{node:?}");
    }
}

#[test]
fn a_restriction_is_seen_behind_options_with_values() {
    let nodes = nodes();
    let Some(node) = nodes.iter().find(|node| (20..23).contains(&major(node))) else {
        skip!("no node of version 20 to 22");
    };
    let scene = stand_in();
    fs::write(scene.path(".env"), "A=1").unwrap();
    fs::write(scene.path("app.js"), "console.log('runs')").unwrap();
    let own = scene.folder.path().to_str().unwrap();
    for option in [
        &["--env-file", ".env"][..],
        &["--dns-result-order", "ipv4first"],
        &["--max-http-header-size", "9999"],
        &["--unhandled-rejections", "strict"],
        &["--allow-fs-read", own],
        &["--allow_fs_read", own],
    ] {
        let words = [
            option,
            &["--experimental-permission", "--allow-fs-read=*", "app.js"],
        ]
        .concat();
        assert_left_alone(&scene, node, &words, "permission");
    }
}

#[test]
fn runs_that_are_no_application_are_left_alone() {
    let scene = stand_in();
    fs::write(scene.path("app.js"), "console.log('runs')").unwrap();
    let test = "require('node:test').test('x', () => {})";
    fs::write(scene.path("x.test.js"), test).unwrap();
    for node in nodes() {
        for (words, reason) in [
            (&["--version"][..], "only prints information"),
            (&["--check", "app.js"], "only prints information"),
            (&["--jitless", "app.js"], "WebAssembly"),
        ] {
            assert_left_alone(&scene, &node, words, reason);
        }
        // Its output has times.
        let output = run(&scene, &node, &["--test", "x.test.js"], true);
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(stderr(&output).contains("a test run is left alone"));
        let coverage = ["--test", "--experimental-test-coverage", "x.test.js"];
        let report = stdout(&run(&scene, &node, &coverage, true));
        assert!(!report.contains("register.cjs"), "{report}");
        assert_eq!(loaded(&scene), [""; 0]);
    }
}

/// A `package.json` above decides for every `.js` file what kind of module it is.
#[test]
fn the_kind_of_packages_above_does_not_matter() {
    let scene = stand_in();
    let folder = scene.path("lib");
    fs::create_dir(&folder).unwrap();
    fs::write(scene.path("package.json"), r#"{"type": "module"}"#).unwrap();
    let object = "libopentelemetry_injector.so";
    fs::copy(built().join(object), folder.join(object)).unwrap();
    let boot = folder.join("boot/nodejs");
    fs::create_dir_all(&boot).unwrap();
    for file in fs::read_dir(built().join("boot/nodejs")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), boot.join(file.file_name())).unwrap();
    }
    let nodes = nodes();
    for node in &nodes {
        let mut command = scene.command(node, "direct");
        command.env("LD_PRELOAD", folder.join(object));
        let output = command.args(["-p", "1"]).output().unwrap();
        assert_eq!(
            (stdout(&output).as_str(), stderr(&output).as_str()),
            ("1\n", "")
        );
    }
    assert_eq!(loaded(&scene).len(), nodes.len());
}

/// All arguments of a single executable application are its own: they are not read as Node's, neither in the
/// process nor by `explain`.
#[test]
fn a_single_executable_application_is_injected_whatever_its_arguments_are() {
    let nodes = nodes();
    let builds_one = |node: &&std::path::PathBuf| major(node) >= 26;
    let Some(node) = nodes.iter().find(builds_one) else {
        skip!("no node from 26 on, which builds such executables itself");
    };
    let scene = stand_in();
    fs::write(
        scene.path("shop.js"),
        "console.log(process.argv.slice(2).join())",
    )
    .unwrap();
    let configuration =
        "{\"main\": \"shop.js\", \"output\": \"shop\", \"disableExperimentalSEAWarning\": true}";
    fs::write(scene.path("sea.json"), configuration).unwrap();
    let mut build = Command::new(node);
    build.args(["--build-sea", "sea.json"]);
    succeed(build.current_dir(scene.folder.path()));
    let shop = scene.path("shop");
    for words in [
        &["serve"][..],
        &["-c", "x"],
        &["--check", "x"],
        &["--run", "x"],
        &["npm"],
    ] {
        let before = loaded(&scene).len();
        let output = run(&scene, &shop, words, true);
        assert_eq!(
            stdout(&output),
            words.join(",") + "\n",
            "{}",
            stderr(&output)
        );
        assert_eq!(
            loaded(&scene).len(),
            before + 1,
            "{words:?}: {}",
            stderr(&output)
        );
        let mut explain = told(&scene, built().join("opentelemetry-injector"));
        explain.args(["explain", "--"]).arg(&shop).args(words);
        let output = explain.output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{words:?}: {}",
            stdout(&output)
        );
        assert!(
            stdout(&output).contains("execArgvExtension"),
            "{}",
            stdout(&output)
        );
    }
}

/// A new option of Node.js with a value fails this test: it belongs into `options::VALUED`.
#[test]
fn options_with_values_are_those_of_the_real_node() {
    for node in nodes() {
        let help = stdout(&Command::new(&node).arg("--help").output().unwrap());
        let (help, _) = help.split_once("\nEnvironment variables:").unwrap();
        let mut compared = 0;
        for line in help.lines() {
            let Some(names) = line.strip_prefix("  -") else {
                continue;
            };
            let names = format!("-{names}");
            let mut end = names.find("  ").unwrap_or(names.len());
            // A long name is followed by one blank alone.
            end = names.find("=... ").map_or(end, |index| end.min(index + 4));
            let names = &names[..end];
            let has_value = names.ends_with("=...") || names.ends_with("=[host:]port");
            for name in names
                .split(", ")
                .map(|name| name.split(['=', '[', ' ']).next().unwrap())
            {
                // Options whose value is optional, and those that no script follows.
                if matches!(
                    name,
                    "-" | "--" | "-p" | "--print" | "--experimental-default-config-file"
                ) {
                    continue;
                }
                let line = ["node", name, "value", "app.js"].map(Vec::from);
                let skips = command_line(&line).options.len() == 2;
                assert_eq!(skips, has_value, "{node:?} {name}: {names}");
                compared += 1;
            }
        }
        assert!(compared > 100, "{compared} options");
    }
}
