//! A transcript as people read it: a chat with days and clock times, in the
//! contact's zone.

use std::fmt;

use jiff::Timestamp;
use jiff::Zoned;
use jiff::tz::TimeZone;

use super::transcript::{By, Entry, Transcript};

/// Where the words begin.
const INDENT: &str = "                        ";

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = TimeZone::get(&self.contact_zone).unwrap_or(TimeZone::UTC);
        write!(
            f,
            "{}, with {} in {}",
            self.workflow, self.contact, self.contact_zone
        )?;
        if self.business_zone != self.contact_zone {
            write!(f, " (the business is in {})", self.business_zone)?;
        }
        writeln!(f)?;
        let mut before: Option<Zoned> = None;
        for entry in self.entries.iter().filter(|entry| !entry.quiet) {
            let at = entry.at.to_zoned(zone.clone());
            if before.as_ref().map(Zoned::date) != Some(at.date()) {
                writeln!(f, "\n{}", at.strftime("%A, %B %-d, %Y"))?;
            }
            if let Some(before) = before.filter(|before| before.offset() != at.offset()) {
                let (old, new) = (before.strftime("%Z"), at.strftime("%Z"));
                writeln!(f, "{INDENT}(the clocks have changed: {old} is now {new})")?;
            }
            self.line(f, entry, &at, &zone)?;
            before = Some(at);
        }
        writeln!(f)?;
        self.last(f)
    }
}

impl Transcript {
    fn line(
        &self,
        f: &mut fmt::Formatter<'_>,
        entry: &Entry,
        at: &Zoned,
        zone: &TimeZone,
    ) -> fmt::Result {
        let who = match (entry.by, &entry.to) {
            (By::Us, None) => "us  ".to_owned(),
            (By::Us, Some(to)) => format!("us to {to}:"),
            (By::Them, None) => "them".to_owned(),
            (By::Them, Some(from)) => format!("{from}:"),
            (By::Note, _) => "   ·".to_owned(),
        };
        let mut body = entry.body.clone();
        if let Some(until) = entry.until {
            body = with_until(&body, &until_words(until, at, zone));
        }
        match (entry.by, &entry.step) {
            (By::Note, Some(step)) => body = format!("{step}: {body}"),
            (By::Us, _) if entry.what == "text" => {
                let count = entry.segments.unwrap_or(1);
                let unit = if count == 1 { "segment" } else { "segments" };
                body = format!("{body}  [{count} {unit}]");
            }
            _ => {}
        }
        if let Some(workflow) = &entry.workflow {
            body = format!("({workflow}) {body}");
        }
        let mut lines = body.lines();
        let first = lines.next().unwrap_or_default();
        let time = clock(at);
        writeln!(f, "  {time:<16} {who} {first}")?;
        for line in lines {
            writeln!(f, "{INDENT}{line}")?;
        }
        Ok(())
    }

    fn last(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (texts, segments) = (self.texts, self.segments);
        let texts = plural(texts, "text", "texts");
        let segments = plural(segments, "segment", "segments");
        for run in &self.runs {
            match (run.status.as_str(), &run.outcome) {
                ("running", _) => writeln!(f, "It is still under way, and nothing more happens.")?,
                (status, Some(outcome)) if status != outcome => {
                    writeln!(f, "It is {status}: {outcome}.")?;
                }
                (status, _) => writeln!(f, "It is {status}.")?,
            }
        }
        if self.runs.is_empty() {
            writeln!(f, "It never started.")?;
        }
        if let Some(cut) = &self.cut {
            writeln!(f, "Cut off here: {cut}.")?;
        }
        write!(f, "The contact got {texts}, {segments}.")
    }
}

fn plural(count: u32, one: &str, many: &str) -> String {
    match count {
        0 => format!("no {many}"),
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    }
}

/// `10 AM CST`, `10:00:45 AM CST`.
fn clock(at: &Zoned) -> String {
    let form = match at.second() {
        0 => "%-I:%M %p %Z",
        _ => "%-I:%M:%S %p %Z",
    };
    at.strftime(form).to_string()
}

/// A time as seen from another one.
fn until_words(until: Timestamp, now: &Zoned, zone: &TimeZone) -> String {
    let until = until.to_zoned(zone.clone());
    match until.date() == now.date() {
        true => clock(&until),
        false => format!("{}, {}", until.strftime("%a, %b %-d"), clock(&until)),
    }
}

/// The time behind the first line.
fn with_until(body: &str, until: &str) -> String {
    match body.split_once('\n') {
        Some((first, rest)) => format!("{first} (until {until})\n{rest}"),
        None if body.starts_with("waits") => format!("{body} until {until}"),
        None => format!("{body} (until {until})"),
    }
}
