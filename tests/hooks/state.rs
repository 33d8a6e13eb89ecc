//! What a boot file tells of its process, and what can be seen of that from outside.

use object::Endianness;
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::process::Stdio;
use support::{Background, Scene, engines, object, stderr, stdout};

const BOOT: &str = "OPENTELEMETRY_INJECTOR_BOOT_";

/// Reasons as they are told in the debug log.
const REASONS: [(&str, &str); 4] = [
    ("OWN_SDK", "brings an OpenTelemetry SDK of its own"),
    ("VERSION", "does not support this version"),
    ("CONFLICT", "does not go together with the agent"),
    ("FAILED", "could not be loaded"),
];

#[test]
fn a_boot_file_that_gives_up_leaves_the_process_as_it_was() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    let agent = &scene.agent;
    scene.configure(&format!(
        "[jvm]\nagent_path = \"{agent}\"\n[environment]\nOTEL_SERVICE_NAME = \"ours\"\n"
    ));
    for engine in engines() {
        for (code, reason) in REASONS {
            let word = |code: &str| format!("{BOOT}STOOD_DOWN_{code}");
            let path = format!("{BOOT}AGENT_PATH");
            let names = ["JAVA_TOOL_OPTIONS", "OTEL_SERVICE_NAME", &path];
            let mut command = scene.command(&program, engine);
            command.env("OPENTELEMETRY_INJECTOR_DEBUG", "true");
            // Told before anything was injected, or for a reason that nobody knows, it is no word.
            command.arg(word(code)).args(names);
            command.arg(word("OTHER")).args(names);
            let output = command.arg(word(code)).args(names).output().unwrap();
            let values = stdout(&output);
            let values: Vec<&str> = values
                .lines()
                .filter_map(|line| Some(line.split_once('=')?.1))
                .collect();
            let nothing = "(null)";
            let options = values[1];
            let injected = format!("-javaagent:{agent} ");
            assert!(options.starts_with(&injected), "{engine}: {values:?}");
            let with = [nothing, options, "ours", agent];
            let without = [nothing; 4];
            assert_eq!(values, [with, with, without].concat(), "{engine}");
            let told = stderr(&output);
            let lines = told.lines().filter(|line| line.contains("stood down"));
            let lines: Vec<&str> = lines.collect();
            assert!(lines.len() == 1 && lines[0].contains(reason), "{told}");
        }
    }
}

/// The address of the state in the object's file, by the note that tells it.
fn address_of_state() -> u64 {
    let data = fs::read(object()).unwrap();
    let elf = ElfFile64::<Endianness>::parse(data.as_slice()).unwrap();
    let endian = elf.endian();
    let segments = elf.elf_header().program_headers(endian, data.as_slice());
    for segment in segments.unwrap() {
        let Some(mut notes) = segment.notes(endian, data.as_slice()).unwrap() else {
            continue;
        };
        while let Some(note) = notes.next().unwrap() {
            if note.name() == b"OpenTelemetry" && note.n_type(endian) == 2 {
                let distance = i64::from_le_bytes(note.desc().try_into().unwrap());
                let offset = note.desc().as_ptr() as u64 - data.as_ptr() as u64;
                let address = segment.p_vaddr(endian) + (offset - segment.p_offset(endian));
                return address.checked_add_signed(distance).unwrap();
            }
        }
    }
    panic!("no note tells where the state is");
}

/// The four bytes of the state in a process.
fn state(process: u32) -> [u8; 4] {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let ours = maps
        .lines()
        .find(|line| line.ends_with("libopentelemetry_injector.so"));
    let (start, _) = ours.expect("the object is mapped").split_once('-').unwrap();
    let start = u64::from_str_radix(start, 16).unwrap();
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let mut state = [0; 4];
    memory
        .read_exact_at(&mut state, start + address_of_state())
        .unwrap();
    state
}

#[test]
fn the_state_of_a_process_is_seen_from_outside() {
    let scene = Scene::new();
    let program = scene.compile("ask_and_wait");
    let word = |word: &str| format!("{BOOT}{word}");
    let activation = "JAVA_TOOL_OPTIONS".to_owned();
    let own_sdk = word("STOOD_DOWN_OWN_SDK");
    let failed = word("STOOD_DOWN_FAILED");
    for (names, wanted) in [
        (vec![own_sdk.clone(), word("STARTED")], [0, 0, 0, 0]),
        (vec![activation.clone()], [1, 0, 0, 0]),
        (
            vec![activation.clone(), word("STARTED"), word("LOADED")],
            [1, 1, 1, 0],
        ),
        (vec![activation.clone(), own_sdk], [1, 0, 0, 1]),
        (vec![activation, failed], [1, 0, 0, 4]),
    ] {
        let mut command = scene.command(&program, "direct");
        let process = Background::start(command.args(&names).stdin(Stdio::piped()));
        process.wait_for("answers", |line| line.is_empty().then_some(()));
        assert_eq!(state(process.id()), wanted, "{names:?}");
    }
}
