//! The options in `NODE_OPTIONS` and on Node's command line, as Node reads them.

use crate::Reason;
use alloc::vec::Vec;

// Each list is one text, its items separated by blanks: a table of strings would cost the preload
// object twice the bytes, in relocations.

/// Options that load a module before the application (`node --help`).
const LOADERS: &str = "-r --require --import --loader --experimental-loader";

/// Other options whose value may be an argument of its own and so could be taken for the script.
const VALUED: &str = "-C --conditions --title --input-type --inspect-port --disable-warning \
                      --redirect-warnings --icu-data-dir";

/// Options that make Node run something else than a script.
const SCRIPTLESS: &str = "- -e --eval -p -pe --print";

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
    match quoted {
        true => Err(Reason::UnmatchedQuote),
        false => Ok(options),
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
        let end = option.iter().position(|byte| *byte == b'=');
        let (name, module) = option.split_at(end.unwrap_or(option.len()));
        if is_one_of(name, LOADERS) {
            let following = || options.next().map(Vec::as_slice);
            modules.extend(module.get(1..).or_else(following));
        }
    }
    modules
}

/// Node's own options on its command line, and the script that it runs, if it runs one.
pub fn command_line(arguments: &[Vec<u8>]) -> (&[Vec<u8>], Option<&[u8]>) {
    let mut index = 1;
    while let Some(argument) = arguments.get(index) {
        if is_one_of(argument, SCRIPTLESS) {
            break;
        }
        if argument == b"--" || !argument.starts_with(b"-") {
            let script = index + usize::from(argument == b"--");
            return (
                &arguments[1..index],
                arguments.get(script).map(Vec::as_slice),
            );
        }
        let has_value = is_one_of(argument, LOADERS) || is_one_of(argument, VALUED);
        index += 1 + usize::from(has_value);
    }
    let end = index.min(arguments.len());
    (arguments.get(1..end).unwrap_or_default(), None)
}

fn is_one_of(name: &[u8], names: &str) -> bool {
    names.split(' ').any(|known| known.as_bytes() == name)
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
            let (options, script) = command_line(&words);
            (options.len(), script.map(<[u8]>::to_vec))
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
        assert_eq!(
            script(&["node", "--title", "t", "-e", "1", "app"]),
            (2, None)
        );
    }
}
