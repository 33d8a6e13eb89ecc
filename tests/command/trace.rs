//! `opentelemetry-injector trace` on real programs.

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::command::{Outcome, Scratch, built, ran};
use support::{Scene, engines, has, root, skip};

/// A program of tests/programs, compiled.
pub fn compiled(scratch: &Scratch, name: &str) -> String {
    compiled_with(scratch, name, &["-pthread"])
}

fn compiled_with(scratch: &Scratch, name: &str, arguments: &[&str]) -> String {
    let program = scratch.path().join(name.trim_start_matches("traps/"));
    let source = root().join(format!("tests/programs/{name}.c"));
    let mut compiler = Command::new("cc");
    let compiler = compiler.arg("-o").arg(&program).arg(source).args(arguments);
    assert!(compiler.status().unwrap().success());
    program.to_str().unwrap().to_owned()
}

/// Traces a command with these options and variables.
pub fn traced(
    scratch: &Scratch,
    options: &[&str],
    variables: &[(&str, &str)],
    line: &[&str],
) -> Outcome {
    let arguments = [&["trace"], options, &["--"], line].concat();
    let mut command = scratch.command(&built("opentelemetry-injector"), &arguments);
    command.envs(variables.iter().copied());
    ran(command)
}

/// The table's line of a name, its columns split at blanks.
fn row(table: &str, name: &str) -> Vec<String> {
    let mut lines = table.lines();
    let line = lines.find(|line| line.split(' ').next() == Some(name));
    let line = line.unwrap_or_else(|| panic!("no line of {name} in\n{table}"));
    line.split_whitespace().map(str::to_owned).collect()
}

/// Where a program of the PATH really is: `sh` may be a link to any shell.
fn real_path(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let mut paths = std::env::split_paths(&path).map(|folder| folder.join(program));
    fs::canonicalize(paths.find(|path| path.is_file()).unwrap()).unwrap()
}

/// The JSON lines of one type.
pub fn of_type(text: &str, kind: &str) -> Vec<Value> {
    let values = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    values.filter(|value| value["type"] == kind).collect()
}

#[test]
fn a_table_tells_what_was_asked_for_and_the_programs_output_and_exit_code_are_its_own() {
    let scratch = Scratch::new();
    let ask = compiled(&scratch, "ask");
    let line = format!("{ask} HOME NOBODY; {ask} HOME API_TOKEN; echo bad >&2; exit 7");
    let variables = [("HOME", "/here"), ("API_TOKEN", "geheim")];
    let out = traced(&scratch, &[], &variables, &["sh", "-c", &line]);
    let said = "HOME=/here\nNOBODY=(null)\nHOME=/here\nAPI_TOKEN=geheim\n";
    assert_eq!((out.code, out.stdout.as_str()), (7, said), "{out:?}");
    assert!(out.stderr.starts_with("bad\nTrace: "), "{out:?}");
    assert_eq!(row(&out.stderr, "HOME")[1..4], ["4", "hit", "2"]);
    assert_eq!(row(&out.stderr, "NOBODY")[1..4], ["2", "miss", "1"]);
    let token = row(&out.stderr, "API_TOKEN");
    assert_eq!(token[token.len() - 1], "(hidden)");
    assert!(!out.stderr.contains("geheim"), "{out:?}");
    let home = row(&out.stderr, "HOME");
    assert_eq!(
        (&home[4][..7], home[5].as_str()),
        ("main+0x", "(ask)"),
        "{home:?}"
    );
}

#[test]
fn filters_choose_calls_and_the_result_goes_to_a_file() {
    let scratch = Scratch::new();
    let ask = compiled(&scratch, "ask");
    let table = |options: &[&str], line: &[&str]| {
        let file = scratch.path().join("out");
        let options = [options, &["-o", file.to_str().unwrap()]].concat();
        let out = traced(&scratch, &options, &[("AB", "1")], line);
        assert_eq!(out.stderr, "");
        fs::read_to_string(file).unwrap()
    };
    let direct = [ask.as_str(), "AB", "AC", "B"];
    let named = table(&["--name", "A*", "--only", "misses"], &direct);
    assert!(
        named.contains("AC ") && !named.contains("AB ") && !named.contains("\nB "),
        "{named}"
    );
    assert!(table(&["--caller", "ask"], &direct).contains("AB "));
    assert!(!table(&["--not-caller", "ask"], &direct).contains("AB "));
    assert!(!table(&["--caller", "/lib/*"], &direct).contains("AB "));
    let child = ["sh", "-c", &format!("{ask} AB; true")];
    assert!(table(&["--children"], &child).contains("AB "));
    assert!(!table(&["--no-children"], &child).contains("AB "));
}

