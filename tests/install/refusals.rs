//! What `install` refuses, in small machines of their own: nothing has changed then, and programs
//! start as before.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use support::command::Outcome;
use support::machine;
use support::machine::{COMMAND, Machine, OBJECT, assert_done};

/// A run of `install` that must refuse: nothing has changed, not even the preload file's time.
fn refused(machine: &Machine, arguments: &[&str]) -> Outcome {
    let path = machine.path("etc/ld.so.preload");
    let before = fs::metadata(&path)
        .map(|file| (file.ino(), file.mtime_nsec()))
        .ok();
    let content = machine.preload_file();
    let outcome = machine.injector(&[&["install"], arguments].concat());
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (1, ""),
        "{outcome:?}"
    );
    let after = fs::metadata(&path)
        .map(|file| (file.ino(), file.mtime_nsec()))
        .ok();
    assert_eq!(
        (machine.preload_file(), after),
        (content, before),
        "{outcome:?}"
    );
    machine.assert_programs_start();
    machine.assert_no_litter();
    outcome
}

#[test]
fn what_is_no_object_of_ours_is_refused() {
    let machine = machine!();
    machine.write("etc/ld.so.preload", "# foreign");
    let object = fs::read(machine.path(OBJECT)).unwrap();
    let patched = |place: usize, byte: u8| {
        let mut object = object.clone();
        object[place] = byte;
        object
    };
    let shell = fs::read("/bin/sh").unwrap();
    // Places in the header: elf(5).
    for (content, problem) in [
        (b"not an object".to_vec(), "not an ELF file"),
        (Vec::new(), "not an ELF file"),
        (object[..object.len() / 2].to_vec(), "truncated"),
        (object[..70].to_vec(), "truncated"),
        (patched(4, 1), "another machine"),
        (patched(5, 2), "another machine"),
        (patched(18, 0xff), "another machine"),
        (patched(16, 2), "not a shared object"),
        (shell, "not the injector's preload object"),
    ] {
        machine.write(OBJECT, content);
        let outcome = refused(&machine, &[]);
        assert!(outcome.stderr.contains(problem), "{problem}: {outcome:?}");
        assert!(outcome.stderr.contains(OBJECT), "{outcome:?}");
    }
}

#[test]
fn an_object_that_changes_any_program_is_refused() {
    let machine = machine!();
    machine.write("etc/ld.so.preload", "# foreign");
    for (definitions, told) in [
        (
            &["-DHARM=abort()"][..],
            "sh does not run as before if it loads the object: signal 6 instead of exit 3",
        ),
        (&["-DHARM=__builtin_trap()"], "signal 4"),
        (&["-DHARM=_exit(0)"], "exit 0 instead of exit 3"),
        (&["-DHARM=puts(\"hello\")"], "stdout differs: hello"),
        (&["-DHARM=write(2,\"hello\",5)"], "stderr differs: hello"),
        // These two show themselves under the preload file alone.
        (&["-DHARM=abort()", "-DWHERE=getuid()"], "sh (as nobody)"),
        (
            &["-DHARM=abort()", "-DWHERE=getauxval(AT_SECURE)"],
            "mount (set-user-ID)",
        ),
        // It does no harm, but is not the injector, which would say something when asked to.
        (&["-DHARM=(void)0", "-DSILENT"], "do not load the object"),
    ] {
        machine.install_hostile_object(definitions);
        let outcome = refused(&machine, &[]);
        assert!(outcome.stderr.contains(told), "{told}: {outcome:?}");
    }
}

#[test]
fn an_object_that_others_could_change_is_refused() {
    let machine = machine!();
    let folder = "usr/lib/opentelemetry/injector";
    let beside = "usr/lib/opentelemetry/injector/boot/nodejs/register.cjs";
    for (name, mode, told) in [
        (OBJECT, 0o666, "can be written by others"),
        (OBJECT, 0o664, "can be written by others"),
        (OBJECT, 0o600, "is closed to other users"),
        (folder, 0o777, "can be written by others"),
        (
            folder,
            0o1777,
            "can be written by others than root: take another place",
        ),
        (folder, 0o775, "can be written by others"),
        (folder, 0o700, "is closed to other users"),
        ("usr/lib/opentelemetry", 0o757, "can be written by others"),
        ("usr", 0o777, "can be written by others"),
        (beside, 0o646, "can be written by others"),
    ] {
        let former = fs::metadata(machine.path(name)).unwrap().mode();
        machine.set_mode(name, mode);
        let outcome = refused(&machine, &[]);
        let path = machine.path(name);
        let path = path.strip_prefix(machine.path("")).unwrap();
        let told = format!("/{} (mode {mode:04o}) {told}", path.display());
        assert!(outcome.stderr.contains(&told), "{told}: {outcome:?}");
        machine.set_mode(name, former);
    }
    for name in [OBJECT, folder, beside] {
        chown(machine.path(name), Some(1000), None).unwrap();
        let outcome = refused(&machine, &[]);
        assert!(
            outcome.stderr.contains("belongs to user 1000"),
            "{outcome:?}"
        );
        chown(machine.path(name), Some(0), None).unwrap();
    }
    assert_done(&machine.injector(&["install"]));
}

