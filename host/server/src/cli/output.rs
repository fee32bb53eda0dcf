//! How things look in a terminal. Owns tables, cuts and JSON; knows no command.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value as Json;

/// Pretty JSON and a newline.
pub(super) fn json(out: &mut (dyn Write + Send), value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    writeln!(out, "{text}")
}

/// A text of an answer as a person reads it; `-` where there is none.
pub(super) fn text(value: &Json, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Json::Null) => "-".to_owned(),
        Some(Json::String(text)) => match moment(text) {
            Some(moment) => format!("{moment:.0}"),
            None => printable(text),
        },
        Some(other) => other.to_string(),
    }
}

/// The time that a text is, when it is nothing else: seconds are enough for a person.
fn moment(text: &str) -> Option<Timestamp> {
    let is_one = text.len() > 20 && text.as_bytes().get(10) == Some(&b'T') && text.ends_with('Z');
    text.parse().ok().filter(|_| is_one)
}

/// On one line, without anything that would move the cursor.
pub(super) fn printable(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect()
}

/// At most so many characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let start: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", start.trim_end())
}

/// The members of a list in an answer.
pub(super) fn items(answer: &Json) -> &[Json] {
    let list = answer.get("data").and_then(Json::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

/// Columns as wide as their widest cell, two spaces apart.
pub(super) fn table(
    out: &mut (dyn Write + Send),
    head: &[&str],
    rows: &[Vec<String>],
) -> io::Result<()> {
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let lines = || std::iter::once(&head).chain(rows);
    let width = |column: usize| {
        let cells = lines().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    for line in lines() {
        let cells = line.iter().zip(&widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        writeln!(out, "{}", line.join("  ").trim_end())?;
    }
    Ok(())
}
