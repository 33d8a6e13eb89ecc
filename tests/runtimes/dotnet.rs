//! Real .NET runtimes with a startup hook that stands in for the automatic instrumentation.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::{Scene, Sink, engines, has, root, skip, stderr, stdout, succeed};

const HOOK: &str = "net/OpenTelemetry.AutoInstrumentation.StartupHook.dll";
const PROFILER: &str = "linux-x64/OpenTelemetry.AutoInstrumentation.Native.so";

/// The runtimes that scripts/fetch-dotnet has put on this machine; none without the compiler.
pub fn runtimes() -> Vec<PathBuf> {
    let folder = fs::read_dir(root().join(".cache/dotnet"));
    let folders = folder.into_iter().flatten().flatten();
    let homes = folders.filter_map(|entry| entry.path().canonicalize().ok());
    let mut homes: Vec<_> = homes.filter(|home| home.join("dotnet").exists()).collect();
    homes.sort();
    if has("mcs") && reference_assemblies().is_dir() {
        homes
    } else {
        Vec::new()
    }
}

fn reference_assemblies() -> PathBuf {
    root().join(".cache/dotnet/3.1/shared/Microsoft.NETCore.App/3.1.23")
}

/// An agent's folder, an application, and a configuration that names the agent.
pub struct Stage {
    scene: Scene,
    /// The agent's folder.
    pub agent: PathBuf,
    /// The application's assembly.
    pub application: PathBuf,
}

impl Stage {
    /// `more` stands at the end of the configuration.
    pub fn new(more: &str) -> Self {
        let scene = Scene::new();
        let stage = Self {
            agent: scene.path("agent"),
            application: scene.path("inside.dll"),
            scene,
        };
        fs::create_dir_all(stage.agent.join("net")).unwrap();
        compile(
            "tests/agents/dotnet/StartupHook.cs",
            &stage.agent.join(HOOK),
        );
        compile("tests/programs/dotnet/Inside.cs", &stage.application);
        fs::write(
            stage.scene.path("inside.runtimeconfig.json"),
            r#"{"runtimeOptions": {
                "tfm": "netcoreapp3.1",
                "rollForward": "LatestMajor",
                "framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"},
                "configProperties": {"System.Globalization.Invariant": true}
            }}"#,
        )
        .unwrap();
        stage.configure("", more);
        stage
    }

    /// `section` goes on below `[dotnet]`, `more` behind it.
    fn configure(&self, section: &str, more: &str) {
        let agent = self.agent.display();
        let text = format!("[dotnet]\nagent_path = \"{agent}\"\n{section}\n{more}\n");
        self.scene.configure(&text);
    }

    fn dotnet(&self, runtime: &Path, engine: &str) -> Command {
        self.scene.command(runtime.join("dotnet"), engine)
    }

    /// The application with commands for its children.
    fn run(&self, runtime: &Path, engine: &str, children: &[&str]) -> Command {
        let mut command = self.dotnet(runtime, engine);
        command.arg(&self.application).args(children);
        command
    }

    fn hook(&self) -> String {
        self.agent.join(HOOK).display().to_string()
    }
}

fn compile(source: &str, assembly: &Path) {
    let mut mcs = Command::new("mcs");
    mcs.args(["-nostdlib", "-noconfig", "-nowarn:1702"]);
    if !source.ends_with("Inside.cs") {
        mcs.arg("-target:library");
    }
    let references = "System.Private.CoreLib System.Runtime System.Runtime.Extensions System.Console \
        System.Collections System.Diagnostics.Process System.ComponentModel.Primitives \
        System.Net.Primitives System.Net.Sockets System.Private.Uri";
    for name in references.split_whitespace() {
        let path = reference_assemblies().join(format!("{name}.dll"));
        mcs.arg(format!("-r:{}", path.display()));
    }
    mcs.arg(format!("-out:{}", assembly.display()));
    succeed(mcs.arg(root().join(source)));
}

