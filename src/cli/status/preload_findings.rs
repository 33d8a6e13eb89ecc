//! What makes processes load the object: the preload file, the environment, the files that services
//! get their environment from.

use crate::install::object_check;
use crate::machine::configuration_files::as_path;
use crate::machine::loaders::Loaders;
use crate::machine::preload_object::{self, LD_PRELOAD};
use crate::machine::preload_sources;
use crate::status::findings::Finding;
use opentelemetry_injector_policy::config::overrides::{CONFIGURATION, KILL_SWITCHES, is_true};
use opentelemetry_injector_policy::formats::preload_file::{self, OBJECT, PATH};
use opentelemetry_injector_policy::matching::other_injectors;
use opentelemetry_injector_policy::reason::Lossy;
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const PRELOAD_FILE: &str = "preload file";
const ENVIRONMENT: &str = "environment";
const SERVICES: &str = "services";
const INSTALL: &str = "opentelemetry-injector install";
const ONE_OF_BOTH: &str =
    "take one of both away, or set allow_other_agents = true for the runtimes";

/// The object that processes load, or would after an installation: where it really is.
pub fn object() -> Option<PathBuf> {
    let file = fs::read(PATH).unwrap_or_default();
    let in_file = preload_file::entries(&file).into_iter();
    let variable = env::var_os(LD_PRELOAD).map(OsStringExt::into_vec);
    let variable = variable.unwrap_or_default();
    let mut named = in_file
        .chain(preload_sources::paths(&variable))
        .filter(|entry| preload_file::is_ours(entry))
        .map(|entry| object_check::places(as_path(entry)));
    named
        .find_map(|places| places.into_iter().next())
        .or_else(|| preload_object::installed().ok())
}

/// The path by which a program of 32 bits would find the object: the entry of the preload file, or what
/// an installation would name.
pub fn named_to_32_bits(object: &Path) -> PathBuf {
    let file = fs::read(PATH).unwrap_or_default();
    let entry = preload_file::entries(&file)
        .into_iter()
        .find(|entry| preload_file::is_ours(entry))
        .map(|entry| as_path(entry).to_path_buf());
    let by_lib = || object_check::by_lib(object);
    entry.or_else(by_lib).unwrap_or_else(|| object.into())
}

/// Whether the preload file names an object of the injector: root's processes load it, too.
pub fn is_installed() -> bool {
    let file = fs::read(PATH).unwrap_or_default();
    preload_file::entries(&file)
        .into_iter()
        .any(preload_file::is_ours)
}

/// All there is to say.
pub fn findings() -> Vec<Finding> {
    let mut findings = preload_file();
    findings.extend(environment());
    findings.extend(services());
    findings
}

fn preload_file() -> Vec<Finding> {
    let file = match fs::read(PATH) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => return vec![Finding::unknown(PRELOAD_FILE, format!("{PATH}: {error}"))],
    };
    let (ours, foreign): (Vec<_>, Vec<_>) = preload_file::entries(&file)
        .into_iter()
        .partition(|entry| preload_file::is_ours(entry));
    let mut findings = vec![entry(&ours)];
    findings.extend(ours.first().and_then(|entry| of_32_bits(entry)));
    findings.extend(mode());
    findings.extend(foreign.into_iter().filter_map(foreign_entry));
    findings
}

/// What the file says of our object.
fn entry(ours: &[&[u8]]) -> Finding {
    let [entry] = ours else {
        let count = ours.len();
        return match count {
            0 => no_entry(),
            _ => Finding::problem(
                PRELOAD_FILE,
                format!("{PATH} names the object {count} times"),
                format!("{INSTALL}, which leaves one"),
            ),
        };
    };
    if let Err(problem) = preload_file::check(entry) {
        let what = format!("{PATH} has {}: {problem}", Lossy(entry));
        return Finding::problem(PRELOAD_FILE, what, format!("{INSTALL} rewrites it"));
    }
    let is_there = |place: &PathBuf| place.is_file();
    if object_check::places(as_path(entry)).iter().any(is_there) {
        Finding::ok(PRELOAD_FILE, format!("{PATH} names {}", Lossy(entry)))
    } else {
        Finding::problem(
            PRELOAD_FILE,
            format!(
                "{PATH} names {}, which does not exist: every program prints an error",
                Lossy(entry)
            ),
            "run `opentelemetry-injector uninstall`, or restore the object",
        )
    }
}

