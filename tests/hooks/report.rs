//! The report: which decisions a process writes, and what it does not do for them.

use serde_json::Value;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use support::{Scene, has, is_root, skip, stderr, stdout, succeed, with_own_mounts};

const NAME: &str = "JAVA_TOOL_OPTIONS";

/// A scene whose processes report into `report`; `more` is added to the configuration's top.
fn reporting(more: &str) -> Scene {
    let scene = Scene::new();
    configure(&scene, more, "");
    scene
}

fn configure(scene: &Scene, more: &str, report: &str) {
    scene.configure(&format!(
        "{more}\n[jvm]\nagent_path = \"{}\"\n[report]\nfile = \"{}\"\n{report}",
        scene.agent,
        scene.path("report").display()
    ));
}

fn lines(scene: &Scene) -> Vec<Value> {
    let text = fs::read_to_string(scene.path("report")).unwrap_or_default();
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

fn run(scene: &Scene, program: &Path) -> String {
    let mut command = scene.command(program, "direct");
    let output = command.args([NAME, "HOME"]).output().unwrap();
    assert_eq!(stderr(&output), "");
    stdout(&output)
}

fn with_agent(scene: &Scene) -> String {
    format!("{NAME}=-javaagent:{}", scene.agent)
}

#[test]
fn an_injected_process_writes_one_line() {
    let scene = reporting("");
    let program = scene.compile("ask");
    let before = std::time::SystemTime::now();
    let output = scene
        .command(&program, "direct")
        .args([NAME, NAME, "HOME"])
        .output()
        .unwrap();
    assert!(stdout(&output).contains(&with_agent(&scene)), "{output:?}");
    let [line] = &lines(&scene)[..] else {
        panic!("{:?}", lines(&scene));
    };
    assert_eq!(line["decision"], "injected");
    assert_eq!(line["runtime"], "jvm");
    let real = program.canonicalize().unwrap();
    assert_eq!(line["executable"], real.display().to_string());
    assert!(line["control_group"].as_str().unwrap().starts_with('/'));
    assert!(line["pid"].as_u64().unwrap() > 1);
    assert_eq!(line.get("reason"), None);
    let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output();
    let today = stdout(&date.unwrap());
    let time = line["time"].as_str().unwrap();
    let is_today = time.starts_with(today.trim()) && time.ends_with('Z');
    // Midnight may have been in between.
    assert!(
        is_today || before.elapsed().unwrap().as_secs() > 3600,
        "{time}"
    );
    let mode = fs::metadata(scene.path("report")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o7137, 0, "{mode:?}");
}

#[test]
fn a_runtime_that_is_left_alone_writes_why() {
    let scene = reporting("processes.exclude = [\"java\"]");
    let program = scene.compile("ask");
    assert!(run(&scene, &program).contains("(null)"));
    configure(&scene, "", "");
    fs::remove_file(&scene.agent).unwrap();
    assert!(run(&scene, &program).contains("(null)"));
    let told: Vec<_> = lines(&scene)
        .iter()
        .map(|line| {
            format!(
                "{} {} {}",
                line["decision"], line["reason"], line["message"]
            )
        })
        .collect();
    let missing = format!("{} is missing or not readable by this process", scene.agent);
    assert_eq!(
        told,
        [
            "\"left_alone\" \"excluded\" \"the pattern \\\"java\\\" in processes.exclude matches\""
                .to_owned(),
            format!("\"left_alone\" \"agent_unreadable\" \"{missing}\""),
        ]
    );
}

#[test]
fn nothing_is_written_of_what_is_no_runtime_nor_by_default() {
    let scene = reporting("processes.exclude = [\"ask\", \"sh\"]");
    let program = scene.compile("ask");
    let other = scene.path("ask");
    fs::copy(&program, &other).unwrap();
    run(&scene, &other);
    configure(&scene, "", "");
    // It asks for the variable to hand it on.
    run(&scene, &other);
    succeed(scene.command("sh", "direct").args(["-c", "/bin/true"]));
    assert_eq!(lines(&scene), Vec::<Value>::new());
    let scene = Scene::new();
    run(&scene, &program);
    assert!(!scene.path("report").exists());
}

#[test]
fn a_file_that_is_full_gets_no_more_and_neither_does_another_kind_of_file() {
    let scene = reporting("");
    let program = scene.compile("ask");
    let injected = |scene: &Scene| assert!(run(scene, &program).contains(&with_agent(scene)));
    injected(&scene);
    let file = scene.path("report");
    let length = fs::metadata(&file).unwrap().len();
    configure(&scene, "", &format!("max_bytes = {}\n", 2 * length + 20));
    injected(&scene);
    for _ in 0..3 {
        injected(&scene);
    }
    assert_eq!(lines(&scene).len(), 2);
    configure(&scene, "", "max_bytes = 0\n");
    fs::remove_file(&file).unwrap();
    injected(&scene);
    assert_eq!(lines(&scene).len(), 0);

    configure(&scene, "", "");
    let target = scene.path("target");
    fs::write(&target, "").unwrap();
    fs::remove_file(&file).unwrap();
    symlink(&target, &file).unwrap();
    injected(&scene);
    assert_eq!(fs::read_to_string(&target).unwrap(), "");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    injected(&scene);
    fs::remove_dir(&file).unwrap();
    // With a reader, and without one.
    succeed(Command::new("mkfifo").arg(&file));
    injected(&scene);
    let mut options = fs::OpenOptions::new();
    let options = options
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK);
    let mut reader = options.open(&file).unwrap();
    injected(&scene);
    let nothing = reader.read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_file_that_another_user_has_made_is_not_written() {
    if !is_root() {
        skip!("a file of another user needs root");
    }
    let scene = reporting("");
    let program = scene.compile("ask");
    let file = scene.path("report");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    chown(&file, Some(65534), None).unwrap();
    run(&scene, &program);
    assert_eq!(lines(&scene).len(), 0);
    // What root has made for all, all write.
    chown(&file, Some(0), None).unwrap();
    let mut command = scene.command("setpriv", "direct");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    succeed(command.arg(&program).arg(NAME));
    let lines = lines(&scene);
    assert_eq!((lines.len(), &lines[0]["uid"]), (1, &Value::from(65534)));
}

/// Where journald is stood in for by a socket: a namespace's own `/run`.
const WITH_JOURNAL: &str = r#"
set -e
mount -t tmpfs none /run
mkdir -p /run/systemd/journal
exec python3 -c "$JOURNAL" "$@"
"#;

/// Binds the socket, runs the program `rounds` times and shows what has come. Its receive buffer takes a
/// few datagrams (net.unix.max_dgram_qlen): nobody reads while the programs run.
const JOURNAL: &str = r#"
import os, socket, subprocess, sys, time
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.bind("/run/systemd/journal/socket")
program, rounds, preload = sys.argv[1], int(sys.argv[2]), sys.argv[3]
started = time.monotonic()
for _ in range(rounds):
    subprocess.run([*program.split()], env={**os.environ, "LD_PRELOAD": preload}, check=True)
assert time.monotonic() - started < 60
journal.setblocking(False)
count = 0
try:
    while message := journal.recv(65536):
        count += 1
        if count == 1:
            print(message.decode())
except BlockingIOError:
    pass
print("received", count)
"#;

fn with_journal(scene: &Scene, program: &str, rounds: u32) -> String {
    let mut command = with_own_mounts(WITH_JOURNAL);
    command
        .arg(program)
        .arg(rounds.to_string())
        .arg(support::object())
        .env("JOURNAL", JOURNAL)
        .env("OPENTELEMETRY_INJECTOR_CONFIGURATION", &scene.configuration);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    stdout(&output)
}

fn journal_scene(more: &str) -> Scene {
    let scene = Scene::new();
    scene.configure(&format!(
        "{more}\n[jvm]\nagent_path = \"{}\"\n[report]\njournal = true\n",
        scene.agent
    ));
    scene
}

#[test]
fn the_journal_gets_a_message_and_nobody_waits_for_it() {
    if !is_root() || !has("unshare") || !has("python3") {
        skip!("a /run of one's own needs root, unshare and python3");
    }
    let scene = journal_scene("");
    let program = scene.compile("ask");
    let ask = format!("{} {NAME}", program.display());
    let received = with_journal(&scene, &ask, 1);
    let (_, message) = received.split_once("MESSAGE_ID=").expect(&received);
    let fields: Vec<_> = message.lines().collect();
    assert_eq!(
        fields[1..3],
        ["SYSLOG_IDENTIFIER=opentelemetry-injector", "PRIORITY=6"]
    );
    let line = fields[3].strip_prefix("MESSAGE=").unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&line["decision"], &line["runtime"]),
        (&"injected".into(), &"jvm".into())
    );
    assert!(received.ends_with("received 1\n"), "{received}");
    // The queue is full after some, by default ten.
    let queue = fs::read_to_string("/proc/sys/net/unix/max_dgram_qlen").unwrap();
    let queue: u32 = queue.trim().parse().unwrap();
    if queue > 100 {
        skip!("a queue of {queue} datagrams, which takes long to fill");
    }
    let received = with_journal(&scene, &ask, queue + 5);
    assert_eq!(
        received.matches(&with_agent(&scene)).count() as u32,
        queue + 5
    );
    let (_, count) = received.rsplit_once("received ").unwrap();
    let count: u32 = count.trim().parse().unwrap();
    assert!(count > 0 && count < queue + 5, "{count} of {queue}");
}

