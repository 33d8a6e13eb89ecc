//! Runs an application without and with the object, each in a fresh layer, and compares.

use crate::Collector;
use crate::compare::{self, Differences};
use crate::declaration::Application;
use crate::inside::WAITING_PRELOAD_FILE;
use crate::install;
use crate::layers;
use crate::observed::Observed;
use serde_json::{Value, json};
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{ExitCode, Stdio};

/// The agents and what they send, as inside.
const CONFIGURATION: &str = "\
jvm.agent_path = '/usr/lib/opentelemetry/java/opentelemetry-javaagent.jar'
nodejs.agent_path = '/usr/lib/opentelemetry/nodejs'
python.agent_path = '/usr/lib/opentelemetry/python/{version}'
ruby.agent_path = '/usr/lib/opentelemetry/ruby/agent.rb'
php.agent_path = '/usr/lib/opentelemetry/php'
erlang.agent_path = '/usr/lib/opentelemetry/erlang'
dotnet.agent_path = '/usr/lib/opentelemetry/dotnet'
[environment]
OTEL_EXPORTER_OTLP_ENDPOINT = 'http://127.0.0.1:4318'
OTEL_BSP_SCHEDULE_DELAY = '500'
";

/// What came of an application.
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Its runtime.
    pub runtime: String,
    /// The version that was installed.
    pub version: String,
    /// Why it was not run.
    pub absent: String,
    /// The first run without the object, and the last one with it.
    pub runs: [Observed; 2],
    /// Differences that nothing explains.
    pub differences: Differences,
    /// Differences that are known.
    pub explained: Differences,
}

/// Installs the application, runs it and compares. A difference is looked at a second time: what differs
/// between two runs without the object, or does not differ again, is not the object's doing.
pub fn compare(application: &Application, collector: Collector, verbose: bool) -> Outcome {
    let mut outcome = Outcome {
        name: application.name.clone(),
        runtime: application.runtime.clone(),
        version: String::new(),
        absent: application.absent.clone(),
        runs: Default::default(),
        differences: Differences::new(),
        explained: Differences::new(),
    };
    if outcome.absent.is_empty() {
        match install::install(application) {
            Ok(version) => outcome.version = version.replace('\n', ", "),
            Err(problem) => outcome.absent = problem,
        }
    }
    if outcome.absent.is_empty() {
        run(application, collector, verbose, &mut outcome);
    }
    // The table tells of a collector that works.
    if collector == Collector::Works {
        keep(application, &outcome);
    }
    outcome
}

fn run(application: &Application, collector: Collector, verbose: bool, outcome: &mut Outcome) {
    let once = |hooked: bool| {
        let observed = in_fresh_layer(application, hooked, collector);
        if verbose {
            println!("hooked {hooked}: {:#}", observed.to_json());
        }
        observed
    };
    let mut plain = vec![once(false)];
    let mut hooked = once(true);
    let expected = Application {
        traced: application.traced && collector == Collector::Works,
        ..application.clone()
    };
    let mut found = compare::differences(&expected, &plain, &hooked);
    if !compare::explained(&expected, found.clone()).1.is_empty() {
        plain.push(once(false));
        hooked = once(true);
        let again = compare::differences(&expected, &plain, &hooked);
        found.retain(|difference| is_again(difference, &again));
    }
    if plain[0].ready.is_none() {
        found.insert(format!(
            "it does not start by itself: {}",
            last_line(&plain[0])
        ));
    }
    if plain[0].ready.is_some() && hooked.ready.is_none() {
        found.insert(format!("it does not start: {}", last_line(&hooked)));
    }
    (outcome.explained, outcome.differences) = compare::explained(&expected, found);
    outcome.runs = [plain.swap_remove(0), hooked];
}

/// What a run printed last.
fn last_line(run: &Observed) -> &str {
    run.output.trim_end().lines().last().unwrap_or_default()
}

/// Whether a difference was seen again; its numbers may be others.
fn is_again(difference: &str, again: &Differences) -> bool {
    let same = compare::unvarying(difference);
    again.iter().any(|other| compare::unvarying(other) == same)
}

