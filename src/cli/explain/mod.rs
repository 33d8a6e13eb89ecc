//! `opentelemetry-injector explain`: what the preload object decides for one process, and why.

pub mod boot_checks;
pub mod changes;
pub mod erlang_scripts;
pub mod explained_process;
pub mod explainer;
pub mod explanation;
pub mod json;
pub mod planned_process;
pub mod remedies;
pub mod resolved_command;
pub mod rule_matches;
pub mod running_process;
pub mod service;
pub mod shell_scripts;
pub mod verdict;
pub mod wrappers;

use crate::complain;
use crate::explain::explained_process::{ExplainedProcess, Loading};
use crate::explain::explainer::explain as explained;
use crate::explain::explanation::{Explanation, Mark, Verdict};
use crate::explain::resolved_command::Way;
use crate::explain::running_process::Unreadable;
use crate::explain::service::Service;
use crate::machine::proc_files;
use crate::output::names;
use crate::output::{self, Style, print, print_json, printable};
use opentelemetry_injector_policy::process::file_name;
use opentelemetry_injector_policy::reason::Lossy;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Explain what the injector decides for one process, step by step, and why.
///
/// For a running process: what was decided when it started, and whether it needs a restart. For a
/// command: what would happen if it were started now, from here, with this environment. The command
/// is not started.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The process ID of a running process
    #[arg(long, value_name = "N")]
    pid: Option<u32>,
    /// List the running processes that each rule of the configuration matches
    #[arg(long, conflicts_with = "pid")]
    rules: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
    /// Use this configuration file instead of the process's own
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// A command and its arguments
    #[arg(
        required_unless_present_any = ["pid", "rules"],
        conflicts_with_all = ["pid", "rules"],
        trailing_var_arg = true
    )]
    command: Vec<OsString>,
}

const AFTER_HELP: &str = "\
Exit status:
  0  the process is injected, or would be, or already has the agent
  1  it is not injected, or would not be
  2  unknown: no such process, no permission, or the configuration has changed since

Injected means that the runtime read its variable and got the agent. In a running process, it also
means that the boot file did not give up. Whether the agent works is in the agent's own log.

`explain` does not see changes that a program made to its environment after its start: the kernel shows
the environment and the command line of the start, unless the program overwrote them with a title.
`explain` ignores access control lists and security modules (SELinux, AppArmor).

Environment:
  NO_COLOR  write no colours to a terminal

Examples:
  opentelemetry-injector explain --pid 4711
  opentelemetry-injector explain --json --pid 4711
  opentelemetry-injector explain --rules
  opentelemetry-injector explain -- java -jar shop.jar
  LD_PRELOAD=/opt/opentelemetry/libopentelemetry_injector.so \\
    opentelemetry-injector explain -- ./start-shop.sh";

/// What to do where a process may not be looked at.
pub const ASK_OTHERWISE: &str =
    "run it as root (in a container: on the host) or as the owner of the process";

const NOT_INJECTED: u8 = 1;
pub const CANNOT_TELL: u8 = 2;

/// Runs the command.
pub fn explain(arguments: &Arguments) -> ExitCode {
    if arguments.rules {
        return rule_matches::tell(arguments.config.as_deref(), arguments.json);
    }
    let (mut process, way) = match process(arguments) {
        Ok(found) => found,
        Err(message) => {
            complain(&message);
            return CANNOT_TELL.into();
        }
    };
    if let Some(path) = &arguments.config {
        process.facts.configure(path);
    }
    let explanation = explained(&process);
    let printed = if arguments.json {
        print_json(&json::explanation(&process, &explanation))
    } else {
        print(&text(&process, &way, &explanation, Style::of_stdout()))
    };
    match (printed, &explanation.verdict) {
        (Err(_), _) | (_, Verdict::Unknown(_)) => CANNOT_TELL.into(),
        (_, Verdict::Injected) => ExitCode::SUCCESS,
        (_, Verdict::NotInjected { .. }) => NOT_INJECTED.into(),
    }
}

