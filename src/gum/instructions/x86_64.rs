//! Instructions of x86-64 (Intel SDM, volume 2).

/// Whether Gum cannot write an instruction elsewhere: a conditional jump, which needs a label there.
pub fn cannot_be_copied(instruction: &[u8]) -> bool {
    let opcode = instruction.get(prefixes(instruction)..).unwrap_or_default();
    matches!(opcode, [0x70..=0x7f | 0xe0..=0xe3, ..] | [0x0f, 0x80..=0x8f, ..])
}

/// Whether an instruction is a debugger's or the kernel's breakpoint (`int3`).
pub fn is_breakpoint(instruction: &[u8]) -> bool {
    matches!(instruction, [0xcc] | [0xcd, 3])
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
