//! What the keys of libotelinject.so's files mean for this injector (README of
//! open-telemetry/opentelemetry-injector, "Activation and Configuration", and its `config.zig`).

use crate::config::libotelinject::lines::items;
use crate::{Configuration, Runtime};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// What stands for the process's libc in a path: `glibc` or `musl`.
pub const LIBC: &str = "{libc}";

/// Where Ruby's agent looks for its gems.
pub const RUBY_GEMS: &str = "OTEL_RUBY_ADDITIONAL_GEM_PATH";

/// What of a line has no counterpart here. Processes ignore it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// No key of that injector.
    UnknownKey(String),
    /// The path does not begin with `/`.
    NotAbsolute(String),
    /// A pattern that no absolute path can match.
    MatchesNothing(String),
    /// No runtime of that injector.
    UnknownRuntime(String),
    /// The agent decides by itself which versions it supports.
    DecidedByAgent(String),
    /// A variable that does not begin with `OTEL_`.
    NotOtelName(String),
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey(key) => write!(f, "{key}: no key of that injector"),
            Self::NotAbsolute(path) => write!(f, "{path}: the path is not absolute"),
            Self::MatchesNothing(pattern) => write!(
                f,
                "{pattern}: no path begins with that, so nothing would match it"
            ),
            Self::UnknownRuntime(name) => write!(f, "{name}: no runtime of that injector"),
            Self::DecidedByAgent(key) => write!(
                f,
                "{key}: the agent's own startup hook refuses versions that it does not support"
            ),
            Self::NotOtelName(name) => {
                write!(f, "{name}: only names that begin with OTEL_ are set")
            }
        }
    }
}

impl core::error::Error for LeftOut {}

/// Takes one setting of the injector into `configuration`. Returns what has no counterpart.
///
/// `all_auto_instrumentation_agents_env_path` is the reader's own: it names another file.
pub fn take(configuration: &mut Configuration, key: &str, value: &str) -> Vec<LeftOut> {
    let processes = &mut configuration.processes;
    match key {
        "jvm_auto_instrumentation_agent_path" => set_agent(configuration, Runtime::Jvm, value),
        "nodejs_auto_instrumentation_agent_path" => {
            set_agent(configuration, Runtime::Nodejs, nodejs_folder(value))
        }
        "python_auto_instrumentation_agent_path_prefix" => {
            set_agent(configuration, Runtime::Python, &of_libc(value, ""))
        }
        "ruby_auto_instrumentation_agent_path_prefix" => set_ruby(configuration, value),
        "dotnet_auto_instrumentation_agent_path_prefix" => {
            // That injector always sets the profiler's variables.
            configuration.dotnet_profiler = !value.is_empty();
            set_agent(configuration, Runtime::Dotnet, &of_libc(value, ""))
        }
        "auto_instrumentation_disabled" => set_disabled(configuration, value),
        "all_auto_instrumentation_agents_env_path" => Vec::new(),
        "include_paths" => {
            let (patterns, left_out) = path_patterns(value);
            add_to(&mut processes.include, patterns, value);
            left_out
        }
        "exclude_paths" => {
            let (patterns, left_out) = path_patterns(value);
            processes.exclude.extend(patterns);
            left_out
        }
        "include_with_arguments" => {
            let patterns = items(value).map(String::from).collect();
            add_to(&mut processes.include_arguments, patterns, value);
            Vec::new()
        }
        "exclude_with_arguments" => {
            let patterns = items(value).map(String::from);
            processes.exclude_arguments.extend(patterns);
            Vec::new()
        }
        "dotnet_auto_instrumentation_minimum_dotnet_major_version" => {
            Vec::from([LeftOut::DecidedByAgent(key.into())])
        }
        _ => Vec::from([LeftOut::UnknownKey(key.into())]),
    }
}

/// Takes one setting of the agents, of `default_env.conf`.
pub fn take_setting(configuration: &mut Configuration, name: &str, value: &str) -> Vec<LeftOut> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !name.starts_with("OTEL_") || !name.bytes().all(fits) {
        return Vec::from([LeftOut::NotOtelName(name.into())]);
    }
    configuration.environment.insert(name.into(), value.into());
    Vec::new()
}

