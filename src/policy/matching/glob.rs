//! Patterns on executables and arguments.
//!
//! `*` stands for any number of bytes (also `/`), `?` for one, everything else for itself. The
//! matcher goes back to the last `*` only, so its worst case is pattern length × text length.

use crate::process::file_name;

/// Whether the whole of `text` matches `pattern`.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on after a mismatch: behind the last star, one byte further in the text.
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                retry = Some((p, t));
            }
            Some(&expected) if expected == b'?' || expected == byte => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    p = star;
                    t = from + 1;
                    retry = Some((star, t));
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|byte| *byte == b'*')
}

/// Whether a path matches: a pattern without `/` is held against the file name alone.
pub fn matches_path(pattern: &[u8], path: &[u8]) -> bool {
    let text = if pattern.contains(&b'/') {
        path
    } else {
        file_name(path)
    };
    matches(pattern, text)
}

/// What stands beside the first pattern that matches a path.
pub fn find(table: &[(&str, &'static str)], path: &[u8]) -> Option<&'static str> {
    let mut rows = table.iter();
    let row = rows.find(|(pattern, _)| matches_path(pattern.as_bytes(), path));
    row.map(|(_, found)| *found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        assert!(matches(b"/usr/bin/*", b"/usr/bin/java"));
        assert!(matches(b"*", b""));
        assert!(matches(b"a?c*", b"abc"));
        assert!(matches(b"*.jar*x", b"a.jar.jarx"));
        assert!(!matches(b"/usr/bin/*", b"/usr/sbin/java"));
        assert!(!matches(b"a?c", b"ac"));
        assert!(!matches(b"", b"a"));
    }

    #[test]
    fn a_pattern_without_a_slash_means_the_file_name() {
        assert!(matches_path(b"java*", b"/usr/lib/jvm/bin/java17"));
        assert!(!matches_path(b"lib*", b"/usr/lib/jvm/bin/java"));
        assert!(matches_path(b"*/jvm/*", b"/usr/lib/jvm/bin/java"));
    }

    #[test]
    fn many_stars_stay_cheap() {
        let text = [b'a'; 4096];
        let pattern = b"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b";
        assert!(!matches(pattern, &text));
    }
}
