//! What depends on the architecture, for arm64.

use crate::Relocator;
use core::ffi::{c_int, c_void};
use core::ptr;
pub use frida_gum_sys::GumArm64Writer as Writer;
use frida_gum_sys::{
    _GumOS_GUM_OS_LINUX as GUM_OS_LINUX, _GumPtrauthSupport_GUM_PTRAUTH_UNSUPPORTED as UNSUPPORTED,
    gum_arm64_writer_clear, gum_arm64_writer_flush, gum_arm64_writer_put_b_imm,
};

/// Memory for a writer.
#[repr(C)]
pub struct Memory {
    writer: Writer,
    literals: [Literal; LITERALS],
}

/// More than one for each of the few instructions that are copied.
const LITERALS: usize = 32;

/// At least as large as a `GumArm64LiteralRef` (gum/arch-arm64/gumarm64writer.c), which is not in the devkit's header
/// and has three words.
type Literal = [u64; 8];

/// As in glib/gtypes.h; bindgen cannot translate the header's macro.
const G_LITTLE_ENDIAN: c_int = 1234;

/// Makes a writer of code to an address.
///
/// `gum_arm64_writer_init` (gum/arch-arm64/gumarm64writer.c) does the same but for the room for literals, which the
/// writer would take from Gum's heap. It would have to be started, and with it GLib.
///
/// # Safety
/// The pointer is to memory for a writer, which stays where it is.
pub unsafe fn writer_init(memory: *mut Memory, to: *mut c_void) -> *mut Writer {
    // SAFETY: the caller's promise; zeroes are valid for numbers and pointers.
    let memory = unsafe {
        memory.write_bytes(0, 1);
        &mut *memory
    };
    let writer = &mut memory.writer;
    writer.ref_count = 1;
    writer.data_endian = G_LITTLE_ENDIAN;
    writer.target_os = GUM_OS_LINUX;
    writer.ptrauth_support = UNSUPPORTED;
    writer.base = to.cast();
    writer.code = to.cast();
    writer.pc = to as u64;
    writer.literal_refs.data = memory.literals.as_mut_ptr().cast();
    writer.literal_refs.capacity = LITERALS as u32;
    writer.literal_refs.element_size = size_of::<Literal>() as u32;
    writer
}

/// Ends a writer.
///
/// # Safety
/// It comes from [`writer_init`].
pub unsafe fn writer_clear(writer: *mut Writer) {
    // SAFETY: the caller's promise. The room for literals is none of Gum's heap.
    unsafe {
        (*writer).literal_refs.data = ptr::null_mut();
        gum_arm64_writer_clear(writer);
    }
}

unsafe extern "C" {
    fn gum_arm64_relocator_write_all(relocator: *mut Relocator);
}

/// Writes the instructions that were read.
///
/// # Safety
/// The writer's memory has room.
pub unsafe fn write_all(relocator: *mut Relocator) {
    // SAFETY: the caller's promise.
    unsafe { gum_arm64_relocator_write_all(relocator) };
}

/// Writes a jump to an address, and what earlier instructions still wait for. A direct one needs no landing pad
/// where it goes to.
///
/// # Safety
/// The writer's memory has room.
pub unsafe fn jump(writer: *mut Writer, address: usize) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        gum_arm64_writer_put_b_imm(writer, address as u64) != 0
            && gum_arm64_writer_flush(writer) != 0
    }
}
