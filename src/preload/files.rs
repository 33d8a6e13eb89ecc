//! Configuration files, read by system calls.

use crate::kernel;
use alloc::ffi::CString;
use alloc::vec::Vec;
use opentelemetry_injector_policy::Files;
use opentelemetry_injector_policy::configuration_files::{FileProblem, LARGEST_FILE};

/// How much of a file is read at once, in bytes: the whole of most; from then on as much as there is
/// already.
const FIRST_READ: usize = 4096;

/// The file system as this process sees it.
pub struct FileSystem;

impl Files for FileSystem {
    // Without asking for the file's kind and length first: fstat(2) is not among the calls that
    // every program makes before its main.
    fn read(&self, path: &[u8]) -> Result<Vec<u8>, FileProblem> {
        let file = open(path, libc::O_RDONLY)?;
        let mut content = Vec::new();
        loop {
            let filled = content.len();
            content.resize(filled + FIRST_READ.max(filled), 0);
            let room = content.get_mut(filled..).unwrap_or_default();
            let count = kernel::read(&file, room).map_err(problem)?;
            content.truncate(filled + count);
            if content.len() > LARGEST_FILE {
                return Err(FileProblem::TooLarge);
            }
            // Less than asked for is not yet the end (FUSE).
            if count == 0 {
                break;
            }
        }
        match content.is_empty() && !is_regular(&file) {
            true => Err(FileProblem::NotRegular),
            false => Ok(content),
        }
    }

    fn names_in(&self, directory: &[u8]) -> Result<Vec<Vec<u8>>, FileProblem> {
        let directory = open(directory, libc::O_RDONLY | libc::O_DIRECTORY)?;
        let mut names = Vec::new();
        let mut buffer = [0; 2048];
        loop {
            let length = kernel::directory_entries(&directory, &mut buffer).map_err(problem)?;
            if length == 0 {
                return Ok(names);
            }
            collect_names(buffer.get(..length).unwrap_or_default(), &mut names);
        }
    }
}

/// The names in a buffer of `struct linux_dirent64` (getdents64(2)): inode and offset of 8 bytes
/// each, the record's length of 2, the type of 1, the name.
fn collect_names(mut records: &[u8], names: &mut Vec<Vec<u8>>) {
    const NAME: usize = 19;
    while let Some(&[low, high]) = records.get(16..18) {
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let Some((record, rest)) = records.split_at_checked(length) else {
            return;
        };
        let name = record.get(NAME..).unwrap_or_default();
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        names.push(name.to_vec());
        if length == 0 {
            return;
        }
        records = rest;
    }
}

/// False for a FIFO that nobody writes to, which looks like an empty file.
fn is_regular(file: &kernel::Descriptor) -> bool {
    let status = kernel::status(file.number());
    status.is_ok_and(|status| status.st_mode & libc::S_IFMT == libc::S_IFREG)
}

fn open(path: &[u8], flags: libc::c_int) -> Result<kernel::Descriptor, FileProblem> {
    let path = CString::new(path).map_err(|_| FileProblem::Missing)?;
    kernel::open(&path, flags, 0).map_err(problem)
}

fn problem(number: libc::c_int) -> FileProblem {
    match number {
        libc::ENOENT | libc::ENOTDIR => FileProblem::Missing,
        libc::EACCES | libc::EPERM => FileProblem::NotPermitted,
        // A socket; a directory; a FIFO whose writer has written nothing.
        libc::ENXIO | libc::EISDIR | libc::EAGAIN => FileProblem::NotRegular,
        number => FileProblem::System(number),
    }
}
