//! Which files make up the configuration, and what is wrong with a file.

use crate::config::keys::{self, ConfigurationError, EACH_FILE, MOST, Words, line_and_column};
use crate::config::libotelinject::{self, Places, variables};
use crate::config::overrides::DEFAULT_CONFIGURATION;
use crate::process::directory;
use crate::runtimes::default_agents;
use crate::{Configuration, Process, Reason, Runtime};
use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;

/// The largest configuration file that is read, in bytes.
pub const LARGEST_FILE: usize = 1 << 20;

/// Reading files: by system calls in the preload object, by `std` in the command.
pub trait Files {
    /// The content of a regular file of at most [`LARGEST_FILE`] bytes that not every user may
    /// write; never waits (a FIFO).
    ///
    /// # Errors
    /// What keeps the file from being read.
    fn read(&self, path: &[u8]) -> Result<Vec<u8>, FileProblem>;

    /// The names in a directory that not every user may write, in any order.
    ///
    /// # Errors
    /// What keeps the directory from being read; [`FileProblem::Missing`] where there is none.
    fn names_in(&self, directory: &[u8]) -> Result<Vec<Vec<u8>>, FileProblem>;
}

/// Whether a file's mode (inode(7)) lets every user write it.
pub const fn is_writable_by_all(mode: u32) -> bool {
    mode & 0o002 != 0
}

/// What is wrong with a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileProblem {
    /// There is none.
    Missing,
    /// This process may not read it.
    NotPermitted,
    /// A directory, FIFO, socket or device.
    NotRegular,
    /// Above [`LARGEST_FILE`].
    TooLarge,
    /// Every user may write it: what it names would run in other users' processes.
    WritableByAll,
    /// With the files before it, more than is read in the time that a start may take
    /// ([`keys::MOST`]).
    TooMuch,
    /// Any other error; its number (errno(3)).
    System(i32),
    /// Not UTF-8 from this byte on.
    NotUtf8(usize),
    /// A problem of the text, with its line and column.
    Text {
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What.
        problem: ConfigurationError,
    },
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str(": no such file"),
            Self::NotPermitted => f.write_str(": not readable by this process"),
            Self::NotRegular => f.write_str(": not a regular file"),
            Self::TooLarge => write!(f, ": larger than {LARGEST_FILE} bytes"),
            Self::TooMuch => write!(
                f,
                ": more than {MOST} words and signs in all files, where a file counts for {EACH_FILE}"
            ),
            Self::WritableByAll => f.write_str(": every user may write it"),
            Self::System(number) => write!(f, ": system error {number}"),
            Self::NotUtf8(offset) => write!(f, ": not UTF-8 from byte {offset} on"),
            Self::Text {
                line,
                column,
                problem,
            } => write!(f, ":{line}:{column}: {problem}"),
        }
    }
}

impl core::error::Error for FileProblem {}

/// Reads everything: libotelinject.so's files, `path`, and the `conf.d/*.toml` beside it. Later files
/// win key by key, and lists of patterns add up. `is_enough` says whether the rest is enough where there
/// is no file `path`.
///
/// # Errors
/// The first file that cannot be used: then nothing is injected.
pub fn load(
    files: &impl Files,
    path: &[u8],
    is_enough: impl FnOnce(&Configuration) -> bool,
) -> Result<Box<Configuration>, Reason> {
    load_all(files, path, &Places::beside(path), |_| false, is_enough)
}

/// [`load`] for one process, whose environment may name other files and override them. The file that is
/// read where nothing is named may be missing, if there is an agent for the process all the same.
///
/// # Errors
/// As [`load`].
pub fn load_for(
    process: &impl Process,
    files: &impl Files,
    path: &[u8],
) -> Result<Box<Configuration>, Reason> {
    let override_by = |configuration: &mut Configuration| variables::take(process, configuration);
    let has_agent = |configuration: &Configuration| {
        let runtime = Runtime::at_start(process);
        runtime.is_some_and(|own| default_agents::has_agent(own, process, configuration))
    };
    load_all(
        files,
        path,
        &Places::of(process, path),
        override_by,
        |configuration| path == DEFAULT_CONFIGURATION.as_bytes() && has_agent(configuration),
    )
}

fn load_all(
    files: &impl Files,
    path: &[u8],
    places: &Places,
    override_by: impl FnOnce(&mut Configuration) -> bool,
    is_enough: impl FnOnce(&Configuration) -> bool,
) -> Result<Box<Configuration>, Reason> {
    let (mut configuration, mut words) = (Box::<Configuration>::default(), Words::default());
    let others = libotelinject::read(files, places, &mut configuration, &mut words)?;
    let own = load_one(files, path, &mut configuration, &mut words);
    let is_missing = own.as_ref().is_err_and(|reason| is_missing(reason, path));
    if !is_missing {
        own.clone()?;
    }
    load_drop_ins(files, path, &mut configuration, &mut words)?;
    let is_overridden = override_by(&mut configuration);
    // Another injector's configuration is enough.
    if is_missing && others.is_empty() && !is_overridden && !is_enough(&configuration) {
        own?;
    }
    Ok(configuration)
}

