//! Shell scripts that start a runtime in the end. A shell asks for nothing: the runtime is what is to be
//! explained.

use crate::machine::configuration_files::as_path;
use crate::machine::process_facts::ProcessFacts;
use opentelemetry_injector_policy::Process;
use opentelemetry_injector_policy::process::file_name;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A shell script that starts `erlexec`, Erlang's launcher.
pub struct LauncherScript {
    name: &'static str,
    erlexec: Option<PathBuf>,
    /// What the script puts before its own arguments, as far as it is looked at.
    before: &'static str,
}

/// The scripts of Erlang and Elixir, and what stands before their arguments.
const SCRIPTS: [(&str, &str); 3] = [("erl", ""), ("elixir", " -extra"), ("iex", " -extra")];

/// The script that a process was started by.
pub fn find(facts: &ProcessFacts) -> Option<LauncherScript> {
    let started_as = facts.started_as();
    let is_its = |(name, _): &(&str, &str)| name.as_bytes() == file_name(started_as);
    let (name, before) = SCRIPTS.into_iter().find(is_its)?;
    Some(LauncherScript {
        name,
        erlexec: erlexec(facts),
        before,
    })
}

/// `erlexec` of the installation whose `erl` is started, by way of `PATH` where Elixir starts it.
fn erlexec(facts: &ProcessFacts) -> Option<PathBuf> {
    let path = facts.variable("PATH").unwrap_or_default();
    let folders = path
        .split(|byte| *byte == b':')
        .map(|folder| as_path(folder).join("erl"));
    let own = as_path(facts.started_as()).with_file_name("erl");
    let erl = [own]
        .into_iter()
        .chain(folders)
        .find_map(|erl| fs::canonicalize(erl).ok())?;
    let root = erl.parent()?.parent()?;
    let versions = fs::read_dir(root).ok()?.flatten();
    let of_system = |name: &OsStr| name.as_bytes().starts_with(b"erts-");
    let systems = versions.filter(|entry| of_system(&entry.file_name()));
    let mut launchers = systems.map(|entry| entry.path().join("bin/erlexec"));
    launchers.find(|launcher| launcher.is_file())
}

impl LauncherScript {
    /// What the script is.
    pub fn what(&self) -> String {
        format!(
            "a shell runs the script {}, which starts erlexec in the end",
            self.name
        )
    }

    /// What to explain instead.
    pub fn help(&self) -> String {
        let erlexec = self.erlexec.as_deref().unwrap_or(Path::new("erlexec"));
        format!(
            "explain that one, with the same arguments: opentelemetry-injector explain -- {}{} …",
            erlexec.display(),
            self.before
        )
    }
}
