//! `opentelemetry-injector config show`: what all files together say, and where each key stands.

use crate::check::findings::{Findings, Origin};
use crate::config::rules;
use crate::config::values::{Value, all, place};
use crate::machine::possible_process::PossibleProcess;
use crate::output::{print, print_json, printable};
use crate::{complain, output::Style};
use opentelemetry_injector_policy::config::overrides;
use opentelemetry_injector_policy::reason::Lossy;
use serde_json::{Value as Json, json};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;

/// Show the configuration in effect, and the file and line of each key.
///
/// The output is itself a configuration: a comment after each key names its origin. Keys without a
/// value are omitted.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The configuration file [default: /etc/opentelemetry/injector/configuration.toml]
    file: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Exit status:
  0  shown
  1  not shown: no process can use the configuration; stderr says why
  2  unknown: a file is missing or cannot be read

Environment:
  OPENTELEMETRY_INJECTOR_CONFIGURATION  the configuration file, if FILE is not given

Examples:
  opentelemetry-injector config show
  opentelemetry-injector config show --json | jq -r '.keys[] | select(.file) | .key'";

const UNUSABLE: u8 = 1;
const CANNOT_TELL: u8 = 2;

/// A key, its value and where it stands; nowhere: the default.
struct Shown {
    key: String,
    value: Value,
    origin: Option<Origin>,
}

/// Runs the command.
pub fn show(arguments: &Arguments) -> ExitCode {
    let path = match &arguments.file {
        Some(file) => file.as_os_str().as_bytes().to_vec(),
        None => overrides::configuration_path(&PossibleProcess::WithOwnEnvironment),
    };
    let report = Findings::of(&path);
    for untold in &report.untold {
        complain(untold);
    }
    if !report.untold.is_empty() {
        return CANNOT_TELL.into();
    }
    if report.is_unusable {
        // Nothing is on stdout, so that nobody takes it for a configuration.
        complain(&report.to_string().trim_end());
        return UNUSABLE.into();
    }
    if report.has_problems() {
        complain(&"processes ignore some keys: see `config check`");
    }
    let shown = shown(&report);
    let printed = if arguments.json {
        print_json(&in_json(&report, &shown))
    } else {
        let style = Style::of_stdout();
        let rules = report.configuration.rules.iter();
        let rules = rules.map(|rule| rules::in_toml(rule, |text| style.faint(&printable(text))));
        print(&(in_toml(&shown, style) + &rules.collect::<String>()))
    };
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => CANNOT_TELL.into(),
    }
}

fn shown(report: &Findings) -> Vec<Shown> {
    let values = all(&report.configuration).into_iter();
    let shown = values.map(|(key, value)| {
        let origin = report.origins.get(&key).cloned();
        Shown { key, value, origin }
    });
    shown.collect()
}

fn in_toml(shown: &[Shown], style: Style) -> String {
    let mut text = String::new();
    let mut current = "";
    for Shown { key, value, origin } in shown {
        let (section, name) = place(key);
        if section != current {
            text.push_str(&format!("\n[{section}]\n"));
            current = section;
        }
        let origin = match origin {
            Some(Origin { path, line }) => format!("{}:{line}", Lossy(path)),
            None => "default".into(),
        };
        let origin = style.faint(&format!("# {}", printable(&origin)));
        text.push_str(&format!("{name} = {value}  {origin}\n"));
    }
    text
}

fn in_json(report: &Findings, shown: &[Shown]) -> Json {
    let path = |path: &[u8]| Json::from(String::from_utf8_lossy(path));
    let keys = shown.iter().map(|shown| {
        let origin = shown.origin.as_ref();
        json!({
            "key": shown.key,
            "value": shown.value.json(),
            "file": origin.map(|origin| path(&origin.path)),
            "line": origin.map(|origin| origin.line),
        })
    });
    let files = report.files.iter().map(|file| path(file));
    json!({
        "files": files.collect::<Vec<_>>(),
        "keys": keys.collect::<Vec<_>>(),
        "rules": report.configuration.rules.iter().map(rules::in_json).collect::<Vec<_>>(),
    })
}
