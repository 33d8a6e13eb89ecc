//! What Elixir's command line starts: the words behind `-extra`.
//!
//! Sources: `lib/elixir/lib/kernel/cli.ex` (Elixir 1.14) for the options, `bin/iex` and `bin/mix`,
//! and the script of `mix release`.

use crate::matching::texts;
use crate::process::file_name;

/// What the words start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// Something that lasts.
    Service,
    /// Elixir's shell, and nothing behind it.
    Shell,
    /// A compiler, a task, or what only talks to another node.
    Tool,
    /// Code that ends the node when it has been evaluated.
    Script,
}

/// Options of `elixir` and `iex` whose value is the next word.
const WITH_VALUE: &str = "-e --eval -r -pr -pa -pz --app --dot-iex";

/// Tasks that start an application's server. `mix run` does so with `--no-halt`.
const SERVERS: &str = "phx.server phoenix.server";

/// What the words behind `-extra` start.
pub fn started(words: &[&[u8]]) -> Started {
    let (mut lasts, mut is_shell) = (false, false);
    let mut rest = words;
    let script = loop {
        let [word, after @ ..] = rest else {
            break rest;
        };
        rest = after;
        match *word {
            b"--no-halt" => lasts = true,
            b"+iex" => is_shell = true,
            b"+elixirc" | b"--remsh" | b"--rpc-eval" | b"-v" | b"--version" | b"-h" | b"--help" => {
                return Started::Tool;
            }
            b"-S" | b"--" => break after,
            option if texts::has(WITH_VALUE, option) => rest = after.get(1..).unwrap_or_default(),
            option if option.starts_with(b"-") => {}
            _ => {
                break words
                    .get(words.len() - after.len() - 1..)
                    .unwrap_or_default();
            }
        }
    };
    match script {
        [script, arguments @ ..] if file_name(script) == b"mix" => {
            if has_server(arguments) || (lasts && !is_shell) {
                Started::Service
            } else {
                Started::Tool
            }
        }
        _ if is_shell => Started::Shell,
        _ if lasts => Started::Service,
        _ => Started::Script,
    }
}

/// Whether one of Mix's tasks starts a server; `do` runs several, with a comma or `+` between them.
fn has_server(arguments: &[&[u8]]) -> bool {
    let tasks = match arguments {
        [b"do", tasks @ ..] => tasks,
        task => return is_server(task.iter().copied()),
    };
    let mut tasks = tasks.split_inclusive(|word| *word == b"+" || word.ends_with(b","));
    tasks.any(|words| {
        let words = words
            .iter()
            .map(|word| word.strip_suffix(b",").unwrap_or(word));
        is_server(words)
    })
}

fn is_server<'a>(mut words: impl Iterator<Item = &'a [u8]>) -> bool {
    let task = words.next().unwrap_or_default();
    texts::has(SERVERS, task) || (task == b"run" && words.any(|option| option == b"--no-halt"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn of(line: &str) -> Started {
        let words: Vec<&[u8]> = line.split_ascii_whitespace().map(str::as_bytes).collect();
        started(&words)
    }

    #[test]
    fn services_last() {
        for line in [
            "--no-halt",
            "--no-halt server.exs",
            "--no-halt -e Shop.start",
            "--no-halt -S mix run",
            "-S mix phx.server",
            "/usr/bin/mix phx.server",
            "/usr/bin/mix run --no-halt",
            "/usr/bin/mix do deps.get, phx.server",
            "/usr/bin/mix do deps.get + phx.server --open",
            "mix do ecto.migrate, run --no-halt",
            "--no-halt +iex -S mix phx.server",
        ] {
            assert_eq!(of(line), Started::Service, "{line}");
        }
    }

    #[test]
    fn tools_scripts_and_shells_do_not() {
        for (line, wanted) in [
            ("", Started::Script),
            ("-e 1", Started::Script),
            ("--eval --no-halt", Started::Script),
            ("-e mix", Started::Script),
            ("-pa mix script.exs --no-halt", Started::Script),
            ("-S rebar --no-halt", Started::Script),
            ("--version", Started::Tool),
            ("+elixirc a.ex", Started::Tool),
            ("/usr/bin/mix", Started::Tool),
            ("/usr/bin/mix test", Started::Tool),
            ("/usr/bin/mix phx.gen.secret", Started::Tool),
            ("/usr/bin/mix run script.exs", Started::Tool),
            ("/usr/bin/mix do deps.get, compile", Started::Tool),
            ("/usr/bin/mix do", Started::Tool),
            ("-S mix test phx.server", Started::Tool),
            ("--no-halt +iex", Started::Shell),
            ("--no-halt +iex -S mix", Started::Tool),
            ("--no-halt +iex --remsh a@b", Started::Tool),
            ("--hidden --rpc-eval a@b x", Started::Tool),
        ] {
            assert_eq!(of(line), wanted, "{line}");
        }
    }
}
