//! opentelemetry-dotnet-instrumentation, of which each release has a zip file for each platform.

use crate::agent::archive;
use crate::agent::download;
use crate::agent::error::AgentError;
use crate::agent::files;
use crate::agent::recipes::{Recipe, without};
use crate::agent::work::Work;
use crate::machine::file_changes;
use crate::machine::loaders::Loaders;
use std::env::consts::ARCH;
use std::path::Path;

/// The agent for .NET.
pub struct Dotnet;

/// Where the project's releases are.
const RELEASES: &str =
    "https://github.com/open-telemetry/opentelemetry-dotnet-instrumentation/releases/download";

/// Which every process loads first.
const HOOK: &str = "net/OpenTelemetry.AutoInstrumentation.StartupHook.dll";

impl Recipe for Dotnet {
    fn tested(&self) -> &'static str {
        "1.16.0"
    }

    fn agent_path(&self) -> &'static str {
        ""
    }

    /// The CLR loads assemblies when they are needed, by the path that it was given.
    fn bears_link(&self) -> bool {
        false
    }

    fn launchers(&self) -> &'static [&'static str] {
        &["dotnet"]
    }

    fn fetch(&self, version: &str, folder: &Path, work: &mut Work) -> Result<(), AgentError> {
        let libc = if Loaders::find().glibc.is_empty() {
            "musl"
        } else {
            "glibc"
        };
        let architecture = if ARCH == "aarch64" { "arm64" } else { "x64" };
        let name = format!("opentelemetry-dotnet-instrumentation-linux-{libc}-{architecture}.zip");
        let url = format!("{RELEASES}/v{version}/{name}");
        let zip = folder.join(name);
        download::checked(&url, &zip, work)?;
        archive::unpack(&zip, &folder.join("unpacked"), work)?;
        file_changes::remove(&zip)?;
        let unpacked = folder.join("unpacked");
        for entry in files::entries(&unpacked)? {
            let place = folder.join(entry.file_name().unwrap_or_default());
            std::fs::rename(&entry, &place).map_err(AgentError::file("move it", &entry))?;
        }
        file_changes::remove(&unpacked)?;
        Ok(())
    }

    /// From the unpacked release.
    fn take(&self, from: &Path, folder: &Path, work: &mut Work) -> Result<(), AgentError> {
        if !from.join(HOOK).is_file() {
            let why = format!("not a folder with {HOOK}, nor an archive of one");
            return Err(AgentError::NotAnAgent(from.into(), why));
        }
        files::copy(from, folder, &work.interrupt)
    }

    /// A release does not tell its version in a file.
    fn version(&self, _: &Path) -> Option<String> {
        None
    }

    fn fault(&self, folder: &Path) -> Option<String> {
        without(folder, HOOK)
    }
}
