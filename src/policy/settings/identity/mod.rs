//! The name of a service that nobody has named: derived from the way its process was started.
//!
//! This is the weakest of all sources. It is used only in a process whose agent has been injected, and
//! only if neither the user nor the configuration gives a name. A name that might be wrong is not given:
//! no hash, number, path, user name or interpreter. The tests hold the table in docs/service-names.md.
//!
//! At most [`MOST_FILES`] small files of the application are read ([`application_files`]), besides
//! `/proc/self/cgroup`, and the parent's command line where the process's own tells nothing ([`starter`]).

pub mod application_files;
pub mod cgroup;
pub mod container;
mod dotnet;
mod erlang;
pub mod json;
mod jvm;
mod kubernetes;
pub mod names;
mod nodejs;
pub mod paths;
mod php;
mod python;
mod ruby;
mod servers;
pub mod source;
mod starter;
mod supervisors;
#[cfg(test)]
mod table;

use crate::{Process, Runtime};
use alloc::{string::String, vec::Vec};
pub use application_files::MOST_FILES;
use core::fmt;

/// A value and what told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The value, as it is (not encoded).
    pub value: String,
    /// What told it.
    pub evidence: Evidence,
}

/// What told a value. `Display` gives it in words: `package.json /srv/shop/package.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The kind of source.
    pub source: &'static str,
    /// The file, the argument, the variable or the like.
    pub detail: Vec<u8>,
}

/// What is known of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// `service.name`.
    pub name: Option<Told>,
    /// `service.version`.
    pub version: Option<Told>,
    /// `service.namespace`.
    pub namespace: Option<Told>,
    /// `service.instance.id`.
    pub instance: Option<Told>,
}

/// A name and, where the same source has it, a version.
type Named = (Told, Option<Told>);

impl Told {
    fn new(value: String, source: &'static str, detail: impl Into<Vec<u8>>) -> Self {
        let detail = detail.into();
        let evidence = Evidence { source, detail };
        Self { value, evidence }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = crate::reason::Lossy(&self.detail);
        if self.detail.is_empty() {
            f.write_str(self.source)
        } else {
            write!(f, "{} {detail}", self.source)
        }
    }
}

impl Identity {
    /// What the process's start tells. `is_named` says that somebody has named the service already:
    /// then only what the environment tells of the rest is looked at.
    pub fn derive(runtime: Runtime, process: &impl Process, is_named: bool) -> Self {
        let mut identity = kubernetes::identity(process);
        if is_named || identity.name.is_some() {
            return identity;
        }
        if let Some((name, version)) = of_runtime(runtime, process) {
            identity.name = Some(name);
            identity.version = identity.version.or(version);
        } else if !is_left_to_agent(runtime, process) {
            identity.name = supervisors::name(process).or_else(|| container::name(process));
        }
        identity
    }

    /// The attributes with their keys, those that are not known left out.
    pub fn attributes(&self) -> impl Iterator<Item = (&'static str, &Told)> {
        [
            ("service.name", &self.name),
            ("service.namespace", &self.namespace),
            ("service.version", &self.version),
            ("service.instance.id", &self.instance),
        ]
        .into_iter()
        .filter_map(|(key, told)| Some((key, told.as_ref()?)))
    }
}

/// Whether a process's name is told by what it runs, or by Kubernetes: not by its supervisor or its container.
pub fn names_itself(runtime: Runtime, process: &impl Process) -> bool {
    kubernetes::identity(process).name.is_some() || of_runtime(runtime, process).is_some()
}

/// Whether the runtime's agent finds a better name by itself.
pub fn is_left_to_agent(runtime: Runtime, process: &impl Process) -> bool {
    runtime == Runtime::Jvm && jvm::is_left_to_agent(process)
}

/// Whether the process serves requests of many applications, each of which has a name of its own. Its unit's name
/// (`apache2.service`) is that of the server.
pub fn has_many_services(runtime: Runtime, process: &impl Process) -> bool {
    runtime == Runtime::Php && php::is_server(process) && !names_itself(runtime, process)
}

fn of_runtime(runtime: Runtime, process: &impl Process) -> Option<Named> {
    let only_name = |name: Told| (name, None);
    match runtime {
        Runtime::Jvm => jvm::name(process).map(only_name),
        Runtime::Nodejs => nodejs::named(process),
        Runtime::Python if starter::is_helper(process) => starter::named(process),
        Runtime::Python => python::name(process).map(only_name),
        Runtime::Ruby => ruby::name(process).map(only_name),
        Runtime::Php => php::named(process),
        Runtime::Erlang => erlang::named(process),
        Runtime::Dotnet => dotnet::name(process).map(only_name),
    }
}
