//! A command as the process that it would be if it were started now, from here, with this
//! environment.

use crate::explain::explained_process::{self, ExplainedProcess, Loading, NotLoaded, Object};
use crate::explain::resolved_command::{CommandError, ResolvedCommand, Way, follow};
use crate::explain::running_process::boot_folder;
use crate::machine::configuration_files::as_path;
use crate::machine::object_notes;
use crate::machine::preload_object::LD_PRELOAD;
use crate::machine::preload_sources::{self, Entry, Source};
use crate::machine::proc_files::ProcFiles;
use crate::machine::process_facts::{ProcessFacts, restored};
use crate::machine::program_file::{self, Loader, Program};
use crate::machine::visible_files::VisibleFiles;
use crate::status::confinement::is_noexec;
use opentelemetry_injector_policy::process::{file_name, is_loader, started_as};
use opentelemetry_injector_policy::{Process, Runtime};
use rustix::fs::{StatVfsMountFlags, getxattr, statvfs};
use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Bits of a mode that give a program other rights (chmod(2)).
const SET_USER: u32 = 0o4000;
const SET_GROUP: u32 = 0o2000;
const GROUP_EXECUTE: u32 = 0o010;

/// Where a JVM's library is, from the folder of its launcher; JDK 9 and later, then 8.
const JVM_LIBRARIES: [&str; 4] = [
    "../lib/server/libjvm.so",
    "../lib/client/libjvm.so",
    "../jre/lib/amd64/server/libjvm.so",
    "../lib/amd64/server/libjvm.so",
];

/// What a command would be, and what it goes through.
///
/// # Errors
/// Why nothing would run.
pub fn of(command: &[OsString]) -> Result<(ExplainedProcess, Way), CommandError> {
    let command = command.iter().map(|word| word.as_bytes().to_vec());
    let environment =
        env::vars_os().map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat());
    let resolved = follow(command.collect(), restored(environment.collect()))?;
    let mut facts = facts(&resolved);
    let file = loaded_file(&facts, &resolved.program);
    let unreadable = || CommandError::NotExecutable(file.as_os_str().as_bytes().to_vec());
    let program = File::open(&file).and_then(program_file::read);
    let program = program.ok().flatten().ok_or_else(unreadable)?;
    load(
        &mut facts,
        &program,
        &fs::canonicalize(&file).unwrap_or(file),
    );
    let is_secure = is_secure(&resolved.program);
    let variable = facts.variable(LD_PRELOAD);
    let named = preload_sources::objects(variable.as_deref(), &facts.visible, &program.loader);
    facts.libraries.extend(named);
    let entry = preload_sources::entry(variable.as_deref(), &facts.visible, &program.loader);
    let named = entry.as_ref().map(|entry| entry.path.clone());
    let loading = loading(&facts, &program, entry, is_secure);
    facts.boot_folder = boot_folder(&loading, named);
    let process = ExplainedProcess {
        facts,
        is_secure: Some(is_secure),
        loading,
        is_go: program.is_go(),
        live: None,
    };
    Ok((process, resolved.way))
}

fn facts(resolved: &ResolvedCommand) -> ProcessFacts {
    let mut facts = ProcessFacts::new(VisibleFiles::own());
    let executable = fs::canonicalize(&resolved.program);
    let executable = executable.unwrap_or_else(|_| resolved.program.clone());
    facts.executable = executable.into_os_string().into_vec();
    facts.arguments = resolved.arguments.clone();
    facts.started_as = started_as(resolved.started_as.clone(), &facts.arguments);
    facts.environment = resolved.environment.clone();
    let own = ProcFiles::own();
    facts.user = own.identity().ok().map(|identity| identity.user);
    facts.control_groups = fs::read(own.path("cgroup")).unwrap_or_default();
    facts
}

/// The file whose libraries are loaded: where the dynamic loader is called by name (ld.so(8)), that of the
/// program behind it.
fn loaded_file(facts: &ProcessFacts, program: &Path) -> PathBuf {
    let behind = is_loader(file_name(&facts.executable))
        .then(|| facts.arguments().into_iter().next())
        .flatten();
    behind.map_or_else(|| program.into(), |behind| as_path(&behind).into())
}

/// What the program's file tells of the process; `path` is its real path.
fn load(facts: &mut ProcessFacts, program: &Program, path: &Path) {
    facts.linked = program.linked;
    facts.notes = program.notes.clone();
    facts.libraries = program.needed.clone();
    match explained_process::runtime(facts) {
        Some(Runtime::Jvm) => facts.libraries = libjvm(path).into_iter().collect(),
        Some(Runtime::Dotnet) => facts.libraries = libhostfxr(path),
        Some(_) => {}
        None if is_java(path) => facts.libraries.extend(libjvm(path)),
        None => facts.libraries.extend(libjvm_inside(facts, path)),
    }
}

