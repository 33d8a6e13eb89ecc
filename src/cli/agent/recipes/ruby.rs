//! OpenTelemetry's gems, and the file that starts them.

use crate::agent::client;
use crate::agent::error::AgentError;
use crate::agent::files;
use crate::agent::recipes::{Recipe, without};
use crate::agent::work::Work;
use crate::machine::file_changes;
use crate::machine::programs;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// The agent for Ruby.
pub struct Ruby;

const AGENT: &str = "agent.rb";

/// By the file of this name the boot file knows which versions of Ruby the gems run on.
const FLOOR: &str = "minimum_ruby_version";

/// The SDK for each oldest version of Ruby, the newest first (`required_ruby_version` in its gemspecs).
const RELEASES: [((u32, u32), &str); 2] = [((3, 3), "1.13.0"), ((3, 1), "1.10.0")];

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
    /// Of older versions of Ruby, the last release for them.
    fn tested(&self) -> &'static str {
        let (_, newest) = RELEASES[0];
        let Some(version) = *RUBY else {
            return newest;
        };
        let release = RELEASES.iter().find(|(floor, _)| version >= *floor);
        release.map_or(newest, |(_, release)| release)
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
        complete(folder)
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
        complete(folder)
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

/// This machine's Ruby: major and minor version.
static RUBY: LazyLock<Option<(u32, u32)>> = LazyLock::new(|| {
    let mut ruby = Command::new(programs::find("ruby")?);
    ruby.args(["--disable=gems", "-e", "print RUBY_VERSION"]);
    let output = ruby.stdin(Stdio::null()).output().ok()?;
    version(&String::from_utf8(output.stdout).ok()?)
});

/// `3.1` of `3.1.2`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.').map(|number| number.trim().parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// Writes what is not in the gems: the script, and the version of Ruby that all of them need.
fn complete(folder: &Path) -> Result<(), AgentError> {
    let specifications = folder.join("specifications");
    let mut floor = None;
    for specification in files::entries(&specifications)? {
        let text = fs::read_to_string(&specification).unwrap_or_default();
        floor = floor.max(needed(&text));
    }
    if let Some((major, minor)) = floor {
        file_changes::write(&folder.join(FLOOR), &format!("{major}.{minor}\n"))?;
    }
    file_changes::write(&folder.join(AGENT), SCRIPT)?;
    Ok(())
}

/// The oldest version of Ruby that a gem's specification wants.
fn needed(specification: &str) -> Option<(u32, u32)> {
    let (_, rest) = specification.split_once("required_ruby_version = ")?;
    let (_, rest) = rest.lines().next()?.split_once(">= ")?;
    version(rest.split('"').next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifications_tell_which_ruby_they_need() {
        let line = "  s.required_ruby_version = Gem::Requirement.new(\">= 3.1\".freeze)\n";
        assert_eq!(needed(line), Some((3, 1)));
        let two =
            "s.required_ruby_version = Gem::Requirement.new([\">= 2.7\".freeze, \"< 4\".freeze])";
        assert_eq!(needed(two), Some((2, 7)));
        for none in [
            "",
            "s.required_ruby_version = Gem::Requirement.new(\"< 3.2\".freeze)",
        ] {
            assert_eq!(needed(none), None);
        }
    }
}
