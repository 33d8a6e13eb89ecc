//! Real Node.js: with the real agent where scripts/fetch-nodejs-agent has put it, else with a
//! stand-in that notes where it was loaded.

mod ending;
mod imports;
mod left_alone;
mod presence;

use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use support::{
    Background, Scene, Sink, engines, has, is_root, root, skip, stderr, stdout, succeed,
};

const NAME: &str = "NODE_OPTIONS";

/// Where the agent's package has the file that starts it.
const ENTRY: &str = "node_modules/@opentelemetry/auto-instrumentations-node/build/src/register.js";

const QUIET: &str = "OTEL_TRACES_EXPORTER = \"none\"\nOTEL_METRICS_EXPORTER = \"none\"\n\
                     OTEL_LOGS_EXPORTER = \"none\"\n";

/// The folder with the real agent and express.
pub fn agent() -> Option<PathBuf> {
    let folder = root().join(".cache/nodejs").canonicalize().ok()?;
    folder.join(ENTRY).is_file().then_some(folder)
}

/// A script of tests/programs/nodejs.
fn script(name: &str) -> PathBuf {
    let path = root().join("tests/programs/nodejs").join(name);
    path.canonicalize().unwrap()
}

/// Every Node.js that is here: the machine's, and what scripts/fetch-nodejs-versions has fetched.
fn nodes() -> Vec<PathBuf> {
    let mut nodes = Vec::new();
    if has("node") {
        nodes.push("node".into());
    }
    let fetched = fs::read_dir(root().join(".cache/nodejs-versions"));
    for version in fetched.into_iter().flatten() {
        let packages = fs::read_dir(version.unwrap().path().join("node_modules"));
        let binaries = packages.into_iter().flatten();
        let binaries = binaries.map(|package| package.unwrap().path().join("bin/node"));
        nodes.extend(binaries.filter(|binary| binary.is_file()));
    }
    println!("versions of Node.js: {nodes:?}");
    nodes
}

fn boot_file() -> PathBuf {
    support::built().join("boot/nodejs/register.cjs")
}

fn configure(scene: &Scene, agent: &str, more: &str) {
    scene.configure(&format!("[nodejs]\nagent_path = '''{agent}'''\n{more}"));
}

/// A scene with the real agent, which sends to `endpoint`. The application's modules are there too.
fn real_scene(endpoint: Option<&str>, esm: bool) -> Option<Scene> {
    let agent = agent()?;
    let scene = Scene::new();
    let exporter = match endpoint {
        Some(address) => format!(
            "OTEL_EXPORTER_OTLP_ENDPOINT = \"{address}\"\nOTEL_EXPORTER_OTLP_PROTOCOL = \
             \"http/protobuf\"\nOTEL_METRICS_EXPORTER = \"none\"\nOTEL_LOGS_EXPORTER = \"none\"\n\
             OTEL_BSP_SCHEDULE_DELAY = \"200\"\n"
        ),
        None => QUIET.to_owned(),
    };
    let more = format!(
        "esm = {esm}\n[environment]\n{exporter}OTEL_SERVICE_NAME = \"shop\"\n\
         [resource_attributes]\nteam = \"a b\"\nuser.key = \"ours\"\n"
    );
    configure(&scene, agent.to_str().unwrap(), &more);
    let modules = scene.path("node_modules");
    std::os::unix::fs::symlink(agent.join("node_modules"), modules).unwrap();
    Some(scene)
}

/// A scene whose agent is `source`, in a folder whose name Node would have to have quoted.
fn stand_in_scene(source: &str) -> Scene {
    let scene = Scene::new();
    let folder = stand_in_folder(&scene);
    let entry = folder.join(ENTRY);
    fs::create_dir_all(entry.parent().unwrap()).unwrap();
    fs::write(&entry, source).unwrap();
    let more = "[environment]\nOTEL_SERVICE_NAME = \"shop\"\n[resource_attributes]\nteam = \"x\"\n";
    configure(&scene, folder.to_str().unwrap(), more);
    scene
}

fn stand_in() -> Scene {
    stand_in_scene(&fs::read_to_string(script("stand_in.js")).unwrap())
}

fn stand_in_folder(scene: &Scene) -> PathBuf {
    scene.path("it's a \"folder\" \\ of ours")
}

/// What the stand-in has noted: thread, service name, resource attributes.
fn loaded(scene: &Scene) -> Vec<String> {
    let notes = stand_in_folder(scene).join(ENTRY).with_file_name("loaded");
    let notes = fs::read_to_string(notes).unwrap_or_default();
    notes.lines().map(str::to_owned).collect()
}

