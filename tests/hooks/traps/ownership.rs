//! Nothing of the program's is the object's: programs that define what the object could have asked
//! libc for, objects that break the rules, and locks that are never given back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::alike::Answer::{Injected, Untouched};
use support::alike::Run;
use support::{Scene, engines, has, object, skip};

/// So that the compiler takes the functions as they are written.
const LITERALLY: [&str; 2] = ["-fno-builtin", "-rdynamic"];

#[test]
fn a_program_whose_memcpy_is_an_indirect_function_starts() {
    let scene = Scene::new();
    let program = scene.trap("own_indirect_functions", &LITERALLY);
    scene.alike(&program, Injected, |_| {});
    scene.alike(&program, Untouched, |command| {
        command.env("OPENTELEMETRY_INJECTOR_DISABLED", "true");
    });
}

#[test]
fn a_programs_own_functions_are_not_called_and_not_believed() {
    let scene = Scene::new();
    for name in ["own_functions", "own_calls"] {
        let program = scene.trap(name, &LITERALLY);
        let plain = scene.alike_on(&["direct"], &program, Injected, |_| {});
        assert!(plain.stdout.starts_with("calls: 0 and 0\n"), "{plain:?}");
    }
}

#[test]
fn a_resolver_in_an_object_in_front_runs_when_it_would() {
    let scene = Scene::new();
    let front = scene.trap_library("resolver_in_front", &["-fno-builtin"]);
    let program = scene.compile("ask");
    for engine in engines() {
        let both = format!("{}:{}", front.display(), object().display());
        let mut command = scene.command(&program, engine);
        let run = Run::of(command.env("LD_PRELOAD", both).arg("JAVA_TOOL_OPTIONS"));
        let wanted = format!("JAVA_TOOL_OPTIONS={}\n", scene.injected());
        assert_eq!((run.status.code(), run.stdout), (Some(0), wanted));
    }
}

#[test]
fn sanitizers_see_no_race_between_threads_that_ask() {
    let scene = Scene::new();
    for compiler in ["gcc", "clang"] {
        for sanitizer in ["thread", "address", "undefined", "memory"] {
            let flag = format!("-fsanitize={sanitizer}");
            let statically = match (compiler, sanitizer) {
                ("gcc", "address") => "-static-libasan",
                _ => "-g",
            };
            let Some(program) = try_trap(&scene, compiler, &[&flag, statically]) else {
                println!("skipped: {compiler} {flag}, which is not to be had here");
                continue;
            };
            // Where they are loaded decides whether ThreadSanitizer starts at all.
            scene.alike_on(&["direct"], Path::new("setarch"), Injected, |command| {
                command.arg("-R").arg(&program);
            });
        }
    }
}

/// threads_ask_at_once by a compiler that may not be there.
fn try_trap(scene: &Scene, compiler: &str, arguments: &[&str]) -> Option<PathBuf> {
    let source = support::root().join("tests/programs/traps/threads_ask_at_once.c");
    let folder = scene.path(&format!("{compiler}{}", arguments.concat()));
    fs::create_dir_all(&folder).unwrap();
    let program = folder.join("java");
    let mut command = Command::new(compiler);
    command
        .args(["-O1", "-pthread", "-o"])
        .arg(&program)
        .arg(source);
    let output = command.args(arguments).output();
    output
        .is_ok_and(|output| output.status.success())
        .then_some(program)
}

#[test]
fn an_answer_does_not_wait_for_the_loaders_lock() {
    let scene = Scene::new();
    let program = scene.trap("holds_the_loaders_lock", &["-pthread"]);
    let options = scene.path("options");
    fs::write(&options, "").unwrap();
    let own = format!("-XX:VMOptionsFile={}", options.display());
    for engine in engines() {
        for who in ["thread", "child"] {
            // Where it hangs, all signals wait.
            let mut command = scene.command("timeout", engine);
            command.args(["--signal=KILL", "60"]).arg(&program).arg(who);
            let run = Run::of(command.env("JAVA_TOOL_OPTIONS", &own));
            let wanted = format!("answer: {} {own}\n", scene.injected());
            assert_eq!((run.status.code(), run.stdout), (Some(0), wanted), "{who}");
        }
    }
}

/// A library of one page, writable and nothing else, whose hash table has a single empty bucket, counts
/// symbols from `first` on, and ends where the page ends: its chain would begin behind it.
fn library_that_ends_with_its_hash_table(first: u32) -> Vec<u8> {
    const PAGE: usize = 4096;
    const TABLE: [u32; 7] = [1, 0, 1, 6, 0, 0, 0];
    let mut table = TABLE;
    table[1] = first;
    // Every bit of the filter is set: whatever is asked for may be there.
    (table[4], table[5]) = (u32::MAX, u32::MAX);
    let (strings, symbols, dynamic) = (0x200_u64, 0x210, 0x300);
    let hash = (PAGE - size_of_val(&TABLE)) as u64;
    let tags: [[u64; 2]; 6] = [
        [5, strings],
        [10, 1],
        [6, symbols],
        [11, 24],
        [0x6fff_fef5, hash],
        [0, 0],
    ];
    let mut file = vec![0; PAGE];
    let mut put = |at: u64, bytes: &[u8]| {
        let at = usize::try_from(at).unwrap();
        file[at..at + bytes.len()].copy_from_slice(bytes);
    };
    // e_ident, then ET_DYN for EM_X86_64, version 1, and the places and sizes of headers.
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &[3, 0, 62, 0, 1, 0, 0, 0]);
    put(32, &[64]);
    put(52, &[64, 0, 56, 0, 2, 0, 64]);
    let header = |kind: u32, at: u64, length: u64| {
        let numbers = [at, at, at, length, length, 8];
        let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
        let start = [kind.to_le_bytes(), 6_u32.to_le_bytes()].concat();
        start.into_iter().chain(numbers).collect::<Vec<u8>>()
    };
    let whole = header(1, 0, PAGE as u64);
    put(64, &whole);
    // Its alignment: a page.
    put(64 + 48, &(PAGE as u64).to_le_bytes());
    put(120, &header(2, dynamic, size_of_val(&tags) as u64));
    let tags: Vec<u8> = tags
        .iter()
        .flatten()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    put(dynamic, &tags);
    let table: Vec<u8> = table
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    put(hash, &table);
    file
}

