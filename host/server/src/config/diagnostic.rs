//! What is wrong with a configuration file, where, and what to write instead.
//! Owns how such a message looks and that no secret shows in it; decides
//! nothing about the file.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// The file is refused.
    Error,
    /// The file is taken; the operator should look.
    Warning,
}

/// One message about one place of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The file's name, as it was handed in.
    pub file: String,
    /// From 1; 0 when no line is meant.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// How many characters of the line are meant, at least 1.
    pub length: usize,
    /// One sentence without a full stop.
    pub message: String,
    /// What to write instead, where that can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The line as it stands in the file, `…` for each secret.
    pub source_line: String,
    /// Where in `source_line` the place is, from 0, and how many characters of it,
    /// where that differs from the file's line.
    #[serde(skip)]
    pub mark: Option<(usize, usize)>,
}

/// The most characters of a line that are shown.
const WIDTH: usize = 100;

impl Diagnostic {
    /// An error about a whole file, such as one that cannot be read.
    pub(crate) fn whole(file: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.to_owned(),
            line: 0,
            column: 0,
            length: 1,
            message: message.into(),
            help: None,
            source_line: String::new(),
            mark: None,
        }
    }

    /// As a compiler shows it, without a newline at the end.
    pub(crate) fn render(&self) -> String {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let file = printable(&self.file);
        let message = printable(&self.message);
        let mut out = if self.line == 0 {
            format!("{file}: {severity}: {message}")
        } else {
            let (shown, mark) = self.excerpt();
            let number = self.line.to_string();
            let gap = " ".repeat(number.len());
            format!(
                "{file}:{number}:{}: {severity}: {message}\n  {number} | {shown}\n  {gap} | {mark}",
                self.column
            )
        };
        if let Some(help) = &self.help {
            out.push_str(&format!("\n  help: {}", printable(help)));
        }
        out
    }

    /// The part of the line around the place, and the mark below it.
    fn excerpt(&self) -> (String, String) {
        let line: Vec<char> = printable(&self.source_line).chars().collect();
        let place = (self.column.saturating_sub(1), self.length);
        let (at, length) = self.mark.unwrap_or(place);
        let at = at.min(line.len());
        let from = if line.len() > WIDTH {
            at.saturating_sub(WIDTH / 2)
        } else {
            0
        };
        let shown: String = line.iter().skip(from).take(WIDTH).collect();
        let before = if from > 0 { "…" } else { "" };
        let after = if line.len() > from + WIDTH { "…" } else { "" };
        let room = shown.chars().count().saturating_sub(at - from).max(1);
        let pad = at - from + before.chars().count();
        let mark = " ".repeat(pad) + &"^".repeat(length.clamp(1, room));
        let shown = format!("{before}{shown}{after}");
        (shown.trim_end().to_owned(), mark)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render())
    }
}

/// Without anything that would move a terminal's cursor or change its colours.
pub(super) fn printable(text: &str) -> String {
    let plain = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(plain).collect()
}

/// Gathers what is wrong with one file.
#[derive(Debug)]
pub(super) struct Report {
    file: String,
    source: String,
    hidden: RefCell<Vec<Range<usize>>>,
    items: RefCell<Vec<(usize, Raw)>>,
}

#[derive(Debug)]
struct Raw {
    severity: Severity,
    span: Range<usize>,
    message: String,
    help: Option<String>,
}

impl Report {
    pub(super) fn new(file: &str, source: &str) -> Self {
        Self {
            file: file.to_owned(),
            source: source.to_owned(),
            hidden: RefCell::default(),
            items: RefCell::default(),
        }
    }

    /// Bytes of the file that no message may show.
    pub(super) fn hide(&self, span: Range<usize>) {
        self.hidden.borrow_mut().push(span);
    }

    pub(super) fn error(
        &self,
        span: Range<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.add(Severity::Error, span, message.into(), help);
    }

    pub(super) fn warning(
        &self,
        span: Range<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.add(Severity::Warning, span, message.into(), help);
    }

    fn add(&self, severity: Severity, span: Range<usize>, message: String, help: Option<String>) {
        let raw = Raw {
            severity,
            span: span.clone(),
            message,
            help,
        };
        self.items.borrow_mut().push((span.start, raw));
    }

