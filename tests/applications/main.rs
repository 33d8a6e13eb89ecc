//! `applications`: real software, with and without the preload object and the agents.
//!
//! Each application is installed by its packages' names in a layer of its own, and run in fresh layers
//! with `/etc/ld.so.preload`. What it answers, prints, leaves in environments and ends with must be the
//! same. Exit code 1: a difference that nothing explains.

mod compare;
mod declaration;
mod environments;
mod inside;
mod install;
mod layers;
mod observed;
mod run;
mod table;

use clap::{Parser, ValueEnum};
use declaration::Application;
use std::fs;
use std::process::ExitCode;
use support::{has, is_root, root};

/// Installs real software by its packages' names, runs it with and without the preload object, and
/// compares.
#[derive(Parser)]
struct Options {
    /// Applications, or runtimes; all without a name
    names: Vec<String>,
    /// Only a small sample of what installs and starts quickly
    #[arg(long)]
    sample: bool,
    /// Print the table of the latest results, and run nothing
    #[arg(long)]
    table: bool,
    /// What listens where the agents send
    #[arg(long, value_enum, default_value = "works")]
    collector: Collector,
    /// Install one application and open a shell in a fresh layer
    #[arg(long)]
    shell: bool,
    /// Print what each run showed
    #[arg(long)]
    verbose: bool,
    #[arg(long, hide = true)]
    inside: bool,
    #[arg(long, hide = true)]
    first: bool,
}

/// What listens where the agents send.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Collector {
    /// One that takes spans
    Works,
    /// Nobody: connections are refused
    Refuses,
    /// Somebody who accepts connections and never answers
    Silent,
}

impl Collector {
    fn name(self) -> String {
        let value = self.to_possible_value().expect("no value is skipped");
        value.get_name().to_owned()
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.first {
        return inside::first_process();
    }
    let chosen = match chosen(&options) {
        Ok(chosen) => chosen,
        Err(problem) => {
            eprintln!("applications: {problem}");
            return ExitCode::from(2);
        }
    };
    if options.inside {
        println!("{}", inside::run(&chosen[0], options.collector).to_json());
        return ExitCode::SUCCESS;
    }
    if options.table {
        print!("{}", table::of(&chosen));
        return ExitCode::SUCCESS;
    }
    if !is_root() || !has("unshare") {
        println!("skipped: applications, which need root and unshare");
        return ExitCode::SUCCESS;
    }
    if options.shell {
        return run::shell(&chosen[0]);
    }
    let mut differences = 0;
    for application in &chosen {
        let outcome = run::compare(application, options.collector, options.verbose);
        println!("{outcome}");
        differences += outcome.differences.len();
    }
    ExitCode::from(u8::from(differences > 0))
}

/// The applications that are asked for, in the order of their runtimes and names.
fn chosen(options: &Options) -> Result<Vec<Application>, String> {
    let folder = root().join("tests/applications/table");
    let entries = fs::read_dir(folder).map_err(|error| error.to_string())?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut all = Vec::new();
    for file in files {
        all.extend(declaration::read(&file)?);
    }
    let is_named = |name: &String| {
        all.iter()
            .any(|one| one.name == *name || one.runtime == *name)
    };
    if let Some(unknown) = options.names.iter().find(|name| !is_named(name)) {
        return Err(format!("unknown application `{unknown}`"));
    }
    let names = &options.names;
    all.retain(|one| {
        let named = names.is_empty() || names.contains(&one.name) || names.contains(&one.runtime);
        named && (!options.sample || one.sample)
    });
    Ok(all)
}
