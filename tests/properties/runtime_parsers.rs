//! Each runtime's own parser, called for real on generated values: it reads exactly what the merge
//! means, our part and the user's.

use crate::targets::process::Plain;
use opentelemetry_injector_policy::runtimes::erlang::flags;
use opentelemetry_injector_policy::runtimes::{jvm, nodejs};
use opentelemetry_injector_policy::{Configuration, Process, Runtime, Variable};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{has, root, skip, stdout, succeed};
use tempfile::TempDir;

/// Numbers that are the same in every run (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    fn pick<'p>(&mut self, pieces: &[&'p str]) -> &'p str {
        pieces[self.below(pieces.len())]
    }
}

/// Values of up to nine pieces each.
fn values(count: usize, pieces: &[&str]) -> Vec<String> {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut values = Vec::new();
    while values.len() < count {
        let length = numbers.below(10);
        values.push((0..length).map(|_| numbers.pick(pieces)).collect());
    }
    values
}

/// A folder with an agent and boot files at paths that are hard to write.
struct Place {
    folder: TempDir,
    process: Plain,
    configuration: Configuration,
}

impl Place {
    fn new(runtime: Runtime, executable: &str, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let mut configuration = Configuration::default();
        configuration.agent_mut(runtime).agent_path = Some(path(name));
        let setting = "it's \"x\" \\ y".to_owned();
        configuration
            .environment
            .insert("OTEL_SETTING".into(), setting);
        let process = Plain {
            executable: executable.into(),
            boot_folder: path(name).into(),
            ..Plain::default()
        };
        Self {
            folder,
            process,
            configuration,
        }
    }

    /// A file, with the folders that it stands in.
    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn value(&self, variable: Variable, user: &str) -> Option<String> {
        let value = variable.value(Some(user.as_bytes()), &self.process, &self.configuration);
        value.ok().map(|value| String::from_utf8(value).unwrap())
    }

    /// The values that generated ones of the user become.
    fn merged(&self, variable: Variable, count: usize, pieces: &[&str]) -> Vec<String> {
        let users = values(count, pieces).into_iter();
        let merged: Vec<_> = users
            .filter_map(|user| self.value(variable, &user))
            .collect();
        println!("{}: {} of {count} values", variable.name(), merged.len());
        assert!(merged.len() > count / 4, "hardly any value is merged");
        merged
    }
}

fn texts(items: Vec<Vec<u8>>) -> Vec<String> {
    let items = items.into_iter();
    items.map(|item| String::from_utf8(item).unwrap()).collect()
}

/// The lines of a program's output.
fn lines(command: &mut Command) -> Vec<String> {
    succeed(command.env_remove("LD_PRELOAD"))
        .lines()
        .map(String::from)
        .collect()
}

#[test]
fn the_jvm_reads_the_options_that_are_meant() {
    if !has("javac") || !has("jar") {
        skip!("no JDK");
    }
    let place = Place::new(Runtime::Jvm, "/usr/bin/java", "it's an agent.jar");
    let source = root().join("tests/programs/java/Arguments.java");
    let classes = place.folder.path().join("classes");
    succeed(Command::new("javac").arg("-d").arg(&classes).arg(source));
    let manifest = place.write("manifest", "Premain-Class: Arguments\n");
    let agent = place.folder.path().join("it's an agent.jar");
    succeed(
        Command::new("jar")
            .arg("cfm")
            .args([&agent, &manifest])
            .arg("-C")
            .arg(&classes)
            .arg("."),
    );
    let pieces = [
        " ",
        " -Da=",
        " -Dbc=x",
        "\"",
        "'",
        "\\",
        "d e",
        "\t",
        "\n",
        "=",
        "-Df=\"g h\"",
        ",",
    ];
    let mut compared = 0;
    for value in place.merged(Variable::JavaToolOptions, 120, &pieces) {
        // Other options than properties would have to exist.
        let options = texts(jvm::options::split(value.as_bytes()).unwrap());
        let is_known =
            |option: &String| option.starts_with("-D") || option.starts_with("-javaagent:");
        if !options.iter().all(is_known) {
            continue;
        }
        let mut command = Command::new("java");
        command
            .args(["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp"])
            .arg(&classes);
        command.arg("Arguments").env("JAVA_TOOL_OPTIONS", &value);
        let given = ["-Xshare:auto", "-XX:TieredStopAtLevel=1"].map(String::from);
        let shown = options
            .into_iter()
            .chain(given)
            .map(|option| hexadecimal(&option));
        assert_eq!(lines(&mut command), shown.collect::<Vec<_>>(), "{value:?}");
        compared += 1;
    }
    assert!(compared > 10, "{compared} values");
}