/// Reads the TOML alone, and says so where more may have to be read ([`Configuration::is_partial`]):
/// for processes that no runtime's name tells, most of which never need the rest.
///
/// # Errors
/// As [`load`].
pub fn load_part(
    process: &impl Process,
    files: &impl Files,
    path: &[u8],
) -> Result<Box<Configuration>, Reason> {
    let mut configuration = Box::<Configuration>::default();
    let mut words = Words::default();
    match load_one(files, path, &mut configuration, &mut words) {
        Ok(()) => load_drop_ins(files, path, &mut configuration, &mut words)?,
        Err(reason)
            if is_missing(&reason, path) && libotelinject::is_used(process, files, path) =>
        {
            return load_for(process, files, path);
        }
        Err(reason) => return Err(reason),
    }
    configuration.is_partial = true;
    Ok(configuration)
}

fn load_drop_ins(
    files: &impl Files,
    path: &[u8],
    configuration: &mut Configuration,
    words: &mut Words,
) -> Result<(), Reason> {
    for path in drop_ins(files, path)? {
        load_one(files, &path, configuration, words)?;
    }
    Ok(())
}

fn is_missing(reason: &Reason, file: &[u8]) -> bool {
    let problem = FileProblem::Missing;
    matches!(reason, Reason::Configuration { path, problem: found } if *found == problem && path == file)
}

/// A path in the folder of `file`.
pub fn beside(file: &[u8], name: &[u8]) -> Vec<u8> {
    if file.contains(&b'/') {
        [directory(file), b"/", name].concat()
    } else {
        name.to_vec()
    }
}

/// The paths of the `conf.d/*.toml` beside `path`, in byte order of their names; names that begin
/// with a dot are left out.
///
/// # Errors
/// A directory that exists and cannot be read.
pub fn drop_ins(files: &impl Files, path: &[u8]) -> Result<Vec<Vec<u8>>, Reason> {
    files_in(files, &beside(path, b"conf.d"), b".toml")
}

/// The paths of files in a folder by how their names end, in byte order of the names; names that begin
/// with a dot are left out. None where there is no such folder.
///
/// # Errors
/// A directory that exists and cannot be read.
pub fn files_in(files: &impl Files, folder: &[u8], ending: &[u8]) -> Result<Vec<Vec<u8>>, Reason> {
    let mut names = match files.names_in(folder) {
        Ok(names) => names,
        Err(FileProblem::Missing) => return Ok(Vec::new()),
        Err(problem) => return Err(reason(folder, problem)),
    };
    names.retain(|name| name.ends_with(ending) && !name.starts_with(b"."));
    names.sort_unstable();
    let join = |name: Vec<u8>| [folder, b"/", &name].concat();
    Ok(names.into_iter().map(join).collect())
}

fn load_one(
    files: &impl Files,
    path: &[u8],
    configuration: &mut Configuration,
    words: &mut Words,
) -> Result<(), Reason> {
    let content = files.read(path).map_err(|problem| reason(path, problem))?;
    let text = String::from_utf8(content)
        .map_err(|error| FileProblem::NotUtf8(error.utf8_error().valid_up_to()))
        .map_err(|problem| reason(path, problem))?;
    let before = configuration.rules.len();
    let outcome = keys::read_usable(&text, configuration, words);
    place_rules(path, before, configuration);
    match outcome {
        Ok(()) => Ok(()),
        Err(problem) => {
            let (line, column) = line_and_column(&text, problem.span.start);
            let problem = FileProblem::Text {
                line,
                column,
                problem,
            };
            Err(reason(path, problem))
        }
    }
}

/// Reads one file's text into a configuration; later texts win key by key, and rules keep their order.
/// See [`keys::read_one_of`].
pub fn read_text(
    path: &[u8],
    text: &str,
    configuration: &mut Configuration,
    words: &mut Words,
) -> Vec<ConfigurationError> {
    let before = configuration.rules.len();
    let problems = keys::read_one_of(text, configuration, words);
    place_rules(path, before, configuration);
    problems
}

/// Tells the rules behind the first `before` which file they are from.
fn place_rules(path: &[u8], before: usize, configuration: &mut Configuration) {
    for rule in configuration.rules.iter_mut().skip(before) {
        rule.place.path = path.to_vec();
    }
}

