//! OpenTelemetry's packages of Packagist. The extension `opentelemetry` is PHP's own affair.

use crate::agent::client;
use crate::agent::error::AgentError;
use crate::agent::files;
use crate::agent::recipes::{Recipe, without};
use crate::agent::work::Work;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The agent for PHP.
pub struct Php;

const VENDOR: &str = "vendor";
const AUTOLOAD: &str = "vendor/autoload.php";

/// What Composer is to fetch beside the SDK.
const PACKAGES: [&str; 2] = ["open-telemetry/exporter-otlp", "php-http/guzzle7-adapter"];

impl Recipe for Php {
    fn tested(&self) -> &'static str {
        "1.15.0"
    }

    fn agent_path(&self) -> &'static str {
        VENDOR
    }

    fn launchers(&self) -> &'static [&'static str] {
        &["php"]
    }

    fn fetch(&self, version: &str, folder: &Path, work: &mut Work) -> Result<(), AgentError> {
        let mut composer = client::find("composer", "fetches the agent for PHP")?;
        composer
            .args([
                "require",
                "--no-interaction",
                "--no-progress",
                "--no-scripts",
            ])
            .args(["--no-plugins", "--optimize-autoloader"])
            .arg(format!("open-telemetry/sdk:{version}"))
            .args(PACKAGES)
            .current_dir(folder)
            .env("COMPOSER_ALLOW_SUPERUSER", "1");
        client::run(&mut composer, work)?;
        Ok(())
    }

    /// From a folder with `vendor`, or from that one.
    fn take(&self, from: &Path, folder: &Path, work: &mut Work) -> Result<(), AgentError> {
        let vendor = if from.join("autoload.php").is_file() {
            from.to_owned()
        } else {
            from.join(VENDOR)
        };
        if !vendor.is_dir() {
            let why = "not a folder with vendor/autoload.php, nor an archive of one";
            return Err(AgentError::NotAnAgent(from.into(), why.into()));
        }
        files::copy(&vendor, &folder.join(VENDOR), &work.interrupt)
    }

    fn version(&self, folder: &Path) -> Option<String> {
        let installed = fs::read(folder.join("vendor/composer/installed.json")).ok()?;
        let installed: Value = serde_json::from_slice(&installed).ok()?;
        let mut packages = installed["packages"].as_array()?.iter();
        let sdk = packages.find(|package| package["name"] == "open-telemetry/sdk")?;
        Some(sdk["version"].as_str()?.trim_start_matches('v').to_owned())
    }

    fn fault(&self, folder: &Path) -> Option<String> {
        without(folder, AUTOLOAD)
    }
}
