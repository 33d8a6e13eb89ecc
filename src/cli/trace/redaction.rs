//! Values and arguments that may be secrets are not shown: those of secret names, and what stands behind such a name,
//! or within a URL, in any text.

use crate::trace::secret_names::{is_secret, may_name_a_host};
use crate::trace::secret_options;
use std::ops::Range;

/// What stands in a secret's place.
pub const HIDDEN: &str = "(hidden)";

/// Words that have a secret behind them, without any sign between (RFC 7235, netrc(5)).
const BEFORE: [&str; 5] = ["Basic", "Bearer", "bearer", "password", "passwd"];

/// Options whose value is `user:password` (curl(1) and its like).
const USERS: [&str; 4] = ["-u", "-U", "--user", "--proxy-user"];

/// What the signs between a name and its value are made of: `=`, `:`, `=>`, `:=`, `==`, `+=`, `?=`, `||=`, `!=`.
const IN_SIGNS: [char; 7] = ['=', ':', '>', '+', '?', '|', '!'];

/// A variable's value as it may be shown.
pub fn shown(name: &str, value: &str) -> String {
    if is_secret(name, value) {
        return HIDDEN.into();
    }
    text(value)
}

/// A command line as it may be shown. The first argument is the program.
pub fn arguments(arguments: &[String]) -> Vec<String> {
    let mut before = "";
    let mut options = secret_options::Words::default();
    // Whether a sign stands behind the argument before, as in `password: x` and `password = x`.
    let mut is_assigned = false;
    let shown = arguments.iter().map(|argument| {
        if let Some(secret) = options.next(argument) {
            return replaced(argument, &[secret]);
        }
        if !argument.is_empty() && argument.trim_start_matches(IN_SIGNS).is_empty() {
            is_assigned = true;
            return argument.clone();
        }
        let shown = match behind(before, argument) {
            _ if is_assigned && is_secret(before, argument) => HIDDEN.into(),
            Some(secret) => replaced(argument, &[secret]),
            None => text(argument),
        };
        is_assigned = argument.ends_with(':');
        before = argument.trim_end_matches(':');
        shown
    });
    shown.collect()
}

/// A text without the secrets in it.
pub fn text(text: &str) -> String {
    if text.contains("PRIVATE KEY-----") {
        return HIDDEN.into();
    }
    let mut secrets = in_addresses(text);
    secrets.extend(Scanner::new(text).secrets());
    secrets.extend(secret_options::in_script(text));
    secrets.sort_by_key(|secret| secret.start);
    let mut merged: Vec<Range<usize>> = Vec::new();
    for secret in secrets {
        match merged.last_mut() {
            Some(last) if secret.start <= last.end => last.end = last.end.max(secret.end),
            _ => merged.push(secret),
        }
    }
    replaced(text, &merged)
}

/// A text with something else in the place of these parts, which are in order.
fn replaced(text: &str, parts: &[Range<usize>]) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut end = 0;
    for part in parts {
        shown += &text[end..part.start];
        shown += HIDDEN;
        end = part.end;
    }
    shown + &text[end..]
}

/// The part of a word that is secret because of the word before.
fn behind(before: &str, word: &str) -> Option<Range<usize>> {
    if USERS.contains(&before) {
        return password_of_user(word);
    }
    let name = before.trim_start_matches('-');
    let is_option = name.len() < before.len() && name.len() > 1 && !word.starts_with("--");
    let is_name = is_option && !name.contains(['=', ':']) && is_secret(name, word);
    (is_name || (BEFORE.contains(&before) && !word.is_empty())).then_some(0..word.len())
}

/// The password of `user:password`; `1000:1000` has none.
fn password_of_user(word: &str) -> Option<Range<usize>> {
    let colon = word.find(':')?;
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (user, password) = (&word[..colon], &word[colon + 1..]);
    (!(is_number(user) && is_number(password))).then_some(colon + 1..word.len())
}

