//! The preload object's reader of loaded objects, on shared objects of which bytes were changed: whatever
//! the loader takes, the reader reads without a fault, and finds what dlsym(3) finds or nothing.
//!
//! The loader itself does not survive every input, so each is looked at in a child process.
#![no_main]

#[path = "../../../src/preload/hook/elf.rs"]
#[allow(dead_code)]
mod elf;

use elf::Image;
use std::ffi::{CStr, CString, c_int};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::process::abort;
use std::sync::Once;

libfuzzer_sys::fuzz_target!(|input: &[u8]| look_at(input));

const PAGE: usize = 4096;
const NAMES: [&CStr; 4] = [
    c"fuzzed_one",
    c"fuzzed_two",
    c"fuzzed_three",
    c"fuzzed_four",
];
const ABSENT: &CStr = c"fuzzed_none";

/// Where the parts of the first page are, and where the dynamic section is.
const STRINGS: usize = 0x200;
const SYMBOLS: usize = 0x300;
const GNU_HASH: usize = 0x400;
const HASH: usize = 0x500;
const CODE: usize = 0x800;
const DYNAMIC: usize = 2 * PAGE;

/// What happened in the child.
const LOADED: u8 = 1;
const LOOKED_UP: u8 = 2;
const DIFFERENT: c_int = 3;

fn look_at(input: &[u8]) {
    static UNCHANGED: Once = Once::new();
    UNCHANGED.call_once(|| {
        for way in 0..3 {
            assert!(
                run(&object(&[way]), true),
                "an unchanged object is not read"
            );
        }
    });
    run(&object(input), false);
}

/// A shared object; the first byte says which hash tables it has, and each three bytes behind it put one
/// byte to one place.
fn object(input: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 3 * PAGE];
    let (way, edits) = input.split_first().unwrap_or((&0, &[]));
    let put = |file: &mut Vec<u8>, at: usize, bytes: &[u8]| {
        file[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(&mut file, 0, b"\x7fELF\x02\x01\x01");
    put(&mut file, 16, &[3, 0, 62, 0, 1, 0, 0, 0]);
    put(&mut file, 32, &[64]);
    put(&mut file, 52, &[64, 0, 56, 0, 3, 0, 64]);
    let page = PAGE as u64;
    for (index, (kind, flags, at, length)) in [
        (1, 5, 0, page),
        (1, 6, DYNAMIC as u64, page),
        (2, 6, DYNAMIC as u64, 0x100),
    ]
    .into_iter()
    .enumerate()
    {
        let alignment = if kind == 1 { page } else { 8 };
        let numbers: [u64; 6] = [at, at, at, length, length, alignment];
        let start: [u32; 2] = [kind, flags];
        let header: Vec<u8> = words(&start).chain(longs(&numbers)).collect();
        put(&mut file, 64 + index * 56, &header);
    }
    let mut strings = vec![0];
    let mut chain = Vec::new();
    for (index, name) in NAMES.iter().enumerate() {
        let start = u32::try_from(strings.len()).unwrap();
        strings.extend(name.to_bytes_with_nul());
        let value = (CODE + index * 16) as u64;
        let symbol: Vec<u8> = words(&[start])
            .chain([0x12, 0, 1, 0])
            .chain(longs(&[value, 16]))
            .collect();
        put(&mut file, SYMBOLS + (index + 1) * 24, &symbol);
        let hash = name.to_bytes().iter().fold(5381_u32, |hash, byte| {
            hash.wrapping_mul(33).wrapping_add(u32::from(*byte))
        });
        chain.push(hash & !1 | u32::from(index + 1 == NAMES.len()));
    }
    put(&mut file, STRINGS, &strings);
    let head = [1, 1, 1, 6, u32::MAX, u32::MAX, 1];
    let table: Vec<u8> = words(&head).chain(words(&chain)).collect();
    put(&mut file, GNU_HASH, &table);
    // One bucket, five symbols; the chain goes through all of them.
    let table: Vec<u8> = words(&[1, 5, 1, 0, 2, 3, 4, 0]).collect();
    put(&mut file, HASH, &table);
    let length = strings.len() as u64;
    let mut tags = vec![
        [5, STRINGS as u64],
        [10, length],
        [6, SYMBOLS as u64],
        [11, 24],
    ];
    if way % 3 != 1 {
        tags.push([0x6fff_fef5, GNU_HASH as u64]);
    }
    if way % 3 != 0 {
        tags.push([4, HASH as u64]);
    }
    let tags: Vec<u8> = tags.iter().flat_map(|tag| longs(tag)).collect();
    put(&mut file, DYNAMIC, &tags);
    for edit in edits.chunks_exact(3) {
        // The second page is not used.
        let place = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % (2 * PAGE);
        let place = if place < PAGE { place } else { place + PAGE };
        file[place] = edit[2];
    }
    file
}

fn words(numbers: &[u32]) -> impl Iterator<Item = u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes())
}

