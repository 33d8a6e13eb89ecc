//! Instructions of arm64 (Arm ARM, "A64 Instruction Set Encoding").

/// Whether Gum cannot write an instruction elsewhere so that it does the same: a relative jump or call. Gum makes it one
/// through a register. Where libc's pages are guarded (BTI), such a one ends the process unless it goes to a landing pad.
pub fn cannot_be_copied(instruction: &[u8]) -> bool {
    jump_distance(instruction).is_some()
}

/// Whether an instruction is a debugger's or the kernel's breakpoint (`brk` with any operand).
pub fn is_breakpoint(instruction: &[u8]) -> bool {
    let instruction = instruction.try_into().map_or(0, u32::from_le_bytes);
    instruction & 0xffe0_001f == 0xd420_0000
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
