//! `opentelemetry-injector config import`: another injector's configuration in our TOML, and what
//! of it has no counterpart here.

use crate::complain;
use crate::config::other_injector::{Content, items, lines};
use crate::config::values::{all, place};
use crate::machine::configuration_files::{FileSystem, as_path};
use crate::output::{print, printable};
use opentelemetry_injector_policy::config::sources::FileProblem;
use opentelemetry_injector_policy::{Configuration, Files, Runtime};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Turn an injector.conf (of libotelinject.so) into a configuration of this injector.
///
/// Reads FILE, every conf.d/*.conf beside it and the file with the agents' settings, as that
/// injector does. The configuration goes to standard output; what has no counterpart, and why, to
/// standard error.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The file to read, for example /etc/opentelemetry/injector/injector.conf
    file: PathBuf,
}

const AFTER_HELP: &str = "\
Exit status:
  0  all of it is in the configuration
  1  some of it has no counterpart, which is told on stderr
  2  a file cannot be read

Examples:
  opentelemetry-injector config import /etc/opentelemetry/injector/injector.conf
  opentelemetry-injector config import injector.conf > configuration.toml";

const LEFT_OUT: u8 = 1;
const CANNOT_READ: u8 = 2;

/// Where the other injector looks for the agents' settings unless told otherwise.
const DEFAULT_SETTINGS: &str = "default_env.conf";

/// Runs the command.
pub fn import(arguments: &Arguments) -> ExitCode {
    let mut import = Import::default();
    if let Err((path, problem)) = import.read(&arguments.file) {
        complain(&told(&path, &problem));
        return CANNOT_READ.into();
    }
    if print(&import.text(&arguments.file)).is_err() {
        return CANNOT_READ.into();
    }
    for note in &import.notes {
        complain(&note.text);
    }
    if import.notes.iter().any(|note| note.is_left_out) {
        LEFT_OUT.into()
    } else {
        ExitCode::SUCCESS
    }
}

fn told(path: &Path, problem: &FileProblem) -> String {
    match problem {
        FileProblem::System(number) => {
            format!(
                "{}: {}",
                path.display(),
                io::Error::from_raw_os_error(*number)
            )
        }
        _ => format!("{}{problem}", path.display()),
    }
}

/// What has been read.
#[derive(Default)]
struct Import {
    configuration: Configuration,
    /// The file with the agents' settings, where one is named, and the place.
    settings: Option<(String, String)>,
    notes: Vec<Note>,
}

/// Something to tell.
struct Note {
    text: String,
    /// False: it is in the configuration, and means something else there.
    is_left_out: bool,
}

type Failure = (PathBuf, FileProblem);

impl Import {
    fn read(&mut self, file: &Path) -> Result<(), Failure> {
        let folder = file.parent().unwrap_or(Path::new(""));
        self.read_file(file, Self::take)?;
        for path in drop_ins(folder)? {
            self.read_file(&path, Self::take)?;
        }
        match self.settings.take() {
            Some((path, place)) if !path.is_empty() => {
                if let Err((path, problem)) = self.read_file(Path::new(&path), Self::take_setting) {
                    self.leave_out(&place, &told(&path, &problem));
                }
                Ok(())
            }
            Some(_) => Ok(()),
            None => match self.read_file(&folder.join(DEFAULT_SETTINGS), Self::take_setting) {
                Err((_, FileProblem::Missing)) => Ok(()),
                other => other,
            },
        }
    }

    fn read_file(
        &mut self,
        path: &Path,
        take: fn(&mut Self, &str, &str, String),
    ) -> Result<(), Failure> {
        let fail = |problem| (path.to_owned(), problem);
        let content = FileSystem.read(path.as_os_str().as_bytes()).map_err(fail)?;
        let text = String::from_utf8(content)
            .map_err(|error| fail(FileProblem::NotUtf8(error.utf8_error().valid_up_to())))?;
        for line in lines(&text) {
            let place = format!("{}:{}", path.display(), line.number);
            match line.content {
                Content::Setting(key, value) => take(self, &place, key, value),
                Content::Malformed(line) => {
                    self.leave_out(&place, &format!("`{line}` is no key=value"));
                }
            }
        }
        Ok(())
    }

