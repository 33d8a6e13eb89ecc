//! The hooks in arm64 programs, which qemu runs. What this machine's own processor can run is
//! tested in hooks.rs; here it is the other machine code: entry, patch, way out.
//!
//! qemu-user is not a kernel: it knows no `PR_SET_MDWE`, and before version 8.1 it does not notice
//! that code which it has translated already is written through `/proc/self/mem`.

use opentelemetry_injector_policy::formats::trace_channel::{self, Kind, Step};
use std::fs::File;
use std::os::fd::FromRawFd;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{
    GUM_OBJECT, Scene, engines_in, has, is_root, object_for_arm64, skip, stderr, stdout, succeed,
};

const COMPILER: &str = "aarch64-linux-gnu-gcc";
const QEMU: &str = "qemu-aarch64-static";

/// Where Debian's cross compiler has libc.
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";

struct Arm64 {
    scene: Scene,
    object: PathBuf,
    engine: &'static str,
}

impl Arm64 {
    /// One for each engine that is built; none, with a word on what is missing.
    fn each_engine() -> Vec<Self> {
        for program in [COMPILER, QEMU] {
            if !has(program) {
                println!("skipped: no {program}");
                return Vec::new();
            }
        }
        let Some(object) = object_for_arm64() else {
            println!("skipped: the object for arm64 is not built (scripts/build --target …)");
            return Vec::new();
        };
        let of = |engine| Self {
            scene: Scene::new(),
            object: object.clone(),
            engine,
        };
        engines_in(object.parent().unwrap())
            .into_iter()
            .map(of)
            .collect()
    }

    /// With Gum, if it is built for arm64.
    fn with_gum() -> Option<Self> {
        let mut each = Self::each_engine();
        each.pop().filter(|last| last.engine == "gum")
    }

    /// The Gum engine's object.
    fn gum(&self) -> PathBuf {
        self.object.with_file_name(GUM_OBJECT)
    }

    fn compile(&self, name: &str) -> PathBuf {
        self.scene
            .compile_with(COMPILER, name, &["-pthread", "-ldl"])
    }

    fn library(&self, name: &str) -> PathBuf {
        let arguments = ["-shared", "-fPIC", "-pthread", "-ldl"];
        self.scene.compile_with(COMPILER, name, &arguments)
    }

    /// qemu running a program that loads some objects. (qemu itself is a static program: no preload
    /// object is loaded into it.)
    fn qemu(&self, program: &Path, preloaded: &[&Path]) -> Command {
        let preloaded: Vec<_> = preloaded
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let mut command = self.scene.command(QEMU, self.engine);
        command.args(["-L", LIBRARIES]).arg(program);
        command.env("LD_PRELOAD", preloaded.join(":"));
        command
    }

    fn run(&self, program: &Path) -> Command {
        self.qemu(program, &[&self.object])
    }

    /// The same, started by a shell's script that has its own mounts.
    fn under_unshare(&self, script: &str, program: &Path) -> Command {
        let mut command = self.scene.command("unshare", self.engine);
        command.args(["-m", "sh", "-c", script, "sh", QEMU, "-L", LIBRARIES, "-E"]);
        command.arg(format!("LD_PRELOAD={}", self.object.display()));
        command.env_remove("LD_PRELOAD").arg(program);
        command
    }
}

/// Compiles a program and compares what it prints.
fn expect(name: &str, arguments: &[&str], wanted: impl Fn(&Scene) -> String) {
    for arm64 in Arm64::each_engine() {
        let program = arm64.compile(name);
        let printed = succeed(
            arm64
                .run(&program)
                .args(arguments)
                .env("WANTED", arm64.scene.injected()),
        );
        assert_eq!(printed, wanted(&arm64.scene), "{name}");
    }
}

#[test]
fn a_watched_name_is_answered_and_others_are_as_before() {
    let names = [
        "JAVA_TOOL_OPTIONS",
        "HOME",
        "NOT_THERE",
        "JAVA",
        "OTEL_NOT_THERE",
    ];
    expect("ask", &names, |scene| {
        let value = scene.injected();
        format!(
            "JAVA_TOOL_OPTIONS={value}\nHOME=/here\nNOT_THERE=(null)\nJAVA=(null)\n\
             OTEL_NOT_THERE=(null)\n"
        )
    });
}

