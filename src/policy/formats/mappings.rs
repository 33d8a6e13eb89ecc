//! The format of `/proc/PID/maps` (proc(5)): which file is mapped at which addresses.

use alloc::vec::Vec;

/// A mapped file: all its mappings that lie one after the other, as one range of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Its path.
    pub path: Vec<u8>,
    /// Where its first mapping begins.
    pub start: usize,
    /// Where its last mapping ends.
    pub end: usize,
}

/// The first mapped file that `wanted` accepts, in the content of `/proc/PID/maps`.
pub fn find(content: &[u8], wanted: impl Fn(&Mapped) -> bool) -> Option<Mapped> {
    let mut current: Option<Mapped> = None;
    for line in content.split(|byte| *byte == b'\n') {
        let next = parse(line);
        match (&mut current, next) {
            // Mappings of one object stand together; so do anonymous ones behind it.
            (Some(current), Some(next)) if next.path == current.path => current.end = next.end,
            (_, Some(next)) => {
                if let Some(found) = current.replace(next).filter(&wanted) {
                    return Some(found);
                }
            }
            (_, None) => {}
        }
    }
    current.filter(wanted)
}

/// A line `start-end permissions offset device inode path`; `None` without a path.
fn parse(line: &[u8]) -> Option<Mapped> {
    let slash = line.iter().position(|byte| *byte == b'/')?;
    let (addresses, path) = line.split_at(slash);
    let addresses = addresses.split(|byte| *byte == b' ').next()?;
    let (start, end) = core::str::from_utf8(addresses).ok()?.split_once('-')?;
    Some(Mapped {
        path: path.strip_suffix(b" (deleted)").unwrap_or(path).to_vec(),
        start: usize::from_str_radix(start, 16).ok()?,
        end: usize::from_str_radix(end, 16).ok()?,
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
        let path = path.into();
        Some(Mapped { path, start, end })
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
