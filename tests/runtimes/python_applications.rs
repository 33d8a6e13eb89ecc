//! What applications in Python get from the agent, and what they keep: their modules, their logs,
//! their own OpenTelemetry, their end.

use crate::python::{
    Python, agents, assert_same, both, every_version, one_with_agent, program, scene, with_agent,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};
use support::collectors::useless;
use support::{Scene, Sink, root, skip, stderr, stdout, succeed};

/// What is printed where the agent is at work.
const IS_THERE: &str = "'_opentelemetry_injector.opentelemetry.sdk.trace' in sys.modules";

/// Packages of applications, where scripts/fetch-python-agent has put them.
fn packages() -> Option<PathBuf> {
    let folder = root().join(".cache/python-applications");
    folder.canonicalize().ok()
}

/// The system's Python with an agent and with packages of applications.
fn with_packages() -> Option<(Python, PathBuf)> {
    let system = one_with_agent()?;
    let has_django = |python: &Python| {
        let agent = python.agent().expect("one with an agent");
        agent.join("opentelemetry/instrumentation/django").is_dir()
    };
    has_django(&system).then_some(())?;
    Some((system, packages()?))
}

fn sending_to(sink: &Sink) -> String {
    format!("OTEL_EXPORTER_OTLP_ENDPOINT = \"{}\"\n", sink.endpoint)
}

fn write(scene: &Scene, name: &str, text: &str) -> PathBuf {
    let path = scene.path(name);
    fs::create_dir_all(path.parent().expect("a folder")).unwrap();
    fs::write(&path, text).unwrap();
    path
}

fn run(scene: &Scene, python: &Python, change: impl Fn(&mut Command)) -> Output {
    let mut command = scene.command(&python.program, "direct");
    command.current_dir(scene.folder.path());
    change(&mut command);
    command.output().expect("Python starts")
}

/// Names of modules that the agent has and asks for, those of the standard library among them.
const ASKED_FOR: [&str; 20] = [
    "certifi",
    "charset_normalizer",
    "google",
    "idna",
    "jsonschema",
    "opentelemetry",
    "packaging",
    "requests",
    "typing_extensions",
    "urllib3",
    "wrapt",
    "yaml",
    "concurrent",
    "gzip",
    "platform",
    "queue",
    "random",
    "secrets",
    "selectors",
    "uuid",
];

#[test]
fn nothing_of_the_applications_is_executed_for_the_agent() {
    for python in with_agent() {
        let scene = scene(&every_version(), "");
        for name in ASKED_FOR {
            let text = "import os\nprint('executed', __name__)\nos._exit(9)\n";
            write(&scene, &format!("{name}.py"), text);
        }
        let code = format!("import sys\nprint({IS_THERE})\n");
        write(&scene, "main.py", &code);
        for way in [&["main.py"][..], &["-m", "main"], &["-c", &code]] {
            let output = run(&scene, &python, |command| _ = command.args(way));
            let seen = (stdout(&output), stderr(&output), output.status.code());
            assert_eq!(seen, ("True\n".into(), String::new(), Some(0)), "{way:?}");
        }
    }
}

#[test]
fn the_applications_garbage_collector_does_not_walk_through_the_agent() {
    for python in with_agent() {
        let scene = scene(&every_version(), "");
        let code = format!(
            "import gc, sys\n\
             class Own: pass\n\
             own = Own()\n\
             own.itself = own\n\
             del own\n\
             def agent():\n\
             \x20walked = [o for o in gc.get_objects() if isinstance(o, type(gc))]\n\
             \x20return [o for o in walked if o.__name__.startswith('_opentelemetry_injector.')]\n\
             print({IS_THERE}, len(agent()), gc.collect() > 0)\n\
             gc.unfreeze()\n\
             print(len(agent()) > 0)\n"
        );
        write(&scene, "main.py", &code);
        let output = run(&scene, &python, |command| _ = command.arg("main.py"));
        assert_eq!(
            (stdout(&output), stderr(&output)),
            ("True 0 True\nTrue\n".into(), String::new())
        );
    }
}