fn no_entry() -> Finding {
    let loaders = Loaders::find();
    if loaders.glibc.is_empty() && !loaders.musl.is_empty() {
        let what = format!("musl's loader reads no {PATH}");
        return Finding::note(PRELOAD_FILE, what).with_next("set LD_PRELOAD for the services");
    }
    let what = format!("{PATH} does not name the object");
    match named_by_variable() {
        Some(_) => Finding::note(PRELOAD_FILE, what),
        None => Finding::problem(
            PRELOAD_FILE,
            format!("{what}: no process loads it"),
            how_to_install(&loaders),
        ),
    }
}

/// Programs of 32 bits that cannot load what the entry names.
fn of_32_bits(entry: &[u8]) -> Option<Finding> {
    let loaders = Loaders::find();
    let loader = loaders.glibc_32.first()?.display();
    if entry.contains(&b'$') {
        return None;
    }
    let what = format!("32-bit programs ({loader}) print an error: they cannot load this object");
    let next = match object_check::by_lib(as_path(entry)) {
        Some(_) => format!("{INSTALL}, which names the object with $LIB"),
        None => format!("read `{INSTALL} --help`"),
    };
    Some(Finding::note(PRELOAD_FILE, what).with_next(next))
}

fn how_to_install(loaders: &Loaders) -> String {
    let has_more =
        preload_object::installed().is_ok_and(|object| object_check::by_lib(&object).is_some());
    match loaders.glibc_32.first() {
        None => INSTALL.into(),
        Some(_) if has_more => INSTALL.into(),
        Some(loader) => format!(
            "{INSTALL} --dry-run, which reports whether 32-bit programs prevent it ({})",
            loader.display()
        ),
    }
}

fn mode() -> Option<Finding> {
    let metadata = fs::metadata(PATH).ok()?;
    let (mode, owner) = (metadata.mode() & 0o7777, metadata.uid());
    if owner != 0 || mode & 0o022 != 0 {
        let what = format!("{PATH} (owner {owner}, mode {mode:04o}) can be written by others");
        return Some(Finding::problem(
            PRELOAD_FILE,
            what,
            format!("chown root {PATH}; chmod 644 {PATH}"),
        ));
    }
    let what = format!("{PATH} (mode {mode:04o}) can be read only by root's processes");
    (mode & 0o004 == 0).then(|| Finding::problem(PRELOAD_FILE, what, format!("chmod 644 {PATH}")))
}

/// What is to be said of an object of others.
fn foreign_entry(entry: &[u8]) -> Option<Finding> {
    let name = Lossy(entry);
    if let Some(vendor) = other_injectors::vendor(entry) {
        let what =
            format!("{PATH} has the injector of {vendor}, {name}: what carries both is left alone");
        return Some(Finding::problem(PRELOAD_FILE, what, ONE_OF_BOTH));
    }
    if entry.starts_with(b"#") || !entry.contains(&b'/') && !entry.ends_with(b".so") {
        let what =
            format!("the loader takes `{name}` in {PATH} for an object: a word of a comment");
        return Some(
            Finding::note(PRELOAD_FILE, what)
                .with_next("keep only one comment in the file: glibc misreads files with several"),
        );
    }
    let is_gone = entry.starts_with(b"/") && !entry.contains(&b'$') && !as_path(entry).exists();
    let what = format!("{PATH} names {name}, which does not exist: every program prints an error");
    is_gone.then(|| Finding::note(PRELOAD_FILE, what))
}

