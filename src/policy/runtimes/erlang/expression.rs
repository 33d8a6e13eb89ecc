//! Whether an Erlang expression (`erl -eval`) ends the node.
//!
//! Only enough of the language is read to tell a program that does its work and halts from one that
//! halts where its start fails: what is called in some clauses alone does not end the node, what every
//! clause calls does. Source: Erlang's reference manual, "Expressions".

use alloc::vec::Vec;

/// Whether evaluating the expression ends the node whatever happens in it: `halt(0).`,
/// `main(), init:stop().`, `case check() of ok -> halt(0); _ -> halt(1) end.`
pub fn halts(expression: &[u8]) -> bool {
    let mut reader = Reader {
        frames: alloc::vec![Frame::new(Kind::Sequence)],
        text: expression,
    };
    let (mut older, mut before) = (Token::Other, Token::Other);
    while let Some(token) = reader.token() {
        if token == Token::Open && is_halting(older, before) {
            reader.top(Frame::halt);
        }
        match token {
            Token::Word(word) => reader.word(word),
            Token::Semicolon => reader.top(Frame::end_clause),
            Token::Arrow => reader.top(Frame::arrow),
            Token::Comma => reader.top(|frame| frame.conditional = false),
            _ => {}
        }
        // `Module:function` counts as one.
        (older, before) = match (before, token) {
            (Token::Word(module), Token::Colon) => (Token::Word(module), Token::Colon),
            (Token::Colon, function @ Token::Word(_)) => (older, function),
            (_, token) => (Token::Other, token),
        };
    }
    reader.frames.first().is_some_and(|frame| frame.this)
}

/// Whether a call of `function`, in `module` where it is a word, ends the node.
fn is_halting(module: Token<'_>, function: Token<'_>) -> bool {
    let Token::Word(function) = function else {
        return false;
    };
    match module {
        Token::Word(module) => matches!(
            (module, function),
            (b"erlang", b"halt") | (b"init", b"stop") | (b"c", b"q")
        ),
        _ => function == b"halt",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'t> {
    /// An atom, a keyword, a variable or a number.
    Word(&'t [u8]),
    Colon,
    Open,
    Comma,
    Semicolon,
    Arrow,
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Evaluated from its beginning to its end.
    Sequence,
    /// `case`, `if`, `receive`: one clause of several.
    Choice,
    /// `try`, up to `of` or `catch`, and from `after` on.
    Try,
    /// The clauses of a `try`.
    TryClauses,
    /// A `fun`: evaluated by nobody knows whom.
    Fun,
}

/// An expression with an `end`, or the whole.
struct Frame {
    kind: Kind,
    /// Whether the current clause halts.
    this: bool,
    /// Whether all clauses before it do.
    every: bool,
    /// Whether the current clause has its arrow: what stands before may have semicolons, too.
    has_arrow: bool,
    /// Whether what follows, up to the next comma, stands behind `andalso` or `orelse`.
    conditional: bool,
}

impl Frame {
    const fn new(kind: Kind) -> Self {
        Self {
            kind,
            this: false,
            every: true,
            has_arrow: false,
            conditional: false,
        }
    }

    fn halt(&mut self) {
        self.this |= !self.conditional && self.kind != Kind::TryClauses;
    }

    fn arrow(&mut self) {
        self.has_arrow = true;
        self.conditional = false;
    }

    fn end_clause(&mut self) {
        self.conditional = false;
        if self.kind == Kind::Choice && self.has_arrow {
            self.every &= self.this;
            (self.this, self.has_arrow) = (false, false);
        }
    }

    /// Whether the whole expression halts.
    const fn halts(&self) -> bool {
        match self.kind {
            Kind::Fun => false,
            Kind::Choice => self.every && self.this,
            _ => self.this,
        }
    }
}

struct Reader<'t> {
    /// Never empty.
    frames: Vec<Frame>,
    text: &'t [u8],
}

impl<'t> Reader<'t> {
    fn top(&mut self, change: impl FnOnce(&mut Frame)) {
        if let Some(frame) = self.frames.last_mut() {
            change(frame);
        }
    }

    fn word(&mut self, word: &[u8]) {
        match word {
            b"case" | b"if" | b"receive" => self.frames.push(Frame::new(Kind::Choice)),
            b"begin" => self.frames.push(Frame::new(Kind::Sequence)),
            b"try" => self.frames.push(Frame::new(Kind::Try)),
            b"fun" if self.opens_fun() => self.frames.push(Frame::new(Kind::Fun)),
            b"of" | b"catch" => self.top(|frame| {
                if frame.kind == Kind::Try {
                    frame.kind = Kind::TryClauses;
                }
            }),
            b"after" => self.top(|frame| match frame.kind {
                Kind::TryClauses => frame.kind = Kind::Try,
                _ => frame.end_clause(),
            }),
            b"andalso" | b"orelse" => self.top(|frame| frame.conditional = true),
            b"end" if self.frames.len() > 1 => {
                let ended = self.frames.pop();
                if ended.is_some_and(|frame| frame.halts()) {
                    self.top(Frame::halt);
                }
            }
            _ => {}
        }
    }

    /// Whether `fun` has clauses and an `end`: `fun (X) -> …`, `fun Loop(X) -> …`, and not `fun f/1`.
    fn opens_fun(&self) -> bool {
        let rest = self.text.trim_ascii_start();
        let name = rest.iter().take_while(|byte| is_of_word(**byte)).count();
        let is_variable = rest.first().is_none_or(|byte| !byte.is_ascii_lowercase());
        let behind = rest.get(name..).unwrap_or_default().trim_ascii_start();
        behind.starts_with(b"(") && (name == 0 || is_variable)
    }

    fn token(&mut self) -> Option<Token<'t>> {
        self.text = self.text.trim_ascii_start();
        let first = *self.text.first()?;
        let (length, token) = match first {
            _ if is_of_word(first) => {
                let length = self
                    .text
                    .iter()
                    .take_while(|byte| is_of_word(**byte))
                    .count();
                (length, Token::Word(self.text.get(..length)?))
            }
            b'"' | b'\'' => (quoted(self.text, first), Token::Other),
            b'$' if self.text.get(1) == Some(&b'\\') => (3, Token::Other),
            b'$' => (2, Token::Other),
            b'%' => {
                let end = self.text.iter().position(|byte| *byte == b'\n');
                (end.unwrap_or(self.text.len()), Token::Other)
            }
            b'-' if self.text.get(1) == Some(&b'>') => (2, Token::Arrow),
            b':' => (1, Token::Colon),
            b'(' => (1, Token::Open),
            b',' => (1, Token::Comma),
            b';' => (1, Token::Semicolon),
            _ => (1, Token::Other),
        };
        self.text = self.text.get(length..).unwrap_or_default();
        Some(token)
    }
}

