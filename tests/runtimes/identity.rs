//! Services that nobody has named arrive under the names of docs/service-names.md: real programs,
//! started as they are in the field, with no configuration beyond an agent.

use crate::php_servers::{self, Server};
use serde_json::Value;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::{Background, Scene, Sink, has, is_root, root, skip};

/// Where scripts/fetch-services has put the servers.
fn services() -> Option<PathBuf> {
    root().join(".cache/services/python").canonicalize().ok()
}

/// The system's Python, which the servers are fetched for; its agent.
const PYTHON: &str = "/usr/bin/python3";

/// Makes one client span, as soon as it is imported.
const SPAN: &str = "import urllib.request\n\
                    try: urllib.request.urlopen('http://127.0.0.1:9/')\n\
                    except OSError: pass\n";

const SETTINGS: &str = "OTEL_METRICS_EXPORTER = \"none\"\nOTEL_LOGS_EXPORTER = \"none\"\n\
                        OTEL_BSP_SCHEDULE_DELAY = \"200\"\n\
                        OTEL_EXPORTER_OTLP_PROTOCOL = \"http/protobuf\"\n";

/// A scene with an agent, and the sink that it sends to.
fn scene(section: &str, agent: &Path, rules: &str) -> (Scene, Sink) {
    let (scene, sink) = (Scene::new(), Sink::start());
    scene.configure(&format!(
        "[{section}]\nagent_path = '{}'\n[environment]\n{SETTINGS}\
         OTEL_EXPORTER_OTLP_ENDPOINT = '{}'\n{rules}",
        agent.display(),
        sink.endpoint
    ));
    (scene, sink)
}

