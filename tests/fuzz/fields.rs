//! An input as a few texts: what stands between NUL bytes, which no value, path or argument holds.

/// The texts of one input, in their order; empty where the input has no more.
pub struct Fields<'i>(std::slice::Split<'i, u8, fn(&u8) -> bool>);

impl<'i> Fields<'i> {
    /// Those of an input.
    pub fn of(input: &'i [u8]) -> Self {
        Self(input.split(|byte| *byte == 0))
    }

    /// The next one.
    pub fn bytes(&mut self) -> &'i [u8] {
        self.0.next().unwrap_or_default()
    }

    /// The next one as text; what is not UTF-8 is replaced.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    /// The next one as a list, split at byte 1.
    pub fn list(&mut self) -> Vec<Vec<u8>> {
        let items = self.bytes().split(|byte| *byte == 1);
        items.map(<[u8]>::to_vec).collect()
    }
}
