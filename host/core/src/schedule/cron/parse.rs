//! From text to the sets of a [`Cron`]: which field is which, weekday numbers
//! into names, and errors that name the field.

use std::str::FromStr as _;

use cron::{Schedule, TimeUnitSpec};

use super::Cron;
use crate::schedule::days;

/// Why a text is not a cron expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Neither five nor six fields.
    #[error(
        "a cron expression has five fields (minute hour day month weekday), or six with seconds first; this one has {count}"
    )]
    Fields {
        /// Fields found.
        count: usize,
    },
    /// A word after `@` that is not known.
    #[error("{word} is not a known schedule; use @hourly, @daily, @weekly, @monthly or @yearly")]
    Word {
        /// The word with its `@`.
        word: String,
    },
    /// One field cannot be read.
    #[error("the {field} field {text} is wrong; use {expected}")]
    Field {
        /// `second`, `minute`, `hour`, `day`, `month` or `weekday`.
        field: &'static str,
        /// The field as it was written.
        text: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// All fields are right, and no day has them all, such as 30 February.
    #[error("{expression} names a date that never comes")]
    Never {
        /// The expression as it was written.
        expression: String,
    },
}

/// Names of the six fields and what may stand in them.
const FIELDS: [(&str, &str); 6] = [
    (
        "second",
        "0 to 59, *, a list, a range or a step such as */15",
    ),
    (
        "minute",
        "0 to 59, *, a list, a range or a step such as */15",
    ),
    ("hour", "0 to 23, *, a list, a range or a step such as */2"),
    ("day", "1 to 31, *, a list, a range or a step such as */2"),
    ("month", "1 to 12, jan to dec, *, a list, a range or a step"),
    (
        "weekday",
        "0 to 7 (0 and 7 are Sunday), sun to sat, *, a list or a range such as mon-fri",
    ),
];

pub(super) fn parse(expression: &str) -> Result<Cron, Error> {
    let source = expression.trim();
    let text = if source.starts_with('@') {
        word(source)?
    } else {
        source
    };
    let mut fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() == 5 {
        fields.insert(0, "0");
    }
    let &[second, minute, hour, day, month, weekday] = fields.as_slice() else {
        return Err(Error::Fields {
            count: fields.len(),
        });
    };
    let weekdays = days::set(weekday).ok_or_else(|| wrong(5, weekday))?;
    let names = weekday_names(weekdays);
    let parts = [second, minute, hour, day, month, names.as_str()];
    for (place, part) in parts.iter().enumerate() {
        read_one(place, part)?;
    }
    let schedule = read(&parts).map_err(|_| wrong(5, weekday))?;
    let open = |field: &str| field.starts_with(['*', '?']);
    Ok(Cron {
        source: source.to_owned(),
        seconds: bits(schedule.seconds()),
        minutes: bits(schedule.minutes()),
        hours: bits(schedule.hours()),
        days: bits(schedule.days_of_month()),
        months: bits(schedule.months()),
        weekdays: u64::from(weekdays),
        either_day: !open(day) && !open(weekday),
        interval: hour.starts_with('*'),
    })
}

fn word(text: &str) -> Result<&'static str, Error> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => {
            return Err(Error::Word {
                word: text.to_owned(),
            });
        }
    })
}

/// The crate counts weekdays from Sunday = 1, so it gets to see names only.
fn weekday_names(set: u8) -> String {
    let names = (0..).zip(days::NAMES);
    let chosen = names.filter(|(number, _)| set >> number & 1 == 1);
    chosen.map(|(_, name)| name).collect::<Vec<_>>().join(",")
}

/// Reads one field with all others open, so that an error has a name.
fn read_one(place: usize, text: &str) -> Result<(), Error> {
    let mut parts = ["*"; 6];
    if let Some(part) = parts.get_mut(place) {
        *part = text;
    }
    if !has_shape(text, place) || read(&parts).is_err() {
        return Err(wrong(place, text));
    }
    Ok(())
}

fn read(parts: &[&str; 6]) -> Result<Schedule, cron::error::Error> {
    Schedule::from_str(&parts.join(" "))
}

/// The crate reads `*5` as two fields, so the shape is checked before: items
/// between commas, each `*`, a value or a range, perhaps with a step.
fn has_shape(text: &str, place: usize) -> bool {
    let value = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.split(',').all(|item| {
        let (base, step) = match item.split_once('/') {
            Some((base, step)) => (base, Some(step)),
            None => (item, None),
        };
        let base = match base.split_once('-') {
            Some((from, to)) => value(from) && value(to),
            None => base == "*" || (base == "?" && place == 3) || value(base),
        };
        base && step.is_none_or(number)
    })
}

fn wrong(place: usize, text: &str) -> Error {
    let (field, expected) = FIELDS.get(place).copied().unwrap_or_default();
    Error::Field {
        field,
        text: text.to_owned(),
        expected,
    }
}

fn bits(unit: &impl TimeUnitSpec) -> u64 {
    unit.iter().fold(0, |set, value| {
        set | 1_u64.checked_shl(value).unwrap_or_default()
    })
}
