//! `opentelemetry-injector check`, by what it prints and how it exits.

use serde_json::{Value, json};
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use support::command::{Outcome, Scratch, built, copy_program, outcome, ran};

const FILE: &str = "configuration.toml";

/// What is said of a file below a problem that keeps processes from injecting.
const FATAL: &str = "processes inject nothing because of this";

/// Some user without rights.
const NOBODY: u32 = 65534;

/// Checks one file of this content in a folder of its own.
fn check(content: impl AsRef<[u8]>) -> Outcome {
    let scratch = Scratch::new();
    scratch.write(FILE, content);
    scratch.run(&["check", FILE])
}

/// Checks a content with a problem; what is said of it.
fn problem(content: &str) -> String {
    let outcome = check(content);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (1, ""));
    let (problem, _) = outcome.stdout.split_once("\n\n").unwrap();
    problem.into()
}

/// A configuration without problems and warnings; its agent is there.
fn good(scratch: &Scratch) {
    let agent = scratch.write("agent.jar", "");
    let content = format!("[jvm]\nagent_path = '{}'\n", agent.display());
    scratch.write(FILE, content);
}

#[test]
fn without_problems_it_says_so() {
    let scratch = Scratch::new();
    good(&scratch);
    let one = outcome(0, "configuration.toml: no problems (1 file)\n", "");
    assert_eq!(scratch.run(&["check", FILE]), one);

    scratch.write("conf.d/10.toml", "enabled = true");
    scratch.write("conf.d/20.toml.bak", "not read");
    scratch.write("conf.d/.30.toml", "not read");
    let two = outcome(0, "configuration.toml: no problems (2 files)\n", "");
    assert_eq!(scratch.run(&["check", FILE]), two);
}

#[test]
fn without_a_file_it_checks_what_a_process_would_use() {
    let scratch = Scratch::new();
    good(&scratch);
    let path = scratch.path().join(FILE);
    let mut command = scratch.command(&built("opentelemetry-injector"), &["check"]);
    command.env("OPENTELEMETRY_INJECTOR_CONFIGURATION", &path);
    let said = format!("{}: no problems (1 file)\n", path.display());
    assert_eq!(ran(command), outcome(0, &said, ""));
}

