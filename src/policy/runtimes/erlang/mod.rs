//! Erlang and Elixir: `ERL_AFLAGS` with a flag that names our boot file in front of the user's.
//!
//! Erlang's launcher (`erlexec.c`) asks for the variable and hands its flags to the emulator as
//! arguments. The agent's settings travel in the same way, because `os:getenv/1` reads a copy of
//! `environ` and sees no hook; `src/boot/erlang/agent.script` gives them to the agent.

mod elixir;
mod expression;
pub mod flags;
mod own_sdk;
mod services;

use crate::runtimes::boot;
use crate::settings::resource_attributes;
use crate::{Configuration, Process, Reason, Runtime, settings};
use alloc::{format, vec::Vec};
use core::ops::RangeInclusive;

const VARIABLE: &str = "ERL_AFLAGS";

/// The launcher's other variables (`initial_argv_massage` in `erlexec.c`).
const OTHER_VARIABLES: [&str; 2] = ["ERL_FLAGS", "ERL_ZFLAGS"];

/// Releases of Erlang/OTP, to come ones among them.
const RELEASES: RangeInclusive<u8> = 17..=40;

/// Our flag: boot file, agent's folder, settings. No application has this name, so that nobody
/// takes them for its own.
const FLAG: &[u8] = b"-opentelemetry_injector";

/// `-eval` works in embedded mode, too, in which `-run` finds no module that is not yet loaded.
/// What fails in it would end the node.
const EVALUATED: &[u8] = b"try{ok,[[B|A]|_]}=init:get_argument(opentelemetry_injector),\
                           file:eval(B,[{'Arguments',A}])catch _:_->ok end";

/// The application that has to be there: without it the folder holds no agent.
pub const APPLICATION: &str = "/opentelemetry/ebin/opentelemetry.app";

/// The value of `ERL_AFLAGS` for this process.
///
/// # Errors
/// Why the process gets the original value.
pub fn value(
    original: Option<&[u8]>,
    process: &impl Process,
    configuration: &Configuration,
) -> Result<Vec<u8>, Reason> {
    let (erlang, agent) = Runtime::Erlang.agent(configuration)?;
    let original = original.unwrap_or_default();
    let flags = flags::split(original)?;
    let arguments = process.arguments();
    let (line, extra) = arguments.split_at(position(&arguments, b"-extra"));
    let line = line.get(1..).unwrap_or_default();
    if flags.iter().chain(line).any(|flag| flag == FLAG) {
        return Err(Reason::AlreadyInjected);
    }
    let given = given(&flags, line, process);
    services::is_no_information(&given)?;
    // Where the command line cannot be told, as in a configuration's check, nothing speaks against it.
    if configuration.processes.include_arguments.is_none() && !arguments.is_empty() {
        services::is_service(&given, extra)?;
    }
    if !erlang.allow_other_agents {
        not_configured_by_hand(&flags, line, process)?;
    }
    if !erlang.allow_own_sdk {
        own_sdk::is_absent(&given, extra, process)?;
    }
    if !process.is_readable_file(&[agent.as_bytes(), APPLICATION.as_bytes()].concat()) {
        return Err(Reason::AgentUnreadable([agent, APPLICATION].concat()));
    }
    let boot_file = boot::file(process, "erlang/agent.script")?;

    let mut value = Vec::new();
    let settings = settings(process, configuration);
    for flag in [FLAG, &boot_file, agent.as_bytes()].into_iter() {
        flags::push(&mut value, flag);
    }
    for setting in &settings {
        flags::push(&mut value, setting);
    }
    flags::push(&mut value, b"-eval");
    flags::push(&mut value, EVALUATED);
    // What the user's begin with is no argument of our flag.
    value.extend(b"-- ");
    value.extend(original);
    Ok(value)
}

/// `NAME=value` of all that the process lacks. The user's own resource attributes are not
/// repeated: the command line is read by every user of the machine, the environment is not.
fn settings(process: &impl Process, configuration: &Configuration) -> Vec<Vec<u8>> {
    let user = process.variable(resource_attributes::VARIABLE);
    let user = user.unwrap_or_default();
    let attributes =
        resource_attributes::merge(&user, false, Runtime::Erlang, process, configuration);
    let added = attributes
        .as_deref()
        .and_then(|list| list.get(user.len()..));
    let missing = settings::missing(process, configuration, &user);
    missing
        .into_iter()
        .map(|(name, value)| (name, value.as_bytes()))
        .chain(added.map(|list| (resource_attributes::VARIABLE, list)))
        .map(|(name, value)| [name.as_bytes(), b"=", value].concat())
        .collect()
}