#[test]
fn names_that_the_configuration_spells_out_are_answered_and_no_others() {
    for arm64 in Arm64::each_engine() {
        let scene = &arm64.scene;
        scene.configure(&format!(
            "[jvm]\nagent_path = \"{}\"\nenvironment = {{ SPLUNK_A = \"a\", HOLD_ME = \"b\" }}",
            scene.agent
        ));
        let names = [
            "JAVA_TOOL_OPTIONS",
            "SPLUNK_A",
            "SPLUNK_AB",
            "HOLD_ME",
            "HOME",
            "OTEL_A",
        ];
        let program = arm64.compile("ask");
        let printed = succeed(arm64.run(&program).args(names));
        let (_, rest) = printed.split_once('\n').unwrap();
        let wanted = "SPLUNK_A=a\nSPLUNK_AB=(null)\nHOLD_ME=b\nHOME=/here\nOTEL_A=(null)\n";
        assert_eq!(rest, wanted);
    }
}

#[test]
fn functions_found_by_dlsym_are_the_hooked_ones() {
    expect("ask_by_dlsym", &["JAVA_TOOL_OPTIONS"], |scene| {
        let value = scene.injected();
        format!("JAVA_TOOL_OPTIONS={value} {value}\n")
    });
}

#[test]
fn libc_itself_still_gets_its_own_variables() {
    for arm64 in Arm64::each_engine() {
        let program = arm64.compile("ask_in_libc");
        let hour = succeed(arm64.run(&program).env("TZ", "UTC-3"));
        assert_eq!(hour, "15\n");
    }
}

#[test]
fn odd_names_and_environments_are_answered_as_libc_does() {
    expect("odd_names", &[], |scene| scene.injected() + "\n");
}

#[test]
fn a_null_name_crashes_as_it_does_in_libc() {
    for arm64 in Arm64::each_engine() {
        let program = arm64.compile("null_name");
        let plain = arm64.qemu(&program, &[]).output().unwrap();
        let hooked = arm64.run(&program).output().unwrap();
        assert_eq!(hooked.status.signal(), plain.status.signal());
        assert!(hooked.status.signal().is_some());
    }
}

#[test]
fn a_value_follows_setenv_stays_valid_and_costs_memory_once() {
    expect("changing_value", &[], |scene| {
        let value = scene.injected();
        format!("{value}\n{value} -Dfirst\n{value} -Dsecond\n")
    });
}

#[test]
fn threads_ask_while_one_sets_and_unsets() {
    expect("threads", &[], |_| "wrong answers: 0\n".to_owned());
}

#[test]
fn children_get_answers_after_fork_and_vfork() {
    expect("children", &[], |_| {
        "fork: 0\nvfork: 0\nfork beside threads: 0\n".to_owned()
    });
}

#[test]
fn signal_handlers_may_ask() {
    expect("signal_handler", &[], |_| "asked\n".to_owned());
}

#[test]
fn no_descriptor_is_needed_for_an_answer() {
    expect("no_descriptors", &[], |scene| scene.injected() + "\n");
}

#[test]
fn errno_is_left_alone_even_where_the_agent_is_missing() {
    for arm64 in Arm64::each_engine() {
        let program = arm64.compile("errno_is_kept");
        let printed = succeed(&mut arm64.run(&program));
        assert_eq!(printed, format!("42 {}\n", arm64.scene.injected()));
        std::fs::remove_file(&arm64.scene.agent).unwrap();
        let printed = succeed(&mut arm64.run(&program));
        assert_eq!(printed, "42 (null)\n");
    }
}

#[test]
fn a_library_constructor_that_asks_earlier_finds_a_working_getenv() {
    for arm64 in Arm64::each_engine() {
        let library = arm64.library("early_library");
        let arguments = [library.to_str().unwrap()];
        let program = arm64
            .scene
            .compile_with(COMPILER, "early_program", &arguments);
        let plain = succeed(&mut arm64.qemu(&program, &[]));
        assert_eq!(plain, "/here 0 (null)\n");
        // The emulator has translated the function by then.
        let printed = succeed(&mut arm64.run(&program));
        assert_eq!(printed, format!("/here 0 {}\n", arm64.scene.injected()));
    }
}