/// An empty path leaves a runtime alone, and so does one that cannot be used.
fn set_agent(configuration: &mut Configuration, runtime: Runtime, path: &str) -> Vec<LeftOut> {
    let is_usable = path.starts_with('/');
    let usable = if is_usable { path } else { "" };
    configuration.agent_mut(runtime).agent_path = Some(usable.into());
    if is_usable || path.is_empty() {
        Vec::new()
    } else {
        Vec::from([LeftOut::NotAbsolute(path.into())])
    }
}

/// The folder that holds the agent's node_modules, where the path is that of the npm package or of a
/// file in it; other files are loaded as they are.
fn nodejs_folder(path: &str) -> &str {
    const PACKAGE: &str = "/node_modules/@opentelemetry/auto-instrumentations-node";
    let end = path.rfind(PACKAGE).unwrap_or(path.len());
    path.get(..end).unwrap_or(path)
}

fn set_ruby(configuration: &mut Configuration, prefix: &str) -> Vec<LeftOut> {
    let file = of_libc(prefix, "/opentelemetry-auto-instrumentation.rb");
    let left_out = set_agent(configuration, Runtime::Ruby, &file);
    // Ruby's alone: others would hand it on.
    let settings = &mut configuration.agent_mut(Runtime::Ruby).environment;
    if left_out.is_empty() && !prefix.is_empty() {
        settings.insert(RUBY_GEMS.into(), of_libc(prefix, ""));
    } else {
        settings.remove(RUBY_GEMS);
    }
    left_out
}

/// A path below the prefix's folder for the process's libc; empty where the prefix is.
fn of_libc(prefix: &str, behind: &str) -> String {
    if prefix.is_empty() {
        return String::new();
    }
    [prefix.trim_end_matches('/'), "/", LIBC, behind].concat()
}

/// `*`, or a list of runtimes; a later list replaces an earlier one.
fn set_disabled(configuration: &mut Configuration, value: &str) -> Vec<LeftOut> {
    let mut left_out = Vec::new();
    for runtime in Runtime::ALL {
        configuration.agent_mut(runtime).enabled = value != "*";
    }
    for name in items(value).filter(|name| *name != "*") {
        let mut runtimes = Runtime::ALL.into_iter();
        match runtimes.find(|runtime| runtime.section() == name) {
            Some(runtime) => configuration.agent_mut(runtime).enabled = false,
            None => left_out.push(LeftOut::UnknownRuntime(name.into())),
        }
    }
    left_out
}

fn add_to(list: &mut Option<Vec<String>>, patterns: Vec<String>, value: &str) {
    if items(value).next().is_some() {
        list.get_or_insert_default().extend(patterns);
    }
}

fn path_patterns(value: &str) -> (Vec<String>, Vec<LeftOut>) {
    let (mut patterns, mut left_out) = (Vec::new(), Vec::new());
    for pattern in items(value) {
        match on_whole_path(pattern) {
            Some(pattern) => patterns.push(pattern),
            None => left_out.push(LeftOut::MatchesNothing(pattern.into())),
        }
    }
    (patterns, left_out)
}

