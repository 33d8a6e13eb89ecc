//! Strings at the top level of a JSON object, read without building a tree: for `package.json` and
//! similar files, whose content is untrusted.
//!
//! One pass over the bytes, no recursion. Where the text stops being JSON, what was found before counts.

use alloc::vec::Vec;

/// The values of the first members of these names, where they are strings without escapes other than
/// the short ones (RFC 8259, section 7).
pub fn texts<const N: usize>(content: &[u8], names: [&str; N]) -> [Option<Vec<u8>>; N] {
    let mut found = [const { None }; N];
    let mut scanner = Scanner { rest: content };
    let mut depth = 0_usize;
    // The name before a colon, at the top.
    let mut member: Option<Vec<u8>> = None;
    let mut is_value = false;
    while let Some(token) = scanner.next() {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::Text(text) if depth == 1 && !is_value => member = text,
            Token::Text(text) if depth == 1 => {
                let index = names
                    .iter()
                    .position(|name| member.as_deref() == Some(name.as_bytes()));
                if let Some(place) = index.and_then(|index| found.get_mut(index))
                    && place.is_none()
                {
                    *place = text;
                }
            }
            Token::Text(_) => continue,
            Token::Colon if depth == 1 => is_value = true,
            Token::Comma if depth == 1 => is_value = false,
            Token::Colon | Token::Comma => continue,
        }
        if depth == 0 || found.iter().all(Option::is_some) {
            break;
        }
    }
    found
}

enum Token {
    Open,
    Close,
    Colon,
    Comma,
    /// A string; `None` where it has an escape that is not read.
    Text(Option<Vec<u8>>),
}

struct Scanner<'c> {
    rest: &'c [u8],
}

impl Scanner<'_> {
    /// The next token; numbers, literals and white space are passed over.
    fn next(&mut self) -> Option<Token> {
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            return Some(match byte {
                b'{' | b'[' => Token::Open,
                b'}' | b']' => Token::Close,
                b':' => Token::Colon,
                b',' => Token::Comma,
                b'"' => Token::Text(self.text()?),
                _ => continue,
            });
        }
    }

    /// The rest of a string; `None` where it does not end.
    fn text(&mut self) -> Option<Option<Vec<u8>>> {
        let mut text = Vec::new();
        let mut is_read = true;
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            match byte {
                b'"' => return Some(is_read.then_some(text)),
                b'\\' => {
                    let (escaped, rest) = self.rest.split_first()?;
                    self.rest = rest;
                    is_read &= b"\"\\/".contains(escaped);
                    text.push(*escaped);
                }
                byte => text.push(*byte),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn read(content: &str) -> (String, String) {
        let text = |value: Option<Vec<u8>>| {
            let value = value.unwrap_or_else(|| b"(none)".to_vec());
            String::from_utf8(value).unwrap()
        };
        let [name, version] = texts(content.as_bytes(), ["name", "version"]);
        (text(name), text(version))
    }

    #[test]
    fn the_members_at_the_top_are_found() {
        for (content, name, version) in [
            (r#"{"name":"shop","version":"1.2.3"}"#, "shop", "1.2.3"),
            (
                "\u{feff}{ \"version\" : \"1\" ,\n\"name\" : \"@a/b\" }",
                "@a/b",
                "1",
            ),
            (
                r#"{"author":{"name":"A"},"list":["name",{"name":"x"}],"name":"shop"}"#,
                "shop",
                "(none)",
            ),
            (r#"{"x":"name","name":"shop"}"#, "shop", "(none)"),
            (
                r#"{"x":"}\"{","name":"a\/b","name":"second"}"#,
                "a/b",
                "(none)",
            ),
            (r#"{"name":7,"version":null}"#, "(none)", "(none)"),
            (r#"{"name":{"x":"y"},"version":"2"}"#, "(none)", "2"),
            (r#"{"name":"\u0041"}"#, "(none)", "(none)"),
            (r#"{"name":"shop"#, "(none)", "(none)"),
            (r#"{}{"name":"shop"}"#, "(none)", "(none)"),
            (r#"["name","shop"]"#, "(none)", "(none)"),
            ("", "(none)", "(none)"),
            ("name: shop", "(none)", "(none)"),
        ] {
            assert_eq!(read(content), (name.into(), version.into()), "{content}");
        }
    }
}