#[test]
fn memory_is_written_through_proc_unless_it_is_the_emulators() {
    if !is_root() || !has("unshare") {
        skip!("the folder that tells of SELinux needs root and unshare");
    }
    for arm64 in Arm64::each_engine() {
        let program = arm64.compile("ask");
        // At the second one the program's addresses are not the emulator's, whose memory `/proc/self/mem` shows.
        for base in [None, Some("0x10000000")] {
            // Where SELinux is on, this way is the first.
            let script = "mount -t tmpfs none /sys/fs && mkdir /sys/fs/selinux && exec \"$@\"";
            let mut command = arm64.under_unshare(script, &program);
            command.envs(base.map(|base| ("QEMU_GUEST_BASE", base)));
            let printed = succeed(command.arg("JAVA_TOOL_OPTIONS"));
            let wanted = format!("JAVA_TOOL_OPTIONS={}\n", arm64.scene.injected());
            assert_eq!(printed, wanted, "{base:?}");
        }
    }
}

#[test]
fn without_proc_the_page_is_made_writable() {
    if !is_root() || !has("unshare") {
        skip!("hiding /proc needs root and unshare");
    }
    for arm64 in Arm64::each_engine() {
        let library = arm64.library("early_library");
        let arguments = [library.to_str().unwrap()];
        let program = arm64
            .scene
            .compile_with(COMPILER, "early_program", &arguments);
        let script = "mount -t tmpfs none /proc && exec \"$@\"";
        let printed = succeed(&mut arm64.under_unshare(script, &program));
        assert_eq!(printed, format!("/here 0 {}\n", arm64.scene.injected()));
    }
}

#[test]
fn a_trace_tells_the_call_sites() {
    for arm64 in Arm64::each_engine() {
        let program = arm64.compile("ask");
        let mut command = arm64.run(&program);
        command.env("OPENTELEMETRY_INJECTOR_DEBUG", "trace");
        let output = command.args(["JAVA_TOOL_OPTIONS", "HOME"]).output();
        let output = output.unwrap();
        let value = arm64.scene.injected();
        let wanted = format!("JAVA_TOOL_OPTIONS={value}\nHOME=/here\n");
        assert_eq!(stdout(&output), wanted, "{}", stderr(&output));
        for call in ["(\"JAVA_TOOL_OPTIONS\") injected", "(\"HOME\") hit"] {
            let line = format!("getenv{call}, called from {}+0x", program.display());
            assert!(stderr(&output).contains(&line), "{}", stderr(&output));
        }
    }
}

/// The channel of a trace session that records stacks of so many bytes, and its path.
fn channel(stack: u64) -> (File, String) {
    // SAFETY: the name is a C string.
    let number = unsafe { libc::memfd_create(c"channel".as_ptr(), libc::MFD_ALLOW_SEALING) };
    assert!(number >= 0);
    // SAFETY: the descriptor is new and nobody else's.
    let file = unsafe { File::from_raw_fd(number) };
    let length = 8 << 20;
    file.set_len(length).unwrap();
    // SAFETY: fcntl(2) of this file.
    let sealed = unsafe { libc::fcntl(number, libc::F_ADD_SEALS, libc::F_SEAL_SHRINK) };
    assert_eq!(sealed, 0);
    let words = [
        (trace_channel::MAGIC_AT, trace_channel::MAGIC),
        (trace_channel::LENGTH_AT, length),
        (trace_channel::LIMIT_AT, length),
        (trace_channel::STACK_AT, stack),
        (trace_channel::NEXT_AT, trace_channel::HEADER as u64),
    ];
    for (place, word) in words {
        file.write_all_at(&word.to_ne_bytes(), place as u64)
            .unwrap();
    }
    (file, format!("/proc/{}/fd/{number}", std::process::id()))
}

/// The records of a channel.
fn records(file: &File) -> Vec<(Kind, Vec<u8>)> {
    let mut slots = vec![0; 8 << 20];
    file.read_exact_at(&mut slots, 0).unwrap();
    let mut rest = &slots[trace_channel::HEADER..];
    let mut records = Vec::new();
    while let Step::Record(kind, payload, count) = trace_channel::read(rest) {
        records.push((kind, payload));
        rest = &rest[count * trace_channel::SLOT..];
    }
    records
}