fn longs(numbers: &[u64]) -> impl Iterator<Item = u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes())
}

/// Loads an object in a child and looks names up there; whether all were found, alike.
fn run(file: &[u8], must_load: bool) -> bool {
    // SAFETY: a C string; the descriptor is nobody else's.
    let mut memory = unsafe { File::from_raw_fd(libc::memfd_create(c"object".as_ptr(), 0)) };
    memory.write_all(file).unwrap();
    let path = CString::new(format!("/proc/self/fd/{}", memory.as_raw_fd())).unwrap();
    let (mut told, mut tell) = std::io::pipe().unwrap();
    // SAFETY: this process has one thread.
    match unsafe { libc::fork() } {
        0 => {
            drop(told);
            let found = in_child(&path, &mut tell);
            // SAFETY: ends the child without anything of the parent's.
            unsafe { libc::_exit(found) }
        }
        child => {
            drop(tell);
            let mut steps = Vec::new();
            told.read_to_end(&mut steps).unwrap();
            let mut status = 0;
            // SAFETY: a child of ours.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            let code = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
            if steps.last() == Some(&LOADED) {
                eprintln!("the reader did not come back: {status:#x}");
                abort();
            }
            if code == Some(DIFFERENT) {
                eprintln!("the reader and the loader differ");
                abort();
            }
            !must_load || code == Some(0) && steps.last() == Some(&LOOKED_UP)
        }
    }
}

/// 0 where everything was found, 1 where nothing can be said, [`DIFFERENT`].
fn in_child(path: &CStr, tell: &mut impl Write) -> c_int {
    for signal in [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGABRT,
        libc::SIGILL,
    ] {
        // SAFETY: the fuzzer's own handlers are not for the loader's faults.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: ends a loader, or a reader, that goes round in a circle.
    unsafe { libc::alarm(5) };
    // SAFETY: may fault: then the child ends.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL) };
    if handle.is_null() {
        return 1;
    }
    tell.write_all(&[LOADED]).unwrap();
    // SAFETY: glibc's handle is a `link_map` (link.h): base, name, dynamic section.
    let [base, _, dynamic] = unsafe { *handle.cast::<[usize; 3]>() };
    // SAFETY: loaded, and not unloaded.
    let image = unsafe { Image::of_library(base, dynamic as *const elf::Entry, is_readable) };
    let ours = |name: &CStr| image.as_ref()?.function(name).map(|found| found.address);
    let found: Vec<_> = NAMES.iter().map(|name| ours(name)).collect();
    let absent = ours(ABSENT);
    tell.write_all(&[LOOKED_UP]).unwrap();
    let mut all = 0;
    for (name, ours) in NAMES
        .iter()
        .chain([&ABSENT])
        .zip(found.iter().chain([&absent]))
    {
        // SAFETY: may fault: then the child ends.
        let theirs = unsafe { libc::dlsym(handle, name.as_ptr()) } as usize;
        match ours {
            Some(ours) if *ours != theirs => return DIFFERENT,
            None if *name != ABSENT => all = 1,
            _ => {}
        }
    }
    all
}

/// Whether the memory at an address may be read (access(2) reads the path first).
fn is_readable(address: usize) -> bool {
    // SAFETY: the kernel checks the address.
    let found = unsafe { libc::access(address as *const libc::c_char, libc::F_OK) };
    let error = std::io::Error::last_os_error().raw_os_error();
    found == 0 || error != Some(libc::EFAULT)
}
