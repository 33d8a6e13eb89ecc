//! Everything that is written in x86-64 machine code: system calls, the hook's entry, the patch,
//! and the way out of a failed attempt.

use crate::answer::hooks;
use crate::constructor::at_start::AtStart;
use crate::entry::filter;
use crate::sys::environment;
use core::arch::{asm, global_asm};
use core::ptr;

/// A raw system call: unlike libc's wrappers it leaves `errno` alone, which belongs to the host.
///
/// Returns the result, or the negated error number (syscall(2), "x86-64" calling convention).
///
/// # Safety
/// The call must be one that keeps the host's memory and descriptors as they are.
#[inline]
pub unsafe fn system_call(number: libc::c_long, arguments: [usize; 6]) -> isize {
    let result: isize;
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the kernel clobbers rcx and r11 alone; what the call does is the caller's promise.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    result
}

/// The thread's own pointer (x86-64 psABI, "Thread-Local Storage": the word at fs:0 holds its own
/// address), another one in every thread.
pub fn thread() -> usize {
    let pointer: usize;
    // SAFETY: a load; the loader sets fs up before any constructor.
    unsafe {
        asm!("mov {}, fs:0", out(reg) pointer, options(nostack, readonly, preserves_flags));
    }
    pointer
}

/// The stack pointer of the function that this is part of.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let pointer: usize;
    // SAFETY: reading a register.
    unsafe {
        asm!("mov {}, rsp", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    pointer
}

global_asm!(
    // What the patched getenv jumps to. Names that are not watched are answered here, by the same
    // search as libc's (`environment::scan` in machine code): it is as fast, and needs no stack.
    ".hidden opentelemetry_injector_entry",
    ".globl opentelemetry_injector_entry",
    ".type opentelemetry_injector_entry, @function",
    ".p2align 6",
    "opentelemetry_injector_entry:",
    ".cfi_startproc",
    "endbr64",
    "cmp byte ptr [rip + {detour}], 0",
    "jne 7f",
    "mov rax, [rip + __environ@GOTPCREL]",
    "mov rdx, [rax]",
    "test rdx, rdx",
    "je 6f",
    "movzx ecx, byte ptr [rdi]",
    "test ecx, ecx",
    "je 6f",
    // The first two bytes of a matching entry: `=` follows a name of one character. The second one
    // is there only where the first one is not an empty entry's end.
    "movzx eax, byte ptr [rdi + 1]",
    "mov r8d, 0x3d",
    "test eax, eax",
    "cmove eax, r8d",
    "mov r8d, ecx",
    "shl eax, 8",
    "or ecx, eax",
    "sub rdx, 8",
    // Four entries a round: fewer taken branches, so that the end of the search is foreseen.
    ".p2align 4",
    "2:",
    "mov rax, [rdx + 8]",
    "test rax, rax",
    "je 50f",
    "cmp byte ptr [rax], cl",
    "je 31f",
    "mov rax, [rdx + 16]",
    "test rax, rax",
    "je 50f",
    "cmp byte ptr [rax], cl",
    "je 32f",
    "mov rax, [rdx + 24]",
    "test rax, rax",
    "je 50f",
    "cmp byte ptr [rax], cl",
    "je 33f",
    "mov rax, [rdx + 32]",
    "add rdx, 32",
    "test rax, rax",
    "je 50f",
    "cmp byte ptr [rax], cl",
    "jne 2b",
    "jmp 3f",
    "33:",
    "add rdx, 8",
    "32:",
    "add rdx, 8",
    "31:",
    "add rdx, 8",
    "3:",
    "cmp byte ptr [rax + 1], ch",
    "jne 2b",
    // The rest of the name, up to the first difference.
    "mov r9d, 1",
    "4:",
    "movzx r10d, byte ptr [rdi + r9]",
    "movzx r11d, byte ptr [rax + r9]",
    "inc r9",
    "test r10d, r10d",
    "je 4f",
    "cmp r10d, r11d",
    "je 4b",
    "jmp 2b",
    "4:",
    "cmp r11d, 0x3d",
    "jne 2b",
    "add rax, r9",
    "cmp byte ptr [rip + {is_equals_refused}], 0",
    "jne 52f",
    "jmp 5f",
    // Nothing found. glibc looks again where entries have been moved meanwhile; here that is asked
    // for where the environment is not the one of the start any more.
    "50:",
    "cmp byte ptr [rip + {looks_again}], 0",
    "je 5f",
    "mov r8, [rip + __environ@GOTPCREL]",
    "mov r8, [r8]",
    "cmp r8, [rip + {first_array}]",
    "jne 51f",
    "mov r8, [rip + {last_slot}]",
    "mov r8, [r8]",
    "cmp r8, [rip + {last_entry}]",
    "jne 51f",
    "5:",
    "imul ecx, ecx, {spread}",
    "shr ecx, {shift}",
    "movabs r8, {watched_slots}",
    "or r8, [rip + {added_slots}]",
    "bt r8, rcx",
    "jc 8f",
    "ret",
    "51:",
    "push rdi",
    ".cfi_adjust_cfa_offset 8",
    "push rcx",
    ".cfi_adjust_cfa_offset 8",
    "sub rsp, 8",
    ".cfi_adjust_cfa_offset 8",
    "call {look_again}",
    "add rsp, 8",
    ".cfi_adjust_cfa_offset -8",
    "pop rcx",
    ".cfi_adjust_cfa_offset -8",
    "pop rdi",
    ".cfi_adjust_cfa_offset -8",
    "jmp 5b",
    // A name that holds `=` where libc does not look for such: nothing.
    "52:",
    "mov r8, rdi",
    "4:",
    "movzx r9d, byte ptr [r8]",
    "inc r8",
    "test r9d, r9d",
    "je 5b",
    "cmp r9d, 0x3d",
    "jne 4b",
    "xor eax, eax",
    "jmp 5b",
    // No environment (then libc does not look at the name, which may be null) or an empty name.
    "6:",
    "xor eax, eax",
    "test rdi, rdi",
    "je 9f",
    "movzx ecx, byte ptr [rdi]",
    "test ecx, ecx",
    "je 9f",
    "movzx ecx, word ptr [rdi]",
    "jmp 5b",
    "9:",
    "ret",
    // What the near filter jumps to, too. The patch is a jump, so the return address is still the caller's. The registers
    // that a function must keep are what a trace session's stack of the caller starts from.
    ".hidden opentelemetry_injector_detour",
    ".globl opentelemetry_injector_detour",
    "opentelemetry_injector_detour:",
    "7:",
    "endbr64",
    "mov edx, {getenv}",
    "73:",
    "push r15",
    ".cfi_adjust_cfa_offset 8",
    "push r14",
    ".cfi_adjust_cfa_offset 8",
    "push r13",
    ".cfi_adjust_cfa_offset 8",
    "push r12",
    ".cfi_adjust_cfa_offset 8",
    "push rbx",
    ".cfi_adjust_cfa_offset 8",
    "push rbp",
    ".cfi_adjust_cfa_offset 8",
    "sub rsp, 8",
    ".cfi_adjust_cfa_offset 8",
    "lea rsi, [rsp + 8]",
    "call {answer_with_detour}",
    "add rsp, 56",
    ".cfi_adjust_cfa_offset -56",
    "ret",
    // Byte by byte from the second on, so that nothing behind the name's end is read.
    "8:",
    "lea r8, [rip + {beginnings}]",
    "lea r9, [rip + {extended}]",
    "cmp qword ptr [rip + {added_slots}], 0",
    "cmovne r8, r9",
    "lea r8, [r8 + rcx * {length}]",
    "mov r9d, 1",
    "2:",
    "movzx r10d, byte ptr [r8 + r9]",
    "test r10d, r10d",
    "je 8f",
    "cmp r10b, byte ptr [rdi + r9]",
    "jne 9b",
    "inc r9d",
    "cmp r9d, {length}",
    "jne 2b",
    "8:",
    "mov rsi, rax",
    "mov rdx, [rsp]",
    "jmp {answer_watched}",
    // What a patched secure_getenv jumps to.
    ".hidden opentelemetry_injector_secure_entry",
    ".globl opentelemetry_injector_secure_entry",
    "opentelemetry_injector_secure_entry:",
    "endbr64",
    "cmp byte ptr [rip + {detour}], 0",
    "je opentelemetry_injector_entry",
    "mov edx, {secure_getenv}",
    "jmp 73b",
    ".cfi_endproc",
    ".size opentelemetry_injector_entry, . - opentelemetry_injector_entry",
    // usize call_with_way_out(extern fn(*void), *void, usize *saved, usize stack)
    // The registers that a function must keep are on the stack; the stack pointer is the way out.
    // (The .cfi lines let debuggers and backtraces see through.)
    ".hidden opentelemetry_injector_call",
    ".globl opentelemetry_injector_call",
    ".type opentelemetry_injector_call, @function",
    "opentelemetry_injector_call:",
    ".cfi_startproc",
    "push rbp",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset rbp, 0",
    "push rbx",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset rbx, 0",
    "push r12",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset r12, 0",
    "push r13",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset r13, 0",
    "push r14",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset r14, 0",
    "push r15",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset r15, 0",
    "sub rsp, 8",
    ".cfi_adjust_cfa_offset 8",
    "mov [rdx], rsp",
    "mov rbx, rsp",
    ".cfi_def_cfa_register rbx",
    "test rcx, rcx",
    "cmovne rsp, rcx",
    "mov rax, rdi",
    "mov rdi, rsi",
    "call rax",
    "mov rsp, rbx",
    ".cfi_def_cfa_register rsp",
    "xor eax, eax",
    "2:",
    "add rsp, 8",
    ".cfi_adjust_cfa_offset -8",
    "pop r15",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore r15",
    "pop r14",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore r14",
    "pop r13",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore r13",
    "pop r12",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore r12",
    "pop rbx",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore rbx",
    "pop rbp",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore rbp",
    "ret",
    ".cfi_endproc",
    // ! way_out(usize saved)
    ".hidden opentelemetry_injector_way_out",
    ".globl opentelemetry_injector_way_out",
    ".type opentelemetry_injector_way_out, @function",
    "opentelemetry_injector_way_out:",
    "mov rsp, rdi",
    "mov eax, 1",
    "jmp 2b",
    // The near filter, which is copied to where it runs: see `machine_code::NearFilter`.
    ".pushsection .rodata",
    ".p2align 3",
    ".hidden opentelemetry_injector_near_filter",
    ".globl opentelemetry_injector_near_filter",
    "opentelemetry_injector_near_filter:",
    ".quad 0",
    ".quad 0",
    ".quad 0",
    // Byte by byte from the second on, so that nothing behind the name's end is read.
    "2:",
    "mov rax, [rip + opentelemetry_injector_near_filter + 8]",
    "mov rax, [rax + rcx * {length}]",
    ".irp index, 1, 2, 3, 4, 5, 6, 7",
    "shr rax, 8",
    "je 4f",
    "cmp al, byte ptr [rdi + \\index]",
    "jne 3f",
    ".endr",
    "4:",
    "jmp qword ptr [rip + opentelemetry_injector_near_filter + 16]",
    ".hidden opentelemetry_injector_near_filter_code",
    ".globl opentelemetry_injector_near_filter_code",
    "opentelemetry_injector_near_filter_code:",
    "test rdi, rdi",
    "je 3f",
    "cmp byte ptr [rdi], 0",
    "je 3f",
    "movzx ecx, word ptr [rdi]",
    "imul ecx, ecx, {spread}",
    "shr ecx, {shift}",
    "mov rax, [rip + opentelemetry_injector_near_filter]",
    "bt rax, rcx",
    "jc 2b",
    ".hidden opentelemetry_injector_near_filter_end",
    ".globl opentelemetry_injector_near_filter_end",
    "3:",
    "opentelemetry_injector_near_filter_end:",
    ".popsection",
    // The precompiled `alloc` names these two for unwinding, which never happens here. Hidden:
    // exported ones would take the place of the host's own.
    ".hidden rust_eh_personality",
    ".globl rust_eh_personality",
    "rust_eh_personality:",
    ".hidden _Unwind_Resume",
    ".globl _Unwind_Resume",
    "_Unwind_Resume:",
    "ud2",
    detour = sym hooks::DETOUR,
    getenv = const hooks::GETENV,
    secure_getenv = const hooks::SECURE_GETENV,
    looks_again = sym environment::LOOKS_AGAIN,
    first_array = sym environment::FIRST_ARRAY,
    last_slot = sym environment::LAST_SLOT,
    last_entry = sym environment::LAST_ENTRY,
    look_again = sym environment::look_again,
    is_equals_refused = sym environment::IS_EQUALS_REFUSED,
    spread = const filter::SPREAD as i32,
    shift = const filter::SHIFT,
    watched_slots = const filter::WATCHED_SLOTS,
    added_slots = sym filter::ADDED_SLOTS,
    beginnings = sym filter::BEGINNINGS,
    extended = sym filter::EXTENDED,
    length = const filter::LENGTH,
    answer_with_detour = sym hooks::answer_with_detour,
    answer_watched = sym hooks::answer_watched,
);

/// What the entry leaves on the stack for the detour.
#[repr(C)]
pub struct Frame {
    /// rbp, rbx, r12, r13, r14, r15 of the caller.
    pub kept: [usize; 6],
    /// Where the call comes back to.
    pub return_address: usize,
}

impl Frame {
    /// The caller's frame pointer.
    pub fn frame_pointer(&self) -> usize {
        let [frame_pointer, ..] = self.kept;
        frame_pointer
    }

    /// The stack pointer after the call, which takes the return address off.
    pub fn stack_pointer(&self) -> usize {
        ptr::from_ref(self) as usize + size_of::<Self>()
    }
}

/// Bytes that a patch replaces: as many as one instruction stores, the last two with themselves.
pub const PATCH_LENGTH: usize = 16;

/// `jmp *0(%rip)`: jumps to the address that follows the instruction.
const JUMP: [u8; 6] = [0xff, 0x25, 0, 0, 0, 0];

/// `endbr64`, where an indirect branch may land (Intel CET); it must stay the first instruction.
const LANDING_PAD: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];

