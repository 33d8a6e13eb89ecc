//! Programs under filters for system calls (seccomp(2)), of others and of their own.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use support::alike::Answer::{Injected, Untouched};
use support::alike::Run;
use support::{Scene, engines, is_root, skip};

/// `filtered` says so where the kernel knows no filters.
const NO_FILTERS: Option<i32> = Some(77);

fn has_filters(scene: &Scene, filtered: &Path) -> bool {
    let mut command = scene.command(filtered, "direct");
    command.args(["refuse", "9999", "/bin/true"]);
    Run::of(&mut command).status.code() != NO_FILTERS
}

#[test]
fn a_filter_that_kills_on_all_but_a_plain_starts_calls_lets_the_object_pass() {
    let scene = Scene::new();
    let filtered = scene.trap("filtered", &[]);
    let ask = scene.compile("ask");
    let mut plain = scene.command(&filtered, "direct");
    plain.env_remove("LD_PRELOAD").arg("plain").arg(&ask);
    if Run::of(&mut plain).status.code() != Some(0) {
        skip!("no filters, or another libc's calls at the start");
    }
    // Loading Gum takes more calls, but none of another kind.
    for engine in engines().into_iter().chain(["auto"]) {
        scene.alike_on(&[engine], &filtered, Untouched, |command| {
            command.arg("plain").arg(&ask).args(["HOME", "NOT_THERE"]);
        });
    }
    // Hooks are in place: without the one system call that waiting signals take, nothing computes a
    // value, and this is told to be so under "Limits".
    let mut hooked = scene.command(&filtered, "direct");
    hooked.arg("plain").arg(&ask).arg("JAVA_TOOL_OPTIONS");
    assert_eq!(Run::of(&mut hooked).status.signal(), Some(libc::SIGSYS));
}

/// The call by which signals are made to wait, which computing a value needs.
const RT_SIGPROCMASK: &str = if cfg!(target_arch = "x86_64") {
    "14"
} else {
    "135"
};
const PWRITE64: &str = if cfg!(target_arch = "x86_64") {
    "18"
} else {
    "68"
};

#[test]
fn ways_to_write_that_are_refused_change_nothing() {
    let scene = Scene::new();
    let filtered = scene.trap("filtered", &[]);
    if !has_filters(&scene, &filtered) {
        skip!("no filters");
    }
    let program = scene.trap("checks_its_mappings", &[]);
    for (calls, answer) in [
        ("writable_code", Injected),
        ("open_for_writing", Injected),
        (PWRITE64, Injected),
        (&format!("writable_code,{PWRITE64}"), Untouched),
        ("writable_code,open_for_writing", Untouched),
        (RT_SIGPROCMASK, Untouched),
    ] {
        scene.alike_on(&["direct"], &filtered, answer, |command| {
            command.args(["refuse", calls]).arg(&program);
        });
    }
}

/// Above the numbers of all system calls (Linux 6.18 has 470).
const CALLS: u32 = 480;

/// Runs a program once for each system call under a filter against this one, plainly and on an
/// engine.
fn each_call(action: &str, engine: &str, ask: &[&str], judge: impl Fn(&Scene, &Run, &Run, u32)) {
    let scene = Scene::new();
    let filtered = scene.trap("filtered", &[]);
    if !has_filters(&scene, &filtered) {
        skip!("no filters");
    }
    let program = scene.compile("ask");
    for number in 0..CALLS {
        let command = || {
            let mut command = scene.command(&filtered, engine);
            command
                .args([action, &number.to_string()])
                .arg(&program)
                .args(ask);
            command
        };
        let plain = Run::of(command().env_remove("LD_PRELOAD"));
        judge(&scene, &plain, &Run::of(&mut command()), number);
    }
}

#[test]
fn no_call_that_kills_is_made_by_the_hooks_alone() {
    each_call(
        "kill",
        "direct",
        &["HOME", "NOT_THERE"],
        |_, plain, hooked, number| {
            assert_eq!(hooked, plain, "system call {number}");
        },
    );
}

#[test]
fn fstat_is_asked_for_as_musls_loader_does() {
    if !support::has("musl-gcc") {
        skip!("no musl-gcc");
    }
    let scene = Scene::new();
    let filtered = scene.trap("filtered", &[]);
    if !has_filters(&scene, &filtered) {
        skip!("no filters");
    }
    let ask = scene.compile_with("musl-gcc", "ask", &[]);
    let newfstatat = libc::SYS_newfstatat.to_string();
    scene.alike_on(&["direct"], &filtered, Untouched, |command| {
        command.args(["kill", &newfstatat]).arg(&ask);
        command.args(["HOME", "NOT_THERE"]);
    });
}

#[test]
fn every_call_may_be_refused() {
    for engine in engines() {
        each_call(
            "refuse",
            engine,
            &["JAVA_TOOL_OPTIONS"],
            |scene, plain, hooked, number| {
                if !plain.status.success() {
                    return;
                }
                let injected = plain.stdout.replace("(null)", &scene.injected());
                let answer = hooked.stdout == plain.stdout || hooked.stdout == injected;
                let fine = answer && hooked.status == plain.status && hooked.stderr == plain.stderr;
                assert!(
                    fine,
                    "system call {number} on engine {engine}: {hooked:?}, not {plain:?}"
                );
            },
        );
    }
}

#[test]
fn a_program_that_confines_itself_asks_on() {
    let scene = Scene::new();
    let program = scene.trap("confines_itself", &[]);
    for way in ["strict", "filter"] {
        let plain = Run::of(
            scene
                .command(&program, "direct")
                .env_remove("LD_PRELOAD")
                .arg(way),
        );
        if plain.status.code() == NO_FILTERS {
            skip!("no filters");
        }
        scene.alike(&program, Injected, |command| {
            command.arg(way);
        });
    }
}

#[test]
fn a_handler_of_trapped_calls_is_called_while_a_value_is_computed() {
    let scene = Scene::new();
    let program = scene.trap("traps_its_calls", &[]);
    for (arguments, answer) in [
        (&["serves"][..], Injected),
        (&["refuses"], Untouched),
        (&["serves", "on a signal stack"], Injected),
        (&["refuses", "on a signal stack"], Untouched),
    ] {
        let mut plain = scene.command(&program, "direct");
        let plain = Run::of(plain.env_remove("LD_PRELOAD").args(arguments));
        if plain.status.code() == NO_FILTERS {
            skip!("no filters");
        }
        scene.alike(&program, answer, |command| {
            command.args(arguments);
        });
    }
}

#[test]
fn memory_that_never_becomes_executable_and_no_new_privileges_change_nothing() {
    let scene = Scene::new();
    let refuse = scene.compile("refused_memory");
    let program = scene.trap("own_maps_refused", &[]);
    let mut command = scene.command(&refuse, "direct");
    if Run::of(command.arg("/bin/true")).status.code() == Some(77) {
        skip!("this kernel has no PR_SET_MDWE");
    }
    scene.alike_on(&["direct", "auto"], &refuse, Injected, |command| {
        command.arg(&program);
    });
    if engines().contains(&"gum") {
        // Its probe fails there.
        scene.alike_on(&["gum"], &refuse, Untouched, |command| {
            command.arg(&program);
        });
    }
    if is_root() && support::has("setpriv") {
        scene.alike(Path::new("setpriv"), Injected, |command| {
            command.arg("--no-new-privs").arg(&program);
        });
    }
}
