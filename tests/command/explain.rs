//! `opentelemetry-injector explain` on real processes.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;
use support::command::write_file;
use support::explain::{
    Running, Waiting, command, json, of_process, parsed, step, stops, text_of_process, values,
    waiting_program,
};
use support::{
    Scene, engines, has, is_root, object, skip, stderr, stdout, succeed, until, with_own_mounts,
};

/// Asked by a boot file when the runtime has read its own variables.
const STARTED: &str = "OPENTELEMETRY_INJECTOR_BOOT_STARTED";

const NAME: &str = "JAVA_TOOL_OPTIONS";

/// The settings that the scenes configure.
const SETTINGS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_RESOURCE_ATTRIBUTES"];

/// A stand-in for a JVM that has asked for its variable, in a scene.
fn stand_in(scene: &Scene, change: impl Fn(&mut Command)) -> Waiting {
    let mut command = scene.command(waiting_program(scene, "java"), "direct");
    change(&mut command);
    Waiting::start(command.arg(NAME))
}

/// A process's start is counted in hundredths of a second: what changes at once is not later.
fn later() {
    thread::sleep(Duration::from_millis(100));
}

/// Waits until a process has loaded a library.
fn wait_for_mapping(process: u32, library: &str) {
    until(library, || {
        let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap_or_default();
        maps.contains(library).then_some(())
    });
}

/// Whether the one decisive step has this name and these words.
#[track_caller]
fn assert_stopped(process: u32, name: &str, words: &str) {
    let (explanation, code) = of_process(process);
    assert_eq!(stops(&explanation), [name], "{explanation:#}");
    let what = step(&explanation, name)["what"].as_str().unwrap();
    assert!(what.contains(words), "{words:?} is not in {what:?}");
    assert_eq!(
        (explanation["verdict"].as_str(), code),
        (Some("not_injected"), 1)
    );
}

#[test]
fn what_is_explained_is_what_the_process_gets() {
    let scene = Scene::new();
    let agents = scene.path("agents");
    let agent_files = [
        "agent.jar",
        "agent.rb",
        "minimum_ruby_version",
        "autoload.php",
        "node_modules/@opentelemetry/auto-instrumentations-node/build/src/register.js",
        "opentelemetry/instrumentation/auto_instrumentation/__init__.py",
        "opentelemetry/ebin/opentelemetry.app",
    ];
    for name in agent_files {
        let path = agents.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "2.7").unwrap();
    }
    let (folder, all) = (agents.display(), "enabled = true\n");
    let configuration = format!(
        "[jvm]\nagent_path = '{folder}/agent.jar'\n[ruby]\nagent_path = '{folder}/agent.rb'\n\
         [nodejs]\nagent_path = '{folder}'\n[python]\nagent_path = '{folder}'\n\
         [php]\nagent_path = '{folder}'\n[erlang]\nagent_path = '{folder}'\n\
         [environment]\n{} = 'http://collector:4318'\n[resource_attributes]\nteam = 'shop'\n",
        SETTINGS[0]
    );
    let runtimes = [
        ("java", NAME),
        ("node", "NODE_OPTIONS"),
        ("python3", "PYTHONPATH"),
        ("ruby", "RUBYOPT"),
        ("php", "PHP_INI_SCAN_DIR"),
        ("erlexec", "ERL_AFLAGS"),
    ];
    let wrong = "enabled = 1\n";
    let excluded = "processes.exclude = ['p*', 'java', 'node']\n";
    let by_argument = "processes.exclude_arguments = ['ERL_*', 'RUBY*']\n";
    let scenes: [(&str, &[(&str, &str)]); 10] = [
        (all, &[]),
        (all, &[("OTEL_INJECTOR_DISABLED", "1")]),
        (
            all,
            &[("OTEL_INJECTOR_DISABLED", "0"), (SETTINGS[0], "theirs")],
        ),
        (
            all,
            &[
                (SETTINGS[1], "team=other,a=b"),
                (NAME, "-Xmx1g"),
                ("RUBYOPT", "-w"),
            ],
        ),
        (
            all,
            &[
                (NAME, "-Da='b"),
                ("NODE_OPTIONS", "--max-http-header-size=1"),
            ],
        ),
        (
            all,
            &[
                (NAME, "-javaagent:/x/dd-java-agent.jar"),
                ("PYTHONPATH", "/a/ddtrace/bootstrap"),
            ],
        ),
        ("enabled = false\n", &[]),
        (wrong, &[]),
        (excluded, &[]),
        (by_argument, &[]),
    ];
    let mut injected = 0;
    for (program, variable) in runtimes {
        let path = waiting_program(&scene, program);
        for (first_line, environment) in scenes {
            scene.configure(&format!("{first_line}{configuration}"));
            let names = [&[variable], &SETTINGS[..]].concat();
            // Node.js is told settings once its boot file runs.
            let started: &[&str] = if program == "node" { &[STARTED] } else { &[] };
            let asked = [&[variable], started, &SETTINGS].concat();
            let mut start = scene.command(&path, "direct");
            start.args(&asked).envs(environment.iter().copied());
            let process = Waiting::start(&mut start);
            let (live, live_code) = of_process(process.id());

            let variables: Vec<_> = start
                .get_envs()
                .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
                .collect();
            let words = [
                &["explain", "--json", "--", path.to_str().unwrap()],
                &asked[..],
            ];
            let output = command(&words.concat())
                .env_clear()
                .envs(variables)
                .output();
            let (prospect, code) = parsed(&output.unwrap());

            let scene = format!("{program} {first_line} {environment:?}\n{live:#}");
            assert_eq!(code, live_code, "{scene}\n{prospect:#}");
            let original = |name: &str| {
                let mut set = environment.iter().filter(|(set, _)| *set == name);
                set.next().map_or("(null)", |(_, value)| *value).to_owned()
            };
            for explanation in [&live, &prospect] {
                let told = values(explanation);
                for name in &names {
                    let wanted = told.get(*name).cloned().unwrap_or_else(|| original(name));
                    assert_eq!(process.answers[*name], wanted, "{name}: {scene}");
                }
            }
            let changed = process.answers[variable] != original(variable);
            assert_eq!(code == 0, changed, "{scene}");
            injected += usize::from(changed);
        }
    }
    // Neither all nor nothing.
    assert!(injected > 15 && injected < 40, "{injected}");
}

