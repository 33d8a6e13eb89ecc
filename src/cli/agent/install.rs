//! `opentelemetry-injector agent install` and `agent upgrade`.

use crate::agent::drop_in::{self, Written};
use crate::agent::error::AgentError;
use crate::agent::interrupt::Interrupt;
use crate::agent::places::{self, CURRENT, Places};
use crate::agent::progress::Progress;
use crate::agent::recipes::{self, Recipe};
use crate::agent::source::Source;
use crate::agent::staging::{Staging, Workshop};
use crate::agent::work::Work;
use crate::agent::{EXIT_STATUS, NOT_DONE, Named, WRONG_USAGE, files, runtimes};
use crate::install::image_root;
use crate::machine::file_changes;
use crate::machine::{preload_object, programs};
use crate::output::{Style, names};
use crate::status::findings::{self, Finding};
use crate::{complain, output, spans};
use opentelemetry_injector_policy::Runtime;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Install the agents of the runtimes that this machine has, and let the configuration name them.
///
/// Each goes into /usr/lib/opentelemetry/LANGUAGE/VERSION. The link `current` beside it is switched in
/// one step: processes that are running keep the agent that they have. At the end a small program of
/// each runtime is started with its agent, and the span that arrived is shown.
#[derive(clap::Args)]
#[command(after_help = after_help(INSTALL_EXAMPLES))]
pub struct Arguments {
    /// The runtimes [default: those that are found]
    #[arg(value_name = "RUNTIME")]
    runtimes: Vec<Named>,
    #[command(flatten)]
    choice: Choice,
}

/// Install the tested version of each agent that is installed in another one.
///
/// The former version stays for the processes that run with it, until `agent remove` takes it away.
#[derive(clap::Args)]
#[command(after_help = after_help(UPGRADE_EXAMPLES))]
pub struct UpgradeArguments {
    /// The runtimes [default: those with an agent]
    #[arg(value_name = "RUNTIME")]
    runtimes: Vec<Named>,
    #[command(flatten)]
    choice: Choice,
}

