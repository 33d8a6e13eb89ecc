//! What there is to say of a process.

use crate::config::key_places::Place;
use crate::explain::service::Service;
use opentelemetry_injector_policy::{Reason, Runtime, Variable};

/// All of it.
pub struct Explanation {
    /// The runtime that the process is or has inside.
    pub runtime: Option<Runtime>,
    /// The steps, in the preload object's order.
    pub steps: Vec<Step>,
    /// What they come to.
    pub verdict: Verdict,
    /// What the runtime's variables are answered with; see [`Explanation::is_of_now`].
    pub variables: Vec<Answer>,
    /// The agent's settings that the process lacks and gets, `NAME=value` each.
    pub settings: Vec<String>,
    /// The service, where the runtime is known.
    pub service: Option<Service>,
    /// What has changed since the process was started.
    pub changes: Vec<String>,
    /// What to do, in this order.
    pub help: Vec<String>,
}

impl Explanation {
    /// What only the runtime itself can tell, where the boot file asks it.
    pub fn untold(&self) -> Option<&str> {
        let is_untold = |step: &&Step| step.check == Check::Version && step.mark == Mark::Unknown;
        self.steps
            .iter()
            .find(is_untold)
            .map(|step| step.what.as_str())
    }

    /// Whether the values are those that a new process would get: what the running one was answered
    /// with has been changed since, and is told by nothing.
    pub fn is_of_now(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Why nothing is injected where the agent is there already, by the user's hand. Erlang's launcher
    /// hands on what it was given by the hook: that is injected.
    pub fn already(&self) -> Option<&Reason> {
        let answer = self.variables.first()?;
        let reason = answer.value.as_ref().err()?;
        let is_by_hand = self.runtime != Some(Runtime::Erlang);
        (*reason == Reason::AlreadyInjected && is_by_hand).then_some(reason)
    }
}

/// One step.
pub struct Step {
    /// What is looked at.
    pub check: Check,
    /// What became of it.
    pub mark: Mark,
    /// What was found.
    pub what: String,
    /// Where that stands in the configuration.
    pub place: Option<Place>,
}

/// What a step looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Whether the preload object is in the process.
    Loaded,
    /// Whether it has other rights than its user's.
    Rights,
    /// The kill switches in its environment.
    KillSwitch,
    /// The configuration, as far as it can be used at all.
    Configuration,
    /// What the configuration says of this process.
    Processes,
    /// Whether it is a runtime.
    Runtime,
    /// The runtime's agent.
    Agent,
    /// Agents of others.
    OtherAgents,
    /// The command line, and what stands in the runtime's own variables.
    CommandLine,
    /// The runtime's version.
    Version,
    /// The hooks.
    Engine,
    /// Of a live process: whether it was answered with the agent, and what its boot file made of that.
    Activation,
}

impl Check {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Rights => "rights",
            Self::KillSwitch => "kill switch",
            Self::Configuration => "configuration",
            Self::Processes => "processes",
            Self::Runtime => "runtime",
            Self::Agent => "agent",
            Self::OtherAgents => "other agents",
            Self::CommandLine => "command line",
            Self::Version => "version",
            Self::Engine => "engine",
            Self::Activation => "activation",
        }
    }
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It speaks for injection.
    Passed,
    /// It keeps the process from being injected.
    Stopped,
    /// It cannot be told.
    Unknown,
    /// An earlier step has decided.
    NotReached,
}

/// What the steps come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The runtime gets the agent, or has it.
    Injected,
    /// It does not; why.
    NotInjected {
        /// The decisive step, in one line.
        why: String,
        /// Whether a restart is all it takes.
        after_restart: bool,
    },
    /// What keeps it from being told.
    Unknown(String),
}

/// What a variable is answered with.
pub struct Answer {
    /// The variable.
    pub variable: Variable,
    /// What stands in the environment.
    pub original: Option<Vec<u8>>,
    /// What the process gets, or why it gets the original.
    pub value: Result<Vec<u8>, Reason>,
}
