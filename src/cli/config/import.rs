//! `opentelemetry-injector config import`: another injector's configuration in our TOML, and what
//! of it has no counterpart here.

use crate::complain;
use crate::config::values::{all, place};
use crate::machine::configuration_files::{FileSystem, as_path};
use crate::output::{print, printable};
use opentelemetry_injector_policy::config::libotelinject::keys::{self, LeftOut};
use opentelemetry_injector_policy::config::libotelinject::lines::{Content, lines};
use opentelemetry_injector_policy::config::libotelinject::{Kind, Places, SETTINGS_KEY};
use opentelemetry_injector_policy::config::sources::FileProblem;
use opentelemetry_injector_policy::{Configuration, Files};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Turn an injector.conf (of libotelinject.so) into a configuration of this injector.
///
/// Reads FILE, every conf.d/*.conf beside it and the file with the agents' settings, as
/// libotelinject.so does. Writes the configuration to standard output, and each setting that has no
/// counterpart, with the reason, to standard error.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The file to read, for example /etc/opentelemetry/injector/injector.conf
    file: PathBuf,
}

const AFTER_HELP: &str = "\
Exit status:
  0  every setting was converted
  1  some settings have no counterpart; stderr names them
  2  a file cannot be read

Examples:
  opentelemetry-injector config import /etc/opentelemetry/injector/injector.conf
  opentelemetry-injector config import injector.conf > configuration.toml";

const LEFT_OUT: u8 = 1;
const CANNOT_READ: u8 = 2;

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
        let places = Places::at(file.as_os_str().as_bytes().to_vec());
        let folder = file.with_file_name("conf.d");
        match FileSystem.names_in(folder.as_os_str().as_bytes()) {
            Ok(_) | Err(FileProblem::Missing) => {}
            Err(problem) => return Err((folder, problem)),
        }
        places.in_order(&FileSystem, |kind, path| {
            let path = as_path(path);
            match kind {
                Kind::Injector => self.read_file(path, Self::take)?,
                Kind::Settings => self.read_settings(path)?,
            }
            Ok(self.settings.as_ref().map(|(path, _)| path.clone()))
        })
    }

    /// Reads the file with the agents' settings. It may be missing: libotelinject.so starts all the same.
    fn read_settings(&mut self, path: &Path) -> Result<(), Failure> {
        let named = self.settings.take();
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        match (self.read_file(path, Self::take_setting), named) {
            (Err((path, problem)), Some((_, place))) => {
                self.leave_out(&place, &told(&path, &problem));
                Ok(())
            }
            (Err((_, FileProblem::Missing)), None) => Ok(()),
            (result, _) => result,
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
                    self.leave_out(&place, &format!("`{line}` is not key=value"));
                }
                Content::TooLong => {
                    self.leave_out(&place, "the line is longer than libotelinject.so reads");
                }
            }
        }
        Ok(())
    }

    /// Takes a setting of the injector itself.
    fn take(&mut self, place: &str, key: &str, value: String) {
        if key == SETTINGS_KEY {
            self.settings = Some((value, place.into()));
            return;
        }
        if key.ends_with("_with_arguments") {
            let text = format!("{key}: the patterns are also compared with the program's own name");
            self.explain(place, &text);
        }
        let left_out = keys::take(&mut self.configuration, key, &value);
        self.leave_out_all(place, &left_out);
    }

    /// Takes a setting of the agents.
    fn take_setting(&mut self, place: &str, name: &str, value: String) {
        let left_out = keys::take_setting(&mut self.configuration, name, &value);
        self.leave_out_all(place, &left_out);
    }

    fn leave_out_all(&mut self, place: &str, left_out: &[LeftOut]) {
        for what in left_out {
            self.leave_out(place, &what.to_string());
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

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_injector_policy::Runtime;
    use opentelemetry_injector_policy::config::keys::read;

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
    fn the_official_drop_ins_are_taken_over_whole() {
        let (c, notes) = imported(
            "jvm_auto_instrumentation_agent_path=/usr/lib/opentelemetry/java/opentelemetry-javaagent.jar\n\
             nodejs_auto_instrumentation_agent_path=/usr/lib/opentelemetry/nodejs/register.js\n\
             python_auto_instrumentation_agent_path_prefix=/usr/lib/opentelemetry/python\n\
             dotnet_auto_instrumentation_agent_path_prefix=/usr/lib/opentelemetry/dotnet\n\
             all_auto_instrumentation_agents_env_path=/etc/opentelemetry/injector/default_env.conf\n",
        );
        assert_eq!(notes, [""; 0]);
        let path = |runtime| c.agent(runtime).agent_path.clone().unwrap();
        assert_eq!(
            path(Runtime::Python),
            "/usr/lib/opentelemetry/python/{libc}"
        );
        assert_eq!(
            path(Runtime::Nodejs),
            "/usr/lib/opentelemetry/nodejs/register.js"
        );
    }

    #[test]
    fn what_cannot_be_taken_over_is_told_with_its_line() {
        let (_, notes) = imported(
            "jvm_auto_instrumentation_agent_path=a.jar\n\
             dotnet_auto_instrumentation_minimum_dotnet_major_version=6\n\
             colour=red\n\
             exclude_paths=java\n\
             include_with_arguments=a\n",
        );
        let begins = [
            "1: left out: a.jar",
            "2: left out: dotnet",
            "3: left out: colour",
            "4: left out: java",
            "5: include_with_arguments",
        ];
        assert_eq!(notes.len(), begins.len(), "{notes:?}");
        for (note, begin) in notes.iter().zip(begins) {
            assert!(note.starts_with(begin), "{note}");
        }
    }
}
