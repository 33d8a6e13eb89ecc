//! Programs under the tools that look inside of them, with instrumented code, and for another
//! machine.

use std::fs;
use std::path::Path;
use std::process::Command;
use support::alike::Answer::Injected;
use support::alike::Run;
use support::{Scene, engines, has, object, skip};

/// Compiles asking_program with its library in one piece, so that a compiler's option reaches both.
fn asking(scene: &Scene, compiler: &str, arguments: &[&str]) -> Option<std::path::PathBuf> {
    let programs = support::root().join("tests/programs/traps");
    let folder = scene.path(&format!("asking-{}", arguments.concat().replace('/', "-")));
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join("java");
    let mut compile = Command::new(compiler);
    compile
        .args(["-g", "-O1", "-o"])
        .arg(&program)
        .args(arguments);
    compile.args(["asking_program.c", "asking_library.c"].map(|name| programs.join(name)));
    compile
        .output()
        .is_ok_and(|output| output.status.success())
        .then_some(program)
}

/// Runs a program in gdb, with or without the preload object on an engine.
fn gdb(scene: &Scene, program: &Path, preload: Option<&str>, lines: &[&str]) -> Run {
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch", "-iex", "set debuginfod enabled off"]);
    gdb.env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    gdb.env("HOME", "/here");
    let configuration = format!(
        "set environment OPENTELEMETRY_INJECTOR_CONFIGURATION {}",
        scene.configuration.display()
    );
    let engine =
        preload.map(|engine| format!("set environment OPENTELEMETRY_INJECTOR_ENGINE {engine}"));
    let object = preload.map(|_| format!("set environment LD_PRELOAD {}", object().display()));
    for line in [Some(configuration), engine, object].into_iter().flatten() {
        gdb.args(["-ex", &line]);
    }
    for line in lines {
        gdb.args(["-ex", line]);
    }
    Run::of(gdb.arg(program))
}

#[test]
fn gdb_stops_in_main_steps_and_runs_to_the_end() {
    if !has("gdb") {
        skip!("no gdb");
    }
    let scene = Scene::new();
    let program = asking(&scene, "cc", &[]).unwrap();
    let lines = [
        "break main",
        "run",
        "next",
        "step",
        "break ask_in_library",
        "continue",
        "finish",
        "continue",
        "info breakpoints",
        "delete",
        "continue",
    ];
    let run = |preload: Option<&str>| gdb(&scene, &program, preload, &lines);
    let plain = run(None);
    assert!(plain.stdout.contains("exited with code 03"), "{plain:?}");
    let told = |run: &Run| -> Vec<String> {
        let lines = run.stdout.lines();
        lines
            .filter(|line| {
                line.contains("watched:") || line.contains("exited") || line.contains("HOME:")
            })
            .map(str::to_owned)
            .collect()
    };
    for engine in engines() {
        let hooked = run(Some(engine));
        let wanted: Vec<_> = told(&plain)
            .iter()
            .map(|line| line.replace("(null)", &scene.injected()))
            .map(without_process)
            .collect();
        let seen: Vec<_> = told(&hooked).into_iter().map(without_process).collect();
        assert_eq!(seen, wanted, "{engine}: {hooked:?}");
        assert_eq!(hooked.status, plain.status);
    }
}

#[test]
fn gdb_runs_to_the_end_with_a_breakpoint_on_getenv() {
    if !has("gdb") {
        skip!("no gdb");
    }
    let scene = Scene::new();
    let program = asking(&scene, "cc", &[]).unwrap();
    // Met, but never stopped at.
    let lines = ["set breakpoint pending on", "break getenv if 0", "run"];
    let plain = gdb(&scene, &program, None, &lines);
    assert!(plain.stdout.contains("exited with code 03"), "{plain:?}");
    for engine in engines().into_iter().chain(["auto"]) {
        let hooked = gdb(&scene, &program, Some(engine), &lines);
        let ended = hooked.stdout.contains("exited with code 03");
        assert!(ended, "{engine}: {hooked:?}");
        assert!(!hooked.stdout.contains("SIG"), "{engine}: {hooked:?}");
    }
}

