//! What PHP's programs run, according to their own tables of options.
//!
//! Source: `OPTIONS` in PHP's sapi/cli/php_cli.c, sapi/cgi/cgi_main.c and sapi/fpm/fpm/fpm_main.c
//! (5.3 to 8.4), and `php_getopt` in main/getopt.c. Short options may be combined (`-nr`). A value follows
//! in the next argument, after `=`, or directly; long options take values in the same ways.

use crate::Reason;
use alloc::vec::Vec;

/// What an option does to the decision.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Nothing.
    Nothing,
    /// With it no application runs, or none with a prepend file.
    NoPrepend,
    /// Its value is the script.
    Script,
    /// Its value sets an entry of php.ini.
    Define,
}

use Effect::{Define, NoPrepend, Nothing, Script};

/// One option. `letter` is 0 where it has a long name alone.
struct Known {
    letter: u8,
    names: &'static [&'static str],
    takes_value: bool,
    effect: Effect,
    /// How a reason tells it.
    shown: &'static str,
}

const fn flag(shown: &'static str, names: &'static [&'static str], effect: Effect) -> Known {
    Known {
        letter: letter(shown),
        names,
        takes_value: false,
        effect,
        shown,
    }
}

const fn value(shown: &'static str, names: &'static [&'static str], effect: Effect) -> Known {
    Known {
        takes_value: true,
        ..flag(shown, names, effect)
    }
}

/// The letter of `-x`; 0 for `--name`.
const fn letter(shown: &str) -> u8 {
    match shown.as_bytes() {
        [b'-', letter] => *letter,
        _ => 0,
    }
}

/// What the command line's program and the CGI's have in common.
const SHARED: &[Known] = &[
    flag("-a", &["interactive"], NoPrepend),
    flag("-C", &["no-chdir"], Nothing),
    value("-c", &["php-ini"], Nothing),
    value("-d", &["define"], Define),
    flag("-e", &["profile-info"], Nothing),
    value("-f", &["file"], Script),
    flag("-h", &["help"], NoPrepend),
    flag("-i", &["info"], NoPrepend),
    flag("-l", &["syntax-check"], NoPrepend),
    flag("-m", &["modules"], NoPrepend),
    flag("-n", &["no-php-ini"], NoPrepend),
    flag("-q", &["no-header"], Nothing),
    flag(
        "-s",
        &["syntax-highlight", "syntax-highlighting"],
        NoPrepend,
    ),
    flag("-w", &["strip"], NoPrepend),
    flag("-?", &["usage"], NoPrepend),
    flag("-v", &["version"], NoPrepend),
    value("-z", &["zend-extension"], Nothing),
];

const CLI: &[Known] = &[
    value("-B", &["process-begin"], NoPrepend),
    value("-E", &["process-end"], NoPrepend),
    value("-F", &["process-file"], NoPrepend),
    value("-g", &["global"], Nothing),
    value("-R", &["process-code"], NoPrepend),
    flag("-H", &["hide-args"], Nothing),
    value("-r", &["run"], NoPrepend),
    value("-S", &["server"], Nothing),
    value("-t", &["docroot"], Nothing),
    value("--rf", &["rf", "rfunction"], NoPrepend),
    value("--rc", &["rc", "rclass"], NoPrepend),
    value("--re", &["re", "rextension"], NoPrepend),
    value("--rz", &["rz", "rzendextension"], NoPrepend),
    value("--ri", &["ri", "rextinfo"], NoPrepend),
    flag("--ini", &["ini"], NoPrepend),
    value("--repeat", &["repeat"], Nothing),
];

const CGI: &[Known] = &[
    value("-b", &["bindpath"], Nothing),
    value("-T", &["timing"], Nothing),
];

const FPM: &[Known] = &[
    value("-c", &["php-ini"], Nothing),
    flag("-n", &["no-php-ini"], NoPrepend),
    value("-d", &["define"], Define),
    flag("-e", &["profile-info"], Nothing),
    flag("-h", &["help"], NoPrepend),
    flag("-i", &["info"], NoPrepend),
    flag("-m", &["modules"], NoPrepend),
    value("-p", &["prefix"], Nothing),
    flag("-t", &["test"], NoPrepend),
    flag("-?", &["usage"], NoPrepend),
    flag("-v", &["version"], NoPrepend),
    flag("-D", &["daemonize"], Nothing),
    flag("-F", &["nodaemonize"], Nothing),
    value("-g", &["pid"], Nothing),
    flag("-R", &["allow-to-run-as-root"], Nothing),
    value("-y", &["fpm-config"], Nothing),
    flag("-O", &["force-stderr"], Nothing),
];

/// What a command line asks PHP to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Line<'a> {
    /// The script, where one is named.
    pub script: Option<&'a [u8]>,
    /// The entries of php.ini that it sets (`name=value` or `name`), the last of which counts.
    pub defines: Vec<&'a [u8]>,
    /// The arguments of the script.
    pub rest: &'a [Vec<u8>],
}

/// Reads the command line of a program of PHP's own; `program` is its file name, which may be another
/// than PHP gave it. What has PHP in a library (`is_library`: Apache, uWSGI) has options of its own: its
/// line says nothing here.
///
/// # Errors
/// An option with which no application runs, or none with a prepend file.
pub fn read<'a>(
    program: &[u8],
    is_library: impl FnOnce() -> bool,
    arguments: &'a [Vec<u8>],
) -> Result<Line<'a>, Reason> {
    let starts = |prefix: &str| program.starts_with(prefix.as_bytes());
    let tables: &[_] = if starts("php-fpm") {
        &[FPM]
    } else if starts("php-cgi") {
        &[SHARED, CGI]
    } else if starts("php") || !is_library() {
        &[SHARED, CLI]
    } else {
        return Ok(Line::default());
    };
    let reader = Reader {
        tables,
        line: Line::default(),
    };
    reader.read(arguments.get(1..).unwrap_or_default())
}

