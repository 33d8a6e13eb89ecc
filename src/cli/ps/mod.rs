//! `opentelemetry-injector ps`: every process of the machine that could be instrumented.

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
use serde_json::{Value, json};
use std::process::ExitCode;

/// List every process that could be instrumented: whether it is, and if not, why.
///
/// These are the processes that run or embed a runtime that the injector knows.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// Write JSON
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
The column OBJECT shows the version of the preload object that a process has loaded. A `*` means that the
object, the configuration or the agent changed after the process started: restart such a process.
`explain --pid` shows all details of one process.

Exit status:
  0  the list is complete
  2  this user may not inspect some processes, or /proc is not mounted

Environment:
  NO_COLOR  write no colours to a terminal

Examples:
  opentelemetry-injector ps
  opentelemetry-injector ps --json";

const CANNOT_TELL: u8 = 2;

/// Runs the command.
pub fn ps(arguments: &Arguments) -> ExitCode {
    if !proc_files::is_mounted() {
        complain(&proc_files::NOT_MOUNTED);
        return CANNOT_TELL.into();
    }
    let processes = match proc_files::processes() {
        Ok(processes) => processes,
        Err(error) => {
            complain(&format_args!("/proc: {error}"));
            return CANNOT_TELL.into();
        }
    };
    let mut found = Vec::new();
    let mut hidden = 0;
    for process in processes {
        match running_process::read(process) {
            Ok(process) if runtime(&process.facts).is_some() => {
                let explanation = explain(&process);
                found.push((process, explanation));
            }
            Ok(_) => {}
            Err(Unreadable::NotPermitted) => hidden += 1,
            // It has ended meanwhile, or was none to begin with.
            Err(Unreadable::Gone | Unreadable::NoProgram) => {}
        }
    }
    let printed = if arguments.json {
        print_json(&list(&found, hidden))
    } else {
        print(&text(&found))
    };
    if hidden > 0 {
        let processes = if hidden == 1 { "process" } else { "processes" };
        complain(&format_args!(
            "{hidden} {processes} cannot be inspected by this user; {ASK_OTHERWISE}"
        ));
    }
    if printed.is_err() || hidden > 0 {
        CANNOT_TELL.into()
    } else {
        ExitCode::SUCCESS
    }
}

type Found = (ExplainedProcess, Explanation);

fn list(found: &[Found], hidden: usize) -> Value {
    let summaries = found.iter();
    let summaries = summaries.map(|(process, explanation)| json::summary(process, explanation));
    json!({"processes": summaries.collect::<Vec<_>>(), "not_permitted": hidden})
}

const HEADINGS: [&str; 7] = [
    "PID", "USER", "RUNTIME", "SERVICE", "INJECTED", "OBJECT", "WHY",
];

fn text(found: &[Found]) -> String {
    let mut rows = vec![HEADINGS.map(String::from).to_vec()];
    rows.extend(
        found
            .iter()
            .map(|(process, explanation)| row(process, explanation)),
    );
    let style = Style::of_stdout();
    table(&rows, terminal_width(), |_, cell| match cell {
        "yes" => style.good(cell),
        "no" => style.bad(cell),
        "restart" | "?" => style.warning(cell),
        _ if HEADINGS.contains(&cell) => style.strong(cell),
        _ => cell.into(),
    })
}

fn row(process: &ExplainedProcess, explanation: &Explanation) -> Vec<String> {
    let live = process.live.as_ref();
    let (injected, why) = match &explanation.verdict {
        Verdict::Injected => ("yes", explanation.changes.join("; ")),
        Verdict::NotInjected {
            why,
            after_restart: true,
        } => ("restart", why.clone()),
        Verdict::NotInjected { why, .. } => ("no", why.clone()),
        Verdict::Unknown(why) => ("?", why.clone()),
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
        printable(&why),
    ]
}