/// A line of gdb's without the process's number.
fn without_process(line: String) -> String {
    line.split(' ')
        .filter(|word| word.parse::<u32>().is_err() && !word.ends_with(')'))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_traced_program_is_the_same() {
    if !has("strace") {
        skip!("no strace");
    }
    let scene = Scene::new();
    let program = asking(&scene, "cc", &[]).unwrap();
    scene.alike(Path::new("strace"), Injected, |command| {
        command.args(["-f", "-o", "/dev/null"]).arg(&program);
    });
}

/// How the loader ends a program whose protection it cannot set.
const LOADER_REFUSES: i32 = 127;

#[test]
fn a_single_refusal_while_gum_hooks_leaves_a_program_that_works() {
    if !has("strace") || !engines().contains(&"gum") {
        skip!("no strace, or the Gum engine is not built");
    }
    let scene = Scene::new();
    let ask = scene.compile("ask");
    let names = ["JAVA_TOOL_OPTIONS", "HOME", "NOT_THERE"];
    let mut fell_back = false;
    // Each mprotect of the start in its turn, and the other way to write is never there.
    for refused in 1..30 {
        let mut command = scene.command("strace", "auto");
        command.env("OPENTELEMETRY_INJECTOR_DEBUG", "true");
        let refuse = format!("inject=mprotect:error=ENOMEM:when={refused}");
        command.args(["-f", "-o", "/dev/null", "-e", &refuse]);
        command.args(["-e", "inject=pwrite64:error=EIO", "-e", "signal=none"]);
        // Only the program has the object.
        let preload = format!("LD_PRELOAD={}", object().display());
        command.env_remove("LD_PRELOAD").args(["-E", &preload]);
        let run = Run::of(command.arg(&ask).args(names));
        if run.status.code() == Some(LOADER_REFUSES) {
            continue;
        }
        let answers = ["(null)".to_owned(), scene.injected()];
        let wanted = answers
            .map(|value| format!("JAVA_TOOL_OPTIONS={value}\nHOME=/here\nNOT_THERE=(null)\n"));
        assert!(wanted.contains(&run.stdout), "{refused}: {run:?}");
        assert_eq!(run.status.code(), Some(0), "{refused}: {run:?}");
        let told = |line| run.stderr.contains(line);
        fell_back |= told("the engine is direct: the system refuses")
            && told("engine direct: getenv hooked");
    }
    assert!(fell_back);
}

/// What a program asks the kernel for under a preloaded library, as strace writes it.
fn calls(scene: &Scene, program: &Path, earlier: &Path, which: &str) -> Vec<String> {
    let mut command = scene.command("strace", "gum");
    let record = scene.path("calls");
    command.arg("-o").arg(&record).args(["-e", which]);
    let preload = format!("LD_PRELOAD={}:{}", object().display(), earlier.display());
    command.env_remove("LD_PRELOAD").args(["-E", &preload]);
    let run = Run::of(command.arg(program).arg("HOME"));
    assert_eq!(run.stdout, "HOME=/here\n", "{run:?}");
    let calls = fs::read_to_string(record).unwrap();
    calls.lines().map(str::to_owned).collect()
}

#[test]
fn a_page_that_gum_could_not_use_is_given_back() {
    if !has("strace") || !engines().contains(&"gum") {
        skip!("no strace, or the Gum engine is not built");
    }
    let scene = Scene::new();
    let ask = scene.compile("ask");
    let arguments = ["-shared", "-fPIC", "-ldl", "-DAT_THE_FIRST"];
    let debugger = scene.compile_with("cc", "breakpoint", &arguments);
    let calls = calls(&scene, &ask, &debugger, "trace=openat,mmap,munmap");
    let loaded = calls
        .iter()
        .position(|call| call.contains("libopentelemetry_injector_gum.so"));
    let behind = &calls[loaded.expect("Gum is loaded")..];
    let page = behind.iter().rev().find_map(|call| {
        let (call, address) = call.rsplit_once(" = ")?;
        let is_page = call.starts_with("mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE");
        is_page.then_some(address)
    });
    let back = format!("munmap({}, 4096)", page.expect("a page is mapped"));
    assert!(
        behind.iter().any(|call| call.starts_with(&back)),
        "{behind:#?}"
    );
}

#[test]
fn valgrind_finds_nothing_wrong() {
    if !has("valgrind") {
        skip!("no valgrind");
    }
    let scene = Scene::new();
    let program = asking(&scene, "cc", &[]).unwrap();
    // Gum's object runs unmodified code of Frida's, which is not for valgrind to judge.
    let plain = scene.alike_on(&["direct"], Path::new("valgrind"), Injected, |command| {
        command.args(["-q", "--error-exitcode=9"]).arg(&program);
    });
    assert_eq!(plain.status.code(), Some(3), "{plain:?}");
    // Where no value is computed, it has nothing to warn of either.
    let ask = scene.compile("ask");
    let mut loud = scene.command(Path::new("valgrind"), "direct");
    let loud = Run::of(loud.arg(&ask).arg("HOME"));
    assert!(loud.stderr.contains("ERROR SUMMARY: 0 errors"), "{loud:?}");
    assert!(!loud.stderr.contains("Warning"), "{loud:?}");
}

#[test]
fn sanitizers_find_nothing_wrong() {
    let scene = Scene::new();
    for (flags, options) in [
        (&["-fsanitize=address"][..], "verify_asan_link_order=0"),
        (&["-fsanitize=address", "-static-libasan"], ""),
        (&["-fsanitize=undefined"], ""),
        (&["-fsanitize=thread", "-static-libtsan"], ""),
        (&["-fsanitize=thread"], ""),
        (&["-fsanitize=leak"], ""),
    ] {
        let Some(program) = asking(&scene, "cc", flags) else {
            println!("skipped: {flags:?}, which this compiler has not");
            continue;
        };
        scene.alike(&program, Injected, |command| {
            command.env("ASAN_OPTIONS", options);
        });
    }
}

#[test]
fn a_shared_address_sanitizer_ends_as_the_readme_says() {
    let scene = Scene::new();
    let Some(program) = asking(&scene, "cc", &["-fsanitize=address"]) else {
        skip!("this compiler has no AddressSanitizer");
    };
    let run = Run::of(&mut scene.command(&program, "direct"));
    assert!(
        run.stderr.contains("ASan runtime does not come first"),
        "{run:?}"
    );
}

#[test]
fn a_32_bit_program_runs_on_after_a_line_of_the_loaders() {
    let scene = Scene::new();
    let Some(program) = asking(&scene, "cc", &["-m32"]) else {
        skip!("no compiler for 32 bits (gcc-VERSION-multilib)");
    };
    let plain = Run::of(scene.command(&program, "direct").env_remove("LD_PRELOAD"));
    let hooked = Run::of(&mut scene.command(&program, "direct"));
    assert_eq!(
        (hooked.status, &hooked.stdout),
        (plain.status, &plain.stdout)
    );
    let line = format!(
        "ERROR: ld.so: object '{}' from LD_PRELOAD cannot be preloaded (wrong ELF class: ELFCLASS64): ignored.\n",
        object().display()
    );
    assert_eq!(hooked.stderr, line);
}

#[test]
fn the_loaders_lib_token_and_an_empty_object_keep_32_bit_programs_silent() {
    let scene = Scene::new();
    let (Some(narrow), Some(wide)) = (
        asking(&scene, "cc", &["-m32"]),
        asking(&scene, "cc", &["-m64"]),
    ) else {
        skip!("no compiler for 32 bits (gcc-VERSION-multilib)");
    };
    // Each loader puts its own folder in the place of $LIB (ld.so(8)): which one, the distributions
    // decide.
    for name in [
        "lib",
        "lib64",
        "lib32",
        "lib/x86_64-linux-gnu",
        "lib/i386-linux-gnu",
    ] {
        fs::create_dir_all(scene.path(name)).unwrap();
    }
    let empty = scene.trap_library("bare_library", &["-m32", "-nostdlib"]);
    for name in ["lib32", "lib", "lib/i386-linux-gnu"] {
        fs::copy(&empty, scene.path(name).join("injector.so")).unwrap();
    }
    for name in ["lib64", "lib/x86_64-linux-gnu"] {
        fs::copy(object(), scene.path(name).join("injector.so")).unwrap();
    }
    let preload = format!("{}/$LIB/injector.so", scene.folder.path().display());
    let plain = Run::of(scene.command(&narrow, "direct").env_remove("LD_PRELOAD"));
    assert_eq!(
        Run::of(scene.command(&narrow, "direct").env("LD_PRELOAD", &preload)),
        plain
    );
    let hooked = Run::of(scene.command(&wide, "direct").env("LD_PRELOAD", &preload));
    assert!(hooked.stdout.contains(&scene.injected()), "{hooked:?}");
}
