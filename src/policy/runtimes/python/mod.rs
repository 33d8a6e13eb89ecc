//! Python: `PYTHONPATH` with the folder of our `sitecustomize` in front of the user's entries.
//!
//! Python's `site` imports the first `sitecustomize` on the path. Ours (src/boot/python) checks what only
//! a running Python knows, starts the agent and then imports the user's own. Settings travel through its
//! questions, because `os.environ` is a copy of `environ` that no hook reaches.

pub mod command_line;

use crate::matching::commands;
use crate::matching::tools::{self, By};
use crate::matching::{glob, texts};
use crate::process::{directory, file_name};
use crate::reason::Lossy;
use crate::runtimes::boot;
use crate::runtimes::python::command_line::{CommandLine, Program};
use crate::{Configuration, Process, Reason, Runtime};
use alloc::{string::ToString, vec::Vec};

/// What the boot file replaces with Python's version (`3.11`).
pub const VERSION: &str = "{version}";

/// The module that the boot file starts, below `agent_path`.
pub const MODULE: &str = "/opentelemetry/instrumentation/auto_instrumentation/__init__.py";

/// The value of `PYTHONPATH` for this process.
///
/// # Errors
/// Why the process gets the original value.
pub fn value(
    original: Option<&[u8]>,
    process: &impl Process,
    configuration: &Configuration,
) -> Result<Vec<u8>, Reason> {
    let (python, agent) = Runtime::Python.agent(configuration)?;
    let boot_file = boot::file(process, "python/sitecustomize.py")?;
    let boot_folder = directory(&boot_file);
    // There is no quoting (CPython's documentation of PYTHONPATH).
    if boot_folder.contains(&b':') {
        return Err(Reason::AgentPathUnusable {
            path: Lossy(boot_folder).to_string(),
            why: "PYTHONPATH is split at `:`",
        });
    }
    // What a parent handed on activates the agent here, too, and our folder comes first again.
    let original = without_ours(original.unwrap_or_default(), boot_folder);
    let original = original.as_slice();
    // Started by another name: a link such as `vi`. Only who asks for this variable pays for a look.
    if configuration.processes.include.is_none()
        && let Some(kind) = tools::executable(process.executable())
    {
        return Err(Reason::BuiltInDenial(kind));
    }
    let arguments = process.arguments();
    // A copy by another name reads the same options.
    let exports_its_function = Runtime::Python
        .function()
        .is_some_and(|f| process.exports(f));
    let is_python = exports_its_function || Runtime::Python.is_launched(process);
    let command_line = CommandLine::parse(&arguments, is_python);
    if let Some(option) = command_line.opts_out {
        return Err(Reason::Option(option));
    }
    if !python.allow_other_agents {
        no_other_agent(original, &command_line.program)?;
    }
    is_application(&command_line, configuration)?;
    // With a placeholder, it is the boot file that looks.
    let module = [agent, MODULE].concat();
    if !agent.contains(VERSION) && !process.is_readable_file(module.as_bytes()) {
        return Err(Reason::AgentUnreadable(module));
    }
    let mut value = boot_folder.to_vec();
    // To Python an empty value is none, and behind a `:` it would be the working directory.
    if !original.is_empty() {
        value.push(b':');
        value.extend(original);
    }
    Ok(value)
}

/// Whether Python runs something else than a tool. The executable is the same for all.
fn is_application(line: &CommandLine<'_>, configuration: &Configuration) -> Result<(), Reason> {
    let (by, text) = match line.program {
        Program::Code(code) => (By::Code, code),
        Program::Module(name) => (By::Module, name),
        Program::Script(path) => (By::Script, path),
        Program::Unknown => return Ok(()),
    };
    tools::refuse(Runtime::Python, by, text, configuration)?;
    if by == By::Code {
        return Ok(());
    }
    commands::refuse(Runtime::Python, text, line.rest, configuration)
}

/// The user's part of a value.
pub fn without_ours(value: &[u8], boot_folder: &[u8]) -> Vec<u8> {
    let kept: Vec<_> = entries(value)
        .filter(|entry| *entry != boot_folder)
        .collect();
    kept.join(&b':')
}

/// Whether a process runs Python's own program, whatever its name is: a copy reads the same options.
pub fn is_program(process: &impl Process) -> bool {
    let exports = |function| process.exports(function);
    Runtime::Python.is_launched(process) || Runtime::Python.function().is_some_and(exports)
}

fn entries(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b':')
}