const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'@'
}

/// How long a string or a quoted atom at the beginning is, both quotes included.
fn quoted(text: &[u8], quote: u8) -> usize {
    let mut length = 1;
    while let Some(byte) = text.get(length) {
        match byte {
            b'\\' => length += 2,
            byte if *byte == quote => return length + 1,
            _ => length += 1,
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_the_node_whatever_happens() {
        for expression in [
            "halt().",
            "halt(0).",
            "erlang:halt(1).",
            "erlang : halt ( 1 ) .",
            "io:format(\"halt~n\"), timer:sleep(10), init:stop().",
            "begin main(), halt() end.",
            "case main() of ok -> halt(0); _ -> halt(1) end.",
            "case main() of X when X > 1; X < 0 -> a(), halt(0); _ -> halt(1) end.",
            "if true -> halt(); false -> case x of y -> halt() end end",
            "receive stop -> halt() after 1000 -> halt(1) end.",
            "try main(), halt(0) catch _:_ -> halt(1) end.",
            "try main() of ok -> ok catch _:_ -> ok after halt() end.",
            "F = fun(X) -> X end, lists:foreach(fun io:format/1, []), halt().",
            "F = fun erlang:halt/0, F2 = fun Loop(0) -> ok; Loop(N) -> Loop(N) end, halt(3).",
            "% nothing\nhalt().",
            "X = $\", Y = $\\', halt().",
            "foo() andalso bar(), halt().",
            "io:format(halt()).",
            "c:q().",
        ] {
            assert!(halts(expression.as_bytes()), "{expression}");
        }
    }

    #[test]
    fn what_ends_it_in_some_cases_or_not_at_all() {
        for expression in [
            "",
            "shop:start().",
            "shop:halt().",
            "io:format(\"halt()\").",
            "'halt'.",
            "halt.",
            "% halt()\nshop:start().",
            "case application:ensure_all_started(shop) of {ok, _} -> ok; _ -> halt(1) end.",
            "case start() of {ok, _} -> ok; _ -> halt(1) end, receive stop -> ok end.",
            "if true -> ok; false -> halt() end",
            "receive stop -> halt() after infinity -> ok end.",
            "try shop:start() catch _:_ -> halt(1) end.",
            "try shop:start() of ok -> ok; _ -> halt(2) catch _:_ -> halt(1) end.",
            "os:set_signal_handler(fun() -> halt() end).",
            "Stop = fun Stop() -> halt() end, shop:start(Stop).",
            "ok =:= shop:start() orelse halt(1).",
            "shop:start(\"it's \\\" halt()\").",
            "'halt'().",
            "fun erlang:halt/1.",
            "end end halt",
            "$",
            "\"",
        ] {
            assert!(!halts(expression.as_bytes()), "{expression}");
        }
    }
}