/// Runs the application, which ends with 7, and returns what it printed.
fn printed(command: &mut Command) -> String {
    let output = command.output().expect("dotnet starts");
    let text = stdout(&output);
    let errors = stderr(&output);
    assert_eq!(output.status.code(), Some(7), "{text}{errors}");
    text
}

/// What stdout, stderr and the end of a program were.
fn outcome(command: &mut Command) -> (String, String, Option<i32>) {
    let Output { status, .. } = command.output().expect("dotnet starts");
    let output = command.output().expect("dotnet starts");
    assert_eq!(status, output.status);
    (stdout(&output), stderr(&output), status.code())
}

/// The lines about the environment of `who` (`inside` or `child`) that are the injector's work.
fn traces_of_us<'t>(who: &str, text: &'t str) -> Vec<&'t str> {
    let prefixes = [
        "DOTNET_",
        "CORECLR_",
        "OTEL_",
        "OPENTELEMETRY_INJECTOR_ADDED",
    ];
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(who)?.strip_prefix(' '));
    let is_ours = |line: &&str| prefixes.iter().any(|prefix| line.starts_with(prefix));
    let mut lines: Vec<_> = lines.filter(is_ours).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_span_arrives_with_the_settings_and_children_are_clean() {
    let runtimes = runtimes();
    if runtimes.is_empty() {
        skip!("no .NET runtime in .cache/dotnet or no mcs");
    }
    for (runtime, engine) in runtimes
        .iter()
        .flat_map(|r| engines().into_iter().map(move |e| (r, e)))
    {
        let sink = Sink::start();
        let stage = Stage::new(&format!(
            "[environment]\nOTEL_EXPORTER_OTLP_ENDPOINT = \"{}\"\nOTEL_SERVICE_NAME = \"shop\"\n\
             OTEL_LEFT = \"ours\"\n[resource_attributes]\nteam = \"two words\"\nx = \"ours\"\n",
            sink.endpoint
        ));
        let children = [
            "/usr/bin/env",
            "sh -c env",
            "sh -c \"cat /proc/$PPID/environ\"",
        ];
        let mut command = stage.run(runtime, engine, &children);
        command.env("OTEL_RESOURCE_ATTRIBUTES", "x=1,a.longer.key=2");
        command.env("OTEL_LEFT", "theirs");
        command.env("OTEL_INJECTOR_K8S_POD_UID", "a-b");
        let text = printed(&mut command);
        let span = sink.wait_for("span", |span| {
            (span["name"] == "startup").then(|| span.clone())
        });
        let resource = |key: &str| span["resource"][key].clone();
        assert_eq!(resource("service.name"), "shop");
        assert_eq!(resource("team"), "two words");
        assert_eq!(resource("x"), "1");
        assert_eq!(resource("k8s.pod.uid"), "a-b");
        assert_eq!(attribute(&span, "home"), stage.agent.to_str().unwrap());
        assert_eq!(attribute(&span, "profiler"), "");
        let theirs = [
            "OTEL_INJECTOR_K8S_POD_UID=a-b",
            "OTEL_LEFT=theirs",
            "OTEL_RESOURCE_ATTRIBUTES=x=1,a.longer.key=2",
        ];
        // The third child shows the first bytes of one long line: what the kernel has of its parent.
        assert_eq!(
            traces_of_us("child", &text),
            [
                theirs[0], theirs[0], theirs[1], theirs[1], theirs[2], theirs[2]
            ]
        );
        assert_eq!(
            text.matches("INJECTOR_ADDED").count(),
            1,
            "inside alone: {text}"
        );
        assert!(
            !traces_of_us("inside", &text)
                .iter()
                .any(|line| line.starts_with("DOTNET_"))
        );
    }
}

fn attribute<'s>(span: &'s Value, key: &str) -> &'s str {
    span["attributes"][key].as_str().unwrap_or_default()
}

