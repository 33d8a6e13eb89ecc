//! Agents that are used if the configuration names none: what `opentelemetry-injector agent install` and
//! the packages of OpenTelemetry put into [`FOLDER`].

use crate::config::libotelinject::keys::LIBC;
use crate::config::libotelinject::libc_of;
use crate::matching::texts;
use crate::runtimes::{dotnet, erlang, nodejs, php, python};
use crate::{Configuration, Process, Runtime};
use alloc::borrow::Cow;
use alloc::string::String;

/// Where packages put agents, each into the folder of its language (open-telemetry/opentelemetry-packaging,
/// `docs/design/packages-meta-architecture.md`).
pub const FOLDER: &str = "/usr/lib/opentelemetry";

/// The name of a runtime's folder there.
pub const fn language(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Jvm => "java",
        other => other.section(),
    }
}

/// The places of an agent in the folder of its language, with blanks between them, the preferred one first. One
/// that ends with `/` is a folder, and has to hold [`file`].
///
/// `current` is the link of `agent install`; it is switched. .NET loads files from the path that it was
/// given as long as it runs, so `current` is no place for it.
const fn places(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Jvm => "/current/opentelemetry-javaagent.jar /opentelemetry-javaagent.jar",
        Runtime::Nodejs => "/current/ /register.js /",
        Runtime::Python => "/current/{version} /{libc}/",
        Runtime::Ruby => "/current/agent.rb /agent.rb",
        Runtime::Php => "/current/vendor/ /vendor/",
        Runtime::Erlang => "/current/ /",
        Runtime::Dotnet => "/{libc}/ /",
    }
}

/// The file of an agent that is a folder, `/` in front.
const fn file(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Nodejs => nodejs::ENTRY,
        Runtime::Python => python::MODULE,
        Runtime::Php => php::AUTOLOAD,
        Runtime::Erlang => erlang::APPLICATION,
        Runtime::Dotnet => dotnet::HOOK,
        Runtime::Jvm | Runtime::Ruby => "",
    }
}

/// The agent that is there for this process. A machine without agents costs one look.
pub fn find(runtime: Runtime, process: &impl Process) -> Option<String> {
    let folder = [FOLDER, "/", language(runtime)].concat();
    if !process.is_folder(folder.as_bytes()) {
        return None;
    }
    let mut places = texts::words(places(runtime));
    places.find_map(|place| {
        let (place, file) = match place.strip_suffix('/') {
            Some(place) => (place, file(runtime)),
            None => (place, ""),
        };
        let mut path = [&folder, place].concat();
        if path.contains(LIBC) {
            path = path.replace(LIBC, libc_of(process));
        }
        let is_there = match path.strip_suffix(python::VERSION) {
            // Which version is needed is known to the boot file.
            Some(before) => process.is_folder(before.trim_end_matches('/').as_bytes()),
            None => process.is_readable_file([&path, file].concat().as_bytes()),
        };
        is_there.then_some(path)
    })
}

/// The configuration with the agent that is there, where it names none for this runtime.
pub fn with_default<'c>(
    configuration: Cow<'c, Configuration>,
    runtime: Runtime,
    process: &impl Process,
) -> Cow<'c, Configuration> {
    let agent = configuration.agent(runtime);
    if !agent.enabled || agent.agent_path.is_some() {
        return configuration;
    }
    let Some(path) = find(runtime, process) else {
        return configuration;
    };
    let mut configuration = configuration.into_owned();
    configuration.agent_mut(runtime).agent_path = Some(path);
    Cow::Owned(configuration)
}

