//! The documents: links lead somewhere, commands and options exist, configurations have no unknown key.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::command::{Scratch, built, ran};
use support::root;

const COMMAND: &str = "opentelemetry-injector";

/// What a newcomer reads first stays short.
const LONGEST_README: usize = 150;

/// Every document of the repository.
fn documents() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "*.md",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let paths: Vec<_> = listed.lines().map(|line| root().join(line)).collect();
    let is_there = |name: &str| paths.iter().any(|path| path.ends_with(name));
    assert!(is_there("README.md") && is_there("docs/configuration.md"));
    paths.into_iter().filter(|path| path.exists()).collect()
}

/// What stands between code fences, each with the word behind the opening one.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(language), None) => open = Some((language.into(), String::new())),
            (None, Some((_, block))) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a code fence without its end");
    found
}

/// The anchors of a document, as GitHub makes them from its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// The targets of inline links, without those in code.
fn links(text: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            inside = !inside;
        }
        if inside {
            continue;
        }
        for part in line.split("](").skip(1) {
            let end = part.find(')').expect("a link ends on its line");
            found.push(part[..end].to_owned());
        }
    }
    found
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut looked_at = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for link in links(&text) {
            if link.starts_with("http") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() {
                document.clone()
            } else {
                document.parent().unwrap().join(path)
            };
            assert!(target.exists(), "{}: {link}", document.display());
            if !anchor.is_empty() {
                let anchors = anchors(&fs::read_to_string(&target).unwrap());
                assert!(anchors.contains(anchor), "{}: {link}", document.display());
            }
            looked_at += 1;
        }
    }
    assert!(looked_at > 30, "only {looked_at} links were found");
}

#[test]
fn the_readme_is_short_and_links_every_page() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.lines().count() <= LONGEST_README);
    let linked = links(&readme);
    for page in fs::read_dir(root().join("docs")).unwrap() {
        let name = page.unwrap().file_name().into_string().unwrap();
        // The architecture leads on to the page for whoever adds to it.
        let is_linked = |link: &String| link.starts_with(&format!("docs/{name}"));
        let from_contributing = name == "adding-a-runtime.md";
        assert!(from_contributing || linked.iter().any(is_linked), "{name}");
    }
}

#[test]
fn scripts_and_options_that_are_named_exist() {
    let mut looked_at = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        let shell = blocks(&text)
            .into_iter()
            .filter(|(language, _)| language == "sh");
        for line in shell.flat_map(|(_, block)| block.lines().map(String::from).collect::<Vec<_>>())
        {
            let line = line.split(" #").next().unwrap().trim();
            let line = line.strip_prefix("sudo ").unwrap_or(line);
            let mut words = line.split_whitespace();
            let Some(first) = words.next() else { continue };
            if first.starts_with("./scripts/") || first.starts_with("./demo/") || first == ".ci/run"
            {
                assert!(
                    root().join(first).exists(),
                    "{}: {line}",
                    document.display()
                );
                looked_at += 1;
            }
            if first == "opentelemetry-injector" {
                assert_known(&document, &words.collect::<Vec<_>>());
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 20, "only {looked_at} commands were found");
}

/// A command line of the command: its subcommands and options are in the help.
fn assert_known(document: &Path, words: &[&str]) {
    let end = words.iter().position(|word| *word == "--");
    let words = &words[..end.unwrap_or(words.len())];
    let is_subcommand = |word: &&&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let subcommands: Vec<_> = words.iter().take_while(is_subcommand).copied().collect();
    let takes_one = ["config", "agent", "completions"];
    let count = if subcommands
        .first()
        .is_some_and(|first| takes_one.contains(first))
    {
        2
    } else {
        1
    };
    let path = &subcommands[..subcommands.len().min(count)];
    let scratch = Scratch::new();
    let help = ran(scratch.command(&built(COMMAND), &[path, &["--help"]].concat()));
    assert_eq!(
        help.code,
        0,
        "{}: {words:?}: {}",
        document.display(),
        help.stderr
    );
    for option in words.iter().filter(|word| word.starts_with("--")) {
        let name = option.split(['=', '[']).next().unwrap();
        assert!(
            help.stdout.contains(name),
            "{}: {words:?}: {option}",
            document.display()
        );
    }
}

#[test]
fn configurations_have_no_unknown_key() {
    let mut looked_at = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for (_, block) in blocks(&text)
            .into_iter()
            .filter(|(language, _)| language == "toml")
        {
            let scratch = Scratch::new();
            let file = scratch.write("configuration.toml", &block);
            let checked = ran(scratch.command(
                &built(COMMAND),
                &["check", "--json", file.to_str().unwrap()],
            ));
            let said = serde_json::from_str::<serde_json::Value>(&checked.stdout).unwrap();
            for diagnostic in said["diagnostics"].as_array().unwrap() {
                let message = diagnostic["message"].as_str().unwrap();
                // The agents are not on this machine; everything else has to be right.
                let is_right = ["unknown", "invalid", "expected"]
                    .iter()
                    .all(|word| !message.contains(word));
                assert!(is_right, "{}: {message}", document.display());
            }
            looked_at += 1;
        }
    }
    assert!(looked_at > 7, "only {looked_at} configurations were found");
}

#[test]
fn every_key_of_the_configuration_is_in_the_reference() {
    let reference = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    for key in opentelemetry_injector_policy::config::keys::KEYS {
        let (section, name) = key.split_once('.').unwrap_or(("", key));
        let spellings = [
            format!("`{key}"),
            format!("`[{key}]`"),
            format!("`RUNTIME.{name}`"),
            format!("`{section}.…`"),
        ];
        let is_there = spellings
            .iter()
            .any(|spelling| reference.contains(spelling));
        assert!(is_there, "docs/configuration.md does not have {key}");
    }
}