#[test]
fn children_are_clean_whatever_becomes_of_them() {
    let Some(runtime) = runtimes().pop() else {
        skip!("no .NET runtime in .cache/dotnet or no mcs");
    };
    let stage = Stage::new("[environment]\nOTEL_A = \"ours\"\nOTEL_B = \"ours\"\n");
    stage.configure(
        "profiler = true",
        "[environment]\nOTEL_A = \"ours\"\nOTEL_B = \"ours\"",
    );
    fs::create_dir(stage.agent.join("linux-x64")).unwrap();
    fs::write(stage.agent.join(PROFILER), "no library").unwrap();
    let children = [
        "OPENTELEMETRY_INJECTOR_DISABLED=true /usr/bin/env",
        "OPENTELEMETRY_INJECTOR_CONFIGURATION=/none /usr/bin/env",
        "OTEL_B=theirs /usr/bin/env",
    ];
    let text = printed(&mut stage.run(&runtime, "auto", &children));
    assert_eq!(traces_of_us("child", &text), ["OTEL_B=theirs"], "{text}");

    // A child that is .NET itself is injected anew.
    let child = format!(
        "{} {}",
        runtime.join("dotnet").display(),
        stage.application.display()
    );
    let text = printed(&mut stage.run(&runtime, "auto", &[&child]));
    assert!(text.contains("child inside OTEL_A=ours\n"), "{text}");
    assert_eq!(text.matches("INJECTOR_ADDED").count(), 2);
}

#[test]
fn the_users_hook_runs_too_and_ours_only_once() {
    let Some(runtime) = runtimes().pop() else {
        skip!("no .NET runtime in .cache/dotnet or no mcs");
    };
    let stage = Stage::new("");
    let user = stage.scene.path("UserHook.dll");
    compile("tests/programs/dotnet/UserHook.cs", &user);
    let user = user.display().to_string();
    let mut command = stage.run(&runtime, "auto", &["/usr/bin/env"]);
    let output = command.env("DOTNET_STARTUP_HOOKS", &user).output().unwrap();
    assert!(stdout(&output).starts_with("the user's hook\n"));
    // Without an endpoint the stand-in complains: so it ran.
    assert_eq!(stderr(&output).matches("StartupHook: ").count(), 1);
    let theirs = format!("DOTNET_STARTUP_HOOKS={user}");
    assert_eq!(traces_of_us("child", &stdout(&output)), [theirs]);

    let both = format!("{user}:{}", stage.hook());
    let output = command.env("DOTNET_STARTUP_HOOKS", both).output().unwrap();
    assert_eq!(stderr(&output).matches("StartupHook: ").count(), 1);
}

#[test]
fn without_its_agent_dotnet_runs_as_if_we_were_not_there() {
    let Some(runtime) = runtimes().pop() else {
        skip!("no .NET runtime in .cache/dotnet or no mcs");
    };
    let stage = Stage::new("[environment]\nOTEL_A = \"ours\"\n");
    let compare = |relative_hook: bool| {
        let run = |preload: bool| {
            let mut command = stage.run(&runtime, "auto", &["/usr/bin/env"]);
            if !preload {
                command.env("LD_PRELOAD", "").env("PADDING", "1");
            }
            if relative_hook {
                command.env("DOTNET_STARTUP_HOOKS", "./hook.dll");
            }
            let (text, errors, code) = outcome(&mut command);
            let is_same = |line: &&str| !line.contains("LD_PRELOAD=") && !line.contains("PADDING=");
            let mut lines: Vec<_> = text.lines().filter(is_same).map(str::to_owned).collect();
            lines.sort();
            (lines, errors, code)
        };
        assert_eq!(run(true), run(false));
        run(true).2
    };
    // The CLR aborts by itself on a relative path of the user's.
    assert_eq!(compare(true), None);
    fs::rename(stage.agent.join(HOOK), stage.agent.join("elsewhere")).unwrap();
    assert_eq!(compare(false), Some(7));
    let colon = stage.scene.path("a:b");
    fs::create_dir_all(colon.join("net")).unwrap();
    fs::rename(stage.agent.join("elsewhere"), colon.join(HOOK)).unwrap();
    let text = format!("[dotnet]\nagent_path = \"{}\"\n", colon.display());
    stage.scene.configure(&text);
    assert_eq!(compare(false), Some(7));
}

