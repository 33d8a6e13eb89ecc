//! What Erlang's and Elixir's own commands start: `erl`, `elixir`, `iex` and `escript` end in `erlexec`.
//!
//! Sources: `bin/erl` and `erts/etc/common/escript.c` of OTP 25, `bin/elixir` and `bin/iex` of Elixir 1.14
//! (`mix` and `elixirc` are scripts of theirs).

use crate::machine::configuration_files::as_path;
use opentelemetry_injector_policy::process::file_name;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The command that one of them becomes; `None` for any other program.
pub fn become_command(program: &Path, arguments: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let given = arguments.get(1..).unwrap_or_default();
    match file_name(program.as_os_str().as_bytes()) {
        b"erl" => {
            let erlexec = erlexec(program)?.into_os_string().into_vec();
            Some([&[erlexec], given].concat())
        }
        b"elixir" if is_script_of(program, b"ELIXIR_ERL_OPTIONS") => Some(elixir(given)),
        b"iex" if is_script_of(program, b"+iex") => {
            let own = [
                "--no-halt",
                "--erl",
                "-noshell -user Elixir.IEx.CLI",
                "+iex",
            ];
            Some(elixir(&[&own.map(Vec::from), given].concat()))
        }
        b"escript" => escript(given),
        _ => None,
    }
}

/// `erlexec` of the installation that an `erl` belongs to.
fn erlexec(erl: &Path) -> Option<PathBuf> {
    let erl = fs::canonicalize(erl).ok()?;
    let beside = erl.with_file_name("erlexec");
    if beside.is_file() {
        return Some(beside);
    }
    let versions = fs::read_dir(erl.parent()?.parent()?).ok()?.flatten();
    let of_system = |name: &OsStr| name.as_bytes().starts_with(b"erts-");
    let systems = versions.filter(|entry| of_system(&entry.file_name()));
    let mut launchers = systems.map(|entry| entry.path().join("bin/erlexec"));
    launchers.find(|launcher| launcher.is_file())
}

fn is_script_of(program: &Path, word: &[u8]) -> bool {
    let content = fs::read(program).unwrap_or_default();
    content.starts_with(b"#!") && content.windows(word.len()).any(|part| part == word)
}

/// The options that `elixir` hands to Erlang: the flag there, and how many words are its value.
const OF_ERLANG: [(&[u8], &str, usize); 9] = [
    (b"--hidden", "-hidden", 0),
    (b"--cookie", "-setcookie", 1),
    (b"--sname", "-sname", 1),
    (b"--name", "-name", 1),
    (b"--erl-config", "-config", 1),
    (b"--vm-args", "-args_file", 1),
    (b"--boot", "-boot", 1),
    (b"--boot-var", "-boot_var", 2),
    (b"--logger-sasl-reports", "-logger handle_sasl_reports", 1),
];

/// The line that the script `elixir` makes of its arguments. `-extra` keeps those that are Elixir's.
fn elixir(given: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let (mut flags, mut extra) = (Vec::new(), Vec::new());
    let mut is_shell = false;
    let mut rest = given;
    while let [word, after @ ..] = rest {
        let copied = match word.as_slice() {
            b"+iex" => {
                is_shell = true;
                1
            }
            b"+elixirc" | b"-v" | b"--no-halt" => 1,
            b"-e" | b"-r" | b"-pr" | b"-pa" | b"-pz" | b"--app" | b"--eval" | b"--remsh"
            | b"--dot-iex" | b"--no-pry" => 2,
            b"--rpc-eval" => 3,
            b"--erl" => {
                let value = after.first().map_or(b"".as_slice(), Vec::as_slice);
                let words = value.split(u8::is_ascii_whitespace);
                flags.extend(words.filter(|word| !word.is_empty()).map(<[u8]>::to_vec));
                rest = after.get(1..).unwrap_or_default();
                continue;
            }
            b"--pipe-to" => {
                rest = after.get(2..).unwrap_or_default();
                continue;
            }
            option => {
                let Some((_, flag, values)) =
                    OF_ERLANG.into_iter().find(|(name, _, _)| *name == option)
                else {
                    extra.extend_from_slice(rest);
                    break;
                };
                flags.extend(flag.split(' ').map(Vec::from));
                flags.extend(after.iter().take(values).cloned());
                rest = after.get(values..).unwrap_or_default();
                continue;
            }
        };
        extra.extend(rest.iter().take(copied).cloned());
        rest = rest.get(copied..).unwrap_or_default();
    }
    let start: &[&str] = if is_shell {
        &["erl"]
    } else {
        &["erl", "-noshell", "-s", "elixir", "start_cli"]
    };
    let mut line: Vec<Vec<u8>> = start.iter().map(|word| (*word).into()).collect();
    line.extend(flags);
    line.push(b"-extra".to_vec());
    line.extend(extra);
    line
}

/// The line that `escript` makes: with the flags that the script names behind `%%!` in its first lines.
fn escript(given: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let script = given.iter().find(|word| !word.starts_with(b"-"))?;
    let content = fs::read(as_path(script)).unwrap_or_default();
    let lines = content.split(|byte| *byte == b'\n').take(3);
    let emulator = lines.skip(1).find_map(|line| line.strip_prefix(b"%%!"));
    let flags = emulator.unwrap_or_default().split(u8::is_ascii_whitespace);
    let own = ["erl", "+B", "-boot", "no_dot_erlang", "-noshell"];
    let mut line = own.map(Vec::from).to_vec();
    line.extend(flags.filter(|flag| !flag.is_empty()).map(<[u8]>::to_vec));
    line.extend(["-run", "escript", "start", "-extra"].map(Vec::from));
    line.extend_from_slice(given);
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(words: &str) -> String {
        let words: Vec<_> = words.split(' ').map(Vec::from).collect();
        String::from_utf8(elixir(&words).join(&b' ')).unwrap()
    }

    #[test]
    fn elixir_hands_its_own_words_on_behind_extra() {
        let start = "erl -noshell -s elixir start_cli";
        for (given, wanted) in [
            ("a.exs -x", " -extra a.exs -x"),
            ("-e 1 --no-halt a.exs", " -extra -e 1 --no-halt a.exs"),
            (
                "--sname n -S mix phx.server",
                " -sname n -extra -S mix phx.server",
            ),
            ("--erl +P -v", " +P -extra -v"),
            ("/usr/bin/mix compile", " -extra /usr/bin/mix compile"),
        ] {
            assert_eq!(line_of(given), format!("{start}{wanted}"));
        }
        assert_eq!(line_of("+iex -S mix"), "erl -extra +iex -S mix");
    }

    #[test]
    fn escript_adds_the_flags_of_the_script() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("s");
        fs::write(
            &script,
            "#!/usr/bin/env escript\n%%! -sname n +P 9\nmain(_) -> ok.\n",
        )
        .unwrap();
        let script = script.into_os_string().into_vec();
        let line = escript(&[script.clone(), b"a".to_vec()]).unwrap();
        let line = String::from_utf8(line.join(&b' ')).unwrap();
        let script = String::from_utf8(script).unwrap();
        let wanted = "erl +B -boot no_dot_erlang -noshell -sname n +P 9 -run escript start -extra";
        assert_eq!(line, format!("{wanted} {script} a"));
        assert_eq!(escript(&[]), None);
    }
}
