//! The system calls that the preload object makes, and no others.
//!
//! Errors are the kernel's numbers (errno(3)); `errno` itself is never touched.

use crate::x86_64::system_call;
use core::ffi::CStr;
use core::mem::MaybeUninit;
use libc::c_int;

/// A result of the kernel: a value or an error number.
pub type Result<T> = core::result::Result<T, c_int>;

/// An open descriptor, closed when dropped.
pub struct Descriptor(c_int);

impl Drop for Descriptor {
    fn drop(&mut self) {
        let _ = call(libc::SYS_close, [self.0 as usize, 0, 0, 0, 0, 0]);
    }
}

/// Makes one of this module's calls, each of which is harmless with the arguments it is given.
fn call(number: libc::c_long, arguments: [usize; 6]) -> Result<usize> {
    // SAFETY: private to this module; every caller passes live buffers with their true lengths and
    // acts on descriptors of its own. `mmap` and friends are unsafe functions with their own rules.
    let result = unsafe { system_call(number, arguments) };
    match usize::try_from(result) {
        Ok(value) => Ok(value),
        Err(_) => Err(-result as c_int),
    }
}

const HERE: usize = libc::AT_FDCWD as usize;

/// openat(2) relative to the working directory, close-on-exec, never waiting, never a terminal.
pub fn open(path: &CStr, flags: c_int, mode: u32) -> Result<Descriptor> {
    let flags = flags | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
    let path = path.as_ptr() as usize;
    let number = call(
        libc::SYS_openat,
        [HERE, path, flags as usize, mode as usize, 0, 0],
    )?;
    Ok(Descriptor(number as c_int))
}

/// read(2).
pub fn read(descriptor: &Descriptor, buffer: &mut [u8]) -> Result<usize> {
    let (start, length) = (buffer.as_mut_ptr() as usize, buffer.len());
    call(
        libc::SYS_read,
        [descriptor.0 as usize, start, length, 0, 0, 0],
    )
}

/// write(2) to a descriptor by its number: stderr, or one of our own.
pub fn write(number: c_int, bytes: &[u8]) -> Result<usize> {
    let (start, length) = (bytes.as_ptr() as usize, bytes.len());
    call(libc::SYS_write, [number as usize, start, length, 0, 0, 0])
}

/// pwrite64(2): all of `bytes` at `offset`, or an error.
pub fn write_at(descriptor: &Descriptor, bytes: &[u8], offset: usize) -> Result<()> {
    let (start, length) = (bytes.as_ptr() as usize, bytes.len());
    let number = descriptor.0 as usize;
    match call(libc::SYS_pwrite64, [number, start, length, offset, 0, 0])? {
        written if written == length => Ok(()),
        _ => Err(libc::EIO),
    }
}

/// getdents64(2).
pub fn directory_entries(descriptor: &Descriptor, buffer: &mut [u8]) -> Result<usize> {
    let (start, length) = (buffer.as_mut_ptr() as usize, buffer.len());
    let number = descriptor.0 as usize;
    call(libc::SYS_getdents64, [number, start, length, 0, 0, 0])
}

/// fstat(2).
pub fn status(descriptor: &Descriptor) -> Result<libc::stat> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    let to = status.as_mut_ptr() as usize;
    call(libc::SYS_fstat, [descriptor.0 as usize, to, 0, 0, 0, 0])?;
    // SAFETY: fstat succeeded, so the kernel filled the structure.
    Ok(unsafe { status.assume_init() })
}

/// stat(2).
pub fn status_of(path: &CStr) -> Result<libc::stat> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    let to = status.as_mut_ptr() as usize;
    let path = path.as_ptr() as usize;
    call(libc::SYS_newfstatat, [HERE, path, to, 0, 0, 0])?;
    // SAFETY: the call succeeded, so the kernel filled the structure.
    Ok(unsafe { status.assume_init() })
}

/// Whether this process may read a file, by its effective ids and without opening it (so it works
/// where no descriptor is left).
pub fn may_read(path: &CStr) -> bool {
    let (path, mode) = (path.as_ptr() as usize, libc::R_OK as usize);
    let effective = libc::AT_EACCESS as usize;
    match call(libc::SYS_faccessat2, [HERE, path, mode, effective, 0, 0]) {
        Ok(_) => true,
        // Kernels before 5.8, and filters that do not know the call.
        Err(libc::ENOSYS | libc::EPERM) => {
            call(libc::SYS_faccessat, [HERE, path, mode, 0, 0, 0]).is_ok()
        }
        Err(_) => false,
    }
}

/// readlink(2).
pub fn read_link<'b>(path: &CStr, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
    let (start, length) = (buffer.as_mut_ptr() as usize, buffer.len());
    let path = path.as_ptr() as usize;
    let length = call(libc::SYS_readlinkat, [HERE, path, start, length, 0, 0])?;
    Ok(buffer.get(..length).unwrap_or_default())
}

/// getpid(2).
pub fn process_id() -> usize {
    call(libc::SYS_getpid, [0; 6]).unwrap_or(0)
}

/// sched_yield(2).
pub fn yield_processor() {
    let _ = call(libc::SYS_sched_yield, [0; 6]);
}

/// fcntl(2) `F_GETFD`: whether a descriptor is open.
pub fn is_open(number: c_int) -> bool {
    let get = libc::F_GETFD as usize;
    call(libc::SYS_fcntl, [number as usize, get, 0, 0, 0, 0]).is_ok()
}

/// mmap(2): fresh private memory, zeroed, readable and writable; `length` is in bytes.
pub fn map(length: usize) -> Result<*mut u8> {
    let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
    let nowhere = usize::MAX;
    let address = call(libc::SYS_mmap, [0, length, protection, flags, nowhere, 0])?;
    Ok(address as *mut u8)
}

/// munmap(2).
///
/// # Safety
/// The range came from [`map`] and nothing refers to it any more.
pub unsafe fn unmap(start: *mut u8, length: usize) {
    let _ = call(libc::SYS_munmap, [start as usize, length, 0, 0, 0, 0]);
}

/// mprotect(2) of the pages that hold a range.
///
/// # Safety
/// What runs or writes in those pages must do with the new protection.
pub unsafe fn protect(start: usize, length: usize, protection: c_int) -> Result<()> {
    // Pages may be larger than this (arm64), but never smaller.
    const PAGE: usize = 4096;
    let first = start & !(PAGE - 1);
    let end = (start + length).next_multiple_of(PAGE);
    let protection = protection as usize;
    call(
        libc::SYS_mprotect,
        [first, end - first, protection, 0, 0, 0],
    )
    .map(|_| ())
}

impl Descriptor {
    /// The descriptor's number.
    pub fn number(&self) -> c_int {
        self.0
    }
}
