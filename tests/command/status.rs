//! `status` and `doctor`, in small machines of their own: what they find, the next step, the exit
//! code.

use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use support::command::{built, copy_program};
use support::machine;
use support::machine::{COMMAND, Machine, OBJECT, assert_done};
use support::{Scene, engines, object, skip};

const CONFIGURATION: &str = "etc/opentelemetry/injector/configuration.toml";

/// What a query finds of a subject: its state and what it says, by its JSON.
fn found(machine: &Machine, query: &str, subject: &str) -> Vec<(String, String)> {
    let outcome = machine.injector(&[query, "--json"]);
    let found: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let findings = found["findings"].as_array().unwrap();
    let state = |finding: &Value| finding["state"].as_str().unwrap().to_owned();
    let problems = findings
        .iter()
        .filter(|finding| state(finding) == "problem");
    assert_eq!(found["problems"], problems.clone().count());
    assert_eq!(outcome.code, i32::from(problems.count() > 0), "{outcome:?}");
    // What has to be done is told.
    let untold = |finding: &&Value| state(finding) == "problem" && finding["next"].is_null();
    assert_eq!(findings.iter().find(untold), None);
    let about = findings
        .iter()
        .filter(|finding| finding["subject"] == subject);
    let about = about.map(|finding| (state(finding), finding["what"].as_str().unwrap().into()));
    about.collect()
}

