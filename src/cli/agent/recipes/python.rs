//! OpenTelemetry's distribution for Python of PyPI, its exporter and its instrumentations: one folder of
//! packages for each version of Python.

use crate::agent::client;
use crate::agent::error::AgentError;
use crate::agent::files;
use crate::agent::interpreters::{self, Python as Interpreter};
use crate::agent::places::Places;
use crate::agent::recipes::Recipe;
use crate::agent::work::Work;
use crate::complain;
use crate::machine::file_changes;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The agent for Python.
pub struct Python;

/// The oldest version of Python that the boot file starts an agent in.
const FLOOR: (u32, u32) = (3, 8);

/// The newest release of the distribution for versions of Python that the tested one no longer runs on.
const OLDER: [((u32, u32), &str); 2] = [((3, 8), "0.54b1"), ((3, 9), "0.62b1")];

const DISTRIBUTION: &str = "opentelemetry-distro";

/// The instrumentations, which do nothing where their library is not.
const INSTRUMENTATIONS: &str = "aio-pika aiohttp-client aiohttp-server aiokafka aiopg asgi asyncpg \
    boto3sqs botocore cassandra celery confluent-kafka dbapi django falcon fastapi flask \
    grpc httpx jinja2 kafka-python logging mysql mysqlclient pika psycopg psycopg2 pymemcache pymongo \
    pymysql pyramid redis remoulade requests sqlalchemy sqlite3 starlette threading tornado tortoiseorm \
    urllib urllib3 wsgi";

impl Recipe for Python {
    fn tested(&self) -> &'static str {
        "0.66b1"
    }

    fn agent_path(&self) -> &'static str {
        "{version}"
    }

    fn launchers(&self) -> &'static [&'static str] {
        &["python3"]
    }

    fn fetch(&self, version: &str, folder: &Path, work: &mut Work) -> Result<(), AgentError> {
        for_each(folder, work, |python, work| {
            let packages = packages(release(version, python), python);
            install(python, &packages, None, folder, work)
        })
    }

    /// From folders of packages as they are installed, or from a folder of wheels.
    fn take(&self, from: &Path, folder: &Path, work: &mut Work) -> Result<(), AgentError> {
        if !from.is_dir() {
            let why = "not a folder, nor an archive of one";
            return Err(AgentError::NotAnAgent(from.into(), why.into()));
        }
        let entries = files::entries(from)?;
        let is_wheel = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "whl");
        if entries.iter().any(is_wheel) {
            let packages = wheels(&entries);
            return for_each(folder, work, |python, work| {
                install(python, &packages, Some(from), folder, work)
            });
        }
        for entry in entries.iter().filter(|entry| is_for_version(entry)) {
            let name = entry.file_name().unwrap_or_default();
            files::copy(entry, &folder.join(name), &work.interrupt)?;
        }
        Ok(())
    }

    fn version(&self, folder: &Path) -> Option<String> {
        let of_versions = files::entries(folder).ok()?;
        let versions = of_versions.iter().filter_map(|folder| {
            let packages = files::entries(folder).ok()?;
            packages.iter().find_map(|package| {
                let name = package.file_name()?.to_str()?;
                let name = name.strip_prefix("opentelemetry_distro-")?;
                Some(name.strip_suffix(".dist-info")?.to_owned())
            })
        });
        versions.max()
    }

    fn fault(&self, folder: &Path) -> Option<String> {
        let versions = files::entries(folder).unwrap_or_default();
        let is_agent = |folder: &PathBuf| {
            is_for_version(folder) && folder.join("opentelemetry/distro").is_dir()
        };
        let is_agent = versions.iter().any(is_agent);
        (!is_agent).then(|| {
            "neither wheels nor folders of packages, such as 3.11/opentelemetry/distro".into()
        })
    }

    fn may_grow(&self) -> bool {
        true
    }
}

/// Does something for every Python; it is enough that it succeeds for one.
fn for_each(
    folder: &Path,
    work: &mut Work,
    mut install: impl FnMut(&Interpreter, &mut Work) -> Result<(), AgentError>,
) -> Result<(), AgentError> {
    let mut has_one = false;
    let mut last = None;
    for python in interpreters(work)? {
        let name = python.folder();
        work.progress
            .begin(format!("python {name}: fetching packages"));
        match install(&python, work) {
            Ok(()) => has_one = true,
            Err(interrupted @ AgentError::Interrupted(_)) => return Err(interrupted),
            Err(problem) => {
                let partial = folder.join(&name);
                file_changes::remove(&partial)?;
                work.progress.end();
                complain(&format_args!("Python {name} gets no agent: {problem}"));
                last = Some(problem);
            }
        }
    }
    match last {
        Some(problem) if !has_one => Err(problem),
        _ => Ok(()),
    }
}

