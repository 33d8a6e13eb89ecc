//! The Frida Gum engine: libc's own code goes on answering, behind a trampoline.
//!
//! The jump over `getenv`'s first bytes is written as the built-in engine writes its own. Gum's relocator copies the
//! instructions that the jump replaces, so that they can run elsewhere. Gum is in a separate object beside the
//! preload object.

use crate::answer::hooks;
use crate::constructor::at_start::AtStart;
use crate::entry::filter;
use crate::entry::machine::{self, NEAR_PATCH_LENGTH, PATCH_LENGTH};
use crate::entry::machine_code::NearFilter;
use crate::hook::direct::Hooks;
use crate::hook::elf::{Function, Image};
use crate::hook::loaded_objects::{self, Libc};
use crate::sys::kernel;
use alloc::ffi::CString;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem;
use opentelemetry_injector_policy::process::file_name;
use opentelemetry_injector_policy::reason::EngineProblem;

/// The file name of the Gum engine's object.
const OBJECT: &[u8] = b"libopentelemetry_injector_gum.so";

// The C ABI of the Gum object, defined in src/gum/lib.rs.
type Relocate = unsafe extern "C" fn(usize, usize, usize, *mut u8) -> c_int;
type Dlopen = unsafe extern "C" fn(*const c_char, c_int) -> *mut c_void;
type Dlerror = unsafe extern "C" fn() -> *const c_char;

/// The path of the Gum object, where it is installed.
pub fn installed() -> Option<CString> {
    let folder = loaded_objects::own_folder();
    let path = CString::new([folder, b"/", OBJECT].concat()).ok()?;
    kernel::may_read(&path).then_some(path)
}

/// Hooks so that libc's own code answers; in an attempt. On x86-64, another hook of `getenv` that begins with a jump
/// goes on answering in libc's place.
///
/// # Errors
/// Nothing is hooked.
pub fn hook(
    start: &AtStart,
    object: &CStr,
    hooked: impl FnMut(&str, usize),
) -> Result<(), EngineProblem> {
    let hooks = Hooks::find(start)?;
    // Gum is built for glibc.
    if !hooks.libc.is_glibc {
        return Err(EngineProblem::GumUnavailable);
    }
    // What another copy of this object has hooked is not hooked again.
    let may_go_on =
        || machine::LEAVES_OTHER_JUMPS && !loaded_objects::is_another_copy_loaded(start);
    if hooks.getenv.is_patched() && !may_go_on() {
        return Err(EngineProblem::AlreadyPatched);
    }
    probe()?;
    load(start, hooks.libc, object)?;
    let relocate = symbol(start, object, c"opentelemetry_injector_gum_relocate")?;
    // SAFETY: src/gum/lib.rs defines the function with this signature (both objects come from one build).
    let relocate = unsafe { mem::transmute::<usize, Relocate>(relocate) };
    let code = Code::new(&hooks, relocate)?;
    let getenv = hooks.getenv.near_patch(code.place(0))?;
    // There is no trampoline to another hook of secure_getenv. Without AT_SECURE, it answers as getenv does.
    let secure_getenv = hooks.secure_getenv.as_ref().map(|target| {
        target.check(hooks.libc)?;
        target.near_patch(code.place(1))
    });
    // For good from here on: if the patches are refused, who knows whether all that was written could be taken back.
    hooks::call_original_at(mem::ManuallyDrop::new(code).trampoline());
    let outcome = hooks.put_in_place(getenv, secure_getenv, hooked);
    if outcome.is_err() {
        hooks::call_no_original();
    }
    outcome
}

/// A page of code near libc: a filter of names right before the trampoline (a copy of `getenv`'s beginning that jumps to
/// its rest), and stubs that jump to the entries, which may be too far for the short jump in libc.
struct Code {
    start: usize,
    /// From the page's start to the filter's code.
    filter: usize,
}

impl Code {
    fn new(hooks: &Hooks<'_>, relocate: Relocate) -> Result<Self, EngineProblem> {
        let filter = NearFilter::new(filter::slots(), filter::beginnings());
        let before = TRAMPOLINE.checked_sub(filter.bytes.len());
        let before = before.ok_or(EngineProblem::GumFailed)?;
        let page = kernel::map(PAGE).map_err(|_| EngineProblem::MemoryRefused)?;
        let code = Self {
            start: page as usize,
            filter: before + filter.code,
        };
        // SAFETY: within the page, and right before the trampoline's room.
        unsafe {
            page.add(before)
                .copy_from_nonoverlapping(filter.bytes.as_ptr(), filter.bytes.len());
        }
        let Function { address, size } = hooks.getenv.function;
        let replaced = hooks.getenv.landing_pad() + NEAR_PATCH_LENGTH;
        // SAFETY: the function can be read (`Hooks::find`) and nobody writes it; there is the room that the Gum object
        // asks for.
        if unsafe { relocate(address, size, replaced, code.trampoline() as *mut u8) } != 0 {
            return Err(EngineProblem::GumFailed);
        }
        let targets = [Some(&hooks.getenv), hooks.secure_getenv.as_ref()];
        for (index, target) in targets.into_iter().flatten().enumerate() {
            let jump = machine::patch(target.entry, &[0; PATCH_LENGTH]);
            // SAFETY: within the page, behind the trampoline's room.
            unsafe { (code.stub(index) as *mut [u8; PATCH_LENGTH]).write(jump) };
        }
        // SAFETY: fresh memory, which only this function knows.
        let closed = unsafe { kernel::protect(code.start, PAGE, CODE) };
        closed.map_err(|_| EngineProblem::MemoryRefused)?;
        // SAFETY: the page is mapped.
        unsafe { machine::synchronize_code(code.start, PAGE) };
        Ok(code)
    }

    /// Where a function is to jump to, by its number: to its entry only if every call is to be told.
    fn place(&self, index: usize) -> usize {
        if hooks::is_every_call_told() {
            self.stub(index)
        } else {
            self.start + self.filter
        }
    }

    fn trampoline(&self) -> usize {
        self.start + TRAMPOLINE
    }

    fn stub(&self, index: usize) -> usize {
        self.trampoline() + TRAMPOLINE_ROOM + index * STUB
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: nothing jumps there yet.
        unsafe { kernel::unmap(self.start as *mut u8, PAGE) };
    }
}

/// From the page's start to the trampoline, in bytes: enough for the filter.
const TRAMPOLINE: usize = 256;

/// The room for the trampoline in bytes, as src/gum/lib.rs takes it.
const TRAMPOLINE_ROOM: usize = 2048;

/// From one stub to the next, in bytes.
const STUB: usize = 32;

/// What is mapped for the code, in bytes.
const PAGE: usize = 4096;

const CODE: c_int = libc::PROT_READ | libc::PROT_EXEC;

/// More than Gum and its object take, in bytes: where memory is limited (RLIMIT_AS, RLIMIT_DATA), Gum ends the
/// process that gives it none.
const ROOM: usize = 8 << 20;

/// Tries out that there is memory, and that it can be made executable after it was written (PR_SET_MDWE and
/// SELinux refuse that): before the Gum object is loaded for nothing.
fn probe() -> Result<(), EngineProblem> {
    let refused = |_| EngineProblem::MemoryRefused;
    let room = kernel::map(ROOM).map_err(refused)?;
    // SAFETY: nothing is in there.
    let outcome = unsafe { kernel::protect(room as usize, ROOM, CODE) };
    // SAFETY: as above.
    unsafe { kernel::unmap(room, ROOM) };
    outcome.map_err(refused)
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
    let handle = unsafe { dlopen(object.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL) };
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
