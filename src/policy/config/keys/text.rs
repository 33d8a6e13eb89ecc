//! The text of a configuration: parsed into a table, with places.

use super::{ConfigurationError, ConfigurationErrorKind};
use alloc::string::{String, ToString};
use core::ops::Range;
use toml::Spanned;
use toml::de::DeTable;
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

/// The text as a table, or what keeps it from being one.
pub fn parse(text: &str) -> Result<Spanned<DeTable<'_>>, ConfigurationError> {
    let problem = |span, kind| {
        let key = String::new();
        ConfigurationError { span, key, kind }
    };
    if let Some(span) = too_deep(text) {
        return Err(problem(span, ConfigurationErrorKind::TooDeep));
    }
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

/// The first token that goes deeper than [`DEEPEST`].
fn too_deep(text: &str) -> Option<Range<usize>> {
    // Brackets that are open, and the dots of the key before each of them.
    let (mut depth, mut dots) = (0, [0; DEEPEST + 1]);
    for token in Source::new(text).lex() {
        match token.kind() {
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
            return Some(token.span().start()..token.span().end());
        }
    }
    None
}

/// The line and column (both from 1, the column in characters) of a byte of the text.
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.get(line_start..).unwrap_or_default();
    // A byte order mark is no character that anybody sees.
    let column = line.trim_start_matches('\u{feff}').chars().count();
    (before.matches('\n').count() + 1, column + 1)
}
