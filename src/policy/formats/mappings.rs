//! The format of `/proc/PID/maps` (proc(5)): which file is mapped at which addresses.

use alloc::vec::Vec;

/// The most by which an object's segments lie further apart in memory than in its file, in bytes: the largest page for
/// which linkers prepare them (ld(1), max-page-size).
const ALIGNMENT: usize = 2 << 20;

/// A mapped file: its mappings that lie one after the other in the file as they do in memory, as one range of
/// addresses. A file that is mapped in several places, as V8 maps its own built-in functions once more, is several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Its path.
    pub path: Vec<u8>,
    /// Where its first mapping begins.
    pub start: usize,
    /// Where its last mapping ends.
    pub end: usize,
    /// Where the first mapping begins in the file, in bytes. 0 where the whole object is mapped.
    pub offset: usize,
}

/// The first mapped file that `wanted` accepts, in the content of `/proc/PID/maps`.
pub fn find(content: &[u8], wanted: impl Fn(&Mapped) -> bool) -> Option<Mapped> {
    // With where the last of its mappings begins, in memory and in the file.
    let mut current: Option<(Mapped, Place)> = None;
    for line in content.split(|byte| *byte == b'\n') {
        let Some(next) = parse(line) else {
            continue;
        };
        let place = (next.start, next.offset);
        match &mut current {
            // Anonymous mappings may be between.
            Some((whole, last)) if whole.path == next.path && continues(*last, place) => {
                whole.end = next.end;
                *last = place;
            }
            _ => {
                let before = current.replace((next, place));
                if let Some(found) = before.map(|(whole, _)| whole).filter(&wanted) {
                    return Some(found);
                }
            }
        }
    }
    current.map(|(whole, _)| whole).filter(wanted)
}

/// Where a mapping begins: in memory, in the file.
type Place = (usize, usize);

/// Whether a mapping of a file belongs to the same object as the one before.
fn continues(last: Place, next: Place) -> bool {
    match (next.0.checked_sub(last.0), next.1.checked_sub(last.1)) {
        (Some(memory), Some(file)) => memory.abs_diff(file) <= ALIGNMENT,
        _ => false,
    }
}

/// A line `start-end permissions offset device inode path`; `None` without a path.
fn parse(line: &[u8]) -> Option<Mapped> {
    let slash = line.iter().position(|byte| *byte == b'/')?;
    let (numbers, path) = line.split_at(slash);
    let mut numbers = core::str::from_utf8(numbers).ok()?.split(' ');
    let (start, end) = numbers.next()?.split_once('-')?;
    let number = |text: &str| usize::from_str_radix(text, 16).ok();
    Some(Mapped {
        path: path.strip_suffix(b" (deleted)").unwrap_or(path).to_vec(),
        start: number(start)?,
        end: number(end)?,
        offset: number(numbers.nth(1)?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &[u8] = b"\
55d0c0a00000-55d0c0a02000 r--p 00000000 08:01 131 /usr/bin/a program
55d0c0a02000-55d0c0a07000 r-xp 00002000 08:01 131 /usr/bin/a program
55d0c0b00000-55d0c0b21000 rw-p 00000000 00:00 0 [heap]
7f0000000000-7f0000028000 r--p 00000000 08:01 77 /lib/libc.so.6 (deleted)
7f0000028000-7f0000030000 rw-p 00000000 00:00 0
7f0000030000-7f0000032000 rw-p 00028000 08:01 77 /lib/libc.so.6 (deleted)
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0 [stack]
";

    fn mapped(path: &str, start: usize, end: usize) -> Option<Mapped> {
        Some(Mapped {
            path: path.into(),
            start,
            end,
            offset: 0,
        })
    }

    #[test]
    fn mappings_of_one_file_are_one_stretch() {
        let at = |address| find(MAPS, |m| (m.start..m.end).contains(&address));
        let program = mapped("/usr/bin/a program", 0x55d0_c0a0_0000, 0x55d0_c0a0_7000);
        assert_eq!(at(0x55d0_c0a0_2fff), program);
        let libc = mapped("/lib/libc.so.6", 0x7f00_0000_0000, 0x7f00_0003_2000);
        assert_eq!(at(0x7f00_0002_8000), libc);
        assert_eq!(at(0x7ffd_0000_0000), None);
    }

    #[test]
    fn a_file_that_is_mapped_again_elsewhere_is_another_stretch() {
        // Node.js 20: V8 maps its built-in functions once more beside the code that it makes.
        let maps = b"\
00400000-00a00000 r--p 00000000 08:01 5 /usr/bin/node
00c00000-02b00000 r-xp 00600000 08:01 5 /usr/bin/node
02d00000-02d10000 rw-p 02700000 08:01 5 /usr/bin/node
7f1000000000-7f1000800000 rwxp 00000000 00:00 0
7f1000800000-7f1000a00000 r-xp 01c00000 08:01 5 /usr/bin/node
";
        let at = |address| find(maps, |m| (m.start..m.end).contains(&address));
        assert_eq!(
            at(0xd0_0000),
            mapped("/usr/bin/node", 0x40_0000, 0x2d1_0000)
        );
        assert_eq!(at(0x7f10_0000_1000), None);
        let again = at(0x7f10_0080_0000).unwrap();
        assert_eq!((again.start, again.offset), (0x7f10_0080_0000, 0x1c0_0000));
    }

    #[test]
    fn what_is_no_line_of_maps_is_passed_over() {
        for content in [
            &b""[..],
            b"/",
            b"1-2/x",
            b"-1-2 /x",
            b"1-\xff /x",
            b"g-1 /x",
        ] {
            let found = find(content, |_| true);
            assert!(
                found.is_none_or(|m| m.path.starts_with(b"/")),
                "{content:?}"
            );
        }
    }
}
