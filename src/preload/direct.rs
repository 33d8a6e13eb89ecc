//! The built-in engine: a jump over a function's first bytes.

use crate::loaded_objects::{Function, Object};
use crate::machine::{self, PATCH_LENGTH};
use crate::{environment, kernel, loaded_objects};
use core::ffi::c_char;
use core::slice;
use opentelemetry_injector_policy::reason::EngineProblem;

/// How code is written: through `/proc/self/mem`, which changes no protection; where that is not to
/// be had, by making the page writable while it stays executable, so that no refusal can leave
/// unusable code behind.
struct Writer {
    memory: Option<kernel::Descriptor>,
}

impl Writer {
    fn new() -> Self {
        let memory = kernel::open(c"/proc/self/mem", libc::O_RDWR, 0).ok();
        Self {
            memory: memory.filter(has_our_memory),
        }
    }

    /// Makes `function` jump to `destination` for the rest of the process's life; returns where
    /// the patch is.
    ///
    /// # Errors
    /// The function is as it was.
    ///
    /// # Safety
    /// `destination` behaves as the function does, and no thread is inside its first bytes.
    unsafe fn patch(&self, function: Function, destination: usize) -> Result<usize, EngineProblem> {
        // SAFETY: the loader mapped the function for reading and executing.
        let code = unsafe { slice::from_raw_parts(function.address as *const u8, function.size) };
        let pad = machine::landing_pad(code);
        let code = code.get(pad..).unwrap_or_default();
        if machine::is_patched(code) {
            return Err(EngineProblem::AlreadyPatched);
        }
        if code.len() < PATCH_LENGTH {
            return Err(EngineProblem::TooShort);
        }
        let start = function.address + pad;
        let bytes = machine::patch(destination);
        if !self.write_whole(start, &bytes) {
            // SAFETY: the caller's promise; the code belongs to the function alone.
            unsafe { write_with_protection(start, &bytes) }
                .map_err(|_| EngineProblem::MemoryRefused)?;
        }
        // SAFETY: the function is at least this long.
        unsafe { machine::synchronize_code(start, PATCH_LENGTH) };
        Ok(start)
    }
}

/// Whether the file shows the memory that this code runs in: in a process that an emulator runs
/// (qemu-user) it may be the emulator's. Told by the entry's own machine code.
fn has_our_memory(memory: &kernel::Descriptor) -> bool {
    let entry = machine::entry as *const () as usize;
    // SAFETY: the entry is longer than a patch.
    let ours = unsafe { (entry as *const [u8; PATCH_LENGTH]).read_unaligned() };
    let mut theirs = [0; PATCH_LENGTH];
    kernel::read_at(memory, &mut theirs, entry) == Ok(PATCH_LENGTH) && theirs == ours
}

impl Writer {
    /// Writes all of `bytes` or, in the end, none: the code is never left half patched.
    fn write_whole(&self, start: usize, bytes: &[u8; PATCH_LENGTH]) -> bool {
        let Some(memory) = &self.memory else {
            return false;
        };
        // SAFETY: the function is at least this long.
        let before = unsafe { (start as *const [u8; PATCH_LENGTH]).read_unaligned() };
        match kernel::write_at(memory, bytes, start) {
            Ok(PATCH_LENGTH) => true,
            Ok(part) => {
                let _ = kernel::write_at(memory, before.get(..part).unwrap_or_default(), start);
                false
            }
            Err(_) => false,
        }
    }
}

/// # Safety
/// No thread runs the bytes that are replaced.
unsafe fn write_with_protection(start: usize, bytes: &[u8; PATCH_LENGTH]) -> kernel::Result<()> {
    let code = libc::PROT_READ | libc::PROT_EXEC;
    // SAFETY: the page stays readable and executable.
    unsafe { kernel::protect(start, PATCH_LENGTH, code | libc::PROT_WRITE) }?;
    // SAFETY: the page is writable now.
    unsafe { (start as *mut [u8; PATCH_LENGTH]).write_unaligned(*bytes) };
    // SAFETY: its protection as before; a refusal leaves it writable, which harms nothing.
    let _ = unsafe { kernel::protect(start, PATCH_LENGTH, code) };
    Ok(())
}

/// Whether other threads exist, which may be inside a function that is to be patched.
pub fn threads_are_running(libc: &Object<'_>) -> bool {
    // glibc 2.32 and later tell (__libc_single_threaded(3)).
    if let Some(single) = libc.variable(c"__libc_single_threaded") {
        // SAFETY: a `char` of libc's.
        return unsafe { single.cast::<c_char>().read_volatile() } == 0;
    }
    // A link for each thread, two for the directory itself; without /proc nothing tells.
    kernel::status_of(c"/proc/self/task").is_ok_and(|status| status.st_nlink > 3)
}

/// glibc's `__libc_single_threaded`, where its `getenv` looks again for what it may have missed: since
/// 2.41, which has brought `sched_getattr` as well.
fn looks_again(libc: &Object<'_>) -> Option<*const c_char> {
    libc.function(c"sched_getattr")?;
    libc.variable(c"__libc_single_threaded")
}

/// Patches libc's `getenv` and `secure_getenv` to jump to the hook's entry.
///
/// # Errors
/// `getenv` is as it was. A `secure_getenv` that cannot be patched is no error: it asks `getenv`.
pub fn hook(mut hooked: impl FnMut(&str, usize)) -> Result<(), EngineProblem> {
    let (getenv, secure_getenv, looks_again) = loaded_objects::find(|object| {
        if !object.is_libc() {
            return None;
        }
        Some(match threads_are_running(object) {
            true => Err(EngineProblem::Threads),
            false => Ok((
                object.function(c"getenv"),
                object.function(c"secure_getenv"),
                looks_again(object),
            )),
        })
    })
    .ok_or(EngineProblem::NoLibc)??;
    let getenv = getenv.ok_or(EngineProblem::NoFunction)?;
    if let Some(single_threaded) = looks_again {
        environment::look_again_where(single_threaded);
    }
    let entry = machine::entry as *const () as usize;
    let writer = Writer::new();
    // SAFETY: the entry answers as getenv does, and no other thread is running.
    hooked("getenv", unsafe { writer.patch(getenv, entry) }?);
    if let Some(function) = secure_getenv {
        // SAFETY: as above; without AT_SECURE the two answer alike (secure_getenv(3)).
        if let Ok(address) = unsafe { writer.patch(function, entry) } {
            hooked("secure_getenv", address);
        }
    }
    Ok(())
}
