//! Real JVMs with the real OpenTelemetry Java agent.

use opentelemetry_injector_policy::runtimes::jvm::launcher;
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{
    Background, Scene, Sink, engines, has, is_root, root, skip, stderr, stdout, succeed,
};

const NAME: &str = "JAVA_TOOL_OPTIONS";

/// The agent, where scripts/fetch-java-agent has put it.
pub fn agent() -> Option<PathBuf> {
    let folder = fs::read_dir(root().join(".cache")).ok()?;
    let mut paths = folder.filter_map(|entry| entry.ok()?.path().canonicalize().ok());
    paths.find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("opentelemetry-javaagent") && name.ends_with(".jar")
    })
}

/// The homes of the JDKs on this machine, each once.
fn jdks() -> Vec<PathBuf> {
    let folder = fs::read_dir("/usr/lib/jvm").into_iter().flatten();
    let homes = folder.filter_map(|entry| entry.ok()?.path().canonicalize().ok());
    let mut homes: Vec<_> = homes
        .filter(|home| home.join("bin/javac").is_file())
        .collect();
    homes.sort();
    homes.dedup();
    homes
}

/// A scene with the real agent, which sends nothing unless `sink` is given.
fn scene(agent: &Path, sink: Option<&str>, more: &str) -> Scene {
    let scene = Scene::new();
    let exporter = match sink {
        Some(address) => format!("OTEL_EXPORTER_OTLP_ENDPOINT = \"{address}\"\n"),
        None => "OTEL_TRACES_EXPORTER = \"none\"\n".to_owned(),
    };
    scene.configure(&format!(
        "[jvm]\nagent_path = \"{}\"\n[environment]\n{exporter}\
         OTEL_METRICS_EXPORTER = \"none\"\nOTEL_LOGS_EXPORTER = \"none\"\n\
         OTEL_BSP_SCHEDULE_DELAY = \"200\"\n{more}",
        agent.display()
    ));
    scene
}

/// Compiles a Java source for the oldest JDK in question; returns the class path.
fn compile(scene: &Scene, jdk: &Path, source: &str) -> PathBuf {
    let classes = scene.path("classes");
    let mut javac = Command::new(jdk.join("bin/javac"));
    javac
        .args(["--release", "11", "-d"])
        .arg(&classes)
        .arg(root().join(source));
    succeed(&mut javac);
    classes
}

fn java(scene: &Scene, jdk: &Path, engine: &str, classes: &Path) -> Command {
    let mut command = scene.command(jdk.join("bin/java"), engine);
    command.arg("-cp").arg(classes);
    command
}

/// The lines `key=value` that `Inside` prints.
fn facts(text: &str) -> HashMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Runs `Inside` and returns what it saw, and its standard error.
fn look_inside(command: &mut Command, properties: &[&str]) -> (HashMap<String, String>, String) {
    let output = command.arg("Inside").args(properties).output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    (facts(&stdout(&output)), stderr(&output))
}

/// A client's and a server's span of one trace, the server's a child of the client's.
fn linked_spans(sink: &Sink) -> (Value, Value) {
    let mut clients: HashMap<String, Value> = HashMap::new();
    let mut servers: Vec<Value> = Vec::new();
    sink.wait_for("trace of a CLIENT and a SERVER span", |span| {
        match (span["kind"].as_str()?, span["service"].as_str()?) {
            ("CLIENT", "customer") => {
                clients.insert(span["span_id"].as_str()?.to_owned(), span.clone());
            }
            ("SERVER", "shop") => servers.push(span.clone()),
            _ => return None,
        }
        servers.iter().find_map(|server| {
            let client = clients.get(server["parent_span_id"].as_str()?)?;
            Some((client.clone(), server.clone()))
        })
    })
}

