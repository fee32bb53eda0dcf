//! What is done to a source before the template engine sees it. Owns the bounds that
//! the engine itself does not keep (it descends once for each sign, folds constants
//! while it compiles, and repeats texts and lists up to a hundred million times), and
//! what a comparison says of something that is not there. Decides nothing about names.

mod tokens;

use tokens::{Kind, Token, tokens};

use super::Error;

/// The most words and signs of one expression: the engine descends once for each.
const MOST_TOKENS: usize = 1_000;
/// The most texts or lists that one expression puts together.
const MOST_JOINED: usize = 100;
/// The deepest brackets; the engine's own limit is a little higher.
const DEEPEST: usize = 60;

/// The tests and the filter that stand for operators. No name of the language.
pub(crate) const EQ: &str = "__eq";
/// See [`EQ`].
pub(crate) const NE: &str = "__ne";
/// See [`EQ`].
pub(crate) const LT: &str = "__lt";
/// See [`EQ`].
pub(crate) const LE: &str = "__le";
/// See [`EQ`].
pub(crate) const GT: &str = "__gt";
/// See [`EQ`].
pub(crate) const GE: &str = "__ge";
/// See [`EQ`].
pub(crate) const IN: &str = "__in";
/// See [`EQ`].
pub(crate) const TIMES: &str = "__times";

/// A bare expression as the engine gets it.
pub(crate) fn expression(source: &str) -> Result<String, Error> {
    let (tokens, _) = tokens(source, 0, "");
    Prepared { source }.region(&tokens, 0, source.len())
}

/// A text with `{{ … }}` as the engine gets it.
pub(crate) fn template(source: &str) -> Result<String, Error> {
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while let Some(open) = source.get(at..).and_then(|rest| rest.find('{')) {
        let open = at + open;
        let mark = source.get(open..open + 2);
        let past = |mark: &str| {
            let rest = source.get(open + 2..).unwrap_or_default();
            rest.find(mark)
                .map_or(source.len(), |end| open + 2 + end + mark.len())
        };
        let end = match mark {
            Some("{{") => "}}",
            Some("{%") => "%}",
            Some("{#") => {
                let close = past("#}");
                out.push_str(source.get(at..close).unwrap_or_default());
                at = close;
                continue;
            }
            _ => {
                out.push_str(source.get(at..=open).unwrap_or_default());
                at = open + 1;
                continue;
            }
        };
        let (mut tokens, close) = tokens(source, open + 2, end);
        // `{{-` and `-}}` are no signs of the expression.
        let trim = |token: &Token| {
            matches!(token.kind, Kind::Sign)
                && matches!(source.get(token.from..token.to), Some("-" | "+"))
        };
        if tokens
            .first()
            .is_some_and(|first| first.from == open + 2 && trim(first))
        {
            tokens.remove(0);
        }
        if tokens
            .last()
            .is_some_and(|last| last.to + 2 == close && trim(last))
        {
            tokens.pop();
        }
        let prepared = Prepared { source };
        let word = tokens.first().map_or("", |first| prepared.text(first));
        if end == "%}" && word == "raw" {
            let close = end_of_raw(source, close);
            out.push_str(source.get(at..close).unwrap_or_default());
            at = close;
            continue;
        }
        let skipped = match end {
            "%}" => prepared.head(word, &tokens),
            _ => 0,
        };
        let (from, to) = match (tokens.get(skipped), tokens.last()) {
            (Some(first), Some(last)) => (first.from, last.to),
            _ => (open + 2, open + 2),
        };
        out.push_str(source.get(at..from).unwrap_or_default());
        out.push_str(&prepared.region(tokens.get(skipped..).unwrap_or_default(), from, to)?);
        out.push_str(source.get(to..close).unwrap_or_default());
        at = close;
    }
    out.push_str(source.get(at..).unwrap_or_default());
    Ok(out)
}

