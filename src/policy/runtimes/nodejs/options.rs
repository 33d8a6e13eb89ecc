//! The options in `NODE_OPTIONS` and on Node's command line, as Node reads them.

use crate::Reason;
use alloc::vec::Vec;

// Each list is one text, its items separated by blanks: a table of strings would cost the preload
// object twice the bytes, in relocations.

/// Options that load a module before the application (`node --help`).
const LOADERS: &str = "-r --require --import --loader --experimental-loader";

/// Other options whose value may be an argument of its own and so could be taken for the script.
///
/// Source: `node --help` and, for what that does not name, `node --completion-bash` of 18.20.8,
/// 20.20.2, 22.23.3, 24.21.0 and 26.10.0 (`AddOption` in `src/node_options.cc`). tests/properties compares
/// it with the installed version.
pub const VALUED: &str = "\
    -C -e --allow-fs-read --allow-fs-write --bench-isolation --bench-name-pattern --bench-reporter \
    --bench-reporter-destination --bench-samples --bench-warmup --build-sea --build-snapshot-config \
    --conditions --cpu-prof-dir --cpu-prof-interval --cpu-prof-name --debug-port --diagnostic-dir \
    --disable-proto --disable-warning --dns-result-order --env-file --env-file-if-exists \
    --es-module-specifier-resolution --eval --experimental-config-file \
    --experimental-default-config-file --experimental-default-type --experimental-package-map \
    --experimental-policy --experimental-sea-config --experimental-specifier-resolution \
    --experimental-test-isolation --experimental-test-tag-filter --heap-prof-dir \
    --heap-prof-interval --heap-prof-name --heapsnapshot-near-heap-limit --heapsnapshot-signal \
    --icu-data-dir --input-type --inspect-port --inspect-publish-uid --localstorage-file \
    --max-http-header-size --max-old-space-size-percentage \
    --network-family-autoselection-attempt-timeout --openssl-config --policy-integrity \
    --redirect-warnings --report-dir --report-directory --report-filename --report-signal --run \
    --secure-heap --secure-heap-min --security-revert --security-reverts --snapshot-blob --test-concurrency --test-coverage-branches \
    --test-coverage-exclude --test-coverage-functions --test-coverage-include \
    --test-coverage-lines --test-global-setup --test-isolation --test-name-pattern \
    --test-random-seed --test-reporter --test-reporter-destination --test-rerun-failures \
    --test-shard --test-skip-pattern --test-timeout --title --tls-cipher-list --tls-keylog \
    --stack-trace-limit --trace-event-categories --trace-event-file-pattern --trace-require-module \
    --unhandled-rejections --use-largepages --v8-pool-size --vfs-load --vfs-mount \
    --watch-kill-signal --watch-path";

/// Options that bring the program along.
const PROGRAMS: &str = "-e --eval -p -pe --print";

/// Splits a value into its options, quotes removed.
///
/// Source: `ParseNodeOptionsEnvVar` in Node's `src/node_options.cc`: only the blank separates,
/// only `"…"` quotes, a backslash escapes within quotes alone, and what is not closed stops Node.
///
/// # Errors
/// [`Reason::UnmatchedQuote`].
pub fn split(value: &[u8]) -> Result<Vec<Vec<u8>>, Reason> {
    let mut options: Vec<Vec<u8>> = Vec::new();
    let (mut quoted, mut starts) = (false, true);
    let mut bytes = value.iter();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'\\' if quoted => bytes.next().ok_or(Reason::UnmatchedQuote)?,
            b'"' => {
                quoted = !quoted;
                continue;
            }
            b' ' if !quoted => {
                starts = true;
                continue;
            }
            other => other,
        };
        match options.last_mut() {
            Some(option) if !starts => option.push(*byte),
            _ => options.push([*byte].into()),
        }
        starts = false;
    }
    if quoted {
        Err(Reason::UnmatchedQuote)
    } else {
        Ok(options)
    }
}

/// Writes one option so that [`split`] reads it back.
pub fn quote(option: &[u8]) -> Vec<u8> {
    if !option.iter().any(|byte| b" \"".contains(byte)) {
        return option.to_vec();
    }
    let mut quoted = Vec::from(b"\"");
    for byte in option {
        if b"\"\\".contains(byte) {
            quoted.push(b'\\');
        }
        quoted.push(*byte);
    }
    quoted.push(b'"');
    quoted
}

/// The modules that options load: `--require x` and `--require=x` alike.
pub fn modules(options: &[Vec<u8>]) -> Vec<&[u8]> {
    let mut modules = Vec::new();
    let mut options = options.iter();
    while let Some(option) = options.next() {
        if LOADERS.split(' ').any(|name| is_option(option, name)) {
            let following = || options.next().map(Vec::as_slice);
            modules.extend(own_value(option).or_else(following));
        }
    }
    modules
}

/// Whether an argument is the option `name`, with a value behind `=` or without: Node takes `_` for
/// `-` in names.
pub fn is_option(argument: &[u8], name: &str) -> bool {
    let end = argument.iter().position(|byte| *byte == b'=');
    let written = argument.get(..end.unwrap_or(argument.len()));
    let written = written.unwrap_or_default();
    let is_same = |(index, (written, known)): (usize, (&u8, u8))| {
        *written == known || (index >= 2 && *written == b'_' && known == b'-')
    };
    let pairs = written.iter().zip(name.bytes()).enumerate();
    written.len() == name.len() && pairs.into_iter().all(is_same)
}

/// The value behind an option's `=`.
pub fn own_value(option: &[u8]) -> Option<&[u8]> {
    let equals = option.iter().position(|byte| *byte == b'=')?;
    option.get(equals + 1..)
}

