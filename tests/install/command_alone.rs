//! The release command needs nothing of the system that it puts in order.

use object::elf::{PT_DYNAMIC, PT_INTERP};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{Endianness, Object};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::machine::{Machine, OBJECT, assert_done};
use support::skip;

/// The release commands that are built, and whether each was linked statically: `scripts/build` does so where Rust has
/// its library for musl.
fn commands() -> Vec<PathBuf> {
    let sysroot = support::succeed(Command::new("rustc").args(["--print", "sysroot"]));
    let libraries = Path::new(sysroot.trim()).join("lib/rustlib");
    let own = std::env::consts::ARCH;
    let mut commands = Vec::new();
    for (architecture, folder) in [
        (own, support::built()),
        (
            "aarch64",
            support::root().join("target/aarch64-unknown-linux-gnu/release"),
        ),
    ] {
        let command = folder.join("opentelemetry-injector");
        if !libraries
            .join(format!("{architecture}-unknown-linux-musl"))
            .exists()
        {
            println!("skipped: Rust has no library for musl on {architecture}");
        } else if !command.exists() {
            println!("skipped: the command for {architecture}, which is not built");
        } else {
            commands.push(command);
        }
    }
    commands
}

#[test]
fn it_is_linked_statically() {
    let commands = commands();
    if commands.is_empty() {
        skip!("no command is linked statically here");
    }
    for command in commands {
        let data = fs::read(&command).unwrap();
        let elf = ElfFile64::<Endianness>::parse(data.as_slice()).unwrap();
        let segments = elf
            .elf_header()
            .program_headers(elf.endian(), elf.data())
            .unwrap();
        let has = |kind| {
            segments
                .iter()
                .any(|segment| segment.p_type(elf.endian()) == kind)
        };
        assert!(!has(PT_INTERP), "{command:?} has a loader");
        assert!(
            elf.imports().unwrap().is_empty(),
            "{command:?} needs libraries"
        );
        let is_own = command.starts_with(support::built());
        assert!(
            has(PT_DYNAMIC) || !is_own || cfg!(not(target_arch = "x86_64")),
            "{command:?} is at a fixed address"
        );
    }
}

/// A machine with the release command, or a word on why it is not the one to be tested.
fn machine_with_release() -> Result<Machine, String> {
    let machine = Machine::new()?;
    let command = support::built().join("opentelemetry-injector");
    if !commands().contains(&command) {
        return Err("the command is linked to this system's libc".into());
    }
    machine.add_program(&command);
    Ok(machine)
}

#[test]
fn an_object_that_ends_every_program_is_taken_out() {
    let machine = match machine_with_release() {
        Ok(machine) => machine,
        Err(why) => skip!("{why}"),
    };
    for harm in ["-DHARM=abort()", "-DHARM=_exit(0)"] {
        machine.install_hostile_object(&[harm]);
        machine.write("etc/ld.so.preload", format!("{OBJECT}\n"));
        let program = machine.run("", &["/bin/cat", "/etc/passwd"]);
        assert_eq!(program.stdout, "", "{program:?}");
        assert_done(&machine.injector(&["uninstall"]));
        assert_eq!(machine.preload_file().unwrap_or_default(), "", "{harm}");
        machine.assert_programs_start();
    }
}

#[test]
fn it_runs_without_a_libc() {
    let machine = match machine_with_release() {
        Ok(machine) => machine,
        Err(why) => skip!("{why}"),
    };
    for folder in ["lib", "lib32", "lib64", "usr/lib32", "usr/lib64"] {
        if machine.path(folder).exists() {
            fs::remove_dir_all(machine.path(folder)).unwrap();
        }
    }
    for folder in fs::read_dir(machine.path("usr/lib")).unwrap() {
        let path = folder.unwrap().path();
        if path.file_name().unwrap() != "opentelemetry" {
            fs::remove_dir_all(path).unwrap();
        }
    }
    assert_ne!(machine.run("", &["/bin/cat", "/etc/passwd"]).code, 0);
    let version = machine.injector(&["--version"]);
    assert!(
        version.stdout.starts_with("opentelemetry-injector "),
        "{version:?}"
    );
    let status = machine.injector(&["status"]);
    assert!(status.stdout.contains("/etc/ld.so.preload"), "{status:?}");
}
