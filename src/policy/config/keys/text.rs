//! The text of a configuration: parsed into a table, with places.

use super::{ConfigurationError, ConfigurationErrorKind};
use alloc::string::{String, ToString};
use core::ops::Range;
use toml::Spanned;
use toml::de::DeTable;
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

/// The text as a table, or what keeps it from being one. `words` are those of the texts before it; this
/// one's are added.
pub fn parse<'t>(
    text: &'t str,
    words: &mut Words,
) -> Result<Spanned<DeTable<'t>>, ConfigurationError> {
    let problem = |span, kind| {
        let key = String::new();
        ConfigurationError { span, key, kind }
    };
    bounded(text, words).map_err(|(span, kind)| problem(span, kind))?;
    DeTable::parse(text).map_err(|error| {
        let message = error.message().to_string();
        problem(
            error.span().unwrap_or(0..0),
            ConfigurationErrorKind::Syntax(message),
        )
    })
}

/// How deep a header or a line may go, by brackets and by dots in keys. The parser, the reader and
/// the tree's destructor go as deep on the stack, which is the host's.
pub const DEEPEST: usize = 16;

/// How many words and signs (blanks, line ends, comments and escapes among them) all texts together may
/// have, where a bracket, a brace or a dot counts for [`TABLE`] of them. It holds the time and the memory
/// of a start down, whatever the texts are: about 8,000 settings.
pub const MOST: usize = 50_000;

/// What a table costs, by the memory of its first key.
pub const TABLE: usize = 10;

/// What a file costs, by the system calls that read it.
pub const EACH_FILE: usize = 50;

/// How many bytes of a setting's or an attribute's value cost as much as a word: all of them may have 400 kB.
pub const VALUE_BYTES: usize = 8;

/// How many bytes cost as much as a word: a text of 1 MiB takes two thirds of [`MOST`].
pub const BYTES: usize = 32;

/// How many words and signs the texts have that were read so far.
#[derive(Debug, Default)]
pub struct Words(usize);

impl Words {
    /// Counts some more; false where they are more than [`MOST`] now.
    pub fn add(&mut self, more: usize) -> bool {
        self.0 += more;
        self.0 <= MOST
    }
}

/// Refuses the first token that goes deeper than [`DEEPEST`] or beyond [`MOST`].
fn bounded(text: &str, words: &mut Words) -> Result<(), (Range<usize>, ConfigurationErrorKind)> {
    // Brackets that are open, and the dots of the key before each of them.
    let (mut depth, mut dots) = (0, [0; DEEPEST + 1]);
    words.add(EACH_FILE + text.len() / BYTES);
    for token in Source::new(text).lex() {
        let span = token.span().start()..token.span().end();
        let kind = token.kind();
        let is_bearable = words.add(match kind {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket | TokenKind::Dot => TABLE,
            TokenKind::BasicString | TokenKind::MlBasicString | TokenKind::MlLiteralString => {
                1 + parts(text.get(span.clone()).unwrap_or_default())
            }
            _ => 1,
        });
        if !is_bearable {
            return Err((span, ConfigurationErrorKind::TooMany));
        }
        match kind {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => {
                depth += 1;
                if let Some(dots) = dots.get_mut(depth) {
                    *dots = 0;
                }
            }
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                depth = depth.saturating_sub(1);
                continue;
            }
            TokenKind::Dot => dots[depth] += 1,
            TokenKind::Comma | TokenKind::Newline => dots[depth] = 0,
            _ => continue,
        }
        if depth + dots.iter().take(depth + 1).sum::<usize>() > DEEPEST {
            return Err((span, ConfigurationErrorKind::TooDeep));
        }
    }
    Ok(())
}

/// The parts that a string is put together of: lines and escapes.
fn parts(string: &str) -> usize {
    let ends = |byte: &u8| *byte == b'\\' || *byte == b'\n';
    string.bytes().filter(ends).count()
}

/// The line and column (both from 1, the column in characters) of a byte of the text.
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.get(line_start..).unwrap_or_default();
    // A byte order mark is no character that anybody sees.
    let column = line.trim_start_matches('\u{feff}').chars().count();
    (line_ends(before) + 1, column + 1)
}

/// How many lines end in a text.
pub fn line_ends(text: &str) -> usize {
    text.matches('\n').count()
}
