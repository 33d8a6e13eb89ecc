//! Whether an agent can run by a file of declarative configuration, told by what is in its folder.

use crate::check::diagnostics::{Diagnostic, Severity};
use crate::machine::configuration_files::as_path;
use opentelemetry_injector_policy::settings::declarative::VARIABLES;
use opentelemetry_injector_policy::{Configuration, Runtime};
use std::fs;
use std::path::Path;

/// Why a runtime's agent would not run by a file; nothing where it would, or where nothing tells. `agent`
/// is the path in the configuration.
pub fn refusal(runtime: Runtime, agent: &str) -> Option<&'static str> {
    let path = as_path(agent.as_bytes());
    match runtime {
        Runtime::Jvm => {
            let jar = fs::read(path).ok()?;
            // Names of files stand plainly in an archive's directory.
            let has = |name: &[u8]| jar.windows(name.len()).any(|window| window == name);
            let can = has(b"autoconfigure/declarativeconfig/") || has(b"incubator/fileconfig/");
            (!can).then_some("this version of the agent ignores the file")
        }
        Runtime::Nodejs => {
            let folder = folder_of_modules(path)?;
            let start = folder.join("@opentelemetry/sdk-node/build/src/start.js");
            (!start.is_file()).then_some(
                "the agent's @opentelemetry/sdk-node has no startNodeSDK, so the file is ignored",
            )
        }
        Runtime::Python if agent.contains('{') => None,
        Runtime::Python => {
            let places = [
                "opentelemetry/configuration",
                "opentelemetry/sdk/_configuration/file",
            ];
            let can = places.iter().any(|place| path.join(place).is_dir());
            (!can && path.is_dir()).then_some(
                "the agent has no package opentelemetry-configuration, so the file is ignored",
            )
        }
        Runtime::Ruby | Runtime::Erlang => Some("there is no agent yet that reads the file"),
        Runtime::Php | Runtime::Dotnet => None,
    }
}

/// The `node_modules` of Node.js's agent.
fn folder_of_modules(path: &Path) -> Option<std::path::PathBuf> {
    let path = path.canonicalize().ok()?;
    let inner = path
        .ancestors()
        .find(|folder| folder.ends_with("node_modules"));
    match inner {
        Some(folder) => Some(folder.to_owned()),
        None if path.is_file() => Some(path.parent()?.join("node_modules")),
        None => Some(path.join("node_modules")),
    }
}

/// A warning for each agent that is to run by a file and cannot.
pub fn diagnostics(configuration: &Configuration) -> Vec<Diagnostic> {
    let told = Runtime::ALL.into_iter().filter_map(|runtime| {
        let (agent, path) = runtime.agent(configuration).ok()?;
        let tables = [&agent.environment, &configuration.environment];
        let mut files = tables.into_iter().flat_map(|table| VARIABLES.map(|name| table.get(name)));
        let file = files.find_map(|file| file.filter(|file| !file.is_empty()))?;
        Some(Diagnostic {
            severity: Severity::Warning,
            path: file.clone().into_bytes(),
            excerpt: None,
            message: format!("{}: {}", runtime.section(), refusal(runtime, path)?),
            notes: vec!["settings under [environment] count there as without the file".into()],
            help: format!(
                "take a newer agent, or name the file under the runtimes that read it, as `[jvm.environment]`, not for {}",
                runtime.section()
            ),
        })
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_told_apart_by_their_files() {
        let scratch = tempfile::tempdir().unwrap();
        let path = |name: &str| scratch.path().join(name).to_str().unwrap().to_owned();
        let jar = path("agent.jar");
        assert_eq!(refusal(Runtime::Jvm, &jar), None);
        fs::write(&jar, "PK old").unwrap();
        assert!(refusal(Runtime::Jvm, &jar).is_some());
        fs::write(
            &jar,
            "PK inst/io/opentelemetry/sdk/autoconfigure/declarativeconfig/X.class",
        )
        .unwrap();
        assert_eq!(refusal(Runtime::Jvm, &jar), None);

        let start = path("node_modules/@opentelemetry/sdk-node/build/src/start.js");
        let folder = scratch.path().to_str().unwrap();
        assert!(refusal(Runtime::Nodejs, folder).is_some());
        fs::create_dir_all(Path::new(&start).parent().unwrap()).unwrap();
        fs::write(&start, "").unwrap();
        fs::write(path("register.js"), "").unwrap();
        for agent in [folder.to_owned(), path("register.js"), start] {
            assert_eq!(refusal(Runtime::Nodejs, &agent), None, "{agent}");
        }

        assert!(refusal(Runtime::Python, folder).is_some());
        fs::create_dir_all(path("opentelemetry/configuration")).unwrap();
        assert_eq!(refusal(Runtime::Python, folder), None);
        assert!(refusal(Runtime::Ruby, folder).is_some());
    }
}
