//! The words and signs of one expression, as the engine's own lexer sees them. Knows
//! no grammar beyond brackets.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a word of the language.
    Word,
    /// A number.
    Number,
    /// A text in quotes.
    Text,
    /// An operator, a bracket, or anything else.
    Sign,
}

/// A token by its bytes in the source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) kind: Kind,
    /// How many brackets are open around it; a bracket has the depth of its outside.
    pub(super) depth: usize,
    pub(super) opens: bool,
    pub(super) closes: bool,
    /// A closing bracket that closes nothing, or another one.
    pub(super) stray: bool,
}

const SIGNS: &[&str] = &["**", "//", "==", "!=", "<=", ">="];

/// The tokens of a source from a place on, up to `end` outside of brackets (an empty
/// `end`: up to its last byte), and the place behind the end.
pub(super) fn tokens(source: &str, from: usize, end: &str) -> (Vec<Token>, usize) {
    let mut tokens: Vec<Token> = Vec::new();
    let mut open: Vec<char> = Vec::new();
    let mut balance = 0_isize;
    let mut at = from;
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or_default();
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        if balance == 0 && !end.is_empty() && rest.starts_with(end) {
            return (tokens, at + end.len());
        }
        let (length, kind) = one(rest, first);
        let mut token = Token {
            from: at,
            to: at + length,
            kind,
            depth: open.len(),
            opens: false,
            closes: false,
            stray: false,
        };
        match first {
            '(' | '[' | '{' => {
                token.opens = true;
                balance += 1;
                open.push(first);
            }
            ')' | ']' | '}' => {
                token.closes = true;
                balance -= 1;
                let pair = open.pop().map(|open| (open, first));
                token.stray = !matches!(pair, Some(('(', ')') | ('[', ']') | ('{', '}')));
                token.depth = open.len();
            }
            _ => {}
        }
        tokens.push(token);
        at += length;
    }
    (tokens, source.len())
}

/// The length and kind of the token that a text begins with.
fn one(rest: &str, first: char) -> (usize, Kind) {
    let until = |other: fn(char) -> bool| rest.find(other).unwrap_or(rest.len());
    match first {
        '"' | '\'' => (quoted(rest, first), Kind::Text),
        _ if first.is_ascii_digit() => (number(rest), Kind::Number),
        _ if first.is_alphabetic() || first == '_' => {
            (until(|c| !(c.is_alphanumeric() || c == '_')), Kind::Word)
        }
        _ => {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            (sign.map_or(first.len_utf8(), |sign| sign.len()), Kind::Sign)
        }
    }
}

/// `1`, `1.5`, `1_000`, `2e-3`, `0x1f`: a point or a sign belongs to it only where a
/// digit follows.
fn number(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
    let mut at = 0;
    loop {
        let digit_follows = byte(at + 1).is_ascii_digit();
        let exponent = at > 0 && matches!(byte(at - 1), b'e' | b'E') && !rest.starts_with("0x");
        match byte(at) {
            b'_' => at += 1,
            c if c.is_ascii_alphanumeric() => at += 1,
            b'.' if digit_follows => at += 1,
            b'+' | b'-' if exponent && digit_follows => at += 1,
            _ => return at.max(1),
        }
    }
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}
