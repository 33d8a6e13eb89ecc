//! Real Pythons with the real OpenTelemetry distribution.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use support::{Scene, Sink, built, engines, root, skip, stderr, stdout, succeed};

/// An interpreter.
pub struct Python {
    pub program: PathBuf,
    /// `3.11`
    pub version: String,
}

impl Python {
    fn new(program: PathBuf) -> Option<Self> {
        let code = "import sys; print('%d.%d' % sys.version_info[:2])";
        let output = Command::new(&program).args(["-c", code]).output().ok()?;
        let version = stdout(&output).trim().to_owned();
        output.status.success().then_some(Self { program, version })
    }

    /// Its agent, where scripts/fetch-python-agent has put it.
    pub fn agent(&self) -> Option<PathBuf> {
        let folder = agents().join(&self.version);
        folder.is_dir().then_some(folder)
    }
}

pub fn agents() -> PathBuf {
    let root = root().canonicalize().expect("the repository");
    root.join(".cache/python")
}

/// pyenv's and the system's.
fn pythons() -> Vec<Python> {
    let home = std::env::var("HOME").unwrap_or_default();
    let pyenv = std::env::var("PYENV_ROOT").unwrap_or(format!("{home}/.pyenv"));
    let versions = fs::read_dir(format!("{pyenv}/versions"))
        .into_iter()
        .flatten();
    let pyenvs = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin/python")));
    let mut programs: Vec<_> = pyenvs.filter(|path| path.exists()).collect();
    programs.sort();
    programs.push("/usr/bin/python3".into());
    programs.into_iter().filter_map(Python::new).collect()
}

/// Those with an agent; the system's last, for tests that take one.
pub fn with_agent() -> Vec<Python> {
    let mut found = pythons();
    found.retain(|python| python.agent().is_some());
    if found.is_empty() {
        println!("skipped: no agent in .cache/python: scripts/fetch-python-agent fetches it");
    }
    found
}

pub fn one_with_agent() -> Option<Python> {
    with_agent().pop()
}

/// A scene with an agent that sends nothing unless `more` says so.
pub fn scene(agent: &Path, more: &str) -> Scene {
    let scene = Scene::new();
    let exporter = if more.contains("OTEL_EXPORTER_OTLP_ENDPOINT") {
        ""
    } else {
        "OTEL_TRACES_EXPORTER = \"none\"\n"
    };
    scene.configure(&format!(
        "[python]\nagent_path = \"{}\"\n[environment]\n{exporter}\
         OTEL_METRICS_EXPORTER = \"none\"\nOTEL_LOGS_EXPORTER = \"none\"\n{more}",
        agent.display()
    ));
    scene
}

pub fn every_version() -> PathBuf {
    agents().join("{version}")
}

pub fn program(name: &str) -> PathBuf {
    root().join("tests/programs/python").join(name)
}

pub fn boot_folder() -> PathBuf {
    built().join("boot/python")
}

/// The command, started without and with the preload object.
pub fn both(scene: &Scene, python: &Python, change: impl Fn(&mut Command)) -> (Output, Output) {
    let run = |preload: bool| {
        let mut command = scene.command(&python.program, "direct");
        command.current_dir(scene.folder.path());
        change(&mut command);
        if !preload {
            command.env_remove("LD_PRELOAD");
        }
        command.output().expect("Python starts")
    };
    (run(false), run(true))
}

pub fn assert_same(python: &Python, (plain, hooked): &(Output, Output)) {
    let what = &python.program;
    assert_eq!(stdout(plain), stdout(hooked), "{what:?}");
    assert_eq!(stderr(plain), stderr(hooked), "{what:?}");
    assert_eq!(plain.status.code(), hooked.status.code(), "{what:?}");
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(output)))
}