/// The patch that jumps to `destination` in place of what was there `before`.
pub fn patch(destination: usize, before: &[u8; PATCH_LENGTH]) -> [u8; PATCH_LENGTH] {
    let mut bytes = *before;
    let (jump, rest) = bytes.split_at_mut(JUMP.len());
    jump.copy_from_slice(&JUMP);
    let address = destination.to_le_bytes();
    for (place, byte) in rest.iter_mut().zip(address) {
        *place = byte;
    }
    bytes
}

/// Bytes that a patch to a near place replaces.
pub const NEAR_PATCH_LENGTH: usize = 5;

/// Whether such a patch replaces no more than another hook's jump does: none that goes anywhere is shorter.
pub const LEAVES_OTHER_JUMPS: bool = true;

/// The patch at `start` that jumps (`jmp`, relative) to a place near it, in place of what was there `before`; `None`
/// where that is more than 2 GiB away. What another hook has put there stays usable: it takes at least as many bytes.
pub fn near_patch(
    start: usize,
    place: usize,
    before: &[u8; PATCH_LENGTH],
) -> Option<[u8; PATCH_LENGTH]> {
    let distance = place.wrapping_sub(start + NEAR_PATCH_LENGTH).cast_signed();
    let [a, b, c, d] = i32::try_from(distance).ok()?.to_le_bytes();
    let mut bytes = *before;
    bytes[..NEAR_PATCH_LENGTH].copy_from_slice(&[0xe9, a, b, c, d]);
    Some(bytes)
}