/// All that Erlang's launcher is given, in its order (`initial_argv_massage` in `erlexec.c`): a variable's
/// `-extra` takes the rest of that variable.
fn given(flags: &[Vec<u8>], line: &[Vec<u8>], process: &impl Process) -> Vec<Vec<u8>> {
    let read = |flags: &[Vec<u8>]| {
        flags
            .iter()
            .take_while(|flag| *flag != b"-extra")
            .cloned()
            .collect::<Vec<_>>()
    };
    let mut given = read(&flags_of_release(process));
    given.extend(read(flags));
    given.extend_from_slice(line);
    for name in OTHER_VARIABLES {
        let value = process.variable(name).unwrap_or_default();
        let flags = flags::split(&value).unwrap_or_default();
        given.extend(read(&flags));
    }
    given
}

/// The flags of the variable that one release of Erlang reads, `ERL_OTP25_FLAGS`. Which release this is
/// stands nowhere that is cheap to read; nobody sets the variable of another one.
fn flags_of_release(process: &impl Process) -> Vec<Vec<u8>> {
    let mut values =
        RELEASES.filter_map(|release| process.variable(&format!("ERL_OTP{release}_FLAGS")));
    let value = values.next().unwrap_or_default();
    flags::split(&value).unwrap_or_default()
}

/// Where a word stands; behind the last one where it does not.
fn position(words: &[Vec<u8>], wanted: &[u8]) -> usize {
    let found = words.iter().position(|word| word == wanted);
    found.unwrap_or(words.len())
}

