//! The runtimes that agents exist for.

pub mod boot;
pub mod dotnet;
pub mod erlang;
pub mod jvm;
pub mod nodejs;
pub mod php;
pub mod python;
pub mod ruby;
pub mod variable;

use crate::config::Agent;
use crate::process::{Process, file_name};
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
    /// The configuration names none or turns it off.
    pub fn agent(self, configuration: &Configuration) -> Result<(&Agent, &str), Reason> {
        let agent = configuration.agent(self);
        let path = agent.agent_path.as_deref();
        let path = path.ok_or(Reason::NoAgentConfigured)?;
        match agent.enabled {
            true => Ok((agent, path)),
            false => Err(Reason::DisabledBy(self.switch())),
        }
    }

    /// The runtime that a process is recognised as before it has asked for anything, by the path it
    /// was started by. Programs that embed a runtime are told by nothing before that.
    pub fn of(process: &impl Process) -> Option<Self> {
        let name = file_name(process.started_as());
        let mut runtimes = Self::ALL.into_iter();
        runtimes.find(|runtime| runtime.launches(name))
    }

    /// Whether a process runs another runtime alone, by its executable. It asks for variables of this one
    /// to hand them on: Node.js builds the environment of a child by `getenv`, name by name.
    pub fn is_foreign_to(self, process: &impl Process) -> bool {
        let name = file_name(process.executable());
        let launches = |runtime: Self| runtime.launches(name);
        !launches(self)
            && Self::ALL.into_iter().any(launches)
            && process.loaded_library(self.library()).is_none()
    }

    /// What the file name of the runtime's library begins with, where a program has it inside.
    const fn library(self) -> &'static str {
        match self {
            Self::Jvm => "libjvm.so",
            Self::Nodejs => "libnode.so",
            Self::Python => "libpython",
            Self::Ruby => "libruby",
            Self::Php => "libphp",
            Self::Erlang => "liberts",
            Self::Dotnet => "libhostfxr.so",
        }
    }

    /// Whether a program is one of the launchers of this runtime, by its file name.
    pub fn launches(self, name: &[u8]) -> bool {
        let starts = |prefix: &[u8]| name.starts_with(prefix);
        match self {
            Self::Jvm => name == b"java",
            Self::Nodejs => name == b"node" || name == b"nodejs",
            Self::Python => starts(b"python"),
            Self::Ruby => starts(b"ruby"),
            Self::Php => starts(b"php") || name == b"apache2" || name == b"httpd",
            Self::Erlang => name == b"erlexec" || name == b"beam.smp",
            Self::Dotnet => name == b"dotnet",
        }
    }
}