#[test]
fn a_client_and_a_server_yield_one_trace() {
    let Some(agent) = agent() else {
        skip!("no Java agent in .cache: scripts/fetch-java-agent fetches it");
    };
    let jdks = jdks();
    if jdks.is_empty() {
        skip!("no JDK");
    }
    // Each JDK once, each engine once.
    let last = engines().len() - 1;
    let runs = jdks.iter().enumerate();
    let runs = runs.map(|(index, jdk)| (jdk, engines()[index.min(last)]));
    for (jdk, engine) in runs {
        println!("{} on engine {engine}", jdk.display());
        one_trace(jdk, engine, &agent);
    }
}

fn one_trace(jdk: &Path, engine: &str, agent: &Path) {
    let sink = Sink::start();
    // What a user may write, and what the agent's parser must give back.
    let motto = "a,b=c d%20 \"\u{e4}\" 'x' \\y";
    let more = "[resource_attributes]\nshop.motto = '''a,b=c d%20 \"\u{e4}\" 'x' \\y'''\n\
                user.key = \"ours\"\n";
    let scene = scene(agent, Some(&sink.endpoint), more);
    compile(&scene, jdk, "demo/Server.java");
    let classes = compile(&scene, jdk, "demo/Client.java");

    let mut command = java(&scene, jdk, engine, &classes);
    command.env("OTEL_SERVICE_NAME", "shop");
    command.env("OTEL_RESOURCE_ATTRIBUTES", "user.key=theirs");
    command.env("OTEL_INJECTOR_K8S_POD_NAME", "shop-1");
    let server = Background::start(command.args(["Server", "0"]));
    let url = server.wait_for("address of the server", |line| {
        Some(line.strip_prefix("listening on ")?.to_owned())
    });
    let environ = fs::read(format!("/proc/{}/environ", server.id())).unwrap();
    assert!(!String::from_utf8_lossy(&environ).contains("javaagent"));

    let mut command = java(&scene, jdk, engine, &classes);
    let client = command
        .env("OTEL_SERVICE_NAME", "customer")
        .arg("Client")
        .arg(&url);
    let _client = Background::start(client);
    let (client, server) = linked_spans(&sink);
    assert_eq!(client["trace_id"], server["trace_id"]);
    assert_eq!(server["resource"]["shop.motto"], motto);
    assert_eq!(client["resource"]["shop.motto"], motto);
    assert_eq!(server["resource"]["user.key"], "theirs");
    assert_eq!(server["resource"]["k8s.pod.name"], "shop-1");
    assert_eq!(client["resource"]["user.key"], "ours");
}

#[test]
fn the_users_options_are_kept_and_nothing_shows() {
    let (Some(agent), Some(jdk)) = (agent(), jdks().into_iter().next()) else {
        skip!("no JDK or no Java agent in .cache");
    };
    for engine in engines() {
        let scene = scene(&agent, None, "OTEL_SERVICE_NAME = \"two words\"\n");
        let classes = compile(&scene, &jdk, "tests/programs/java/Inside.java");
        let mut command = java(&scene, &jdk, engine, &classes);
        command.env(NAME, "-Dtest.kept='yes it is'");
        let (facts, _) = look_inside(&mut command, &["test.kept", "otel.service.name"]);
        assert_eq!(facts["getenv"], "-Dtest.kept='yes it is'");
        assert_eq!(facts["test.kept"], "yes it is");
        assert_eq!(facts["otel.service.name"], "two words");
        assert_eq!(facts["agent"], "true");
        assert_eq!(
            (facts["environ"].as_str(), facts["children"].as_str()),
            ("false", "0")
        );
    }
}

