//! What is wrong with a file, where, and what to write instead. Owns how such a
//! message looks; decides nothing about the language.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is taken; its author should look.
    Warning,
}

/// One message about one place of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The file's name, as it was handed in.
    pub file: String,
    /// From 1.
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
    /// The line as it stands in the file, without its end.
    pub source_line: String,
}

/// The most characters of a line that are shown.
const WIDTH: usize = 100;

impl Diagnostic {
    /// As a compiler shows it, without a newline at the end:
    ///
    /// ```text
    /// missed-call.yaml:7:5: error: unknown key `agnt`
    ///   7 |     agnt: front-desk
    ///     |     ^^^^
    ///   help: did you mean `agent`?
    /// ```
    pub fn render(&self) -> String {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let message = printable(&self.message);
        let (shown, mark) = self.excerpt();
        let number = self.line.to_string();
        let gap = " ".repeat(number.len());
        let mut out = format!(
            "{}:{}:{}: {severity}: {message}",
            printable(&self.file),
            self.line,
            self.column
        );
        out.push_str(&format!("\n  {number} | {shown}\n  {gap} | {mark}"));
        if let Some(help) = &self.help {
            out.push_str(&format!("\n  help: {}", printable(help)));
        }
        out
    }

    /// The part of the line around the place, and the mark below it.
    fn excerpt(&self) -> (String, String) {
        let line: Vec<char> = printable(&self.source_line).chars().collect();
        let at = self.column.saturating_sub(1).min(line.len());
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
        let mark = " ".repeat(pad) + &"^".repeat(self.length.clamp(1, room));
        (
            format!("{before}{shown}{after}").trim_end().to_owned(),
            mark,
        )
    }
}

/// Without anything that would move a terminal's cursor, change its colours, or
/// turn what follows around.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                '\u{fffd}'
            }
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, column: usize, length: usize, expected: &str) {
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            file: "a.yaml".to_owned(),
            line: 12,
            column,
            length,
            message: "no\u{1b}[31m".to_owned(),
            help: Some("yes".to_owned()),
            source_line: line.to_owned(),
        };
        assert_eq!(diagnostic.render(), expected);
    }

    #[test]
    fn as_a_compiler_shows_it() {
        check(
            "\tagnt: x\u{7}",
            2,
            4,
            "a.yaml:12:2: error: no\u{fffd}[31m\n  12 |  agnt: x\u{fffd}\n     |  ^^^^\n  help: yes",
        );
        check(
            "",
            9,
            9,
            "a.yaml:12:9: error: no\u{fffd}[31m\n  12 | \n     | ^\n  help: yes",
        );
    }

    #[test]
    fn nothing_turns_the_line_around() {
        check(
            "a: \u{202e}b\u{2066}c",
            1,
            1,
            "a.yaml:12:1: error: no\u{fffd}[31m\n  12 | a: \u{fffd}b\u{fffd}c\n     | ^\n  help: yes",
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let line = format!("{}HERE{}", "a".repeat(300), "b".repeat(300));
        let expected = format!(
            "a.yaml:12:301: error: no\u{fffd}[31m\n  12 | …{}HERE{}…\n     | {}^^^^\n  help: yes",
            "a".repeat(50),
            "b".repeat(46),
            " ".repeat(51)
        );
        check(&line, 301, 4, &expected);
    }
}
