//! The tables that decide, compared with what the installed runtimes list themselves.

use opentelemetry_injector_policy::runtimes::jvm::{ARCHIVES, FORBID_AGENTS, launcher};
use opentelemetry_injector_policy::runtimes::nodejs::options;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::{has, skip, stderr, stdout};

/// Every JVM of this machine.
fn jvms() -> Vec<PathBuf> {
    let folders = fs::read_dir("/usr/lib/jvm").into_iter().flatten().flatten();
    let programs = folders.map(|entry| entry.path().join("bin/java"));
    let programs = programs.filter_map(|path| path.canonicalize().ok());
    let programs: BTreeSet<_> = programs.collect();
    programs.into_iter().collect()
}

/// What a program says when it is given these arguments, on both streams.
fn said(program: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    let output = command
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    stdout(&output) + &stderr(&output)
}

fn names(table: &str) -> BTreeSet<&str> {
    table.split_ascii_whitespace().collect()
}

/// The options in a help text that are followed by a blank and a value (`-cp <path>`).
fn with_value(help: &str) -> BTreeSet<&str> {
    let lines = help.lines().filter_map(|line| {
        let (option, value) = line.trim_start().split_once(' ')?;
        (option.starts_with('-') && !option.contains('<') && value.starts_with('<'))
            .then_some(option)
    });
    lines.collect()
}

#[test]
fn the_java_launchers_options_with_a_value_are_known() {
    let jvms = jvms();
    if jvms.is_empty() {
        skip!("no JVM");
    }
    // What they name is the program.
    let named = names("-jar -m --module");
    let known = names(launcher::WITH_VALUE);
    for java in jvms {
        let help = said(&java, &["--help"]) + &said(&java, &["-X"]);
        let listed = with_value(&help);
        assert!(listed.len() > 12, "{}: {listed:?}", java.display());
        let unknown: Vec<_> = listed
            .difference(&known)
            .filter(|option| !named.contains(**option))
            .collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", java.display());
        println!(
            "{}: {} options with a value, all known",
            java.display(),
            listed.len()
        );
    }
}

/// Flags about archives of classes that an agent does not disturb: they tune or verify what is used.
const HARMLESS: &str = "AOTAdapterCaching AOTCacheParallelRelocation AOTClassLinking AOTCodeMaxSize \
    AOTCompileEagerly AOTInvokeDynamicLinking AOTPrintTrainingInfo AOTRecordTraining AOTReplayTraining \
    AOTStubCaching AOTVerifyTrainingData AbortVMOnAOTCodeFailure ArchiveRelocationMode \
    PrintSharedArchiveAndExit RequireSharedSpaces SharedArchiveConfigFile UseSharedSpaces \
    VerifyArchivedFields VerifySharedSpaces";

#[test]
fn the_jvms_flags_about_archives_are_known() {
    let jvms = jvms();
    if jvms.is_empty() {
        skip!("no JVM");
    }
    let flag = |option: &'static str| {
        let name = option.strip_prefix("-XX:")?.trim_start_matches('+');
        Some(name.split('=').next().unwrap())
    };
    let decisive: BTreeSet<_> = [FORBID_AGENTS, ARCHIVES]
        .iter()
        .flat_map(|table| table.split(' '))
        .filter_map(flag)
        .collect();
    let mut all = BTreeSet::new();
    for java in &jvms {
        let unlocked = [
            "-XX:+UnlockDiagnosticVMOptions",
            "-XX:+UnlockExperimentalVMOptions",
            "-XX:+PrintFlagsFinal",
            "-version",
        ];
        let text = said(java, &unlocked);
        let flags: Vec<_> = text
            .lines()
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                let (_, name, sign) = (words.next()?, words.next()?, words.next()?);
                (sign == "=" || sign == ":=").then(|| name.to_owned())
            })
            .collect();
        assert!(
            flags.len() > 500,
            "{}: {} flags",
            java.display(),
            flags.len()
        );
        let is_about = |name: &&String| {
            ["Archive", "AOT", "SharedSpaces", "DynamicDump"]
                .iter()
                .any(|part| name.contains(part))
        };
        for name in flags.iter().filter(is_about) {
            let is_known =
                decisive.contains(name.as_str()) || names(HARMLESS).contains(name.as_str());
            assert!(is_known, "{}: {name}", java.display());
        }
        all.extend(flags);
    }
    // A misspelt name decides nothing. One JDK does not have the flags of all.
    let missing: Vec<_> = decisive
        .iter()
        .filter(|name| !all.contains(**name))
        .collect();
    println!(
        "{} decisive flags, of which no JVM here has {missing:?}",
        decisive.len()
    );
    assert!(jvms.len() < 2 || missing.is_empty(), "{missing:?}");
}

#[test]
fn nodes_options_with_a_value_are_known() {
    if !has("node") {
        skip!("no node");
    }
    let node = Path::new("node");
    let completion = said(node, &["--completion-bash"]);
    let words = completion.split(|character: char| character.is_whitespace() || character == '\'');
    let listed: BTreeSet<_> = words
        .filter(|word| word.starts_with('-') && word.len() > 2)
        .collect();
    assert!(listed.len() > 100, "{completion}");
    let loaders = "--require --import --loader --experimental-loader -pe";
    let known = names(options::VALUED);
    let known = &known | &names(loaders);
    let (mut valued, mut unknown) = (0, Vec::new());
    for option in listed {
        let is_name = option
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !is_name || option == "--" {
            continue;
        }
        // What begins like an option is no value.
        let told = said(node, &[option, "--version"]);
        // The table has those of other versions, too.
        let needs_value = told.contains("requires an argument");
        if needs_value && !known.contains(option) {
            unknown.push(option);
        }
        valued += usize::from(needs_value);
    }
    assert!(valued > 40, "{valued}");
    assert!(unknown.is_empty(), "{unknown:?}");
}
