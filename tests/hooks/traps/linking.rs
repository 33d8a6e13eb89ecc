//! Programs that are linked, loaded and bound in ways that could meet the hook: each is the same
//! with the preload object and without it.

use object::Endianness;
use object::elf::{DT_HASH, DT_STRTAB, DT_SYMTAB, PT_DYNAMIC};
use object::read::elf::{ElfFile64, ProgramHeader};
use std::fs;
use std::path::Path;
use std::process::Command;
use support::alike::Answer::{Injected, Untouched};
use support::alike::Run;
use support::{Scene, engines, has, object, skip, succeed};

#[test]
fn a_program_with_a_getenv_of_its_own_keeps_it() {
    let scene = Scene::new();
    let program = scene.trap("own_getenv", &["-rdynamic", "-ldl"]);
    scene.alike(&program, Injected, |_| {});
}

#[test]
fn a_getenv_that_is_an_indirect_function_is_kept() {
    let scene = Scene::new();
    let program = scene.trap("indirect_getenv", &["-rdynamic"]);
    let plain = scene.alike(&program, Untouched, |_| {});
    assert_eq!(plain.stdout, "1 /here nothing\n");
}

#[test]
fn a_library_bound_deeply_or_lazily_gets_the_answer() {
    let scene = Scene::new();
    let library = scene.trap_library("asking_library", &[]);
    let program = scene.trap("opened_library", &["-ldl"]);
    for way in ["deepbind", "lazy"] {
        scene.alike(&program, Injected, |command| {
            command.arg(way).arg(&library);
        });
    }
}

#[test]
fn a_library_in_a_namespace_of_its_own_has_a_libc_of_its_own() {
    let scene = Scene::new();
    let library = scene.trap_library("asking_library", &[]);
    let program = scene.trap("opened_library", &["-ldl"]);
    let plain = scene.alike(&program, Untouched, |command| {
        command.arg("namespace").arg(&library);
    });
    assert!(plain.status.success(), "{plain:?}");
}

/// Links asking_program with a library in a way, and compares.
fn linked(library: &[&str], program: &[&str]) {
    let scene = Scene::new();
    let library = scene.trap_library("asking_library", library);
    let library = library.to_str().unwrap();
    let program = scene.trap("asking_program", &[&[library], program].concat());
    let plain = scene.alike(&program, Injected, |_| {});
    assert_eq!(plain.status.code(), Some(3), "{plain:?}");
    scene.alike(&program, Injected, |command| {
        command.env("LD_BIND_NOW", "1");
    });
}

#[test]
fn every_way_of_binding_is_the_same() {
    linked(&[], &["-Wl,-z,now"]);
    linked(&["-Wl,-z,nodlopen"], &["-Wl,-z,lazy"]);
    linked(&["-Wl,-z,initfirst"], &["-Wl,-z,norelro"]);
    linked(&["-fno-plt"], &["-fno-plt", "-no-pie"]);
}

#[test]
fn every_style_of_hash_table_is_the_same() {
    linked(&["-Wl,--hash-style=sysv"], &["-Wl,--hash-style=sysv"]);
    linked(&["-Wl,--hash-style=gnu"], &["-Wl,--hash-style=gnu"]);
}

#[test]
fn objects_without_libc_and_symbols_are_passed_by() {
    let scene = Scene::new();
    let asking = scene.trap_library("asking_library", &[]);
    for style in ["sysv", "gnu", "both"] {
        let style = format!("-Wl,--hash-style={style}");
        let bare = scene.trap_library("bare_library", &["-nostdlib", &style]);
        let bare = [bare.to_str().unwrap(), asking.to_str().unwrap()];
        let arguments = ["-Wl,--no-as-needed", bare[0], bare[1]];
        let program = scene.trap("asking_program", &arguments);
        scene.alike(&program, Injected, |_| {});
    }
}

/// Lets an entry of a library's dynamic section have another value.
fn set_entry(file: &mut [u8], tag: u32, value: u64) {
    let library = ElfFile64::<Endianness>::parse(&*file).unwrap();
    let segments = library.elf_program_headers().iter();
    let mut dynamic = segments.filter(|header| header.p_type(Endianness::Little) == PT_DYNAMIC);
    let (start, length) = dynamic.next().unwrap().file_range(Endianness::Little);
    let section = &mut file[start as usize..(start + length) as usize];
    let mut entries = section.chunks_exact_mut(16);
    let is_wanted = |entry: &&mut [u8]| entry[..8] == u64::from(tag).to_le_bytes();
    let entry = entries.find(is_wanted).expect("the entry");
    entry[8..].copy_from_slice(&value.to_le_bytes());
}

