//! .NET: the automatic instrumentation's startup hook, behind the user's hooks. Without its profiler it
//! runs the application's `Main` itself (since 1.15), so that no hook behind it would run.
//!
//! The agent's settings and the profiler's variables cannot be answered: the CLR reads its own copy of
//! `environ`. They are added to `environ` itself when the .NET host asks for its startup hooks, which is
//! before the CLR copies it. A marker travels with them, by which children remove them
//! ([`crate::settings::added`]).

pub mod application;
pub mod other_agents;

use crate::matching::texts;
use crate::settings;
use crate::{Configuration, Process, Reason, Runtime};
use alloc::vec::Vec;
use application::Application;

const STARTUP_HOOKS: &str = "DOTNET_STARTUP_HOOKS";

/// The part of the .NET host that is loaded into every process before it asks for a variable,
/// except into single-file applications, which the automatic instrumentation does not support.
const HOST: &str = "libhostfxr.so";

/// Where the agent's files are in its folder (the automatic instrumentation's `instrument.sh`).
pub const HOOK: &str = "/net/OpenTelemetry.AutoInstrumentation.StartupHook.dll";
const PROFILER: &[u8] = b"OpenTelemetry.AutoInstrumentation.Native.so";

/// The identity of the agent's profiler.
const PROFILER_ID: &[u8] = b"{918728DD-259F-4A6A-AC2B-B85E1B658318}";

/// What the CLR is told of a profiler by (Microsoft, "Runtime configuration options for debugging
/// and profiling").
const PROFILER_VARIABLES: &str = "CORECLR_ENABLE_PROFILING CORECLR_PROFILER CORECLR_PROFILER_PATH \
    CORECLR_PROFILER_PATH_64";

/// Where the agent's own code finds its folder.
const HOME: &str = "OTEL_DOTNET_AUTO_HOME";

/// The value of `DOTNET_STARTUP_HOOKS` for this process.
///
/// # Errors
/// Why the process gets the original value.
pub fn startup_hooks(
    original: Option<&[u8]>,
    process: &impl Process,
    configuration: &Configuration,
) -> Result<Vec<u8>, Reason> {
    let original = original.unwrap_or_default();
    let home = home(original, process, configuration)?;
    let hook = [home, HOOK].concat();
    is_new(hook.as_bytes(), original)?;
    Ok(join(original, hook.as_bytes()))
}

/// The value of `DOTNET_ADDITIONAL_DEPS` for this process.
///
/// # Errors
/// Why the process gets the original value.
pub fn additional_deps(
    original: Option<&[u8]>,
    process: &impl Process,
    configuration: &Configuration,
) -> Result<Vec<u8>, Reason> {
    folder("/AdditionalDeps", original, process, configuration)
}

/// The value of `DOTNET_SHARED_STORE` for this process.
///
/// # Errors
/// Why the process gets the original value.
pub fn shared_store(
    original: Option<&[u8]>,
    process: &impl Process,
    configuration: &Configuration,
) -> Result<Vec<u8>, Reason> {
    folder("/store", original, process, configuration)
}

/// Versions of the agent before 1.15 have these folders.
fn folder(
    name: &str,
    original: Option<&[u8]>,
    process: &impl Process,
    configuration: &Configuration,
) -> Result<Vec<u8>, Reason> {
    let hooks = process.variable(STARTUP_HOOKS).unwrap_or_default();
    let path = [home(&hooks, process, configuration)?, name].concat();
    if process.is_folder(path.as_bytes()) {
        let original = original.unwrap_or_default();
        is_new(path.as_bytes(), original)?;
        Ok(join(path.as_bytes(), original))
    } else {
        Err(Reason::AgentUnreadable(path))
    }
}