/// Why nothing is injected because of a file.
pub fn reason(path: &[u8], problem: FileProblem) -> Reason {
    let path = path.to_vec();
    Reason::Configuration { path, problem }
}

/// Files made of plain texts, for the tests of this crate.
#[cfg(test)]
pub(crate) mod memory {
    use super::{FileProblem, Files};
    use alloc::vec::Vec;
    use std::collections::BTreeMap;

    pub struct Memory(BTreeMap<&'static str, &'static [u8]>);

    impl<const N: usize> From<[(&'static str, &'static [u8]); N]> for Memory {
        fn from(files: [(&'static str, &'static [u8]); N]) -> Self {
            Self(BTreeMap::from(files))
        }
    }

    impl Files for Memory {
        fn read(&self, path: &[u8]) -> Result<Vec<u8>, FileProblem> {
            let path = core::str::from_utf8(path).unwrap();
            let content = self.0.get(path).ok_or(FileProblem::Missing)?;
            Ok(content.to_vec())
        }
        fn names_in(&self, directory: &[u8]) -> Result<Vec<Vec<u8>>, FileProblem> {
            let prefix = [directory, b"/"].concat();
            let names = self.0.keys().map(|path| path.as_bytes());
            let names = names.filter_map(|path| path.strip_prefix(prefix.as_slice()));
            Ok(names.map(<[u8]>::to_vec).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::memory::Memory;
    use super::*;
    use crate::process::fixture::Fixture;
    use std::string::ToString;

    #[test]
    fn drop_ins_win_in_byte_order_and_others_are_not_read() {
        let files = Memory::from([
            ("/e/c.toml", &b"[jvm]\nagent_path = '/first'"[..]),
            ("/e/conf.d/10-b.toml", b"[jvm]\nagent_path = '/second'"),
            ("/e/conf.d/9-a.toml", b"[jvm]\nagent_path = '/third'"),
            ("/e/conf.d/99.toml.bak", b"nonsense"),
            ("/e/conf.d/.hidden.toml", b"nonsense"),
        ]);
        let configuration = load(&files, b"/e/c.toml", |_| false).unwrap();
        assert_eq!(
            configuration
                .agent(crate::Runtime::Jvm)
                .agent_path
                .as_deref(),
            Some("/third")
        );
    }

    #[test]
    fn a_broken_drop_in_names_its_place() {
        let files = Memory::from([("/c.toml", &b""[..]), ("/conf.d/a.toml", b"\n enabled = 1")]);
        let reason = load(&files, b"/c.toml", |_| false).unwrap_err();
        assert_eq!(
            reason.to_string(),
            "/conf.d/a.toml:2:12: `enabled` takes true or false, not an integer"
        );
    }

    #[test]
    fn the_default_file_may_be_missing_where_there_is_an_agent() {
        let jar = "/usr/lib/opentelemetry/java/opentelemetry-javaagent.jar";
        let mut java = Fixture {
            executable: "/usr/bin/java".into(),
            ..Fixture::default()
        };
        let default = DEFAULT_CONFIGURATION.as_bytes();
        let drop_in = "/etc/opentelemetry/injector/conf.d/a.toml";
        let nothing = Memory::from([]);
        let files = Memory::from([(drop_in, &b"[environment]\nOTEL_A = '1'"[..])]);
        assert!(load_for(&java, &files, default).is_err());
        java.folders.push("/usr/lib/opentelemetry/java".into());
        java.readable.push(jar.into());
        let configuration = load_for(&java, &files, default).unwrap();
        assert_eq!(configuration.environment["OTEL_A"], "1");
        assert!(load_for(&java, &nothing, default).is_ok());
        // A file that somebody has named has to be there.
        assert!(load_for(&java, &files, b"/etc/mine.toml").is_err());
        java.executable = "/usr/bin/cat".into();
        assert!(load_for(&java, &files, default).is_err());
        // A drop-in may leave the runtime alone.
        java.executable = "/usr/bin/java".into();
        let files = Memory::from([(drop_in, &b"jvm.agent_path = ''"[..])]);
        assert!(load_for(&java, &files, default).is_err());
        let files = Memory::from([(drop_in, &b"nonsense"[..])]);
        assert!(load_for(&java, &files, default).is_err());
    }

    #[test]
    fn a_missing_file_and_bad_utf8_are_reasons() {
        let files = Memory::from([("/bad", &b"a = '\xff'"[..])]);
        let problem = |path: &[u8]| load(&files, path, |_| false).unwrap_err().to_string();
        assert_eq!(problem(b"/none"), "/none: no such file");
        assert_eq!(problem(b"/bad"), "/bad: not UTF-8 from byte 5 on");
    }
}
