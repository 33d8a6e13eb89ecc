//! How the names of a table begin: a fast look that comes before the look through the table, for what
//! every program on a machine is compared with.

/// The pairs of first letters in tables of names. A name in the tables always fits. Others may fit too, because
/// only five bits of each letter are compared, and because each word of a text counts as a name.
pub struct Beginnings([u32; 32]);

impl Beginnings {
    /// Those of no names.
    pub const fn none() -> Self {
        Self([0; 32])
    }

    /// Adds each word of a text. Fails to compile if one of its first two letters is a wildcard, or if it is
    /// a path.
    pub const fn add(&mut self, text: &str) {
        let text = text.as_bytes();
        let mut at = 0;
        while at < text.len() {
            let [first, second] = [letter(text, at), letter(text, at + 1)];
            assert!(text[at] != b'/', "a path");
            if first != 0 && (at == 0 || letter(text, at - 1) == 0) {
                assert!(!is_wildcard(first) && !is_wildcard(second), "a wildcard");
                self.0[five_bits(first)] |= 1 << five_bits(second);
            }
            at += 1;
        }
    }

    /// Whether a word may begin as this name does.
    pub fn may_have(&self, name: &[u8]) -> bool {
        let place = |at| five_bits(name.get(at).copied().unwrap_or_default());
        let seconds = self.0.get(place(0)).copied().unwrap_or_default();
        seconds >> place(1) & 1 != 0
    }
}

/// The letter at a place in a text; 0 for white space and behind the end.
const fn letter(text: &[u8], at: usize) -> u8 {
    if at >= text.len() || text[at].is_ascii_whitespace() {
        return 0;
    }
    text[at]
}

const fn is_wildcard(letter: u8) -> bool {
    matches!(letter, b'*' | b'?')
}

const fn five_bits(letter: u8) -> usize {
    (letter & 31) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_from_others_by_two_letters() {
        let mut beginnings = Beginnings::none();
        beginnings.add("gdb vim\nR");
        for name in ["gdb", "vim", "R", "vi", "gd"] {
            assert!(beginnings.may_have(name.as_bytes()), "{name}");
        }
        for name in ["", "g", "bash", "Rscript", "dg"] {
            assert!(!beginnings.may_have(name.as_bytes()), "{name}");
        }
    }
}
