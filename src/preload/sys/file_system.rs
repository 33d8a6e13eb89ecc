//! Files, read by system calls: the configuration in the constructor, and the files that an answer
//! depends on.
//!
//! No call here blocks: a file is opened without waiting for the other end of a FIFO, and only regular
//! files are read.

use crate::constructor::at_start::AtStart;
use crate::hook::direct;
use crate::hook::loaded_objects::{self, Libc};
use crate::sys::kernel::{self, Descriptor};
use alloc::ffi::CString;
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::ffi::c_int;
use core::mem::{self, MaybeUninit};
use opentelemetry_injector_policy::Files;
use opentelemetry_injector_policy::config::sources::{
    FileProblem, LARGEST_FILE, is_writable_by_all,
};
use opentelemetry_injector_policy::formats::directory_records::collect_names;

/// How the process's libc asks for the status of an open file.
enum Fstat {
    /// fstat(2).
    ByDescriptor,
    /// newfstatat(2) with an empty path.
    ByEmptyPath,
    /// By a function of its own, whose call is not known: `fstat` and `errno`.
    Function(FstatFunction, Errno),
}

type FstatFunction = unsafe extern "C" fn(c_int, *mut libc::stat) -> c_int;
type Errno = unsafe extern "C" fn() -> *mut c_int;

/// How much of a directory is read at once, in bytes.
const RECORDS: usize = 2048;

/// The file system as this process sees it in the constructor.
pub struct FileSystem<'s> {
    start: &'s AtStart,
    fstat: OnceCell<Fstat>,
}

/// The content of a regular file, for an answer.
pub fn content(path: &[u8]) -> Result<Vec<u8>, FileProblem> {
    let file = open(path, libc::O_RDONLY)?;
    let status = kernel::status_of_open(&file).map_err(problem)?;
    regular_content(&file, &status)
}

/// The content of an open file that must be a regular one.
fn regular_content(file: &Descriptor, status: &libc::stat) -> Result<Vec<u8>, FileProblem> {
    if status.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(FileProblem::NotRegular);
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
        match kernel::read(file, rest).map_err(problem)? {
            0 => break,
            count => filled += count,
        }
    }
    content.truncate(filled);
    Ok(content)
}

/// The file system as this process sees it in an answer, where nothing of the host's is called.
pub struct FilesOfAnswer;

/// Asks for the status of an open file.
type Status<'s> = &'s dyn Fn(&Descriptor) -> Result<libc::stat, FileProblem>;

impl Files for FileSystem<'_> {
    fn read(&self, path: &[u8]) -> Result<Vec<u8>, FileProblem> {
        read(path, &|file| self.status(file))
    }

    fn names_in(&self, directory: &[u8]) -> Result<Vec<Vec<u8>>, FileProblem> {
        names_in(directory, &|file| self.status(file))
    }
}

impl Files for FilesOfAnswer {
    fn read(&self, path: &[u8]) -> Result<Vec<u8>, FileProblem> {
        read(path, &status_in_answer)
    }

    fn names_in(&self, directory: &[u8]) -> Result<Vec<Vec<u8>>, FileProblem> {
        names_in(directory, &status_in_answer)
    }
}

fn status_in_answer(file: &Descriptor) -> Result<libc::stat, FileProblem> {
    kernel::status_of_open(file).map_err(problem)
}

fn read(path: &[u8], status: Status<'_>) -> Result<Vec<u8>, FileProblem> {
    let file = open(path, libc::O_RDONLY)?;
    let status = status(&file)?;
    if status.st_mode & libc::S_IFMT == libc::S_IFREG && is_writable_by_all(status.st_mode) {
        return Err(FileProblem::WritableByAll);
    }
    regular_content(&file, &status)
}

