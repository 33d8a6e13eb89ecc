//! Configuration files, read by system calls.

use crate::hook::loaded_objects::{self, Object};
use crate::sys::kernel;
use alloc::ffi::CString;
use alloc::vec::Vec;
use core::ffi::c_int;
use core::mem::{self, MaybeUninit};
use opentelemetry_injector_policy::Files;
use opentelemetry_injector_policy::config::sources::{
    FileProblem, LARGEST_FILE, is_writable_by_all,
};
use opentelemetry_injector_policy::formats::directory_records::collect_names;

type Fstat = unsafe extern "C" fn(c_int, *mut libc::stat) -> c_int;

/// The file system as this process sees it.
pub struct FileSystem;

/// The content of a regular file whose mode is no problem.
pub fn content(
    path: &[u8],
    problem_of: fn(libc::mode_t) -> Option<FileProblem>,
) -> Result<Vec<u8>, FileProblem> {
    let file = open(path, libc::O_RDONLY)?;
    let status = status(&file)?;
    if status.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(FileProblem::NotRegular);
    }
    if let Some(problem) = problem_of(status.st_mode) {
        return Err(problem);
    }
    let length = usize::try_from(status.st_size).unwrap_or(usize::MAX);
    if length > LARGEST_FILE {
        return Err(FileProblem::TooLarge);
    }
    let mut content = Vec::new();
    // Without memory the attempt would end here, and the file stay open in the host.
    content
        .try_reserve_exact(length)
        .map_err(|_| FileProblem::System(libc::ENOMEM))?;
    content.resize(length, 0);
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

impl Files for FileSystem {
    fn read(&self, path: &[u8]) -> Result<Vec<u8>, FileProblem> {
        content(path, |mode| {
            is_writable_by_all(mode).then_some(FileProblem::WritableByAll)
        })
    }

    fn names_in(&self, directory: &[u8]) -> Result<Vec<Vec<u8>>, FileProblem> {
        let directory = open(directory, libc::O_RDONLY | libc::O_DIRECTORY)?;
        let status = status(&directory)?;
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

/// fstat(2) in the way of this process's libc, whose loader has made that very call: fstat itself or
/// newfstatat. A filter may kill the process for the other (seccomp(2)).
///
/// In the constructor alone, where the loader's lock is free.
fn status(file: &kernel::Descriptor) -> Result<libc::stat, FileProblem> {
    let find = |object: &Object<'_>| object.is_libc().then(|| object.function(c"fstat"));
    // glibc exports it since 2.33; before, its loader made the first of the two, as ours does.
    let Some(function) = loaded_objects::find(find).flatten() else {
        return kernel::status(file.number()).map_err(problem);
    };
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: fstat(3) has this signature.
    let fstat = unsafe { mem::transmute::<usize, Fstat>(function.address) };
    // SAFETY: the address of this thread's `errno` (errno(3)).
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above. A filter may let the call fail, and `errno` is the host's.
    let before = unsafe { *errno };
    // SAFETY: room for the structure.
    let outcome = unsafe { fstat(file.number(), status.as_mut_ptr()) };
    // SAFETY: as above.
    unsafe { *errno = before };
    match outcome {
        // SAFETY: the call filled the structure.
        0 => Ok(unsafe { status.assume_init() }),
        _ => Err(FileProblem::NotPermitted),
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
