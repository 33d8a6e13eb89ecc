//! A process that runs, read from `/proc`.

use crate::explain::changes::changed_after;
use crate::explain::explained_process::{
    ExplainedProcess, Live, Loading, NotLoaded, Object, Replacement,
};
use crate::machine::environment;
use crate::machine::getenv_hook;
use crate::machine::object_notes;
use crate::machine::preload_object::{self, FILE_NAME, LD_PRELOAD};
use crate::machine::preload_sources::{self, Entry, PRELOAD_FILE, Source};
use crate::machine::proc_files::ProcFiles;
use crate::machine::proc_formats::{Identity, Mapped, below, without_mark};
use crate::machine::process_facts::{ProcessFacts, restored};
use crate::machine::process_state;
use crate::machine::program_file::{self, Loader, Program};
use crate::machine::visible_files::VisibleFiles;
use crate::status::confinement::is_noexec;
use opentelemetry_injector_policy::Process;
use opentelemetry_injector_policy::process::{directory, file_name, started_as};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

/// The object of the Gum engine.
pub const GUM: &[u8] = b"libopentelemetry_injector_gum.so";

/// Why nothing can be said of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// There is none of that number, or it has ended.
    Gone,
    /// Another user's, or with rights that keep others out.
    NotPermitted,
    /// A thread of the kernel, or a process that has ended and is still listed.
    NoProgram,
}

/// Reads a process.
///
/// # Errors
/// Nothing can be said of it.
pub fn read(process: u32) -> Result<ExplainedProcess, Unreadable> {
    let files = ProcFiles::of(process);
    let problem = |error: io::Error| unreadable(&files, &error);
    let executable = files.link("exe").map_err(problem)?;
    let root = files.link("root").map_err(problem)?;
    let identity = files.identity().map_err(problem)?;
    let started = files.started().map_err(problem)?;
    let vector = files.auxiliary_vector().map_err(problem)?;
    let mapped = files.mapped().map_err(problem)?;
    let folder = files.link("cwd").unwrap_or_else(|_| root.clone());
    let program = File::open(files.path("exe")).and_then(program_file::read);
    let program = program.map_err(problem)?.ok_or(Unreadable::Gone)?;

    let visible = VisibleFiles::new(
        files.path("root"),
        &below(&root, without_mark(&folder)),
        others(&identity),
    );
    let mut facts = ProcessFacts::new(visible);
    facts.executable = below(&root, without_mark(&executable));
    facts.process = Some(process);
    facts.arguments = files.strings("cmdline").map_err(problem)?;
    // Without it the executable is the closest there is.
    let path = vector.started_as.map(|address| files.string_at(address));
    let path = match path {
        Some(Ok(path)) => path,
        _ => facts.executable.clone(),
    };
    facts.started_as = started_as(path, &facts.arguments);
    facts.environment = restored(environment::of(&files).map_err(problem)?);
    facts.libraries = mapped
        .iter()
        .map(|mapped| below(&root, &mapped.path))
        .collect();
    facts.linked = program.linked;
    facts.notes = program.notes.clone();
    facts.user = vector.user;
    facts.control_groups = fs::read(files.path("cgroup")).unwrap_or_default();

    let variable = facts.variable(LD_PRELOAD);
    let entry = preload_sources::entry(variable.as_deref(), &facts.visible, &program.loader);
    let loaded = loaded(&files, &facts, &mapped, entry.as_ref());
    let is_hooked = loaded
        .as_ref()
        .and_then(|_| getenv_hook::is_hooked(&files, &mapped));
    let state = loaded.and_then(|index| process_state::read(&files, &mapped[index]));
    let named = entry.as_ref().map(|entry| entry.path.clone());
    let loading = match loaded {
        Some(index) => Loading::Loaded(object(&files, &facts, index, &mapped, entry)),
        None => Loading::NotLoaded(why_not(&facts, &program, entry, vector.secure, started)),
    };
    facts.boot_folder = boot_folder(&loading, named);
    let has_gum = mapped.iter().any(|mapped| file_name(&mapped.path) == GUM);
    Ok(ExplainedProcess {
        facts,
        is_secure: vector.secure,
        loading,
        is_go: program.is_go(),
        live: Some(Live {
            process,
            user: identity.user,
            started,
            is_hooked,
            has_gum,
            state,
        }),
    })
}

fn unreadable(files: &ProcFiles, error: &io::Error) -> Unreadable {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Unreadable::NotPermitted,
        _ if files.strings("cmdline").is_ok_and(|line| line == [b""]) => Unreadable::NoProgram,
        _ => Unreadable::Gone,
    }
}

/// Whose rights are to be judged; nobody's where they are the command's own, which tries them out.
fn others(identity: &Identity) -> Option<Identity> {
    let own = ProcFiles::own().identity().ok();
    (own.as_ref() != Some(identity)).then(|| identity.clone())
}

