//! Everything that is written in x86-64 machine code: system calls, the hook's entry, the patch,
//! and the way out of a failed attempt.

use core::arch::{asm, global_asm};
use core::ffi::c_void;

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

global_asm!(
    // What the patched getenv jumps to. The patch is a jump, so the return address is still the
    // caller's: it becomes the second argument.
    ".hidden opentelemetry_injector_entry",
    ".globl opentelemetry_injector_entry",
    ".type opentelemetry_injector_entry, @function",
    "opentelemetry_injector_entry:",
    "endbr64",
    "mov rsi, [rsp]",
    "jmp {answer}",
    ".size opentelemetry_injector_entry, . - opentelemetry_injector_entry",
    // usize call_with_way_out(extern fn(*void), *void, usize *saved)
    // The registers that a function must keep are on the stack; the stack pointer is the way out.
    ".hidden opentelemetry_injector_call",
    ".globl opentelemetry_injector_call",
    ".type opentelemetry_injector_call, @function",
    "opentelemetry_injector_call:",
    "push rbp",
    "push rbx",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "sub rsp, 8",
    "mov [rdx], rsp",
    "mov rax, rdi",
    "mov rdi, rsi",
    "call rax",
    "xor eax, eax",
    "2:",
    "add rsp, 8",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "pop rbp",
    "ret",
    // ! way_out(usize saved)
    ".hidden opentelemetry_injector_way_out",
    ".globl opentelemetry_injector_way_out",
    ".type opentelemetry_injector_way_out, @function",
    "opentelemetry_injector_way_out:",
    "mov rsp, rdi",
    "mov eax, 1",
    "jmp 2b",
    // The precompiled `alloc` names these two for unwinding, which never happens here. Hidden:
    // exported ones would take the place of the host's own.
    ".hidden rust_eh_personality",
    ".globl rust_eh_personality",
    "rust_eh_personality:",
    ".hidden _Unwind_Resume",
    ".globl _Unwind_Resume",
    "_Unwind_Resume:",
    "ud2",
    answer = sym crate::hooks::answer,
);

unsafe extern "C" {
    /// The hook's entry, with `getenv`'s signature.
    #[link_name = "opentelemetry_injector_entry"]
    pub fn entry();

    /// Calls `work(data)` and returns 0; returns 1 where `way_out` was taken instead. `saved` gets
    /// what `way_out` wants.
    #[link_name = "opentelemetry_injector_call"]
    pub fn call_with_way_out(
        work: unsafe extern "C" fn(*mut c_void),
        data: *mut c_void,
        saved: *mut usize,
    ) -> usize;

    /// Leaves everything that `call_with_way_out` called, from below it on the same stack.
    #[link_name = "opentelemetry_injector_way_out"]
    pub fn way_out(saved: usize) -> !;
}

/// Bytes that a patch replaces.
pub const PATCH_LENGTH: usize = 14;

/// `jmp *0(%rip)`: jumps to the address that follows the instruction.
const JUMP: [u8; 6] = [0xff, 0x25, 0, 0, 0, 0];

/// `endbr64`, where an indirect branch may land (Intel CET); it must stay the first instruction.
const LANDING_PAD: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];

/// The patch that jumps to `destination`.
pub fn patch(destination: usize) -> [u8; PATCH_LENGTH] {
    let mut bytes = [0; PATCH_LENGTH];
    bytes[..JUMP.len()].copy_from_slice(&JUMP);
    bytes[JUMP.len()..].copy_from_slice(&destination.to_le_bytes());
    bytes
}

/// How many bytes at a function's start stay in place.
pub fn landing_pad(code: &[u8]) -> usize {
    match code.starts_with(&LANDING_PAD) {
        true => LANDING_PAD.len(),
        false => 0,
    }
}

/// Whether code begins with a patch of this kind, ours or another copy's.
pub fn is_patched(code: &[u8]) -> bool {
    code.starts_with(&JUMP)
}