#[test]
fn every_problem_of_every_file_is_told_in_their_order() {
    let scratch = Scratch::new();
    scratch.write(
        FILE,
        "[jvm]\nagnet_path = '/a.jar'\nagent_path = \"agent.jar\"\n",
    );
    scratch.write("conf.d/9.toml", "enabled = 'yes'\n");
    scratch.write("conf.d/10.toml", "[jvm\n");
    let told = "\
configuration.toml:2:1: unknown key `jvm.agnet_path`
  |
2 | agnet_path = '/a.jar'
  | ^^^^^^^^^^
  = jvm.agent_path: absolute path of the OpenTelemetry Java agent's jar
  = processes ignore this key
  = help: did you mean `jvm.agent_path`?

configuration.toml:3:14: `jvm.agent_path` takes an absolute path
  |
3 | agent_path = \"agent.jar\"
  |              ^^^^^^^^^^^
  = jvm.agent_path: absolute path of the OpenTelemetry Java agent's jar
  = processes inject nothing because of this
  = help: write the path from `/` on: processes run in any directory

conf.d/10.toml:1:5: unclosed table, expected `]`
  |
1 | [jvm
  |     ^
  = processes inject nothing because of this
  = help: lines are `key = value`, `[section]` or `# comment`; strings are in quotes

conf.d/9.toml:1:11: `enabled` takes true or false, not a string
  |
1 | enabled = 'yes'
  |           ^^^^^
  = enabled: false: no process is injected
  = processes inject nothing because of this
  = help: write `true`

configuration.toml: 4 problems (3 files)
";
    assert_eq!(scratch.run(&["check", FILE]), outcome(1, told, ""));
}

#[test]
fn carets_stand_under_the_value_after_tabs_and_long_characters() {
    assert_eq!(
        problem("[resource_attributes]\n\t\"größe\" =\t5000 # ö\n"),
        "\
configuration.toml:2:12: `resource_attributes.größe` takes a string, not an integer
  |
2 |     \"größe\" =    5000 # ö
  |                  ^^^^
  = resource_attributes: attributes added to the resource, unless the user sets them
  = processes inject nothing because of this
  = help: write `\"5000\"`"
    );
}

#[test]
fn names_below_environment_begin_with_otel() {
    assert_eq!(
        problem("[environment]\nPATH = '/bin'\n"),
        "\
configuration.toml:2:1: `environment.PATH` is not a name of OTEL_ followed by letters, digits or underscores
  |
2 | PATH = '/bin'
  | ^^^^
  = environment: defaults for the agents' settings; the names begin with OTEL_
  = processes ignore this key
  = help: only the agents' settings can stand here; set others where the process is started"
    );
}

#[test]
fn an_agent_that_is_not_there_is_a_warning() {
    assert_eq!(
        check("[jvm]\nagent_path = '/nonexistent/agent.jar'\n"),
        outcome(
            0,
            "\
configuration.toml:2:14: warning: /nonexistent/agent.jar: no such file
  |
2 | agent_path = '/nonexistent/agent.jar'
  |              ^^^^^^^^^^^^^^^^^^^^^^^^
  = help: put the agent there, and make it readable for every user whose processes are injected

configuration.toml: no problems, 1 warning (1 file)
",
            ""
        )
    );
}

#[test]
fn an_agent_that_is_not_there_is_a_warning_for_every_runtime() {
    for (runtime, path, missing) in [
        ("jvm", "/gone", "/gone"),
        (
            "nodejs",
            "/gone",
            "/gone/node_modules/@opentelemetry/auto-instrumentations-node/build/src/register.js",
        ),
        (
            "python",
            "/gone",
            "/gone/opentelemetry/instrumentation/auto_instrumentation/__init__.py",
        ),
        ("python", "/gone/{version}/x", "/gone"),
        ("ruby", "/gone", "/gone"),
        ("php", "/gone", "/gone/autoload.php"),
        (
            "erlang",
            "/gone",
            "/gone/opentelemetry/ebin/opentelemetry.app",
        ),
        (
            "dotnet",
            "/gone",
            "/gone/net/OpenTelemetry.AutoInstrumentation.StartupHook.dll",
        ),
    ] {
        let told = check(format!("[{runtime}]\nagent_path = '{path}'\n"));
        let said = format!("configuration.toml:2:14: warning: {missing}: no such file\n");
        assert_eq!(told.code, 0);
        assert!(told.stdout.starts_with(&said), "{runtime}: {told:?}");
        assert!(told.stdout.contains("no problems, 1 warning"), "{told:?}");
    }
}

#[test]
fn agents_that_are_there_are_no_warnings_and_folders_in_their_place_are() {
    let scratch = Scratch::new();
    scratch.write("agent.rb", "");
    scratch.write(
        "node_modules/@opentelemetry/auto-instrumentations-node/build/src/register.js",
        "",
    );
    scratch.write("opentelemetry/ebin/opentelemetry.app", "");
    let folder = scratch.path().display();
    let content = format!(
        "ruby.agent_path = '{folder}/agent.rb'\nnodejs.agent_path = '{folder}'\n\
         python.agent_path = '{folder}/python{{version}}'\nerlang.agent_path = '{folder}'\n"
    );
    scratch.write(FILE, content);
    let fine = outcome(0, "configuration.toml: no problems (1 file)\n", "");
    assert_eq!(scratch.run(&["check", FILE]), fine);

    let told = check("[jvm]\nagent_path = '/etc'\n").stdout;
    assert!(
        told.contains("warning: /etc: not a regular file\n"),
        "{told}"
    );
}

#[test]
fn an_agent_path_that_no_jvm_takes_is_a_problem_where_it_is_named_last() {
    let scratch = Scratch::new();
    scratch.write(FILE, "jvm.agent_path = '/a.jar'\n");
    scratch.write("conf.d/1.toml", "jvm.agent_path = '/a=b.jar'\n");
    let told = "\
conf.d/1.toml:1:18: /a=b.jar: the JVM takes what follows `=` for the agent's options
  |
1 | jvm.agent_path = '/a=b.jar'
  |                  ^^^^^^^^^^
  = help: move the agent: processes with this path in `agent_path` are not injected

configuration.toml: 1 problem (2 files)
";
    assert_eq!(scratch.run(&["check", FILE]), outcome(1, told, ""));
}

#[test]
fn no_agent_is_a_warning_unless_a_broken_file_may_name_it() {
    let told = "\
configuration.toml: warning: the configuration names no agent_path, and /usr/lib/opentelemetry has no agent
  = help: run `opentelemetry-injector agent install`, or name the agent: `agent_path = \"/…/opentelemetry-javaagent.jar\"` under `[jvm]`

configuration.toml: no problems, 1 warning (1 file)
";
    assert_eq!(check("enabled = true\n"), outcome(0, told, ""));
    assert!(!check("[jvm\n").stdout.contains("warning"));
}

#[test]
fn a_value_that_agents_do_not_take_is_a_warning_with_its_place() {
    let scratch = Scratch::new();
    scratch.write("agent.rb", "");
    scratch.write(
        FILE,
        format!(
            "ruby.agent_path = '{}/agent.rb'\n[environment]\nOTEL_EXPORTER_OTLP_ENDPOINT = ''\n",
            scratch.path().display()
        ),
    );
    scratch.write("default_env.conf", "OTEL_TRACES_EXPORTER=oltp\n");
    let told = "\
default_env.conf:1:1: warning: `oltp` is no name that agents know here
  |
1 | OTEL_TRACES_EXPORTER=oltp
  | ^^^^^^^^^^^^^^^^^^^^^^^^^
  = help: write one of otlp, console, none, logging, logging-otlp, otlp/stdout, experimental-otlp/stdout, \
otlp_proto_http, otlp_proto_grpc, otlp_json_file, memory, zipkin, jaeger: agents refuse to start with another \
value, or ignore it

configuration.toml:3:31: warning: `OTEL_EXPORTER_OTLP_ENDPOINT` is empty, which counts as not set
  |
3 | OTEL_EXPORTER_OTLP_ENDPOINT = ''
  |                               ^^
  = help: remove it, or give it a value

configuration.toml: no problems, 2 warnings (2 files)
";
    assert_eq!(scratch.run(&["check", FILE]), outcome(0, told, ""));
}

/// A file that cannot be read as text, and what helps.
fn is_refused(scratch: &Scratch, what: &str, help: &str) {
    let told = format!(
        "configuration.toml: {what}\n  = {FATAL}\n  = help: {help}\n\n\
         configuration.toml: 1 problem (1 file)\n"
    );
    assert_eq!(scratch.run(&["check", FILE]), outcome(1, &told, ""));
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    let help = "put the settings into a regular file: processes read no other";

    let scratch = Scratch::new();
    fs::create_dir(scratch.path().join(FILE)).unwrap();
    is_refused(&scratch, "not a regular file", help);

    let scratch = Scratch::new();
    let made = Command::new("mkfifo")
        .arg(scratch.path().join(FILE))
        .status();
    assert!(made.unwrap().success());
    is_refused(&scratch, "not a regular file", help);

    let scratch = Scratch::new();
    let _socket = UnixListener::bind(scratch.path().join(FILE)).unwrap();
    is_refused(&scratch, "not a regular file", help);
}

#[test]
fn the_largest_file_is_read_and_a_larger_one_refused() {
    let largest = "#".repeat(1 << 20);
    assert!(check(&largest).stdout.contains("no problems"));

    let scratch = Scratch::new();
    scratch.write(FILE, largest + "#");
    is_refused(
        &scratch,
        "larger than 1048576 bytes",
        "check that this is the right file: processes do not read a file of this size",
    );
}

#[test]
fn what_every_user_may_write_is_refused() {
    let help = "run `chmod o-w` on it, and check who has changed it";
    let scratch = Scratch::new();
    good(&scratch);
    let everybody = Permissions::from_mode(0o666);
    fs::set_permissions(scratch.path().join(FILE), everybody).unwrap();
    is_refused(&scratch, "every user may write it", help);

    let scratch = Scratch::new();
    good(&scratch);
    let folder = scratch.path().join("conf.d");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
    let told = scratch.run(&["check", FILE]);
    assert_eq!(told.code, 1);
    assert!(
        told.stdout.starts_with("conf.d: every user may write it\n"),
        "{told:?}"
    );
}

#[test]
fn what_is_not_utf8_is_refused() {
    let scratch = Scratch::new();
    scratch.write(FILE, b"a = 1\nb = '\xe4'\n");
    is_refused(
        &scratch,
        "not UTF-8 from byte 11 on",
        "save it as UTF-8, for example with `iconv -f latin1 -t utf-8` (line 2, column 6)",
    );
}

#[test]
fn a_link_to_nothing_in_conf_d_is_a_problem() {
    let scratch = Scratch::new();
    good(&scratch);
    fs::create_dir(scratch.path().join("conf.d")).unwrap();
    symlink("/nonexistent", scratch.path().join("conf.d/1.toml")).unwrap();
    let told = "\
conf.d/1.toml: no such file
  = processes inject nothing because of this
  = help: remove this link, or restore the file that it points to

configuration.toml: 1 problem (2 files)
";
    assert_eq!(scratch.run(&["check", FILE]), outcome(1, told, ""));
}

#[test]
fn a_missing_file_cannot_be_judged() {
    let said = "opentelemetry-injector: configuration.toml: no such file; \
                without it processes inject nothing\n";
    assert_eq!(Scratch::new().run(&["check", FILE]), outcome(2, "", said));
}

#[test]
fn what_may_not_be_read_cannot_be_judged() {
    let scratch = Scratch::new();
    good(&scratch);
    scratch.write("conf.d/1.toml", "");
    let hidden = Permissions::from_mode(0o000);
    let said_of = |name: &str| {
        format!(
            "opentelemetry-injector: {name}: not readable by this process; \
             run check as a user who can read it\n"
        )
    };

    for name in ["conf.d/1.toml", "conf.d"] {
        fs::set_permissions(scratch.path().join(name), hidden.clone()).unwrap();
        assert_eq!(check_as_nobody(&scratch), outcome(2, "", &said_of(name)));
    }
    fs::set_permissions(scratch.path().join(FILE), hidden).unwrap();
    assert_eq!(check_as_nobody(&scratch), outcome(2, "", &said_of(FILE)));
}

/// Root may read everything, so where the test runs as root the command must not.
fn check_as_nobody(scratch: &Scratch) -> Outcome {
    // The build's folder may be closed to others.
    let copy = scratch.path().join("command");
    copy_program(&built("opentelemetry-injector"), &copy);
    let mut command = scratch.command(&copy, &["check", FILE]);
    if is_root() {
        fs::set_permissions(scratch.path(), Permissions::from_mode(0o755)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    ran(command)
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// What is told in JSON, with the exit code.
fn told_in_json(scratch: &Scratch, command: &[&str]) -> (i32, Value) {
    let told = scratch.run(&[command, &["--json", FILE]].concat());
    (told.code, serde_json::from_str(&told.stdout).unwrap())
}

#[test]
fn machines_are_told_the_same_in_json() {
    let scratch = Scratch::new();
    scratch.write(FILE, "[jvm]\nagnet_path = '/a.jar'\nagent_path = '/gone'\n");
    scratch.write("conf.d/1.toml", b"# \xe4\n");
    let expected = json!({
        "files": [FILE, "conf.d/1.toml"],
        "problems": 2,
        "warnings": 1,
        "diagnostics": [
            {
                "severity": "problem",
                "path": FILE,
                "line": 2,
                "column": 1,
                "message": "unknown key `jvm.agnet_path`",
                "notes": [
                    "jvm.agent_path: absolute path of the OpenTelemetry Java agent's jar",
                    "processes ignore this key",
                ],
                "help": "did you mean `jvm.agent_path`?",
            },
            {
                "severity": "problem",
                "path": "conf.d/1.toml",
                "line": null,
                "column": null,
                "message": "not UTF-8 from byte 2 on",
                "notes": [FATAL],
                "help": "save it as UTF-8, for example with `iconv -f latin1 -t utf-8` \
                         (line 1, column 3)",
            },
            {
                "severity": "warning",
                "path": FILE,
                "line": 3,
                "column": 14,
                "message": "/gone: no such file",
                "notes": [],
                "help": "put the agent there, and make it readable for every user whose \
                 processes are injected",
            },
        ],
        "untold": [],
    });
    for command in [&["check"][..], &["config", "check"]] {
        assert_eq!(told_in_json(&scratch, command), (1, expected.clone()));
    }
    good(&scratch);
    fs::remove_file(scratch.path().join("conf.d/1.toml")).unwrap();
    let (code, told) = told_in_json(&scratch, &["check"]);
    assert_eq!((code, &told["diagnostics"]), (0, &json!([])));
    let (code, told) = told_in_json(&Scratch::new(), &["check"]);
    let untold = "configuration.toml: no such file; without it processes inject nothing";
    assert_eq!((code, &told["untold"]), (2, &json!([untold])));
}

#[test]
fn a_reader_may_go_before_the_end() {
    let scratch = Scratch::new();
    // More than a pipe holds.
    let keys = (0..1000).map(|number| format!("key{number} = 1\n"));
    scratch.write(FILE, keys.collect::<String>());
    let mut child = scratch
        .command(&built("opentelemetry-injector"), &["check", FILE])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut start = [0; 18];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut start).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(&start, b"configuration.toml");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stderr, b"");
}

#[test]
fn a_full_disk_is_told() {
    let scratch = Scratch::new();
    good(&scratch);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = scratch.command(&built("opentelemetry-injector"), &["check", FILE]);
    let output = command.stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "opentelemetry-injector: stdout: No space left on device (os error 28)\n"
    );
}
