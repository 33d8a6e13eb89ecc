//! Which processes are injected, and why others are not: configuration, kill switch, denials, the
//! debug log.

use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};
use support::{Scene, engines, has, is_root, skip, stderr, stdout, succeed};

const NAME: &str = "JAVA_TOOL_OPTIONS";

/// What a program sees, with the debug log on.
fn ask(scene: &Scene, program: &Path, change: impl Fn(&mut Command)) -> Output {
    let mut command = scene.command(program, "direct");
    command
        .env("OPENTELEMETRY_INJECTOR_DEBUG", "true")
        .arg(NAME);
    change(&mut command);
    command.output().unwrap()
}

fn is_injected(scene: &Scene, output: &Output) -> bool {
    stdout(output) == format!("{NAME}={}\n", scene.injected())
}

/// Asserts that nothing is injected, and that the debug log tells this reason.
fn assert_skipped(output: &Output, reason: &str) {
    assert_eq!(stdout(output), format!("{NAME}=(null)\n"));
    assert!(
        stderr(output).contains(reason),
        "{reason:?} is not in {}",
        stderr(output)
    );
}

#[test]
fn a_configuration_that_cannot_be_used_injects_nothing_and_says_where() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    let skipped = |reason: &str| assert_skipped(&ask(&scene, &program, |_| {}), reason);
    let agent = format!("agent_path = \"{}\"", scene.agent);

    scene.configure(&format!("[jvm]\n{agent}\nenabled = \"yes\"\n"));
    skipped("configuration.toml:3:11: `jvm.enabled` takes true or false, not a string");
    scene.configure(&format!("[jvm\n{agent}\n"));
    skipped("configuration.toml:1:5: ");
    scene.configure("[jvm]\nagent_path = \"agent.jar\"\n");
    skipped("`jvm.agent_path` takes an absolute path");
    fs::write(&scene.configuration, b"[jvm]\n# \xff\n").unwrap();
    skipped("not UTF-8 from byte 8 on");
    scene.configure(&format!("[jvm]\n{agent}\n#{}", "x".repeat(1 << 20)));
    skipped("larger than 1048576 bytes");
    fs::remove_file(&scene.configuration).unwrap();
    skipped("configuration.toml: no such file");
    fs::create_dir(&scene.configuration).unwrap();
    skipped("not a regular file");
    fs::remove_dir(&scene.configuration).unwrap();
    succeed(Command::new("mkfifo").arg(&scene.configuration));
    skipped("not a regular file");
    fs::remove_file(&scene.configuration).unwrap();
    symlink("configuration.toml", &scene.configuration).unwrap();
    skipped("system error 40");
}

#[test]
fn a_configuration_that_every_user_may_write_injects_nothing() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    set_mode(&scene.configuration, 0o666);
    let told = "configuration.toml: every user may write it";
    assert_skipped(&ask(&scene, &program, |_| {}), told);
    set_mode(&scene.configuration, 0o664);
    assert!(is_injected(&scene, &ask(&scene, &program, |_| {})));

    let drop_ins = scene.path("conf.d");
    fs::create_dir(&drop_ins).unwrap();
    set_mode(&drop_ins, 0o777);
    assert_skipped(
        &ask(&scene, &program, |_| {}),
        "conf.d: every user may write it",
    );
    set_mode(&drop_ins, 0o755);
    assert!(is_injected(&scene, &ask(&scene, &program, |_| {})));
}

#[test]
fn unknown_keys_are_ignored_in_a_process() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    scene.configure(&format!(
        "future = 1\n[jvm]\nagent_path = \"{}\"\nfuture.key = []\n[environment]\nPATH = \"/x\"\n[cobol]\n",
        scene.agent
    ));
    assert!(is_injected(&scene, &ask(&scene, &program, |_| {})));
}

#[test]
fn drop_ins_are_read_in_byte_order() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    scene.configure("[jvm]\nagent_path = \"/not/this\"\n");
    fs::create_dir(scene.path("conf.d")).unwrap();
    let drop_in = |name: &str, agent: &str| {
        let text = format!("[jvm]\nagent_path = \"{agent}\"\n");
        fs::write(scene.path("conf.d").join(name), text).unwrap();
    };
    drop_in("10.toml", "/nor/this");
    drop_in("9.toml", &scene.agent);
    drop_in("99.toml.disabled", "/nor/that");
    assert!(is_injected(&scene, &ask(&scene, &program, |_| {})));
    fs::write(scene.path("conf.d/A.toml"), "broken").unwrap();
    assert_skipped(&ask(&scene, &program, |_| {}), "conf.d/A.toml:1:");
}

