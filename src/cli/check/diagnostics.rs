//! How a problem is shown: where it is, the line itself, and what to do.

use crate::output::printable;
use opentelemetry_injector_policy::config::keys::line_and_column;
use opentelemetry_injector_policy::reason::Lossy;
use serde_json::{Value, json};
use std::fmt;
use std::ops::Range;
use unicode_width::UnicodeWidthStr;

/// One thing to tell of a file.
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The file.
    pub path: Vec<u8>,
    /// The place in the file, where there is one.
    pub excerpt: Option<Excerpt>,
    /// What it is.
    pub message: String,
    /// What helps to understand it, a line each.
    pub notes: Vec<String>,
    /// What to do.
    pub help: String,
}

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The file has to be changed.
    Problem,
    /// It may be meant so.
    Warning,
}

/// A line of a file with some of it underlined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    line: usize,
    column: usize,
    source: String,
    indent: usize,
    width: usize,
}

impl Excerpt {
    /// The line in which `span` (bytes of the text) begins. What goes on in further lines is
    /// underlined to the end of this one.
    pub fn new(text: &str, span: &Range<usize>) -> Self {
        let (line, column) = line_and_column(text, span.start);
        let source = text.lines().nth(line - 1).unwrap_or_default();
        let before: String = source.chars().take(column - 1).collect();
        let marked = text.get(span.clone()).unwrap_or_default();
        let marked = marked.lines().next().unwrap_or_default();
        Self {
            line,
            column,
            source: printable(source),
            indent: printable(&before).width(),
            // Where something is missing the place itself is marked.
            width: printable(marked).width().max(1),
        }
    }
}

impl Excerpt {
    /// The line and the column, both from 1.
    pub fn place(&self) -> (usize, usize) {
        (self.line, self.column)
    }
}

impl Diagnostic {
    /// The same for machines. Bytes that are not UTF-8 are replaced.
    pub fn json(&self) -> Value {
        let place = self.excerpt.as_ref();
        json!({
            "severity": match self.severity {
                Severity::Problem => "problem",
                Severity::Warning => "warning",
            },
            "path": Lossy(&self.path).to_string(),
            "line": place.map(|place| place.line),
            "column": place.map(|place| place.column),
            "message": self.message,
            "notes": self.notes,
            "help": self.help,
        })
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Lossy(&self.path))?;
        if let Some(Excerpt { line, column, .. }) = self.excerpt {
            write!(f, ":{line}:{column}")?;
        }
        let severity = match self.severity {
            Severity::Problem => "",
            Severity::Warning => "warning: ",
        };
        writeln!(f, ": {severity}{}", printable(&self.message))?;
        let mut gutter = 1;
        if let Some(excerpt) = &self.excerpt {
            write!(f, "{excerpt}")?;
            gutter = excerpt.gutter();
        }
        for note in &self.notes {
            writeln!(f, "{:gutter$} = {}", "", printable(note))?;
        }
        writeln!(f, "{:gutter$} = help: {}", "", printable(&self.help))
    }
}

impl Excerpt {
    fn gutter(&self) -> usize {
        self.line.to_string().len()
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gutter = self.gutter();
        let (indent, carets) = (" ".repeat(self.indent), "^".repeat(self.width));
        writeln!(f, "{:gutter$} |", "")?;
        writeln!(f, "{} | {}", self.line, self.source)?;
        writeln!(f, "{:gutter$} | {indent}{carets}", "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The excerpt of the first place that holds `marked`.
    fn excerpt(text: &str, marked: &str) -> String {
        let start = text.find(marked).unwrap();
        Excerpt::new(text, &(start..start + marked.len())).to_string()
    }

    #[test]
    fn carets_stand_under_what_is_meant() {
        assert_eq!(
            excerpt("a = 1\nb = 22 # x\n", "22"),
            "  |\n2 | b = 22 # x\n  |     ^^\n"
        );
    }

    #[test]
    fn characters_of_several_bytes_take_one_column() {
        assert_eq!(
            excerpt("'ä€' = 'ö'", "'ö'"),
            "  |\n1 | 'ä€' = 'ö'\n  |        ^^^\n"
        );
    }

    #[test]
    fn wide_characters_take_two_columns_and_combining_ones_none() {
        assert_eq!(
            excerpt("'名前' = '値'", "'値'"),
            "  |\n1 | '名前' = '値'\n  |          ^^^^\n"
        );
        assert_eq!(
            excerpt("'a\u{301}' = 1", "1"),
            "  |\n1 | 'a\u{301}' = 1\n  |       ^\n"
        );
    }

    #[test]
    fn tabs_are_shown_as_four_blanks_before_and_inside() {
        assert_eq!(
            excerpt("\ta =\t'x\ty'", "'x\ty'"),
            "  |\n1 |     a =    'x    y'\n  |            ^^^^^^^^\n"
        );
    }

    #[test]
    fn a_place_of_several_lines_is_marked_in_its_first() {
        assert_eq!(
            excerpt("a = [1,\n2]\n", "[1,\n2]"),
            "  |\n1 | a = [1,\n  |     ^^^\n"
        );
    }

    #[test]
    fn an_empty_place_gets_one_caret_even_at_the_end() {
        for text in ["a = ", "a = \n", "a = \r\n"] {
            assert_eq!(
                Excerpt::new(text, &(4..4)).to_string(),
                "  |\n1 | a = \n  |     ^\n"
            );
        }
        assert_eq!(Excerpt::new("", &(0..0)).to_string(), "  |\n1 | \n  | ^\n");
        assert_eq!(
            Excerpt::new("a\n", &(2..2)).to_string(),
            "  |\n2 | \n  | ^\n"
        );
    }

    #[test]
    fn the_gutter_is_as_wide_as_the_number() {
        let text = "\n".repeat(99) + "a = 1";
        assert_eq!(excerpt(&text, "1"), "    |\n100 | a = 1\n    |     ^\n");
    }

    #[test]
    fn a_file_cannot_command_the_terminal() {
        let diagnostic = Diagnostic {
            severity: Severity::Warning,
            path: b"/c".to_vec(),
            excerpt: Some(Excerpt::new("a = \u{1b}[31m", &(4..9))),
            message: "\u{1b}[1m".into(),
            notes: vec!["\u{7}".into()],
            help: "\n".into(),
        };
        assert_eq!(
            diagnostic.to_string(),
            "/c:1:5: warning: \u{fffd}[1m\n  |\n1 | a = \u{fffd}[31m\n  |     ^^^^^\n  \
             = \u{fffd}\n  = help: \u{fffd}\n"
        );
    }
}
