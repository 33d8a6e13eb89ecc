//! The options in `JAVA_TOOL_OPTIONS` and its relatives, split and quoted as HotSpot reads them.
//!
//! Source: `Arguments::parse_options_buffer` in HotSpot's `arguments.cpp`: options are separated
//! by blanks, `"…"` and `'…'` quote (also inside an option), nothing escapes, and a quote without
//! its partner stops the JVM.

use crate::Reason;
use alloc::vec::Vec;

/// Splits a value into its options, quotes removed.
///
/// # Errors
/// [`Reason::UnmatchedQuote`].
pub fn split(value: &[u8]) -> Result<Vec<Vec<u8>>, Reason> {
    let mut options = Vec::new();
    let mut option: Option<Vec<u8>> = None;
    let mut bytes = value.iter().copied();
    while let Some(byte) = bytes.next() {
        if is_blank(byte) {
            options.extend(option.take());
            continue;
        }
        let option = option.get_or_insert_default();
        if byte != b'"' && byte != b'\'' {
            option.push(byte);
            continue;
        }
        loop {
            match bytes.next() {
                None => return Err(Reason::UnmatchedQuote),
                Some(quoted) if quoted == byte => break,
                Some(quoted) => option.push(quoted),
            }
        }
    }
    options.extend(option);
    Ok(options)
}

/// Writes one option so that [`split`] reads it back.
pub fn quote(option: &[u8]) -> Vec<u8> {
    let needs_quotes = |byte: &u8| is_blank(*byte) || b"\"'".contains(byte);
    if !option.is_empty() && !option.iter().any(needs_quotes) {
        return option.to_vec();
    }
    let mut quoted = Vec::new();
    let mut rest = option;
    // Each stretch goes into the quotes that it does not contain.
    loop {
        let double = rest.iter().position(|byte| *byte == b'"');
        let single = rest.iter().position(|byte| *byte == b'\'');
        let (mark, end) = match (double, single) {
            (None, _) => (b'"', rest.len()),
            (_, None) => (b'\'', rest.len()),
            (Some(double), Some(single)) if double < single => (b'\'', single),
            (Some(double), Some(_)) => (b'"', double),
        };
        let (stretch, after) = rest.split_at(end);
        quoted.push(mark);
        quoted.extend(stretch);
        quoted.push(mark);
        rest = after;
        if rest.is_empty() {
            return quoted;
        }
    }
}

/// C's isspace(3) in the "C" locale.
fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_hotspot_does() {
        let options = split(b"  -Da=1 -Db=\"x y\"'z w'\t-Dc=\\n \"\" ").unwrap();
        let expected: [&[u8]; 4] = [b"-Da=1", b"-Db=x yz w", b"-Dc=\\n", b""];
        assert_eq!(options, expected);
        assert_eq!(split(b""), Ok(Vec::new()));
    }

    #[test]
    fn an_unmatched_quote_is_an_error() {
        for value in [&b"\""[..], b"-Da='x", b"-Da=\"x' y"] {
            assert_eq!(split(value), Err(Reason::UnmatchedQuote));
        }
    }

    #[test]
    fn what_is_quoted_is_read_back() {
        for option in [
            &b"-Da=1"[..],
            b"",
            b"a b",
            b"it's",
            b"\"",
            b"'\"'\" '",
            b"say \"it's\"\n",
        ] {
            assert_eq!(split(&quote(option)).unwrap(), [option.to_vec()]);
        }
    }
}
