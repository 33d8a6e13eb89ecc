//! `opentelemetry-injector doctor`: the status, and what happens when programs are really started.

use crate::explain::boot_checks::{self, VersionCheck};
use crate::explain::{planned_process, remedies};
use crate::install::object_check::GUM;
use crate::install::trial_programs::{self, Kind, Program};
use crate::install::trials::{self, Circumstances, Difference, Outcome};
use crate::machine::loaders::Loaders;
use crate::machine::possible_process::PossibleProcess;
use crate::output::shell_word;
use crate::spans;
use crate::status;
use crate::status::findings::Finding;
use crate::status::given_agent::{arrival, why_none};
use crate::status::{agent_findings, confinement, endpoint, preload_findings};
use opentelemetry_injector_policy::config::overrides::{
    self, CONFIGURATION, DEBUG, ENGINE, KILL_SWITCHES,
};
use opentelemetry_injector_policy::{Configuration, Reason, Runtime};
use std::ffi::OsString;
use std::fs;
use std::iter;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::ExitCode;

/// Show the status, then start one small program per installed runtime and check that it loads its
/// agent and otherwise behaves as it does without the object.
///
/// The agents run with OTEL_SDK_DISABLED=true: they send nothing. The configured endpoint gets an empty
/// request, to see whether it answers. The machine is not changed.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// Start one more program of each runtime, let it send a span to a receiver here, and show the
    /// resource that it came with
    #[arg(long)]
    spans: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Exit status:
  0  no problems
  1  there are problems
  2  something could not be inspected: run it as root

Environment:
  OPENTELEMETRY_INJECTOR_CONFIGURATION  the configuration file for these programs
  NO_COLOR                              write no colours to a terminal

Examples:
  opentelemetry-injector doctor
  opentelemetry-injector doctor --spans
  opentelemetry-injector doctor --json";

/// What a JVM is asked to start: it is created, its agent with it, and finds no such class.
const NO_CLASS: &[&str] = &["opentelemetry.injector.Doctor"];

/// Runs the command.
pub fn doctor(arguments: &Arguments) -> ExitCode {
    let mut findings = status::all();
    let configuration = agent_findings::configuration();
    findings.extend(configuration.iter().flat_map(endpoint::findings));
    if let Some(object) = preload_findings::object() {
        let agents = configuration.iter().flat_map(agents).collect::<Vec<_>>();
        findings.extend(confinement::findings(&object, &agents));
        findings.extend(programs(&object, &configuration));
        if arguments.spans {
            findings.extend(spans(&object));
        }
    }
    status::print(&findings, arguments.json)
}

/// The paths of the agents.
fn agents(configuration: &Configuration) -> Vec<String> {
    let runtimes = Runtime::ALL.into_iter();
    let agents =
        runtimes.filter_map(|runtime| Some(runtime.agent(configuration).ok()?.1.to_owned()));
    agents.collect()
}

fn programs(object: &Path, configuration: &Result<Configuration, Reason>) -> Vec<Finding> {
    let ordinary = trial_programs::ordinary().into_iter();
    let ordinary = ordinary.map(|program| judge_ordinary(&program, object));
    let runtimes = trial_programs::runtimes().into_iter();
    let runtimes = runtimes.filter_map(|program| {
        let Kind::Runtime(runtime) = program.kind else {
            return None;
        };
        let arguments = match runtime {
            Runtime::Jvm => NO_CLASS,
            _ => program.arguments,
        };
        let program = Program {
            arguments,
            ..program
        };
        let finding = judge_runtime(&program, runtime, object, configuration);
        Some(match refused_version(&program, runtime, configuration) {
            Some(refused) if finding.is_ok() => refused,
            _ => finding,
        })
    });
    let of_32_bits = trial_programs::of_32_bits(&Loaders::find()).into_iter();
    let named = preload_findings::named_to_32_bits(object);
    let of_32_bits = of_32_bits.filter_map(|program| judge_32_bits(&program, &named));
    let programs = ordinary.chain(runtimes).chain(of_32_bits);
    programs.chain(judge_gum(object)).collect()
}

/// Whether `hook.engine = "auto"` would take Gum, where its object is installed.
fn judge_gum(object: &Path) -> Option<Finding> {
    if !object.with_file_name(GUM).exists() {
        return None;
    }
    let program = trial_programs::ordinary().into_iter().next()?;
    let configuration = overrides::configuration_path(&PossibleProcess::WithOwnEnvironment);
    let circumstances = Circumstances::with_object(object)
        .and(CONFIGURATION, OsString::from_vec(configuration))
        .and(ENGINE, "gum")
        .and(DEBUG, "true");
    let log = trials::log(&trials::run(&program, &circumstances));
    let told = |beginning: &str| log.iter().find_map(|line| line.strip_prefix(beginning));
    let subject = format!("trial: Gum, {}", program.label);
    Some(
        match (told("engine gum: getenv"), told("nothing is injected: ")) {
            (Some(_), _) => Finding::ok(subject, "`auto` takes Gum for runtimes"),
            (None, Some(reason)) => {
                Finding::note(subject, format!("`auto` does not take Gum: {reason}"))
            }
            (None, None) => Finding::note(subject, "nothing was told: the log goes to log.file"),
        },
    )
}

