//! Why a process, or one variable of it, is left unchanged.

use crate::config::rules::Place;
use crate::config::sources::FileProblem;
use alloc::{string::String, vec::Vec};
use core::fmt;

/// The reason for injecting nothing. `Display` gives one line for the debug log and the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The kill switch: the variable that is set.
    KillSwitch(&'static str),
    /// A program that is left alone by default; the name of the kind of program.
    BuiltInDenial(&'static str),
    /// The same, told by the command line.
    BuiltInArgumentDenial(&'static str),
    /// The library that starts this runtime is not loaded in the process (yet). The library's file name.
    NotLoaded(&'static str),
    /// An option on the command line with which the agent could not start.
    Option(&'static str),
    /// Nothing proves that the process runs this runtime ([`Runtime::proof`](crate::Runtime::proof)), so it
    /// probably reads the variable only to pass it to its children. The runtime's name.
    NotProven(&'static str),
    /// A CLR that another program has loaded: it runs no startup hooks.
    Hosted,
    /// The configuration cannot be used.
    Configuration {
        /// The file with the problem.
        path: Vec<u8>,
        /// What is wrong with it.
        problem: FileProblem,
    },
    /// This key of the configuration is false.
    DisabledBy(&'static str),
    /// The rule at this place of the configuration leaves the process alone.
    Rule(Place),
    /// `processes.include` (or `include_arguments`) is given and nothing in it matches.
    NotIncluded(&'static str),
    /// A pattern of `processes.exclude` (or `exclude_arguments`) matches.
    Excluded {
        /// The key that holds the pattern.
        key: &'static str,
        /// The pattern that matches.
        pattern: String,
    },
    /// Patterns and what they are held against are more than a start has time for.
    TooMuchToCompare,
    /// No runtime has an agent in the configuration, and there is none where agents are looked for
    /// ([`crate::runtimes::default_agents`]).
    NoAgentConfigured,
    /// The agent's path in this section of the configuration is the empty one.
    AgentPathEmpty(&'static str),
    /// The agent is missing, not a regular file, or not readable by this process.
    AgentUnreadable(String),
    /// The file of a declarative configuration is missing, or not readable by this process.
    FileUnreadable(Vec<u8>),
    /// The agent's path cannot be written in the variable without changing its meaning.
    AgentPathUnusable {
        /// The path.
        path: String,
        /// What would happen.
        why: &'static str,
    },
    /// A boot file is not installed beside the preload object; its path.
    BootFileMissing(Vec<u8>),
    /// Not answered before an agent has been injected in this process.
    NotActivated,
    /// The user has set this variable.
    SetByUser,
    /// Neither the configuration nor anything else gives the setting a value.
    NoValue,
    /// The agent is already in the value.
    AlreadyInjected,
    /// The user's value has a quote without its partner, with which the runtime does not
    /// start.
    UnmatchedQuote,
    /// The runtime ignores the user's value as a whole; with the agent's option it would not.
    IgnoredByRuntime,
    /// Another agent is already there.
    OtherAgent {
        /// Whose agent.
        vendor: &'static str,
        /// Where it was found: a variable's name or `command line`.
        place: &'static str,
    },
    /// Another injector is in the process, or has left its mark there.
    OtherInjector {
        /// Whose injector.
        vendor: &'static str,
        /// The path of its object, or the variable that it has set.
        sign: Vec<u8>,
    },
    /// The application brings an OpenTelemetry SDK of its own, which would lose against the agent's.
    OwnSdk {
        /// The file that shows it.
        place: Vec<u8>,
    },
    /// The file of the application that is to be run is missing or not readable.
    ApplicationMissing(Vec<u8>),
    /// A file of the application has an entry with which the agent could not start.
    ApplicationForbids {
        /// The file.
        path: Vec<u8>,
        /// The entry.
        what: &'static str,
    },
    /// The JVM does not run with an agent and this option.
    IncompatibleOption(String),
    /// The launcher was only asked for information, by this option.
    InformationOnly(String),
    /// Node.js with this option is no place for an agent.
    NodeOption {
        /// The option, or the word that stands in the script's place.
        option: &'static str,
        /// What keeps the agent out.
        why: &'static str,
    },
    /// A file that may give Node.js options, or the option that names one.
    NodeOptionsInFile(Vec<u8>),
    /// The process runs another runtime (for example Node.js reads `PYTHONPATH`), for its script or its children.
    OtherInterpreter,
    /// This JVM's image has no `libinstrument.so`; the path of its libjvm.
    NoInstrumentLibrary(Vec<u8>),
    /// A JVM of version 8 or older ignores the variable above this number of bytes.
    TooLong(usize),
    /// The hooks could not be put in place.
    Engine(EngineProblem),
}

/// Why an engine could not hook a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineProblem {
    /// No loaded object was recognised as libc.
    NoLibc,
    /// libc has no function of this name.
    NoFunction,
    /// The function is too short for the patch.
    TooShort,
    /// The function's first bytes are already a patch, or a debugger's breakpoint is among them.
    AlreadyPatched,
    /// Other threads are running, one of which may be inside the function.
    Threads,
    /// The code can neither be written through `/proc/self/mem` nor be made writable; for Gum also: there is not the
    /// memory that it needs, or none that may become executable.
    MemoryRefused,
    /// The Gum engine's object is not installed or cannot be loaded.
    GumUnavailable,
    /// Gum could not copy the function's beginning, or the copy is out of a short jump's reach.
    GumFailed,
}

impl Reason {
    /// Whether not even a trace session may put hooks in place: somebody wants this process as it is, or
    /// they could not be put in place.
    pub fn forbids_hooks(&self) -> bool {
        matches!(
            self,
            Self::KillSwitch(_) | Self::Excluded { .. } | Self::Rule(_) | Self::Engine(_)
        )
    }

    /// A word for the kind of reason, which stays the same from version to version: what reports are
    /// counted by.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::KillSwitch(_) => "kill_switch",
            Self::BuiltInDenial(_) | Self::BuiltInArgumentDenial(_) => "built_in_denial",
            Self::NotLoaded(_) => "not_loaded",
            Self::Option(_) => "option",
            Self::NotProven(_) => "not_proven",
            Self::Hosted => "hosted",
            Self::Configuration { .. } => "configuration",
            Self::DisabledBy(_) => "disabled",
            Self::Rule(_) => "rule",
            Self::NotIncluded(_) => "not_included",
            Self::Excluded { .. } => "excluded",
            Self::TooMuchToCompare => "too_much_to_compare",
            Self::NoAgentConfigured => "no_agent_configured",
            Self::AgentPathEmpty(_) => "disabled",
            Self::AgentUnreadable(_) => "agent_unreadable",
            Self::FileUnreadable(_) => "file_unreadable",
            Self::AgentPathUnusable { .. } => "agent_path_unusable",
            Self::BootFileMissing(_) => "boot_file_missing",
            Self::NotActivated => "not_activated",
            Self::SetByUser => "set_by_user",
            Self::NoValue => "no_value",
            Self::AlreadyInjected => "already_injected",
            Self::UnmatchedQuote => "unmatched_quote",
            Self::IgnoredByRuntime => "ignored_by_runtime",
            Self::OtherAgent { .. } => "other_agent",
            Self::OtherInjector { .. } => "other_injector",
            Self::OwnSdk { .. } => "own_sdk",
            Self::ApplicationMissing(_) => "application_missing",
            Self::ApplicationForbids { .. } => "application_forbids",
            Self::IncompatibleOption(_) => "incompatible_option",
            Self::InformationOnly(_) => "information_only",
            Self::NodeOption { .. } => "node_option",
            Self::NodeOptionsInFile(_) => "node_options_in_file",
            Self::OtherInterpreter => "other_interpreter",
            Self::NoInstrumentLibrary(_) => "no_instrument_library",
            Self::TooLong(_) => "too_long",
            Self::Engine(_) => "engine",
        }
    }

    /// Whether the same question may have another answer once another library is loaded.
    pub fn may_change_later(&self) -> bool {
        matches!(
            self,
            Self::NotLoaded(_) | Self::NotProven(_) | Self::Hosted | Self::OtherInterpreter
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillSwitch(variable) => write!(f, "{variable} is set"),
            Self::TooMuchToCompare => f.write_str(
                "there are more patterns, or a longer command line, than a start has time to compare",
            ),
            Self::BuiltInDenial(kind) => {
                write!(
                    f,
                    "{kind} is left alone by default (processes.include lifts this)"
                )
            }
            Self::BuiltInArgumentDenial(kind) => write!(
                f,
                "{kind} is left alone by default (processes.include_arguments lifts this)"
            ),
            Self::NotLoaded(library) => write!(f, "{library} is not loaded"),
            Self::Option(name) => write!(f, "{name} on the command line prevents the agent from starting"),
            Self::NotProven(runtime) => write!(
                f,
                "neither the program's name nor a loaded library shows that it runs {runtime} \
                 (a name in processes.include does)"
            ),
            Self::Hosted => {
                f.write_str("a .NET runtime that another program hosts runs no startup hooks")
            }
            Self::Configuration { path, problem } => {
                write!(f, "{}{problem}", Lossy(path))
            }
            Self::DisabledBy(key) => write!(f, "{key} = false in the configuration"),
            Self::Rule(place) => write!(f, "the rule at {place} has enabled = false"),
            Self::NotIncluded(key) => write!(f, "no pattern in {key} matches"),
            Self::Excluded { key, pattern } => {
                write!(f, "the pattern \"{pattern}\" in {key} matches")
            }
            Self::NoAgentConfigured => f.write_str(
                "the configuration names no agent_path, and there is no default agent for this process",
            ),
            Self::AgentPathEmpty(section) => write!(
                f,
                "{section}.agent_path is empty in the configuration: the runtime is left alone"
            ),
            Self::AgentUnreadable(path) => {
                write!(f, "{path} is missing or not readable by this process")
            }
            Self::FileUnreadable(path) => write!(
                f,
                "{}, the agent's configuration file (OTEL_CONFIG_FILE), is missing or not readable by this process",
                Lossy(path)
            ),
            Self::AgentPathUnusable { path, why } => write!(f, "{path}: {why}"),
            Self::BootFileMissing(path) => {
                write!(
                    f,
                    "{} is not installed beside the preload object",
                    Lossy(path)
                )
            }
            Self::NotActivated => f.write_str("no agent has been injected in this process"),
            Self::SetByUser => f.write_str("the environment's own value is kept"),
            Self::NoValue => f.write_str("the configuration gives it no value"),
            Self::AlreadyInjected => f.write_str("the value already loads the agent"),
            Self::UnmatchedQuote => f.write_str("the value has an unmatched quote"),
            Self::IgnoredByRuntime => f.write_str(
                "the runtime ignores this value as it is, but would obey it with the agent added",
            ),
            Self::OtherAgent { vendor, place } => {
                let preposition = match *place {
                    "command line" => "on the",
                    _ => "in",
                };
                write!(
                    f,
                    "the agent of {vendor} is already {preposition} {place} (allow_other_agents = true allows both)"
                )
            }
            Self::OtherInjector { vendor, sign } => write!(
                f,
                "the injector of {vendor} is already in the process, as {} shows (allow_other_agents = true \
                 allows both)",
                Lossy(sign)
            ),
            Self::OwnSdk { place } => write!(
                f,
                "the application has its own OpenTelemetry SDK, as {} shows \
                 (allow_own_sdk = true allows both)",
                Lossy(place)
            ),
            Self::ApplicationMissing(path) => {
                write!(f, "{} is missing or not readable", Lossy(path))
            }
            Self::ApplicationForbids { path, what } => {
                write!(
                    f,
                    "{} contains {what}, which keeps the agent out",
                    Lossy(path)
                )
            }
            Self::IncompatibleOption(option) => {
                write!(f, "the Java agent does not work with {option}")
            }
            Self::InformationOnly(option) => {
                write!(
                    f,
                    "{option} only prints information and starts no application"
                )
            }
            Self::NodeOption { option, why } => write!(f, "{option}: {why}"),
            Self::NodeOptionsInFile(path) => write!(
                f,
                "{} may contain Node.js options, which Node.js reads only if NODE_OPTIONS is not set",
                Lossy(path)
            ),
            Self::OtherInterpreter => {
                f.write_str("another runtime asks, only to pass the value on")
            }
            Self::NoInstrumentLibrary(path) => {
                write!(f, "no libinstrument.so beside {}", Lossy(path))
            }
            Self::TooLong(limit) => {
                write!(
                    f,
                    "this JVM ignores the variable if it is longer than {limit} bytes"
                )
            }
            Self::Engine(problem) => write!(f, "engine: {problem}"),
        }
    }
}

impl fmt::Display for EngineProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoLibc => "libc is not among the loaded objects",
            Self::NoFunction => "libc has no such function",
            Self::TooShort => "the function is too short to be patched",
            Self::AlreadyPatched => "the function is already patched, or has a breakpoint",
            Self::Threads => "other threads are already running",
            Self::MemoryRefused => "the system refuses to make the code of the function writable, or the memory for a hook",
            Self::GumUnavailable => "the Gum engine is not installed beside the preload object",
            Self::GumFailed => "Gum could not copy the beginning of the function, or only to a place too far away",
        })
    }
}

impl core::error::Error for EngineProblem {}

/// Bytes shown as text, what is not UTF-8 replaced.
pub struct Lossy<'a>(pub &'a [u8]);

impl fmt::Display for Lossy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_str("\u{fffd}")?;
            }
        }
        Ok(())
    }
}
