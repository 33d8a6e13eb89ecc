//! Every key of the configuration, and what it means.

use crate::Runtime;

/// Every key with a fixed name. Below `environment`, those of the runtimes' sections included, and
/// `resource_attributes` names are free.
pub const KEYS: [&str; 52] = [
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
    "report.file",
    "report.max_bytes",
    "report.journal",
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

/// The tables that hold them, with blanks between their names.
pub const SECTIONS: &str = "jvm nodejs python ruby php erlang dotnet processes hook log report";

/// What a key means, in one line; empty for a key that does not exist.
pub fn meaning(key: &str) -> &'static str {
    match key {
        "enabled" => "false: no process is injected",
        "service_name" => {
            "the name of every service; \"auto\": derive a name for each service that has \
             none; \"off\": derive no names"
        }
        "injector_version" => "true: add the resource attribute opentelemetry.injector.version",
        "jvm" => "settings for Java virtual machines",
        "jvm.agent_path" => "absolute path of the OpenTelemetry Java agent's jar",
        "nodejs" => "settings for Node.js",
        "nodejs.agent_path" => {
            "absolute path of the folder that contains the agent's node_modules, or of the \
             file to require"
        }
        "nodejs.esm" => "true: also instrument imported ECMAScript modules",
        "python" => "settings for Python",
        "python.agent_path" => {
            "absolute path of the folder with the agent's packages; {version} stands for the \
             version, such as 3.11"
        }
        "ruby" => "settings for Ruby",
        "ruby.agent_path" => "absolute path of the Ruby file that starts the agent",
        "php" => "settings for PHP",
        "php.agent_path" => "absolute path of the folder with the agent's autoload.php",
        "erlang" => "settings for Erlang and Elixir",
        "erlang.agent_path" => {
            "absolute path of the folder that contains the agent's applications, such as \
             _build/prod/lib"
        }
        "dotnet" => "settings for .NET",
        "dotnet.agent_path" => "absolute path of the automatic instrumentation's folder",
        "dotnet.profiler" => "true: also set the bytecode profiler's variables in the environment",
        "environment_prefixes" => {
            "prefixes besides OTEL_ for names under [environment], for other vendors' agents"
        }
        "environment" => "defaults for the agents' settings; the names begin with OTEL_",
        "resource_attributes" => "attributes added to the resource, unless the user sets them",
        "processes" => "which processes are injected",
        "processes.include" => "patterns for executables; only matching processes are injected",
        "processes.exclude" => "patterns for executables; matching processes are left alone",
        "processes.include_arguments" => {
            "patterns for arguments; only processes with a matching argument are injected"
        }
        "processes.exclude_arguments" => {
            "patterns for arguments; processes with a matching argument are left alone"
        }
        "hook" => "settings for the hook engine",
        "hook.engine" => "the engine that hooks libc's getenv: auto, direct or gum",
        "log" => "what is logged, and where",
        "log.level" => "what is logged: off, debug (decisions), trace (every hooked call)",
        "log.file" => "absolute path of the log file; lines are appended; default: stderr",
        "report" => "a line of JSON for each decision about a runtime; `report` counts them",
        "report.file" => {
            "absolute path of the file that lines are appended to; every process opens it with the \
             rights of its own user"
        }
        "report.max_bytes" => "the size in bytes beyond which no line is appended to the file",
        "report.journal" => "true: send the lines to the systemd journal",
        "rule" => "settings for some services; for each key, the first matching rule wins",
        "rule.match" => "the processes of the rule: those for which every key matches",
        "rule.match.executable" => "patterns for the program's path",
        "rule.match.arguments" => "patterns for one argument",
        "rule.match.user" => "patterns for the user when the process starts: name or number",
        "rule.match.unit" => "patterns for the systemd unit",
        "rule.match.working_directory" => "patterns for the path of the working directory",
        "rule.match.environment" => "names of variables, with patterns for their values",
        "rule.match.runtime" => "names of runtimes' sections, such as jvm",
        "rule.match.container" => "patterns for the container's name or ID",
        "rule.enabled" => "false: leave these processes alone; true: inject them",
        "rule.service_name" => "the service's name; \"auto\": derive it; \"off\": derive no name",
        "rule.agent_path" => "absolute path of the agent, as in the runtime's section",
        "rule.environment" => "defaults for the agent's settings, with any name",
        "rule.resource_attributes" => meaning("resource_attributes"),
        _ if key.ends_with(".enabled") && runtime_key(key).is_some() => {
            "false: this runtime is not injected"
        }
        _ if key.ends_with(".allow_other_agents") && runtime_key(key).is_some() => {
            "true: inject even if another vendor's agent is present"
        }
        _ if key.ends_with(".allow_own_sdk") && KEYS.contains(&key) => {
            "true: inject even if the application contains its own OpenTelemetry SDK"
        }
        _ if runtime_key(key).is_some_and(|(_, name)| is_environment(name)) => {
            "defaults for this runtime's agent, with any name; they override those under \
             [environment]"
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
