//! How the Gum object is linked.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=LIBRARY_PATH");
    // A library that is missing must fail the build, not the first process.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,defs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-Bsymbolic");
    // libgcc and libm looked for at every start cost more than Gum's own initialisation.
    if let Some(folder) = libgcc_folder() {
        println!("cargo:rustc-link-search=native={folder}");
        println!("cargo:rustc-cfg=static_unwinder");
    }
    println!("cargo:rustc-check-cfg=cfg(static_unwinder)");
}

/// Where the C compiler keeps its static unwinder, if it has one.
fn libgcc_folder() -> Option<String> {
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let output = Command::new(compiler)
        .arg("-print-file-name=libgcc_eh.a")
        .output()
        .ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    let (folder, _) = path.trim().rsplit_once('/')?;
    Some(folder.to_owned())
}
