//! Starts a program under the object, with a receiver of its own, and waits for its first spans.

use crate::install::trials;
use crate::machine::processes::{self, signal_group};
use crate::spans::program::Program;
use crate::status::endpoint;
use opentelemetry_injector_otlp::{Receiver, Span};
use opentelemetry_injector_policy::Configuration;
use opentelemetry_injector_policy::config::overrides::{CONFIGURATION, DEBUG};
use rustix::process::Signal;
use std::env;
use std::fs::{self, File};
use std::io::{self, Error};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// The longest wait for a span: a JVM with its agent on a busy machine needs about half of it.
const LONGEST: Duration = Duration::from_secs(150);

/// How long a program that has sent its span, or has ended without one, is waited for: an export may
/// still be under way.
const REST: Duration = Duration::from_secs(2);

const PACE: Duration = Duration::from_millis(20);

/// The setting by which an agent reads a file alone.
const CONFIG_FILE: &str = "OTEL_CONFIG_FILE";

/// What the settings of the user's own would keep from the receiver.
const SETTINGS: [(&str, &str); 10] = [
    ("OTEL_SDK_DISABLED", "false"),
    ("OTEL_TRACES_EXPORTER", "otlp"),
    ("OTEL_METRICS_EXPORTER", "none"),
    ("OTEL_LOGS_EXPORTER", "none"),
    ("OTEL_TRACES_SAMPLER", "always_on"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "10000"),
    ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ("OTEL_PHP_AUTOLOAD_ENABLED", "true"),
];

/// What became of a program.
pub struct Outcome {
    /// The span that was meant, or any other one that came.
    pub span: Option<Span>,
    /// When it came; else, how long it was waited for.
    pub after: Duration,
    /// The debug log's lines.
    pub log: Vec<String>,
    /// The last line of what the program itself said on stderr.
    pub last_line: Option<String>,
}

/// Runs a program until its span is there, it has ended without one, or `is_over`.
///
/// # Errors
/// There is no receiver, or the program cannot be started.
pub fn run(
    program: &Program,
    object: &Path,
    configuration: Option<&Configuration>,
    is_over: impl Fn() -> bool,
) -> io::Result<Outcome> {
    let receiver = Receiver::listen("127.0.0.1:0").map_err(Error::other)?;
    let receiver = Arc::new(receiver);
    let (sender, spans) = mpsc::channel();
    let serving = Arc::clone(&receiver);
    let server = thread::spawn(move || {
        serving.serve(move |spans| sender.send(spans).map_err(|_| Error::other("enough")))
    });
    let log_file = configuration.and_then(|configuration| configuration.log.file.as_deref());
    let logged_before = log_file.and_then(|file| fs::metadata(file).ok());
    let logged_before = logged_before.map_or(0, |metadata| metadata.len());
    let start = Instant::now();
    let stderr = program.folder.path().join("stderr");
    let mut command = command(program, object, receiver.address(), configuration)?;
    let mut child = command.stderr(File::create(&stderr)?).spawn()?;
    let span = wait(&mut child, &spans, start, is_over);
    let after = start.elapsed();
    end(&mut child);
    drop(spans);
    receiver.stop();
    // It has ended, or waits for a connection that does not end: it ends with this process.
    drop(server);
    let said = fs::read(&stderr)?;
    let mut log = trials::log_lines(&said);
    if let Some(file) = log_file {
        log.extend(trials::logged_since(file, logged_before));
    }
    let said = trials::programs_own(&said);
    let said = String::from_utf8_lossy(&said);
    let last_line = said.lines().rev().find(|line| !line.trim().is_empty());
    Ok(Outcome {
        span,
        after,
        log,
        last_line: last_line.map(str::to_owned),
    })
}

fn command(
    program: &Program,
    object: &Path,
    receiver: SocketAddr,
    configuration: Option<&Configuration>,
) -> io::Result<Command> {
    let endpoint = format!("http://{receiver}");
    let traces = format!("{endpoint}/v1/traces");
    let mut command = processes::trial(&program.launcher, program.folder.path());
    command
        .args(&program.arguments)
        .arg(&endpoint)
        .env("LD_PRELOAD", object)
        .env(DEBUG, "true")
        .envs(SETTINGS)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
        .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &traces)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if let Some(path) = env::var_os(CONFIGURATION) {
        command.env(CONFIGURATION, path);
    }
    if configuration.is_some_and(names_config_file) {
        let file = program.folder.path().join("otel-config.yaml");
        fs::write(&file, declarative(&traces))?;
        command.env(CONFIG_FILE, file);
    }
    Ok(command)
}

/// Whether agents are told to read a file, which names a receiver of its own.
fn names_config_file(configuration: &Configuration) -> bool {
    let mut environments = endpoint::environments(configuration);
    environments.any(|environment| environment.contains_key(CONFIG_FILE))
}

/// A file by which an agent sends its spans to the receiver.
fn declarative(endpoint: &str) -> String {
    format!(
        "file_format: \"1.0\"
resource:
  attributes_list: ${{OTEL_RESOURCE_ATTRIBUTES}}
  attributes:
    - name: service.name
      value: ${{OTEL_SERVICE_NAME:-unknown_service}}
tracer_provider:
  processors:
    - batch:
        schedule_delay: 100
        exporter:
          otlp_http:
            endpoint: {endpoint}
"
    )
}

fn wait(
    child: &mut Child,
    spans: &mpsc::Receiver<Vec<Span>>,
    start: Instant,
    is_over: impl Fn() -> bool,
) -> Option<Span> {
    let mut end = start + LONGEST;
    let mut has_ended = false;
    while Instant::now() < end && !is_over() {
        match spans.recv_timeout(PACE) {
            Ok(spans) if !spans.is_empty() => return spans.into_iter().max_by_key(is_meant),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
        if !has_ended && !matches!(child.try_wait(), Ok(None)) {
            has_ended = true;
            end = end.min(Instant::now() + REST);
        }
    }
    None
}

/// Whether a span is that of the request, and not one of the start.
fn is_meant(span: &Span) -> bool {
    span.kind == "CLIENT"
}

/// Waits a little for the program's own end, which is kinder, and ends it and what it has started.
fn end(child: &mut Child) {
    let start = Instant::now();
    while start.elapsed() < REST && matches!(child.try_wait(), Ok(None)) {
        thread::sleep(PACE);
    }
    signal_group(child, Signal::KILL);
    let _ = child.wait();
}
