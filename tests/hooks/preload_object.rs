//! The built release object itself: what every process of a machine would map.

use object::elf::{
    DF_1_NODELETE, DT_FLAGS_1, DT_NEEDED, DT_TEXTREL, PF_W, PF_X, PT_GNU_STACK, PT_LOAD, PT_TLS,
    STB_LOCAL,
};
use object::read::elf::{Dyn, ElfFile64, FileHeader, ProgramHeader, Sym};
use object::{Endianness, Object, ObjectSection};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The largest size that the object may have, in bytes. Its segments end at whole pages, on arm64 of 64 KiB.
const LARGEST: u64 = 480_000;

/// The newest glibc whose symbols the object may need, so that it loads on every distribution in
/// use.
const NEWEST_GLIBC: (u32, u32) = (2, 17);

type Elf<'d> = ElfFile64<'d, Endianness>;

/// The objects that are built, each for another architecture.
fn objects() -> Vec<PathBuf> {
    let mut objects = vec![support::object()];
    match support::object_for_arm64() {
        Some(object) => objects.push(object),
        None => println!("skipped: the object for arm64, which is not built"),
    }
    objects
}

fn with_object(look: impl Fn(&Elf<'_>)) {
    for object in objects() {
        println!("{}", object.display());
        let data = fs::read(object).unwrap();
        look(&Elf::parse(data.as_slice()).unwrap());
    }
}

fn dynamic(elf: &Elf<'_>) -> Vec<(u64, u64)> {
    let endian = elf.endian();
    let header = elf.elf_header();
    let segments = header.program_headers(endian, elf.data()).unwrap();
    let entries = segments
        .iter()
        .find_map(|segment| segment.dynamic(endian, elf.data()).unwrap());
    let entries = entries.expect("a dynamic section").iter();
    entries
        .map(|entry| (entry.d_tag(endian), entry.d_val(endian)))
        .collect()
}

#[test]
fn it_needs_libc_alone() {
    with_object(|elf| {
        let count = dynamic(elf)
            .iter()
            .filter(|(tag, _)| *tag == u64::from(DT_NEEDED))
            .count();
        assert_eq!(count, 1);
        let libraries: Vec<_> = elf
            .imports()
            .unwrap()
            .into_iter()
            .map(|i| i.library().to_vec())
            .collect();
        assert!(!libraries.is_empty());
        let allowed = |name: &Vec<u8>| name.is_empty() || name == b"libc.so.6";
        assert!(libraries.iter().all(allowed), "{libraries:?}");
    });
}

/// Any other name would be bound in the global scope: to the program's function of that name, to an
/// IFUNC of its, to a sanitizer's, or to that of a preload object in front; and before they are ready.
/// This one must be: an executable may have a copy of it, which is the one that counts.
#[test]
fn it_asks_for_one_symbol_of_others() {
    with_object(|elf| {
        let symbols = elf.elf_dynamic_symbol_table();
        let undefined: Vec<_> = symbols
            .iter()
            .filter(|symbol| symbol.st_shndx(elf.endian()) == 0)
            .map(|symbol| symbols.symbol_name(elf.endian(), symbol).unwrap())
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .filter(|name| !name.is_empty())
            .collect();
        assert_eq!(undefined, ["__environ"]);
    });
}

#[test]
fn it_has_no_thread_local_storage_no_executable_stack_and_no_writable_code() {
    with_object(|elf| {
        let endian = elf.endian();
        let segments = elf
            .elf_header()
            .program_headers(endian, elf.data())
            .unwrap();
        let mut stacks = 0;
        for segment in segments {
            let (kind, flags) = (segment.p_type(endian), segment.p_flags(endian));
            assert_ne!(kind, PT_TLS);
            if kind == PT_GNU_STACK {
                stacks += 1;
                assert_eq!(flags & PF_X, 0);
            }
            if kind == PT_LOAD {
                assert_ne!(flags & (PF_W | PF_X), PF_W | PF_X);
            }
        }
        assert_eq!(stacks, 1);
        assert!(
            dynamic(elf)
                .iter()
                .all(|(tag, _)| *tag != u64::from(DT_TEXTREL))
        );
    });
}

/// Each mapping costs every exec of the machine a call of mmap.
#[test]
fn it_is_mapped_in_three_pieces_at_most() {
    with_object(|elf| {
        let endian = elf.endian();
        let segments = elf.elf_header().program_headers(endian, elf.data());
        let segments = segments.unwrap().iter();
        let loaded = segments.filter(|segment| segment.p_type(endian) == PT_LOAD);
        let count = loaded.count();
        assert!((1..=3).contains(&count), "{count}");
    });
}

/// The loader writes an address to each of these places, in every process of the machine, and each page that
/// it writes to is copied. A table of strings is what brings many: `policy/matching/texts.rs`.
#[test]
fn all_that_is_relocated_is_on_one_page() {
    let data = fs::read(support::object()).unwrap();
    let elf = Elf::parse(data.as_slice()).unwrap();
    let relocations = elf.dynamic_relocations().unwrap();
    let places: Vec<u64> = relocations.map(|(place, _)| place).collect();
    println!("{} relocations", places.len());
    let pages: BTreeSet<u64> = places.iter().map(|place| place / 4096).collect();
    assert_eq!(pages.len(), 1, "{pages:x?}");
}

/// The loader calls what each word of the array holds: padding between two of them would be called as well.
#[test]
fn its_array_of_constructors_has_no_holes() {
    with_object(|elf| {
        let array = elf.section_by_name(".init_array").unwrap();
        let range = array.address()..array.address() + array.size();
        let relocations = elf.dynamic_relocations().unwrap();
        let filled = relocations.filter(|(place, _)| range.contains(place));
        assert_eq!(filled.count() as u64, array.size() / 8);
    });
}

#[test]
fn it_exports_nothing() {
    with_object(|elf| {
        let exports: Vec<_> = elf
            .exports()
            .unwrap()
            .iter()
            .map(|e| e.name().to_vec())
            .collect();
        assert!(exports.is_empty(), "{exports:?}");
        let symbols = elf.elf_dynamic_symbol_table();
        // GNU ld lists sections too, which are local.
        let defined = symbols
            .iter()
            .filter(|s| s.st_shndx(elf.endian()) != 0 && s.st_bind() != STB_LOCAL);
        assert_eq!(defined.count(), 0);
    });
}

#[test]
fn it_cannot_be_unloaded() {
    with_object(|elf| {
        let flags = dynamic(elf)
            .into_iter()
            .find(|(tag, _)| *tag == u64::from(DT_FLAGS_1));
        assert_ne!(flags.expect("DT_FLAGS_1").1 & u64::from(DF_1_NODELETE), 0);
    });
}

#[test]
fn it_loads_with_old_versions_of_glibc() {
    objects()
        .iter()
        .for_each(|object| loads_with_old_glibc(object));
}

fn loads_with_old_glibc(object: &Path) {
    let data = fs::read(object).unwrap();
    let text = String::from_utf8_lossy(&data);
    let mut versions: Vec<(u32, u32)> = text
        .match_indices("GLIBC_")
        .filter_map(|(at, prefix)| {
            let version = text[at + prefix.len()..].split('\0').next()?;
            let (major, rest) = version.split_once('.')?;
            let minor = rest.split('.').next()?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        })
        .collect();
    versions.sort_unstable();
    let newest = versions.pop().expect("versioned symbols");
    println!("newest symbol version: GLIBC_{}.{}", newest.0, newest.1);
    assert!(newest <= NEWEST_GLIBC, "GLIBC_{}.{}", newest.0, newest.1);
}

#[test]
fn it_is_small() {
    for object in objects() {
        let size = fs::metadata(&object).unwrap().len();
        println!("{}: {size} bytes", object.display());
        assert!(size <= LARGEST, "{size} bytes");
    }
}

#[test]
fn its_note_tells_its_version() {
    with_object(|elf| {
        let (endian, data) = (elf.endian(), elf.data());
        let segments = elf.elf_header().program_headers(endian, data).unwrap();
        let mut versions = Vec::new();
        for segment in segments {
            let Some(mut notes) = segment.notes(endian, data).unwrap() else {
                continue;
            };
            while let Some(note) = notes.next().unwrap() {
                if note.name() == b"OpenTelemetry" && note.n_type(endian) == 1 {
                    let text = String::from_utf8(note.desc().to_vec()).unwrap();
                    versions.push(text.trim_end_matches('\0').to_owned());
                }
            }
        }
        assert_eq!(versions, [env!("CARGO_PKG_VERSION")]);
    });
}