fn ruby_agent() -> PathBuf {
    root()
        .join("tests/agents/ruby/agent.rb")
        .canonicalize()
        .unwrap()
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// Starts a program in a folder, waits for a span of it, and ends it with the processes that it has started.
fn span_of(sink: &Sink, command: &mut Command) -> Value {
    let program = Background::start(command.stderr(Stdio::null()).process_group(0));
    let span = sink.wait_for("span", |span| Some(span.clone()));
    let group = format!("-{}", program.id());
    let ended = Command::new("kill").args(["-KILL", "--", &group]).status();
    assert!(ended.is_ok());
    span
}

#[test]
fn python_servers_have_the_names_of_their_applications() {
    let Some(packages) = services() else {
        skip!("no servers in .cache/services: scripts/fetch-services fetches them");
    };
    let agents = root().join(".cache/python").canonicalize().unwrap();
    let wsgi = format!(
        "{SPAN}def application(environ, start):\n  start('200 OK', [])\n  return [b'']\napp = application\n"
    );
    let asgi = format!("{SPAN}async def app(scope, receive, send):\n  pass\napplication = app\n");
    let celery =
        format!("{SPAN}from celery import Celery\napp = Celery('x', broker='memory://')\n");
    let flask = format!("{SPAN}from flask import Flask\napp = Flask('x')\n");
    let django = format!("{SPAN}SECRET_KEY = 'x'\nDEBUG = True\nROOT_URLCONF = 'shop.urls'\n");
    let manage = "import os, sys\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n\
                  from django.core.management import execute_from_command_line\n\
                  execute_from_command_line(sys.argv)\n";
    let files = [
        ("web/shop/__init__.py", ""),
        ("web/shop/wsgi.py", wsgi.as_str()),
        ("web/shop/asgi.py", asgi.as_str()),
        ("web/shop/tasks.py", celery.as_str()),
        ("web/shop/front.py", flask.as_str()),
        ("web/shop/settings.py", django.as_str()),
        ("web/shop/urls.py", "urlpatterns = []\n"),
        ("web/manage.py", manage),
        ("basket/app.py", wsgi.as_str()),
        ("basket/main.py", SPAN),
        ("basket/worker.py", SPAN),
    ];
    for (folder, line, wanted) in [
        ("web", "gunicorn -b 127.0.0.1:0 shop.wsgi", "shop"),
        ("basket", "gunicorn -b 127.0.0.1:0 app:app", "basket"),
        (
            "web",
            "gunicorn -b 127.0.0.1:0 --name checkout shop.wsgi",
            "checkout",
        ),
        ("web", "uvicorn --port 0 shop.asgi:app", "shop"),
        // Only what they start imports the application.
        ("web", "uvicorn --port 0 --workers 2 shop.asgi:app", "shop"),
        ("web", "uvicorn --port 0 --reload shop.asgi:app", "shop"),
        ("web", "hypercorn -w 2 -b 127.0.0.1:0 shop.asgi:app", "shop"),
        (
            "web",
            "waitress-serve --listen=127.0.0.1:0 shop.wsgi:application",
            "shop",
        ),
        (
            "web",
            "celery -A shop.tasks worker --pool solo",
            "shop-tasks",
        ),
        ("web", "flask --app shop.front run --port 0", "front"),
        ("web", "manage.py runserver --noreload 127.0.0.1:0", "shop"),
        ("web", "-m shop.front", "front"),
        ("basket", "main.py", "basket"),
        ("basket", "worker.py", "basket-worker"),
    ] {
        let (scene, sink) = scene("python", &agents.join("{version}"), "");
        write(scene.folder.path(), &files);
        let mut command = scene.command(PYTHON, "direct");
        command.current_dir(scene.path(folder));
        let program = line.split(' ').next().unwrap();
        let installed = packages.join("bin").join(program);
        if installed.exists() {
            command.arg(installed);
            command.args(line.split(' ').skip(1));
        } else {
            command.args(line.split(' '));
        }
        command.env("PYTHONPATH", &packages);
        let span = span_of(&sink, &mut command);
        assert_eq!(span["service"], wanted, "{line}");
        println!("{line}: {wanted}");
    }
}

/// Spans come only from the processes of the pool, and from those that a process of a pool has started.
const POOL: &str = "import multiprocessing, sys, time, urllib.request
def work(depth):
    if depth: return start(depth - 1)
    try: urllib.request.urlopen('http://127.0.0.1:9/')
    except OSError: pass
    time.sleep(60)
def start(depth):
    process = multiprocessing.get_context(sys.argv[1]).Process(target=work, args=(depth,))
    process.start()
    process.join()
if __name__ == '__main__':
    start(int(sys.argv[2]))
";

#[test]
fn processes_that_python_starts_for_itself_have_the_name_of_their_service() {
    let Ok(agents) = root().join(".cache/python").canonicalize() else {
        skip!("no agent in .cache/python: scripts/fetch-python-agent fetches it");
    };
    for (method, depth) in [("spawn", "0"), ("forkserver", "0"), ("spawn", "2")] {
        let (scene, sink) = scene("python", &agents.join("{version}"), "");
        write(scene.folder.path(), &[("forecast/worker.py", POOL)]);
        let mut command = scene.command(PYTHON, "direct");
        command.current_dir(scene.path("forecast"));
        command.args(["worker.py", method, depth]);
        let span = span_of(&sink, &mut command);
        assert_eq!(span["service"], "forecast-worker", "{method} {depth}");
    }
    // Its parent is a shell.
    let (scene, sink) = scene("python", &agents.join("{version}"), "");
    let code = "from multiprocessing.spawn import sys\n\
         import urllib.request\n\
         try: urllib.request.urlopen('http://127.0.0.1:9/')\n\
         except OSError: pass\n";
    let mut command = scene.command("sh", "direct");
    command.args(["-c", "\"$1\" -c \"$2\"; true", "sh", PYTHON, code]);
    let span = span_of(&sink, &mut command);
    let service = span["service"].as_str().unwrap();
    assert!(service.starts_with("unknown_service"), "{service}");
}

#[test]
fn node_services_have_the_name_and_version_of_their_package() {
    let Ok(agent) = root().join(".cache/nodejs").canonicalize() else {
        skip!("no agent in .cache/nodejs: scripts/fetch-nodejs-agent fetches it");
    };
    let (scene, sink) = scene("nodejs", &agent, "");
    let app = "require('http').get('http://127.0.0.1:9').on('error', () => {});\n\
               setTimeout(() => {}, 60000);\n";
    write(
        scene.folder.path(),
        &[
            (
                "shop/package.json",
                r#"{"name": "@acme/shop", "version": "1.2.3"}"#,
            ),
            ("shop/dist/package.json", r#"{"type": "commonjs"}"#),
            ("shop/dist/server.js", app),
            ("mailer/mailer.js", app),
            (
                "shop/cluster.js",
                "const cluster = require('cluster');\n\
                 if (cluster.isPrimary) cluster.fork(); else require('./dist/server.js');\n",
            ),
            (
                "shop/fork.js",
                "require('child_process').fork(__dirname + '/dist/server.js');\n\
                 setTimeout(() => {}, 60000);\n",
            ),
        ],
    );
    for (script, name, version) in [
        ("shop/dist/server.js", "shop", "1.2.3".into()),
        ("mailer/mailer.js", "mailer", Value::Null),
        // Their workers alone make spans.
        ("shop/cluster.js", "shop", "1.2.3".into()),
        ("shop/fork.js", "shop", "1.2.3".into()),
    ] {
        let mut command = scene.command("node", "direct");
        let span = span_of(&sink, command.arg(scene.path(script)));
        assert_eq!(span["service"], name);
        assert_eq!(span["resource"]["service.version"], version);
    }
}

#[test]
fn ruby_services_have_the_name_of_their_application() {
    if !has("ruby") {
        skip!("no ruby");
    }
    let agent = ruby_agent();
    let rack = "run ->(_) { [200, {}, []] }\n";
    let files = [
        ("shop/config.ru", rack),
        ("rails/config/application.rb", "module ShopFront\nend\n"),
        ("rails/config.ru", rack),
        ("shop/app.rb", "sleep 60\n"),
        ("jobs/mailer.rb", "sleep 60\n"),
    ];
    for (folder, line, wanted) in [
        ("shop", "app.rb", "shop"),
        ("jobs", "mailer.rb", "mailer"),
        ("shop", "puma -b tcp://127.0.0.1:0", "shop"),
        ("shop", "puma -b tcp://127.0.0.1:0 --tag basket", "basket"),
        ("rails", "puma -b tcp://127.0.0.1:0", "shop_front"),
    ] {
        let program = line.split(' ').next().unwrap();
        let installed = Path::new("/usr/bin").join(program);
        let is_script = program.ends_with(".rb");
        if !is_script && !installed.exists() {
            println!("skipped: no {program}");
            continue;
        }
        let (scene, sink) = scene("ruby", &agent, "");
        write(scene.folder.path(), &files);
        let mut command = scene.command("ruby", "direct");
        command.current_dir(scene.path(folder));
        command.arg(if is_script { program.into() } else { installed });
        command.args(line.split(' ').skip(1));
        assert_eq!(span_of(&sink, &mut command)["service"], wanted, "{line}");
    }
}

#[test]
fn php_services_have_the_name_of_their_application() {
    if !has("php") {
        skip!("no php");
    }
    let agent = root().join("tests/agents/php").canonicalize().unwrap();
    let files = [
        ("shop/artisan", "<?php sleep(60);"),
        ("shop/composer.json", "{\"name\": \"acme/basket\"}"),
        ("jobs/mailer.php", "<?php sleep(60);"),
    ];
    for (folder, line, wanted) in [
        ("shop", "artisan queue:work", "basket"),
        ("jobs", "mailer.php", "mailer"),
    ] {
        let (scene, sink) = scene("php", &agent, "");
        write(scene.folder.path(), &files);
        let mut command = scene.command("php", "direct");
        command
            .current_dir(scene.path(folder))
            .args(line.split(' '));
        assert_eq!(span_of(&sink, &mut command)["service"], wanted, "{line}");
    }
    let (scene, sink) = scene("php", &agent, "");
    write(scene.folder.path(), &files);
    let mut command = scene.command("php", "direct");
    command.current_dir(scene.path("jobs")).arg("mailer.php");
    command.env("OTEL_SERVICE_NAME", "mine");
    assert_eq!(span_of(&sink, &mut command)["service"], "mine");
}

/// What a script finds of the name: nothing but the answer of `getenv`.
const PAGE: &str = "<?php echo isset($_SERVER['OTEL_SERVICE_NAME']) ? 'told' : 'nothing', ' ', \
                    shell_exec('printenv OTEL_SERVICE_NAME') ?: 'no child';";

#[test]
fn a_request_to_fpm_has_the_name_of_its_document_root() {
    let Some(fpm) = php_servers::fpm() else {
        skip!("no php-fpm");
    };
    let agent = root().join("tests/agents/php").canonicalize().unwrap();
    let shop = ("DOCUMENT_ROOT", "/srv/shop/public");
    let requests: [(&[(&str, &str)], &str); 7] = [
        (&[shop], "shop"),
        (&[("DOCUMENT_ROOT", "/usr/share/basket")], "basket"),
        (&[("DOCUMENT_ROOT", "/var/www/html")], "unknown_service:php"),
        (&[shop, ("OTEL_SERVICE_NAME", "mine")], "mine"),
        (
            &[shop, ("OTEL_RESOURCE_ATTRIBUTES", "service.name=theirs")],
            "theirs",
        ),
        (&[], "unknown_service:php"),
        (&[shop], "shop"),
    ];
    let served = |rules: &str, pool: &str, requests: &[(&[(&str, &str)], &str)]| {
        let (scene, sink) = scene("php", &agent, rules);
        write(scene.folder.path(), &[("page.php", PAGE)]);
        let server = Server::fpm(&scene, scene.command(&fpm, "direct"), pool);
        for (parameters, wanted) in requests {
            let answer = server.get_with(&scene.path("page.php"), parameters);
            // Who sets the variable finds it, and nobody else does.
            let is_set = parameters
                .iter()
                .any(|(name, _)| *name == "OTEL_SERVICE_NAME");
            let is_without = answer.ends_with("nothing no child");
            assert_eq!(is_without, !is_set && pool.is_empty(), "{answer}");
            let span = sink.wait_for("span", |span| Some(span.clone()));
            assert_eq!(span["service"], *wanted, "{parameters:?}");
        }
    };
    served("", "", &requests);
    // All other sources are stronger.
    served(
        "[[rule]]\nservice_name = 'ours'\n",
        "",
        &[(&[shop], "ours")],
    );
    served("", "env[OTEL_SERVICE_NAME] = pool\n", &[(&[shop], "pool")]);
    let off = "[[rule]]\nservice_name = 'off'\n";
    served(off, "", &[(&[shop], "unknown_service:php")]);
}

#[test]
fn a_request_to_apache_has_the_name_of_its_document_root() {
    let Some((apache, module)) = php_servers::apache() else {
        skip!("no apache2 with PHP's module");
    };
    let agent = root().join("tests/agents/php").canonicalize().unwrap();
    let (scene, sink) = scene("php", &agent, "");
    write(scene.folder.path(), &[("shop/public/page.php", PAGE)]);
    let root = format!("DocumentRoot {}\n", scene.path("shop/public").display());
    let start = || scene.command(&apache, "direct");
    let server = Server::apache(&scene, start, &module, &root);
    let answer = server.get(&scene.path("shop/public/page.php"));
    assert!(answer.ends_with("nothing no child"), "{answer}");
    let span = sink.wait_for("span", |span| Some(span.clone()));
    assert_eq!(span["service"], "shop");
}

/// What systemd would have made: the process's own entry in /proc shows another control group.
#[test]
fn a_systemd_unit_names_what_has_no_name_of_its_own() {
    if !has("ruby") || !is_root() || !has("unshare") {
        skip!("a bound file in /proc needs root and unshare, and the program is Ruby's");
    }
    let agent = ruby_agent();
    let slice = "0::/system.slice/system-gunicorn.slice";
    for (group, wanted) in [
        ("0::/system.slice/shop.service\n".into(), "shop"),
        (format!("{slice}/gunicorn@basket.service\n"), "basket"),
        (
            "0::/user.slice/user-0.slice/session-1.scope\n".into(),
            "unknown_service",
        ),
    ] {
        let (scene, sink) = scene("ruby", &agent, "");
        write(
            scene.folder.path(),
            &[("app/app.rb", "sleep 60\n"), ("cgroup", &group)],
        );
        let mut command = scene.command("unshare", "direct");
        let bind_and_go = "mount --bind \"$1\" /proc/$$/cgroup && exec ruby \"$2\"";
        command.args(["--mount", "sh", "-c", bind_and_go, "sh"]);
        command.args([scene.path("cgroup"), scene.path("app/app.rb")]);
        assert_eq!(span_of(&sink, &mut command)["service"], wanted, "{group}");
    }
}

#[test]
fn a_rule_names_a_service_and_the_user_names_it_better() {
    if !has("ruby") {
        skip!("no ruby");
    }
    let agent = ruby_agent();
    let rules = "[[rule]]\nmatch = { executable = 'ruby*', arguments = '*no.rb' }\nenabled = false\n\
                 [[rule]]\nmatch = { runtime = 'ruby', working_directory = '*/shop' }\n\
                 service_name = 'checkout'\n[rule.resource_attributes]\nteam = 'blue'\n\
                 [[rule]]\nservice_name = 'off'\n";
    let (scene, sink) = scene("ruby", &agent, rules);
    let files = [
        (
            "shop/app.rb",
            "puts defined?(TestAgent) ? 'agent' : 'none'\n",
        ),
        (
            "shop/no.rb",
            "puts defined?(TestAgent) ? 'agent' : 'none'\n",
        ),
        ("jobs/mailer.rb", "sleep 60\n"),
    ];
    write(scene.folder.path(), &files);
    let ruby = |folder: &str, script: &str| {
        let mut command = scene.command("ruby", "direct");
        command.current_dir(scene.path(folder)).arg(script);
        command
    };
    let span = span_of(&sink, &mut ruby("shop", "app.rb"));
    assert_eq!(span["service"], "checkout");
    assert_eq!(span["resource"]["team"], "blue");
    let span = span_of(
        &sink,
        ruby("shop", "app.rb").env("OTEL_SERVICE_NAME", "mine"),
    );
    assert_eq!(span["service"], "mine");
    let span = span_of(&sink, &mut ruby("jobs", "mailer.rb"));
    assert_eq!(
        span["service"], "unknown_service",
        "derived in spite of \"off\""
    );
    let output = ruby("shop", "no.rb").output().unwrap();
    assert_eq!(support::stdout(&output), "none\n");
    let told = ruby("shop", "no.rb")
        .env("OPENTELEMETRY_INJECTOR_DEBUG", "1")
        .output()
        .unwrap();
    let line = format!("the rule at {}:", scene.configuration.display());
    assert!(
        support::stderr(&told).contains(&line),
        "{}",
        support::stderr(&told)
    );
}