#[test]
fn live_lines_come_before_the_table() {
    let scratch = Scratch::new();
    let ask = compiled(&scratch, "ask");
    let out = traced(
        &scratch,
        &["--live", "--name", "AB"],
        &[("AB", "1")],
        &[&ask, "AB"],
    );
    let [program, call] = [0, 1].map(|line| out.stderr.lines().nth(line).unwrap());
    assert!(
        program.starts_with("+0.") && program.ends_with(&format!(": {ask} AB")),
        "{out:?}"
    );
    assert!(
        call.starts_with("+0.") && call.contains("getenv(\"AB\") = \"1\"  main+0x"),
        "{out:?}"
    );
    assert!(out.stderr.contains("\nTrace: 2"), "{out:?}");
}

#[test]
fn nothing_is_lost_when_a_process_is_killed() {
    let scratch = Scratch::new();
    let ask = compiled(&scratch, "ask");
    let line = format!("{ask} AB; kill -9 $$");
    let out = traced(&scratch, &[], &[("AB", "1")], &["sh", "-c", &line]);
    assert_eq!(out.code, 128 + 9);
    assert_eq!(row(&out.stderr, "AB")[1..4], ["2", "hit", "1"]);
}

#[test]
fn a_full_buffer_counts_what_it_drops() {
    let scratch = Scratch::new();
    let cost = compiled(&scratch, "many_calls");
    let all = traced(&scratch, &[], &[], &[&cost, "200000"]);
    assert_eq!(row(&all.stderr, "SOME_NAME")[1], "200000");
    assert!(!all.stderr.contains("dropped"), "{}", all.stderr);
    let some = traced(&scratch, &["--buffer", "16"], &[], &[&cost, "300000"]);
    let calls: u64 = row(&some.stderr, "SOME_NAME")[1].parse().unwrap();
    let told = some.stderr.split(" events were dropped").next().unwrap();
    let dropped: u64 = told.rsplit('\n').next().unwrap().parse().unwrap();
    assert_eq!(calls + dropped, 300_000);
}

#[test]
fn threads_and_children_of_fork_are_told_apart() {
    let scratch = Scratch::new();
    let program = compiled(&scratch, "ask_in_thread_and_child");
    let out = traced(&scratch, &["--format", "json"], &[], &[&program]);
    assert_eq!(out.code, 0, "{out:?}");
    let calls = of_type(&out.stderr, "call");
    let of = |name: &str| {
        let call = calls.iter().find(|call| call["name"] == name).unwrap();
        (
            call["pid"].as_u64().unwrap(),
            call["thread"].as_u64().unwrap(),
        )
    };
    let (main, thread, child) = (of("IN_MAIN"), of("IN_THREAD"), of("IN_CHILD"));
    assert_eq!(main.0, main.1);
    assert!(thread.0 == main.0 && thread.1 != main.1, "{thread:?}");
    assert!(child.0 != main.0 && child.0 == child.1, "{child:?}");
    let processes = of_type(&out.stderr, "process");
    let forked = processes
        .iter()
        .find(|process| process["forked"] == true)
        .unwrap();
    assert_eq!(
        (&forked["pid"], &forked["parent"]),
        (&child.0.into(), &main.0.into())
    );
}

#[test]
fn a_child_whose_parent_is_gone_and_was_silent_is_told_by_its_origin() {
    let scratch = Scratch::new();
    let program = compiled(&scratch, "traps/asks_in_an_orphan");
    let out = traced(
        &scratch,
        &["--format", "json", "-o", "lines"],
        &[("ASKED", "1")],
        &[&program],
    );
    if out.stdout.is_empty() && out.code == 77 {
        skip!("no seccomp filter may be set");
    }
    assert_eq!((out.code, out.stdout.as_str()), (0, "1\n"), "{out:?}");
    let lines = fs::read_to_string(scratch.path().join("lines")).unwrap();
    let (calls, processes) = (of_type(&lines, "call"), of_type(&lines, "process"));
    let asked = calls.iter().find(|call| call["name"] == "ASKED").unwrap();
    assert_eq!(asked["caller"]["function"], "main", "{asked}");
    let by_pid = |pid: &Value| processes.iter().find(|process| process["pid"] == *pid);
    let orphan = by_pid(&asked["pid"]).unwrap();
    let origin = by_pid(&orphan["parent"]).unwrap();
    assert_eq!(orphan["executable"], origin["executable"]);
    assert_eq!(
        (&orphan["forked"], &origin["forked"]),
        (&true.into(), &false.into())
    );
}

