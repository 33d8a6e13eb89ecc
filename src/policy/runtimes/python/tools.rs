//! Python programs that are no application: package managers, and tools of the system's own.
//!
//! They are told by what Python runs, because the executable is the same for all.

use crate::Reason;
use crate::matching::glob;
use crate::process::file_name;
use crate::runtimes::python::command_line::Program;

// Each list is one string: an array of strings would take a relocation for every item.

/// Patterns on modules (`python -m`), up to the first dot.
const MODULES: &str = "build compileall ensurepip lib2to3 pip pipenv pipx poetry py_compile venv \
    virtualenv zipapp";

/// Patterns on the names of scripts: package managers with their inner scripts, then tools of
/// Debian, Ubuntu and Red Hat, then of Google Cloud, which replace modules of the standard library
/// by their own and must be first to import them.
const SCRIPTS: &str = "__pip-runner__.py _in_process.py conda easy_install* get-pip.py \
    get_interpreter_info.py mamba pdm pip pip-* pip2* pip3* pipenv pipx poetry py_info.py pyvenv* uv virtualenv* \
    add-apt-repository apt-add-repository apt-check apt-listchanges apt_check.py \
    command-not-found dh_python* dnf dnf-* dnf3 do-release-upgrade lsb_release py3clean \
    py3compile py3versions pyclean pycompile pyversions software-properties-* \
    unattended-upgrade* yum yum-* bq.py bootstrapping.py gcloud.py gsutil gsutil.py";

/// Patterns on code (`python -c`): how the standard library and pip start helpers of their own.
const CODE: &str = "*<pip-setuptools-caller>*\n\
    *runpy.run_module(\"pip\"*\n\
    from multiprocessing.resource_tracker import main;*\n\
    from multiprocessing.semaphore_tracker import main;*";

/// Whether Python runs something else than a tool.
///
/// # Errors
/// The kind of tool.
pub fn is_application(program: &Program<'_>) -> Result<(), Reason> {
    let (patterns, separator, text) = match program {
        Program::Code(code) => (CODE, '\n', *code),
        Program::Module(name) => {
            let package = name.split(|byte| *byte == b'.').next();
            (MODULES, ' ', package.unwrap_or_default())
        }
        Program::Script(path) => (SCRIPTS, ' ', file_name(path)),
        Program::Unknown => return Ok(()),
    };
    let mut patterns = patterns.split(separator);
    match patterns.any(|pattern| glob::matches(pattern.as_bytes(), text)) {
        true => Err(Reason::BuiltInArgumentDenial("a tool written in Python")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_recognised() {
        for program in [
            Program::Module(b"pip"),
            Program::Module(b"pip._internal"),
            Program::Module(b"venv"),
            Program::Script(b"/usr/bin/pip3.11"),
            Program::Script(b"/v/bin/pip"),
            Program::Script(b"/usr/bin/apt-listchanges"),
            Program::Script(b"/x/pip/__pip-runner__.py"),
            Program::Code(b"from multiprocessing.resource_tracker import main;main(5)"),
        ] {
            assert!(is_application(&program).is_err(), "{program:?}");
        }
    }

    #[test]
    fn applications_are_not() {
        for program in [
            Program::Module(b"flask"),
            Program::Module(b"pipeline"),
            Program::Script(b"/srv/pipeline.py"),
            Program::Script(b"/v/bin/gunicorn"),
            Program::Code(b"from multiprocessing.spawn import spawn_main; spawn_main()"),
            Program::Unknown,
        ] {
            assert_eq!(is_application(&program), Ok(()), "{program:?}");
        }
    }
}
