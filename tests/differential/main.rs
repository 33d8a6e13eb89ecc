//! Whether `explain -- COMMAND` says what happens: command lines of each runtime, made of its own table of
//! options (`--help`), are explained and really started with a small agent. What is told and whether the
//! agent was loaded have to agree, in both directions.
//!
//! `DIFFERENTIAL=all` tries many more pairs of options. `known.txt` lists differences that are not mended
//! yet.

mod agents;
mod lines;
mod run;

use agents::Agents;
use lines::Table;
use run::{Outcome, Verdict};
use support::{has, skip};

/// Differences that are known: `runtime: command line`.
const KNOWN: &str = include_str!("known.txt");

/// How many pairs of options are tried of each runtime, and with `DIFFERENTIAL=all`.
const PAIRS: usize = 25;
const ALL_PAIRS: usize = 1500;

/// Explains and starts every line of a runtime.
fn compare(runtime: &str, table: &Table) {
    if let Some(missing) = table.needs.iter().find(|program| !has(program)) {
        skip!("no {missing}");
    }
    let agents = Agents::new(runtime);
    let pairs = match std::env::var("DIFFERENTIAL").as_deref() {
        Ok("all") => ALL_PAIRS,
        _ => PAIRS,
    };
    let (mut loaded, mut alone, mut untold, mut failing) = (0, 0, 0, 0);
    let mut differences = Vec::new();
    for line in table.lines(pairs) {
        let line: Vec<_> = line.iter().map(String::as_str).collect();
        if !line[0].contains('/') && !has(line[0]) {
            println!("skipped: {}, for want of {}", line.join(" "), line[0]);
            continue;
        }
        let told = run::explain(&agents, &line);
        let mut outcome = run::start(&agents, &line, run::QUICK);
        if told == Verdict::Injected && outcome == Outcome::NotLoaded {
            outcome = run::start(&agents, &line, run::PATIENT);
        }
        match (told, outcome) {
            (Verdict::CannotTell, _) => untold += 1,
            (Verdict::Injected, Outcome::Loaded) => loaded += 1,
            (Verdict::LeftAlone, Outcome::NotLoaded) => alone += 1,
            (Verdict::Injected, Outcome::NotLoaded) if run::fails(&agents, &line) => failing += 1,
            (told, outcome) => {
                let difference = format!("{runtime}: {} # {told:?}, {outcome:?}", line.join(" "));
                println!("{difference}");
                differences.push(difference);
            }
        }
    }
    println!(
        "{runtime}: {loaded} loaded, {alone} left alone, {untold} cannot be told, {failing} fail by themselves"
    );
    let known: Vec<_> = KNOWN
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let line_of = |difference: &String| {
        difference
            .split(" # ")
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let (known, new): (Vec<_>, Vec<_>) = differences
        .into_iter()
        .partition(|difference| known.contains(&line_of(difference).as_str()));
    println!("{runtime}: {} known differences", known.len());
    assert!(
        loaded > 0 && alone > 0,
        "{runtime}: one side alone says nothing"
    );
    assert!(
        new.is_empty(),
        "{} differences:\n{}",
        new.len(),
        new.join("\n")
    );
}

#[test]
fn jvm() {
    compare("jvm", &lines::JVM);
}

#[test]
fn nodejs() {
    compare("nodejs", &lines::NODEJS);
}

#[test]
fn python() {
    compare("python", &lines::PYTHON);
}

#[test]
fn ruby() {
    compare("ruby", &lines::RUBY);
}

#[test]
fn php() {
    compare("php", &lines::PHP);
}

#[test]
fn erlang() {
    compare("erlang", &lines::ERLANG);
}
