//! How the preload object is linked. Each flag removes a cost or a risk from every process.

use std::env;
use std::path::Path;
use std::process::Command;

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
        // Constants and code in one mapping: one mmap less in every exec.
        "-Wl,-z,noseparate-code",
    ];
    for argument in arguments {
        println!("cargo:rustc-cdylib-link-arg={argument}");
    }
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        let mut scripts = vec!["without_unwind_tables.ld", "order_of_functions.ld"];
        if links_with_rust_lld() {
            scripts.push("whole_pages.ld");
        }
        for script in scripts {
            println!("cargo:rerun-if-changed={script}");
            println!("cargo:rustc-cdylib-link-arg=-Wl,-T,{folder}/{script}");
        }
        println!("cargo:rustc-cdylib-link-arg=-Wl,--no-eh-frame-hdr");
    }
    if links_with_rust_lld() {
        // What `noseparate-code` is to GNU ld, which does not know this one before 2.44.
        println!("cargo:rustc-cdylib-link-arg=-Wl,--no-rosegment");
    }
}

/// Whether rustc uses the lld that comes with it: the default on x86-64 Linux since 1.90, where the
/// toolchain ships it and nobody chose another linker.
fn links_with_rust_lld() -> bool {
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let target = "x86_64-unknown-linux-gnu";
    let chosen = variable("CARGO_ENCODED_RUSTFLAGS").contains("link");
    if variable("TARGET") != target || chosen || !variable("RUSTC_LINKER").is_empty() {
        return false;
    }
    let sysroot = Command::new(variable("RUSTC"))
        .args(["--print", "sysroot"])
        .output();
    sysroot.is_ok_and(|output| {
        let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let folder = Path::new(&sysroot).join("lib/rustlib").join(target);
        folder.join("bin/gcc-ld/ld.lld").exists()
    })
}
