//! `install` on machines of several kinds: this one with its runtimes, one with programs of 32 bits,
//! one whose libc is musl, and images.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use support::command::{built, copy_program};
use support::machine;
use support::machine::{COMMAND, Machine, OBJECT, assert_done};
use support::{Scene, has, is_root, object, root, skip, stderr, stdout, succeed, with_own_mounts};

/// Gives this namespace an `/etc` and an `/opt` of its own, and no loader of 32 bits.
const PRIVATE_HOST: &str = r#"
set -e
mkdir "$FOLDER/etc" "$FOLDER/opt"
cp -a /etc/. "$FOLDER/etc/"
mount --bind "$FOLDER/etc" /etc
mount --bind "$FOLDER/opt" /opt
for loader in /lib/ld-linux.so.2 /libx32/ld-linux-x32.so.2; do
    [ ! -e "$loader" ] || mount --bind /dev/null "$loader"
done
mkdir /opt/otel /etc/opentelemetry /etc/opentelemetry/injector
cp -r "$OBJECT" "$BOOT" /opt/otel/
[ ! -e "$GUM" ] || cp "$GUM" /opt/otel/
echo agent > /opt/agent.jar
printf '[jvm]\nagent_path = "/opt/agent.jar"\n' > /etc/opentelemetry/injector/configuration.toml
printf '# foreign' > /etc/ld.so.preload
"$COMMAND" install --object /opt/otel/libopentelemetry_injector.so
cat /etc/ld.so.preload
"$ASK" JAVA_TOOL_OPTIONS
"$COMMAND" uninstall
cat /etc/ld.so.preload
"#;

#[test]
fn a_host_with_its_runtimes_is_served_and_left_as_it_was() {
    if !is_root() || !has("unshare") {
        skip!("a mount namespace needs root and unshare");
    }
    let scene = Scene::new();
    let mut command = with_own_mounts(PRIVATE_HOST);
    command
        .env("FOLDER", scene.folder.path())
        .env("OBJECT", object())
        .env(
            "GUM",
            object().with_file_name("libopentelemetry_injector_gum.so"),
        )
        .env("BOOT", root().join("src/boot"))
        .env("COMMAND", built("opentelemetry-injector"))
        .env("ASK", scene.compile("ask"));
    for name in ["LD_PRELOAD", "JAVA_TOOL_OPTIONS"] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let (stdout, stderr) = (stdout(&output), stderr(&output));
    assert!(output.status.success(), "{stdout}{stderr}");
    assert_eq!(stderr, "");
    let tried = stdout.lines().next().unwrap();
    for program in ["java", "node", "python3", "ruby", "php", "erl"] {
        if has(program) {
            assert!(tried.contains(program), "{program}: {stdout}")
        } else {
            println!("skipped: a trial of {program}, which is not installed")
        }
    }
    let object = "/opt/otel/libopentelemetry_injector.so";
    let entry = format!(
        "# foreign\n{object}JAVA_TOOL_OPTIONS=-javaagent:/opt/agent.jar -Dotel.exporter.otlp.timeout=1000\n"
    );
    assert!(stdout.contains(&entry), "{stdout}");
    assert!(stdout.ends_with("# foreign"), "{stdout}");
}