#[test]
fn an_agent_in_a_folder_with_blanks_and_quotes_is_loaded() {
    let (Some(agent), Some(jdk)) = (agent(), jdks().into_iter().next()) else {
        skip!("no JDK or no Java agent in .cache");
    };
    let folder = Scene::new();
    let odd = folder.path("it's a \"folder\"");
    fs::create_dir(&odd).unwrap();
    let copy = odd.join("agent.jar");
    fs::copy(&agent, &copy).unwrap();
    let scene = Scene::new();
    scene.configure(&format!(
        "[jvm]\nagent_path = '''{}'''\n[environment]\nOTEL_TRACES_EXPORTER = \"none\"\n\
         OTEL_METRICS_EXPORTER = \"none\"\nOTEL_LOGS_EXPORTER = \"none\"\n",
        copy.display()
    ));
    let classes = compile(&scene, &jdk, "tests/programs/java/Inside.java");
    let (facts, _) = look_inside(&mut java(&scene, &jdk, "direct", &classes), &[]);
    assert_eq!(facts["agent"], "true");
}

#[test]
fn a_jvm_without_its_agent_runs_as_if_we_were_not_there() {
    let jdks = jdks();
    if jdks.is_empty() {
        skip!("no JDK");
    }
    for (jdk, engine) in jdks.iter().zip(engines().into_iter().cycle()) {
        let scene = Scene::new();
        let classes = compile(&scene, jdk, "tests/programs/java/Inside.java");
        fs::remove_file(&scene.agent).unwrap();
        let mut plain = java(&scene, jdk, engine, &classes);
        plain.env_remove("LD_PRELOAD");
        let with = look_inside(&mut java(&scene, jdk, engine, &classes), &[]);
        assert_eq!(with, look_inside(&mut plain, &[]));
        assert_eq!(with.1, "");
    }
}

#[test]
fn an_agent_that_the_jvms_user_cannot_read_is_left_out() {
    let (Some(agent), Some(jdk)) = (agent(), jdks().into_iter().next()) else {
        skip!("no JDK or no Java agent in .cache");
    };
    if !is_root() || !has("setpriv") {
        skip!("another user needs root and setpriv");
    }
    let scene = Scene::new();
    let secret = scene.path("agent.jar");
    fs::copy(&agent, &secret).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&secret, mode).unwrap();
    let classes = compile(&scene, &jdk, "tests/programs/java/Inside.java");
    let mut command = scene.command("setpriv", "direct");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(jdk.join("bin/java")).arg("-cp").arg(classes);
    let (facts, errors) = look_inside(&mut command, &[]);
    assert_eq!((facts["agent"].as_str(), errors.as_str()), ("false", ""));
}

#[test]
fn another_agent_on_the_command_line_stays_alone() {
    let (Some(agent), Some(jdk)) = (agent(), jdks().into_iter().next()) else {
        skip!("no JDK or no Java agent in .cache");
    };
    // The user's own copy of the OpenTelemetry agent, given by hand.
    let scene = scene(&agent, None, "");
    let copy = scene.path("opentelemetry-javaagent-own.jar");
    fs::copy(&agent, &copy).unwrap();
    let classes = compile(&scene, &jdk, "tests/programs/java/Inside.java");
    let mut command = scene.command(jdk.join("bin/java"), "direct");
    command
        .arg(format!("-javaagent:{}", copy.display()))
        .arg("-cp")
        .arg(classes);
    for exporter in ["TRACES", "METRICS", "LOGS"] {
        command.env(format!("OTEL_{exporter}_EXPORTER"), "none");
    }
    let (facts, errors) = look_inside(&mut command, &[]);
    assert_eq!(facts["agent"], "true");
    assert!(!errors.contains("Picked up"), "{errors}");
}

