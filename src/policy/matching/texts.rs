//! Tables of names, each table one text.
//!
//! An array of strings is an array of pointers. The loader relocates each of them in every process of the
//! machine, and copies the pages that they are on. A text needs neither. So what would be an array is a
//! text of words here, and what would be an array of pairs is a text of rows.

/// The words of a text, between white space.
pub fn words(text: &str) -> impl Iterator<Item = &str> + Clone {
    text.split_ascii_whitespace()
}

/// The one of a text's words that `word` is.
pub fn find<'t>(text: &'t str, word: &[u8]) -> Option<&'t str> {
    words(text).find(|known| known.as_bytes() == word)
}

/// Whether `word` is one of a text's words.
pub fn has(text: &str, word: &[u8]) -> bool {
    find(text, word).is_some()
}

/// The rows of a text, one a line: what stands before the first colon, and what stands behind it.
pub fn rows(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.split_once(':')?;
        Some((key.trim_ascii(), value.trim_ascii()))
    })
}

/// The key of the first row with a word that `is_wanted`.
pub fn key(text: &str, is_wanted: impl Fn(&[u8]) -> bool) -> Option<&str> {
    let mut rows = rows(text);
    let row = rows.find(|(_, value)| words(value).any(|word| is_wanted(word.as_bytes())));
    row.map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn rows_and_words_are_found() {
        const TABLE: &str = "
            Some Vendor: one two \
                three
            Other: four
        ";
        let all: Vec<_> = rows(TABLE).collect();
        assert_eq!(all, [("Some Vendor", "one two three"), ("Other", "four")]);
        assert_eq!(key(TABLE, |word| word == b"three"), Some("Some Vendor"));
        assert_eq!(key(TABLE, |word| word == b"five"), None);
        assert!(has("one two", b"two"));
        assert!(!has("one two", b"one two"));
        assert!(!has("one two", b""));
    }
}
