//! The part that runs inside: starts, drives and ends one application, and tells what it saw.

use crate::declaration::Application;
use crate::observed::Observed;
use crate::{Collector, environments};
use serde_json::Value;
use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The address that the agents' settings name.
const COLLECTOR: &str = "127.0.0.1:4318";

/// How long a service may take to become ready, or a use of it to end.
const PATIENCE: Duration = Duration::from_secs(240);

/// How long a service may take to end.
const END: Duration = Duration::from_secs(60);

/// How long spans may be on their way after the end.
const LAST_SPANS: Duration = Duration::from_millis(300);

/// How long the first span may take after the application was driven. Agents send a batch twice a second,
/// and some services end without sending the last one.
const FIRST_SPAN: Duration = Duration::from_secs(3);

/// The loader's list of objects.
const PRELOAD_FILE: &str = "/etc/ld.so.preload";

/// What the preload file is called until the application is about to start. Nothing of that name exists
/// outside.
pub const WAITING_PRELOAD_FILE: &str = "/etc/ld.so.preload.applications";

/// The first process inside: starts this program again, and waits for every process that is left to it.
#[expect(
    clippy::zombie_processes,
    reason = "the loop waits for it, as for all others"
)]
pub fn first_process() -> ExitCode {
    let arguments = std::env::args_os()
        .skip(1)
        .filter(|argument| argument != "--first");
    let own = std::env::current_exe().expect("our own path");
    let worker = Command::new(own)
        .args(arguments)
        .spawn()
        .expect("the worker starts");
    loop {
        let mut status = 0;
        // SAFETY: waits for any child; `status` is a place for its status.
        let ended = unsafe { libc::waitpid(-1, &raw mut status, 0) };
        if ended < 0 || ended == worker.id().cast_signed() {
            return ExitCode::from(u8::from(status != 0));
        }
    }
}

/// Runs the application once.
pub fn run(application: &Application, collector: Collector) -> Observed {
    let spans = Arc::new(Mutex::new(Vec::new()));
    // Before the object: they are no part of the application.
    let _collector = collect(collector, &spans);
    let mut observed = Observed::default();
    if let Err(problem) = enter_folder(&application.name) {
        observed.output = format!("no folder to run in: {problem}");
        return observed;
    }
    if !application.prepare.is_empty() {
        let (code, text) = finish(shell(&application.prepare), PATIENCE);
        if code != 0 {
            observed.output = format!("not prepared: {text}");
            return observed;
        }
    }
    let _ = fs::rename(WAITING_PRELOAD_FILE, PRELOAD_FILE);
    let watch = environments::Watch::start();
    match application.start.as_str() {
        "" => use_it(application, &mut observed),
        start => {
            let is_traced = application.traced && collector == Collector::Works;
            let awaited =
                (is_traced && fs::exists(PRELOAD_FILE).unwrap_or(false)).then_some(&spans);
            serve(application, start, awaited, &mut observed);
        }
    }
    observed.traces = watch.end();
    thread::sleep(LAST_SPANS);
    let spans = spans.lock().unwrap_or_else(PoisonError::into_inner);
    observed.spans = spans.len() as u64;
    observed.services = spans.iter().cloned().collect();
    observed
}

/// Shows `/srv` at `/srv/NAME`, too, and goes there: many services are called like their folder, and `srv` is
/// no name.
fn enter_folder(name: &str) -> io::Result<()> {
    let folder = Path::new("/srv").join(name);
    fs::create_dir_all(&folder)?;
    let mount = Command::new("mount")
        .args(["--bind", "/srv"])
        .arg(&folder)
        .status()?;
    if !mount.success() {
        return Err(io::Error::other(mount.to_string()));
    }
    env::set_current_dir(folder)
}

fn use_it(application: &Application, observed: &mut Observed) {
    let start = Instant::now();
    observed.ready = Some(0);
    (observed.code, observed.answers) = finish(shell(&application.drive), PATIENCE);
    observed.ending = milliseconds(start);
    observed.end = "at its own time".into();
}