#[test]
fn live_runtimes_are_told_injected_or_not() {
    let scene = Scene::new();
    let node = "node_modules/@opentelemetry/auto-instrumentations-node/build/src/register.js";
    let python = "opentelemetry/instrumentation/auto_instrumentation/__init__.py";
    // Python's boot file looks for the version that the packages need.
    let metadata = "opentelemetry_instrumentation-0.60.dist-info/METADATA";
    for name in [node, python, metadata] {
        let path = scene.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "Requires-Python: >=3.8\n").unwrap();
    }
    let folder = scene.folder.path().display();
    scene.configure(&format!(
        "nodejs.agent_path = '{folder}'\npython.agent_path = '{folder}'\n"
    ));
    for (program, variable, arguments) in [
        (
            "/usr/bin/node",
            "NODE_OPTIONS",
            ["-e", "setTimeout(() => {}, 60000)"],
        ),
        ("/usr/bin/python3", "PYTHONPATH", ["-c", "input()"]),
    ] {
        let Ok(path) = fs::canonicalize(program) else {
            println!("skipped: {program}, which is not installed");
            continue;
        };
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let with = Running::start(scene.command(program, "direct").args(arguments), &name);
        let without = Running::start(Command::new(program).args(arguments), &name);
        // The loader comes before anything else.
        for process in [&with, &without] {
            wait_for_mapping(process.id(), "libc.so.6");
        }
        let (explanation, code) = until("hook", || {
            let (explanation, code) = of_process(with.id());
            (explanation["process"]["hooked"] == true).then_some((explanation, code))
        });
        assert_eq!(code, 0, "{explanation:#}");
        assert_eq!(explanation["verdict"], "injected");
        assert_eq!(explanation["process"]["hooked"], true);
        assert_eq!(explanation["object"]["path"], object().to_str().unwrap());
        assert_eq!(explanation["object"]["version"], env!("CARGO_PKG_VERSION"));
        assert!(values(&explanation).contains_key(variable));

        let (explanation, code) = of_process(without.id());
        assert_eq!(code, 1, "{explanation:#}");
        assert_eq!(stops(&explanation)[0], "loaded");
        assert_eq!(explanation["object"], serde_json::Value::Null);
    }
}

#[test]
fn a_live_jvm_is_told_with_its_library() {
    if !has("java") || !has("javac") {
        skip!("a JVM needs java and javac");
    }
    let scene = Scene::new();
    // An agent that a JVM can load: it does nothing.
    let source = "public class Empty { public static void premain(String a) {}\n\
                  public static void main(String[] a) throws Exception { System.in.read(); } }";
    fs::write(scene.path("Empty.java"), source).unwrap();
    fs::write(scene.path("manifest"), "Premain-Class: Empty\n").unwrap();
    let folder = scene.folder.path();
    succeed(Command::new("javac").arg("Empty.java").current_dir(folder));
    let jar = ["cfm", "agent.jar", "manifest", "Empty.class"];
    succeed(Command::new("jar").args(jar).current_dir(folder));
    let mut start = scene.command("java", "direct");
    start
        .args(["-cp", "agent.jar", "Empty"])
        .current_dir(folder);
    let process = Running::start(&mut start, "java");
    wait_for_mapping(process.id(), "libjvm.so");
    let (explanation, code) = of_process(process.id());
    assert_eq!(code, 0, "{explanation:#}");
    assert_eq!(values(&explanation)[NAME], scene.injected());
    assert_eq!(explanation["runtime"], "jvm");
    let told = stdout(&command(&["ps", "--json"]).output().unwrap());
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let mut processes = told["processes"].as_array().unwrap().iter();
    let told = processes.find(|told| told["process"]["pid"] == process.id());
    assert_eq!(told.unwrap()["verdict"], "injected");
}

