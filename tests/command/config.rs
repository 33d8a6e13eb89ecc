//! `opentelemetry-injector config`, by what it writes, prints and says.

use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use support::command::{Outcome, Scratch, built, outcome, ran};

const FILE: &str = "configuration.toml";

#[test]
fn init_writes_a_file_that_every_process_may_read_and_never_overwrites_one() {
    let scratch = Scratch::new();
    let line = format!(
        "umask 077; exec {} config init {FILE}",
        built("opentelemetry-injector").display()
    );
    let command = || scratch.command("sh".as_ref(), &["-c", &line]);
    assert_eq!(ran(command()), outcome(0, "", ""));
    let path = scratch.path().join(FILE);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o644);

    let printed = scratch.run(&["config", "init"]);
    let written = fs::read_to_string(&path).unwrap();
    assert_eq!(printed, outcome(0, &written, ""));
    fs::write(&path, "mine").unwrap();
    let said = ran(command());
    assert_eq!((said.code, fs::read(&path).unwrap()), (1, b"mine".to_vec()));
    assert!(said.stderr.contains("was not changed"), "{said:?}");
    let nowhere = scratch.run(&["config", "init", "none/c.toml"]);
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.stderr.contains("create its folder"), "{nowhere:?}");
}

#[test]
fn what_init_writes_passes_the_check_when_an_agent_is_filled_in() {
    let scratch = Scratch::new();
    let agent = scratch.write("agent.jar", "");
    let text = scratch.run(&["config", "init"]).stdout;
    let commented = "#agent_path = \"/usr/lib/opentelemetry/java/opentelemetry-javaagent.jar\"";
    assert_eq!(text.matches(commented).count(), 1);
    let filled = format!("agent_path = \"{}\"", agent.display());
    scratch.write(FILE, text.replace(commented, &filled));
    let said = outcome(0, "configuration.toml: no problems (1 file)\n", "");
    assert_eq!(scratch.run(&["config", "check", FILE]), said);
    assert_eq!(scratch.run(&["check", FILE]), said);
}

/// A configuration of two files.
fn two_files() -> Scratch {
    let scratch = Scratch::new();
    scratch.write(
        FILE,
        "[jvm]\nagent_path = \"/a.jar\"\n\n[environment]\nOTEL_A = \"it's \\\"1\\\"\"\nOTEL_B = '2'\n",
    );
    scratch.write(
        "conf.d/10.toml",
        "log.level = 'debug'\n[environment]\nOTEL_B = '3'\n[resource_attributes]\nservice.name = 'x'\n",
    );
    scratch
}

#[test]
fn show_tells_where_every_key_stands() {
    let shown = two_files().run(&["config", "show", FILE]);
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
    for line in [
        "enabled = true  # default",
        "agent_path = \"/a.jar\"  # configuration.toml:2",
        "OTEL_B = \"3\"  # conf.d/10.toml:3",
        "\"service.name\" = \"x\"  # conf.d/10.toml:5",
        "level = \"debug\"  # conf.d/10.toml:1",
        "engine = \"auto\"  # default",
    ] {
        let mut lines = shown.stdout.lines();
        assert!(lines.any(|shown| shown == line), "{line}: {shown:?}");
    }
    // A configuration itself, and the same one.
    let scratch = Scratch::new();
    scratch.write(FILE, &shown.stdout);
    let values = |shown: &Outcome| -> Vec<String> {
        let lines = shown.stdout.lines();
        lines
            .map(|line| line.split("  # ").next().unwrap().to_owned())
            .collect()
    };
    let again = scratch.run(&["config", "show", FILE]);
    assert_eq!(values(&again), values(&shown));
}

#[test]
fn show_has_all_of_it_in_json() {
    let shown = two_files().run(&["config", "show", "--json", FILE]);
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
    let json: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(json["files"][1], "conf.d/10.toml");
    let key = |name: &str| {
        let mut keys = json["keys"].as_array().unwrap().iter();
        keys.find(|key| key["key"] == name).unwrap()
    };
    assert_eq!(key("environment.OTEL_A")["value"], "it's \"1\"");
    assert_eq!(key("environment.OTEL_A")["line"], 5);
    assert_eq!(key("environment.OTEL_B")["file"], "conf.d/10.toml");
    assert_eq!(key("enabled")["value"], true);
    assert!(key("enabled")["file"].is_null());
}

