//! `opentelemetry-injector trace`: what a program and its children ask their environment for, who asks,
//! and what they get.

mod callers;
mod changes;
mod channel;
mod filters;
mod findings;
mod formats;
mod live;
mod recording;
mod redaction;
mod session;
mod session_report;
mod stacks;
mod summary;
mod symbol_tables;
mod symbols;
mod tree;

use crate::complain;
use crate::machine::default_agents;
use crate::output::{self, Style};
use crate::run::launch::{Launch, LaunchError};
use crate::trace::callers::Callers;
use crate::trace::channel::Channel;
use crate::trace::filters::Filters;
use crate::trace::formats::{flamegraph, json, perfetto};
use crate::trace::live::Live;
use crate::trace::session_report::{Report, Stacks};
use clap::ValueEnum;
use opentelemetry_injector_policy::config::overrides;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use std::{env, fmt, fs, thread};

/// Run a command and tell what it and its children ask their environment for.
///
/// The table follows on stderr when the command has ended. Secrets (names with KEY, TOKEN, PASSWORD,
/// SECRET, HEADERS) are not shown.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(flatten)]
    filters: Filters,
    /// Print each call when it happens, on stderr
    #[arg(long)]
    live: bool,
    /// Write the result to a file instead of stderr
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Record whole stacks, with at most N functions each (default 32)
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true,
          default_missing_value = "32", value_parser = clap::value_parser!(u16).range(1..=256))]
    backtrace: Option<u16>,
    /// Merge the stacks into one tree, from the first function on
    #[arg(long)]
    tree: bool,
    /// What the result is written as
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Draw who asks for what into a file (SVG)
    #[arg(long, value_name = "FILE")]
    flamegraph: Option<PathBuf>,
    /// The most memory that the trace takes, in MiB; a million calls take 64 (default 256; 2048 with stacks)
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(16..=65536))]
    buffer: Option<u64>,
    /// Not available: hooks go in when a program starts
    #[arg(long, value_name = "PID", exclusive = true)]
    pid: Option<u32>,
    #[command(flatten)]
    launch: Launch,
}

/// A format of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// JSON lines, as docs/trace.schema.json describes them
    Json,
    /// For ui.perfetto.dev
    Perfetto,
}

/// How many functions of a stack are told of where nothing else is said.
const FRAMES: usize = 32;