    /// Takes a setting of the injector itself.
    fn take(&mut self, place: &str, key: &str, value: String) {
        match key {
            "jvm_auto_instrumentation_agent_path" => {
                self.set_agent(place, Runtime::Jvm, Some(value));
            }
            "nodejs_auto_instrumentation_agent_path" => {
                let folder = nodejs_folder(&value);
                if folder.is_none() {
                    self.leave_out(
                        place,
                        "the agent is loaded from a folder with \
                         node_modules/@opentelemetry/auto-instrumentations-node in it, not by a \
                         file of another name",
                    );
                }
                self.set_agent(place, Runtime::Nodejs, folder);
            }
            "python_auto_instrumentation_agent_path_prefix" => {
                self.set_agent(place, Runtime::Python, of_glibc(&value, ""));
                self.explain_libc(place, &value, Runtime::Python);
            }
            "ruby_auto_instrumentation_agent_path_prefix" => {
                let gems = of_glibc(&value, "").unwrap_or_default();
                let file = of_glibc(&value, "/opentelemetry-auto-instrumentation.rb");
                self.set_agent(place, Runtime::Ruby, file);
                let settings = &mut self.configuration.environment;
                let name = "OTEL_RUBY_ADDITIONAL_GEM_PATH";
                match gems.as_str() {
                    "" => settings.remove(name),
                    _ => settings.insert(name.into(), gems),
                };
                self.explain_libc(place, &value, Runtime::Ruby);
            }
            "dotnet_auto_instrumentation_agent_path_prefix" => {
                self.set_agent(place, Runtime::Dotnet, of_glibc(&value, ""));
                // That injector always sets the profiler's variables.
                self.configuration.dotnet_profiler = !value.is_empty();
                self.explain_libc(place, &value, Runtime::Dotnet);
            }
            "auto_instrumentation_disabled" => self.set_disabled(place, &value),
            "all_auto_instrumentation_agents_env_path" => {
                self.settings = Some((value, place.into()));
            }
            "include_paths" => {
                let patterns = self.path_patterns(place, &value);
                let include = &mut self.configuration.processes.include;
                extend(include, patterns, &value);
            }
            "exclude_paths" => {
                let patterns = self.path_patterns(place, &value);
                self.configuration.processes.exclude.extend(patterns);
            }
            "include_with_arguments" => {
                self.explain_arguments(place, key);
                let patterns = items(&value).map(String::from).collect();
                let include = &mut self.configuration.processes.include_arguments;
                extend(include, patterns, &value);
            }
            "exclude_with_arguments" => {
                self.explain_arguments(place, key);
                let patterns = items(&value).map(String::from);
                let processes = &mut self.configuration.processes;
                processes.exclude_arguments.extend(patterns);
            }
            "dotnet_auto_instrumentation_minimum_dotnet_major_version" => self.leave_out(
                place,
                &format!("{key}: the agent's own startup hook refuses versions that it is not for"),
            ),
            _ => self.leave_out(place, &format!("{key}: no key of that injector")),
        }
    }

    /// Takes a setting of the agents.
    fn take_setting(&mut self, place: &str, name: &str, value: String) {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.starts_with("OTEL_") && name.bytes().all(fits) {
            self.configuration.environment.insert(name.into(), value);
        } else {
            self.leave_out(
                place,
                &format!("{name}: only names that begin with OTEL_ are set"),
            );
        }
    }

    /// An empty path turns a runtime off, as one that is not given does.
    fn set_agent(&mut self, place: &str, runtime: Runtime, path: Option<String>) {
        let path = path.filter(|path| !path.is_empty());
        let path = match path {
            Some(path) if !path.starts_with('/') => {
                self.leave_out(place, &format!("{path}: the path is not absolute"));
                None
            }
            other => other,
        };
        self.configuration.agent_mut(runtime).agent_path = path;
    }

    fn set_disabled(&mut self, place: &str, value: &str) {
        self.configuration.enabled = value != "*";
        for runtime in Runtime::ALL {
            self.configuration.agent_mut(runtime).enabled = true;
        }
        if value == "*" {
            return self.explain(
                place,
                "enabled = false: nothing is injected, resource attributes neither",
            );
        }
        for name in items(value) {
            let mut runtimes = Runtime::ALL.into_iter();
            match runtimes.find(|runtime| runtime.section() == name) {
                Some(runtime) => self.configuration.agent_mut(runtime).enabled = false,
                None => self.leave_out(place, &format!("{name}: no runtime of that injector")),
            }
        }
    }