#[test]
fn programs_of_32_bits_are_not_made_to_complain() {
    let machine = machine!();
    let files = ["/lib/ld-linux.so.2", "/lib32/libc.so.6"].map(Path::new);
    if !files.iter().all(|file| file.exists()) {
        skip!("no loader and libc of 32 bits (Debian: libc6-i386)");
    }
    let [loader, libc] = files;
    copy_program(loader, &machine.path("lib/ld-linux.so.2"));
    copy_program(libc, &machine.path("lib32/libc.so.6"));
    let run = |words: &[&str]| machine.run("", words);
    // By its path: the small machine has no cache of libraries.
    let of_32_bits = ["/lib/ld-linux.so.2", "/lib32/libc.so.6"];
    if run(&of_32_bits).code != 0 {
        skip!("this kernel runs no programs of 32 bits");
    }
    let status = machine.injector(&["status"]).stdout;
    let dry_run =
        "next: opentelemetry-injector install --dry-run, which reports whether 32-bit programs";
    assert!(status.contains(dry_run), "{status}");
    let doctor = machine.injector(&["doctor"]).stdout;
    let complains = "it cannot load the object and would print an error, as every 32-bit \
     program does\n";
    assert!(doctor.contains(complains), "{doctor}");

    let refused = machine.injector(&["install"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("32-bit programs"), "{refused:?}");
    assert_eq!(machine.preload_file(), None);

    assert_done(&machine.injector(&["install", "--accept-32-bit-errors"]));
    assert!(run(&of_32_bits).stderr.contains("wrong ELF class"));
    assert_done(&machine.injector(&["uninstall"]));

    // With an object for each class no program complains.
    let empty = machine.path("opt/lib32/libopentelemetry_injector.so");
    fs::create_dir_all(empty.parent().unwrap()).unwrap();
    let source = root().join("tests/programs/empty_object.c");
    let mut compile = Command::new("cc");
    compile
        .args(["-m32", "-shared", "-nostdlib", "-o"])
        .arg(&empty)
        .arg(source);
    if !compile.output().unwrap().status.success() {
        skip!("$LIB with an object of 32 bits, which cc cannot make");
    }
    let multiarch = if Path::new("/lib/x86_64-linux-gnu").exists() {
        "lib/x86_64-linux-gnu"
    } else {
        "lib64"
    };
    let folder = format!("opt/{multiarch}");
    copy_program(
        &machine.path(OBJECT),
        &machine.path(&format!("{folder}/libopentelemetry_injector.so")),
    );
    let named = "/opt/$LIB/libopentelemetry_injector.so";
    assert_done(&machine.injector(&["install", "--object", named]));
    assert_eq!(machine.preload_file().unwrap(), format!("{named}\n"));
    assert_eq!(run(&of_32_bits).stderr, "");
    assert!(machine.loads_object());
    machine.assert_programs_start();
    assert_done(&machine.injector(&["uninstall"]));
    assert_eq!(machine.preload_file(), None);
    in_the_packages_folders(&machine, &empty, multiarch);
    assert_eq!(run(&of_32_bits).stderr, "");
}

/// With the folders that the packages bring beside the object nothing has to be said.
fn in_the_packages_folders(machine: &Machine, empty: &Path, multiarch: &str) {
    let beside = |name: &str| {
        let path = machine.path(OBJECT).with_file_name(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    let name = "libopentelemetry_injector.so";
    copy_program(empty, &beside(&format!("lib32/{name}")));
    let up = if multiarch.contains('/') {
        "../.."
    } else {
        ".."
    };
    for file in [name, "boot"] {
        let link = beside(&format!("{multiarch}/{file}"));
        symlink(format!("{up}/{file}"), link).unwrap();
    }
    let status = machine.injector(&["status"]).stdout;
    assert!(
        status.contains("next: opentelemetry-injector install\n"),
        "{status}"
    );
    // What cannot be used any more is replaced.
    assert_done(&machine.injector(&["install", "--object", OBJECT, "--accept-32-bit-errors"]));
    let status = machine.injector(&["status"]).stdout;
    let next = "next: opentelemetry-injector install, which names the object with $LIB\n";
    assert!(status.contains(next), "{status}");
    assert_done(&machine.injector(&["install"]));
    let entry = "/usr/lib/opentelemetry/injector/$LIB/libopentelemetry_injector.so\n";
    assert_eq!(machine.preload_file().unwrap(), entry);
    assert!(machine.loads_object());
    machine.assert_programs_start();
    let again = machine.injector(&["install"]);
    assert!(again.stdout.contains("is already in"), "{again:?}");
    assert_done(&machine.injector(&["install", "--retry"]));
    assert_eq!(machine.preload_file().unwrap(), entry);
    let doctor = machine.injector(&["doctor"]).stdout;
    assert!(doctor.contains("it loads an empty object\n"), "{doctor}");
    assert!(!doctor.contains("32-bit programs"), "{doctor}");
}

#[test]
fn where_the_libc_is_musl_it_says_what_to_do_instead() {
    let machine = machine!();
    let loader = Path::new("/lib/ld-musl-x86_64.so.1");
    if !loader.exists() {
        skip!("musl is not installed");
    }
    for folder in ["lib64", "lib"] {
        let _ = fs::remove_dir_all(machine.path(folder));
    }
    copy_program(loader, &machine.path("lib/ld-musl-x86_64.so.1"));
    // The command itself is glibc's: from outside.
    let mut command = Command::new(built("opentelemetry-injector"));
    command
        .args(["install", "--object", OBJECT, "--root"])
        .arg(machine.path(""));
    let outcome = machine::outcome(&command.output().unwrap());
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""));
    assert!(
        outcome
            .stderr
            .contains("musl, whose loader reads no /etc/ld.so.preload"),
        "{outcome:?}"
    );
    assert_eq!(machine.preload_file(), None);
}

#[test]
fn an_image_is_changed_from_outside() {
    let machine = machine!();
    machine.write("etc/ld.so.preload", "# foreign\n");
    let from_outside = |words: &[&str]| {
        let mut command = Command::new(built("opentelemetry-injector"));
        command.args(words).arg("--root").arg(machine.path(""));
        machine::outcome(&command.output().unwrap())
    };
    let installed = format!("# foreign\n{OBJECT}\n");
    let words = ["install", "--object", OBJECT];
    assert_done(&from_outside(&[&words[..], &["--dry-run"]].concat()));
    assert_eq!(machine.preload_file().unwrap(), "# foreign\n");
    let first = from_outside(&words);
    assert_done(&first);
    assert!(
        first
            .stdout
            .starts_with("as before with the object: sh, cat"),
        "{first:?}"
    );
    assert_eq!(machine.preload_file().unwrap(), installed);
    assert!(machine.loads_object());
    let again = from_outside(&words);
    assert!(
        again
            .stdout
            .ends_with("is already in /etc/ld.so.preload; nothing was changed\n")
    );
    assert_done(&from_outside(&["uninstall"]));
    assert_eq!(machine.preload_file().unwrap(), "# foreign\n");
    // A link that leads out of the image is read as inside of it.
    fs::remove_file(machine.path("etc/ld.so.preload")).unwrap();
    symlink("/etc/hostname", machine.path("etc/ld.so.preload")).unwrap();
    machine.write("etc/hostname", "# image\n");
    let outside = fs::read("/etc/hostname").ok();
    assert_done(&from_outside(&words));
    let content = fs::read_to_string(machine.path("etc/hostname")).unwrap();
    assert_eq!(content, format!("# image\n{OBJECT}\n"));
    assert_eq!(fs::read("/etc/hostname").ok(), outside);
    assert!(!Path::new("/etc/ld.so.preload").exists());
}

#[test]
fn an_image_whose_programs_cannot_run_here_is_changed_untried() {
    let machine = machine!();
    for program in ["sh", "cat", "ls", "ldconfig", "mount"] {
        machine.set_mode(&format!("usr/bin/{program}"), 0o644);
    }
    let mut command = Command::new(built("opentelemetry-injector"));
    command
        .args(["install", "--object", OBJECT, "--root"])
        .arg(machine.path(""));
    let outcome = machine::outcome(&command.output().unwrap());
    assert_done(&outcome);
    assert!(
        outcome.stdout.starts_with("no program could be tried\n"),
        "{outcome:?}"
    );
    assert_eq!(machine.preload_file().unwrap(), format!("{OBJECT}\n"));
    let _ = succeed(
        Command::new(built("opentelemetry-injector"))
            .args(["uninstall", "--root"])
            .arg(machine.path("")),
    );
    assert_eq!(machine.preload_file(), None);
    let wrong = Command::new(built("opentelemetry-injector"))
        .args(["install", "--root", "/none"])
        .output()
        .unwrap();
    let wrong = machine::outcome(&wrong);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(
        wrong.stderr.contains("--root /none: "),
        "{COMMAND}: {wrong:?}"
    );
}
