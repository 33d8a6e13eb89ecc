//! Real Ruby with a small agent (agents/ruby), which sends one span when it is loaded.

use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::{Scene, Sink, built, engines, has, root, skip, stderr, stdout, succeed};

/// Prints what tells whether the agent is there and what of it shows.
const INSIDE: &str = "puts defined?(TestAgent) ? 'agent' : 'none', ENV['RUBYOPT'].inspect, \
                      ENV.to_h.keys.grep(/RUBYOPT|OTEL|BOOT/).sort.inspect, `env | grep -c boot.rb`";

fn agent() -> PathBuf {
    root().join("tests/agents/ruby").canonicalize().unwrap()
}

/// A scene with the agent, sending to `sink`.
fn scene(folder: &Path, sink: &Sink) -> Scene {
    let scene = Scene::new();
    scene.configure(&format!(
        "[ruby]\nagent_path = '{}'\n[environment]\nOTEL_EXPORTER_OTLP_ENDPOINT = '{}'\n\
         OTEL_SERVICE_NAME = 'ours'\n[resource_attributes]\nteam = 'blue'\nuser.key = 'ours'\n",
        folder.join("agent.rb").display(),
        sink.endpoint
    ));
    scene
}

/// A copy of the agent in a folder of the scene's own.
fn copy_agent(scene: &Scene, name: &str) -> PathBuf {
    let folder = scene.path(name);
    fs::create_dir(&folder).unwrap();
    for file in ["agent.rb", "minimum_ruby_version"] {
        fs::copy(agent().join(file), folder.join(file)).unwrap();
    }
    folder
}

fn ruby(scene: &Scene, arguments: &[&str]) -> Command {
    let mut command = scene.command("ruby", "direct");
    command.args(arguments);
    command
}

/// Whether the agent is loaded by a command that runs `INSIDE` or prints the same first line.
fn has_agent(command: &mut Command) -> bool {
    let printed = succeed(command);
    match printed.lines().next() {
        Some("agent") => true,
        Some("none") => false,
        _ => panic!("{printed}"),
    }
}

fn outcome(output: Output) -> (Option<i32>, String, String) {
    (output.status.code(), stdout(&output), stderr(&output))
}

fn span(sink: &Sink) -> Value {
    sink.wait_for("span of Ruby", |span| {
        (span["name"] == "ruby started").then(|| span.clone())
    })
}

#[test]
fn a_span_arrives_with_the_settings_and_nothing_shows() {
    if !has("ruby") {
        skip!("no ruby");
    }
    for engine in engines() {
        let sink = Sink::start();
        let scene = scene(&agent(), &sink);
        let mut command = scene.command("ruby", engine);
        command.args(["-e", INSIDE]);
        assert_eq!(succeed(&mut command), "agent\nnil\n[]\n0\n");
        let ours = span(&sink);
        assert_eq!(
            (&ours["service"], &ours["resource"]["team"]),
            (&"ours".into(), &"blue".into())
        );

        command.env("OTEL_SERVICE_NAME", "theirs");
        command.env("OTEL_RESOURCE_ATTRIBUTES", "user.key=theirs");
        command.env("RUBYOPT", "-W1");
        let printed = succeed(&mut command);
        let names = r#"["OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME", "RUBYOPT"]"#;
        assert_eq!(printed, format!("agent\n\"-W1\"\n{names}\n0\n"));
        let theirs = span(&sink);
        assert_eq!(theirs["service"], "theirs");
        assert_eq!(theirs["resource"]["team"], "blue");
        assert_eq!(theirs["resource"]["user.key"], "theirs");
    }
}

#[test]
fn attributes_of_the_environment_need_none_in_the_configuration() {
    if !has("ruby") {
        skip!("no ruby");
    }
    let sink = Sink::start();
    let scene = Scene::new();
    scene.configure(&format!(
        "[ruby]\nagent_path = '{}'\n[environment]\nOTEL_EXPORTER_OTLP_ENDPOINT = '{}'\n\
         OTEL_SERVICE_NAME = 'ours'\n",
        agent().join("agent.rb").display(),
        sink.endpoint
    ));
    let mut command = ruby(&scene, &["-e", INSIDE]);
    command.env("OTEL_INJECTOR_SERVICE_NAME", "shop");
    command.env("OTEL_INJECTOR_RESOURCE_ATTRIBUTES", "team=blue");
    let names = r#"["OTEL_INJECTOR_RESOURCE_ATTRIBUTES", "OTEL_INJECTOR_SERVICE_NAME"]"#;
    assert_eq!(succeed(&mut command), format!("agent\nnil\n{names}\n0\n"));
    let span = span(&sink);
    assert_eq!(span["service"], "shop");
    assert_eq!(span["resource"]["team"], "blue");
}