/// What stands before the host in addresses: `scheme://user:password@host` (RFC 3986, 3.2.1), in any number of them;
/// also `user:password@host` without a scheme.
fn in_addresses(text: &str) -> Vec<Range<usize>> {
    let ends = |character: char| character.is_whitespace() || "\"'`<>".contains(character);
    let mut found = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = text[start..].find(ends).map_or(text.len(), |at| start + at);
        in_word(&text[start..end], start, &mut found);
        let separator = text[end..].chars().next().map_or(1, char::len_utf8);
        start = end + separator;
    }
    found
}

fn in_word(word: &str, start: usize, found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(colon) = word[at..].find("://").map(|colon| at + colon) {
        let begin = colon + 3;
        let rest = &word[begin..];
        let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        // A password that is not encoded may have such a character in it: then no port stands before it.
        let is_port = |text: &str| text.bytes().next().is_none_or(|byte| byte.is_ascii_digit());
        let has_port = rest[..authority]
            .split_once(':')
            .is_none_or(|(_, port)| is_port(port));
        let is_whole = has_port || rest[..authority].contains('@') || rest.starts_with('[');
        // An address behind this one begins with a scheme.
        let next = rest.find("://").unwrap_or(rest.len());
        let end = if is_whole { authority } else { next };
        let userinfo = rest[..end].rfind('@').unwrap_or(0);
        let is_git = word[..colon].ends_with("ssh") && !rest[..userinfo].contains(':');
        if userinfo > 0 && !is_git {
            found.push(start + begin..start + begin + userinfo);
        }
        at = begin + userinfo;
    }
    if at == 0 {
        found.extend(without_scheme(word).map(|part| start + part.start..start + part.end));
    }
}

/// The password of `user:password@host`, or of Oracle's `thin:user/password@host`.
fn without_scheme(word: &str) -> Option<Range<usize>> {
    let at = word.rfind('@')?;
    let (before, host) = (&word[..at], &word[at + 1..]);
    let begin = if before.contains("oracle:") {
        before.find('/')? + 1
    } else {
        before.find(':')? + 1
    };
    // An image's digest, and an address for letters.
    let is_other = host.starts_with("sha256:") || before.starts_with("mailto:") || host.is_empty();
    (begin < at && !is_other && !before[begin..].contains('/')).then_some(begin..at)
}

/// Finds values behind secret names: `name=value`, `name: value`, `"name":"value"`, `--name value`.
struct Scanner<'t> {
    text: &'t str,
    /// Where it is.
    at: usize,
    /// The quote that is open there.
    quote: Option<u8>,
}

