//! The present file: its messages, its places, and reading a block of keys by a
//! table. Every message of the parser goes through here.

use super::super::diagnostic::{Diagnostic, Severity};
use super::super::duration::short;
use super::super::known::{Known, nearest};
use super::super::language::{Key, Names, STEP};
use super::super::yaml::{self, Kind as Yaml, Node, Span};
use super::values::Datum;
use crate::workflow::expression::Use;

/// The most messages about one file.
const MAX_MESSAGES: usize = 100;

/// Where an expression stands, for the check of its names at the end.
pub(crate) struct Site {
    pub(crate) span: Span,
    pub(crate) names: Vec<String>,
    pub(crate) uses: Vec<Use>,
    /// The place of its step in the list; none outside the steps.
    pub(crate) step: Option<usize>,
}

/// The state of reading one file.
pub(crate) struct Reader<'s> {
    pub(crate) source: &'s str,
    pub(crate) known: &'s Known,
    pub(crate) sites: Vec<Site>,
    pub(crate) step: Option<usize>,
    file: &'s str,
    /// The byte at which each line begins.
    lines: Vec<usize>,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    dropped: usize,
}

/// A block's values by the names of its keys.
pub(crate) struct Record(pub(crate) Vec<(&'static str, Span, Datum)>);

impl<'s> Reader<'s> {
    pub(crate) fn new(source: &'s str, file: &'s str, known: &'s Known) -> Self {
        let starts = source.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            source,
            known,
            sites: Vec::new(),
            step: None,
            file,
            lines: std::iter::once(0).chain(starts).collect(),
            errors: Vec::new(),
            warnings: Vec::new(),
            dropped: 0,
        }
    }

    /// The errors and the warnings, each in the order of the lines.
    pub(crate) fn finish(mut self) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
        let place = |d: &Diagnostic| (d.line, d.column);
        self.errors.sort_by_key(place);
        self.warnings.sort_by_key(place);
        if self.dropped > 0
            && let Some(last) = self.errors.last_mut()
        {
            last.help = Some(format!(
                "there are {} more messages; fix these first",
                self.dropped
            ));
        }
        (self.errors, self.warnings)
    }

    /// A line of the source, from 1.
    fn line(&self, line: usize) -> &'s str {
        let start = self
            .lines
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or(self.source.len());
        let end = self.lines.get(line).copied().unwrap_or(self.source.len());
        let line = self.source.get(start..end).unwrap_or_default();
        line.trim_end_matches(['\n', '\r'])
    }

    pub(crate) fn report(
        &mut self,
        severity: Severity,
        span: Span,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let list = match severity {
            Severity::Error => &self.errors,
            Severity::Warning => &self.warnings,
        };
        let message = message.into();
        let said = |d: &Diagnostic| {
            (d.line, d.column) == (span.start.line, span.start.column) && d.message == message
        };
        if list.iter().any(said) {
            return;
        }
        if list.len() >= MAX_MESSAGES {
            self.dropped += 1;
            return;
        }
        let source_line = self.line(span.start.line);
        let rest = (source_line.trim_end().chars().count() + 1).saturating_sub(span.start.column);
        let length = if span.end.line > span.start.line {
            rest
        } else {
            span.end.column.saturating_sub(span.start.column).min(rest)
        };
        let diagnostic = Diagnostic {
            severity,
            file: self.file.to_owned(),
            line: span.start.line,
            column: span.start.column,
            length: length.max(1),
            message,
            help,
            source_line: source_line.chars().take(4_096).collect(),
        };
        match severity {
            Severity::Error => self.errors.push(diagnostic),
            Severity::Warning => self.warnings.push(diagnostic),
        }
    }

    /// Whether more errors would only be counted; what is costly to word can
    /// then be left out.
    pub(crate) fn is_full(&self) -> bool {
        self.errors.len() >= MAX_MESSAGES
    }

    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) {
        self.report(Severity::Error, span, message, None);
    }

    pub(crate) fn error_help(
        &mut self,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.report(Severity::Error, span, message, Some(help.into()));
    }

    /// A word that is not in the language, with the likeliest that is.
    pub(crate) fn unknown<'w>(
        &mut self,
        span: Span,
        what: &str,
        word: &str,
        among: impl Iterator<Item = &'w str> + Clone,
    ) {
        if self.is_full() {
            self.dropped += 1;
            return;
        }
        let help = match nearest(word, among.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if among.clone().next().is_none() => "there is none at all".to_owned(),
            None => format!("there is: {}", among.collect::<Vec<_>>().join(", ")),
        };
        self.error_help(span, format!("unknown {what} `{}`", short(word)), help);
    }

    pub(crate) fn not_yet(&mut self, span: Span, word: &str) {
        self.error(
            span,
            format!("`{}` is not available in this version yet", short(word)),
        );
    }

    /// Checks a name of the configuration.
    pub(crate) fn name(&mut self, span: Span, of: Names, name: &str) {
        // The known names borrow from the file's surroundings, not from self.
        let known = self.known;
        let (names, wording) = known.names(of);
        let section = wording.section;
        match names {
            Some(names) if names.contains(name) => {}
            Some(names) => {
                let help = match nearest(name, names.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if names.is_empty() => {
                        format!("the configuration names none; add it under {section}")
                    }
                    None => {
                        let names: Vec<_> = names.iter().map(String::as_str).take(10).collect();
                        let names = names.join(", ");
                        format!(
                            "the configuration names: {names}; another one goes under {section}"
                        )
                    }
                };
                self.error_help(
                    span,
                    format!("there {} `{}`", wording.no, short(name)),
                    help,
                );
            }
            None => self.report(
                Severity::Warning,
                span,
                format!(
                    "cannot tell whether there {} `{}`: no configuration is loaded",
                    wording.some,
                    short(name)
                ),
                None,
            ),
        }
    }

    /// The place of a word inside a value, or the value itself.
    pub(crate) fn locate(&self, span: Span, word: &str) -> Span {
        let word = word.lines().next().unwrap_or_default();
        if word.is_empty() {
            return span;
        }
        let last = span.end.line.min(span.start.line + 2_000);
        for number in span.start.line..=last {
            let line = self.line(number);
            let skip = if number == span.start.line {
                span.start.column - 1
            } else {
                0
            };
            let from = line
                .char_indices()
                .nth(skip)
                .map_or(line.len(), |(at, _)| at);
            let rest = line.get(from..).unwrap_or_default();
            if let Some(at) = whole_word(rest, word) {
                let column = line.get(..from + at).unwrap_or_default().chars().count() + 1;
                let start = yaml::Mark {
                    line: number,
                    column,
                };
                let end = yaml::Mark {
                    line: number,
                    column: column + word.chars().count(),
                };
                return Span { start, end };
            }
        }
        span
    }

    /// The place of a text that stands in quotes inside a value.
    pub(crate) fn locate_quoted(&self, span: Span, text: &str) -> Span {
        for quote in ['"', '\''] {
            let found = self.locate(span, &format!("{quote}{text}{quote}"));
            if found != span {
                return found;
            }
        }
        self.locate(span, text)
    }

    /// Reads a block by its keys; none unless it is a block. Unknown and
    /// missing keys are reported.
    pub(crate) fn block(
        &mut self,
        node: &Node,
        keys: &'static [Key],
        what: &str,
    ) -> Option<Record> {
        let Yaml::Map(entries) = &node.kind else {
            if node.is_null() && keys.iter().all(|key| !key.required) {
                return Some(Record(Vec::new()));
            }
            if matches!(node.kind, Yaml::Refused) {
                return None;
            }
            let names: Vec<_> = keys
                .iter()
                .filter(|k| !k.is_later())
                .map(|k| k.name)
                .collect();
            self.error_help(
                node.span,
                format!("{what} must be a block of keys, not {}", node.what()),
                format!("its keys are: {}", names.join(", ")),
            );
            return None;
        };
        let mut record = Vec::new();
        let mut meant = Vec::new();
        for (name, value) in entries {
            let Some(key) = keys.iter().find(|key| key.name == name.text) else {
                if self.is_full() {
                    self.dropped += 1;
                    continue;
                }
                let names = keys.iter().filter(|k| !k.is_later()).map(|k| k.name);
                let beside = |key: &Key| key.name == name.text && what != "a step";
                if STEP.iter().any(beside) && self.step.is_some() {
                    let help = format!("it stands beside {what}, as a key of the step");
                    let message = format!("unknown key `{}` in {what}", name.text);
                    self.error_help(name.span, message, help);
                    continue;
                }
                meant.extend(nearest(&name.text, names.clone()));
                self.unknown(name.span, "key", &name.text, names);
                continue;
            };
            if key.is_later() {
                self.not_yet(name.span, key.name);
            } else if let Some(datum) = self.value(&key.kind, value, key.name) {
                record.push((key.name, value.span, datum));
            } else {
                record.push((key.name, value.span, Datum::Refused));
            }
        }
        for key in keys.iter().filter(|key| key.required) {
            // A misspelt key was told about already.
            let written = record.iter().any(|(name, ..)| *name == key.name);
            if !written && !meant.contains(&key.name) {
                let start = node.span.start;
                let end = yaml::Mark {
                    column: start.column + 1,
                    ..start
                };
                let message = format!("{what} needs `{}`", key.name);
                self.report(
                    Severity::Error,
                    Span { start, end },
                    message,
                    Some(key.about.trim_end_matches('.').to_lowercase()),
                );
            }
        }
        Some(Record(record))
    }
}

impl Record {
    /// Takes a key's value; a key that was refused counts as absent.
    pub(crate) fn take(&mut self, name: &str) -> Option<Datum> {
        let at = self.0.iter().position(|(key, ..)| *key == name)?;
        match self.0.swap_remove(at).2 {
            Datum::Refused => None,
            datum => Some(datum),
        }
    }

    /// Whether the author wrote the key, even with a value that was refused.
    pub(crate) fn place(&self, name: &str) -> Option<Span> {
        self.0
            .iter()
            .find(|(key, ..)| *key == name)
            .map(|(_, span, _)| *span)
    }
}

/// The byte at which a word stands with no other letter beside it.
fn whole_word(text: &str, word: &str) -> Option<usize> {
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        let before = text.get(..*at).and_then(|t| t.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|t| t.chars().next());
        let (first, last) = (word.chars().next(), word.chars().next_back());
        !(joins(before) && joins(first) || joins(after) && joins(last))
    })
}