/// A span of each runtime that is here.
fn spans(object: &Path) -> Vec<Finding> {
    let programs = trial_programs::runtimes().into_iter();
    let runtimes = programs.filter_map(|program| match program.kind {
        Kind::Runtime(runtime) => Some(runtime),
        _ => None,
    });
    let findings = runtimes.map(|runtime| spans::finding(runtime, object, || false));
    findings.collect()
}

fn subject(program: &Program) -> String {
    format!("trial: {}", program.label)
}

/// A program with the kill switch, and as any other: its outcomes, and what was logged of it.
fn run(program: &Program, object: &Path) -> (Outcome, Outcome) {
    let configuration = overrides::configuration_path(&PossibleProcess::WithOwnEnvironment);
    let configuration = OsString::from_vec(configuration);
    let with = |name, value| {
        let circumstances = Circumstances::with_object(object).and(name, value);
        trials::run(
            program,
            &circumstances.and(CONFIGURATION, configuration.clone()),
        )
    };
    (with(KILL_SWITCHES[0], "true"), with(DEBUG, "true"))
}

fn judge_ordinary(program: &Program, object: &Path) -> Finding {
    let (before, now) = run(program, object);
    match trials::compare(&before, &now) {
        None => Finding::ok(subject(program), "as without the object"),
        Some(difference) => differs(program, &difference),
    }
}

/// What an installation would stop at; nothing where the kernel starts no such programs. `object` is the
/// path that is named to the loader.
fn judge_32_bits(program: &Program, object: &Path) -> Option<Finding> {
    let before = trials::run(program, &Circumstances::default());
    if let Outcome::NotStarted(_) = before {
        return None;
    }
    let now = trials::run(program, &Circumstances::with_object(object));
    if trials::compare(&before, &now).is_none() {
        return Some(Finding::ok(subject(program), "it loads an empty object"));
    }
    let what = "it cannot load the object and would print an error, as every 32-bit program does";
    Some(
        Finding::note(subject(program), what)
            .with_next("read `opentelemetry-injector install --help` before an installation"),
    )
}

fn differs(program: &Program, difference: &Difference) -> Finding {
    let next = "run `opentelemetry-injector uninstall`, and report the problem with this output";
    Finding::problem(subject(program), difference.to_string(), next)
}

fn judge_runtime(
    program: &Program,
    runtime: Runtime,
    object: &Path,
    configuration: &Result<Configuration, Reason>,
) -> Finding {
    let log_file = configuration
        .as_ref()
        .ok()
        .and_then(|configuration| configuration.log.file.as_deref());
    let length = log_file.and_then(|file| fs::metadata(file).ok());
    let length = length.map_or(0, |metadata| metadata.len());
    let (before, now) = run(program, object);
    match trials::compare(&before, &now) {
        // An agent may have something to say there; the JVM tells of its options.
        None | Some(Difference::Output("stderr", _)) => {}
        Some(difference) => return differs(program, &difference),
    }
    let mut log = trials::log(&now);
    log.extend(
        log_file
            .map(|file| trials::logged_since(file, length))
            .unwrap_or_default(),
    );
    let reason = match arrival(runtime, &log) {
        Ok(variable) => {
            let what = format!("as without the object, and gets its agent through {variable}");
            return Finding::ok(subject(program), what);
        }
        Err(reason) => reason,
    };
    if let Some(why) = why_none(runtime, configuration) {
        return Finding::note(subject(program), format!("as without the object; {why}"));
    }
    if runtime == Runtime::Dotnet {
        let what = "as without the object; it asks for its agent only with an application";
        return Finding::note(subject(program), what).with_next(format!(
            "opentelemetry-injector explain -- {} APPLICATION.dll",
            program.path.display()
        ));
    }
    Finding::problem(
        subject(program),
        format!("gets no agent: {reason}"),
        format!("opentelemetry-injector explain -- {}", line(program)),
    )
}

/// How a shell is told to start a program.
fn line(program: &Program) -> String {
    let path = program.path.to_string_lossy();
    let words = iter::once(&*path).chain(program.arguments.iter().copied());
    words.map(shell_word::quoted).collect::<Vec<_>>().join(" ")
}

/// What the boot file has against the runtime's version: the agent that it is given then stays away.
fn refused_version(
    program: &Program,
    runtime: Runtime,
    configuration: &Result<Configuration, Reason>,
) -> Option<Finding> {
    let configuration = configuration.as_ref().ok()?;
    let (_, agent) = runtime.agent(configuration).ok()?;
    let command = [program.path.clone().into_os_string()];
    let (prospect, _) = planned_process::of(&command).ok()?;
    let VersionCheck::Failed(why) = boot_checks::check(runtime, agent, &prospect.facts) else {
        return None;
    };
    let what = format!("gets no agent: {why}");
    Some(Finding::problem(subject(program), what, remedies::VERSION))
}
