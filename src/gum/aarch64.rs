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

/// Whether an instruction cannot be written without labels: none, because there are labels.
pub fn needs_a_label(_: &[u8]) -> bool {
    false
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

/// How long the instructions are that [`jump_distance`] knows.
pub const JUMP_LENGTHS: [usize; 1] = [4];

/// How far a relative jump or call goes, from its end on; `None` for other instructions (Arm ARM, "Branches").
pub fn jump_distance(instruction: &[u8]) -> Option<isize> {
    let instruction = u32::from_le_bytes(instruction.try_into().ok()?);
    // The field with the distance in instructions: its highest bit is moved to bit 31, for its sign.
    let field = |high: u32, width: u32| {
        let top = (instruction << (31 - high)).cast_signed();
        isize::try_from(top >> (32 - width)).ok()
    };
    let distance = if instruction & 0x7c00_0000 == 0x1400_0000 {
        field(25, 26)
    } else if instruction & 0xff00_0000 == 0x5400_0000 || instruction & 0x7e00_0000 == 0x3400_0000 {
        field(23, 19)
    } else if instruction & 0x7e00_0000 == 0x3600_0000 {
        field(18, 14)
    } else {
        None
    }?;
    Some(distance * 4 - 4)
}