/// A command with a debug log, for a reason in it.
fn told(scene: &Scene, program: impl AsRef<OsStr>) -> Command {
    let mut command = scene.command(program, "direct");
    command.env("OPENTELEMETRY_INJECTOR_DEBUG", "true");
    command
}

fn assert_left_alone(output: &Output, reason: &str) {
    let errors = stderr(output);
    let line = errors
        .lines()
        .find(|line| line.contains("NODE_OPTIONS stays"));
    let line = line.unwrap_or_else(|| panic!("no reason: {errors}"));
    assert!(line.contains(reason), "{line}");
}

/// The same run with and without the preload object: standard output, standard error, exit status.
fn assert_same(scene: &Scene, engine: &str, arguments: &[&str], options: Option<&str>) {
    let run = |with: bool| {
        let mut command = scene.command("node", engine);
        command.args(arguments).current_dir(root().join("tests"));
        if let Some(options) = options {
            command.env(NAME, options);
        }
        if !with {
            command.env("LD_PRELOAD", "");
        }
        let output = command.output().unwrap();
        // Node tells its process number in warnings.
        let errors = stderr(&output);
        let errors = errors.replace(|character: char| character.is_ascii_digit(), "");
        (stdout(&output), errors, output.status)
    };
    assert_eq!(run(true), run(false), "{engine} {arguments:?} {options:?}");
}

/// The server's address, once it listens.
fn address(server: &Background) -> String {
    server.wait_for("address of the server", |line| {
        Some(line.strip_prefix("listening on ")?.to_owned())
    })
}

/// Starts a copy of a server script beside the modules, asks it, and returns a span of `scope`.
fn span(scene: &Scene, sink: &Sink, engine: &str, file: &str, scope: &str, more: &[&str]) -> Value {
    let copy = scene.path(file);
    fs::copy(script(file), &copy).unwrap();
    let mut command = scene.command("node", engine);
    command
        .arg(copy)
        .args(more)
        .env("OTEL_RESOURCE_ATTRIBUTES", "user.key=theirs");
    let server = Background::start(&mut command);
    let url = address(&server) + "/hello";
    let environ = fs::read(format!("/proc/{}/environ", server.id())).unwrap();
    assert!(!String::from_utf8_lossy(&environ).contains(NAME));
    // From outside: this client is no Node process and has no preload object.
    succeed(Command::new("curl").args(["--silent", "--fail", &url]));
    sink.wait_for("span of the server", |span| {
        let is_it = span["scope"].as_str()?.ends_with(scope);
        is_it.then(|| span.clone())
    })
}

fn assert_resource(span: &Value) {
    assert_eq!(span["service"], "shop");
    assert_eq!(span["resource"]["team"], "a b");
    assert_eq!(span["resource"]["user.key"], "theirs");
}

#[test]
fn an_express_server_yields_spans() {
    if !has("node") || !has("curl") {
        skip!("no node or no curl");
    }
    for engine in engines() {
        let sink = Sink::start();
        let Some(scene) = real_scene(Some(&sink.endpoint), false) else {
            skip!("no agent in .cache/nodejs: scripts/fetch-nodejs-agent fetches it");
        };
        let http = span(
            &scene,
            &sink,
            engine,
            "server.js",
            "instrumentation-http",
            &[],
        );
        assert_eq!(http["kind"], "SERVER");
        assert_resource(&http);
        let sink = Sink::start();
        let scene = real_scene(Some(&sink.endpoint), false).unwrap();
        let express = span(
            &scene,
            &sink,
            engine,
            "server.js",
            "instrumentation-express",
            &[],
        );
        assert_resource(&express);
    }
}

