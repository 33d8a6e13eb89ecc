//! Configuration files, read by system calls.

use crate::kernel;
use alloc::ffi::CString;
use alloc::vec::Vec;
use opentelemetry_injector_policy::Files;
use opentelemetry_injector_policy::configuration_files::{
    FileProblem, LARGEST_FILE, is_writable_by_all,
};
use opentelemetry_injector_policy::directory_records::collect_names;

/// The file system as this process sees it.
pub struct FileSystem;

impl Files for FileSystem {
    fn read(&self, path: &[u8]) -> Result<Vec<u8>, FileProblem> {
        let file = open(path, libc::O_RDONLY)?;
        let status = kernel::status(file.number()).map_err(problem)?;
        if status.st_mode & libc::S_IFMT != libc::S_IFREG {
            return Err(FileProblem::NotRegular);
        }
        if is_writable_by_all(status.st_mode) {
            return Err(FileProblem::WritableByAll);
        }
        let length = usize::try_from(status.st_size).unwrap_or(usize::MAX);
        if length > LARGEST_FILE {
            return Err(FileProblem::TooLarge);
        }
        let mut content = alloc::vec![0; length];
        let mut filled = 0;
        while let Some(rest @ [_, ..]) = content.get_mut(filled..) {
            match kernel::read(&file, rest).map_err(problem)? {
                0 => break,
                count => filled += count,
            }
        }
        content.truncate(filled);
        Ok(content)
    }

    fn names_in(&self, directory: &[u8]) -> Result<Vec<Vec<u8>>, FileProblem> {
        let directory = open(directory, libc::O_RDONLY | libc::O_DIRECTORY)?;
        let status = kernel::status(directory.number()).map_err(problem)?;
        if is_writable_by_all(status.st_mode) {
            return Err(FileProblem::WritableByAll);
        }
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

fn open(path: &[u8], flags: libc::c_int) -> Result<kernel::Descriptor, FileProblem> {
    let path = CString::new(path).map_err(|_| FileProblem::Missing)?;
    kernel::open(&path, flags, 0).map_err(problem)
}

fn problem(number: libc::c_int) -> FileProblem {
    match number {
        libc::ENOENT | libc::ENOTDIR => FileProblem::Missing,
        libc::EACCES | libc::EPERM => FileProblem::NotPermitted,
        // A socket, or a FIFO opened for writing only.
        libc::ENXIO => FileProblem::NotRegular,
        number => FileProblem::System(number),
    }
}
