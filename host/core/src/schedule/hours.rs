//! Opening hours: ranges per weekday in the wall time of one zone, and dates on
//! which all is closed.
//!
//! These are the hours a business names for itself. Legal quiet hours are in
//! [`crate::sms::quiet`].

use std::collections::BTreeSet;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::days;
use super::wall::{first_instant, last_instant};

/// Days searched for the next opening.
const DAYS_AHEAD: usize = 400;

/// Why a text does not say opening hours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a name of the IANA time-zone data.
    #[error("{name} is not a time zone; use a name such as America/New_York")]
    Zone {
        /// The name as it was given.
        name: String,
    },
    /// Not a list of weekdays.
    #[error("{text} is not a weekday; use sun to sat, a list or a range such as mon-fri")]
    Days {
        /// The text as it was given.
        text: String,
    },
    /// A weekday stands in two entries.
    #[error("{day} has hours twice")]
    Twice {
        /// The short name of the weekday.
        day: &'static str,
    },
    /// Not a list of ranges.
    #[error("{text} is not a range of hours; use 09:00-18:00, several with commas, or closed")]
    Range {
        /// The text as it was given.
        text: String,
    },
    /// Not a date.
    #[error("{text} is not a date; use a day such as 2026-12-25")]
    Date {
        /// The text as it was given.
        text: String,
    },
}

/// A range that starts on a day; `overnight` ends on the day after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    from: Time,
    to: Time,
    overnight: bool,
}

/// Opening hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    zone: TimeZone,
    /// Sunday first.
    week: [Vec<Range>; 7],
    closed: BTreeSet<Date>,
}

impl Hours {
    /// Reads hours from entries such as `("mon-fri", "09:00-12:30, 13:30-18:00")`.
    ///
    /// A range may run over midnight (`18:00-02:00`) and then belongs to the
    /// day it starts on; `24:00` is the end of the day; `closed` is no range at
    /// all. Days without an entry are closed. `closed` lists dates as
    /// `2026-12-25`; ranges that start on them do not happen.
    ///
    /// # Errors
    ///
    /// [`Error`], with the text that is wrong.
    pub fn parse<'a>(
        zone: &str,
        entries: impl IntoIterator<Item = (&'a str, &'a str)>,
        closed: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Error> {
        let zone = TimeZone::get(zone).map_err(|_| Error::Zone {
            name: zone.to_owned(),
        })?;
        let mut week: [Vec<Range>; 7] = Default::default();
        let mut named = 0_u8;
        for (text, hours) in entries {
            let set = days::set(&text.replace(' ', "")).ok_or_else(|| Error::Days {
                text: text.to_owned(),
            })?;
            let ranges = ranges(hours)?;
            for (number, (day, slot)) in days::NAMES.iter().zip(&mut week).enumerate() {
                let bit = 1 << number;
                if set & bit == 0 {
                    continue;
                }
                if named & bit != 0 {
                    return Err(Error::Twice { day });
                }
                named |= bit;
                slot.clone_from(&ranges);
            }
        }
        let date = |text: &str| {
            text.trim().parse().map_err(|_| Error::Date {
                text: text.to_owned(),
            })
        };
        let closed = closed.into_iter().map(date).collect::<Result<_, _>>()?;
        Ok(Self { zone, week, closed })
    }

    /// The zone whose wall clock counts.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Whether it is open at `at`. The end of a range is not part of it.
    #[must_use]
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.next_open(at) == Some(at)
    }

    /// The first instant from `at` on at which it is open: `at` itself when it
    /// is open then. `None` when that is more than 400 days away.
    #[must_use]
    pub fn next_open(&self, at: Timestamp) -> Option<Timestamp> {
        let today = self.zone.to_datetime(at).date();
        // A range of yesterday may run over midnight.
        let first = today.yesterday().unwrap_or(today);
        let days = first.series(Span::new().days(1)).take(DAYS_AHEAD);
        // Ranges of one day may overlap or stand in any order, and one of
        // yesterday may end after today's start: the earliest of three days.
        let mut best: Option<(Date, Timestamp)> = None;
        for date in days {
            if best.is_some_and(|(found, _)| date.yesterday().is_ok_and(|day| found < day)) {
                break;
            }
            for (start, end) in self.stretches(date) {
                let open = start.max(at);
                if open < end && best.is_none_or(|(_, other)| open < other) {
                    best = Some((date, open));
                }
            }
        }
        best.map(|(_, open)| open)
    }

    /// The real stretches that start on `date`: from the first occurrence of a
    /// wall time that comes twice, to the last.
    fn stretches(&self, date: Date) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let weekday = usize::try_from(date.weekday().to_sunday_zero_offset()).ok();
        let open = weekday.filter(|_| !self.closed.contains(&date));
        let ranges = open.and_then(|day| self.week.get(day));
        ranges.into_iter().flatten().filter_map(move |range| {
            let last = if range.overnight {
                date.tomorrow().ok()?
            } else {
                date
            };
            let start = first_instant(date.to_datetime(range.from), &self.zone)?;
            let end = last_instant(last.to_datetime(range.to), &self.zone)?;
            Some((start, end))
        })
    }
}

fn ranges(text: &str) -> Result<Vec<Range>, Error> {
    if text.trim().eq_ignore_ascii_case("closed") {
        return Ok(Vec::new());
    }
    let range = |item: &str| {
        let (from, to) = item.split_once(['-', '–'])?;
        let from = clock(from)?;
        let (to, overnight) = match to.trim() {
            "24:00" => (Time::midnight(), true),
            to => {
                let to = clock(to)?;
                (to, to < from)
            }
        };
        (from != to || overnight).then_some(Range {
            from,
            to,
            overnight,
        })
    };
    let items = text.split(',').map(|item| {
        range(item).ok_or_else(|| Error::Range {
            text: text.to_owned(),
        })
    });
    items.collect()
}

/// `9:00` or `09:00`.
fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        (digits && lengths.contains(&text.len()))
            .then(|| text.parse::<i8>().ok())
            .flatten()
    };
    Time::new(number(hour, 1..=2)?, number(minute, 2..=2)?, 0, 0).ok()
}

#[cfg(test)]
mod tests;
