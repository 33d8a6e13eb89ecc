//! Programs with a short option that has a secret behind it.

use opentelemetry_injector_policy::matching::texts;
use opentelemetry_injector_policy::process::file_name;
use std::ops::Range;

/// Programs, their option, and whether the secret may be the next word (else only the rest of this one).
const OPTIONS: [(&str, &str, bool); 5] = [
    (
        "7z 7za mariadb mariadb-admin mariadb-check mariadb-dump mariadb-import mariadb-show mysql mysqladmin \
         mysqlcheck mysqldump mysqlimport mysqlshow mysqlslap",
        "-p",
        false,
    ),
    ("mongo mongodump mongorestore mongosh sshpass", "-p", true),
    ("redis-cli valkey-cli", "-a", true),
    (
        "ldapadd ldapdelete ldapmodify ldappasswd ldapsearch ldapwhoami",
        "-w",
        true,
    ),
    ("bcp sqlcmd unzip zip", "-P", true),
];

/// What ends a command for a shell.
const BETWEEN_COMMANDS: [char; 4] = [';', '|', '&', '\n'];

/// The words of a command line, one after the other.
#[derive(Default)]
pub struct Words {
    /// The option of the program that was named last.
    option: Option<(&'static str, bool)>,
    is_next: bool,
}

impl Words {
    /// The part of the next word that is secret.
    pub fn next(&mut self, word: &str) -> Option<Range<usize>> {
        let is_expected = core::mem::take(&mut self.is_next);
        if is_expected && !word.starts_with('-') {
            return (!word.is_empty()).then_some(0..word.len());
        }
        let name = str::from_utf8(file_name(word.as_bytes())).unwrap_or_default();
        let of_program = |(names, option, is_next)| {
            let mut names = texts::words(names);
            names.any(|one| one == name).then_some((option, is_next))
        };
        if let Some(option) = OPTIONS.into_iter().find_map(of_program) {
            self.option = Some(option);
            return None;
        }
        let (option, may_be_next) = self.option?;
        let rest = word.strip_prefix(option)?;
        self.is_next = rest.is_empty() && may_be_next;
        (!rest.is_empty()).then_some(option.len()..word.len())
    }
}

/// The secrets in a script.
pub fn in_script(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut words = Words::default();
    for word in shell_words(text) {
        if text[word.clone()].starts_with(BETWEEN_COMMANDS) {
            words = Words::default();
        } else if let Some(secret) = words.next(&text[word.clone()]) {
            found.push(word.start + secret.start..word.start + secret.end);
        }
    }
    found
}

/// The words that a shell would see: what is between quotes is in a word, and what is between commands is one.
fn shell_words(text: &str) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut quote = None;
    let mut start = None;
    for (at, character) in text.char_indices() {
        if quote.is_none() && character.is_whitespace() && character != '\n' {
            words.extend(start.take().map(|start| start..at));
            continue;
        }
        if quote.is_none() && BETWEEN_COMMANDS.contains(&character) {
            words.extend(start.take().map(|start| start..at));
            words.push(at..at + 1);
            continue;
        }
        start.get_or_insert(at);
        if quote == Some(character) {
            quote = None;
        } else if quote.is_none() && matches!(character, '"' | '\'') {
            quote = Some(character);
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
            ("sshpass -p X ssh host -p 22", vec!["X", "22"]),
            ("sshpass -pX ssh host", vec!["X"]),
            ("sudo redis-cli -h host -a \"X Y\" ping", vec!["\"X Y\""]),
            ("ldapsearch -x -w X -b dc=a", vec!["X"]),
            ("mongosh -p --host a", vec![]),
            ("mysql -pX; ssh -p 22 host", vec!["X"]),
            ("ssh -p 22 host", vec![]),
            ("zip -P X a.zip a", vec!["X"]),
            ("grep -a 'x y' file", vec![]),
            ("redis-cli -a", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(hidden(text), secrets, "{text}");
        }
    }
}