fn names_in(directory: &[u8], status: Status<'_>) -> Result<Vec<Vec<u8>>, FileProblem> {
    let directory = open(directory, libc::O_RDONLY | libc::O_DIRECTORY)?;
    let status = status(&directory)?;
    if is_writable_by_all(status.st_mode) {
        return Err(FileProblem::WritableByAll);
    }
    let mut records = Vec::new();
    loop {
        let filled = records.len();
        // Without memory the attempt would end here, and the directory stay open in the host.
        let room = records.try_reserve(RECORDS);
        room.map_err(|_| FileProblem::System(libc::ENOMEM))?;
        records.resize(filled + RECORDS, 0);
        let rest = records.get_mut(filled..).unwrap_or_default();
        let length = kernel::directory_entries(&directory, rest).map_err(problem)?;
        records.truncate(filled + length);
        if length == 0 {
            break;
        }
        if records.len() > LARGEST_FILE {
            return Err(FileProblem::TooLarge);
        }
    }
    drop(directory);
    let mut names = Vec::new();
    collect_names(&records, &mut names);
    Ok(names)
}

impl<'s> FileSystem<'s> {
    /// The constructor's.
    pub fn new(start: &'s AtStart) -> Self {
        let fstat = OnceCell::new();
        Self { start, fstat }
    }

    /// fstat(2) in the way of this process's libc, whose loader has made that very call: fstat itself
    /// or newfstatat. A filter may kill the process for the other (seccomp(2)).
    fn status(&self, file: &Descriptor) -> Result<libc::stat, FileProblem> {
        match self.fstat.get_or_init(|| Fstat::of_libc(self.start)) {
            Fstat::ByDescriptor => kernel::status(file.number()).map_err(problem),
            Fstat::ByEmptyPath => kernel::status_of_open(file).map_err(problem),
            // SAFETY: these are libc's own.
            Fstat::Function(fstat, errno) => unsafe { status_by(*fstat, *errno, file) },
        }
    }
}

impl Fstat {
    /// glibc exports `fstat` since 2.33; before, its loader made the call of that name. Up to 2.38, `fstat` is a
    /// jump to `fstatat` (sysdeps/unix/sysv/linux/fstat64.c). Any other `fstat`, such as musl's, is called.
    fn of_libc(start: &AtStart) -> Self {
        Self::exported(start).unwrap_or(Self::ByDescriptor)
    }

    fn exported(start: &AtStart) -> Option<Self> {
        let Libc {
            image, is_glibc, ..
        } = start.libc()?;
        let fstat = image.function(c"fstat")?;
        let fstatat = image.function(c"fstatat").filter(|_| *is_glibc);
        if fstatat.is_some_and(|fstatat| direct::jumps(image, fstat, fstatat.address)) {
            return Some(Self::ByEmptyPath);
        }
        let errno = loaded_objects::address(image, c"__errno_location")?;
        // SAFETY: fstat(3) and errno(3) have these signatures.
        Some(unsafe {
            Self::Function(
                mem::transmute::<usize, FstatFunction>(fstat.address),
                mem::transmute::<usize, Errno>(errno),
            )
        })
    }
}

/// # Safety
/// The functions are libc's `fstat` and `__errno_location`.
unsafe fn status_by(
    fstat: FstatFunction,
    errno: Errno,
    file: &Descriptor,
) -> Result<libc::stat, FileProblem> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the address of this thread's `errno` (errno(3)).
    let errno = unsafe { errno() };
    // SAFETY: `errno` points to this thread's `errno`. It is saved, because the host must not see a change if a
    // filter lets the call fail.
    let before = unsafe { *errno };
    // SAFETY: room for the structure.
    let outcome = unsafe { fstat(file.number(), status.as_mut_ptr()) };
    // SAFETY: as above.
    unsafe { *errno = before };
    if outcome == 0 {
        // SAFETY: the call filled the structure.
        Ok(unsafe { status.assume_init() })
    } else {
        Err(FileProblem::NotPermitted)
    }
}

fn open(path: &[u8], flags: libc::c_int) -> Result<Descriptor, FileProblem> {
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
