//! Programs with a short option that has a secret behind it.

use opentelemetry_injector_policy::matching::texts;
use opentelemetry_injector_policy::process::file_name;
use std::ops::Range;
use std::{mem, ptr};

/// Where the secret is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the rest of the option's word.
    Rest,
    /// There, or in the next word if that is no option.
    RestOrNext,
    /// There, or in the next word.
    RestOrAnyNext,
}

/// Programs, and their option.
struct Known {
    /// The programs' names, with blanks between them.
    names: &'static str,
    /// The option's letter.
    letter: char,
    /// Letters of options without a value: any of them may stand before the letter, in the same word.
    flags: &'static str,
    place: Place,
    /// Letters of options with a value, if the program's options end where the command begins that it starts.
    before_command: Option<&'static str>,
}

static KNOWN: [Known; 6] = [
    Known {
        names: "7z 7za 7zr 7zz mariadb mariadb-admin mariadb-binlog mariadb-check mariadb-dump mariadb-import \
                mariadb-show mariadb-slap mysql mysqladmin mysqlbinlog mysqlcheck mysqldump mysqlimport mysqlpump mysqlsh \
                mysqlshow mysqlslap",
        letter: 'p',
        flags: "ABCEFGHIKLNQRUVXYabcdfijnoqstvx",
        place: Place::Rest,
        before_command: None,
    },
    Known {
        names: "mongo mongodump mongoexport mongofiles mongoimport mongorestore mongosh mongostat mongotop",
        letter: 'p',
        flags: "",
        place: Place::RestOrNext,
        before_command: None,
    },
    Known {
        names: "sshpass",
        letter: 'p',
        flags: "v",
        place: Place::RestOrAnyNext,
        before_command: Some("Pdf"),
    },
    Known {
        names: "redis-cli valkey-cli",
        letter: 'a',
        flags: "",
        place: Place::RestOrAnyNext,
        before_command: None,
    },
    Known {
        names: "ldapadd ldapdelete ldapmodify ldappasswd ldapsearch ldapwhoami",
        letter: 'w',
        flags: "ACILMNQZcnrvx",
        place: Place::RestOrAnyNext,
        before_command: None,
    },
    Known {
        names: "bcp sqlcmd unzip zip",
        letter: 'P',
        flags: "0123456789ACDFJLMNSTUVXZacejklmnopqrtuvyz",
        place: Place::RestOrAnyNext,
        before_command: None,
    },
];

impl Known {
    /// Where a word that has the option goes on behind it.
    fn behind_option(&self, word: &str) -> Option<usize> {
        let letters = word.strip_prefix('-')?;
        let rest = letters.trim_start_matches(|letter| self.flags.contains(letter));
        let rest = rest.strip_prefix(self.letter)?;
        Some(word.len() - rest.len())
    }

    /// Whether a word is an option whose value is the next word.
    fn is_value_next(&self, word: &str) -> bool {
        let letter = word.strip_prefix('-').unwrap_or_default();
        let has_value = |letters: &str| letters.split("").any(|one| one == letter);
        letter.len() == 1 && self.before_command.is_some_and(has_value)
    }
}

/// What stands between commands, for a shell.
const BETWEEN_COMMANDS: [char; 7] = [';', '|', '&', '\n', '(', ')', '`'];

/// How many scripts within scripts are looked into.
const DEPTH: usize = 4;

/// The words of a command line, one after the other.
#[derive(Default)]
pub struct Words {
    /// The options of the programs that were named. Each is given once.
    options: Vec<&'static Known>,
    /// What the word before makes of this one.
    expected: Option<Place>,
    /// Whether this one is the value of another option.
    is_value: bool,
}

impl Words {
    /// The part of the next word that is secret.
    pub fn next(&mut self, word: &str) -> Option<Range<usize>> {
        let expected = self.expected.take();
        let is_value = mem::take(&mut self.is_value);
        let is_option = word.starts_with('-');
        if expected.is_some_and(|place| place == Place::RestOrAnyNext || !is_option) {
            return (!word.is_empty() && !is_ports(word)).then_some(0..word.len());
        }
        let mut given = self.options.iter().enumerate();
        let given = given.find_map(|(index, known)| Some((index, known.behind_option(word)?)));
        if let Some((index, behind)) = given {
            let place = self.options[index].place;
            if word.len() > behind {
                self.options.swap_remove(index);
                return Some(behind..word.len());
            }
            if place != Place::Rest {
                self.options.swap_remove(index);
                self.expected = Some(place);
            }
            return None;
        }
        if is_option {
            self.is_value = self.options.iter().any(|known| known.is_value_next(word));
        } else if !is_value {
            self.options.retain(|known| known.before_command.is_none());
        }
        self.add_options_of(word);
        None
    }

    fn add_options_of(&mut self, word: &str) {
        let name = str::from_utf8(file_name(word.as_bytes())).unwrap_or_default();
        for known in &KNOWN {
            let is_new = !self.options.iter().any(|one| ptr::eq(*one, known));
            if is_new && texts::words(known.names).any(|one| one == name) {
                self.options.push(known);
            }
        }
    }
}

/// Whether a word is `80:80`, as containers have ports.
fn is_ports(word: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let ports = word.split_once(':');
    ports.is_some_and(|(outer, inner)| is_number(outer) && is_number(inner))
}

/// The secrets in a script.
pub fn in_script(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    add_secrets(text, 0..text.len(), DEPTH, &mut found);
    found
}

