//! The drop-in that names an agent, and the configuration beside which it counts.

use crate::agent::error::AgentError;
use crate::agent::places::{self, Places};
use crate::config::init;
use crate::machine::file_changes;
use opentelemetry_injector_policy::Runtime;
use std::fs;
use std::path::Path;
use toml_writer::{ToTomlValue, TomlStringBuilder};

/// What became of the drop-in.
pub enum Written {
    /// It is there.
    Yes,
    /// It was there already.
    Already,
    /// Somebody has another agent in it.
    Kept(String),
}

const INTRODUCTION: &str = "\
# Written by `opentelemetry-injector agent install`. It changes nothing here but the agent's path, so
# other keys may be added; a later file of this folder wins, key by key.
";

/// Lets the configuration name an agent; writes the configuration where there is none yet.
///
/// # Errors
/// A file cannot be written.
pub fn write(places: &Places, runtime: Runtime, agent: &Path) -> Result<Written, AgentError> {
    let configuration = places.configuration();
    if !configuration.exists() {
        file_changes::write(&configuration, &init::text())?;
    }
    let path = places.drop_in(runtime);
    let agent = agent.to_string_lossy();
    if let Ok(content) = fs::read_to_string(&path) {
        return Ok(match named(&content, runtime) {
            Some(other) if other == agent => Written::Already,
            // Another version, where the path names it.
            Some(other) if content.contains(&line(&other)) && is_ours(places, runtime, &other) => {
                file_changes::write(&path, &content.replace(&line(&other), &line(&agent)))?;
                Written::Yes
            }
            Some(other) => Written::Kept(other),
            None => {
                file_changes::write(&path, &added(&content, runtime, &agent))?;
                Written::Yes
            }
        });
    }
    let content = format!("{INTRODUCTION}\n{}", section(runtime, &agent));
    file_changes::write(&path, &content)?;
    Ok(Written::Yes)
}

/// Takes the drop-in away, or leaves it where more is said in it than what [`write`] does.
///
/// # Errors
/// It cannot be removed.
pub fn remove(places: &Places, runtime: Runtime, agent: &Path) -> Result<bool, AgentError> {
    let path = places.drop_in(runtime);
    let Ok(content) = fs::read_to_string(&path) else {
        return Ok(true);
    };
    let section = section(runtime, &agent.to_string_lossy());
    if content != format!("{INTRODUCTION}\n{section}") {
        return Ok(false);
    }
    file_changes::remove(&path)?;
    Ok(true)
}

/// Whether a path is that of an agent that was installed by this command.
fn is_ours(places: &Places, runtime: Runtime, agent: &str) -> bool {
    let folder = places::in_image(places, &places.folder(runtime));
    Path::new(agent)
        .strip_prefix(folder)
        .is_ok_and(|rest| rest.components().next().is_some())
}

/// The agent that a drop-in names.
fn named(content: &str, runtime: Runtime) -> Option<String> {
    let table = toml::de::DeTable::parse(content).ok()?;
    let section = table.get_ref().get(runtime.section())?.get_ref();
    let path = section.get("agent_path")?.get_ref();
    Some(path.as_str()?.to_owned())
}

/// A drop-in of somebody's with the agent in it: in the section, where there is one.
fn added(content: &str, runtime: Runtime, agent: &str) -> String {
    let header = format!("[{}]", runtime.section());
    let mut lines: Vec<_> = content.lines().map(str::to_owned).collect();
    match lines.iter().position(|line| line.trim() == header) {
        Some(place) => lines.insert(place + 1, line(agent)),
        None => lines.push(section(runtime, agent)),
    }
    lines.join("\n").trim_end().to_owned() + "\n"
}

fn section(runtime: Runtime, agent: &str) -> String {
    format!("[{}]\n{}\n", runtime.section(), line(agent))
}

fn line(agent: &str) -> String {
    let value = TomlStringBuilder::new(agent).as_default().to_toml_value();
    format!("agent_path = {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_put_into_a_drop_in_of_somebodys() {
        let agent = "/usr/lib/a.jar";
        let with_section = "# mine\n[jvm]\nallow_other_agents = true\n";
        let added_to = added(with_section, Runtime::Jvm, agent);
        assert_eq!(
            added_to,
            "# mine\n[jvm]\nagent_path = \"/usr/lib/a.jar\"\nallow_other_agents = true\n"
        );
        let other = added("[environment]\nOTEL_A = \"b\"\n", Runtime::Jvm, agent);
        for text in [added_to, other] {
            assert_eq!(named(&text, Runtime::Jvm).as_deref(), Some(agent), "{text}");
        }
        assert_eq!(named("[python]\nagent_path = \"/p\"\n", Runtime::Jvm), None);
    }
}
