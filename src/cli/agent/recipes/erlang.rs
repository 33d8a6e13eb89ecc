//! OpenTelemetry's applications of Hex, compiled by Mix.

use crate::agent::client;
use crate::agent::error::AgentError;
use crate::agent::files;
use crate::agent::recipes::{Recipe, without};
use crate::agent::work::Work;
use crate::machine::file_changes;
use std::fs;
use std::path::Path;

/// The agent for Erlang and Elixir.
pub struct Erlang;

const APPLICATION: &str = "opentelemetry/ebin/opentelemetry.app";

/// The project's own application, which is no part of the agent.
const PROJECT: &str = "opentelemetry_injector_agent";

impl Recipe for Erlang {
    fn tested(&self) -> &'static str {
        "1.7.0"
    }

    fn agent_path(&self) -> &'static str {
        ""
    }

    fn launchers(&self) -> &'static [&'static str] {
        &["erl"]
    }

    fn fetch(&self, version: &str, folder: &Path, work: &mut Work) -> Result<(), AgentError> {
        let project = folder.join("project");
        file_changes::write(&project.join("mix.exs"), &mix_file(version))?;
        for task in [
            &["local.hex", "--force", "--if-missing"][..],
            &["deps.get"],
            &["compile"],
        ] {
            let mut mix = client::find("mix", "fetches the agent for Erlang (Debian: elixir)")?;
            mix.args(task).current_dir(&project).env("MIX_ENV", "prod");
            client::run(&mut mix, work)?;
        }
        for application in files::entries(&project.join("_build/prod/lib"))? {
            let name = application.file_name().unwrap_or_default();
            if name != PROJECT {
                take_application(&application, &folder.join(name), work)?;
            }
        }
        file_changes::remove(&project)?;
        Ok(())
    }

    /// From a folder of compiled applications: each with its `ebin`.
    fn take(&self, from: &Path, folder: &Path, work: &mut Work) -> Result<(), AgentError> {
        if !from.join(APPLICATION).is_file() {
            let why = format!("not a folder with {APPLICATION}, nor an archive of one");
            return Err(AgentError::NotAnAgent(from.into(), why));
        }
        for application in files::entries(from)? {
            let name = application.file_name().unwrap_or_default();
            take_application(&application, &folder.join(name), work)?;
        }
        Ok(())
    }

    fn version(&self, folder: &Path) -> Option<String> {
        let file = fs::read_to_string(folder.join(APPLICATION)).ok()?;
        let (_, rest) = file.split_once("vsn")?;
        Some(rest.split('"').nth(1)?.to_owned())
    }

    fn fault(&self, folder: &Path) -> Option<String> {
        without(folder, APPLICATION)
    }
}

/// The compiled files of an application, links followed: Mix links to what lies in the project.
fn take_application(from: &Path, to: &Path, work: &Work) -> Result<(), AgentError> {
    for part in ["ebin", "priv", "include"] {
        let real = fs::canonicalize(from.join(part));
        if let Ok(real) = real {
            file_changes::make_folder(to)?;
            files::copy(&real, &to.join(part), &work.interrupt)?;
        }
    }
    Ok(())
}

fn mix_file(version: &str) -> String {
    format!(
        r#"defmodule OpentelemetryInjectorAgent.MixProject do
  use Mix.Project

  def project do
    [
      app: :{PROJECT},
      version: "1.0.0",
      deps: [{{:opentelemetry, "{version}"}}, {{:opentelemetry_exporter, "~> 1.8"}}]
    ]
  end
end
"#
    )
}