    /// Patterns that are held against the whole path there, and against the file name here where
    /// they have no `/`.
    fn path_patterns(&mut self, place: &str, value: &str) -> Vec<String> {
        let mut patterns = Vec::new();
        for pattern in items(value) {
            match on_whole_path(pattern) {
                Some(pattern) => patterns.push(pattern),
                None => self.leave_out(
                    place,
                    &format!("{pattern}: no path begins with that, so nothing would match it"),
                ),
            }
        }
        patterns
    }

    fn explain_arguments(&mut self, place: &str, key: &str) {
        self.explain(
            place,
            &format!("{key}: the patterns are held against the program's own name, too"),
        );
    }

    fn explain_libc(&mut self, place: &str, prefix: &str, runtime: Runtime) {
        if !prefix.is_empty() {
            let section = runtime.section();
            let text = format!(
                "{section}.agent_path is the one for glibc; containers with musl need a \
                 configuration of their own, with {prefix}/musl"
            );
            self.explain(place, &text);
        }
    }

    fn leave_out(&mut self, place: &str, why: &str) {
        self.note(place, &format!("left out: {why}"), true);
    }

    fn explain(&mut self, place: &str, what: &str) {
        self.note(place, what, false);
    }

    fn note(&mut self, place: &str, text: &str, is_left_out: bool) {
        let text = printable(&format!("{place}: {text}"));
        self.notes.push(Note { text, is_left_out });
    }

    /// The configuration, without what it has by default anyway.
    fn text(&self, file: &Path) -> String {
        let mut text = format!("# From {}.\n", printable(&file.to_string_lossy()));
        let defaults = all(&Configuration::default());
        let mut current = String::new();
        for (key, value) in all(&self.configuration) {
            if defaults
                .iter()
                .any(|default| *default == (key.clone(), value.clone()))
            {
                continue;
            }
            let (section, name) = place(&key);
            if section != current {
                text.push_str(&format!("\n[{section}]\n"));
                current = section.into();
            }
            text.push_str(&format!("{name} = {value}\n"));
        }
        text
    }
}

/// The `conf.d/*.conf` in a folder, in byte order of their names.
fn drop_ins(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let folder = folder.join("conf.d");
    let mut names = match FileSystem.names_in(folder.as_os_str().as_bytes()) {
        Ok(names) => names,
        Err(FileProblem::Missing) => return Ok(Vec::new()),
        Err(problem) => return Err((folder, problem)),
    };
    names.retain(|name| name.ends_with(b".conf"));
    names.sort_unstable();
    Ok(names
        .iter()
        .map(|name| folder.join(as_path(name)))
        .collect())
}

/// The folder that holds the agent's node_modules, by a path of the agent's package or of a file in
/// it; an empty path stays empty.
fn nodejs_folder(path: &str) -> Option<String> {
    const PACKAGE: &str = "/node_modules/@opentelemetry/auto-instrumentations-node";
    let end = match path {
        "" => 0,
        _ => path.rfind(PACKAGE)?,
    };
    Some(path.get(..end)?.into())
}

/// That injector's prefixes have a folder for each libc; none below an empty one.
fn of_glibc(prefix: &str, name: &str) -> Option<String> {
    (!prefix.is_empty()).then(|| format!("{}/glibc{name}", prefix.trim_end_matches('/')))
}

/// The pattern that matches the same absolute paths when it is held against file names where it has
/// no `/`; `None` where no absolute path matches it.
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