#[test]
fn the_kill_switches_leave_the_process_alone() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    for name in ["OPENTELEMETRY_INJECTOR_DISABLED", "OTEL_INJECTOR_DISABLED"] {
        let output = ask(&scene, &program, |command| {
            command.env(name, "true");
        });
        assert_skipped(&output, &format!("{name} is set"));
        let output = ask(&scene, &program, |command| {
            command.env(name, "false");
        });
        assert!(is_injected(&scene, &output));
    }
}

#[test]
fn patterns_choose_processes() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    let agent = format!("[jvm]\nagent_path = \"{}\"\n[processes]\n", scene.agent);
    let path = program.to_str().unwrap();
    let configure = |text: &str| scene.configure(&format!("{agent}{text}"));
    let output = || ask(&scene, &program, |_| {});

    configure("include = [\"/usr/bin/*\"]");
    assert_skipped(&output(), "no pattern in processes.include matches");
    configure(&format!("include = [\"/usr/bin/*\", \"{path}\"]"));
    assert!(is_injected(&scene, &output()));
    configure(&format!("include = [\"{path}\"]\nexclude = [\"jav*\"]"));
    assert_skipped(
        &output(),
        "the pattern \"jav*\" in processes.exclude matches",
    );
    configure("include_arguments = [\"JAVA_*\"]");
    assert!(is_injected(&scene, &output()));
    configure("exclude_arguments = [\"JAVA_TOOL_OPTION?\"]");
    assert_skipped(&output(), "in processes.exclude_arguments matches");
    // The real path counts, not the link.
    let link = scene.path("java");
    symlink(&program, &link).unwrap();
    configure(&format!("exclude = [\"{}\"]", link.display()));
    assert!(is_injected(&scene, &ask(&scene, &link, |_| {})));
}

#[test]
fn a_jdk_tool_is_denied_unless_it_is_included() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    let tool = scene.path("jcmd");
    // By another process: a program that this one holds open for writing cannot be executed.
    succeed(Command::new("cp").args([&program, &tool]));
    assert_skipped(&ask(&scene, &tool, |_| {}), "a JDK tool is left alone");
    scene.configure(&format!(
        "[jvm]\nagent_path = \"{}\"\n[processes]\ninclude = [\"jcmd\"]\n",
        scene.agent
    ));
    // Without this, newer agents refuse to start in a JDK tool. (The program has its own name: it is no `java`.)
    let attributes = "-Dotel.resource.attributes=service.name=jcmd";
    let wanted = format!(
        "{NAME}={} {attributes} -Dotel.javaagent.enabled=true\n",
        scene.injected()
    );
    assert_eq!(stdout(&ask(&scene, &tool, |_| {})), wanted);
}

#[test]
fn switches_in_the_configuration() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    let output = || ask(&scene, &program, |_| {});
    scene.configure(&format!(
        "enabled = false\n[jvm]\nagent_path = \"{}\"\n",
        scene.agent
    ));
    assert_skipped(&output(), "enabled = false in the configuration");
    scene.configure(&format!(
        "[jvm]\nenabled = false\nagent_path = \"{}\"\n",
        scene.agent
    ));
    assert_skipped(&output(), "jvm.enabled = false in the configuration");
    scene.configure("");
    assert_skipped(&output(), "the configuration names no agent_path");
}

