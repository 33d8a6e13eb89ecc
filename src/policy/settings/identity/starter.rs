//! Processes that a runtime has started for itself, whose command lines tell nothing of the application: those
//! of Python's `multiprocessing` and its like. Each is a part of the service that started it, and has its name.
//!
//! Such a process has the environment, the control group and, at first, the working directory of its parent. What
//! is missing is the parent's command line.

use super::{Named, Told, python};
use crate::matching::texts;
use crate::matching::tools::{self, By};
use crate::process::{file_name, without_loader};
use crate::runtimes::python::command_line::{CommandLine, Program};
use crate::runtimes::python::is_program;
use crate::{Process, Runtime};
use alloc::string::ToString;

/// How far up the application is looked for: a pool's process of a worker of a server that reloads.
const MOST_ANCESTORS: usize = 3;

/// What the code of such a process imports first, each from a module of these packages.
/// Sources: `get_command_line` in CPython's `multiprocessing/spawn.py`, `ensure_running` in its `forkserver.py`;
/// `billiard` (Celery's) and `multiprocess` are copies.
const PACKAGES: &str = "multiprocessing multiprocess billiard";
const MODULES: &str = "spawn forkserver";

/// Modules that are run by `-m`. Source: `Popen._launch` in loky's `backend/popen_loky_posix.py`.
const BY_NAME: &str =
    "joblib.externals.loky.backend.popen_loky_posix loky.backend.popen_loky_posix";

/// Programs that start others' services. One of them is the parent where the application has ended and left its
/// processes behind.
const SUPERVISORS: &str = "supervisord circusd honcho";

/// Whether a process is one of those.
pub fn is_helper(process: &impl Process) -> bool {
    let arguments = process.arguments();
    is_helpers(CommandLine::parse(&arguments, is_program(process)).program)
}

fn is_helpers(program: Program<'_>) -> bool {
    match program {
        Program::Code(code) => code.strip_prefix(b"from ").is_some_and(is_started),
        Program::Module(module) => texts::has(BY_NAME, module),
        Program::Script(_) | Program::Unknown => false,
    }
}

/// `multiprocessing.spawn import spawn_main; …`.
fn is_started(code: &[u8]) -> bool {
    let Some(module) = code.split(|byte| *byte == b' ').next() else {
        return false;
    };
    let mut parts = module.splitn(2, |byte| *byte == b'.');
    let mut is_one_of =
        |known: &'static str| parts.next().is_some_and(|part| texts::has(known, part));
    is_one_of(PACKAGES) && is_one_of(MODULES)
}

/// The name of the service that has started such a process.
pub fn named(process: &impl Process) -> Option<Named> {
    for above in 0..MOST_ANCESTORS {
        let arguments = without_loader(process.ancestor(above)?);
        let program = CommandLine::parse(&arguments, false).program;
        if is_helpers(program) {
            continue;
        }
        if is_no_service(program) {
            return None;
        }
        let told = python::name_of(&arguments, false, process)?;
        let detail = told.evidence.to_string();
        return Some((Told::new(told.value, "the parent's", detail), None));
    }
    None
}

/// Whether an ancestor is a tool, or starts services that are not its own.
fn is_no_service(program: Program<'_>) -> bool {
    let (by, text) = match program {
        Program::Module(module) => (By::Module, module),
        Program::Script(script) => (By::Script, script),
        Program::Code(_) | Program::Unknown => return false,
    };
    texts::has(SUPERVISORS, file_name(text)) || tools::kind(Runtime::Python, by, text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::string::String;
    use alloc::vec::Vec;

    const SPAWN: &str = "python3 -c \
        from·multiprocessing.spawn·import·spawn_main;·spawn_main(tracker_fd=5,·pipe_handle=7) \
        --multiprocessing-fork";
    const FORKSERVER: &str =
        "python3 -u -c from·multiprocessing.forkserver·import·main;·main(3,·5,·[])";
    const LOKY: &str =
        "python3 -m joblib.externals.loky.backend.popen_loky_posix --process-name x --pipe 7";

    fn words(line: &str) -> Vec<String> {
        let words = line.split_ascii_whitespace();
        words.map(|word| word.replace('·', " ")).collect()
    }

    fn name(line: &str, ancestors: &[&str]) -> String {
        let process = Fixture {
            executable: "/usr/bin/python3.11".into(),
            arguments: words(line),
            ancestors: ancestors.iter().map(|line| words(line)).collect(),
            working_directory: "/srv/shop".into(),
            ..Fixture::default()
        };
        let identity = super::super::Identity::derive(Runtime::Python, &process, false);
        identity.name.map_or("none".into(), |told| told.value)
    }

    #[test]
    fn what_a_runtime_starts_for_itself_has_its_starters_name() {
        let uvicorn = "/v/bin/python3 /v/bin/uvicorn basket.main:app --workers 2";
        for line in [
            SPAWN,
            FORKSERVER,
            LOKY,
            "python3 -c from·billiard.spawn·import·spawn_main;·spawn_main()",
            "python3 -c from·multiprocess.spawn·import·spawn_main;·spawn_main()",
            "python3 -m loky.backend.popen_loky_posix --pipe 7",
        ] {
            assert_eq!(name(line, &[uvicorn]), "basket", "{line}");
            assert_eq!(name(line, &[SPAWN, uvicorn]), "basket", "{line}");
            assert_eq!(
                name(line, &[FORKSERVER, SPAWN, uvicorn]),
                "basket",
                "{line}"
            );
        }
        assert_eq!(
            name(SPAWN, &["python3 -m celery -A basket worker"]),
            "basket"
        );
        assert_eq!(name(SPAWN, &["python3 main.py"]), "shop");
        assert_eq!(
            name(SPAWN, &["/lib64/ld-linux-x86-64.so.2 python3 jobs.py"]),
            "shop-jobs"
        );
    }

    #[test]
    fn a_parent_that_is_no_such_service_gives_no_name() {
        for parent in [
            "bash /srv/basket/run.sh",
            "/bin/sh -c uvicorn·basket.main:app",
            "/usr/sbin/cron -f",
            "/sbin/init",
            "runsv basket",
            "node /srv/basket/server.js",
            "python3 /usr/bin/supervisord -n",
            "python3 /v/bin/pytest basket",
            "python3 -m pip install basket",
            "python3 -c import·basket",
            "python3",
            "",
        ] {
            assert_eq!(name(SPAWN, &[parent]), "none", "{parent}");
        }
        assert_eq!(name(SPAWN, &[]), "none");
        assert_eq!(name(SPAWN, &[SPAWN, SPAWN, SPAWN]), "none");
        let uvicorn = "python3 /v/bin/uvicorn basket.main:app";
        for other in [
            "python3 -c from·shop·import·x",
            "python3 -c import·multiprocessing.spawn",
            "python3 -c from·multiprocessing.pool·import·x",
            "python3 -c print(1)",
        ] {
            assert_eq!(name(other, &[uvicorn]), "none", "{other}");
        }
    }
}