fn named_by_variable() -> Option<String> {
    let value = env::var_os(LD_PRELOAD)?;
    let mut paths = preload_sources::paths(value.as_bytes());
    let ours = paths.find(|path| preload_file::is_ours(path))?;
    Some(Lossy(ours).to_string())
}

fn environment() -> Vec<Finding> {
    let mut findings = vec![match named_by_variable() {
        Some(path) => Finding::ok(ENVIRONMENT, format!("{LD_PRELOAD} here names {path}")),
        None => Finding::note(
            ENVIRONMENT,
            format!("{LD_PRELOAD} here does not name the object"),
        ),
    }];
    findings.extend(rival());
    let is_on = |name: &&str| env::var_os(name).is_some_and(|value| is_true(value.as_bytes()));
    findings.extend(KILL_SWITCHES.into_iter().filter(is_on).map(|name| {
        Finding::note(
            ENVIRONMENT,
            format!("{name} is set: programs that are started here are left alone"),
        )
    }));
    let configuration = env::var_os(CONFIGURATION).filter(|path| !path.is_empty());
    findings.extend(configuration.map(|path| {
        let path = path.display();
        Finding::note(
            ENVIRONMENT,
            format!("{CONFIGURATION} names {path}, in this shell only"),
        )
    }));
    findings
}

/// Another injector in the environment that this command was started with.
fn rival() -> Option<Finding> {
    let value = env::var_os(LD_PRELOAD).unwrap_or_default();
    let mut objects = preload_sources::paths(value.as_bytes());
    let named = objects.find_map(|object| {
        let vendor = other_injectors::vendor(object)?;
        Some(format!(
            "{LD_PRELOAD} here has the injector of {vendor}, {}",
            Lossy(object)
        ))
    });
    let marked = || {
        let (vendor, name) = other_injectors::mark(|name| Some(env::var_os(name)?.into_vec()))?;
        Some(format!("{name} here is a mark of the injector of {vendor}"))
    };
    let what = named.or_else(marked)?;
    Some(
        Finding::note(
            ENVIRONMENT,
            format!("{what}: such processes are left alone"),
        )
        .with_next(ONE_OF_BOTH),
    )
}

/// Where services and sessions get their environment: environment.d(5), systemd-system.conf(5),
/// systemd.exec(5), pam_env(8). Of folders the files in them and in `….d` below.
const PLACES: [&str; 7] = [
    "/etc/environment",
    "/etc/environment.d",
    "/etc/systemd/system.conf",
    "/etc/systemd/system.conf.d",
    "/etc/systemd/user.conf",
    "/etc/systemd/user.conf.d",
    "/etc/systemd/system",
];

fn services() -> Vec<Finding> {
    let files = PLACES.iter().flat_map(|place| files(Path::new(place), 2));
    files.filter_map(|file| service(&file)).collect()
}

fn service(file: &Path) -> Option<Finding> {
    let text = fs::read(file).ok()?;
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find(|line| {
        let line = line.trim_start();
        line.contains(LD_PRELOAD) && line.contains(OBJECT) && !line.starts_with(['#', ';'])
    })?;
    let separates = |character: char| " \t\"':=".contains(character);
    let path = line
        .split(separates)
        .find(|word| preload_file::is_ours(word.as_bytes()))?;
    let what = format!("{} sets {LD_PRELOAD} to {path}", file.display());
    Some(if Path::new(path).is_file() {
        Finding::ok(SERVICES, what)
    } else {
        Finding::problem(
            SERVICES,
            format!("{what}, which does not exist"),
            "remove the line, or put the object there",
        )
    })
}

/// The file, or the files in a folder, down to `depth` folders below.
pub fn files(place: &Path, depth: usize) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.into()];
    }
    if depth == 0 {
        return Vec::new();
    }
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
        .iter()
        .flat_map(|path| files(path, depth - 1))
        .collect()
}
