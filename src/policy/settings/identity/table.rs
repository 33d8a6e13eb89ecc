//! The table in docs/service-names.md, row by row.

use super::{Identity, is_left_to_agent};
use crate::Runtime;
use crate::process::fixture::Fixture;
use alloc::{string::String, vec::Vec};
use std::string::ToString;

const DOCUMENT: &str = include_str!("../../../../docs/service-names.md");

struct Row<'d> {
    line: &'d str,
    runtime: Runtime,
    process: Fixture,
    wanted: String,
}

/// The texts in backticks.
fn spans(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn rows() -> Vec<Row<'static>> {
    let lines = DOCUMENT
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains(" | `"));
    lines.map(row).collect()
}

fn row(line: &'static str) -> Row<'static> {
    let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [section, folder, command, also, wanted] = cells.as_slice() else {
        panic!("five cells: {line}");
    };
    let named = |runtime: &Runtime| runtime.section() == *section;
    let runtime = Runtime::ALL.into_iter().find(named).expect(line);
    let arguments = started(runtime, spans(command)[0]);
    let mut process = Fixture {
        executable: arguments[0].clone(),
        arguments,
        working_directory: spans(folder)[0].into(),
        ..Fixture::default()
    };
    let mut also = spans(also).into_iter();
    while let Some(fact) = also.next() {
        if fact.starts_with("0::") {
            process.control_groups = fact.into();
        } else if fact.starts_with('/') {
            process.readable.push(fact.into());
            process
                .contents
                .insert(fact.into(), also.next().unwrap().into());
        } else {
            let (name, value) = fact.split_once('=').unwrap();
            process.variables.insert(name.into(), value.into());
        }
    }
    Row {
        line,
        runtime,
        process,
        wanted: wanted.replace('`', ""),
    }
}

/// What the kernel makes of a command: a script is started by the interpreter in its first line.
fn started(runtime: Runtime, command: &str) -> Vec<String> {
    let words: Vec<String> = command.split(' ').map(ToString::to_string).collect();
    let interpreter = match runtime {
        Runtime::Python => "python3",
        Runtime::Ruby => "ruby",
        _ => return words,
    };
    if words[0].contains(interpreter.trim_end_matches('3')) || words[0] == "uwsgi" {
        return words;
    }
    let path = ["/usr/local/bin/", &words[0]].concat();
    let rest = words.into_iter().skip(1);
    [interpreter.to_string(), path]
        .into_iter()
        .chain(rest)
        .collect()
}

#[test]
fn every_row_of_the_documents_table_holds() {
    let rows = rows();
    assert!(rows.len() >= 60, "{} rows", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let identity = Identity::derive(row.runtime, &row.process, false);
        let version = identity.version.map(|told| [" ", &told.value].concat());
        let version = version.unwrap_or_default();
        let told = match identity.name {
            Some(name) => name.value + &version,
            None if is_left_to_agent(row.runtime, &row.process) => "left to the agent".into(),
            None => "none".into(),
        };
        if told != row.wanted {
            wrong.push([told.as_str(), " instead of ", &row.wanted, ": ", row.line].concat());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