/// What the program `inside.py` says without and with the preload object.
fn inside(scene: &Scene, python: &Python, change: impl Fn(&mut Command)) -> (Value, Value) {
    let (plain, hooked) = both(scene, python, |command| {
        command.arg(program("inside.py"));
        change(command);
    });
    assert_eq!(stderr(&plain), stderr(&hooked));
    let mut plain = json(&plain);
    // The one difference that the plain run has itself.
    let preload = format!("LD_PRELOAD={}", support::object().display());
    let environment = plain["environment"].as_object_mut().expect("an object");
    let value = preload["LD_PRELOAD=".len()..].into();
    environment.insert("LD_PRELOAD".into(), value);
    let mut hooked = json(&hooked);
    let child = hooked["child"].as_array_mut().expect("a list");
    child.retain(|line| *line != *preload);
    (plain, hooked)
}

/// Takes the agent's own differences away: that it is there, and who finds its modules.
fn without_agent(mut facts: Value) -> Value {
    assert_eq!(facts["agent"], true, "{facts}");
    facts["agent"] = false.into();
    let finders = facts["finders"].as_array_mut().expect("a list");
    assert_eq!(finders.len(), 2, "{finders:?}");
    finders.clear();
    facts
}

#[test]
fn a_span_of_every_version_reaches_the_sink() {
    for (python, engine) in with_agent().iter().zip(engines().into_iter().cycle()) {
        println!("{} on engine {engine}", python.program.display());
        let sink = Sink::start();
        let more = format!(
            "OTEL_EXPORTER_OTLP_ENDPOINT = \"{}\"\nOTEL_SERVICE_NAME = \"caf\u{e9} ours\"\n\
             [resource_attributes]\nteam = \"a, b\"\nuser.key = \"ours\"\n",
            sink.endpoint
        );
        let scene = scene(&every_version(), &more);
        let mut command = scene.command(&python.program, engine);
        command.env("OTEL_RESOURCE_ATTRIBUTES", "user.key=theirs");
        command.env("OTEL_INJECTOR_K8S_POD_NAME", "shop-1");
        let output = command.arg(program("client.py")).output().unwrap();
        assert_eq!(
            (stdout(&output).as_str(), stderr(&output).as_str()),
            ("404\n", "")
        );
        let span = sink.wait_for("span of the client", |span| {
            (span["kind"] == "CLIENT").then(|| span.clone())
        });
        assert_eq!(span["service"], "caf\u{e9} ours");
        assert_eq!(span["resource"]["team"], "a, b");
        assert_eq!(span["resource"]["user.key"], "theirs");
        assert_eq!(span["resource"]["k8s.pod.name"], "shop-1");
        let language = &span["resource"]["telemetry.sdk.language"];
        assert_eq!(language, "python");
    }
}

#[test]
fn nothing_shows_inside_or_in_children() {
    for python in with_agent() {
        let scene = scene(&every_version(), "OTEL_SERVICE_NAME = \"ours\"\n");
        let (plain, hooked) = inside(&scene, &python, |_| ());
        assert_eq!(plain, without_agent(hooked));
        let (plain, hooked) = inside(&scene, &python, |command| {
            command.env("PYTHONPATH", "/one::/two:");
            command.env("OTEL_RESOURCE_ATTRIBUTES", "theirs=1");
        });
        assert_eq!(hooked["environment"]["PYTHONPATH"], "/one::/two:");
        assert_eq!(plain, without_agent(hooked));
    }
}

/// The agent's modules keep its view of the environment.
#[test]
fn a_kept_view_of_the_environment_is_used_like_the_real_one() {
    let use_it = r#"
import os, sys
sys.path.insert(0, sys.argv[1])
from opentelemetry_injector.environment import Environment
own = os.environ
environ = Environment(own, {"OTEL_OURS": "1", "OTEL_RESOURCE_ATTRIBUTES": "ours=1,theirs=1"})
assert environ["OTEL_RESOURCE_ATTRIBUTES"] == "ours=1,theirs=1"
environ.end_merging()
assert environ["OTEL_OURS"] == "1" and "OTEL_OURS" in environ
for copy in (dict(environ), dict(environ.items()), environ.copy()):
    assert copy == dict(own), copy
assert list(environ.values()) == list(own.values())
if sys.version_info >= (3, 9):
    assert environ | {"A": "b"} == own | {"A": "b"}
    assert {"A": "b"} | environ == {"A": "b"} | own
    environ |= {"A": "b"}
    assert own.pop("A") == "b"
assert environ.encodekey == own.encodekey
assert not hasattr(Environment.__new__(Environment), "anything")
"#;
    for python in with_agent() {
        let mut command = Command::new(&python.program);
        command.env("OTEL_RESOURCE_ATTRIBUTES", "theirs=1");
        succeed(command.args(["-B", "-c", use_it]).arg(boot_folder()));
    }
}

