//! `opentelemetry-injector report`: the decisions that processes have reported, counted.

mod counts;
mod lines;
mod prometheus;

use crate::complain;
use crate::machine::default_agents;
use crate::machine::possible_process::PossibleProcess;
use crate::output::{Style, print, print_json, printable, table, terminal_width};
use crate::report::counts::{Count, Counts};
use crate::report::lines::{Source, SourceError};
use opentelemetry_injector_policy::config::{Report, overrides};
use opentelemetry_injector_policy::reason::Lossy;
use serde_json::{Value, json};
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Count the decisions that processes have reported, by runtime, unit and reason.
///
/// Processes report where the configuration says so: `report.file` or `report.journal`.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// Files of the report; `-` is standard input [default: as the configuration says]
    #[arg(conflicts_with = "journal")]
    files: Vec<PathBuf>,
    /// Read the systemd journal, even if there is a report.file
    #[arg(long)]
    journal: bool,
    /// Write JSON
    #[arg(long, conflicts_with = "prometheus")]
    json: bool,
    /// Write metrics in the text format of Prometheus
    #[arg(long)]
    prometheus: bool,
}

const AFTER_HELP: &str = "\
Exit status:
  0  counted
  2  unknown: no report is configured, or it cannot be read

Environment:
  OPENTELEMETRY_INJECTOR_CONFIGURATION  the configuration file
  NO_COLOR                              write no colours to a terminal

Examples:
  opentelemetry-injector report
  opentelemetry-injector report /var/log/opentelemetry-injector.jsonl*
  opentelemetry-injector report --json | jq '.decisions[] | select(.decision != \"injected\")'
  opentelemetry-injector report --prometheus";

const CANNOT_TELL: u8 = 2;

/// What there is to show.
struct Outcome {
    sources: Vec<Source>,
    counts: Counts,
    /// Of the file that the configuration names.
    most: Option<u64>,
}

/// Runs the command.
pub fn report(arguments: &Arguments) -> ExitCode {
    let outcome = match read(arguments) {
        Ok(outcome) => outcome,
        Err(error) => {
            complain(&error);
            return CANNOT_TELL.into();
        }
    };
    match show(arguments, &outcome) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => CANNOT_TELL.into(),
    }
}

fn read(arguments: &Arguments) -> Result<Outcome, SourceError> {
    let mut counts = Counts::default();
    if !arguments.files.is_empty() {
        let files = arguments.files.iter();
        let sources = files
            .map(|path| lines::of_file(path, &mut counts))
            .collect::<Result<_, _>>()?;
        return Ok(Outcome {
            sources,
            counts,
            most: None,
        });
    }
    if arguments.journal {
        return of_journal(counts);
    }
    let path = overrides::configuration_path(&PossibleProcess::WithOwnEnvironment);
    let configuration =
        default_agents::load(&path).map_err(|reason| SourceError::Unusable(reason.to_string()))?;
    let Report {
        file,
        max_bytes,
        journal,
    } = configuration.report;
    match file {
        Some(file) => Ok(Outcome {
            sources: vec![lines::of_configured_file(file.as_ref(), &mut counts)?],
            counts,
            most: Some(max_bytes),
        }),
        None if journal => of_journal(counts),
        None => Err(SourceError::NotConfigured(Lossy(&path).to_string())),
    }
}

fn of_journal(mut counts: Counts) -> Result<Outcome, SourceError> {
    let source = lines::of_journal(&mut counts)?;
    Ok(Outcome {
        sources: vec![source],
        counts,
        most: None,
    })
}

impl Outcome {
    fn json(&self) -> Value {
        let decisions = self.counts.sorted().into_iter().map(Count::json);
        let sources = self.sources.iter().map(|source| source.json(self.most));
        json!({
            "sources": sources.collect::<Vec<_>>(),
            "decisions": decisions.collect::<Vec<_>>(),
            "unreadable_lines": self.counts.unreadable,
        })
    }

    fn text(&self) -> String {
        let mut rows = vec![HEADINGS.map(String::from).to_vec()];
        rows.extend(self.counts.sorted().iter().map(row));
        let style = Style::of_stdout();
        table(&rows, terminal_width(), |column, cell| match cell {
            _ if HEADINGS.contains(&cell) => style.strong(cell),
            "injected" if column == DECISION => style.good(cell),
            _ if column == DECISION => style.bad(cell),
            _ => cell.into(),
        })
    }

    /// What the counts are silent about.
    fn notes(&self) -> Vec<String> {
        let sources = self.sources.iter();
        let mut notes: Vec<_> = sources
            .filter_map(|source| source.note(self.most))
            .collect();
        match self.counts.unreadable {
            0 => {}
            1 => notes.push("1 line is no decision and was not counted".into()),
            count => notes.push(format!(
                "{count} lines are no decisions and were not counted"
            )),
        }
        notes
    }
}

const HEADINGS: [&str; 7] = [
    "UNIT", "RUNTIME", "DECISION", "COUNT", "LAST", "REASON", "WHY",
];

/// The column of [`HEADINGS`] that is coloured.
const DECISION: usize = 2;

fn row(count: &Count) -> Vec<String> {
    let or_dash = |text: &str| {
        if text.is_empty() {
            "-".into()
        } else {
            printable(text)
        }
    };
    vec![
        printable(&count.unit),
        count.runtime.into(),
        count.decision.replace('_', " "),
        count.count.to_string(),
        or_dash(&count.last_time),
        or_dash(&count.reason),
        or_dash(&count.last_message),
    ]
}

fn show(arguments: &Arguments, outcome: &Outcome) -> io::Result<()> {
    for note in outcome.notes() {
        complain(&note);
    }
    if arguments.json {
        print_json(&outcome.json())
    } else if arguments.prometheus {
        print(&prometheus::text(outcome))
    } else {
        print(&outcome.text())
    }
}
