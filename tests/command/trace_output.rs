//! What `opentelemetry-injector trace` shows of real programs, and what it does not show.

use crate::trace::{compiled, of_type, traced};
use serde_json::Value;
use std::fs;
use std::process::Command;
use support::command::{Outcome, Scratch};
use support::{has, skip};

#[test]
fn secrets_are_shown_in_no_format() {
    let scratch = Scratch::new();
    let ask = compiled(&scratch, "ask");
    let variables = [
        ("GITHUB_PAT", "hunter2"),
        ("DB", "Server=db;User Id=sa;Password=hunter2"),
        ("OTEL_MY_PAT", "hunter2"),
    ];
    let script = format!("{ask} GITHUB_PAT DB; OTEL_MY_PAT=hunter22 {ask} OTEL_MY_PAT; exit 0");
    let line = [
        "sh",
        "-c",
        &script,
        "sh",
        "--password=hunter2",
        "--token",
        "hunter2",
    ];
    for options in [
        &[][..],
        &["--live"],
        &["--tree"],
        &["--format", "json"],
        &["--format", "perfetto", "--flamegraph", "picture.svg"],
    ] {
        let out = traced(&scratch, options, &variables, &line);
        assert_eq!(out.code, 0, "{out:?}");
        assert!(out.stdout.contains("hunter2"), "{out:?}");
        // What the script itself says of its variables stands in its text.
        assert!(
            !out.stderr.contains("hunter2"),
            "{options:?}: {}",
            out.stderr
        );
    }
    let picture = fs::read_to_string(scratch.path().join("picture.svg")).unwrap();
    assert!(picture.contains("GITHUB_PAT hit") && !picture.contains("hunter2"));
}

#[test]
fn no_text_of_a_program_gets_a_say_over_the_terminal() {
    let scratch = Scratch::new();
    let ask = compiled(&scratch, "ask");
    let odd = "\u{1b}[31mx";
    let program = scratch.path().join(odd);
    fs::copy(&ask, &program).unwrap();
    let variables = [("X", "\u{1b}]0;title\u{7}\u{1b}[2J\nnext"), (odd, odd)];
    for option in ["--live", "--tree", "--children"] {
        let line = [program.to_str().unwrap(), "X", odd];
        let out = traced(&scratch, &[option], &variables, &line);
        assert!(out.stderr.contains("X "), "{out:?}");
        assert!(!out.stderr.contains('\u{1b}'), "{option}: {out:?}");
        assert!(!out.stderr.contains("\nnext"), "{option}: {out:?}");
    }
    if !has("python3") {
        skip!("no python3");
    }
    let options = ["--flamegraph", "picture.svg"];
    traced(
        &scratch,
        &options,
        &variables,
        &[program.to_str().unwrap(), "X", odd],
    );
    let check = "import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])";
    let mut python = Command::new("python3");
    python
        .args(["-c", check])
        .arg(scratch.path().join("picture.svg"));
    assert!(python.status().unwrap().success());
}

#[test]
fn many_processes_and_many_changes_take_few_lines() {
    let scratch = Scratch::new();
    let script = "import ctypes, os\n\
                  libc = ctypes.CDLL(None)\n\
                  for index in range(2000):\n    \
                      libc.setenv(b'COUNTER', str(index).encode(), 1); libc.getenv(b'NOBODY')";
    if !has("python3") {
        skip!("no python3");
    }
    let out = traced(&scratch, &[], &[], &["python3", "-c", script]);
    let lines = out.stderr.lines().filter(|line| line.contains("COUNTER"));
    assert!(lines.count() <= 3, "{}", out.stderr);
    let text = out.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    let last = "COUNTER changed from \"1998\" to \"1999\", the last of 1999 such changes: python3";
    assert!(text.contains(last), "{}", out.stderr);

    let script = "for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done; exit 0";
    let out = traced(&scratch, &[], &[], &["sh", "-c", script]);
    assert!(
        out.stderr.contains("true (10 processes: "),
        "{}",
        out.stderr
    );
}

/// The functions of the stack of each call for a name, and the process's number.
fn frames(scratch: &Scratch, out: &Outcome, name: &str) -> Vec<Vec<String>> {
    assert_eq!(out.code, 0, "{out:?}");
    let text = fs::read_to_string(scratch.path().join("out")).unwrap();
    for process in of_type(&text, "process") {
        let _ = fs::remove_file(format!("/tmp/perf-{}.map", process["pid"]));
    }
    let function = |frame: &Value| frame["function"].as_str().unwrap_or("?").to_owned();
    let calls = of_type(&text, "call").into_iter();
    let stacks = calls.filter(|call| call["name"] == name);
    let stacks = stacks.map(|call| {
        call["stack"]
            .as_array()
            .unwrap()
            .iter()
            .map(function)
            .collect()
    });
    stacks.collect()
}

#[test]
fn functions_of_runtimes_are_named_by_their_perf_maps() {
    let scratch = Scratch::new();
    let options = ["--backtrace=64", "--format", "json", "-o", "out"];
    if has("node") {
        let script = "function asker() { return process.env.OTEL_Q } asker()";
        let line = [
            "node",
            "--perf-basic-prof",
            "--interpreted-frames-native-stack",
            "-e",
            script,
        ];
        let out = traced(&scratch, &options, &[], &line);
        let stacks = frames(&scratch, &out, "OTEL_Q");
        let is_asker = |frame: &String| frame.contains("asker");
        assert!(stacks.iter().flatten().any(is_asker), "{stacks:#?}");
        // Functions that V8 has built in have their names from the file.
        let is_built_in = |frame: &String| frame.contains("Builtins_");
        assert!(stacks.iter().flatten().any(is_built_in), "{stacks:#?}");
    }
    if !has("node") || !has("javac") {
        skip!("no node, or no javac");
    }
    let source = "public class Asker { public static void main(String[] all) { java.util.TimeZone.getDefault(); } }";
    scratch.write("Asker.java", source);
    let mut compiler = Command::new("javac");
    let compiler = compiler.arg("Asker.java").current_dir(scratch.path());
    assert!(compiler.status().unwrap().success());
    let line = [
        "java",
        "-XX:+UnlockDiagnosticVMOptions",
        "-XX:+DumpPerfMapAtExit",
        "-cp",
        scratch.path().to_str().unwrap(),
        "Asker",
    ];
    let out = traced(&scratch, &options, &[], &line);
    let stacks = frames(&scratch, &out, "TZ");
    let is_managed = |frame: &String| frame == "Interpreter" || frame.contains("TimeZone.");
    assert!(stacks.iter().flatten().any(is_managed), "{stacks:#?}");
}