/// Which of the mapped files is the object.
fn loaded(
    files: &ProcFiles,
    facts: &ProcessFacts,
    mapped: &[Mapped],
    entry: Option<&Entry>,
) -> Option<usize> {
    let named = entry.and_then(|entry| entry.file.as_ref().ok());
    let is_named =
        |mapped: &Mapped| named.is_some_and(|found| is_same(files, mapped, &found.metadata));
    let has_name = |path: &Vec<u8>| file_name(path) == FILE_NAME.as_bytes();
    let by_name = facts.libraries.iter().position(has_name);
    by_name.or_else(|| mapped.iter().position(is_named))
}

/// Whether a mapped file is the one that was found. `maps` may show another device number than
/// stat(2) does (btrfs, overlayfs), so the mapping itself is asked where that is allowed.
fn is_same(files: &ProcFiles, mapped: &Mapped, found: &Metadata) -> bool {
    match files.mapped_metadata(mapped) {
        Ok(itself) => (itself.dev(), itself.ino()) == (found.dev(), found.ino()),
        Err(_) => !mapped.is_deleted && mapped.inode == found.ino(),
    }
}

fn object(
    files: &ProcFiles,
    facts: &ProcessFacts,
    index: usize,
    mapped: &[Mapped],
    entry: Option<Entry>,
) -> Object {
    let mapped = &mapped[index];
    // The loader knows it by the name that it was given.
    let named = entry.filter(|entry| {
        let is_this = |found: &Metadata| is_same(files, mapped, found);
        let is_gone = entry.path == facts.libraries[index];
        entry.path.starts_with(b"/")
            && (is_gone
                || entry
                    .file
                    .as_ref()
                    .is_ok_and(|found| is_this(&found.metadata)))
    });
    let source = named.as_ref().map(|entry| entry.source);
    let path = named.map_or_else(|| facts.libraries[index].clone(), |entry| entry.path);
    let now = facts.visible.find(&path);
    let replacement = match &now {
        // A process that has left for another root since (chroot(2)) has it still.
        Err(_) if !mapped.is_deleted && is_outside_root(files, &mapped.path) => None,
        Err(_) => Some(Replacement::Nothing),
        Ok(found) if is_same(files, mapped, &found.metadata) => None,
        Ok(found) => Some(Replacement::Object(object_notes::version_of_file(
            &found.path,
        ))),
    };
    let version = files.open_mapped(mapped).ok();
    let version = version.and_then(|file| object_notes::version(&file));
    Object {
        path,
        version,
        source,
        replacement,
    }
}

/// Whether a mapped file is outside of the root that the process has now.
fn is_outside_root(files: &ProcFiles, path: &[u8]) -> bool {
    let root = files.link("root").unwrap_or_default();
    root != b"/"
        && !path
            .strip_prefix(root.as_slice())
            .is_some_and(|rest| rest.starts_with(b"/"))
}

fn why_not(
    facts: &ProcessFacts,
    program: &Program,
    entry: Option<Entry>,
    is_secure: Option<bool>,
    started: SystemTime,
) -> NotLoaded {
    let is_musl = match program.loader {
        Loader::Nobody => return NotLoaded::Static,
        Loader::Foreign => return NotLoaded::Foreign,
        Loader::Musl(_) => true,
        Loader::Glibc(_) => false,
    };
    let Some(Entry { source, path, file }) = entry else {
        return NotLoaded::NotNamed { is_musl };
    };
    if source == Source::File && changed_after(facts, PRELOAD_FILE.as_bytes(), started) {
        return NotLoaded::StartedBefore(PRELOAD_FILE.into());
    }
    if source == Source::Variable && is_secure == Some(true) {
        return NotLoaded::Secure;
    }
    let found = match file {
        Ok(found) if facts.visible.is_readable_file(&path) => found,
        _ => return NotLoaded::Unreadable { source, path },
    };
    if is_noexec(&found.path) {
        return NotLoaded::Noexec { source, path };
    }
    if changed_after(facts, &path, started) {
        NotLoaded::StartedBefore(path)
    } else {
        NotLoaded::Refused { source, path }
    }
}

/// The folder beside the object, or beside the one that is named, or that is installed.
pub fn boot_folder(loading: &Loading, named: Option<Vec<u8>>) -> Vec<u8> {
    let installed = || {
        preload_object::find(None)
            .ok()
            .map(|path| path.into_os_string().into_vec())
    };
    let object = match loading {
        Loading::Loaded(object) => Some(object.path.clone()),
        Loading::NotLoaded(_) => named.or_else(installed),
    };
    [directory(&object.unwrap_or_default()), b"/boot"].concat()
}