const AFTER_HELP: &str = "\
Exit status:
  that of the command (128 and the signal's number where a signal ended it), or
  2    the command was not started: the object, or the configuration that --config names, cannot
       be used
  126  the command cannot be executed
  127  the command was not found

A running process cannot be traced: the hooks go in before its first thread. Start it anew.

Examples:
  opentelemetry-injector trace -- node app.js
  opentelemetry-injector trace --name 'OTEL_*' --only misses -- ./start-shop.sh
  opentelemetry-injector trace --live --not-caller 'libc.so*' -o trace.txt -- python3 app.py
  opentelemetry-injector trace --name 'OTEL_*' --tree -- node app.js";

/// Why there is no result.
#[derive(Debug)]
enum TraceError {
    Pid,
    Launch(LaunchError),
    Channel(io::Error),
    Output(PathBuf, io::Error),
}

/// Runs the command and reports.
pub fn trace(arguments: &Arguments) -> ExitCode {
    match try_trace(arguments) {
        Ok(code) => code.into(),
        Err(problem) => {
            complain(&problem);
            problem.exit_code().into()
        }
    }
}

fn try_trace(arguments: &Arguments) -> Result<u8, TraceError> {
    if arguments.pid.is_some() {
        return Err(TraceError::Pid);
    }
    let mut command = arguments.launch.prepare().map_err(TraceError::Launch)?;
    let mut output = Output::open(arguments.output.as_deref())?;
    let frames = match (arguments.backtrace, arguments.tree) {
        (Some(frames), _) => frames.into(),
        (None, true) => FRAMES,
        (None, false) => 0,
    };
    let default = if frames > 0 { 2048 } else { 256 };
    let length = arguments.buffer.unwrap_or(default) << 20;
    let channel = Channel::new(length, stacks::length(frames));
    let mut channel = channel.map_err(TraceError::Channel)?;
    command.env(overrides::TRACE, channel.path());
    let child = session::start(&mut command).map_err(|error| {
        let program = command.get_program().to_owned();
        TraceError::Launch(LaunchError::Exec(program, error))
    })?;
    // In the time that the program takes to start.
    let _ = channel.make_room();
    let mut live = arguments.live.then(|| Live::new(output.style));
    let mut progress = Progress::new(&output);
    let filters = &arguments.filters;
    let ended = session::run(child, &mut channel, frames, |recording, first| {
        progress.show(recording.calls.len());
        if let Some(live) = &mut live {
            output.write(live.lines(recording, filters, first, false).as_bytes());
        }
    });
    let ended = ended.map_err(TraceError::Channel)?;
    progress.clear();
    if let Some(live) = &mut live {
        output.write(
            live.lines(&ended.recording, filters, ended.first, true)
                .as_bytes(),
        );
    }
    let counts = channel.counts().map_err(TraceError::Channel)?;
    // The kernel takes a while to have its memory back. If there can be no thread, it has it at the end.
    let _ = thread::Builder::new().spawn(move || drop(channel));
    let mut report = Report {
        recording: &ended.recording,
        callers: Callers::new(arguments.format == Format::Json),
        filters,
        stacks: match (arguments.tree, frames) {
            (true, _) => Stacks::Tree,
            (false, 0) => Stacks::None,
            (false, _) => Stacks::ByName,
        },
        first: ended.first,
        findings: findings::findings(&ended.recording, &configured(&command)),
        counts,
        unfinished: ended.unfinished,
        exit_code: session::exit_code(ended.status),
        running: session::running(&ended.recording),
    };
    let text = match arguments.format {
        Format::Table => report.text(output.width, output.style),
        Format::Json => json::lines(&mut report),
        Format::Perfetto => perfetto::text(&mut report),
    };
    output.write(text.as_bytes());
    if let Some(path) = &arguments.flamegraph {
        let svg = flamegraph::svg(&mut report).and_then(|svg| fs::write(path, svg));
        svg.map_err(|error| TraceError::Output(path.clone(), error))?;
    }
    output.finish()?;
    Ok(report.exit_code)
}

/// The settings of the configuration that the command's processes use.
fn configured(command: &Command) -> BTreeMap<String, String> {
    let own = |name| command.get_envs().find(|(key, _)| *key == name);
    let given = own(overrides::CONFIGURATION).and_then(|(_, value)| value.map(OsString::from));
    let path = given.or_else(|| env::var_os(overrides::CONFIGURATION));
    let path = path.filter(|path| !path.is_empty());
    let path = path.unwrap_or_else(|| overrides::DEFAULT_CONFIGURATION.into());
    let configuration = default_agents::load(path.as_bytes());
    configuration
        .map(|configuration| configuration.environment)
        .unwrap_or_default()
}

/// Where the result goes.
struct Output {
    file: Option<(PathBuf, File)>,
    style: Style,
    width: Option<usize>,
    problem: Option<io::Error>,
}

impl Output {
    fn open(path: Option<&Path>) -> Result<Self, TraceError> {
        let open = |path: &Path| match File::create(path) {
            Ok(file) => Ok((path.to_owned(), file)),
            Err(error) => Err(TraceError::Output(path.to_owned(), error)),
        };
        let file = path.map(open).transpose()?;
        let is_stderr = file.is_none();
        Ok(Self {
            file,
            style: if is_stderr {
                Style::of_stderr()
            } else {
                Style::plain()
            },
            width: output::stderr_width().filter(|_| is_stderr),
            problem: None,
        })
    }

    /// What cannot be written to stderr has no reader.
    fn write(&mut self, bytes: &[u8]) {
        match &mut self.file {
            Some((_, file)) => {
                if let Err(error) = file.write_all(bytes) {
                    self.problem.get_or_insert(error);
                }
            }
            None => {
                let _ = io::stderr().write_all(bytes);
            }
        }
    }

    fn finish(self) -> Result<(), TraceError> {
        match (self.file, self.problem) {
            (Some((path, _)), Some(error)) => Err(TraceError::Output(path, error)),
            _ => Ok(()),
        }
    }
}

/// How many calls there were so far, on a terminal where the result goes to a file: otherwise it would
/// stand between the program's own lines.
struct Progress {
    is_shown: bool,
    last: Instant,
}

impl Progress {
    const INTERVAL: Duration = Duration::from_millis(500);

    fn new(output: &Output) -> Self {
        Self {
            is_shown: output.file.is_some() && io::stderr().is_terminal(),
            last: Instant::now(),
        }
    }

    fn show(&mut self, calls: usize) {
        if self.is_shown && self.last.elapsed() >= Self::INTERVAL {
            self.last = Instant::now();
            let _ = write!(io::stderr(), "\r\x1b[K{calls} calls\r");
        }
    }

    fn clear(&self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

impl TraceError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Launch(problem) => problem.exit_code(),
            Self::Pid | Self::Channel(_) | Self::Output(..) => 2,
        }
    }
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pid => f.write_str(
                "a running process cannot be traced: hooks are put in place before its first thread \
                 starts; start it with `opentelemetry-injector trace -- COMMAND`",
            ),
            Self::Launch(problem) => problem.fmt(f),
            Self::Channel(error) => write!(f, "the trace's memory: {error}"),
            Self::Output(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl core::error::Error for TraceError {}