impl<'t> Scanner<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            quote: None,
        }
    }

    fn secrets(mut self) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            let secret = match byte {
                b'=' | b':' => self.assigned(),
                b'>' => self.element(),
                byte if byte.is_ascii_whitespace() => self.behind_a_word(),
                _ => None,
            };
            if matches!(byte, b'"' | b'\'') {
                self.quote = match self.quote {
                    Some(open) if open == *byte => None,
                    None => Some(*byte),
                    open => open,
                };
            }
            self.at += 1;
            if let Some(secret) = secret.filter(|secret| !secret.is_empty()) {
                // A quote before the value is open, or the value's own.
                let skipped = &bytes[self.at.min(secret.start)..secret.start];
                if let Some(own) = skipped.iter().find(|byte| matches!(byte, b'"' | b'\'')) {
                    self.quote = Some(*own);
                }
                self.at = secret.end;
                found.push(secret);
            }
        }
        found
    }

    /// The word behind a blank, where the word before it asks for that.
    fn behind_a_word(&self) -> Option<Range<usize>> {
        let is_end = |character: char| character.is_whitespace() || "\"'`".contains(character);
        let before = self.text[..self.at].rsplit(is_end).next()?;
        if before.is_empty() {
            return None;
        }
        let rest = &self.text[self.at..];
        let word = rest.trim_start();
        let start = self.at + rest.len() - word.len();
        let opened = word
            .bytes()
            .next()
            .filter(|byte| matches!(byte, b'"' | b'\''));
        if let Some(quote) = opened {
            let inside = start + 1..self.quoted(start + 1, quote);
            let secret = behind(before, &self.text[inside.clone()])?;
            return Some(inside.start + secret.start..inside.start + secret.end);
        }
        let word = &word[..word.find(is_end).unwrap_or(word.len())];
        // A sign is not the value.
        let signs = &word[..word.len() - word.trim_start_matches(IN_SIGNS).len()];
        if let Some(sign) = signs.find('=').or_else(|| signs.find(':')) {
            let at = start + sign;
            let assigned = Self { at, ..*self }.assigned();
            if assigned.is_some() {
                return assigned;
            }
        }
        behind(before, word).map(|secret| start + secret.start..start + secret.end)
    }

    /// The value behind a `=` or `:`, where the name before it is secret.
    fn assigned(&self) -> Option<Range<usize>> {
        let bytes = self.text.as_bytes();
        let sign = bytes[self.at];
        let before = &self.text[..self.at];
        let before = if sign == b'=' {
            before.trim_end_matches(IN_SIGNS)
        } else {
            before
        };
        let has_blank_before = before.ends_with(char::is_whitespace);
        let before = before.trim_end();
        let closed = before.trim_end_matches(['"', '\'', '\\']);
        let name = &closed[closed.trim_end_matches(is_in_name).len()..];
        let around = &closed[..closed.len() - name.len()];
        let is_quoted = closed.len() < before.len();
        let rest = &self.text[self.at + 1..];
        if sign == b':' && rest.starts_with('=') {
            return None;
        }
        let rest = if sign == b'=' {
            rest.trim_start_matches(['=', '>'])
        } else {
            rest
        };
        let value = rest.trim_start_matches([' ', '\t']);
        let start = self.text.len() - value.len();
        // Lists of paths, schemes, ports and C++ names have colons in them as well, without a blank.
        let is_tight = !is_quoted && !has_blank_before && rest.len() == value.len();
        let is_port = || digits_to_end(value) && may_name_a_host(name);
        let is_value = || !value.starts_with(['/', ':']) && !is_port();
        let is_other = || is_tight && !is_value() || around.ends_with('/') && !has_blank_before;
        if sign == b':' && is_other() {
            return None;
        }
        if USERS.contains(&name) && sign == b'=' {
            let end = self.unquoted(start, around);
            let secret = password_of_user(&self.text[start..end])?;
            return Some(start + secret.start..end);
        }
        let is_pair = || name.eq_ignore_ascii_case("value") && !value.is_empty();
        let paired = || paired_name(around).is_some_and(|name| is_secret(name, value));
        if !(is_secret(name, value) || is_pair() && paired()) {
            return None;
        }
        let is_header = sign == b':' && start > self.at + 1 && !is_quoted;
        Some(self.value(start, is_header, around))
    }

    /// The text of an element of XML with a secret name.
    fn element(&self) -> Option<Range<usize>> {
        let before = &self.text[..self.at];
        let around = before.trim_end_matches(is_in_name);
        let start = self.at + 1;
        if !(around.ends_with('<') && is_secret(&before[around.len()..], "x")) {
            return None;
        }
        self.text[start..]
            .find("</")
            .map(|length| start..start + length)
    }

    /// The value that begins at `start`. That of a `header: value` goes to the end of the line.
    fn value(&self, start: usize, is_header: bool, around: &str) -> Range<usize> {
        let bytes = self.text.as_bytes();
        let quote = |at: usize| {
            bytes
                .get(at)
                .copied()
                .filter(|byte| matches!(byte, b'"' | b'\''))
        };
        if let Some(own) = quote(start) {
            return start + 1..self.to_end_of_word(self.quoted(start + 1, own), 1);
        }
        if bytes.get(start) == Some(&b'\\') && quote(start + 1).is_some() {
            let (escaped, rest) = self.text[start..].split_at(2);
            let end = rest.find(escaped).unwrap_or(rest.len());
            return start + 2..start + 2 + end;
        }
        if matches!(bytes.get(start), Some(b'{' | b'[')) {
            return start..self.to_end_of_word(self.bracketed(start), 0);
        }
        if let Some(open) = self.quote {
            return start..self.quoted(start, open);
        }
        if is_header {
            let end = self.text[start..].find('\n');
            return start..end.map_or(self.text.len(), |end| start + end);
        }
        start..self.unquoted(start, around)
    }

    /// The end of a value without quotes: a blank, or a sign with another name behind it.
    fn unquoted(&self, start: usize, around: &str) -> usize {
        let rest = &self.text[start..];
        // Within `Name=value;Name=value` a value may have blanks.
        let is_listed = around.trim_end().ends_with(';');
        let end = if is_listed {
            rest.find(';')
        } else {
            // `Bearer` and `name:` are not the whole value.
            let goes_on = |end: &usize| {
                let word = rest[..*end].to_ascii_lowercase();
                ["basic", "bearer", ":"]
                    .iter()
                    .any(|last| word.ends_with(last))
            };
            let blanks = rest.match_indices(char::is_whitespace);
            blanks.map(|(end, _)| end).find(|end| !goes_on(end))
        };
        let end = end.map_or(self.text.len(), |end| start + end);
        end.min(next_name(self.text, start).unwrap_or(end))
    }

    /// Where a quote closes that was opened before `start`.
    fn quoted(&self, start: usize, quote: u8) -> usize {
        let bytes = self.text.as_bytes();
        let mut at = start;
        while at < bytes.len() && bytes[at] != quote {
            at += if bytes[at] == b'\\' && quote == b'"' {
                2
            } else {
                1
            };
        }
        // Behind a backslash may be half a character.
        (at..=bytes.len())
            .find(|at| self.text.is_char_boundary(*at))
            .unwrap_or(bytes.len())
    }

    /// `end`, or the end of the word where it goes on `length` bytes behind, as shells take it.
    fn to_end_of_word(&self, end: usize, length: usize) -> usize {
        let rest = self.text.get(end + length..).unwrap_or_default();
        let is_more =
            |character: char| character.is_alphanumeric() || "\"'\\$_@".contains(character);
        if !rest.starts_with(is_more) {
            return end;
        }
        let blank = rest.find(char::is_whitespace);
        blank.map_or(self.text.len(), |blank| end + length + blank)
    }

    /// The end of a list or an object of JSON.
    fn bracketed(&self, start: usize) -> usize {
        let mut depth = 0;
        for (at, byte) in self.text.bytes().enumerate().skip(start) {
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at + 1;
            }
        }
        self.text.len()
    }
}

