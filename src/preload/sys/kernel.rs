//! The system calls that the preload object makes by itself.
//!
//! Errors are the kernel's numbers (errno(3)); `errno` itself is never touched.

use crate::entry::machine::system_call;
use crate::sys::auxiliary;
use alloc::vec::Vec;
use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::ptr;
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
    // SAFETY: `call` is private, and each caller in this module passes only buffers that live during the
    // call, with their true lengths. No call closes or changes a descriptor that is not ours (stderr is only
    // written to). What takes memory away or changes its protection (munmap, mprotect, madvise) is an unsafe
    // function, whose caller promises the rest.
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

/// Whether a write would find room at once (ppoll(2), not waiting): a pipe, a socket or a terminal
/// may be full, and whoever reads it may never do so again.
pub fn has_room(number: c_int) -> bool {
    let mut asked = libc::pollfd {
        fd: number,
        events: libc::POLLOUT,
        revents: 0,
    };
    let at_once = [0_i64; 2];
    let (asked_at, at_once) = ((&raw mut asked) as usize, (&raw const at_once) as usize);
    let ready = call(libc::SYS_ppoll, [asked_at, 1, at_once, 0, 0, 0]);
    ready == Ok(1) && asked.revents & libc::POLLOUT != 0
}

/// pread64(2) at `offset`.
pub fn read_at(descriptor: &Descriptor, buffer: &mut [u8], offset: usize) -> Result<usize> {
    let (start, length) = (buffer.as_mut_ptr() as usize, buffer.len());
    let number = descriptor.0 as usize;
    call(libc::SYS_pread64, [number, start, length, offset, 0, 0])
}

/// pwrite64(2) at `offset`.
pub fn write_at(descriptor: &Descriptor, bytes: &[u8], offset: usize) -> Result<usize> {
    let (start, length) = (bytes.as_ptr() as usize, bytes.len());
    let number = descriptor.0 as usize;
    call(libc::SYS_pwrite64, [number, start, length, offset, 0, 0])
}

/// The whole of a file in /proc, whose length cannot be asked for.
pub fn read_all(path: &CStr) -> Result<Vec<u8>> {
    read_rest(&open(path, libc::O_RDONLY, 0)?, usize::MAX)
}

/// What is left to read of a file in /proc, if it is not longer than `longest` bytes (else EFBIG).
pub fn read_rest(file: &Descriptor, longest: usize) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let filled = content.len();
        // Without memory the attempt would end here, and the file stay open in the host.
        content.try_reserve(4096).map_err(|_| libc::ENOMEM)?;
        content.resize(filled + 4096, 0);
        let count = read(file, content.get_mut(filled..).unwrap_or_default())?;
        content.truncate(filled + count);
        if content.len() > longest {
            return Err(libc::EFBIG);
        }
        if count == 0 {
            return Ok(content);
        }
    }
}

/// getdents64(2).
pub fn directory_entries(descriptor: &Descriptor, buffer: &mut [u8]) -> Result<usize> {
    let (start, length) = (buffer.as_mut_ptr() as usize, buffer.len());
    let number = descriptor.0 as usize;
    call(libc::SYS_getdents64, [number, start, length, 0, 0, 0])
}

/// fstat(2) by its own system call, as musl's loader and those of glibc before 2.33 make it for every
/// library: a filter (seccomp(2)) that lets programs start allows it there. The loaders of glibc since
/// 2.33 make other calls, and export `fstat` (`file_system.rs`).
pub fn status(number: c_int) -> Result<libc::stat> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    let to = status.as_mut_ptr() as usize;
    call(libc::SYS_fstat, [number as usize, to, 0, 0, 0, 0])?;
    // SAFETY: fstat succeeded, so the kernel filled the structure.
    Ok(unsafe { status.assume_init() })
}

/// fstat(2) by the system call of [`status_of`], which answers make anyhow, and the constructor where libc's `fstat`
/// makes it.
pub fn status_of_open(file: &Descriptor) -> Result<libc::stat> {
    status_at(file.0 as usize, c"", libc::AT_EMPTY_PATH as usize)
}

/// stat(2).
pub fn status_of(path: &CStr) -> Result<libc::stat> {
    status_at(HERE, path, 0)
}

fn status_at(folder: usize, path: &CStr, flags: usize) -> Result<libc::stat> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    let to = status.as_mut_ptr() as usize;
    let path = path.as_ptr() as usize;
    call(libc::SYS_newfstatat, [folder, path, to, flags, 0, 0])?;
    // SAFETY: the call succeeded, so the kernel filled the structure.
    Ok(unsafe { status.assume_init() })
}