/// Where a `{% raw %}` ends whose own mark ended at `from`.
fn end_of_raw(source: &str, from: usize) -> usize {
    let mut at = from;
    while let Some(open) = source.get(at..).and_then(|rest| rest.find("{%")) {
        at += open + 2;
        let rest = source.get(at..).unwrap_or_default();
        let rest = rest.trim_start_matches(['-', '+']).trim_start();
        if rest.starts_with("endraw") {
            let end = rest.find("%}").map_or(rest.len(), |end| end + 2);
            return source.len() - rest.len() + end;
        }
    }
    source.len()
}

struct Prepared<'s> {
    source: &'s str,
}

/// How tightly a sign binds, from the loosest; none for what is no operator here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// `,` `:` `=`, `if`, `else`, and `recursive` of a loop.
    Apart,
    Or,
    And,
    Not,
    Compare,
    Sum,
    Join,
    Product,
    Power,
}

const LEVELS: &[Level] = &[
    Level::Apart,
    Level::Or,
    Level::And,
    Level::Not,
    Level::Compare,
    Level::Sum,
    Level::Join,
    Level::Product,
    Level::Power,
];

impl Prepared<'_> {
    fn text(&self, token: &Token) -> &str {
        self.source.get(token.from..token.to).unwrap_or_default()
    }

    /// How many tokens of a block's beginning are no expression: its word, and of a
    /// loop all up to its `in`.
    fn head(&self, word: &str, tokens: &[Token]) -> usize {
        let within = tokens
            .iter()
            .position(|token| token.depth == 0 && self.text(token) == "in");
        match within {
            Some(at) if word == "for" => at + 1,
            _ => tokens.len().min(1),
        }
    }

    /// One expression, from its first byte up to its last.
    fn region(&self, tokens: &[Token], from: usize, to: usize) -> Result<String, Error> {
        let told = |what: String| Err(Error::syntax(what));
        let signs = tokens.iter().filter(|token| self.text(token) != ",");
        if signs.count() > MOST_TOKENS {
            return told(format!("it has more than {MOST_TOKENS} words and signs"));
        }
        let joins = |token: &&Token| matches!(self.text(token), "+" | "~" | "*");
        if tokens.iter().filter(joins).count() > MOST_JOINED {
            return told(format!(
                "it has more than {MOST_JOINED} of `+`, `~` and `*`"
            ));
        }
        if tokens.iter().any(|token| token.depth > DEEPEST) {
            return told(format!("its brackets are nested more than {DEEPEST} deep"));
        }
        self.slices(tokens)?;
        let operators = |token: &Token| {
            matches!(
                self.text(token),
                "*" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "in"
            )
        };
        let whole = self.source.get(from..to).unwrap_or_default();
        if !tokens.iter().any(operators) || !balanced(tokens) {
            // What is not balanced is refused by the engine, before it computes.
            return Ok(whole.to_owned());
        }
        let mut out = String::with_capacity(whole.len() * 2);
        self.write(tokens, &mut out)?;
        Ok(out)
    }

    /// `[a:b:c]`: the third part of a slice makes the engine negate without a bound.
    fn slices(&self, tokens: &[Token]) -> Result<(), Error> {
        let mut open: Vec<usize> = Vec::new();
        for token in tokens {
            match self.text(token) {
                "[" => open.push(0),
                "{" | "(" => open.push(usize::MAX),
                "]" | "}" | ")" => drop(open.pop()),
                ":" => {
                    let colons = open.last_mut().filter(|colons| **colons != usize::MAX);
                    if let Some(colons) = colons {
                        *colons += 1;
                        if *colons > 1 {
                            return Err(Error::syntax(
                                "a slice is [from:to]; it has no third part here".to_owned(),
                            ));
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The operator that begins at a place, and how many tokens it has.
    fn operator(&self, tokens: &[Token], at: usize) -> Option<(Level, usize)> {
        let text = |at: usize| tokens.get(at).map_or("", |token| self.text(token));
        let token = tokens.get(at)?;
        let before = at.checked_sub(1).map_or("", text);
        let level = match (token.kind, text(at)) {
            (Kind::Word, _) if matches!(before, "." | "|") => return None,
            (Kind::Word, _)
                if before == "is"
                    && at
                        .checked_sub(2)
                        .is_none_or(|at| !matches!(text(at), "." | "|")) =>
            {
                return None;
            }
            (Kind::Word, _)
                if before == "not" && at.checked_sub(2).is_some_and(|at| text(at) == "is") =>
            {
                return None;
            }
            (Kind::Word, "if" | "else" | "recursive") | (Kind::Sign, "," | ":" | "=") => {
                Level::Apart
            }
            (Kind::Word, "or") => Level::Or,
            (Kind::Word, "and") => Level::And,
            (Kind::Word, "not") if text(at + 1) == "in" => return Some((Level::Compare, 2)),
            (Kind::Word, "not") => Level::Not,
            (Kind::Word, "in") | (Kind::Sign, "==" | "!=" | "<" | "<=" | ">" | ">=") => {
                Level::Compare
            }
            (Kind::Sign, "+" | "-") if self.ends(tokens, at) => Level::Sum,
            (Kind::Sign, "~") => Level::Join,
            (Kind::Sign, "*" | "/" | "//" | "%") => Level::Product,
            (Kind::Sign, "**") => Level::Power,
            _ => return None,
        };
        Some((level, 1))
    }

    /// Whether something ends before a place, so that a `-` there takes away.
    fn ends(&self, tokens: &[Token], at: usize) -> bool {
        let Some(before) = at.checked_sub(1).and_then(|at| tokens.get(at)) else {
            return false;
        };
        match before.kind {
            Kind::Text | Kind::Number => true,
            Kind::Word => !matches!(
                self.text(before),
                "and" | "or" | "not" | "in" | "if" | "else"
            ),
            Kind::Sign => matches!(self.text(before), ")" | "]" | "}"),
        }
    }

    /// Writes tokens, split at their loosest operators first.
    fn write(&self, tokens: &[Token], out: &mut String) -> Result<(), Error> {
        self.write_from(tokens, 0, out)
    }

    fn write_from(&self, tokens: &[Token], first: usize, out: &mut String) -> Result<(), Error> {
        let Some(depth) = tokens.first().map(|token| token.depth) else {
            return Ok(());
        };
        for (number, level) in LEVELS.iter().enumerate().skip(first) {
            let mut operators = Vec::new();
            let mut at = 0;
            while at < tokens.len() {
                let here = tokens.get(at).is_some_and(|token| token.depth == depth);
                match self.operator(tokens, at).filter(|_| here) {
                    Some((found, length)) if found == *level => {
                        operators.push(at..at + length);
                        at += length;
                    }
                    _ => at += 1,
                }
            }
            if operators.is_empty() {
                continue;
            }
            return match level {
                Level::Compare => self.compare(tokens, &operators, number, out),
                Level::Product => self.product(tokens, &operators, number, out),
                _ => self.apart(tokens, &operators, number, out),
            };
        }
        self.leaf(tokens, out)
    }

    /// The pieces between operators as they are, each written for itself.
    fn apart(
        &self,
        tokens: &[Token],
        operators: &[std::ops::Range<usize>],
        level: usize,
        out: &mut String,
    ) -> Result<(), Error> {
        let mut from = 0;
        for operator in operators {
            self.write_from(
                tokens.get(from..operator.start).unwrap_or_default(),
                level + 1,
                out,
            )?;
            for token in tokens.get(operator.clone()).unwrap_or_default() {
                out.push(' ');
                out.push_str(self.text(token));
                out.push(' ');
            }
            from = operator.end;
        }
        self.write_from(tokens.get(from..).unwrap_or_default(), level + 1, out)
    }

    /// A comparison; a chain of them stays as it is.
    fn compare(
        &self,
        tokens: &[Token],
        operators: &[std::ops::Range<usize>],
        level: usize,
        out: &mut String,
    ) -> Result<(), Error> {
        let [operator] = operators else {
            return self.apart(tokens, operators, level, out);
        };
        let left = tokens.get(..operator.start).unwrap_or_default();
        let right = tokens.get(operator.end..).unwrap_or_default();
        if left.is_empty() || right.is_empty() {
            return self.apart(tokens, operators, level, out);
        }
        let sign = tokens
            .get(operator.start)
            .map_or("", |token| self.text(token));
        let (test, negated) = match sign {
            "==" => (EQ, false),
            "!=" => (NE, false),
            "<" => (LT, false),
            "<=" => (LE, false),
            ">" => (GT, false),
            ">=" => (GE, false),
            "in" => (IN, false),
            _ => (IN, true),
        };
        out.push_str(if negated { "((" } else { "(" });
        self.write_from(left, level + 1, out)?;
        out.push_str(if negated { ") is not " } else { ") is " });
        out.push_str(test);
        out.push('(');
        self.write_from(right, level + 1, out)?;
        out.push_str(if negated { "))" } else { ")" });
        Ok(())
    }

    /// `a * b` is `(a) | __times(b)`, which bounds it.
    fn product(
        &self,
        tokens: &[Token],
        operators: &[std::ops::Range<usize>],
        level: usize,
        out: &mut String,
    ) -> Result<(), Error> {
        let mut written = String::new();
        let first = operators.first().map_or(0, |operator| operator.start);
        self.write_from(
            tokens.get(..first).unwrap_or_default(),
            level + 1,
            &mut written,
        )?;
        if first == 0 {
            return Err(Error::syntax("nothing stands before its `*`".to_owned()));
        }
        let ends = operators
            .iter()
            .skip(1)
            .map(|operator| operator.start)
            .chain([tokens.len()]);
        for (operator, end) in operators.iter().zip(ends) {
            let sign = tokens
                .get(operator.start)
                .map_or("", |token| self.text(token));
            let right = tokens.get(operator.end..end).unwrap_or_default();
            if sign == "*" {
                written.insert(0, '(');
                written.push_str(")|");
                written.push_str(TIMES);
                written.push('(');
                self.write_from(right, level + 1, &mut written)?;
                written.push(')');
            } else {
                written.push(' ');
                written.push_str(sign);
                written.push(' ');
                self.write_from(right, level + 1, &mut written)?;
            }
        }
        out.push_str(&written);
        Ok(())
    }

    /// Without operators at its own depth: names, values, calls, and brackets, with
    /// what stands in them written for itself.
    fn leaf(&self, tokens: &[Token], out: &mut String) -> Result<(), Error> {
        let mut at = 0;
        let mut before: Option<usize> = None;
        while let Some(token) = tokens.get(at) {
            let gap = before.map_or(token.from, |end| end);
            out.push_str(self.source.get(gap..token.to).unwrap_or_default());
            before = Some(token.to);
            at += 1;
            if matches!(self.text(token), "(" | "[" | "{") && token.kind == Kind::Sign {
                let inner = tokens.get(at..).unwrap_or_default();
                let close = inner.iter().position(|one| one.depth == token.depth);
                let close = close.unwrap_or(inner.len());
                self.write(inner.get(..close).unwrap_or_default(), out)?;
                at += close;
                before = tokens.get(at).map(|close| close.from);
            }
        }
        Ok(())
    }
}

/// Whether every bracket is closed by its own.
fn balanced(tokens: &[Token]) -> bool {
    tokens.iter().all(|token| !token.stray)
        && tokens.iter().filter(|token| token.opens).count()
            == tokens.iter().filter(|token| token.closes).count()
}
