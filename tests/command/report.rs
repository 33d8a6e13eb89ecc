//! `opentelemetry-injector report`, and what `check` says of its configuration.

use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use support::command::{Scratch, built, outcome};
use support::explain::command;
use support::{Scene, has, is_root, skip, stderr, stdout, succeed};

fn line(process: u32, runtime: &str, decision: &str, reason: &str, group: &str) -> String {
    let mut line = json!({
        "time": format!("2026-03-01T10:00:{process:02}Z"), "pid": process, "uid": 0,
        "runtime": runtime, "decision": decision, "executable": "/usr/bin/x",
        "control_group": group,
    });
    if !reason.is_empty() {
        line["reason"] = reason.into();
        line["message"] = format!("because \"{reason}\"").into();
    }
    format!("{line}\n")
}

const SHOP: &str = "/system.slice/shop.service";

fn sample() -> String {
    [
        line(1, "jvm", "injected", "", SHOP),
        line(2, "jvm", "injected", "", SHOP),
        line(
            3,
            "jvm",
            "left_alone",
            "excluded",
            "/system.slice/\"odd\\x2d.service",
        ),
        line(4, "python", "injected", "", SHOP),
        line(4, "python", "stood_down", "VERSION", SHOP),
        "nonsense\n".into(),
    ]
    .concat()
}

/// A folder with a report, and a configuration that names it; `more` stands under `[report]`.
fn configured(more: &str) -> Scratch {
    let scratch = Scratch::new();
    let file = scratch.write("report", sample());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    configure(&scratch, more);
    scratch
}

fn configure(scratch: &Scratch, more: &str) {
    let file = scratch.path().join("report");
    let agent = scratch.write("agent.jar", "");
    let text = format!(
        "[jvm]\nagent_path = {agent:?}\n[report]\nfile = {:?}\n{more}",
        file.display()
    );
    scratch.write("c.toml", text);
}

fn run(scratch: &Scratch, arguments: &[&str]) -> support::command::Outcome {
    let mut command = scratch.command(&built("opentelemetry-injector"), &["report"]);
    command.args(arguments);
    command.env(
        "OPENTELEMETRY_INJECTOR_CONFIGURATION",
        scratch.path().join("c.toml"),
    );
    support::command::ran(command)
}

#[test]
fn decisions_are_counted_by_unit_runtime_and_reason() {
    let scratch = configured("");
    let note = "opentelemetry-injector: 1 line is no decision and was not counted\n";
    let text = run(&scratch, &[]);
    assert_eq!((text.code, text.stderr.as_str()), (0, note));
    let rows: Vec<Vec<_>> = text
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0][..4], ["UNIT", "RUNTIME", "DECISION", "COUNT"]);
    assert_eq!(
        rows[1][..7],
        [
            "shop.service",
            "python",
            "stood",
            "down",
            "1",
            "2026-03-01T10:00:04Z",
            "VERSION"
        ]
    );
    assert_eq!(
        rows[2][1..6],
        ["jvm", "left", "alone", "1", "2026-03-01T10:00:03Z"]
    );
    assert_eq!(rows[3][..4], ["shop.service", "jvm", "injected", "2"]);
    assert_eq!(rows.len(), 4);

    let value: Value = serde_json::from_str(&run(&scratch, &["--json"]).stdout).unwrap();
    assert_eq!(value["unreadable_lines"], 1);
    assert_eq!(value["sources"][0]["is_full"], false);
    let decisions = value["decisions"].as_array().unwrap();
    assert_eq!(decisions.len(), 3);
    assert_eq!(
        decisions[0],
        json!({
            "unit": "shop.service", "runtime": "python", "decision": "stood_down",
            "reason": "VERSION", "count": 1,
            "last": {
                "time": "2026-03-01T10:00:04Z", "message": "because \"VERSION\"",
                "executable": "/usr/bin/x",
            },
        })
    );
}