#[test]
fn a_filter_that_kills_who_makes_a_socket_kills_nobody_for_the_report() {
    if !is_root() || !has("unshare") || !has("python3") {
        skip!("a /run of one's own needs root, unshare and python3");
    }
    let scene = journal_scene("processes.exclude = [\"java\"]");
    let filtered = scene.trap("filtered", &[]);
    let program = scene.compile("ask");
    let socket = libc::SYS_socket;
    let under_filter = format!(
        "{} kill {socket} {} HOME",
        filtered.display(),
        program.display()
    );
    let received = with_journal(&scene, &under_filter, 1);
    // That of the program that puts the filter in place, which is called like a runtime, too.
    assert!(received.ends_with("received 1\n"), "{received}");
    assert!(received.contains("traps-filtered"), "{received}");
    let plain = format!("{} HOME", program.display());
    let received = with_journal(&scene, &plain, 1);
    assert!(received.contains("\"reason\":\"excluded\""), "{received}");
}

#[test]
fn no_descriptor_and_no_error_number_is_left() {
    let scene = Scene::new();
    let program = scene.compile("errno_is_kept");
    let mut descriptors = Vec::new();
    let both = format!("file = {:?}\njournal = true\n", scene.path("report"));
    for report in ["", both.as_str()] {
        scene.configure(&format!(
            "[jvm]\nagent_path = \"{}\"\n[python]\nagent_path = \"/nothing\"\n[report]\n{report}",
            scene.agent
        ));
        let output = scene.command(&program, "direct").output().unwrap();
        assert!(stdout(&output).starts_with("42 -javaagent:"), "{output:?}");
        if has("python3") {
            let script = "import os; print(sorted(os.listdir('/proc/self/fd')))";
            let mut python = scene.command("python3", "direct");
            let output = python.args(["-c", script]).output().unwrap();
            descriptors.push(stdout(&output));
        }
    }
    // The test may have been given some to hand on.
    assert_eq!(descriptors.first(), descriptors.last());
    let told: Vec<_> = lines(&scene)
        .iter()
        .map(|line| line["runtime"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told[0], "jvm");
    assert_eq!(
        told.get(1).is_some_and(|runtime| runtime == "python"),
        has("python3")
    );
}
