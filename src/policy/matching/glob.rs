//! Patterns on executables and arguments.
//!
//! `*` stands for any number of bytes (also `/`), `?` for one, everything else for itself. The
//! matcher goes back to the last `*` only, so its worst case is pattern length × text length.

use crate::Reason;
use crate::process::file_name;
use core::cell::Cell;

/// How many steps the patterns of one decision may take, some milliseconds: thousands of patterns on a long
/// command line take more.
const MOST_STEPS: usize = 3_000_000;

/// What is left of the steps that one decision may take.
pub struct Effort(Cell<usize>);

impl Default for Effort {
    fn default() -> Self {
        Self(Cell::new(MOST_STEPS))
    }
}

impl Effort {
    /// [`matches`]; nothing matches where no step is left.
    pub fn matches(&self, pattern: &[u8], text: &[u8]) -> bool {
        let mut left = self.0.get().saturating_sub(1);
        let does = matches_within(pattern, text, &mut left);
        self.0.set(left);
        does
    }

    /// [`matches_path`], likewise.
    pub fn matches_path(&self, pattern: &[u8], path: &[u8]) -> bool {
        self.matches(pattern, part_of_path(pattern, path))
    }

    /// Takes steps for other work of this many bytes.
    pub fn take(&self, bytes: usize) {
        self.0.set(self.0.get().saturating_sub(bytes / STEP));
    }

    /// What has matched so far is true, and what has not is not there.
    ///
    /// # Errors
    /// There was more to compare than a start has time for.
    pub fn was_enough(&self) -> Result<(), Reason> {
        if self.0.get() == 0 {
            Err(Reason::TooMuchToCompare)
        } else {
            Ok(())
        }
    }
}

/// How many bytes are passed over in the time of a step.
const STEP: usize = 8;

/// Whether the whole of `text` matches `pattern`.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    matches_within(pattern, text, &mut { usize::MAX })
}

fn matches_within(pattern: &[u8], text: &[u8], left: &mut usize) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on after a mismatch: behind the last star, one byte further in the text.
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(t) {
        *left = left.saturating_sub(1);
        if *left == 0 {
            return false;
        }
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
                    // On to the next byte that what follows the star may begin with.
                    if let Some(first) = pattern.get(p).filter(|first| !b"*?".contains(first)) {
                        let rest = text.get(t..).unwrap_or_default();
                        let skipped = rest.iter().position(|byte| byte == first);
                        let skipped = skipped.unwrap_or(rest.len());
                        *left = left.saturating_sub(skipped / STEP);
                        t += skipped;
                    }
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
    matches(pattern, part_of_path(pattern, path))
}

fn part_of_path<'p>(pattern: &[u8], path: &'p [u8]) -> &'p [u8] {
    if pattern.contains(&b'/') {
        path
    } else {
        file_name(path)
    }
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
