//! The matcher of patterns, beside one that tries everything.

use super::fields::Fields;
use opentelemetry_injector_policy::matching::glob;

/// Looks at a pattern and a text.
///
/// # Panics
/// Where the two matchers differ.
pub fn look_at(input: &[u8]) {
    let mut fields = Fields::of(input);
    let (pattern, text) = (fields.bytes(), fields.bytes());
    assert_eq!(glob::matches(pattern, text), reference(pattern, text));
    let name = text.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let whole = if pattern.contains(&b'/') { text } else { name };
    assert_eq!(glob::matches_path(pattern, text), reference(pattern, whole));
}

/// By what every beginning of the pattern matches: one row of answers, a column for each beginning
/// of the text.
fn reference(pattern: &[u8], text: &[u8]) -> bool {
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for expected in pattern {
        let mut next = vec![false; text.len() + 1];
        next[0] = row[0] && *expected == b'*';
        for (index, byte) in text.iter().enumerate() {
            next[index + 1] = match expected {
                b'*' => row[index + 1] || next[index],
                b'?' => row[index],
                expected => row[index] && expected == byte,
            };
        }
        row = next;
    }
    row[text.len()]
}