#[test]
fn under_bundler_the_agent_is_loaded_once_and_bundlers_option_alone_is_passed_on() {
    if !has("bundle") {
        skip!("no bundle");
    }
    let sink = Sink::start();
    let scene = scene(&agent(), &sink);
    fs::write(scene.path("Gemfile"), "").unwrap();
    let inside = scene.path("inside.rb");
    fs::write(&inside, format!("#!/usr/bin/env ruby\n{INSIDE}")).unwrap();
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o755)).unwrap();
    // Ruby scripts run in Bundler's process, other programs in one of their own.
    for program in [&["exec", "./inside.rb"][..], &["exec", "ruby", "inside.rb"]] {
        let mut command = scene.command("bundle", "direct");
        command.args(program).current_dir(scene.folder.path());
        let printed = succeed(command.env("HOME", scene.folder.path()));
        let option = printed.lines().nth(1).unwrap_or_default();
        assert!(printed.starts_with("agent\n"), "{printed}");
        assert!(
            option.contains("bundler/setup") && !option.contains("boot.rb"),
            "{printed}"
        );
        assert!(printed.ends_with("\n0\n"), "{printed}");
    }
}

/// An application with a `logger` of its own, in a version that Ruby does not bring.
fn bring_a_logger(scene: &Scene) {
    let library = scene.path("logger/lib");
    fs::create_dir_all(&library).unwrap();
    fs::write(library.join("logger.rb"), "class Logger; OWN = 1; end").unwrap();
    let specification = "Gem::Specification.new { |s| s.name = 'logger'; s.version = '99.1'; \
                         s.summary = s.author = 'x'; s.files = ['lib/logger.rb'] }";
    fs::write(scene.path("logger/logger.gemspec"), specification).unwrap();
    fs::write(scene.path("Gemfile"), "gem 'logger', path: 'logger'").unwrap();
}

#[test]
fn an_application_may_want_another_version_of_a_gem_that_the_agent_has_loaded() {
    if !has("bundle") {
        skip!("no bundle");
    }
    let sink = Sink::start();
    let folder = Scene::new();
    let copy = copy_agent(&folder, "agent");
    let text = fs::read_to_string(copy.join("agent.rb")).unwrap();
    fs::write(copy.join("agent.rb"), format!("require 'logger'\n{text}")).unwrap();
    let scene = scene(&copy, &sink);
    bring_a_logger(&scene);
    let told = "puts defined?(TestAgent) ? 'agent' : 'none', Gem.loaded_specs['logger'].version";
    let inside = scene.path("inside.rb");
    let text = format!("#!/usr/bin/env ruby\nrequire 'bundler/setup'\nrequire 'logger'\n{told}");
    fs::write(&inside, text).unwrap();
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o755)).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let mut command = scene.command(program, "direct");
        command.args(arguments).current_dir(scene.folder.path());
        succeed(command.env("HOME", scene.folder.path()))
    };
    assert_eq!(run("ruby", &["inside.rb"]), "agent\n99.1\n");
    assert_eq!(run("bundle", &["exec", "./inside.rb"]), "agent\n99.1\n");
    assert_eq!(
        run("bundle", &["exec", "ruby", "inside.rb"]),
        "agent\n99.1\n"
    );
    // Here Bundler comes before the agent, which gets the application's.
    let own = "puts defined?(TestAgent), Logger::OWN";
    let printed = run("bundle", &["exec", "ruby", "-e", own]);
    assert_eq!(printed, "constant\n1\n");
}

