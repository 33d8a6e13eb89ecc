//! `@opentelemetry/auto-instrumentations-node` of npm, with what it depends on.

use crate::agent::client;
use crate::agent::error::AgentError;
use crate::agent::files;
use crate::agent::recipes::{Recipe, without};
use crate::agent::work::Work;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The agent for Node.js.
pub struct Nodejs;

const NAME: &str = "@opentelemetry/auto-instrumentations-node";
const PACKAGE: &str = "node_modules/@opentelemetry/auto-instrumentations-node/package.json";

impl Recipe for Nodejs {
    fn tested(&self) -> &'static str {
        "0.81.2"
    }

    fn agent_path(&self) -> &'static str {
        ""
    }

    fn launchers(&self) -> &'static [&'static str] {
        &["node", "nodejs"]
    }

    fn fetch(&self, version: &str, folder: &Path, work: &mut Work) -> Result<(), AgentError> {
        let mut npm = client::find("npm", "fetches the agent for Node.js")?;
        npm.arg("install")
            .arg("--prefix")
            .arg(folder)
            // Nothing of the packages runs here, with root's rights.
            .args(["--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"])
            .args(["--no-update-notifier", "--loglevel=error"])
            .arg(format!("{NAME}@{version}"))
            .current_dir(folder);
        client::run(&mut npm, work)?;
        Ok(())
    }

    /// From the folder that holds `node_modules`, or from that one.
    fn take(&self, from: &Path, folder: &Path, work: &mut Work) -> Result<(), AgentError> {
        let modules = if from.ends_with("node_modules") {
            from.to_owned()
        } else {
            from.join("node_modules")
        };
        if !modules.is_dir() {
            let why = "not a folder with node_modules, nor an archive of one";
            return Err(AgentError::NotAnAgent(from.into(), why.into()));
        }
        files::copy(&modules, &folder.join("node_modules"), &work.interrupt)
    }

    fn version(&self, folder: &Path) -> Option<String> {
        let package = fs::read(folder.join(PACKAGE)).ok()?;
        let package: Value = serde_json::from_slice(&package).ok()?;
        Some(package["version"].as_str()?.to_owned())
    }

    fn fault(&self, folder: &Path) -> Option<String> {
        without(folder, PACKAGE)
    }
}
