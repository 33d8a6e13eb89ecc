//! Which beginnings of functions Gum's engine copies: by what their bytes say, and by its object itself.

#[path = "../../src/gum/instructions/aarch64.rs"]
mod arm64;
#[path = "../../src/gum/instructions/mod.rs"]
mod instructions;

use std::ffi::{CString, c_int};
use std::mem;
use support::{built, engines, skip};

#[test]
fn jumps_of_arm64_are_measured_from_their_end() {
    for (instruction, wanted) in [
        (0x1400_0002_u32, Some(4)),          // b .+8
        (0x17ff_ffff, Some(-8)),             // b .-4
        (0x97ff_fffe, Some(-12)),            // bl .-8
        (0x1600_0000, Some(-(1 << 27) - 4)), // b, as far back as it goes
        (0x15ff_ffff, Some((1 << 27) - 8)),  // b, as far on as it goes
        (0x54ff_ffc0, Some(-12)),            // b.eq .-8
        (0x5400_0041, Some(4)),              // b.ne .+8
        (0x34ff_ffe0, Some(-8)),             // cbz w0, .-4
        (0xb500_0043, Some(4)),              // cbnz x3, .+8
        (0x3607_ffc0, Some(-12)),            // tbz w0, #0, .-8
        (0xb700_0041, Some(4)),              // tbnz x1, #32, .+8
        (0xd65f_03c0, None),                 // ret
        (0xd61f_0220, None),                 // br x17
        (0xa9bf_7bfd, None),                 // stp x29, x30, [sp, #-16]!
        (0xd503_201f, None),                 // nop
    ] {
        let told = arm64::jump_distance(&instruction.to_le_bytes());
        assert_eq!(told, wanted, "{instruction:#x}");
        let told = arm64::cannot_be_copied(&instruction.to_le_bytes());
        assert_eq!(told, wanted.is_some(), "{instruction:#x}");
        assert!(!arm64::is_breakpoint(&instruction.to_le_bytes()));
    }
    assert_eq!(arm64::JUMP_LENGTHS, [4]);
    // gdb's, and the kernel's for a uprobe.
    for breakpoint in [0xd420_0000_u32, 0xd420_00a0] {
        assert!(arm64::is_breakpoint(&breakpoint.to_le_bytes()));
    }
}

/// A function of x86-64, and whether five bytes of it can be replaced.
struct Function {
    what: &'static str,
    code: &'static [u8],
    may_jump_back: bool,
    is_copied: bool,
}

/// `push r15; push r14; push r13` and what follows it: six bytes are copied.
macro_rules! pushed {
    ($what:literal, $may_jump_back:literal, $is_copied:literal, $($byte:literal),* $(,)?) => {
        Function {
            what: $what,
            code: &[0x41, 0x57, 0x41, 0x56, 0x41, 0x55, $($byte),*],
            may_jump_back: $may_jump_back,
            is_copied: $is_copied,
        }
    };
}

const FUNCTIONS: [Function; 14] = [
    pushed!("plain", false, true, 0x31, 0xc0, 0xc3),
    pushed!("jmp to the second", true, false, 0xeb, 0xfa),
    pushed!(
        "jmp rel32 to the third",
        true,
        false,
        0xe9,
        0xf9,
        0xff,
        0xff,
        0xff
    ),
    pushed!(
        "bnd jmp rel32 to the third",
        true,
        false,
        0xf2,
        0xe9,
        0xf8,
        0xff,
        0xff,
        0xff
    ),
    pushed!(
        "call of the second",
        true,
        false,
        0xe8,
        0xf7,
        0xff,
        0xff,
        0xff,
        0xc3
    ),
    pushed!("je to the second", true, false, 0x74, 0xfa, 0xc3),
    pushed!(
        "je rel32 to the second",
        true,
        false,
        0x0f,
        0x84,
        0xf6,
        0xff,
        0xff,
        0xff,
        0xc3
    ),
    pushed!("loop to the second", true, false, 0xe2, 0xfa, 0xc3),
    pushed!("jmp to the start", false, true, 0xeb, 0xf8),
    pushed!("jmp to what is not copied", false, true, 0x90, 0xeb, 0xfd),
    // mov eax, 0x90f9eb90
    pushed!(
        "what only looks like a jump",
        true,
        true,
        0xb8,
        0x90,
        0xeb,
        0xf9,
        0x90,
        0xc3
    ),
    // A byte that begins no instruction in 64-bit code.
    pushed!(
        "what cannot be told apart",
        true,
        false,
        0x06,
        0xeb,
        0xf9,
        0xc3
    ),
    Function {
        what: "a breakpoint at the start",
        code: &[0xcc, 0x57, 0x41, 0x56, 0x41, 0x55, 0x31, 0xc0, 0xc3],
        may_jump_back: false,
        is_copied: false,
    },
    Function {
        what: "a breakpoint on the second instruction",
        code: &[0x41, 0x57, 0xcc, 0x56, 0x41, 0x55, 0x31, 0xc0, 0xc3],
        may_jump_back: false,
        is_copied: false,
    },
];

