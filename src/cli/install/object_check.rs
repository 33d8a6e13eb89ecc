//! Checks, before any program loads it, whether a file is this project's preload object and fits this machine.

use crate::install::trust::{self, Distrust};
use crate::machine::object_notes;
use object::elf::{ET_DYN, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, ReadCache};
use opentelemetry_injector_policy::formats::preload_file;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The Gum engine's object, which lies beside the preload object where it is installed.
pub const GUM: &str = "libopentelemetry_injector_gum.so";

/// Why an object is refused.
#[derive(Debug)]
pub enum ObjectFault {
    /// It cannot be read.
    Unreadable(io::Error),
    /// It is not an ELF file.
    NotElf,
    /// It is for other machines.
    OtherMachine,
    /// It ends before its last segment does.
    Truncated,
    /// It is a program or an object file.
    NotShared,
    /// It carries no version of the injector.
    NotOurs,
    /// It, or what lies beside it, can be changed by others, or not be read by all.
    Distrusted(Distrust),
}

impl fmt::Display for ObjectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "{error}"),
            Self::NotElf => f.write_str("not an ELF file"),
            Self::OtherMachine => {
                f.write_str("built for another machine: take the package for this one")
            }
            Self::Truncated => f.write_str("truncated: copy or unpack it again"),
            Self::NotShared => f.write_str("not a shared object"),
            Self::NotOurs => f.write_str("not the injector's preload object"),
            Self::Distrusted(distrust) => distrust.fmt(f),
        }
    }
}

impl core::error::Error for ObjectFault {}

/// What a machine's programs are: class, byte order and machine of an ELF header (elf(5)).
#[derive(PartialEq, Eq)]
struct Identity([u8; 2], [u8; 2]);

/// How many bytes of a header it takes.
const IDENTITY: u64 = 20;

impl Identity {
    fn of(content: &[u8]) -> Option<Self> {
        let header = content.strip_prefix(b"\x7fELF")?;
        let class_and_order = header.get(0..2)?.try_into().ok()?;
        let machine = header.get(14..16)?.try_into().ok()?;
        Some(Self(class_and_order, machine))
    }

    /// That of the shell, which every machine and every image has, else of this command.
    fn of_machine() -> Option<Self> {
        let of = |path| {
            let mut header = [0; IDENTITY as usize];
            File::open(path).ok()?.read_exact(&mut header).ok()?;
            Self::of(&header)
        };
        of("/bin/sh").or_else(|| of("/proc/self/exe"))
    }
}

/// What `$LIB` stands for to a loader of this machine's class (Debian; others with two classes;
/// the rest), then to one of 32 bits (Debian's, Fedora's is in the list, Arch, x32).
const LIB: [&str; 10] = [
    "lib/x86_64-linux-gnu",
    "lib/aarch64-linux-gnu",
    "lib64",
    "lib",
    "lib/i386-linux-gnu",
    "lib/arm-linux-gnueabihf",
    "lib/arm-linux-gnueabi",
    "lib32",
    "libx32",
    "lib/x86_64-linux-gnux32",
];

/// The files that a path with `$LIB` may lead to, the one for this machine's class first; without
/// it the path itself.
pub fn places(object: &Path) -> Vec<PathBuf> {
    let bytes = object.as_os_str().as_bytes();
    if !bytes.contains(&b'$') {
        return vec![object.into()];
    }
    let places = LIB.map(|lib| preload_file::with_lib(bytes, lib.as_bytes()));
    let places = places.map(|place| PathBuf::from(OsString::from_vec(place)));
    places.into_iter().filter(|place| place.exists()).collect()
}

/// The path with `$LIB` that leads to this object and to those of other classes, where folders
/// for all classes lie beside it.
pub fn by_lib(object: &Path) -> Option<PathBuf> {
    let own = fs::canonicalize(object).ok()?;
    let named = object.parent()?.join("$LIB").join(object.file_name()?);
    let places = places(&named);
    let is_own = |place: &PathBuf| fs::canonicalize(place).is_ok_and(|place| place == own);
    let (of_this_class, of_others): (Vec<_>, Vec<_>) =
        places.iter().partition(|place| is_own(place));
    (!of_this_class.is_empty() && !of_others.is_empty()).then_some(named)
}

/// Checks the file's content. Returns its version.
///
/// # Errors
/// Why it is refused.
pub fn content(path: &Path) -> Result<String, ObjectFault> {
    let file = File::open(path).map_err(ObjectFault::Unreadable)?;
    let mut start = Vec::new();
    let read = (&file).take(IDENTITY).read_to_end(&mut start);
    read.map_err(ObjectFault::Unreadable)?;
    let identity = Identity::of(&start).ok_or(ObjectFault::NotElf)?;
    if Identity::of_machine().is_some_and(|machine| machine != identity) {
        return Err(ObjectFault::OtherMachine);
    }
    let (kind, end) = layout(&file).map_err(|_| ObjectFault::Truncated)?;
    if kind != ET_DYN {
        return Err(ObjectFault::NotShared);
    }
    let length = file.metadata().map_err(ObjectFault::Unreadable)?.len();
    if end > length {
        return Err(ObjectFault::Truncated);
    }
    object_notes::version(&file).ok_or(ObjectFault::NotOurs)
}

/// What kind of an ELF file this is, and where in it its last segment ends.
fn layout(file: &File) -> object::Result<(u16, u64)> {
    let cache = ReadCache::new(file);
    let header = FileHeader64::<Endianness>::parse(&cache)?;
    let endian = header.endian()?;
    // They are behind the segments.
    header.section_headers(endian, &cache)?;
    let segments = header.program_headers(endian, &cache)?;
    let ends = segments.iter().map(|segment| {
        let (start, length) = segment.file_range(endian);
        start.saturating_add(length)
    });
    Ok((header.e_type(endian), ends.max().unwrap_or(u64::MAX)))
}

/// Checks who may change the object and what it loads from beside itself, and that every user may
/// read it.
///
/// # Errors
/// Why it is refused.
pub fn trust(path: &Path) -> Result<(), ObjectFault> {
    trust::file(path).map_err(ObjectFault::Distrusted)?;
    for companion in companions(path) {
        trust::tree(&companion).map_err(ObjectFault::Distrusted)?;
    }
    Ok(())
}

/// What processes load from beside the object: the boot files and the Gum engine.
fn companions(object: &Path) -> Vec<PathBuf> {
    let beside = ["boot", GUM].map(|name| object.with_file_name(name));
    beside.into_iter().filter(|path| path.exists()).collect()
}
