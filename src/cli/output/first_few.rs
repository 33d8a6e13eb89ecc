//! Long lists in few words.

/// How many are told.
const SHOWN: usize = 3;

/// The first few of some texts, and how many there are besides: `a, b, c and 4 more`. `more` is the word for those.
pub fn first_few(texts: impl IntoIterator<Item = String>, more: &str) -> String {
    let mut texts = texts.into_iter();
    let shown: Vec<_> = texts.by_ref().take(SHOWN).collect();
    let shown = shown.join(", ");
    match texts.count() {
        0 => shown,
        others => format!("{shown} and {others} {more}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_is_counted() {
        let told = |count: u32| first_few((1..=count).map(|number| number.to_string()), "more");
        assert_eq!(told(0), "");
        assert_eq!(told(3), "1, 2, 3");
        assert_eq!(told(5), "1, 2, 3 and 2 more");
    }
}