/// A library called as libc whose first segment begins far behind its base: nothing is mapped there, although the tables
/// that the loader does not read say so.
#[test]
fn tables_in_memory_that_is_not_there_are_not_read() {
    let scene = Scene::new();
    let asking = scene.trap_library("asking_library", &[]);
    let program = scene.trap("asking_program", &[asking.to_str().unwrap()]);
    let library = scene.path("libc.so.6");
    for (style, unread) in [("both", DT_HASH), ("gnu", DT_SYMTAB), ("sysv", DT_STRTAB)] {
        let style = format!("-Wl,--hash-style={style}");
        // No address of a process: the kernel takes another, and the base is no address either.
        let far = "-Wl,-z,max-page-size=4096,-Ttext-segment=0x7000000000000000";
        let bare = scene.trap_library("bare_library", &["-nostdlib", far, &style]);
        let mut file = fs::read(bare).unwrap();
        set_entry(&mut file, unread, 0);
        fs::write(&library, file).unwrap();
        beside(&scene, &program, library.to_str().unwrap());
    }
}

#[test]
fn a_copy_relocation_of_environ_is_followed() {
    let scene = Scene::new();
    for arguments in [["-no-pie", "-fno-pie"], ["-pie", "-fPIE"]] {
        let program = scene.trap("copied_environ", &arguments);
        scene.alike(&program, Injected, |_| {});
    }
}

#[test]
fn an_executables_copy_of_the_threads_variable_is_the_one_that_counts() {
    let scene = Scene::new();
    let copied = |more: &[&str]| {
        let arguments = [&["-no-pie", "-fno-pie"], more].concat();
        scene.trap("copied_single_threaded", &arguments)
    };
    scene.alike(&copied(&[]), Injected, |_| {});
    // As if threads were running: libc's own is not asked.
    scene.alike_on(&["direct"], &copied(&["-DTHREADS"]), Untouched, |_| {});
}

#[test]
fn static_programs_are_what_they_were() {
    let scene = Scene::new();
    for arguments in [["-static"], ["-static-pie"]] {
        let program = scene.compile_with("cc", "ask", &arguments);
        let plain = scene.alike(&program, Untouched, |command| {
            command.args(["JAVA_TOOL_OPTIONS", "HOME"]);
        });
        assert_eq!(plain.stdout, "JAVA_TOOL_OPTIONS=(null)\nHOME=/here\n");
    }
}

#[test]
fn a_library_may_ask_and_set_in_constructor_and_destructor() {
    let scene = Scene::new();
    let library = scene.trap_library("busy_library", &[]);
    let program = scene.trap("asking_program", &[library.to_str().unwrap()]);
    let plain = scene.alike(&program, Injected, |_| {});
    assert_eq!(plain.stdout.matches("watched").count(), 2, "{plain:?}");
}

#[test]
fn a_program_that_executes_itself_in_a_constructor_is_injected() {
    let scene = Scene::new();
    let program = scene.trap("executes_in_constructor", &[]);
    scene.alike(&program, Injected, |command| {
        command.arg("argument");
    });
}

#[test]
fn an_auditing_library_sees_what_it_saw() {
    let scene = Scene::new();
    let audit = scene.trap_library("audit_library", &[]);
    let asking = scene.trap_library("asking_library", &[]);
    let program = scene.trap("asking_program", &[asking.to_str().unwrap()]);
    scene.alike(&program, Injected, |command| {
        command.env("LD_AUDIT", &audit);
    });
}

#[test]
fn the_loaders_own_debugging_changes_nothing_but_its_lines() {
    let scene = Scene::new();
    let library = scene.trap_library("asking_library", &[]);
    let program = scene.trap("asking_program", &[library.to_str().unwrap()]);
    for engine in engines() {
        let mut command = scene.command(&program, engine);
        let run = Run::of(command.env("LD_DEBUG", "all"));
        assert_eq!(run.status.code(), Some(3));
        let wanted = format!("HOME: /here /here\nwatched: {}\n", scene.injected());
        assert_eq!(run.stdout, wanted, "engine {engine}");
    }
}

