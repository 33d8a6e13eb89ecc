//! Programs that fork, execute, jump, are cancelled, and look at themselves.

use std::fs;
use std::path::Path;
use std::process::Command;
use support::alike::Answer::{Injected, Untouched};
use support::{Scene, has, is_root, root, skip, succeed};

#[test]
fn a_pre_forking_server_and_its_workers_are_the_same() {
    let scene = Scene::new();
    let program = scene.trap("pre_forking_server", &[]);
    scene.alike(&program, Injected, |_| {});
}

#[test]
fn programs_started_by_vfork_spawn_and_fork_in_a_row_all_end_well() {
    let scene = Scene::new();
    let program = scene.trap("starts_others", &[]);
    let plain = scene.alike(&program, Untouched, |command| {
        command.arg("/bin/true");
    });
    assert_eq!(plain.stdout, "failed: 0\n");
}

#[test]
fn a_program_that_overwrites_its_start_is_answered() {
    let scene = Scene::new();
    let program = scene.trap("overwrites_its_start", &[]);
    scene.alike(&program, Injected, |_| {});
}

#[test]
fn hundreds_of_threads_may_ask_for_a_new_value_at_the_same_moment() {
    let scene = Scene::new();
    let program = scene.trap("threads_at_a_barrier", &["-pthread"]);
    scene.alike(&program, Injected, |_| {});
}

#[test]
fn children_of_fork_are_answered_whatever_other_threads_asked_at_that_moment() {
    let scene = Scene::new();
    // With tracing on, every question takes what computing a value takes.
    let log = scene.path("log");
    let agent = format!("[jvm]\nagent_path = \"{}\"\n", scene.agent);
    scene.configure(&format!(
        "{agent}[log]\nlevel = \"trace\"\nfile = {log:?}\n"
    ));
    let program = scene.trap("forks_beside_askers", &["-pthread"]);
    scene.alike(&program, Injected, |_| {});
    let traced = fs::read_to_string(&log).unwrap();
    assert!(traced.contains("getenv(\"HOME\") hit"), "{traced}");
}

/// An allocator may ask at every place where something allocates, and holds its lock meanwhile.
#[test]
fn an_allocator_that_asks_under_its_own_lock_is_answered() {
    let scene = Scene::new();
    let program = scene.trap("allocator_asks", &["-pthread"]);
    scene.alike(&program, Injected, |_| {});
    let log = scene.path("log");
    let agent = format!("[jvm]\nagent_path = \"{}\"\n", scene.agent);
    scene.configure(&format!(
        "{agent}[log]\nlevel = \"trace\"\nfile = {log:?}\n"
    ));
    scene.alike(&program, Injected, |_| {});
    let traced = fs::read_to_string(&log).unwrap();
    assert!(traced.contains("getenv(\"NOT_THERE\") miss"), "{traced}");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_handler_that_asks_after_every_instruction_never_meets_half_a_patch() {
    let scene = Scene::new();
    // The red zone would be written over by the pushed flags.
    let program = scene.trap("asks_at_every_step", &["-mno-red-zone"]);
    let plain = scene.alike(&program, Injected, |_| {});
    assert!(plain.stdout.starts_with("stepped: yes\n"), "{plain:?}");
}

#[test]
fn handlers_that_jump_out_of_everything_leave_working_answers() {
    let scene = Scene::new();
    let program = scene.trap("jumps_out", &[]);
    scene.alike(&program, Injected, |_| {});
}

#[test]
fn threads_cancelled_at_any_instruction_leave_working_answers() {
    let scene = Scene::new();
    let program = scene.trap("cancelled_threads", &["-pthread"]);
    scene.alike(&program, Injected, |_| {});
}

#[test]
fn a_program_that_checks_its_mappings_finds_no_writable_code_and_no_descriptor() {
    let scene = Scene::new();
    let program = scene.trap("checks_its_mappings", &[]);
    let plain = scene.alike(&program, Injected, |_| {});
    let (plain, _) = plain.stdout.split_once('\n').unwrap();
    assert!(
        plain.starts_with("writable code: 0, code of libc: 1, "),
        "{plain}"
    );
}

#[test]
fn other_layouts_of_memory_and_the_first_process_of_a_namespace_are_the_same() {
    let scene = Scene::new();
    let program = scene.trap("own_maps_refused", &[]);
    if has("setarch") {
        for layout in [
            "--read-implies-exec",
            "--addr-no-randomize",
            "--addr-compat-layout",
        ] {
            scene.alike(Path::new("setarch"), Injected, |command| {
                command.args([std::env::consts::ARCH, layout]).arg(&program);
            });
        }
    }
    if !is_root() || !has("unshare") {
        skip!("a namespace of processes needs root and unshare");
    }
    scene.alike(Path::new("unshare"), Injected, |command| {
        command
            .args(["--pid", "--fork", "--mount-proc"])
            .arg(&program);
    });
}

#[test]
fn shells_and_what_they_start_are_the_same() {
    let scene = Scene::new();
    let script = "trap 'echo trapped' USR1; kill -USR1 $$; (exit 3) || echo $?; echo a | cat; \
                  : > /dev/null 2>&1; exec 3<&0 4>&1 5>&2; sleep 0 & wait; env | grep -c JAVA; kill -9 $$";
    for shell in ["sh", "bash", "dash", "busybox"] {
        if !has(shell) {
            continue;
        }
        scene.alike(Path::new(shell), Untouched, |command| {
            if shell == "busybox" {
                command.arg("sh");
            }
            command.args(["-c", script]);
        });
    }
}

#[test]
fn musl_programs_with_traps_are_the_same() {
    if !has("musl-gcc") {
        skip!("no musl-gcc");
    }
    let scene = Scene::new();
    for name in [
        "large_environment",
        "pre_forking_server",
        "own_maps_refused",
        "jumps_out",
    ] {
        let program = scene.compile_with("musl-gcc", &format!("traps/{name}"), &[]);
        scene.alike_on(&["direct"], &program, Injected, |_| {});
    }
}

#[test]
fn go_programs_with_and_without_libc_are_the_same() {
    if !has("go") {
        skip!("no go");
    }
    let scene = Scene::new();
    let source = root().join("tests/programs/traps/asking_in_go.go");
    for cgo in ["0", "1"] {
        let program = scene.path(&format!("asking_in_go_{cgo}"));
        let mut build = Command::new("go");
        build.arg("build").arg("-o").arg(&program).arg(&source);
        succeed(build.env("CGO_ENABLED", cgo));
        let plain = scene.alike(&program, Untouched, |_| {});
        assert_eq!(plain.status.code(), Some(4), "{plain:?}");
    }
}

#[test]
fn a_jvm_of_a_user_without_an_entry_and_a_home_starts() {
    if !is_root() || !has("setpriv") || !has("java") {
        skip!("another user needs root and setpriv; and no java");
    }
    let scene = Scene::new();
    // Hooks are in place for another runtime: a JVM with the stand-in for an agent would not start.
    let folder = scene.path("agent");
    fs::create_dir(&folder).unwrap();
    scene.configure(&format!("[ruby]\nagent_path = \"{}\"\n", scene.agent));
    scene.alike(Path::new("setpriv"), Untouched, |command| {
        command.args(["--reuid=54321", "--regid=54321", "--clear-groups"]);
        command
            .args(["java", "-Xshare:auto", "-XX:-UsePerfData", "-version"])
            .env_remove("HOME");
    });
}
