//! Python: the application that a server is given, the module behind `-m`, Django's project, the
//! script.

use super::application_files::Reader;
use super::servers::{application, value_of};
use super::{Told, names, paths};
use crate::Process;
use crate::matching::command_line::{Grammar, Runs};
use crate::matching::texts;
use crate::process::{directory, file_name};
use crate::runtimes::python::command_line::{CommandLine, Program};
use crate::runtimes::python::is_program;
use alloc::vec::Vec;

/// Programs that are given the application as an argument of its own.
const SERVERS: &str = "gunicorn uvicorn hypercorn daphne granian waitress-serve sanic dramatiq arq \
                       huey_consumer huey_consumer.py taskiq streamlit fastapi chainlit locust bokeh \
                       mod_wsgi-express nameko saq aiohttp.web gradio panel voila solara shiny";

/// Programs that are given it by an option, and the options.
const BY_OPTION: &str = "
    celery: -A --app
    flask: -A --app
    quart: -A --app
    faust: -A --app
    litestar: --app
    procrastinate: -a --app
    uwsgi: --module -w --wsgi --wsgi-file --file
";

/// The variables that stand for the options.
const VARIABLES: &str = "
    celery: CELERY_APP
    flask: FLASK_APP
    quart: QUART_APP
    litestar: LITESTAR_APP
    uwsgi: UWSGI_MODULE
";

/// Servers that are told their name, and the options by which they are.
const NAMES: &str = "
    gunicorn: -n --name
    uwsgi: --name --procname-prefix --procname
";

const SETTINGS: &str = "DJANGO_SETTINGS_MODULE";

/// Programs that run what the working directory holds, and take other words as arguments; the last one is
/// Passenger's.
const WORKERS: &str = "rq rqworker rqscheduler watchmedo watchfiles wsgi-loader.py";

/// Modules and programs that run the module or script that they are given.
const WRAPPERS: &str =
    "cProfile profile trace debugpy pyinstrument scalene viztracer memray kernprof";

/// How these read their lines (their `--help`).
const WRAPPERS_LINE: Grammar = Grammar {
    with_value: "-o -s -f -C -i --outfile --sort --file --coverdir --listen --connect --log-to \
    --adapter-access-token --interval --output --output_file --tracer_entries --config-file -r --renderer \
    --profile-interval --program-path --port --outpath",
    naming: "-m",
    letters: false,
    marks: b"",
};

/// How mod_wsgi calls a daemon process with `display-name=%{GROUP}` (its documentation of
/// `WSGIDaemonProcess`): `(wsgi:shop)`. It has no more room than the first word of the old command line, such as
/// `/usr/sbin/apache2`, and cuts off what is longer.
const MOD_WSGI: &[u8] = b"(wsgi:";

/// The name of what a Python process runs.
pub fn name(process: &impl Process) -> Option<Told> {
    name_of(&process.arguments(), is_program(process), process)
}

/// What a command line tells that was started in the working directory and environment of `process`.
/// `is_python`: whatever its first word is, it is Python's own program.
pub fn name_of(arguments: &[Vec<u8>], is_python: bool, process: &impl Process) -> Option<Told> {
    match CommandLine::parse(arguments, is_python).program {
        Program::Code(_) => None,
        Program::Module(module) => of_program_at(module, true, arguments, process),
        Program::Script(script) => of_program_at(script, false, arguments, process),
        // A server with a Python inside.
        Program::Unknown if is_uwsgi(arguments) => {
            let (own, rest) = arguments.split_first()?;
            of_known(file_name(own), own, rest, process)?
        }
        Program::Unknown => mod_wsgi(arguments.first()?),
    }
}

fn mod_wsgi(own_name: &[u8]) -> Option<Told> {
    let group = own_name.strip_prefix(MOD_WSGI)?;
    let end = group.iter().position(|byte| *byte == b')')?;
    let group = group.get(..end)?;
    Some(Told::new(
        names::usable(group)?,
        "mod_wsgi's process group",
        group,
    ))
}

/// The name that a module or a script tells, which is one of the arguments.
fn of_program_at(
    program: &[u8],
    is_module: bool,
    arguments: &[Vec<u8>],
    process: &impl Process,
) -> Option<Told> {
    let own = arguments.get(position(arguments, program)?..)?;
    let rest = own.get(1..).unwrap_or_default();
    let kind = file_name(program);
    if texts::has(WRAPPERS, kind) {
        return wrapped(own, process);
    }
    if let Some(told) = of_known(kind, program, rest, process) {
        return told;
    }
    if is_module {
        of_module(program, process)
    } else {
        paths::of_program(program, process, "script")
    }
}

/// What a program tells that is known: a server, or Django's. `None` for all others.
fn of_known(
    kind: &[u8],
    program: &[u8],
    rest: &[Vec<u8>],
    process: &impl Process,
) -> Option<Option<Told>> {
    if is_server(kind) {
        let given = of_server(kind, rest, process);
        return Some(given.or_else(|| paths::of_working_directory(process)));
    }
    if texts::has(WORKERS, kind) {
        return Some(paths::of_working_directory(process));
    }
    let is_django = matches!(kind, b"manage.py" | b"django-admin" | b"django");
    is_django.then(|| django(program, rest, process))
}

/// `python -m cProfile -o x -m shop.main`, `python -m debugpy --listen 5678 main.py`.
fn wrapped(arguments: &[Vec<u8>], process: &impl Process) -> Option<Told> {
    let (program, is_module) = match WRAPPERS_LINE.read(arguments).runs {
        Runs::Script(script) => (script, false),
        Runs::Named(_, module) => (module, true),
        Runs::Input | Runs::Nothing => return None,
    };
    // One in another one is nobody's service, and there may be any number.
    if texts::has(WRAPPERS, file_name(program)) {
        return None;
    }
    of_program_at(program, is_module, arguments.get(1..)?, process)
}

