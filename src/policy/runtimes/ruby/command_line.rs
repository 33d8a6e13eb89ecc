//! Ruby's command line, read as CRuby does (`proc_options` and `process_options` in ruby.c of 3.1 and 3.4).

use crate::matching::texts;
use alloc::vec::Vec;

/// What the options say, and where the script stands.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CommandLine<'a> {
    /// An option with which Ruby prints something, or checks the script, and runs nothing.
    pub information: Option<&'a [u8]>,
    /// Whether the environment's options are not looked at (`--disable=rubyopt`).
    pub ignores_rubyopt: bool,
    /// Features that `-r` loads, in their order.
    pub required: Vec<&'a [u8]>,
    /// The script and its arguments; empty where the program is given by `-e` or on standard input.
    pub script: &'a [Vec<u8>],
}

/// Long options whose value may be the next argument (`is_option_with_arg` in ruby.c). `parser` is new in
/// 3.3 and `crash-report` in 3.4; an older Ruby refuses them.
const LONG_WITH_VALUE: &str = "enable disable encoding external-encoding internal-encoding source-encoding \
                               dump backtrace-limit parser crash-report";

/// Long options that start no program.
const LONG_INFORMATION: &str = "copyright version help yydebug dump";

/// Reads a command line, the program's own name first.
pub fn read(arguments: &[Vec<u8>]) -> CommandLine<'_> {
    let mut reader = Reader {
        rest: arguments.get(1..).unwrap_or_default(),
        line: CommandLine::default(),
        has_code: false,
        without_script: None,
    };
    while let [option, after @ ..] = reader.rest {
        let Some(letters) = option.strip_prefix(b"-").filter(|rest| !rest.is_empty()) else {
            break;
        };
        reader.rest = after;
        match letters.strip_prefix(b"-") {
            Some(b"") => break,
            Some(name) => reader.long(option, name),
            None => reader.short(option, letters),
        }
    }
    // `-` is standard input.
    if reader.has_code || reader.rest.first().is_some_and(|script| script == b"-") {
        return reader.line;
    }
    // With `-v` or `--verbose` no program is read from standard input.
    if reader.rest.is_empty() && reader.line.information.is_none() {
        reader.line.information = reader.without_script;
    }
    reader.line.script = reader.rest;
    reader.line
}

struct Reader<'a> {
    rest: &'a [Vec<u8>],
    line: CommandLine<'a>,
    has_code: bool,
    /// An option with which Ruby ends where it is given no program.
    without_script: Option<&'a [u8]>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> &'a [u8] {
        let (next, rest) = self.rest.split_first().unzip();
        self.rest = rest.unwrap_or_default();
        next.map_or(b"".as_slice(), Vec::as_slice)
    }

    /// What stands behind a letter, or else in the next argument.
    fn value(&mut self, behind: &'a [u8]) -> &'a [u8] {
        match behind {
            [] => self.next(),
            value => value,
        }
    }

    fn short(&mut self, option: &'a [u8], mut letters: &'a [u8]) {
        while let [letter, behind @ ..] = letters {
            letters = behind;
            match letter {
                b'e' => {
                    self.value(behind);
                    self.has_code = true;
                    return;
                }
                b'r' => {
                    let feature = self.value(behind);
                    self.line.required.push(feature);
                    return;
                }
                b'I' | b'C' | b'X' | b'E' => {
                    self.value(behind);
                    return;
                }
                // These take all that follows their letter.
                b'F' | b'i' | b'x' => return,
                b'W' if behind.first() == Some(&b':') => return,
                b'K' => letters = behind.get(1..).unwrap_or_default(),
                b'c' | b'h' | b'y' => self.line.information = Some(option),
                b'v' => self.without_script = Some(option),
                _ => {}
            }
        }
    }

    fn long(&mut self, option: &'a [u8], name: &'a [u8]) {
        let features = |name: &'a [u8], kind: &[u8]| match name.strip_prefix(kind)? {
            rest @ ([] | [b'=' | b'-' | b'_', ..]) => Some(rest),
            _ => None,
        };
        for (kind, disables) in [(b"disable".as_slice(), true), (b"enable", false)] {
            if let Some(rest) = features(name, kind) {
                let features = match rest {
                    [] => self.next(),
                    [_, features @ ..] => features,
                };
                if features.split(|byte| *byte == b',').any(is_rubyopt) {
                    self.line.ignores_rubyopt = disables;
                }
                return;
            }
        }
        let end = name.iter().position(|byte| *byte == b'=');
        let bare = name.get(..end.unwrap_or(name.len())).unwrap_or_default();
        if name == b"verbose" {
            self.without_script = Some(option);
        }
        if texts::has(LONG_INFORMATION, bare) {
            self.line.information = Some(option);
        }
        if end.is_none() && texts::has(LONG_WITH_VALUE, bare) {
            self.next();
        }
    }
}

/// Names of features may be cut short.
fn is_rubyopt(feature: &[u8]) -> bool {
    let is_its = |name: &[u8]| {
        let beginning = name.get(..feature.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(feature))
    };
    !feature.is_empty() && (is_its(b"rubyopt") || is_its(b"all"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ').map(Vec::from).collect()
    }

    #[test]
    fn the_script_stands_behind_the_options() {
        for (line, script) in [
            ("ruby a.rb -h", "a.rb -h"),
            ("ruby -w -I lib -rset a.rb", "a.rb"),
            ("ruby -wI lib a.rb", "a.rb"),
            ("ruby -C /srv -E UTF-8 a.rb", "a.rb"),
            ("ruby -Ku -W:no-deprecated -W1 a.rb", "a.rb"),
            ("ruby --encoding utf-8 --enable=x a.rb", "a.rb"),
            ("ruby --enable x a.rb", "a.rb"),
            ("ruby --backtrace-limit 3 a.rb", "a.rb"),
            ("ruby --parser prism --crash-report /x a.rb", "a.rb"),
            ("ruby --parser=prism a.rb", "a.rb"),
            ("ruby -S rake -T", "rake -T"),
            ("ruby -ne print a.rb", ""),
            ("ruby -i.bak -pe 1 a.rb", ""),
            ("ruby -e 1 -e 2 a.rb", ""),
            ("ruby -xdir a.rb", "a.rb"),
            ("ruby -- a.rb", "a.rb"),
            ("ruby - a", ""),
            ("ruby -I", ""),
            ("ruby", ""),
        ] {
            let words = words(line);
            assert_eq!(read(&words).script.join(&b' '), script.as_bytes(), "{line}");
        }
        assert_eq!(read(&[]), CommandLine::default());
    }

    #[test]
    fn what_asks_for_information_is_told() {
        for line in [
            "ruby --version",
            "ruby -v",
            "ruby -wv",
            "ruby --verbose",
            "ruby -h",
            "ruby --help",
            "ruby --copyright",
            "ruby --dump=insns a.rb",
            "ruby --dump insns a.rb",
            "ruby --backtrace-limit 3 --version a.rb",
            "ruby -c a.rb",
            "ruby -wc a.rb",
            "ruby -y a.rb",
        ] {
            let words = words(line);
            assert!(read(&words).information.is_some(), "{line}");
        }
        for line in [
            "ruby -v a.rb",
            "ruby -v -e 1",
            "ruby a.rb --version",
            "ruby -rc a.rb",
            "ruby -Ihelp a.rb",
            "ruby -e --version",
            "ruby --verbose a.rb",
        ] {
            let words = words(line);
            assert_eq!(read(&words).information, None, "{line}");
        }
    }
}