#[derive(clap::Args)]
struct Choice {
    /// Another version than the one that this release was tested with
    #[arg(long)]
    version: Option<String>,
    /// Install from this file, archive, folder or address, without a registry
    #[arg(long, value_name = "FILE|URL|FOLDER", value_parser = Source::parse)]
    from: Option<Source>,
    /// The root folder of an image, instead of this machine's
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

const INSTALL_EXAMPLES: &str = "\
Examples:
  opentelemetry-injector agent install
  opentelemetry-injector agent install jvm --version 2.30.0
  opentelemetry-injector agent install jvm --from /mnt/opentelemetry-javaagent.jar
  opentelemetry-injector agent install python --from /mnt/wheels
  opentelemetry-injector agent install nodejs --from /mnt/nodejs-agent.tar.gz --root /mnt/image";

const UPGRADE_EXAMPLES: &str = "\
Examples:
  opentelemetry-injector agent upgrade
  opentelemetry-injector agent upgrade jvm --version 2.34.0";

fn after_help(examples: &str) -> String {
    let fetched = "\
What --from may be:
  jvm     the jar, or a folder with it
  nodejs  a folder with node_modules
  python  a folder of wheels, or one with a folder of packages for each version (3.11)
  ruby    a folder of gems, or one with agent.rb
  php     a folder with vendor
  erlang  a folder of compiled applications
  dotnet  the unpacked release
and a .zip or .tar.gz of each folder. A checksum beside a file (.sha512, .sha256, .sha1) is verified.

Environment:
  HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE  for downloads; npm, pip, Maven and others have their settings
  NO_COLOR                              no colours on a terminal";
    format!("{EXIT_STATUS}\n\n{fetched}\n\n{examples}")
}

/// Runs `agent install`.
pub fn install(arguments: &Arguments) -> ExitCode {
    run(&arguments.choice, |places| {
        let named = runtimes(&arguments.runtimes);
        if named.is_empty() {
            found(places)
        } else {
            named
        }
    })
}

/// Runs `agent upgrade`.
pub fn upgrade(arguments: &UpgradeArguments) -> ExitCode {
    run(&arguments.choice, |places| {
        let named = runtimes(&arguments.runtimes);
        let all = Runtime::ALL.into_iter();
        all.filter(|runtime| {
            let is_named = named.is_empty() || named.contains(runtime);
            is_named && places.current(*runtime).is_some()
        })
        .collect()
    })
}

/// The runtimes that this machine, or an image, has.
fn found(places: &Places) -> Vec<Runtime> {
    let folders = if places.are_of_image() {
        programs::folders_below(places.root())
    } else {
        programs::folders()
    };
    let is_there = |runtime: &Runtime| {
        let launchers = recipes::of(*runtime).launchers().iter();
        launchers
            .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
            .any(|path| programs::is_executable(&path) || path.is_symlink())
    };
    let all = Runtime::ALL.into_iter();
    all.filter(is_there).collect()
}

fn run(choice: &Choice, which: impl FnOnce(&Places) -> Vec<Runtime>) -> ExitCode {
    let mut work = match prepare(choice) {
        Ok(work) => work,
        Err(problem) => {
            complain(&problem);
            return WRONG_USAGE.into();
        }
    };
    let which = which(&work.places);
    if let Some(problem) = misuse(choice, &which) {
        complain(&problem);
        return WRONG_USAGE.into();
    }
    let mut installed = Vec::new();
    let mut has_failed = false;
    for runtime in which {
        match install_one(runtime, choice, &mut work) {
            Ok(report) => {
                work.progress.end();
                if output::print(&format!("{report}\n")).is_err() {
                    return NOT_DONE.into();
                }
                installed.push(runtime);
            }
            Err(problem) => {
                work.progress.end();
                complain(&format_args!("{}: {problem}", runtime.section()));
                if let AgentError::Interrupted(interrupted) = problem {
                    return interrupted.exit_code();
                }
                has_failed = true;
            }
        }
    }
    let tried = try_out(&installed, choice, &mut work);
    work.progress.end();
    let printed = output::print(&findings::text(&tried, Style::of_stdout()));
    if let Err(interrupted) = work.interrupt.check() {
        complain(&interrupted);
        return interrupted.exit_code();
    }
    if has_failed || printed.is_err() || findings::exit_code(&tried) != 0 {
        NOT_DONE.into()
    } else {
        ExitCode::SUCCESS
    }
}

fn prepare(choice: &Choice) -> Result<Work, AgentError> {
    if let Some(version) = &choice.version
        && !places::is_version(version)
    {
        return Err(AgentError::BadVersion(version.clone()));
    }
    let places = Places::below(choice.root.as_deref())?;
    let interrupt = Interrupt::take_over().map_err(AgentError::file(
        "take signals over",
        Path::new("/proc/self"),
    ))?;
    Ok(Work {
        places,
        present: None,
        interrupt,
        progress: Progress::new(),
    })
}

/// What was asked for that cannot be done for these runtimes.
fn misuse(choice: &Choice, which: &[Runtime]) -> Option<String> {
    match which {
        [] => Some(
            "there is nothing to do: name a runtime, for example jvm, for `agent install`".into(),
        ),
        [_] => None,
        _ if choice.from.is_some() => Some("--from is for one runtime; name it".into()),
        _ if choice.version.is_some() => Some("--version is for one runtime; name it".into()),
        _ => None,
    }
}

/// Installs one agent and lets the link and the drop-in name it; what is to be told.
fn install_one(runtime: Runtime, choice: &Choice, work: &mut Work) -> Result<String, AgentError> {
    work.interrupt.check()?;
    let recipe = recipes::of(runtime);
    let folder = work.places.folder(runtime);
    let workshop = Workshop::open(&folder)?;
    let (version, is_new) = match &choice.from {
        Some(source) => take(recipe, source, choice, &workshop, runtime, work)?,
        None => fetch(recipe, choice, &workshop, runtime, work)?,
    };
    work.interrupt.check()?;
    let former = work.places.current(runtime);
    workshop.switch(&version)?;
    let agent = agent_path(&work.places, runtime, &version);
    let written = drop_in::write(&work.places, runtime, &agent)?;
    let place = places::in_image(&work.places, &folder.join(&version));
    let mut report = format!("{} {version}: {}", runtime.section(), place.display());
    match former {
        Some(former) if former != version => {
            report += &format!(" (instead of {former}, which running processes keep)");
        }
        _ if !is_new => report += " (it was installed already)",
        _ => {}
    }
    if let Written::Kept(other) = written {
        let drop_in = work.places.drop_in(runtime);
        let (drop_in, agent) = (drop_in.display(), agent.display());
        work.progress.end();
        complain(&format_args!(
            "{drop_in} names {other}; change it to {agent}"
        ));
    }
    Ok(report)
}

/// What `agent_path` says, as the image's processes see it: a path through the link, which stays as it is
/// when the link is switched, or the version's own.
pub fn agent_path(places: &Places, runtime: Runtime, version: &str) -> PathBuf {
    let recipe = recipes::of(runtime);
    let name = if recipe.bears_link() {
        CURRENT
    } else {
        version
    };
    let folder = places::in_image(places, &places.folder(runtime).join(name));
    match recipe.agent_path() {
        "" => folder,
        inner => folder.join(inner),
    }
}

/// From the registry: the version, and whether something was installed.
fn fetch(
    recipe: &dyn Recipe,
    choice: &Choice,
    workshop: &Workshop,
    runtime: Runtime,
    work: &mut Work,
) -> Result<(String, bool), AgentError> {
    let version = choice.version.as_deref().unwrap_or(recipe.tested());
    let place = work.places.folder(runtime).join(version);
    let is_there = place.is_dir();
    if is_there && !recipe.may_grow() {
        return Ok((version.into(), false));
    }
    work.progress
        .begin(format!("{} {version}: fetching", runtime.section()));
    work.present = is_there.then(|| place.clone());
    let staging = workshop.stage()?;
    let fetched = recipe.fetch(version, staging.path(), work);
    work.present = None;
    fetched?;
    if is_there {
        let is_new = grow(&staging, &place)?;
        return Ok((version.into(), is_new));
    }
    complete(recipe, staging, version, workshop)?;
    Ok((version.into(), true))
}

/// Moves what was fetched for more interpreters into a version that is installed.
fn grow(staging: &Staging, place: &Path) -> Result<bool, AgentError> {
    files::open_to_all(staging.path())?;
    let entries = files::entries(staging.path())?;
    for entry in &entries {
        let name = entry.file_name().unwrap_or_default();
        fs::rename(entry, place.join(name)).map_err(AgentError::file("move it", entry))?;
    }
    Ok(!entries.is_empty())
}

/// From what the administrator has.
fn take(
    recipe: &dyn Recipe,
    source: &Source,
    choice: &Choice,
    workshop: &Workshop,
    runtime: Runtime,
    work: &mut Work,
) -> Result<(String, bool), AgentError> {
    work.progress
        .begin(format!("{}: reading", runtime.section()));
    let staging = workshop.stage()?;
    let scratch = staging.path().join("scratch");
    let agent = staging.path().join("agent");
    file_changes::make_folder(&scratch)?;
    file_changes::make_folder(&agent)?;
    let from = source.get(&scratch, work)?;
    recipe.take(&from, &agent, work)?;
    let named = match source {
        Source::Path(path) => path.clone(),
        Source::Url(url) => url.into(),
    };
    if let Some(fault) = recipe.fault(&agent) {
        return Err(AgentError::NotAnAgent(named, fault));
    }
    let told = choice.version.clone().or_else(|| recipe.version(&agent));
    let version = told.filter(|version| places::is_version(version));
    let version = version.ok_or(AgentError::NoVersion(named))?;
    if work.places.folder(runtime).join(&version).is_dir() {
        return Ok((version, false));
    }
    workshop.publish(&agent, &version)?;
    Ok((version, true))
}

fn complete(
    recipe: &dyn Recipe,
    staging: Staging,
    version: &str,
    workshop: &Workshop,
) -> Result<(), AgentError> {
    if let Some(fault) = recipe.fault(staging.path()) {
        return Err(AgentError::NotAnAgent(staging.path().into(), fault));
    }
    workshop.publish(staging.path(), version)?;
    Ok(())
}

/// Starts a small program of each runtime with its agent; in an image, the image's.
fn try_out(installed: &[Runtime], choice: &Choice, work: &mut Work) -> Vec<Finding> {
    // Where this command is is told by /proc, which an image may lack.
    let object = preload_object::installed();
    let entered = image_root::enter(choice.root.as_deref());
    let subject = |runtime: Runtime| format!("span: {}", names::runtime(runtime));
    let note = |runtime: Runtime, why: &dyn std::fmt::Display| {
        Finding::note(subject(runtime), format!("not tried: {why}"))
    };
    let object = match (&entered, &object) {
        (Err(error), _) => Err(error.to_string()),
        (_, Err(error)) => Err(error.to_string()),
        (Ok(()), Ok(object)) if !object.is_file() => {
            Err(format!("{} is not in the image", object.display()))
        }
        (Ok(()), Ok(object)) => Ok(object),
    };
    let each = installed.iter().map(|runtime| {
        let object = match &object {
            Ok(object) => object,
            Err(why) => return note(*runtime, why),
        };
        if work.interrupt.check().is_err() {
            return note(*runtime, &"interrupted");
        }
        work.progress
            .begin(format!("{}: starting a program", runtime.section()));
        spans::finding(*runtime, object, || work.interrupt.check().is_err())
    });
    each.collect()
}