#[test]
fn a_trace_session_tells_functions_and_stacks_as_far_as_they_go() {
    for arm64 in Arm64::each_engine() {
        let traced = |name: &str, arguments: &[&str]| {
            let program = arm64.compile(name);
            let (file, path) = channel(8192);
            let mut command = arm64.run(&program);
            command.env("OPENTELEMETRY_INJECTOR_TRACE", path);
            let printed = succeed(command.args(arguments));
            (printed, records(&file))
        };
        let (printed, told) = traced("ask", &["HOME"]);
        assert_eq!(printed, "HOME=/here\n");
        let payloads = |kind| {
            told.iter()
                .filter(move |(other, _)| *other == kind)
                .map(|(_, payload)| payload)
        };
        let functions: Vec<_> = payloads(Kind::Call).map(|payload| payload[32]).collect();
        assert!(
            functions.ends_with(&[0, 1]),
            "getenv, secure_getenv: {functions:?}"
        );
        let word =
            |payload: &[u8], at: usize| u64::from_ne_bytes(payload[at..at + 8].try_into().unwrap());
        for (stack, call) in payloads(Kind::Stack).zip(payloads(Kind::Call)) {
            assert_eq!(word(stack, 16), word(call, 16), "the caller");
            // The frame record of the caller, or one above it, lies in the bytes.
            let (start, frame) = (word(stack, 24), word(stack, 32));
            assert!(
                (start..start + 8192).contains(&frame),
                "{start:x} {frame:x}"
            );
        }
        assert_eq!(payloads(Kind::Stack).count(), functions.len());

        let (printed, told) = traced("traps/top_of_a_stack", &[]);
        assert_eq!(printed, "asked 3 times\n");
        let lengths = told.iter().filter(|(kind, _)| *kind == Kind::Stack);
        let lengths: Vec<_> = lengths
            .map(|(_, payload)| payload.len() - trace_channel::BEFORE_STACK)
            .collect();
        assert!(lengths.iter().any(|length| *length < 1024), "{lengths:?}");
    }
}

#[test]
fn without_memory_the_users_own_value_is_answered() {
    for arm64 in Arm64::each_engine() {
        let program = arm64.compile("no_address_space_left");
        let mut command = arm64.run(&program);
        // The size of qemu's address space for the program: one that can be filled in no time.
        command.env("QEMU_RESERVED_VA", "64M");
        command.env("JAVA_TOOL_OPTIONS", "-Xmx1g");
        let printed = succeed(command.arg("JAVA_TOOL_OPTIONS"));
        let wanted = format!("-Xmx1g\n{} -Xmx1g\n", arm64.scene.injected());
        assert_eq!(printed, wanted);
    }
}

#[test]
fn a_function_that_another_library_has_hooked_is_left_to_it() {
    for arm64 in Arm64::each_engine() {
        let program = arm64.compile("ask");
        let foreign = arm64.library("foreign_hook");
        let copy = arm64.scene.path("copy.so");
        std::fs::copy(&arm64.object, &copy).unwrap();
        if arm64.engine == "gum" {
            std::fs::copy(arm64.gum(), arm64.scene.path(GUM_OBJECT)).unwrap();
        }
        // Constructors run from the last object to the first.
        let cases: [(&Path, &str, String); 2] = [
            (&foreign, "/foreign", "(null)".to_owned()),
            (&copy, "/here", arm64.scene.injected()),
        ];
        for (other, home, value) in cases {
            let mut command = arm64.qemu(&program, &[&arm64.object, other]);
            command.env("OPENTELEMETRY_INJECTOR_DEBUG", "true");
            let output = command.args(["HOME", "JAVA_TOOL_OPTIONS"]).output();
            let output = output.unwrap();
            let wanted = format!("HOME={home}\n");
            assert!(stdout(&output).starts_with(&wanted), "{}", stdout(&output));
            let wanted = format!("\nJAVA_TOOL_OPTIONS={value}\n");
            assert!(stdout(&output).contains(&wanted), "{}", stdout(&output));
            let told = stderr(&output);
            assert!(told.contains("already patched"), "{told}");
        }
    }
}

