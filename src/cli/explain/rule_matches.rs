//! `opentelemetry-injector explain --rules`: which running processes each rule matches.

use crate::check::findings::Findings;
use crate::complain;
use crate::config::rules::in_json;
use crate::explain::explained_process::{ExplainedProcess, runtime};
use crate::explain::running_process::{self, Unreadable};
use crate::explain::{ASK_OTHERWISE, CANNOT_TELL};
use crate::machine::possible_process::PossibleProcess;
use crate::machine::proc_files;
use crate::output::{Style, names, print, print_json, printable};
use opentelemetry_injector_policy::Runtime;
use opentelemetry_injector_policy::config::overrides;
use opentelemetry_injector_policy::config::rules::{Rule, matching};
use opentelemetry_injector_policy::process::file_name;
use opentelemetry_injector_policy::reason::Lossy;
use serde_json::{Value, json};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

type Found = (ExplainedProcess, Runtime);

/// Tells of each rule which processes it matches: of this environment's configuration, whose
/// processes count, or of the one that is given.
pub fn tell(config: Option<&Path>, as_json: bool) -> ExitCode {
    let own = || overrides::configuration_path(&PossibleProcess::WithOwnEnvironment);
    let path = config.map_or_else(own, |path| path.as_os_str().as_bytes().to_vec());
    let report = Findings::of(&path);
    if report.is_unusable || !report.untold.is_empty() {
        complain(&format_args!(
            "run `opentelemetry-injector check` on {}",
            Lossy(&path)
        ));
        return CANNOT_TELL.into();
    }
    let Ok(numbers) = proc_files::processes() else {
        complain(&proc_files::NOT_MOUNTED);
        return CANNOT_TELL.into();
    };
    let (mut found, mut hidden) = (Vec::new(), 0);
    for number in numbers {
        match running_process::read(number) {
            Ok(process) => {
                // With a configuration that is given it is tried on all.
                let uses =
                    config.is_some() || overrides::configuration_path(&process.facts) == path;
                let runtime = runtime(&process.facts).filter(|_| uses);
                found.extend(runtime.map(|runtime| (process, runtime)));
            }
            Err(Unreadable::NotPermitted) => hidden += 1,
            Err(Unreadable::Gone | Unreadable::NoProgram) => {}
        }
    }
    let rules = report.configuration.rules.iter();
    let of_rule = |rule: &Rule| -> Vec<&Found> {
        let is_matched = |(process, runtime): &&Found| {
            let matching = matching(&report.configuration, *runtime, &process.facts);
            let mut matching = matching.into_iter().flatten();
            matching.any(|matched| std::ptr::eq(matched, rule))
        };
        found.iter().filter(is_matched).collect()
    };
    let printed = if as_json {
        let rules = rules.map(|rule| json_of(rule, &of_rule(rule)));
        print_json(&json!({"rules": rules.collect::<Vec<_>>(), "not_permitted": hidden}))
    } else {
        let rules: String = rules.map(|rule| text_of(rule, &of_rule(rule))).collect();
        print(if rules.is_empty() {
            "The configuration has no rules.\n"
        } else {
            &rules
        })
    };
    if hidden > 0 {
        complain(&format_args!(
            "{hidden} processes cannot be inspected by this user; {ASK_OTHERWISE}"
        ));
    }
    if printed.is_err() || hidden > 0 {
        CANNOT_TELL.into()
    } else {
        ExitCode::SUCCESS
    }
}

fn text_of(rule: &Rule, found: &[&Found]) -> String {
    let style = Style::of_stdout();
    let place = printable(&rule.place.to_string());
    let keys = printable(&rule.keys().join(", "));
    let mut text = format!("{}  {keys}\n", style.strong(&place));
    for (process, runtime) in found {
        let number = process.live.as_ref().map_or(0, |live| live.process);
        let user = process
            .live
            .as_ref()
            .map_or(String::new(), |live| names::user(live.user));
        let program = Lossy(file_name(&process.facts.started_as)).to_string();
        let runtime = names::runtime(*runtime);
        text += &format!(
            "  {number:>7}  {}  {} ({runtime})\n",
            printable(&user),
            printable(&program)
        );
    }
    if found.is_empty() {
        text += &format!("  {}\n", style.faint("no running process"));
    }
    text
}

fn json_of(rule: &Rule, found: &[&Found]) -> Value {
    let mut value = in_json(rule);
    let numbers = found
        .iter()
        .filter_map(|(process, _)| process.live.as_ref());
    value["processes"] = numbers.map(|live| live.process).collect();
    value
}