#[test]
fn a_program_that_hooks_getenv_itself_keeps_its_hook() {
    let scene = Scene::new();
    let lazy = scene.trap("own_hook", &["-Wl,-z,lazy", "-fno-builtin"]);
    let now = scene.trap("own_hook", &["-Wl,-z,now", "-fno-builtin"]);
    for program in [lazy, now] {
        scene.alike(&program, Injected, |_| {});
    }
}

/// The paths of a library, as `ldconfig` knows it.
fn installed(name: &str) -> Option<String> {
    let known = succeed(Command::new("ldconfig").arg("-p"));
    let mut lines = known.lines().filter(|line| line.contains("x86-64"));
    let line = lines.find(|line| line.trim_start().starts_with(name))?;
    Some(line.split("=> ").nth(1)?.to_owned())
}

#[test]
fn other_allocators_are_preloaded_before_and_after() {
    let scene = Scene::new();
    let library = scene.trap_library("busy_library", &[]);
    let program = scene.trap("asking_program", &[library.to_str().unwrap()]);
    let allocators = ["libjemalloc.so.2", "libtcmalloc_minimal.so.4"];
    let found: Vec<_> = allocators.into_iter().filter_map(installed).collect();
    if found.is_empty() {
        skip!("no jemalloc and no tcmalloc");
    }
    for allocator in found {
        beside(&scene, &program, &allocator);
    }
}

/// Runs a program with another preload object and with ours before and behind it: the same, but for the value.
fn beside(scene: &Scene, program: &Path, other: &str) {
    let plain = Run::of(scene.command(program, "direct").env("LD_PRELOAD", other));
    let wanted = plain.stdout.replace("(null)", &scene.injected());
    let ours = object();
    let ours = ours.to_str().unwrap();
    for engine in engines() {
        for both in [format!("{other}:{ours}"), format!("{ours}:{other}")] {
            let hooked = Run::of(scene.command(program, engine).env("LD_PRELOAD", &both));
            let seen = (hooked.status, &hooked.stdout, &hooked.stderr);
            assert_eq!(seen, (plain.status, &wanted, &plain.stderr), "{both}");
        }
    }
}

/// Copies this machine's loader and libc beside a program, as bundles for foreign machines do.
fn bundle(scene: &Scene, program: &Path) -> Option<String> {
    let libraries = succeed(Command::new("ldd").arg(program));
    let mut loader = None;
    for path in libraries
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
    {
        let name = Path::new(path).file_name()?.to_str()?;
        let copy = scene.path(name);
        fs::copy(path, &copy).ok()?;
        if name.starts_with("ld-") {
            loader = Some(copy.to_str()?.to_owned());
        }
    }
    loader
}

#[test]
fn a_program_with_a_loader_and_a_libc_of_its_own_is_injected() {
    if !has("ldd") {
        skip!("no ldd");
    }
    let scene = Scene::new();
    let program = scene.trap("own_maps_refused", &[]);
    let loader = bundle(&scene, &program).expect("a loader");
    scene.alike(Path::new(&loader), Injected, |command| {
        command.arg("--library-path").arg(scene.folder.path());
        command.arg(&program);
    });
}

#[test]
fn a_libc_whose_code_may_not_be_read_is_not_patched() {
    if !has("ldd") {
        skip!("no ldd");
    }
    let scene = Scene::new();
    let program = scene.trap("own_maps_refused", &[]);
    let loader = bundle(&scene, &program).expect("a loader");
    let libc = scene.path("libc.so.6");
    let mut bytes = fs::read(&libc).unwrap();
    // ELF-64: e_phoff at 32, e_phnum at 56; headers of 56 bytes with p_type, p_flags.
    let first = usize::from(bytes[32]);
    for header in 0..usize::from(bytes[56]) {
        let at = first + header * 56;
        if bytes[at..at + 8] == [1, 0, 0, 0, 5, 0, 0, 0] {
            bytes[at + 4] = 1;
        }
    }
    fs::write(&libc, bytes).unwrap();
    scene.alike_on(&["direct"], Path::new(&loader), Untouched, |command| {
        command.arg("--library-path").arg(scene.folder.path());
        command.arg(&program);
    });
}