#[test]
fn the_agent_runs_by_a_file_and_children_inherit_nothing_of_what_it_refers_to() {
    let (Some(agent), Some(jdk)) = (agent(), jdks().pop()) else {
        skip!("no JDK, or no agent in .cache: scripts/fetch-java-agent fetches it");
    };
    // A busy machine takes longer than the file's collectors may.
    let file = std::fs::read_to_string(root().join("packaging/otel-config.yaml")).unwrap();
    let patient = file
        .replace("timeout: 1000", "timeout: 60000")
        .replace("timeout: 2000", "timeout: 60000");
    assert_ne!(patient, file);
    // By the configuration, and by the user.
    for is_ours in [true, false] {
        let sink = Sink::start();
        let files = Scene::new();
        let file = files.path("otel-config.yaml");
        std::fs::write(&file, &patient).unwrap();
        let named = format!("OTEL_CONFIG_FILE = {file:?}\n");
        let more = format!(
            "OTEL_SERVICE_NAME = \"declared\"\n{}[resource_attributes]\nteam = \"a b\"\n",
            if is_ours { &named } else { "" }
        );
        let scene = scene(&agent, Some(&sink.endpoint), &more);
        let classes = compile(&scene, &jdk, "tests/programs/java/Declared.java");
        let mut command = java(&scene, &jdk, "direct", &classes);
        command.env("OTEL_INJECTOR_K8S_POD_NAME", "shop-1");
        command.env("PATH", std::env::var_os("PATH").unwrap());
        if !is_ours {
            command.env("OTEL_CONFIG_FILE", &file);
        }
        let output = command.args(["Declared", &sink.endpoint]).output().unwrap();
        // The user's own names are a child's, too.
        let inherited = if is_ours { 1 } else { 2 };
        let wanted = format!("children={inherited}\n");
        assert_eq!(stdout(&output), wanted, "{}", stderr(&output));
        assert!(!stderr(&output).contains("ERROR"), "{}", stderr(&output));
        let span = sink.wait_for("span of the request", |span| {
            (span["kind"] == "CLIENT").then(|| span.clone())
        });
        assert_eq!(span["service"], "declared");
        assert_eq!(span["resource"]["team"], "a b");
        assert_eq!(span["resource"]["k8s.pod.name"], "shop-1");
    }
}

#[test]
fn jdk_tools_are_left_alone() {
    let (Some(agent), Some(jdk)) = (agent(), jdks().into_iter().next()) else {
        skip!("no JDK or no Java agent in .cache");
    };
    let scene = scene(&agent, None, "");
    for (tool, argument) in [("javac", "-version"), ("jar", "--version"), ("jps", "-q")] {
        let output = scene
            .command(jdk.join("bin").join(tool), "auto")
            .arg(argument)
            .output();
        let output = output.unwrap();
        assert!(output.status.success());
        assert_eq!(stderr(&output), "", "{tool}");
    }
    // Nor is `java` where it is only asked for information: scripts read that.
    let mut plain = scene.command(jdk.join("bin/java"), "auto");
    let plain = plain
        .arg("-version")
        .env_remove("LD_PRELOAD")
        .output()
        .unwrap();
    let mut with = scene.command(jdk.join("bin/java"), "auto");
    let with = with.arg("-version").output().unwrap();
    assert_eq!(stderr(&with), stderr(&plain));
}

#[test]
fn a_jvm_that_writes_an_archive_of_classes_succeeds() {
    let (Some(agent), Some(jdk)) = (agent(), jdks().into_iter().next()) else {
        skip!("no JDK or no Java agent in .cache");
    };
    let scene = scene(&agent, None, "");
    let archive = format!("-XX:SharedArchiveFile={}", scene.path("archive").display());
    let mut command = scene.command(jdk.join("bin/java"), "direct");
    succeed(command.args(["-Xshare:dump", &archive]));
    assert!(scene.path("archive").exists());
    // By another name, and where only a file tells.
    let classes = compile(&scene, &jdk, "tests/programs/java/Inside.java");
    let jar = scene.path("inside.jar");
    let mut archiver = Command::new(jdk.join("bin/jar"));
    archiver
        .arg("cf")
        .arg(&jar)
        .arg("-C")
        .arg(&classes)
        .arg(".");
    succeed(&mut archiver);
    let at_exit = format!(
        "-XX:ArchiveClassesAtExit={}",
        scene.path("at exit").display()
    );
    fs::write(scene.path("vm-options"), format!("'{at_exit}'")).unwrap();
    fs::write(scene.path("options"), format!("# comment's\n'{at_exit}'\n")).unwrap();
    for arguments in [
        &["-XX:+DumpSharedSpaces", &archive][..],
        &["@options", "Inside"],
        &["-XX:VMOptionsFile=vm-options", "Inside"],
    ] {
        let mut command = java(&scene, &jdk, "direct", &jar);
        command.args(arguments).current_dir(scene.folder.path());
        succeed(&mut command);
    }
    assert!(scene.path("at exit").exists());
}