#[test]
fn the_agent_runs_by_a_file_through_a_file_to_require() {
    let Some(agent) = agent().filter(|_| has("node")) else {
        skip!("no node, or no agent in .cache/nodejs: scripts/fetch-nodejs-agent fetches it");
    };
    let sink = Sink::start();
    let scene = Scene::new();
    // As the official package has it: a file to require beside the agent's packages.
    let folder = scene.path("nodejs");
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(agent.join("node_modules"), folder.join("node_modules")).unwrap();
    let register = folder.join("register.js");
    fs::write(&register, format!("require('./{ENTRY}')")).unwrap();
    let file = root().join("packaging/otel-config.yaml");
    for named in [format!("OTEL_CONFIG_FILE = {file:?}\n"), String::new()] {
        let more = format!(
            "[environment]\nOTEL_EXPORTER_OTLP_ENDPOINT = \"{}\"\nOTEL_SERVICE_NAME = \"declared\"\n\
             {named}[resource_attributes]\nteam = \"a b\"\n",
            sink.endpoint
        );
        configure(&scene, register.to_str().unwrap(), &more);
        let program = "require('http').get(process.argv[1], (answer) => answer.resume()); \
                       console.log(require('child_process').execSync('env').includes('OTEL_CONFIG'))";
        let mut command = scene.command("node", "direct");
        command.env("PATH", std::env::var_os("PATH").unwrap());
        assert_eq!(
            succeed(command.args(["-e", program, &sink.endpoint])),
            "false\n"
        );
        let span = sink.wait_for("span of the request", |span| {
            (span["kind"] == "CLIENT").then(|| span.clone())
        });
        assert_eq!(span["service"], "declared");
        assert_eq!(span["resource"]["team"], "a b");
    }
}

#[test]
fn another_vendors_settings_reach_the_agent_and_no_child() {
    if !has("node") {
        skip!("no node");
    }
    let scene =
        stand_in_scene("globalThis.realm = process.env.SPLUNK_REALM + process.env.ELASTIC_OTEL_A;");
    let folder = stand_in_folder(&scene);
    let more = "environment.SPLUNK_REALM = \"eu\"\n[environment]\nELASTIC_OTEL_A = \"1\"\n";
    configure(&scene, folder.to_str().unwrap(), more);
    let file = std::fs::read_to_string(&scene.configuration).unwrap();
    scene.configure(&format!(
        "environment_prefixes = [\"ELASTIC_OTEL_\"]\n{file}"
    ));
    let program = "console.log(realm); \
                   console.log(require('child_process').execSync('env').includes('SPLUNK'))";
    for engine in engines() {
        let mut command = scene.command("node", engine);
        let printed = succeed(
            command
                .args(["-e", program])
                .env("PATH", std::env::var("PATH").unwrap()),
        );
        assert_eq!(printed, "eu1\nfalse\n", "{engine}");
    }
}

#[test]
fn a_server_in_a_worker_thread_yields_spans_with_all_settings() {
    if !has("node") || !has("curl") {
        skip!("no node or no curl");
    }
    let sink = Sink::start();
    let Some(scene) = real_scene(Some(&sink.endpoint), false) else {
        skip!("no agent in .cache/nodejs: scripts/fetch-nodejs-agent fetches it");
    };
    let http = span(
        &scene,
        &sink,
        "auto",
        "server.js",
        "instrumentation-http",
        &["worker"],
    );
    assert_resource(&http);
}

#[test]
fn ecmascript_modules_yield_spans_where_esm_is_true() {
    if !has("node") || !has("curl") {
        skip!("no node or no curl");
    }
    for more in [&[][..], &["worker"]] {
        let sink = Sink::start();
        let Some(scene) = real_scene(Some(&sink.endpoint), true) else {
            skip!("no agent in .cache/nodejs: scripts/fetch-nodejs-agent fetches it");
        };
        let scope = "instrumentation-express";
        let express = span(&scene, &sink, "auto", "server.mjs", scope, more);
        assert_resource(&express);
    }
    // No warning of an experimental loader.
    let scene = real_scene(None, true).unwrap();
    let arguments = ["--input-type=module", "-e", "console.log(1)"];
    assert_same(&scene, "auto", &arguments, None);
}

#[test]
fn every_thread_sees_its_settings_and_no_child_does() {
    let Some(scene) = real_scene(None, false) else {
        skip!("no agent in .cache/nodejs: scripts/fetch-nodejs-agent fetches it");
    };
    for engine in engines() {
        let mut command = scene.command("node", engine);
        command
            .arg(script("facts.js"))
            .env(NAME, "--title=\"the user's\"")
            .env("OTEL_RESOURCE_ATTRIBUTES", "user.key=theirs");
        let printed = succeed(&mut command);
        let threads: Vec<Value> = printed
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(threads.len(), 3, "{printed}");
        for facts in threads {
            assert_eq!(facts["agent"], true, "{facts}");
            assert_eq!(facts["service"], "shop", "{facts}");
            assert_eq!(facts["options"], "--title=\"the user's\"", "{facts}");
            assert_eq!(facts["execArgv"], Value::Array(Vec::new()), "{facts}");
            let mut names: Vec<_> = facts["names"].as_array().unwrap().clone();
            names.sort_by_key(ToString::to_string);
            assert_eq!(names, [NAME, "OTEL_RESOURCE_ATTRIBUTES"], "{facts}");
            let mut child: Vec<_> = facts["child"].as_array().unwrap().clone();
            child.sort_by_key(ToString::to_string);
            let wanted = [
                "NODE_OPTIONS=--title=\"the user's\"",
                "OTEL_RESOURCE_ATTRIBUTES=user.key=theirs",
            ];
            assert_eq!(child, wanted, "{facts}");
        }
    }
}