/// A pattern that is compared with the whole path there, as one that is compared with the whole path
/// here, although one without `/` is compared with the file name alone; `None` where no absolute path
/// matches it.
fn on_whole_path(pattern: &str) -> Option<String> {
    let rest = pattern.trim_start_matches(['*', '?']);
    let wildcards = pattern.strip_suffix(rest)?;
    match (wildcards, pattern.contains('/')) {
        (_, true) => Some(pattern.into()),
        ("", false) => None,
        // The first `?` of a path is its `/`; the order of `*` and `?` means nothing.
        _ if wildcards.contains('?') => Some(format!("/{}{rest}", wildcards.replacen('?', "", 1))),
        _ => Some(format!("/{pattern}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::libotelinject::lines::{Content, lines};
    use crate::matching::glob::{matches, matches_path};

    fn read(text: &str) -> (Configuration, Vec<LeftOut>) {
        let (mut configuration, mut left_out) = (Configuration::default(), Vec::new());
        for line in lines(text) {
            if let Content::Setting(key, value) = line.content {
                left_out.extend(take(&mut configuration, key, &value));
            }
        }
        (configuration, left_out)
    }

    fn path(configuration: &Configuration, runtime: Runtime) -> Option<&str> {
        configuration.agent(runtime).agent_path.as_deref()
    }

    #[test]
    fn the_official_drop_ins_mean_agents_in_their_folders() {
        let (c, left_out) = read(
            "dotnet_auto_instrumentation_agent_path_prefix=/usr/lib/opentelemetry/dotnet\n\
             jvm_auto_instrumentation_agent_path=/usr/lib/opentelemetry/java/opentelemetry-javaagent.jar\n\
             nodejs_auto_instrumentation_agent_path=/usr/lib/opentelemetry/nodejs/register.js\n\
             python_auto_instrumentation_agent_path_prefix=/usr/lib/opentelemetry/python/\n\
             ruby_auto_instrumentation_agent_path_prefix=/usr/lib/opentelemetry/ruby\n",
        );
        assert_eq!(left_out, []);
        let base = "/usr/lib/opentelemetry";
        for (runtime, wanted) in [
            (Runtime::Dotnet, "/dotnet/{libc}"),
            (Runtime::Jvm, "/java/opentelemetry-javaagent.jar"),
            (Runtime::Nodejs, "/nodejs/register.js"),
            (Runtime::Python, "/python/{libc}"),
            (
                Runtime::Ruby,
                "/ruby/{libc}/opentelemetry-auto-instrumentation.rb",
            ),
        ] {
            let wanted = [base, wanted].concat();
            assert_eq!(path(&c, runtime), Some(wanted.as_str()));
        }
        assert!(c.dotnet_profiler);
        assert_eq!(
            c.agent(Runtime::Ruby).environment[RUBY_GEMS],
            "/usr/lib/opentelemetry/ruby/{libc}"
        );
    }

    #[test]
    fn the_npm_package_stands_for_the_folder_above_node_modules() {
        let (c, _) = read(
            "nodejs_auto_instrumentation_agent_path=/n/node_modules/@opentelemetry/auto-instrumentations-node/build/src/register.js",
        );
        assert_eq!(path(&c, Runtime::Nodejs), Some("/n"));
    }

    #[test]
    fn later_lines_win_and_an_empty_path_switches_a_runtime_off() {
        let (c, left_out) = read(
            "jvm_auto_instrumentation_agent_path=/a.jar\n\
             jvm_auto_instrumentation_agent_path=\n\
             dotnet_auto_instrumentation_agent_path_prefix=/d\n\
             dotnet_auto_instrumentation_agent_path_prefix=\n\
             auto_instrumentation_disabled=*\n\
             auto_instrumentation_disabled=jvm, cobol\n",
        );
        assert_eq!(path(&c, Runtime::Jvm), Some(""));
        assert_eq!(path(&c, Runtime::Dotnet), Some(""));
        assert!(!c.dotnet_profiler && !c.agent(Runtime::Jvm).enabled);
        assert!(c.agent(Runtime::Nodejs).enabled);
        assert_eq!(left_out, [LeftOut::UnknownRuntime("cobol".into())]);
    }

    #[test]
    fn lists_of_several_lines_are_one() {
        let (c, _) = read(
            "include_paths=/app/*, *.exe\ninclude_paths=/x\ninclude_paths=\nexclude_paths=\n\
             include_with_arguments=\nexclude_with_arguments=-javaagent:*\n",
        );
        let include = ["/app/*", "/*.exe", "/x"].map(String::from);
        assert_eq!(c.processes.include.as_deref(), Some(&include[..]));
        assert_eq!(c.processes.include_arguments, None);
        assert_eq!(c.processes.exclude_arguments, ["-javaagent:*"]);
        // A list in which nothing can match is not the same as none.
        assert_eq!(
            read("include_paths=java").0.processes.include,
            Some(Vec::new())
        );
    }

    #[test]
    fn patterns_match_the_same_paths() {
        let paths = ["/java", "/usr/bin/java", "/java/bin/x.exe", "/a", "/ab"];
        for pattern in [
            "*java*", "*.exe", "/usr/*", "?java", "?a", "*?a", "?*", "*", "java", "**a?",
        ] {
            for path in paths {
                let there = matches(pattern.as_bytes(), path.as_bytes());
                let here = on_whole_path(pattern)
                    .is_some_and(|pattern| matches_path(pattern.as_bytes(), path.as_bytes()));
                assert_eq!(here, there, "{pattern} {path}");
            }
        }
    }
}