/// Files by which an agent counts as there, in a scene: its folder.
fn agents_of_scripts(scene: &Scene) -> String {
    for name in [
        "node_modules/@opentelemetry/auto-instrumentations-node/build/src/register.js",
        "opentelemetry/instrumentation/auto_instrumentation/__init__.py",
        "agent.rb",
        "autoload.php",
    ] {
        let path = scene.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let agent = "opentelemetry/instrumentation/auto_instrumentation";
    let initialize = "def initialize(*a, **k): pass\n";
    fs::write(scene.path(&format!("{agent}/__init__.py")), initialize).unwrap();
    let load = "def entry_points(**_): return ()\ndef _load_distro(): return None\n";
    fs::write(scene.path(&format!("{agent}/_load.py")), load).unwrap();
    fs::write(scene.path("minimum_ruby_version"), "2.7").unwrap();
    let metadata = "opentelemetry_instrumentation-0.60.dist-info";
    fs::create_dir(scene.path(metadata)).unwrap();
    let metadata = scene.path(&format!("{metadata}/METADATA"));
    fs::write(metadata, "Requires-Python: >=3.8\n").unwrap();
    let folder = scene.folder.path().display();
    format!(
        "python.agent_path = '{folder}'\nruby.agent_path = '{folder}/agent.rb'\n\
         php.agent_path = '{folder}'\nnodejs.agent_path = '{folder}'\n"
    )
}

/// What is told of a command, and whether it really got this variable from the preload object.
fn told_and_given(scene: &Scene, words: &[&str], variable: &str) -> (serde_json::Value, bool) {
    let mut ask = command(&[&["explain", "--json", "--"], words].concat());
    ask.env("LD_PRELOAD", object());
    ask.env("OPENTELEMETRY_INJECTOR_CONFIGURATION", &scene.configuration);
    let (told, _) = parsed(&ask.output().unwrap());
    let mut start = scene.command(words[0], "direct");
    start.args(&words[1..]).env("PATH", "/usr/bin:/bin");
    start.env("OPENTELEMETRY_INJECTOR_DEBUG", "true");
    let output = start.stdin(std::process::Stdio::null()).output().unwrap();
    let given = stderr(&output).contains(&format!("{variable} is now "));
    (told, given)
}

#[test]
fn a_runtime_by_another_name_is_recognised_by_its_content() {
    let scene = Scene::new();
    let agents = agents_of_scripts(&scene);
    for (program, variable, runtime, code) in [
        ("/usr/bin/python3", "PYTHONPATH", "python", "-c"),
        ("/usr/bin/ruby", "RUBYOPT", "ruby", "-e"),
        ("/usr/bin/php", "PHP_INI_SCAN_DIR", "php", "-f"),
        ("/usr/bin/node", "NODE_OPTIONS", "nodejs", "-e"),
    ] {
        if !Path::new(program).exists() {
            println!("skipped: {program}, which is not installed");
            continue;
        }
        let worker = scene.path("worker");
        succeed(Command::new("cp").args(["-L", program]).arg(&worker));
        let words = [worker.to_str().unwrap(), code, "1"];
        scene.configure(&agents);
        let (told, given) = told_and_given(&scene, &words, variable);
        assert_eq!(told["runtime"], runtime, "{told:#}");
        assert!(given, "{told:#}");
        assert_eq!(told["verdict"], "would_be_injected", "{told:#}");
    }
    let other = fs::canonicalize("/bin/true").unwrap();
    let (told, given) = told_and_given(&scene, &[other.to_str().unwrap()], "PYTHONPATH");
    assert_eq!((&told["runtime"], given), (&serde_json::Value::Null, false));
}

#[test]
fn options_that_keep_a_runtime_from_asking_are_told() {
    let scene = Scene::new();
    scene.configure(&agents_of_scripts(&scene));
    let python = ["", "-I", "-E", "-bI", "-S", "-s", "-B"];
    let ruby = [
        "",
        "--disable=rubyopt",
        "--disable-rubyopt",
        "--disable=all",
        "--disable-all",
        "--disable=gems",
    ];
    for (program, variable, code, options) in [
        ("/usr/bin/python3", "PYTHONPATH", "-c", &python[..]),
        ("/usr/bin/ruby", "RUBYOPT", "-e", &ruby),
    ] {
        if !Path::new(program).exists() {
            println!("skipped: {program}, which is not installed");
            continue;
        }
        let mut injected = Vec::new();
        for option in options {
            let mut words = vec![program, option, code, "1"];
            words.retain(|word| !word.is_empty());
            let (told, given) = told_and_given(&scene, &words, variable);
            assert_eq!(told["verdict"] == "would_be_injected", given, "{told:#}");
            if !given {
                assert_eq!(stops(&told), ["command line"], "{told:#}");
                let next = told["next"][0].as_str().unwrap();
                assert!(next.starts_with("start it without -"), "{next}");
            }
            injected.push(given);
        }
        // Neither all nor nothing.
        assert!(injected[0] && !injected[1] && *injected.last().unwrap());
    }
}

#[test]
fn a_live_python_by_another_name_is_told_and_listed() {
    if !Path::new("/usr/bin/python3").exists() {
        skip!("/usr/bin/python3 is not installed");
    }
    let scene = Scene::new();
    scene.configure(&agents_of_scripts(&scene));
    let worker = scene.path("worker");
    succeed(
        Command::new("cp")
            .args(["-L", "/usr/bin/python3"])
            .arg(&worker),
    );
    let mut start = scene.command(&worker, "direct");
    let process = Running::start(start.args(["-c", "input()"]), "worker");
    later();
    let (explanation, code) = of_process(process.id());
    assert_eq!(code, 0, "{explanation:#}");
    assert_eq!(explanation["runtime"], "python");
    let told = stdout(&command(&["ps", "--json"]).output().unwrap());
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let mut processes = told["processes"].as_array().unwrap().iter();
    let told = processes.find(|told| told["process"]["pid"] == process.id());
    assert_eq!(told.unwrap()["verdict"], "injected");
}

#[test]
fn an_agent_that_the_user_has_given_is_not_told_as_injected() {
    let scene = Scene::new();
    let own = format!("-javaagent:{}", scene.agent);
    let process = stand_in(&scene, |command| {
        command.env(NAME, &own);
    });
    assert_eq!(process.answers[NAME], own);
    let (explanation, code) = of_process(process.id());
    let told = (explanation["verdict"].as_str(), code);
    assert_eq!(told, (Some("has_agent_already"), 0), "{explanation:#}");
    assert!(values(&explanation).is_empty(), "{explanation:#}");
    let (text, _) = text_of_process(process.id());
    let verdict = "\nNothing to inject: the value already loads the agent\n";
    assert!(text.contains(verdict), "{text}");
}

#[test]
fn the_decisive_step_is_named_with_its_place() {
    let scene = Scene::new();
    let agent = format!("[jvm]\nagent_path = \"{}\"\n", scene.agent);
    let is_in = |process: &Waiting, name: &str, words: &str| {
        assert_stopped(process.id(), name, words);
    };
    is_in(
        &stand_in(&scene, |command| {
            command.env("OPENTELEMETRY_INJECTOR_DISABLED", "true");
        }),
        "kill switch",
        "OPENTELEMETRY_INJECTOR_DISABLED is set",
    );
    is_in(
        &stand_in(&scene, |command| {
            command.arg("-javaagent:/nr/newrelic.jar");
        }),
        "other agents",
        "the agent of New Relic is already on the command line",
    );

    fs::create_dir(scene.path("conf.d")).unwrap();
    let drop_in = scene.path("conf.d/50-shop.toml");
    fs::write(
        &drop_in,
        "[processes]\nexclude = [\n  \"node\",\n  \"ja*\",\n]\n",
    )
    .unwrap();
    let process = stand_in(&scene, |_| {});
    is_in(
        &process,
        "processes",
        "the pattern \"ja*\" in processes.exclude matches",
    );
    let (explanation, _) = of_process(process.id());
    let place = &step(&explanation, "processes")["place"];
    assert_eq!(place["file"], drop_in.to_str().unwrap());
    assert_eq!(
        (place["line"].as_u64(), place["column"].as_u64()),
        (Some(4), Some(3))
    );
    let (text, code) = text_of_process(process.id());
    assert_eq!(code, 1);
    let wanted = format!(
        "remove the pattern from processes.exclude ({}:4:3)",
        drop_in.display()
    );
    assert!(text.contains(&wanted), "{text}");
    let decisive = "Not injected: the pattern \"ja*\" in processes.exclude matches\n";
    assert!(text.contains(decisive), "{text}");
    fs::remove_file(drop_in).unwrap();

    scene.configure(&format!("{agent}enabled = 'yes'\n"));
    is_in(
        &stand_in(&scene, |_| {}),
        "configuration",
        "configuration.toml:3:11: `jvm.enabled` takes true or false, not a string",
    );
    scene.configure(&format!("{agent}enabled = false\n"));
    is_in(&stand_in(&scene, |_| {}), "agent", "jvm.enabled = false");
    scene.configure("");
    is_in(&stand_in(&scene, |_| {}), "agent", "no agent_path");
    scene.configure(&agent);
    fs::remove_file(&scene.agent).unwrap();
    is_in(
        &stand_in(&scene, |_| {}),
        "agent",
        "missing or not readable",
    );
}

#[test]
fn the_engine_that_is_in_place_is_told() {
    let scene = Scene::new();
    let program = waiting_program(&scene, "java");
    for engine in engines() {
        let process = Waiting::start(scene.command(&program, engine).arg(NAME));
        let (explanation, code) = of_process(process.id());
        let what = step(&explanation, "engine")["what"].as_str().unwrap();
        assert_eq!(what, format!("{engine}: libc's getenv is hooked"));
        assert_eq!(code, 0);
    }
    // Where Gum alone is wanted and is not installed, nothing is injected.
    let alone = scene.path("libopentelemetry_injector.so");
    succeed(Command::new("cp").args([&object(), &alone]));
    let mut ask = command(&["explain", "--json", "--", program.to_str().unwrap()]);
    ask.env("LD_PRELOAD", &alone)
        .env("OPENTELEMETRY_INJECTOR_ENGINE", "gum");
    ask.env("OPENTELEMETRY_INJECTOR_CONFIGURATION", &scene.configuration);
    let (explanation, code) = parsed(&ask.output().unwrap());
    assert_eq!((stops(&explanation), code), (vec!["engine"], 1));
    let mut start = scene.command(&program, "gum");
    let process = Waiting::start(start.env("LD_PRELOAD", &alone).arg(NAME));
    assert_eq!(process.answers[NAME], "(null)");
}

#[test]
fn what_changed_since_the_start_is_told() {
    let scene = Scene::new();
    let process = stand_in(&scene, |_| {});
    let (explanation, code) = of_process(process.id());
    let none: [&str; 0] = [];
    assert_eq!(
        (&explanation["changed_since_start"], code),
        (&serde_json::json!(none), 0)
    );

    later();
    let text = fs::read_to_string(&scene.configuration).unwrap();
    scene.configure(&format!("{text}# a comment\n"));
    let (explanation, code) = of_process(process.id());
    let change = format!("{} changed", scene.configuration.display());
    assert_eq!(
        (&explanation["changed_since_start"], code),
        (&serde_json::json!([change]), 0)
    );
    let (text, _) = text_of_process(process.id());
    assert!(
        text.contains("\nInjected: restart required to use what changed\n"),
        "{text}"
    );

    // It has its agent already: what a later file says cannot be what it was decided by.
    scene.configure("enabled = false\n");
    let (explanation, code) = of_process(process.id());
    assert_eq!(
        (explanation["verdict"].as_str(), code),
        (Some("injected"), 0)
    );

    // The other way round: it was left alone, and would not be now.
    let process = stand_in(&scene, |_| {});
    later();
    scene.configure(&format!("[jvm]\nagent_path = '{}'\n", scene.agent));
    let (explanation, code) = of_process(process.id());
    assert_eq!(stops(&explanation), ["engine"]);
    assert_eq!(
        (&explanation["would_be_injected_after_restart"], code),
        (&true.into(), 1)
    );

    let process = stand_in(&scene, |_| {});
    later();
    fs::write(&scene.agent, "another version").unwrap();
    let (explanation, _) = of_process(process.id());
    let change = format!("{} changed", scene.agent);
    assert_eq!(
        explanation["changed_since_start"],
        serde_json::json!([change])
    );

    // What it has loaded it may still have.
    fs::remove_file(&scene.agent).unwrap();
    let (explanation, code) = of_process(process.id());
    let change = format!("{} is missing, and its folder changed", scene.agent);
    assert_eq!(
        explanation["changed_since_start"],
        serde_json::json!([change])
    );
    let told = (explanation["verdict"].as_str(), code);
    assert_eq!(told, (Some("injected"), 0), "{explanation:#}");
}

#[test]
fn a_boot_file_that_has_given_up_is_told_with_its_reason() {
    let scene = Scene::new();
    for (code, reason, help) in [
        (
            "OWN_SDK",
            "an OpenTelemetry SDK of its own",
            "allow_own_sdk = true under [jvm]",
        ),
        (
            "VERSION",
            "does not support this version",
            "install the agent for this version",
        ),
        (
            "CONFLICT",
            "does not go together with the agent",
            "docs/runtimes/jvm.md",
        ),
        (
            "FAILED",
            "could not be loaded",
            "OPENTELEMETRY_INJECTOR_DEBUG=true",
        ),
        ("CLOSED", "may not be opened here", "open_basedir"),
    ] {
        let word = format!("OPENTELEMETRY_INJECTOR_BOOT_STOOD_DOWN_{code}");
        let process = stand_in(&scene, |command| {
            command.args([NAME, &word]);
        });
        let (explanation, exit) = of_process(process.id());
        assert_eq!((stops(&explanation), exit), (vec!["activation"], 1));
        assert_eq!(explanation["verdict"], "not_injected");
        assert_eq!(explanation["process"]["stood_down"], code);
        assert_eq!(explanation["would_be_injected_after_restart"], false);
        let told = explanation["reason"].as_str().unwrap();
        assert!(
            told.starts_with("the boot file stood down: ") && told.contains(reason),
            "{told}"
        );
        let (text, _) = text_of_process(process.id());
        assert!(
            text.contains(&format!("\nNot injected: {told}\n")),
            "{text}"
        );
        assert!(text.contains(help), "{text}");
        // What a later file says does not change what it is.
        scene.configure("enabled = false\n");
        let (explanation, _) = of_process(process.id());
        assert_eq!(explanation["reason"], told);
        scene.configure(&format!("[jvm]\nagent_path = '{}'\n", scene.agent));
    }
}

#[test]
fn a_process_that_has_not_asked_is_not_told_as_injected() {
    let scene = Scene::new();
    let program = waiting_program(&scene, "java");
    let process = Waiting::start(scene.command(&program, "direct").arg("HOME"));
    let (explanation, code) = of_process(process.id());
    assert_eq!((stops(&explanation), code), (vec!["activation"], 1));
    let wanted = format!("it has not asked for {NAME} so far");
    assert_eq!(explanation["reason"], wanted.as_str());
}

#[test]
fn values_of_a_changed_configuration_are_told_as_those_of_a_new_process() {
    let scene = Scene::new();
    let configure = |stage: &str| {
        scene.configure(&format!(
            "[jvm]\nagent_path = '{}'\n[environment]\n{} = '{stage}'\n",
            scene.agent, SETTINGS[0]
        ));
    };
    configure("http://production");
    let process = stand_in(&scene, |_| {});
    let is_of_new = |explanation: &serde_json::Value| {
        explanation["values_are_those_of_a_new_process"]
            .as_bool()
            .unwrap()
    };
    let (explanation, _) = of_process(process.id());
    assert_eq!(values(&explanation)[NAME], process.answers[NAME]);
    assert!(!is_of_new(&explanation));
    let (text, _) = text_of_process(process.id());
    assert!(
        text.contains("\nWhat the process gets from getenv:\n"),
        "{text}"
    );

    later();
    configure("http://staging");
    let (explanation, _) = of_process(process.id());
    assert_ne!(values(&explanation)[NAME], process.answers[NAME]);
    assert!(is_of_new(&explanation));
    let (text, _) = text_of_process(process.id());
    let title = "\nWhat the process would get from getenv if it were started now:\n";
    assert!(text.contains(title), "{text}");
    assert!(text.contains("http://staging"), "{text}");
    assert!(!text.contains("the process gets from"), "{text}");
    assert!(text.contains("Injected: restart required"), "{text}");
}

#[test]
fn an_object_that_was_replaced_is_told_with_both_versions() {
    let scene = Scene::new();
    let installed = scene.path("libopentelemetry_injector.so");
    succeed(Command::new("cp").args([&object(), &installed]));
    let process = stand_in(&scene, |command| {
        command.env("LD_PRELOAD", &installed);
    });
    let (explanation, _) = of_process(process.id());
    assert_eq!(explanation["object"]["replaced"], false);

    // As package managers do it: a new file takes the name.
    later();
    let data = fs::read(object()).unwrap();
    // The one of the version has kind 1 (elf(5), "Notes").
    let note = b"\x01\0\0\0OpenTelemetry\0\0\0";
    let at = data
        .windows(note.len())
        .position(|window| window == note)
        .unwrap()
        + note.len();
    let mut newer = data.clone();
    newer[at] = b'9';
    fs::write(scene.path("new"), newer).unwrap();
    fs::rename(scene.path("new"), &installed).unwrap();
    let (explanation, code) = of_process(process.id());
    let told = &explanation["object"];
    assert_eq!(
        (&told["replaced"], code),
        (&true.into(), 0),
        "{explanation:#}"
    );
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(told["installed_version"].as_str().unwrap()[..1], *"9");
    let change = explanation["changed_since_start"][0].as_str().unwrap();
    assert!(change.contains(" was replaced: "), "{change}");

    fs::remove_file(&installed).unwrap();
    let (explanation, _) = of_process(process.id());
    let change = explanation["changed_since_start"][0].as_str().unwrap();
    assert!(
        change.ends_with("which is loaded, is no longer there"),
        "{change}"
    );
}

#[test]
fn an_object_that_came_after_the_start_needs_a_restart() {
    let scene = Scene::new();
    let installed = scene.path("libopentelemetry_injector.so");
    // The loader complains of what is not there, and goes on.
    let process = stand_in(&scene, |command| {
        command
            .env("LD_PRELOAD", &installed)
            .stderr(std::process::Stdio::null());
    });
    assert_stopped(process.id(), "loaded", "which is missing or not readable");
    later();
    succeed(Command::new("cp").args([&object(), &installed]));
    succeed(
        Command::new("cp")
            .arg("-r")
            .arg(object().with_file_name("boot"))
            .arg(scene.folder.path()),
    );
    let (explanation, code) = of_process(process.id());
    assert_eq!(
        (&explanation["would_be_injected_after_restart"], code),
        (&true.into(), 1)
    );
    let (text, _) = text_of_process(process.id());
    assert!(
        text.contains("\nNot injected, restart required: not loaded: "),
        "{text}"
    );
    assert!(text.ends_with("Next: restart the process\n"), "{text}");
}

/// A program that `setpriv` starts as nobody.
fn as_nobody(mut command: Command) -> Command {
    let (program, arguments) = (command.get_program().to_owned(), command.get_args());
    let mut nobody = Command::new("setpriv");
    nobody
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(program);
    nobody
        .args(arguments.map(ToOwned::to_owned).collect::<Vec<_>>())
        .env_clear();
    for (name, value) in command.get_envs() {
        nobody.env(name, value.unwrap());
    }
    command.env_clear();
    nobody
}

#[test]
fn readability_is_that_of_the_processs_own_user() {
    if !is_root() || !has("setpriv") {
        skip!("another user needs root and setpriv");
    }
    let scene = Scene::new();
    let program = waiting_program(&scene, "java");
    let start = || {
        let mut command = scene.command(&program, "direct");
        command.arg(NAME);
        Waiting::start(&mut as_nobody(command))
    };
    let process = start();
    let (explanation, code) = of_process(process.id());
    assert_eq!(code, 0, "{explanation:#}");
    assert_eq!(explanation["process"]["user"], "nobody");
    let what = step(&explanation, "agent")["what"].as_str().unwrap();
    assert!(what.ends_with("readable by nobody"), "{what}");

    fs::set_permissions(&scene.agent, Permissions::from_mode(0o600)).unwrap();
    let process = start();
    assert_eq!(process.answers[NAME], "(null)");
    assert_stopped(
        process.id(),
        "agent",
        "agent.jar is missing or not readable by this process",
    );
    fs::set_permissions(&scene.agent, Permissions::from_mode(0o644)).unwrap();

    // In a user namespace of its own it is root, but not over files of others.
    let mut own_namespace = Command::new("unshare");
    own_namespace.args(["-U", "-r", "true"]);
    let allowed = as_nobody(own_namespace).output();
    if allowed.is_ok_and(|output| output.status.success()) {
        let owned = || {
            let mut command = scene.command("unshare", "direct");
            command.args(["-U", "-r"]).arg(&program).arg(NAME);
            Waiting::start(&mut as_nobody(command))
        };
        for (mode, injected) in [(0o600, false), (0o644, true)] {
            fs::set_permissions(&scene.agent, Permissions::from_mode(mode)).unwrap();
            let process = owned();
            assert_eq!(process.answers[NAME] != "(null)", injected);
            let (explanation, code) = of_process(process.id());
            assert_eq!(code == 0, injected, "{explanation:#}");
        }
    } else {
        println!("skipped: user namespaces, which are not allowed here");
    }

    // A folder on the way that nobody may search.
    let closed = scene.path("closed");
    fs::create_dir(&closed).unwrap();
    let agent = closed.join("agent.jar");
    fs::write(&agent, "").unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    scene.configure(&format!("[jvm]\nagent_path = '{}'\n", agent.display()));
    let process = start();
    assert_eq!(process.answers[NAME], "(null)");
    assert_stopped(
        process.id(),
        "agent",
        "closed/agent.jar is missing or not readable",
    );
}

#[test]
fn without_permission_it_says_so() {
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
    let mut ask = Command::new(&copy);
    ask.args(["explain", "--pid", &std::process::id().to_string()]);
    let output = as_nobody(ask).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    assert!(stderr(&output).contains("cannot be inspected by this user; run it as root"));

    // Its own processes it may look at, and what it would start.
    let program = waiting_program(&scene, "java");
    let mut start = scene.command(&program, "direct");
    start.arg(NAME);
    let process = Waiting::start(&mut as_nobody(start));
    let mut ask = Command::new(&copy);
    ask.args(["explain", "--json", "--pid", &process.id().to_string()]);
    let (explanation, code) = parsed(&as_nobody(ask).output().unwrap());
    assert_eq!(code, 0, "{explanation:#}");
    assert_eq!(explanation["process"]["hooked"], true);
    assert_eq!(explanation["object"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_process_that_does_not_exist_and_one_without_a_program() {
    let output = command(&["explain", "--pid", "4194305"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = "opentelemetry-injector: there is no process 4194305; `ps -e` lists all processes\n";
    assert_eq!(
        (stdout(&output).as_str(), stderr(&output).as_str()),
        ("", said)
    );

    let mut ended = Command::new("true").spawn().unwrap();
    later();
    let output = command(&["explain", "--pid", &ended.id().to_string()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("runs no program"), "{output:?}");
    ended.wait().unwrap();
}

#[test]
fn usage_is_exit_code_2() {
    for arguments in [
        &["explain"][..],
        &["explain", "--pid", "x"],
        &["explain", "--pid", "1", "--", "true"],
        &["explain", "--", "no-such-program"],
        &["explain", "--", "/etc/passwd"],
    ] {
        let output = command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(stdout(&output), "");
        assert_ne!(stderr(&output), "");
    }
}

#[test]
fn a_command_that_cannot_be_started_is_told_what_it_is() {
    let scene = Scene::new();
    let script = |name: &str, line: &str| {
        let path = scene.path(name);
        write_file(&path, format!("{line}\n"));
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let [lost, none] = [script("lost", "#!/nonexistent/int"), script("none", "#!")];
    for (program, told) in [
        ("no-such-program", "command not found"),
        ("./nosuch", "./nosuch: no such file"),
        ("/etc", "/etc: a folder, not a program"),
        (
            "/etc/passwd",
            "/etc/passwd: its mode lets nobody execute it",
        ),
        (
            &lost,
            "its first line names /nonexistent/int, which is not there",
        ),
        (&none, "its first line names no interpreter"),
    ] {
        let output = command(&["explain", "--", program]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
    }
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let command = support::built().join("opentelemetry-injector");
    let line = "set -o pipefail; \"$0\" explain --json -- sh | head -c 0";
    let output = Command::new("bash")
        .args(["-c", line])
        .arg(command)
        .output()
        .unwrap();
    // Nothing is injected into a shell.
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_static_program_loads_nothing() {
    let scene = Scene::new();
    let source = support::root().join("tests/programs/ask_and_wait.c");
    let program = scene.path("java");
    let built = Command::new("cc")
        .arg("-static")
        .arg("-o")
        .arg(&program)
        .arg(source)
        .output();
    if !built.unwrap().status.success() {
        skip!("libc.a is not installed");
    }
    let mut start = scene.command(&program, "direct");
    let process = Waiting::start(start.arg(NAME));
    assert_stopped(process.id(), "loaded", "the program is linked statically");
    let (text, _) = text_of_process(process.id());
    assert!(!text.contains("restart"), "{text}");
    let (explanation, code) = json(&["explain", "--json", "--", program.to_str().unwrap()]);
    assert_eq!((stops(&explanation)[0], code), ("loaded", 1));
}

#[test]
fn a_program_of_another_kind_is_told() {
    let scene = Scene::new();
    let program = scene.path("old");
    let mut elf = fs::read("/bin/true").unwrap();
    // ELFCLASS32.
    elf[4] = 1;
    fs::write(&program, elf).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let (explanation, code) = json(&["explain", "--json", "--", program.to_str().unwrap()]);
    assert_eq!((stops(&explanation)[0], code), ("loaded", 1));
    let what = step(&explanation, "loaded")["what"].as_str().unwrap();
    assert!(what.contains("32-bit"), "{what}");
}

#[test]
fn scripts_are_followed_to_what_runs_them() {
    let scene = Scene::new();
    let program = waiting_program(&scene, "java");
    let script = scene.path("start");
    write_file(
        &script,
        format!("#!/usr/bin/env -S {} {NAME}\n", program.display()),
    );
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    let mut ask = command(&["explain", "--json", "--", script.to_str().unwrap()]);
    ask.env("LD_PRELOAD", object());
    ask.env("OPENTELEMETRY_INJECTOR_CONFIGURATION", &scene.configuration);
    let (explanation, code) = parsed(&ask.output().unwrap());
    assert_eq!(code, 0, "{explanation:#}");
    assert_eq!(explanation["executable"], program.to_str().unwrap());
    assert_eq!(explanation["verdict"], "would_be_injected");
    let process = Waiting::start(scene.command(&script, "direct").arg("HOME"));
    let (live, _) = of_process(process.id());
    let arguments = explanation["command_line"].as_array().unwrap();
    assert_eq!(
        live["command_line"].as_array().unwrap()[..3],
        arguments[..3]
    );
    assert_eq!(live["started_as"], explanation["started_as"]);
}

#[test]
fn a_set_id_program_has_other_rights() {
    if !is_root() || !has("unshare") || !has("setpriv") {
        skip!("a mount namespace and another user need root, unshare and setpriv");
    }
    let scene = Scene::new();
    let program = waiting_program(&scene, "java");
    let copy = scene.path("object.so");
    succeed(Command::new("cp").args([&object(), &copy]));
    // A folder of its own for the copy's boot files is not needed by a JVM.
    let start = |mode| {
        fs::set_permissions(&program, Permissions::from_mode(mode)).unwrap();
        let mut command = private_preload(&scene, &copy);
        command.arg(&program).arg(NAME);
        Waiting::start(&mut command)
    };
    let ordinary = start(0o755);
    let (explanation, code) = of_process(ordinary.id());
    assert_eq!(code, 0, "{explanation:#}");
    assert_eq!(explanation["object"]["named_by"], "/etc/ld.so.preload");
    // The name is not the usual one: it is known by its note.
    assert_eq!(explanation["object"]["path"], copy.to_str().unwrap());
    let preload = step(&explanation, "loaded")["what"].as_str().unwrap();
    assert!(
        preload.ends_with("named by /etc/ld.so.preload"),
        "{preload}"
    );
    drop(ordinary);
    let set_id = start(0o4755);
    assert_eq!(set_id.answers[NAME], "(null)");
    assert_stopped(set_id.id(), "rights", "AT_SECURE");
    // Where the loader leaves the object out for the same reason, there is still one thing to say.
    let mut named = as_nobody(command(&[
        "explain",
        "--json",
        "--",
        program.to_str().unwrap(),
    ]));
    let (explanation, _) = parsed(&named.env("LD_PRELOAD", object()).output().unwrap());
    assert_eq!(stops(&explanation), ["loaded", "rights"]);
    assert_eq!(explanation["next"].as_array().unwrap().len(), 1);
}

/// A command that gives a mount namespace a preload file of its own, and becomes nobody.
fn private_preload(scene: &Scene, object: &Path) -> Command {
    const SCRIPT: &str = r##"
set -e
rm -rf "$FOLDER/etc"
mkdir "$FOLDER/etc"
cp -a /etc/. "$FOLDER/etc/"
mount --bind "$FOLDER/etc" /etc
echo "# ours
$OBJECT" > /etc/ld.so.preload
sleep 0.1
exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
"##;
    let mut command = with_own_mounts(SCRIPT);
    command
        .env("FOLDER", scene.folder.path())
        .env("OBJECT", object);
    command.env("OPENTELEMETRY_INJECTOR_CONFIGURATION", &scene.configuration);
    command
}

#[test]
fn a_process_in_a_chroot_is_judged_by_what_it_sees() {
    if !is_root() || !has("chroot") {
        skip!("a chroot needs root");
    }
    let scene = Scene::new();
    let root = scene.path("root");
    let program = waiting_program(&scene, "java");
    let put = |from: &Path, to: &str| {
        let to = root.join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        succeed(Command::new("cp").args(["-L"]).args([from, &to]));
    };
    put(&program, "opt/java");
    put(&object(), "opt/libopentelemetry_injector.so");
    for library in libraries(&program) {
        let name = library.to_str().unwrap().trim_start_matches('/').to_owned();
        put(&library, &name);
    }
    fs::create_dir_all(root.join("etc/opentelemetry/injector")).unwrap();
    fs::write(root.join("opt/agent.jar"), "").unwrap();
    // A link that leads to another place outside.
    std::os::unix::fs::symlink("/opt/agent.jar", root.join("agent.jar")).unwrap();
    let configuration = root.join("etc/opentelemetry/injector/configuration.toml");
    fs::write(&configuration, "[jvm]\nagent_path = '/agent.jar'\n").unwrap();
    let start = || {
        let mut command = Command::new("chroot");
        command.arg(&root).args(["/opt/java", NAME]).env_clear();
        command
            .env("LD_PRELOAD", "/opt/libopentelemetry_injector.so")
            .env("PATH", "/usr/sbin:/usr/bin");
        Waiting::start(command.stderr(std::process::Stdio::null()))
    };
    let process = start();
    assert!(process.answers[NAME].starts_with("-javaagent:/agent.jar "));
    let (explanation, code) = of_process(process.id());
    assert_eq!(code, 0, "{explanation:#}");
    assert_eq!(explanation["executable"], "/opt/java");
    assert_eq!(
        explanation["object"]["path"],
        "/opt/libopentelemetry_injector.so"
    );
    assert_eq!(explanation["object"]["replaced"], false);
    assert_eq!(values(&explanation)[NAME], process.answers[NAME]);

    fs::remove_file(root.join("opt/agent.jar")).unwrap();
    let process = start();
    assert_eq!(process.answers[NAME], "(null)");
    assert_stopped(process.id(), "agent", "/agent.jar is missing");
}

/// The loader and the libraries of a program (ldd(1)).
fn libraries(program: &Path) -> Vec<PathBuf> {
    let listed = succeed(Command::new("ldd").arg(program));
    let words = listed
        .split_whitespace()
        .filter(|word| word.starts_with('/'));
    words.map(PathBuf::from).collect()
}

#[test]
fn a_program_with_musl_reads_the_variable_alone() {
    if !has("musl-gcc") {
        skip!("musl-gcc is not installed");
    }
    let scene = Scene::new();
    let program = scene.compile_with("musl-gcc", "ask_and_wait", &[]);
    let java = scene.path("java");
    fs::rename(program, &java).unwrap();
    let mut start = scene.command(&java, "direct");
    let process = Waiting::start(start.arg(NAME));
    let (explanation, code) = of_process(process.id());
    assert_eq!(code, 0, "{explanation:#}");
    assert_eq!(values(&explanation)[NAME], process.answers[NAME]);
    let process = Waiting::start(Command::new(&java).arg(NAME));
    let (explanation, _) = of_process(process.id());
    let what = step(&explanation, "loaded")["what"].as_str().unwrap();
    assert!(what.contains("musl's loader reads nothing else"), "{what}");
}

#[test]
fn in_a_terminal_it_has_colours_and_keeps_to_the_width() {
    if !has("tmux") {
        skip!("tmux is not installed");
    }
    let scene = Scene::new();
    scene.configure(&format!(
        "[jvm]\nagent_path = '{}'\n[processes]\nexclude = ['java']\n",
        scene.agent
    ));
    let process = stand_in(&scene, |_| {});
    let line = format!("explain --pid {}", process.id());
    let (dressed, plain) = (
        screen(&scene, "", &line),
        screen(&scene, "NO_COLOR=1", &line),
    );
    assert!(
        dressed.contains("\u{1b}[1m\u{1b}[31mNO\u{1b}["),
        "{dressed}"
    );
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let decisive = "  NO    processes      the pattern \"java\" in processes.exclude matches\n";
    assert!(plain.contains(decisive), "{plain}");
    assert!(
        plain.contains("\nNot injected: the pattern \"java\" in processes.exclude matches"),
        "{plain}"
    );
    assert!(plain.lines().all(|line| line.chars().count() <= 80));
}

/// What a terminal of 80 columns shows after the command, escape sequences included.
fn screen(scene: &Scene, environment: &str, line: &str) -> String {
    // A server that is ending would take a new session with it.
    let socket = scene.path(&format!("tmux{environment}"));
    let tmux = |arguments: &[&str]| {
        let mut command = Command::new("tmux");
        command
            .arg("-S")
            .arg(&socket)
            .args(arguments)
            .env("TERM", "xterm-256color");
        succeed(&mut command)
    };
    let program = support::built().join("opentelemetry-injector");
    let shell = format!(
        "{environment} '{}' {line}; echo done; sleep 60",
        program.display()
    );
    tmux(&[
        "-f",
        "/dev/null",
        "new-session",
        "-d",
        "-x",
        "80",
        "-y",
        "50",
        &shell,
    ]);
    let shown = until("end of the command", || {
        let shown = tmux(&["capture-pane", "-p", "-e"]);
        shown.contains("done").then_some(shown)
    });
    tmux(&["kill-server"]);
    shown
}