#[test]
fn an_empty_bucket_is_empty_wherever_the_table_ends() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    for first in [0, 1, 2, u32::MAX] {
        let library = scene.path(&format!("first-{first}.so"));
        fs::write(&library, library_that_ends_with_its_hash_table(first)).unwrap();
        let (library, ours) = (library.display(), object());
        let ours = ours.display();
        for both in [format!("{library}:{ours}"), format!("{ours}:{library}")] {
            let mut command = scene.command(&program, "direct");
            let run = Run::of(command.env("LD_PRELOAD", &both).arg("JAVA_TOOL_OPTIONS"));
            let wanted = format!("JAVA_TOOL_OPTIONS={}\n", scene.injected());
            assert_eq!((run.status.code(), run.stdout), (Some(0), wanted), "{both}");
        }
    }
}

#[test]
fn a_library_whose_base_wraps_round_is_passed_by() {
    if !has("setarch") {
        skip!("no setarch");
    }
    let scene = Scene::new();
    let program = scene.compile("ask");
    for address in ["0x7ffffff00000", "0x7fff00000000", "0x10000"] {
        let segment = format!("-Wl,-Ttext-segment={address}");
        let library = scene.trap_library("high_library", &[&segment]);
        let (library, ours) = (library.display(), object());
        let ours = ours.display();
        for both in [format!("{library}:{ours}"), format!("{ours}:{library}")] {
            let mut command = scene.command("setarch", "direct");
            command.env_remove("LD_PRELOAD").args(["-R", "env"]);
            command.arg(format!("LD_PRELOAD={both}")).arg(&program);
            let run = Run::of(command.arg("JAVA_TOOL_OPTIONS"));
            let wanted = format!("JAVA_TOOL_OPTIONS={}\n", scene.injected());
            assert_eq!((run.status.code(), run.stdout), (Some(0), wanted), "{both}");
        }
    }
}

#[test]
fn a_library_at_anothers_address_does_not_get_its_refusal() {
    let scene = Scene::new();
    let hook = scene.path("agent/net/OpenTelemetry.AutoInstrumentation.StartupHook.dll");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "not read").unwrap();
    let home = scene.path("agent");
    scene.configure(&format!(
        "[dotnet]\nagent_path = \"{}\"\n[processes]\ninclude = [\"application\"]\n",
        home.display()
    ));
    let plugin = scene.trap_library("asking_library", &[]);
    let host = scene.path("libhostfxr.so");
    fs::copy(&plugin, &host).unwrap();
    let java = scene.trap("takes_anothers_place", &["-ldl"]);
    // A program that is started by its host library alone.
    let program = java.with_file_name("application");
    fs::rename(java, &program).unwrap();
    let mut command = scene.command(&program, "direct");
    let run = Run::of(command.args([&plugin, &host]));
    let wanted = format!("(null)\nsame address\n{}\n", hook.display());
    assert_eq!(run.stdout, wanted, "{run:?}");
}

#[test]
fn a_child_that_is_killed_in_an_attempt_takes_nothing_with_it() {
    let scene = Scene::new();
    let program = scene.trap("killed_in_an_attempt", &[]);
    let run = Run::of(&mut scene.command(&program, "direct"));
    let wanted = format!("{} -Dlast=1\n", scene.injected());
    assert_eq!((run.status.code(), run.stdout), (Some(0), wanted));
}

#[test]
fn constructors_that_change_the_environment_first_are_no_hindrance() {
    let scene = Scene::new();
    for (compiler, program) in [("cc", "ask"), ("musl-gcc", "ask")] {
        if !has(compiler) {
            println!("skipped: {compiler}, which is not installed");
            continue;
        }
        let program = scene.compile_with(compiler, program, &[]);
        let library = scene.compile_with(
            compiler,
            "traps/changes_the_environment_first",
            &["-shared", "-fPIC"],
        );
        for way in ["set", "unset", "own", "none"] {
            let (library, ours) = (library.display(), object());
            let ours = ours.display();
            for both in [format!("{library}:{ours}"), format!("{ours}:{library}")] {
                let mut command = scene.command(&program, "direct");
                command.env("WAY", way).env("FIRST", "1").env("SECOND", "2");
                let run = Run::of(command.env("LD_PRELOAD", &both).arg("JAVA_TOOL_OPTIONS"));
                let wanted = format!("JAVA_TOOL_OPTIONS={}\n", scene.injected());
                assert_eq!(
                    (run.status.code(), run.stdout),
                    (Some(0), wanted),
                    "{compiler} {way} {both}"
                );
            }
        }
    }
}
