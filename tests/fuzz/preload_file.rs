//! The editor of `/etc/ld.so.preload`: what it takes for entries is what glibc's loader loads, and
//! adding and taking out ours leaves everything else.

use opentelemetry_injector_policy::formats::preload_file::{add, entries, is_ours, remove};

/// Written in an input as byte 1 and byte 2.
const OURS: &[u8] = b"/opt/x/libopentelemetry_injector.so";
const OLD: &[u8] = b"/old/libopentelemetry_injector.so";

/// The file that an input stands for.
pub fn file(input: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    for byte in input {
        match byte {
            1 => file.extend(OURS),
            2 => file.extend(OLD),
            other => file.push(*other),
        }
    }
    file
}

/// Looks at a file.
///
/// # Panics
/// Where the editor breaks its word.
pub fn look_at(input: &[u8]) {
    let file = file(input);
    assert_eq!(entries(&file), as_glibc(&file));
    // From the second comment on glibc takes some for paths, more or fewer with the file's length.
    let few_comments = file.iter().filter(|byte| **byte == b'#').count() < 2;
    let keeps_foreign = |edited: &[u8]| {
        assert!(!few_comments || foreign(as_glibc(edited)) == foreign(as_glibc(&file)));
    };
    let without = remove(&file);
    keeps_foreign(&without);
    assert!(!as_glibc(&without).iter().any(|entry| is_ours(entry)));
    assert_eq!(remove(&without), without, "taken out twice");
    let Ok(with) = add(&file, OURS) else {
        assert!(file.contains(&0), "it cannot be added");
        return;
    };
    keeps_foreign(&with);
    let mut ours = as_glibc(&with);
    ours.retain(|entry| is_ours(entry));
    assert_eq!(ours, [OURS]);
    let twice = add(&with, OURS);
    assert_eq!(twice.as_ref(), Ok(&with), "added twice");
    if without == file {
        assert!(with.starts_with(&file));
        let again = remove(&with);
        let left = again.strip_prefix(file.as_slice());
        let left = left.expect("added and taken out again");
        // Blanks take its place where a shorter file would be read in another way.
        let is_blank = left.iter().all(|byte| b" \n".contains(byte));
        assert!(left.is_empty() || is_blank && !few_comments, "{left:?}");
    }
}

fn foreign(mut entries: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    entries.retain(|entry| !is_ours(entry));
    entries
}

/// What glibc loads, step by step as `elf/rtld.c` goes: first the comments.
pub fn as_glibc(file: &[u8]) -> Vec<Vec<u8>> {
    let mut text = file.to_vec();
    let mut rest = text.len();
    while rest > 0 {
        let Some(mut comment) = text[..rest].iter().position(|byte| *byte == b'#') else {
            break;
        };
        rest -= comment;
        loop {
            text[comment] = b' ';
            rest -= 1;
            if rest == 0 {
                break;
            }
            comment += 1;
            if text[comment] == b'\n' {
                break;
            }
        }
    }
    loaded(text)
}

/// Without comments: the name at the end that has no separator behind it, then strsep(3).
fn loaded(mut text: Vec<u8>) -> Vec<Vec<u8>> {
    let is_separator = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b':');
    let Some(last) = text.last_mut() else {
        return Vec::new();
    };
    let mut problem = None;
    if is_separator(*last) {
        *last = 0;
    } else {
        let mut start = text.len();
        while start > 0 && !is_separator(text[start - 1]) {
            start -= 1;
        }
        if start > 0 {
            text[start - 1] = 0;
        }
        problem = Some(start);
    }
    let until_nul = |bytes: &[u8]| -> Vec<u8> {
        let nul = bytes.iter().position(|byte| *byte == 0);
        bytes[..nul.unwrap_or(bytes.len())].to_vec()
    };
    let mut loaded = Vec::new();
    if problem != Some(0) {
        let body = until_nul(&text);
        loaded.extend(body.split(|byte| is_separator(*byte)).map(<[u8]>::to_vec));
    }
    loaded.extend(problem.map(|start| until_nul(&text[start..])));
    loaded.retain(|path| !path.is_empty());
    loaded
}