#[test]
fn modules_called_like_those_of_the_standard_library_stay_the_applications() {
    for python in with_agent() {
        let scene = scene(&every_version(), "");
        for name in ["queue", "uuid", "platform", "calendar"] {
            write(&scene, &format!("{name}.py"), "own = __file__\n");
        }
        let code = "import calendar, platform, queue, uuid\n\
                    print(calendar.own, platform.own, queue.own, uuid.own)\n";
        write(&scene, "main.py", code);
        assert_same(&python, &both(&scene, &python, |c| _ = c.arg("main.py")));
    }
}

#[test]
fn the_agents_packages_are_not_there_for_the_application() {
    for python in with_agent() {
        let scene = scene(&every_version(), "");
        let code = format!(
            "import importlib, sys\n\
             def look(name):\n    \
                 try: return importlib.import_module(name).__file__\n    \
                 except ImportError as error: return error\n\
             for name in {ASKED_FOR:?}: print(name, look(name))\n\
             print([name for name in sys.modules if name.split('.')[0] in {:?}])\n\
             print(sys.path)\n",
            &ASKED_FOR[..12]
        );
        write(&scene, "main.py", &code);
        assert_same(&python, &both(&scene, &python, |c| _ = c.arg("main.py")));
    }
}

/// Warnings are errors where the application says so, and they name the line that is to blame.
#[test]
fn warnings_are_those_of_the_application() {
    for python in with_agent() {
        let scene = scene(&every_version(), "OTEL_LOGS_EXPORTER = \"otlp\"\n");
        let text = "import warnings\nwarnings.warn('old', DeprecationWarning, stacklevel=2)\n";
        write(&scene, "requests.py", text);
        write(&scene, "main.py", "import requests\n");
        assert_same(&python, &both(&scene, &python, |c| _ = c.arg("main.py")));
        let code = "import logging, sqlite3, ssl, urllib.request, http.client, asyncio";
        let errors = ["-W", "error", "-c", code];
        assert_same(&python, &both(&scene, &python, |c| _ = c.args(errors)));
        let server = ["-m", "http.server", "-h"];
        assert_same(&python, &both(&scene, &python, |c| _ = c.args(server)));
    }
}

#[test]
fn logs_are_printed_as_before_and_reach_the_sink() {
    for python in with_agent() {
        let sink = Sink::start();
        let more = sending_to(&sink);
        let scene = Scene::new();
        scene.configure(&format!(
            "[python]\nagent_path = \"{}\"\n[environment]\n{more}\
             OTEL_METRICS_EXPORTER = \"none\"\nOTEL_TRACES_EXPORTER = \"none\"\n\
             OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED = \"true\"\n",
            every_version().display()
        ));
        for code in [
            "import logging\nlogging.getLogger('a').warning('last resort')\n",
            "import logging\nlogging.basicConfig(format='own %(message)s')\nlogging.warning('own')\n",
        ] {
            assert_same(
                &python,
                &both(&scene, &python, |c| _ = c.args(["-c", code])),
            );
        }
    }
}

#[test]
fn django_is_instrumented_once_it_is_configured() {
    let Some((python, packages)) = with_packages() else {
        skip!("no packages of applications: scripts/fetch-python-agent fetches them");
    };
    let sink = Sink::start();
    let scene = scene(&every_version(), &sending_to(&sink));
    write(&scene, "site1/__init__.py", "");
    write(
        &scene,
        "site1/settings.py",
        "SECRET_KEY = 'x'\nALLOWED_HOSTS = ['*']\nROOT_URLCONF = 'site1.urls'\nMARK = 'ours'\n\
         INSTALLED_APPS = ['django.contrib.contenttypes', 'django.contrib.auth', 'site1']\n",
    );
    write(
        &scene,
        "site1/management/commands/orders.py",
        "from django.core.management.base import BaseCommand\n\
         class Command(BaseCommand):\n    def handle(self, **_):\n        self.check()\n        print('checked')\n",
    );
    write(
        &scene,
        "site1/urls.py",
        "from django.conf import settings\nfrom django.http import HttpResponse\n\
         from django.urls import path\n\
         urlpatterns = [path('hi/<int:n>', lambda request, n: HttpResponse(settings.MARK))]\n",
    );
    write(
        &scene,
        "manage.py",
        "import os, sys\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n\
         from django.core.management import execute_from_command_line\n\
         execute_from_command_line(sys.argv)\n",
    );
    // The order of Django's own wsgi.py: it is imported before it is told of its settings.
    write(
        &scene,
        "wsgi.py",
        "import os\nfrom django.core.wsgi import get_wsgi_application\n\
         os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n\
         from wsgiref.util import setup_testing_defaults\n\
         environ = {'PATH_INFO': '/hi/3'}\nsetup_testing_defaults(environ)\n\
         answer = get_wsgi_application()(environ, lambda status, headers: print(status))\n\
         print(b''.join(answer)); answer.close()\n",
    );
    for arguments in [
        &["manage.py", "orders"][..],
        &["manage.py", "check"],
        &["wsgi.py"],
    ] {
        let outputs = both(&scene, &python, |command| {
            command.args(arguments).env("PYTHONPATH", &packages);
        });
        assert_same(&python, &outputs);
        assert_eq!(outputs.1.status.code(), Some(0), "{}", stderr(&outputs.1));
    }
    sink.wait_for("span of Django", |span| {
        (span["kind"] == "SERVER" && span["name"] == "GET hi/<int:n>").then_some(())
    });
}

