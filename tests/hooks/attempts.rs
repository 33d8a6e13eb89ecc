//! Whatever fails or runs out inside of the preload object, the process goes on as if nothing had
//! been tried: memory, stack, a panic.

use object::{Object, ObjectSection};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::{Scene, engines, has, object, root, skip, stderr, stdout, succeed};

/// Sets a limit of the process that a command starts, in bytes.
fn limit(command: &mut Command, resource: libc::__rlimit_resource_t, bytes: u64) -> &mut Command {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: bytes,
    };
    // SAFETY: setrlimit(2) may be called between fork and exec.
    unsafe {
        command.pre_exec(move || match libc::setrlimit(resource, &raw const limit) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        })
    }
}

fn outcome(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), stdout(output))
}

#[test]
fn an_answer_takes_next_to_no_stack_of_whoever_asks() {
    let scene = Scene::new();
    let program = scene.compile("little_stack");
    for engine in engines() {
        // NODE_OPTIONS looks at the executable's path, which takes the most.
        let mut command = scene.command(&program, engine);
        let found = succeed(command.args(["NODE_OPTIONS", "JAVA_TOOL_OPTIONS"]));
        let value = scene.injected();
        let wanted = format!("NODE_OPTIONS=(null)\nJAVA_TOOL_OPTIONS={value}\n");
        assert_eq!(found, wanted, "{engine}");
    }
}

/// Texts that take the parser as deep as it goes, or would if they were not refused.
fn deep_texts() -> Vec<String> {
    let key = |parts: usize| vec!["a"; parts].join(".");
    let inline = |depth: usize, parts: usize| {
        let table = format!("{{{} = ", key(parts));
        format!("{}1{}", table.repeat(depth), "}".repeat(depth))
    };
    vec![
        format!("a = {}", "[".repeat(1 << 19)),
        format!("a = {}{}", "[".repeat(16), "]".repeat(16)),
        format!("resource_attributes.a = {}", inline(14, 1)),
        format!("resource_attributes.a = {}", inline(79, 79)),
        format!("[resource_attributes.{}]\n{} = 'x'", key(15), key(17)),
        // What follows a line end is no deeper to the reader of depths.
        inline(16, 15).replace("= ", "=\n"),
        "[[a.b]]\n".repeat(20_000),
    ]
}

#[test]
fn no_configuration_takes_the_hosts_stack() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    for text in deep_texts() {
        scene.configure(&text);
        let mut command = scene.command(&program, "direct");
        command
            .env("OPENTELEMETRY_INJECTOR_DEBUG", "true")
            .arg("HOME");
        let output = limit(&mut command, libc::RLIMIT_STACK, 64 << 10)
            .output()
            .unwrap();
        let shown = &text[..text.len().min(60)];
        assert_eq!(
            outcome(&output),
            (Some(0), "HOME=/here\n".into()),
            "{shown}"
        );
        // It was read to its end, and not given up half way.
        assert!(stderr(&output).contains("nothing is injected:"), "{shown}");
    }
}

/// Runs the program under ever more address space, from too little to be started at all. Whatever
/// the preload object had to do without, the program says what it says without the object.
#[test]
fn without_memory_the_process_goes_on() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    let attributes: String = (0..5_000)
        .map(|i| format!("a{i} = 'some value'\n"))
        .collect();
    let agent = &scene.agent;
    let text = format!("[jvm]\nagent_path = \"{agent}\"\n[resource_attributes]\n{attributes}");
    scene.configure(&text);
    let plain = |space: u64| {
        let mut command = Command::new(&program);
        command.env_clear().env("HOME", "/here").arg("HOME");
        limit(&mut command, libc::RLIMIT_AS, space)
            .output()
            .unwrap()
    };
    let with_object = |space: u64, name: &str| {
        let mut command = scene.command(&program, "direct");
        command
            .env("OPENTELEMETRY_INJECTOR_DEBUG", "true")
            .arg(name);
        limit(&mut command, libc::RLIMIT_AS, space)
            .output()
            .unwrap()
    };
    let (mut failed, mut hooked) = (0, 0);
    for step in 0..160_u64 {
        let space = (1 << 20) + step * (128 << 10);
        let (without, with) = (plain(space), with_object(space, "HOME"));
        let told = stderr(&with);
        // Too little for the loader: it cannot map the object, or libc behind it.
        let is_loaders = ["libopentelemetry_injector.so", "loading shared libraries"];
        if is_loaders.iter().any(|part| told.contains(part)) || without.status.code() != Some(0) {
            continue;
        }
        assert_eq!(outcome(&with), outcome(&without), "{space} bytes: {told}");
        if told.contains("getenv hooked") {
            hooked += 1
        } else {
            failed += 1
        }
    }
    println!("address space: too little for the attempt {failed} times, enough {hooked} times");
    assert!(failed > 0 && hooked > 0, "{failed} and {hooked}");
}

/// The same for an answer: hooks are in place, and then there is no memory left to compute it.
#[test]
fn without_memory_the_users_own_value_is_answered() {
    let scene = Scene::new();
    let program = scene.compile("no_memory_left");
    for engine in engines() {
        let mut command = scene.command(&program, engine);
        command
            .env("JAVA_TOOL_OPTIONS", "-Xmx1g")
            .arg("JAVA_TOOL_OPTIONS");
        let wanted = format!("-Xmx1g\n{} -Xmx1g\n", scene.injected());
        assert_eq!(succeed(&mut command), wanted, "{engine}");
    }
}

/// Direct calls and jumps between the functions of an object, by their symbols.
struct Calls(BTreeMap<String, BTreeSet<String>>);