/// The one finding of a subject.
fn the(machine: &Machine, subject: &str) -> (String, String) {
    let mut found = found(machine, "status", subject);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn problem(what: impl Into<String>) -> (String, String) {
    ("problem".into(), what.into())
}

fn ok(what: impl Into<String>) -> (String, String) {
    ("ok".into(), what.into())
}

/// A machine on which everything is as it should be.
fn in_order(machine: &Machine) {
    machine.write("opt/agent.jar", "not read");
    machine.write(CONFIGURATION, "[jvm]\nagent_path = \"/opt/agent.jar\"\n");
    assert_done(&machine.injector(&["install"]));
}

#[test]
fn a_machine_in_order_has_no_problems() {
    let machine = machine!();
    in_order(&machine);
    let status = machine.injector(&["status"]);
    assert_done(&status);
    let version = env!("CARGO_PKG_VERSION");
    let folder = OBJECT.rsplit_once('/').unwrap().0;
    let said = format!(
        "ok       preload file   /etc/ld.so.preload names {OBJECT}\n\
         note     environment    LD_PRELOAD here does not name the object\n\
         ok       object         {OBJECT} ({version})\n\
         ok       boot files     {folder}/boot\n\
         ok       engine         direct (built in); libopentelemetry_injector_gum.so is not \
         installed\n\
         ok       configuration  /{CONFIGURATION}: no problems (1 file)\n\
         ok       agent for JVM  /opt/agent.jar\n"
    );
    assert_eq!(status.stdout, said);
    let doctor = machine.injector(&["doctor"]);
    assert_done(&doctor);
    assert!(
        doctor.stdout.starts_with("ok       preload file "),
        "{doctor:?}"
    );
    for program in ["sh", "cat", "ls", "ldconfig (static)", "sh (as nobody)"] {
        let trial = found(&machine, "doctor", &format!("trial: {program}"));
        assert_eq!(trial, [ok("as without the object")]);
    }
}

#[test]
fn a_bare_machine_has_three_problems_and_the_next_steps() {
    let machine = machine!();
    fs::remove_file(machine.path(OBJECT)).unwrap();
    let status = machine.injector(&["status"]);
    assert_eq!((status.code, status.stderr.as_str()), (1, ""), "{status:?}");
    for told in [
        "problem  preload file   /etc/ld.so.preload does not name the object: no process loads it\n",
        "next: opentelemetry-injector install\n",
        "problem  object         libopentelemetry_injector.so is not in /usr/bin, ",
        "problem  configuration  /etc/opentelemetry/injector/configuration.toml: no such file",
    ] {
        assert!(status.stdout.contains(told), "{told}: {}", status.stdout);
    }
}

#[test]
fn the_next_step_for_a_missing_configuration_writes_it() {
    let machine = machine!();
    let next = |folder: &str| {
        format!("next: {folder}opentelemetry-injector config init /{CONFIGURATION}\n")
    };
    let folder = "/etc/opentelemetry/injector";
    let told = machine.injector(&["status"]).stdout;
    let with_folder = next(&format!("mkdir -p {folder} && "));
    assert!(told.contains(&with_folder), "{told}");
    fs::create_dir_all(machine.path(folder)).unwrap();
    let told = machine.injector(&["status"]).stdout;
    assert!(told.contains(&next("")), "{told}");
}

#[test]
fn a_configuration_without_an_agent_is_a_problem() {
    let machine = machine!();
    fs::create_dir_all(machine.path("etc/opentelemetry/injector")).unwrap();
    let path = format!("/{CONFIGURATION}");
    assert_done(&machine.injector(&["config", "init", &path]));
    assert_done(&machine.injector(&["install"]));
    let none =
        problem("none is configured, and none is in /usr/lib/opentelemetry: nothing is injected");
    assert_eq!(the(&machine, "agents"), none);
    let told = machine.injector(&["status"]).stdout;
    let next = format!(
        "next: set agent_path for a runtime in {path}, then opentelemetry-injector check {path}\n"
    );
    assert!(told.contains(&next), "{told}");
    // Where the key is false, that is meant so.
    for meant in [
        "enabled = false\n",
        "jvm.enabled = false\njvm.agent_path = '/a'\n",
    ] {
        machine.write(CONFIGURATION, meant);
        assert_eq!(found(&machine, "status", "agents"), []);
    }
}

#[test]
fn what_is_wrong_with_the_preload_file_is_told() {
    let machine = machine!();
    let file = |content: &str| {
        machine.write("etc/ld.so.preload", content.replace("OURS", OBJECT));
        found(&machine, "status", "preload file")
    };
    let names = ok(format!("/etc/ld.so.preload names {OBJECT}"));
    assert_eq!(file("OURS").as_slice(), std::slice::from_ref(&names));
    let twice = problem("/etc/ld.so.preload names the object 2 times");
    assert_eq!(file("OURS\nOURS\n"), [twice]);
    let [(state, what)] = file("OURS\r\n").try_into().unwrap();
    assert_eq!(state, "problem");
    assert!(what.contains("takes no path with blanks"), "{what}");
    let [(state, what)] = file("/opt/gone/libopentelemetry_injector.so\n")
        .try_into()
        .unwrap();
    assert_eq!(state, "problem");
    assert!(
        what.contains("which does not exist: every program prints an error"),
        "{what}"
    );
    let [found, (state, what)] = file("OURS /opt/gone.so").try_into().unwrap();
    assert_eq!((found, state.as_str()), (names.clone(), "note"));
    assert!(
        what.contains("/opt/gone.so, which does not exist"),
        "{what}"
    );
    // The loader takes the end of the second comment for an object.
    let [found, (state, what)] = file("# 1\nOURS\n# four five\n").try_into().unwrap();
    assert_eq!((found, state.as_str()), (names, "note"));
    assert!(what.contains("the loader takes `ve`"), "{what}");
    for (mode, told) in [
        (0o666, "can be written by others"),
        (0o600, "only by root's processes"),
    ] {
        machine.write("etc/ld.so.preload", OBJECT);
        machine.set_mode("etc/ld.so.preload", mode);
        let [_, (state, what)] = found_twice(&machine);
        assert_eq!(state, "problem");
        assert!(what.contains(told), "{what}");
    }
}

fn found_twice(machine: &Machine) -> [(String, String); 2] {
    found(machine, "status", "preload file").try_into().unwrap()
}

#[test]
fn what_is_wrong_with_the_object_is_told() {
    let machine = machine!();
    in_order(&machine);
    machine.set_mode(OBJECT, 0o666);
    let (state, what) = the(&machine, "object");
    assert_eq!(state, "problem");
    assert!(what.contains("can be written by others"), "{what}");
    machine.set_mode(OBJECT, 0o644);
    let folder = machine.path(OBJECT).with_file_name("boot");
    fs::remove_file(folder.join("ruby/boot.rb")).unwrap();
    let (state, what) = the(&machine, "boot files");
    assert_eq!(state, "problem");
    assert!(what.ends_with("boot lacks ruby/boot.rb"), "{what}");
    let gum = "usr/lib/opentelemetry/injector/libopentelemetry_injector_gum.so";
    machine.write(gum, "not looked at");
    assert_eq!(the(&machine, "engine").0, "ok");
    machine.set_mode(gum, 0o777);
    assert_eq!(the(&machine, "engine").0, "problem");
    fs::remove_file(machine.path(gum)).unwrap();
    // While every program would tell of its loading.
    machine.write("etc/ld.so.preload", "");
    machine.write(OBJECT, "not an object");
    assert_eq!(
        the(&machine, "object"),
        problem(format!("{OBJECT}: not an ELF file"))
    );
}

#[test]
fn what_is_wrong_with_configuration_and_agents_is_told() {
    let machine = machine!();
    in_order(&machine);
    machine.set_mode("opt/agent.jar", 0o666);
    let (state, what) = the(&machine, "agent for JVM");
    assert_eq!(state, "problem");
    assert!(what.contains("can be written by others"), "{what}");
    fs::remove_file(machine.path("opt/agent.jar")).unwrap();
    let (state, what) = the(&machine, "agent for JVM");
    assert_eq!(state, "problem");
    assert!(what.contains("/opt/agent.jar: no such file"), "{what}");
    machine.write(
        CONFIGURATION,
        "[jvm]\nagent_path = \"/opt/agent.jar\"\nenabled = false\n",
    );
    assert_eq!(the(&machine, "agent for JVM").0, "note");
    machine.write(
        CONFIGURATION,
        "[python]\nagent_path = \"/opt/python/{version}\"\n",
    );
    assert_eq!(the(&machine, "agent for Python").0, "problem");
    fs::create_dir(machine.path("opt/python")).unwrap();
    assert_eq!(
        the(&machine, "agent for Python"),
        ok("/opt/python/{version}")
    );
    machine.write(CONFIGURATION, "jvm = 1\n");
    let (state, what) = the(&machine, "configuration");
    assert_eq!(state, "problem");
    assert!(what.contains("1 problem"), "{what}");
    machine.write(CONFIGURATION, "enabled = false\n");
    let found = found(&machine, "status", "configuration");
    let note = (
        "note".into(),
        "enabled = false: no process is injected".into(),
    );
    assert!(found.contains(&note), "{found:?}");
}

#[test]
fn packages_of_python_without_bytecode_are_told_with_the_command_that_compiles() {
    let scene = Scene::new();
    let packages = scene.path("3.11/package");
    fs::create_dir_all(&packages).unwrap();
    for number in 0..30 {
        fs::write(packages.join(format!("m{number}.py")), "").unwrap();
    }
    let folder = scene.folder.path().display();
    scene.configure(&format!("python.agent_path = '{folder}/{{version}}'\n"));
    let mut status = Command::new(support::built().join("opentelemetry-injector"));
    status
        .arg("status")
        .env("OPENTELEMETRY_INJECTOR_CONFIGURATION", &scene.configuration);
    let told = support::stdout(&status.output().unwrap());
    assert!(
        told.contains("3.11: 30 files have no valid bytecode"),
        "{told}"
    );
    assert!(
        told.contains(&format!(
            "next: python3.11 -m compileall -q {folder}/3.11\n"
        )),
        "{told}"
    );
}

#[test]
fn a_configuration_that_other_users_may_not_read_is_told() {
    let machine = machine!();
    in_order(&machine);
    let drop_in = "etc/opentelemetry/injector/conf.d/50-shop.toml";
    machine.write(drop_in, "");
    let folder = "etc/opentelemetry/injector/conf.d";
    for (name, open, closed) in [
        (CONFIGURATION, 0o644, 0o600),
        (drop_in, 0o644, 0o640),
        (folder, 0o755, 0o700),
        ("etc/opentelemetry", 0o755, 0o750),
    ] {
        machine.set_mode(name, closed);
        let told = format!("/{name}: mode {closed:04o} is closed to other users");
        let findings = found(&machine, "status", "configuration");
        let about =
            |(state, what): &&(String, String)| state == "problem" && what.starts_with(&told);
        assert_eq!(findings.iter().filter(about).count(), 1, "{findings:?}");
        let next = format!("chmod a+rX /{name}");
        assert!(
            machine
                .injector(&["status"])
                .stdout
                .contains(&format!("next: {next}\n"))
        );
        let check = machine.injector(&["check"]);
        assert_eq!(check.code, 0, "{check:?}");
        let told = format!("/{name}: warning: mode {closed:04o} is closed");
        assert!(check.stdout.contains(&told), "{check:?}");
        assert!(check.stdout.contains(&next), "{check:?}");

        // A process of another user says the same, and its next step goes on from there.
        let mut command = machine.command("", "", &[COMMAND, "explain", "--", "/bin/cat"]);
        command.env("OPTIONS", "--userspec=65534:65534");
        let explained = machine::outcome(&command.output().unwrap());
        assert_eq!(explained.code, 1, "{explained:?}");
        assert!(
            explained.stdout.contains("not readable by this process"),
            "{explained:?}"
        );
        assert!(
            explained
                .stdout
                .contains("every user read it: chmod a+rX /etc"),
            "{explained:?}"
        );

        machine.set_mode(name, open);
        assert_eq!(the(&machine, "configuration").0, "ok");
    }
    // Not installed, it may be meant for root's processes alone.
    assert_done(&machine.injector(&["uninstall"]));
    machine.set_mode(CONFIGURATION, 0o600);
    let findings = found(&machine, "status", "configuration");
    assert!(
        findings.iter().all(|(state, _)| state != "problem"),
        "{findings:?}"
    );
}

#[test]
fn without_proc_the_object_of_the_package_is_looked_at() {
    let machine = machine!();
    in_order(&machine);
    machine.write("etc/ld.so.preload", "");
    let without_proc = "umount \"$ROOT/proc\"";
    let told = machine.run(without_proc, &[COMMAND, "doctor"]);
    let object = format!("  {OBJECT} (");
    assert!(told.stdout.contains(&object), "{told:?}");
    assert!(told.stdout.contains("ok       trial: cat "), "{told:?}");
    fs::remove_file(machine.path(OBJECT)).unwrap();
    let told = machine.run(without_proc, &[COMMAND, "status"]);
    let folder = OBJECT.rsplit_once('/').unwrap().0;
    let missing = format!("is not in {folder}; name it");
    assert!(told.stdout.contains(&missing), "{told:?}");
}

#[test]
fn the_environment_and_that_of_services_is_told() {
    let machine = machine!();
    in_order(&machine);
    assert_done(&machine.injector(&["uninstall"]));
    let line = format!("LD_PRELOAD={OBJECT} OTEL_INJECTOR_DISABLED=true exec {COMMAND} status");
    let status = machine.run("", &["/bin/sh", "-c", &line]);
    assert_done(&status);
    for told in [
        format!("ok       environment    LD_PRELOAD here names {OBJECT}\n"),
        "note     environment    OTEL_INJECTOR_DISABLED is set".into(),
        "note     preload file   /etc/ld.so.preload does not name the object\n".into(),
    ] {
        assert!(status.stdout.contains(&told), "{told}: {}", status.stdout);
    }
    let gone = "/gone/libopentelemetry_injector.so";
    for (file, line) in [
        ("etc/environment", format!("LD_PRELOAD={gone}")),
        (
            "etc/systemd/system/shop.service.d/trace.conf",
            format!("[Service]\nEnvironment=\"LD_PRELOAD={gone}\"\n"),
        ),
        (
            "etc/systemd/system.conf.d/trace.conf",
            format!("[Manager]\nDefaultEnvironment=LD_PRELOAD={gone}\n"),
        ),
    ] {
        machine.write(file, &line);
        let told = format!("/{file} sets LD_PRELOAD to {gone}, which does not exist");
        assert_eq!(the(&machine, "services"), problem(told));
        machine.write(file, line.replace(gone, OBJECT));
        assert_eq!(the(&machine, "services").0, "ok");
        fs::remove_file(machine.path(file)).unwrap();
    }
}

#[test]
fn what_another_user_may_not_look_at_cannot_be_told() {
    let machine = machine!();
    in_order(&machine);
    machine.set_mode("etc/opentelemetry/injector", 0o700);
    let mut command = machine.command("", "", &[COMMAND, "status"]);
    command.env("OPTIONS", "--userspec=65534:65534");
    let status = machine::outcome(&command.output().unwrap());
    assert_eq!(status.code, 2, "{status:?}");
    assert!(
        status.stdout.contains("unknown  configuration"),
        "{status:?}"
    );
}

#[test]
fn whether_gum_would_be_taken_is_tried() {
    let machine = machine!();
    in_order(&machine);
    assert_eq!(found(&machine, "doctor", "trial: Gum, sh"), []);
    let gum = "usr/lib/opentelemetry/injector/libopentelemetry_injector_gum.so";
    machine.write(gum, "no object");
    let trial = found(&machine, "doctor", "trial: Gum, sh");
    assert_eq!(trial.len(), 1, "{trial:?}");
    assert!(
        trial[0].1.starts_with("`auto` does not take Gum: engine: "),
        "{trial:?}"
    );
    let [_, "gum"] = engines()[..] else {
        skip!("the Gum engine is not built");
    };
    let built = object().with_file_name("libopentelemetry_injector_gum.so");
    fs::copy(built, machine.path(gum)).unwrap();
    let trial = found(&machine, "doctor", "trial: Gum, sh");
    assert_eq!(
        trial
            .iter()
            .map(|(_, told)| told.as_str())
            .collect::<Vec<_>>(),
        ["`auto` takes Gum for runtimes"]
    );
}

#[test]
fn a_trial_that_goes_wrong_is_told() {
    let machine = machine!();
    in_order(&machine);
    machine.write("etc/ld.so.preload", "");
    let harm = "-DHARM=if (!getenv(\"OPENTELEMETRY_INJECTOR_DISABLED\")) puts(\"hello\")";
    machine.install_hostile_object(&[harm]);
    let trial = found(&machine, "doctor", "trial: cat");
    assert_eq!(trial, [problem("stdout differs: hello")]);
    machine.install_object(&support::object());
    let noexec = r#"
        object="$ROOT/usr/lib/opentelemetry"
        mount --bind "$object" "$object" && mount -o remount,bind,noexec "$object""#;
    let doctor = machine.run(noexec, &[COMMAND, "doctor"]);
    assert_eq!(doctor.code, 1, "{doctor:?}");
    assert!(
        doctor.stdout.contains("that is mounted noexec"),
        "{doctor:?}"
    );
    assert!(
        doctor.stdout.contains("next: move the object"),
        "{doctor:?}"
    );
}

/// Puts a program there that asks for none of the injector's variables.
fn add_stand_in(machine: &Machine, name: &str) {
    let scene = Scene::new();
    copy_program(&scene.compile("ask"), &machine.path("usr/bin").join(name));
}

/// The findings of `doctor` as a person reads them.
fn doctor(machine: &Machine) -> String {
    machine.injector(&["doctor"]).stdout
}

#[test]
fn php_is_tried_with_a_script_that_gets_the_agent() {
    let php = Path::new("/usr/bin/php");
    if !php.exists() {
        skip!("PHP is not installed");
    }
    let machine = machine!();
    machine.add_program(&php.canonicalize().unwrap());
    let real = php.canonicalize().unwrap();
    let name = real.file_name().unwrap();
    if name != "php" {
        symlink(name, machine.path("usr/bin/php")).unwrap();
    }
    let content = "<?php file_put_contents('/tmp/loaded', 'yes');";
    machine.write("opt/vendor/autoload.php", content);
    machine.set_mode("tmp", 0o777);
    machine.write(CONFIGURATION, "[php]\nagent_path = \"/opt/vendor\"\n");
    assert_done(&machine.injector(&["install"]));
    let told = "as without the object, and gets its agent through PHP_INI_SCAN_DIR";
    assert_eq!(found(&machine, "doctor", "trial: php"), [ok(told)]);
    assert!(machine.path("tmp/loaded").exists());
}

#[test]
fn the_next_step_after_a_trial_names_what_was_tried() {
    let machine = machine!();
    add_stand_in(&machine, "node");
    machine.write(
        "opt/node_modules/@opentelemetry/auto-instrumentations-node/build/src/register.js",
        "",
    );
    machine.write(CONFIGURATION, "[nodejs]\nagent_path = \"/opt\"\n");
    assert_done(&machine.injector(&["install"]));
    let told = doctor(&machine);
    assert!(told.contains("gets no agent: it did not ask for the variable\n"));
    let next =
        r"next: opentelemetry-injector explain -- /usr/bin/node -e 'console.log('\''node'\'')'";
    assert!(told.contains(next), "{told}");
}

#[test]
fn a_trial_without_an_agent_tells_why() {
    let machine = machine!();
    in_order(&machine);
    add_stand_in(&machine, "node");
    add_stand_in(&machine, "java");
    let trial = |configuration: &str, program: &str| {
        machine.write(CONFIGURATION, configuration);
        let [(state, what)] = found(&machine, "doctor", &format!("trial: {program}"))
            .try_into()
            .unwrap();
        assert_eq!(state, "note");
        what
    };
    let jvm = "[jvm]\nagent_path = \"/opt/agent.jar\"\n";
    for (configuration, program, why) in [
        (jvm.to_owned(), "node", "no agent is configured for Node.js"),
        (
            format!("{jvm}enabled = false\n"),
            "java",
            "jvm.enabled = false in the configuration",
        ),
        (
            format!("enabled = false\n{jvm}"),
            "java",
            "enabled = false in the configuration",
        ),
        (
            "[jvm\n".into(),
            "java",
            "the configuration cannot be used: /etc/opentelemetry/injector/configuration.toml:1:5: \
             unclosed table, expected `]`",
        ),
    ] {
        let told = format!("as without the object; {why}");
        assert_eq!(trial(&configuration, program), told);
    }
}

#[test]
fn an_object_that_is_gone_is_put_back_or_uninstalled() {
    let machine = machine!();
    in_order(&machine);
    fs::remove_file(machine.path(OBJECT)).unwrap();
    let status = machine.injector(&["status"]);
    assert_eq!(status.code, 1, "{status:?}");
    let mut lines = status.stdout.lines();
    let told = lines.find(|line| line.starts_with("problem  object "));
    assert!(told.unwrap().contains(OBJECT), "{status:?}");
    let next = lines.next().unwrap().trim_start();
    assert_eq!(
        next,
        "next: restore it, or run `opentelemetry-injector uninstall`"
    );
}

#[test]
fn a_python_that_the_boot_file_refuses_is_a_problem_for_doctor() {
    let Ok(python) = fs::canonicalize("/usr/bin/python3") else {
        skip!("/usr/bin/python3 is not installed");
    };
    let machine = machine!();
    in_order(&machine);
    machine.add_program(&python);
    let name = python.file_name().unwrap();
    symlink(name, machine.path("usr/bin/python3")).unwrap();
    machine.write(
        CONFIGURATION,
        "[python]\nagent_path = \"/opt/python/{version}\"\n",
    );
    fs::create_dir_all(machine.path("opt/python")).unwrap();
    let trial = || {
        let trial = found(&machine, "doctor", "trial: python3");
        <[_; 1]>::try_from(trial)
            .unwrap()
            .into_iter()
            .next()
            .unwrap()
    };
    let (state, what) = trial();
    assert_eq!(state, "problem", "{what}");
    assert!(what.starts_with("gets no agent: Python 3."), "{what}");
    let version = name.to_str().unwrap().trim_start_matches("python");
    let agent = format!("opt/python/{version}");
    let module = "opentelemetry/instrumentation/auto_instrumentation/__init__.py";
    machine.write(&format!("{agent}/{module}"), "");
    let metadata = "opentelemetry_instrumentation-0.60.dist-info/METADATA";
    machine.write(&format!("{agent}/{metadata}"), "Requires-Python: >=3.8\n");
    let (state, what) = trial();
    assert_eq!(state, "ok", "{what}");
    assert!(
        what.ends_with("gets its agent through PYTHONPATH"),
        "{what}"
    );
}

#[test]
fn an_object_on_a_noexec_mount_is_told_by_explain() {
    let machine = machine!();
    in_order(&machine);
    let noexec = r#"
        object="$ROOT/usr/lib/opentelemetry"
        mount --bind "$object" "$object" && mount -o remount,bind,noexec "$object""#;
    let explained = machine.run(noexec, &[COMMAND, "explain", "--", "/bin/cat"]);
    assert_eq!(explained.code, 1, "{explained:?}");
    assert!(
        explained.stdout.contains("that is mounted noexec"),
        "{explained:?}"
    );
    let line = format!("sleep 9 2>/dev/null & {COMMAND} explain --pid $!; kill $!");
    machine.add_program(Path::new("/bin/sleep"));
    let explained = machine.run(noexec, &["/bin/sh", "-c", &line]);
    assert!(
        explained.stdout.contains("that is mounted noexec"),
        "{explained:?}"
    );
    assert!(
        explained.stdout.contains("move the object"),
        "{explained:?}"
    );
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let machine = machine!();
    in_order(&machine);
    let line = format!("{{ {COMMAND} status; echo $? >&2; }} | :");
    let status = machine.run("", &["/bin/sh", "-c", &line]);
    assert_eq!(status.stderr, "0\n");
}

#[test]
fn a_person_gets_colours_and_nobody_else() {
    if !support::has("script") {
        skip!("script(1), for a terminal, is not installed");
    }
    let command = built("opentelemetry-injector");
    let run = |variables: &[(&str, &str)]| {
        let mut terminal = Command::new("script");
        let line = format!("{} status", command.display());
        terminal
            .args(["-qec", &line, "/dev/null"])
            .stdin(Stdio::null());
        terminal.env("TERM", "xterm").env_remove("NO_COLOR");
        terminal.envs(variables.iter().copied());
        support::stdout(&terminal.output().unwrap())
    };
    assert!(run(&[]).contains("\u{1b}["));
    let plain = run(&[("NO_COLOR", "1")]);
    assert!(
        plain.contains("object") && !plain.contains('\u{1b}'),
        "{plain}"
    );
    let piped = Command::new(&command).arg("status").output().unwrap();
    assert!(!support::stdout(&piped).contains('\u{1b}'));
}