/// The agent's folder, where this process is to be injected; `hooks` are the user's.
fn home<'c>(
    hooks: &[u8],
    process: &impl Process,
    configuration: &'c Configuration,
) -> Result<&'c str, Reason> {
    let (agent, home) = Runtime::Dotnet.agent(configuration)?;
    let home = home.trim_end_matches('/');
    if home.contains(':') {
        return Err(Reason::AgentPathUnusable {
            path: home.into(),
            why: ".NET takes what follows `:` for another path",
        });
    }
    let hook = [home, HOOK].concat();
    // The CLR aborts where a startup hook is missing.
    if !process.is_readable_file(hook.as_bytes()) {
        return Err(Reason::AgentUnreadable(hook));
    }
    if !agent.allow_other_agents {
        other_agents::none_but(hook.as_bytes(), hooks, process)?;
    }
    if process.loaded_library(HOST).is_none() {
        return Err(Reason::NotLoaded(HOST));
    }
    if let Some(application) = Application::of(process, configuration)? {
        application.can_bear_the_agent(process, configuration)?;
    }
    Ok(home)
}

/// The same hook given twice would run twice.
fn is_new(path: &[u8], original: &[u8]) -> Result<(), Reason> {
    let mut parts = original.split(|byte| *byte == b':');
    if parts.any(|part| part == path) {
        return Err(Reason::AlreadyInjected);
    }
    Ok(())
}

/// Two lists of paths as one; either may be empty.
fn join(first: &[u8], last: &[u8]) -> Vec<u8> {
    if first.is_empty() || last.is_empty() {
        [first, last].concat()
    } else {
        [first, b":", last].concat()
    }
}

/// What is added to the environment of a process that gets the startup hook.
pub fn entries(process: &impl Process, configuration: &Configuration) -> Vec<Vec<u8>> {
    let Ok((_, home)) = Runtime::Dotnet.agent(configuration) else {
        return Vec::new();
    };
    let home = home.trim_end_matches('/').as_bytes();
    let mut entries = settings::entries(Runtime::Dotnet, process, configuration);
    entries.retain(|entry| {
        is_listable(entry) && settings::added::split(entry).is_some_and(|(name, _)| may_add(name))
    });
    if process.variable(HOME).is_none_or(|value| value.is_empty())
        && configuration.setting(HOME).is_none()
    {
        entries.push([HOME.as_bytes(), b"=", home].concat());
    }
    if configuration.dotnet_profiler {
        add_profiler(home, process, &mut entries);
    }
    entries
}

/// Whether [`entries`] can ever add a variable of this name.
pub fn may_add(name: &[u8]) -> bool {
    texts::has(PROFILER_VARIABLES, name)
        || SETTINGS
            .iter()
            .any(|prefix| name.starts_with(prefix.as_bytes()))
}

/// How the names begin that may be added: those of agents whose vendors build on this one. Whoever sets the
/// marker could take others from a child, so that there is no word in the configuration for more.
pub const SETTINGS: [&str; 4] = [settings::PREFIX, "SPLUNK_", "ELASTIC_OTEL_", "SIGNALFX_"];

/// A name of another kind could not be listed in the marker.
fn is_listable(entry: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let end = entry.iter().position(|byte| !is_plain(byte));
    end.is_some_and(|end| entry.get(end) == Some(&b'='))
}

/// The names of this architecture: musl's loader, and the folders of the profiler's library for musl
/// and for glibc (instrument.sh of opentelemetry-dotnet-instrumentation).
const MUSL: &str = if cfg!(target_arch = "aarch64") {
    "ld-musl-aarch64.so.1"
} else {
    "ld-musl-x86_64.so.1"
};
const FOR_MUSL: &str = if cfg!(target_arch = "aarch64") {
    "/linux-musl-arm64/"
} else {
    "/linux-musl-x64/"
};
const FOR_GLIBC: &str = if cfg!(target_arch = "aarch64") {
    "/linux-arm64/"
} else {
    "/linux-x64/"
};

