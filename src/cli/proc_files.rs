//! What the kernel tells of one process: the files below `/proc/PID` (proc(5)).
//!
//! They are read as bytes: names and paths need not be UTF-8.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Ticks of a second in `/proc/PID/stat` (USER_HZ): 100 on every architecture in question.
const TICKS: u64 = 100;

/// The auxiliary vector's entries (getauxval(3)).
const AT_SECURE: u64 = 23;
const AT_EXECFN: u64 = 31;

/// Longer paths the kernel takes from nobody (PATH_MAX).
const LONGEST_PATH: usize = 4096;

/// The folder of one process.
pub struct ProcFiles {
    folder: PathBuf,
}

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
    /// AT_SECURE.
    pub secure: Option<bool>,
    /// The address of the path that the program was started by.
    pub started_as: Option<u64>,
}

impl ProcFiles {
    /// The folder of a process, which need not exist.
    pub fn of(process: u32) -> Self {
        let folder = PathBuf::from(format!("/proc/{process}"));
        Self { folder }
    }

    /// The folder of this process.
    pub fn own() -> Self {
        Self::of(std::process::id())
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where a link in the folder points to.
    ///
    /// # Errors
    /// As readlink(2): a kernel thread has no executable, and another user's is not shown.
    pub fn link(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read_link(self.path(name)).map(|path| path.into_os_string().into_vec())
    }

    /// The strings in a file, each of which ends with NUL: `cmdline`, `environ`.
    ///
    /// # Errors
    /// As open(2) and read(2).
    pub fn strings(&self, name: &str) -> io::Result<Vec<Vec<u8>>> {
        let content = fs::read(self.path(name))?;
        let content = content.strip_suffix(b"\0").unwrap_or(&content);
        let strings = content.split(|byte| *byte == 0).map(<[u8]>::to_vec);
        Ok(strings.collect())
    }

    /// With whose rights it opens files.
    ///
    /// # Errors
    /// As open(2) and read(2).
    pub fn identity(&self) -> io::Result<Identity> {
        let status = fs::read(self.path("status"))?;
        let maps = [self.path("uid_map"), self.path("gid_map")].map(fs::read);
        let [users, groups] = maps;
        let ruled = [outside(&users?), outside(&groups?)];
        identity(&status, ruled).ok_or(io::ErrorKind::InvalidData.into())
    }

    /// When it was started: forked, which may be before it became its present program.
    ///
    /// # Errors
    /// As open(2) and read(2).
    pub fn started(&self) -> io::Result<SystemTime> {
        let stat = fs::read(self.path("stat"))?;
        let uptime = fs::read("/proc/uptime")?;
        let age = age(&stat, &uptime).ok_or(io::ErrorKind::InvalidData)?;
        Ok(SystemTime::now() - age)
    }

    /// The auxiliary vector; of a program with 32-bit words nothing of it.
    ///
    /// # Errors
    /// As open(2) and read(2): the process must be one's own, or one is root.
    pub fn auxiliary_vector(&self) -> io::Result<AuxiliaryVector> {
        fs::read(self.path("auxv")).map(|content| auxiliary_vector(&content))
    }

    /// The string at an address of the process's memory.
    ///
    /// # Errors
    /// As [`Self::auxiliary_vector`]; also where the address is not mapped.
    pub fn string_at(&self, address: u64) -> io::Result<Vec<u8>> {
        let mut string = Vec::new();
        while string.len() < LONGEST_PATH {
            // One byte behind the string may be unmapped: what there is comes back.
            let mut part = [0; 256];
            let length = self.memory(address + string.len() as u64, &mut part)?;
            let part = &part[..length];
            match part.iter().position(|byte| *byte == 0) {
                Some(end) => {
                    string.extend(&part[..end]);
                    return Ok(string);
                }
                None if length == 0 => break,
                None => string.extend(part),
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }

    /// Memory of the process from an address on; how much of it there is.
    ///
    /// # Errors
    /// As [`Self::string_at`].
    pub fn memory(&self, address: u64, part: &mut [u8]) -> io::Result<usize> {
        File::open(self.path("mem"))?.read_at(part, address)
    }

    /// The files that it has mapped, in the order of their addresses, each once.
    ///
    /// # Errors
    /// As [`Self::auxiliary_vector`].
    pub fn mapped(&self) -> io::Result<Vec<Mapped>> {
        fs::read(self.path("maps")).map(|content| mapped(&content))
    }

    /// What stat(2) says of a mapped file, whatever has its path by now.
    ///
    /// # Errors
    /// As stat(2); only root may ask.
    pub fn mapped_metadata(&self, mapped: &Mapped) -> io::Result<Metadata> {
        fs::metadata(self.mapped_file(mapped))
    }

    /// Opens a mapped file: itself where that is allowed, else by its path where the same inode is
    /// still there.
    ///
    /// # Errors
    /// As open(2).
    pub fn open_mapped(&self, mapped: &Mapped) -> io::Result<File> {
        if let Ok(file) = File::open(self.mapped_file(mapped)) {
            return Ok(file);
        }
        let path = below(&self.link("root")?, &mapped.path);
        let path = path.strip_prefix(b"/").unwrap_or(&path);
        let file = File::open(self.path("root").join(OsStr::from_bytes(path)))?;
        match file.metadata()?.ino() == mapped.inode {
            true => Ok(file),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn mapped_file(&self, mapped: &Mapped) -> PathBuf {
        self.folder.join("map_files").join(&mapped.range)
    }
}

/// The path that the kernel shows, without its mark for a file that is gone.
pub fn without_mark(path: &[u8]) -> &[u8] {
    path.strip_suffix(b" (deleted)").unwrap_or(path)
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
fn outside(map: &[u8]) -> Vec<Range<u64>> {
    let lines = String::from_utf8_lossy(map).into_owned();
    let ranges = lines.lines().filter_map(|line| {
        let numbers = line.split_whitespace().skip(1).map(str::parse::<u64>);
        let numbers: Vec<u64> = numbers.collect::<Result<_, _>>().ok()?;
        let [start, count] = numbers.try_into().ok()?;
        Some(start..start + count)
    });
    ranges.collect()
}

fn identity(status: &[u8], ruled: [Vec<Range<u64>>; 2]) -> Option<Identity> {
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

fn age(stat: &[u8], uptime: &[u8]) -> Option<Duration> {
    // The second field is a name in parentheses, which may hold anything.
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = str::from_utf8(stat.get(end + 1..)?).ok()?;
    let ticks: u64 = fields.split_whitespace().nth(19)?.parse().ok()?;
    let uptime = str::from_utf8(uptime).ok()?.split_whitespace().next()?;
    let uptime = Duration::try_from_secs_f64(uptime.parse().ok()?).ok()?;
    Some(uptime.saturating_sub(Duration::from_millis(ticks * 1000 / TICKS)))
}

fn auxiliary_vector(content: &[u8]) -> AuxiliaryVector {
    let mut vector = AuxiliaryVector::default();
    for entry in content.chunks_exact(16) {
        let (kind, value) = entry.split_at(8);
        let word = |bytes: &[u8]| bytes.try_into().map(u64::from_ne_bytes).unwrap_or(0);
        match word(kind) {
            AT_SECURE => vector.secure = Some(word(value) != 0),
            AT_EXECFN => vector.started_as = Some(word(value)),
            _ => {}
        }
    }
    vector
}

/// Lines `range permissions offset device inode path`.
fn mapped(content: &[u8]) -> Vec<Mapped> {
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

    #[test]
    fn the_name_may_hold_anything() {
        let stat = b"7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 250 1 1";
        assert_eq!(age(stat, b"10.50 3.00\n"), Some(Duration::from_secs(8)));
        assert_eq!(age(b"7 (a", b"10.5"), None);
    }

    #[test]
    fn the_identity_is_the_one_for_files() {
        let status =
            b"Name:\t\xff\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t9 10 \nCapEff:\t2\n";
        let ruled = [outside(b"  0  1000  10\n"), outside(b"")];
        assert!(ruled[0][0].contains(&1009) && !ruled[0][0].contains(&1010));
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
    fn this_process_can_be_read() {
        let own = ProcFiles::own();
        let vector = own.auxiliary_vector().unwrap();
        assert_eq!(vector.secure, Some(false));
        let path = own.string_at(vector.started_as.unwrap()).unwrap();
        assert!(fs::exists(OsStr::from_bytes(&path)).unwrap());
        let age = own.started().unwrap().elapsed().unwrap();
        assert!(age < Duration::from_secs(600), "{age:?}");
    }

    #[test]
    fn paths_are_told_as_seen_from_a_root() {
        assert_eq!(below(b"/", b"/usr/x"), b"/usr/x");
        assert_eq!(below(b"/srv", b"/srv/usr/x"), b"/usr/x");
        assert_eq!(below(b"/srv", b"/srv2/x"), b"/srv2/x");
    }
}
