//! `opentelemetry-injector run`, by what the command that it starts gets to see.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use support::command::{Scratch, built, copy_program, outcome, ran};

const OBJECT: &str = "libopentelemetry_injector.so";

/// Prints a variable of the command's environment.
fn print(variable: &str) -> String {
    format!("echo ${variable}")
}

/// Runs a shell line under `run` with these options; what it prints.
fn shell(options: &[&str], line: &str) -> String {
    let scratch = Scratch::new();
    let arguments = [&["run"], options, &["--", "sh", "-c", line]].concat();
    let ran = scratch.run(&arguments);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    ran.stdout.trim_end().into()
}

/// A command that is installed without its object; the folder is the prefix.
fn installed(scratch: &Scratch, prefix: &str) -> PathBuf {
    let command = scratch
        .path()
        .join(prefix)
        .join("bin/opentelemetry-injector");
    copy_program(&built("opentelemetry-injector"), &command);
    // The loader names paths without symbolic links.
    command.canonicalize().unwrap()
}

fn install_object(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::copy(built(OBJECT), path).unwrap();
}

#[test]
fn the_command_gets_its_arguments_and_its_exit_code_is_passed_on() {
    let scratch = Scratch::new();
    let line = "echo \"$@\"; echo bad >&2; exit 7";
    let plain = ["run", "sh", "-c", line, "-", "--debug", "--", "-x"];
    let said = outcome(7, "--debug -- -x\n", "bad\n");
    assert_eq!(scratch.run(&plain), said);
    let after_dashes = [&["run", "--"], &plain[1..]].concat();
    assert_eq!(scratch.run(&after_dashes), said);
}

fn object_beside_the_command() -> PathBuf {
    let object = built("opentelemetry-injector").with_file_name(OBJECT);
    object.canonicalize().unwrap()
}

#[test]
fn the_object_beside_the_command_is_preloaded() {
    let object = object_beside_the_command();
    assert_eq!(shell(&[], &print("LD_PRELOAD")), object.to_str().unwrap());
    let maps = shell(&[], "exec cat /proc/self/maps");
    assert!(maps.contains(object.to_str().unwrap()));
}

#[test]
fn an_installed_object_is_found_in_its_own_folder_before_the_common_one() {
    let scratch = Scratch::new();
    let command = installed(&scratch, "usr");
    let prefix = command.parent().unwrap().parent().unwrap();
    for place in ["lib", "lib/opentelemetry/injector", "bin"] {
        let object = prefix.join(place).join(OBJECT);
        install_object(&object);
        let ran = ran(scratch.command(&command, &["run", "sh", "-c", &print("LD_PRELOAD")]));
        assert_eq!(ran, outcome(0, &format!("{}\n", object.display()), ""));
    }
}

#[test]
fn without_an_object_it_tells_where_it_looked() {
    let scratch = Scratch::new();
    let command = installed(&scratch, "usr");
    let prefix = command.parent().unwrap().parent().unwrap();
    let prefix = prefix.to_str().unwrap();
    let said = format!(
        "opentelemetry-injector: {OBJECT} is not in {prefix}/bin, \
         {prefix}/lib/opentelemetry/injector, {prefix}/lib; name it with --object\n"
    );
    let ran = ran(scratch.command(&command, &["run", "true"]));
    assert_eq!(ran, outcome(2, "", &said));
}

#[test]
fn an_object_can_be_named_and_is_named_absolutely() {
    let scratch = Scratch::new();
    install_object(&scratch.path().join(OBJECT));
    let line = print("LD_PRELOAD");
    let ran = scratch.run(&["run", "--object", OBJECT, "sh", "-c", &line]);
    let object = scratch.path().canonicalize().unwrap().join(OBJECT);
    assert_eq!(ran, outcome(0, &format!("{}\n", object.display()), ""));

    let said = "opentelemetry-injector: none.so: not a file that you can read; \
                name libopentelemetry_injector.so with --object\n";
    let ran = scratch.run(&["run", "--object", "none.so", "true"]);
    assert_eq!(ran, outcome(2, "", said));
}

#[test]
fn a_path_that_the_loader_would_split_is_refused() {
    for folder in ["a b", "a:b"] {
        let scratch = Scratch::new();
        let object = scratch
            .path()
            .canonicalize()
            .unwrap()
            .join(folder)
            .join(OBJECT);
        install_object(&object);
        let said = format!(
            "opentelemetry-injector: {}: LD_PRELOAD takes no path with blanks or colons; \
             put the object elsewhere\n",
            object.display()
        );
        let object = object.to_str().unwrap();
        let named = scratch.run(&["run", "--object", object, "true"]);
        assert_eq!(named, outcome(2, "", &said));
    }
}

