//! The formats of the files below `/proc/PID` (proc(5)), as bytes: names and paths need not be UTF-8.
//! A process writes its own arguments, and a container may show files that are not the kernel's: any
//! content is read without an overflow.
//!
//! (`tests/fuzz` takes this file as it is: it needs the policy, and nothing else of the command.)

use opentelemetry_injector_policy::process::file_name;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// Ticks of a second in `/proc/PID/stat` (USER_HZ): 100 on every architecture in question.
const TICKS: u64 = 100;

/// The auxiliary vector's entries (getauxval(3)).
const AT_EUID: u64 = 12;
const AT_SECURE: u64 = 23;
const AT_EXECFN: u64 = 31;

/// With whose rights a process opens files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user for access to files.
    pub user: u32,
    /// The group for access to files.
    pub group: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
    /// The effective capabilities, a bit each (capabilities(7)).
    pub capabilities: u64,
    /// The users and groups of files that the capabilities count for: those that the process's user
    /// namespace has (user_namespaces(7)).
    pub ruled: [Vec<Range<u64>>; 2],
}

/// A file that a process has mapped; its first mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Its path, as the reader of the file sees it.
    pub path: Vec<u8>,
    /// The range of addresses, as it names a file in `map_files`.
    pub range: String,
    /// Its inode.
    pub inode: u64,
    /// Whether another file, or none, has this path by now.
    pub is_deleted: bool,
}

/// The auxiliary vector, as far as it matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuxiliaryVector {
    /// AT_EUID.
    pub user: Option<u32>,
    /// AT_SECURE.
    pub secure: Option<bool>,
    /// The address of the path that the program was started by.
    pub started_as: Option<u64>,
}

/// The path that the kernel shows, without its mark for a file that is gone.
pub fn without_mark(path: &[u8]) -> &[u8] {
    path.strip_suffix(b" (deleted)").unwrap_or(path)
}

/// glibc's library, or musl's, which is its loader.
pub fn is_libc(path: &[u8]) -> bool {
    let name = file_name(path);
    name.starts_with(b"libc.so") || name.starts_with(b"libc-2.") || name.starts_with(b"ld-musl-")
}

/// Whether a process has written over its environment: what is there are not variables alone.
pub fn is_overwritten(entries: &[Vec<u8>]) -> bool {
    // Of an empty environment there is one empty string.
    entries.iter().any(|entry| !entry.contains(&b'=')) && entries != [b""]
}

/// The relatives of a process, and where it has its environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its number.
    pub process: u32,
    /// Its parent's.
    pub parent: u32,
    /// The addresses at which its environment begins and ends; zeroes where they are not shown.
    pub environment: [u64; 2],
}

/// What `stat` says of it.
pub fn family(stat: &[u8]) -> Option<Family> {
    let process = stat.split(|byte| *byte == b' ').next()?;
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = str::from_utf8(stat.get(end + 1..)?).ok()?;
    // The state is the third field, and the first one here.
    let field = |number: usize| fields.split_whitespace().nth(number - 3);
    let address = |number| field(number)?.parse().ok();
    Some(Family {
        process: str::from_utf8(process).ok()?.parse().ok()?,
        parent: field(4)?.parse().ok()?,
        environment: [address(50)?, address(51)?],
    })
}

/// A path below a process's root, as that process sees it.
pub fn below(root: &[u8], path: &[u8]) -> Vec<u8> {
    let inside = Path::new(OsStr::from_bytes(path)).strip_prefix(OsStr::from_bytes(root));
    match inside {
        Ok(inside) => [b"/", inside.as_os_str().as_bytes()].concat(),
        Err(_) => path.to_vec(),
    }
}

/// The ranges of numbers that a namespace's own numbers stand for: lines `inside outside count`.
pub fn outside(map: &[u8]) -> Vec<Range<u64>> {
    let lines = String::from_utf8_lossy(map).into_owned();
    let ranges = lines.lines().filter_map(|line| {
        let numbers = line.split_whitespace().skip(1).map(str::parse::<u64>);
        let numbers: Vec<u64> = numbers.collect::<Result<_, _>>().ok()?;
        let [start, count] = numbers.try_into().ok()?;
        Some(start..start.checked_add(count)?)
    });
    ranges.collect()
}

/// With whose rights a process opens files: from `status`, and what [`outside`] says of `uid_map` and
/// `gid_map`.
pub fn identity(status: &[u8], ruled: [Vec<Range<u64>>; 2]) -> Option<Identity> {
    let field = |name: &str| {
        let mut lines = status.split(|byte| *byte == b'\n');
        let value = lines.find_map(|line| line.strip_prefix(name.as_bytes()))?;
        str::from_utf8(value).ok()
    };
    // Real, effective, saved, and the one for files.
    let for_files = |name| field(name)?.split_whitespace().nth(3)?.parse().ok();
    let groups = field("Groups:")?.split_whitespace();
    Some(Identity {
        user: for_files("Uid:")?,
        group: for_files("Gid:")?,
        groups: groups.filter_map(|group| group.parse().ok()).collect(),
        capabilities: u64::from_str_radix(field("CapEff:")?.trim(), 16).ok()?,
        ruled,
    })
}

