//! `opentelemetry-injector config init`: a configuration in which every key is explained.
//!
//! What a key means is what `check` says of it, and defaults are those of the policy.

use crate::complain;
use crate::config::values::{self, Value, place};
use crate::output::print;
use opentelemetry_injector_policy::Configuration;
use opentelemetry_injector_policy::config::keys::{KEYS, meaning};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Write a configuration in which every key is explained and commented out.
///
/// This configuration changes nothing: only agents in /usr/lib/opentelemetry are used until you set the
/// path of another one.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The file to write; it must not exist [default: standard output]
    file: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Exit status:
  0  written
  1  not written: the file exists
  2  not written: FILE cannot be written

Examples:
  opentelemetry-injector config init
  opentelemetry-injector config init /etc/opentelemetry/injector/configuration.toml";

const ALREADY_THERE: u8 = 1;
const CANNOT_WRITE: u8 = 2;

/// Every process must be able to read it.
const MODE: u32 = 0o644;

const INTRODUCTION: &str = "\
# Configuration of the OpenTelemetry injector.
#
# Every process reads this file when it starts, then every conf.d/*.toml beside it, in byte order
# of the names. A later file overrides an earlier one, key by key.
#
# All keys are commented out. Each shows its default, or an example if it has no default. An agent in
# /usr/lib/opentelemetry is used without a path here; for another one, remove the # before agent_path
# and write its path. An empty path leaves the runtime alone. Then check the result:
#
#     opentelemetry-injector config check
";

/// Runs the command.
pub fn init(arguments: &Arguments) -> ExitCode {
    let Some(path) = &arguments.file else {
        return match print(&text()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => CANNOT_WRITE.into(),
        };
    };
    match write_new(path, &text()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let path = path.display();
            let (code, help) = match error.kind() {
                ErrorKind::AlreadyExists => (
                    ALREADY_THERE,
                    "; it was not changed: give another \
                 path",
                ),
                ErrorKind::NotFound => (CANNOT_WRITE, "; create its folder first"),
                _ => (CANNOT_WRITE, ""),
            };
            complain(&format_args!("{path}: {error}{help}"));
            code.into()
        }
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create_new(true).mode(MODE);
    let mut file = options.open(path)?;
    let written = file
        .write_all(text.as_bytes())
        // Whatever the umask has taken away.
        .and_then(|()| file.set_permissions(fs::Permissions::from_mode(MODE)));
    if written.is_err() {
        // Half of it would be taken for the user's own.
        let _ = fs::remove_file(path);
    }
    written
}

/// The configuration.
pub fn text() -> String {
    let mut text = INTRODUCTION.to_owned();
    let mut current = "";
    for key in KEYS {
        // A table with free names stands for itself, with one of them as an example.
        let (section, lines) = match free_name(key) {
            Some(name) if key.contains('.') => {
                let (section, table) = place(key);
                (section, line(&format!("{table}.{name}"), &example(key)))
            }
            Some(name) => (key, line(name, &example(key))),
            None => {
                let default = values::of(key, &Configuration::default());
                let (section, name) = place(key);
                (
                    section,
                    line(&name, &default.unwrap_or_else(|| example(key))),
                )
            }
        };
        if section != current {
            text.push_str(&format!("\n# {}\n[{section}]\n", meaning(section)));
            current = section;
        }
        if section != key {
            text.push_str(&format!("\n# {}\n", meaning(key)));
        }
        text.push_str(&lines);
    }
    text
}

fn line(name: &str, value: &Value) -> String {
    format!("#{name} = {value}\n")
}

/// An example of a name below a table with free names.
fn free_name(table: &str) -> Option<&'static str> {
    match table {
        "environment" => Some("OTEL_EXPORTER_OTLP_ENDPOINT"),
        "resource_attributes" => Some("deployment.environment.name"),
        _ if table.ends_with(".environment") => Some("OTEL_TRACES_SAMPLER"),
        _ => None,
    }
}

/// A value for a key without a default.
fn example(key: &str) -> Value {
    let list = |items: &[&str]| Value::List(items.iter().copied().map(String::from).collect());
    let text = match key {
        "processes.include" => return list(&["/usr/bin/*", "/opt/shop/*"]),
        "processes.exclude" => return list(&["/usr/bin/apt*", "backup-tool"]),
        "processes.include_arguments" => return list(&["*shop.jar"]),
        "processes.exclude_arguments" => return list(&["--version"]),
        "environment_prefixes" => return list(&["SPLUNK_", "ELASTIC_OTEL_"]),
        "environment" => "http://localhost:4318",
        _ if key.ends_with(".environment") => "parentbased_always_on",
        "resource_attributes" => "production",
        "log.file" => "/var/log/opentelemetry-injector.log",
        "report.file" => "/var/log/opentelemetry-injector.jsonl",
        "jvm.agent_path" => "/usr/lib/opentelemetry/java/opentelemetry-javaagent.jar",
        "nodejs.agent_path" => "/usr/lib/opentelemetry/nodejs",
        "python.agent_path" => "/usr/lib/opentelemetry/python/{version}",
        "ruby.agent_path" => "/usr/lib/opentelemetry/ruby/agent.rb",
        "php.agent_path" => "/usr/lib/opentelemetry/php/vendor",
        "erlang.agent_path" => "/usr/lib/opentelemetry/erlang",
        "dotnet.agent_path" => "/usr/lib/opentelemetry/dotnet",
        _ => "",
    };
    Value::Text(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_injector_policy::config::keys::{SECTIONS, places, read};
    use opentelemetry_injector_policy::matching::texts;

    #[test]
    fn as_it_is_it_says_nothing() {
        let mut configuration = Configuration::default();
        assert_eq!(read(&text(), &mut configuration), []);
        assert_eq!(configuration, Configuration::default());
    }

    #[test]
    fn without_the_comment_signs_every_key_is_there_and_right() {
        let text = text();
        let lines = text.lines().map(|line| match line.strip_prefix('#') {
            Some(line) if !line.starts_with([' ', '#']) => line,
            _ => line,
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        assert_eq!(read(&text, &mut Configuration::default()), []);
        let places = places(&text);
        for key in KEYS {
            let below = format!("{key}.");
            let is_it = |place: &(String, _)| place.0 == key || place.0.starts_with(&below);
            assert!(places.iter().any(is_it), "{key}");
            assert!(text.contains(&format!("# {}\n", meaning(key))), "{key}");
        }
        for section in texts::words(SECTIONS) {
            assert_eq!(
                text.matches(&format!("\n[{section}]\n")).count(),
                1,
                "{section}"
            );
        }
    }
}