/// Whether this process may read a file: opening it asks with the rights that count. Where no
/// descriptor is left, access(2) asks with the real ids.
pub fn may_read(path: &CStr) -> bool {
    match open(path, libc::O_RDONLY, 0) {
        Ok(_) => true,
        Err(libc::EMFILE | libc::ENFILE) => {
            let (path, mode) = (path.as_ptr() as usize, libc::R_OK as usize);
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

/// getppid(2).
pub fn parent_id() -> usize {
    call(libc::SYS_getppid, [0; 6]).unwrap_or(0)
}

/// gettid(2).
pub fn thread_id() -> usize {
    call(libc::SYS_gettid, [0; 6]).unwrap_or(0)
}

/// The seconds and nanoseconds of CLOCK_MONOTONIC (clock_gettime(2)).
pub fn monotonic_time() -> [i64; 2] {
    time(libc::CLOCK_MONOTONIC)
}

/// The seconds since 1970 (CLOCK_REALTIME).
pub fn seconds() -> u64 {
    let [seconds, _] = time(libc::CLOCK_REALTIME);
    u64::try_from(seconds).unwrap_or(0)
}

fn time(clock: libc::clockid_t) -> [i64; 2] {
    let mut time = [0_i64; 2];
    let to = (&raw mut time) as usize;
    let _ = call(libc::SYS_clock_gettime, [clock as usize, to, 0, 0, 0, 0]);
    time
}

/// Sends one message to the datagram socket at `path` (unix(7)), or none where it does not get through
/// at once: the receiver may be full, or gone.
pub fn send(path: &CStr, message: &[u8]) -> Result<usize> {
    let mut address = libc::sockaddr_un {
        sun_family: libc::AF_UNIX as libc::sa_family_t,
        sun_path: [0; 108],
    };
    let bytes = path.to_bytes_with_nul();
    if bytes.len() > address.sun_path.len() {
        return Err(libc::ENAMETOOLONG);
    }
    for (place, byte) in address.sun_path.iter_mut().zip(bytes) {
        *place = byte.cast_signed() as core::ffi::c_char;
    }
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let family = libc::AF_UNIX as usize;
    let number = call(libc::SYS_socket, [family, kind as usize, 0, 0, 0, 0])?;
    let socket = Descriptor(number as c_int);
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    call(
        libc::SYS_sendto,
        [
            socket.0 as usize,
            message.as_ptr() as usize,
            message.len(),
            flags as usize,
            (&raw const address) as usize,
            size_of_val(&address),
        ],
    )
}

/// What nobody may do to a file in memory any more (F_GET_SEALS, fcntl(2)).
pub fn seals(file: &Descriptor) -> Result<c_int> {
    let command = libc::F_GET_SEALS as usize;
    call(libc::SYS_fcntl, [file.0 as usize, command, 0, 0, 0, 0]).map(|seals| seals as c_int)
}

/// Whether this process may have only so much memory (RLIMIT_AS, prlimit(2)).
pub fn is_memory_limited() -> bool {
    let mut limits = [u64::MAX; 2];
    let (what, to) = (libc::RLIMIT_AS as usize, (&raw mut limits) as usize);
    let _ = call(libc::SYS_prlimit64, [0, what, 0, to, 0, 0]);
    limits[0] != libc::RLIM_INFINITY
}

/// geteuid(2).
pub fn effective_user() -> libc::uid_t {
    call(libc::SYS_geteuid, [0; 6]).unwrap_or(0) as libc::uid_t
}

/// sched_yield(2).
pub fn yield_processor() {
    let _ = call(libc::SYS_sched_yield, [0; 6]);
}

/// A set of signals as the kernel has it: bit N - 1 for signal N.
pub type Signals = u64;

/// The signals that an instruction raises where it runs, a system call under a filter among them
/// (SECCOMP_RET_TRAP). The kernel does not let them wait: where they are blocked, it kills the
/// process without asking its handler.
const SYNCHRONOUS_SIGNALS: Signals = {
    let signals = [
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGSEGV,
        libc::SIGSYS,
    ];
    let (mut set, mut index) = (0, 0);
    while index < signals.len() {
        set |= 1 << (signals[index] - 1);
        index += 1;
    }
    set
};

/// Lets the signals of this thread wait that can (rt_sigprocmask(2)); returns which waited before.
pub fn block_signals() -> Result<Signals> {
    let mut before = 0;
    set_signals(libc::SIG_BLOCK, &!SYNCHRONOUS_SIGNALS, &raw mut before)?;
    Ok(before)
}

/// Undoes [`block_signals`].
pub fn unblock_signals(before: Signals) {
    let _ = set_signals(libc::SIG_SETMASK, &before, ptr::null_mut());
}

fn set_signals(how: c_int, signals: &Signals, before: *mut Signals) -> Result<usize> {
    let signals = ptr::from_ref(signals) as usize;
    let size = size_of::<Signals>();
    call(
        libc::SYS_rt_sigprocmask,
        [how as usize, signals, before as usize, size, 0, 0],
    )
}

/// Whether 8 bytes from an address, rounded down to a multiple of 8, may be read: the kernel reads a set of
/// signals before it refuses an operation that does not exist (rt_sigprocmask(2): EFAULT, else EINVAL).
pub fn is_readable(address: usize) -> bool {
    let (no_operation, size) = (usize::MAX, size_of::<Signals>());
    let address = address & (size - 1).wrapping_neg();
    let asked = [no_operation, address, 0, size, 0, 0];
    call(libc::SYS_rt_sigprocmask, asked) == Err(libc::EINVAL)
}

/// Whether the memory at an address may be read, asked by a call that every start makes (openat(2)): the kernel reads
/// the path before it looks for it (else EFAULT). It looks in what stdin is, which is no folder and so has no files. A
/// number that can be no descriptor would do as well, but valgrind warns of those.
pub fn is_readable_at_start(address: usize) -> bool {
    // Where stdin is a folder, or the bytes are an absolute path, this opens nothing but the path.
    let flags = libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let stdin = libc::STDIN_FILENO as usize;
    let opened = call(libc::SYS_openat, [stdin, address, flags as usize, 0, 0, 0]);
    let opened = opened.map(|number| drop(Descriptor(number as c_int)));
    opened != Err(libc::EFAULT)
}

/// The signal stack of this thread where it runs on it (sigaltstack(2)).
pub fn signal_stack_in_use() -> Option<libc::stack_t> {
    let mut stack = MaybeUninit::<libc::stack_t>::uninit();
    let to = stack.as_mut_ptr() as usize;
    call(libc::SYS_sigaltstack, [0, to, 0, 0, 0, 0]).ok()?;
    // SAFETY: the call succeeded, so the kernel filled the structure.
    let stack = unsafe { stack.assume_init() };
    (stack.ss_flags & libc::SS_ONSTACK != 0).then_some(stack)
}

/// Sets this thread's signal stack, `None` for none (sigaltstack(2)): not while it runs on the one that
/// is set.
pub fn set_signal_stack(stack: Option<&libc::stack_t>) {
    let none = libc::stack_t {
        ss_sp: ptr::null_mut(),
        ss_flags: libc::SS_DISABLE,
        ss_size: 0,
    };
    let stack = ptr::from_ref(stack.unwrap_or(&none)) as usize;
    let _ = call(libc::SYS_sigaltstack, [stack, 0, 0, 0, 0, 0]);
}

/// Takes back a waiting signal that a write of ours has raised (rt_sigtimedwait(2), not waiting).
pub fn take_signal(number: c_int) {
    let signals: Signals = 1 << (number - 1);
    let at_once = [0_i64; 2];
    let signals = (&raw const signals) as usize;
    let at_once = (&raw const at_once) as usize;
    let size = size_of::<Signals>();
    let _ = call(libc::SYS_rt_sigtimedwait, [signals, 0, at_once, size, 0, 0]);
}

/// mmap(2): fresh private memory, zeroed, readable and writable; `length` is in bytes.
pub fn map(length: usize) -> Result<*mut u8> {
    let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
    let nowhere = usize::MAX;
    let address = call(libc::SYS_mmap, [0, length, protection, flags, nowhere, 0])?;
    Ok(address as *mut u8)
}

/// mmap(2): a file's first `length` bytes, readable and writable, shared with all who map it.
pub fn map_shared(file: &Descriptor, length: usize) -> Result<*mut u8> {
    let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    let (shared, number) = (libc::MAP_SHARED as usize, file.0 as usize);
    let address = call(libc::SYS_mmap, [0, length, protection, shared, number, 0])?;
    Ok(address as *mut u8)
}

/// munmap(2).
///
/// # Safety
/// The range came from [`map`] or [`map_shared`], and nothing refers to it any more.
pub unsafe fn unmap(start: *mut u8, length: usize) {
    let _ = call(libc::SYS_munmap, [start as usize, length, 0, 0, 0, 0]);
}

/// Gives a child of fork zeroes in place of what [`map`] gave (madvise(2), since Linux 4.14). A refusal
/// leaves it as it is.
///
/// # Safety
/// The range came from [`map`], and zeroes in it are valid for a child.
pub unsafe fn wipe_on_fork(start: *mut u8, length: usize) {
    let (start, advice) = (start as usize, libc::MADV_WIPEONFORK as usize);
    let _ = call(libc::SYS_madvise, [start, length, advice, 0, 0, 0]);
}

/// Leaves a range out of core dumps (madvise(2), MADV_DONTDUMP).
///
/// # Safety
/// The range came from [`map`] or [`map_shared`].
pub unsafe fn keep_from_dumps(start: *mut u8, length: usize) {
    let (start, advice) = (start as usize, libc::MADV_DONTDUMP as usize);
    let _ = call(libc::SYS_madvise, [start, length, advice, 0, 0, 0]);
}

/// mprotect(2) of the pages that hold a range.
///
/// # Safety
/// What runs or writes in those pages must do with the new protection.
pub unsafe fn protect(start: usize, length: usize, protection: c_int) -> Result<()> {
    let page = auxiliary::page();
    // A page's length is a power of two.
    let first = start & page.wrapping_neg();
    let length = start.wrapping_add(length).wrapping_sub(first);
    let protection = protection as usize;
    call(libc::SYS_mprotect, [first, length, protection, 0, 0, 0]).map(|_| ())
}

impl Descriptor {
    /// The descriptor's number.
    pub fn number(&self) -> c_int {
        self.0
    }
}
