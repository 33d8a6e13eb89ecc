//! Values of ours that a parent has handed on in the environment: the agent starts once, and the
//! process's own children see nothing of it.

use std::fs;
use std::path::Path;
use support::{Scene, built, has, succeed};

/// A runtime, its variable, and how it is handed on.
struct Case {
    runtime: &'static str,
    program: &'static str,
    variable: &'static str,
    /// The value with `BOOT` for the folder of our boot files, and what is the user's own.
    values: &'static [(&'static str, Option<&'static str>)],
    /// The files in the agent's folder.
    agent: &'static [(&'static str, &'static str)],
    /// A program that shows a child's environment.
    script: &'static str,
}

const NODEJS: Case = Case {
    runtime: "nodejs",
    program: "node",
    variable: "NODE_OPTIONS",
    values: &[
        ("--require BOOT/nodejs/register.cjs", None),
        (
            "--title=a --require BOOT/nodejs/register.cjs --stack-trace-limit=9",
            Some("--title=a --stack-trace-limit=9"),
        ),
        (
            "--require \"BOOT/nodejs/register.cjs\" -r fs",
            Some("-r fs"),
        ),
        (
            "--require BOOT/nodejs/register.cjs --require BOOT/nodejs/register.cjs",
            None,
        ),
    ],
    agent: &[(
        "node_modules/@opentelemetry/auto-instrumentations-node/build/src/register.js",
        "require('fs').appendFileSync(process.env.MARK, 'x')",
    )],
    script: "require('child_process').spawnSync('env', { stdio: 'inherit' })",
};

const PYTHON: Case = Case {
    runtime: "python",
    program: "python3",
    variable: "PYTHONPATH",
    values: &[
        ("BOOT/python", None),
        ("/mine:BOOT/python:/other", Some("/mine:/other")),
        ("BOOT/python:BOOT/python", None),
    ],
    agent: &[
        (
            "opentelemetry/instrumentation/auto_instrumentation/__init__.py",
            "import os\ndef initialize(*a, **k):\n    open(os.environ['MARK'], 'a').write('x')\n",
        ),
        (
            "opentelemetry/instrumentation/auto_instrumentation/_load.py",
            "def entry_points(**_):\n    return ()\ndef _load_distro():\n    return None\n",
        ),
        (
            "opentelemetry_instrumentation-0.66b1.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: opentelemetry-instrumentation\nVersion: 0.66b1\nRequires-Python: >=3.8\n",
        ),
    ],
    script: "import subprocess; subprocess.run(['env'])",
};

const RUBY: Case = Case {
    runtime: "ruby",
    program: "ruby",
    variable: "RUBYOPT",
    values: &[
        ("-rBOOT/ruby/boot.rb", None),
        ("-w -rBOOT/ruby/boot.rb -rset", Some("-w -rset")),
    ],
    agent: &[
        ("agent.rb", "File.write(ENV['MARK'], 'x', mode: 'a')"),
        ("minimum_ruby_version", "2.7"),
    ],
    script: "system('env')",
};

const PHP: Case = Case {
    runtime: "php",
    program: "php",
    variable: "PHP_INI_SCAN_DIR",
    values: &[
        (":BOOT/php/ini", None),
        ("BOOT/php/ini", Some("")),
        (":/nothing:BOOT/php/ini", Some(":/nothing")),
    ],
    agent: &[(
        "autoload.php",
        "<?php file_put_contents(getenv('MARK'), 'x', FILE_APPEND);",
    )],
    script: "<?php passthru('env');",
};

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Starts the program with each value.
fn check(case: &Case) {
    let Case {
        runtime,
        program,
        variable,
        ..
    } = case;
    if !has(program) {
        support::skip!("no {program}");
    }
    let scene = Scene::new();
    for (name, content) in case.agent {
        write(&scene.path(&format!("agent/{name}")), content);
    }
    let file = if *runtime == "ruby" { "/agent.rb" } else { "" };
    let agent = format!("{}{file}", scene.path("agent").display());
    scene.configure(&format!("{runtime}.agent_path = '{agent}'\n"));
    let script = scene.path("app.script");
    fs::write(&script, case.script).unwrap();
    let mark = scene.path("mark");
    let boot = built().join("boot");
    for (value, wanted) in case.values {
        let value = value.replace("BOOT", boot.to_str().unwrap());
        let _ = fs::remove_file(&mark);
        let mut command = scene.command(program, "direct");
        command
            .arg(&script)
            .env("MARK", &mark)
            .env(variable, &value);
        let environment = succeed(&mut command);
        let beginning = format!("{variable}=");
        let seen = environment
            .lines()
            .find_map(|line| line.strip_prefix(&beginning));
        assert_eq!(seen, *wanted, "{value}");
        assert!(
            !environment.contains(boot.to_str().unwrap()),
            "{environment}"
        );
        assert_eq!(fs::read_to_string(&mark).unwrap(), "x", "{value}");
        // Where the agent is switched off it is taken out as well, unless no boot file is loaded.
        let mut command = scene.command(program, "direct");
        command
            .arg(&script)
            .env("MARK", &mark)
            .env(variable, &value)
            .env("OTEL_INJECTOR_DISABLED", "true");
        let environment = succeed(&mut command);
        let seen = environment
            .lines()
            .find_map(|line| line.strip_prefix(&beginning));
        if *runtime != "php" {
            assert_eq!(seen, *wanted, "switched off: {value}");
        }
        assert_eq!(fs::read_to_string(&mark).unwrap(), "x", "{value}");
    }
}

#[test]
fn node_takes_ours_out() {
    check(&NODEJS);
}

#[test]
fn python_takes_ours_out() {
    check(&PYTHON);
}

#[test]
fn ruby_takes_ours_out() {
    check(&RUBY);
}

#[test]
fn php_takes_ours_out() {
    check(&PHP);
}
