//! The files and variables of libotelinject.so, read where they lie: with the object's path changed and
//! nothing else, a host or a pod that is set up for it goes on working.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use support::command::write_file;
use support::{Scene, stdout};

const NAME: &str = "JAVA_TOOL_OPTIONS";

/// A scene without any configuration of ours.
fn scene() -> Scene {
    let scene = Scene::new();
    fs::remove_file(&scene.configuration).unwrap();
    scene
}

fn asked(scene: &Scene, program: &Path, variables: &[(&str, &str)]) -> String {
    let mut command = scene.command(program, "direct");
    command
        .arg(NAME)
        .env("OTEL_SERVICE_NAME", "given")
        .envs(variables.iter().copied());
    stdout(&command.output().unwrap())
}

fn injected(scene: &Scene) -> String {
    format!("{NAME}={}\n", scene.injected())
}

fn plain() -> String {
    format!("{NAME}=(null)\n")
}

#[test]
fn a_pod_needs_its_variables_alone() {
    let scene = scene();
    let program = scene.compile("ask");
    let path = ("JVM_AUTO_INSTRUMENTATION_AGENT_PATH", scene.agent.as_str());
    assert_eq!(asked(&scene, &program, &[path]), injected(&scene));
    for switch in [
        ("OTEL_INJECTOR_DISABLED", "t"),
        ("OTEL_INJECTOR_DISABLED", "T"),
        ("OTEL_INJECTOR_DISABLED", "True"),
        ("OTEL_INJECTOR_AUTO_INSTRUMENTATION_DISABLED", "*"),
        ("OTEL_INJECTOR_AUTO_INSTRUMENTATION_DISABLED", "python, jvm"),
        ("OTEL_INJECTOR_EXCLUDE_PATHS", "/none,*/java"),
        ("OTEL_INJECTOR_INCLUDE_PATHS", "/none"),
        ("OTEL_INJECTOR_INCLUDE_WITH_ARGUMENTS", "*.jar"),
        ("OTEL_INJECTOR_EXCLUDE_WITH_ARGUMENTS", "JAVA_TOOL*"),
    ] {
        assert_eq!(
            asked(&scene, &program, &[path, switch]),
            plain(),
            "{switch:?}"
        );
    }
    for switch in [
        ("OTEL_INJECTOR_DISABLED", "f"),
        (
            "OTEL_INJECTOR_AUTO_INSTRUMENTATION_DISABLED",
            "python,cobol",
        ),
        ("OTEL_INJECTOR_INCLUDE_PATHS", "*java"),
    ] {
        assert_eq!(
            asked(&scene, &program, &[path, switch]),
            injected(&scene),
            "{switch:?}"
        );
    }
}

#[test]
fn its_files_count_and_ours_are_stronger() {
    let scene = scene();
    let program = scene.compile("ask");
    fs::create_dir(scene.path("conf.d")).unwrap();
    let drop_in = scene.path("conf.d/java.conf");
    let line = format!("jvm_auto_instrumentation_agent_path={}\n", scene.agent);
    fs::write(&drop_in, &line).unwrap();
    assert_eq!(asked(&scene, &program, &[]), injected(&scene));
    fs::write(scene.path("injector.conf"), "exclude_paths=/none/*\n").unwrap();
    assert_eq!(asked(&scene, &program, &[]), injected(&scene));
    fs::write(scene.path("injector.conf"), "exclude_paths=/tmp/*\n").unwrap();
    assert_eq!(asked(&scene, &program, &[]), plain());
    fs::remove_file(scene.path("injector.conf")).unwrap();

    // Beside a configuration of ours the package's drop-in counts.
    scene.configure("");
    assert_eq!(asked(&scene, &program, &[]), injected(&scene));
    let empty = ("JVM_AUTO_INSTRUMENTATION_AGENT_PATH", "");
    assert_eq!(asked(&scene, &program, &[empty]), plain());
    fs::write(&drop_in, "jvm_auto_instrumentation_agent_path=/none.jar\n").unwrap();
    assert_eq!(asked(&scene, &program, &[]), plain());
    scene.configure(&format!("[jvm]\nagent_path = \"{}\"\n", scene.agent));
    assert_eq!(asked(&scene, &program, &[]), injected(&scene));
}

#[test]
fn variables_name_its_file_and_its_folder() {
    let scene = scene();
    let program = scene.compile("ask");
    let line = format!("jvm_auto_instrumentation_agent_path={}\n", scene.agent);
    fs::create_dir(scene.path("other")).unwrap();
    fs::write(scene.path("other/java.conf"), &line).unwrap();
    let path = |name: &str| scene.path(name).to_str().unwrap().to_owned();
    let file = ("OTEL_INJECTOR_CONFIG_FILE", &*path("other/java.conf"));
    assert_eq!(asked(&scene, &program, &[file]), injected(&scene));
    let folder = ("OTEL_INJECTOR_CONFIG_DIR", &*path("other"));
    assert_eq!(asked(&scene, &program, &[folder]), injected(&scene));
}

#[test]
fn a_script_of_a_runtime_gets_what_its_name_does_not_tell() {
    let scene = scene();
    let program = scene.compile("ask");
    let script = scene.path("serve");
    write_file(&script, format!("#!{} {NAME}\n", program.display()));
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let started = |variables: &[(&str, &str)]| {
        let mut command: Command = scene.command(&script, "direct");
        command
            .env("OTEL_SERVICE_NAME", "given")
            .envs(variables.iter().copied());
        let output = stdout(&command.output().unwrap());
        output.lines().next().unwrap_or_default().to_owned() + "\n"
    };
    let path = ("JVM_AUTO_INSTRUMENTATION_AGENT_PATH", scene.agent.as_str());
    assert_eq!(started(&[path]), injected(&scene));
    scene.configure("");
    assert_eq!(started(&[path]), injected(&scene));
    assert_eq!(started(&[]), plain());
    fs::create_dir(scene.path("conf.d")).unwrap();
    let line = format!("jvm_auto_instrumentation_agent_path={}\n", scene.agent);
    fs::write(scene.path("conf.d/java.conf"), line).unwrap();
    assert_eq!(started(&[]), injected(&scene));
    let excluded = ("OTEL_INJECTOR_EXCLUDE_PATHS", "*/java");
    assert_eq!(started(&[excluded]), plain());
}

#[test]
fn lists_of_drop_ins_add_to_those_of_the_administrator() {
    let scene = Scene::new();
    let program = scene.compile("ask");
    let text = fs::read_to_string(&scene.configuration).unwrap();
    scene.configure(&format!("{text}[processes]\nexclude = [\"*/java\"]\n"));
    fs::create_dir(scene.path("conf.d")).unwrap();
    fs::write(
        scene.path("conf.d/package.toml"),
        "processes.exclude = [\"other\"]\n",
    )
    .unwrap();
    assert_eq!(asked(&scene, &program, &[]), plain());
}
