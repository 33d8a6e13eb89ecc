//! Manual pages and completions: whether those who read them can.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use support::command::{Scratch, built};
use support::{has, skip, stderr, stdout, succeed};

/// A file with what the command prints for a shell.
fn completions(scratch: &Scratch, shell: &str) -> PathBuf {
    let printed = scratch.run(&["completions", shell]);
    assert_eq!((printed.code, printed.stderr.as_str()), (0, ""));
    scratch.write(shell, printed.stdout)
}

/// What bash shows in a terminal where somebody types `words` and the tabulator.
fn typed_in_bash(words: &str) -> String {
    let scratch = Scratch::new();
    let script = completions(&scratch, "bash");
    let mut command = scratch.command(
        "script".as_ref(),
        &["-qec", "bash --norc --noprofile", "/dev/null"],
    );
    let mut terminal = command
        .env("PS1", "> ")
        .env("TERM", "dumb")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // A comment: the line is not meant to run.
    let lines = format!(
        "bind 'set show-all-if-ambiguous on'\nsource {}\n{words}\t\x01#\nexit\n",
        script.display()
    );
    let mut keys = terminal.stdin.take().unwrap();
    keys.write_all(lines.as_bytes()).unwrap();
    let shown = stdout(&terminal.wait_with_output().unwrap());
    drop(keys);
    shown
}

#[test]
fn bash_completes_subcommands_and_options() {
    if !has("script") {
        skip!("no script");
    }
    for (words, completed) in [
        (
            "opentelemetry-injector unin",
            "opentelemetry-injector uninstall ",
        ),
        (
            "opentelemetry-injector config im",
            "opentelemetry-injector config import ",
        ),
        (
            "opentelemetry-injector config show --j",
            "opentelemetry-injector config show --json ",
        ),
        (
            "opentelemetry-injector completions z",
            "opentelemetry-injector completions zsh ",
        ),
    ] {
        let shown = typed_in_bash(words);
        assert!(shown.contains(completed), "{words}: {shown}");
    }
}

#[test]
fn zsh_and_fish_can_read_theirs() {
    let scratch = Scratch::new();
    for shell in ["zsh", "fish"] {
        let script = completions(&scratch, shell);
        if has(shell) {
            succeed(Command::new(shell).arg("-n").arg(script));
        } else {
            println!("skipped: {shell}, which is not installed");
        }
    }
}

#[test]
fn fish_completes_subcommands() {
    if !has("fish") {
        skip!("no fish");
    }
    let scratch = Scratch::new();
    let script = completions(&scratch, "fish");
    let line = format!(
        "source {}; complete --do-complete 'opentelemetry-injector conf'",
        script.display()
    );
    let completed = succeed(Command::new("fish").args(["--no-config", "-c", &line]));
    assert!(completed.starts_with("config\t"), "{completed}");
}

#[test]
fn every_subcommand_has_a_page_without_errors() {
    let scratch = Scratch::new();
    let written = scratch.run(&["man", "."]);
    assert_eq!((written.code, written.stderr.as_str()), (0, ""));
    let pages = ["", "-run", "-config", "-config-import", "-uninstall"];
    let pages = pages.map(|name| {
        scratch
            .path()
            .join(format!("opentelemetry-injector{name}.1"))
    });
    assert!(pages.iter().all(|page| page.is_file()), "{pages:?}");
    if !has("mandoc") {
        skip!("the pages' syntax: no mandoc");
    }
    for page in &pages {
        let lint = Command::new("mandoc")
            .args(["-T", "lint", "-W", "error"])
            .arg(page)
            .output()
            .unwrap();
        assert!(lint.status.success(), "{}{}", stdout(&lint), stderr(&lint));
        let text = succeed(Command::new("mandoc").args(["-T", "utf8"]).arg(page));
        // Bold is a letter over itself.
        let plain = text.replace('\u{8}', "");
        assert!(plain.contains("EEXXAAMMPPLLEESS"), "{text}");
    }
}

#[test]
fn one_page_goes_to_standard_output_and_a_reader_may_leave() {
    let scratch = Scratch::new();
    let page = scratch.run(&["man"]);
    assert_eq!((page.code, page.stderr.as_str()), (0, ""));
    assert!(page.stdout.contains(".SH EXAMPLES"), "{page:?}");
    let line = format!("{} man | :", built("opentelemetry-injector").display());
    let left = Command::new("bash")
        .args(["-c", &format!("set -o pipefail; {line}")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!((left.status.code(), stderr(&left).as_str()), (Some(0), ""));
    let nowhere = scratch.run(&["man", "none"]);
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.stderr.contains("none/"), "{nowhere:?}");
}
