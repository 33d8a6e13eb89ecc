//! `install` and `uninstall`, in small machines of their own: programs load the object, start as
//! before, and no foreign byte of the preload file changes.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use support::command::{copy_program, outcome};
use support::machine;
use support::machine::{COMMAND, Machine, OBJECT, assert_done};

const VERSION: &str = env!("CARGO_PKG_VERSION");

const TO_RESTART: &str = "programs that already run load it when they are restarted: \
                          `opentelemetry-injector ps --units` lists what to restart\n";

const RUNNING: &str = "running processes keep the object until they are restarted\n";

#[test]
fn it_is_installed_once_and_uninstalled_without_a_trace() {
    let machine = machine!();
    let first = machine.injector(&["install"]);
    assert_done(&first);
    let said = format!(
        "as before with the object: sh, cat, ls, ldconfig (static), sh (as nobody), mount \
         (set-user-ID)\n{OBJECT} ({VERSION}) is in /etc/ld.so.preload: every new program loads it\n\
         {TO_RESTART}"
    );
    assert_eq!(first.stdout, said);
    assert_eq!(machine.preload_file().unwrap(), format!("{OBJECT}\n"));
    let file = fs::metadata(machine.path("etc/ld.so.preload")).unwrap();
    assert_eq!(
        (file.mode() & 0o7777, file.uid(), file.gid()),
        (0o644, 0, 0)
    );
    assert!(machine.loads_object());
    machine.assert_programs_start();

    let said =
        format!("{OBJECT} ({VERSION}) is already in /etc/ld.so.preload; nothing was changed\n");
    assert_eq!(machine.injector(&["install"]), outcome(0, &said, ""));
    let again = fs::metadata(machine.path("etc/ld.so.preload")).unwrap();
    assert_eq!(
        (again.ino(), again.mtime_nsec()),
        (file.ino(), file.mtime_nsec())
    );

    let said =
        format!("{OBJECT} is no longer in /etc/ld.so.preload: no new program loads it\n{RUNNING}");
    assert_eq!(machine.injector(&["uninstall"]), outcome(0, &said, ""));
    assert_eq!(machine.preload_file(), None);
    assert!(!machine.loads_object());
    let said = "/etc/ld.so.preload has no entry of the injector; nothing was changed\n";
    assert_eq!(machine.injector(&["uninstall"]), outcome(0, said, ""));
    machine.assert_no_litter();
}

#[test]
fn a_dry_run_tries_everything_and_changes_nothing() {
    let machine = machine!();
    let dry = machine.injector(&["install", "--dry-run"]);
    assert_done(&dry);
    let said =
        format!("{OBJECT} ({VERSION}) would be added to /etc/ld.so.preload; nothing was changed");
    assert!(dry.stdout.ends_with(&(said + "\n")), "{dry:?}");
    assert_eq!(machine.preload_file(), None);
    machine.write("etc/ld.so.preload", format!("{OBJECT}\n"));
    let said = format!("{OBJECT} would be taken out of /etc/ld.so.preload; nothing was changed\n");
    assert_eq!(
        machine.injector(&["uninstall", "--dry-run"]),
        outcome(0, &said, "")
    );
    assert_eq!(machine.preload_file().unwrap(), format!("{OBJECT}\n"));
}

#[test]
fn foreign_entries_and_bytes_are_kept() {
    let machine = machine!();
    let scene = support::Scene::new();
    let foreign = scene.compile_with("cc", "empty_object", &["-shared", "-fPIC"]);
    copy_program(&foreign, &machine.path("lib/foreign.so"));
    copy_program(&foreign, &machine.path("lib/other.so"));
    for (before, after) in [
        ("", "OURS\n"),
        ("\n", "\nOURS\n"),
        ("/lib/foreign.so\n", "/lib/foreign.so\nOURS\n"),
        ("/lib/foreign.so", "/lib/foreign.so\nOURS"),
        (
            "/lib/foreign.so\t/lib/other.so",
            "/lib/foreign.so\t/lib/other.so\nOURS",
        ),
        (
            "/lib/foreign.so:/lib/other.so:\n",
            "/lib/foreign.so:/lib/other.so:\nOURS\n",
        ),
        (
            "# why\n/lib/foreign.so\n\n",
            "# why\n/lib/foreign.so\n\nOURS\n",
        ),
        ("/lib/foreign.so # why", "/lib/foreign.so # why\nOURS"),
        // The carriage return before the comment would be a part of the path.
        ("/lib/foreign.so #\r\n", "/lib/foreign.so #\r\nOURS\n"),
    ] {
        machine.write("etc/ld.so.preload", before);
        assert_done(&machine.injector(&["install"]));
        let content = machine.preload_file().unwrap();
        assert_eq!(content, after.replace("OURS", OBJECT));
        assert!(machine.loads_object(), "{before:?}");
        machine.assert_programs_start();
        assert_done(&machine.injector(&["uninstall"]));
        let nothing = before.is_empty().then(String::new);
        let content = machine.preload_file().or(nothing);
        assert_eq!(content.as_deref(), Some(before));
        machine.assert_programs_start();
    }
}

