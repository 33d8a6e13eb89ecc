//! Programs with a short option that has a secret behind it.

use opentelemetry_injector_policy::matching::texts;
use opentelemetry_injector_policy::process::file_name;
use std::ops::Range;

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
const OPTIONS: [(&str, &str, Place); 6] = [
    (
        "7z 7za 7zr 7zz mariadb mariadb-admin mariadb-binlog mariadb-check mariadb-dump mariadb-import mariadb-show \
         mariadb-slap mysql mysqladmin mysqlbinlog mysqlcheck mysqldump mysqlimport mysqlpump mysqlsh mysqlshow \
         mysqlslap",
        "-p",
        Place::Rest,
    ),
    (
        "mongo mongodump mongoexport mongofiles mongoimport mongorestore mongosh mongostat mongotop",
        "-p",
        Place::RestOrNext,
    ),
    ("sshpass", "-p", Place::RestOrAnyNext),
    ("redis-cli valkey-cli", "-a", Place::RestOrAnyNext),
    (
        "ldapadd ldapdelete ldapmodify ldappasswd ldapsearch ldapwhoami",
        "-w",
        Place::RestOrAnyNext,
    ),
    ("bcp sqlcmd unzip zip", "-P", Place::RestOrAnyNext),
];

/// What stands between commands, for a shell.
const BETWEEN_COMMANDS: [char; 7] = [';', '|', '&', '\n', '(', ')', '`'];

/// How many scripts within scripts are looked into.
const DEPTH: usize = 4;

/// The words of a command line, one after the other.
#[derive(Default)]
pub struct Words {
    /// The options of the programs that were named. Each is given once.
    options: Vec<(&'static str, Place)>,
    /// What the word before makes of this one.
    expected: Option<Place>,
}

impl Words {
    /// The part of the next word that is secret.
    pub fn next(&mut self, word: &str) -> Option<Range<usize>> {
        let expected = self.expected.take();
        let is_option = word.starts_with('-');
        if expected.is_some_and(|place| place == Place::RestOrAnyNext || !is_option) {
            return (!word.is_empty() && !is_ports(word)).then_some(0..word.len());
        }
        let given = |(option, _): &(&str, Place)| word.starts_with(option);
        if let Some(index) = self.options.iter().position(given) {
            let (option, place) = self.options[index];
            if word.len() > option.len() {
                self.options.swap_remove(index);
                return Some(option.len()..word.len());
            }
            if place != Place::Rest {
                self.options.swap_remove(index);
                self.expected = Some(place);
            }
            return None;
        }
        let name = str::from_utf8(file_name(word.as_bytes())).unwrap_or_default();
        for (names, option, place) in OPTIONS {
            let is_new = !self.options.contains(&(option, place));
            if is_new && texts::words(names).any(|one| one == name) {
                self.options.push((option, place));
            }
        }
        None
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
