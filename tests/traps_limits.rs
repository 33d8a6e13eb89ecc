//! Programs with hardly any stack, memory or descriptors, and with far too much environment.

use std::cell::Cell;
use std::path::Path;
use std::process::Command;
use support::alike::Answer::Injected;
use support::alike::Run;
use support::{Scene, engines, object};

/// Bound at the start: what the loader needs to bind a function late is more than is there.
const TINY_STACKS: [&str; 2] = ["-pthread", "-Wl,-z,now"];

#[test]
fn the_smallest_stacks_are_large_enough() {
    let scene = Scene::new();
    let program = scene.trap("tiny_stacks", &TINY_STACKS);
    let plain = scene.alike(&program, Injected, |_| {});
    assert!(plain.stdout.contains("untouched below: 1"), "{plain:?}");
    assert!(plain.stdout.contains("ends with -Dother: 1"), "{plain:?}");
}

/// Runs asking_program under a limit, and compares.
fn under(resource: &str, bytes: &str, engines: &[&str]) {
    let scene = Scene::new();
    let limited = scene.trap("limited", &[]);
    let library = scene.trap_library("asking_library", &[]);
    let program = scene.trap("asking_program", &[library.to_str().unwrap()]);
    let plain = scene.alike_on(engines, &limited, Injected, |command| {
        command.args([resource, bytes]).arg(&program);
    });
    assert_eq!(plain.status.code(), Some(3), "{plain:?}");
}

#[test]
fn a_stack_of_64_kilobytes_is_enough() {
    under("stack", "65536", &engines());
}

#[test]
fn files_that_may_not_grow_and_memory_that_may_not_be_locked_are_no_obstacle() {
    under("fsize", "0", &engines());
    under("memlock", "0", &engines());
}

#[test]
fn memory_that_the_kernel_refuses_is_asked_for_again() {
    let scene = Scene::new();
    let program = scene.trap("own_maps_refused", &[]);
    for resource in ["data", "as"] {
        let plain = scene.alike(&program, Injected, |command| {
            command.arg(resource);
        });
        assert!(plain.stdout.contains("refused 1"), "{plain:?}");
    }
}

/// From a limit under which not even the plain program starts to one that is plenty, step by step:
/// `asked` is how a run with the object may differ from the plain one.
fn sweep(resource: &str, from: u64, to: u64, step: u64, judge: impl Fn(u64, &Run, &Run, &str)) {
    let scene = Scene::new();
    let limited = scene.trap("limited", &[]);
    let library = scene.trap_library("asking_library", &[]);
    let program = scene.trap("asking_program", &[library.to_str().unwrap()]);
    let injected = format!("HOME: /here /here\nwatched: {}\n", scene.injected());
    let mut bytes = from;
    while bytes <= to {
        let command = |preload: &Path| {
            let mut command = Command::new(&limited);
            command
                .env_clear()
                .env("HOME", "/here")
                .env("OPENTELEMETRY_INJECTOR_CONFIGURATION", &scene.configuration)
                .env("LD_PRELOAD", preload)
                .args([resource, &bytes.to_string()])
                .arg(&program);
            Run::of(&mut command)
        };
        judge(
            bytes,
            &command(Path::new("")),
            &command(&object()),
            &injected,
        );
        bytes += step;
    }
}

/// How the loader ends a program that it cannot load.
const LOADER_REFUSES: i32 = 127;

#[test]
fn a_small_data_segment_means_the_plain_answer_or_ours_and_nothing_worse() {
    sweep(
        "data",
        0,
        1_200_000,
        16_384,
        |bytes, plain, hooked, injected| {
            if plain.status.code() != Some(3) {
                return;
            }
            let ours = hooked.stdout == plain.stdout || hooked.stdout == *injected;
            // The object's own writable pages need 48 kB: below, the loader says that it leaves it out,
            // or finds no room for libc behind it.
            let loader_tells = hooked.stderr.contains("libopentelemetry_injector.so")
                || hooked.status.code() == Some(LOADER_REFUSES) && hooked.stdout.is_empty();
            let same = hooked.status == plain.status && ours && hooked.stderr == plain.stderr;
            assert!(same || loader_tells, "{bytes}: {hooked:?}");
        },
    );
}

#[test]
fn a_small_address_space_means_the_plain_answer_or_ours_or_the_loaders_refusal() {
    /// What the object takes of the address space, in bytes.
    const OURS: u64 = 300_000;
    let smallest = Cell::new(u64::MAX);
    sweep(
        "as",
        2_000_000,
        4_500_000,
        50_000,
        |bytes, plain, hooked, injected| {
            if plain.status.code() != Some(3) {
                return;
            }
            smallest.set(smallest.get().min(bytes));
            let ours = hooked.stdout == plain.stdout || hooked.stdout == *injected;
            let same = hooked.status == plain.status && ours && hooked.stderr == plain.stderr;
            assert!(same || bytes < smallest.get() + OURS, "{bytes}: {hooked:?}");
        },
    );
}

#[test]
fn ever_new_values_do_not_fill_the_memory() {
    let scene = Scene::new();
    let program = scene.trap("ever_new_values", &[]);
    scene.alike(&program, Injected, |_| {});
}

#[test]
fn ten_megabytes_of_environment_are_searched_as_before() {
    let scene = Scene::new();
    let program = scene.trap("large_environment", &[]);
    scene.alike(&program, Injected, |_| {});
    // As much as the kernel hands over at a start: a quarter of the stack's limit, 6 MB at most.
    let limited = scene.trap("limited", &[]);
    let long = "x".repeat(120_000);
    scene.alike(&limited, Injected, |command| {
        command.args(["stack", "67108864"]).arg(&program);
        for index in 0..15 {
            command.env(format!("LONG_{index}"), &long);
        }
    });
}

#[test]
fn odd_entries_and_no_entries_are_no_obstacle() {
    let scene = Scene::new();
    let start = scene.trap("odd_start", &[]);
    let program = scene.trap("tiny_stacks", &TINY_STACKS);
    for (way, arguments) in [("odd", ""), ("bare", "argument")] {
        scene.alike(&start, Injected, |command| {
            command.arg(way).arg(&program).arg(arguments);
        });
    }
}
