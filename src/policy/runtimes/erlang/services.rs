//! Whether a node is a service. Short-lived nodes are left alone, and so are nodes that only administer
//! another node (probes start such tools every few seconds).

use super::{elixir, expression};
use crate::matching::texts;
use crate::matching::tools::{self, By};
use crate::process::file_name;
use crate::{Reason, Runtime};
use alloc::vec::Vec;

/// Options with which Erlang's launcher or its emulator prints something and ends (`erlexec.c` and
/// `erl_init.c` of OTP 25), and those with which it compiles or shows a manual page.
const INFORMATION: &str = "+V -version -emu_args_exit -emu_name_exit -emu_qouted_cmd_exit -man";

/// Boot scripts that come with OTP: they start no application of anybody's.
const OTPS_OWN_BOOT: &str =
    "start start_clean start_none start_sasl no_dot_erlang start_all_example";

/// Flags with which there is no shell, or not for a person.
const WITHOUT_SHELL: &str = "-noshell -noinput -detached -heart";

/// One flag of the command line with the words behind it.
struct Flag<'a> {
    name: &'a [u8],
    values: &'a [Vec<u8>],
}

/// The flags of words without the program's name.
fn flags(words: &[Vec<u8>]) -> impl Iterator<Item = Flag<'_>> {
    let is_flag = |word: &Vec<u8>| word.starts_with(b"-") || word.starts_with(b"+");
    let mut rest = words;
    core::iter::from_fn(move || {
        let first = rest.iter().position(is_flag)?;
        let [name, behind @ ..] = rest.get(first..)? else {
            return None;
        };
        let count = behind.iter().position(is_flag).unwrap_or(behind.len());
        let (values, after) = behind.split_at(count);
        rest = after;
        Some(Flag { name, values })
    })
}

/// What stands behind each flag of that name.
pub fn values<'a>(words: &'a [Vec<u8>], name: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
    let named = flags(words).filter(move |flag| flag.name == name);
    named.flat_map(|flag| flag.values).map(Vec::as_slice)
}

/// Whether the option asks for information alone: no agent can be meant, whatever the configuration
/// says.
///
/// # Errors
/// The option.
pub fn is_no_information(given: &[Vec<u8>]) -> Result<(), Reason> {
    let is_given = |option: &&str| given.iter().any(|word| word == option.as_bytes());
    let option = texts::words(INFORMATION).find(is_given);
    option.map_or(Ok(()), |option| Err(Reason::InformationOnly(option.into())))
}

/// Whether a command line starts something that lasts. `given` is what Erlang's launcher reads, without
/// its name, `extra` what stands behind `-extra`.
///
/// # Errors
/// What it is instead.
pub fn is_service(given: &[Vec<u8>], extra: &[Vec<u8>]) -> Result<(), Reason> {
    let denial = |kind| Err(Reason::BuiltInArgumentDenial(kind));
    let (mut starts_something, mut has_shell, mut is_elixir) = (false, true, false);
    for flag in flags(given) {
        match flag.name {
            b"-make" | b"-compile" | b"-remsh" => return denial("a tool of Erlang"),
            b"-s" | b"-run"
                if flag
                    .values
                    .first()
                    .is_some_and(|module| module == b"elixir") =>
            {
                is_elixir = true;
            }
            b"-user" if is_elixirs_shell(flag.values) => is_elixir = true,
            b"-s" | b"-run" => {
                let call = flag.values.join(&b' ');
                if let Some(kind) = tools::kind(Runtime::Erlang, By::Invocation, &call) {
                    return denial(kind);
                }
                starts_something = true;
            }
            b"-eval" if flag.values.iter().any(|code| expression::halts(code)) => {
                return denial("a node that halts by itself");
            }
            b"-boot" => starts_something |= is_of_a_release(flag.values),
            b"-eval" | b"-user" | b"-args_file" | b"-config" => starts_something = true,
            name => has_shell &= !texts::has(WITHOUT_SHELL, name),
        }
    }
    if is_elixir {
        let words: Vec<&[u8]> = extra.iter().skip(1).map(Vec::as_slice).collect();
        return match elixir::started(&words) {
            elixir::Started::Service => Ok(()),
            elixir::Started::Shell if starts_something => Ok(()),
            elixir::Started::Shell => denial("a shell of Elixir"),
            elixir::Started::Tool => denial("a tool of Elixir"),
            elixir::Started::Script => denial("Elixir without --no-halt"),
        };
    }
    if has_shell && !starts_something {
        return denial("a shell of Erlang");
    }
    Ok(())
}

