//! What depends on the architecture, for arm64.

use crate::Relocator;
use core::ffi::c_void;
pub use frida_gum_sys::GumArm64Writer as Writer;
pub use frida_gum_sys::gum_arm64_writer_clear as writer_clear;
use frida_gum_sys::{
    _frida_glib_init as glib_init, gum_arm64_writer_flush, gum_arm64_writer_init,
    gum_arm64_writer_put_b_imm, gum_internal_heap_ref,
};

/// Makes a writer of code to an address.
///
/// # Safety
/// The pointer is to memory for a writer.
pub unsafe fn writer_init(writer: *mut Writer, to: *mut c_void) {
    // SAFETY: the caller's promise. Gum looks at the processor's features under a lock of GLib's, and keeps labels
    // in a heap of its own.
    unsafe {
        glib_init();
        gum_internal_heap_ref();
        gum_arm64_writer_init(writer, to);
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
