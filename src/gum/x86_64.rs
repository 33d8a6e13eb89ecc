//! What depends on the architecture, for x86-64.

use crate::Relocator;
use core::ffi::{c_int, c_void};
pub use frida_gum_sys::GumX86Writer as Writer;
pub use frida_gum_sys::gum_x86_writer_clear as writer_clear;
use frida_gum_sys::{
    _GumAbiType_GUM_ABI_UNIX as GUM_ABI_UNIX, GumCpuType_GUM_CPU_AMD64 as GUM_CPU_AMD64,
    gum_x86_writer_flush, gum_x86_writer_put_jmp_address,
};

/// Makes a writer of code to an address.
///
/// `gum_x86_writer_init` (gum/arch-x86/gumx86writer.c) does the same, and asks for the processor's features: that
/// would need GLib's threads, and is used for instructions that are not written here.
///
/// # Safety
/// The pointer is to memory for a writer.
pub unsafe fn writer_init(writer: *mut Writer, to: *mut c_void) {
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

/// Whether an instruction cannot be written without labels: a conditional jump.
pub fn needs_a_label(instruction: &[u8]) -> bool {
    let opcode = instruction.get(prefixes(instruction)..).unwrap_or_default();
    matches!(opcode, [0x70..=0x7f | 0xe0..=0xe3, ..] | [0x0f, 0x80..=0x8f, ..])
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

/// How long the instructions are that [`jump_distance`] knows, without prefixes.
pub const JUMP_LENGTHS: [usize; 3] = [2, 5, 6];

/// How far a relative jump or call goes, from its end on; `None` for other instructions.
pub fn jump_distance(instruction: &[u8]) -> Option<isize> {
    match instruction.get(prefixes(instruction)..)? {
        [0x70..=0x7f | 0xe0..=0xe3 | 0xeb, distance] => Some(isize::from(distance.cast_signed())),
        [0xe8 | 0xe9, a, b, c, d] | [0x0f, 0x80..=0x8f, a, b, c, d] => {
            isize::try_from(i32::from_le_bytes([*a, *b, *c, *d])).ok()
        }
        _ => None,
    }
}

/// How many prefixes (`bnd`, hints for branches) an instruction has that change nothing here.
fn prefixes(instruction: &[u8]) -> usize {
    let bytes = instruction.iter();
    bytes
        .take_while(|byte| matches!(byte, 0x2e | 0x3e | 0xf2 | 0xf3))
        .count()
}
