//! The `java` command line: the launcher's own options, and what it runs.
//!
//! Source: `args.c` and `java.c` of the launcher's library (libjli), JDK 8 to 26.

use crate::Process;
use crate::matching::command_line::{Grammar, Runs};
use crate::matching::texts;
use crate::runtimes::jvm::option_files;
use alloc::vec::Vec;

/// A command line that has been read.
pub struct Launch {
    /// The launcher's own options, those of argument files in the place of the files' names.
    pub options: Vec<Vec<u8>>,
    /// The option by which the launcher is only asked for information.
    pub information: Option<Vec<u8>>,
    /// What is run.
    pub runs: Main,
    /// The arguments of what is run.
    pub arguments: Vec<Vec<u8>>,
}

/// What the launcher runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Main {
    /// A class, or a module with or without one (`m/Main`).
    Class(Vec<u8>),
    /// An archive: `-jar`.
    Jar(Vec<u8>),
    /// A file with Java's source (since JDK 11).
    Source(Vec<u8>),
    /// Nothing that the line names.
    Nothing,
}

/// Options after which the launcher prints something and ends (`ParseArguments` and
/// `isTerminalOpt`; the last is the JVM's own).
pub const INFORMATION: &str = "-version --version -fullversion --full-version -help --help -h -? -X \
    --help-extra --list-modules -d --describe-module --dry-run --validate-modules \
    -Xinternalversion";

/// Options whose value is the next argument (`IsWhiteSpaceOption`).
pub const WITH_VALUE: &str = "-cp -classpath --class-path -d --describe-module --source -p \
    --module-path --upgrade-module-path --add-modules --limit-modules --add-exports --add-opens \
    --add-reads --patch-module --enable-native-access --enable-final-field-mutation";

const GRAMMAR: Grammar = Grammar {
    with_value: WITH_VALUE,
    naming: "-m --module",
    letters: false,
    marks: b"",
};

/// Reads the launcher's command line.
pub fn launch(process: &impl Process) -> Launch {
    let arguments = with_files(&process.arguments(), process);
    let line = GRAMMAR.read(&arguments);
    let (mut information, mut is_jar, mut is_source) = (None, false, false);
    GRAMMAR.each(line.options, |name, _| {
        if texts::has(INFORMATION, name) {
            information.get_or_insert_with(|| name.to_vec());
        }
        is_jar |= name == b"-jar";
        is_source |= name == b"--source";
    });
    let runs = match line.runs {
        Runs::Named(_, module) => Main::Class(module.to_vec()),
        Runs::Script(file) if is_jar => Main::Jar(file.to_vec()),
        Runs::Script(file) if is_source || is_source_file(file, process) => {
            Main::Source(file.to_vec())
        }
        Runs::Script(class) => Main::Class(class.to_vec()),
        Runs::Input | Runs::Nothing => Main::Nothing,
    };
    Launch {
        options: line.options.to_vec(),
        information,
        runs,
        arguments: line.rest.to_vec(),
    }
}

/// `IsSourceFile`: any other word that ends like that is a class.
fn is_source_file(word: &[u8], process: &impl Process) -> bool {
    word.ends_with(b".java") && process.is_readable_file(word)
}

/// The options that the launcher takes from a variable (`JDK_JAVA_OPTIONS`), where `@FILE` stands for
/// a file's as well.
pub fn with_files_of_variable(options: Vec<Vec<u8>>, process: &impl Process) -> Vec<Vec<u8>> {
    let own_name = [Vec::new()];
    let mut expanded = with_files(&[&own_name[..], &options].concat(), process);
    expanded.drain(..expanded.len().min(1));
    expanded
}

/// A line with the content of argument files in their place (`JLI_PreprocessArg`): up to the main
/// class, whose arguments are its own.
fn with_files(arguments: &[Vec<u8>], process: &impl Process) -> Vec<Vec<u8>> {
    let mut line = Expansion::default();
    line.arguments.extend(arguments.first().cloned());
    for argument in arguments.get(1..).unwrap_or_default() {
        match argument.strip_prefix(b"@") {
            _ if line.is_over => line.arguments.push(argument.clone()),
            None if argument.starts_with(b"--source ") => {
                // All of a script's first line, `#!/usr/bin/java --source 17`, is one argument.
                let words = argument.split(u8::is_ascii_whitespace);
                words.for_each(|word| line.push(word.to_vec()));
            }
            None | Some(b"") => line.push(argument.clone()),
            Some(escaped) if escaped.starts_with(b"@") => line.push(escaped.to_vec()),
            Some(name) => {
                let content = process.content(name).unwrap_or_default();
                for word in option_files::arguments(&content) {
                    line.push(word);
                }
            }
        }
    }
    line.arguments
}

