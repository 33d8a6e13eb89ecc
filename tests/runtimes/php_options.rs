//! PHP's own list of options (`php --help`): each is really started, and the agent is there exactly
//! where the object has answered.

use crate::php::{agent, php, scene};
use std::collections::BTreeSet;
use std::fs;
use support::{Scene, Sink, has, skip, stderr, stdout, succeed};

/// The options that the installed PHP lists, and whether each takes a value.
fn listed() -> BTreeSet<(String, bool)> {
    let help = succeed(std::process::Command::new("php").arg("--help"));
    let lines = help.lines().filter(|line| line.starts_with("  -"));
    let options = lines.map(|line| {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap().to_owned();
        let value = words
            .next()
            .is_some_and(|word| word.starts_with(['<', 'f']) && word != "for");
        (name, value)
    });
    options.collect()
}

/// Starts a command line; whether the object has answered, and whether the agent was there.
fn start(scene: &Scene, arguments: &[&str]) -> (bool, bool) {
    let mut command = php(scene, arguments);
    command.env("OPENTELEMETRY_INJECTOR_DEBUG", "1");
    command.stdin(fs::File::open(scene.path("marks.php")).unwrap());
    let output = command.output().unwrap();
    let is_answered = stderr(&output).contains("PHP_INI_SCAN_DIR is now ");
    let printed = stdout(&output);
    // The file itself is shown or copied by some options.
    let is_there = fs::remove_file(scene.path("agent-was-there")).is_ok();
    let text = format!("{arguments:?}: {printed}");
    assert_eq!(is_answered, is_there, "{text}");
    (is_answered, is_there)
}

#[test]
fn each_option_of_the_installed_php_is_decided_as_it_acts() {
    if !has("php") {
        skip!("no php");
    }
    let sink = Sink::start();
    let scene = scene(&agent(), &sink);
    // What the agent's presence leaves behind; written by the prepend file's own agent alone.
    let mark = scene.path("agent-was-there");
    let folder = scene.path("marking-agent");
    fs::create_dir(&folder).unwrap();
    let autoload = format!("<?php file_put_contents('{}', '');", mark.display());
    fs::write(folder.join("autoload.php"), autoload).unwrap();
    let configuration = fs::read_to_string(&scene.configuration).unwrap();
    let ours = agent().display().to_string();
    scene.configure(&configuration.replace(&ours, &folder.display().to_string()));
    fs::write(scene.path("marks.php"), "<?php echo 1;").unwrap();

    let options = listed();
    assert!(options.len() > 20, "{options:?}");
    let mut loaded = 0;
    for (name, takes_value) in &options {
        // A server never ends, and a library that is none prints only.
        let value = match &**name {
            "-S" | "-z" => continue,
            "-f" | "-F" => "marks.php",
            "-d" => "memory_limit=99M",
            "-r" | "-R" | "-B" | "-E" => "1;",
            "-c" | "-t" => "/tmp",
            "--rf" => "strlen",
            "--rc" => "ArrayObject",
            _ => "standard",
        };
        let joined = format!("{name}{value}");
        let mut lines = vec![vec![&**name, "marks.php"]];
        if *takes_value {
            lines = vec![vec![&**name, value, "marks.php"], vec![&**name, value]];
            if name.len() == 2 {
                lines.push(vec![&*joined, "marks.php"]);
            }
        }
        for line in lines {
            loaded += u32::from(start(&scene, &line).1);
        }
    }
    assert!(loaded > 5, "{loaded} of {options:?}");
    for line in [
        &["-er", "1;"][..],
        &["-qf", "marks.php"],
        &["--define", "auto_prepend_file=", "marks.php"],
        &["-dauto_prepend_file=none", "marks.php"],
        &["-d", "x=1", "-d", " auto_prepend_file = ", "marks.php"],
        &["--", "marks.php"],
        &[],
        &["--no-php-ini", "marks.php"],
        &["--strip", "marks.php"],
        &["--run=1;"],
        &["--unknown", "marks.php"],
        &["-Q", "marks.php"],
    ] {
        start(&scene, line);
    }
}