/// Starts the service, drives it and ends it. `awaited` has the spans that arrived, where one is expected.
fn serve(
    application: &Application,
    start: &str,
    awaited: Option<&Services>,
    observed: &mut Observed,
) {
    let output = File::create("/tmp/application.log").expect("a file for its output");
    let mut command = shell(start);
    command
        .stdout(output.try_clone().expect("a descriptor"))
        .stderr(output);
    let begin = Instant::now();
    let mut service = command.spawn().expect("bash starts");
    while begin.elapsed() < PATIENCE && observed.ready.is_none() {
        if finish(shell(&application.ready), PATIENCE).0 == 0 {
            observed.ready = Some(milliseconds(begin));
        } else if service.try_wait().is_ok_and(|status| status.is_some()) {
            break;
        } else {
            thread::sleep(Duration::from_millis(50));
        }
    }
    if observed.ready.is_some() {
        (observed.code, observed.answers) = finish(shell(&application.drive), PATIENCE);
        let driven = Instant::now();
        let is_empty = |spans: &Services| {
            spans
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_empty()
        };
        while awaited.is_some_and(is_empty) && driven.elapsed() < FIRST_SPAN {
            thread::sleep(Duration::from_millis(20));
        }
    }
    observed.names = environments::names_now();
    let asked = Instant::now();
    ask_to_end(application, &service);
    observed.end = match wait(&mut service, END) {
        Some(status) => told(status),
        None => "does not end".into(),
    };
    observed.ending = milliseconds(asked);
    let text = fs::read("/tmp/application.log").unwrap_or_default();
    observed.output = String::from_utf8_lossy(&text).into_owned();
}

fn ask_to_end(application: &Application, service: &Child) {
    let signal = match application.stop.as_str() {
        "TERM" => libc::SIGTERM,
        "INT" => libc::SIGINT,
        "QUIT" => libc::SIGQUIT,
        command => return drop(finish(shell(command), END)),
    };
    // SAFETY: a signal to a child that has not been waited for, or to nobody.
    unsafe { libc::kill(service.id().cast_signed(), signal) };
}

fn told(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, signal) => format!("signal {}", signal.unwrap_or_default()),
    }
}

/// A command that bash runs where the application is.
fn shell(script: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", script]).stdin(Stdio::null());
    // Some services signal their whole group when they end.
    command.process_group(0);
    command
}

/// Runs a command to its end: its exit code and its output. One that takes too long is killed.
fn finish(mut command: Command, patience: Duration) -> (i64, String) {
    let place = format!("/tmp/output-{:?}", thread::current().id());
    let output = File::create(&place).expect("a file for the output");
    command
        .stdout(output.try_clone().expect("a descriptor"))
        .stderr(output);
    let mut child = command.spawn().expect("bash starts");
    let code = match wait(&mut child, patience) {
        Some(status) => i64::from(status.code().unwrap_or(-1)),
        None => -2,
    };
    let text = fs::read(place).unwrap_or_default();
    (code, String::from_utf8_lossy(&text).into_owned())
}

/// Waits for a child; kills one that takes longer, and tells nothing.
fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < patience {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Whatever stands for a collector as long as this lives.
#[expect(dead_code, reason = "held, not used")]
enum Standing {
    Sink(Child),
    Silent(TcpListener),
    Nothing,
}

/// The service of each span that has arrived.
type Services = Arc<Mutex<Vec<String>>>;

fn collect(collector: Collector, spans: &Services) -> Standing {
    match collector {
        Collector::Refuses => Standing::Nothing,
        // The kernel accepts; nobody ever reads.
        Collector::Silent => {
            Standing::Silent(TcpListener::bind(COLLECTOR).expect("the port is free"))
        }
        Collector::Works => Standing::Sink(sink(spans)),
    }
}

fn sink(spans: &Services) -> Child {
    let own = std::env::current_exe().expect("our own path");
    let mut sink = Command::new(own.with_file_name("otlp-sink"))
        .args(["--listen", COLLECTOR])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the sink starts");
    let mut lines = BufReader::new(sink.stdout.take().expect("a pipe"));
    let mut listening = String::new();
    lines.read_line(&mut listening).expect("the sink listens");
    let spans = spans.clone();
    thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            let span: Value = serde_json::from_str(&line).unwrap_or_default();
            let service = span["service"].as_str().unwrap_or_default().to_owned();
            let mut spans = spans.lock().unwrap_or_else(PoisonError::into_inner);
            spans.push(service);
        }
    });
    sink
}
