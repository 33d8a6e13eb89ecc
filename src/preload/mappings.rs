//! The process's memory mappings (`/proc/self/maps`, proc(5)), by which an address is named.
//!
//! The loader's own list would need its lock, which another thread may hold for ever: in a child
//! of fork that thread does not exist. This is read inside of an attempt.

use crate::kernel;
use alloc::vec::Vec;

/// A mapped file as far as it covers one stretch of addresses.
pub struct Mapped {
    /// Its path.
    pub path: Vec<u8>,
    /// Where its first mapping begins.
    pub start: usize,
    /// Where its last mapping ends.
    pub end: usize,
}

/// The file that is mapped at an address.
pub fn at(address: usize) -> Option<Mapped> {
    find(|mapped| (mapped.start..mapped.end).contains(&address))
}

/// The first mapped file that `wanted` accepts; `None` also where /proc is hidden.
pub fn find(wanted: impl Fn(&Mapped) -> bool) -> Option<Mapped> {
    let content = kernel::read_all(c"/proc/self/maps").ok()?;
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
