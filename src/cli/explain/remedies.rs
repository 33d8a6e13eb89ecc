//! What to do about a reason for leaving a process alone.

use crate::config::key_places::Place;
use opentelemetry_injector_policy::config::sources::FileProblem;
use opentelemetry_injector_policy::reason::{EngineProblem, Lossy};
use opentelemetry_injector_policy::runtimes::boot::StoodDown;
use opentelemetry_injector_policy::{Reason, Runtime};

/// What a live process needs, whatever else is done.
pub const RESTART: &str = "restart the process";

/// Whether what is to be done comes to nothing without a restart, and does not say so yet.
pub fn need_restart(help: &[String]) -> bool {
    let is_other = |help: &String| {
        help == RESTART || help == NO_RUNTIME || help == IN_A_SCRIPT || help.starts_with("nothing")
    };
    !help.iter().any(is_other)
}

/// Where the program is no runtime.
pub const NO_RUNTIME: &str = "if it starts another program (a shell script does), explain that one; a runtime inside of a \
     program is seen once it runs";

/// Where a script of a shell starts a runtime.
pub const IN_A_SCRIPT: &str = "explain what it starts: by its number once it runs (`explain --pid`, `ps`), or as the script \
     writes it";

/// Where a boot file refuses the runtime's version.
pub const VERSION: &str = "install the agent for this version, or run a newer version";

/// Where nothing speaks against the hooks that are not there.
pub const NOT_HOOKED: &str =
    "start it with OPENTELEMETRY_INJECTOR_DEBUG=true in its environment to see the reason";

/// Where a live process has its hooks and has asked for nothing.
pub const NOT_ASKED: &str = "nothing, if it is just starting, or starts its runtime later; \
     otherwise start it with OPENTELEMETRY_INJECTOR_DEBUG=true in its environment to see what it \
     asks for";

/// What to do where a boot file has given up in a process.
pub fn of_stood_down(reason: StoodDown, runtime: Option<Runtime>) -> String {
    let section = runtime.map_or("RUNTIME", Runtime::section);
    match reason {
        StoodDown::OwnSdk => own_sdk(section),
        StoodDown::Version => VERSION.into(),
        StoodDown::Conflict => format!(
            "remove the other agent or the package; what each boot file checks is in \
             docs/runtimes/{section}.md"
        ),
        StoodDown::Failed => {
            "start it with OPENTELEMETRY_INJECTOR_DEBUG=true in its environment to see the error"
                .into()
        }
        StoodDown::Closed => {
            "let the process open the folder `boot` beside the object, and the agent's \
             folder (open_basedir, chroot), and remove other prepend files"
                .into()
        }
    }
}

fn own_sdk(section: &str) -> String {
    format!("configure that SDK's endpoint, or set allow_own_sdk = true under [{section}]")
}

/// The key of the configuration that a reason is about, and the item of its list.
pub fn key(reason: &Reason, runtime: Option<Runtime>) -> (Option<String>, Option<&str>) {
    let of_runtime = |name: &str| runtime.map(|runtime| format!("{}.{name}", runtime.section()));
    match reason {
        Reason::DisabledBy(key) | Reason::NotIncluded(key) => (Some((*key).into()), None),
        Reason::Excluded { key, pattern } => (Some((*key).into()), Some(pattern)),
        Reason::AgentUnreadable(_)
        | Reason::AgentPathUnusable { .. }
        | Reason::AgentPathEmpty(_) => (of_runtime("agent_path"), None),
        Reason::OtherAgent { .. } | Reason::OtherInjector { .. } => {
            (of_runtime("allow_other_agents"), None)
        }
        Reason::OwnSdk { .. } => (of_runtime("allow_own_sdk"), None),
        _ => (None, None),
    }
}

/// What to do; nothing where there is nothing to be done.
pub fn of(reason: &Reason, runtime: Option<Runtime>, place: Option<&Place>) -> Option<String> {
    let there = place.map_or(String::new(), |place| format!(" ({place})"));
    let section = runtime.map_or("RUNTIME", Runtime::section);
    Some(match reason {
        Reason::KillSwitch(name) => format!("remove {name} from the process's environment"),
        Reason::Configuration {
            path,
            problem: FileProblem::NotPermitted,
        } => format!(
            "let every user read it: chmod a+rX {0} (namei -l {0} shows the folders on the way)",
            Lossy(path)
        ),
        Reason::Configuration { path, .. } => {
            format!("run `opentelemetry-injector check` on {}", Lossy(path))
        }
        Reason::DisabledBy(key) => format!("set {key} = true{there}"),
        Reason::Rule(place) => format!("change the rule at {place}: it excludes such processes"),
        Reason::Excluded { key, .. } => format!("remove the pattern from {key}{there}"),
        Reason::NotIncluded(key) => format!("add a pattern to {key}{there}"),
        Reason::BuiltInDenial(_) => {
            "to inject it, name it in processes.include; then only the programs named there \
             are injected"
                .into()
        }
        Reason::BuiltInArgumentDenial(_) => {
            "nothing, if you mean the program that it starts: that is a separate process, \
             explain that one; to inject this one, name it in processes.include_arguments; \
             then only the programs named there are injected"
                .into()
        }
        Reason::NoAgentConfigured => format!(
            "set agent_path under [{section}], or run `opentelemetry-injector agent install {section}`"
        ),
        Reason::AgentPathEmpty(section) => {
            format!("write the agent's path, or remove agent_path under [{section}]{there}")
        }
        Reason::AgentUnreadable(path) => format!(
            "put the agent there; the process's user must be able to read it and to search \
             its folders (namei -l {path})"
        ),
        Reason::FileUnreadable(_) => {
            "put the file there, readable for the process's user, or take OTEL_CONFIG_FILE away"
                .into()
        }
        Reason::AgentPathUnusable { .. } => format!("put the agent elsewhere{there}"),
        Reason::BootFileMissing(_) => {
            "put the folder `boot` beside the object; every user must be able to read it".into()
        }
        Reason::OtherAgent { .. } => {
            format!("remove the other agent, or set allow_other_agents = true under [{section}]")
        }
        Reason::OtherInjector { .. } => format!(
            "take the other injector away, or set allow_other_agents = true under [{section}]"
        ),
        Reason::OwnSdk { .. } => own_sdk(section),
        Reason::UnmatchedQuote => "close the quote: the runtime does not start with it".into(),
        Reason::IgnoredByRuntime => "begin the value with an option, or remove it".into(),
        Reason::TooLong(_) => "shorten the settings under [environment]".into(),
        Reason::Option(option) => format!("start it without {option}"),
        Reason::IncompatibleOption(option) if option.starts_with("-Djava.security.manager") => {
            format!(
                "start it without {option}, or set \
             OTEL_JAVAAGENT_EXPERIMENTAL_SECURITY_MANAGER_SUPPORT_ENABLED = \"true\" under [environment]"
            )
        }
        Reason::IncompatibleOption(option) => format!("start it without {option}"),
        Reason::Hosted => {
            "put APPLICATION.runtimeconfig.json beside it, or name it in processes.include, if it \
             runs an application of its own"
                .into()
        }
        Reason::ApplicationMissing(path) => format!("put {} there", Lossy(path)),
        Reason::ApplicationForbids { path, what } => {
            format!("remove {what} from {}", Lossy(path))
        }
        Reason::NoInstrumentLibrary(_) => {
            "build the JVM's image with the module java.instrument".into()
        }
        Reason::Engine(EngineProblem::GumUnavailable) => {
            "install the Gum engine's object beside the preload object, or set hook.engine back \
             to \"auto\""
                .into()
        }
        _ => return None,
    })
}
