//! How the Gum object is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=LIBRARY_PATH");
    println!("cargo:rustc-link-lib=c");
    // A library that is missing must fail the build, not the first process.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,defs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-Bsymbolic");
    // The few functions that a process needs of libc are looked up when they are called.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,lazy");
}
