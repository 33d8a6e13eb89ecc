//! What depends on the architecture, for x86-64.

use crate::Relocator;
use core::ffi::{c_int, c_void};
pub use frida_gum_sys::GumX86Writer as Writer;
pub use frida_gum_sys::gum_x86_writer_clear as writer_clear;
use frida_gum_sys::{
    _GumAbiType_GUM_ABI_UNIX as GUM_ABI_UNIX, GumCpuType_GUM_CPU_AMD64 as GUM_CPU_AMD64,
    gum_x86_writer_flush, gum_x86_writer_put_jmp_address,
};

/// Memory for a writer.
pub type Memory = Writer;

/// Makes a writer of code to an address.
///
/// `gum_x86_writer_init` (gum/arch-x86/gumx86writer.c) does the same, and asks for the processor's features: that
/// would need GLib's threads, and is used for instructions that are not written here.
///
/// # Safety
/// The pointer is to memory for a writer.
pub unsafe fn writer_init(writer: *mut Memory, to: *mut c_void) -> *mut Writer {
    // SAFETY: the caller's promise; zeroes are valid for numbers and pointers.
    let writer = unsafe {
        writer.write_bytes(0, 1);
        &mut *writer
    };
    writer.ref_count = 1;
    writer.target_cpu = GUM_CPU_AMD64;
    writer.target_abi = GUM_ABI_UNIX;
    writer.base = to.cast();
    writer.code = to.cast();
    writer.pc = to as u64;
    writer
}

unsafe extern "C" {
    /// Returns 0 where nothing is left to be written.
    fn gum_x86_relocator_write_one_no_label(relocator: *mut Relocator) -> c_int;
}

/// Writes the instructions that were read. Labels would need Gum's heap, which costs each process more than the
/// instructions do.
///
/// # Safety
/// The writer's memory has room.
pub unsafe fn write_all(relocator: *mut Relocator) {
    // SAFETY: the caller's promise.
    while unsafe { gum_x86_relocator_write_one_no_label(relocator) } != 0 {}
}

/// Writes a jump to an address, and what earlier instructions still wait for.
///
/// # Safety
/// The writer's memory has room.
pub unsafe fn jump(writer: *mut Writer, address: usize) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        gum_x86_writer_put_jmp_address(writer, address as u64) != 0
            && gum_x86_writer_flush(writer) != 0
    }
}