#[test]
fn the_agents_folders_are_answered_where_they_are() {
    let Some(runtime) = runtimes().pop() else {
        skip!("no .NET runtime in .cache/dotnet or no mcs");
    };
    let stage = Stage::new("");
    fs::create_dir(stage.agent.join("AdditionalDeps")).unwrap();
    fs::create_dir(stage.agent.join("store")).unwrap();
    let mut command = stage.run(&runtime, "auto", &[]);
    command.env("OPENTELEMETRY_INJECTOR_DEBUG", "1");
    command.env("DOTNET_SHARED_STORE", "/user");
    let errors = stderr(&command.output().unwrap());
    let agent = stage.agent.display();
    for wanted in [
        format!("DOTNET_ADDITIONAL_DEPS is now {agent}/AdditionalDeps\n"),
        format!("DOTNET_SHARED_STORE is now {agent}/store:/user\n"),
    ] {
        assert!(errors.contains(&wanted), "{wanted}{errors}");
    }
}

#[test]
fn the_sdks_own_programs_are_left_alone() {
    let Some(runtime) = runtimes().pop() else {
        skip!("no .NET runtime in .cache/dotnet or no mcs");
    };
    let stage = Stage::new("[environment]\nOTEL_A = \"ours\"\n");
    let server = stage.scene.path("MSBuild.dll");
    fs::copy(&stage.application, &server).unwrap();
    let settings = stage.scene.path("inside.runtimeconfig.json");
    fs::copy(settings, stage.scene.path("MSBuild.runtimeconfig.json")).unwrap();
    let run = || {
        let mut command = stage.dotnet(&runtime, "auto");
        printed(command.arg("exec").arg(&server).arg("/usr/bin/env"))
    };
    assert_eq!(traces_of_us("inside", &run()), [""; 0]);
    stage.configure(
        "",
        "[environment]\nOTEL_A = \"ours\"\n[processes]\ninclude_arguments = [\"*MSBuild.dll\"]",
    );
    assert!(traces_of_us("inside", &run()).contains(&"OTEL_A=ours"));
    // Commands end as they do without us.
    for arguments in [&["--info"][..], &["build"], &["--version"]] {
        let with = outcome(stage.dotnet(&runtime, "auto").args(arguments));
        let without = outcome(
            stage
                .dotnet(&runtime, "auto")
                .args(arguments)
                .env_remove("LD_PRELOAD"),
        );
        assert_eq!(with, without);
    }
}

#[test]
fn the_profiler_is_loaded_where_it_is_wanted_and_the_users_is_kept() {
    let Some(runtime) = runtimes().pop() else {
        skip!("no .NET runtime in .cache/dotnet or no mcs");
    };
    let stage = Stage::new("");
    stage.configure("profiler = true", "");
    let library = stage
        .scene
        .compile_with("cc", "dotnet_profiler", &["-shared", "-fPIC"]);
    fs::create_dir(stage.agent.join("linux-x64")).unwrap();
    fs::copy(library, stage.agent.join(PROFILER)).unwrap();
    let text = printed(&mut stage.run(&runtime, "auto", &["/bin/env", "sh -c env"]));
    assert!(text.starts_with("the profiler is asked for\n"), "{text}");
    let path = format!(
        "CORECLR_PROFILER_PATH={}",
        stage.agent.join(PROFILER).display()
    );
    let home = format!("OTEL_DOTNET_AUTO_HOME={}", stage.agent.display());
    let mut inside = traces_of_us("inside", &text);
    inside.retain(|line| !line.starts_with("OPENTELEMETRY_INJECTOR_ADDED="));
    let id = "CORECLR_PROFILER={918728DD-259F-4A6A-AC2B-B85E1B658318}";
    // The assembly names the service.
    let name = "OTEL_RESOURCE_ATTRIBUTES=service.name=inside";
    // No end of a process waits long for the collector.
    let timeout = "OTEL_EXPORTER_OTLP_TIMEOUT=1000";
    let wanted = [
        "CORECLR_ENABLE_PROFILING=1",
        id,
        &path,
        &home,
        timeout,
        name,
    ];
    assert_eq!(inside, wanted);
    assert_eq!(traces_of_us("child", &text), [""; 0]);

    // Another vendor's profiler keeps all of ours out, and is the only one where both are allowed.
    let theirs = [
        "CORECLR_ENABLE_PROFILING=1",
        "CORECLR_PROFILER={36032161-FFC0-4B61-B559-F6C5D41BAE5A}",
        "CORECLR_PROFILER_PATH=/none.so",
    ];
    let mut command = stage.run(&runtime, "auto", &["/bin/env"]);
    command.envs(theirs.map(|variable| variable.split_once('=').unwrap()));
    let text = printed(&mut command);
    assert_eq!(traces_of_us("inside", &text), theirs);
    assert_eq!(traces_of_us("child", &text), theirs);
    stage.configure("profiler = true\nallow_other_agents = true", "");
    let text = printed(&mut command);
    assert!(text.contains(&home));
    assert_eq!(traces_of_us("inside", &text)[..3], theirs);
    assert_eq!(traces_of_us("child", &text), theirs);
}