#[test]
fn values_and_agents_that_must_not_meet() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    let stays = |original: &str, reason: &str| {
        let output = ask(&scene, &program, |command| {
            command.env(NAME, original);
        });
        assert_eq!(stdout(&output), format!("{NAME}={original}\n"));
        assert!(stderr(&output).contains(reason), "{}", stderr(&output));
    };
    stays("-Da='b", "unmatched quote");
    stays(
        &format!("-Da -javaagent:{}", scene.agent),
        "the value already loads the agent",
    );
    stays("-javaagent:/dd/dd-java-agent.jar", "the agent of Datadog");
    let output = ask(&scene, &program, |command| {
        command.env(NAME, "-javaagent:/x/jacocoagent.jar");
    });
    let both = format!(
        "{NAME}={} -javaagent:/x/jacocoagent.jar\n",
        scene.injected()
    );
    assert_eq!(stdout(&output), both);
    let mut command = scene.command(&program, "direct");
    command.env("OPENTELEMETRY_INJECTOR_DEBUG", "true");
    let output = command
        .args(["-javaagent:/nr/newrelic.jar", NAME])
        .output()
        .unwrap();
    assert!(stderr(&output).contains("the agent of New Relic is already on the command line"));
    assert!(stdout(&output).ends_with(&format!("{NAME}=(null)\n")));
}

#[test]
fn an_agent_that_this_user_cannot_read_is_not_injected() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    let reason = "agent.jar is missing or not readable by this process";
    fs::rename(&scene.agent, scene.path("elsewhere")).unwrap();
    assert_skipped(&ask(&scene, &program, |_| {}), reason);
    fs::create_dir(&scene.agent).unwrap();
    assert_skipped(&ask(&scene, &program, |_| {}), reason);
    fs::remove_dir(&scene.agent).unwrap();
    fs::write(&scene.agent, "").unwrap();
    assert!(is_injected(&scene, &ask(&scene, &program, |_| {})));
    if !is_root() || !has("setpriv") {
        skip!("another user needs root and setpriv");
    }
    fs::set_permissions(&scene.agent, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = scene.command("setpriv", "direct");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.env("OPENTELEMETRY_INJECTOR_DEBUG", "true");
    let output = command.arg(&program).arg(NAME).output().unwrap();
    assert_skipped(&output, reason);
}

#[test]
fn silence_is_the_default_and_every_line_says_who_speaks() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    for engine in engines() {
        let output = scene.command(&program, engine).arg(NAME).output().unwrap();
        assert_eq!(stderr(&output), "");
        let mut command = scene.command(&program, engine);
        command
            .env("OPENTELEMETRY_INJECTOR_DEBUG", "1")
            .env(NAME, "-Dx");
        let output = command.arg(NAME).output().unwrap();
        let lines = stderr(&output);
        let named =
            |line: &str| line.starts_with("opentelemetry-injector[") && line.contains(" java]: ");
        assert!(
            lines.lines().count() >= 4 && lines.lines().all(named),
            "{lines}"
        );
        for part in [
            format!("configuration: {}", scene.configuration.display()),
            format!("engine {engine}: getenv hooked at 0x"),
            format!("{NAME} was -Dx"),
            format!("{NAME} is now {} -Dx", scene.injected()),
        ] {
            assert!(lines.contains(&part), "{part} is not in {lines}");
        }
    }
}

#[test]
fn hook_tracing_tells_every_call_and_its_caller() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    for engine in engines() {
        let mut command = scene.command(&program, engine);
        command.env("OPENTELEMETRY_INJECTOR_DEBUG", "trace");
        let output = command.args([NAME, "HOME", "NOT_THERE"]).output().unwrap();
        let lines = stderr(&output);
        for part in [
            format!(
                "getenv(\"{NAME}\") injected, called from {}+0x",
                program.display()
            ),
            format!("getenv(\"HOME\") hit, called from {}+0x", program.display()),
            format!(
                "getenv(\"NOT_THERE\") miss, called from {}+0x",
                program.display()
            ),
        ] {
            // Once by getenv, once by secure_getenv.
            assert_eq!(lines.matches(&part).count(), 2, "{part}: {lines}");
        }
        assert!(!lines.contains("/here"), "values are not traced: {lines}");
    }
}

#[test]
fn callers_in_a_program_at_fixed_addresses_are_told_as_its_file_has_them() {
    let scene = Scene::new();
    let program = scene.compile_with("cc", "ask", &["-no-pie"]);
    let mut command = scene.command(&program, "direct");
    command.env("OPENTELEMETRY_INJECTOR_DEBUG", "trace");
    let output = command.arg("HOME").output().unwrap();
    let lines = stderr(&output);
    let (_, caller) = lines
        .split_once("getenv(\"HOME\") hit, called from ")
        .expect("a traced call");
    let (_, address) = caller.lines().next().unwrap().split_once("+0x").unwrap();
    let address = usize::from_str_radix(address, 16).unwrap();
    // Where linkers put such programs.
    assert!(address >= 0x40_0000, "{lines}");
}

