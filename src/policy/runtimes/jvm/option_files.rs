//! Options of a JVM that stand in files.
//!
//! Sources: java(1), "java Command-Line Argument Files"; `Arguments::parse_vm_options_file` in
//! HotSpot's `arguments.cpp`. Neither kind of file may name another of its kind.

use crate::Process;
use crate::runtimes::jvm::{launcher, options};
use alloc::vec::Vec;

/// The launcher's options, with what the files hold that are named by `@FILE` among them.
pub fn with_arguments(options: &[Vec<u8>], process: &impl Process) -> Vec<Vec<u8>> {
    let named = options
        .iter()
        .take_while(|option| *option != b"--disable-@files")
        .filter(|_| launcher::is_launcher(process.started_as()));
    // `@@` is the application's own `@`.
    let names = named.filter_map(|option| option.strip_prefix(b"@"));
    let mut names = names.filter(|name| !name.starts_with(b"@"));
    [options.to_vec(), in_files(&mut names, process)].concat()
}

/// Options with those in the file that `-XX:VMOptionsFile=` names.
pub fn with_vm_options(options: Vec<Vec<u8>>, process: &impl Process) -> Vec<Vec<u8>> {
    let mut names = options
        .iter()
        .filter_map(|option| option.strip_prefix(b"-XX:VMOptionsFile="));
    let found = in_files(&mut names, process);
    [options, found].concat()
}

fn in_files(names: &mut dyn Iterator<Item = &[u8]>, process: &impl Process) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for content in names.filter_map(|name| process.content(name)) {
        found.extend(words(&content));
    }
    found
}

/// The words of a file. Lines that begin with `#` are comments; a quote that is closed in another line
/// counts for nothing here: the words are looked at and passed on to nobody.
fn words(content: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    for line in content.split(|byte| *byte == b'\n') {
        match options::split(line) {
            _ if line.trim_ascii_start().starts_with(b"#") => {}
            Ok(found) => words.extend(found),
            Err(_) => {
                let found = line.split(u8::is_ascii_whitespace);
                words.extend(found.filter(|word| !word.is_empty()).map(<[u8]>::to_vec));
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;

    fn process(executable: &str) -> Fixture {
        let contents = [
            ("a", "# -Dcomment\n-Da=\"b c\" -Dd\r\n\t-De=\"f\ng\""),
            ("b", "-XX:VMOptionsFile=a -Dh"),
        ];
        let contents = contents.map(|(name, content)| (name.into(), content.into()));
        Fixture {
            executable: executable.into(),
            contents: contents.into(),
            ..Fixture::default()
        }
    }

    fn texts(options: &[&str]) -> Vec<Vec<u8>> {
        options
            .iter()
            .map(|option| option.as_bytes().to_vec())
            .collect()
    }

    #[test]
    fn argument_files_are_read_where_the_launcher_reads_them() {
        let java = process("/usr/bin/java");
        let read = |options: &[&str]| with_arguments(&texts(options), &java);
        let content = ["-Da=b c", "-Dd", "-De=\"f", "g\""];
        assert_eq!(read(&["@a"]), texts(&[&["@a"], &content[..]].concat()));
        for unread in [
            &["@@a"][..],
            &["--disable-@files", "@a"],
            &["@missing"],
            &["-Da=@a"],
        ] {
            assert_eq!(read(unread), texts(unread));
        }
        let other = with_arguments(&texts(&["@a"]), &process("/usr/bin/server"));
        assert_eq!(other, texts(&["@a"]));
    }

    #[test]
    fn the_file_of_vm_options_is_read_wherever_it_is_named() {
        let java = process("/usr/bin/java");
        let options = with_vm_options(with_arguments(&texts(&["@b"]), &java), &java);
        for option in ["-Dh", "-Da=b c", "-Dd"] {
            assert!(options.contains(&option.as_bytes().to_vec()), "{option}");
        }
    }
}
