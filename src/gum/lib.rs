//! The Gum engine object: `libopentelemetry_injector_gum.so`, loaded by the preload object where
//! it is installed beside it.
//!
//! Its whole interface is the C ABI below. Of Gum it uses the relocator and the writer: they start no thread, change no
//! memory protection, hook nothing, and need no start of Gum's own.
#![no_std]

mod instructions;
#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
mod machine;

use core::ffi::{c_int, c_uint, c_void};
use core::mem::MaybeUninit;
use core::{ptr, slice};
use instructions::{cannot_be_copied, is_breakpoint, is_jump_into, may_jump_back};
use machine::Writer;

/// Memory for Gum's relocator, which is not in the devkit's header (gum/arch-x86/gumx86relocator.h and
/// gum/arch-arm64/gumarm64relocator.h). There it has ten words at most.
pub type Relocator = MaybeUninit<[usize; 64]>;

unsafe extern "C" {
    #[cfg_attr(target_arch = "x86_64", link_name = "gum_x86_relocator_init")]
    #[cfg_attr(target_arch = "aarch64", link_name = "gum_arm64_relocator_init")]
    fn relocator_init(relocator: *mut Relocator, code: *const c_void, writer: *mut Writer);

    #[cfg_attr(target_arch = "x86_64", link_name = "gum_x86_relocator_reset")]
    #[cfg_attr(target_arch = "aarch64", link_name = "gum_arm64_relocator_reset")]
    fn relocator_reset(relocator: *mut Relocator, code: *const c_void, writer: *mut Writer);

    #[cfg_attr(target_arch = "x86_64", link_name = "gum_x86_relocator_clear")]
    #[cfg_attr(target_arch = "aarch64", link_name = "gum_arm64_relocator_clear")]
    fn relocator_clear(relocator: *mut Relocator);

    /// Returns how many bytes it has read since the last reset; 0 at the end or where it does not know the
    /// instruction.
    #[cfg_attr(target_arch = "x86_64", link_name = "gum_x86_relocator_read_one")]
    #[cfg_attr(target_arch = "aarch64", link_name = "gum_arm64_relocator_read_one")]
    fn relocator_read_one(relocator: *mut Relocator, instruction: *mut *const c_void) -> c_uint;

    fn abort() -> !;
}

/// Copies a function's beginning, so that it can run elsewhere.
///
/// `function` is the address of the function, which has `size` bytes. The whole instructions among which its first
/// `replaced` bytes are go to `to`, changed where they depend on their place, followed by a jump to the rest of the
/// function. Returns 0, or 1 where that cannot be done: an instruction is not known, one is a breakpoint, in whose place
/// somebody keeps another instruction, or the rest jumps back into what is replaced.
///
/// # Safety
/// The function's bytes can be read and do not change meanwhile. `to` has room for 2,048 bytes, which can be
/// written, and at most 64 bytes are replaced.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opentelemetry_injector_gum_relocate(
    function: usize,
    size: usize,
    replaced: usize,
    to: *mut u8,
) -> c_int {
    // On the stack: to allocate them, more of GLib would have to be started.
    let mut memory = MaybeUninit::uninit();
    let mut relocator = Relocator::uninit();
    let relocator = &raw mut relocator;
    // SAFETY: the caller's promise; both live until they are cleared.
    unsafe {
        let writer = machine::writer_init(memory.as_mut_ptr(), to.cast());
        relocator_init(relocator, pointer(function), writer);
        let is_relocated = relocate(relocator, writer, function, size, replaced);
        relocator_clear(relocator);
        machine::writer_clear(writer);
        c_int::from(!is_relocated)
    }
}

/// # Safety
/// As for [`opentelemetry_injector_gum_relocate`]; the relocator is at the function's beginning.
unsafe fn relocate(
    relocator: *mut Relocator,
    writer: *mut Writer,
    function: usize,
    size: usize,
    replaced: usize,
) -> bool {
    // SAFETY: the caller's promise. Nobody writes the function.
    let code = unsafe { slice::from_raw_parts(function as *const u8, size) };
    let mut taken = 0;
    while taken < replaced {
        // SAFETY: the caller's promise: there are as many bytes, and an instruction more is within the page or the
        // next one, which libc's code goes on in. Nobody asks for the instruction.
        let read = unsafe { relocator_read_one(relocator, ptr::null_mut()) } as usize;
        let instruction = code.get(taken..read).unwrap_or_default();
        if instruction.is_empty() || cannot_be_copied(instruction) || is_breakpoint(instruction) {
            return false;
        }
        taken = read;
    }
    // SAFETY: the instructions were read, and the writer has room for them.
    let is_written = unsafe {
        machine::write_all(relocator);
        machine::jump(writer, function + taken)
    };
    // SAFETY: the caller's promise.
    is_written
        && !(may_jump_back(code, taken) && unsafe { jumps_back(relocator, writer, code, taken) })
}

/// Whether the rest of the function, behind the bytes that are `taken`, jumps to a place within them. What is not
/// known counts as such a jump.
///
/// # Safety
/// As for [`opentelemetry_injector_gum_relocate`].
unsafe fn jumps_back(
    relocator: *mut Relocator,
    writer: *mut Writer,
    code: &[u8],
    taken: usize,
) -> bool {
    let mut end = taken;
    while let Some(rest @ [_, ..]) = code.get(end..) {
        // SAFETY: the caller's promise. Nobody asks for the instruction.
        let length = unsafe {
            relocator_reset(relocator, rest.as_ptr().cast(), writer);
            relocator_read_one(relocator, ptr::null_mut())
        } as usize;
        end += length;
        let instruction = rest.get(..length).unwrap_or_default();
        if instruction.is_empty() || is_jump_into(taken, instruction, end) {
            return true;
        }
    }
    false
}

fn pointer(address: usize) -> *const c_void {
    address as *const c_void
}

/// Nothing here panics; the linker wants it all the same.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: abort(3) takes nothing.
    unsafe { abort() }
}
