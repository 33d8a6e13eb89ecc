//! How each runtime's agent is had, and told from other files.

mod dotnet;
mod erlang;
mod jvm;
mod nodejs;
mod php;
mod python;
mod ruby;

use crate::agent::error::AgentError;
use crate::agent::work::Work;
use opentelemetry_injector_policy::Runtime;
use std::path::Path;

/// One runtime's agent.
pub trait Recipe: Sync {
    /// The version that is installed by default: this release was tested with it.
    fn tested(&self) -> &'static str;

    /// What `agent_path` names, below a version's folder; empty: the folder itself.
    fn agent_path(&self) -> &'static str;

    /// Whether a process that has begun with one version finds all of it, although the link is switched:
    /// its runtime, or its boot file, resolves the link once.
    fn bears_link(&self) -> bool {
        true
    }

    /// The launchers' names, one of which tells that a machine has the runtime.
    fn launchers(&self) -> &'static [&'static str];

    /// Fetches a version into an empty folder, by the ordinary client of its registry.
    ///
    /// # Errors
    /// It cannot be had.
    fn fetch(&self, version: &str, folder: &Path, work: &mut Work) -> Result<(), AgentError>;

    /// Fills an empty folder from a file or folder of the administrator's.
    ///
    /// # Errors
    /// It holds no agent.
    fn take(&self, from: &Path, folder: &Path, work: &mut Work) -> Result<(), AgentError>;

    /// The version of a complete agent, where its files tell it.
    fn version(&self, folder: &Path) -> Option<String>;

    /// What is missing in a folder that is to be an agent; none where it is complete.
    fn fault(&self, folder: &Path) -> Option<String>;

    /// Whether a version that is installed may lack something that this machine needs by now.
    fn may_grow(&self) -> bool {
        false
    }
}

/// The recipe of a runtime.
pub fn of(runtime: Runtime) -> &'static dyn Recipe {
    match runtime {
        Runtime::Jvm => &jvm::Jvm,
        Runtime::Nodejs => &nodejs::Nodejs,
        Runtime::Python => &python::Python,
        Runtime::Ruby => &ruby::Ruby,
        Runtime::Php => &php::Php,
        Runtime::Erlang => &erlang::Erlang,
        Runtime::Dotnet => &dotnet::Dotnet,
    }
}

/// The fault of a folder that lacks a file.
fn without(folder: &Path, file: &str) -> Option<String> {
    let is_there = folder.join(file).exists();
    (!is_there).then(|| format!("there is no {file} in it"))
}
