//! The hooks in small C programs, on every engine that is built.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use support::{Scene, engines, has, is_root, skip, stderr, stdout, succeed};

/// Compiles a program and compares what it prints on each engine.
fn expect(name: &str, arguments: &[&str], wanted: impl Fn(&Scene) -> String) {
    let scene = Scene::new();
    let program = scene.compile(name);
    for engine in engines() {
        let printed = succeed(scene.command(&program, engine).args(arguments));
        assert_eq!(printed, wanted(&scene), "{name} on engine {engine}");
    }
}

#[test]
fn a_watched_name_is_answered_and_others_are_as_before() {
    let names = ["JAVA_TOOL_OPTIONS", "HOME", "NOT_THERE"];
    expect("ask", &names, |scene| {
        format!(
            "JAVA_TOOL_OPTIONS={}\nHOME=/here\nNOT_THERE=(null)\n",
            scene.injected()
        )
    });
}

/// A scene whose configuration spells out names, each as long as one of the beginnings that the entry
/// knows, shorter and longer.
fn scene_with_names(names: &[String]) -> Scene {
    let scene = Scene::new();
    let lines = names.iter().map(|name| format!("{name} = \"of {name}\"\n"));
    let lines: String = lines.collect();
    scene.configure(&format!(
        "[jvm]\nagent_path = \"{}\"\n[jvm.environment]\n{lines}",
        scene.agent
    ));
    scene
}

#[test]
fn names_that_the_configuration_spells_out_are_answered_and_no_others() {
    let names = ["SPLUNK_A", "HOLD_ME", "OPEN", "ELASTIC_OTEL_LONG"].map(String::from);
    let scene = scene_with_names(&names);
    let program = scene.compile("ask");
    let asked = [
        "SPLUNK_A",
        "SPLUNK_",
        "SPLUNK_AB",
        "HOLD_ME",
        "HOME",
        "OPEN",
        "OPENS",
        "SET_A",
    ];
    for engine in engines() {
        // Before an agent is injected, they are anybody's.
        let early = succeed(scene.command(&program, engine).args(["SPLUNK_A"]));
        assert_eq!(early, "SPLUNK_A=(null)\n", "{engine}");
        let mut command = scene.command(&program, engine);
        command
            .arg("JAVA_TOOL_OPTIONS")
            .args(asked)
            .env("ELASTIC_OTEL_LONG", "theirs");
        command.args(["ELASTIC_OTEL_LONG"]).env("SET_A", "set");
        let printed = succeed(&mut command);
        let (first, rest) = printed.split_once('\n').unwrap();
        assert!(first.contains("\"-Dsplunk.a=of SPLUNK_A\""), "{first}");
        assert!(!first.contains("elastic"), "{first}");
        assert_eq!(
            rest,
            "SPLUNK_A=of SPLUNK_A\nSPLUNK_=(null)\nSPLUNK_AB=(null)\nHOLD_ME=of HOLD_ME\nHOME=/here\n\
             OPEN=of OPEN\nOPENS=(null)\nSET_A=set\nELASTIC_OTEL_LONG=theirs\n",
            "{engine}"
        );
    }
}

#[test]
fn names_of_every_beginning_are_told_apart() {
    let letters = || 'A'..='Z';
    let names =
        letters().flat_map(|first| letters().map(move |second| format!("{first}{second}_X")));
    let names: Vec<String> = names.collect();
    let scene = scene_with_names(&names);
    let program = scene.compile("ask");
    for engine in engines() {
        let mut command = scene.command(&program, engine);
        command.arg("JAVA_TOOL_OPTIONS").args(&names);
        command.args(names.iter().map(|name| format!("{name}X")));
        let printed = succeed(&mut command);
        let of_name = |name: &String| format!("{name}=of {name}");
        let others = names.iter().map(|name| format!("{name}X=(null)"));
        let wanted: Vec<_> = names.iter().map(of_name).chain(others).collect();
        let lines: Vec<_> = printed.lines().skip(1).collect();
        assert_eq!(lines, wanted, "{engine}");
    }
}

