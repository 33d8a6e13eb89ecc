//! Programs with hardly any stack, memory or descriptors, and with far too much environment.

use support::alike::Answer::Injected;
use support::alike::Run;
use support::{Scene, engines};

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
fn under(resource: &str, limit: &str, engines: &[&str]) {
    let scene = Scene::new();
    let limited = scene.trap("limited", &[]);
    let library = scene.trap_library("asking_library", &[]);
    let program = scene.trap("asking_program", &[library.to_str().unwrap()]);
    let plain = scene.alike_on(engines, &limited, Injected, |command| {
        command.args([resource, limit]).arg(&program);
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
fn one_descriptor_beside_the_standard_ones_is_enough() {
    under("nofile", "4", &engines());
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

/// What the object takes of the address space, in bytes, and more than it takes of writable memory.
const OURS: u64 = 500_000;

/// How the loader ends a program that it cannot load.
const LOADER_REFUSES: i32 = 127;

/// From a limit under which not even the plain program starts to one that is plenty, step by step:
/// a run with the object is like the plain one, with the plain answer or ours, but where the limit
/// is so close that the loader has no room for the object, or behind it for the program.
fn sweep(resource: &str, engine: &str, limits: impl Iterator<Item = u64>) {
    let scene = Scene::new();
    let limited = scene.trap("limited", &[]);
    let library = scene.trap_library("asking_library", &[]);
    let program = scene.trap("asking_program", &[library.to_str().unwrap()]);
    let injected = format!("HOME: /here /here\nwatched: {}\n", scene.injected());
    let mut smallest = None;
    let mut last = String::new();
    for bytes in limits {
        let command = || {
            let mut command = scene.command(&limited, engine);
            command.args([resource, &bytes.to_string()]).arg(&program);
            command
        };
        let plain = Run::of(command().env_remove("LD_PRELOAD"));
        if plain.status.code() != Some(3) {
            continue;
        }
        let hooked = Run::of(&mut command());
        let is_close = bytes < *smallest.get_or_insert(bytes) + OURS;
        let loader_tells = hooked.stderr.contains("libopentelemetry_injector.so")
            || hooked.status.code() == Some(LOADER_REFUSES) && hooked.stdout.is_empty();
        let answer = hooked.stdout == plain.stdout || hooked.stdout == injected;
        let alike = hooked.status == plain.status && answer && hooked.stderr == plain.stderr;
        let fine = alike || is_close && loader_tells;
        assert!(fine, "{resource} {bytes} on engine {engine}: {hooked:?}");
        last = hooked.stdout;
    }
    assert_eq!(last, injected, "{resource} on engine {engine}");
}

#[test]
fn a_small_address_space_means_the_plain_answer_or_ours_or_the_loaders_refusal() {
    for engine in engines() {
        let fine = (2_000_000..4_500_000).step_by(50_000);
        sweep(
            "as",
            engine,
            fine.chain((4_500_000..20_000_000).step_by(100_000)),
        );
    }
}

#[test]
fn a_small_data_segment_means_the_plain_answer_or_ours_and_nothing_worse() {
    for engine in engines() {
        let fine = (0..1_200_000).step_by(16_384);
        sweep(
            "data",
            engine,
            fine.chain((1_200_000..12_000_000).step_by(100_000)),
        );
    }
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
