//! `install` and `uninstall` on machines that fail them, and killed at every step: the preload file
//! is the old one or the new one, and programs start as before.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use support::machine;
use support::machine::{COMMAND, Machine, OBJECT, assert_done};
use support::{Background, skip, take_signals};

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
    let told = "signal 6 instead of exit 3; /etc/ld.so.preload was restored";
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
        outcome.stderr.contains("was not changed: No space left"),
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
            .contains("was not changed: Read-only file system"),
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

/// Calls that change nothing that outlives a process: killed at one of them, a run leaves what it
/// leaves where it is killed at the next call of another name.
const HARMLESS: &str = "statx newfstatat access readlink prlimit64 rt_sigprocmask rt_sigaction mmap \
                        munmap mprotect brk";

/// At every system call of a run, one after the other.
#[test]
fn killed_anywhere_it_leaves_the_old_file_or_the_new_one() {
    let machine = machine!();
    if !support::has("strace") {
        skip!("strace is not installed");
    }
    // Few programs to try, so that the many runs are short.
    for program in ["ls", "ldconfig"] {
        fs::remove_file(machine.path("usr/bin").join(program)).unwrap();
    }
    machine.compile_empty_object("usr/lib/foreign.so");
    let old = "# foreign\n/usr/lib/foreign.so\n";
    let new = format!("{old}{OBJECT}\n");
    for (words, before, after) in [("install", old, new.as_str()), ("uninstall", &new, old)] {
        machine.write("etc/ld.so.preload", before);
        let calls = machine.path("tmp/calls");
        let tracer = format!("strace -qqo {}", calls.display());
        let run = |tracer: &str| {
            let mut command = machine.command(tracer, "", &[COMMAND, words]);
            machine::outcome(&command.output().unwrap())
        };
        assert_done(&run(&tracer));
        let (mut kills, mut published) = (0, 0);
        for (call, number) in numbered(&fs::read_to_string(&calls).unwrap()) {
            machine.write("etc/ld.so.preload", before);
            let outcome = run(&format!(
                "strace -qqo /dev/null -e signal=none -e trace={call} \
                 -e inject={call}:signal=KILL:when={number}"
            ));
            // How often it waits is a matter of time.
            assert!(
                [0, 137].contains(&outcome.code),
                "{call} {number}: {outcome:?}"
            );
            kills += usize::from(outcome.code == 137);
            let file = machine.preload_file().unwrap();
            assert!(file == before || file == after, "{call} {number}: {file:?}");
            published += usize::from(outcome.code == 137 && file == after);
            if call == "rename" || call == "fsync" {
                machine.assert_programs_start();
            }
        }
        println!("{words}: killed {kills} times, {published} times after the new file was there");
        assert!(kills > 40 && published > 1, "{kills} {published}");
    }
    // What the killed runs have left does not last.
    machine.write("etc/ld.so.preload", old);
    assert_done(&machine.injector(&["install"]));
    machine.assert_no_litter();
}

