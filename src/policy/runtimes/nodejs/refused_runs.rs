//! Runs of Node.js in which no agent may start, because of their options or their environment.

use crate::runtimes::nodejs::options::{CommandLine, is_option};
use crate::{Process, Reason};
use alloc::vec::Vec;

/// Options with which the agent cannot run, and why. One of them anywhere counts, among the
/// application's own arguments too: a newer Node may know an option with a value that we do not.
///
/// Source: Node's `doc/api/cli.md`; V8's `src/flags/flag-definitions.h` for the second line.
const RESTRICTIONS: &str = "\
--permission --permission-audit --experimental-permission --experimental-policy --policy-integrity\
: Node reads only what its permission model or policy allows
--jitless --no-expose-wasm --noexpose-wasm: the agent needs WebAssembly";

/// Options with which Node runs no application in this process, and why.
const NO_APPLICATION: &str = "\
-v --version -h --help --v8-options --completion-bash -c --check\
: it only prints information and starts no application
--run: what it runs is a process of its own
--watch --watch-path: the application runs in a process of its own
--prof-process --build-snapshot --build-snapshot-config --experimental-sea-config --build-sea\
: it starts no application";

/// Options of a run that tests or measures the application.
const TEST_RUN: &str = "--test --test-only --experimental-test-coverage --bench";

/// Refuses what an agent could not run in.
///
/// # Errors
/// The option, and why.
pub fn refuse_restrictions(options: &[Vec<u8>]) -> Result<(), Reason> {
    refuse(options, RESTRICTIONS)
}

/// Refuses a run that starts no application here.
///
/// # Errors
/// The option, and why.
pub fn refuse_without_application(line: &CommandLine<'_>) -> Result<(), Reason> {
    refuse(line.options, NO_APPLICATION)?;
    match line.script {
        // The debugger's client (`lib/internal/main/inspect.js`).
        Some(b"inspect" | b"debug") => Err(Reason::NodeOption {
            option: "inspect",
            why: "the application runs in a process of its own",
        }),
        _ => Ok(()),
    }
}

/// Whether this process is part of a test run or is measured for its coverage.
pub fn is_test_run(line: &CommandLine<'_>, process: &impl Process) -> bool {
    let mut options = line.options.iter();
    let is_set = |name: &str| {
        process
            .variable(name)
            .is_some_and(|value| !value.is_empty())
    };
    // jest's workers run builds, too; only tests set NODE_ENV (`jest-cli/bin/jest.js`).
    let jest = || {
        let tests = process
            .variable("NODE_ENV")
            .is_some_and(|value| value == b"test");
        tests && is_set("JEST_WORKER_ID")
    };
    options.any(|option| TEST_RUN.split(' ').any(|name| is_option(option, name)))
        // Set by `node --test`, by whoever wants V8's coverage (c8, nyc), by vitest, by mocha.
        || is_set("NODE_TEST_CONTEXT")
        || is_set("NODE_V8_COVERAGE")
        || is_set("VITEST")
        || is_set("MOCHA_WORKER_ID")
        || jest()
}

/// `table` has lines of option names and what is said of them.
fn refuse(options: &[Vec<u8>], table: &'static str) -> Result<(), Reason> {
    for line in table.split('\n') {
        let Some((names, why)) = line.split_once(": ") else {
            continue;
        };
        let is_given = |name: &&str| options.iter().any(|option| is_option(option, name));
        if let Some(option) = names.split(' ').find(is_given) {
            return Err(Reason::NodeOption { option, why });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use crate::runtimes::nodejs::options::command_line;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ').map(Vec::from).collect()
    }

    #[test]
    fn a_restriction_counts_wherever_it_stands() {
        for line in [
            "node --permission app.js",
            "node --experimental_permission app.js",
            "node --some-new-option value --permission app.js",
            "node -e 1 --jitless",
            "node --experimental-policy=p.json app.js",
            "node --policy-integrity x app.js",
            "node --no-expose_wasm app.js",
        ] {
            let refused = refuse_restrictions(&words(line));
            assert!(matches!(refused, Err(Reason::NodeOption { .. })), "{line}");
        }
        for line in [
            "node --no-permissions app.js",
            "node --jit app.js",
            "node permission",
        ] {
            assert_eq!(refuse_restrictions(&words(line)), Ok(()), "{line}");
        }
    }

    #[test]
    fn a_run_without_an_application_is_refused() {
        let refused = |line: &str| refuse_without_application(&command_line(&words(line)));
        for line in [
            "node --version",
            "node -c app.js",
            "node --watch app.js",
            "node --watch-path=src app.js",
            "node --run start",
            "node inspect app.js",
            "node --build-snapshot app.js",
        ] {
            assert!(refused(line).is_err(), "{line}");
        }
        for line in [
            "node app.js --version",
            "node ./inspect",
            "node -e 1 inspect",
        ] {
            assert_eq!(refused(line), Ok(()), "{line}");
        }
    }

    #[test]
    fn test_runs_are_told_by_options_and_by_variables() {
        let is_one = |line: &str, variables: &[(&str, &str)]| {
            let variables = variables
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()));
            let process = Fixture {
                variables: variables.collect(),
                ..Fixture::default()
            };
            is_test_run(&command_line(&words(line)), &process)
        };
        assert!(is_one("node --test", &[]));
        assert!(is_one("node app.js", &[("NODE_TEST_CONTEXT", "child-v8")]));
        assert!(is_one("node app.js", &[("NODE_V8_COVERAGE", "/tmp/x")]));
        let worker = ("JEST_WORKER_ID", "1");
        assert!(is_one("node app.js", &[worker, ("NODE_ENV", "test")]));
        assert!(!is_one(
            "node app.js",
            &[worker, ("NODE_ENV", "production")]
        ));
        assert!(!is_one("node app.js --test", &[("VITEST", "")]));
    }
}
