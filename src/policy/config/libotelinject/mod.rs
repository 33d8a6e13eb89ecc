//! The configuration of libotelinject.so (open-telemetry/opentelemetry-injector), read in place.
//!
//! It is weaker than any TOML: `injector.conf`, then `conf.d/*.conf` in byte order of their names, then
//! `default_env.conf` for the agents' settings. Unusable entries in these files are ignored, as that
//! injector ignores them; `opentelemetry-injector check` reports them.

pub mod keys;
pub mod lines;
pub mod variables;

use crate::config::keys::{BYTES, EACH_FILE, VALUE_BYTES, Words};
use crate::config::sources::{FileProblem, Files, beside, files_in, reason};
use crate::{Configuration, Process, Reason, Runtime};
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use keys::{LIBC, RUBY_GEMS};
use lines::{Content, lines};

/// How its drop-ins end.
pub const ENDING: &[u8] = b".conf";
const FILE: &[u8] = b"injector.conf";
const SETTINGS_FILE: &[u8] = b"default_env.conf";
/// The key that names the file with the agents' settings.
pub const SETTINGS_KEY: &str = "all_auto_instrumentation_agents_env_path";

/// Where its files are.
pub struct Places {
    /// `injector.conf`.
    pub file: Vec<u8>,
    /// What stands for the folder `conf.d`, where a variable names another one.
    folder: Option<Vec<u8>>,
    /// The configuration, beside which they lie otherwise.
    beside: Vec<u8>,
}

impl Places {
    /// Beside the configuration, or where the process's environment says.
    pub fn of(process: &impl Process, configuration: &[u8]) -> Self {
        let named = |name| {
            let path = variables::text(process, name)?;
            (!path.is_empty()).then(|| path.into_bytes())
        };
        Self {
            file: named(variables::CONFIG_FILE).unwrap_or_else(|| beside(configuration, FILE)),
            folder: named(variables::CONFIG_DIR),
            beside: configuration.to_vec(),
        }
    }

    /// Beside the configuration.
    pub fn beside(configuration: &[u8]) -> Self {
        Self::at(beside(configuration, FILE))
    }

    /// Where `file` stands for `injector.conf`.
    pub fn at(file: Vec<u8>) -> Self {
        Self {
            folder: None,
            beside: file.clone(),
            file,
        }
    }

    /// The drop-ins in their order; none where the folder cannot be read.
    fn drop_ins(&self, files: &impl Files) -> Vec<Vec<u8>> {
        let folder = match &self.folder {
            Some(folder) => folder.clone(),
            None => beside(&self.beside, b"conf.d"),
        };
        files_in(files, &folder, ENDING).unwrap_or_default()
    }

    /// Hands each path to `read` in the order in which the files count: `injector.conf`, the drop-ins, the
    /// agents' settings. `read` returns the value of [`SETTINGS_KEY`], if the file has that key.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn in_order<E>(
        &self,
        files: &impl Files,
        mut read: impl FnMut(Kind, &[u8]) -> Result<Option<String>, E>,
    ) -> Result<(), E> {
        let mut settings = beside(&self.file, SETTINGS_FILE);
        let mut paths = Vec::from([self.file.clone()]);
        paths.extend(self.drop_ins(files));
        for path in paths {
            if let Some(other) = read(Kind::Injector, &path)? {
                settings = other.into_bytes();
            }
        }
        read(Kind::Settings, &settings)?;
        Ok(())
    }
}

/// What a file is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The injector itself.
    Injector,
    /// The environment of the agents.
    Settings,
}

/// Reads all of it into `configuration`; the files that were there.
///
/// # Errors
/// The first file with which there is more than is read at every start.
pub fn read(
    files: &impl Files,
    places: &Places,
    configuration: &mut Configuration,
    words: &mut Words,
) -> Result<Vec<Vec<u8>>, Reason> {
    let mut found = Vec::new();
    places.in_order(files, |kind, path| {
        let mut settings = None;
        let is_there = each_setting(files, path, words, |words, key, value| match kind {
            Kind::Injector => {
                keys::take(configuration, key, value);
                if key == SETTINGS_KEY {
                    settings = Some(value.into());
                }
            }
            Kind::Settings => {
                // What goes beyond the limit by this is refused with the configuration's own first word.
                words.add(value.len() / VALUE_BYTES);
                keys::take_setting(configuration, key, value);
            }
        })?;
        if is_there {
            found.push(path.to_vec());
        }
        Ok(settings)
    })?;
    Ok(found)
}

/// Whether that injector is configured at all, by a variable or a file: two looks at the file system where
/// it is not.
pub fn is_used(process: &impl Process, files: &impl Files, configuration: &[u8]) -> bool {
    let places = Places::of(process, configuration);
    variables::is_given(process)
        || files.read(&places.file).is_ok()
        || !places.drop_ins(files).is_empty()
}

/// Calls `take` with every key and value of a file; whether the file could be read.
fn each_setting(
    files: &impl Files,
    path: &[u8],
    words: &mut Words,
    mut take: impl FnMut(&mut Words, &str, &str),
) -> Result<bool, Reason> {
    let content = files.read(path).ok();
    let Some(text) = content.and_then(|content| String::from_utf8(content).ok()) else {
        return Ok(false);
    };
    count(&text, words).map_err(|problem| reason(path, problem))?;
    for line in lines(&text) {
        if let Content::Setting(key, value) = line.content {
            take(words, key, &value);
        }
    }
    Ok(true)
}

