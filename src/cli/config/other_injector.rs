//! The files of the other OpenTelemetry injector (`libotelinject.so`): `injector.conf`, its
//! `conf.d/*.conf` and its `default_env.conf`, as far as a line tells.
//!
//! A line is `key=value`; what follows a `#` is a comment wherever it stands, and quotes around the
//! whole value are taken off (its README, "Activation and Configuration", and its tests of quotes).

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
    /// A key and its value, quotes taken off.
    Setting(&'t str, String),
    /// No `=`: the other injector ignores it.
    Malformed(&'t str),
}

/// The lines of a text that are neither empty nor comments.
pub fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.split('\n').enumerate().filter_map(|(index, line)| {
        let line = line.split('#').next().unwrap_or(line).trim();
        let content = match line.split_once('=') {
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
    fn quotes_around_the_whole_value_are_taken_off() {
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