/// How many bytes are copied in [`FUNCTIONS`].
const TAKEN: usize = 6;

#[test]
fn bytes_tell_whether_a_function_may_jump_back() {
    if cfg!(not(target_arch = "x86_64")) {
        skip!("these are functions of x86-64");
    }
    for function in FUNCTIONS {
        let told = instructions::may_jump_back(function.code, TAKEN);
        assert_eq!(told, function.may_jump_back, "{}", function.what);
    }
    let jump = [0xeb, 0xfa];
    assert!(instructions::is_jump_into(TAKEN, &jump, 8));
    assert!(!instructions::is_jump_into(TAKEN, &jump, 6));
    assert!(!instructions::is_jump_into(TAKEN, &jump, 12));
    assert!(!instructions::is_breakpoint(&[0x90]));
    assert!(instructions::is_breakpoint(&[0xcc]));
    for conditional in [&[0x75, 2][..], &[0x3e, 0x75, 2], &[0x0f, 0x8f, 0, 0, 0, 0]] {
        assert!(instructions::cannot_be_copied(conditional));
    }
    assert!(!instructions::cannot_be_copied(&jump));
}

/// The Gum object's function (src/gum/lib.rs).
type Relocate = unsafe extern "C" fn(usize, usize, usize, *mut u8) -> c_int;

fn relocate() -> Relocate {
    let object = built().join("libopentelemetry_injector_gum.so");
    let object = CString::new(object.to_str().unwrap()).unwrap();
    // SAFETY: a C string; the object has no constructor that does anything.
    let handle = unsafe { libc::dlopen(object.as_ptr(), libc::RTLD_NOW) };
    assert!(!handle.is_null());
    // SAFETY: the handle is open.
    let symbol = unsafe { libc::dlsym(handle, c"opentelemetry_injector_gum_relocate".as_ptr()) };
    assert!(!symbol.is_null());
    // SAFETY: src/gum/lib.rs defines the function with this signature.
    unsafe { mem::transmute::<*mut libc::c_void, Relocate>(symbol) }
}

/// Whether Gum copies a function's first five bytes.
fn is_copied(relocate: Relocate, code: &[u8]) -> bool {
    // What is read behind the function's end.
    let followed = [code, &[0x90; 16]].concat();
    let mut to = [0_u8; 2048];
    // SAFETY: the bytes can be read, and there is the room that is asked for.
    unsafe { relocate(followed.as_ptr() as usize, code.len(), 5, to.as_mut_ptr()) == 0 }
}

#[test]
fn gum_copies_no_beginning_that_is_jumped_to_or_that_has_a_breakpoint() {
    if cfg!(not(target_arch = "x86_64")) || !engines().contains(&"gum") {
        skip!("the Gum engine is not built, or not for x86-64");
    }
    let relocate = relocate();
    for function in FUNCTIONS {
        let told = is_copied(relocate, function.code);
        assert_eq!(told, function.is_copied, "{}", function.what);
    }
    // push rbp; je .+2; and what follows; or what ends too early.
    assert!(!is_copied(
        relocate,
        &[0x55, 0x74, 2, 0x90, 0x90, 0x90, 0xc3]
    ));
    assert!(!is_copied(relocate, &[0x55, 0x90, 0x90, 0xc3]));
}
