//! Every key of the configuration, and what it means.

use crate::Runtime;

/// Every key with a fixed name. Below `environment`, those of the runtimes' sections included, and
/// `resource_attributes` names are free.
pub const KEYS: [&str; 50] = [
    "enabled",
    "service_name",
    "injector_version",
    "environment_prefixes",
    "jvm.enabled",
    "jvm.agent_path",
    "jvm.allow_other_agents",
    "jvm.environment",
    "nodejs.enabled",
    "nodejs.agent_path",
    "nodejs.allow_other_agents",
    "nodejs.allow_own_sdk",
    "nodejs.esm",
    "nodejs.environment",
    "python.enabled",
    "python.agent_path",
    "python.allow_other_agents",
    "python.allow_own_sdk",
    "python.environment",
    "ruby.enabled",
    "ruby.agent_path",
    "ruby.allow_other_agents",
    "ruby.allow_own_sdk",
    "ruby.environment",
    "php.enabled",
    "php.agent_path",
    "php.allow_other_agents",
    "php.allow_own_sdk",
    "php.environment",
    "erlang.enabled",
    "erlang.agent_path",
    "erlang.allow_other_agents",
    "erlang.allow_own_sdk",
    "erlang.environment",
    "dotnet.enabled",
    "dotnet.agent_path",
    "dotnet.allow_other_agents",
    "dotnet.allow_own_sdk",
    "dotnet.profiler",
    "dotnet.environment",
    "environment",
    "resource_attributes",
    "processes.include",
    "processes.exclude",
    "processes.include_arguments",
    "processes.exclude_arguments",
    "hook.engine",
    "log.level",
    "log.file",
    "log.backtrace",
];

/// Every key of a `[[rule]]`. Below `environment`, `resource_attributes` and `match.environment` names
/// are free.
pub const RULE_KEYS: [&str; 13] = [
    "rule.match.executable",
    "rule.match.arguments",
    "rule.match.user",
    "rule.match.unit",
    "rule.match.working_directory",
    "rule.match.environment",
    "rule.match.runtime",
    "rule.match.container",
    "rule.enabled",
    "rule.service_name",
    "rule.agent_path",
    "rule.environment",
    "rule.resource_attributes",
];

/// The tables that hold them.
pub const SECTIONS: [&str; 10] = [
    "jvm",
    "nodejs",
    "python",
    "ruby",
    "php",
    "erlang",
    "dotnet",
    "processes",
    "hook",
    "log",
];

/// What a key means, in one line; empty for a key that does not exist.
pub fn meaning(key: &str) -> &'static str {
    match key {
        "enabled" => "false: no process is injected",
        "service_name" => {
            "the name of every service; \"auto\": each has its own, derived where nobody gives one; \"off\": none is derived"
        }
        "injector_version" => "true: add the resource attribute opentelemetry.injector.version",
        "jvm" => "the Java virtual machine's section",
        "jvm.agent_path" => "absolute path of the OpenTelemetry Java agent's jar",
        "nodejs" => "the section of Node.js",
        "nodejs.agent_path" => {
            "absolute path of the folder that holds the agent's node_modules, or of the file to require"
        }
        "nodejs.esm" => "true: load the hook for ECMAScript modules as well",
        "python" => "the section of Python",
        "python.agent_path" => {
            "absolute path of the folder with the agent's packages; {version} stands for 3.11"
        }
        "ruby" => "the section of Ruby",
        "ruby.agent_path" => "absolute path of the Ruby file that starts the agent",
        "php" => "the section of PHP",
        "php.agent_path" => "absolute path of the folder with the agent's autoload.php",
        "erlang" => "the section of Erlang and Elixir",
        "erlang.agent_path" => {
            "absolute path of the folder that holds the agent's applications, as _build/prod/lib does"
        }
        "dotnet" => "the section of .NET",
        "dotnet.agent_path" => "absolute path of the automatic instrumentation's folder",
        "dotnet.profiler" => "true: set the bytecode profiler's variables, in the environment",
        "environment_prefixes" => {
            "how names under [environment] may begin besides OTEL_, for other vendors' agents"
        }
        "environment" => "defaults for the agents' settings, by names that begin with OTEL_",
        "resource_attributes" => {
            "attributes added to the resource, where the user has not set them"
        }
        "processes" => "the section that says which processes are injected",
        "processes.include" => "patterns on the executable's path; only what matches is injected",
        "processes.exclude" => "patterns on the executable's path; what matches is left alone",
        "processes.include_arguments" => {
            "patterns on one argument; only processes with a match are injected"
        }
        "processes.exclude_arguments" => {
            "patterns on one argument; processes with a match are left alone"
        }
        "hook" => "the section of the hook engine",
        "hook.engine" => "which engine puts the hooks in place",
        "log" => "the section that says what is told, and where",
        "log.level" => "how much is told: off, debug (decisions), trace (every hooked call)",
        "log.file" => "absolute path of the file that lines are appended to, instead of stderr",
        "log.backtrace" => "true: with the Gum engine, hook tracing adds a backtrace to every call",
        "rule" => "what differs between services: the first rule that matches counts, key by key",
        "rule.match" => "which processes a rule is for: those that match everything in it",
        "rule.match.executable" => "patterns on the program's path",
        "rule.match.arguments" => "patterns on one argument",
        "rule.match.user" => {
            "patterns on the name of the user at the process's start, or the number"
        }
        "rule.match.unit" => "patterns on the systemd unit",
        "rule.match.working_directory" => "patterns on the working directory's path",
        "rule.match.environment" => "patterns on the values of variables, by their names",
        "rule.match.runtime" => "runtimes, by the names of their sections",
        "rule.match.container" => "patterns on the container's name or identifier",
        "rule.enabled" => "false: leave these processes alone; true: inject them",
        "rule.service_name" => "the service's name; \"auto\": derive it; \"off\": do not",
        "rule.agent_path" => "absolute path of the agent, as in the runtime's section",
        "rule.environment" => "defaults for the agent's settings, by any name",
        "rule.resource_attributes" => meaning("resource_attributes"),
        _ if key.ends_with(".enabled") && runtime_key(key).is_some() => {
            "false: this runtime is not injected"
        }
        _ if key.ends_with(".allow_other_agents") && runtime_key(key).is_some() => {
            "true: inject even where another vendor's agent is present"
        }
        _ if key.ends_with(".allow_own_sdk") && KEYS.contains(&key) => {
            "true: inject even where the application brings an OpenTelemetry SDK of its own"
        }
        _ if runtime_key(key).is_some_and(|(_, name)| is_environment(name)) => {
            "defaults for this runtime's agent, by any name; stronger than those under [environment]"
        }
        key if key.starts_with("environment.") => meaning("environment"),
        key if key.starts_with("resource_attributes.") => meaning("resource_attributes"),
        _ => "",
    }
}

fn is_environment(name: &str) -> bool {
    name == "environment" || name.starts_with("environment.")
}

/// The runtime and the name below its section, for a key of a runtime.
pub(super) fn runtime_key(key: &str) -> Option<(Runtime, &str)> {
    let (section, name) = key.split_once('.')?;
    let mut runtimes = Runtime::ALL.into_iter();
    let runtime = runtimes.find(|runtime| runtime.section() == section)?;
    Some((runtime, name))
}