/// Where an agent's own `sitecustomize` is, and the programs that put that folder on PYTHONPATH. Names as in
/// the packages on PyPI.
const AGENTS: &str = "
    OpenTelemetry: */opentelemetry/instrumentation/auto_instrumentation \
        opentelemetry-instrument splunk-py-trace splunk-run
    Datadog: */ddtrace/bootstrap ddtrace-run
    New Relic: */newrelic/bootstrap newrelic-admin
    Elastic: */elasticapm/instrumentation/wrapper elasticapm-run
    SkyWalking: */skywalking/bootstrap/loader sw-python
    AppDynamics: */appdynamics/* pyagent
";

fn no_other_agent(original: &[u8], program: &Program<'_>) -> Result<(), Reason> {
    let script = match program {
        Program::Script(path) => file_name(path),
        _ => b"",
    };
    for (vendor, names) in texts::rows(AGENTS) {
        let mut names = texts::words(names);
        let folder = names.next().unwrap_or_default();
        let is_its = |entry: &[u8]| {
            let entry = entry.strip_suffix(b"/").unwrap_or(entry);
            glob::matches(folder.as_bytes(), entry)
        };
        if entries(original).any(is_its) {
            let place = "PYTHONPATH";
            return Err(Reason::OtherAgent { vendor, place });
        }
        if names.any(|launcher| launcher.as_bytes() == script) {
            let place = "command line";
            return Err(Reason::OtherAgent { vendor, place });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::{string::String, vec};

    const BOOT: &str = "/boot/python";

    fn process(arguments: &[&str]) -> Fixture {
        Fixture {
            arguments: arguments.iter().map(|a| String::from(*a)).collect(),
            readable: vec!["/boot/python/sitecustomize.py".into()],
            ..Fixture::default()
        }
    }

    fn configuration(agent: &str) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.agent_mut(Runtime::Python).agent_path = Some(agent.into());
        configuration
    }

    fn outcome(original: &str, arguments: &[&str]) -> Result<String, Reason> {
        let configuration = configuration("/agent/{version}");
        let value = value(
            Some(original.as_bytes()),
            &process(arguments),
            &configuration,
        );
        value.map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn a_tool_that_was_started_by_another_name_is_left_alone() {
        let mut configuration = configuration("/agent/{version}");
        let mut vi = process(&["vi", "a.txt"]);
        vi.executable = "/usr/bin/vim.nox".into();
        let left = value(None, &vi, &configuration);
        assert!(matches!(left, Err(Reason::BuiltInDenial(_))));
        configuration.processes.include = Some(vec!["vim.nox".into()]);
        assert!(value(None, &vi, &configuration).is_ok());
    }

    #[test]
    fn the_users_value_is_kept_to_the_byte_and_no_empty_entry_is_added() {
        for (original, wanted) in [
            ("", "/boot/python"),
            ("/a", "/boot/python:/a"),
            ("/a::/b:", "/boot/python:/a::/b:"),
            (":", "/boot/python::"),
        ] {
            assert_eq!(outcome(original, &["python3", "a.py"]).unwrap(), wanted);
        }
        let unset = value(None, &process(&[]), &configuration("/{version}"));
        assert_eq!(unset.unwrap(), BOOT.as_bytes());
    }

    #[test]
    fn applying_it_twice_changes_nothing() {
        let once = outcome("/a", &["python3"]).unwrap();
        assert_eq!(outcome(&once, &["python3"]).unwrap(), once);
        let handed_on = String::from("/mylib:") + &once;
        let wanted = [BOOT, ":/mylib:/a"].concat();
        assert_eq!(outcome(&handed_on, &["python3"]).unwrap(), wanted);
    }

    #[test]
    fn without_site_or_environment_nothing_would_happen() {
        for (option, name) in [("-BS", "-S"), ("-E", "-E"), ("-I", "-I")] {
            let refused = outcome("", &["python3", option, "a.py"]);
            assert_eq!(refused, Err(Reason::Option(name)));
        }
    }

    #[test]
    fn a_python_by_another_name_reads_the_same_options() {
        let mut worker = process(&["worker", "-I", "a.py"]);
        worker.executable = "/opt/worker".into();
        worker.exports = vec!["Py_Main".into()];
        let left = value(None, &worker, &configuration("/agent/{version}"));
        assert_eq!(left, Err(Reason::Option("-I")));
    }

    #[test]
    fn another_agent_keeps_ours_out_wherever_it_is() {
        let other = |original: &str, script: &str| match outcome(original, &["python3", script]) {
            Err(Reason::OtherAgent { vendor, place }) => (vendor, place),
            other => panic!("{other:?}"),
        };
        let own = "/x:/v/opentelemetry/instrumentation/auto_instrumentation/:/y";
        assert_eq!(other(own, "a.py"), ("OpenTelemetry", "PYTHONPATH"));
        let datadog = "/v/site-packages/ddtrace/bootstrap";
        assert_eq!(other(datadog, "a.py"), ("Datadog", "PYTHONPATH"));
        let launched = ("New Relic", "command line");
        assert_eq!(other("", "/v/bin/newrelic-admin"), launched);

        let mut both = configuration("/{version}");
        both.agent_mut(Runtime::Python).allow_other_agents = true;
        let value = value(Some(datadog.as_bytes()), &process(&[]), &both).unwrap();
        assert_eq!(value, [BOOT, ":", datadog].concat().as_bytes());
    }

    #[test]
    fn tools_are_left_alone_unless_arguments_are_chosen() {
        let tool = ["python3", "-m", "pip", "list"];
        assert!(matches!(
            outcome("", &tool),
            Err(Reason::BuiltInArgumentDenial(_))
        ));
        let mut chosen = configuration("/{version}");
        chosen.processes.include_arguments = Some(vec!["pip".into()]);
        assert!(value(None, &process(&tool), &chosen).is_ok());
    }

    #[test]
    fn what_is_missing_or_cannot_be_written_is_not_injected() {
        let module = ["/agent", MODULE].concat();
        let missing = value(None, &process(&[]), &configuration("/agent"));
        assert_eq!(missing, Err(Reason::AgentUnreadable(module.clone())));
        let mut there = process(&[]);
        there.readable.push(module);
        assert!(value(None, &there, &configuration("/agent")).is_ok());
        there.readable.remove(0);
        let no_boot_file = value(None, &there, &configuration("/agent"));
        assert!(matches!(no_boot_file, Err(Reason::BootFileMissing(_))));
    }
}
