//! `opentelemetry-injector trace`: what a program and its children ask their environment for, who asks,
//! and what they get.

mod callers;
mod changes;
mod channel;
mod copies;
mod filters;
mod findings;
mod formats;
mod live;
mod near_names;
mod own_changes;
mod perf_maps;
mod recording;
mod redaction;
mod secret_names;
mod secret_options;
mod session;
mod session_report;
mod share;
mod sink;
mod stacks;
mod summary;
mod symbol_tables;
mod symbols;
mod tree;
mod untraced;

use crate::complain;
use crate::machine::default_agents;
use crate::run::launch::{self, Launch, LaunchError};
use crate::trace::callers::Callers;
use crate::trace::channel::Channel;
use crate::trace::filters::Filters;
use crate::trace::formats::{flamegraph, json, perfetto};
use crate::trace::live::Live;
use crate::trace::recording::Recording;
use crate::trace::session::Session;
use crate::trace::session_report::{Report, Stacks};
use crate::trace::share::Share;
use crate::trace::sink::{Progress, Sink};
use crate::trace::untraced::{Untraced, Untracing};
use clap::ValueEnum;
use opentelemetry_injector_policy::Configuration;
use opentelemetry_injector_policy::config::overrides;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, fmt};

/// Run a command and tell what it and its children ask their environment for.
///
/// The table follows on stderr when the command has ended. Secrets (values behind names with
/// KEY, TOKEN, PASSWORD, SECRET, HEADERS and their like) are not shown.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(flatten)]
    filters: Filters,
    /// Print each call when it happens: where the table goes, or, with another format, on stderr
    #[arg(long)]
    live: bool,
    /// Write the result to a file instead of stderr (`-` for stdout)
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
       be used; or the result could not be written
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
    Lines,
    Channel(io::Error),
    Session(io::Error),
    Output(PathBuf, io::Error),
    Picture(io::Error),
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
    let mut result = Sink::open(arguments.output.as_deref())?;
    let picture = arguments.flamegraph.as_deref();
    let picture = picture.map(|path| Sink::open(Some(path))).transpose()?;
    let mut lines = Lines::new(arguments, &result)?;
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
    let session = Session::new().map_err(TraceError::Session)?;
    let child = launch::start(&mut command, Command::spawn).map_err(TraceError::Launch)?;
    // In the time that the program takes to start.
    let _ = channel.make_room();
    let configured = configured(&command);
    let mut callers = Callers::new(arguments.format == Format::Json);
    let mut progress = Progress::new(&result);
    let filters = &arguments.filters;
    let mut untracing = Untracing::default();
    let mut finding = Share::default();
    let ended = session.run(child, &mut channel, frames, |look| {
        untracing.look(look.first);
        progress.show(look.recording.calls.len());
        lines.show(&mut result, look.recording, filters, look.first, false);
        if look.is_ending {
            // In the time that the program takes to end.
            callers.find_new(look.recording);
        } else if look.is_quiet {
            // What is found now need not be found in the end.
            finding.run(Duration::ZERO, || callers.find_ahead(look.recording));
        }
    });
    let ended = ended.map_err(TraceError::Session)?;
    progress.clear();
    lines.show(&mut result, &ended.recording, filters, ended.first, true);
    let mut counts = channel.counts().map_err(TraceError::Channel)?;
    counts.dropped += ended.recording.lost;
    channel.give_back();
    let untraced = untracing.list(
        &ended.recording,
        ended.first,
        &ended.last,
        command.get_program(),
    );
    let names: Vec<_> = untraced.iter().map(Untraced::name).collect();
    let copies = copies::copies(&ended.recording);
    let mut report = Report {
        recording: &ended.recording,
        callers,
        filters,
        stacks: match (arguments.tree, frames) {
            (true, _) => Stacks::Tree,
            (false, 0) => Stacks::None,
            (false, _) => Stacks::ByName,
        },
        first: ended.first,
        findings: findings::findings(&ended.recording, &configured, filters, &names, &copies),
        copies,
        untraced,
        counts,
        unfinished: ended.unfinished,
        exit_code: session::exit_code(ended.status),
        running: session::running(&ended.recording),
    };
    let text = match arguments.format {
        Format::Table => report.text(result.width, result.style),
        Format::Json => json::lines(&mut report),
        Format::Perfetto => perfetto::text(&mut report),
    };
    result.write(text.as_bytes());
    result.finish()?;
    if let Some(mut picture) = picture {
        picture.write(&flamegraph::svg(&mut report).map_err(TraceError::Picture)?);
        picture.finish()?;
    }
    Ok(report.exit_code)
}

/// The lines of `--live`.
struct Lines {
    live: Option<Live>,
    /// Their own place; `None` where that is the result's.
    own: Option<Sink>,
}

impl Lines {
    fn new(arguments: &Arguments, result: &Sink) -> Result<Self, TraceError> {
        if arguments.format == Format::Table {
            let live = arguments.live.then(|| Live::new(result.style));
            return Ok(Self { live, own: None });
        }
        if arguments.live && result.is_stderr() {
            return Err(TraceError::Lines);
        }
        let own = Sink::stderr();
        let live = arguments.live.then(|| Live::new(own.style));
        let own = Some(own);
        Ok(Self { live, own })
    }

    fn show(
        &mut self,
        result: &mut Sink,
        recording: &Recording,
        filters: &Filters,
        first: u32,
        is_over: bool,
    ) {
        if let Some(live) = &mut self.live {
            let lines = live.lines(recording, filters, first, is_over);
            self.own.as_mut().unwrap_or(result).write(lines.as_bytes());
        }
    }
}

/// The configuration that the command's processes use; the defaults where it cannot be read.
fn configured(command: &Command) -> Configuration {
    let own = |name| command.get_envs().find(|(key, _)| *key == name);
    let given = own(overrides::CONFIGURATION).and_then(|(_, value)| value.map(OsString::from));
    let path = given.or_else(|| env::var_os(overrides::CONFIGURATION));
    let path = path.filter(|path| !path.is_empty());
    let path = path.unwrap_or_else(|| overrides::DEFAULT_CONFIGURATION.into());
    default_agents::load(path.as_bytes()).unwrap_or_default()
}

impl TraceError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Launch(problem) => problem.exit_code(),
            Self::Pid
            | Self::Lines
            | Self::Channel(_)
            | Self::Session(_)
            | Self::Output(..)
            | Self::Picture(_) => 2,
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
            Self::Lines => f.write_str(
                "--live prints lines on stderr, and so would be no part of a result in this format: name a \
                 file for the result with --output",
            ),
            Self::Channel(error) => write!(f, "the trace's memory: {error}"),
            Self::Session(error) => write!(f, "the session: {error}"),
            Self::Picture(error) => write!(f, "the picture: {error}"),
            Self::Output(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl core::error::Error for TraceError {}