/// The agent would print a stack trace and not start.
#[test]
fn a_jvm_with_a_security_manager_runs_as_without_us() {
    const MANAGER: &str = "-Djava.security.manager";
    let (Some(agent), Some(jdk)) = (agent(), jdks().into_iter().next()) else {
        skip!("no JDK or no Java agent in .cache");
    };
    let scene = scene(&agent, None, "");
    fs::write(scene.path("Shop.java"), SHOP).unwrap();
    let classes = scene.folder.path();
    let mut javac = Command::new(jdk.join("bin/javac"));
    succeed(javac.arg("Shop.java").current_dir(classes));
    let run = |with: bool| {
        let mut command = java(&scene, &jdk, "direct", classes);
        command.args([MANAGER, "Shop"]);
        if !with {
            command.env_remove("LD_PRELOAD");
        }
        command.output().unwrap()
    };
    let plain = run(false);
    if !stdout(&plain).contains("a manager") {
        skip!("this JDK has no security manager: {}", stderr(&plain));
    }
    let with = run(true);
    assert_eq!(
        (stdout(&with), stderr(&with)),
        (stdout(&plain), stderr(&plain))
    );
}

/// A launcher that jpackage made takes options from a file.
#[test]
fn options_in_the_configuration_of_a_packaged_application_count() {
    let (Some(agent), Some(jdk)) = (agent(), jdks().into_iter().next()) else {
        skip!("no JDK or no Java agent in .cache");
    };
    let jpackage = jdk.join("bin/jpackage");
    if !jpackage.exists() {
        skip!("no jpackage");
    }
    let scene = scene(&agent, None, "");
    let input = scene.path("input");
    fs::create_dir(&input).unwrap();
    fs::write(input.join("Shop.java"), SHOP).unwrap();
    let mut javac = Command::new(jdk.join("bin/javac"));
    succeed(javac.arg("Shop.java").current_dir(&input));
    let mut jar = Command::new(jdk.join("bin/jar"));
    succeed(
        jar.args(["cf", "shop.jar", "Shop.class"])
            .current_dir(&input),
    );
    let mut package = Command::new(jpackage);
    package.args(["--type", "app-image", "--name", "Shop", "--input", "input"]);
    package.args(["--main-jar", "shop.jar", "--main-class", "Shop"]);
    package.args(["--add-modules", "java.base,java.instrument"]);
    succeed(package.current_dir(scene.folder.path()));
    let run = |with: bool| {
        let mut command = scene.command(scene.path("Shop/bin/Shop"), "direct");
        if !with {
            command.env_remove("LD_PRELOAD");
        }
        let output = command.output().unwrap();
        (stdout(&output), stderr(&output))
    };
    assert!(run(true).1.contains("-javaagent:"), "{:?}", run(true));
    let file = scene.path("Shop/lib/app/Shop.cfg");
    let configuration = fs::read_to_string(&file).unwrap();
    let option = "java-options=-Djava.security.manager\n";
    fs::write(&file, configuration + option).unwrap();
    let plain = run(false);
    if !plain.0.contains("a manager") {
        skip!("this JDK has no security manager: {plain:?}");
    }
    assert_eq!(run(true), plain);
}

const SHOP: &str = "class Shop { public static void main(String[] arguments) {\n\
    System.out.println(System.getSecurityManager() == null ? \"none\" : \"a manager\"); } }\n";