/// Whether there may be an agent for a process of this runtime: one that the configuration names, rules
/// left aside, or one that is there.
pub fn has_agent(runtime: Runtime, process: &impl Process, configuration: &Configuration) -> bool {
    match configuration.agent(runtime).agent_path.as_deref() {
        Some(path) => !path.is_empty(),
        None => find(runtime, process).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    /// A process of a machine with these files and their folders.
    fn with(files: &[&str]) -> Fixture {
        let below = |path: &&str| [FOLDER, "/", *path].concat();
        let readable: Vec<_> = files.iter().map(below).collect();
        let folders = readable.iter().flat_map(|file| {
            let ends = file.match_indices('/').map(|(end, _)| end);
            ends.map(|end| file[..end].to_string())
        });
        Fixture {
            folders: folders.collect(),
            readable,
            ..Fixture::default()
        }
    }

    #[test]
    fn what_was_installed_comes_before_what_packages_have() {
        let cases: [(Runtime, &[(&str, &str)]); 7] = [
            (
                Runtime::Jvm,
                &[
                    ("java/current/opentelemetry-javaagent.jar", ""),
                    ("java/opentelemetry-javaagent.jar", ""),
                ],
            ),
            (
                Runtime::Nodejs,
                &[
                    ("nodejs/current", nodejs::ENTRY),
                    ("nodejs/register.js", ""),
                    ("nodejs", nodejs::ENTRY),
                ],
            ),
            (
                Runtime::Python,
                &[
                    ("python/current/{version}", python::MODULE),
                    ("python/glibc", python::MODULE),
                ],
            ),
            (
                Runtime::Ruby,
                &[("ruby/current/agent.rb", ""), ("ruby/agent.rb", "")],
            ),
            (
                Runtime::Php,
                &[
                    ("php/current/vendor", php::AUTOLOAD),
                    ("php/vendor", php::AUTOLOAD),
                ],
            ),
            (
                Runtime::Erlang,
                &[
                    ("erlang/current", erlang::APPLICATION),
                    ("erlang", erlang::APPLICATION),
                ],
            ),
            (
                Runtime::Dotnet,
                &[("dotnet/glibc", dotnet::HOOK), ("dotnet", dotnet::HOOK)],
            ),
        ];
        for (runtime, places) in cases {
            let mut files: Vec<_> = places
                .iter()
                .map(|(path, file)| [*path, *file].concat())
                .collect();
            // With all of them the first counts, then the second without that, …
            for (path, _) in places {
                let present: Vec<_> = files.iter().map(String::as_str).collect();
                let wanted = [FOLDER, "/", *path].concat();
                assert_eq!(find(runtime, &with(&present)), Some(wanted));
                files.remove(0);
            }
            let other = with(&[&[language(runtime), "/readme"].concat()]);
            assert_eq!(find(runtime, &other), None, "{runtime:?}");
        }
    }

    #[test]
    fn musl_has_its_own() {
        let file = ["python/musl", python::MODULE].concat();
        let mut process = with(&[&file]);
        assert_eq!(find(Runtime::Python, &process), None);
        process.libraries = Vec::from(["/lib/ld-musl-x86_64.so.1".into()]);
        let found = find(Runtime::Python, &process);
        assert_eq!(found.as_deref(), Some("/usr/lib/opentelemetry/python/musl"));
    }

    #[test]
    fn a_path_in_the_configuration_counts_and_an_empty_one_is_one() {
        let process = with(&["ruby/agent.rb"]);
        let path = |given: Option<&str>, enabled| {
            let mut configuration = Configuration::default();
            let agent = configuration.agent_mut(Runtime::Ruby);
            agent.agent_path = given.map(String::from);
            agent.enabled = enabled;
            let with = with_default(Cow::Owned(configuration), Runtime::Ruby, &process);
            let has_agent = has_agent(Runtime::Ruby, &process, &with);
            (with.agent(Runtime::Ruby).agent_path.clone(), has_agent)
        };
        let there = Some(String::from("/usr/lib/opentelemetry/ruby/agent.rb"));
        assert_eq!(path(None, true), (there, true));
        assert_eq!(path(None, false).0, None);
        assert_eq!(path(Some(""), true), (Some(String::new()), false));
        assert_eq!(path(Some("/a"), true), (Some("/a".into()), true));
    }
}