/// Those that an agent can be started in and that have none of this version yet.
fn interpreters(work: &Work) -> Result<Vec<Interpreter>, AgentError> {
    let mut pythons = interpreters::find(&work.places);
    let has_one = |python: &Interpreter| {
        let present = work.present.as_ref();
        present.is_some_and(|present| present.join(python.folder()).exists())
    };
    pythons.retain(|python| python.version >= FLOOR && !has_one(python));
    if work.present.is_some() {
        return Ok(pythons);
    }
    if pythons.is_empty() {
        let (major, minor) = FLOOR;
        let why = format!("no Python {major}.{minor} or newer was found");
        return Err(AgentError::NoInterpreter(why));
    }
    Ok(pythons)
}

/// What is installed for a version of Python when `version` was asked for.
fn release<'v>(version: &'v str, python: &Interpreter) -> &'v str {
    let older = OLDER.iter().find(|(of, _)| *of == python.version);
    match older {
        Some((_, release)) if version == Python.tested() => release,
        _ => version,
    }
}

/// All of one release, or pip tries every one of the past.
fn packages(release: &str, python: &Interpreter) -> Vec<String> {
    let mut packages = vec![
        format!("{DISTRIBUTION}=={release}"),
        "opentelemetry-exporter-otlp-proto-http".into(),
    ];
    let instrumentations = INSTRUMENTATIONS.split_whitespace();
    packages.extend(
        instrumentations.map(|name| format!("opentelemetry-instrumentation-{name}=={release}")),
    );
    if OLDER.iter().all(|(of, _)| *of != python.version) {
        // It reads OTEL_CONFIG_FILE.
        packages.push(format!("opentelemetry-configuration=={release}"));
    }
    packages
}

/// The names of OpenTelemetry's packages in a folder of wheels; the rest is what they need.
fn wheels(entries: &[PathBuf]) -> Vec<String> {
    let mut names: Vec<_> = entries
        .iter()
        .filter_map(|entry| {
            let name = entry.file_name()?.to_str()?;
            let name = name.split('-').next()?.replace('_', "-");
            name.starts_with("opentelemetry-").then_some(name)
        })
        .collect();
    names.dedup();
    names
}

/// Installs packages into the folder of a version, compiled.
fn install(
    python: &Interpreter,
    packages: &[String],
    wheels: Option<&Path>,
    folder: &Path,
    work: &mut Work,
) -> Result<(), AgentError> {
    let mut pip = pip(python)?;
    pip.args([
        "install",
        "--quiet",
        "--compile",
        "--no-warn-script-location",
    ])
    .arg("--target")
    .arg(folder.join(python.folder()));
    if let Some(wheels) = wheels {
        pip.arg("--no-index").arg("--find-links").arg(wheels);
    }
    pip.args(packages).current_dir("/");
    client::run(&mut pip, work)?;
    Ok(())
}

/// A Python's own pip, or that of another one (`pip --python`, since 22.3). An image's Python is not
/// started: one of this machine with the same version stands for it.
fn pip(python: &Interpreter) -> Result<Command, AgentError> {
    let here = interpreters::find(&Places::below(None)?);
    let same = here.iter().find(|here| here.version == python.version);
    let path = python
        .path
        .as_ref()
        .or(same.and_then(|same| same.path.as_ref()));
    let Some(path) = path else {
        let version = python.folder();
        let why = format!("this machine has no Python {version} to fetch for it; give --from");
        return Err(AgentError::NoInterpreter(why));
    };
    if has_pip(path) {
        return Ok(pip_of(path));
    }
    let mut others = here.iter().rev().filter_map(|other| other.path.as_ref());
    let other = others.find(|other| has_pip(other)).ok_or({
        let purpose = "fetches the agent for Python (Debian: python3-pip)";
        AgentError::NoClient("pip", purpose)
    })?;
    let mut command = pip_of(other);
    command.arg("--python").arg(path);
    Ok(command)
}

fn pip_of(interpreter: &Path) -> Command {
    let mut command = Command::new(interpreter);
    command.args(["-m", "pip", "--disable-pip-version-check", "--no-input"]);
    command
}

fn has_pip(interpreter: &Path) -> bool {
    let mut command = pip_of(interpreter);
    let output = command.arg("--version").output();
    output.is_ok_and(|output| output.status.success())
}

/// `3.11`
fn is_for_version(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut parts = name.split('.').map(str::parse::<u32>);
    let is_major = parts.next() == Some(Ok(3));
    is_major && matches!(parts.next(), Some(Ok(_))) && parts.next().is_none()
}
