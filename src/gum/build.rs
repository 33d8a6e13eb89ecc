//! How the Gum object is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Where the devkit is, unless it was downloaded (scripts/build).
    println!("cargo:rerun-if-env-changed=FRIDA_GUM_DEVKIT");
    if let Ok(devkit) = std::env::var("FRIDA_GUM_DEVKIT")
        && !devkit.is_empty()
    {
        println!("cargo:rustc-link-search=native={devkit}");
    }
    // A library that is missing must fail the build, not the first process.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,defs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-Bsymbolic");
    // The few functions that a process needs of libc are looked up when they are called.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,lazy");
    // Behind the devkit, whose functions call them: the linker takes from a library only what is needed by then.
    println!("cargo:rustc-cdylib-link-arg=-lgcc");
    println!("cargo:rustc-cdylib-link-arg=-lc");
}
