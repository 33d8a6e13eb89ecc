//! The programs that a trial starts: a few of those that every machine has, and one of each
//! runtime that is installed. Each says something, ends by itself, and changes nothing.

use crate::machine::loaders::{Loaders, machine};
use crate::machine::programs;
use object::elf::PT_INTERP;
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use opentelemetry_injector_policy::Runtime;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The user that set-id programs and one shell are started as: `nobody`.
pub const NOBODY: u32 = 65534;

/// A program and how it is started.
pub struct Program {
    /// Its name in the report.
    pub label: String,
    /// Its absolute path.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: &'static [&'static str],
    /// What it reads from stdin.
    pub input: &'static str,
    /// What sets it apart.
    pub kind: Kind,
}

/// What sets a program apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Ordinary,
    /// Started as another user than root.
    OfUser,
    /// It runs with other rights than the user's who starts it (AT_SECURE): LD_PRELOAD does not
    /// reach it.
    SetId,
    /// Of 32 bits: the object cannot be loaded.
    Of32Bits,
    /// A launcher of this runtime.
    Runtime(Runtime),
}

const ORDINARY: [(&str, &[&str]); 6] = [
    ("sh", &["-c", "echo shell; exit 3"]),
    ("bash", &["-c", "echo shell | cat; exit 3"]),
    ("cat", &["/etc/passwd"]),
    ("ls", &["-d", "/", "/etc"]),
    ("perl", &["-e", "print qq(perl\\n)"]),
    ("systemctl", &["--version"]),
];

/// Those that are static somewhere.
const STATIC: [(&str, &[&str]); 3] = [
    ("busybox", &["true"]),
    ("ldconfig", &["--version"]),
    ("bash-static", &["--version"]),
];

const SET_ID: [(&str, &[&str]); 5] = [
    ("mount", &["--version"]),
    ("umount", &["--version"]),
    ("su", &["--version"]),
    ("sudo", &["--version"]),
    ("fusermount3", &["--version"]),
];

/// Of Java's only what needs no class, of .NET's what needs no application. PHP's script comes from
/// stdin: with one in the arguments it runs no prepend file, and so no agent.
const RUNTIMES: [(Runtime, &str, &[&str]); 9] = [
    (Runtime::Jvm, "java", &["-version"]),
    (Runtime::Nodejs, "node", &["-e", "console.log('node')"]),
    (Runtime::Python, "python3", &["-c", "print('python')"]),
    (Runtime::Ruby, "ruby", &["-e", "puts 'ruby'"]),
    (Runtime::Php, "php", &[]),
    (
        Runtime::Erlang,
        "erl",
        &["-noshell", "-eval", "io:put_chars(\"erlang\"), halt()."],
    ),
    (Runtime::Dotnet, "dotnet", &["--list-runtimes"]),
    (Runtime::Nodejs, "nodejs", &["-e", "console.log('node')"]),
    (Runtime::Python, "python", &["-c", "print('python')"]),
];

const PHP_SCRIPT: &str = "<?php echo 'php';";

/// glibc's libc is a program as well, which prints its version. Where distributions have those of 32 bits; by the
/// last name a loader finds it in its cache.
const LIBCS: [&[&str]; 9] = [
    &["/lib32/libc.so.6"],
    &["/usr/lib32/libc.so.6"],
    &["/libx32/libc.so.6"],
    &["/lib/i386-linux-gnu/libc.so.6"],
    &["/usr/lib/i386-linux-gnu/libc.so.6"],
    &["/lib/arm-linux-gnueabihf/libc.so.6"],
    &["/lib/libc.so.6"],
    &["/usr/lib/libc.so.6"],
    &["libc.so.6"],
];

/// Every program that there is here to try.
pub fn all(loaders: &Loaders) -> Vec<Program> {
    let mut programs = ordinary();
    programs.extend(set_id());
    programs.extend(runtimes());
    programs.extend(of_32_bits(loaders));
    programs
}

/// Those that every machine has, the static one among them.
pub fn ordinary() -> Vec<Program> {
    let mut programs: Vec<_> = ORDINARY
        .into_iter()
        .filter_map(|(name, arguments)| program(name, arguments, Kind::Ordinary))
        .collect();
    let statics = STATIC.into_iter().filter_map(|(name, arguments)| {
        let found = program(name, arguments, Kind::Ordinary)?;
        is_static(&found.path).then_some(found)
    });
    programs.extend(statics.take(1).map(|found| Program {
        label: format!("{} (static)", found.label),
        ..found
    }));
    let (name, arguments) = ORDINARY[0];
    programs.extend(program(name, arguments, Kind::OfUser).map(|found| Program {
        label: format!("{name} (as nobody)"),
        ..found
    }));
    programs
}

/// One that is set-user-ID root.
fn set_id() -> Option<Program> {
    let mut found = SET_ID
        .into_iter()
        .filter_map(|(name, arguments)| program(name, arguments, Kind::SetId));
    let found = found.find(|program| is_set_id(&program.path))?;
    Some(Program {
        label: format!("{} (set-user-ID)", found.label),
        ..found
    })
}

/// One for each runtime that is installed.
pub fn runtimes() -> Vec<Program> {
    let mut programs: Vec<Program> = Vec::new();
    for (runtime, name, arguments) in RUNTIMES {
        let kind = Kind::Runtime(runtime);
        if !programs.iter().any(|program| program.kind == kind) {
            programs.extend(program(name, arguments, kind));
        }
    }
    programs
}

/// The loaders of 32 bits, with the libc that they find.
pub fn of_32_bits(loaders: &Loaders) -> Vec<Program> {
    let loaders = loaders.glibc_32.iter();
    let programs = loaders.map(|path| Program {
        label: format!("{} (32 bits)", path.display()),
        path: path.clone(),
        arguments: libc_of(path),
        input: "",
        kind: Kind::Of32Bits,
    });
    programs.collect()
}

/// The libc of a loader, as the arguments that start it: the first one of the same kind of machine.
fn libc_of(loader: &Path) -> &'static [&'static str] {
    let wanted = machine(loader);
    let is_its = |arguments: &&&[&str]| {
        let libc = machine(Path::new(arguments[0]));
        libc.is_some() && libc == wanted
    };
    LIBCS.iter().find(is_its).unwrap_or(&LIBCS[LIBCS.len() - 1])
}

fn program(name: &str, arguments: &'static [&'static str], kind: Kind) -> Option<Program> {
    Some(Program {
        label: name.into(),
        path: programs::find(name)?,
        arguments,
        input: match kind {
            Kind::Runtime(Runtime::Php) => PHP_SCRIPT,
            _ => "",
        },
        kind,
    })
}

fn is_set_id(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o4000 != 0 && metadata.uid() == 0)
}

fn is_static(path: &Path) -> bool {
    let content = fs::read(path).unwrap_or_default();
    let Ok(elf) = ElfFile64::<object::Endianness>::parse(content.as_slice()) else {
        return false;
    };
    let endian = elf.endian();
    let segments = elf.elf_header().program_headers(endian, content.as_slice());
    let mut segments = segments.unwrap_or_default().iter();
    !segments.any(|segment| segment.p_type(endian) == PT_INTERP)
}