/// Node's command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CommandLine<'a> {
    /// Node's own options, with their values.
    pub options: &'a [Vec<u8>],
    /// The script that it runs, or the word that stands in its place (`inspect`); `None` where an
    /// option brings the program along, or it comes from standard input.
    pub script: Option<&'a [u8]>,
    /// The arguments behind it.
    pub rest: &'a [Vec<u8>],
}

/// Reads a command line, the program's own name first.
///
/// Source: `OptionsParser::Parse` in Node's `src/node_options-inl.h`.
pub fn command_line(arguments: &[Vec<u8>]) -> CommandLine<'_> {
    let mut index = 1;
    let mut has_program = false;
    while let Some(argument) = arguments.get(index) {
        if argument == b"--" || argument == b"-" || !argument.starts_with(b"-") {
            break;
        }
        has_program |= is_one_of(argument, PROGRAMS);
        index += 1 + usize::from(takes_next(argument, arguments.get(index + 1)));
    }
    let end = index.min(arguments.len());
    let ends = arguments.get(index).is_some_and(|end| end == b"--");
    let script = arguments.get(index + usize::from(ends));
    let script = script.filter(|script| !has_program && *script != b"-");
    CommandLine {
        options: arguments.get(1..end).unwrap_or_default(),
        script: script.map(Vec::as_slice),
        rest: arguments
            .get(end + usize::from(ends) + 1..)
            .unwrap_or_default(),
    }
}

/// Whether the argument behind an option is the option's value.
fn takes_next(option: &[u8], next: Option<&Vec<u8>>) -> bool {
    if option.contains(&b'=') {
        return false;
    }
    // Without an argument behind it, the program of `--print` comes from standard input.
    let prints = is_one_of(option, "-p --print");
    let has_argument = next.is_some_and(|next| !next.starts_with(b"-"));
    is_one_of(option, LOADERS)
        || is_one_of(option, VALUED)
        || is_one_of(option, "-pe")
        || (prints && has_argument)
}

fn is_one_of(option: &[u8], names: &str) -> bool {
    names
        .split_ascii_whitespace()
        .any(|name| is_option(option, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(words: &[&str]) -> Vec<Vec<u8>> {
        words.iter().map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn splits_as_node_does() {
        let options = split(b"  -r \"a b\"c\\d 'x y'\te \"\" \"q\\\"\\\\\" ").unwrap();
        assert_eq!(options, list(&["-r", "a bc\\d", "'x", "y'\te", "q\"\\"]));
        assert_eq!(split(b""), Ok(Vec::new()));
    }

    #[test]
    fn what_node_refuses_is_an_error() {
        for value in [&b"\""[..], b"-r \"a b", b"\"a\\"] {
            assert_eq!(split(value), Err(Reason::UnmatchedQuote));
        }
    }

    #[test]
    fn what_is_quoted_is_read_back() {
        for option in [
            &b"/a"[..],
            b"/a b",
            b"/\"",
            b"/a\\b",
            b"/a \\\"b\\",
            b"/it's",
        ] {
            assert_eq!(split(&quote(option)).unwrap(), [option.to_vec()]);
        }
    }

    #[test]
    fn modules_are_found_in_every_spelling() {
        let options = list(&[
            "-r",
            "a",
            "--require=b",
            "--import",
            "c",
            "--title",
            "d",
            "-r",
        ]);
        assert_eq!(modules(&options), [b"a", b"b", b"c"]);
    }

    #[test]
    fn the_script_is_told_from_options_and_their_values() {
        let script = |words: &[&str]| {
            let words = list(words);
            let line = command_line(&words);
            (line.options.len(), line.script.map(<[u8]>::to_vec))
        };
        let app = Some(b"app".to_vec());
        assert_eq!(script(&["node", "app", "-r", "x"]), (0, app.clone()));
        assert_eq!(
            script(&["node", "-r", "x", "--no-warnings", "app"]),
            (3, app.clone())
        );
        assert_eq!(script(&["node", "--", "app"]), (0, app));
        for words in [&["node", "-r"][..], &["node", "-"], &["node"], &[]] {
            assert_eq!(script(words).1, None);
        }
        // Options go on behind a program.
        for (words, options) in [
            (&["node", "--title", "t", "-e", "1", "app"][..], 4),
            (&["node", "-pe", "1", "--permission", "app"], 3),
            (&["node", "-p", "1", "--permission"], 3),
            (&["node", "-p", "--permission"], 2),
            (&["node", "--eval=1", "--permission"], 2),
        ] {
            assert_eq!(script(words), (options, None), "{words:?}");
        }
    }

    #[test]
    fn values_in_arguments_of_their_own_are_no_script() {
        for option in [
            "--env-file",
            "--unhandled-rejections",
            "--allow_fs_read",
            "--run",
        ] {
            let words = list(&["node", option, "value", "--permission", "app"]);
            let line = command_line(&words);
            assert_eq!(
                (line.options.len(), line.script),
                (3, Some(&b"app"[..])),
                "{option}"
            );
        }
    }

    #[test]
    fn names_are_read_as_node_does() {
        for (argument, wanted) in [
            ("--env-file", true),
            ("--env_file=x=y", true),
            ("--env-files", false),
            ("__env-file", false),
            ("--env-fil", false),
        ] {
            assert_eq!(
                is_option(argument.as_bytes(), "--env-file"),
                wanted,
                "{argument}"
            );
        }
        assert_eq!(own_value(b"--a=b=c"), Some(&b"b=c"[..]));
        assert_eq!(own_value(b"--a"), None);
    }
}