#[test]
fn the_agent_starts_after_gevent_has_patched() {
    let Some((python, packages)) = with_packages() else {
        skip!("no packages of applications: scripts/fetch-python-agent fetches them");
    };
    let sink = Sink::start();
    let scene = scene(&every_version(), &sending_to(&sink));
    // What a call over TLS begins with; it recurs for ever where `ssl` was used too early.
    let code = format!(
        "from gevent import monkey\nmonkey.patch_all()\nimport runpy, sys, requests\n\
         from urllib3.util.ssl_ import create_urllib3_context\ncreate_urllib3_context()\n\
         runpy.run_path({:?})\n",
        program("client.py")
    );
    write(&scene, "main.py", &code);
    let outputs = both(&scene, &python, |command| {
        command.arg("main.py").env("PYTHONPATH", &packages);
    });
    assert_same(&python, &outputs);
    sink.wait_for("span of the client", |span| {
        (span["kind"] == "CLIENT").then_some(())
    });
}

/// The path grows while the application runs, as in archives that unpack themselves.
#[test]
fn packages_that_are_found_later_are_the_applications() {
    let Some((python, packages)) = with_packages() else {
        skip!("no packages of applications: scripts/fetch-python-agent fetches them");
    };
    let sink = Sink::start();
    let scene = scene(&every_version(), &sending_to(&sink));
    let code = format!(
        "import site\nsite.addsitedir({packages:?})\nimport sys; sys.path.insert(0, {packages:?})\n\
         import flask, google.protobuf, packaging, requests, threading, urllib3\n\
         from google.protobuf import timestamp_pb2\nfrom werkzeug.serving import make_server\n\
         print(timestamp_pb2.Timestamp(seconds=3))\n\
         for module in flask, google.protobuf, packaging, requests, urllib3:\n    \
             print(module.__file__, getattr(module, '__version__', ''))\n\
         app = flask.Flask('x')\n\
         app.route('/hi')(lambda: 'hi')\n\
         import logging; logging.getLogger('werkzeug').disabled = True\n\
         server = make_server('127.0.0.1', 0, app)\n\
         threading.Thread(target=server.serve_forever, daemon=True).start()\n\
         print(requests.get('http://127.0.0.1:%d/hi' % server.server_port).text)\n"
    );
    write(&scene, "main.py", &code);
    assert_same(&python, &both(&scene, &python, |c| _ = c.arg("main.py")));
    let mut kinds = Vec::new();
    while kinds.len() < 2 {
        let kind = sink.wait_for("spans of Flask and requests", |span| {
            Some(span["kind"].as_str().expect("a kind").to_owned())
        });
        kinds.push(kind);
    }
    kinds.sort();
    assert_eq!(kinds, ["CLIENT", "SERVER"]);
}

/// Asks libc, as the agent of another process would.
const ASK: &str = "import ctypes, os, sys\n\
    getenv = ctypes.CDLL(None).getenv\n\
    getenv.restype = ctypes.c_char_p\n\
    print(getenv(b'OTEL_SERVICE_NAME'), getenv(b'OTEL_TRACES_EXPORTER'))\n\
    print([name for name in sys.modules if name.startswith('_opentelemetry')])\n\
    print([getattr(finder, '__name__', type(finder).__name__) for finder in sys.meta_path])\n";

