//! Real Ruby with a small agent (agents/ruby), which sends one span when it is loaded.

use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::command::write_file;
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
    write_file(&inside, format!("#!/usr/bin/env ruby\n{INSIDE}"));
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
    write_file(&inside, text);
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
        let name = match tool {
            "rake" => "a task of Rake",
            _ => "a package manager",
        };
        let reason = format!("RUBYOPT stays as it was: {name} is left alone");
        assert!(said(&scene).contains(&reason), "{}", said(&scene));
        let configuration = fs::read_to_string(&scene.configuration).unwrap();
        let named = format!("{configuration}[processes]\ninclude_arguments = [\"*{tool}*\"]\n");
        let lifted = Scene::new();
        lifted.configure(&named);
        assert!(said(&lifted).contains("RUBYOPT is now -r"), "{tool}");
    }
}

/// What the debug log says of the variable.
fn decision(command: &mut Command) -> String {
    let output = command.env("OPENTELEMETRY_INJECTOR_DEBUG", "true").output();
    let errors = stderr(&output.unwrap());
    let mut lines = errors.lines();
    let told = lines.find(|line| line.contains("RUBYOPT stays") || line.contains("RUBYOPT is now"));
    told.unwrap_or_else(|| panic!("nothing told: {errors}"))
        .to_owned()
}

#[test]
fn programs_in_ruby_are_told_apart() {
    let sink = Sink::start();
    let scene = scene(&agent(), &sink);
    let tools = [
        "irb",
        "erb",
        "ri",
        "rdoc",
        "rubocop",
        "rspec",
        "puppet",
        "facter",
        "pumactl",
        "vagrant",
        "passenger-config",
        "apt-listbugs",
    ];
    let servers = ["puma", "unicorn", "rackup", "sidekiq"];
    for (program, is_tool) in tools
        .map(|tool| (tool, true))
        .into_iter()
        .chain(servers.map(|server| (server, false)))
    {
        if !has(program) {
            println!("skipped: {program}, which is absent");
            continue;
        }
        let mut command = scene.command(program, "direct");
        // A server that is only asked for its version is left alone, too.
        command.arg(if is_tool { "--version" } else { "--unheard-of" });
        let told = decision(command.env("HOME", scene.folder.path()));
        assert_eq!(told.contains("is left alone"), is_tool, "{program}: {told}");
    }
    // Rails' own script is often started by its path.
    fs::create_dir(scene.path("bin")).unwrap();
    let rails = scene.path("bin/rails");
    fs::write(&rails, "puts defined?(TestAgent) ? 'agent' : 'none'").unwrap();
    let rails = rails.to_str().unwrap();
    for (arguments, wanted) in [
        (&["server", "-p", "0"][..], true),
        (&["s"], true),
        (&["solid_queue:start"], true),
        (&["runner", "1"], false),
        (&["console"], false),
        (&["db:migrate"], false),
        (&["test"], false),
        (&[], false),
    ] {
        let mut command = ruby(&scene, &[rails]);
        assert_eq!(has_agent(command.args(arguments)), wanted, "{arguments:?}");
    }
}

/// Command lines of Ruby with every kind of option; `SCRIPT` stands for a script's path.
fn command_lines() -> Vec<Vec<&'static str>> {
    let options: &[&[&str]] = &[
        &[],
        &["-a"],
        &["-w"],
        &["-W1"],
        &["-W:no-deprecated"],
        &["-v"],
        &["--verbose"],
        &["-d"],
        &["-c"],
        &["-wc"],
        &["-h"],
        &["--help"],
        &["--version"],
        &["--copyright"],
        &["-y"],
        &["--yydebug"],
        &["--dump=insns"],
        &["--dump", "insns"],
        &["--dump=yydebug"],
        &["-s"],
        &["-l"],
        &["-Ku"],
        &["-U"],
        &["-E", "UTF-8"],
        &["-EUTF-8"],
        &["--encoding", "utf-8"],
        &["--external-encoding=utf-8"],
        &["-I", "/c"],
        &["-I/c"],
        &["-r", "set"],
        &["-rset"],
        &["-wrset"],
        &["-C", "/"],
        &["-C/"],
        &["-F:"],
        &["-0"],
        &["-x/"],
        &["--disable=gems"],
        &["--disable", "gems"],
        &["--disable-gems"],
        &["--disable=rubyopt"],
        &["--disable", "rubyopt"],
        &["--disable=all"],
        &["--disable=all", "--enable=rubyopt"],
        &["--enable=rubyopt"],
        &["--enable", "frozen-string-literal"],
        &["--jit"],
        &["--"],
        &["--no-such-option"],
    ];
    let programs: &[&[&str]] = &[&["SCRIPT"], &["-e", "puts 'ran'"], &[]];
    let pairs = options
        .iter()
        .flat_map(|option| programs.iter().map(move |p| [*option, *p].concat()));
    pairs.collect()
}