struct Reader<'a> {
    tables: &'static [&'static [Known]],
    line: Line<'a>,
}

impl<'a> Reader<'a> {
    fn read(mut self, arguments: &'a [Vec<u8>]) -> Result<Line<'a>, Reason> {
        let mut rest = arguments.iter().map(|argument| &argument[..]);
        while let Some(argument) = rest.next() {
            match argument {
                // What follows are arguments of a script from stdin, or of the one of -f.
                b"--" => break,
                [b'-', b'-', name @ ..] => self.long(name, &mut rest)?,
                [b'-', letters @ ..] if !letters.is_empty() => {
                    self.short(letters, &mut rest)?;
                }
                script => {
                    self.line.script.get_or_insert(script);
                    break;
                }
            }
        }
        let behind = arguments.len() - rest.len();
        self.line.rest = arguments.get(behind..).unwrap_or_default();
        Ok(self.line)
    }

    fn known(&self, is: impl Fn(&Known) -> bool) -> Option<&'static Known> {
        let mut all = self.tables.iter().flat_map(|table| table.iter());
        all.find(|known| is(known))
    }

    fn long(
        &mut self,
        text: &'a [u8],
        rest: &mut impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), Reason> {
        let end = text.iter().position(|byte| *byte == b'=');
        let (name, value) = text.split_at(end.unwrap_or(text.len()));
        let is = |known: &Known| known.names.iter().any(|known| known.as_bytes() == name);
        match self.known(is) {
            Some(known) if known.takes_value => {
                let value = value.strip_prefix(b"=").or_else(|| rest.next());
                self.take(known, value)
            }
            Some(known) => self.take(known, None),
            None => Ok(()),
        }
    }

    fn short(
        &mut self,
        mut letters: &'a [u8],
        rest: &mut impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), Reason> {
        while let [letter, behind @ ..] = letters {
            letters = behind;
            let Some(known) = self.known(|known| known.letter == *letter) else {
                continue;
            };
            if !known.takes_value {
                self.take(known, None)?;
                continue;
            }
            let value = match behind {
                [] => rest.next(),
                [b'=', value @ ..] | value => Some(value),
            };
            return self.take(known, value);
        }
        Ok(())
    }

    fn take(&mut self, known: &Known, value: Option<&'a [u8]>) -> Result<(), Reason> {
        match known.effect {
            Nothing => {}
            NoPrepend => return Err(Reason::Option(known.shown)),
            Script => self.line.script = value,
            Define => self.line.defines.extend(value),
        }
        Ok(())
    }
}