#[test]
fn an_empty_setting_of_the_users_reaches_children_as_it_is() {
    if !has("node") {
        skip!("no node");
    }
    let scene = stand_in();
    let mut command = scene.command("node", "auto");
    let ask = "console.log(require('child_process').execSync('echo [$OTEL_SERVICE_NAME]') + '')";
    command.args(["-e", ask]).env("OTEL_SERVICE_NAME", "");
    assert_eq!(succeed(&mut command), "[]\n\n");
    assert_eq!(loaded(&scene), ["0 shop team=x"]);
}

#[test]
fn programs_run_the_same_with_the_agent() {
    let Some(scene) = real_scene(None, false) else {
        skip!("no agent in .cache/nodejs: scripts/fetch-nodejs-agent fetches it");
    };
    let hello = scene.path("hello.js");
    fs::write(&hello, "console.log('hello'); console.error('there')").unwrap();
    let throwing = scene.path("throwing.js");
    fs::write(&throwing, "console.log(1);\nthrow new Error('mine')").unwrap();
    let hello = hello.to_str().unwrap();
    let throwing = throwing.to_str().unwrap();
    for engine in engines() {
        for arguments in [
            &[hello][..],
            &[throwing],
            &["-e", "console.log('x'); process.exitCode = 3"],
            &["-e", "console.log('x'); process.exit(4)"],
            &["-e", "Promise.reject(new Error('mine'))"],
            &["-e", "process.kill(process.pid, 'SIGKILL')"],
            &["-p", "process.env.NODE_OPTIONS"],
            &[
                "-p",
                "JSON.stringify([process.argv, process.execArgv, Object.keys(process.env)])",
            ],
            &["--input-type=module", "-e", "console.log(import.meta.url)"],
            &["--check", hello],
            &["--version"],
        ] {
            assert_same(&scene, engine, arguments, None);
        }
        assert_same(
            &scene,
            engine,
            &["-p", "process.env.NODE_OPTIONS"],
            Some("--no-warnings"),
        );
    }
}

#[test]
fn a_signal_ends_the_program_as_without_the_agent() {
    let Some(scene) = real_scene(None, false) else {
        skip!("no agent in .cache/nodejs: scripts/fetch-nodejs-agent fetches it");
    };
    let waits = "setInterval(() => {}, 1000); process.kill(process.pid, 'SIGTERM')";
    assert_same(&scene, "auto", &["-e", waits], None);
    // And the application's own handler is the only one that decides.
    let handles = format!("process.on('SIGTERM', () => setTimeout(process.exit, 500, 5)); {waits}");
    assert_same(&scene, "auto", &["-e", &handles], None);
}

#[test]
fn a_script_on_standard_input_runs() {
    if !has("node") {
        skip!("no node");
    }
    let scene = stand_in();
    let file = scene.path("script");
    fs::write(&file, "console.log(process.env.NODE_OPTIONS)").unwrap();
    for arguments in [&[][..], &["-"]] {
        let mut command = scene.command("node", "auto");
        command.stdin(Stdio::from(fs::File::open(&file).unwrap()));
        assert_eq!(succeed(command.args(arguments)), "undefined\n");
    }
    assert_eq!(loaded(&scene).len(), 2);
}

#[test]
fn a_failing_agent_changes_nothing() {
    if !has("node") {
        skip!("no node");
    }
    for source in [
        "throw new Error('broken')",
        "{",
        "require('not-there')",
        "throw null",
    ] {
        let scene = stand_in_scene(source);
        assert_same(&scene, "auto", &["-p", "1"], None);
        let facts = script("facts.js");
        let printed = succeed(scene.command("node", "auto").arg(facts));
        assert_eq!(printed.lines().count(), 3, "{printed}");
    }
}

