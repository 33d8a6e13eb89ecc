//! `opentelemetry-injector ps`: every process of the machine that could be instrumented.

pub mod placement;
mod units;

use crate::complain;
use crate::explain::explained_process::{ExplainedProcess, runtime};
use crate::explain::explainer::explain;
use crate::explain::explanation::{Explanation, Verdict};
use crate::explain::json;
use crate::explain::running_process::{self, Unreadable};
use crate::explain::{ASK_OTHERWISE, object_version};
use crate::machine::proc_files;
use crate::output::names;
use crate::output::{Style, print, print_json, printable, table, terminal_width};
use crate::ps::placement::Placement;
use serde_json::{Value, json};
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

/// List every process that could be instrumented: whether it is, and if not, why.
///
/// These are the processes that run or embed a runtime that the injector knows.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// Write JSON
    #[arg(long)]
    json: bool,
    /// List units, containers and pods instead of processes, those to be restarted first
    #[arg(long)]
    units: bool,
    /// Do it again every two seconds, until it is ended; with --json one line each time
    #[arg(long)]
    watch: bool,
}

const AFTER_HELP: &str = "\
The column OBJECT shows the version of the preload object that a process has loaded. A `*` means that the
object, the configuration or the agent changed after the process started: restart such a process.
`explain --pid` shows all details of one process. --units shows the command that restarts it where a restart
helps and there is a command that does no harm; --json always shows that command.

Exit status:
  0  the list is complete
  2  this user may not inspect some processes, or /proc is not mounted

Environment:
  NO_COLOR  write no colours to a terminal

Examples:
  opentelemetry-injector ps
  opentelemetry-injector ps --units
  opentelemetry-injector ps --json";

const CANNOT_TELL: u8 = 2;

const PAUSE: Duration = Duration::from_secs(2);

/// Clears a terminal and begins at its top (ECMA-48, 8.3.21 and 8.3.39).
const CLEAR: &str = "\x1b[H\x1b[2J";

/// A process that could be instrumented, and what there is to say of it.
struct Found {
    process: ExplainedProcess,
    explanation: Explanation,
    placement: Placement,
}

/// Runs the command.
pub fn ps(arguments: &Arguments) -> ExitCode {
    if !proc_files::is_mounted() {
        complain(&proc_files::NOT_MOUNTED);
        return CANNOT_TELL.into();
    }
    let mut outcome = list_once(arguments, true);
    while arguments.watch && outcome != Outcome::Failed {
        thread::sleep(PAUSE);
        outcome = list_once(arguments, false);
    }
    match outcome {
        Outcome::Complete => ExitCode::SUCCESS,
        Outcome::Hidden | Outcome::Failed => CANNOT_TELL.into(),
    }
}

/// What became of one list.
#[derive(PartialEq, Eq)]
enum Outcome {
    Complete,
    /// This user may not look at every process.
    Hidden,
    /// There is none, or it could not be written.
    Failed,
}

/// Writes one list; `is_first`: what is hidden is told once, and on a terminal below each list.
fn list_once(arguments: &Arguments, is_first: bool) -> Outcome {
    let processes = match proc_files::processes() {
        Ok(processes) => processes,
        Err(error) => {
            complain(&format_args!("/proc: {error}"));
            return Outcome::Failed;
        }
    };
    let mut found = Vec::new();
    let mut hidden = 0;
    for process in processes {
        match running_process::read(process) {
            Ok(process) if runtime(&process.facts).is_some() => found.push(Found {
                explanation: explain(&process),
                placement: Placement::of(&process.facts),
                process,
            }),
            Ok(_) => {}
            Err(Unreadable::NotPermitted) => hidden += 1,
            // It has ended meanwhile, or was none to begin with.
            Err(Unreadable::Gone | Unreadable::NoProgram) => {}
        }
    }
    if show(arguments, &found, hidden).is_err() {
        return Outcome::Failed;
    }
    if hidden == 0 {
        return Outcome::Complete;
    }
    if is_first || io::stdout().is_terminal() {
        let processes = if hidden == 1 { "process" } else { "processes" };
        complain(&format_args!(
            "{hidden} {processes} cannot be inspected by this user; {ASK_OTHERWISE}"
        ));
    }
    Outcome::Hidden
}

fn show(arguments: &Arguments, found: &[Found], hidden: usize) -> io::Result<()> {
    if arguments.json {
        let list = if arguments.units {
            json!({"units": units::json(found), "not_permitted": hidden})
        } else {
            list(found, hidden)
        };
        return if arguments.watch {
            print(&format!("{list}\n"))
        } else {
            print_json(&list)
        };
    }
    let text = if arguments.units {
        units::text(found)
    } else {
        text(found)
    };
    let is_followed = arguments.watch && io::stdout().is_terminal();
    print(&format!("{}{text}", if is_followed { CLEAR } else { "" }))
}

impl Found {
    /// Why it is as it is: what has changed of one that is injected.
    fn why(&self) -> String {
        match &self.explanation.verdict {
            Verdict::Injected => self.explanation.changes.join("; "),
            Verdict::NotInjected { why, .. } | Verdict::Unknown(why) => why.clone(),
        }
    }
}

fn list(found: &[Found], hidden: usize) -> Value {
    let summaries = found.iter().map(|one| {
        let mut summary = json::summary(&one.process, &one.explanation);
        summary["placement"] = one.placement.json();
        summary
    });
    json!({"processes": summaries.collect::<Vec<_>>(), "not_permitted": hidden})
}

const HEADINGS: [&str; 9] = [
    "PID", "USER", "RUNTIME", "SERVICE", "INJECTED", "OBJECT", "PROGRAM", "UNIT", "WHY",
];

fn text(found: &[Found]) -> String {
    let mut rows = vec![HEADINGS.map(String::from).to_vec()];
    rows.extend(found.iter().map(row));
    let style = Style::of_stdout();
    table(&rows, terminal_width(), |_, cell| match cell {
        "yes" => style.good(cell),
        "no" => style.bad(cell),
        "restart" | "?" => style.warning(cell),
        _ if HEADINGS.contains(&cell) => style.strong(cell),
        _ => cell.into(),
    })
}

fn row(found: &Found) -> Vec<String> {
    let Found {
        process,
        explanation,
        placement,
    } = found;
    let live = process.live.as_ref();
    let injected = match &explanation.verdict {
        Verdict::Injected => "yes",
        Verdict::NotInjected {
            after_restart: true,
            ..
        } => "restart",
        Verdict::NotInjected { .. } => "no",
        Verdict::Unknown(_) => "?",
    };
    let version = object_version(process);
    let stale = if version != "-" && !explanation.changes.is_empty() {
        "*"
    } else {
        ""
    };
    let service = explanation.service.as_ref();
    vec![
        live.map_or(String::new(), |live| live.process.to_string()),
        live.map_or(String::new(), |live| names::user(live.user)),
        explanation
            .runtime
            .map_or(String::new(), |runtime| names::runtime(runtime).into()),
        printable(
            service
                .and_then(|service| service.name.as_deref())
                .unwrap_or("-"),
        ),
        injected.into(),
        format!("{version}{stale}"),
        printable(&placement.program),
        printable(&placement.name()),
        printable(&found.why()),
    ]
}
