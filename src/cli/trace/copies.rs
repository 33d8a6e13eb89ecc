//! Programs that read variables elsewhere than in libc's `getenv`, so that no hook sees what they read.

use crate::machine::program_file::first_page;
use crate::trace::recording::{Program, Recording};
use opentelemetry_injector_policy::process::file_name;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// By the names of executables, without the version at the end: what the programs read.
const EXECUTABLES: [(&str, &str); 21] = [
    ("python", "os.environ"),
    ("pypy", "os.environ"),
    ("java", "System.getenv"),
    ("beam.smp", "os:getenv"),
    ("dotnet", "Environment.GetEnvironmentVariable"),
    ("perl", "%ENV"),
    ("tclsh", "env"),
    ("gawk", "ENVIRON"),
    ("mawk", "ENVIRON"),
    ("env", "environ"),
    ("printenv", "environ"),
    ("make", "variables"),
    ("sh", "shell variables"),
    ("dash", "shell variables"),
    ("bash", "shell variables"),
    ("zsh", "shell variables"),
    ("ksh", "shell variables"),
    ("mksh", "shell variables"),
    ("yash", "shell variables"),
    ("fish", "shell variables"),
    ("busybox", "shell variables"),
];

/// By how the names of loaded libraries begin, for programs that run such a language within themselves.
const LIBRARIES: [(&str, &str); 5] = [
    ("libpython", "os.environ"),
    ("libjvm.so", "System.getenv"),
    ("libcoreclr.so", "Environment.GetEnvironmentVariable"),
    ("libperl.so", "%ENV"),
    ("libtcl", "env"),
];

/// How the note of a Go program begins behind its lengths: type 4, the name (cmd/internal/buildid).
const GO: &[u8] = b"\x04\0\0\0Go\0\0";

/// The programs of a session, each with what it reads: by the program's index.
pub fn copies(recording: &Recording) -> BTreeMap<usize, &'static str> {
    let mut go: BTreeMap<&str, bool> = BTreeMap::new();
    let mut copies = BTreeMap::new();
    for (index, program) in recording.programs.iter().enumerate() {
        let inherited = program.forked_from.and_then(|from| copies.get(&from));
        let own = of_executable(program).or_else(|| of_libraries(program));
        let mut is_go = || {
            let executable = program.executable.as_str();
            *go.entry(executable).or_insert_with(|| is_go(executable))
        };
        let copy = inherited.copied().or(own);
        let copy = copy.or_else(|| is_go().then_some("os.Getenv"));
        copies.extend(copy.map(|copy| (index, copy)));
    }
    copies
}

/// The programs as people are told of them, each once.
pub fn told(recording: &Recording, copies: &BTreeMap<usize, &'static str>) -> Vec<String> {
    let told = copies.iter().map(|(index, copy)| {
        let name = recording.programs[*index].name();
        format!("{name} ({copy})")
    });
    let told: BTreeSet<_> = told.collect();
    told.into_iter().collect()
}

fn of_executable(program: &Program) -> Option<&'static str> {
    let version = |character: char| character.is_ascii_digit() || ".-".contains(character);
    let name = program.name().trim_end_matches(version);
    let known = EXECUTABLES.iter().find(|(known, _)| *known == name);
    let known = known.map(|(_, copy)| *copy);
    known.or_else(|| program.has_own_getenv.then_some("its own getenv"))
}

fn of_libraries(program: &Program) -> Option<&'static str> {
    let mut names = program.modules.iter().map(|module| {
        let name = file_name(module.path.as_os_str().as_bytes());
        str::from_utf8(name).unwrap_or_default()
    });
    names.find_map(|name| {
        let known = LIBRARIES.iter().find(|(known, _)| name.starts_with(known));
        known.map(|(_, copy)| *copy)
    })
}

/// Whether an executable is a Go program, whose note is near its beginning.
fn is_go(executable: &str) -> bool {
    let start = first_page(Path::new(executable));
    start.windows(GO.len()).any(|bytes| bytes == GO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::recording::{Module, fixture};

    #[test]
    fn programs_are_known_by_their_names_their_libraries_and_their_parents() {
        let mut recording = fixture::of(&[
            (1, "A", None, false),
            (2, "A", None, false),
            (3, "A", None, false),
            (4, "A", None, false),
            (5, "A", None, false),
        ]);
        recording.programs[0].executable = "/usr/bin/python3.11".into();
        recording.programs[1].executable = "/usr/bin/shop".into();
        recording.programs[2].executable = "/opt/server".into();
        recording.programs[2].modules.push(Module {
            offset: 0,
            start: 1,
            end: 2,
            path: "/opt/jre/lib/server/libjvm.so".into(),
        });
        recording.programs[3].executable = "/opt/own".into();
        recording.programs[3].has_own_getenv = true;
        recording.programs[4].executable = "/usr/bin/python3.11".into();
        recording.programs[4].forked_from = Some(0);
        let wanted = [
            "own (its own getenv)",
            "python3.11 (os.environ)",
            "server (System.getenv)",
        ];
        assert_eq!(told(&recording, &copies(&recording)), wanted);
    }
}
