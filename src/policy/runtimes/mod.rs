//! The runtimes that agents exist for.

pub mod boot;
pub mod default_agents;
pub mod dotnet;
pub mod erlang;
pub mod jvm;
pub mod nodejs;
pub mod php;
pub mod python;
pub mod recognition;
pub mod ruby;
pub mod variable;

use crate::config::Agent;
use crate::{Configuration, Reason};

/// A runtime with a section of the configuration and variables of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// Any Java virtual machine.
    Jvm,
    /// Node.js.
    Nodejs,
    /// CPython.
    Python,
    /// CRuby.
    Ruby,
    /// PHP: CLI, FPM, Apache's module.
    Php,
    /// Erlang/OTP, and so Elixir.
    Erlang,
    /// .NET.
    Dotnet,
}

impl Runtime {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 7] = [
        Self::Jvm,
        Self::Nodejs,
        Self::Python,
        Self::Ruby,
        Self::Php,
        Self::Erlang,
        Self::Dotnet,
    ];

    /// The name of the runtime's section.
    pub const fn section(self) -> &'static str {
        match self {
            Self::Jvm => "jvm",
            Self::Nodejs => "nodejs",
            Self::Python => "python",
            Self::Ruby => "ruby",
            Self::Php => "php",
            Self::Erlang => "erlang",
            Self::Dotnet => "dotnet",
        }
    }

    /// The runtime's name.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Jvm => "Java",
            Self::Nodejs => "Node.js",
            Self::Python => "Python",
            Self::Ruby => "Ruby",
            Self::Php => "PHP",
            Self::Erlang => "Erlang",
            Self::Dotnet => ".NET",
        }
    }

    /// The key that turns the runtime off.
    const fn switch(self) -> &'static str {
        match self {
            Self::Jvm => "jvm.enabled",
            Self::Nodejs => "nodejs.enabled",
            Self::Python => "python.enabled",
            Self::Ruby => "ruby.enabled",
            Self::Php => "php.enabled",
            Self::Erlang => "erlang.enabled",
            Self::Dotnet => "dotnet.enabled",
        }
    }

    /// The runtime's agent, where it is to be injected at all.
    ///
    /// # Errors
    /// The configuration names none, or leaves the runtime alone.
    pub fn agent(self, configuration: &Configuration) -> Result<(&Agent, &str), Reason> {
        let agent = configuration.agent(self);
        if !agent.enabled {
            return Err(Reason::DisabledBy(self.switch()));
        }
        match agent.agent_path.as_deref() {
            None => Err(Reason::NoAgentConfigured),
            Some("") => Err(Reason::AgentPathEmpty(self.section())),
            Some(path) => Ok((agent, path)),
        }
    }
}