/// Writes a patch by one instruction: a signal handler that calls the function meets it before or
/// after, never between.
///
/// # Safety
/// The code is writable.
pub unsafe fn store(start: usize, patch: &[u8; PATCH_LENGTH]) {
    // SAFETY: both are 16 bytes, the caller's promise; `movups` wants no alignment.
    unsafe {
        asm!(
            "movups {value}, [{from}]",
            "movups [{to}], {value}",
            from = in(reg) patch,
            to = in(reg) start,
            value = out(xmm_reg) _,
            options(nostack, preserves_flags),
        );
    }
}

/// How many bytes at a function's start stay in place.
pub fn landing_pad(code: &[u8]) -> usize {
    if code.starts_with(&LANDING_PAD) {
        LANDING_PAD.len()
    } else {
        0
    }
}

/// Whether code begins like a patch, ours or another hook's, or with a debugger's breakpoint: jumps
/// near and far, a register loaded to be jumped through, an address pushed to be returned to.
/// No compiler begins `getenv` like that.
pub fn is_patched(code: &[u8]) -> bool {
    matches!(
        code,
        [0xff, 0x25, ..] | [0xe9 | 0xeb | 0xcc | 0x68, ..] | [0x48, 0xb8, ..] | [0x49, 0xbb, ..]
    )
}

/// Whether there may be a breakpoint (`int3`) in code: where instructions begin, nothing tells here.
pub fn may_have_breakpoint(code: &[u8]) -> bool {
    code.contains(&0xcc)
}

/// Whether code that lies at `start` jumps to `target`, as a call in tail position does (`jmp rel32`). What
/// only looks like a jump there does not tell that very address.
pub fn jumps_to(code: &[u8], start: usize, target: usize) -> bool {
    code.windows(5).enumerate().any(|(at, bytes)| match bytes {
        [0xe9, distance @ ..] => {
            let distance = distance.try_into().map_or(0, i32::from_le_bytes);
            start
                .wrapping_add(at + 5)
                .wrapping_add_signed(distance as isize)
                == target
        }
        _ => false,
    })
}

/// Whether mprotect(2) would end the check of landing pads in libc's pages: it is no matter of pages
/// here.
pub fn loses_landing_pads_by_mprotect(_: &AtStart) -> bool {
    false
}

/// Makes the processor run what was written: nothing to do, instruction caches follow what is
/// written (Intel SDM, "Self-Modifying Code").
///
/// # Safety
/// None here: see the other architecture's.
pub unsafe fn synchronize_code(_: usize, _: usize) {}
