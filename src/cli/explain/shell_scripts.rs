//! Scripts of a shell that start a runtime. A shell asks for nothing; what it starts is a process of its
//! own.

use crate::machine::configuration_files::open_regular;
use crate::machine::process_facts::ProcessFacts;
use opentelemetry_injector_policy::Runtime;
use opentelemetry_injector_policy::process::file_name;
use opentelemetry_injector_policy::reason::Lossy;
use std::io::Read;

/// The shells whose scripts are looked at.
const SHELLS: [&[u8]; 6] = [b"sh", b"dash", b"bash", b"ash", b"ksh", b"zsh"];

/// How much of a script is looked at.
const LONGEST: u64 = 256 * 1024;

/// Words by which scripts call a runtime, and its name: commands, and variables that hold one.
const COMMANDS: [(&str, &str); 16] = [
    ("java", "a JVM"),
    ("JAVACMD", "a JVM"),
    ("JAVA", "a JVM"),
    ("_RUNJAVA", "a JVM"),
    ("jsvc", "a JVM"),
    ("node", "Node.js"),
    ("nodejs", "Node.js"),
    ("python", "Python"),
    ("python3", "Python"),
    ("ruby", "Ruby"),
    ("php", "PHP"),
    ("dotnet", ".NET"),
    ("erl", "Erlang"),
    ("erlexec", "Erlang"),
    ("elixir", "Erlang"),
    ("rabbitmqctl", "Erlang"),
];

/// Whether a process is a shell.
pub fn is_shell(facts: &ProcessFacts) -> bool {
    SHELLS.contains(&file_name(&facts.executable))
}

/// The script that a shell runs, or the commands that it was given, with the runtime that it starts.
pub fn runtime(facts: &ProcessFacts) -> Option<(String, &'static str)> {
    if !is_shell(facts) {
        return None;
    }
    let mut arguments = facts.arguments.iter().skip(1);
    let first = arguments.find(|word| !word.starts_with(b"-") || word.as_slice() == b"-c")?;
    let (name, text) = if first == b"-c" {
        ("its commands".into(), arguments.next()?.clone())
    } else {
        let mut text = Vec::new();
        let (file, _) = open_regular(first).ok()?;
        file.take(LONGEST).read_to_end(&mut text).ok()?;
        (Lossy(first).to_string(), text)
    };
    let runtime = called(&String::from_utf8_lossy(&text));
    Some((name, runtime.or_else(|| named(first))?))
}

/// The runtime whose name a script has: how pyenv, rbenv, asdf and others put themselves in front.
fn named(script: &[u8]) -> Option<&'static str> {
    let mut runtimes = Runtime::ALL.into_iter();
    let runtime = runtimes.find(|runtime| runtime.launches(file_name(script)))?;
    Some(runtime.title())
}

/// The first runtime that stands where a command stands.
fn called(script: &str) -> Option<&'static str> {
    let lines = script.lines().map(str::trim_start);
    let mut lines = lines.filter(|line| !line.starts_with('#'));
    lines.find_map(|line| line.split([';', '|', '&', '(', '`']).find_map(command))
}

/// Words that may stand before a command.
const BEFORE: [&str; 9] = [
    "exec", "eval", "nohup", "then", "else", "do", "!", "command", "time",
];

fn command(part: &str) -> Option<&'static str> {
    let mut words = part.split_ascii_whitespace();
    let is_before = |word: &&str| {
        BEFORE.contains(word)
            || word.starts_with('-')
            || (word.contains('=') && !word.contains('"'))
    };
    let word = words.find(|word| !is_before(word))?;
    let word = word.trim_matches(['"', '\'']);
    let name = word
        .rsplit('/')
        .next()?
        .trim_matches(['"', '$', '{', '}', '\'']);
    let known = COMMANDS.into_iter().find(|(known, _)| *known == name)?;
    Some(known.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_are_found_where_commands_stand() {
        for (script, wanted) in [
            ("#!/bin/sh\nexec \"$JAVACMD\" -jar x", Some("a JVM")),
            ("exec ${JAVA_HOME}/bin/java x", Some("a JVM")),
            ("if x; then\n  exec node server.js\nfi", Some("Node.js")),
            ("A=1 python3 -m x", Some("Python")),
            ("cd /x && ruby y", Some("Ruby")),
            ("exec \"$BINDIR/erlexec\" \"$@\"", Some("Erlang")),
            ("# java\necho java", None),
            ("cat node", None),
        ] {
            assert_eq!(called(script), wanted, "{script}");
        }
    }
}