/// How far a line has been read.
#[derive(Default)]
struct Expansion {
    arguments: Vec<Vec<u8>>,
    /// The next word is an option's value.
    has_option: bool,
    /// No further file is read: the main class has come, or `--disable-@files`.
    is_over: bool,
}

impl Expansion {
    /// `checkArg`.
    fn push(&mut self, word: Vec<u8>) {
        if word.starts_with(b"-") {
            self.has_option = texts::has(WITH_VALUE, &word);
            self.is_over |= word == b"--disable-@files" || word.starts_with(b"--module=");
        } else {
            self.is_over |= !self.has_option;
            self.has_option = false;
        }
        self.arguments.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::string::String;

    fn read(line: &str) -> Launch {
        let files = [
            ("options", "-Da=b # comment\n-cp \"x y\"\n"),
            ("app", "-Dc m.Main -d\n"),
        ];
        launch(&Fixture {
            executable: "/usr/bin/java".into(),
            arguments: line.split(' ').map(String::from).collect(),
            contents: files
                .map(|(name, content)| (name.into(), content.into()))
                .into(),
            readable: ["Shop.java"].map(String::from).into(),
            ..Fixture::default()
        })
    }

    #[test]
    fn only_the_launchers_own_words_ask_for_information() {
        for (line, wanted) in [
            ("java -version", Some("-version")),
            ("java -Xmx1g -cp x -d m", Some("-d")),
            ("java --describe-module=m", Some("--describe-module")),
            ("java @options -h", Some("-h")),
            ("java --source 17 -X", Some("-X")),
            ("java --dry-run Main", Some("--dry-run")),
            ("java @app -h", None),
            ("java --module=m/Main -version", None),
            ("java -m m/Main -version", None),
            ("java -jar shop.jar --version", None),
            ("java Main -d", None),
            ("java -cp -version Main", None),
            ("java", None),
        ] {
            let information = read(line).information;
            assert_eq!(information.as_deref(), wanted.map(str::as_bytes), "{line}");
        }
    }

    #[test]
    fn what_is_run_is_told() {
        let class = |name: &str| Main::Class(name.into());
        for (line, wanted) in [
            ("java -Da Main x", class("Main")),
            ("java --add-modules ALL --module m/Main x", class("m/Main")),
            (
                "java -jar -Xmx1g shop.jar x",
                Main::Jar(b"shop.jar".to_vec()),
            ),
            ("java Shop.java x", Main::Source(b"Shop.java".to_vec())),
            ("java Other.java", class("Other.java")),
            ("java --source 17 script", Main::Source(b"script".to_vec())),
            ("java @app x", class("m.Main")),
            ("java @options Main", class("Main")),
            ("java -Da", Main::Nothing),
        ] {
            assert_eq!(read(line).runs, wanted, "{line}");
        }
        let shebang = Fixture {
            arguments: ["java", "--source 17", "/srv/script"]
                .map(String::from)
                .into(),
            ..Fixture::default()
        };
        assert_eq!(launch(&shebang).runs, Main::Source(b"/srv/script".to_vec()));
    }

    #[test]
    fn files_are_read_where_the_launcher_reads_them() {
        let options = |line: &str| String::from_utf8(read(line).options.join(&b'|')).unwrap();
        assert_eq!(
            options("java -Dz @options -Dy Main"),
            "-Dz|-Da=b|-cp|x y|-Dy"
        );
        assert_eq!(options("java @app -Dz"), "-Dc");
        for unread in ["java --disable-@files -Dz @options", "java -jar x @options"] {
            assert!(!options(unread).contains("-Da=b"), "{unread}");
        }
        assert_eq!(
            read("java @@options").runs,
            Main::Class(b"@options".to_vec())
        );
        assert_eq!(
            read("java @missing Main").runs,
            Main::Class(b"Main".to_vec())
        );
    }
}
