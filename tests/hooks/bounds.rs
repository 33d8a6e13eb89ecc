//! Whatever a process is given, a start and an answer stay cheap: what would take longer is refused, with a
//! reason.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Scene, stderr, stdout};

/// What a start, or a start and answers, may take more than with an empty object.
const MOST_TIME: i64 = 50_000;
const MOST_MEMORY: i64 = 16 << 10;

/// The largest file that is read, in bytes.
const LARGEST: usize = 1 << 20;

/// How often a process is run until it was cheap enough: what else the machine does makes it dearer, never
/// cheaper.
const ROUNDS: usize = 25;

/// Processor time in µs and peak memory in KiB.
type Cost = [i64; 2];

struct Bounds {
    scene: Scene,
    program: PathBuf,
    empty: PathBuf,
}

impl Bounds {
    fn new() -> Self {
        let scene = Scene::new();
        let program = scene.compile("cost");
        let empty = scene.compile_with("cc", "empty_object", &["-shared", "-fPIC"]);
        Self {
            scene,
            program,
            empty,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.scene.command(&self.program, "direct");
        command.args(arguments);
        command.env("OPENTELEMETRY_INJECTOR_DEBUG", "true");
        command
    }

    /// The same program under the name of another runtime's launcher.
    fn named(&self, name: &str) -> PathBuf {
        let copy = self.scene.path(name);
        if !copy.exists() {
            fs::copy(&self.program, &copy).unwrap();
        }
        copy
    }

    /// Runs a command until it costs no more than it may, beside one with an empty object; what it tells.
    fn hold(&self, what: &str, command: impl Fn() -> Command) -> String {
        let mut lowest = [[i64::MAX; 2]; 2];
        let mut told = String::new();
        for _ in 0..ROUNDS {
            let mut with_empty = command();
            with_empty.env("LD_PRELOAD", &self.empty);
            for (command, lowest) in [with_empty, command()].into_iter().zip(&mut lowest) {
                let (cost, tells) = cost(command, what);
                *lowest = [lowest[0].min(cost[0]), lowest[1].min(cost[1])];
                told = tells;
            }
            let [time, memory] = [0, 1].map(|index| lowest[1][index] - lowest[0][index]);
            if time <= MOST_TIME && memory <= MOST_MEMORY {
                println!("{what}: {time} µs, {memory} KiB");
                return told;
            }
        }
        let [time, memory] = [0, 1].map(|index| lowest[1][index] - lowest[0][index]);
        panic!("{what}: {time} µs, {memory} KiB: {:.200}", told);
    }
}

fn cost(mut command: Command, what: &str) -> (Cost, String) {
    let output = command.output().unwrap();
    let told = stderr(&output);
    assert!(output.status.success(), "{what}: {}", output.status);
    let numbers = stdout(&output);
    let mut numbers = numbers.split_whitespace().map(|word| word.parse().unwrap());
    let cost = [numbers.next().unwrap(), numbers.next().unwrap()];
    (cost, told)
}

/// Whether something was refused, and said so.
fn is_refused(told: &str) -> bool {
    told.contains("nothing is injected:")
}

/// A text of at most [`LARGEST`] bytes: `head`, ever new items, `tail`.
fn filled(head: &str, item: impl Fn(usize) -> String, tail: &str) -> String {
    let mut text = head.to_owned();
    for number in 0.. {
        let item = item(number);
        if text.len() + item.len() + tail.len() > LARGEST {
            break;
        }
        text += &item;
    }
    text + tail
}

fn repeated(head: &str, part: &str, tail: &str) -> String {
    filled(head, |_| part.to_owned(), tail)
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

/// Texts of every shape, as long as a file may be or as many as are read.
fn texts(agent: &str) -> Vec<(&'static str, String)> {
    let head = format!("jvm.agent_path = '{agent}'\n");
    let head = head.as_str();
    let with = |table: &str, rest: String| format!("{head}[{table}]\n{rest}");
    let list = |key: &str| format!("{head}processes.{key} = [");
    vec![
        (
            "unknown keys",
            filled(head, |n| format!("unknown_{n} = 1\n"), ""),
        ),
        ("50,000 short keys", lines(50_000, |n| format!("k{n}=1\n"))),
        (
            "as many keys as are read",
            lines(9_000, |n| format!("k{n}=1\n")),
        ),
        (
            "settings",
            with(
                "environment",
                lines(5_000, |n| format!("OTEL_X{n} = 'v'\n")),
            ),
        ),
        (
            "too many settings",
            with(
                "environment",
                lines(40_000, |n| format!("OTEL_X{n} = 'v'\n")),
            ),
        ),
        (
            "attributes",
            with(
                "resource_attributes",
                lines(7_500, |n| format!("a{n} = 'v'\n")),
            ),
        ),
        (
            "too many attributes",
            with(
                "resource_attributes",
                lines(60_000, |n| format!("a{n} = 'v'\n")),
            ),
        ),
        (
            "long attributes",
            with(
                "resource_attributes",
                lines(7_000, |n| format!("a{n} = '{}'\n", " ".repeat(100))),
            ),
        ),
        (
            "one long attribute",
            repeated(&with("resource_attributes", "a = '".to_owned()), " ", "'\n"),
        ),
        (
            "rules",
            head.to_owned()
                + &lines(900, |n| {
                    format!("[[rule]]\nmatch.executable = 'x{n}'\nservice_name = 'a'\n")
                }),
        ),
        (
            "many rules",
            filled(
                head,
                |n| format!("[[rule]]\nmatch.executable = 'x{n}'\nservice_name = 'a'\n"),
                "",
            ),
        ),
        ("empty rules", repeated(head, "[[rule]]\n", "")),
        (
            "tables of attributes",
            filled("", |n| format!("[resource_attributes.a{n}]\nb = 'x'\n"), ""),
        ),
        (
            "one table after the other",
            filled("", |n| format!("[t{n}]\n"), ""),
        ),
        (
            "lists",
            filled(&list("exclude"), |n| format!("'*a{n}*',"), "]\n"),
        ),
        (
            "50,000 globs",
            list("exclude") + &lines(50_000, |n| format!("'*{n}',")) + "]\n",
        ),
        (
            "as many globs as are read",
            list("exclude") + &lines(15_000, |n| format!("'*{n}',")) + "]\n",
        ),
        (
            "an inline table",
            "a = {".to_owned() + &lines(5_000, |n| format!("a{n} = 1,")) + "z = 1}\n",
        ),
        ("open brackets", repeated("a = ", "[", "")),
        ("open braces", repeated("a = ", "{a = ", "")),
        ("dots", repeated("a", ".a", " = 1\n")),
        ("empty lines", repeated(head, "\n", "")),
        ("carriage returns", repeated(head, "\r\n", "")),
        ("blanks", repeated(head, " ", "")),
        ("one comment", repeated(&format!("{head}#"), "x", "")),
        ("comments", repeated(head, "#x\n", "")),
        ("equals signs", repeated("", "=", "")),
        ("closing brackets", repeated("", "]", "")),
        ("quotes", repeated("", "\"", "")),
        ("commas", repeated("a = [", ",", "]")),
        ("numbers", repeated("a = [", "1.0,", "]")),
        (
            "dates",
            filled("", |n| format!("a{n} = 2020-01-01T00:00:00Z\n"), ""),
        ),
        ("one string", repeated("service_name = \"", "x", "\"\n")),
        (
            "characters of two bytes",
            repeated("service_name = \"", "ä", "\"\n"),
        ),
        ("escapes", repeated("service_name = \"", "\\n", "\"\n")),
        (
            "numeric escapes",
            repeated("service_name = \"", "\\u00e4", "\"\n"),
        ),
        ("backslashes", repeated("service_name = \"", "\\", "")),
        (
            "lines of a string",
            repeated("service_name = \"\"\"", "x\n", "\"\"\"\n"),
        ),
        (
            "lines of a literal string",
            repeated("service_name = '''", "x\n", "'''\n"),
        ),
        ("one long key", repeated("", "a", " = 1\n")),
        ("one long quoted key", repeated("\"", "\\t", "\" = 1\n")),
        ("one long table", repeated("[", "a", "]\nb = 1\n")),
        ("the same key", repeated("", "a = 1\n", "")),
        (
            "one long pattern",
            repeated(&(list("exclude") + "'"), "*a", "b']\n"),
        ),
        (
            "a wrong value behind many keys",
            lines(8_000, |n| format!("k{n} = 1\n")) + "enabled = 1\n",
        ),
        (
            "an item of the wrong type",
            list("exclude") + &"'a',".repeat(12_000) + "1]\n",
        ),
    ]
}

#[test]
fn a_configuration_of_any_shape_costs_little_or_is_refused() {
    let bounds = Bounds::new();
    for (what, text) in texts(&bounds.scene.agent) {
        assert!(text.len() <= LARGEST, "{what}");
        bounds.scene.configure(&text);
        let told = bounds.hold(what, || bounds.command(&["JAVA_TOOL_OPTIONS", "OTEL_X1"]));
        let is_over = what.starts_with("too many") || what.starts_with("50,000");
        assert!(is_refused(&told) || !is_over, "{what}: {told:.300}");
        let is_read = ["settings", "attributes", "rules"].contains(&what);
        assert!(!is_refused(&told) || !is_read, "{what}: {told:.300}");
    }
    bounds.scene.configure(&repeated("#", "x", "").repeat(2));
    let told = bounds.hold("2 MiB", || bounds.command(&[]));
    assert!(told.contains("larger than"), "{told}");
}

/// The limits hold for all files together.
#[test]
fn many_files_cost_little_or_are_refused() {
    let folder = |bounds: &Bounds, files: &mut dyn FnMut(&Path)| {
        let folder = bounds.scene.path("conf.d");
        fs::create_dir(&folder).unwrap();
        support::allow_everybody(&folder);
        files(&folder);
    };
    for (what, count, text, ending, is_read) in [
        (
            "500 files",
            500,
            "nodejs.enabled = true\n".to_owned(),
            "toml",
            true,
        ),
        ("5,000 files", 5_000, String::new(), "toml", false),
        ("10,000 names of others", 10_000, String::new(), "bak", true),
        (
            "20 files of 500 KB",
            20,
            format!("#{}\n", "x".repeat(500_000)),
            "toml",
            false,
        ),
        (
            "20 files with 4,000 settings",
            20,
            format!(
                "[environment]\n{}",
                lines(4_000, |n| format!("OTEL_X{n} = '1'\n"))
            ),
            "toml",
            false,
        ),
        (
            "5,000 files of libotelinject.so",
            5_000,
            "exclude_paths=/x\n".into(),
            "conf",
            false,
        ),
        (
            "20 files of libotelinject.so",
            20,
            "exclude_paths=/x,/y,/z,*a*a*a*a\n".repeat(10_000),
            "conf",
            false,
        ),
    ] {
        let bounds = Bounds::new();
        folder(&bounds, &mut |folder| {
            for number in 0..count {
                fs::write(folder.join(format!("{number}.{ending}")), &text).unwrap();
            }
        });
        let told = bounds.hold(what, || bounds.command(&["JAVA_TOOL_OPTIONS"]));
        assert_eq!(is_refused(&told), !is_read, "{what}: {told:.300}");
    }
}

#[test]
fn files_of_another_injector_cost_little_or_are_refused() {
    let list = filled("exclude_paths=", |n| format!("/x{n},"), "\n");
    for (what, text, is_read) in [
        ("one line with a long list", list.clone(), false),
        (
            "short lists",
            filled("", |n| format!("exclude_paths=/x{n},/y\n"), ""),
            false,
        ),
        (
            "2,000 short lists",
            lines(2_000, |n| format!("exclude_paths=/x{n},/y\n")),
            true,
        ),
        (
            "unknown keys",
            filled("", |n| format!("k{n}=1\n"), ""),
            false,
        ),
        ("empty lines", repeated("", "\n", ""), false),
        ("one comment", repeated("#", "x", ""), true),
    ] {
        let bounds = Bounds::new();
        fs::write(bounds.scene.path("injector.conf"), text).unwrap();
        let told = bounds.hold(what, || bounds.command(&["JAVA_TOOL_OPTIONS"]));
        assert_eq!(is_refused(&told), !is_read, "{what}: {told:.300}");
    }
    let bounds = Bounds::new();
    let settings = lines(60_000, |n| format!("OTEL_X{n}=1\n"));
    fs::write(bounds.scene.path("default_env.conf"), settings).unwrap();
    let told = bounds.hold("60,000 settings", || bounds.command(&["JAVA_TOOL_OPTIONS"]));
    assert!(is_refused(&told), "{told:.300}");
}

/// Values of at most 128 KiB each (execve(2), MAX_ARG_STRLEN).
const LONGEST: usize = 127 << 10;

fn long_list(item: impl Fn(usize) -> String) -> String {
    let mut list = String::new();
    for number in 0.. {
        if list.len() > LONGEST - 100 {
            break;
        }
        write!(list, "{},", item(number)).unwrap();
    }
    list
}

/// Thousands of settings, attributes and options meet thousands of variables.
#[test]
fn large_environments_cost_little() {
    let bounds = Bounds::new();
    let agent = &bounds.scene.agent;
    let configuration = format!(
        "service_name = 'off'\njvm.agent_path = '{agent}'\nnodejs.agent_path = '{agent}'\n[environment]\n{}[resource_attributes]\n{}",
        lines(1_500, |n| format!("OTEL_X{n} = 'v'\n")),
        lines(1_000, |n| format!("a{n} = 'v'\n")),
    );
    bounds.scene.configure(&configuration);
    let attributes = long_list(|n| format!("a{n}=b"));
    let letters = long_list(|n| format!("{n}"));
    let options = long_list(|n| format!("-Da{n}=b")).replace(',', " ");
    let marker = long_list(|n| format!("OTEL_V{n}::af63ac4c86019afc"));
    let shortening = long_list(|n| format!("OTEL_V{n}:fffffffffffffffe:af63ac4c86019afc"));
    let same = long_list(|_| "OTEL_V1::af63ac4c86019afd".into());
    let java = || bounds.command(&["JAVA_TOOL_OPTIONS"]);
    let with_variables = |command: &mut Command, count: usize| {
        command.envs((0..count).map(|n| (format!("OTEL_V{n}"), "1")));
    };
    let told = bounds.hold("many variables", || {
        let mut command = java();
        with_variables(&mut command, 20_000);
        command
    });
    assert!(told.contains("JAVA_TOOL_OPTIONS is now"), "{told:.300}");
    for (name, value) in [
        ("OTEL_RESOURCE_ATTRIBUTES", &attributes),
        ("OTEL_RESOURCE_ATTRIBUTES", &letters),
        ("OTEL_INJECTOR_RESOURCE_ATTRIBUTES", &attributes),
        ("OTEL_INJECTOR_RESOURCE_ATTRIBUTES", &letters),
        ("OTEL_INJECTOR_SERVICE_NAME", &letters),
        ("JAVA_TOOL_OPTIONS", &options),
        ("NODE_OPTIONS", &options),
        ("OPENTELEMETRY_INJECTOR_ADDED", &marker),
        ("OPENTELEMETRY_INJECTOR_ADDED", &shortening),
        ("OPENTELEMETRY_INJECTOR_ADDED", &same),
    ] {
        bounds.hold(&format!("a long {name}"), || {
            let mut command = java();
            with_variables(&mut command, 5_000);
            command.env(name, value);
            command
        });
    }
    let node = bounds.named("node");
    let names: Vec<String> = (0..100).map(|n| format!("OTEL_X{n}")).collect();
    bounds.hold("a hundred questions", || {
        let mut command = Command::new(&node);
        let like = bounds.command(&[]);
        command.env_clear().envs(
            like.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        command
            .args(["NODE_OPTIONS", "OPENTELEMETRY_INJECTOR_BOOT_STARTED"])
            .args(&names);
        command.env_remove("OPENTELEMETRY_INJECTOR_DEBUG");
        command
    });
}

/// Patterns times what they are held against may be more than there is time for.
#[test]
fn patterns_on_long_command_lines_cost_little_or_are_refused() {
    let bounds = Bounds::new();
    let agent = &bounds.scene.agent;
    let head = format!("service_name = 'off'\njvm.agent_path = '{agent}'\n");
    let globs = |count: usize| lines(count, |n| format!("'*a{n}',"));
    let text = |rest: String| format!("{head}{rest}");
    let rules = |rule: &str, count: usize| {
        text(lines(count, |n| {
            format!(
                "[[rule]]\nenabled = false\n{}\n",
                rule.replace('#', &n.to_string())
            )
        }))
    };
    let worst = "'*".to_owned() + &"a".repeat(60_000) + "b'";
    let long = "a".repeat(LONGEST);
    for (what, configuration, is_read) in [
        (
            "two patterns",
            text(format!("processes.exclude_arguments = [{}]", globs(2))),
            true,
        ),
        (
            "10,000 patterns",
            text(format!("processes.exclude_arguments = [{}]", globs(10_000))),
            false,
        ),
        (
            "10,000 other patterns",
            text(format!("processes.include_arguments = [{}]", globs(10_000))),
            false,
        ),
        (
            "a pattern that takes long",
            text(format!("processes.exclude_arguments = [{worst}]")),
            false,
        ),
        (
            "patterns on the program",
            text(format!("processes.exclude = [{}]", globs(10_000))),
            true,
        ),
        (
            "rules on arguments",
            rules("match.arguments = '*x#'", 500),
            false,
        ),
        (
            "rules on a variable",
            rules("match.environment.LONG = '*x#'", 500),
            false,
        ),
        (
            "rules on no variable",
            rules("match.environment.NONE# = '*'", 500),
            true,
        ),
    ] {
        bounds.scene.configure(&configuration);
        let told = bounds.hold(what, || {
            let mut command = bounds.command(&["JAVA_TOOL_OPTIONS", "--"]);
            command.args([&long, &long, &long]).env("LONG", &long);
            command
        });
        assert_eq!(is_refused(&told), !is_read, "{what}: {told:.300}");
        assert!(is_read || told.contains("compare"), "{what}: {told:.300}");
    }
}