#[test]
fn an_image_without_instrumentation_starts() {
    let Some(jdk) = jdks()
        .into_iter()
        .find(|jdk| jdk.join("bin/jlink").exists())
    else {
        skip!("no jlink");
    };
    let scene = Scene::new();
    let image = scene.path("image");
    let mut jlink = Command::new(jdk.join("bin/jlink"));
    jlink
        .args(["--add-modules", "java.base", "--output"])
        .arg(&image);
    succeed(&mut jlink);
    let classes = compile(&scene, &jdk, "tests/programs/java/Inside.java");
    let mut command = java(&scene, &image, "direct", &classes);
    command.env("OPENTELEMETRY_INJECTOR_DEBUG", "true");
    let (facts, errors) = look_inside(&mut command, &[]);
    assert_eq!(facts["agent"], "false");
    assert!(errors.contains("no libinstrument.so beside "), "{errors}");

    // Nor does a program stop that has asked for the variable before it loads this image.
    let headers = jdk.join("include").canonicalize().unwrap();
    let include = [
        format!("-I{}", headers.display()),
        format!("-I{}/linux", headers.display()),
    ];
    let program = scene.compile_with("cc", "jni_embedder", &[&include[0], &include[1], "-ldl"]);
    let mut command = scene.command(&program, "direct");
    succeed(command.arg(image.join("lib/server/libjvm.so")));
}

#[test]
fn a_program_that_loads_libjvm_itself_is_injected() {
    let (Some(agent), Some(jdk)) = (agent(), jdks().into_iter().next()) else {
        skip!("no JDK or no Java agent in .cache");
    };
    let scene = scene(&agent, None, "OTEL_SERVICE_NAME = \"embedded\"\n");
    let headers = jdk.join("include").canonicalize().unwrap();
    let include = [
        format!("-I{}", headers.display()),
        format!("-I{}/linux", headers.display()),
    ];
    let program = scene.compile_with("cc", "jni_embedder", &[&include[0], &include[1], "-ldl"]);
    for engine in engines() {
        let mut command = scene.command(&program, engine);
        let output = command
            .arg(jdk.join("lib/server/libjvm.so"))
            .output()
            .unwrap();
        let errors = stderr(&output);
        assert_eq!(stdout(&output), "otel.service.name=embedded\n", "{errors}");
        assert!(errors.contains("Picked up"), "{errors}");
    }
}

/// The options that a help text shows with a value in the next argument.
fn options_with_value(help: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in help.lines() {
        let mut words = line.split_whitespace();
        let (Some(option), Some(value)) = (words.next(), words.next()) else {
            continue;
        };
        if option.starts_with('-') && !option.contains('<') && value.starts_with('<') {
            found.push(option.to_owned());
        }
    }
    found
}

#[test]
fn the_launchers_options_with_a_value_are_known() {
    let jdks = jdks();
    if jdks.is_empty() {
        skip!("no JDK");
    }
    for jdk in jdks {
        for help in ["--help", "--help-extra"] {
            let help = succeed(Command::new(jdk.join("bin/java")).arg(help));
            let options = options_with_value(&help);
            assert!(options.len() > 4, "{help}");
            for option in options {
                let known = launcher::WITH_VALUE.split(' ').any(|known| known == option);
                assert!(known, "{} of {}", option, jdk.display());
            }
        }
    }
}

/// Runs `Inside` with words of the launcher in front, in the scene's folder; a JVM that is left alone
/// has no agent, and says nothing.
fn is_left_alone(scene: &Scene, jdk: &Path, jar: &Path, words: &[&str], variable: Option<&str>) {
    let mut command = java(scene, jdk, "direct", jar);
    command.args(words).current_dir(scene.folder.path());
    if let Some(value) = variable {
        command.env("JDK_JAVA_OPTIONS", value);
    }
    let output = command.arg("Inside").output().unwrap();
    let told = stdout(&output) + &stderr(&output);
    assert!(output.status.success(), "{words:?}: {told}");
    assert!(!told.contains("[error]"), "{words:?}: {told}");
    assert_eq!(
        facts(&stdout(&output))["agent"],
        "false",
        "{words:?}: {told}"
    );
}

