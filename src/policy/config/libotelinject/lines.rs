//! The lines of libotelinject.so's files: `injector.conf`, `conf.d/*.conf`, `default_env.conf`.
//!
//! A line is `key=value`. What follows a `#` is a comment wherever it stands. Quotes around the whole
//! value are removed. A line of 8,192 bytes or more is ignored (its `config.zig`, `parseLine`,
//! `unquoteValue` and `max_line_length`, August 2026).

use alloc::string::String;

/// A line of at least this length, in bytes without its end, is ignored.
const TOO_LONG: usize = 8192;

/// A line that says something.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'t> {
    /// From 1.
    pub number: usize,
    /// What it says.
    pub content: Content<'t>,
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub enum Content<'t> {
    /// A key and its value without quotes.
    Setting(&'t str, String),
    /// No `=`: the other injector ignores it.
    Malformed(&'t str),
    /// Longer than the other injector reads.
    TooLong,
}

/// The lines of a text that are neither empty nor comments.
pub fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.split('\n').enumerate().filter_map(|(index, whole)| {
        let line = whole.split('#').next().unwrap_or(whole).trim();
        let content = match line.split_once('=') {
            _ if whole.len() >= TOO_LONG => Content::TooLong,
            _ if line.is_empty() => return None,
            None => Content::Malformed(line),
            Some((key, value)) => Content::Setting(key.trim(), unquoted(value.trim())),
        };
        let number = index + 1;
        Some(Line { number, content })
    })
}

/// The items of a list.
pub fn items(value: &str) -> impl Iterator<Item = &str> {
    let items = value.split(',').map(str::trim);
    items.filter(|item| !item.is_empty())
}

fn unquoted(value: &str) -> String {
    let within = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    match (within('\''), within('"')) {
        (Some(inner), _) => inner.into(),
        (_, Some(inner)) => unescaped(inner),
        _ => value.into(),
    }
}

/// Between double quotes a backslash takes the meaning of these characters away, as in a shell.
fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped = characters.next_if(|next| character == '\\' && "\"\\$`".contains(*next));
        plain.push(escaped.unwrap_or(character));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn lines_are_settings_comments_or_neither() {
        let text = "# a\n\n a = b=c # d\r\nnothing\n=\nlast=1";
        let told: Vec<_> = lines(text)
            .map(|line| (line.number, line.content))
            .collect();
        let setting = |key, value: &str| Content::Setting(key, value.into());
        let wanted = [
            (3, setting("a", "b=c")),
            (4, Content::Malformed("nothing")),
            (5, setting("", "")),
            (6, setting("last", "1")),
        ];
        assert_eq!(told, wanted);
    }

    #[test]
    fn a_line_that_is_too_long_is_ignored_and_the_next_one_is_read() {
        let text = ["a=".into(), "x".repeat(TOO_LONG), "\nb=1".into()].concat();
        let contents: Vec<_> = lines(&text).map(|line| line.content).collect();
        assert_eq!(
            contents,
            [Content::TooLong, Content::Setting("b", "1".into())]
        );
        let text = ["a=".into(), "x".repeat(TOO_LONG - 3)].concat();
        assert!(matches!(
            lines(&text).next().unwrap().content,
            Content::Setting("a", _)
        ));
    }

    #[test]
    fn quotes_around_the_whole_value_are_removed() {
        for (value, plain) in [
            ("'a \\$ b'", "a \\$ b"),
            (r#""a \"b\" \$c \\ \d""#, r#"a "b" $c \ \d"#),
            ("\"a", "\"a"),
            ("\"", "\""),
            ("a'b'", "a'b'"),
            ("''", ""),
        ] {
            assert_eq!(unquoted(value), plain, "{value}");
        }
    }

    #[test]
    fn lists_have_no_empty_items() {
        assert_eq!(items(" a ,,b,").collect::<Vec<_>>(), ["a", "b"]);
    }
}
