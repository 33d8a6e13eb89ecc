//! The Frida Gum engine: a separate object beside the preload object, loaded only where it is safe.
//!
//! Gum aborts the process if memory cannot be made writable and executable. This is tried first, on
//! memory that nothing depends on.

use crate::answer::call_log::{self, Backtrace};
use crate::answer::hooks;
use crate::constructor::at_start::AtStart;
use crate::entry::machine_code;
use crate::hook::direct;
use crate::hook::elf::{Function, Image};
use crate::hook::loaded_objects::{self, Libc};
use crate::sys::kernel;
use alloc::ffi::CString;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem;
use opentelemetry_injector_policy::process::file_name;
use opentelemetry_injector_policy::reason::EngineProblem;

/// The file name of the Gum engine's object.
const OBJECT: &[u8] = b"libopentelemetry_injector_gum.so";

// The C ABI of the Gum object, defined in src/gum/lib.rs.
type Replace = unsafe extern "C" fn(*const [usize; 2], usize, *mut usize) -> c_int;
type Dlopen = unsafe extern "C" fn(*const c_char, c_int) -> *mut c_void;
type Dlerror = unsafe extern "C" fn() -> *const c_char;

/// The path of the Gum object, where it is installed.
pub fn installed() -> Option<CString> {
    let folder = loaded_objects::own_folder();
    let path = CString::new([folder, b"/", OBJECT].concat()).ok()?;
    kernel::may_read(&path).then_some(path)
}

/// Hooks through Gum.
///
/// # Errors
/// Nothing is hooked.
pub fn hook(
    start: &AtStart,
    object: &CStr,
    with_backtraces: bool,
    mut hooked: impl FnMut(&str, usize),
) -> Result<(), EngineProblem> {
    let libc = start.libc().ok_or(EngineProblem::NoLibc)?;
    // Gum is built for glibc.
    if !libc.is_glibc {
        return Err(EngineProblem::GumUnavailable);
    }
    if direct::threads_are_running(libc) {
        return Err(EngineProblem::Threads);
    }
    let getenv = libc.image.function(c"getenv");
    let getenv = getenv.ok_or(EngineProblem::NoFunction)?;
    let secure_getenv = libc.image.function(c"secure_getenv");
    let functions: Vec<Function> = [Some(getenv), secure_getenv]
        .into_iter()
        .flatten()
        .collect();
    for function in &functions {
        probe(*function)?;
    }
    load(start, libc, object)?;
    let replace = symbol(start, object, c"opentelemetry_injector_gum_replace")?;
    let backtrace = if with_backtraces {
        Some(symbol(
            start,
            object,
            c"opentelemetry_injector_gum_backtrace",
        )?)
    } else {
        None
    };
    // SAFETY: src/gum/lib.rs defines the function with this signature (both objects come from one build).
    let replace = unsafe { mem::transmute::<usize, Replace>(replace) };
    let entries = [machine_code::entry, machine_code::secure_entry];
    let entries = entries.map(|entry| entry as *const () as usize);
    let pairs = functions.iter().zip(entries);
    let pairs: Vec<[usize; 2]> = pairs.map(|(f, entry)| [f.address, entry]).collect();
    let mut trampoline = 0;
    // SAFETY: the pairs and the trampoline live during the call. The entry has getenv's signature and behaves as
    // both functions do. `probe` has shown that their pages can be made writable and executable.
    let failed = unsafe { replace(pairs.as_ptr(), pairs.len(), &raw mut trampoline) } != 0;
    for function in &functions {
        close(*function);
    }
    if failed || trampoline == 0 {
        return Err(EngineProblem::GumFailed);
    }
    hooks::call_original_at(trampoline);
    hooked("getenv", getenv.address);
    if let Some(function) = secure_getenv {
        hooked("secure_getenv", function.address);
    }
    if let Some(backtrace) = backtrace {
        // SAFETY: the Gum object's function has this signature.
        call_log::backtraces_by(unsafe { mem::transmute::<usize, Backtrace>(backtrace) });
    }
    Ok(())
}

const CODE: c_int = libc::PROT_READ | libc::PROT_EXEC;

/// More than Gum and its object take, in bytes: where memory is limited (RLIMIT_AS, RLIMIT_DATA), it
/// does not ask whether it got any.
const ROOM: usize = 8 << 20;

/// What Gum will do to memory, tried out: as much as it takes, and the function's own pages, made
/// writable and executable (SELinux tells the two apart: execmem, execmod).
fn probe(function: Function) -> Result<(), EngineProblem> {
    let refused = |_| EngineProblem::MemoryRefused;
    let room = kernel::map(ROOM).map_err(refused)?;
    // SAFETY: nothing is in there.
    let outcome = unsafe { kernel::protect(room as usize, ROOM, CODE | libc::PROT_WRITE) };
    // SAFETY: as above.
    unsafe { kernel::unmap(room, ROOM) };
    outcome.map_err(refused)?;
    // SAFETY: the code stays readable and executable.
    unsafe { kernel::protect(function.address, function.size, CODE | libc::PROT_WRITE) }
        .map_err(refused)?;
    close(function);
    Ok(())
}

/// Makes a function's pages unwritable again: Gum leaves them writable.
fn close(function: Function) {
    // SAFETY: the code stays readable and executable; a refusal leaves it writable, which harms
    // nothing.
    let _ = unsafe { kernel::protect(function.address, function.size, CODE) };
}

fn load(start: &AtStart, libc: &Libc, object: &CStr) -> Result<(), EngineProblem> {
    // In libc since glibc 2.34, in libdl.so.2 before; nobody else's function of that name.
    let functions = |image: &Image<'_>| {
        let dlopen = loaded_objects::address(image, c"dlopen")?;
        Some((dlopen, loaded_objects::address(image, c"dlerror")?))
    };
    let in_libdl = || {
        let is_libdl = |path: &CStr| file_name(path.to_bytes()) == b"libdl.so.2";
        functions(&loaded_objects::library(start, is_libdl)?)
    };
    let found = functions(&libc.image).or_else(in_libdl);
    let (dlopen, dlerror) = found.ok_or(EngineProblem::GumUnavailable)?;
    // SAFETY: dlopen(3) has this signature.
    let dlopen = unsafe { mem::transmute::<usize, Dlopen>(dlopen) };
    // SAFETY: a C string and flags that exist.
    let handle = unsafe { dlopen(object.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        // SAFETY: dlerror(3) has this signature.
        let dlerror = unsafe { mem::transmute::<usize, Dlerror>(dlerror) };
        // The host must not find a message that is not about a call of its own.
        // SAFETY: no requirements.
        unsafe { dlerror() };
        return Err(EngineProblem::GumUnavailable);
    }
    Ok(())
}

fn symbol(start: &AtStart, object: &CStr, name: &CStr) -> Result<usize, EngineProblem> {
    let image = loaded_objects::library(start, |path| path == object);
    let address = image.and_then(|image| loaded_objects::address(&image, name));
    address.ok_or(EngineProblem::GumUnavailable)
}
