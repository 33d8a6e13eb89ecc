//! The configuration as the injector uses it; [`keys`] reads it from TOML.

pub mod keys;
pub mod libotelinject;
pub mod overrides;
pub mod rules;
pub mod sources;

use crate::config::rules::Rule;
use crate::runtimes::default_agents;
use crate::{Process, Reason, Runtime, settings};
use alloc::borrow::Cow;
use alloc::{collections::BTreeMap, string::String, vec::Vec};

/// What all configuration files together say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// True: libotelinject.so's files and variables have not been read yet
    /// ([`crate::decision::complete`]).
    pub is_partial: bool,
    /// False: no process is injected.
    pub enabled: bool,
    /// `service_name`: what services are called.
    pub service_name: ServiceName,
    /// `injector_version`: true tells by a resource attribute what has injected the process.
    pub injector_version: bool,
    /// `[[rule]]`, in the order in which they count.
    pub rules: Vec<Rule>,
    /// The agents, by [`Runtime`].
    agents: [Agent; Runtime::ALL.len()],
    /// `nodejs.esm`: true loads Node's hook for ECMAScript modules as well.
    pub nodejs_esm: bool,
    /// `dotnet.profiler`: true sets the variables of the bytecode profiler, in the environment.
    pub dotnet_profiler: bool,
    /// `environment_prefixes`: how names under `[environment]` may begin besides `OTEL_`.
    pub environment_prefixes: Vec<String>,
    /// Defaults for the agents' settings, by name.
    pub environment: BTreeMap<String, String>,
    /// Resource attributes added to those of the user, by key.
    pub resource_attributes: BTreeMap<String, String>,
    /// Which processes are injected.
    pub processes: Processes,
    /// The engine that puts the hooks in place.
    pub engine: Engine,
    /// What is told, and where.
    pub log: Log,
    /// Where each decision is told.
    pub report: Report,
}

/// What a service is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ServiceName {
    /// As the user says, else as it was started ([`crate::settings::identity`]).
    #[default]
    Auto,
    /// As the user says.
    Off,
    /// As the user says, else so.
    Given(String),
}

impl ServiceName {
    /// What a text in the configuration means.
    pub fn from_text(text: String) -> Self {
        match text.as_str() {
            "auto" => Self::Auto,
            "off" | "" => Self::Off,
            _ => Self::Given(text),
        }
    }

    /// The text that means it.
    pub fn as_text(&self) -> &str {
        match self {
            Self::Auto => "auto",
            Self::Off => "off",
            Self::Given(name) => name,
        }
    }
}

/// A runtime's section: `[jvm]`, `[nodejs]`, …
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// False: this runtime is not injected.
    pub enabled: bool,
    /// The absolute path of the agent: a file or a folder, as the runtime's own file in this crate
    /// says. `None`: the one that is there ([`default_agents`]). Empty: this runtime is left alone.
    pub agent_path: Option<String>,
    /// True: inject beside another vendor's agent.
    pub allow_other_agents: bool,
    /// True: inject even where the application brings an OpenTelemetry SDK of its own.
    pub allow_own_sdk: bool,
    /// Defaults for this runtime's agent, by name: stronger than [`Configuration::environment`].
    pub environment: BTreeMap<String, String>,
}

/// What the configuration says of one process that runs `runtime`: rules applied, the default agent where
/// none is named, and the process's libc in the agent's path.
///
/// # Errors
/// The rule, or the key, by which the process is left alone.
pub fn of_process<'c>(
    configuration: &'c Configuration,
    runtime: Runtime,
    process: &impl Process,
) -> Result<Cow<'c, Configuration>, Reason> {
    let applied = rules::applied(configuration, runtime, process)?;
    let applied = default_agents::with_default(applied, runtime, process);
    Ok(libotelinject::with_libc(applied, runtime, process))
}

impl Configuration {
    /// What is said of one runtime.
    pub fn agent(&self, runtime: Runtime) -> &Agent {
        &self.agents[runtime as usize]
    }

    /// A default for the agents' setting of this name. An empty one counts as not given: so the
    /// specification wants it ("Environment Variable Specification"), and not every agent does so. With an
    /// empty endpoint, Java's stops with an error.
    pub fn setting(&self, name: &str) -> Option<&str> {
        let value = self.environment.get(name)?;
        is_given(name, value).then_some(value)
    }

    /// The same, to be changed.
    pub fn agent_mut(&mut self, runtime: Runtime) -> &mut Agent {
        &mut self.agents[runtime as usize]
    }
}

/// Whether a value under `environment` is one: what an empty value of another vendor's setting means is
/// the vendor's matter.
pub fn is_given(name: &str, value: &str) -> bool {
    !(value.is_empty() && name.starts_with(settings::PREFIX))
}

/// Section `[processes]`: patterns as [`crate::matching::glob`] reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Processes {
    /// Where given, only executables that match are injected.
    pub include: Option<Vec<String>>,
    /// Executables that are left alone.
    pub exclude: Vec<String>,
    /// Where given, only processes with a matching argument are injected.
    pub include_arguments: Option<Vec<String>>,
    /// Processes with a matching argument are left alone.
    pub exclude_arguments: Vec<String>,
}

/// `hook.engine`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// Gum for runtimes where it is installed and cannot harm, else direct.
    #[default]
    Auto,
    /// The built-in engine.
    Direct,
    /// Frida Gum; where it cannot be used nothing is injected.
    Gum,
}

impl Engine {
    /// The names in the configuration, with blanks between them.
    pub const NAMES: &str = "auto direct gum";

    /// The engine of that name.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        match name {
            b"auto" => Some(Self::Auto),
            b"direct" => Some(Self::Direct),
            b"gum" => Some(Self::Gum),
            _ => None,
        }
    }
}

/// Section `[log]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// How much is told.
    pub level: Level,
    /// The absolute path of a file that lines are appended to, instead of stderr.
    pub file: Option<String>,
}

/// Section `[report]`: where a line is written for each decision about a runtime. By default nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The absolute path of a file that lines are appended to.
    pub file: Option<String>,
    /// The size of the file, in bytes, beyond which nothing is appended.
    pub max_bytes: u64,
    /// True: lines go to the systemd journal.
    pub journal: bool,
}

impl Report {
    /// Whether anything is to be written.
    pub fn is_on(&self) -> bool {
        self.file.is_some() || self.journal
    }
}

impl Default for Report {
    fn default() -> Self {
        Self {
            file: None,
            max_bytes: 10_000_000,
            journal: false,
        }
    }
}

/// `log.level`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    #[default]
    Off,
    /// Decisions and values.
    Debug,
    /// Every call of a hooked function, too.
    Trace,
}

impl Level {
    /// The names in the configuration, with blanks between them.
    pub const NAMES: &str = "off debug trace";

    /// The level of that name.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        match name {
            b"off" => Some(Self::Off),
            b"debug" => Some(Self::Debug),
            b"trace" => Some(Self::Trace),
            _ => None,
        }
    }
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            enabled: true,
            agent_path: None,
            allow_other_agents: false,
            allow_own_sdk: false,
            environment: BTreeMap::new(),
        }
    }
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            is_partial: false,
            enabled: true,
            service_name: ServiceName::default(),
            injector_version: false,
            rules: Vec::new(),
            agents: Default::default(),
            nodejs_esm: false,
            dotnet_profiler: false,
            environment_prefixes: Vec::new(),
            environment: BTreeMap::new(),
            resource_attributes: BTreeMap::new(),
            processes: Processes::default(),
            engine: Engine::default(),
            log: Log::default(),
            report: Report::default(),
        }
    }
}