#[test]
fn without_a_configuration_nothing_is_injected() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    std::fs::remove_file(&scene.configuration).unwrap();
    let output = scene
        .command(&program, "auto")
        .arg("JAVA_TOOL_OPTIONS")
        .output();
    let output = output.unwrap();
    assert_eq!(stdout(&output), "JAVA_TOOL_OPTIONS=(null)\n");
    assert_eq!(stderr(&output), "");
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
    let scene = Scene::new();
    let program = scene.compile("ask_in_libc");
    for engine in engines() {
        let hour = succeed(scene.command(&program, engine).env("TZ", "UTC-3"));
        assert_eq!(hour, "15\n");
    }
}

#[test]
fn odd_names_and_environments_are_answered_as_libc_does() {
    expect("odd_names", &[], |scene| scene.injected() + "\n");
    // The expectations themselves hold in libc.
    let scene = Scene::new();
    let program = scene.compile("odd_names");
    assert_eq!(succeed(Command::new(program).env_clear()), "(null)\n");
}

#[test]
fn nothing_behind_a_names_end_is_read() {
    expect("names_at_a_page_end", &[], |_| "65435 names\n".into());
}

/// A compiler for each libc that is here.
fn compilers() -> Vec<&'static str> {
    let mut compilers = vec!["cc"];
    if has("musl-gcc") {
        compilers.push("musl-gcc")
    } else {
        println!("skipped: musl, without musl-gcc")
    }
    compilers
}

#[test]
fn nothing_behind_an_empty_entrys_end_is_read() {
    let scene = Scene::new();
    for compiler in compilers() {
        let program = scene.compile_with(compiler, "empty_entry_at_a_page_end", &[]);
        // Not with Gum, which asks libc's own.
        for level in ["off", "trace"] {
            let mut command = scene.command(&program, "direct");
            command.env("OPENTELEMETRY_INJECTOR_DEBUG", level);
            assert_eq!(succeed(&mut command), "value (null)\n");
        }
    }
}

#[test]
fn a_name_that_holds_an_equals_sign_is_looked_up_as_libc_does() {
    let scene = Scene::new();
    for compiler in compilers() {
        let program = scene.compile_with(compiler, "ask", &[]);
        for level in ["off", "trace"] {
            let mut command = scene.command(&program, "direct");
            command.args(["A1=B", "A1=", "=A", "A1"]);
            command.envs([("A1", "B=c"), ("OPENTELEMETRY_INJECTOR_DEBUG", level)]);
            let hooked = succeed(&mut command);
            let plain = succeed(command.env_remove("LD_PRELOAD"));
            assert_eq!(hooked, plain, "{compiler}, {level}");
            assert!(plain.ends_with("A1=B=c\n"), "{plain}");
        }
    }
}

