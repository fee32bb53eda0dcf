//! A CSV text as rows. Owns what is refused of it: the reader below takes a quote in the
//! wrong place for a letter, or the rest of the file for one value, without a word.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The most rows.
pub(super) const MOST: usize = 100_000;
/// The most values in all: a row is a map, which takes ten times the room of its text.
const MOST_VALUES: usize = 1_000_000;

/// Rows by the names of the first line, all values texts without space around.
///
/// # Errors
/// What is wrong, and in which line.
pub(super) fn read(text: &str) -> Result<Vec<Value>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    quotes(text)?;
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let names = reader.headers().map_err(|error| error.to_string())?.clone();
    if names.iter().all(str::is_empty) {
        return Err("its first line has no names".to_owned());
    }
    let mut seen = BTreeSet::new();
    for name in names.iter().filter(|name| !name.is_empty()) {
        if !seen.insert(name) {
            return Err(format!("its first line names {name:?} twice"));
        }
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| wrong(&error))?;
        if rows.len() == MOST {
            return Err(format!("it has more than {MOST} rows"));
        }
        if (rows.len() + 1) * names.len() > MOST_VALUES {
            return Err(format!("it has more than {MOST_VALUES} values"));
        }
        let row: Map<String, Value> = names
            .iter()
            .zip(record.iter())
            .map(|(name, value)| (name.to_owned(), Value::String(value.to_owned())))
            .collect();
        rows.push(Value::Object(row));
    }
    Ok(rows)
}

/// Checks that every quote which begins a value ends it, too (RFC 4180, section 2). One
/// inside of a value without quotes is a letter: `5" nails`.
fn quotes(text: &str) -> Result<(), String> {
    let mut line = 1;
    let mut chars = text.chars().peekable();
    loop {
        let mut spaces = 0;
        while chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {
            spaces += 1;
        }
        if chars.next_if_eq(&'"').is_some() {
            if spaces > 0 {
                return Err(format!(
                    "line {line}: a space stands before the quote of a value; take it out"
                ));
            }
            let opened = line;
            loop {
                match chars.next() {
                    Some('"') if chars.next_if_eq(&'"').is_some() => {}
                    Some('"') => break,
                    Some('\n') => line += 1,
                    Some(_) => {}
                    None => {
                        return Err(format!(
                            "the quote in line {opened} is not closed; a quote that is meant is written twice, inside quotes"
                        ));
                    }
                }
            }
            while chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
            if let Some(c) = chars.peek()
                && !matches!(c, ',' | '\r' | '\n')
            {
                return Err(format!(
                    "line {line}: something stands behind the quote that closes a value; a quote that is meant is written twice, inside quotes"
                ));
            }
        }
        // On to the next value.
        loop {
            match chars.next() {
                Some(',' | '\r') => break,
                Some('\n') => {
                    line += 1;
                    break;
                }
                Some(_) => {}
                None => return Ok(()),
            }
        }
    }
}

/// What is wrong with a line, in words.
fn wrong(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            pos,
            expected_len,
            len,
        } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            format!(
                "line {line} has {len} values, and the first line has {expected_len} names; a comma that is meant stands inside quotes"
            )
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_by_name() {
        let rows =
            read("\u{feff}id, name ,at\n1,\"Ann, B\",2026-11-30T09:00:00Z\n2, Bo ,\n").unwrap();
        assert_eq!(
            rows,
            [
                json!({ "id": "1", "name": "Ann, B", "at": "2026-11-30T09:00:00Z" }),
                json!({ "id": "2", "name": "Bo", "at": "" }),
            ]
        );
        assert_eq!(read("a,b\n").unwrap(), Vec::<Value>::new());
    }

    #[test]
    fn quotes_that_are_meant() {
        fn check(text: &str, expected: &[&str]) {
            let rows = read(&format!("a\n{text}")).unwrap();
            let values: Vec<&str> = rows.iter().map(|row| row["a"].as_str().unwrap()).collect();
            assert_eq!(values, expected, "{text:?}");
        }
        check("\"say \"\"hi\"\"\"\n", &["say \"hi\""]);
        check("5\" nails\n6\" nails", &["5\" nails", "6\" nails"]);
        check(
            "\"two\nlines\"\r\n\"\" \r\n\"x\" ",
            &["two\nlines", "", "x"],
        );
        check("\"a\"\r\"b\"\r", &["a", "b"]);
        check(
            "\"\u{0}\"\nעברית\n\u{202e}x",
            &["\u{0}", "עברית", "\u{202e}x"],
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        fn check(text: &str, expected: &str) {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        check(
            "a,b\n1\n",
            "line 2 has 1 values, and the first line has 2 names",
        );
        check(
            "a,b\n1,2\n3,\"4\n5,6\n7,8\n9",
            "the quote in line 3 is not closed",
        );
        check(
            "a,b\n1,\"2\"x\n",
            "line 2: something stands behind the quote",
        );
        check(
            "a,b\n1,\"say \"hi\"\"\n",
            "line 2: something stands behind the quote",
        );
        check(
            "a,b\n\"1\n\n\",2\n3, \"4, 5\"\n",
            "line 5: a space stands before the quote",
        );
        check("a,\"b\n1,2\n", "the quote in line 1 is not closed");
        check("\"", "the quote in line 1 is not closed");
        check("a,b, a\n1,2,3\n", "names \"a\" twice");
        check("", "has no names");
        check(",,\n1,2,3\n", "has no names");
    }

    /// Much is refused before it takes the room of a hundred times as much.
    #[test]
    fn much_is_bounded() {
        fn check(text: &str, expected: &str) {
            let start = std::time::Instant::now();
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
            println!("{expected}: {:?}", start.elapsed());
        }
        let much = 1024 * 1024;
        let names: Vec<String> = (0..1_100).map(|n| format!("n{n}")).collect();
        let row = format!("{}\n", ",".repeat(1_099));
        check(
            &format!("{}\n{}", names.join(","), row.repeat(1_000)),
            "more than 1000000 values",
        );
        check(
            &format!("a\n{}", "x\n".repeat(much / 2)),
            "more than 100000 rows",
        );
        check(&"\"".repeat(much + 1), "is not closed");
        check(&format!("a,b\n{}", "\"\",".repeat(much / 3)), "line 2 has");
        check(&",".repeat(much), "has no names");
    }
}