impl Calls {
    /// Calls and jumps alone.
    fn of(object: &Path) -> Self {
        Self::with(object, |mnemonic| {
            mnemonic == "call" || mnemonic == "callq" || mnemonic.starts_with('j')
        })
    }

    /// Every mention of a function, so that those count whose address is taken.
    fn and_mentions(object: &Path) -> Self {
        Self::with(object, |_| true)
    }

    fn with(object: &Path, is_wanted: impl Fn(&str) -> bool) -> Self {
        let listing = succeed(
            Command::new("objdump")
                .args(["-d", "--no-show-raw-insn"])
                .arg(object),
        );
        let mut calls = BTreeMap::new();
        let mut function = String::new();
        for line in listing.lines() {
            let symbol = |text: &str| {
                let (_, symbol) = text.rsplit_once('<')?;
                let symbol = symbol.split(['>', '+']).next()?;
                Some(symbol.to_owned())
            };
            if let Some(start) = line.strip_suffix(">:") {
                function = symbol(start).expect("a symbol");
                calls.insert(function.clone(), BTreeSet::new());
            } else if let (true, Some(called)) = (line.ends_with('>'), symbol(line))
                && line.split_whitespace().any(&is_wanted)
            {
                calls.entry(function.clone()).or_default().insert(called);
            }
        }
        Self(calls)
    }

    /// The function whose name holds `part`, the shortest if several do.
    fn function(&self, part: &str) -> &str {
        let named = self.0.keys().filter(|name| name.contains(part));
        let shortest = named.min_by_key(|name| name.len());
        shortest.unwrap_or_else(|| panic!("no function {part}"))
    }

    /// What can be reached from a function, with the function before it on the way.
    fn from(&self, root: &str) -> BTreeMap<String, String> {
        let mut reached = BTreeMap::new();
        let mut open = vec![(root.to_owned(), String::new())];
        while let Some((function, before)) = open.pop() {
            if reached.contains_key(&function) {
                continue;
            }
            let called = self.0.get(&function).into_iter().flatten();
            open.extend(called.map(|called| (called.clone(), function.clone())));
            reached.insert(function, before);
        }
        reached
    }
}

/// The release object with its symbols; `None` where it cannot be built.
fn with_symbols() -> Option<PathBuf> {
    let folder = root().join("target/symbols");
    let status = Command::new(std::env::var_os("CARGO")?)
        .args([
            "build",
            "--release",
            "--package",
            "opentelemetry-injector-preload",
        ])
        .arg("--target-dir")
        .arg(&folder)
        // By the profile, Cargo would take it for another crate and the compiler order it anew.
        .env("RUSTFLAGS", "-Cstrip=none")
        .current_dir(root())
        .status();
    let object = folder.join("release/libopentelemetry_injector.so");
    (status.ok()?.success() && object.exists()).then_some(object)
}

/// Outside of attempts a panic would have nowhere to go. Attempts are entered by a pointer in
/// machine code, so what direct calls reach from the hook's entry, the functions behind it and the
/// constructor is what runs outside.
#[test]
fn outside_of_attempts_nothing_can_panic() {
    if !has("objdump") {
        skip!("the object's calls: no objdump");
    }
    let Some(with_symbols) = with_symbols() else {
        skip!("the object's calls: cargo cannot build it here");
    };
    let code = |path: &Path| {
        let data = fs::read(path).unwrap();
        let elf = object::File::parse(data.as_slice()).unwrap();
        let section = |name| elf.section_by_name(name).unwrap().data().unwrap().to_vec();
        [".start", ".text"].map(section)
    };
    let same = code(&with_symbols) == code(&object());
    assert!(
        same,
        "not the release build's code: run scripts/build first"
    );

    let calls = Calls::of(&with_symbols);
    let is_panic = |name: &str| {
        [
            "panicking",
            "rust_begin_unwind",
            "handle_alloc_error",
            "capacity_overflow",
        ]
        .iter()
        .any(|part| name.contains(part))
    };
    // The graph sees panics at all: the parser, inside of attempts, can.
    assert!(calls.0.values().flatten().any(|called| is_panic(called)));
    for part in [
        "opentelemetry_injector_entry",
        "answer_watched",
        "answer_with_detour",
        "9construct",
    ] {
        let function = calls.function(part);
        let reached = calls.from(function);
        println!("{part}: {} functions", reached.len());
        let panics: Vec<_> = reached.iter().filter(|(name, _)| is_panic(name)).collect();
        assert!(panics.is_empty(), "{function} reaches {panics:#?}");
    }
}

/// The loader's list of objects is walked in the constructor alone: the types say so (`AtStart`), and here
/// it is seen in the code. What an answer calls of others, it calls by no name: the object has none
/// (`it_asks_for_one_symbol_of_others`).
#[test]
fn no_answer_reaches_the_loaders_list() {
    if !has("objdump") {
        skip!("the object's calls: no objdump");
    }
    let Some(with_symbols) = with_symbols() else {
        skip!("the object's calls: cargo cannot build it here");
    };
    let calls = Calls::and_mentions(&with_symbols);
    let is_list = |name: &str| name.contains("loaded_objects6loaded");
    let reaches = |part: &str| {
        let reached = calls.from(calls.function(part));
        println!("{part}: {} functions", reached.len());
        reached.keys().any(|name| is_list(name))
    };
    assert!(reaches("9construct"), "the graph does not see the list");
    for part in [
        "opentelemetry_injector_entry",
        "answer_watched",
        "answer_with_detour",
    ] {
        assert!(!reaches(part), "{part} reaches the loader's list");
    }
}
