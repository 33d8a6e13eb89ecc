//! Node.js: `NODE_OPTIONS` with our boot file in front of the user's options.
//!
//! `process.env` calls libc's `getenv`, so the boot file and the agent can ask for everything else. The
//! boot file loads the agent, because only inside Node.js is its version known, and because a module that
//! fails to load by `--require` would end Node.js.

mod option_files;
pub mod options;
pub mod other_agents;
mod refused_runs;

use crate::matching::commands;
use crate::matching::tools::{self, By};
use crate::runtimes::boot;
use crate::runtimes::nodejs::options::{command_line, modules, quote, split};
use crate::{Configuration, Process, Reason, Runtime};
use alloc::{string::String, vec::Vec};
use core::ffi::CStr;

const VARIABLE: &str = "NODE_OPTIONS";

/// The boot file. Its name says that it is CommonJS: with `.js` a `package.json` in any folder above
/// would decide that.
const BOOT_FILE: &str = "nodejs/register.cjs";

/// The agent below `nodejs.agent_path`: what the package exports as `./register`.
pub const ENTRY: &str =
    "/node_modules/@opentelemetry/auto-instrumentations-node/build/src/register.js";

/// The value of `NODE_OPTIONS` for this process.
///
/// # Errors
/// Why the process gets the original value.
pub fn value(
    original: Option<&[u8]>,
    process: &impl Process,
    configuration: &Configuration,
) -> Result<Vec<u8>, Reason> {
    let (nodejs, agent) = Runtime::Nodejs.agent(configuration)?;
    let is_given = original.is_some();
    let original = original.unwrap_or_default();
    let options = split(original)?;
    let arguments = process.arguments();
    // Node reads some options even among the arguments of a single executable application.
    if !is_given {
        option_files::refuse(&arguments, process)?;
    }
    let arguments = if is_single_executable(process) {
        if let Some((program, rest)) = arguments.split_first() {
            commands::refuse(Runtime::Nodejs, program, rest, configuration)?;
        }
        Vec::new()
    } else {
        arguments
    };
    let line = command_line(&arguments);
    refused_runs::refuse_without_application(&line)?;
    let script = line.script.unwrap_or_default();
    tools::refuse(Runtime::Nodejs, By::Script, script, configuration)?;
    if !script.is_empty() {
        commands::refuse(Runtime::Nodejs, script, line.rest, configuration)?;
    }
    if configuration.processes.include_arguments.is_none()
        && refused_runs::is_test_run(&line, process)
    {
        return Err(Reason::BuiltInArgumentDenial("a test run"));
    }
    let boot_file = boot::file(process, BOOT_FILE)?;
    refused_runs::refuse_restrictions(&options)?;
    refused_runs::refuse_restrictions(&arguments)?;
    let is_there = modules(&options).contains(&boot_file.as_slice());
    if !nodejs.allow_other_agents && !is_there {
        no_other_agent(&options, VARIABLE)?;
        no_other_agent(&arguments, "command line")?;
    }
    is_agent_readable(agent, process)?;
    Ok(if is_there {
        // A parent passed it on. The boot file runs once and gets its answers here as well.
        original.into()
    } else {
        compose(&boot_file, original)
    })
}

/// Where a single executable application is in its executable (`src/node_sea.cc`): Node is in it, too, and all
/// arguments are the application's own.
const APPLICATION: &CStr = c"NODE_SEA_BLOB";

/// Whether the process is a single executable application (SEA).
pub fn is_single_executable(process: &impl Process) -> bool {
    process.has_note(APPLICATION)
}

fn compose(boot_file: &[u8], original: &[u8]) -> Vec<u8> {
    let mut value = [b"--require ", quote(boot_file).as_slice()].concat();
    if !original.is_empty() {
        value.push(b' ');
        value.extend(original);
    }
    value
}

/// `nodejs.agent_path` is the folder that holds the agent's node_modules, or the file to require.
fn is_agent_readable(agent: &str, process: &impl Process) -> Result<(), Reason> {
    let in_folder = String::from(agent) + ENTRY;
    let is_readable = |path: &str| process.is_readable_file(path.as_bytes());
    if is_readable(&in_folder) || is_readable(agent) {
        return Ok(());
    }
    let is_file = [".js", ".cjs", ".mjs"]
        .iter()
        .any(|end| agent.ends_with(end));
    Err(Reason::AgentUnreadable(if is_file {
        agent.into()
    } else {
        in_folder
    }))
}