fn hexadecimal(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn node_reads_the_options_that_are_meant() {
    if !has("node") {
        skip!("no node");
    }
    let place = Place::new(Runtime::Nodejs, "/usr/bin/node", "it's \"a\" folder \\");
    place.write("it's \"a\" folder \\/nodejs/register.cjs", "");
    // Internals tell all conditions, and all modules that are required.
    let script = "const { getOptionValue } = require('internal/options');\
                  console.log(JSON.stringify([getOptionValue('--require'), getOptionValue('--conditions')]))";
    let pieces = [
        " ",
        " --conditions=",
        " --conditions=x",
        "\"",
        "'",
        "\\",
        "d e",
        "\t",
        "=",
        "\\\"",
    ];
    let mut compared = 0;
    for value in place.merged(Variable::NodeOptions, 200, &pieces) {
        let options = texts(nodejs::options::split(value.as_bytes()).unwrap());
        let [require, module, rest @ ..] = options.as_slice() else {
            panic!("{value:?}");
        };
        assert_eq!(require, "--require");
        let conditions = rest
            .iter()
            .map(|option| option.strip_prefix("--conditions="));
        let Some(conditions) = conditions.collect::<Option<Vec<_>>>() else {
            continue;
        };
        if conditions.contains(&"") {
            continue;
        }
        let mut command = Command::new("node");
        command
            .args(["--expose-internals", "-e", script])
            .env("NODE_OPTIONS", &value);
        let wanted = serde_json::json!([[module], conditions]);
        let found: serde_json::Value = serde_json::from_str(&succeed(&mut command)).unwrap();
        assert_eq!(found, wanted, "{value:?}");
        compared += 1;
    }
    assert!(compared > 10, "{compared} values");
}

#[test]
fn python_reads_the_entries_that_are_meant() {
    if !has("python3") {
        skip!("no python3");
    }
    // Itself, not a script that chooses one.
    let own_path = ["-c", "import sys; print(sys.executable, end='')"];
    let python = succeed(Command::new("python3").args(own_path));
    let place = Place::new(Runtime::Python, "/usr/bin/python3", "it's \"a\" folder");
    let boot_folder = String::from_utf8(place.process.boot_folder().to_vec()).unwrap();
    for value in place.merged(
        Variable::Pythonpath,
        60,
        &[":", "/a", " ", "\"", "'", "/b c", "\\", "\n"],
    ) {
        let mut command = Command::new(&python);
        command.args(["-S", "-c", "import sys, json; print(json.dumps(sys.path))"]);
        command.env("PYTHONPATH", &value).current_dir("/");
        let found: Vec<String> = serde_json::from_str(&succeed(&mut command)).unwrap();
        // Behind the folder of the script, an empty text with -c.
        let entries: Vec<&str> = value.split(':').collect();
        assert_eq!(entries[0], boot_folder.clone() + "/python");
        // Python makes paths absolute: the empty one, which is the working directory, too.
        let is_same = |(found, entry): (&String, &&str)| {
            found == entry || found.trim_start_matches('/') == entry.trim_start_matches('/')
        };
        let pairs = found[1..].iter().zip(&entries);
        assert!(
            pairs.len() == entries.len() && pairs.into_iter().all(is_same),
            "{value:?}: {found:?}"
        );
    }
}

#[test]
fn ruby_reads_the_options_that_are_meant() {
    if !has("ruby") {
        skip!("no ruby");
    }
    let place = Place::new(Runtime::Ruby, "/usr/bin/ruby", "it's-\"a\"-folder");
    let boot_file = place.write("it's-\"a\"-folder/ruby/boot.rb", "$boot = __FILE__");
    let script = "puts $boot; puts $LOAD_PATH.take_while { |path| path.start_with?('/i/') }";
    for value in place.merged(
        Variable::Rubyopt,
        100,
        &[
            " ",
            " -I/i/a",
            " -I/i/\"b'",
            "\t",
            " -W0",
            "\n",
            "  -I /i/c",
        ],
    ) {
        let words = value
            .split_whitespace()
            .map(String::from)
            .collect::<Vec<_>>();
        let mut folders = Vec::new();
        let mut words = words.iter();
        let mut is_known = words.next() == Some(&format!("-r{}", boot_file.display()));
        while let Some(word) = words.next() {
            match word.strip_prefix("-I") {
                // CRuby takes no separate value in RUBYOPT: another word is an error.
                Some("") => folders.extend(words.next().cloned()),
                Some(folder) => folders.push(folder.to_owned()),
                None => is_known &= word == "-W0",
            }
        }
        if !is_known || folders.iter().any(|folder| folder.contains('-')) {
            continue;
        }
        let mut command = Command::new("ruby");
        command
            .args(["--disable=gems", "-e", script])
            .env("RUBYOPT", &value);
        let wanted = [vec![boot_file.to_str().unwrap().to_owned()], folders].concat();
        let output = command.output().unwrap();
        // What Ruby refuses with ours it refuses without.
        if !output.status.success() {
            let user = value
                .split_once(' ')
                .map(|(_, user)| user)
                .unwrap_or_default();
            assert!(
                !command.env("RUBYOPT", user).status().unwrap().success(),
                "{value:?}"
            );
            continue;
        }
        let found: Vec<_> = stdout(&output).lines().map(String::from).collect();
        assert_eq!(found, wanted, "{value:?}");
    }
}

#[test]
fn php_reads_the_folders_that_are_meant() {
    if !has("php") {
        skip!("no php");
    }
    let place = Place::new(Runtime::Php, "/usr/bin/php", "it's \"a\" folder");
    place.write("it's \"a\" folder/php/ini/agent.ini", "");
    let folders = ["a", "b c", "d'e"];
    let folders = folders.map(|name| {
        let file = place.write(&format!("{name}/x.ini"), "");
        file.parent().unwrap().to_str().unwrap().to_owned()
    });
    let mut pieces: Vec<&str> = folders.iter().map(String::as_str).collect();
    pieces.extend([":", ":", ":"]);
    for value in place.merged(Variable::PhpIniScanDir, 80, &pieces) {
        let parts: Vec<&str> = value.split(':').collect();
        let mut command = Command::new("php");
        command
            .args(["-r", "echo php_ini_scanned_files();"])
            .env("PHP_INI_SCAN_DIR", &value);
        let found = succeed(&mut command);
        let files = found
            .split(",\n")
            .map(str::trim)
            .filter_map(|file| Path::new(file).parent());
        let found: Vec<&str> = files.filter_map(Path::to_str).collect();
        let is_ours = |folder: &&&str| folder.starts_with(place.folder.path().to_str().unwrap());
        let found: Vec<_> = found.iter().filter(is_ours).collect();
        let wanted: Vec<_> = parts
            .iter()
            .filter(|part| Path::new(part).is_dir())
            .collect();
        assert_eq!(found, wanted, "{value:?}");
        // An empty part is the built-in folder, which has files of its own here.
        let last = parts.last().unwrap();
        assert!(last.ends_with("folder/php/ini"));
    }
}

#[test]
fn erlang_reads_the_flags_that_are_meant() {
    if !has("erl") {
        skip!("no erl");
    }
    let place = Place::new(
        Runtime::Erlang,
        "/usr/lib/erlang/bin/erlexec",
        "it's \"a\" \\ folder",
    );
    let pieces = [
        " ", " -a ", "x", "\"", "'", "\\", "b c", "\t", "\\ ", "=", " -- ",
    ];
    for value in place.merged(Variable::ErlAflags, 200, &pieces) {
        let flags = texts(flags::split(value.as_bytes()).unwrap());
        let mut command = Command::new("erl");
        // The launcher prints the emulator's arguments instead of starting it.
        command
            .args(["-emu_args_exit", "-last"])
            .env("ERL_AFLAGS", &value);
        let found = lines(&mut command);
        // `--` of the emulator's own splits its arguments from ours.
        let start = found.iter().position(|line| *line == flags[0]);
        let start = start.unwrap_or_else(|| panic!("{value:?}: {found:?}"));
        let found = &found[start..];
        assert_eq!(
            found.get(..flags.len()),
            Some(flags.as_slice()),
            "{value:?}"
        );
    }
}