#[test]
fn symbolic_links_are_followed_to_where_the_object_really_is() {
    let machine = machine!();
    let link = "/opt/current/libopentelemetry_injector.so";
    fs::create_dir(machine.path("opt")).unwrap();
    symlink(
        "/usr/lib/opentelemetry/injector",
        machine.path("opt/current"),
    )
    .unwrap();
    machine.set_mode("usr/lib/opentelemetry", 0o777);
    let outcome = refused(&machine, &["--object", link]);
    assert!(
        outcome
            .stderr
            .contains("/usr/lib/opentelemetry (mode 0777)"),
        "{outcome:?}"
    );
    machine.set_mode("usr/lib/opentelemetry", 0o755);
    // A link's own folder counts as well.
    machine.set_mode("opt", 0o777);
    let outcome = refused(&machine, &["--object", link]);
    assert!(outcome.stderr.contains("/opt (mode 0777)"), "{outcome:?}");
    machine.set_mode("opt", 0o755);
    assert_done(&machine.injector(&["install", "--object", link]));
    assert_eq!(machine.preload_file().unwrap(), format!("{link}\n"));
    symlink("loop", machine.path("opt/loop")).unwrap();
    let outcome = refused(
        &machine,
        &["--object", "/opt/loop/libopentelemetry_injector.so"],
    );
    assert!(
        outcome.stderr.contains("too many symbolic links"),
        "{outcome:?}"
    );
}

#[test]
fn paths_that_the_file_cannot_hold_are_refused() {
    let machine = machine!();
    for (path, told) in [
        ("/o pt/libopentelemetry_injector.so", "blanks"),
        ("/o:pt/libopentelemetry_injector.so", "blanks, `:`"),
        ("/o#pt/libopentelemetry_injector.so", "`#`"),
        (
            "usr/lib/libopentelemetry_injector.so",
            "has to begin with `/`",
        ),
        ("/$ORIGIN/libopentelemetry_injector.so", "only $LIB"),
        ("/$PLATFORM/libopentelemetry_injector.so", "only $LIB"),
        ("/opt/$LIB/libopentelemetry_injector.so", "$LIB stands for"),
        ("/opt/injector.so", "has to be libopentelemetry_injector.so"),
        ("/opt/libopentelemetry_injector.so", "No such file"),
    ] {
        let outcome = refused(&machine, &["--object", path]);
        assert!(outcome.stderr.contains(told), "{told}: {outcome:?}");
    }
}

#[test]
fn a_file_that_hides_the_entry_is_refused() {
    let machine = machine!();
    machine.write("etc/ld.so.preload", "#\n\0\n");
    let outcome = refused(&machine, &[]);
    assert!(
        outcome.stderr.contains("contains a NUL character"),
        "{outcome:?}"
    );
}

#[test]
fn without_root_it_is_refused_and_dry_runs_work() {
    let machine = machine!();
    let as_nobody = |words: &[&str]| {
        let mut command = machine.command("", "", &[&[COMMAND], words].concat());
        command.env("OPTIONS", "--userspec=65534:65534");
        machine::outcome(&command.output().unwrap())
    };
    for words in [&["install"][..], &["uninstall"]] {
        let refused = as_nobody(words);
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""));
        assert!(
            refused
                .stderr
                .contains("only root may write /etc/ld.so.preload"),
            "{refused:?}"
        );
    }
    let dry = as_nobody(&["install", "--dry-run"]);
    assert_eq!(dry.code, 0, "{dry:?}");
    assert!(
        dry.stdout.contains("skipped: there is no mount namespace"),
        "{dry:?}"
    );
    assert_eq!(machine.preload_file(), None);
}