fn no_other_agent(options: &[Vec<u8>], place: &'static str) -> Result<(), Reason> {
    match modules(options).into_iter().find_map(other_agents::vendor) {
        Some(vendor) => Err(Reason::OtherAgent { vendor, place }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::{string::ToString, vec};

    const BOOT: &str = "/boot/nodejs/register.cjs";
    const OURS: &str = "--require /boot/nodejs/register.cjs";

    fn process(arguments: &[&str]) -> Fixture {
        Fixture {
            executable: "/usr/bin/node".into(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            readable: vec![BOOT.into(), String::from("/otel") + ENTRY],
            ..Fixture::default()
        }
    }

    fn configuration() -> Configuration {
        let mut configuration = Configuration::default();
        configuration.agent_mut(Runtime::Nodejs).agent_path = Some("/otel".into());
        configuration
    }

    fn text(original: &str, arguments: &[&str]) -> Result<String, Reason> {
        let value = value(
            Some(original.as_bytes()),
            &process(arguments),
            &configuration(),
        );
        value.map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn our_boot_file_comes_before_the_users_options() {
        let app = ["node", "app.js"];
        assert_eq!(text("", &app).unwrap(), OURS);
        let both = OURS.to_string() + "  --title=\"a b\" ";
        assert_eq!(text(" --title=\"a b\" ", &app).unwrap(), both);
    }

    #[test]
    fn applying_it_twice_changes_nothing() {
        let once = text("--no-warnings", &["node"]).unwrap();
        assert_eq!(text(&once, &["node"]).unwrap(), once);
        let equals = "--require=/boot/nodejs/register.cjs";
        assert_eq!(text(equals, &["node"]).unwrap(), equals);
    }

    #[test]
    fn what_node_would_not_survive_is_not_injected() {
        assert_eq!(text("-r \"x", &["node"]), Err(Reason::UnmatchedQuote));
        for (options, line) in [
            ("", &["node", "--experimental-permission"][..]),
            (
                "",
                &["node", "--env-file", ".env", "--permission", "app.js"],
            ),
            ("--permission", &["node", "app.js"]),
            ("--jitless", &["node", "app.js"]),
        ] {
            let reason = text(options, line).unwrap_err();
            assert!(matches!(reason, Reason::NodeOption { .. }), "{line:?}");
        }
        assert!(text("--experimental-policy=p.json", &["node"]).is_err());

        let mut p = process(&["node"]);
        p.readable.pop();
        let missing = Reason::AgentUnreadable(String::from("/otel") + ENTRY);
        assert_eq!(value(None, &p, &configuration()), Err(missing));
        p.readable.clear();
        let missing = Reason::BootFileMissing(BOOT.into());
        assert_eq!(value(None, &p, &configuration()), Err(missing));
    }

    #[test]
    fn the_agent_may_be_the_file_to_require() {
        let mut c = configuration();
        let file = "/usr/lib/opentelemetry/nodejs/register.js";
        c.agent_mut(Runtime::Nodejs).agent_path = Some(file.into());
        let mut p = process(&["node"]);
        assert_eq!(
            value(None, &p, &c),
            Err(Reason::AgentUnreadable(file.into()))
        );
        p.readable.push(file.into());
        assert!(value(None, &p, &c).is_ok());
    }

    #[test]
    fn the_arguments_of_a_single_executable_are_the_applications_own() {
        let single = |arguments: &[&str]| {
            let mut p = process(arguments);
            p.executable = "/srv/shop".into();
            p.notes = vec!["GNU".into(), "NODE_SEA_BLOB".into()];
            value(None, &p, &configuration())
        };
        for option in [
            "-c",
            "--version",
            "--run",
            "--permission",
            "npm",
            "-rdd-trace",
        ] {
            assert_eq!(
                single(&["/srv/shop", option, "x"]).unwrap(),
                OURS.as_bytes()
            );
        }
        let version = single(&["/srv/shop", "--version"]);
        assert!(matches!(version, Err(Reason::BuiltInArgumentDenial(_))));
        // Node looks for these everywhere.
        let left_alone = single(&["/srv/shop", "--env-file=missing"]);
        assert!(matches!(left_alone, Err(Reason::NodeOptionsInFile(_))));
    }

    #[test]
    fn test_runs_are_left_alone_unless_arguments_are_named() {
        let denial = Err(Reason::BuiltInArgumentDenial("a test run"));
        assert_eq!(text("", &["node", "--test", "app.js"]), denial);
        let mut c = configuration();
        c.processes.include_arguments = Some(vec!["app.js".into()]);
        assert!(value(None, &process(&["node", "--test", "app.js"]), &c).is_ok());
    }

    #[test]
    fn options_in_a_file_count_only_without_the_variable() {
        let line = ["node", "--experimental-default-config-file", "app.js"];
        let left_alone = value(None, &process(&line), &configuration());
        assert!(matches!(left_alone, Err(Reason::NodeOptionsInFile(_))));
        assert!(text("", &line).is_ok());
    }

    #[test]
    fn package_managers_are_left_alone_unless_arguments_are_named() {
        for script in [
            "/usr/bin/npm",
            "/usr/lib/node_modules/npm/bin/npx-cli.js",
            "/usr/lib/node_modules/npm/bin/npm-cli.js",
            ".yarn/releases/yarn-4.1.0.cjs",
            "/x/yarn.js",
            "/x/pnpm.cjs",
            "/x/corepack.js",
        ] {
            let denial = Err(Reason::BuiltInArgumentDenial("a package manager"));
            assert_eq!(text("", &["node", "--no-warnings", script, "i"]), denial);
        }
        assert!(text("", &["node", "app.js", "npm"]).is_ok());

        let mut c = configuration();
        c.processes.include_arguments = Some(vec!["*/npm".into()]);
        assert!(value(None, &process(&["node", "/usr/bin/npm"]), &c).is_ok());
    }

    #[test]
    fn another_agent_keeps_ours_out_wherever_it_is() {
        let other = |vendor, place| Err(Reason::OtherAgent { vendor, place });
        let user = "--require @opentelemetry/auto-instrumentations-node/register";
        assert_eq!(text(user, &["node"]), other("OpenTelemetry", VARIABLE));
        let arguments = ["node", "-r", "dd-trace/init", "app.js"];
        assert_eq!(text("", &arguments), other("Datadog", "command line"));

        let mut both = configuration();
        both.agent_mut(Runtime::Nodejs).allow_other_agents = true;
        assert!(value(None, &process(&arguments), &both).is_ok());
    }
}