#[test]
fn an_agent_that_runs_main_itself_comes_behind_the_users_hook() {
    let Some(runtime) = runtimes().pop() else {
        skip!("no .NET runtime in .cache/dotnet or no mcs");
    };
    let stage = Stage::new("");
    compile("tests/programs/dotnet/RunsMain.cs", &stage.agent.join(HOOK));
    let user = stage.scene.path("UserHook.dll");
    compile("tests/programs/dotnet/UserHook.cs", &user);
    let mut command = stage.run(&runtime, "auto", &[]);
    command.env("DOTNET_STARTUP_HOOKS", &user);
    assert_eq!(
        printed(&mut command),
        "the user's hook\nthe agent runs Main\n"
    );
}

/// Whether the application's process got our settings; its `inside.runtimeconfig.json` has `property`.
fn is_injected_with_property(stage: &Stage, runtime: &Path, property: &str) -> bool {
    let path = stage.scene.path("inside.runtimeconfig.json");
    let text = fs::read_to_string(&path).unwrap();
    let mark = "\"configProperties\": {";
    fs::write(&path, text.replace(mark, &format!("{mark}{property}, "))).unwrap();
    let output = stage.run(runtime, "auto", &[]).output().unwrap();
    fs::write(&path, text).unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    stdout(&output).contains("inside OTEL_A=ours\n")
}

#[test]
fn an_application_that_runs_no_startup_hooks_is_left_alone() {
    let runtimes = runtimes();
    if runtimes.is_empty() {
        skip!("no .NET runtime in .cache/dotnet or no mcs");
    }
    let stage = Stage::new("[environment]\nOTEL_A = \"ours\"\n");
    let user = stage.scene.path("UserHook.dll");
    compile("tests/programs/dotnet/UserHook.cs", &user);
    let own = format!("\"STARTUP_HOOKS\": \"{}\"", user.display());
    for runtime in runtimes {
        for (property, wanted) in [
            ("\"System.StartupHookProvider.IsSupported\": false", false),
            ("\"System.StartupHookProvider.IsSupported\": true", true),
            (&*own, false),
        ] {
            let injected = is_injected_with_property(&stage, &runtime, property);
            assert_eq!(injected, wanted, "{property}");
        }
    }
}