fn loading(
    facts: &ProcessFacts,
    program: &Program,
    entry: Option<Entry>,
    is_secure: bool,
) -> Loading {
    let is_musl = match program.loader {
        Loader::Nobody => return Loading::NotLoaded(NotLoaded::Static),
        Loader::Foreign => return Loading::NotLoaded(NotLoaded::Foreign),
        Loader::Musl(_) => true,
        Loader::Glibc(_) => false,
    };
    let Some(Entry { source, path, file }) = entry else {
        return Loading::NotLoaded(NotLoaded::NotNamed { is_musl });
    };
    if source == Source::Variable && is_secure {
        return Loading::NotLoaded(NotLoaded::Secure);
    }
    match file {
        Ok(found) if is_noexec(&found.path) => {
            Loading::NotLoaded(NotLoaded::Noexec { source, path })
        }
        Ok(found) if facts.visible.is_readable_file(&path) => Loading::Loaded(Object {
            version: object_notes::version_of_file(&found.path),
            path,
            source: Some(source),
            replacement: None,
        }),
        _ => Loading::NotLoaded(NotLoaded::Unreadable { source, path }),
    }
}

/// Whether the kernel would set AT_SECURE (`cap_bprm_creds_from_file` in security/commoncap.c): the
/// program has another user or group than this one, or capabilities that this one lacks.
fn is_secure(program: &Path) -> bool {
    let (Ok(metadata), Ok(own)) = (fs::metadata(program), ProcFiles::own().identity()) else {
        return false;
    };
    let is_ignored =
        statvfs(program).is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::NOSUID));
    if is_ignored {
        return false;
    }
    let mode = metadata.mode();
    let sets_user = mode & SET_USER != 0 && metadata.uid() != own.user;
    let both = SET_GROUP | GROUP_EXECUTE;
    let sets_group = mode & both == both && metadata.gid() != own.group;
    let mut attribute = [0; 64];
    let has_capabilities = getxattr(program, "security.capability", &mut attribute[..]).is_ok();
    sets_user || sets_group || has_capabilities && own.user != 0
}

/// Whether a file is a JVM's launcher: behind a loader that is called by name, the process's executable
/// does not tell.
fn is_java(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    Runtime::Jvm.launches(name.as_bytes())
}

/// The library that the launcher at this path loads.
fn libjvm(path: &Path) -> Option<Vec<u8>> {
    let folder = folder(path);
    let library = JVM_LIBRARIES
        .iter()
        .find_map(|name| fs::canonicalize(folder.join(name)).ok())?;
    Some(library.into_os_string().into_vec())
}

/// The library that a program opens which is no launcher of a JDK, but has a JVM inside: jsvc(1), and
/// what jpackage writes (a `.cfg` of its own name beside its JVM).
fn libjvm_inside(facts: &ProcessFacts, path: &Path) -> Option<Vec<u8>> {
    let folder = folder(path);
    let name = path.file_name()?;
    let library = if name == "jsvc" {
        jsvc_home(facts).join("lib/server/libjvm.so")
    } else {
        let mut own = name.to_owned();
        own.push(".cfg");
        let application = folder.join("../lib/app").join(own);
        application
            .is_file()
            .then(|| folder.join("../lib/runtime/lib/server/libjvm.so"))?
    };
    let library = fs::canonicalize(library).ok()?;
    Some(library.into_os_string().into_vec())
}

/// The JVM's folder by jsvc's options, else by JAVA_HOME, else Debian's.
fn jsvc_home(facts: &ProcessFacts) -> PathBuf {
    let mut words = facts.arguments.iter();
    let given = words.find(|word| matches!(word.as_slice(), b"-home" | b"-java-home"));
    let given = given.and(words.next()).cloned();
    let home = given.or_else(|| facts.variable("JAVA_HOME"));
    as_path(home.as_deref().unwrap_or(b"/usr/lib/jvm/default-java")).into()
}

/// The library that `dotnet` loads: one of those that are installed beside it.
fn libhostfxr(path: &Path) -> Vec<Vec<u8>> {
    let versions = fs::read_dir(folder(path).join("host/fxr"))
        .into_iter()
        .flatten()
        .flatten();
    let libraries = versions.map(|version| version.path().join("libhostfxr.so"));
    let libraries = libraries.filter(|library| library.is_file());
    libraries
        .map(|library| library.into_os_string().into_vec())
        .collect()
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}