#[test]
fn metrics_are_what_prometheus_reads() {
    let scratch = configured("max_bytes = 5000\n");
    let text = run(&scratch, &["--prometheus"]).stdout;
    let metrics: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let bytes = sample().len();
    assert_eq!(
        metrics,
        [
            "opentelemetry_injector_decisions{runtime=\"python\",unit=\"shop.service\",decision=\"stood_down\",reason=\"VERSION\"} 1",
            "opentelemetry_injector_decisions{runtime=\"jvm\",unit=\"\\\"odd\\\\x2d.service\",decision=\"left_alone\",reason=\"excluded\"} 1",
            "opentelemetry_injector_decisions{runtime=\"jvm\",unit=\"shop.service\",decision=\"injected\",reason=\"\"} 2",
            "opentelemetry_injector_report_unreadable_lines 1",
            &format!("opentelemetry_injector_report_bytes {bytes}"),
            "opentelemetry_injector_report_max_bytes 5000",
        ]
    );
    for name in [
        "decisions",
        "report_unreadable_lines",
        "report_bytes",
        "report_max_bytes",
    ] {
        let name = format!("opentelemetry_injector_{name}");
        assert!(text.contains(&format!("\n# TYPE {name} gauge\n")), "{text}");
        assert_eq!(
            text.matches(&format!("# HELP {name} ")).count(),
            1,
            "{text}"
        );
    }
    // Prometheus' own checker, where it is installed.
    if !has("promtool") {
        skip!("promtool is not installed");
    }
    let mut promtool = std::process::Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped());
    let mut child = promtool.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn files_may_be_given_and_standard_input_too() {
    let scratch = configured("");
    let given = scratch.write("other", line(9, "php", "injected", "", "/"));
    let twice = run(&scratch, &["--json", "report", given.to_str().unwrap()]);
    let value: Value = serde_json::from_str(&twice.stdout).unwrap();
    assert_eq!(value["decisions"].as_array().unwrap().len(), 4);
    let mut command = scratch.command(&built("opentelemetry-injector"), &["report", "-"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(sample().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(stdout(&output).lines().count(), 4);
}

#[test]
fn what_cannot_be_counted_is_told() {
    let scratch = configured("");
    let missing = run(&scratch, &["nowhere"]);
    assert_eq!(
        missing,
        outcome(2, "", "opentelemetry-injector: nowhere: no such file\n")
    );
    fs::remove_file(scratch.path().join("report")).unwrap();
    let none = run(&scratch, &["--prometheus"]);
    assert_eq!(none.code, 0);
    assert!(
        none.stderr.contains("no process has reported yet"),
        "{none:?}"
    );
    scratch.write("c.toml", "[jvm]\nagent_path = '/a'\n");
    let off = run(&scratch, &[]);
    assert_eq!(off.code, 2);
    assert!(
        off.stderr.contains("set report.file or report.journal in "),
        "{off:?}"
    );
    scratch.write("c.toml", "report.journal = 1\n");
    let unusable = run(&scratch, &[]);
    assert!(
        unusable.code == 2 && unusable.stderr.contains("takes true or false"),
        "{unusable:?}"
    );
}

#[test]
fn check_tells_who_cannot_report() {
    let scratch = configured("");
    let check = || {
        let said = scratch.run(&["check", "c.toml"]);
        assert_eq!(said.code, 0, "{said:?}");
        said.stdout
    };
    let file = scratch.path().join("report");
    let set_mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    if is_root() {
        assert!(check().contains("no problems (1 file)"), "{}", check());
        set_mode(0o640);
        let said = check();
        assert!(said.contains("c.toml:4:1: warning: "), "{said}");
        assert!(
            said.contains("mode 0640, so processes of other users"),
            "{said}"
        );
        assert!(said.contains("help: chmod 0666 /"), "{said}");
        set_mode(0o666);
    }
    configure(&scratch, "max_bytes = 10\n");
    let said = check();
    assert!(
        !is_root() || said.contains("what comes now is not reported"),
        "{said}"
    );
    configure(&scratch, "");
    fs::remove_file(&file).unwrap();
    assert!(
        check().contains("help: install -m 0666 /dev/null "),
        "{}",
        check()
    );
    fs::create_dir(&file).unwrap();
    assert!(check().contains("not a regular file; nothing is reported"));
    scratch.write("c.toml", "report.max_bytes = '10'\n");
    let said = scratch.run(&["check", "c.toml"]);
    assert_eq!(said.code, 1);
    let wanted = "`report.max_bytes` takes a whole number of at least 0, not a string";
    assert!(said.stdout.contains(wanted), "{}", said.stdout);
}

/// Several real runtimes report, and are counted.
#[test]
fn real_runtimes_are_counted() {
    let scene = Scene::new();
    let report = scene.path("report");
    scene.configure(&format!(
        "[jvm]\nagent_path = \"{agent}\"\n[python]\nagent_path = \"/none\"\n\
         [nodejs]\nagent_path = \"/none\"\n[ruby]\nenabled = false\n[report]\nfile = {report:?}\n",
        agent = scene.agent,
    ));
    let programs = [
        ("python3", vec!["-c", ""], "agent_unreadable"),
        ("node", vec!["-e", ""], "agent_unreadable"),
        ("ruby", vec!["-e", ""], "disabled"),
        ("java", vec!["-version"], "information_only"),
    ];
    let mut wanted = Vec::new();
    for (program, arguments, reason) in programs {
        if has(program) {
            succeed(scene.command(program, "direct").args(arguments));
            wanted.push(reason);
        }
    }
    let mut counted = command(&["report", "--json"]);
    counted.arg(&report);
    let output = counted.output().unwrap();
    assert_eq!(stderr(&output), "");
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let decisions = value["decisions"].as_array().unwrap().iter();
    let mut reasons: Vec<_> = decisions
        .map(|decision| decision["reason"].as_str().unwrap())
        .collect();
    reasons.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(reasons, wanted, "{value:#}");
}