#[test]
fn an_application_with_its_own_sdk_is_left_alone() {
    let Some(runtime) = runtimes().pop() else {
        skip!("no .NET runtime in .cache/dotnet or no mcs");
    };
    let settings = "[environment]\nOTEL_A = \"ours\"\n";
    let stage = Stage::new(settings);
    let own = stage.scene.path("inside.deps.json");
    let with = |library: &str| {
        let text = format!(
            r#"{{"runtimeTarget": {{"name": ".NETCoreApp,Version=v3.1"}},
                "targets": {{".NETCoreApp,Version=v3.1": {{"inside/1.0.0": {{"runtime": {{"inside.dll": {{}}}}}}}}}},
                "libraries": {{"inside/1.0.0": {{"type": "project", "serviceable": false, "sha512": ""}},
                "{library}/1.9.0": {{"type": "package", "serviceable": true, "sha512": ""}}}}}}"#
        );
        fs::write(&own, text).unwrap();
        printed(&mut stage.run(&runtime, "auto", &[])).contains("inside OTEL_A=ours\n")
    };
    assert!(with("OpenTelemetry.Api"));
    assert!(!with("OpenTelemetry"));
    assert!(!with("xunit.v3.core"), "a test runner");
    stage.configure("allow_own_sdk = true", settings);
    assert!(with("OpenTelemetry"));
}

#[test]
fn tools_are_left_alone_by_where_they_are_installed() {
    let Some(runtime) = runtimes().pop() else {
        skip!("no .NET runtime in .cache/dotnet or no mcs");
    };
    let stage = Stage::new("[environment]\nOTEL_A = \"ours\"\n");
    for place in [
        "here/.nuget/packages/any.tool/1.0.0/tools/net8.0/any",
        "here/.dotnet/tools/.store/any.tool/1.0.0/any.tool/1.0.0/tools/net8.0/any",
    ] {
        let folder = stage.scene.path(place);
        fs::create_dir_all(&folder).unwrap();
        for name in ["inside.dll", "inside.runtimeconfig.json"] {
            fs::copy(stage.scene.path(name), folder.join(name)).unwrap();
        }
        let mut command = stage.dotnet(&runtime, "auto");
        let text = printed(command.arg("exec").arg(folder.join("inside.dll")));
        assert!(!text.contains("OTEL_A"), "{place}");
    }
    for name in ["nbgv", "dotnet-ef", "reportgenerator"] {
        let tool = stage.scene.path(&format!("{name}.dll"));
        fs::copy(&stage.application, &tool).unwrap();
        let settings = stage.scene.path(&format!("{name}.runtimeconfig.json"));
        fs::copy(stage.scene.path("inside.runtimeconfig.json"), settings).unwrap();
        let text = printed(stage.dotnet(&runtime, "auto").arg(tool));
        assert!(!text.contains("OTEL_A"), "{name}");
    }
}

#[test]
fn a_missing_application_ends_as_without_us() {
    let Some(runtime) = runtimes().pop() else {
        skip!("no .NET runtime in .cache/dotnet or no mcs");
    };
    let stage = Stage::new("[environment]\nOTEL_A = \"ours\"\n");
    let run = || {
        let mut command = stage.dotnet(&runtime, "auto");
        command.arg("none.dll");
        command
    };
    let without = outcome(run().env_remove("LD_PRELOAD"));
    assert_eq!(outcome(&mut run()), without);
}

/// The path of a runtime's `libhostfxr.so`.
fn host(runtime: &Path) -> PathBuf {
    let versions = fs::read_dir(runtime.join("host/fxr")).unwrap();
    let version = versions.flatten().next().unwrap().path();
    version.join("libhostfxr.so")
}

#[test]
fn a_program_that_loads_the_host_is_left_alone_until_it_is_named() {
    let Some(runtime) = runtimes().pop() else {
        skip!("no .NET runtime in .cache/dotnet or no mcs");
    };
    let settings = "[environment]\nOTEL_A = \"ours\"\n";
    let stage = Stage::new(settings);
    let embedder = stage.scene.path("embedder");
    fs::copy(stage.scene.compile("dotnet_embedder"), &embedder).unwrap();
    let run = || {
        let mut command = stage.scene.command(&embedder, "auto");
        command.arg(host(&runtime)).arg(&runtime);
        command.arg(&stage.application).arg("/usr/bin/env");
        printed(&mut command)
    };
    let text = run();
    assert_eq!(traces_of_us("inside", &text), [""; 0]);
    let named = "[processes]\ninclude = [\"embedder\"]\n";
    stage.configure("", &[settings, named].concat());
    let text = run();
    assert!(text.contains("inside OTEL_A=ours\n"), "{text}");
    assert_eq!(traces_of_us("child", &text), [""; 0]);

    stage.configure("", settings);
    let ask = stage.scene.compile("ask");
    let printed = succeed(stage.scene.command(ask, "auto").arg("DOTNET_STARTUP_HOOKS"));
    assert_eq!(printed, "DOTNET_STARTUP_HOOKS=(null)\n");
}