/// Nothing is added where the user has set one of the profiler's variables, or its library is
/// missing.
fn add_profiler(home: &[u8], process: &impl Process, entries: &mut Vec<Vec<u8>>) {
    let platform = match process.loaded_library(MUSL) {
        Some(_) => FOR_MUSL,
        None => FOR_GLIBC,
    };
    let library = [home, platform.as_bytes(), PROFILER].concat();
    let is_users = |name: &str| process.variable(name).is_some();
    if texts::words(PROFILER_VARIABLES).any(is_users) || !process.is_readable_file(&library) {
        return;
    }
    for (name, value) in texts::words(PROFILER_VARIABLES).zip([b"1", PROFILER_ID, &library]) {
        entries.push([name.as_bytes(), b"=", value].concat());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::{string::String, vec};

    const AGENT: &str = "/otel/net/OpenTelemetry.AutoInstrumentation.StartupHook.dll";
    fn library() -> String {
        [
            "/otel",
            FOR_GLIBC,
            "OpenTelemetry.AutoInstrumentation.Native.so",
        ]
        .concat()
    }

    fn process() -> Fixture {
        Fixture {
            executable: "/usr/bin/dotnet".into(),
            arguments: vec!["dotnet".into(), "shop.dll".into()],
            readable: vec![AGENT.into(), library(), "shop.dll".into()],
            libraries: vec!["/usr/share/dotnet/host/fxr/8.0.4/libhostfxr.so".into()],
            ..Fixture::default()
        }
    }

    fn configuration() -> Configuration {
        let mut configuration = Configuration::default();
        configuration.agent_mut(Runtime::Dotnet).agent_path = Some("/otel".into());
        configuration
    }

    fn hooks(
        original: Option<&str>,
        process: &Fixture,
        c: &Configuration,
    ) -> Result<String, Reason> {
        let value = startup_hooks(original.map(str::as_bytes), process, c)?;
        Ok(String::from_utf8(value).unwrap())
    }

    /// The agent's default.
    const TIMEOUT: &str = "OTEL_EXPORTER_OTLP_TIMEOUT=1000";

    fn texts(process: &Fixture, configuration: &Configuration) -> Vec<String> {
        let entries = entries(process, configuration).into_iter();
        entries
            .map(|entry| String::from_utf8(entry).unwrap())
            .collect()
    }

    #[test]
    fn the_agents_hook_comes_behind_the_users_and_only_once() {
        let (p, mut c) = (process(), configuration());
        assert_eq!(hooks(None, &p, &c).unwrap(), AGENT);
        assert_eq!(hooks(Some(""), &p, &c).unwrap(), AGENT);
        c.agent_mut(Runtime::Dotnet).agent_path = Some("/otel/".into());
        let both = hooks(Some("/user.dll:Name"), &p, &c).unwrap();
        assert_eq!(both, ["/user.dll:Name:", AGENT].concat());
        assert_eq!(hooks(Some(&both), &p, &c), Err(Reason::AlreadyInjected));
    }

    #[test]
    fn what_dotnet_would_not_survive_is_not_injected() {
        let (mut p, mut c) = (process(), configuration());
        p.readable.clear();
        assert_eq!(
            hooks(None, &p, &c),
            Err(Reason::AgentUnreadable(AGENT.into()))
        );
        c.agent_mut(Runtime::Dotnet).agent_path = Some("/a:b".into());
        let reason = hooks(None, &p, &c).unwrap_err();
        assert!(matches!(reason, Reason::AgentPathUnusable { .. }));
    }

    #[test]
    fn only_a_dotnet_host_is_answered() {
        let mut p = process();
        p.libraries.clear();
        assert_eq!(
            hooks(None, &p, &configuration()),
            Err(Reason::NotLoaded(HOST))
        );
    }

    #[test]
    fn the_launcher_is_known_by_its_real_name() {
        let c = configuration();
        let mut p = process();
        p.started_as = Some("/usr/local/bin/net8".into());
        p.arguments[0] = "net8".into();
        assert_eq!(hooks(None, &p, &c).unwrap(), AGENT);
        // An application that a link of that name leads to.
        p.executable = "/srv/shop".into();
        p.started_as = Some("/usr/local/bin/dotnet".into());
        p.readable.extend([
            "/srv/shop.dll".into(),
            "/srv/shop.runtimeconfig.json".into(),
        ]);
        p.arguments = vec!["dotnet".into(), "build".into()];
        assert_eq!(hooks(None, &p, &c).unwrap(), AGENT);
    }

    #[test]
    fn folders_are_answered_where_they_are_and_the_hook_is() {
        let (mut p, c) = (process(), configuration());
        let missing = additional_deps(None, &p, &c);
        assert_eq!(
            missing,
            Err(Reason::AgentUnreadable("/otel/AdditionalDeps".into()))
        );
        p.folders = vec!["/otel/AdditionalDeps".into(), "/otel/store".into()];
        assert_eq!(
            additional_deps(None, &p, &c).unwrap(),
            b"/otel/AdditionalDeps"
        );
        assert_eq!(
            shared_store(Some(b"/user"), &p, &c).unwrap(),
            b"/otel/store:/user"
        );
        let twice = shared_store(Some(b"/user:/otel/store"), &p, &c);
        assert_eq!(twice, Err(Reason::AlreadyInjected));
        let elastic = "/ElasticApmAgentStartupHook.dll";
        p.variables.insert(STARTUP_HOOKS.into(), elastic.into());
        let other = shared_store(None, &p, &c);
        assert!(matches!(other, Err(Reason::OtherAgent { .. })));
    }

    #[test]
    fn the_sdk_is_left_alone_unless_arguments_are_included() {
        let (mut p, mut c) = (process(), configuration());
        p.arguments = vec!["dotnet".into(), "build".into()];
        assert!(matches!(
            hooks(None, &p, &c),
            Err(Reason::BuiltInArgumentDenial(_))
        ));
        c.processes.include_arguments = Some(vec!["build".into()]);
        assert_eq!(hooks(None, &p, &c).unwrap(), AGENT);
    }

    #[test]
    fn settings_are_added_to_the_environment_where_the_user_has_none() {
        let (mut p, mut c) = (process(), configuration());
        for name in ["OTEL_A", "OTEL_B", "OTEL_E:F"] {
            c.environment.insert(name.into(), "ours".into());
        }
        c.resource_attributes.insert("team".into(), "a".into());
        p.variables.insert("OTEL_B".into(), "theirs".into());
        let attributes = "OTEL_RESOURCE_ATTRIBUTES";
        p.variables.insert(attributes.into(), "x=1".into());
        let wanted = [
            "OTEL_A=ours",
            TIMEOUT,
            "OTEL_RESOURCE_ATTRIBUTES=x=1,team=a",
            "OTEL_DOTNET_AUTO_HOME=/otel",
        ];
        assert_eq!(texts(&p, &c), wanted);
        p.variables.insert(HOME.into(), "/theirs".into());
        assert!(!texts(&p, &c).iter().any(|entry| entry.starts_with(HOME)));
    }

    /// A child takes back what was added by the length of the user's value.
    #[test]
    fn a_line_end_in_the_users_value_stays_one() {
        let (mut p, mut c) = (process(), configuration());
        c.resource_attributes.insert("team".into(), "a".into());
        let attributes = "OTEL_RESOURCE_ATTRIBUTES";
        p.variables.insert(attributes.into(), "x=1\n2".into());
        assert!(texts(&p, &c).contains(&"OTEL_RESOURCE_ATTRIBUTES=x=1\n2,team=a".into()));
    }

    #[test]
    fn the_profiler_comes_with_its_switch_and_never_beside_the_users() {
        let (mut p, mut c) = (process(), configuration());
        let home = "OTEL_DOTNET_AUTO_HOME=/otel";
        assert_eq!(texts(&p, &c), [TIMEOUT, home]);
        c.dotnet_profiler = true;
        let path = ["CORECLR_PROFILER_PATH=", &library()].concat();
        let id = "CORECLR_PROFILER={918728DD-259F-4A6A-AC2B-B85E1B658318}";
        assert_eq!(
            texts(&p, &c),
            [TIMEOUT, home, "CORECLR_ENABLE_PROFILING=1", id, &path]
        );
        p.libraries.push(["/lib/", MUSL].concat());
        assert_eq!(texts(&p, &c), [TIMEOUT, home], "no profiler for musl");
        p.libraries.pop();
        for name in texts::words(PROFILER_VARIABLES) {
            p.variables = [(name.into(), String::new())].into();
            assert_eq!(texts(&p, &c), [TIMEOUT, home], "{name}");
        }
    }

    #[test]
    fn attributes_that_the_environment_tells_are_added_to_the_environment() {
        let (mut p, c) = (process(), configuration());
        let name = "OTEL_INJECTOR_SERVICE_NAME";
        p.variables.insert(name.into(), "shop".into());
        assert_eq!(
            texts(&p, &c),
            [
                TIMEOUT,
                "OTEL_RESOURCE_ATTRIBUTES=service.name=shop",
                "OTEL_DOTNET_AUTO_HOME=/otel"
            ]
        );
    }
}
