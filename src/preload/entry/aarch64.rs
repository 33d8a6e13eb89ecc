//! Everything that is written in arm64 machine code: system calls, the hook's entry, the patch, and
//! the way out of a failed attempt.

use crate::answer::hooks;
use crate::constructor::at_start::AtStart;
use crate::entry::filter;
use crate::sys::environment;
use core::arch::{asm, global_asm};
use core::ptr;

/// A raw system call: unlike libc's wrappers it leaves `errno` alone, which belongs to the host.
///
/// Returns the result, or the negated error number (syscall(2), "arm64" calling convention).
///
/// # Safety
/// The call must be one that keeps the host's memory and descriptors as they are.
#[inline]
pub unsafe fn system_call(number: libc::c_long, arguments: [usize; 6]) -> isize {
    let result: isize;
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the kernel keeps every register but x0; what the call does is the caller's promise.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack)
        );
    }
    result
}

/// The thread's own pointer (AAPCS64, "Thread Local Storage": TPIDR_EL0), another one in every
/// thread.
pub fn thread() -> usize {
    let pointer: usize;
    // SAFETY: reading a register; the loader sets it before any constructor.
    unsafe {
        asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    pointer
}

/// The stack pointer of the function that this is part of.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let pointer: usize;
    // SAFETY: reading a register.
    unsafe {
        asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    pointer
}

global_asm!(
    // What the patched getenv jumps to. Names that are not watched are answered here, by the same
    // search as libc's (`environment::scan` in machine code), without any stack.
    ".hidden opentelemetry_injector_entry",
    ".globl opentelemetry_injector_entry",
    ".type opentelemetry_injector_entry, @function",
    ".p2align 6",
    "opentelemetry_injector_entry:",
    ".cfi_startproc",
    "hint #34", // bti c
    "adrp x9, {detour}",
    "ldrb w9, [x9, :lo12:{detour}]",
    "cbnz w9, 7f",
    "adrp x9, :got:__environ",
    "ldr x9, [x9, :got_lo12:__environ]",
    "ldr x9, [x9]",
    "cbz x9, 6f",
    "ldrb w10, [x0]",
    "cbz w10, 6f",
    // The name's beginning, with `=` behind a name of one character.
    "ldrb w11, [x0, #1]",
    "mov w12, #0x3d",
    "cmp w11, #0",
    "csel w11, w12, w11, eq",
    "orr w10, w10, w11, lsl #8",
    "2:",
    "ldr x13, [x9], #8",
    "cbz x13, 12f",
    // An empty entry has no second byte.
    "ldrb w11, [x13]",
    "cmp w11, w10, uxtb",
    "b.ne 2b",
    // The rest of the name, up to the first difference.
    "mov x14, #1",
    "3:",
    "ldrb w11, [x0, x14]",
    "ldrb w12, [x13, x14]",
    "add x14, x14, #1",
    "cbz w11, 4f",
    "cmp w11, w12",
    "b.eq 3b",
    "b 2b",
    "4:",
    "cmp w12, #0x3d",
    "b.ne 2b",
    "add x13, x13, x14",
    "adrp x9, {is_equals_refused}",
    "ldrb w9, [x9, :lo12:{is_equals_refused}]",
    "cbnz w9, 51f",
    "b 5f",
    // Nothing found. glibc looks again where entries have been moved meanwhile; here that is asked
    // for where the environment is not the one of the start any more.
    "12:",
    "adrp x11, {looks_again}",
    "ldrb w11, [x11, :lo12:{looks_again}]",
    "cbz w11, 5f",
    "adrp x11, :got:__environ",
    "ldr x11, [x11, :got_lo12:__environ]",
    "ldr x11, [x11]",
    "adrp x12, {first_array}",
    "ldr x12, [x12, :lo12:{first_array}]",
    "cmp x11, x12",
    "b.ne 13f",
    "adrp x11, {last_slot}",
    "ldr x11, [x11, :lo12:{last_slot}]",
    "ldr x11, [x11]",
    "adrp x12, {last_entry}",
    "ldr x12, [x12, :lo12:{last_entry}]",
    "cmp x11, x12",
    "b.ne 13f",
    // What libc answers is in x13, the name's beginning in w10.
    "5:",
    "ldr w11, 10f",
    "mul w10, w10, w11",
    "lsr w10, w10, #{shift}",
    "ldr x11, 11f",
    "adrp x12, {added_slots}",
    "ldr x12, [x12, :lo12:{added_slots}]",
    "orr x11, x11, x12",
    "lsr x11, x11, x10",
    "tbnz w11, #0, 8f",
    "9:",
    "mov x0, x13",
    "ret",
    "13:",
    "stp x29, x30, [sp, #-32]!",
    ".cfi_adjust_cfa_offset 32",
    ".cfi_rel_offset x29, 0",
    ".cfi_rel_offset x30, 8",
    "stp x0, x10, [sp, #16]",
    "mov x29, sp",
    "bl {look_again}",
    "mov x13, x0",
    "ldp x0, x10, [sp, #16]",
    "ldp x29, x30, [sp], #32",
    ".cfi_adjust_cfa_offset -32",
    ".cfi_restore x29",
    ".cfi_restore x30",
    "b 5b",
    // A name that holds `=` where libc does not look for such: nothing.
    "51:",
    "mov x14, x0",
    "4:",
    "ldrb w11, [x14], #1",
    "cbz w11, 5b",
    "cmp w11, #0x3d",
    "b.ne 4b",
    "mov x13, #0",
    "b 5b",
    // No environment (then libc does not look at the name, which may be null) or an empty name.
    "6:",
    "mov x13, #0",
    "cbz x0, 9b",
    "ldrb w10, [x0]",
    "cbz w10, 9b",
    "ldrh w10, [x0]",
    "b 5b",
    // Byte by byte from the second on, so that nothing behind the name's end is read.
    "8:",
    "adrp x11, {beginnings}",
    "add x11, x11, :lo12:{beginnings}",
    "cbz x12, 4f",
    "adrp x11, {extended}",
    "add x11, x11, :lo12:{extended}",
    "4:",
    "mov w12, #{length}",
    "madd x11, x10, x12, x11",
    "mov x14, #1",
    "2:",
    "ldrb w10, [x11, x14]",
    "cbz w10, 3f",
    "ldrb w9, [x0, x14]",
    "cmp w9, w10",
    "b.ne 9b",
    "add x14, x14, #1",
    "cmp x14, x12",
    "b.ne 2b",
    // The patch is a jump, so the return address is still the caller's.
    "3:",
    "mov x1, x13",
    "mov x2, x30",
    "b {answer_watched}",
    // What the near filter jumps to, too.
    ".hidden opentelemetry_injector_detour",
    ".globl opentelemetry_injector_detour",
    "opentelemetry_injector_detour:",
    "7:",
    "hint #34", // bti c
    "mov w2, #{getenv}",
    "70:",
    "stp x29, x30, [sp, #-16]!",
    ".cfi_adjust_cfa_offset 16",
    ".cfi_rel_offset x29, 0",
    ".cfi_rel_offset x30, 8",
    "mov x29, sp",
    "mov x1, sp",
    "bl {answer_with_detour}",
    "ldp x29, x30, [sp], #16",
    ".cfi_adjust_cfa_offset -16",
    ".cfi_restore x29",
    ".cfi_restore x30",
    "ret",
    // What a patched secure_getenv jumps to.
    ".hidden opentelemetry_injector_secure_entry",
    ".globl opentelemetry_injector_secure_entry",
    "opentelemetry_injector_secure_entry:",
    "hint #34", // bti c
    "adrp x9, {detour}",
    "ldrb w9, [x9, :lo12:{detour}]",
    "cbz w9, opentelemetry_injector_entry",
    "mov w2, #{secure_getenv}",
    "b 70b",
    ".p2align 3",
    "11:",
    ".quad {watched_slots}",
    "10:",
    ".word {spread}",
    ".cfi_endproc",
    ".size opentelemetry_injector_entry, . - opentelemetry_injector_entry",
    // usize call_with_way_out(extern fn(*void), *void, usize *saved, usize stack)
    // The registers that a function must keep are on the stack; the stack pointer is the way out.
    // (The .cfi lines let debuggers and backtraces see through.)
    ".hidden opentelemetry_injector_call",
    ".globl opentelemetry_injector_call",
    ".type opentelemetry_injector_call, @function",
    ".p2align 2",
    "opentelemetry_injector_call:",
    ".cfi_startproc",
    "stp x29, x30, [sp, #-160]!",
    ".cfi_adjust_cfa_offset 160",
    ".cfi_rel_offset x29, 0",
    ".cfi_rel_offset x30, 8",
    "mov x29, sp",
    "stp x19, x20, [sp, #16]",
    ".cfi_rel_offset x19, 16",
    ".cfi_rel_offset x20, 24",
    "stp x21, x22, [sp, #32]",
    ".cfi_rel_offset x21, 32",
    ".cfi_rel_offset x22, 40",
    "stp x23, x24, [sp, #48]",
    ".cfi_rel_offset x23, 48",
    ".cfi_rel_offset x24, 56",
    "stp x25, x26, [sp, #64]",
    ".cfi_rel_offset x25, 64",
    ".cfi_rel_offset x26, 72",
    "stp x27, x28, [sp, #80]",
    ".cfi_rel_offset x27, 80",
    ".cfi_rel_offset x28, 88",
    "stp d8, d9, [sp, #96]",
    "stp d10, d11, [sp, #112]",
    "stp d12, d13, [sp, #128]",
    "stp d14, d15, [sp, #144]",
    "str x29, [x2]",
    ".cfi_def_cfa_register x29",
    "cbz x3, 3f",
    "mov sp, x3",
    "3:",
    "mov x9, x0",
    "mov x0, x1",
    "blr x9",
    "mov sp, x29",
    ".cfi_def_cfa_register sp",
    "mov x0, #0",
    "2:",
    "ldp x19, x20, [sp, #16]",
    "ldp x21, x22, [sp, #32]",
    "ldp x23, x24, [sp, #48]",
    "ldp x25, x26, [sp, #64]",
    "ldp x27, x28, [sp, #80]",
    "ldp d8, d9, [sp, #96]",
    "ldp d10, d11, [sp, #112]",
    "ldp d12, d13, [sp, #128]",
    "ldp d14, d15, [sp, #144]",
    "ldp x29, x30, [sp], #160",
    ".cfi_adjust_cfa_offset -160",
    "ret",
    ".cfi_endproc",
    // ! way_out(usize saved)
    ".hidden opentelemetry_injector_way_out",
    ".globl opentelemetry_injector_way_out",
    ".type opentelemetry_injector_way_out, @function",
    "opentelemetry_injector_way_out:",
    "mov sp, x0",
    "mov x0, #1",
    "b 2b",
    // The near filter, which is copied to where it runs: see `machine_code::NearFilter`.
    ".pushsection .rodata",
    ".p2align 3",
    ".hidden opentelemetry_injector_near_filter",
    ".globl opentelemetry_injector_near_filter",
    "opentelemetry_injector_near_filter:",
    "4:",
    ".quad 0",
    "5:",
    ".quad 0",
    "6:",
    ".quad 0",
    "7:",
    ".word {spread}",
    // Byte by byte from the second on, so that nothing behind the name's end is read.
    "2:",
    "ldr x11, 5b",
    "ldr x11, [x11, x10, lsl #3]",
    "add x12, x0, #1",
    "lsr x11, x11, #8",
    "cbz x11, 9f",
    "8:",
    "ldrb w13, [x12], #1",
    "and w14, w11, #0xff",
    "cmp w13, w14",
    "b.ne 3f",
    "lsr x11, x11, #8",
    "cbnz x11, 8b",
    "9:",
    "ldr x16, 6b",
    "br x16",
    ".hidden opentelemetry_injector_near_filter_code",
    ".globl opentelemetry_injector_near_filter_code",
    "opentelemetry_injector_near_filter_code:",
    "cbz x0, 3f",
    "ldrb w10, [x0]",
    "cbz w10, 3f",
    "ldrh w10, [x0]",
    "ldr w11, 7b",
    "mul w10, w10, w11",
    "lsr w10, w10, #{shift}",
    "ldr x11, 4b",
    "lsr x11, x11, x10",
    "tbnz w11, #0, 2b",
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
    "udf #0",
    detour = sym hooks::DETOUR,
    getenv = const hooks::GETENV,
    secure_getenv = const hooks::SECURE_GETENV,
    looks_again = sym environment::LOOKS_AGAIN,
    first_array = sym environment::FIRST_ARRAY,
    last_slot = sym environment::LAST_SLOT,
    last_entry = sym environment::LAST_ENTRY,
    look_again = sym environment::look_again,
    is_equals_refused = sym environment::IS_EQUALS_REFUSED,
    spread = const filter::SPREAD,
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
    /// x29 of the caller.
    frame_pointer: usize,
    /// Where the call comes back to.
    pub return_address: usize,
}

impl Frame {
    /// The caller's frame pointer.
    pub fn frame_pointer(&self) -> usize {
        self.frame_pointer
    }

    /// The stack pointer after the call: the entry keeps both registers right below.
    pub fn stack_pointer(&self) -> usize {
        ptr::from_ref(self) as usize + size_of::<Self>()
    }
}

/// Bytes that a patch replaces.
pub const PATCH_LENGTH: usize = 20;

/// `bti c`, where an indirect call may land; `ldr x17, #8`, which loads what follows `br x17`. A
/// landing pad accepts jumps through x16 and x17 (Arm ARM, "BTI").
const JUMP: [u32; 3] = [0xd503_245f, 0x5800_0051, 0xd61f_0220];

/// The patch that jumps to `destination`.
pub fn patch(destination: usize, _: &[u8; PATCH_LENGTH]) -> [u8; PATCH_LENGTH] {
    let mut bytes = [0; PATCH_LENGTH];
    let (jump, address) = bytes.split_at_mut(size_of_val(&JUMP));
    for (place, instruction) in jump.chunks_exact_mut(4).zip(JUMP) {
        place.copy_from_slice(&instruction.to_le_bytes());
    }
    address.copy_from_slice(&destination.to_le_bytes());
    bytes
}

/// Bytes that a patch to a near place replaces.
pub const NEAR_PATCH_LENGTH: usize = PATCH_LENGTH;

/// Whether such a patch replaces no more than another hook's jump does. What that hook has moved away comes back to
/// the first instruction behind its jump, of which some are shorter than the patch.
pub const LEAVES_OTHER_JUMPS: bool = false;

/// The patch that jumps to a place near it: the same as to any place, because a function must begin with a landing
/// pad.
pub fn near_patch(
    _: usize,
    place: usize,
    before: &[u8; PATCH_LENGTH],
) -> Option<[u8; PATCH_LENGTH]> {
    Some(patch(place, before))
}

/// Writes a patch. No instruction here stores that many bytes at once: a signal handler that calls the
/// function in that moment, before `main`, may meet a part.
///
/// # Safety
/// The code is writable.
pub unsafe fn store(start: usize, patch: &[u8; PATCH_LENGTH]) {
    // SAFETY: the caller's promise.
    unsafe { (start as *mut [u8; PATCH_LENGTH]).write_unaligned(*patch) };
}

/// How many bytes at a function's start stay in place: none. The patch has a landing pad of its
/// own, because the function's may be `paciasp`, which signs the return address: only the
/// function's own end would take the signature off.
pub fn landing_pad(_: &[u8]) -> usize {
    0
}

/// Whether code begins like a patch, ours or another hook's, or with a debugger's breakpoint: jumps
/// near and far, a register for jumps between functions (x16, x17) loaded. No compiler begins
/// `getenv` like that.
pub fn is_patched(code: &[u8]) -> bool {
    let instructions = code
        .chunks_exact(4)
        .filter_map(|bytes| bytes.try_into().ok());
    let mut instructions = instructions.map(u32::from_le_bytes);
    let first = instructions.by_ref().find(|one| !is_landing_pad(*one));
    first.is_some_and(|first| {
        let to_jump_through = matches!(first & 0x1f, 16 | 17);
        match first {
            _ if first & 0xfc00_0000 == 0x1400_0000 => true, // b
            _ if is_breakpoint(first) => true,
            _ if first & 0xff00_0000 == 0x5800_0000 => to_jump_through, // ldr, literal
            _ if first & 0x1f00_0000 == 0x1000_0000 => to_jump_through, // adr, adrp
            _ if first & 0xff80_0000 == 0xd280_0000 => to_jump_through, // mov
            _ => false,
        }
    })
}

/// Whether there may be a breakpoint in code.
pub fn may_have_breakpoint(code: &[u8]) -> bool {
    let mut instructions = code.chunks_exact(4);
    instructions.any(|bytes| is_breakpoint(bytes.try_into().map_or(0, u32::from_le_bytes)))
}

/// `brk` with any operand.
fn is_breakpoint(instruction: u32) -> bool {
    instruction & 0xffe0_001f == 0xd420_0000
}

/// Whether code that lies at `start` jumps to `target`, as a call in tail position does (`b`).
pub fn jumps_to(code: &[u8], start: usize, target: usize) -> bool {
    code.chunks_exact(4).enumerate().any(|(index, bytes)| {
        let instruction = bytes.try_into().map_or(0, u32::from_le_bytes);
        // The lower 26 bits, with their sign, count instructions.
        let distance = (((instruction << 6) as i32) >> 4) as isize;
        instruction & 0xfc00_0000 == 0x1400_0000
            && start.wrapping_add(index * 4).wrapping_add_signed(distance) == target
    })
}

/// `paciasp`, `pacibsp`, `bti` with any operand: where indirect jumps may land.
fn is_landing_pad(instruction: u32) -> bool {
    matches!(instruction, 0xd503_233f | 0xd503_237f) || instruction & !0xc0 == 0xd503_241f
}

/// Whether mprotect(2) without PROT_BTI would end the check of landing pads in libc's pages: where the
/// processor has it (HWCAP2_BTI in Linux' asm/hwcap.h).
///
/// Not in an emulated process, to which no kernel has mapped an object (qemu-user before 8.2). qemu-user before 8.1
/// ignores `ic ivau` (target/arm/helper.c), so it would go on with what it has translated of a function before, and sees
/// a change only where the program itself writes.
pub fn loses_landing_pads_by_mprotect(start: &AtStart) -> bool {
    const HWCAP2_BTI: usize = 1 << 17;
    let auxiliary = start.auxiliary();
    auxiliary.features & HWCAP2_BTI != 0 && auxiliary.kernels_object != 0
}

/// Makes the processor run what was written to `length` bytes from `start` on: data goes to memory,
/// then the copies in instruction caches go (Arm ARM, "Ordering of cache and branch predictor
/// maintenance operations").
///
/// The kernel does the same for what it writes through `/proc/self/mem`; what emulates a processor
/// may not.
///
/// # Safety
/// The range is mapped.
pub unsafe fn synchronize_code(start: usize, length: usize) {
    let types: usize;
    // SAFETY: reading a register that Linux lets every process read.
    unsafe {
        asm!("mrs {}, ctr_el0", out(reg) types, options(nomem, nostack, preserves_flags));
    }
    // The smallest line of any cache, in words of 4 bytes, as a power of two.
    let line = |shift: u32| 4_usize << ((types >> shift) & 0xf);
    let (data, code) = (line(16), line(0));
    // SAFETY: the caller's promise; these operations change no content.
    unsafe {
        for address in (start & !(data - 1)..start + length).step_by(data) {
            asm!("dc cvau, {}", in(reg) address, options(nostack, preserves_flags));
        }
        asm!("dsb ish", options(nostack, preserves_flags));
        for address in (start & !(code - 1)..start + length).step_by(code) {
            asm!("ic ivau, {}", in(reg) address, options(nostack, preserves_flags));
        }
        asm!("dsb ish", "isb", options(nostack, preserves_flags));
    }
}