#[test]
fn values_that_node_refuses_are_left_alone() {
    if !has("node") {
        skip!("no node");
    }
    let scene = stand_in();
    for options in ["-r \"x", "\"x\\", "--eval=1", "--require", "--not-there"] {
        assert_same(&scene, "auto", &["-p", "1"], Some(options));
    }
    assert_eq!(loaded(&scene), [""; 0]);
    let unmatched = told(&scene, "node")
        .args(["-p", "1"])
        .env(NAME, "\"")
        .output()
        .unwrap();
    assert_left_alone(&unmatched, "unmatched quote");
}

#[test]
fn nodes_permission_model_is_respected() {
    if !has("node") {
        skip!("no node");
    }
    let scene = stand_in();
    let arguments = ["--experimental-permission", "-p", "1"];
    assert_same(&scene, "auto", &arguments, None);
    let output = told(&scene, "node").args(arguments).output().unwrap();
    assert_left_alone(&output, "permission model");
    assert_eq!(loaded(&scene), [""; 0]);
}

#[test]
fn the_agent_is_loaded_once_per_thread_and_never_beside_the_hooks() {
    if !has("node") {
        skip!("no node");
    }
    let scene = stand_in();
    let hooks = scene.path("hooks.mjs");
    fs::write(&hooks, "").unwrap();
    let hooks = hooks.to_str().unwrap();
    let register = format!("require('module').register('file://{hooks}')");
    succeed(scene.command("node", "auto").args(["-e", &register]));
    succeed(
        scene
            .command("node", "auto")
            .args(["--experimental-loader", hooks, "-e", "1"]),
    );
    assert_eq!(loaded(&scene), ["0 shop team=x"; 2]);
    let mut command = scene.command("node", "auto");
    command.env("OTEL_INJECTOR_K8S_POD_NAME", "shop-1");
    succeed(command.arg(script("facts.js")));
    let noted = loaded(&scene);
    // A worker that shares the environment: what its user has set stays as it is there.
    let attributes = "k8s.pod.name=shop-1,team=x";
    let wanted = [0, 1, 2].map(|thread| format!("{thread} shop {attributes}"));
    assert_eq!(&noted[2..], wanted);
}

#[test]
fn our_own_option_in_the_value_is_not_doubled() {
    if !has("node") {
        skip!("no node");
    }
    let scene = stand_in();
    let passed_on = format!("--require {}", boot_file().display());
    let mut command = scene.command("node", "auto");
    command
        .args(["-p", "process.env.NODE_OPTIONS"])
        .env(NAME, passed_on);
    // The agent is loaded once, and children inherit nothing of what was passed on.
    assert_eq!(succeed(&mut command), "undefined\n");
    assert_eq!(loaded(&scene), ["0 shop team=x"]);
}

#[test]
fn package_managers_are_left_alone_and_their_children_are_not() {
    if !has("npm") {
        skip!("no npm");
    }
    let scene = stand_in();
    for program in ["npm", "npx"] {
        let output = told(&scene, program).arg("--version").output().unwrap();
        assert_left_alone(&output, "a package manager");
    }
    assert_eq!(loaded(&scene), [""; 0]);

    let package = r#"{"scripts": {"start": "node -p process.env.NODE_OPTIONS"}}"#;
    fs::write(scene.path("package.json"), package).unwrap();
    let mut npm = scene.command("npm", "auto");
    npm.args(["--silent", "start"])
        .current_dir(scene.folder.path());
    assert_eq!(succeed(npm.env("HOME", scene.folder.path())), "undefined\n");
    assert_eq!(loaded(&scene).len(), 1);
}

#[test]
fn an_old_node_is_left_alone() {
    if !has("node") {
        skip!("no node");
    }
    let scene = stand_in();
    for (version, wanted) in [
        ("8.17.0", false),
        ("16.20.2", false),
        ("18.18.2", false),
        ("18.19.0", true),
        ("19.9.0", false),
        ("20.5.1", false),
        ("20.6.0", true),
        ("22.0.0-nightly", true),
        ("100.0.0", true),
    ] {
        let mut command = Command::new("node");
        command
            .env_clear()
            .arg(script("old_version.js"))
            .arg(boot_file())
            .arg(version)
            .arg(stand_in_folder(&scene));
        let output = command
            .env("PATH", std::env::var("PATH").unwrap())
            .output()
            .unwrap();
        assert_eq!(stdout(&output), format!("{wanted}\n"), "{version}");
        assert_eq!(stderr(&output), "");
    }
}

