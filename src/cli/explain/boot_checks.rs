//! What a boot file checks inside its runtime, as far as it can be told from outside.

use crate::machine::process_facts::ProcessFacts;
use opentelemetry_injector_policy::matching::glob;
use opentelemetry_injector_policy::process::{directory, file_name};
use opentelemetry_injector_policy::runtimes::{nodejs, php, python};
use opentelemetry_injector_policy::{Files, Process, Runtime};

/// What became of the check.
#[derive(Debug, PartialEq, Eq)]
pub enum VersionCheck {
    /// There is none.
    None,
    /// It is passed; what was looked at.
    Passed(String),
    /// It is not; why.
    Failed(String),
    /// Only the runtime can tell; what it looks at.
    Untold(String),
}

/// The check of a runtime whose agent is at `agent`.
pub fn check(runtime: Runtime, agent: &str, facts: &ProcessFacts) -> VersionCheck {
    match runtime {
        Runtime::Python => python(agent, facts),
        Runtime::Ruby => ruby(agent, facts),
        Runtime::Nodejs if nodejs::is_single_executable(facts) => VersionCheck::Untold(
            "Node.js checks its own version (^18.19.0 or >=20.6.0 gets the agent), and the application may \
             have been built to ignore NODE_OPTIONS (execArgvExtension), or with options that refuse the agent \
             (execArgv)"
                .into(),
        ),
        Runtime::Nodejs => VersionCheck::Untold(
            "Node.js checks its own version: ^18.19.0 or >=20.6.0 gets the agent".into(),
        ),
        Runtime::Php => VersionCheck::Untold(php(facts)),
        _ => VersionCheck::None,
    }
}

/// `src/boot/php`, and the router of PHP's own server: PHP runs no prepend file before it.
fn php(facts: &ProcessFacts) -> String {
    let arguments = facts.arguments();
    let line = php::command_line::read(file_name(&facts.started_as), || true, &arguments);
    let router = line
        .ok()
        .filter(|line| line.serves)
        .and_then(|line| line.script);
    let own =
        "PHP itself tells its version, the packages of the application, and what php.ini forbids";
    match router {
        Some(router) => format!(
            "{own}; PHP runs no agent for the requests that {} answers itself",
            String::from_utf8_lossy(router)
        ),
        None => own.into(),
    }
}

/// `src/boot/python`: where the path has `{version}`, it is the boot file that looks for the agent;
/// and its packages say which version they need.
fn python(agent: &str, facts: &ProcessFacts) -> VersionCheck {
    const PLACEHOLDER: &str = "{version}";
    let Some(version) = version_in_names(facts, "python") else {
        return if agent.contains(PLACEHOLDER) {
            VersionCheck::Untold(format!("only Python knows which folder {agent} is"))
        } else {
            VersionCheck::None
        };
    };
    let folder = agent.replace(PLACEHOLDER, &version);
    let module = folder.clone() + python::MODULE;
    facts.ask(module.as_bytes());
    if !facts.visible.is_readable_file(module.as_bytes()) {
        return VersionCheck::Failed(format!(
            "Python {version}: {module} is missing or not readable by this process"
        ));
    }
    match needed(&folder, facts) {
        Some(needed) if numbers(&version) < numbers(&needed) => VersionCheck::Failed(format!(
            "Python {version} is older than {needed}, which the packages in {folder} need"
        )),
        Some(_) => VersionCheck::Passed(format!("Python {version}, for which there is an agent")),
        None => VersionCheck::Failed(format!(
            "{folder} does not say which versions of Python it is for (opentelemetry_instrumentation)"
        )),
    }
}

/// `Requires-Python: >=3.9` of the agent's main package.
fn needed(folder: &str, facts: &ProcessFacts) -> Option<String> {
    let names = facts.visible.names_in(folder.as_bytes()).ok()?;
    let is_package =
        |name: &&Vec<u8>| glob::matches(b"opentelemetry_instrumentation-*.dist-info", name);
    let package = names.iter().find(is_package)?;
    let file = [folder.as_bytes(), b"/", package, b"/METADATA"].concat();
    let metadata = String::from_utf8(facts.visible.content(&file).ok()?).ok()?;
    let mut lines = metadata.lines();
    let line = lines.find_map(|line| line.strip_prefix("Requires-Python:"))?;
    let version = line.split_once(">=")?.1;
    Some(version.split(',').next()?.trim().into())
}