#[test]
fn the_agent_is_loaded_where_a_program_runs_and_the_decision_says_so() {
    if !has("ruby") {
        skip!("no ruby");
    }
    let sink = Sink::start();
    let folder = Scene::new();
    let copy = copy_agent(&folder, "agent");
    fs::write(copy.join("agent.rb"), "STDERR.puts 'loaded'").unwrap();
    let scene = scene(&copy, &sink);
    let script = scene.path("script.rb");
    fs::write(&script, "#!ruby\nputs 'ran'\n").unwrap();
    let script = script.to_str().unwrap();
    for line in command_lines() {
        let named = |word: &&'static str| if *word == "SCRIPT" { script } else { *word };
        let arguments: Vec<&str> = line.iter().map(named).collect();
        let mut command = ruby(&scene, &arguments);
        let output = command
            .env("OPENTELEMETRY_INJECTOR_DEBUG", "true")
            .output()
            .unwrap();
        let (printed, told) = (stdout(&output), stderr(&output));
        let loaded = told.lines().any(|line| line == "loaded");
        let is_decided = told.contains("RUBYOPT is now");
        if output.status.success() {
            assert_eq!(loaded, is_decided, "{line:?}: {told}");
        } else {
            // Ruby ends before it loads anything where it finds no script.
            assert!(is_decided || !loaded, "{line:?}: {told}");
        }
        // Ruby does not even ask then.
        let asks = told.contains("RUBYOPT was");
        if printed.contains("ran\n") && asks {
            assert!(loaded, "{line:?}: {told}");
        }
    }
}

#[test]
fn an_agent_is_silent_on_the_applications_output() {
    if !has("ruby") {
        skip!("no ruby");
    }
    let sink = Sink::start();
    let folder = Scene::new();
    let copy = copy_agent(&folder, "agent");
    // As the official API: its logger is made of `$stdout` when it is first asked for.
    let text = "puts 'loading'; $stdout.print 1; $stdout << 2; p 3; $stdout.flush\n\
                require 'logger'\nmodule OpenTelemetry\n  def self.logger\n    \
                @logger ||= Logger.new($stdout)\n  end\nend\n";
    fs::write(copy.join("agent.rb"), text).unwrap();
    let scene = scene(&copy, &sink);
    let code =
        "puts defined?(OpenTelemetry) ? 'agent' : 'none'; OpenTelemetry.logger.error('trouble')";
    let mut command = ruby(&scene, &["-e", code]);
    let told = outcome(command.output().unwrap());
    assert_eq!(told, (Some(0), "agent\n".into(), String::new()));
    let told = outcome(command.env("OTEL_LOG_LEVEL", "info").output().unwrap());
    assert_eq!((told.0, told.1), (Some(0), "agent\n".into()));
    assert!(
        told.2.starts_with("loading\n12") && told.2.contains("trouble"),
        "{}",
        told.2
    );
}

#[test]
fn no_program_waits_for_a_collector_at_its_end() {
    if !has("ruby") {
        skip!("no ruby");
    }
    let sink = Sink::start();
    let folder = Scene::new();
    let copy = copy_agent(&folder, "agent");
    // As the official SDK: it waits as long as it may.
    let text = "class Provider\n  def shutdown(timeout: nil)\n    \
                STDERR.puts 'has ' + (timeout || 600).ceil.to_s\n    sleep(timeout || 600)\n  end\n\
                alias force_flush shutdown\nend\nmodule OpenTelemetry\n  PROVIDER = Provider.new\n  \
                def self.tracer_provider; PROVIDER; end\n  def self.meter_provider; PROVIDER; end\nend\n\
                at_exit { OpenTelemetry.tracer_provider.force_flush; \
                OpenTelemetry.meter_provider.shutdown(timeout: 30) }\n";
    fs::write(copy.join("agent.rb"), text).unwrap();
    let scene = scene(&copy, &sink);
    let mut command = ruby(&scene, &["-e", "puts defined?(Provider); exit 3"]);
    let told = outcome(command.output().unwrap());
    assert_eq!(
        told,
        (Some(3), "constant\n".into(), "has 1\nhas 0\n".into())
    );
}

#[test]
fn an_application_with_an_sdk_of_its_own_keeps_it() {
    if !has("ruby") {
        skip!("no ruby");
    }
    let sink = Sink::start();
    let scene = scene(&agent(), &sink);
    fs::write(scene.path("Gemfile"), "").unwrap();
    let lock = |gem: &str| {
        fs::write(
            scene.path("Gemfile.lock"),
            format!("GEM\n  specs:\n    {gem} (1.0)\n"),
        )
    };
    let mut command = ruby(&scene, &["-e", INSIDE]);
    command.current_dir(scene.folder.path());
    lock("opentelemetry-api").unwrap();
    assert!(has_agent(&mut command));
    lock("opentelemetry-sdk").unwrap();
    assert!(!has_agent(&mut command));
    let mut below = ruby(&scene, &["-e", INSIDE]);
    fs::create_dir(scene.path("below")).unwrap();
    assert!(!has_agent(below.current_dir(scene.path("below"))));
    let configuration = fs::read_to_string(&scene.configuration).unwrap();
    let both = configuration.replace("[environment]", "allow_own_sdk = true\n[environment]");
    scene.configure(&both);
    assert!(has_agent(&mut command));
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