#[test]
fn a_missing_or_unreadable_agent_leaves_node_untouched() {
    if !has("node") {
        skip!("no node");
    }
    let scene = stand_in();
    let entry = stand_in_folder(&scene).join(ENTRY);
    if is_root() && has("setpriv") {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&entry, mode).unwrap();
        let mut command = told(&scene, "setpriv");
        command.args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "node",
            "-p",
            "1",
        ]);
        let output = command.output().unwrap();
        assert_eq!(stdout(&output), "1\n");
        assert_left_alone(&output, "missing or not readable");
    } else {
        println!("skipped: an unreadable agent, which needs root and setpriv");
    }
    fs::remove_file(&entry).unwrap();
    assert_same(&scene, "auto", &["-p", "1"], None);
    let output = told(&scene, "node").args(["-p", "1"]).output().unwrap();
    assert_left_alone(&output, "missing or not readable");
}

#[test]
fn the_users_own_agent_is_the_only_one() {
    if !has("node") {
        skip!("no node");
    }
    let scene = stand_in();
    let theirs = scene.path("node_modules/dd-trace");
    fs::create_dir_all(&theirs).unwrap();
    fs::write(theirs.join("init.js"), "console.log('theirs')").unwrap();
    for arguments in [&["-r", "dd-trace/init"][..], &["--require=dd-trace/init"]] {
        let mut node = told(&scene, "node");
        node.args(arguments)
            .args(["-p", "1"])
            .current_dir(scene.folder.path());
        let output = node.output().unwrap();
        assert_eq!(stdout(&output), "theirs\n1\n");
        assert_left_alone(&output, "Datadog is already on the command line");
    }
    let mut node = told(&scene, "node");
    node.args(["-p", "1"]).current_dir(scene.folder.path());
    let output = node.env(NAME, "--require dd-trace/init").output().unwrap();
    assert_eq!(stdout(&output), "theirs\n1\n");
    assert_left_alone(&output, "Datadog is already in NODE_OPTIONS");
    assert_eq!(loaded(&scene), [""; 0]);

    configure(
        &scene,
        stand_in_folder(&scene).to_str().unwrap(),
        "allow_other_agents = true\n",
    );
    let mut node = scene.command("node", "auto");
    node.args(["-r", "dd-trace/init", "-p", "1"])
        .current_dir(scene.folder.path());
    assert_eq!(succeed(&mut node), "theirs\n1\n");
    assert_eq!(loaded(&scene).len(), 1);
}

#[test]
fn another_program_that_asks_is_no_node() {
    let scene = stand_in();
    let ask = scene.compile("ask");
    let names = [NAME, "OTEL_SERVICE_NAME"];
    let printed = succeed(scene.command(&ask, "direct").args(names));
    assert_eq!(printed, "NODE_OPTIONS=(null)\nOTEL_SERVICE_NAME=(null)\n");
}

/// Node builds a child's environment from `environ`'s names and `getenv`'s values.
#[test]
fn what_other_runtimes_are_given_does_not_reach_nodes_children() {
    if !has("node") {
        skip!("no node");
    }
    let scene = Scene::new();
    let agent = scene.path("agent");
    fs::create_dir(&agent).unwrap();
    fs::write(agent.join("autoload.php"), "").unwrap();
    fs::write(agent.join("agent.rb"), "").unwrap();
    let agent = agent.display();
    scene.configure(&format!(
        "[python]\nagent_path = '{agent}/{{version}}'\n[php]\nagent_path = '{agent}'\n\
         [ruby]\nagent_path = '{agent}/agent.rb'\n"
    ));
    let users = [
        ("PYTHONPATH", "/mine"),
        ("RUBYOPT", "-w"),
        ("PHP_INI_SCAN_DIR", ":/mine"),
    ];
    let is_theirs =
        |text: &str| users.map(|(name, value)| text.contains(&format!("{name}={value}\n")));
    // Programs with the names of these runtimes get something else; PHP looks at more than its name.
    let ask = scene.compile("ask");
    for (program, name, value) in [
        ("python3", "PYTHONPATH", "/mine"),
        ("ruby", "RUBYOPT", "-w"),
    ] {
        let program = scene.path(program);
        fs::copy(&ask, &program).unwrap();
        let asked = succeed(scene.command(&program, "direct").arg(name).envs(users));
        assert_ne!(asked, format!("{name}={value}\n"));
    }

    let script = "require('child_process').spawnSync('env', {stdio: 'inherit'})";
    let mut node = scene.command("node", "direct");
    let child = succeed(node.args(["-e", script]).envs(users));
    assert_eq!(is_theirs(&child), [true; 3], "{child}");
}