#[test]
fn a_log_file_that_somebody_else_has_made_is_not_written() {
    if !is_root() {
        skip!("a file of another user needs root");
    }
    let scene = Scene::new();
    let program = scene.compile("ask");
    let file = scene.path("theirs.log");
    fs::write(&file, "").unwrap();
    chown(&file, Some(65534), None).unwrap();
    scene.configure(&format!(
        "[jvm]\nagent_path = \"{}\"\n[log]\nlevel = \"debug\"\nfile = \"{}\"\n",
        scene.agent,
        file.display()
    ));
    assert!(is_injected(&scene, &ask(&scene, &program, |_| {})));
    assert_eq!(fs::read_to_string(&file).unwrap(), "");
    chown(&file, Some(0), None).unwrap();
    assert!(is_injected(&scene, &ask(&scene, &program, |_| {})));
    assert_ne!(fs::read_to_string(&file).unwrap(), "");
}

#[test]
fn the_log_file_is_appended_to_and_never_through_a_link() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    let file = scene.path("injector.log");
    scene.configure(&format!(
        "[jvm]\nagent_path = \"{}\"\n[log]\nlevel = \"debug\"\nfile = \"{}\"\n",
        scene.agent,
        file.display()
    ));
    for _ in 0..2 {
        let mut command = scene.command("sh", "direct");
        command.args(["-c", "umask 0; exec \"$0\" \"$@\""]);
        let output = command.arg(&program).arg(NAME).output().unwrap();
        assert!(is_injected(&scene, &output));
        assert_eq!(stderr(&output), "");
    }
    let lines = fs::read_to_string(&file).unwrap();
    let told = format!("java]: {NAME} is now {}", scene.injected());
    assert_eq!(lines.matches(&told).count(), 2, "{lines}");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o027, 0, "mode {mode:o}");

    let target = scene.path("target");
    fs::write(&target, "").unwrap();
    fs::remove_file(&file).unwrap();
    symlink(&target, &file).unwrap();
    let output = scene
        .command(&program, "direct")
        .arg(NAME)
        .output()
        .unwrap();
    assert!(is_injected(&scene, &output));
    assert_eq!(fs::read_to_string(&target).unwrap(), "");
}

#[test]
fn an_interpreter_of_another_language_sees_its_own_environment() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    let interpreter = scene.path("ruby3.1");
    succeed(Command::new("cp").args([&program, &interpreter]));
    let output = ask(&scene, &interpreter, |_| {});
    assert_skipped(&output, "another runtime asks, only to pass the value on");
}

#[test]
fn a_program_that_is_no_runtime_has_nothing_to_hand_on() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    let launcher = scene.path("launcher");
    succeed(Command::new("cp").args([&program, &launcher]));
    let reason = "neither the program's name nor a loaded library shows that it runs Java";
    assert_skipped(&ask(&scene, &launcher, |_| {}), reason);
    let named = format!(
        "[jvm]\nagent_path = \"{}\"\n[processes]\ninclude = [\"{}\"]\n",
        scene.agent, "launch*"
    );
    scene.configure(&named);
    assert!(is_injected(&scene, &ask(&scene, &launcher, |_| {})));
    // A pattern for a folder says only which runtimes are wanted.
    scene.configure(&named.replace("launch*", &format!("{}/*", scene.folder.path().display())));
    assert_skipped(&ask(&scene, &launcher, |_| {}), reason);
    assert!(is_injected(&scene, &ask(&scene, &program, |_| {})));
}

#[test]
fn a_launcher_hands_the_users_value_on_and_what_it_starts_is_injected_once() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    let launcher = scene.path("launcher");
    succeed(Command::new("mv").args([&scene.compile("hand_on"), &launcher]));
    let mut command = scene.command(&launcher, "direct");
    command.args([NAME, "-Dhanded.on "]).arg(&program).arg(NAME);
    let wanted = format!("{NAME}={} -Dhanded.on \n", scene.injected());
    assert_eq!(succeed(&mut command), wanted);
}

