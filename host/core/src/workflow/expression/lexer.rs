//! A light look at the words of an expression or template, for what the engine
//! itself only notices when it runs: unknown filters, tests, methods, blocks.
//! It decides nothing about values and never fails.

/// Something an expression calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) kind: UseKind,
    pub(crate) name: String,
    /// The first argument, where it is a plain text: `"business"`.
    pub(crate) argument: Option<String>,
}

/// How it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UseKind {
    /// `value | name`
    Filter,
    /// `value is name`
    Test,
    /// `name(…)`
    Function,
    /// `value.name(…)`
    Method,
    /// `{% name … %}`
    Block,
}

/// What a bare expression calls, in order.
pub(crate) fn uses_of_expression(source: &str) -> Vec<Use> {
    let mut uses = Vec::new();
    Cursor { rest: source }.expression(&[], &mut uses);
    uses
}

/// What a template calls, in order, and the blocks it opens.
pub(crate) fn uses_of_template(source: &str) -> Vec<Use> {
    let mut uses = Vec::new();
    let mut cursor = Cursor { rest: source };
    while let Some(at) = cursor.rest.find('{') {
        cursor.skip(at);
        match cursor.rest.get(..2) {
            Some("{#") => cursor.past("#}"),
            Some("{{") => {
                cursor.skip(2);
                cursor.expression(&["}}"], &mut uses);
            }
            Some("{%") => {
                cursor.skip(2);
                cursor.rest = cursor.rest.trim_start_matches(['-', '+']).trim_start();
                let name = cursor.word();
                if name == "raw" {
                    cursor.past("endraw");
                    cursor.past("%}");
                } else {
                    uses.push(Use {
                        kind: UseKind::Block,
                        name: name.to_owned(),
                        argument: None,
                    });
                    cursor.expression(&["%}"], &mut uses);
                }
            }
            _ => cursor.skip(1),
        }
    }
    uses
}

struct Cursor<'s> {
    rest: &'s str,
}

impl<'s> Cursor<'s> {
    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn past(&mut self, end: &str) {
        match self.rest.find(end) {
            Some(at) => self.skip(at + end.len()),
            None => self.rest = "",
        }
    }

    fn word(&mut self) -> &'s str {
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(self.rest.len());
        let word = self.rest.get(..end).unwrap_or_default();
        self.skip(end);
        word
    }

    fn string(&mut self, quote: char) {
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == quote => return self.skip(at + 1),
                _ => {}
            }
        }
        self.rest = "";
    }

    /// Reads up to one of the ends, or to the end of the source.
    fn expression(&mut self, ends: &[&str], uses: &mut Vec<Use>) {
        // What stood before the present word: a mark, `is`, or nothing special.
        let mut before = Before::Other;
        loop {
            self.rest = self.rest.trim_start();
            if let Some(end) = ends.iter().find(|end| self.rest.starts_with(**end)) {
                return self.skip(end.len());
            }
            let Some(c) = self.rest.chars().next() else {
                return;
            };
            before = match c {
                '\'' | '"' => {
                    self.string(c);
                    Before::Other
                }
                c if c.is_alphabetic() || c == '_' => self.name(before, uses),
                c if c.is_ascii_digit() => {
                    self.word();
                    Before::Other
                }
                '|' | '.' => {
                    self.skip(1);
                    if c == '|' { Before::Pipe } else { Before::Dot }
                }
                c => {
                    self.skip(c.len_utf8());
                    Before::Other
                }
            };
        }
    }

    /// A text without escapes that is the first argument of what follows.
    fn argument(&self) -> Option<String> {
        let inside = self.rest.trim_start().strip_prefix('(')?.trim_start();
        let quote = inside.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (text, _) = inside.get(1..)?.split_once(quote)?;
        (!text.contains('\\')).then(|| text.to_owned())
    }

    fn name(&mut self, before: Before, uses: &mut Vec<Use>) -> Before {
        let name = self.word();
        let called = self.rest.trim_start().starts_with('(');
        let kind = match before {
            Before::Pipe => Some(UseKind::Filter),
            Before::Is if name == "not" => return Before::Is,
            Before::Is => Some(UseKind::Test),
            Before::Dot => called.then_some(UseKind::Method),
            Before::Other if name == "is" => return Before::Is,
            Before::Other => (called && !KEYWORDS.contains(&name)).then_some(UseKind::Function),
        };
        if let Some(kind) = kind {
            uses.push(Use {
                kind,
                name: name.to_owned(),
                argument: self.argument(),
            });
        }
        Before::Other
    }
}

/// Words that a bracket may follow without being called.
const KEYWORDS: &[&str] = &["and", "or", "not", "in", "if", "else"];

#[derive(Clone, Copy)]
enum Before {
    Pipe,
    Is,
    Dot,
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uses: Vec<Use>, expected: &[(UseKind, &str)]) {
        let uses: Vec<_> = uses.iter().map(|u| (u.kind, u.name.as_str())).collect();
        assert_eq!(uses, expected);
    }

    #[test]
    fn calls_of_an_expression() {
        use UseKind::{Filter, Function, Method, Test};
        check(
            uses_of_expression(
                r#"a.b | int >= 4 and not (x is not due_in("1h | no", '2h')) or now() > y.z()"#,
            ),
            &[
                (Filter, "int"),
                (Test, "due_in"),
                (Function, "now"),
                (Method, "z"),
            ],
        );
        check(uses_of_expression("'unclosed | x"), &[]);
        check(uses_of_expression(r"'a\' | x' | y"), &[(Filter, "y")]);
    }

    #[test]
    fn calls_of_a_template() {
        use UseKind::{Block, Filter, Function};
        check(
            uses_of_template(
                "{ | no } {# | no #}{% raw %}{{ x | no }}{% endraw %}{%- if in_hours('}}') %}{{ a|when }}{% endif %}| no",
            ),
            &[
                (Block, "if"),
                (Function, "in_hours"),
                (Filter, "when"),
                (Block, "endif"),
            ],
        );
        check(uses_of_template("{{ 'unclosed"), &[]);
        check(uses_of_template("{%"), &[(Block, "")]);
        check(uses_of_template("{é}"), &[]);
    }
}