#[test]
fn what_found_no_room_is_told_as_soon_as_there_is_some() {
    let scratch = Scratch::new();
    let program = compiled(&scratch, "asks_where_nobody_makes_room");
    let out = traced(&scratch, &[], &[], &[&program]);
    assert_eq!(out.code, 0, "{out:?}");
    assert!(out.stderr.contains(" events were dropped"), "{out:?}");
    let late = row(&out.stderr, "LATE");
    assert_eq!((late[1].as_str(), late[3].as_str()), ("5", "1"), "{out:?}");
    assert!(out.stderr.contains(" in 2 processes"), "{out:?}");
}

#[test]
fn signals_for_the_trace_alone_reach_the_program() {
    let script = "trap 'echo got; exit 9' INT QUIT TERM HUP USR1 USR2; echo ready; \
                  while :; do sleep 0.02; done";
    for signal in ["INT", "QUIT", "TERM", "HUP", "USR1", "USR2"] {
        let scratch = Scratch::new();
        let injector = built("opentelemetry-injector");
        // Without a terminal.
        let mut command = scratch.command(Path::new("/usr/bin/setsid"), &[]);
        command.arg(injector);
        command.args(["trace", "-o", "table", "--", "sh", "-c", script]);
        let mut running = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(running.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let mut kill = Command::new("kill");
        let kill = kill.args(["-s", signal, &running.id().to_string()]);
        assert!(kill.status().unwrap().success());
        said.read_to_string(&mut line).unwrap();
        let code = running.wait().unwrap().code();
        assert_eq!((code, line.as_str()), (Some(9), "ready\ngot\n"), "{signal}");
        let table = fs::read_to_string(scratch.path().join("table")).unwrap();
        assert!(table.starts_with("Trace: "), "{signal}: {table}");
    }
}

/// Runs its arguments after the first in the foreground of a terminal of their own, and interrupts them there: `key`
/// presses Ctrl+C, `kill` sends the signal to their process alone.
const IN_A_TERMINAL: &str = r#"
import os, pty, signal, sys
signal.alarm(20)
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
said = b""
while b"ready" not in said:
    said += os.read(terminal, 1000)
if sys.argv[1] == "key":
    os.write(terminal, b"\x03")
else:
    os.kill(pid, signal.SIGINT)
try:
    while os.read(terminal, 1000):
        pass
except OSError:
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

#[test]
fn a_program_in_a_terminal_is_interrupted_once() {
    let counting = "import signal, sys, time\n\
                    count = []\n\
                    signal.alarm(20)\n\
                    signal.signal(signal.SIGINT, lambda *_: count.append(1))\n\
                    print('ready', flush=True)\n\
                    while not count: time.sleep(0.02)\n\
                    time.sleep(0.3)\n\
                    sys.exit(40 + len(count))";
    for way in ["key", "kill"] {
        let scratch = Scratch::new();
        let mut command = scratch.command(Path::new("/usr/bin/python3"), &["-c", IN_A_TERMINAL]);
        command.arg(way).arg(built("opentelemetry-injector"));
        command.args(["trace", "-o", "table", "--"]);
        command.args(["/usr/bin/python3", "-c", counting]);
        assert_eq!(ran(command).code, 41, "{way}");
        let table = fs::read_to_string(scratch.path().join("table")).unwrap();
        assert!(table.starts_with("Trace: "), "{way}: {table}");
    }
}

#[test]
fn a_command_is_waited_for_where_its_end_is_ignored_or_blocked() {
    let scratch = Scratch::new();
    let injector = built("opentelemetry-injector");
    let ways = [
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})",
    ];
    for way in ways {
        let script = format!("import os, signal, sys; {way}; os.execv(sys.argv[1], sys.argv[1:])");
        let mut command = scratch.command(Path::new("/usr/bin/python3"), &["-c", &script]);
        let traced = ["trace", "--", "sh", "-c", "sleep 0.1; exit 7"];
        command.arg(&injector).args(traced);
        let out = ran(command);
        assert_eq!(out.code, 7, "{out:?}");
        assert!(out.stderr.starts_with("Trace: "), "{out:?}");
    }
}

#[test]
fn what_has_become_a_fifo_is_never_opened() {
    let scratch = Scratch::new();
    let ask = compiled(&scratch, "ask");
    let injector = built("opentelemetry-injector");
    let line =
        format!("rm -f pipe; mkfifo pipe; chmod +x pipe; {ask} AB; rm {ask}; mkfifo {ask}; ./pipe");
    for options in [&[][..], &["--backtrace"]] {
        compiled(&scratch, "ask");
        let limit = ["-k", "1", "20"];
        let mut command = scratch.command(Path::new("timeout"), &limit);
        command.arg(&injector).arg("trace").args(options);
        command.args(["--", "sh", "-c", &line]);
        let out = ran(command);
        assert_eq!(
            (out.code, out.stdout.as_str()),
            (126, "AB=(null)\n"),
            "{out:?}"
        );
        assert!(out.stderr.contains("Trace: "), "{out:?}");
        fs::remove_file(&ask).unwrap();
    }
}

