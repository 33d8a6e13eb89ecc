//! `agent install`, `list`, `upgrade` and `remove`, from files: in images, and on this machine with layers
//! over its `/etc` and `/usr/lib`, where the agents are really started.

use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use support::command::{Outcome, Scratch, ran};
use support::{built, has, is_root, root, skip, take_signals};

const JAVA: &str = "usr/lib/opentelemetry/java";
const DROP_IN: &str = "etc/opentelemetry/injector/conf.d/java.toml";

/// The command with the object beside it.
fn command() -> PathBuf {
    built().join("opentelemetry-injector")
}

fn jar() -> Option<PathBuf> {
    let jar = root().join(".cache/opentelemetry-javaagent-2.33.1.jar");
    jar.is_file().then_some(jar)
}

/// An image without programs.
fn image() -> Scratch {
    let image = Scratch::new();
    fs::create_dir_all(image.path().join("etc")).unwrap();
    image
}

fn agent(image: &Scratch, words: &[&str]) -> Outcome {
    let words = [&["agent"], words, &["--root", "."]].concat();
    ran(image.command(&command(), &words))
}

/// What there is below the folder of Java's agents.
fn names(image: &Scratch) -> Vec<String> {
    let entries = fs::read_dir(image.path().join(JAVA)).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn assert_nothing_installed(image: &Scratch) {
    assert_eq!(names(image), [""; 0]);
    assert!(!image.path().join(DROP_IN).exists());
}

#[test]
fn versions_lie_side_by_side_and_the_link_names_one() {
    let Some(jar) = jar() else {
        skip!("no Java agent in .cache (scripts/fetch-java-agent)");
    };
    let jar = jar.to_str().unwrap();
    let image = image();
    let first = agent(&image, &["install", "jvm", "--from", jar]);
    assert_eq!(first.code, 0, "{first:?}");
    assert!(
        first
            .stdout
            .starts_with("jvm 2.33.1: /usr/lib/opentelemetry/java/2.33.1\n")
    );
    let second = ["install", "jvm", "--from", jar, "--version", "2.30.0"];
    let second = agent(&image, &second);
    assert_eq!(second.code, 0, "{second:?}");
    assert!(
        second
            .stdout
            .contains("(instead of 2.33.1, which running processes keep)")
    );
    assert_eq!(names(&image), ["2.30.0", "2.33.1", "current"]);
    let link = fs::read_link(image.path().join(JAVA).join("current")).unwrap();
    assert_eq!(link, Path::new("2.30.0"));
    let installed = image
        .path()
        .join(JAVA)
        .join("2.30.0/opentelemetry-javaagent.jar");
    assert_eq!(
        fs::metadata(installed).unwrap().permissions().mode() & 0o777,
        0o644
    );
    let drop_in = fs::read_to_string(image.path().join(DROP_IN)).unwrap();
    let named =
        "agent_path = \"/usr/lib/opentelemetry/java/current/opentelemetry-javaagent.jar\"\n";
    assert!(drop_in.ends_with(&format!("[jvm]\n{named}")), "{drop_in}");

    let listed = agent(&image, &["list", "--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let current = |index: usize| &listed["agents"][index]["current"];
    assert_eq!(
        (current(0), current(1)),
        (&Value::Bool(true), &Value::Bool(false))
    );
    assert_eq!(listed["agents"][1]["version"], "2.33.1");
    assert_eq!(listed["agents"][0]["tested_version"], "2.33.1");

    let upgraded = agent(&image, &["upgrade", "jvm", "--from", jar]);
    assert!(upgraded.stdout.starts_with("jvm 2.33.1: "), "{upgraded:?}");
    let kept = agent(&image, &["remove", "jvm", "--version", "2.33.1"]);
    assert_eq!(kept.code, 1, "the current one stays: {kept:?}");
    let removed = agent(&image, &["remove", "jvm", "--version", "2.30.0"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert_eq!(names(&image), ["2.33.1", "current"]);
    assert_eq!(agent(&image, &["remove", "jvm"]).code, 0);
    assert_nothing_installed(&image);
}

#[test]
fn what_others_wrote_into_a_drop_in_stays() {
    let Some(jar) = jar() else {
        skip!("no Java agent in .cache (scripts/fetch-java-agent)");
    };
    let image = image();
    image.write(DROP_IN, "# mine\n[jvm]\nallow_other_agents = true\n");
    let installed = agent(&image, &["install", "jvm", "--from", jar.to_str().unwrap()]);
    assert_eq!(installed.code, 0, "{installed:?}");
    let drop_in = fs::read_to_string(image.path().join(DROP_IN)).unwrap();
    assert!(
        drop_in.starts_with("# mine\n[jvm]\nagent_path = "),
        "{drop_in}"
    );
    assert!(
        drop_in.ends_with("allow_other_agents = true\n"),
        "{drop_in}"
    );
    let removed = agent(&image, &["remove", "jvm"]);
    assert!(
        removed.stderr.contains("remove its agent_path"),
        "{removed:?}"
    );
    assert_eq!(
        fs::read_to_string(image.path().join(DROP_IN)).unwrap(),
        drop_in
    );

    image.write(DROP_IN, "[jvm]\nagent_path = \"/opt/other.jar\"\n");
    let kept = agent(&image, &["install", "jvm", "--from", jar.to_str().unwrap()]);
    assert!(
        kept.stderr.contains("names /opt/other.jar; change it to"),
        "{kept:?}"
    );
}

#[test]
fn what_is_no_agent_is_not_installed() {
    let image = image();
    image.write("text.jar", "no jar");
    image.write("folder/opentelemetry-javaagent.txt", "");
    image.write("damaged.tar.gz", "no archive");
    for from in ["text.jar", "folder", "damaged.tar.gz", "missing.jar"] {
        let outcome = agent(
            &image,
            &["install", "jvm", "--from", from, "--version", "1.0"],
        );
        assert_eq!(outcome.code, 1, "{from}: {outcome:?}");
        assert!(
            outcome.stderr.contains(from.split('.').next().unwrap()),
            "{outcome:?}"
        );
        assert_nothing_installed(&image);
    }
    for runtime in ["nodejs", "python", "ruby", "php", "erlang", "dotnet"] {
        let outcome = agent(
            &image,
            &["install", runtime, "--from", "folder", "--version", "1.0"],
        );
        assert_eq!(outcome.code, 1, "{runtime}: {outcome:?}");
    }
}

#[test]
fn wrong_usage_changes_nothing() {
    let image = image();
    let cases: [&[&str]; 4] = [
        &["install"],
        &["install", "jvm", "nodejs", "--from", "x.jar"],
        &["install", "jvm", "--version", "../../etc"],
        &["upgrade"],
    ];
    for words in cases {
        let outcome = agent(&image, words);
        assert_eq!(outcome.code, 2, "{words:?}: {outcome:?}");
        assert_nothing_installed(&image);
    }
    let out = image.path().join("usr/lib");
    fs::create_dir_all(&out).unwrap();
    std::os::unix::fs::symlink("/tmp", out.join("opentelemetry")).unwrap();
    let outcome = agent(&image, &["install", "jvm", "--from", "x.jar"]);
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(outcome.stderr.contains("leads out of"), "{outcome:?}");
}

#[test]
fn a_file_is_what_its_checksum_says() {
    let Some(jar) = jar() else {
        skip!("no Java agent in .cache (scripts/fetch-java-agent)");
    };
    let image = image();
    fs::copy(jar, image.path().join("agent.jar")).unwrap();
    image.write(
        "agent.jar.sha256",
        format!("{}  agent.jar\n", "0".repeat(64)),
    );
    let refused = agent(&image, &["install", "jvm", "--from", "agent.jar"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("its checksum is "), "{refused:?}");
    assert_nothing_installed(&image);
    let mut sum = Command::new("sha256sum");
    let sum = ran({
        sum.arg("agent.jar").current_dir(image.path());
        sum
    });
    image.write("agent.jar.sha256", sum.stdout);
    let installed = agent(&image, &["install", "jvm", "--from", "agent.jar"]);
    assert_eq!(installed.code, 0, "{installed:?}");
}

/// A server that answers each request by its path: the status, the body, and how long the body is said
/// to be.
fn serve(answer: impl Fn(&str) -> (u16, Vec<u8>, usize) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut open: Vec<TcpStream> = Vec::new();
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = [0; 4096];
            let length = connection.read(&mut request).unwrap();
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let (status, body, length) = answer(request.split(' ').nth(1).unwrap());
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let _ = connection.write_all(head.as_bytes());
            let _ = connection.write_all(&body);
            if body.len() < length {
                // It stalls.
                open.push(connection);
            }
        }
    });
    format!("http://{address}")
}

#[test]
fn a_download_is_what_the_checksum_beside_it_says() {
    let Some(jar) = jar() else {
        skip!("no Java agent in .cache (scripts/fetch-java-agent)");
    };
    let content = fs::read(&jar).unwrap();
    let sum = ran({
        let mut sum = Command::new("sha256sum");
        sum.arg(&jar);
        sum
    });
    let sum = sum.stdout.split(' ').next().unwrap().to_owned();
    let list = move |sum: &str| format!("{sum}  *agent.jar\n{sum}  other.jar\n").into_bytes();
    let (right, wrong) = (list(&sum), list(&"0".repeat(64)));
    let server = serve(move |path| match path {
        "/good.jar" | "/bad.jar" | "/bare.jar" | "/right/agent.jar" | "/wrong/agent.jar" => {
            (200, content.clone(), content.len())
        }
        "/right/checksums.txt" => (200, right.clone(), right.len()),
        "/wrong/SHA256SUMS" => (200, wrong.clone(), wrong.len()),
        "/bad.jar.sha256" => (200, vec![b'0'; 64], 64),
        "/good.jar.sha1" => {
            let sum = b"b0ee5a5ebb3ba8ce1a9a2f1c0fa3e7a1f61f0c6e";
            (200, sum.to_vec(), sum.len())
        }
        _ => (404, Vec::new(), 0),
    });
    let image = image();
    let install = |name: &str| {
        let url = format!("{server}/{name}");
        agent(&image, &["install", "jvm", "--from", &url])
    };
    let bad = install("bad.jar");
    assert_eq!(bad.code, 1, "{bad:?}");
    assert!(bad.stderr.contains("its checksum is "), "{bad:?}");
    // A sum that is well-formed and another file's.
    assert_eq!(install("good.jar").code, 1);
    let missing = install("missing.jar");
    assert!(missing.stderr.contains("404"), "{missing:?}");
    let wrong = install("wrong/agent.jar");
    assert!(wrong.stderr.contains("its checksum is "), "{wrong:?}");
    assert_nothing_installed(&image);
    let right = install("right/agent.jar");
    assert_eq!(right.code, 0, "{right:?}");
    assert!(!right.stderr.contains("no checksum"), "{right:?}");
    let bare = install("bare.jar");
    assert_eq!(bare.code, 0, "{bare:?}");
    assert!(bare.stderr.contains("no checksum is published"), "{bare:?}");
}

#[test]
fn a_signal_leaves_nothing_behind() {
    take_signals();
    let server = serve(|_| (200, vec![0; 1000], 1_000_000));
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let image = image();
        let url = format!("{server}/agent.jar");
        let words = ["agent", "install", "jvm", "--from", &url, "--root", "."];
        let mut command = image.command(&command(), &words);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let start = Instant::now();
        let is_partial = |name: &String| name.starts_with(".partial-");
        while !names(&image).iter().any(is_partial) {
            assert!(start.elapsed() < Duration::from_secs(20), "no download");
            thread::sleep(Duration::from_millis(10));
        }
        thread::sleep(Duration::from_millis(200));
        let mut kill = Command::new("kill");
        kill.args([format!("-{signal}"), child.id().to_string()]);
        assert!(kill.status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(code));
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert!(said.contains("nothing is left half installed"), "{said}");
        assert_nothing_installed(&image);
    }
}

#[test]
fn what_a_killed_command_left_goes_with_the_next_one() {
    let Some(jar) = jar() else {
        skip!("no Java agent in .cache (scripts/fetch-java-agent)");
    };
    let image = image();
    image.write(&format!("{JAVA}/.partial-1/scratch/half"), "half");
    let installed = agent(&image, &["install", "jvm", "--from", jar.to_str().unwrap()]);
    assert_eq!(installed.code, 0, "{installed:?}");
    assert_eq!(names(&image), ["2.33.1", "current"]);
}

#[test]
fn a_full_disk_leaves_nothing_behind() {
    let Some(jar) = jar() else {
        skip!("no Java agent in .cache (scripts/fetch-java-agent)");
    };
    if !is_root() || !has("unshare") {
        skip!("a mount namespace needs root and unshare");
    }
    let image = image();
    fs::create_dir_all(image.path().join("usr/lib/opentelemetry")).unwrap();
    const SCRIPT: &str = r#"
        mount -t tmpfs -o size=1m tmpfs usr/lib/opentelemetry
        "$COMMAND" agent install jvm --from "$JAR" --root .
        code=$?
        find usr/lib/opentelemetry etc -type f
        exit $code
    "#;
    let mut full = image.command(Path::new("unshare"), &["-m", "sh", "-c", SCRIPT]);
    full.env("COMMAND", command()).env("JAR", jar);
    let outcome = ran(full);
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (1, ""),
        "{outcome:?}"
    );
    assert!(
        outcome.stderr.contains("No space left on device"),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("make room"), "{outcome:?}");
}

/// This machine with layers over `/etc` and `/usr/lib`, and without an injector's configuration.
const LAYERS: &str = r#"
    set -e
    mount -t tmpfs tmpfs "$FOLDER"
    for place in etc usr/lib; do
        mkdir -p "$FOLDER/$place/new" "$FOLDER/$place/work"
        mount -t overlay overlay -o "lowerdir=/$place,upperdir=$FOLDER/$place/new,workdir=$FOLDER/$place/work" "/$place"
    done
    rm -rf /etc/opentelemetry /usr/lib/opentelemetry
    set +e
"#;

/// Runs a script on that machine, or tells why it cannot.
fn on_layers(script: &str, from: &Path) -> Result<Outcome, String> {
    if !is_root() || !has("unshare") {
        return Err("a mount namespace needs root and unshare".into());
    }
    let scratch = Scratch::new();
    let layers = |script: &str| {
        let words = ["-m", "sh", "-c", script];
        let mut command = scratch.command(Path::new("unshare"), &words);
        command.env("FOLDER", scratch.path());
        command.env("COMMAND", self::command()).env("FROM", from);
        ran(command)
    };
    let only = layers(LAYERS);
    if only.code != 0 {
        return Err(format!("no overlay: {}", only.stderr));
    }
    Ok(layers(&format!("{LAYERS}{script}")))
}

/// Installs an agent, which starts a program with it; then `more`.
fn install_really(runtime: &str, from: &Path, version: &str, more: &str) -> Option<Outcome> {
    let script = format!(
        r#""$COMMAND" agent install {runtime} --from "$FROM" --version {version} && "$COMMAND" check
        {more}"#
    );
    match on_layers(&script, from) {
        Ok(outcome) => Some(outcome),
        Err(why) => {
            println!("skipped: {why}");
            None
        }
    }
}

fn assert_span_arrived(outcome: &Outcome, name: &str) {
    let first = format!("span: {name}");
    let line = outcome.stdout.lines().find(|line| line.contains(&first));
    let line = line.unwrap_or_else(|| panic!("no word of a span: {outcome:?}"));
    assert!(line.starts_with("ok "), "{outcome:?}");
    assert!(outcome.stdout.contains("service.name"), "{outcome:?}");
}

#[test]
fn a_jvm_sends_a_span_with_the_agent_that_was_installed() {
    let (Some(jar), true) = (jar(), has("java")) else {
        skip!("no java, or no Java agent in .cache (scripts/fetch-java-agent)");
    };
    let Some(outcome) =
        install_really("jvm", &jar, "2.33.1", r#""$COMMAND" doctor --spans --json"#)
    else {
        return;
    };
    assert_span_arrived(&outcome, "JVM");
    let json = outcome.stdout.split_once("\n{").unwrap().1;
    let doctor: Value = serde_json::from_str(&format!("{{{json}")).unwrap();
    let findings = doctor["findings"].as_array().unwrap();
    let span = findings
        .iter()
        .find(|finding| finding["subject"] == "span: JVM");
    let resource = &span.unwrap()["resource"];
    assert_eq!(resource["telemetry.sdk.language"], "java", "{doctor}");
    assert_eq!(resource["telemetry.distro.version"], "2.33.1", "{doctor}");
    let of_endpoint = findings
        .iter()
        .find(|finding| finding["subject"] == "endpoint");
    assert!(
        of_endpoint.unwrap()["what"]
            .as_str()
            .unwrap()
            .contains("localhost:4318")
    );
}

#[test]
fn node_sends_a_span_with_the_agent_that_was_installed() {
    let agent = root().join(".cache/nodejs");
    if !agent.join("node_modules").is_dir() || !has("node") {
        skip!("no node, or no agent in .cache (scripts/fetch-nodejs-agent)");
    }
    if let Some(outcome) = install_really("nodejs", &agent, "0.81.2", "") {
        assert_span_arrived(&outcome, "Node.js");
    }
}

#[test]
fn python_sends_a_span_with_the_agent_that_was_installed() {
    let agent = root().join(".cache/python");
    if !agent.is_dir() || !has("python3") {
        skip!("no Python, or no agent in .cache (scripts/fetch-python-agent)");
    }
    if let Some(outcome) = install_really("python", &agent, "0.66b1", "") {
        assert_span_arrived(&outcome, "Python");
    }
}

/// The programs are in the command as they were compiled once: nobody needs a compiler.
#[test]
fn the_programs_in_the_command_are_made_of_their_sources() {
    let sources = root().join("src/cli/spans/programs");
    let scratch = Scratch::new();
    let same = |name: &str| {
        let (made, kept) = (scratch.path().join(name), sources.join(name));
        assert_eq!(fs::read(made).unwrap(), fs::read(kept).unwrap(), "{name}");
    };
    let source = |name: &str| sources.join(name).to_str().unwrap().to_owned();
    if has("javac")
        && ran(scratch.command(Path::new("javac"), &["-version"]))
            .stdout
            .contains(" 17.")
    {
        let words = ["--release", "8", "-g:none", "-Xlint:-options", "-d", "."];
        let java = source("Request.java");
        let words = [&words[..], &[&java]].concat();
        assert_eq!(ran(scratch.command(Path::new("javac"), &words)).code, 0);
        same("Request.class");
    } else {
        println!("skipped: Request.class, for which javac 17 is needed");
    }
}

#[test]
fn ruby_and_php_send_a_span_with_agents_from_folders() {
    for (runtime, program, name) in [("ruby", "ruby", "Ruby"), ("php", "php", "PHP")] {
        if !has(program) {
            println!("skipped: no {program}");
            continue;
        }
        // Of the project's own: the real ones are on no registry of this machine's.
        let agent = root().join("tests/agents").join(runtime);
        if let Some(outcome) = install_really(runtime, &agent, "1.0", "") {
            assert_span_arrived(&outcome, name);
        }
    }
}

/// Starts a program that asks for Java's variable, and scripts, on a machine whose agents are named nowhere.
const DEFAULTS: &str = r#"
    set -e
    etc=/etc/opentelemetry/injector
    agents=/usr/lib/opentelemetry
    export LD_LIBRARY_PATH= OTEL_SERVICE_NAME=given
    object=${COMMAND%/*}/libopentelemetry_injector.so
    ask() { echo "$1: $(LD_PRELOAD=$object "$FROM" JAVA_TOOL_OPTIONS)"; }
    ask nothing
    mkdir -p $agents/java/current $agents/python/current $etc/conf.d
    touch $agents/java/opentelemetry-javaagent.jar
    ask package
    touch $agents/java/current/opentelemetry-javaagent.jar
    ask installed
    OPENTELEMETRY_INJECTOR_CONFIGURATION=/none ask missing
    chmod o+w $etc/conf.d
    ask writable
    chmod o-w $etc/conf.d
    "$COMMAND" check || true
    "$COMMAND" explain -- "$FROM" | grep current/opentelemetry-javaagent.jar
    printf '#!/usr/bin/python3\nprint("ran")\n' >"$FOLDER/app"
    chmod +x "$FOLDER/app"
    LD_PRELOAD=$object OPENTELEMETRY_INJECTOR_DEBUG=true "$FOLDER/app" 2>&1 | grep -o 'PYTHONPATH is now\|ran'
    LD_PRELOAD=$object OPENTELEMETRY_INJECTOR_DEBUG=true /bin/true 2>&1 | sed 's/.*\]: //'
    echo '[environment]' >$etc/configuration.toml
    ask empty
    "$COMMAND" config show | grep '^agent_path'
    echo '[jvm]
agent_path = ""' >$etc/conf.d/none.toml
    ask "left alone"
    "$COMMAND" check
    "$COMMAND" explain -- "$FROM" | grep 'is empty' | sed 's/ *$//'
    echo '[jvm]
agent_path = "/none.jar"' >$etc/conf.d/none.toml
    ask other
"#;

#[test]
fn an_agent_in_its_place_needs_no_configuration() {
    let scene = support::Scene::new();
    let program = scene.compile("ask");
    let outcome = match on_layers(DEFAULTS, &program) {
        Ok(outcome) => outcome,
        Err(why) => skip!("{why}"),
    };
    let said = |label: &str| {
        let label = format!("{label}: JAVA_TOOL_OPTIONS=");
        let mut lines = outcome.stdout.lines();
        let line = lines.find_map(|line| line.strip_prefix(&label));
        line.unwrap_or_else(|| panic!("no {label} in {outcome:?}"))
    };
    for label in ["nothing", "missing", "writable", "left alone", "other"] {
        assert_eq!(said(label), "(null)", "{label}");
    }
    let java = "-javaagent:/usr/lib/opentelemetry/java/";
    let package = format!("{java}opentelemetry-javaagent.jar ");
    assert!(said("package").starts_with(&package), "{outcome:?}");
    let installed = format!("{java}current/opentelemetry-javaagent.jar ");
    for label in ["installed", "empty"] {
        assert!(said(label).starts_with(&installed), "{outcome:?}");
    }
    for part in [
        "/etc/opentelemetry/injector/configuration.toml: no problems (0 files)\n",
        "/usr/lib/opentelemetry/java/current/opentelemetry-javaagent.jar, the default, readable",
        "PYTHONPATH is now\nran\n",
        "nothing is injected: /etc/opentelemetry/injector/configuration.toml: no such file\n",
        "agent_path = \"/usr/lib/opentelemetry/java/current/opentelemetry-javaagent.jar\"  # default\n",
        "no problems (2 files)\n",
        "jvm.agent_path is empty in the configuration: the runtime is left alone",
    ] {
        assert!(outcome.stdout.contains(part), "{part}: {outcome:?}");
    }
    assert_eq!(outcome.code, 0, "{outcome:?}");
}

/// What the packages of OpenTelemetry install for the other injector, each line of it but comments.
const OFFICIAL: &str = r#"
    set -e
    etc=/etc/opentelemetry/injector
    mkdir -p $etc/conf.d
    {
        echo '## Configuration.'
        echo
        echo "all_auto_instrumentation_agents_env_path=$etc/default_env.conf"
    } >$etc/injector.conf
    echo '# OTEL_SERVICE_NAME=my-service' >$etc/default_env.conf
    agents=/usr/lib/opentelemetry
    echo "jvm_auto_instrumentation_agent_path=$agents/java/opentelemetry-javaagent.jar" >$etc/conf.d/java.conf
    echo "nodejs_auto_instrumentation_agent_path=$agents/nodejs/register.js" >$etc/conf.d/nodejs.conf
    echo "python_auto_instrumentation_agent_path_prefix=$agents/python" >$etc/conf.d/python.conf
    echo "dotnet_auto_instrumentation_agent_path_prefix=$agents/dotnet" >$etc/conf.d/dotnet.conf
    "$COMMAND" config import $etc/injector.conf
"#;

#[test]
fn the_official_drop_ins_are_imported_whole() {
    let outcome = match on_layers(OFFICIAL, Path::new("/none")) {
        Ok(outcome) => outcome,
        Err(why) => skip!("{why}"),
    };
    let wanted = "\
# From /etc/opentelemetry/injector/injector.conf.

[jvm]
agent_path = \"/usr/lib/opentelemetry/java/opentelemetry-javaagent.jar\"

[nodejs]
agent_path = \"/usr/lib/opentelemetry/nodejs/register.js\"

[python]
agent_path = \"/usr/lib/opentelemetry/python/{libc}\"

[dotnet]
agent_path = \"/usr/lib/opentelemetry/dotnet/{libc}\"
profiler = true
";
    assert_eq!(outcome, support::command::outcome(0, wanted, ""));
}

/// Installs from a registry, where it can be reached: a client that is asked for the version alone tells.
fn from_registry(runtime: &str, client: &[&str], file: &str) {
    let image = image();
    if !has(client[0]) {
        println!("skipped: no {}", client[0]);
        return;
    }
    let asked = ran(image.command(Path::new(client[0]), &client[1..]));
    if asked.code != 0 {
        println!("skipped: {runtime}'s registry cannot be reached: {asked:?}");
        return;
    }
    let installed = agent(&image, &["install", runtime]);
    assert_eq!(installed.code, 0, "{installed:?}");
    let agents = image.path().join("usr/lib/opentelemetry");
    assert!(agents.join(file).is_file(), "{installed:?}");
}

#[test]
fn agents_come_from_their_registries() {
    let maven = [
        "mvn",
        "--quiet",
        "--batch-mode",
        "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:get",
        "-Dartifact=io.opentelemetry.javaagent:opentelemetry-javaagent:2.33.1:pom",
    ];
    from_registry("jvm", &maven, "java/current/opentelemetry-javaagent.jar");
    let npm = [
        "npm",
        "view",
        "@opentelemetry/auto-instrumentations-node",
        "version",
    ];
    let entry = "node_modules/@opentelemetry/auto-instrumentations-node/build/src/register.js";
    from_registry("nodejs", &npm, &format!("nodejs/current/{entry}"));
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    take_signals();
    let server = serve(|_| (200, vec![0; 1000], 1_000_000));
    let image = image();
    let url = format!("{server}/agent.jar");
    let line = r#"trap '' HUP; exec "$COMMAND" agent install jvm --from "$URL" --root ."#;
    let mut command = image.command(Path::new("sh"), &["-c", line]);
    command.env("COMMAND", self::command()).env("URL", &url);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    let is_partial = |name: &String| name.starts_with(".partial-");
    while !names(&image).iter().any(is_partial) {
        assert!(start.elapsed() < Duration::from_secs(20), "no download");
        thread::sleep(Duration::from_millis(10));
    }
    let kill = |signal: &str| {
        let mut kill = Command::new("kill");
        kill.args([signal, &child.id().to_string()]);
        assert!(kill.status().unwrap().success());
    };
    kill("-HUP");
    thread::sleep(Duration::from_millis(300));
    kill("-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_nothing_installed(&image);
}

#[test]
fn erlang_sends_a_span_with_an_agent_from_a_folder() {
    if !has("erl") || !has("erlc") {
        skip!("no erl or no erlc");
    }
    // Of the project's own, as for Ruby and PHP.
    let source = root().join("tests/agents/erlang");
    let agent = Scratch::new();
    let ebin = agent.path().join("opentelemetry/ebin");
    fs::create_dir_all(&ebin).unwrap();
    fs::copy(
        source.join("opentelemetry.app"),
        ebin.join("opentelemetry.app"),
    )
    .unwrap();
    let mut compiler = agent.command(Path::new("erlc"), &["-o"]);
    compiler.arg(&ebin);
    compiler.args(["on_load.erl", "opentelemetry_app.erl"].map(|name| source.join(name)));
    assert_eq!(ran(compiler).code, 0);
    if let Some(outcome) = install_really("erlang", agent.path(), "1.0", "") {
        // It knows no name: the real SDK has one.
        let has_arrived = |line: &str| line.starts_with("ok ") && line.contains("span: Erlang");
        assert!(outcome.stdout.lines().any(has_arrived), "{outcome:?}");
    }
}
