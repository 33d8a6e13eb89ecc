//! What PHP's programs run, according to their own tables of options.
//!
//! Source: `OPTIONS` in PHP's sapi/cli/php_cli.c, sapi/cgi/cgi_main.c and sapi/fpm/fpm/fpm_main.c
//! (5.3 to 8.4), and `php_getopt` in main/getopt.c. Short options may be combined (`-nr`). A value follows
//! in the next argument, after `=`, or directly; long options take values in the same ways.

use crate::Reason;
use crate::matching::texts;
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
    /// PHP's own server runs; the script only finds out what a request is for.
    Serve,
}

use Effect::{Define, NoPrepend, Nothing, Script, Serve};

impl Effect {
    /// The effect of a row that begins with this word.
    fn of(word: &str) -> Self {
        match word {
            "no prepend" => NoPrepend,
            "script" => Script,
            "define" => Define,
            "serve" => Serve,
            _ => Nothing,
        }
    }
}

/// One option.
struct Known {
    effect: Effect,
    takes_value: bool,
    /// How a reason tells it.
    shown: &'static str,
}

/// What the command line's program and the CGI's have in common. Each row is an option: its effect, and its
/// names; those of an option that takes a value end with `=`.
const SHARED: &str = "
    no prepend: -a --interactive
    nothing: -C --no-chdir
    nothing: -c= --php-ini=
    define: -d= --define=
    nothing: -e --profile-info
    script: -f= --file=
    no prepend: -h --help
    no prepend: -i --info
    no prepend: -l --syntax-check
    no prepend: -m --modules
    no prepend: -n --no-php-ini
    nothing: -q --no-header
    no prepend: -s --syntax-highlight --syntax-highlighting
    no prepend: -w --strip
    no prepend: -? --usage
    no prepend: -v --version
    nothing: -z= --zend-extension=
";

const CLI: &str = "
    no prepend: -B= --process-begin=
    no prepend: -E= --process-end=
    no prepend: -F= --process-file=
    nothing: -g= --global=
    no prepend: -R= --process-code=
    nothing: -H --hide-args
    no prepend: -r= --run=
    serve: -S= --server=
    nothing: -t= --docroot=
    no prepend: --rf= --rfunction=
    no prepend: --rc= --rclass=
    no prepend: --re= --rextension=
    no prepend: --rz= --rzendextension=
    no prepend: --ri= --rextinfo=
    no prepend: --ini
    nothing: --repeat=
";

const CGI: &str = "
    nothing: -b= --bindpath=
    nothing: -T= --timing=
";

const FPM: &str = "
    nothing: -c= --php-ini=
    no prepend: -n --no-php-ini
    define: -d= --define=
    nothing: -e --profile-info
    no prepend: -h --help
    no prepend: -i --info
    no prepend: -m --modules
    nothing: -p= --prefix=
    no prepend: -t --test
    no prepend: -? --usage
    no prepend: -v --version
    nothing: -D --daemonize
    nothing: -F --nodaemonize
    nothing: -g= --pid=
    nothing: -R --allow-to-run-as-root
    nothing: -y= --fpm-config=
    nothing: -O --force-stderr
";

/// What a command line asks PHP to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Line<'a> {
    /// The script, where one is named.
    pub script: Option<&'a [u8]>,
    /// The entries of php.ini that it sets (`name=value` or `name`), the last of which counts.
    pub defines: Vec<&'a [u8]>,
    /// Whether it is PHP's own server: then the script is its router.
    pub serves: bool,
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
    let tables = if starts("php-fpm") {
        [FPM, ""]
    } else if starts("php-cgi") {
        [SHARED, CGI]
    } else if starts("php") || !is_library() {
        [SHARED, CLI]
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
    tables: [&'static str; 2],
    line: Line<'a>,
}

impl<'a> Reader<'a> {
    fn read(mut self, arguments: &'a [Vec<u8>]) -> Result<Line<'a>, Reason> {
        let mut rest = arguments.iter().map(|argument| &argument[..]);
        while let Some(argument) = rest.next() {
            match argument {
                // What follows are arguments of a script from stdin, or of the one of -f.
                b"--" => break,
                [b'-', b'-', ..] => self.long(argument, &mut rest)?,
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

    /// The option with a name, dashes in front.
    fn known(&self, name: &[u8]) -> Option<Known> {
        let mut rows = self.tables.into_iter().flat_map(texts::rows);
        rows.find_map(|(effect, names)| {
            let bare = |name: &'static str| name.strip_suffix('=').unwrap_or(name);
            let mut all = texts::words(names).map(bare);
            let shown = all.clone().next()?;
            let known = Known {
                effect: Effect::of(effect),
                takes_value: names.ends_with('='),
                shown,
            };
            all.any(|known| known.as_bytes() == name).then_some(known)
        })
    }

    fn long(
        &mut self,
        text: &'a [u8],
        rest: &mut impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), Reason> {
        let end = text.iter().position(|byte| *byte == b'=');
        let (name, value) = text.split_at(end.unwrap_or(text.len()));
        match self.known(name) {
            Some(known) if known.takes_value => {
                let value = value.strip_prefix(b"=").or_else(|| rest.next());
                self.take(&known, value)
            }
            Some(known) => self.take(&known, None),
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
            let Some(known) = self.known(&[b'-', *letter]) else {
                continue;
            };
            if !known.takes_value {
                self.take(&known, None)?;
                continue;
            }
            let value = match behind {
                [] => rest.next(),
                [b'=', value @ ..] | value => Some(value),
            };
            return self.take(&known, value);
        }
        Ok(())
    }

    fn take(&mut self, known: &Known, value: Option<&'a [u8]>) -> Result<(), Reason> {
        match known.effect {
            Nothing => {}
            NoPrepend => return Err(Reason::Option(known.shown)),
            Script => self.line.script = value,
            Define => self.line.defines.extend(value),
            Serve => self.line.serves = true,
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
    use alloc::format;
    use alloc::string::{String, ToString};

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
    fn phps_own_server_is_told() {
        for (command, wanted) in [
            ("php -S 127.0.0.1:80 router.php", true),
            ("php -S127.0.0.1:80", true),
            ("php --server=127.0.0.1:80", true),
            ("php router.php -S x", false),
        ] {
            let words: Vec<_> = command.split(' ').map(Vec::from).collect();
            let line = read(&words[0], || false, &words).unwrap();
            assert_eq!(line.serves, wanted, "{command}");
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
    fn no_name_stands_twice_in_a_table() {
        for tables in [[SHARED, CLI], [SHARED, CGI], [FPM, ""]] {
            let rows = || tables.into_iter().flat_map(texts::rows);
            let mut names: Vec<_> = rows().flat_map(|(_, names)| texts::words(names)).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count);
            for (effect, names) in rows() {
                let is_known = effect == "nothing" || Effect::of(effect) != Nothing;
                assert!(is_known, "{effect}");
                let with_value = texts::words(names).filter(|name| name.ends_with('='));
                let count = with_value.count();
                assert!(
                    count == 0 || count == texts::words(names).count(),
                    "{names}"
                );
            }
        }
    }
}
