//! YAML as a small tree with places. Owns what of YAML a workflow file may use
//! (no anchors, aliases or tags, one document, bounded size and depth) and the
//! words for YAML's traps; knows nothing of workflows.

mod syntax;

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span as YamlSpan, StrInput};

use self::syntax::too_deep;
use super::duration::short;

/// The largest file, in bytes.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;
/// The deepest nesting.
pub(crate) const MAX_DEPTH: usize = 32;
/// The most values in one file.
pub(crate) const MAX_NODES: usize = 100_000;

/// The most problems that are noted.
const MAX_PROBLEMS: usize = 200;

/// A place in the file: line and column from 1, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// From a place up to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: Mark,
    pub(crate) end: Mark,
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// A text; `plain` without quotes and not in a block.
    Scalar { text: String, plain: bool },
    /// `- a`, `[a]`
    List(Vec<Node>),
    /// `a: b`, `{a: b}`, in the file's order, no key twice.
    Map(Vec<(Key, Node)>),
    /// Something that a problem was noted about; nothing more is said of it.
    Refused,
}

/// A key of a map.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// Something wrong with the YAML itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Node {
    /// `null`, `~`, or nothing at all.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// A word for messages.
    pub(crate) fn what(&self) -> &'static str {
        match &self.kind {
            _ if self.is_null() => "nothing",
            Kind::Scalar { .. } => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a block of keys",
            Kind::Refused => "something refused",
        }
    }
}

/// Reads a file. None when nothing can be said about its content; the problems
/// then say why. There may be a tree and problems.
pub(crate) fn read(source: &str) -> (Option<Node>, Vec<Problem>) {
    let start = Mark { line: 1, column: 1 };
    if source.len() > MAX_BYTES {
        let problem = Problem {
            span: Span { start, end: start },
            message: format!("the file is larger than {} KiB", MAX_BYTES / 1024),
            help: Some(
                "a workflow is one small file; put data where the workflow can fetch it".to_owned(),
            ),
        };
        return (None, vec![problem]);
    }
    if let Some(problem) = unprintable(source) {
        return (None, vec![problem]);
    }
    let mut reader = Reader {
        source,
        parser: Parser::new_from_str(source),
        problems: Vec::new(),
        nodes: 0,
    };
    let tree = match reader.document() {
        Ok(tree) => Some(tree),
        Err(Halt::Syntax(error)) => {
            reader.syntax(&error);
            None
        }
        Err(Halt::Said) => None,
    };
    (tree, reader.problems)
}

/// A character that YAML allows nowhere: the scanner takes a NUL for the end of the
/// file, and what stands behind it would be passed over in silence.
fn unprintable(source: &str) -> Option<Problem> {
    let bad = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let (line, at, found) = source.lines().enumerate().find_map(|(line, text)| {
        let (at, found) = text.chars().enumerate().find(|(_, c)| bad(*c))?;
        Some((line + 1, at + 1, found))
    })?;
    let start = Mark { line, column: at };
    let end = Mark {
        line,
        column: at + 1,
    };
    Some(Problem {
        span: Span { start, end },
        message: format!(
            "here is a character that no text may hold (U+{:04X})",
            u32::from(found)
        ),
        help: Some("take it out, or write it as an escape in double quotes".to_owned()),
    })
}

/// Why reading stops.
enum Halt {
    /// The file is not YAML.
    Syntax(ScanError),
    /// A problem that was noted.
    Said,
}

impl From<ScanError> for Halt {
    fn from(error: ScanError) -> Self {
        Self::Syntax(error)
    }
}

struct Reader<'s> {
    source: &'s str,
    parser: Parser<'s, StrInput<'s>>,
    problems: Vec<Problem>,
    nodes: usize,
}