#[test]
fn a_limit_of_files_limits_the_trace_and_not_the_program() {
    let scratch = Scratch::new();
    let injector = built("opentelemetry-injector");
    let many = compiled(&scratch, "many_calls");
    let cases = [
        ("4096", 0, "events were dropped"),
        ("0", 2, "the trace's memory: "),
    ];
    for (blocks, code, wanted) in cases {
        let line = format!(
            "ulimit -f {blocks}; exec {} trace -- {many} 100000",
            injector.display()
        );
        let out = ran(scratch.command(Path::new("/bin/sh"), &["-c", &line]));
        assert_eq!(out.code, code, "{out:?}");
        assert!(out.stderr.contains(wanted), "{out:?}");
    }
}

#[test]
fn the_channel_is_in_no_core_dump() {
    let scratch = Scratch::new();
    let maps = [
        "grep",
        "-A30",
        "opentelemetry-injector trace",
        "/proc/self/smaps",
    ];
    let out = traced(&scratch, &[], &[], &maps);
    let flags = out.stdout.lines().find(|line| line.starts_with("VmFlags:"));
    let flags = flags.unwrap_or_else(|| panic!("{out:?}"));
    assert!(flags.split(' ').any(|flag| flag == "dd"), "{flags}");
}

#[test]
fn long_names_and_values_are_cut_with_a_mark() {
    let scratch = Scratch::new();
    let ask = compiled(&scratch, "ask");
    let (name, value) = ("N".repeat(9_000), "v".repeat(9_000));
    let asked = [ask.as_str(), &name, "VALUE"];
    let out = traced(
        &scratch,
        &["--format", "json"],
        &[(&name, &value), ("VALUE", &value)],
        &asked,
    );
    let told: Vec<_> = of_type(&out.stderr, "name")
        .into_iter()
        .filter(|line| {
            line["value"]
                .as_str()
                .is_some_and(|value| value.len() > 1_000)
        })
        .map(|line| ["name", "value"].map(|key| line[key].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    for [name, value] in told {
        assert!(name == "VALUE" || name.starts_with("NNN") && name.ends_with('…'));
        assert!(value.starts_with("vvv") && value.ends_with('…'));
    }
}

#[test]
fn settings_that_nobody_asks_for_are_found() {
    let scratch = Scratch::new();
    let ask = compiled(&scratch, "ask");
    let variables = [("OTEL_EXPORTER_OTLP_ENDPONT", "http://collector:4318")];
    let out = traced(
        &scratch,
        &[],
        &variables,
        &[&ask, "OTEL_EXPORTER_OTLP_ENDPOINT"],
    );
    let text = out.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = "OTEL_EXPORTER_OTLP_ENDPONT is set, and OTEL_EXPORTER_OTLP_ENDPOINT was asked for \
                  and is not: is that what was meant?";
    assert!(text.contains(wanted), "{out:?}");
}

#[test]
fn what_is_injected_is_told_and_agents_see_it_as_ever() {
    let scene = Scene::new();
    let scratch = Scratch::new();
    let ask = scene.compile("ask");
    let configuration = scene.path("configuration.toml");
    let options = ["--config", configuration.to_str().unwrap()];
    let ask = ask.to_str().unwrap();
    let out = traced(&scratch, &options, &[], &[ask, "JAVA_TOOL_OPTIONS"]);
    assert!(
        out.stdout.starts_with("JAVA_TOOL_OPTIONS=-javaagent:"),
        "{out:?}"
    );
    assert_eq!(
        row(&out.stderr, "JAVA_TOOL_OPTIONS")[1..4],
        ["2", "injected", "1"]
    );
    let excluded = scene.path("excluded.toml");
    let text = fs::read_to_string(&configuration).unwrap();
    fs::write(
        &excluded,
        format!("{text}\n[processes]\nexclude = [\"java\"]\n"),
    )
    .unwrap();
    let options = ["--config", excluded.to_str().unwrap()];
    let out = traced(&scratch, &options, &[], &[ask, "JAVA_TOOL_OPTIONS"]);
    assert!(
        out.stderr
            .contains("nothing is injected: the pattern \"java\" in processes.exclude"),
        "{out:?}"
    );
}

#[test]
fn runtimes_are_traced_to_their_functions() {
    let scratch = Scratch::new();
    let lines: [(&str, &[&str], &str); 3] = [
        ("node", &["-e", "process.env.OTEL_X"], "OTEL_X"),
        ("python3", &["-c", "pass"], "PYTHONHOME"),
        ("java", &["-version"], "JAVA_TOOL_OPTIONS"),
    ];
    for (program, arguments, name) in lines {
        if !has(program) {
            skip!("no {program}");
        }
        let line = [&[program], arguments].concat();
        let out = traced(&scratch, &["--format", "json", "-o", "out"], &[], &line);
        assert_eq!(out.code, 0, "{out:?}");
        let text = fs::read_to_string(scratch.path().join("out")).unwrap();
        let rows = of_type(&text, "name");
        let row = rows.iter().find(|row| row["name"] == name);
        let row = row.unwrap_or_else(|| panic!("{program} did not ask for {name}"));
        assert!(row["first_caller"]["module"].is_string(), "{row}");
        assert_eq!(of_type(&text, "end")[0]["dropped"], 0);
    }
}

#[test]
fn what_a_program_changes_in_its_own_environment_is_told() {
    let scratch = Scratch::new();
    let program = compiled(&scratch, "changes_environment");
    let variables = [("OTEL_UNSEEN", "x")];
    let out = traced(&scratch, &["--format", "json"], &variables, &[&program]);
    assert_eq!(out.code, 0, "{out:?}");
    let mut changes = of_type(&out.stderr, "change");
    let main = of_type(&out.stderr, "process")[0]["pid"].clone();
    let shown = |change: &Value| {
        let text = |key: &str| change[key].as_str().unwrap_or("-").to_owned();
        ["event", "name", "old", "new"].map(text).join(" ")
    };
    let of_child = changes.extract_if(.., |change| change["pid"] != main);
    assert_eq!(
        of_child.map(|change| shown(&change)).collect::<Vec<_>>(),
        ["set IN_CHILD - 1"]
    );
    let wanted = [
        "set OTEL_LATE - 1",
        "changed OTEL_LATE 1 2",
        "unset OTEL_UNSEEN x -",
        "set API_TOKEN - (hidden)",
        "set DIRECT - here",
        "cleared - - -",
    ];
    assert_eq!(changes.iter().map(shown).collect::<Vec<_>>(), wanted);
    let calls = of_type(&out.stderr, "call");
    let function = |name: &str| {
        let call = calls.iter().find(|call| call["name"] == name).unwrap();
        call["function"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        (function("OTEL_SECURE"), function("OTEL_LATE")),
        ("secure_getenv".into(), "getenv".into())
    );

    let out = traced(
        &scratch,
        &["--live", "--name", "OTEL_*"],
        &variables,
        &[&program],
    );
    let text = out.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        " OTEL_LATE set to \"1\" ",
        " OTEL_UNSEEN unset (was \"x\") ",
        " the whole environment cleared ",
        " secure_getenv(\"OTEL_SECURE\") = miss ",
        " Changed by the program itself OTEL_LATE set to \"1\": changes_environment (",
        " OTEL_LATE was set to several values, last \"2\", by the program itself: ",
        ", after the last call that asked for it",
        " OTEL_UNSEEN was unset by the program itself: ",
        "By secure_getenv, which answers nothing in programs with raised privileges: OTEL_SECURE",
    ] {
        assert!(text.contains(part), "no {part:?} in {}", out.stderr);
    }
    assert!(!text.contains("API_TOKEN"), "{}", out.stderr);
}

#[test]
fn threads_may_ask_while_another_one_changes_the_environment() {
    let scratch = Scratch::new();
    let program = compiled(&scratch, "traps/changes_environment_beside_askers");
    let options = ["--format", "json", "--buffer", "4096", "-o", "out"];
    let out = traced(&scratch, &options, &[("HOME", "/here")], &[&program]);
    assert_eq!((out.code, out.stdout.as_str()), (0, "right\n"), "{out:?}");
    let text = fs::read_to_string(scratch.path().join("out")).unwrap();
    let changes = of_type(&text, "change");
    let in_children = changes.iter().filter(|change| change["name"] == "IN_CHILD");
    assert_eq!(in_children.count(), 10);
    let odd = |change: &&Value| change["name"] == "OF_ROUND_1" && change["new"] == "odd";
    assert!(changes.iter().any(|change| odd(&change)), "{changes:?}");
}

/// The functions of the stack of each call for a name, the caller first.
fn stacks(text: &str, name: &str) -> Vec<Vec<String>> {
    let calls = of_type(text, "call").into_iter();
    let stacks = calls.filter(|call| call["name"] == name).map(|call| {
        let frames = call["stack"].as_array().unwrap().iter();
        frames
            .map(|frame| frame["function"].as_str().unwrap_or("?").to_owned())
            .collect()
    });
    stacks.collect()
}

#[test]
fn whole_stacks_are_told_without_frame_pointers_in_programs_at_any_address() {
    let scratch = Scratch::new();
    let library = compiled_with(&scratch, "deep_stack_library", &["-shared", "-fPIC", "-O2"]);
    for kind in ["-pie", "-no-pie"] {
        let options = [
            kind,
            "-O2",
            "-fomit-frame-pointer",
            "-fasynchronous-unwind-tables",
            "-pthread",
        ];
        let program = compiled_with(&scratch, "deep_stack", &options);
        let options = ["--backtrace", "--format", "json", "-o", "out"];
        let out = traced(&scratch, &options, &[], &[&program, &library]);
        assert_eq!(out.code, 0, "{out:?}");
        let text = fs::read_to_string(scratch.path().join("out")).unwrap();
        let chain = ["innermost", "middle", "outer"];
        for (name, next) in [
            ("IN_MAIN", "main"),
            ("THROUGH_LIBRARY", "pass_on"),
            ("IN_THREAD", "in_thread"),
            ("IN_CHILD", "main"),
        ] {
            let stacks = stacks(&text, name);
            let wanted = [&chain[..], &[next]].concat();
            assert_eq!(
                stacks[0].get(..4).unwrap_or(&stacks[0]),
                wanted,
                "{kind} {name} {stacks:?}"
            );
        }
        assert!(
            stacks(&text, "THROUGH_LIBRARY")[0].contains(&"main".to_owned()),
            "{text}"
        );
        assert_eq!(
            stacks(&text, "IN_MAIN")[1][..3],
            ["innermost", "middle", "main"]
        );

        let out = traced(
            &scratch,
            &["--backtrace=2", "--name", "IN_MAIN"],
            &[],
            &[&program],
        );
        let (_, told) = out.stderr.split_once("\nStacks\n").unwrap();
        let told: Vec<_> = told
            .lines()
            .take_while(|line| !line.is_empty())
            .map(|line| line.split('+').next().unwrap())
            .collect();
        assert_eq!(
            told,
            ["  IN_MAIN, 2 times", "    innermost", "    middle", "    …"],
            "{}",
            out.stderr
        );

        let options = ["--tree", "--caller", "outer", "--name", "IN_*"];
        let out = traced(&scratch, &options, &[], &[&program]);
        let (_, tree) = out.stderr.split_once("\nTree\n").unwrap();
        let line = |text: &str| tree.lines().any(|line| line.trim_start() == text);
        assert!(
            line("2 main (deep_stack)") && line("1 \"IN_THREAD\""),
            "{tree}"
        );
        // The other call of IN_MAIN came not through `outer`.
        assert!(out.stderr.starts_with("Trace: 3 of "), "{}", out.stderr);
    }
}

#[test]
fn nothing_is_read_behind_the_end_of_a_stack() {
    let scratch = Scratch::new();
    let program = compiled(&scratch, "traps/top_of_a_stack");
    let options = ["--backtrace=256", "--format", "json", "-o", "out"];
    let out = traced(&scratch, &options, &[("HOME", "/here")], &[&program]);
    assert_eq!(
        (out.code, out.stdout.as_str()),
        (0, "asked 3 times\n"),
        "{out:?}"
    );
    let text = fs::read_to_string(scratch.path().join("out")).unwrap();
    let stacks = stacks(&text, "HOME");
    assert_eq!(
        (stacks.len(), stacks[0][0].as_str()),
        (3, "ask"),
        "{stacks:?}"
    );
    for (program, wanted) in [
        ("traps/changes_environment_beside_askers", "right\n"),
        ("ask_in_thread_and_child", ""),
    ] {
        let program = compiled(&scratch, program);
        let out = traced(&scratch, &options, &[("HOME", "/here")], &[&program]);
        assert_eq!((out.code, out.stdout.as_str()), (0, wanted), "{out:?}");
    }
}

#[test]
fn recording_stacks_waits_for_no_lock_of_the_program_on_either_engine() {
    let scratch = Scratch::new();
    for name in ["forks_beside_askers", "allocator_asks"] {
        let program = compiled(&scratch, &format!("traps/{name}"));
        for engine in engines() {
            let out = scratch.path().join("out");
            let options = ["--backtrace", "--engine", engine, "--buffer", "64"];
            let options = [
                &options[..],
                &["--format", "json", "-o", out.to_str().unwrap()],
            ];
            let told = traced(
                &scratch,
                &options.concat(),
                &[("HOME", "/here")],
                &[&program],
            );
            assert_eq!(told.code, 0, "{name}, {engine}: {told:?}");
            let text = fs::read_to_string(&out).unwrap();
            let calls = of_type(&text, "call");
            let deep = |call: &&Value| {
                call["stack"]
                    .as_array()
                    .is_some_and(|stack| stack.len() > 1)
            };
            assert!(
                calls.iter().any(|call| deep(&call)),
                "{name}, {engine}: {told:?}"
            );
        }
    }
}

#[test]
fn json_lines_are_as_their_schema_says() {
    let modules = root().join(".cache/kubernetes-validate");
    if !has("python3") || !modules.join("jsonschema").is_dir() {
        skip!("no jsonschema: scripts/fetch-kubernetes-schema");
    }
    let scratch = Scratch::new();
    let ask = compiled(&scratch, "ask");
    let changes = compiled(&scratch, "changes_environment");
    let variables = [("OTEL_SERVICE_NAMES", "x"), ("AB", "1")];
    let line = [
        "sh",
        "-c",
        &format!("{ask} AB AC OTEL_SERVICE_NAME; {changes}; exit 3"),
    ];
    let out = traced(
        &scratch,
        &["--backtrace", "--format", "json", "-o", "lines"],
        &variables,
        &line,
    );
    assert_eq!(out.code, 3, "{out:?}");
    let text = fs::read_to_string(scratch.path().join("lines")).unwrap();
    for kind in ["process", "call", "change", "name", "finding", "end"] {
        assert!(!of_type(&text, kind).is_empty(), "{kind}");
    }
    let check = "import json, sys, jsonschema\n\
                 schema = json.load(open(sys.argv[1]))\n\
                 validator = jsonschema.Draft202012Validator(schema)\n\
                 validator.check_schema(schema)\n\
                 for line in open(sys.argv[2]): validator.validate(json.loads(line))\n\
                 for wrong in ({}, {'type': 'end'}): assert not validator.is_valid(wrong)";
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", modules).args(["-c", check]);
    python.arg(root().join("docs/trace.schema.json"));
    let checked = python.arg(scratch.path().join("lines")).output().unwrap();
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
}

#[test]
fn pictures_and_events_can_be_opened() {
    let scratch = Scratch::new();
    let ask = compiled(&scratch, "ask");
    let options = [
        "--format",
        "perfetto",
        "-o",
        "events",
        "--flamegraph",
        "picture.svg",
    ];
    let out = traced(&scratch, &options, &[("AB", "1")], &[&ask, "AB"]);
    assert_eq!((out.code, out.stderr.as_str()), (0, ""));
    let read = |name: &str| fs::read_to_string(scratch.path().join(name)).unwrap();
    let events: Value = serde_json::from_str(&read("events")).unwrap();
    let events = events["traceEvents"].as_array().unwrap();
    let call = events.iter().find(|event| event["name"] == "AB").unwrap();
    assert_eq!(
        (&call["ph"], &call["args"]["value"]),
        (&"i".into(), &"1".into())
    );
    assert!(call["ts"].is_number() && call["pid"].is_number() && call["tid"].is_number());
    assert!(read("picture.svg").contains("AB hit"));
}

#[test]
fn the_result_goes_where_it_is_named_and_is_nothing_else() {
    let scratch = Scratch::new();
    let ask = compiled(&scratch, "ask");
    let run = |options: &[&str]| traced(&scratch, options, &[("AB", "1")], &[&ask, "AB"]);
    let stdout = run(&["-o", "-"]);
    assert!(stdout.stdout.starts_with("AB=1\nTrace: "), "{stdout:?}");
    assert_eq!((stdout.code, stdout.stderr.as_str()), (0, ""));
    let refused = run(&["--live", "--format", "json"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""));
    assert!(refused.stderr.contains("--output"), "{refused:?}");
    let apart = run(&["--live", "--format", "json", "-o", "lines"]);
    assert!(apart.stderr.contains("getenv(\"AB\") = \"1\""), "{apart:?}");
    let lines = fs::read_to_string(scratch.path().join("lines")).unwrap();
    assert_eq!(of_type(&lines, "end").len(), 1);
    let picture = run(&["--flamegraph", "/nonexistent/picture.svg"]);
    assert_eq!((picture.code, picture.stdout.as_str()), (2, ""));
    let nothing = run(&["--flamegraph", "picture.svg", "--name", "NOBODY"]);
    assert_eq!(nothing.code, 0, "{nothing:?}");
    assert!(scratch.path().join("picture.svg").exists());
    let full = run(&["-o", "/dev/full"]);
    assert_eq!((full.code, full.stdout.as_str()), (2, "AB=1\n"));
}

#[test]
fn what_cannot_be_traced_is_said() {
    let scratch = Scratch::new();
    let pid = scratch.run(&["trace", "--pid", "1"]);
    assert_eq!(pid.code, 2);
    assert!(
        pid.stderr.contains("a running process cannot be traced"),
        "{pid:?}"
    );
    assert_eq!(scratch.run(&["trace", "--", "/nonexistent"]).code, 127);
    let fixed = scratch.path().join("fixed");
    fs::write(
        scratch.path().join("fixed.c"),
        "int main(void) { return 3; }",
    )
    .unwrap();
    let mut compiler = Command::new("cc");
    compiler
        .args(["-static", "-o"])
        .arg(&fixed)
        .arg(scratch.path().join("fixed.c"));
    if !compiler.output().unwrap().status.success() {
        skip!("no static libc");
    }
    let out = traced(&scratch, &[], &[], &[fixed.to_str().unwrap()]);
    assert_eq!(out.code, 3);
    let wanted = ") took no part: it is statically linked";
    assert!(out.stderr.contains(wanted), "{out:?}");
}

#[test]
fn programs_that_take_no_part_are_named_and_settings_are_not_blamed_for_them() {
    let scratch = Scratch::new();
    let variables = [("OTEL_SERVICE_NAME", "shop")];
    let wanted = "its environment lacks LD_PRELOAD or OPENTELEMETRY_INJECTOR_TRACE";
    // The command looks more rarely where a look takes longer.
    let seen = |options: &[&str]| {
        let mut out = None;
        for seconds in ["0.5", "3", "20"] {
            let line = format!("unset LD_PRELOAD; sleep {seconds}; true");
            let told = traced(&scratch, options, &variables, &["sh", "-c", &line]);
            if out.insert(told).stderr.contains("environment lacks") {
                break;
            }
        }
        out.unwrap()
    };
    let out = seen(&[]);
    let text = out.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    let [shell, sleep] = ["sh", "sleep"].map(real_path);
    let [shell_name, sleep_name] = [&shell, &sleep].map(|path| path.file_name().unwrap().display());
    for part in [
        format!(
            "OTEL_SERVICE_NAME is set, and no traced program asked for it through getenv; \
             {shell_name} (shell variables) and {sleep_name} (not traced) may have read it in \
             another way"
        ),
        format!(") took no part: {wanted}"),
    ] {
        assert!(text.contains(&part), "no {part:?} in {text}");
    }
    let out = seen(&["--format", "json"]);
    let untraced = of_type(&out.stderr, "untraced");
    assert_eq!(untraced.len(), 1, "{out:?}");
    assert_eq!(untraced[0]["executable"], sleep.to_str().unwrap());
    assert_eq!(
        of_type(&out.stderr, "finding")[0]["names"],
        serde_json::json!(["OTEL_SERVICE_NAME"])
    );
}

#[test]
fn a_healthy_session_says_next_to_nothing_of_settings() {
    let scratch = Scratch::new();
    let variables = [
        ("OTEL_SERVICE_NAME", "shop"),
        ("OTEL_BSP_SCHEDULE_DELAY", "5"),
    ];
    let findings = |line: &[&str]| {
        let out = traced(&scratch, &["--format", "json"], &variables, line);
        let findings = of_type(&out.stderr, "finding").into_iter();
        findings
            .map(|finding| finding["names"].clone())
            .collect::<Vec<_>>()
    };
    let ask = compiled(&scratch, "ask");
    // What an SDK asks for.
    let names = [
        "OTEL_SERVICE_NAME",
        "OTEL_BSP_SCHEDULE_DELAY",
        "OTEL_BLRP_SCHEDULE_DELAY",
    ];
    let none: [Value; 0] = [];
    assert_eq!(findings(&[&[ask.as_str()], &names[..]].concat()), none);
    if !has("python3") {
        skip!("no python3");
    }
    let one = serde_json::json!(["OTEL_BSP_SCHEDULE_DELAY", "OTEL_SERVICE_NAME"]);
    assert_eq!(
        findings(&["python3", "-c", "import os; os.environ['OTEL_W'] = '1'"]),
        [one]
    );
}

#[test]
fn a_program_with_a_getenv_of_its_own_is_told() {
    let scratch = Scratch::new();
    let out = traced(&scratch, &[], &[], &["bash", "-c", "true"]);
    let wanted = "Not seen: what these read without libc's getenv: bash (shell variables)";
    assert!(out.stderr.contains(wanted), "{out:?}");
}

#[test]
fn the_channel_is_only_taken_from_its_owner_and_where_it_cannot_shrink() {
    let scratch = Scratch::new();
    let ask = compiled(&scratch, "ask");
    let object = built("libopentelemetry_injector.so");
    let file = scratch.write("channel", vec![0_u8; 1 << 16]);
    let before = fs::read(&file).unwrap();
    for path in [
        file.as_path(),
        Path::new("/dev/null"),
        Path::new("/nonexistent"),
        Path::new(""),
    ] {
        let mut command = scratch.command(Path::new(&ask), &["HOME"]);
        command.env("LD_PRELOAD", &object).env("HOME", "/here");
        let out = ran({
            command.env("OPENTELEMETRY_INJECTOR_TRACE", path);
            command
        });
        assert_eq!(
            (out.code, out.stdout.as_str()),
            (0, "HOME=/here\n"),
            "{path:?}"
        );
    }
    assert_eq!(fs::read(&file).unwrap(), before);
}
