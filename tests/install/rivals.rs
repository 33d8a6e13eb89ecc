//! Beside another vendor's injector: `install` refuses, processes are left alone, and who asks is told
//! whose it is.

use std::fs;
use std::path::PathBuf;
use support::machine;
use support::machine::{OBJECT, assert_done};
use support::{Scene, explain, object, succeed};

const NAME: &str = "JAVA_TOOL_OPTIONS";

/// An object that does nothing, at the path of another injector's.
fn stand_in(scene: &Scene, path: &str) -> PathBuf {
    let built = scene.compile_with("cc", "empty_object", &["-shared", "-fPIC"]);
    let path = scene.path(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::copy(built, &path).unwrap();
    path
}

#[test]
fn install_refuses_beside_another_injector_unless_it_is_accepted() {
    let machine = machine!();
    for (entry, vendor) in [
        ("/opt/datadog/apm/inject/launcher.preload.so", "Datadog"),
        ("/usr/lib/libotelinject.so", "OpenTelemetry"),
        ("/lib/liboneagentproc.so", "Dynatrace"),
    ] {
        machine.compile_empty_object(&entry[1..]);
        machine.write("etc/ld.so.preload", format!("{entry}\n"));
        for arguments in [&["install"][..], &["install", "--dry-run"]] {
            let refused = machine.injector(arguments);
            assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
            let told = format!("has the injector of {vendor}");
            assert!(refused.stderr.contains(&told), "{refused:?}");
        }
        assert_eq!(machine.preload_file().unwrap(), format!("{entry}\n"));
        let status = machine.injector(&["status"]).stdout;
        assert!(
            status.contains(&format!("injector of {vendor}")),
            "{status}"
        );

        assert_done(&machine.injector(&["install", "--accept-other-injectors"]));
        let both = format!("{entry}\n{OBJECT}\n");
        assert_eq!(machine.preload_file().unwrap(), both);
        assert_done(&machine.injector(&["uninstall"]));
        assert_eq!(machine.preload_file().unwrap(), format!("{entry}\n"));
    }
}

#[test]
fn a_process_that_carries_another_injector_is_left_alone() {
    let scene = Scene::new();
    let ask = scene.compile("ask");
    let rival = stand_in(&scene, "opt/libotelinject.so");
    let both = format!("{}:{}", object().display(), rival.display());
    let answers = |preload: &str, mark: &str| {
        let mut command = scene.command(&ask, "direct");
        command
            .arg(NAME)
            .env("LD_PRELOAD", preload)
            .env("DD_INJECTION_ENABLED", mark);
        succeed(&mut command).trim().to_owned()
    };
    let alone = object().display().to_string();
    let injected = format!("{NAME}={}", scene.injected());
    let is_injected = |preload: &str, mark: &str| answers(preload, mark) == injected;
    assert!(is_injected(&alone, ""), "{}", answers(&alone, ""));
    assert!(is_injected(&alone, "false"));
    assert!(!is_injected(&both, ""));
    assert!(!is_injected(&alone, "tracer"));

    let waiting = explain::waiting_program(&scene, "java");
    let mut command = scene.command(&waiting, "direct");
    let process = explain::Waiting::start(command.arg(NAME).env("LD_PRELOAD", &both));
    let (told, _) = explain::of_process(process.id());
    assert_eq!(explain::stops(&told), ["other agents"], "{told:#}");
    let (text, _) = explain::text_of_process(process.id());
    assert!(text.contains("OpenTelemetry (libotelinject.so)"), "{text}");
    assert!(text.contains(rival.to_str().unwrap()), "{text}");
    // Before it is started it is told as well.
    let mut planned = explain::command(&["explain", "--json", "--"]);
    planned
        .arg(&waiting)
        .env("LD_PRELOAD", &both)
        .env("OPENTELEMETRY_INJECTOR_CONFIGURATION", &scene.configuration);
    let (told, _) = explain::parsed(&planned.output().unwrap());
    assert_eq!(explain::stops(&told), ["other agents"], "{told:#}");

    let configuration = fs::read_to_string(&scene.configuration).unwrap();
    scene.configure(&format!("{configuration}allow_other_agents = true\n"));
    assert!(is_injected(&both, ""));
    assert!(is_injected(&both, "tracer"));
}
