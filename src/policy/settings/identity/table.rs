//! The table in docs/service-names.md, row by row.

use super::{Identity, is_left_to_agent};
use crate::Runtime;
use crate::matching::tools::{self, By};
use crate::process::fixture::Fixture;
use alloc::{string::String, vec::Vec};
use std::string::ToString;

const DOCUMENT: &str = include_str!("../../../../docs/service-names.md");

/// A row of one of the two tables.
struct Row<'d> {
    line: &'d str,
    runtime: Runtime,
    folder: &'d str,
    command: &'d str,
    also: Vec<&'d str>,
    wanted: String,
}

/// The texts in backticks.
fn spans(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The rows of the tables: of services, and of what starts others.
fn tables() -> [Vec<Row<'static>>; 2] {
    let (services, starters) = DOCUMENT.split_once("## Starters").unwrap();
    [services, starters].map(|text| {
        let lines = text.lines();
        let lines = lines.filter(|line| line.starts_with("| ") && line.contains(" | `"));
        lines.map(row).collect()
    })
}

fn row(line: &'static str) -> Row<'static> {
    let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [section, folder, command, also, wanted] = cells.as_slice() else {
        panic!("five cells: {line}");
    };
    let named = |runtime: &Runtime| runtime.section() == *section;
    Row {
        line,
        runtime: Runtime::ALL.into_iter().find(named).expect(line),
        folder: spans(folder)[0],
        command: spans(command)[0],
        also: spans(also),
        wanted: wanted.replace('`', ""),
    }
}

/// A process that a command starts, with what else is known of it.
fn process(runtime: Runtime, folder: &str, command: &str, also: &[&str]) -> Fixture {
    let arguments = started(runtime, command);
    let mut process = Fixture {
        executable: arguments[0].clone(),
        arguments,
        working_directory: folder.into(),
        folders: ["/srv/shop".into()].into(),
        ..Fixture::default()
    };
    let mut also = also.iter();
    while let Some(fact) = also.next() {
        if let Some(line) = fact.strip_prefix("parent: ") {
            process.ancestors.push(started(runtime, line));
        } else if fact.starts_with("0::") {
            process.control_groups = (*fact).into();
        } else if fact.starts_with('/') {
            process.readable.push((*fact).into());
            let content = *also.next().unwrap();
            process.contents.insert((*fact).into(), content.into());
        } else {
            let (name, value) = fact.split_once('=').unwrap();
            process.variables.insert(name.into(), value.into());
        }
    }
    process
}

/// The words of a command, as a shell splits it at blanks and apostrophes.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in command.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_string());
        } else {
            words.extend(part.split_ascii_whitespace().map(ToString::to_string));
        }
    }
    words
}

/// What the kernel makes of a command: a script is started by the interpreter in its first line.
fn started(runtime: Runtime, command: &str) -> Vec<String> {
    let words = words(command);
    let interpreter = match runtime {
        Runtime::Python => "python3",
        Runtime::Ruby => "ruby",
        Runtime::Php => "php",
        Runtime::Nodejs => "node",
        Runtime::Jvm | Runtime::Erlang | Runtime::Dotnet => return words,
    };
    let is_none = ["uwsgi", "(wsgi:", "/bin/sh", "/usr/sbin/"];
    let is_none = is_none.iter().any(|name| words[0].starts_with(name));
    if words[0].contains(interpreter.trim_end_matches('3')) || is_none {
        return words;
    }
    let is_path = words[0].contains('/');
    let path = if is_path {
        words[0].clone()
    } else {
        ["/usr/local/bin/", &words[0]].concat()
    };
    let rest = words.into_iter().skip(1);
    [interpreter.to_string(), path]
        .into_iter()
        .chain(rest)
        .collect()
}

/// The name and the version that a process gets, as a row has them.
fn told(runtime: Runtime, process: &Fixture) -> String {
    let identity = Identity::derive(runtime, process, false);
    let version = identity.version.map(|told| [" ", &told.value].concat());
    match identity.name {
        Some(name) => name.value + &version.unwrap_or_default(),
        None if is_left_to_agent(runtime, process) => "left to the agent".into(),
        None => "none".into(),
    }
}

#[test]
fn every_row_of_the_documents_table_holds() {
    let [rows, _] = tables();
    assert!(rows.len() >= 60, "{} rows", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let process = process(row.runtime, row.folder, row.command, &row.also);
        let told = told(row.runtime, &process);
        if told != row.wanted {
            wrong.push([told.as_str(), " instead of ", &row.wanted, ": ", row.line].concat());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn starters_are_left_alone_and_what_they_start_is_named() {
    let [_, rows] = tables();
    assert!(rows.len() >= 8, "{} rows", rows.len());
    for row in &rows {
        let starter = words(row.command).remove(0);
        let kind = tools::kind(row.runtime, By::Script, starter.as_bytes());
        assert!(kind.is_some(), "{}", row.line);
        let process = process(row.runtime, row.folder, row.also[0], &[]);
        assert_eq!(told(row.runtime, &process), row.wanted, "{}", row.line);
    }
}