/// `src/boot/ruby/boot.rb`.
fn ruby(agent: &str, facts: &ProcessFacts) -> VersionCheck {
    const FLOOR: &str = "3.3";
    let file = [directory(agent.as_bytes()), b"/minimum_ruby_version"].concat();
    let floor = facts.visible.content(&file).ok();
    let floor = floor.and_then(|content| String::from_utf8(content).ok());
    let floor = floor.unwrap_or_else(|| FLOOR.into());
    let floor = floor.trim();
    let Some(version) = version_in_names(facts, "ruby") else {
        return VersionCheck::Untold(format!(
            "Ruby checks its own version: {floor} is the oldest that gets the agent"
        ));
    };
    if numbers(&version) < numbers(floor) {
        VersionCheck::Failed(format!(
            "Ruby {version} is older than {floor}, the oldest version for it"
        ))
    } else {
        VersionCheck::Passed(format!("Ruby {version}"))
    }
}

/// The version in the name of the runtime's library (`libpython3.11.so.1.0`, `libruby-3.1.so.3.1`)
/// or of its executable (`python3.11`).
fn version_in_names(facts: &ProcessFacts, name: &str) -> Option<String> {
    let executable = file_name(&facts.executable);
    let libraries = facts.libraries.iter().map(|path| file_name(path));
    let libraries = libraries.filter_map(|library| library.strip_prefix(b"lib"));
    libraries.chain([executable]).find_map(|candidate| {
        let rest = str::from_utf8(candidate.strip_prefix(name.as_bytes())?).ok()?;
        let rest = rest
            .trim_start_matches(['-', '.'])
            .trim_start_matches("so.");
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let version = rest[..end.unwrap_or(rest.len())].trim_end_matches('.');
        let mut parts = version.split('.');
        let (major, minor) = (parts.next()?, parts.next()?);
        (!major.is_empty() && !minor.is_empty()).then(|| format!("{major}.{minor}"))
    })
}

fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::visible_files::VisibleFiles;

    #[test]
    fn versions_are_read_from_names() {
        let version = |executable: &str, library: &str, name| {
            let mut facts = ProcessFacts::new(VisibleFiles::own());
            facts.executable = executable.into();
            facts.libraries = vec![library.into()];
            version_in_names(&facts, name)
        };
        let found = Some("3.11".into());
        assert_eq!(version("/usr/bin/python3.11", "/x.so", "python"), found);
        assert_eq!(version("/x", "/lib/libpython3.11.so.1.0", "python"), found);
        assert_eq!(
            version("/x", "/lib/libruby-3.1.so.3.1.2", "ruby"),
            Some("3.1".into())
        );
        assert_eq!(
            version("/x", "/lib/libruby.so.3.3.1", "ruby"),
            Some("3.3".into())
        );
        assert_eq!(
            version("/usr/bin/python3", "/libpython3.so", "python"),
            None
        );
    }

    #[test]
    fn python_is_held_against_its_packages() {
        let folder = tempfile::tempdir().unwrap();
        let agent = folder.path().display().to_string();
        let write = |name: &str, text: &str| {
            let path = folder.path().join("3.9").join(name.trim_start_matches('/'));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let mut facts = ProcessFacts::new(VisibleFiles::own());
        let check = |facts: &ProcessFacts| python(&(agent.clone() + "/{version}"), facts);
        assert!(matches!(check(&facts), VersionCheck::Untold(_)));
        facts.executable = b"/usr/bin/python3.9".to_vec();
        assert!(matches!(check(&facts), VersionCheck::Failed(_)));
        write(python::MODULE, "");
        assert!(matches!(check(&facts), VersionCheck::Failed(_)));
        let metadata = "opentelemetry_instrumentation-0.60.dist-info/METADATA";
        write(metadata, "Name: x\nRequires-Python: >=3.10,<4\n");
        assert!(matches!(check(&facts), VersionCheck::Failed(_)));
        write(metadata, "Name: x\nRequires-Python: >=3.9\n");
        assert!(matches!(check(&facts), VersionCheck::Passed(_)));
    }

    #[test]
    fn ruby_is_held_against_the_floor() {
        let folder = tempfile::tempdir().unwrap();
        let agent = folder.path().join("agent.rb").display().to_string();
        let mut facts = ProcessFacts::new(VisibleFiles::own());
        facts.executable = b"/usr/bin/ruby3.1".to_vec();
        assert!(matches!(ruby(&agent, &facts), VersionCheck::Failed(_)));
        std::fs::write(folder.path().join("minimum_ruby_version"), "3.1\n").unwrap();
        assert_eq!(
            ruby(&agent, &facts),
            VersionCheck::Passed("Ruby 3.1".into())
        );
        facts.executable = b"/usr/bin/ruby".to_vec();
        assert!(matches!(ruby(&agent, &facts), VersionCheck::Untold(_)));
    }
}