    /// Errors and warnings so far, each in the order of the file. The report is
    /// empty afterwards and still knows what to hide.
    pub(super) fn finish(&self) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
        let mut items = std::mem::take(&mut *self.items.borrow_mut());
        items.sort_by_key(|(start, _)| *start);
        let items = items.into_iter().map(|(_, raw)| self.diagnostic(raw));
        items.partition(|item| item.severity == Severity::Error)
    }

    fn diagnostic(&self, raw: Raw) -> Diagnostic {
        let at = floor(&self.source, raw.span.start);
        let before = self.source.get(..at).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let rest = self.source.get(start..).unwrap_or_default();
        let text = rest.split('\n').next().unwrap_or_default();
        let length = self
            .source
            .get(at..floor(&self.source, raw.span.end))
            .map_or(1, |text| text.lines().next().unwrap_or("").chars().count());
        let before_on_line = before.get(start..).unwrap_or_default();
        let (column, length) = (before_on_line.chars().count() + 1, length.max(1));
        let (source_line, places) = self.masked(start, text.trim_end_matches('\r'));
        let from = places.get(column - 1);
        let to = places.get(column + length - 2).or(places.last());
        let mark = from
            .zip(to)
            .map(|(from, to)| (*from, to.saturating_sub(*from) + 1));
        Diagnostic {
            severity: raw.severity,
            file: self.file.clone(),
            line: before.matches('\n').count() + 1,
            column,
            length,
            message: raw.message,
            help: raw.help,
            source_line,
            mark,
        }
    }

    /// A line with `…` in place of each secret, and where in it each of the line's
    /// characters is: of those that were found, and of what looks like one, because a
    /// file that cannot be parsed has secrets too.
    fn masked(&self, start: usize, line: &str) -> (String, Vec<usize>) {
        let mut hidden = self.hidden.borrow().clone();
        hidden.extend(
            suspects(line)
                .into_iter()
                .map(|range| range.start + start..range.end + start),
        );
        let (mut shown, mut places) = (String::new(), Vec::new());
        let (mut count, mut inside) = (0_usize, false);
        for (at, c) in line.char_indices() {
            let at = at + start;
            let secret = hidden.iter().any(|range| range.contains(&at));
            // Also how long it is, and where its words end, is nobody's business.
            if !(secret && inside) {
                shown.push(if secret { '…' } else { c });
                count += 1;
            }
            inside = secret;
            places.push(count - 1);
        }
        (shown, places)
    }
}

/// The start of the character that holds byte `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Parts of a key that is likely to hold a secret.
const SECRETIVE: [&str; 7] = [
    "secret", "token", "password", "passwd", "api_key", "apikey", "private",
];

/// Whether a setting of this name is likely to hold a secret.
pub(super) fn secretive(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRETIVE.iter().any(|part| name.contains(part))
}

/// The bytes of a line that look like a secret: after the first `=` of a line
/// that names one, everything but the sources `env` and `file` and addresses.
fn suspects(line: &str) -> Vec<Range<usize>> {
    let Some((key, value)) = line.split_once('=') else {
        return Vec::new();
    };
    let from = key.len() + 1;
    if !secretive(line.split('#').next().unwrap_or(line)) {
        return Vec::new();
    }
    let first = value.trim_start().chars().next();
    if !matches!(first, Some('"' | '\'' | '{' | '[') | None) {
        let blank = value.len() - value.trim_start().len();
        return std::iter::once(from + blank..line.len()).collect();
    }
    let mut out = Vec::new();
    let mut open: Option<(usize, char)> = None;
    for (at, c) in line.char_indices().filter(|(at, _)| *at >= from) {
        match open {
            None if matches!(c, '"' | '\'') => open = Some((at + 1, c)),
            Some((start, quote)) if c == quote => {
                if !is_source(line.get(..start - 1).unwrap_or_default()) {
                    out.push(start..at);
                }
                open = None;
            }
            _ => {}
        }
    }
    out.extend(open.map(|(start, _)| start..line.len()));
    out
}

/// Whether what stands before a quoted text says that it is no secret itself.
fn is_source(before: &str) -> bool {
    let key = before.trim_end().strip_suffix('=').map(str::trim_end);
    let word = |c: char| c.is_alphanumeric() || c == '_';
    key.is_some_and(|key| {
        let name = key.rsplit(|c| !word(c)).next().unwrap_or_default();
        matches!(name, "env" | "file" | "url" | "base_url" | "connector")
    })
}

#[cfg(test)]
mod tests;