#[test]
fn a_null_name_crashes_as_it_does_in_libc() {
    let scene = Scene::new();
    let program = scene.compile("null_name");
    let plain = Command::new(&program).status().unwrap();
    for engine in engines() {
        let hooked = scene.command(&program, engine).status().unwrap();
        assert_eq!(hooked.signal(), plain.signal());
        assert!(hooked.signal().is_some());
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
    let scene = Scene::new();
    let program = scene.compile("threads");
    for engine in engines() {
        let printed = succeed(
            scene
                .command(&program, engine)
                .env("WANTED", scene.injected()),
        );
        assert_eq!(printed, "wrong answers: 0\n");
    }
}

#[test]
fn a_variable_that_stays_is_found_while_others_go_where_libc_finds_it() {
    let scene = Scene::new();
    let program = scene.compile("kept_while_another_goes");
    // Only glibc 2.41 and later never miss one.
    if !libc_looks_again() {
        skip!("this glibc is older than 2.41 and misses some itself");
    }
    for engine in engines() {
        let printed = succeed(&mut scene.command(&program, engine));
        assert_eq!(printed, "missed: 0\n", "engine {engine}");
    }
}

fn libc_looks_again() -> bool {
    let version = succeed(Command::new("getconf").arg("GNU_LIBC_VERSION"));
    let minor = version.trim().rsplit('.').next();
    minor.and_then(|minor| minor.parse().ok()) >= Some(41)
}

#[test]
fn children_get_answers_after_fork_and_vfork() {
    let scene = Scene::new();
    let program = scene.compile("children");
    for engine in engines() {
        let printed = succeed(
            scene
                .command(&program, engine)
                .env("WANTED", scene.injected()),
        );
        assert_eq!(printed, "fork: 0\nvfork: 0\nfork beside threads: 0\n");
    }
}

#[test]
fn signal_handlers_may_ask() {
    expect("signal_handler", &[], |_| "asked\n".to_owned());
}

#[test]
fn errno_is_left_alone_even_where_the_agent_is_missing() {
    let scene = Scene::new();
    let program = scene.compile("errno_is_kept");
    for engine in engines() {
        let printed = succeed(&mut scene.command(&program, engine));
        assert_eq!(printed, format!("42 {}\n", scene.injected()));
    }
    std::fs::remove_file(&scene.agent).unwrap();
    for engine in engines() {
        let printed = succeed(&mut scene.command(&program, engine));
        assert_eq!(printed, "42 (null)\n");
    }
}

#[test]
fn a_library_constructor_that_asks_earlier_finds_a_working_getenv() {
    let scene = Scene::new();
    let library = scene.compile_with("cc", "early_library", &["-shared", "-fPIC"]);
    let program = scene.compile_with("cc", "early_program", &[library.to_str().unwrap()]);
    for engine in engines() {
        let printed = succeed(&mut scene.command(&program, engine));
        let mut words = printed.trim_end().splitn(3, ' ');
        assert_eq!(words.next(), Some("/here"));
        let early = words.next();
        assert!(matches!(early, Some("0" | "1")), "{printed}");
        assert_eq!(words.next(), Some(scene.injected().as_str()));
    }
}

#[test]
fn memory_that_never_becomes_executable_is_no_obstacle_to_the_direct_engine() {
    let scene = Scene::new();
    let refuse = scene.compile("refused_memory");
    let ask = scene.compile("ask");
    let mut command = scene.command(&refuse, "direct");
    let output = command.arg(&ask).arg("JAVA_TOOL_OPTIONS").output().unwrap();
    if output.status.code() == Some(77) {
        skip!("this kernel has no PR_SET_MDWE");
    }
    let wanted = format!("JAVA_TOOL_OPTIONS={}\n", scene.injected());
    assert_eq!(stdout(&output), wanted, "{}", stderr(&output));
}

#[test]
fn gum_is_not_loaded_where_its_probe_fails() {
    if !engines().contains(&"gum") {
        skip!("the Gum engine is not built");
    }
    let scene = Scene::new();
    let refuse = scene.compile("refused_memory");
    let ask = scene.compile("ask");
    let run = |engine: &str, level: &str| {
        let mut command = scene.command(&refuse, engine);
        command.env("OPENTELEMETRY_INJECTOR_DEBUG", level);
        command.arg(&ask).arg("JAVA_TOOL_OPTIONS").output().unwrap()
    };
    let asked_for = run("gum", "true");
    if asked_for.status.code() == Some(77) {
        skip!("this kernel has no PR_SET_MDWE");
    }
    assert_eq!(stdout(&asked_for), "JAVA_TOOL_OPTIONS=(null)\n");
    let reason = "nothing is injected: engine: the system refuses to make the code of the function writable, or the memory";
    assert!(
        stderr(&asked_for).contains(reason),
        "{}",
        stderr(&asked_for)
    );
    // Left to choose, the process falls back.
    let chosen = run("auto", "true");
    let wanted = format!("JAVA_TOOL_OPTIONS={}\n", scene.injected());
    assert_eq!(stdout(&chosen), wanted, "{}", stderr(&chosen));
}

#[test]
fn a_hidden_proc_is_no_obstacle() {
    if !is_root() || !has("unshare") {
        skip!("a mount namespace needs root and unshare");
    }
    let scene = Scene::new();
    let ask = scene.compile("ask");
    for engine in engines() {
        let mut command = scene.command("unshare", engine);
        command.args([
            "-m",
            "sh",
            "-c",
            "mount -t tmpfs none /proc && exec \"$0\" \"$@\"",
        ]);
        let printed = succeed(command.arg(&ask).arg("JAVA_TOOL_OPTIONS"));
        let wanted = format!("JAVA_TOOL_OPTIONS={}\n", scene.injected());
        assert_eq!(printed, wanted, "engine {engine}");
    }
}

#[test]
fn closed_descriptors_stay_closed() {
    let scene = Scene::new();
    let program = scene.compile("closed_descriptors");
    for engine in engines() {
        let report = scene.path("report");
        let mut command = scene.command("sh", engine);
        command.args(["-c", "exec \"$0\" \"$1\" <&- >&- 2>&-"]);
        // Even with the debug log on, nothing is written into a file that got number 2 later.
        command.env("OPENTELEMETRY_INJECTOR_DEBUG", "true");
        let output = command.arg(&program).arg(&report).output().unwrap();
        assert!(output.status.success());
        let hooked = std::fs::read_to_string(&report).unwrap();
        command.env_remove("LD_PRELOAD").output().unwrap();
        let plain = std::fs::read_to_string(&report).unwrap();
        assert!(plain.starts_with("descriptor 0, "), "{plain}");
        let wanted = plain.replace("(null)", &scene.injected());
        assert_eq!(hooked, wanted, "engine {engine}");
    }
}

#[test]
fn no_descriptor_is_needed_for_an_answer() {
    expect("no_descriptors", &[], |scene| scene.injected() + "\n");
}

#[test]
fn bash_with_its_own_getenv_works() {
    let scene = Scene::new();
    for engine in engines() {
        let mut command = scene.command("bash", engine);
        let script = "echo $HOME ${JAVA_TOOL_OPTIONS-unset}; env | grep -c JAVA";
        let output = command.args(["-c", script]).output().unwrap();
        assert_eq!(stdout(&output), "/here unset\n0\n");
        assert_eq!(stderr(&output), "");
    }
}

#[test]
fn a_go_program_without_libc_runs_as_before() {
    if !has("go") {
        skip!("no go");
    }
    let scene = Scene::new();
    let program = scene.path("libc_free");
    let source = support::root().join("tests/programs/libc_free.go");
    let mut build = Command::new("go");
    build.args(["build", "-buildmode=pie", "-o"]).arg(&program);
    succeed(build.arg(source).env("CGO_ENABLED", "0"));
    for engine in engines() {
        let output = scene.command(&program, engine).output().unwrap();
        assert_eq!(output.status.code(), Some(7));
        assert_eq!(stdout(&output), "HOME is /here\n");
        assert_eq!(stderr(&output), "");
    }
}

#[test]
fn the_same_file_serves_musl() {
    if !has("musl-gcc") {
        skip!("no musl-gcc");
    }
    let scene = Scene::new();
    let names = ["JAVA_TOOL_OPTIONS", "HOME", "NOT_THERE"];
    let ask = scene.compile_with("musl-gcc", "ask", &[]);
    let injected = scene.injected();
    let printed = succeed(scene.command(&ask, "direct").args(names));
    let wanted = format!("JAVA_TOOL_OPTIONS={injected}\nHOME=/here\nNOT_THERE=(null)\n");
    assert_eq!(printed, wanted);
    let odd = scene.compile_with("musl-gcc", "changing_value", &[]);
    let printed = succeed(&mut scene.command(&odd, "direct"));
    assert_eq!(
        printed,
        format!("{injected}\n{injected} -Dfirst\n{injected} -Dsecond\n")
    );
    // Gum is built for glibc; with `auto` this program gets the direct engine.
    let mut chosen = scene.command(&ask, "auto");
    let output = chosen
        .env("OPENTELEMETRY_INJECTOR_DEBUG", "true")
        .arg("HOME")
        .output();
    let output = output.unwrap();
    assert_eq!(stdout(&output), "HOME=/here\n");
    assert!(stderr(&output).contains("engine direct: getenv hooked"));
}

/// What `ask` prints and is told in the log, with another object whose constructor runs first: constructors run from the
/// last object to the first.
fn ask_behind(scene: &Scene, engine: &str, earlier: &Path) -> Output {
    let mut command = scene.command(scene.compile("ask"), engine);
    let both = format!("{}:{}", support::object().display(), earlier.display());
    command.env("LD_PRELOAD", both);
    command.env("OPENTELEMETRY_INJECTOR_DEBUG", "true");
    command.args(["HOME", "JAVA_TOOL_OPTIONS"]);
    command.output().unwrap()
}

#[test]
fn a_second_copy_of_the_object_does_not_hook_again() {
    let scene = Scene::new();
    let copy = scene.path("copy.so");
    std::fs::copy(support::object(), &copy).unwrap();
    let gum = "libopentelemetry_injector_gum.so";
    for engine in engines() {
        // What the copy hooks with, alone in its folder and beside Gum.
        for copys_engine in ["direct", engine] {
            if copys_engine == "gum" {
                std::fs::copy(support::built().join(gum), scene.path(gum)).unwrap();
            }
            let chosen = if copys_engine == engine {
                engine
            } else {
                "auto"
            };
            let output = ask_behind(&scene, chosen, &copy);
            let value = scene.injected();
            let wanted = format!("HOME=/here\nJAVA_TOOL_OPTIONS={value}\n");
            assert_eq!(stdout(&output), wanted);
            let told = stderr(&output);
            assert!(told.contains("already patched"), "{engine}: {told}");
            let hooked = format!("engine {copys_engine}: getenv hooked");
            assert!(told.contains(&hooked), "{engine}: {told}");
            assert_eq!(told.matches("getenv hooked").count(), 1, "{engine}: {told}");
        }
    }
}

#[test]
fn a_function_that_another_library_has_hooked_is_left_to_it() {
    let scene = Scene::new();
    // At once, and through an address elsewhere.
    for style in ["-DTHROUGH_ISLAND", "-DTHROUGH_POINTER"] {
        let arguments = ["-shared", "-fPIC", "-ldl", style];
        let foreign = scene.compile_with("cc", "foreign_hook", &arguments);
        for engine in engines() {
            let output = ask_behind(&scene, engine, &foreign);
            // Gum goes on to what it finds; the direct engine would replace it.
            let value = match engine {
                "gum" => scene.injected(),
                _ => "(null)".to_owned(),
            };
            let wanted = format!("HOME=/foreign\nJAVA_TOOL_OPTIONS={value}\n");
            let told = stderr(&output);
            assert_eq!(stdout(&output), wanted, "{style}, {engine}: {told}");
            let is_told = told.contains("already patched");
            assert_eq!(is_told, engine == "direct", "{style}: {told}");
        }
    }
}

#[test]
fn a_secure_getenv_that_another_library_has_hooked_is_left_to_it() {
    let scene = Scene::new();
    let program = scene.compile("ask_by_dlsym");
    let name = "-DFUNCTION=\"secure_getenv\"";
    // No jump to getenv is left, so that the function would need a patch of its own.
    let arguments = ["-shared", "-fPIC", "-ldl", "-DIN_PLACE", name];
    let foreign = scene.compile_with("cc", "foreign_hook", &arguments);
    for engine in engines() {
        let mut command = scene.command(&program, engine);
        let both = format!("{}:{}", support::object().display(), foreign.display());
        command.env("LD_PRELOAD", both);
        let printed = succeed(command.args(["HOME", "JAVA_TOOL_OPTIONS"]));
        let value = scene.injected();
        let wanted = format!("HOME=/here /foreign\nJAVA_TOOL_OPTIONS={value} (null)\n");
        assert_eq!(printed, wanted, "{engine}");
    }
}

#[test]
fn a_function_with_a_breakpoint_is_left_alone() {
    let scene = Scene::new();
    for place in ["-DAT_THE_FIRST", "-DAT_THE_SECOND"] {
        let arguments = ["-shared", "-fPIC", "-ldl", place];
        let debugger = scene.compile_with("cc", "breakpoint", &arguments);
        for engine in engines().into_iter().chain(["auto"]) {
            let output = ask_behind(&scene, engine, &debugger);
            let wanted = "HOME=/here\nJAVA_TOOL_OPTIONS=(null)\n";
            assert_eq!(stdout(&output), wanted, "{place}, {engine}: {output:?}");
            assert!(output.status.success(), "{place}, {engine}: {output:?}");
        }
    }
}

#[test]
fn nothing_is_patched_while_threads_are_running() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    let threads = scene.compile_with("cc", "early_threads", &["-shared", "-fPIC", "-pthread"]);
    for engine in engines() {
        let mut command = scene.command(&program, engine);
        let both = format!("{}:{}", support::object().display(), threads.display());
        command
            .env("LD_PRELOAD", both)
            .env("OPENTELEMETRY_INJECTOR_DEBUG", "true");
        let output = command
            .args(["HOME", "JAVA_TOOL_OPTIONS"])
            .output()
            .unwrap();
        assert_eq!(stdout(&output), "HOME=/here\nJAVA_TOOL_OPTIONS=(null)\n");
        let reason = "engine: other threads are already running";
        assert!(
            stderr(&output).contains(reason),
            "{engine}: {}",
            stderr(&output)
        );
    }
}