fn in_fresh_layer(application: &Application, hooked: bool, collector: Collector) -> Observed {
    let folder = install::folder(application);
    let (installed, fresh) = (folder.join("layer"), folder.join("run"));
    let _ = fs::remove_dir_all(&fresh);
    if let Err(error) = write_set_up(&fresh, hooked) {
        return failed(&format!("the layer cannot be written: {error}"));
    }
    let own = std::env::current_exe().expect("our own path");
    let own = own.canonicalize().expect("our own path");
    let collector = format!("--collector={}", collector.name());
    let command = [
        own.to_str().expect("UTF-8"),
        "--first",
        "--inside",
        &collector,
        &application.name,
    ];
    let output = layers::inside(&[&installed, &fresh], false, &command)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    let _ = fs::remove_dir_all(&fresh);
    let output = output.expect("unshare starts").stdout;
    match serde_json::from_slice::<Value>(&output) {
        Ok(value) => Observed::from_json(&value),
        Err(error) => failed(&format!("the run told nothing: {error}")),
    }
}

/// Opens a shell where the application would run. `mv /etc/ld.so.preload.applications /etc/ld.so.preload`
/// there switches the object on.
pub fn shell(application: &Application) -> ExitCode {
    if let Err(problem) = install::install(application) {
        eprintln!("applications: {problem}");
        return ExitCode::FAILURE;
    }
    let folder = install::folder(application);
    let (installed, fresh) = (folder.join("layer"), folder.join("shell"));
    let written = write_set_up(&fresh, true);
    let command = ["bash", "-c", "cd /srv; exec bash"];
    let mut shell = layers::inside(&[&installed, &fresh], false, &command);
    let done = written.is_ok() && shell.status().is_ok_and(|status| status.success());
    let _ = fs::remove_dir_all(&fresh);
    if done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn failed(problem: &str) -> Observed {
    Observed {
        output: problem.into(),
        ..Observed::default()
    }
}

/// Writes the configuration and, for a run with the object, the preload file.
fn write_set_up(layer: &Path, hooked: bool) -> std::io::Result<()> {
    let configuration = layer.join("upper/etc/opentelemetry/injector");
    fs::create_dir_all(&configuration)?;
    fs::write(configuration.join("configuration.toml"), CONFIGURATION)?;
    if hooked {
        let object = "/usr/lib/opentelemetry/injector/libopentelemetry_injector.so\n";
        fs::write(layer.join("upper").join(&WAITING_PRELOAD_FILE[1..]), object)?;
    }
    Ok(())
}

/// Keeps what the table needs, and the answers for whoever wants to see that they are worth comparing.
fn keep(application: &Application, outcome: &Outcome) {
    let result = json!({
        "version": outcome.version,
        "absent": outcome.absent,
        "spans": outcome.runs[1].spans,
        "services": outcome.runs[1].services,
        "answers": outcome.runs[0].answers,
        "differences": outcome.differences,
        "explained": outcome.explained,
    });
    let folder = install::folder(application);
    let _ = fs::create_dir_all(&folder);
    let _ = fs::write(folder.join("result.json"), result.to_string());
}

impl fmt::Display for Outcome {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            to,
            "{:<22} {:<9} {:<12} ",
            self.name, self.runtime, self.version
        )?;
        if !self.absent.is_empty() {
            return write!(to, "not to be had: {}", self.absent);
        }
        let [plain, hooked] = &self.runs;
        let seconds = |milliseconds: u64| milliseconds as f64 / 1000.0;
        let ready = |run: &Observed| run.ready.map_or(f64::NAN, seconds);
        write!(
            to,
            "{} {} spans of {:?}, ready after {:.1} and {:.1} s, end after {:.1} and {:.1} s",
            if self.differences.is_empty() {
                "same     "
            } else {
                "DIFFERENT"
            },
            hooked.spans,
            hooked.services,
            ready(plain),
            ready(hooked),
            seconds(plain.ending),
            seconds(hooked.ending),
        )?;
        for difference in &self.differences {
            write!(to, "\n    {difference}")?;
        }
        for difference in &self.explained {
            write!(to, "\n    explained: {difference}")?;
        }
        Ok(())
    }
}