fn process(arguments: &Arguments) -> Result<(ExplainedProcess, Way), String> {
    match arguments.pid {
        Some(_) if !proc_files::is_mounted() => Err(proc_files::NOT_MOUNTED.into()),
        Some(process) => match running_process::read(process) {
            Ok(process) => Ok((process, Way::default())),
            Err(problem) => Err(problem.of(process)),
        },
        None => planned_process::of(&arguments.command).map_err(|problem| problem.to_string()),
    }
}

impl Unreadable {
    /// The problem and what to do, of a process.
    fn of(self, process: u32) -> String {
        match self {
            Self::Gone => format!("there is no process {process}; `ps -e` lists all processes"),
            Self::NotPermitted => {
                format!("process {process} cannot be inspected by this user; {ASK_OTHERWISE}")
            }
            Self::NoProgram => {
                format!("process {process} runs no program: it is a kernel thread, or it has ended")
            }
        }
    }
}

fn text(process: &ExplainedProcess, way: &Way, explanation: &Explanation, style: Style) -> String {
    let mut text = String::new();
    heading(&mut text, process, way, explanation, style);
    steps(&mut text, explanation, style);
    answers(&mut text, process, explanation, style);
    if let Some(service) = &explanation.service {
        self::service(&mut text, service, style);
    }
    if !explanation.changes.is_empty() {
        let _ = writeln!(text, "\nChanged since the process started:");
        for change in &explanation.changes {
            let mark = style.warning("!");
            let _ = writeln!(text, "  {mark} {}", wrapped(change, 4));
        }
    }
    let _ = writeln!(text, "\n{}", verdict(process, explanation, style));
    let _ = match explanation.help.as_slice() {
        [] => Ok(()),
        [only] => writeln!(text, "Next: {}", wrapped(only, 6)),
        many => {
            text.push_str("Next:\n");
            many.iter().enumerate().try_for_each(|(index, help)| {
                writeln!(text, "  {}. {}", index + 1, wrapped(help, 5))
            })
        }
    };
    text
}

fn heading(
    text: &mut String,
    process: &ExplainedProcess,
    way: &Way,
    explanation: &Explanation,
    style: Style,
) {
    let name = printable(&Lossy(file_name(&process.facts.started_as)).to_string());
    let runtime = explanation.runtime.map_or(String::new(), |runtime| {
        format!(" ({})", names::runtime(runtime))
    });
    let title = match &process.live {
        Some(live) => format!(
            "process {}: {name}{runtime}, user {}",
            live.process,
            names::user(live.user)
        ),
        None => format!("command: {name}{runtime}"),
    };
    let _ = writeln!(text, "{}", style.strong(&title));
    for wrapper in &way.wrappers {
        let _ = writeln!(text, "  by       {}", shown(wrapper));
    }
    for script in &way.scripts {
        let _ = writeln!(text, "  script   {}", shown(script));
    }
    let _ = writeln!(text, "  program  {}", shown(&process.facts.executable));
    let line = shown(&process.facts.arguments.join(&b' '));
    let width = output::terminal_width().unwrap_or(usize::MAX);
    let _ = writeln!(
        text,
        "  line     {}\n",
        output::cut(&line, width.saturating_sub(11))
    );
}

/// In front of what was found: mark and name.
const INDENT: usize = 23;

fn steps(text: &mut String, explanation: &Explanation, style: Style) {
    for step in &explanation.steps {
        let name = format!("{:15}", step.check.name());
        let what = wrapped(&step.what, INDENT);
        let _ = match step.mark {
            Mark::Passed => writeln!(text, "  {}    {name}{what}", style.good("ok")),
            Mark::Stopped => {
                let name = style.strong(&name);
                writeln!(text, "  {}    {name}{what}", style.bad("NO"))
            }
            Mark::Unknown => writeln!(text, "  {}     {name}{what}", style.warning("?")),
            Mark::NotReached => {
                writeln!(
                    text,
                    "  {}",
                    style.faint(&format!("-     {}", step.check.name()))
                )
            }
        };
        if let Some(place) = &step.place {
            let place = printable(&place.to_string());
            let _ = writeln!(text, "{:INDENT$}{}", "", style.faint(&place));
        }
    }
}