#[test]
fn objects_that_are_missing_are_complained_of_as_before_and_not_more() {
    let machine = machine!();
    let file = "/gone.so\r\n# one\n";
    machine.write("etc/ld.so.preload", file);
    let complaint = |machine: &Machine| machine.run("", &["/bin/cat", "/etc/passwd"]).stderr;
    let before = complaint(&machine);
    assert!(before.contains("/gone.so\r"), "{before:?}");
    let installed = machine.injector(&["install"]);
    assert_eq!(installed.code, 0, "{installed:?}");
    assert_eq!(machine.preload_file().unwrap(), format!("{file}{OBJECT}\n"));
    assert_eq!(complaint(&machine), before);
    assert!(machine.loads_object());
    assert_eq!(machine.injector(&["uninstall"]).code, 0);
    assert_eq!(machine.preload_file().unwrap(), file);
    assert_eq!(complaint(&machine), before);
}

#[test]
fn every_form_of_our_entry_is_uninstalled_without_the_object() {
    let machine = machine!();
    fs::remove_file(machine.path(OBJECT)).unwrap();
    for (before, after) in [
        (format!("{OBJECT}\n"), None),
        (OBJECT.into(), None),
        (format!("{OBJECT}\n{OBJECT}\n"), None),
        ("/usr/$LIB/libopentelemetry_injector.so\n".into(), None),
        ("libopentelemetry_injector.so\n".into(), None),
        (format!("{OBJECT}\r\n"), None),
        (format!("# ours\n{OBJECT}\n"), Some("# ours\n")),
        (
            format!("/old/libopentelemetry_injector.so:{OBJECT} # x"),
            Some("# x"),
        ),
        (format!("# a\n{OBJECT}"), Some("# a")),
    ] {
        machine.write("etc/ld.so.preload", &before);
        let uninstalled = machine.injector(&["uninstall"]);
        // Its own loader has complained of the object that is gone.
        assert_eq!(uninstalled.code, 0, "{uninstalled:?}");
        assert_eq!(machine.preload_file().as_deref(), after, "{before:?}");
        machine.assert_programs_start();
    }
}

#[test]
fn another_place_of_the_object_takes_the_place_of_the_first() {
    let machine = machine!();
    machine.write(
        "etc/ld.so.preload",
        "/opt/old/libopentelemetry_injector.so # x\n",
    );
    assert_eq!(machine.injector(&["install"]).code, 0);
    assert_eq!(machine.preload_file().unwrap(), format!("{OBJECT} # x\n"));
    machine.assert_programs_start();
}

#[test]
fn the_mode_is_the_same_whatever_the_umask_and_the_mode_before() {
    let machine = machine!();
    let line = format!("umask 077; exec {COMMAND} install");
    let mode = |machine: &Machine| {
        let file = fs::metadata(machine.path("etc/ld.so.preload")).unwrap();
        (file.mode() & 0o7777, file.uid())
    };
    assert_done(&machine.run("", &["/bin/sh", "-c", &line]));
    assert_eq!(mode(&machine), (0o644, 0));
    // As it would be read by root's programs alone, or could be written by another.
    for (spoilt, owner) in [(0o600, 0), (0o666, 0), (0o644, 1000)] {
        machine.set_mode("etc/ld.so.preload", spoilt);
        chown(machine.path("etc/ld.so.preload"), Some(owner), None).unwrap();
        assert_done(&machine.injector(&["install"]));
        assert_eq!(mode(&machine), (0o644, 0));
        assert_eq!(machine.preload_file().unwrap(), format!("{OBJECT}\n"));
    }
}

#[test]
fn a_preload_file_behind_a_symbolic_link_is_replaced_where_it_is() {
    let machine = machine!();
    machine.write("etc/preload.d/file", "# foreign\n");
    symlink("preload.d/file", machine.path("etc/ld.so.preload")).unwrap();
    assert_done(&machine.injector(&["install"]));
    assert!(machine.path("etc/ld.so.preload").is_symlink());
    assert_eq!(
        machine.preload_file().unwrap(),
        format!("# foreign\n{OBJECT}\n")
    );
    assert_done(&machine.injector(&["uninstall"]));
    assert!(machine.path("etc/ld.so.preload").is_symlink());
    assert_eq!(machine.preload_file().unwrap(), "# foreign\n");
    fs::remove_file(machine.path("etc/preload.d/file")).unwrap();
    let outcome = machine.injector(&["install"]);
    assert_eq!(outcome.code, 1);
    assert!(
        outcome.stderr.contains("a symbolic link to nothing"),
        "{outcome:?}"
    );
}

#[test]
fn under_selinux_the_file_gets_the_label_of_its_path() {
    let machine = machine!();
    let script = "#!/bin/sh\necho \"$@\" >> /tmp/labelled\n";
    machine.write("usr/bin/restorecon", script);
    machine.set_mode("usr/bin/restorecon", 0o755);
    assert_done(&machine.injector(&["install"]));
    assert!(!machine.path("tmp/labelled").exists());
    machine.write("sys/fs/selinux/enforce", "1");
    machine.write("etc/ld.so.preload", "# foreign\n");
    assert_done(&machine.injector(&["install"]));
    let labelled = fs::read_to_string(machine.path("tmp/labelled")).unwrap();
    assert_eq!(labelled, "/etc/ld.so.preload\n");
}
