//! OpenTelemetry's gems, and the file that starts them.

use crate::agent::client;
use crate::agent::error::AgentError;
use crate::agent::files;
use crate::agent::recipes::{Recipe, without};
use crate::agent::work::Work;
use std::path::Path;

/// The agent for Ruby.
pub struct Ruby;

const AGENT: &str = "agent.rb";

/// Starts the SDK with everything that can be instrumented. `__dir__` is the real folder of this version.
const SCRIPT: &str = r##"# Starts the OpenTelemetry SDK; written by `opentelemetry-injector agent install`.
(Dir["#{__dir__}/gems/*/lib"] + Dir["#{__dir__}/extensions/*/*/*"]).each { |path| $LOAD_PATH << path }
require 'opentelemetry/sdk'
require 'opentelemetry-exporter-otlp'
begin
  require 'opentelemetry-instrumentation-all'
rescue LoadError
  # The SDK alone.
end
OpenTelemetry::SDK.configure(&:use_all)
at_exit { OpenTelemetry.tracer_provider.shutdown }
"##;

impl Recipe for Ruby {
    fn tested(&self) -> &'static str {
        "1.13.0"
    }

    fn agent_path(&self) -> &'static str {
        AGENT
    }

    fn launchers(&self) -> &'static [&'static str] {
        &["ruby"]
    }

    fn fetch(&self, version: &str, folder: &Path, work: &mut Work) -> Result<(), AgentError> {
        let mut gem = client::find("gem", "fetches the agent for Ruby")?;
        gem.args([
            "install",
            "--no-document",
            "--no-user-install",
            "--install-dir",
        ])
        .arg(folder)
        .arg(format!("opentelemetry-sdk:{version}"))
        .args([
            "opentelemetry-exporter-otlp",
            "opentelemetry-instrumentation-all",
        ]);
        client::run(&mut gem, work)?;
        files::write(&folder.join(AGENT), SCRIPT)
    }

    /// From a folder with `agent.rb`, or from one with gems.
    fn take(&self, from: &Path, folder: &Path, work: &mut Work) -> Result<(), AgentError> {
        if from.join(AGENT).is_file() {
            return files::copy(from, folder, &work.interrupt);
        }
        let gems = if from.is_dir() {
            files::entries(from)?
        } else {
            Vec::new()
        };
        let is_gem = |path: &&std::path::PathBuf| path.extension().is_some_and(|end| end == "gem");
        let gems: Vec<_> = gems.iter().filter(is_gem).collect();
        if gems.is_empty() {
            let why = "neither a folder with agent.rb nor one with gems";
            return Err(AgentError::NotAnAgent(from.into(), why.into()));
        }
        let mut gem = client::find("gem", "installs gems")?;
        gem.args([
            "install",
            "--local",
            "--force",
            "--no-document",
            "--no-user-install",
        ])
        .arg("--install-dir")
        .arg(folder)
        .args(gems);
        client::run(&mut gem, work)?;
        files::write(&folder.join(AGENT), SCRIPT)
    }

    fn version(&self, folder: &Path) -> Option<String> {
        let gems = files::entries(&folder.join("gems")).ok()?;
        gems.iter().find_map(|gem| {
            let name = gem.file_name()?.to_str()?;
            Some(name.strip_prefix("opentelemetry-sdk-")?.to_owned())
        })
    }

    fn fault(&self, folder: &Path) -> Option<String> {
        without(folder, AGENT)
    }
}