/// The value that an entry of php.ini is given, by the last of `defines` that sets it. One argument
/// may hold several lines. An entry without `=` is 1.
pub fn defined<'a>(defines: &[&'a [u8]], name: &str) -> Option<&'a [u8]> {
    let lines = defines.iter().flat_map(|text| text.split(|b| *b == b'\n'));
    let mut values = lines.filter_map(|line| {
        let rest = line.trim_ascii_start().strip_prefix(name.as_bytes())?;
        match rest.trim_ascii() {
            [] => Some(&b"1"[..]),
            [b'=', value @ ..] => Some(value.trim_ascii()),
            _ => None,
        }
    });
    values.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};
    use alloc::{format, vec};

    fn outcome(command: &str) -> String {
        let words: Vec<_> = command.split(' ').map(Vec::from).collect();
        match read(&words[0], || command.starts_with("apache2"), &words) {
            Ok(Line { script, .. }) => String::from_utf8_lossy(script.unwrap_or(b"-")).to_string(),
            Err(Reason::Option(option)) => format!("not with {option}"),
            Err(reason) => reason.to_string(),
        }
    }

    #[test]
    fn options_are_read_as_php_reads_them() {
        for (command, wanted) in [
            ("php a.php -r", "a.php"),
            ("php -f a.php -- -r", "a.php"),
            ("php -fa.php b.php", "a.php"),
            ("php --file=a.php", "a.php"),
            ("php -d x=1 -c /etc a.php", "a.php"),
            ("php -dx=1 --define y=-r a.php", "a.php"),
            ("php -eq a.php", "a.php"),
            ("php -z /x.so a.php", "a.php"),
            ("php -- a.php", "-"),
            ("php - a.php", "-"),
            ("php", "-"),
            ("php -S 127.0.0.1:80 -t /srv router.php", "router.php"),
            ("php -r1;", "not with -r"),
            ("php -nr 1;", "not with -n"),
            ("php -er 1;", "not with -r"),
            ("php --run 1;", "not with -r"),
            ("php -w a.php", "not with -w"),
            ("php -s a.php", "not with -s"),
            ("php --syntax-highlighting a.php", "not with -s"),
            ("php -a", "not with -a"),
            ("php -B 1; -R 2;", "not with -B"),
            ("php -R 2;", "not with -R"),
            ("php -F a.php", "not with -F"),
            ("php --rf strlen", "not with --rf"),
            ("php --rfunction=strlen", "not with --rf"),
            ("php --ini", "not with --ini"),
            ("php -h", "not with -h"),
            ("php-fpm8.2 -F -R -y /x.conf", "-"),
            ("php-fpm -nF", "not with -n"),
            ("php-fpm --test", "not with -t"),
            ("php-cgi -b 127.0.0.1:9000", "-"),
            ("php-cgi -T 3 a.php", "a.php"),
            ("apache2 -k start -n", "-"),
            ("worker -n a.php", "not with -n"),
        ] {
            assert_eq!(outcome(command), wanted, "{command}");
        }
    }

    #[test]
    fn entries_of_php_ini_are_found_on_the_command_line() {
        let value = |texts: &[&str]| {
            let texts: Vec<_> = texts.iter().map(|text| text.as_bytes()).collect();
            defined(&texts, "auto_prepend_file").map(|value| String::from_utf8_lossy(value).into())
        };
        let is = |text: &str| Some(String::from(text));
        assert_eq!(value(&["auto_prepend_file=/x"]), is("/x"));
        assert_eq!(value(&["auto_prepend_file="]), is(""));
        assert_eq!(value(&["auto_prepend_file"]), is("1"));
        assert_eq!(value(&[" auto_prepend_file = y"]), is("y"));
        assert_eq!(value(&["a=1\nauto_prepend_file=z"]), is("z"));
        assert_eq!(
            value(&["auto_prepend_file=1", "auto_prepend_file=2"]),
            is("2")
        );
        assert_eq!(
            value(&["auto_prepend_files=1", "xauto_prepend_file=2"]),
            None
        );
    }

    #[test]
    fn no_letter_stands_twice_in_a_table() {
        for tables in [[SHARED, CLI], [SHARED, CGI], [FPM, &[]]] {
            let all = tables.iter().flat_map(|table| table.iter());
            let mut letters: Vec<_> = all.map(|known| known.letter).collect();
            letters.retain(|letter| *letter != 0);
            let count = letters.len();
            letters.sort_unstable();
            letters.dedup();
            assert_eq!(letters.len(), count);
        }
        assert_eq!(vec![letter("-x"), letter("--rf")], [b'x', 0]);
    }
}