#[test]
fn half_a_start_is_undone() {
    for python in with_agent() {
        // Its exporter is not installed.
        let more = "OTEL_EXPORTER_OTLP_ENDPOINT = \"http://127.0.0.1:9\"\n\
                    OTEL_EXPORTER_OTLP_PROTOCOL = \"grpc\"\nOTEL_SERVICE_NAME = \"ours\"\n";
        let scene = scene(&every_version(), more);
        assert_same(&python, &both(&scene, &python, |c| _ = c.args(["-c", ASK])));
    }
}

#[test]
fn an_application_with_an_sdk_of_its_own_is_left_alone() {
    for python in with_agent() {
        let scene = scene(&every_version(), "OTEL_SERVICE_NAME = \"ours\"\n");
        let own = agents().join(&python.version);
        let code = format!(
            "{ASK}from opentelemetry import trace\n\
             from opentelemetry.sdk.trace import TracerProvider\n\
             trace.set_tracer_provider(TracerProvider())\n\
             print(type(trace.get_tracer_provider()).__name__)\n"
        );
        let outputs = both(&scene, &python, |command| {
            command.env("PYTHONPATH", &own).args(["-c", &code]);
        });
        assert_same(&python, &outputs);
        // The path grows afterwards: it stops.
        let code = format!(
            "import sys\nsys.path.insert(0, {own:?})\nimport opentelemetry.sdk.trace\n{ASK}"
        );
        assert_same(
            &python,
            &both(&scene, &python, |c| _ = c.args(["-c", &code])),
        );
    }
}

/// With the key both are there: the agent sends its own spans, and the application has its SDK.
#[test]
fn who_wants_both_sdks_says_so() {
    for python in with_agent() {
        let sink = Sink::start();
        let own = agents().join(&python.version);
        let code = "import urllib.request\n\
             try: urllib.request.urlopen('http://127.0.0.1:9/')\n\
             except OSError: pass\n\
             from opentelemetry.sdk.trace import TracerProvider\n\
             print(TracerProvider.__module__, TracerProvider().get_tracer('x').start_span('y').is_recording())\n";
        for (key, has_agent) in [("", false), ("allow_own_sdk = true\n", true)] {
            let scene = scene(&every_version(), &sending_to(&sink));
            let configuration = fs::read_to_string(&scene.configuration).unwrap();
            scene.configure(&configuration.replace("[python]\n", &format!("[python]\n{key}")));
            let output = run(&scene, &python, |command| {
                let code = format!("{code}import sys; print({IS_THERE})");
                command.env("PYTHONPATH", &own).args(["-c", &code]);
            });
            let there = if has_agent { "True" } else { "False" };
            assert_eq!(
                stdout(&output),
                format!("opentelemetry.sdk.trace True\n{there}\n"),
                "{key}{output:?}"
            );
        }
        sink.wait_for("span of the agent", |span| {
            (span["name"] == "GET").then_some(())
        });
    }
}

#[test]
fn spans_of_an_application_with_the_api_alone_go_to_the_agent() {
    for python in with_agent() {
        let sink = Sink::start();
        let scene = scene(&every_version(), &sending_to(&sink));
        let own = scene.path("own");
        copy_api(&python.agent().unwrap(), &own);
        let code = "from opentelemetry import trace\n\
             with trace.get_tracer('mine').start_as_current_span('own span'): pass\n\
             try: import opentelemetry.sdk\n\
             except ImportError as error: print(error)\n";
        let outputs = both(&scene, &python, |command| {
            command.env("PYTHONPATH", &own).args(["-c", code]);
        });
        assert_same(&python, &outputs);
        sink.wait_for("span of the application", |span| {
            (span["name"] == "own span").then_some(())
        });
    }
}

/// Copies the API's distribution, and those that it requires.
fn copy_api(agent: &Path, to: &Path) {
    let mut wanted = vec!["opentelemetry_api".to_owned()];
    let mut copied = Vec::new();
    while let Some(name) = wanted.pop() {
        if !copied.contains(&name) {
            wanted.extend(copy_distribution(agent, &name, to));
            copied.push(name);
        }
    }
}

