//! `install` and `uninstall` on machines that fail them, and killed at every step: the preload file
//! is the old one or the new one, and programs start as before.

use std::fs;
use std::process::Command;
use support::machine;
use support::machine::{COMMAND, OBJECT, assert_done};
use support::{Background, skip};

#[test]
fn what_goes_wrong_only_after_the_installation_is_taken_back() {
    let machine = machine!();
    machine.write("etc/ld.so.preload", "# foreign");
    // In the trial the file is in memory, and what is beside it is not.
    let harm = "-DHARM=struct stat file, other; \
                if (!stat(\"/etc/ld.so.preload\", &file) && file.st_size > 20 && \
                !stat(\"/etc/passwd\", &other) && file.st_dev == other.st_dev) abort()";
    machine.install_hostile_object(&["-include", "sys/stat.h", harm]);
    let outcome = machine.injector(&["install"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let told = "signal 6 instead of exit 3; /etc/ld.so.preload is as it was before";
    assert!(outcome.stderr.contains(told), "{outcome:?}");
    assert_eq!(machine.preload_file().unwrap(), "# foreign");
    machine.assert_programs_start();
}

#[test]
fn a_full_disk_changes_nothing() {
    let machine = machine!();
    let full = r#"
        mount -t tmpfs -o size=16k,mode=755 tmpfs "$ROOT/etc"
        echo root:x:0:0::/:/bin/sh > "$ROOT/etc/passwd"
        printf '# foreign' > "$ROOT/etc/ld.so.preload"
        cat /dev/zero > "$ROOT/etc/full" 2>/dev/null || :"#;
    let line = format!("{COMMAND} install; echo $?; cat /etc/ld.so.preload; ls -A /etc");
    let outcome = machine.run(full, &["/bin/sh", "-c", &line]);
    assert_eq!(
        outcome.stdout, "1\n# foreignfull\nld.so.preload\npasswd\n",
        "{outcome:?}"
    );
    assert!(
        outcome.stderr.contains("is as it was: No space left"),
        "{outcome:?}"
    );
}

#[test]
fn a_read_only_etc_changes_nothing() {
    let machine = machine!();
    let read_only =
        r#"mount --bind -o ro "$ROOT/etc" "$ROOT/etc"; mount -o remount,bind,ro "$ROOT/etc""#;
    machine.write("etc/ld.so.preload", "# foreign");
    let outcome = machine.run(read_only, &[COMMAND, "install"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("is as it was: Read-only file system"),
        "{outcome:?}"
    );
    // A dry run says so too.
    let dry_run = machine.run(read_only, &[COMMAND, "install", "--dry-run"]);
    assert_eq!((dry_run.code, &dry_run.stderr), (1, &outcome.stderr));
    assert_eq!(machine.preload_file().unwrap(), "# foreign");
    // What is there already needs no writing.
    machine.write("etc/ld.so.preload", format!("{OBJECT}\n"));
    assert_done(&machine.run(read_only, &[COMMAND, "install"]));
    let outcome = machine.run(read_only, &[COMMAND, "uninstall"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert_eq!(machine.preload_file().unwrap(), format!("{OBJECT}\n"));
}

#[test]
fn a_preload_file_that_is_a_mount_of_its_own_is_told() {
    let machine = machine!();
    machine.write("etc/ld.so.preload", "# foreign");
    machine.write("tmp/mounted", "# mounted");
    let mounted = r#"mount --bind "$ROOT/tmp/mounted" "$ROOT/etc/ld.so.preload""#;
    let outcome = machine.run(mounted, &[COMMAND, "install"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(
        outcome.stderr.contains("is a mount of its own"),
        "{outcome:?}"
    );
    assert_eq!(fs::read(machine.path("tmp/mounted")).unwrap(), b"# mounted");
    machine.assert_no_litter();
}

#[test]
fn killed_anywhere_it_leaves_the_old_file_or_the_new_one() {
    let machine = machine!();
    if !support::has("strace") {
        skip!("strace is not installed");
    }
    let old = "# foreign";
    let new = format!("# foreign\n{OBJECT}");
    let root = machine.path("").canonicalize().unwrap();
    let files = [
        "/etc",
        "/etc/ld.so.preload",
        "/etc/.ld.so.preload.opentelemetry-injector",
    ];
    let paths = files
        .map(|file| format!("-P {file} -P {}{file}", root.display()))
        .join(" ");
    let calls = "openat write fchown fchmod fsync rename unlink flock close";
    let mut kills = 0;
    for (words, before, after) in [("install", old, new.as_str()), ("uninstall", &new, old)] {
        for call in calls.split(' ') {
            for number in 1..50 {
                machine.write("etc/ld.so.preload", before);
                let tracer = format!(
                    "strace -o /dev/null {paths} -e trace={call} \
                     -e inject={call}:signal=KILL:when={number}"
                );
                let mut command = machine.command(&tracer, "", &[COMMAND, words]);
                let outcome = machine::outcome(&command.output().unwrap());
                if outcome.code == 0 {
                    assert_eq!(machine.preload_file().as_deref(), Some(after));
                    break;
                }
                assert_eq!(outcome.code, 137, "{call} {number}: {outcome:?}");
                kills += 1;
                let file = machine.preload_file().unwrap();
                assert!(file == before || file == after, "{call} {number}: {file:?}");
                machine.assert_programs_start();
            }
        }
    }
    // Each run opens, writes, renames and brings to the disk what it changes.
    assert!(kills > 20, "{kills}");
    machine.write("etc/ld.so.preload", old);
    assert_done(&machine.injector(&["install"]));
    machine.assert_no_litter();
}

#[test]
fn several_at_once_leave_one_entry() {
    let machine = machine!();
    machine.write("etc/ld.so.preload", "# foreign\n");
    for _ in 0..3 {
        let start = |words: &str| machine.command("", "", &[COMMAND, words]).spawn().unwrap();
        let children = ["install", "uninstall", "install", "install"].map(start);
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let file = machine.preload_file().unwrap();
        let installed = format!("# foreign\n{OBJECT}\n");
        assert!(file == "# foreign\n" || file == installed, "{file:?}");
        assert_done(&machine.injector(&["install"]));
        assert_eq!(machine.preload_file().unwrap(), installed);
    }
    machine.assert_no_litter();
}

#[test]
fn what_another_program_writes_meanwhile_is_kept() {
    let machine = machine!();
    machine.write("etc/ld.so.preload", "# foreign\n");
    // The trial starts this shell, which is an editor that knows of no lock.
    let shell = "#!/usr/bin/real-sh\n\
                 [ -z \"$LD_PRELOAD\" ] || [ ! -w /etc/ld.so.preload ] ||\n\
                 echo '# another' > /etc/ld.so.preload\n\
                 exec /usr/bin/real-sh \"$@\"\n";
    fs::rename(machine.path("bin/sh"), machine.path("bin/real-sh")).unwrap();
    machine.write("bin/sh", shell);
    machine.set_mode("bin/sh", 0o755);
    let outcome = machine.injector(&["install"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(
        outcome.stderr.contains("was changed by another program"),
        "{outcome:?}"
    );
    assert_eq!(machine.preload_file().unwrap(), "# another\n");
    machine.assert_no_litter();
}

#[test]
fn a_lock_that_any_user_holds_stops_nobody_for_ever() {
    let machine = machine!();
    if !support::has("flock") {
        skip!("flock is not installed");
    }
    machine.write("etc/ld.so.preload", format!("{OBJECT}\n"));
    let mut holder = Command::new("flock");
    let line = ["sh", "-c", "echo locked; exec sleep 300"];
    holder.arg("--no-fork").arg(machine.path("etc")).args(line);
    let holder = Background::start(&mut holder);
    holder.wait_for("lock", |line| (line == "locked").then_some(()));
    let outcome = machine.injector(&["uninstall"]);
    drop(holder);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.stderr.contains("going on without"), "{outcome:?}");
    assert_eq!(machine.preload_file(), None);
}