#[test]
fn gems_that_the_agent_has_loaded_do_not_count_as_the_applications() {
    if !has("ruby") {
        skip!("no ruby");
    }
    let sink = Sink::start();
    let folder = Scene::new();
    let copy = copy_agent(&folder, "agent");
    let scene = scene(&copy, &sink);
    let text = "require 'net/http'\nrequire 'json'\nraise 'no' if ENV['FAIL']";
    fs::write(copy.join("agent.rb"), text).unwrap();
    let told = "p Gem.loaded_specs.keys, Gem::Specification.unresolved_deps.keys; \
                require 'json'; p JSON.parse('[1]'), Gem.loaded_specs.key?('json')";
    for fail in [None, Some("1")] {
        let mut command = ruby(&scene, &["-e", told]);
        command.envs(fail.map(|value| ("FAIL", value)));
        let with = succeed(&mut command);
        assert_eq!(with, succeed(command.env_remove("LD_PRELOAD")));
    }
    // Without RubyGems there are none.
    let told = "puts defined?(TestAgent) ? 'agent' : 'none'";
    fs::write(copy.join("agent.rb"), "TestAgent = 1").unwrap();
    let mut command = ruby(&scene, &["--disable=gems", "-e", told]);
    assert!(has_agent(&mut command));
}

#[test]
fn a_value_that_a_parent_passed_on_loads_the_agent_once() {
    if !has("ruby") {
        skip!("no ruby");
    }
    let sink = Sink::start();
    let scene = scene(&agent(), &sink);
    let option = format!("-r{}/boot/ruby/boot.rb", built().display());
    let script =
        "puts defined?(TestAgent) ? 'agent' : 'none', $LOADED_FEATURES.grep(/boot.rb/).size";
    let mut command = ruby(&scene, &["-e", script]);
    command.env("RUBYOPT", format!("{option} -W1 {option}"));
    assert_eq!(succeed(&mut command), "agent\n1\n");
    // Where nobody answers the boot file, it does nothing.
    command.env_remove("LD_PRELOAD");
    assert_eq!(succeed(&mut command), "none\n1\n");
}

#[test]
fn programs_end_and_print_as_without_us() {
    if !has("ruby") {
        skip!("no ruby");
    }
    let sink = Sink::start();
    let scene = scene(&agent(), &sink);
    let script = scene.path("hello.rb");
    fs::write(
        &script,
        "puts 'hello', __FILE__, $0, $!.inspect, caller.inspect\n",
    )
    .unwrap();
    let script = script.to_str().unwrap();
    for arguments in [
        &["-e", "puts 'hello', local_variables.inspect"][..],
        &[script],
        &["-w", script, "an argument"],
        &["-c", script],
        &["--version"],
        &["--disable=gems", script],
        &["-e", "exit 3"],
        &["-e", "exit!(4)"],
        &["-e", "abort 'over'"],
        &["-e", "raise 'no'"],
        &["-e", "Process.kill(:TERM, $$); sleep"],
        &["-e", "("],
        &["/missing.rb"],
        &["-ne", "print"],
        &[],
    ] {
        let run = |command: &mut Command| {
            let file = fs::File::open(script).unwrap();
            outcome(command.stdin(file).output().unwrap())
        };
        let plain = run(ruby(&scene, arguments).env_remove("LD_PRELOAD"));
        assert_eq!(run(&mut ruby(&scene, arguments)), plain, "{arguments:?}");
    }
}

#[test]
fn a_value_that_ruby_ignores_is_ignored_as_without_us() {
    if !has("ruby") {
        skip!("no ruby");
    }
    let sink = Sink::start();
    let scene = scene(&agent(), &sink);
    for value in [
        "foo", "\"-W0\"", "W0 -w", "w", "- -w", " x -W0", "-w foo", "-- -w", " -w",
    ] {
        let run = |command: &mut Command| outcome(command.env("RUBYOPT", value).output().unwrap());
        let command = || ruby(&scene, &["-e", "p $VERBOSE"]);
        let plain = run(command().env_remove("LD_PRELOAD"));
        assert_eq!(run(&mut command()), plain, "{value}");
    }
}