/// A component in another program's process: neither are the host's entries changed, nor would any
/// startup hook run.
#[test]
fn a_hosted_clr_adds_nothing_to_its_host() {
    let Some(runtime) = runtimes().pop() else {
        skip!("no .NET runtime in .cache/dotnet or no mcs");
    };
    let stage = Stage::new("[environment]\nOTEL_A = \"ours\"\n");
    let program = stage.scene.path("component");
    fs::copy(stage.scene.compile("dotnet_component"), &program).unwrap();
    let settings = stage.scene.path("inside.runtimeconfig.json");
    let run = |preload: bool| {
        let mut command = stage.scene.command(&program, "auto");
        command.arg(host(&runtime)).arg(&runtime).arg(&settings);
        if !preload {
            command.env("LD_PRELOAD", "");
        }
        let lines = succeed(&mut command);
        let lines = lines
            .lines()
            .filter(|line| !line.starts_with("LD_PRELOAD="));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let without = run(false);
    assert!(without.contains(&"the CLR runs".to_owned()), "{without:?}");
    assert_eq!(run(true), without);
}

#[test]
fn a_parents_additions_are_taken_back_before_main() {
    let scene = Scene::new();
    let mut programs = vec![scene.compile("environment")];
    if has("musl-gcc") {
        programs.push(scene.compile_with("musl-gcc", "environment", &[]))
    } else {
        println!("skipped: musl, without musl-gcc")
    }
    // The hash of `1` (FNV-1a, 64 bits).
    let hash = "af63ac4c86019afc";
    for (program, engine) in programs.iter().zip(engines().into_iter().cycle()) {
        let mut command = scene.command(program, engine);
        command
            .env(
                "OPENTELEMETRY_INJECTOR_ADDED",
                format!("OTEL_A::{hash},OTEL_B::{hash},OTEL_C:0:{hash}"),
            )
            .env("OTEL_A", "1")
            .env("OTEL_B", "changed")
            .env("OTEL_C", "1")
            .env("OTEL_D", "1");
        let left = ["OTEL_B=changed", "OTEL_C=", "OTEL_D=1"];
        let lines = |what: &str| left.map(|entry| format!("{what} {entry}\n")).concat();
        assert_eq!(succeed(&mut command), lines("main") + &lines("environ"));
    }
}

#[test]
fn go_finds_its_auxiliary_vector_however_many_entries_are_taken_back() {
    if !has("go") {
        skip!("no go");
    }
    let scene = Scene::new();
    let program = scene.path("asking_in_go");
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(&program);
    build.arg(root().join("tests/programs/traps/asking_in_go.go"));
    succeed(build.env("CGO_ENABLED", "1"));
    let plain = outcome(scene.command(&program, "direct").env_remove("LD_PRELOAD"));
    assert_eq!(plain.2, Some(4), "{}{}", plain.0, plain.1);
    for count in 1..=7 {
        let mut command = scene.command(&program, "direct");
        let names = (1..count).map(|number| format!("OTEL_{number}"));
        // The hash of `1`, as above.
        let items: Vec<_> = names
            .inspect(|name| {
                command.env(name, "1");
            })
            .map(|name| format!("{name}::af63ac4c86019afc"))
            .collect();
        command.env("OPENTELEMETRY_INJECTOR_ADDED", items.join(","));
        assert_eq!(outcome(&mut command), plain, "{count} entries");
    }
}