#[test]
fn what_the_user_preloads_is_kept_behind_ours() {
    let scratch = Scratch::new();
    let users = scratch.path().canonicalize().unwrap().join("users.so");
    install_object(&users);
    let users = users.to_str().unwrap();
    let ours = object_beside_the_command();
    let ours = ours.to_str().unwrap();
    let with = |value: &str| {
        let arguments = ["run", "sh", "-c", &print("LD_PRELOAD")];
        let mut command = scratch.command(&built("opentelemetry-injector"), &arguments);
        command.env("LD_PRELOAD", value);
        ran(command).stdout
    };
    assert_eq!(with(""), format!("{ours}\n"));
    assert_eq!(with(users), format!("{ours}:{users}\n"));
    // Not twice, wherever it is.
    assert_eq!(with(ours), format!("{ours}\n"));
    let both = format!("{users} {ours}");
    assert_eq!(with(&both), format!("{both}\n"));
}

#[test]
fn options_become_the_variables_of_the_injector() {
    let debug = print("OPENTELEMETRY_INJECTOR_DEBUG");
    let engine = print("OPENTELEMETRY_INJECTOR_ENGINE");
    assert_eq!(shell(&[], &debug), "");
    assert_eq!(shell(&[], &engine), "");
    assert_eq!(shell(&["--engine", "direct"], &engine), "direct");
    // These two make the shell itself tell its decisions.
    let scratch = Scratch::new();
    for (options, value) in [
        (&["--debug"][..], "true\n"),
        (&["--trace"], "trace\n"),
        (&["--debug", "--trace"], "trace\n"),
    ] {
        let arguments = [&["run"], options, &["sh", "-c", debug.as_str()]].concat();
        assert_eq!(scratch.run(&arguments).stdout, value);
    }
}

#[test]
fn a_configuration_file_is_named_absolutely_and_used() {
    let scratch = Scratch::new();
    scratch.write("c.toml", "enabled = false");
    let line = print("OPENTELEMETRY_INJECTOR_CONFIGURATION");
    let arguments = ["run", "--config", "c.toml", "--debug", "sh", "-c", &line];
    let ran = scratch.run(&arguments);
    let path = scratch.path().canonicalize().unwrap().join("c.toml");
    assert_eq!(ran.stdout, format!("{}\n", path.display()));
    assert!(
        ran.stderr
            .contains("nothing is injected: enabled = false in the configuration"),
        "{ran:?}"
    );
}

#[test]
fn a_configuration_that_no_process_can_use_is_refused() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path().join("folder")).unwrap();
    scratch.write("syntax.toml", "[jvm\n");
    scratch.write("other/c.toml", "");
    scratch.write("other/conf.d/1.toml", "enabled = 1\n");
    for (file, problem) in [
        ("none", "none: no such file"),
        ("folder", "folder: not a regular file"),
        (
            "syntax.toml",
            "syntax.toml:1:5: unclosed table, expected `]`",
        ),
        (
            "other/c.toml",
            "other/conf.d/1.toml:1:11: `enabled` takes true or false, not an integer",
        ),
    ] {
        let said = format!(
            "opentelemetry-injector: {problem}; see `opentelemetry-injector check {file}`\n"
        );
        let ran = scratch.run(&["run", "--config", file, "true"]);
        assert_eq!(ran, outcome(2, "", &said));
    }
    // What it does not name is the process's own matter.
    let arguments = ["run", "true"];
    let mut command = scratch.command(&built("opentelemetry-injector"), &arguments);
    command.env("OPENTELEMETRY_INJECTOR_CONFIGURATION", "/none");
    assert_eq!(ran(command), outcome(0, "", ""));
}