/// Lists of several lines are one; an empty value says nothing.
fn extend(list: &mut Option<Vec<String>>, patterns: Vec<String>, value: &str) {
    if items(value).next().is_some() {
        list.get_or_insert_default().extend(patterns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_injector_policy::config::keys::read;
    use opentelemetry_injector_policy::matching::glob::{matches, matches_path};

    /// Imports a text; the configuration as it is read back, and the notes.
    fn imported(text: &str) -> (Configuration, Vec<String>) {
        let mut import = Import::default();
        for line in lines(text) {
            if let Content::Setting(key, value) = line.content {
                import.take(&line.number.to_string(), key, value);
            }
        }
        let mut configuration = Configuration::default();
        assert_eq!(read(&import.text(Path::new("f")), &mut configuration), []);
        assert_eq!(configuration, import.configuration);
        let notes = import.notes.into_iter().map(|note| note.text);
        (configuration, notes.collect())
    }

    #[test]
    fn agents_are_found_where_that_injector_has_them() {
        let (c, notes) = imported(
            "jvm_auto_instrumentation_agent_path=/o/jvm/javaagent.jar\n\
             nodejs_auto_instrumentation_agent_path=/o/nodejs/node_modules/@opentelemetry/auto-instrumentations-node/build/src/register.js\n\
             python_auto_instrumentation_agent_path_prefix=/o/python\n\
             ruby_auto_instrumentation_agent_path_prefix=/o/ruby/\n\
             dotnet_auto_instrumentation_agent_path_prefix=/o/dotnet\n",
        );
        let path = |runtime| c.agent(runtime).agent_path.clone().unwrap();
        assert_eq!(path(Runtime::Jvm), "/o/jvm/javaagent.jar");
        assert_eq!(path(Runtime::Nodejs), "/o/nodejs");
        assert_eq!(path(Runtime::Python), "/o/python/glibc");
        let ruby = "/o/ruby/glibc/opentelemetry-auto-instrumentation.rb";
        assert_eq!(path(Runtime::Ruby), ruby);
        assert_eq!(path(Runtime::Dotnet), "/o/dotnet/glibc");
        assert_eq!(
            c.environment["OTEL_RUBY_ADDITIONAL_GEM_PATH"],
            "/o/ruby/glibc"
        );
        assert!(c.dotnet_profiler);
        assert_eq!(notes.len(), 3, "{notes:?}");
        assert!(notes.iter().all(|note| note.contains("musl")));
    }

    #[test]
    fn later_lines_win_and_an_empty_path_turns_a_runtime_off() {
        let (c, notes) = imported(
            "jvm_auto_instrumentation_agent_path=/a.jar\n\
             jvm_auto_instrumentation_agent_path=\n\
             dotnet_auto_instrumentation_agent_path_prefix=/d\n\
             dotnet_auto_instrumentation_agent_path_prefix=\n\
             auto_instrumentation_disabled=*\n\
             auto_instrumentation_disabled=jvm, cobol\n",
        );
        assert_eq!(c.agent(Runtime::Jvm).agent_path, None);
        assert_eq!(c.agent(Runtime::Dotnet).agent_path, None);
        assert!(c.enabled && !c.dotnet_profiler && !c.agent(Runtime::Jvm).enabled);
        assert!(notes.last().unwrap().starts_with("6: left out: cobol"));
    }

    #[test]
    fn what_cannot_be_taken_over_is_told_with_its_line() {
        let (_, notes) = imported(
            "jvm_auto_instrumentation_agent_path=a.jar\n\
             nodejs_auto_instrumentation_agent_path=/own/register.js\n\
             dotnet_auto_instrumentation_minimum_dotnet_major_version=6\n\
             colour=red\n\
             exclude_paths=java\n",
        );
        let begins = [
            "1: left out: a.jar",
            "2: left out: the agent",
            "3: left out: dotnet",
            "4: left out: colour",
            "5: left out: java",
        ];
        assert_eq!(notes.len(), begins.len(), "{notes:?}");
        for (note, begin) in notes.iter().zip(begins) {
            assert!(note.starts_with(begin), "{note}");
        }
    }

    #[test]
    fn lists_of_several_lines_are_one() {
        let (c, _) = imported(
            "include_paths=/app/*, *.exe\ninclude_paths=/x\ninclude_paths=\nexclude_paths=\n\
             include_with_arguments=\nexclude_with_arguments=-javaagent:*\n",
        );
        let include = ["/app/*", "/*.exe", "/x"].map(String::from);
        assert_eq!(c.processes.include.as_deref(), Some(&include[..]));
        assert_eq!(c.processes.include_arguments, None);
        assert_eq!(c.processes.exclude_arguments, ["-javaagent:*"]);
        // A list in which nothing can match is not the same as none.
        let (c, _) = imported("include_paths=java");
        assert_eq!(c.processes.include, Some(Vec::new()));
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
