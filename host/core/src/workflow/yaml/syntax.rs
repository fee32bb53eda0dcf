//! What the scanner of YAML trips over, in words that help: templates without
//! quotes, tabs, unclosed brackets. It sees only lines and never a workflow.

use saphyr_parser::ScanError;

use super::{MAX_DEPTH, MAX_PROBLEMS, Mark, Problem, Reader, Span};

impl Reader<'_> {
    /// `{{ a.b }}` is a map with a map as its key.
    pub(super) fn complex_key(&mut self, map: Span, key: Span) {
        // What follows looks at a whole line; a hostile file has many of them.
        let said = |p: &Problem| p.span.start.line == map.start.line && p.message == BRACES;
        if self.problems.len() > MAX_PROBLEMS || self.problems.iter().any(said) {
            return;
        }
        let line = line_of(self.source, map.start.line);
        let at = column_of(line, "{{").unwrap_or(map.start.column);
        if line.contains("{{") {
            self.braces(map.start.line, at);
        } else {
            self.problem(key, "a key must be a plain word", None);
        }
    }

    fn braces(&mut self, line: usize, column: usize) {
        let start = Mark { line, column };
        let end = Mark {
            line,
            column: column + 2,
        };
        let span = Span { start, end };
        let said = |p: &Problem| p.span == span && p.message == BRACES;
        if self.problems.iter().any(said) {
            return;
        }
        self.problem(
            Span { start, end },
            BRACES,
            Some("put quotes around {{ … }} or write ${{ … }}"),
        );
    }

    /// What the scanner says, in words that help; it stops at its first error.
    pub(super) fn syntax(&mut self, error: &ScanError) {
        let mark = Mark {
            line: error.marker().line().max(1),
            column: error.marker().col() + 1,
        };
        // The scanner trips over a template or a tab later than where it stands.
        let before = self.problems.len();
        for (index, line) in self.source.lines().take(mark.line).enumerate() {
            if let Some(column) = unquoted_braces(line) {
                self.braces(index + 1, column);
            }
        }
        let near = mark.line.saturating_sub(2);
        for (index, line) in self.source.lines().enumerate().skip(near).take(3) {
            let indent = line.len() - line.trim_start().len();
            if line
                .get(..indent)
                .is_some_and(|indent| indent.contains('\t'))
            {
                let start = Mark {
                    line: index + 1,
                    column: 1,
                };
                let end = Mark {
                    line: index + 1,
                    column: indent + 1,
                };
                self.problem(
                    Span { start, end },
                    "a tab indents this line",
                    Some("YAML allows only spaces before a key; use two for each level"),
                );
            }
        }
        let told = self
            .problems
            .iter()
            .any(|problem| problem.message == BRACES);
        if told || self.problems.len() > before {
            return;
        }
        let info = error.info();
        let span = Span {
            start: mark,
            end: mark,
        };
        if info.contains("recursion limit") {
            self.problem(span, too_deep(), None);
            return;
        }
        let help = if info.contains("mapping values") {
            Some(
                "a text with `: ` in it must stand in quotes; if this is a key, check its indentation",
            )
        } else if info.contains("while parsing a flow") {
            Some("a `[` or `{` is not closed, or a text that begins with one needs quotes")
        } else if info.contains("quoted scalar") {
            Some("a quote is not closed")
        } else if info.contains("block scalar") {
            Some("a text that begins with `>` or `|` must stand in quotes: \"> 2% of last 100\"")
        } else {
            None
        };
        self.problem(
            Span {
                start: mark,
                end: mark,
            },
            format!("this is not valid YAML: {info}"),
            help,
        );
    }
}

pub(super) fn too_deep() -> String {
    format!("this is nested more than {MAX_DEPTH} levels deep")
}

const BRACES: &str = "YAML reads a leading `{{` as a block of keys";

/// The column of a `{{` or `{%` that begins a value without quotes.
fn unquoted_braces(line: &str) -> Option<usize> {
    let content = line.trim_start();
    let value = match content.strip_prefix("- ") {
        Some(item) => item.trim_start(),
        None => content,
    };
    let value = match value.split_once(": ") {
        Some((key, value)) if !key.contains(['"', '\'', '{', ' ']) => value.trim_start(),
        _ if content.starts_with("- ") => value,
        _ => return None,
    };
    if !(value.starts_with("{{") || value.starts_with("{%")) {
        return None;
    }
    Some(line.chars().count() - value.chars().count() + 1)
}

/// A line of the source, from 1; empty beyond its end.
fn line_of(source: &str, line: usize) -> &str {
    source
        .lines()
        .nth(line.saturating_sub(1))
        .unwrap_or_default()
}

/// The column of a text in a line, from 1.
fn column_of(line: &str, text: &str) -> Option<usize> {
    let at = line.find(text)?;
    Some(line.get(..at)?.chars().count() + 1)
}