fn is_elixirs_shell(values: &[Vec<u8>]) -> bool {
    matches!(values, [module, ..] if module == b"Elixir.IEx.CLI" || module == b"elixir")
}

/// Whether a boot script is an application's own: that of a release is often called `start`, too.
fn is_of_a_release(values: &[Vec<u8>]) -> bool {
    values.first().is_some_and(|script| {
        let name = file_name(script);
        let is_start_of_a_release = name == b"start" && script.contains(&b'/');
        is_start_of_a_release || !texts::has(OTPS_OWN_BOOT, name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of a command line without the launcher's name; `'…'` quotes.
    fn outcome(line: &str) -> Result<(), Reason> {
        let words = super::super::flags::split(line.as_bytes()).unwrap();
        let extra = words.iter().position(|word| word == b"-extra");
        let (given, extra) = words.split_at(extra.unwrap_or(words.len()));
        is_no_information(given).and_then(|()| is_service(given, extra))
    }

    #[test]
    fn services_are_no_tools() {
        for line in [
            "-noshell",
            "-noshell -noinput -sname worker",
            "-detached -s shop",
            "-s shop start",
            "-noshell -eval 'application:ensure_all_started(shop).'",
            "-noshell -eval 'case shop:start() of ok -> ok; _ -> halt(1) end.'",
            "-pa '' -noinput -s rabbit boot -boot start_sasl +W w",
            "-sname e@x -mnesia dir '\"/x\"' -s ejabberd -noinput",
            "-detached +K true -run yaws -conf /etc/yaws.conf",
            "-run yaws_ctl_shop",
            "-boot /srv/shop/releases/1/start -mode embedded -noshell -noinput",
            "-boot /srv/shop/releases/1/shop -args_file vm.args",
            "-noshell -s elixir start_cli -mode embedded -boot /x/releases/1/start -extra --no-halt",
            "-noshell -s elixir start_cli -extra /usr/bin/mix phx.server",
            "-noshell -user Elixir.IEx.CLI -boot /x/releases/1/start -extra --no-halt +iex",
            "-noshell -user elixir -extra --no-halt +iex -S mix phx.server",
            "-noshell -s shop -extra -remsh -make --version",
        ] {
            assert_eq!(outcome(line), Ok(()), "{line}");
        }
    }

    #[test]
    fn tools_and_short_lived_nodes_are_told_apart() {
        for (line, kind) in [
            ("", "a shell of Erlang"),
            ("-sname a +P 4096 -pa ebin", "a shell of Erlang"),
            ("-boot start_clean", "a shell of Erlang"),
            (
                "+A0 -s erl_compile compile_cmdline -extra a.erl",
                "a tool of Erlang",
            ),
            ("+B -run dialyzer plain_cl", "a tool of Erlang"),
            (
                "-noshell -run escript start -extra ./shop",
                "a tool of Erlang",
            ),
            ("-make", "a tool of Erlang"),
            ("-hidden -remsh a@b", "a tool of Erlang"),
            (
                "-hidden -noinput -s ejabberd_ctl -extra a@b status",
                "a tool that serves a node",
            ),
            (
                "-noshell -pa ebin -s yaws_ctl status default",
                "a tool that serves a node",
            ),
            ("-noshell -s yaws printversion", "a tool that serves a node"),
            ("-noshell -eval halt(0).", "a node that halts by itself"),
            (
                "-noshell -eval 'f(),' 'halt(0).'",
                "a node that halts by itself",
            ),
            (
                "-noshell -s shop report -s init stop",
                "a node that halts by itself",
            ),
            (
                "-noshell -eval 'shop:start().' -run erlang halt 1",
                "a node that halts by itself",
            ),
            (
                "-noshell -s elixir start_cli -extra --version",
                "a tool of Elixir",
            ),
            (
                "-noshell -s elixir start_cli -extra -e 1",
                "Elixir without --no-halt",
            ),
            (
                "-noshell -s elixir start_cli -extra +elixirc",
                "a tool of Elixir",
            ),
            (
                "-noshell -user Elixir.IEx.CLI -extra --no-halt +iex",
                "a shell of Elixir",
            ),
        ] {
            assert_eq!(
                outcome(line),
                Err(Reason::BuiltInArgumentDenial(kind)),
                "{line}"
            );
        }
        for option in ["+V", "-version", "-emu_args_exit"] {
            let line = ["-s shop ", option].concat();
            assert_eq!(outcome(&line), Err(Reason::InformationOnly(option.into())));
        }
    }
}