/// How long ago a process was started: from its `stat` and CLOCK_BOOTTIME.
pub fn age(stat: &[u8], uptime: Duration) -> Option<Duration> {
    // The second field is a name in parentheses, which may hold anything.
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = str::from_utf8(stat.get(end + 1..)?).ok()?;
    let ticks: u64 = fields.split_whitespace().nth(19)?.parse().ok()?;
    Some(uptime.saturating_sub(Duration::from_millis(ticks.checked_mul(1000)? / TICKS)))
}

/// What `auxv` has; nothing of a program with 32-bit words.
pub fn auxiliary_vector(content: &[u8]) -> AuxiliaryVector {
    let mut vector = AuxiliaryVector::default();
    for entry in content.chunks_exact(16) {
        let (kind, value) = entry.split_at(8);
        let word = |bytes: &[u8]| bytes.try_into().map(u64::from_ne_bytes).unwrap_or(0);
        match word(kind) {
            AT_EUID => vector.user = u32::try_from(word(value)).ok(),
            AT_SECURE => vector.secure = Some(word(value) != 0),
            AT_EXECFN => vector.started_as = Some(word(value)),
            _ => {}
        }
    }
    vector
}

/// The files of `maps`, each once: lines `range permissions offset device inode path`.
pub fn mapped(content: &[u8]) -> Vec<Mapped> {
    let mut seen = HashSet::new();
    let mappings = content.split(|byte| *byte == b'\n').filter_map(mapping);
    mappings
        .filter(|mapped| seen.insert((mapped.inode, mapped.path.clone())))
        .collect()
}

fn mapping(line: &[u8]) -> Option<Mapped> {
    let slash = line.iter().position(|byte| *byte == b'/')?;
    let (before, path) = line.split_at(slash);
    let mut fields = str::from_utf8(before).ok()?.split_whitespace();
    let range = fields.next()?.to_owned();
    let inode = fields.nth(3)?.parse().ok()?;
    Some(Mapped {
        path: without_mark(path).to_vec(),
        range,
        inode,
        is_deleted: path.ends_with(b" (deleted)"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_injector_policy::formats::ancestors::strings;

    const UPTIME: Duration = Duration::from_millis(10_500);

    #[test]
    fn the_name_may_hold_anything() {
        let stat = b"7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 250 1 1";
        assert_eq!(age(stat, UPTIME), Some(Duration::from_secs(8)));
        assert_eq!(age(b"7 (a", UPTIME), None);
        let never = format!("7 (a) {}{}", "0 ".repeat(19), u64::MAX);
        assert_eq!(age(never.as_bytes(), UPTIME), None);
    }

    #[test]
    fn the_identity_is_the_one_for_files() {
        let status =
            b"Name:\t\xff\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t9 10 \nCapEff:\t2\n";
        let ruled = [outside(b"  0  1000  10\n"), outside(b"")];
        assert!(ruled[0][0].contains(&1009) && !ruled[0][0].contains(&1010));
        assert_eq!(outside(b"0 18446744073709551615 1\n"), []);
        let wanted = Identity {
            user: 4,
            group: 8,
            groups: vec![9, 10],
            capabilities: 2,
            ruled: ruled.clone(),
        };
        assert_eq!(identity(status, ruled.clone()), Some(wanted));
        assert_eq!(identity(b"", ruled), None);
    }

    #[test]
    fn each_file_is_listed_once_and_what_is_gone_is_marked() {
        let maps = b"1000-2000 r-xp 00000000 fe:00 12 /a b\n\
                     2000-3000 r--p 00001000 fe:00 12 /a b\n\
                     3000-4000 rw-p 00000000 00:00 0\n\
                     4000-5000 r-xp 00000000 fe:00 13 /c (deleted)\n";
        let listed = mapped(maps);
        assert_eq!(listed.len(), 2);
        assert_eq!((&listed[0].path[..], listed[0].inode), (&b"/a b"[..], 12));
        assert_eq!(listed[0].range, "1000-2000");
        assert_eq!(
            (&listed[1].path[..], listed[1].is_deleted),
            (&b"/c"[..], true)
        );
    }

    #[test]
    fn titles_are_no_environment() {
        let overwritten = |content: &[u8]| is_overwritten(&strings(content));
        assert!(!overwritten(b"A=1\0B=\0"));
        assert!(!overwritten(b""));
        for content in [
            &b"php-fpm: pool www\0=1\0B=2\0"[..],
            b"\0\0\0",
            b"le\0\0\0B=2\0",
            b"A=1\0 title",
        ] {
            assert!(overwritten(content), "{content:?}");
        }
    }

    #[test]
    fn the_parent_and_the_place_of_the_environment_are_told() {
        let stat = format!("7 (a) b) S 5 {}10 20 0\n", "0 ".repeat(45));
        let family = family(stat.as_bytes()).unwrap();
        assert_eq!((family.process, family.parent), (7, 5));
        assert_eq!(family.environment, [10, 20]);
        assert_eq!(super::family(b"7 (a"), None);
        assert_eq!(super::family(b"7 (a) S 5"), None);
    }

    #[test]
    fn paths_are_told_as_seen_from_a_root() {
        assert_eq!(below(b"/", b"/usr/x"), b"/usr/x");
        assert_eq!(below(b"/srv", b"/srv/usr/x"), b"/usr/x");
        assert_eq!(below(b"/srv", b"/srv2/x"), b"/srv2/x");
    }
}