#[test]
fn the_boot_folder_stays_as_it_was() {
    let look = || {
        let mut names: Vec<_> = walk(&boot_folder());
        names.sort();
        names
    };
    let before = look();
    for python in pythons() {
        let scene = scene(&every_version(), "");
        for option in ["-c", "-Oc"] {
            succeed(scene.command(&python.program, "direct").args([option, ""]));
        }
    }
    assert_eq!(look(), before);
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                walk(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

const HELLO: &str = "import sys\nprint('hello')\nsys.stderr.write('world')\nsys.exit(3)\n";

#[test]
fn every_way_to_start_a_program_works_as_before() {
    for python in pythons() {
        let scene = scene(&every_version(), "");
        fs::write(scene.path("hello.py"), HELLO).unwrap();
        let ways: [&[&str]; 6] = [
            &["hello.py"],
            &["-c", HELLO],
            &["-m", "hello"],
            &["-E", "hello.py"],
            &["-S", "hello.py"],
            &["-sB", "-W", "error", "hello.py"],
        ];
        for way in ways {
            let outputs = both(&scene, &python, |command| _ = command.args(way));
            assert_same(&python, &outputs);
            assert_eq!(outputs.1.status.code(), Some(3), "{way:?}");
        }
        assert_same(&python, &both(&scene, &python, |c| _ = c.arg("-V")));
        let stdin = || Stdio::from(fs::File::open(scene.path("hello.py")).unwrap());
        assert_same(&python, &both(&scene, &python, |c| _ = c.stdin(stdin())));
        assert_same(
            &python,
            &both(&scene, &python, |c| _ = c.stdin(stdin()).arg("-")),
        );
    }
}

#[test]
fn isolated_and_siteless_pythons_get_nothing() {
    let Some(python) = one_with_agent() else {
        skip!("no Python with an agent");
    };
    let scene = scene(&every_version(), "");
    for option in ["-I", "-E", "-S"] {
        let code = "import sys; print(sys.path, sorted(sys.modules))";
        let outputs = both(&scene, &python, |c| _ = c.args([option, "-c", code]));
        assert_same(&python, &outputs);
    }
}

#[test]
fn versions_without_an_agent_run_as_if_we_were_not_there() {
    let scene = Scene::new();
    for python in pythons() {
        let mut outcomes = vec![every_version_in(&scene, "nowhere"), scene.path("nowhere")];
        // Packages that are built for a newer version.
        let newer = with_agent().pop().filter(|newer| is_older(&python, newer));
        outcomes.extend(newer.and_then(|newer| newer.agent()));
        for agent in outcomes {
            let scene = self::scene(&agent, "");
            let (plain, hooked) = inside(&scene, &python, |_| ());
            assert_eq!(plain, hooked, "{:?} with {agent:?}", python.program);
        }
    }
}

fn every_version_in(scene: &Scene, folder: &str) -> PathBuf {
    scene.path(folder).join("{version}")
}

fn is_older(python: &Python, than: &Python) -> bool {
    let minor = |python: &Python| {
        let (major, minor) = python.version.split_once('.').expect("a version");
        (major.parse::<u32>().unwrap(), minor.parse::<u32>().unwrap())
    };
    // The newest packages need 3.10.
    minor(python) < (3, 10) && minor(than) >= (3, 10)
}

#[test]
fn the_users_sitecustomize_runs_and_fails_as_before() {
    for python in pythons() {
        let scene = scene(&every_version(), "");
        let own = scene.path("own");
        fs::create_dir(&own).unwrap();
        for text in ["mark = 1", "import not_there", "1 / 0"] {
            fs::write(own.join("sitecustomize.py"), text).unwrap();
            let outputs = both(&scene, &python, |command| {
                let code = "import sys; print(sys.modules.get('sitecustomize'))";
                command
                    .env("PYTHONPATH", &own)
                    .env("PYTHONDONTWRITEBYTECODE", "1");
                command.args(["-c", code]);
            });
            assert_same(&python, &outputs);
        }
    }
}

#[test]
fn the_applications_own_packages_win() {
    for python in with_agent() {
        let scene = scene(&every_version(), "");
        let name = "typing_extensions";
        let own = scene.path("own");
        fs::create_dir(&own).unwrap();
        fs::copy(program("inside.py"), own.join("main.py")).unwrap();
        let module = own.join("typing_extensions.py");
        fs::copy(
            agents().join(&python.version).join("typing_extensions.py"),
            &module,
        )
        .unwrap();
        // Which nobody imports: the agent's own use of the standard library's must not run it.
        fs::write(own.join("queue.py"), "print('run')").unwrap();
        fs::write(own.join("uuid.py"), "print('run')").unwrap();
        // Beside the script, below the working directory of -m, and on PYTHONPATH.
        let script = program("inside.py");
        let ways: [(&[&str], &str); 3] = [
            (&["own/main.py", name], ""),
            (&["-m", "main", name], "own"),
            (&[script.to_str().unwrap(), name], ""),
        ];
        for (index, (arguments, folder)) in ways.into_iter().enumerate() {
            let mut command = scene.command(&python.program, "direct");
            command.current_dir(scene.path(folder)).args(arguments);
            if index == 2 {
                fs::remove_file(own.join("queue.py")).unwrap();
                fs::remove_file(own.join("uuid.py")).unwrap();
                command.env("PYTHONPATH", &own);
            }
            let output = command.output().unwrap();
            assert_eq!(stderr(&output), "");
            let facts = json(&output);
            assert_eq!(facts["agent"], true);
            let used = facts["modules"][name].as_str().expect("a path");
            let used = scene.path(folder).join(used).canonicalize().unwrap();
            assert_eq!(used, module.canonicalize().unwrap(), "{facts}");
        }
    }
}

#[test]
fn a_failing_agent_changes_nothing() {
    for python in pythons() {
        let folder = Scene::new();
        let module = "opentelemetry/instrumentation/auto_instrumentation";
        let package = folder.path(module);
        fs::create_dir_all(&package).unwrap();
        let metadata = folder.path("opentelemetry_instrumentation-9.dist-info");
        fs::create_dir(&metadata).unwrap();
        fs::write(metadata.join("METADATA"), "Requires-Python: >=3.8\n").unwrap();
        for text in [
            "import not_there",
            "raise SystemExit(9)",
            "def initialize(: pass",
        ] {
            fs::write(package.join("__init__.py"), text).unwrap();
            let scene = scene(folder.folder.path(), "");
            let (plain, hooked) = inside(&scene, &python, |_| ());
            assert_eq!(plain, hooked);
            let code = "import opentelemetry.instrumentation.auto_instrumentation";
            let outputs = both(&scene, &python, |c| _ = c.args(["-c", code]));
            assert_same(&python, &outputs);
        }
    }
}

#[test]
fn an_agent_that_cannot_export_stays_silent() {
    let Some(python) = one_with_agent() else {
        skip!("no Python with an agent");
    };
    // Nobody listens there; and the second exporter is not installed.
    let more = "OTEL_EXPORTER_OTLP_ENDPOINT = \"http://127.0.0.1:9\"\n\
                OTEL_EXPORTER_OTLP_TIMEOUT = \"1\"\n";
    for more in [
        more.to_owned(),
        format!("{more}OTEL_EXPORTER_OTLP_PROTOCOL = \"grpc\"\n"),
    ] {
        let scene = scene(&every_version(), &more);
        assert_same(
            &python,
            &both(&scene, &python, |c| _ = c.arg(program("client.py"))),
        );
    }
}

fn debug_lines(scene: &Scene, python: &Python, change: impl Fn(&mut Command)) -> String {
    let mut command = scene.command(&python.program, "direct");
    command.env("OPENTELEMETRY_INJECTOR_DEBUG", "true");
    change(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output)
}

#[test]
fn it_is_injected_once_and_not_beside_another_agent() {
    let Some(python) = one_with_agent() else {
        skip!("no Python with an agent");
    };
    let scene = scene(&every_version(), "");
    let told = debug_lines(&scene, &python, |command| {
        command.env("PYTHONPATH", boot_folder()).args(["-c", ""]);
    });
    // Handed on by a parent: it is there once, as before.
    let once = format!("PYTHONPATH is now {}\n", boot_folder().display());
    assert!(told.contains(&once), "{told}");
    let own = python.agent().unwrap();
    let own = own.join("opentelemetry/instrumentation/auto_instrumentation");
    let told = debug_lines(&scene, &python, |command| {
        command.env("PYTHONPATH", &own).args(["-c", ""]);
    });
    assert!(
        told.contains("OpenTelemetry is already in PYTHONPATH"),
        "{told}"
    );
    let launcher = python.agent().unwrap().join("bin/opentelemetry-instrument");
    let told = debug_lines(&scene, &python, |command| {
        command.env("PYTHONPATH", python.agent().unwrap());
        command.arg(&launcher).arg("--version");
    });
    assert!(
        told.contains("OpenTelemetry is already on the command line"),
        "{told}"
    );
}

#[test]
fn pip_is_left_alone_unless_arguments_are_chosen() {
    let Some(python) = with_agent().into_iter().next() else {
        skip!("no Python with an agent");
    };
    let scene = scene(&every_version(), "");
    let told = debug_lines(&scene, &python, |c| _ = c.args(["-m", "pip", "--version"]));
    assert!(told.contains("a package manager is left alone"), "{told}");
    let pip = python.program.with_file_name("pip");
    if pip.exists() {
        let told = debug_lines(&scene, &python, |c| _ = c.arg(&pip).arg("--version"));
        assert!(told.contains("a package manager is left alone"), "{told}");
    }
    let chosen = fs::read_to_string(&scene.configuration).unwrap();
    scene.configure(&(chosen + "[processes]\ninclude_arguments = [\"pip\"]\n"));
    let told = debug_lines(&scene, &python, |c| _ = c.args(["-m", "pip", "--version"]));
    assert!(told.contains("PYTHONPATH is now"), "{told}");
}

#[test]
fn children_of_multiprocessing_are_injected_and_clean() {
    for python in with_agent() {
        let scene = scene(&every_version(), "OTEL_SERVICE_NAME = \"ours\"\n");
        let mut command = scene.command(&python.program, "direct");
        let output = command.arg(program("processes.py")).output().unwrap();
        assert_eq!(stderr(&output), "");
        let wanted = "fork True []\nspawn True []\nforkserver True []\n";
        assert_eq!(stdout(&output), wanted, "{:?}", python.program);
    }
}

#[test]
fn virtual_environments_are_made_and_injected() {
    for python in with_agent() {
        let scene = scene(&every_version(), "");
        let folder = scene.path("venv");
        let mut make = scene.command(&python.program, "direct");
        make.args(["-m", "venv", "--without-pip"]).arg(&folder);
        let output = make.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let inner = Python {
            program: folder.join("bin/python"),
            version: python.version.clone(),
        };
        let (plain, hooked) = inside(&scene, &inner, |_| ());
        assert_eq!(plain, without_agent(hooked));
    }
}