/// Copies the files of one distribution, and gives the names of those that it requires everywhere.
fn copy_distribution(agent: &Path, name: &str, to: &Path) -> Vec<String> {
    let mut entries = fs::read_dir(agent)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_wanted = |path: &PathBuf| {
        let file_name = path.file_name().unwrap().to_string_lossy();
        let distribution = file_name.split_once('-').map(|(name, _)| name);
        distribution == Some(name) && file_name.ends_with(".dist-info")
    };
    let information = entries.find(is_wanted).expect(name);
    let record = fs::read_to_string(information.join("RECORD")).unwrap();
    for path in record.lines().filter_map(|line| line.split(',').next()) {
        let source = agent.join(path);
        if source.is_file() && !path.contains("__pycache__") && !path.starts_with("..") {
            let copy = to.join(path);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(source, copy).unwrap();
        }
    }
    let metadata = fs::read_to_string(information.join("METADATA")).unwrap();
    let required = metadata
        .lines()
        .filter_map(|line| line.strip_prefix("Requires-Dist: "))
        .filter(|required| !required.contains(';'));
    let name_of = |required: &str| {
        let end = |letter: char| !letter.is_ascii_alphanumeric() && !"-_.".contains(letter);
        let name = required.split(end).next().unwrap_or_default();
        name.replace('-', "_")
    };
    required.map(name_of).collect()
}

#[test]
fn no_end_waits_for_a_collector() {
    for python in with_agent() {
        for (_, collector) in useless() {
            let scene = Scene::new();
            scene.configure(&format!(
                "[python]\nagent_path = \"{}\"\n[environment]\n\
                 OTEL_EXPORTER_OTLP_ENDPOINT = \"{collector}\"\n",
                every_version().display()
            ));
            let code = format!(
                "import runpy; runpy.run_path({:?}); import time; print(time.time())",
                program("client.py")
            );
            let end_of = |preload: bool| {
                let output = run(&scene, &python, |command| {
                    command.args(["-c", &code]);
                    if !preload {
                        command.env_remove("LD_PRELOAD");
                    }
                });
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                assert_eq!(stderr(&output), "", "{collector}");
                let last = stdout(&output).lines().nth(1).expect("a time").parse();
                now.unwrap() - Duration::from_secs_f64(last.expect("seconds"))
            };
            // A busy machine makes one run slow, not each of them.
            let mut ends = (0..4).map(|_| (end_of(false), end_of(true)));
            assert!(
                ends.any(|(plain, hooked)| hooked < plain + Duration::from_secs(2)),
                "{collector}"
            );
        }
    }
}

#[test]
fn the_agent_runs_by_a_configuration_file() {
    for python in with_agent() {
        let configuration = python.agent().unwrap().join("opentelemetry/configuration");
        if !configuration.is_dir() {
            println!(
                "skipped: {} has no opentelemetry-configuration",
                python.version
            );
            continue;
        }
        let sink = Sink::start();
        let file = Scene::new();
        let file = write(
            &file,
            "otel.yaml",
            "file_format: \"1.0\"\nresource:\n  attributes_list: ${OTEL_RESOURCE_ATTRIBUTES}\n  \
             attributes:\n    - name: service.name\n      value: ${OTEL_SERVICE_NAME}\n\
             tracer_provider:\n  processors:\n    - batch:\n        exporter:\n          \
             otlp_http:\n            endpoint: ${OTEL_EXPORTER_OTLP_ENDPOINT}/v1/traces\n",
        );
        let more = format!(
            "{}OTEL_CONFIG_FILE = {file:?}\nOTEL_SERVICE_NAME = \"by file\"\n\
             [resource_attributes]\nteam = \"blue\"\n",
            sending_to(&sink)
        );
        let scene = scene(&every_version(), &more);
        let code = format!(
            "import runpy; runpy.run_path({:?})\nimport os, subprocess\n\
             print(b'OTEL' in subprocess.check_output(['env']), 'OTEL_CONFIG_FILE' in os.environ)\n",
            program("client.py")
        );
        let mut command = scene.command(&python.program, "direct");
        assert_eq!(succeed(command.args(["-c", &code])), "404\nFalse False\n");
        let span = sink.wait_for("span of the client", |span| {
            (span["kind"] == "CLIENT").then(|| span.clone())
        });
        assert_eq!(span["service"], "by file");
        assert_eq!(span["resource"]["team"], "blue");
    }
}
