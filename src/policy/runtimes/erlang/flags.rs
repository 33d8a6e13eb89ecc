//! Flags in `ERL_AFLAGS` and its relatives, split and quoted as Erlang's launcher reads them.
//!
//! Source: `build_args_from_string` in OTP's `erlexec.c`: flags are separated by blanks, `"…"` and
//! `'…'` quote (also inside a flag, and without escapes), outside of quotes a backslash takes the
//! next character as it is. A quote without its partner ends with the value.

use crate::Reason;
use alloc::vec::Vec;

/// Splits a value into its flags, quotes removed.
///
/// # Errors
/// [`Reason::UnmatchedQuote`]: the launcher takes it, but its user meant something else.
pub fn split(value: &[u8]) -> Result<Vec<Vec<u8>>, Reason> {
    let mut flags = Vec::new();
    let mut flag: Option<Vec<u8>> = None;
    let mut bytes = value.iter().copied();
    while let Some(byte) = bytes.next() {
        if is_blank(byte) {
            flags.extend(flag.take());
            continue;
        }
        let flag = flag.get_or_insert_default();
        match byte {
            b'\\' => flag.extend(bytes.next()),
            b'"' | b'\'' => loop {
                match bytes.next() {
                    None => return Err(Reason::UnmatchedQuote),
                    Some(quoted) if quoted == byte => break,
                    Some(quoted) => flag.push(quoted),
                }
            },
            _ => flag.push(byte),
        }
    }
    flags.extend(flag);
    Ok(flags)
}

/// Appends one flag, and the blank behind it, so that [`split`] reads it back.
pub fn push(value: &mut Vec<u8>, flag: &[u8]) {
    value.push(b'\'');
    for byte in flag {
        match byte {
            b'\'' => value.extend(b"'\\''"),
            _ => value.push(*byte),
        }
    }
    value.extend(b"' ");
}

/// The blanks of `erlexec.c`: C's isspace(3) in the "C" locale.
fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_erlexec_does() {
        let flags = split(b"  +P 1 -a=\"x y\"'z\\w'\t\\\"b\\ c '' d\\").unwrap();
        let wanted: [&[u8]; 6] = [b"+P", b"1", b"-a=x yz\\w", b"\"b c", b"", b"d"];
        assert_eq!(flags, wanted);
        assert_eq!(split(b""), Ok(Vec::new()));
        for value in [&b"'"[..], b"-a \"x", b"\"x' y"] {
            assert_eq!(split(value), Err(Reason::UnmatchedQuote));
        }
    }

    #[test]
    fn what_is_pushed_is_read_back() {
        let flags: [&[u8]; 5] = [b"-a", b"", b"a b", b"it's \\ \"it\"", b"'"];
        let mut value = Vec::new();
        for flag in flags {
            push(&mut value, flag);
        }
        assert_eq!(split(&value).unwrap(), flags);
    }
}