#[test]
fn a_program_is_known_behind_the_dynamic_loader() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    let loader = Path::new("/lib64/ld-linux-x86-64.so.2");
    if !loader.exists() {
        skip!("no {}", loader.display());
    }
    let through_loader = |words: &[&str]| {
        let mut command = scene.command(loader, "direct");
        command.env("OPENTELEMETRY_INJECTOR_DEBUG", "true");
        command.args(["--inhibit-cache"]).arg(&program).args(words);
        command.output().unwrap()
    };
    let output = through_loader(&[NAME]);
    assert!(is_injected(&scene, &output), "{}", stderr(&output));
    let output = through_loader(&["-Xshare:dump", NAME]);
    let errors = stderr(&output);
    assert!(
        errors.contains("the Java agent does not work with -Xshare:dump"),
        "{errors}"
    );
}

#[test]
fn settings_with_long_names_are_the_users() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    let name = "OTEL_INSTRUMENTATION_LOGBACK_APPENDER_EXPERIMENTAL_CAPTURE_CODE_ATTRIBUTES";
    scene.configure(&format!(
        "[jvm]\nagent_path = \"{}\"\n[environment]\n{name} = \"ours\"\n",
        scene.agent
    ));
    let output = ask(&scene, &program, |command| {
        command.env(name, "theirs");
    });
    assert!(is_injected(&scene, &output), "{}", stdout(&output));
}

#[test]
fn a_closed_pipe_and_a_full_log_do_not_harm_the_process() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    // Standard error is a pipe that nobody reads any more.
    let mut command = scene.command("bash", "direct");
    command.args([
        "-c",
        "exec 2> >(exec 0<&-; exit); sleep 0.3; exec \"$0\" \"$@\"",
    ]);
    command.env("OPENTELEMETRY_INJECTOR_DEBUG", "true");
    let output = command.arg(&program).arg(NAME).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(is_injected(&scene, &output));
    // A file that may not grow.
    let file = scene.path("full.log");
    scene.configure(&format!(
        "[jvm]\nagent_path = \"{}\"\n[log]\nlevel = \"debug\"\nfile = \"{}\"\n",
        scene.agent,
        file.display()
    ));
    fs::write(&file, vec![b'\n'; 1024]).unwrap();
    let mut command = scene.command("bash", "direct");
    command.args(["-c", "ulimit -f 1; exec \"$0\" \"$@\""]);
    let output = command.arg(&program).arg(NAME).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(is_injected(&scene, &output));
    let told = fs::read_to_string(&file).unwrap();
    // The shell's own lines came before the limit.
    assert!(
        told.contains(" bash]: ") && !told.contains(" java]: "),
        "{told}"
    );
}

#[test]
fn a_full_pipe_at_stderr_does_not_stop_the_process() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    for engine in engines() {
        let (_reader, mut writer) = std::io::pipe().unwrap();
        // SAFETY: fcntl(2) on a descriptor of our own.
        unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        while writer.write(&[b'\n'; 4096]).is_ok() {}
        // SAFETY: as above.
        unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETFL, 0) };
        let mut command = scene.command(&program, engine);
        command.env("OPENTELEMETRY_INJECTOR_DEBUG", "trace");
        let mut child = command.arg(NAME).stderr(writer).spawn().unwrap();
        let end = Instant::now() + Duration::from_secs(20);
        let status = loop {
            match child.try_wait().unwrap() {
                None if Instant::now() < end => thread::sleep(Duration::from_millis(20)),
                status => break status,
            }
        };
        if status.is_none() {
            child.kill().unwrap();
        }
        assert!(status.is_some_and(|s| s.success()), "{engine}: {status:?}");
    }
}

#[test]
fn a_file_that_gets_stderrs_number_gets_no_line() {
    let scene = Scene::new();
    let program = scene.compile("reused_stderr");
    let data = scene.path("data");
    let mut command = scene.command(&program, "direct");
    command.env("OPENTELEMETRY_INJECTOR_DEBUG", "trace");
    succeed(command.arg(&data));
    assert_eq!(fs::read_to_string(data).unwrap(), "data\n");
}
