//! What `install` and `doctor` do about AppArmor and SELinux.

use std::fs;
use std::path::Path;
use std::process::Command;
use support::machine::{Machine, OBJECT, assert_done};
use support::{has, machine, skip, stdout};

const BASE: &str = "etc/apparmor.d/abstractions/base";
const SNIPPET: &str = "etc/apparmor.d/abstractions/base.d/opentelemetry-injector";

#[test]
fn without_apparmor_there_is_nothing_to_allow() {
    let machine = machine!();
    let outcome = machine.injector(&["install", "--apparmor"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("is not installed"), "{outcome:?}");
    machine.write(BASE, "/etc/ld.so.cache mr,\n");
    let outcome = machine.injector(&["install", "--apparmor"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(
        outcome.stderr.contains("no abstractions/base.d"),
        "{outcome:?}"
    );
    assert_eq!(machine.preload_file(), None);
}

/// The rules of a profile with the machine's abstractions, as AppArmor's own parser reads them.
fn rules(machine: &Machine) -> String {
    machine.write(
        "profile",
        "#include <tunables/global>\nprofile shop /opt/shop {\n  #include <abstractions/base>\n}\n",
    );
    let mut parser = Command::new("apparmor_parser");
    parser
        .args(["--skip-kernel-load", "--skip-cache", "--debug", "--base"])
        .arg(machine.path("etc/apparmor.d"))
        .arg(machine.path("profile"));
    let output = parser.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    stdout(&output)
}

#[test]
fn apparmors_parser_takes_the_rules() {
    let machine = machine!();
    let host = Path::new("/etc/apparmor.d");
    if !has("apparmor_parser") || !host.join("abstractions/base").exists() {
        skip!("AppArmor's parser and profiles are not installed (Debian: apparmor)");
    }
    let copied = Command::new("cp")
        .args(["-r", "/etc/apparmor.d"])
        .arg(machine.path("etc/"))
        .status();
    assert!(copied.unwrap().success());
    let folder = "/opt/o{tel [x]";
    let object = format!("{folder}/libopentelemetry_injector.so");
    machine.write(&object, fs::read(machine.path(OBJECT)).unwrap());
    assert!(!rules(&machine).contains("opentelemetry"));
    let refused = machine.injector(&["install", "--apparmor", "--object", &object]);
    assert_eq!(refused.code, 1, "a blank in the path: {refused:?}");
    assert!(!machine.path(SNIPPET).exists());

    let folder = "/opt/o{tel[x]";
    let object = format!("{folder}/libopentelemetry_injector.so");
    machine.write(&object, fs::read(machine.path(OBJECT)).unwrap());
    let installed = machine.injector(&["install", "--apparmor", "--object", &object]);
    assert_done(&installed);
    assert!(
        installed.stdout.contains("systemctl reload apparmor"),
        "{installed:?}"
    );
    let read = rules(&machine);
    for path in [
        "/usr/lib/opentelemetry/**",
        "/etc/opentelemetry/**",
        "/opt/o\\{tel\\[x\\]/**",
    ] {
        assert!(read.contains(path), "{path}: {read}");
    }
    // It is written also where the entry is there already.
    fs::remove_file(machine.path(SNIPPET)).unwrap();
    assert_done(&machine.injector(&["install", "--apparmor", "--object", &object]));
    assert!(machine.path(SNIPPET).exists());
    let uninstalled = machine.injector(&["uninstall"]);
    assert_done(&uninstalled);
    assert!(
        uninstalled.stdout.contains("is removed: reload"),
        "{uninstalled:?}"
    );
    assert!(!rules(&machine).contains("opentelemetry"));
}

/// A label on a file; whether the file system takes it.
fn label(machine: &Machine, name: &str, context: &str) -> bool {
    let mut command = Command::new("setfattr");
    command
        .args(["-n", "security.selinux", "-v", context])
        .arg(machine.path(name));
    command.output().is_ok_and(|output| output.status.success())
}

#[test]
fn doctor_tells_how_selinux_labels_the_object_for_good() {
    let machine = machine!();
    machine.write("sys/fs/selinux/enforce", "1");
    let elsewhere = "/opt/otel.d/libopentelemetry_injector.so";
    machine.write(elsewhere, fs::read(machine.path(OBJECT)).unwrap());
    for name in [OBJECT, elsewhere] {
        if !label(&machine, name, "system_u:object_r:usr_t:s0") {
            skip!("this file system takes no label, or setfattr (Debian: attr) is missing");
        }
    }
    let next = |machine: &Machine| {
        let told = machine.injector(&["doctor"]).stdout;
        let mut lines = told.lines().skip_while(|line| !line.contains("SELinux"));
        let finding = lines.next().unwrap().to_owned();
        (finding, lines.next().unwrap_or_default().trim().to_owned())
    };
    let (finding, fix) = next(&machine);
    assert!(finding.starts_with("problem"), "{finding}");
    assert!(
        fix.starts_with("next: restorecon -R /usr/lib/opentelemetry/injector;"),
        "{fix}"
    );
    let _ = machine.injector(&["install", "--object", elsewhere]);
    let (_, fix) = next(&machine);
    let semanage =
        r"next: semanage fcontext -a -t lib_t '/opt/otel\.d(/.*)?' && restorecon -R /opt/otel.d;";
    assert!(fix.starts_with(semanage), "{fix}");
    assert!(label(&machine, elsewhere, "system_u:object_r:lib_t:s0"));
    let (finding, _) = next(&machine);
    assert!(finding.starts_with("ok"), "{finding}");
}
