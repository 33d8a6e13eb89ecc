//! What the kernel tells of one process: the files below `/proc/PID` (proc(5)).

use crate::machine::proc_formats::{
    self as formats, AuxiliaryVector, Family, Identity, Mapped, below, outside,
};
use opentelemetry_injector_policy::formats::ancestors::strings;
use rustix::fs::{PROC_SUPER_MAGIC, statfs};
use rustix::time::{ClockId, clock_gettime};
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Longer paths the kernel takes from nobody (PATH_MAX).
const LONGEST_PATH: usize = 4096;

/// What is said where there is no `/proc`.
pub const NOT_MOUNTED: &str =
    "/proc is not mounted here, and processes cannot be inspected without it";

/// Whether `/proc` is what it should be: in a chroot it may be an empty folder, or not there.
pub fn is_mounted() -> bool {
    statfs("/proc").is_ok_and(|system| system.f_type == PROC_SUPER_MAGIC)
}

/// The numbers of all processes, in order.
///
/// # Errors
/// As readdir(3) of `/proc`.
pub fn processes() -> io::Result<Vec<u32>> {
    let names = fs::read_dir("/proc")?
        .flatten()
        .map(|entry| entry.file_name());
    let mut processes: Vec<u32> = names
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect();
    processes.sort_unstable();
    Ok(processes)
}

/// The folder of one process.
pub struct ProcFiles {
    folder: PathBuf,
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
        fs::read(self.path(name)).map(|content| strings(&content))
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
        formats::identity(&status, ruled).ok_or(io::ErrorKind::InvalidData.into())
    }

    /// When it was started: forked, which may be before it became its present program.
    ///
    /// # Errors
    /// As open(2) and read(2).
    pub fn started(&self) -> io::Result<SystemTime> {
        let stat = fs::read(self.path("stat"))?;
        // Next to each other: a container may have a /proc/uptime of its own.
        let (uptime, now) = (clock_gettime(ClockId::Boottime), SystemTime::now());
        let uptime = Duration::try_from(uptime).map_err(|_| io::ErrorKind::InvalidData)?;
        let age = formats::age(&stat, uptime).ok_or(io::ErrorKind::InvalidData)?;
        let started = now.checked_sub(age);
        started.ok_or(io::ErrorKind::InvalidData.into())
    }

    /// Its parent, and where it has its environment.
    ///
    /// # Errors
    /// As open(2) and read(2).
    pub fn family(&self) -> io::Result<Family> {
        let stat = fs::read(self.path("stat"))?;
        formats::family(&stat).ok_or(io::ErrorKind::InvalidData.into())
    }

    /// The auxiliary vector; of a program with 32-bit words nothing of it.
    ///
    /// # Errors
    /// As open(2) and read(2): the process must be one's own, or one is root.
    pub fn auxiliary_vector(&self) -> io::Result<AuxiliaryVector> {
        fs::read(self.path("auxv")).map(|content| formats::auxiliary_vector(&content))
    }

    /// The string at an address of the process's memory.
    ///
    /// # Errors
    /// As [`Self::auxiliary_vector`]; also where the address is not mapped.
    pub fn string_at(&self, address: u64) -> io::Result<Vec<u8>> {
        self.string_up_to(address, LONGEST_PATH)
    }

    /// The same of one that may have so many bytes.
    ///
    /// # Errors
    /// As [`Self::string_at`].
    pub fn string_up_to(&self, address: u64, longest: usize) -> io::Result<Vec<u8>> {
        let mut string = Vec::new();
        while string.len() < longest {
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
        fs::read(self.path("maps")).map(|content| formats::mapped(&content))
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
        if file.metadata()?.ino() == mapped.inode {
            Ok(file)
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn mapped_file(&self, mapped: &Mapped) -> PathBuf {
        self.folder.join("map_files").join(&mapped.range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