/// The calls in what strace(1) wrote that are worth a kill, with the number of each among those of
/// its name.
fn numbered(trace: &str) -> Vec<(&str, usize)> {
    let mut counts = HashMap::new();
    let names = trace
        .lines()
        .filter_map(|line| Some(line.split_once('(')?.0));
    let numbered = names.map(|name| {
        let count = counts.entry(name).or_insert(0);
        *count += 1;
        (name, *count)
    });
    let is_harmless = |name| HARMLESS.split(' ').any(|harmless| harmless == name);
    let numbered = numbered.filter(|(name, _)| {
        !is_harmless(*name)
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    numbered.collect()
}

#[test]
fn several_at_once_leave_one_entry() {
    several_at_once(&machine!());
}

fn several_at_once(machine: &Machine) {
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
    replace_shell(&machine, shell);
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
fn a_folder_that_any_user_holds_stops_nobody() {
    let machine = machine!();
    if !support::has("flock") {
        skip!("flock is not installed");
    }
    let mut holder = Command::new("flock");
    let line = ["sh", "-c", "echo locked; exec sleep 300"];
    holder.arg("--no-fork").arg(machine.path("etc")).args(line);
    holder.uid(65534).gid(65534);
    let holder = Background::start(&mut holder);
    holder.wait_for("lock", |line| (line == "locked").then_some(()));
    several_at_once(&machine);
    drop(holder);
}

#[test]
fn the_lock_is_closed_to_everybody_else() {
    let machine = machine!();
    if !support::has("flock") {
        skip!("flock is not installed");
    }
    let lock = "/etc/.ld.so.preload.lock";
    // While `install` runs it is root's alone.
    let look = format!(
        "#!/usr/bin/real-sh\n[ -z \"$LD_PRELOAD\" ] || {{ ls -ln {lock} > /tmp/seen; }} 2>/dev/null\n\
         exec /usr/bin/real-sh \"$@\"\n"
    );
    replace_shell(&machine, &look);
    assert_done(&machine.injector(&["install"]));
    let seen = fs::read_to_string(machine.path("tmp/seen")).unwrap();
    assert!(seen.starts_with("-rw------- 1 0 0 "), "{seen}");
    // One that others may open is not waited for, whoever holds it.
    machine.write(&lock[1..], "");
    machine.set_mode(lock, 0o666);
    let mut holder = Command::new("flock");
    let line = ["sh", "-c", "echo locked; exec sleep 300"];
    holder.arg("--no-fork").arg(machine.path(lock)).args(line);
    let holder = Background::start(&mut holder);
    holder.wait_for("lock", |line| (line == "locked").then_some(()));
    assert_done(&machine.injector(&["uninstall"]));
    drop(holder);
    machine.assert_no_litter();
}

#[test]
fn signals_wait_for_a_file_that_is_as_it_was() {
    let machine = machine!();
    take_signals();
    machine.write("etc/ld.so.preload", "# foreign\n");
    let by_variable = "[ -z \"$LD_PRELOAD\" ]";
    // The private `/etc` of the trial is a mount.
    let in_place = "[ ! -s /usr/lib/armed ] || case \"$(cat /etc/ld.so.preload /proc/self/mountinfo)\" in \
                    *' /etc '*) ;; *libopentelemetry*) false ;; esac";
    fs::rename(machine.path("bin/sh"), machine.path("bin/real-sh")).unwrap();
    machine.write("usr/lib/armed", "yes");
    for (signal, number) in [
        ("TERM", 15),
        ("INT", 2),
        ("HUP", 1),
        ("QUIT", 3),
        ("ABRT", 6),
        ("USR1", 10),
        ("ALRM", 14),
        ("XFSZ", 25),
    ] {
        for (is_quiet, told) in [
            (by_variable, format!("ended by SIG{signal}\n")),
            (
                in_place,
                format!("ended by SIG{signal}; /etc/ld.so.preload was restored\n"),
            ),
        ] {
            let shell = format!(
                "#!/usr/bin/real-sh\n{is_quiet} || {{ kill -{signal} $PPID; exec cat /dev/zero; }} \
                 >/dev/null 2>&1\nexec /usr/bin/real-sh \"$@\"\n"
            );
            machine.write("bin/sh", shell);
            machine.set_mode("bin/sh", 0o755);
            let outcome = machine.injector(&["install"]);
            assert_eq!(outcome.code, 128 + number, "{outcome:?}");
            assert!(outcome.stderr.ends_with(&told), "{told}: {outcome:?}");
            assert_eq!(machine.preload_file().unwrap(), "# foreign\n");
            machine.assert_no_litter();
        }
    }
    let harmless = |signal: &str| {
        let shell = format!(
            "#!/usr/bin/real-sh\n{by_variable} || kill -{signal} $PPID 2>/dev/null\n\
             exec /usr/bin/real-sh \"$@\"\n"
        );
        machine.write("bin/sh", shell);
        machine.set_mode("bin/sh", 0o755);
    };
    // No name, but an end all the same.
    harmless("35");
    let outcome = machine.injector(&["install"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert_eq!(machine.preload_file().unwrap(), "# foreign\n");
    // One that is stopped would hold the lock.
    harmless("TSTP");
    assert_done(&machine.injector(&["install"]));
    assert_done(&machine.injector(&["uninstall"]));
    // Those that are ignored stay ignored.
    harmless("HUP");
    let nohup = format!("trap '' HUP; exec {COMMAND} install");
    assert_done(&machine.run("", &["/usr/bin/real-sh", "-c", &nohup]));
}

#[test]
fn what_chattr_has_fixed_is_told_before_anything_is_tried() {
    let machine = machine!();
    if !support::has("chattr") {
        skip!("chattr is not installed (Debian: e2fsprogs)");
    }
    let chattr = |mode: &str, name: &str| {
        let mut command = Command::new("chattr");
        command.arg(mode).arg(machine.path(name));
        command.output().unwrap().status.success()
    };
    for (name, set, clear) in [
        ("etc/ld.so.preload", "+i", "-i"),
        ("etc/ld.so.preload", "+a", "-a"),
        ("etc", "+i", "-i"),
        ("etc", "+a", "-a"),
    ] {
        for (content, words) in [
            ("# foreign", &["install"][..]),
            ("# foreign", &["install", "--dry-run"]),
            (&format!("{OBJECT}\n"), &["uninstall"]),
            (&format!("{OBJECT}\n"), &["install", "--retry"]),
        ] {
            machine.write("etc/ld.so.preload", content);
            if !chattr(set, name) {
                skip!("this file system has no attributes of chattr");
            }
            let outcome = machine.injector(words);
            // Before anything fails: nobody could remove the machine otherwise.
            assert!(chattr(clear, name));
            assert_eq!(outcome.code, 1, "{name} {set} {words:?}: {outcome:?}");
            let told = format!("/{name} is immutable or append-only");
            assert!(outcome.stderr.contains(&told), "{told}: {outcome:?}");
            assert_eq!(machine.preload_file().unwrap(), content);
            machine.assert_no_litter();
        }
    }
}

#[test]
fn what_is_no_file_is_left_as_it_is() {
    let machine = machine!();
    let file = machine.path("etc/ld.so.preload");
    let set_up = |line: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).arg("sh").arg(&file);
        support::succeed(&mut shell);
    };
    // Not a FIFO: no program starts where the loader waits for somebody to write to it.
    for (line, told) in [
        ("mkdir \"$1\"", "is not a regular file"),
        ("ln -s /nowhere \"$1\"", "is a symbolic link to nothing"),
        // Each libc says it in its own words.
        ("ln -s ld.so.preload \"$1\"", "symbolic link"),
        ("ln -s /dev/null \"$1\"", "is not a regular file"),
    ] {
        set_up(line);
        let before = fs::symlink_metadata(&file).unwrap();
        for words in [
            &["install"][..],
            &["install", "--dry-run"],
            &["install", "--retry"],
            &["uninstall"],
        ] {
            let outcome = machine.injector(words);
            assert_eq!(outcome.code, 1, "{line} {words:?}: {outcome:?}");
            assert!(
                outcome.stderr.to_lowercase().contains(told),
                "{line}: {outcome:?}"
            );
            let now = fs::symlink_metadata(&file).unwrap();
            assert_eq!((now.ino(), now.mode()), (before.ino(), before.mode()));
            machine.assert_no_litter();
        }
        set_up("rm -d \"$1\"");
    }
}

#[test]
fn limits_of_the_shell_change_nothing() {
    let machine = machine!();
    machine.write("etc/ld.so.preload", "# foreign");
    for (limit, told) in [
        ("-f 0", "SIGXFSZ"),
        // Few open files: nothing can be tried.
        ("-n 6", "no program can be started for the trial"),
    ] {
        let line = format!("ulimit {limit}; exec {COMMAND} install");
        let outcome = machine.run("", &["/bin/sh", "-c", &line]);
        assert_ne!(outcome.code, 0, "{limit}: {outcome:?}");
        assert!(outcome.stderr.contains(told), "{limit}: {outcome:?}");
        assert_eq!(machine.preload_file().unwrap(), "# foreign");
        machine.assert_no_litter();
        machine.assert_programs_start();
    }
}

/// From too little for the command itself to enough for the whole trial, in KiB.
#[test]
fn with_any_amount_of_memory_the_entry_is_tried_or_not_there() {
    let machine = machine!();
    let mut succeeded = 0;
    for limit in (6_000..=60_000).step_by(6_000) {
        machine.write("etc/ld.so.preload", "# foreign");
        let line = format!("ulimit -v {limit}; exec {COMMAND} install");
        let outcome = machine.run("", &["/bin/sh", "-c", &line]);
        let file = machine.preload_file().unwrap();
        if outcome.code == 0 {
            succeeded += 1;
            assert!(
                outcome.stdout.contains("as before with the object: sh"),
                "{limit}: {outcome:?}"
            );
            assert!(file.contains(OBJECT), "{limit}: {file}");
        } else {
            assert_eq!(file, "# foreign", "{limit}: {outcome:?}");
        }
        assert!(!outcome.stderr.contains("panicked"), "{limit}: {outcome:?}");
        machine.assert_no_litter();
        machine.assert_programs_start();
    }
    assert!((1..10).contains(&succeeded), "{succeeded} of 10");
}

#[test]
fn the_exit_code_tells_what_became_of_the_file() {
    let machine = machine!();
    let run = |words: &str| {
        let line = format!("{COMMAND} {words} >/dev/full");
        machine.run("", &["/bin/sh", "-c", &line])
    };
    let entry = format!("{OBJECT}\n");
    for (words, code, file) in [
        ("install --dry-run", 2, None),
        ("install", 0, Some(&entry)),
        ("install", 0, Some(&entry)),
        ("uninstall --dry-run", 2, Some(&entry)),
        ("uninstall", 0, None),
    ] {
        let outcome = run(words);
        assert_eq!(outcome.code, code, "{words}: {outcome:?}");
        assert!(outcome.stderr.contains("stdout: No space"), "{outcome:?}");
        assert_eq!(machine.preload_file().as_ref(), file, "{words}");
    }
}

/// Puts a script in the shell's place, which stays as `/usr/bin/real-sh`.
fn replace_shell(machine: &Machine, script: &str) {
    fs::rename(machine.path("bin/sh"), machine.path("bin/real-sh")).unwrap();
    machine.write("bin/sh", script);
    machine.set_mode("bin/sh", 0o755);
}