fn answers(text: &mut String, process: &ExplainedProcess, explanation: &Explanation, style: Style) {
    let is_told = matches!(explanation.verdict, Verdict::Injected);
    if !is_told {
        return;
    }
    text.push_str(match (&process.live, explanation.is_of_now()) {
        (Some(_), true) => "\nWhat the process would get from getenv if it were started now:\n",
        _ => "\nWhat the process gets from getenv:\n",
    });
    for answer in &explanation.variables {
        let name = style.strong(answer.variable.name());
        let _ = match &answer.value {
            Ok(value) => writeln!(text, "  {name}={}", shown(value)),
            Err(reason) => writeln!(
                text,
                "  {}",
                style.faint(&printable(&format!(
                    "{} is unchanged: {reason}",
                    answer.variable.name()
                )))
            ),
        };
    }
    for setting in &explanation.settings {
        let _ = writeln!(text, "  {}", printable(setting));
    }
}

fn service(text: &mut String, service: &Service, style: Style) {
    let source = printable(&service.source);
    let _ = match &service.name {
        Some(name) => writeln!(
            text,
            "\nService: {} ({source})",
            style.strong(&printable(name))
        ),
        None => writeln!(text, "\nService: no name ({source})"),
    };
    for (place, keys) in &service.rules {
        let keys = if keys.is_empty() {
            "no key applies".into()
        } else {
            keys.join(", ")
        };
        let _ = writeln!(text, "  rule {}: {}", printable(place), printable(&keys));
    }
}

fn verdict(process: &ExplainedProcess, explanation: &Explanation, style: Style) -> String {
    let is_live = process.live.is_some();
    let restart = "restart required to use what changed";
    let already = explanation.already().map(ToString::to_string);
    type Dress = fn(Style, &str) -> String;
    let (dress, label, why): (Dress, _, &str) = match &explanation.verdict {
        Verdict::Injected if already.is_some() => {
            let why = already.as_deref().unwrap_or_default();
            (Style::good, "Nothing to inject", why)
        }
        Verdict::Injected if is_live && !explanation.changes.is_empty() => {
            (Style::warning, "Injected", restart)
        }
        Verdict::Injected if is_live => (Style::good, "Injected", ""),
        Verdict::Injected => match explanation.untold() {
            Some(condition) => (
                Style::warning,
                "Would be injected, with one condition",
                condition,
            ),
            None => (Style::good, "Would be injected", ""),
        },
        Verdict::NotInjected {
            why,
            after_restart: true,
        } => (Style::bad, "Not injected, restart required", why),
        Verdict::NotInjected { why, .. } if is_live => (Style::bad, "Not injected", why),
        Verdict::NotInjected { why, .. } => (Style::bad, "Would not be injected", why),
        Verdict::Unknown(why) => (Style::warning, "Cannot tell", why),
    };
    if why.is_empty() {
        return dress(style, label);
    }
    let line = wrapped(&format!("{label}: {why}"), 0);
    match line.strip_prefix(label) {
        Some(rest) => dress(style, label) + rest,
        None => line,
    }
}

fn shown(bytes: &[u8]) -> String {
    printable(&Lossy(bytes).to_string())
}

/// Text that goes on below its beginning where the terminal ends; as it is where there is none.
fn wrapped(text: &str, indent: usize) -> String {
    let text = printable(text);
    match output::terminal_width() {
        Some(width) => output::wrap(&text, indent, width),
        None => text,
    }
}

/// The object that a process has, as one word: for lists.
pub fn object_version(process: &ExplainedProcess) -> &str {
    match &process.loading {
        Loading::Loaded(object) => object.version.as_deref().unwrap_or("?"),
        Loading::NotLoaded(_) => "-",
    }
}
