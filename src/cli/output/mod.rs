//! What every subcommand prints its data by: colours where a person looks, JSON for machines, and
//! nothing said of a reader who has seen enough.

pub mod first_few;
pub mod names;
pub mod shell_word;

use crate::complain;
use serde_json::Value;
use std::env;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::iter;
use std::os::fd::AsFd;
use unicode_width::UnicodeWidthStr;

/// Whether text is coloured.
#[derive(Clone, Copy)]
pub struct Style {
    coloured: bool,
}

impl Style {
    /// Coloured where stdout is a terminal that can show it and NO_COLOR (no-color.org) is not set.
    pub fn of_stdout() -> Self {
        Self::of(io::stdout().is_terminal())
    }

    /// The same for stderr.
    pub fn of_stderr() -> Self {
        Self::of(io::stderr().is_terminal())
    }

    /// Without colours.
    pub const fn plain() -> Self {
        Self { coloured: false }
    }

    fn of(is_terminal: bool) -> Self {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_none_or(|value| value == "dumb");
        Self {
            coloured: is_terminal && !is_set("NO_COLOR") && !is_dumb,
        }
    }

    /// What is as it should be.
    pub fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    /// What is wrong, or keeps something from happening.
    pub fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    /// What should be looked at.
    pub fn warning(self, text: &str) -> String {
        self.with("33", text)
    }

    /// What is read first.
    pub fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    /// What may be left unread.
    pub fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    /// SGR sequences (ECMA-48, 8.3.117).
    fn with(self, codes: &str, text: &str) -> String {
        if self.coloured {
            format!("\x1b[{codes}m{text}\x1b[0m")
        } else {
            text.into()
        }
    }
}

/// Writes to stdout. A reader who has seen enough (`| head`) is no error; any other failure is told
/// on stderr.
///
/// # Errors
/// The output is not complete; it has been told.
pub fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(&format_args!("stdout: {error}"));
            Err(error)
        }
        _ => Ok(()),
    }
}

/// Writes a JSON text of several lines to stdout.
///
/// # Errors
/// As [`print`].
pub fn print_json(value: &Value) -> io::Result<()> {
    print(&format!("{value:#}\n"))
}

/// How many columns stdout's terminal has; `None` where it is none.
pub fn terminal_width() -> Option<usize> {
    width_of(io::stdout())
}

/// The same of stderr's.
pub fn stderr_width() -> Option<usize> {
    width_of(io::stderr())
}

fn width_of(terminal: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    (size.ws_col > 0).then_some(size.ws_col.into())
}

/// Text from elsewhere as it can be shown: of known width, and without a say over the terminal.
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => printable.push_str("    "),
            control if control.is_control() => printable.push(char::REPLACEMENT_CHARACTER),
            other => printable.push(other),
        }
    }
    printable
}

/// Rows in columns as wide as they need to be. The last column is cut where a terminal ends.
///
/// `styled` dresses a cell, by its column and its text, after the widths are known.
pub fn table(
    rows: &[Vec<String>],
    width: Option<usize>,
    styled: impl Fn(usize, &str) -> String,
) -> String {
    const GAP: usize = 2;
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let widths: Vec<usize> = (0..columns)
        .map(|column| cells(column).map(|cell| cell.width()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut used = 0;
        for (column, cell) in row.iter().enumerate() {
            if column + 1 < row.len() {
                let padding = widths[column] - cell.width() + GAP;
                text.push_str(&styled(column, cell));
                text.extend(iter::repeat_n(' ', padding));
                used += widths[column] + GAP;
            } else {
                let left = width.map_or(usize::MAX, |width| width.saturating_sub(used));
                text.push_str(&styled(column, &cut(cell, left)));
            }
        }
        text.push('\n');
    }
    text
}

/// Text whose further lines begin at `indent`, where its first one goes on; broken at blanks.
pub fn wrap(text: &str, indent: usize, width: usize) -> String {
    let mut wrapped = String::new();
    let mut used = indent;
    for (index, word) in text.split(' ').enumerate() {
        if index > 0 && used + 1 + word.width() > width {
            wrapped.push('\n');
            wrapped.extend(iter::repeat_n(' ', indent));
            used = indent;
        } else if index > 0 {
            wrapped.push(' ');
            used += 1;
        }
        wrapped.push_str(word);
        used += word.width();
    }
    wrapped
}

/// As much of a text as `width` columns take; what is cut ends in `…`.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.into();
    }
    let ends = text.char_indices().map(|(index, _)| index);
    let fitting = ends.take_while(|end| text[..*end].width() < width.max(1));
    format!("{}…", &text[..fitting.last().unwrap_or(0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_the_last_is_cut() {
        let rows = [["a", "bb", "long text"], ["ccc", "ä", "x"]];
        let rows = rows.map(|row| row.map(String::from).to_vec());
        let plain = |_: usize, cell: &str| cell.to_owned();
        assert_eq!(
            table(&rows, None, plain),
            "a    bb  long text\nccc  ä   x\n"
        );
        assert_eq!(table(&rows, Some(13), plain), "a    bb  lon…\nccc  ä   x\n");
        let marked = |column: usize, cell: &str| format!("{column}{cell}");
        assert_eq!(table(&rows[1..], None, marked), "0ccc  1ä  2x\n");
    }

    #[test]
    fn long_text_goes_on_below_its_beginning() {
        assert_eq!(wrap("one two three", 2, 9), "one two\n  three");
        assert_eq!(
            wrap("one verylongword two", 2, 9),
            "one\n  verylongword\n  two"
        );
        assert_eq!(wrap("", 2, 9), "");
    }

    #[test]
    fn wide_characters_are_not_cut_in_two() {
        assert_eq!(cut("名前", 4), "名前");
        assert_eq!(cut("名前", 3), "名…");
        assert_eq!(cut("名前", 2), "…");
        assert_eq!(cut("abc", 0), "…");
    }

    #[test]
    fn plain_text_has_no_colours() {
        assert_eq!(Style { coloured: false }.bad("x"), "x");
        assert_eq!(Style { coloured: true }.good("x"), "\x1b[32mx\x1b[0m");
    }
}