#[test]
fn an_object_that_cannot_be_loaded_is_refused() {
    let scratch = Scratch::new();
    let folder = scratch.path().canonicalize().unwrap();
    let content = fs::read(built(OBJECT)).unwrap();
    let mut foreign = content.clone();
    // The machine in an ELF header (elf(5)): none.
    foreign[18] ^= 0xff;
    let program = fs::read(built("opentelemetry-injector")).unwrap();
    for (name, content, fault) in [
        ("text.so", &b"text"[..], "not an ELF file"),
        (
            "foreign.so",
            &foreign,
            "built for another machine: take the package for this one",
        ),
        (
            "short.so",
            &content[..content.len() / 2],
            "truncated: copy or unpack it again",
        ),
        ("other.so", &program, "not the injector's preload object"),
    ] {
        scratch.write(name, content);
        let said = format!(
            "opentelemetry-injector: {}: {fault}; name {OBJECT} with --object\n",
            folder.join(name).display()
        );
        let mut command = scratch.command(
            &built("opentelemetry-injector"),
            &["run", "--object", name, "true"],
        );
        command.current_dir(&folder);
        assert_eq!(ran(command), outcome(2, "", &said));
    }
}

#[test]
fn what_cannot_be_started_exits_as_under_env() {
    let scratch = Scratch::new();
    let script = scratch.path().join("script");
    copy_program(&scratch.write("text", "exit 3\n"), &script);
    assert_eq!(
        scratch.run(&["run", "no-such-command", "-x"]),
        outcome(
            127,
            "",
            "opentelemetry-injector: no-such-command: command not found; \
             give its path, or extend PATH\n"
        )
    );
    assert_eq!(
        scratch.run(&["run", "./script"]),
        outcome(
            126,
            "",
            "opentelemetry-injector: ./script: cannot be executed: \
             Permission denied (os error 13)\n"
        )
    );
}

/// As execvp(3) does it: by a path and by a name, with the arguments and the environment.
#[test]
fn a_script_without_an_interpreter_goes_to_the_shell() {
    let scratch = Scratch::new();
    let script = scratch.path().join("script");
    let text = scratch.write(
        "text",
        "echo \"$0 $* $OPENTELEMETRY_INJECTOR_ENGINE\"; exit 3\n",
    );
    copy_program(&text, &script);
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    let path = script.to_str().unwrap();
    let folders = format!("/nowhere:{}:/usr/bin:/bin", scratch.path().display());
    for (name, told) in [("./script", "./script"), (path, path), ("script", path)] {
        for way in [&["run"][..], &["trace", "--output", "/dev/null"]] {
            let arguments = [way, &["--engine", "direct", name, "-x", "a b"]].concat();
            let mut command = scratch.command(&built("opentelemetry-injector"), &arguments);
            command.env("PATH", &folders);
            let said = format!("{told} -x a b direct\n");
            assert_eq!(ran(command), outcome(3, &said, ""), "{arguments:?}");
        }
    }
}

/// The shell gets the file that was meant, and no other.
#[test]
fn only_the_script_that_was_named_goes_to_the_shell() {
    let scratch = Scratch::new();
    let script = |name: &str, text: &str, mode| {
        let path = scratch.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        copy_program(&scratch.write("text", text), &path);
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    };
    script("folder/script", "echo right\n", 0o755);
    script("script", "echo wrong\n", 0o755);
    script("not/script", "echo wrong\n", 0o644);
    script("elf", "\u{7f}ELF\u{2}", 0o755);
    support::succeed(std::process::Command::new("mkfifo").arg(scratch.path().join("fifo")));
    fs::set_permissions(scratch.path().join("fifo"), Permissions::from_mode(0o755)).unwrap();
    let folder = |name: &str| scratch.path().join(name).display().to_string();
    for way in ["run", "trace"] {
        let run = |name: &str| {
            let mut command = scratch.command(&built("opentelemetry-injector"), &[way, name]);
            command.env("PATH", format!("{}:{}", folder("not"), folder("folder")));
            ran(command)
        };
        let told = run("script");
        assert_eq!(
            (told.code, told.stdout.as_str()),
            (0, "right\n"),
            "{told:?}"
        );
        // It is not opened: nobody writes to it.
        assert_eq!(run("./fifo").code, 126);
        // Under `run`, glibc's own execvp(3) gives it to the shell.
        if way == "trace" {
            let told = run("./elf");
            assert_eq!((told.code, told.stdout.as_str()), (126, ""), "{told:?}");
            assert!(told.stderr.contains("Exec format error"), "{told:?}");
        }
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    let scratch = Scratch::new();
    for arguments in [
        &["run"][..],
        &["run", "--"],
        &["run", "--engine", "other", "true"],
        &["run", "--other", "true"],
    ] {
        assert_eq!(scratch.run(arguments).code, 2, "{arguments:?}");
    }
}