#[test]
fn an_agent_that_is_missing_or_fails_changes_nothing() {
    if !has("ruby") {
        skip!("no ruby");
    }
    let sink = Sink::start();
    let folder = Scene::new();
    let copy = copy_agent(&folder, "agent");
    let scene = scene(&copy, &sink);
    let run = || outcome(ruby(&scene, &["-e", INSIDE]).output().unwrap());
    let untouched = (Some(0), "none\nnil\n[]\n0\n".to_owned(), String::new());
    for text in [
        "raise 'no'",
        "raise Exception",
        "exit 5",
        "require 'not/there'",
        "(",
        "throw :nothing",
        "def deep = deep\ndeep",
    ] {
        fs::write(copy.join("agent.rb"), text).unwrap();
        assert_eq!(run(), untouched, "{text}");
    }
    fs::remove_file(copy.join("agent.rb")).unwrap();
    assert_eq!(run(), untouched);
}

#[test]
fn the_agents_floor_and_blanks_in_its_path_are_no_obstacle_to_the_application() {
    if !has("ruby") {
        skip!("no ruby");
    }
    let sink = Sink::start();
    let folder = Scene::new();
    let copy = copy_agent(&folder, "a folder: it's");
    let scene = Scene::new();
    scene.configure(&format!(
        "[ruby]\nagent_path = \"{}/agent.rb\"\n[environment]\n\
         OTEL_EXPORTER_OTLP_ENDPOINT = '{}'\n",
        copy.display(),
        sink.endpoint
    ));
    let loaded = || has_agent(&mut ruby(&scene, &["-W2", "-e", INSIDE]));
    assert!(loaded());
    let floor = copy.join("minimum_ruby_version");
    for (text, wanted) in [("99", false), ("2.10.1\n", true), ("0", true)] {
        fs::write(&floor, text).unwrap();
        assert_eq!(loaded(), wanted, "{text}");
    }
    fs::remove_file(&floor).unwrap();
    let minor = succeed(&mut ruby(
        &scene,
        &["-e", "puts RUBY_VERSION.split('.')[0, 2].join"],
    ));
    assert_eq!(loaded(), minor.trim().parse::<u32>().unwrap() >= 33);
}

#[test]
fn tools_are_left_alone_until_the_configuration_names_them() {
    let sink = Sink::start();
    let scene = scene(&agent(), &sink);
    for tool in ["gem", "rake", "bundle"] {
        if !has(tool) {
            println!("skipped: {tool}, which is absent");
            continue;
        }
        let said = |scene: &Scene| {
            let mut command = scene.command(tool, "direct");
            command.arg("--version").env("HOME", scene.folder.path());
            let output = command
                .env("OPENTELEMETRY_INJECTOR_DEBUG", "true")
                .output()
                .unwrap();
            assert!(output.status.success(), "{tool}");
            stderr(&output)
        };
        let reason = format!("RUBYOPT stays as it was: {tool} is left alone");
        assert!(said(&scene).contains(&reason), "{}", said(&scene));
        let configuration = fs::read_to_string(&scene.configuration).unwrap();
        let named = format!("{configuration}[processes]\ninclude_arguments = [\"*{tool}*\"]\n");
        let lifted = Scene::new();
        lifted.configure(&named);
        assert!(said(&lifted).contains("RUBYOPT is now -r"), "{tool}");
    }
}

#[test]
fn agents_of_others_stay_alone() {
    if !has("ruby") {
        skip!("no ruby");
    }
    let sink = Sink::start();
    let scene = scene(&agent(), &sink);
    fs::write(scene.path("ddtrace.rb"), "").unwrap();
    let library = format!("-I{}", scene.folder.path().display());
    let mut command = ruby(&scene, &[&library, "-e", INSIDE]);
    assert!(!has_agent(command.env("RUBYOPT", "-rddtrace")));
    assert!(!has_agent(&mut ruby(
        &scene,
        &[&library, "-rddtrace", "-e", INSIDE]
    )));
    let configuration = fs::read_to_string(&scene.configuration).unwrap();
    let both = configuration.replace("[environment]", "allow_other_agents = true\n[environment]");
    scene.configure(&both);
    assert!(has_agent(&mut command));
}

#[test]
fn ruby_may_be_told_not_to_look() {
    if !has("ruby") {
        skip!("no ruby");
    }
    let sink = Sink::start();
    let scene = scene(&agent(), &sink);
    assert!(!has_agent(&mut ruby(
        &scene,
        &["--disable=rubyopt", "-e", INSIDE]
    )));
    let mut killed = ruby(&scene, &["-e", INSIDE]);
    assert!(!has_agent(
        killed.env("OPENTELEMETRY_INJECTOR_DISABLED", "1")
    ));
}