#[test]
fn nothing_is_patched_while_threads_are_running() {
    for arm64 in Arm64::each_engine() {
        let program = arm64.compile("ask");
        let threads = arm64.library("early_threads");
        let mut command = arm64.qemu(&program, &[&arm64.object, &threads]);
        command.env("OPENTELEMETRY_INJECTOR_DEBUG", "true");
        let output = command
            .args(["HOME", "JAVA_TOOL_OPTIONS"])
            .output()
            .unwrap();
        assert_eq!(stdout(&output), "HOME=/here\nJAVA_TOOL_OPTIONS=(null)\n");
        let reason = "engine: other threads are already running";
        assert!(stderr(&output).contains(reason), "{}", stderr(&output));
    }
}

#[test]
fn each_engine_hooks_and_tells_so() {
    for arm64 in Arm64::each_engine() {
        let program = arm64.compile("ask");
        let mut command = arm64.run(&program);
        command.env("OPENTELEMETRY_INJECTOR_DEBUG", "true");
        let output = command.args(["HOME", "JAVA_TOOL_OPTIONS"]).output();
        let output = output.unwrap();
        let value = arm64.scene.injected();
        let wanted = format!("HOME=/here\nJAVA_TOOL_OPTIONS={value}\n");
        assert_eq!(stdout(&output), wanted);
        let hooked = format!("engine {}: getenv hooked", arm64.engine);
        assert!(stderr(&output).contains(&hooked), "{}", stderr(&output));
    }
}

#[test]
fn a_function_with_a_breakpoint_is_left_alone() {
    for arm64 in Arm64::each_engine() {
        let program = arm64.compile("ask");
        // The first, the second and the last instruction that a patch replaces.
        for place in ["-DBEHIND=0", "-DBEHIND=4", "-DBEHIND=16"] {
            let arguments = ["-shared", "-fPIC", "-ldl", place];
            let debugger = arm64.scene.compile_with(COMPILER, "breakpoint", &arguments);
            let mut command = arm64.qemu(&program, &[&arm64.object, &debugger]);
            let output = command.args(["HOME", "JAVA_TOOL_OPTIONS"]).output();
            let output = output.unwrap();
            let wanted = "HOME=/here\nJAVA_TOOL_OPTIONS=(null)\n";
            let place = format!("{place}, {}", arm64.engine);
            assert_eq!(stdout(&output), wanted, "{place}: {output:?}");
            assert!(output.status.success(), "{place}: {output:?}");
        }
    }
}

#[test]
fn gum_copies_beginnings_that_do_the_same_and_refuses_all_others() {
    let Some(arm64) = Arm64::with_gum() else {
        return;
    };
    let program = arm64.compile("relocated");
    let mut command = arm64.qemu(&program, &[]);
    let printed = succeed(command.arg(arm64.gum()));
    let outcome = |wanted: &str| -> Vec<_> {
        let lines = printed.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(_, outcome)| *outcome == wanted)
            .map(|(name, _)| name)
            .collect()
    };
    let copied = [
        "plain",
        "page_address",
        "near_address",
        "literal_words",
        "literal_numbers",
        "with_a_frame",
        "signed_return",
        "landing_pad",
        "to_its_start",
        "to_what_stays",
        "breakpoint_that_stays",
    ];
    assert_eq!(outcome("copied"), copied, "{printed}");
    assert_eq!(outcome("refused").len(), 17, "{printed}");
    assert_eq!(printed.lines().count(), copied.len() + 17, "{printed}");
}

#[test]
fn where_gum_gets_no_memory_the_direct_engine_takes_its_place() {
    let Some(arm64) = Arm64::with_gum() else {
        return;
    };
    let program = arm64.compile("ask");
    let earlier = arm64.library("leaves_little_memory");
    let mut command = arm64.qemu(&program, &[&arm64.object, &earlier]);
    command.env("OPENTELEMETRY_INJECTOR_ENGINE", "auto");
    command.env("OPENTELEMETRY_INJECTOR_DEBUG", "true");
    // The size of qemu's address space for the program: one that can be filled in no time.
    command.env("QEMU_RESERVED_VA", "64M");
    let output = command.args(["HOME", "JAVA_TOOL_OPTIONS"]).output();
    let output = output.unwrap();
    let value = arm64.scene.injected();
    let wanted = format!("HOME=/here\nJAVA_TOOL_OPTIONS={value}\n");
    assert_eq!(stdout(&output), wanted, "{output:?}");
    for line in [
        "the engine is direct: the system refuses",
        "engine direct: getenv hooked",
    ] {
        assert!(stderr(&output).contains(line), "{line}: {output:?}");
    }
}
