//! JVM options that are in files.
//!
//! Sources: `nextToken` in the launcher's `args.c`; `Arguments::parse_vm_options_file` and
//! `Arguments::process_settings_file` in HotSpot's `arguments.cpp`, JDK 17 to 25. A file cannot name
//! another file of its kind. A `.hotspotrc` in the working directory is read only if
//! `-XX:Flags=.hotspotrc` names it.

use crate::Process;
use crate::process::{directory, file_name};
use crate::runtimes::jvm::options;
use alloc::vec::Vec;
use core::slice;

/// Options with those in the files that `-XX:VMOptionsFile=` and `-XX:Flags=` name.
pub fn with_vm_options(mut options: Vec<Vec<u8>>, process: &impl Process) -> Vec<Vec<u8>> {
    // The former may name the latter.
    for (option, read) in [
        (
            &b"-XX:VMOptionsFile="[..],
            vm_options as fn(&[u8]) -> Vec<Vec<u8>>,
        ),
        (b"-XX:Flags=", flags),
    ] {
        let names = options.iter().filter_map(|word| word.strip_prefix(option));
        let contents: Vec<_> = names.filter_map(|name| process.content(name)).collect();
        options.extend(contents.iter().flat_map(|content| read(content)));
    }
    options
}

/// The options that a launcher made by jpackage (`bin/NAME`) takes from its configuration (`lib/app/NAME.cfg`).
/// None for other programs.
///
/// Source: `AppLauncher.cpp` and `CfgFile.cpp` in `src/jdk.jpackage/share/native/applauncher`, JDK 17.
pub fn of_jpackage(process: &impl Process) -> Vec<Vec<u8>> {
    let program = process.executable();
    let home = directory(directory(program));
    let folder = [home, b"/lib/app"].concat();
    let path = [&folder, b"/".as_slice(), file_name(program), b".cfg"].concat();
    let content = process.content(&path).unwrap_or_default();
    let folders: [(&[u8], &[u8]); 3] = [
        (b"$APPDIR", &folder),
        (b"$BINDIR", directory(program)),
        (b"$ROOTDIR", home),
    ];
    let mut section: &[u8] = b"";
    let mut options = Vec::new();
    for line in content.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        if line.starts_with(b"[") {
            section = line;
        }
        let option = line.strip_prefix(b"java-options=");
        if let (b"[JavaOptions]", Some(option)) = (section, option) {
            options.push(with_folders(option, &folders));
        }
    }
    options
}

/// An option with folders in the place of their names.
fn with_folders(option: &[u8], folders: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut expanded = Vec::new();
    let mut rest = option;
    while let Some(byte) = rest.first() {
        let named = folders.iter().find(|(name, _)| rest.starts_with(name));
        let (taken, put) = named.map_or((1, slice::from_ref(byte)), |(name, folder)| {
            (name.len(), *folder)
        });
        expanded.extend_from_slice(put);
        rest = rest.get(taken..).unwrap_or_default();
    }
    expanded
}

/// The words of an argument file (`@FILE`). A quote ends with its line, unless a backslash stands
/// before the line's end; within quotes a backslash escapes.
pub fn arguments(content: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut bytes = content.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, quote) {
            (b'\n' | b'\r', _) | (b' ' | b'\t' | b'\x0c', None) => {
                words.extend(word.take());
                quote = None;
            }
            // What stands before it in the same word is lost.
            (b'#', None) => {
                word = None;
                while bytes.next_if(|byte| !b"\n\r".contains(byte)).is_some() {}
            }
            (b'"' | b'\'', None) => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (_, Some(mark)) if byte == mark => quote = None,
            (b'\\', Some(_)) => match bytes.next() {
                // The quote goes on in the next line, behind its blanks.
                Some(b'\n' | b'\r') => {
                    while bytes
                        .next_if(|byte| b" \t\n\r\x0c".contains(byte))
                        .is_some()
                    {}
                }
                Some(escaped) => word.get_or_insert_default().push(unescaped(escaped)),
                None => {}
            },
            _ => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    words
}

fn unescaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'f' => b'\x0c',
        other => other,
    }
}

/// The options in a file for `-XX:VMOptionsFile=`, which are read like those in a variable. With an
/// unmatched quote the JVM stops by itself, whatever we do.
fn vm_options(content: &[u8]) -> Vec<Vec<u8>> {
    options::split(content).unwrap_or_default()
}

/// The flags in a file for `-XX:Flags=`, with what stands before them on a command line.
fn flags(content: &[u8]) -> Vec<Vec<u8>> {
    let mut flags = Vec::new();
    for line in content.split(|byte| *byte == b'\n') {
        let mut rest = line.trim_ascii_start();
        while !rest.is_empty() && !rest.starts_with(b"#") {
            let (flag, behind) = flag(rest);
            flags.push([b"-XX:", flag.as_slice()].concat());
            rest = behind.trim_ascii_start();
        }
    }
    flags
}

/// The first flag of a line, and what is behind it. Quotes end with the line; one that a flag begins
/// with is a character of it.
fn flag(line: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut flag = Vec::new();
    let mut quote = None;
    for (index, &byte) in line.iter().enumerate() {
        match (byte, quote) {
            (_, None) if byte.is_ascii_whitespace() => {
                return (flag, line.get(index..).unwrap_or_default());
            }
            (b'"' | b'\'', None) if index > 0 => quote = Some(byte),
            (_, Some(mark)) if byte == mark => quote = None,
            _ => flag.push(byte),
        }
    }
    (flag, b"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;

    fn texts(options: &[&str]) -> Vec<Vec<u8>> {
        options
            .iter()
            .map(|option| option.as_bytes().to_vec())
            .collect()
    }

    #[test]
    fn argument_files_are_read_as_the_launcher_reads_them() {
        for (content, wanted) in [
            (
                "# -Dcomment\n-Da=\"b c\" -Dd\r\n\t-De",
                &["-Da=b c", "-Dd", "-De"][..],
            ),
            ("-Da=\"b \\\n   c\" 'd\\'e'", &["-Da=b c", "d'e"]),
            ("\"a b\nc\" d", &["a b", "c d"]),
            ("-Da=\\b \"C:\\\\x\\ty\"", &["-Da=\\b", "C:\\x\ty"]),
            ("a #b\nc", &["a", "c"]),
            ("\"\" a", &["", "a"]),
            ("", &[]),
        ] {
            assert_eq!(arguments(content.as_bytes()), texts(wanted), "{content:?}");
        }
    }

    #[test]
    fn vm_options_and_flags_are_read_wherever_they_are_named() {
        let contents = [
            ("v", "-Da='b\nc' -XX:Flags=f"),
            (
                "f",
                "# comment\n+DumpSharedSpaces Name='x y' # z\n  -Other\n",
            ),
        ];
        let java = Fixture {
            contents: contents
                .map(|(name, content)| (name.into(), content.into()))
                .into(),
            ..Fixture::default()
        };
        let options = with_vm_options(texts(&["-XX:VMOptionsFile=v"]), &java);
        let wanted = [
            "-XX:VMOptionsFile=v",
            "-Da=b\nc",
            "-XX:Flags=f",
            "-XX:+DumpSharedSpaces",
            "-XX:Name=x y",
            "-XX:-Other",
        ];
        assert_eq!(options, texts(&wanted));
        let missing = texts(&["-XX:Flags=missing", "-XX:Flags="]);
        assert_eq!(with_vm_options(missing.clone(), &java), missing);
    }
}