fn position(arguments: &[Vec<u8>], program: &[u8]) -> Option<usize> {
    // `-mshop` holds its module in the same argument.
    arguments
        .iter()
        .position(|argument| argument.ends_with(program))
}

fn is_uwsgi(arguments: &[Vec<u8>]) -> bool {
    let own_name = arguments.first().map(|name| file_name(name));
    own_name.is_some_and(|name| name.starts_with(b"uwsgi"))
}

fn is_server(kind: &[u8]) -> bool {
    texts::has(SERVERS, kind) || of_program(BY_OPTION, kind).is_some()
}

/// What stands in a program's row.
fn of_program(table: &'static str, kind: &[u8]) -> Option<&'static str> {
    let is_its =
        |name: &str| name.as_bytes() == kind || name == "uwsgi" && kind.starts_with(b"uwsgi");
    let row = texts::rows(table).find(|(name, _)| is_its(name));
    row.map(|(_, value)| value)
}

/// What a server's command line tells.
fn of_server(kind: &[u8], rest: &[Vec<u8>], process: &impl Process) -> Option<Told> {
    let own = texts::rows(NAMES).find(|(name, _)| kind.starts_with(name.as_bytes()));
    if let Some((_, options)) = own
        && let Some(name) = value_of(rest, options)
        && let Some(usable) = names::usable(name)
    {
        return Some(Told::new(usable, "name of the server", name));
    }
    let Some(options) = of_program(BY_OPTION, kind) else {
        return of_application(application(rest)?, process);
    };
    let variable = of_program(VARIABLES, kind);
    let from_variable = variable.and_then(|variable| process.variable(variable));
    let from_variable = from_variable.filter(|value| !value.is_empty());
    let given = value_of(rest, options).map(Vec::from).or(from_variable);
    match given {
        Some(given) => of_application(&given, process),
        None if kind.starts_with(b"uwsgi") => uwsgi_file(rest),
        None => None,
    }
}

/// `uwsgi --ini /etc/uwsgi/apps-enabled/shop.ini`.
fn uwsgi_file(rest: &[Vec<u8>]) -> Option<Told> {
    let is_file = |argument: &&Vec<u8>| {
        [&b".ini"[..], b".yml", b".yaml", b".json", b".xml", b".toml"]
            .iter()
            .any(|ending| argument.ends_with(ending))
    };
    let file = rest.iter().find(is_file)?;
    let path = file.strip_prefix(b"--ini=").unwrap_or(file);
    Some(Told::new(
        names::usable(file_name(path))?,
        "configuration file",
        path,
    ))
}

/// A module with an attribute, or a file.
fn of_application(given: &[u8], process: &impl Process) -> Option<Told> {
    if given.contains(&b'/') || given.ends_with(b".py") {
        let path = given.split(|byte| *byte == b':').next()?;
        return paths::of_program(path, process, "application");
    }
    let module = given.split(|byte| *byte == b':').next()?;
    of_module_named(module, given, "application", process)
}

fn of_module(module: &[u8], process: &impl Process) -> Option<Told> {
    of_module_named(module, module, "module", process)
}

/// The last part of a module's name that means something, else the working directory. A part in capitals is a
/// class (`shop.WorkerSettings`).
fn of_module_named(
    module: &[u8],
    shown: &[u8],
    source: &'static str,
    process: &impl Process,
) -> Option<Told> {
    let folder = process.working_directory();
    let is_class = |part: &&[u8]| part.first().is_some_and(u8::is_ascii_uppercase);
    let parts = || module.rsplit(|byte| *byte == b'.');
    let classes = parts().take_while(is_class).count();
    let skipped = if parts().all(|part| is_class(&part)) {
        0
    } else {
        classes
    };
    let name = names::best(parts().skip(skipped).chain(paths::folders(&folder)))?;
    Some(Told::new(name, source, shown))
}

/// Django's project: the package of its settings.
fn django(program: &[u8], rest: &[Vec<u8>], process: &impl Process) -> Option<Told> {
    let given = value_of(rest, "--settings").map(Vec::from);
    let given = given.or_else(|| process.variable(SETTINGS));
    let path = paths::absolute(program, process);
    let is_own = file_name(program) == b"manage.py";
    let in_file = || settings_in(&Reader::new(process).read(&path)?);
    let module = given.or_else(|| is_own.then(in_file)?);
    let module = module.unwrap_or_default();
    let parts = module.rsplit(|byte| *byte == b'.');
    let of_project = names::best(parts);
    if let Some(name) = of_project {
        return Some(Told::new(name, "Django's settings", module));
    }
    if is_own {
        paths::of_folder(directory(&path), "Django's folder")
    } else {
        paths::of_working_directory(process)
    }
}

/// The module that `manage.py` sets:
/// `os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')`.
fn settings_in(content: &[u8]) -> Option<Vec<u8>> {
    let at = content
        .windows(SETTINGS.len())
        .position(|window| window == SETTINGS.as_bytes())?;
    let rest = content.get(at + SETTINGS.len()..)?;
    let is_quote = |byte: &u8| matches!(byte, b'"' | b'\'');
    // Behind the quote that ends the name.
    let mut parts = rest.splitn(4, is_quote);
    let between = parts.nth(1)?;
    let module = parts.next()?;
    let is_assigned = between
        .iter()
        .all(|byte| byte.is_ascii_whitespace() || b",]=".contains(byte));
    is_assigned.then(|| module.to_vec())
}
