//! A launcher's command line: which arguments are its own options, and what it runs.
//!
//! Every launcher follows the same rules with its own tables: options come first, some take a value from
//! the next argument, some bring the program along. Then comes the program, and all later arguments
//! belong to it.

use crate::matching::texts;
use alloc::vec::Vec;

/// What a launcher runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs<'a> {
    /// The first argument that is no option.
    Script(&'a [u8]),
    /// The value of an option that names what is run instead; the option's name in the table.
    Named(&'static str, &'a [u8]),
    /// Standard input, by `-`.
    Input,
    /// Nothing that the line names.
    Nothing,
}

/// A line that has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The launcher's own options with their values, up to what it runs.
    pub options: &'a [Vec<u8>],
    /// What it runs.
    pub runs: Runs<'a>,
    /// The arguments of what it runs.
    pub rest: &'a [Vec<u8>],
}

/// How a launcher reads its line. Each table is one text with blanks between its items: an array of
/// strings would cost a relocation for every item.
#[derive(Clone, Copy, Debug, Default)]
pub struct Grammar {
    /// Options whose value is the next argument, unless `=` joins it to the name (`--title x`).
    pub with_value: &'static str,
    /// Options that name what is run: by their value, joined by `=` or in the next argument
    /// (`-m pip`).
    pub naming: &'static str,
    /// Letters of one-letter options that may stand together behind one dash, with a value behind
    /// the letter or in the next argument (`-bWerror`, `-um pip`). Their names in the tables above
    /// are `-m` and the like; empty where each argument is one option.
    pub letters: bool,
    /// Bytes that begin an option besides `-`: `@` of a file with arguments, Erlang's `+`.
    pub marks: &'static [u8],
}

impl Grammar {
    /// Reads a line, the program's own name first.
    pub fn read<'a>(&self, arguments: &'a [Vec<u8>]) -> Line<'a> {
        let mut index = 1;
        while let Some(argument) = arguments.get(index) {
            match self.look_at(argument) {
                Found::Program => {
                    let script = index + usize::from(argument == b"--");
                    let runs = match arguments.get(script).map(Vec::as_slice) {
                        Some(b"-") => Runs::Input,
                        Some(script) => Runs::Script(script),
                        None => Runs::Nothing,
                    };
                    return line(arguments, index, runs, script + 1);
                }
                Found::Naming(name, Some(value)) => {
                    return line(arguments, index + 1, Runs::Named(name, value), index + 1);
                }
                Found::Naming(name, None) => {
                    let value = arguments.get(index + 1).map_or(&b""[..], Vec::as_slice);
                    return line(arguments, index + 2, Runs::Named(name, value), index + 2);
                }
                Found::Option => index += 1,
                Found::OptionWithValue => index += 2,
            }
        }
        line(arguments, index, Runs::Nothing, index)
    }

    /// Tells each option of a line that has been read, with its value; letters one by one.
    pub fn each<'a>(&self, options: &'a [Vec<u8>], mut visit: impl FnMut(&[u8], Option<&'a [u8]>)) {
        let mut options = options.iter().map(Vec::as_slice);
        let has_value = |name: &[u8]| {
            texts::find(self.with_value, name)
                .or(texts::find(self.naming, name))
                .is_some()
        };
        while let Some(option) = options.next() {
            match option {
                [b'-', letters @ ..] if self.letters && !letters.starts_with(b"-") => {
                    for (index, letter) in letters.iter().enumerate() {
                        let name = [b'-', *letter];
                        if !has_value(&name) {
                            visit(&name, None);
                            continue;
                        }
                        let joined = letters.get(index + 1..).filter(|value| !value.is_empty());
                        visit(&name, joined.or_else(|| options.next()));
                        break;
                    }
                }
                _ if has_value(option) => visit(option, options.next()),
                _ => {
                    let end = option.iter().position(|byte| *byte == b'=');
                    let (name, value) = option.split_at(end.unwrap_or(option.len()));
                    visit(name, value.get(1..));
                }
            }
        }
    }

    fn look_at<'a>(&self, argument: &'a [u8]) -> Found<'a> {
        let is_option = match argument {
            b"-" | b"--" => false,
            [first, ..] => *first == b'-' || self.marks.contains(first),
            [] => false,
        };
        if !is_option {
            return Found::Program;
        }
        let end = argument.iter().position(|byte| *byte == b'=');
        let (name, value) = argument.split_at(end.unwrap_or(argument.len()));
        if let Some(name) = texts::find(self.naming, name) {
            return Found::Naming(name, value.get(1..));
        }
        if texts::has(self.with_value, argument) {
            return Found::OptionWithValue;
        }
        match argument {
            [b'-', letters @ ..] if self.letters && !letters.starts_with(b"-") => {
                self.letters(letters)
            }
            _ => Found::Option,
        }
    }

    /// One argument with several options, the last of which may take a value.
    fn letters<'a>(&self, letters: &'a [u8]) -> Found<'a> {
        for (index, letter) in letters.iter().enumerate() {
            let name = [b'-', *letter];
            let value = letters.get(index + 1..).filter(|value| !value.is_empty());
            if let Some(name) = texts::find(self.naming, &name) {
                return Found::Naming(name, value);
            }
            if texts::has(self.with_value, &name) {
                return value.map_or(Found::OptionWithValue, |_| Found::Option);
            }
        }
        Found::Option
    }
}