#[test]
fn show_says_why_it_shows_nothing() {
    let scratch = Scratch::new();
    scratch.write(FILE, "enabled = 1\n");
    let broken = scratch.run(&["config", "show", FILE]);
    assert_eq!((broken.code, broken.stdout.as_str()), (1, ""));
    let place = "configuration.toml:1:11: `enabled` takes true or false";
    assert!(broken.stderr.contains(place), "{broken:?}");
    let missing = scratch.run(&["config", "show", "none.toml"]);
    assert_eq!((missing.code, missing.stdout.as_str()), (2, ""));
    scratch.write(FILE, "unknown = 1\n");
    let ignored = scratch.run(&["config", "show", FILE]);
    assert_eq!(ignored.code, 0);
    assert!(ignored.stderr.contains("config check"), "{ignored:?}");
    assert!(!ignored.stdout.contains("unknown"), "{ignored:?}");
}

#[test]
fn import_reads_what_the_other_injector_reads() {
    let scratch = Scratch::new();
    scratch.write(
        "injector.conf",
        "# as its packages have it\n\
         jvm_auto_instrumentation_agent_path=\"/o/jvm/javaagent.jar\" # quoted\n\
         all_auto_instrumentation_agents_env_path=env.conf\n\
         include_paths=/app/*,*java*\n\
         dotnet_auto_instrumentation_minimum_dotnet_major_version=6\n",
    );
    scratch.write(
        "conf.d/nodejs.conf",
        "nodejs_auto_instrumentation_agent_path=/o/nodejs/node_modules/@opentelemetry/auto-instrumentations-node/build/src/register.js\n",
    );
    scratch.write("conf.d/nodejs.conf.bak", "nonsense");
    scratch.write(
        "env.conf",
        "OTEL_PROPAGATORS=tracecontext,baggage\nHOME=/x\n",
    );
    let imported = scratch.run(&["config", "import", "injector.conf"]);
    let wanted = "\
# From injector.conf.

[jvm]
agent_path = \"/o/jvm/javaagent.jar\"

[nodejs]
agent_path = \"/o/nodejs\"

[environment]
OTEL_PROPAGATORS = \"tracecontext,baggage\"

[processes]
include = [\"/app/*\", \"/*java*\"]
";
    let said = "\
opentelemetry-injector: injector.conf:5: left out: dotnet_auto_instrumentation_minimum_dotnet_major_version: \
the agent's own startup hook refuses versions that it does not support
opentelemetry-injector: env.conf:2: left out: HOME: only names that begin with OTEL_ are set
";
    assert_eq!(imported, outcome(1, wanted, said));
    scratch.write(FILE, &imported.stdout);
    let checked = scratch.run(&["config", "check", FILE]);
    assert_eq!(checked.code, 0, "{checked:?}");
}

#[test]
fn import_of_all_that_has_a_counterpart_says_nothing_and_of_nothing_fails() {
    let scratch = Scratch::new();
    scratch.write(
        "injector.conf",
        "jvm_auto_instrumentation_agent_path=/a.jar",
    );
    scratch.write("default_env.conf", "OTEL_A=1");
    let imported = scratch.run(&["config", "import", "injector.conf"]);
    assert_eq!((imported.code, imported.stderr.as_str()), (0, ""));
    assert!(imported.stdout.contains("OTEL_A = \"1\""), "{imported:?}");
    let missing = scratch.run(&["config", "import", "none.conf"]);
    assert_eq!((missing.code, missing.stdout.as_str()), (2, ""));
    scratch.write("injector.conf", b"a=\xff");
    let binary = scratch.run(&["config", "import", "injector.conf"]);
    assert_eq!((binary.code, binary.stdout.as_str()), (2, ""));
}

#[test]
fn colours_are_for_terminals_alone() {
    let shown = two_files().run(&["config", "show", FILE]);
    assert!(!shown.stdout.contains('\u{1b}'));
    let in_terminal = |variable: &str| {
        let scratch = two_files();
        let command = built("opentelemetry-injector");
        let line = format!(
            "TERM=xterm {variable} {} config show {FILE}",
            command.display()
        );
        ran(scratch.command("script".as_ref(), &["-qec", &line, "/dev/null"]))
    };
    assert!(in_terminal("").stdout.contains("\u{1b}[2m# default"));
    assert!(!in_terminal("NO_COLOR=1").stdout.contains('\u{1b}'));
}
