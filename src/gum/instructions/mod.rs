//! What the bytes of instructions say, without Gum and without reading any memory: `tests/hooks/relocation.rs` tries
//! it where there is no devkit, too.

#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
mod machine;

pub use machine::{cannot_be_copied, is_breakpoint};

/// Whether there are bytes behind those that are `taken` that jump to a place within them, if they are instructions:
/// almost never, and then the costly look at all instructions is needed, in which Capstone reads many pages of its
/// tables.
pub fn may_jump_back(code: &[u8], taken: usize) -> bool {
    (taken..code.len()).any(|start| {
        let mut instructions = machine::JUMP_LENGTHS.iter();
        instructions.any(|length| {
            let end = start + length;
            let instruction = code.get(start..end).unwrap_or_default();
            is_jump_into(taken, instruction, end)
        })
    })
}

/// Whether an instruction that ends `end` bytes behind the function's start jumps to one of the `taken` bytes there. A
/// jump to the start itself calls the function.
pub fn is_jump_into(taken: usize, instruction: &[u8], end: usize) -> bool {
    let distance = machine::jump_distance(instruction);
    let target = distance.map(|distance| end.wrapping_add_signed(distance));
    target.is_some_and(|target| 0 < target && target < taken)
}