/// What one argument is.
enum Found<'a> {
    Program,
    Naming(&'static str, Option<&'a [u8]>),
    Option,
    OptionWithValue,
}

fn line<'a>(arguments: &'a [Vec<u8>], end: usize, runs: Runs<'a>, rest: usize) -> Line<'a> {
    let end = end.min(arguments.len());
    Line {
        options: arguments.get(1..end).unwrap_or_default(),
        runs,
        rest: arguments.get(rest..).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};

    const GRAMMAR: Grammar = Grammar {
        with_value: "--title -W -X",
        naming: "-c -m --module",
        letters: true,
        marks: b"@",
    };

    /// The options, what is run, and its arguments, with `|` between them.
    fn read(text: &str) -> String {
        let words: Vec<_> = text.split(' ').map(Vec::from).collect();
        let line = GRAMMAR.read(&words);
        let joined = |words: &[Vec<u8>]| String::from_utf8(words.join(&b' ')).unwrap();
        let runs = match line.runs {
            Runs::Script(script) => String::from_utf8_lossy(script).into_owned(),
            Runs::Named(name, value) => [name, "=", &String::from_utf8_lossy(value)].concat(),
            Runs::Input => "(input)".to_string(),
            Runs::Nothing => "(nothing)".to_string(),
        };
        [joined(line.options), runs, joined(line.rest)].join("|")
    }

    #[test]
    fn the_program_stands_behind_the_options_and_their_values() {
        for (text, wanted) in [
            ("x", "|(nothing)|"),
            ("x a -c b", "|a|-c b"),
            (
                "x -u --title t -W error @f a b",
                "-u --title t -W error @f|a|b",
            ),
            ("x --title=t a", "--title=t|a|"),
            ("x -Werror -X dev a", "-Werror -X dev|a|"),
            ("x -W", "-W|(nothing)|"),
            ("x -- -a b", "|-a|b"),
            ("x --", "|(nothing)|"),
            ("x -b - a", "-b|(input)|a"),
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
    }

    #[test]
    fn options_may_bring_the_program_along() {
        for (text, wanted) in [
            ("x -m pip list", "-m pip|-m=pip|list"),
            ("x -um pip -c", "-um pip|-m=pip|-c"),
            ("x -mpip -c", "-mpip|-m=pip|-c"),
            ("x -bXdev -cx=1 a", "-bXdev -cx=1|-c=x=1|a"),
            (
                "x --module=m/Main -version",
                "--module=m/Main|--module=m/Main|-version",
            ),
            ("x --module m/Main", "--module m/Main|--module=m/Main|"),
            ("x -m", "-m|-m=|"),
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
    }

    #[test]
    fn options_are_told_one_by_one() {
        let words = ["--title", "t", "-bWerror", "-uX", "dev", "--a=b", "-I"];
        let words = words.map(Vec::from);
        let mut told = Vec::new();
        GRAMMAR.each(&words, |name, value| {
            let value = value.map(|value| [b"=", value].concat());
            told.push([name, &value.unwrap_or_default()].concat());
        });
        let wanted = ["--title=t", "-b", "-W=error", "-u", "-X=dev", "--a=b", "-I"];
        assert_eq!(told, wanted.map(Vec::from));
    }
}