/// Counts a file's lines and items of lists like words of the configuration itself.
///
/// # Errors
/// [`FileProblem::TooMuch`].
pub fn count(text: &str, words: &mut Words) -> Result<(), FileProblem> {
    let cost = |byte| match byte {
        b'\n' => LINE,
        b',' => ITEM,
        _ => 0,
    };
    let lines = text.bytes().map(cost).sum::<usize>();
    if words.add(EACH_FILE + text.len() / BYTES + lines) {
        Ok(())
    } else {
        Err(FileProblem::TooMuch)
    }
}

/// What a line costs, and an item of a list.
const LINE: usize = 5;
const ITEM: usize = 3;

/// The configuration with the name of the process's libc in the paths of one runtime.
pub fn with_libc<'c>(
    configuration: Cow<'c, Configuration>,
    runtime: Runtime,
    process: &impl Process,
) -> Cow<'c, Configuration> {
    let path = configuration.agent(runtime).agent_path.as_deref();
    if !path.is_some_and(|path| path.contains(LIBC)) {
        return configuration;
    }
    let libc = libc_of(process);
    let mut configuration = configuration.into_owned();
    let path = &mut configuration.agent_mut(runtime).agent_path;
    *path = path.take().map(|path| path.replace(LIBC, libc));
    if let Some(gems) = configuration.environment.get_mut(RUBY_GEMS) {
        *gems = gems.replace(LIBC, libc);
    }
    Cow::Owned(configuration)
}

/// The libc of a process, as folders of agents are called. musl's loader is its libc.
pub fn libc_of(process: &impl Process) -> &'static str {
    let is_musl = process.loaded_library("ld-musl-").is_some()
        || process.loaded_library("libc.musl-").is_some();
    if is_musl { "musl" } else { "glibc" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sources::memory::Memory;
    use crate::process::fixture::Fixture;

    fn files() -> Memory {
        Memory::from([
            ("/e/injector.conf", &b"exclude_paths=/usr/*\n"[..]),
            (
                "/e/conf.d/java.conf",
                b"jvm_auto_instrumentation_agent_path=/j.jar",
            ),
            (
                "/e/conf.d/99.conf",
                b"exclude_paths=/srv/*\nnonsense\ncolour=red",
            ),
            ("/e/conf.d/java.toml", b"[jvm]\nagent_path = '/ours.jar'"),
            ("/e/default_env.conf", b"OTEL_A=1\nPATH=/x\n"),
            (
                "/other/a.conf",
                b"jvm_auto_instrumentation_agent_path=/other.jar",
            ),
        ])
    }

    #[test]
    fn its_files_add_up_and_its_settings_are_defaults() {
        let mut c = Configuration::default();
        let places = Places::beside(b"/e/configuration.toml");
        let found = read(&files(), &places, &mut c, &mut Words::default()).unwrap();
        assert_eq!(found.len(), 4);
        assert_eq!(c.agent(Runtime::Jvm).agent_path.as_deref(), Some("/j.jar"));
        assert_eq!(c.processes.exclude, ["/usr/*", "/srv/*"]);
        assert_eq!(c.environment.len(), 1);
        assert_eq!(c.environment["OTEL_A"], "1");
    }

    #[test]
    fn variables_name_other_places() {
        let mut process = Fixture::default();
        process
            .variables
            .insert("OTEL_INJECTOR_CONFIG_DIR".into(), " /other ".into());
        process
            .variables
            .insert("OTEL_INJECTOR_CONFIG_FILE".into(), "/none".into());
        let mut c = Configuration::default();
        let places = Places::of(&process, b"/e/configuration.toml");
        let found = read(&files(), &places, &mut c, &mut Words::default());
        assert_eq!(found.unwrap(), [b"/other/a.conf"]);
        assert_eq!(
            c.agent(Runtime::Jvm).agent_path.as_deref(),
            Some("/other.jar")
        );
        assert_eq!(c.processes.exclude, [""; 0]);
    }

    #[test]
    fn another_file_with_the_settings_may_be_named() {
        let files = Memory::from([
            (
                "/c/injector.conf",
                &b"all_auto_instrumentation_agents_env_path=/env"[..],
            ),
            ("/c/default_env.conf", b"OTEL_A=1"),
            ("/env", b"OTEL_B=2"),
        ]);
        let mut c = Configuration::default();
        let places = Places::beside(b"/c/configuration.toml");
        read(&files, &places, &mut c, &mut Words::default()).unwrap();
        assert_eq!(c.environment.keys().collect::<Vec<_>>(), ["OTEL_B"]);
    }

    #[test]
    fn a_prefix_means_the_folder_for_the_libc_that_the_process_has() {
        let mut configuration = Configuration::default();
        configuration.agent_mut(Runtime::Python).agent_path = Some("/p/{libc}".into());
        let path = |libraries: &[&str]| {
            let process = Fixture {
                libraries: libraries.iter().map(|path| String::from(*path)).collect(),
                ..Fixture::default()
            };
            let with = with_libc(Cow::Borrowed(&configuration), Runtime::Python, &process);
            with.agent(Runtime::Python).agent_path.clone().unwrap()
        };
        assert_eq!(path(&["/lib/x86_64-linux-gnu/libc.so.6"]), "/p/glibc");
        assert_eq!(path(&["/lib/ld-musl-x86_64.so.1"]), "/p/musl");
    }
}