/// Adds those of a part of a text, and of the scripts in it.
fn add_secrets(text: &str, part: Range<usize>, depth: usize, found: &mut Vec<Range<usize>>) {
    let mut words = Words::default();
    for word in shell_words(&text[part.clone()]) {
        let word = unquoted(text, part.start + word.start..part.start + word.end);
        let content = &text[word.clone()];
        if content.len() == 1 && content.starts_with(BETWEEN_COMMANDS) {
            words = Words::default();
        } else if let Some(secret) = words.next(content) {
            found.push(word.start + secret.start..word.start + secret.end);
        } else if depth > 0 && content.contains(char::is_whitespace) {
            add_secrets(text, word, depth - 1, found);
        }
    }
}

/// A word without quotes around it.
fn unquoted(text: &str, word: Range<usize>) -> Range<usize> {
    let is_quoted = |quote: &char| {
        let content = text[word.clone()].strip_prefix(*quote);
        content.is_some_and(|content| content.ends_with(*quote))
    };
    if ['"', '\''].iter().any(is_quoted) {
        word.start + 1..word.end - 1
    } else {
        word
    }
}

/// The words that a shell would see. What is between quotes is in a word; a sign between commands is a word of its own.
fn shell_words(text: &str) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut quote = None;
    let mut start = None;
    let mut before = ' ';
    let mut characters = text.char_indices();
    while let Some((mut at, mut character)) = characters.next() {
        if character == '#' && start.is_none() && quote.is_none() {
            // A comment goes to the end of its line.
            match characters.find(|(_, character)| *character == '\n') {
                Some(end) => (at, character) = end,
                None => break,
            }
        }
        let is_redirected = character == '&' && matches!(before, '<' | '>');
        before = character;
        if character == '\\' && quote != Some('\'') {
            // The character behind it has no meaning of its own; without it and the end of a line, the next one goes on.
            let escaped = characters.next();
            if escaped.is_some_and(|(_, escaped)| escaped != '\n') {
                start.get_or_insert(at);
            }
        } else if quote.is_some() {
            quote = quote.filter(|quote| *quote != character);
        } else if BETWEEN_COMMANDS.contains(&character) && !is_redirected {
            words.extend(start.take().map(|start| start..at));
            words.push(at..at + 1);
        } else if character.is_whitespace() {
            words.extend(start.take().map(|start| start..at));
        } else {
            start.get_or_insert(at);
            quote = matches!(character, '"' | '\'').then_some(character);
        }
    }
    words.extend(start.map(|start| start..text.len()));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(text: &str) -> Vec<&str> {
        in_script(text)
            .into_iter()
            .map(|secret| &text[secret])
            .collect()
    }

    #[test]
    fn passwords_of_known_programs_are_found() {
        for (text, secrets) in [
            ("mysql -u root -pX db", vec!["X"]),
            ("mysql -p db", vec![]),
            ("/usr/bin/mysqldump -p'a b' db", vec!["'a b'"]),
            ("mysqldump '-pa b' db", vec!["a b"]),
            ("\"mysql\" -pX", vec!["X"]),
            ("mysql -u root \\\n  -pX db", vec!["X"]),
            ("mysql -p\"a\\\"b c\" db", vec!["\"a\\\"b c\""]),
            ("mysql -pa\\ b db", vec!["a\\ b"]),
            ("mysql 2>&1 -pX db", vec!["X"]),
            ("N=$(mysql -pX -e y)", vec!["X"]),
            ("N=`mysql -pX`; (mysql -pY)", vec!["X", "Y"]),
            ("# don't\nmysql -pX # it's", vec!["X"]),
            (
                "ssh h \"mysql -pX\"; su x -c 'mysqldump -pY'",
                vec!["X", "Y"],
            ),
            ("zip -r a.zip /var/lib/mysql -P X", vec!["X"]),
            ("redis-cli -h mongo -a X", vec!["X"]),
            ("mysql -h zip -pab/mysql", vec!["ab/mysql"]),
            ("sshpass -p X ssh host -p 22", vec!["X"]),
            ("sshpass -p -X ssh host", vec!["-X"]),
            ("sshpass -pX ssh host", vec!["X"]),
            ("sshpass -vpX ssh -p 22 host", vec!["X"]),
            ("sshpass -P prompt -p X ssh host", vec!["X"]),
            ("sshpass -e scp -p FILE host:", vec![]),
            ("sshpass -f FILE ssh -p 22 host", vec![]),
            ("sshpass -f FILE mysql -pX", vec!["X"]),
            ("mysql -NBpX -e 'select 1'", vec!["X"]),
            ("mysql -NBe 'select 1' -pX", vec!["X"]),
            ("mysql -uapp db", vec![]),
            ("mysqldump -qp db", vec![]),
            ("ldapsearch -LLLxw X -b dc=a", vec!["X"]),
            ("ldapsearch -xwX", vec!["X"]),
            ("unzip -oqP X a.zip", vec!["X"]),
            ("zip -9rPX a.zip a", vec!["X"]),
            ("sudo redis-cli -h host -a \"X Y\" ping", vec!["X Y"]),
            ("ldapsearch -x -w X -b dc=a", vec!["X"]),
            ("mongosh -p --host a", vec![]),
            ("mysql -pX; ssh -p 22 host", vec!["X"]),
            ("ssh -p 22 host", vec![]),
            ("docker run --name mongo -p 27017:27017 mongo", vec![]),
            ("zip -P X a.zip a", vec!["X"]),
            ("grep -a 'x y' file", vec![]),
            ("redis-cli -a", vec![]),
            ("\\", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(hidden(text), secrets, "{text}");
        }
    }
}
