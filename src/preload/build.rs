//! How the preload object is linked. Each flag keeps a cost or a risk away from every process.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let arguments = [
        // No start files and no default libraries: no libgcc_s and libm to look for and map in
        // every exec. musl's loader takes `libc.so.6` to be itself, so one file serves both.
        "-nostartfiles",
        "-nodefaultlibs",
        "-l:libc.so.6",
        "-Wl,--no-undefined",
        // Calls among our own functions do not go through symbols that a program may define.
        "-Wl,-Bsymbolic",
        // libc's code jumps into this object: it must never be unmapped.
        "-Wl,-z,nodelete",
        "-Wl,-z,noexecstack",
        // Two mappings instead of four.
        "-Wl,-z,noseparate-code",
    ];
    for argument in arguments {
        println!("cargo:rustc-cdylib-link-arg={argument}");
    }
}