#[test]
fn options_that_forbid_an_agent_are_found_wherever_they_stand() {
    let Some(agent) = agent() else {
        skip!("no Java agent in .cache: scripts/fetch-java-agent fetches it");
    };
    for jdk in jdks() {
        let scene = scene(&agent, None, "");
        let classes = compile(&scene, &jdk, "tests/programs/java/Inside.java");
        let jar = scene.path("inside.jar");
        let mut archiver = Command::new(jdk.join("bin/jar"));
        succeed(
            archiver
                .arg("cf")
                .arg(&jar)
                .arg("-C")
                .arg(&classes)
                .arg("."),
        );
        for (name, content) in [
            (
                "arguments",
                "-Dtest.x=\"a \\\n b\" -XX:ArchiveClassesAtExit=one",
            ),
            ("flags", "# comment\nArchiveClassesAtExit=two\n"),
            (
                "vm-options",
                "-Dtest.x='a\nb' -XX:ArchiveClassesAtExit=three",
            ),
        ] {
            fs::write(scene.path(name), content).unwrap();
        }
        for (words, variable) in [
            (&["@arguments"][..], None),
            (&[], Some("@arguments")),
            (&["-XX:Flags=flags"], None),
            (&["-XX:VMOptionsFile=vm-options"], None),
            (&[], Some("-XX:VMOptionsFile=vm-options")),
        ] {
            is_left_alone(&scene, &jdk, &jar, words, variable);
        }
        assert!(scene.path("two").exists());
        // An archive that was made without an agent cannot be used with one by newer JVMs.
        let release = fs::read_to_string(jdk.join("release")).unwrap();
        if release.contains("JAVA_VERSION=\"25") {
            is_left_alone(&scene, &jdk, &jar, &["-XX:SharedArchiveFile=two"], None);
            is_left_alone(&scene, &jdk, &jar, &["-XX:AOTCacheOutput=cache"], None);
            is_left_alone(&scene, &jdk, &jar, &["-XX:AOTCache=cache"], None);
            is_left_alone(
                &scene,
                &jdk,
                &jar,
                &["-XX:AOTCache=cache", "-XX:AOTMode=on"],
                None,
            );
        }
    }
}

#[test]
fn a_source_files_launch_is_left_alone_in_silence() {
    let Some(agent) = agent() else {
        skip!("no Java agent in .cache: scripts/fetch-java-agent fetches it");
    };
    for jdk in jdks() {
        let scene = scene(&agent, None, "");
        let source = root().join("tests/programs/java/Inside.java");
        for words in [&["--source", "17"][..], &[]] {
            let mut command = scene.command(jdk.join("bin/java"), "direct");
            let output = command.args(words).arg(&source).output().unwrap();
            let told = (facts(&stdout(&output))["agent"].clone(), stderr(&output));
            assert_eq!(told, ("false".to_owned(), String::new()));
        }
    }
}

#[test]
fn a_jdk_tool_that_the_configuration_names_gets_the_agent() {
    let (Some(agent), Some(jdk)) = (agent(), jdks().into_iter().next()) else {
        skip!("no JDK or no Java agent in .cache");
    };
    let scene = scene(&agent, None, "[processes]\ninclude = [\"jar\"]\n");
    let mut command = scene.command(jdk.join("bin/jar"), "direct");
    let output = command.arg("--version").output().unwrap();
    let errors = stderr(&output);
    assert!(output.status.success(), "{errors}");
    assert!(
        errors.contains("opentelemetry-javaagent - version"),
        "{errors}"
    );
    assert!(!errors.contains("JDK tool detected"), "{errors}");
}
