//! Whether `explain -- COMMAND` says what happens: command lines of each runtime, made of its own table of
//! options (`--help`), are explained and really started with a small agent. What is told and whether the
//! agent was loaded have to agree, in both directions.
//!
//! Options stand on the command line and in the variables that the runtime reads options from.
//! `DIFFERENTIAL=all` tries many more pairs of options.

mod agents;
mod lines;
mod run;

use agents::Agents;
use lines::Table;
use run::{Outcome, Verdict};
use support::{has, root, skip};

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
        let program = run::split(&line).1[0];
        if !program.contains('/') && !has(program) {
            println!("skipped: {}, for want of {program}", line.join(" "));
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
    assert!(
        loaded > 0 && alone > 0,
        "{runtime}: one side alone says nothing"
    );
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
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

#[test]
fn dotnet() {
    if !root().join(".cache/dotnet/8.0/dotnet").exists() {
        skip!("no .NET 8 in .cache/dotnet");
    }
    compare("dotnet", &lines::DOTNET);
}