/// Flags such as `-opentelemetry traces_exporter none` say that the application brings its own SDK.
fn not_configured_by_hand(
    flags: &[Vec<u8>],
    given: &[Vec<u8>],
    process: &impl Process,
) -> Result<(), Reason> {
    let find = |flags: &[Vec<u8>], place| {
        if flags.iter().any(|flag| flag == b"-opentelemetry") {
            Err(Reason::OtherAgent {
                vendor: "OpenTelemetry",
                place,
            })
        } else {
            Ok(())
        }
    };
    find(flags, VARIABLE)?;
    find(&flags_of_release(process), "ERL_OTP…_FLAGS")?;
    for name in OTHER_VARIABLES {
        let value = process.variable(name).unwrap_or_default();
        find(&flags::split(&value).unwrap_or_default(), name)?;
    }
    find(given, "command line")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::{string::String, vec};

    const AGENT: &str = "/it's an agent";

    fn process(arguments: &[&str]) -> Fixture {
        Fixture {
            executable: "/usr/lib/erlang/erts-13/bin/erlexec".into(),
            arguments: arguments.iter().map(|a| String::from(*a)).collect(),
            readable: vec![
                [AGENT, APPLICATION].concat(),
                "/boot/erlang/agent.script".into(),
            ],
            ..Fixture::default()
        }
    }

    fn configuration() -> Configuration {
        let mut configuration = Configuration::default();
        configuration.agent_mut(Runtime::Erlang).agent_path = Some(AGENT.into());
        configuration
    }

    fn flags(original: &str, process: &Fixture, configuration: &Configuration) -> Vec<String> {
        let value = value(Some(original.as_bytes()), process, configuration).unwrap();
        let flags = flags::split(&value).unwrap().into_iter();
        flags.map(|flag| String::from_utf8(flag).unwrap()).collect()
    }

    fn reason(original: &str, process: &Fixture, configuration: &Configuration) -> Reason {
        value(Some(original.as_bytes()), process, configuration).unwrap_err()
    }

    #[test]
    fn ours_come_before_the_users_and_their_extra() {
        let (p, c) = (process(&["erl", "-noshell"]), configuration());
        let wanted = [
            "-opentelemetry_injector",
            "/boot/erlang/agent.script",
            AGENT,
            "-eval",
            core::str::from_utf8(EVALUATED).unwrap(),
            "--",
        ];
        assert_eq!(flags("", &p, &c), wanted);
        assert_eq!(value(None, &p, &c), value(Some(b""), &p, &c));
        let both = flags("+P 4096 -extra 'a b'", &p, &c);
        assert_eq!(both[..6], wanted);
        assert_eq!(both[6..], ["+P", "4096", "-extra", "a b"]);
    }

    #[test]
    fn applying_it_twice_changes_nothing() {
        let (p, c) = (process(&["erl", "-noshell"]), configuration());
        let once = value(Some(b"+P 4096"), &p, &c).unwrap();
        assert_eq!(value(Some(&once), &p, &c), Err(Reason::AlreadyInjected));
        let p = process(&["beam.smp", "-opentelemetry_injector", "/x"]);
        assert_eq!(reason("", &p, &c), Reason::AlreadyInjected);
    }

    #[test]
    fn without_an_agent_or_a_boot_file_nothing_changes() {
        let (mut p, c) = (process(&["erl", "-noshell"]), configuration());
        assert_eq!(reason("'", &p, &c), Reason::UnmatchedQuote);
        p.readable.pop();
        assert!(matches!(reason("", &p, &c), Reason::BootFileMissing(_)));
        p.readable.clear();
        let missing = [AGENT, APPLICATION].concat();
        assert_eq!(reason("", &p, &c), Reason::AgentUnreadable(missing));
    }

    #[test]
    fn tools_are_left_alone_unless_arguments_are_included() {
        let mut c = configuration();
        let mix = process(&["erl", "-s", "elixir", "start_cli", "-extra", "mix", "test"]);
        let denied = |reason: Reason| matches!(reason, Reason::BuiltInArgumentDenial(_));
        assert!(denied(reason("", &mix, &c)));
        let mut p = process(&["erl", "-noshell"]);
        assert!(denied(reason("-eval halt().", &p, &c)));
        assert!(!flags("-extra -eval halt().", &p, &c).is_empty());
        for name in [
            "ERL_FLAGS",
            "ERL_ZFLAGS",
            "ERL_OTP25_FLAGS",
            "ERL_OTP28_FLAGS",
        ] {
            p.variables = [(name.into(), "-s init stop".into())].into();
            assert!(denied(reason("", &p, &c)), "{name}");
        }
        c.processes.include_arguments = Some(vec!["*".into()]);
        assert!(!flags("", &mix, &c).is_empty());
        let version = process(&["erl", "-version"]);
        assert_eq!(
            reason("", &version, &c),
            Reason::InformationOnly("-version".into())
        );
    }

    #[test]
    fn an_application_with_an_sdk_keeps_it_unless_both_are_wanted() {
        let mut c = configuration();
        let mut p = process(&["erl", "-noshell", "-pa", "/own"]);
        p.readable.push("/own/opentelemetry.app".into());
        let place = b"/own/opentelemetry.app".to_vec();
        assert_eq!(reason("", &p, &c), Reason::OwnSdk { place });
        c.agent_mut(Runtime::Erlang).allow_own_sdk = true;
        assert!(!flags("", &p, &c).is_empty());
    }

    #[test]
    fn a_user_who_configures_the_sdk_keeps_it() {
        let mut c = configuration();
        let by_hand = "-opentelemetry traces_exporter none";
        let place = |p: &Fixture, original: &str| match reason(original, p, &c) {
            Reason::OtherAgent { place, .. } => place,
            other => panic!("{other}"),
        };
        assert_eq!(place(&process(&["erl", "-noshell"]), by_hand), VARIABLE);
        for name in OTHER_VARIABLES {
            let mut p = process(&["erl", "-noshell"]);
            p.variables.insert(name.into(), by_hand.into());
            assert_eq!(place(&p, ""), name);
        }
        let p = process(&["erl", "-noshell", "-opentelemetry", "x", "y"]);
        assert_eq!(place(&p, ""), "command line");
        c.agent_mut(Runtime::Erlang).allow_other_agents = true;
        assert!(!flags(by_hand, &p, &c).is_empty());
    }

    #[test]
    fn settings_are_the_ones_that_the_user_lacks() {
        let (mut p, mut c) = (process(&["erl", "-noshell"]), configuration());
        c.environment.insert("OTEL_A".into(), "it's a b".into());
        c.environment.insert("OTEL_B".into(), "ours".into());
        for key in ["team", "tier"] {
            c.resource_attributes.insert(key.into(), "ours".into());
        }
        p.variables.insert("OTEL_B".into(), "theirs".into());
        let user = "team=theirs,key=secret";
        p.variables
            .insert(resource_attributes::VARIABLE.into(), user.into());
        let wanted = ["OTEL_A=it's a b", "OTEL_RESOURCE_ATTRIBUTES=,tier=ours"];
        assert_eq!(flags("", &p, &c)[3..5], wanted);
    }

    #[test]
    fn attributes_that_the_environment_tells_are_settings() {
        let (mut p, c) = (process(&["erl", "-noshell"]), configuration());
        let name = "OTEL_INJECTOR_K8S_POD_NAME";
        p.variables.insert(name.into(), "shop-1".into());
        assert_eq!(
            flags("", &p, &c)[3],
            "OTEL_RESOURCE_ATTRIBUTES=k8s.pod.name=shop-1,service.name=shop"
        );
    }
}