/// Whether a name may have this character.
fn is_in_name(character: char) -> bool {
    character.is_alphanumeric() || "_.-".contains(character)
}

/// The name in front of a `value` that has it beside itself: `"name":"DB_PASSWORD","value":"x"`.
fn paired_name(before: &str) -> Option<&str> {
    let is_between = |character: char| character.is_whitespace() || "\"'\\,".contains(character);
    let before = before.trim_end_matches(is_between);
    let around = before.trim_end_matches(is_in_name);
    let sign = around.trim_end_matches(is_between);
    let label = sign.strip_suffix([':', '='])?.trim_end_matches(is_between);
    let label = label[label.trim_end_matches(is_in_name).len()..].to_ascii_lowercase();
    ["key", "name"]
        .contains(&label.as_str())
        .then(|| &before[around.len()..])
}

/// Whether a text begins with a number that ends where a word does.
fn digits_to_end(text: &str) -> bool {
    let rest = text.trim_start_matches(|character: char| character.is_ascii_digit());
    let is_end = |character: char| character.is_whitespace() || "/,;\"'".contains(character);
    rest.len() < text.len() && (rest.is_empty() || rest.starts_with(is_end))
}

/// Where, behind `start`, a sign stands that has `name=` or `"name":` behind it.
fn next_name(text: &str, start: usize) -> Option<usize> {
    let mut signs = text[start..].match_indices([',', ';', '&']);
    let begins_name = |(at, _): &(usize, &str)| {
        let rest = text[start + at + 1..].trim_start();
        let name = rest.trim_start_matches(['"', '\'', '\\']);
        let behind = name.trim_start_matches(is_in_name);
        let sign = behind.trim_start_matches(['"', '\'', '\\', ' ']);
        let value = sign.strip_prefix(['=', ':']).unwrap_or_default();
        // Base64 ends in such signs.
        let is_end = value.is_empty() || value.starts_with(['=', '\n']) || sign.starts_with("= ");
        behind.len() < name.len() && !is_end
    };
    signs.find(begins_name).map(|(at, _)| start + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts with `X` for every secret, and secrets that are harder to find than a word.
    const TEXTS: [(&str, &[&str]); 92] = [
        (
            "-Dotel.exporter.otlp.headers=X -Xmx1g",
            &["a,b&hunter2==", "p@hunter2/x"],
        ),
        (
            "-Dotel.exporter.otlp.headers=X,other=1",
            &["a,b&hunter2==", "p@hunter2/x"],
        ),
        ("-Ddb.passwd=X -Dfile=/a", &["a,b&hunter2==", "p@hunter2/x"]),
        ("-Dpassword='X' -Da=b", &["a hunter2", "a,b;c=hunter2"]),
        ("'-Dpassword=X' -Da=b", &["a,b&hunter2==", "p@hunter2/x"]),
        ("\"-Dpassword=X\" -Da=b", &["a hunter2", "a,b;c=hunter2"]),
        ("http://X@proxy:1/x", &["me:hunter2", "me:p/#hunter2"]),
        ("https://X@github.com/a", &["me:hunter2"]),
        ("https://host/a@b:c", &[]),
        ("http://[::1]:80/x@y", &[]),
        ("mongodb://X@h1,mongodb://X@h2/db", &["me:hunter2"]),
        ("mongodb://X@h1:1,h2:2/db?authSource=admin", &["me:hunter2"]),
        ("postgres://X@host/db", &["me:hunter2"]),
        ("ssh://git@github.com/a", &[]),
        ("git@github.com:a/b.git", &[]),
        ("me:X@tcp(db:3306)/shop", &["hunter.2"]),
        ("image:1.2@sha256:abcdef", &[]),
        ("jdbc:oracle:thin:scott/X@host:1521/svc", &["hunter.2"]),
        (
            "jdbc:mysql://db/shop?user=x&password=X&useSSL=true",
            &["a,b&hunter2==", "p@hunter2/x"],
        ),
        (
            "jdbc:sqlserver://db:1433;user=sa;password=X;encrypt=true",
            &["a,b&hunter2=="],
        ),
        (
            "Server=db;User Id=sa;Password=X;Encrypt=true",
            &["a,b&hunter2==", "p@hunter2/x"],
        ),
        (
            "Server=db; Pwd=X; Encrypt=true",
            &["my hunter2", "a,hunter2"],
        ),
        (
            "AccountName=a;AccountKey=X;EndpointSuffix=core",
            &["a,b&hunter2==", "p@hunter2/x"],
        ),
        (
            "service.name=shop,api.key=X,deployment.environment=prod",
            &["a,b&hunter2==", "p@hunter2/x"],
        ),
        ("service.name=shop,author=me,team.compass=x", &[]),
        (
            "{\"user\":\"a\",\"password\":\"X\",\"port\":1}",
            &["a hunter2", "a,b;c=hunter2"],
        ),
        (
            "{ \"password\" : \"X\", \"a\": 1 }",
            &["a hunter2", "a,b;c=hunter2"],
        ),
        ("{\\\"password\\\":\\\"X\\\",\\\"a\\\":1}", &[]),
        ("{\"pin\":X,\"port\":1}", &["1234", "[\"a\",{\"b\":1}]"]),
        ("{\"tokens\":X,\"port\":1}", &["1234", "[\"a\",{\"b\":1}]"]),
        (
            "{'api_key': 'X', 'a': 'b'}",
            &["a hunter2", "a,b;c=hunter2"],
        ),
        ("Authorization: X", &["Bearer hunter2"]),
        (
            "curl -H \"Authorization: X\" http://host",
            &["Bearer hunter2"],
        ),
        ("curl -H 'X-Api-Key: X' http://host", &["Bearer hunter2"]),
        ("curl -u me:X http://host", &[]),
        ("curl --user=me:X http://host", &[]),
        ("docker run -u 1000:1000 image", &[]),
        (
            "--header=X --port=1",
            &[
                "Authorization=Basic hunter2",
                "Authorization: Bearer hunter2",
            ],
        ),
        ("deploy --token X --port 80", &[]),
        ("deploy -password X", &[]),
        (
            "deploy --token 'X' --port 80",
            &["a hunter2", "a,b;c=hunter2"],
        ),
        ("deploy --auth --port 80", &[]),
        ("Bearer X", &[]),
        ("machine host login me password X", &[]),
        (
            "--upstream=http://c?api_key=X",
            &["a,b&hunter2==", "p@hunter2/x"],
        ),
        ("export GITHUB_PAT=X", &["a,b&hunter2==", "p@hunter2/x"]),
        ("TOKEN=X ./run", &["a,b&hunter2==", "p@hunter2/x"]),
        ("env A=1 DB_PASS=X cmd", &["a,b&hunter2==", "p@hunter2/x"]),
        ("password: X\nport: 1", &["Bearer hunter2"]),
        (
            "host=db user=me password='X'",
            &["a hunter2", "a,b;c=hunter2"],
        ),
        ("PATH=/opt/key:/usr/bin PWD=/root", &[]),
        ("password = X", &["/a+hunter2==", "1234"]),
        ("password =X", &["/a+hunter2==", "1234"]),
        ("passwd : X", &["/a+hunter2==", "1234"]),
        ("passwd :X", &["/a+hunter2==", "1234"]),
        ("password => X", &["/a+hunter2==", "1234"]),
        ("password := X", &["/a+hunter2==", "1234"]),
        ("password == X", &["/a+hunter2==", "1234"]),
        ("password += X", &["/a+hunter2==", "1234"]),
        ("password != X", &["/a+hunter2==", "1234"]),
        ("API_KEY ?= X", &["/a+hunter2==", "1234"]),
        ("API_KEY ||= X", &["/a+hunter2==", "1234"]),
        ("api_key => X", &["/a+hunter2==", "1234"]),
        ("TOKEN+=X TOKEN:=X", &["/a+hunter2==", "1234"]),
        ("password	= X", &["/a+hunter2==", "1234"]),
        ("password   =   X", &["/a+hunter2==", "1234"]),
        ("password = 'X' b", &["a hunter2", "= hunter2"]),
        ("password 'X' b", &["= hunter2"]),
        ("--token = X", &["/a+hunter2==", "1234"]),
        ("--token : X", &["/a+hunter2==", "1234"]),
        ("-u = me:X", &["/a+hunter2==", "1234"]),
        ("bearer = X", &["/a+hunter2==", "1234"]),
        ("set password = X", &["/a+hunter2==", "1234"]),
        (
            "[db]
password = X
b = 1",
            &["/a+hunter2==", "1234"],
        ),
        (
            "password =
b = 1",
            &[],
        ),
        ("secret: X", &["/a+hunter2==", "::1", "1234"]),
        ("X-Api-Key: X", &["/a+hunter2==", "1234"]),
        ("PASSWORD:X", &["12345"]),
        ("pin:X db-pass:X b", &["1234"]),
        (
            "{\"name\":\"DB_PASSWORD\",\"value\":\"X\"},{\"name\":\"A\",\"value\":\"b\"}",
            &["a hunter2", "/a+hunter2=="],
        ),
        ("[{ 'Name': 'api-key', 'Value': 'X' }]", &["a hunter2"]),
        ("- name: DB_PASSWORD\n  value: X\n- name: a", &["a hunter2"]),
        (
            "<property name=\"db.password\" value=\"X\"/>",
            &["a hunter2"],
        ),
        ("{\"name\":\"a\",\"value\":\"b\"}", &[]),
        (
            "<a><password>X</password><user>me</user></a>",
            &["a hunter2"],
        ),
        ("usage: mysql --x <password> a b", &[]),
        ("--max-http-header-size=1 --key-file=/a --require b", &[]),
        ("lib/key:other http://auth:8080/x auth:8080", &[]),
        ("std::pass::x --keyboard=de --author me", &[]),
        ("//registry.npmjs.org/:_authToken=X", &["a,b&hunter2=="]),
        (
            "https://s3/a?X-Amz-Signature=X&part=1",
            &["a,b&hunter2==", "p@hunter2/x"],
        ),
        (
            "sh -c 'run --password \"X\" --x'",
            &["a hunter2", "a,b;c=hunter2"],
        ),
    ];

    /// A text with something in the place of each `X` that stands alone.
    fn with(text: &str, secret: &str) -> String {
        let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '-');
        let mut filled = String::new();
        for (index, character) in text.char_indices() {
            let before = text[..index].chars().next_back();
            let after = text[index + 1..].chars().next();
            if character == 'X' && !is_part(before) && !is_part(after) {
                filled += secret;
            } else {
                filled.push(character);
            }
        }
        filled
    }

    #[test]
    fn secrets_are_hidden_within_texts_and_the_rest_stays() {
        for (text, secrets) in TEXTS {
            for secret in [&["hunter2"], secrets].concat() {
                let given = with(text, secret);
                assert_eq!(super::text(&given), with(text, HIDDEN), "{given}");
            }
        }
    }

    #[test]
    fn a_key_that_tells_of_a_secret_hides_the_value_beside_it() {
        assert_eq!(
            text("<add key=\"Password\" value=\"x\"/>"),
            "<add key=\"(hidden)\" value=\"(hidden)\"/>"
        );
    }

    #[test]
    fn values_are_hidden_by_their_names() {
        for (name, value, expected) in [
            ("AWS_SECRET_ACCESS_KEY", "x", HIDDEN),
            ("DB_PASSWORD", "", ""),
            ("HOME", "/root", "/root"),
            ("PWD", "/root", "/root"),
            ("MYSQL_PWD", "/root", HIDDEN),
            ("TLS", "-----BEGIN RSA PRIVATE KEY-----\nx", HIDDEN),
        ] {
            assert_eq!(shown(name, value), expected, "{name}");
        }
    }

    #[test]
    fn arguments_are_hidden_behind_options() {
        let line = |line: &str| line.split('|').map(str::to_owned).collect::<Vec<_>>();
        for (given, expected) in [
            ("./c|--password=hunter2", "./c|--password=(hidden)"),
            (
                "./c|--token|a b|--port|80",
                "./c|--token|(hidden)|--port|80",
            ),
            (
                "curl|-u|me:a b|-H|Authorization: Bearer x|http://h",
                "curl|-u|me:(hidden)|-H|Authorization: (hidden)|http://h",
            ),
            (
                "sh|-c|mysql --password=x -h db",
                "sh|-c|mysql --password=(hidden) -h db",
            ),
            ("./c|--no-auth|--port|80|", "./c|--no-auth|--port|80|"),
            ("sh|-c|token", "sh|-c|token"),
            ("mysql|-u|me|-pa b|db", "mysql|-u|me|-p(hidden)|db"),
            (
                "sudo|sshpass|-p|a b|ssh|h",
                "sudo|sshpass|-p|(hidden)|ssh|h",
            ),
            (
                "sh|-c|redis-cli -a 'a b' ping",
                "sh|-c|redis-cli -a '(hidden)' ping",
            ),
            ("ssh|-p|22|h", "ssh|-p|22|h"),
            ("./c|--token|=|x|a", "./c|--token|=|(hidden)|a"),
            ("./c|--token|=x|a", "./c|--token|(hidden)|a"),
            ("./c|password|:=|x|a", "./c|password|:=|(hidden)|a"),
            ("./c|api_key|=>|/x|a", "./c|api_key|=>|(hidden)|a"),
            ("echo|password:|x|a", "echo|password:|(hidden)|a"),
            ("env|TOKEN=|./c|a", "env|TOKEN=|./c|a"),
            ("./c|a|=|b|=", "./c|a|=|b|="),
        ] {
            assert_eq!(arguments(&line(given)), line(expected));
        }
    }

    #[test]
    fn any_text_may_be_looked_at() {
        let parts = [
            "password", "=", ":", "\"", "'", "\\", " ", "é", "{", "@", "://", ";", "a", "-u",
            "--token",
        ];
        for one in parts {
            for two in parts {
                for three in parts {
                    for four in parts {
                        text(&[one, two, three, four, "é"].concat());
                    }
                }
            }
        }
    }
}
