//! `io.opentelemetry.javaagent:opentelemetry-javaagent` of Maven Central: one jar.

use crate::agent::archive;
use crate::agent::client;
use crate::agent::download;
use crate::agent::error::AgentError;
use crate::agent::files;
use crate::agent::recipes::Recipe;
use crate::agent::work::Work;
use crate::machine::file_changes;
use crate::machine::programs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Java agent.
pub struct Jvm;

const JAR: &str = "opentelemetry-javaagent.jar";
const COORDINATES: &str = "io.opentelemetry.javaagent:opentelemetry-javaagent";

/// Where Maven itself fetches from when no settings say otherwise.
const REPOSITORY: &str = "https://repo.maven.apache.org/maven2";

/// The plugin that copies an artifact to a folder.
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";

impl Recipe for Jvm {
    fn tested(&self) -> &'static str {
        "2.33.1"
    }

    fn agent_path(&self) -> &'static str {
        JAR
    }

    fn launchers(&self) -> &'static [&'static str] {
        &["java"]
    }

    fn fetch(&self, version: &str, folder: &Path, work: &mut Work) -> Result<(), AgentError> {
        // Maven knows of mirrors and of credentials for them.
        if let Some(maven) = programs::find("mvn") {
            return by_maven(&maven, version, folder, work);
        }
        let name = format!("opentelemetry-javaagent-{version}.jar");
        let path = "io/opentelemetry/javaagent/opentelemetry-javaagent";
        let url = format!("{REPOSITORY}/{path}/{version}/{name}");
        download::checked(&url, &folder.join(JAR), work)
    }

    fn take(&self, from: &Path, folder: &Path, work: &mut Work) -> Result<(), AgentError> {
        let jar = if from.is_dir() {
            let mut jars = files::entries(from)?
                .into_iter()
                .filter(|file| is_jar(file));
            // The newest one by its name, where there are several.
            jars.next_back().ok_or_else(|| {
                let why = "there is no opentelemetry-javaagent*.jar in it";
                AgentError::NotAnAgent(from.into(), why.into())
            })?
        } else {
            from.to_owned()
        };
        files::copy(&jar, &folder.join(JAR), &work.interrupt)
    }

    fn version(&self, folder: &Path) -> Option<String> {
        let manifest = manifest(folder)?;
        let mut lines = manifest.lines();
        let version = lines.find_map(|line| line.strip_prefix("Implementation-Version:"))?;
        Some(version.trim().to_owned())
    }

    fn fault(&self, folder: &Path) -> Option<String> {
        let is_agent = |manifest: String| manifest.contains("Premain-Class:");
        let is_agent = manifest(folder).is_some_and(is_agent);
        (!is_agent).then(|| "it is not the jar of a Java agent".into())
    }
}

fn manifest(folder: &Path) -> Option<String> {
    archive::text_in_zip(&folder.join(JAR), "META-INF/MANIFEST.MF")
}

fn is_jar(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("opentelemetry-javaagent") && name.ends_with(".jar")
}

/// By Maven, which compares checksums and fails where they differ (`-C`).
fn by_maven(maven: &Path, version: &str, folder: &Path, work: &mut Work) -> Result<(), AgentError> {
    let fetched: PathBuf = folder.join("fetched");
    let mut command = Command::new(maven);
    command
        .args(["--quiet", "--batch-mode", "--strict-checksums", COPY])
        .arg(format!("-Dartifact={COORDINATES}:{version}"))
        .arg("-DoutputDirectory=fetched")
        // No project of the caller's.
        .current_dir(folder);
    client::run(&mut command, work)?;
    let jar = fetched.join(format!("opentelemetry-javaagent-{version}.jar"));
    std::fs::rename(&jar, folder.join(JAR)).map_err(AgentError::file("move it", &jar))?;
    file_changes::remove(&fetched)?;
    Ok(())
}