impl<'s> Reader<'s> {
    fn next(&mut self) -> Result<(Event<'s>, Span), Halt> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, place(span))),
            Some(Err(error)) => Err(error.into()),
            None => {
                let start = Mark { line: 1, column: 1 };
                Ok((Event::StreamEnd, Span { start, end: start }))
            }
        }
    }

    fn problem(&mut self, span: Span, message: impl Into<String>, help: Option<&str>) {
        if self.problems.len() > MAX_PROBLEMS {
            return;
        }
        self.problems.push(Problem {
            span,
            message: message.into(),
            help: help.map(str::to_owned),
        });
    }

    fn document(&mut self) -> Result<Node, Halt> {
        let mut tree = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::DocumentStart(_) if tree.is_none() => {}
                Event::DocumentStart(_) => {
                    self.problem(
                        span,
                        "there is a second document in this file",
                        Some("write one workflow in one file"),
                    );
                    return Err(Halt::Said);
                }
                event => tree = Some(self.node(event, span, 0)?),
            }
        }
        tree.filter(|tree| !tree.is_null()).ok_or_else(|| {
            let start = Mark { line: 1, column: 1 };
            self.problem(
                Span { start, end: start },
                "the file is empty",
                Some("a workflow needs at least `name`, `on` and `steps`"),
            );
            Halt::Said
        })
    }

    fn node(&mut self, event: Event<'s>, span: Span, depth: usize) -> Result<Node, Halt> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            self.problem(
                span,
                format!("the file holds more than {MAX_NODES} values"),
                None,
            );
            return Err(Halt::Said);
        }
        if depth > MAX_DEPTH {
            self.problem(span, too_deep(), None);
            return Err(Halt::Said);
        }
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(anchor, tag)
            | Event::MappingStart(anchor, tag) => (*anchor, tag.is_some()),
            _ => (0, false),
        };
        if tag {
            self.problem(
                span,
                "YAML tags (`!…`) are not supported",
                Some("write the value without the tag; put it in quotes to keep it a text"),
            );
        }
        if anchor != 0 {
            self.problem(
                span,
                "YAML anchors (`&…`) are not supported",
                Some("write the value out where it is used"),
            );
        }
        match event {
            Event::Scalar(text, style, _, _) => Ok(Node {
                kind: Kind::Scalar {
                    text: text.into_owned(),
                    plain: style == ScalarStyle::Plain,
                },
                span,
            }),
            Event::SequenceStart(..) => self.list(span, depth),
            Event::MappingStart(..) => self.map(span, depth),
            Event::Alias(_) => {
                self.problem(
                    span,
                    "YAML aliases (`*…`) are not supported",
                    Some("write the value out, or put a text that begins with `*` in quotes"),
                );
                Ok(refused(span))
            }
            _ => Ok(refused(span)),
        }
    }

    fn list(&mut self, span: Span, depth: usize) -> Result<Node, Halt> {
        let mut items = Vec::new();
        loop {
            let (event, at) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let span = Span {
                    start: span.start,
                    end: at.end,
                };
                return Ok(Node {
                    kind: Kind::List(items),
                    span,
                });
            }
            items.push(self.node(event, at, depth + 1)?);
        }
    }

    fn map(&mut self, span: Span, depth: usize) -> Result<Node, Halt> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut braces = false;
        loop {
            let (event, at) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let span = Span {
                    start: span.start,
                    end: at.end,
                };
                let kind = if braces {
                    Kind::Refused
                } else {
                    Kind::Map(entries)
                };
                return Ok(Node { kind, span });
            }
            let key = self.node(event, at, depth + 1)?;
            let (event, at) = self.next()?;
            let value = self.node(event, at, depth + 1)?;
            let Kind::Scalar { text, .. } = key.kind else {
                braces = true;
                self.complex_key(span, key.span);
                continue;
            };
            if let Some(first) = seen.get(&text) {
                self.problem(
                    key.span,
                    format!("`{}` is here twice (first in line {first})", short(&text)),
                    Some("keep one of the two"),
                );
                continue;
            }
            seen.insert(text.clone(), key.span.start.line);
            entries.push((
                Key {
                    text,
                    span: key.span,
                },
                value,
            ));
        }
    }
}

fn refused(span: Span) -> Node {
    Node {
        kind: Kind::Refused,
        span,
    }
}

fn place(span: YamlSpan) -> Span {
    Span {
        start: Mark {
            line: span.start.line().max(1),
            column: span.start.col() + 1,
        },
        end: Mark {
            line: span.end.line().max(1),
            column: span.end.col() + 1,
        },
    }
}
