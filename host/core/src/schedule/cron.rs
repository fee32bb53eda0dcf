//! Cron expressions: five fields, or six with seconds first, as in crontab(5).
//!
//! The `cron` crate reads the fields. Days and instants are ours, because the
//! crate (0.17) counts weekdays from Sunday = 1, skips a job in the hour that
//! the clocks skip, and doubles or loses jobs in the hour that they repeat. The
//! rule for those nights is Debian cron's:
//!
//! * a *fixed-time* job (its hour field names hours) runs once, at the first
//!   valid instant after a gap, or at the first of two occurrences;
//! * an *interval* job (its hour field is `*` or `*/n`) runs at every real
//!   occurrence, twice in an overlap, and not at all in a gap.

mod parse;

use std::collections::VecDeque;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

pub use parse::Error;

use super::wall::first_instant;

/// Years searched for the next match: 29 February on a given weekday comes
/// back after 40 years at the latest (over 2100).
const YEARS: i16 = 41;

/// A checked cron expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    source: String,
    /// Bits of the allowed values of each field; weekdays from Sunday = bit 0.
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Both day fields name days: then either of them is enough (POSIX).
    either_day: bool,
    /// The hour field is a wildcard: see the module's rule.
    interval: bool,
}

/// One firing of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Firing {
    /// The wall time that the expression names. For a job in a gap it is a
    /// time that no clock showed.
    pub nominal: DateTime,
    /// The instant at which it is due.
    pub at: Timestamp,
    /// The second occurrence of a repeated wall time (interval jobs only).
    pub repeated: bool,
}

impl Firing {
    /// A text that is different for every firing of a schedule and the same
    /// whenever the firing is computed again: the nominal wall time, with a
    /// mark on the second occurrence. It does not change when the time-zone
    /// data does.
    #[must_use]
    pub fn key(&self) -> String {
        let mark = if self.repeated { " again" } else { "" };
        format!("{}{mark}", self.nominal)
    }
}

/// Firings that passed unseen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// The latest ones, oldest first, at most as many as were asked for.
    pub firings: Vec<Firing>,
    /// How many older ones were left out.
    pub dropped: usize,
}

impl Cron {
    /// Reads an expression of five or six fields, or one of `@yearly`,
    /// `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight`, `@hourly`.
    ///
    /// # Errors
    ///
    /// [`Error`], naming the field; also for a date that never comes.
    pub fn parse(expression: &str) -> Result<Self, Error> {
        let cron = parse::parse(expression)?;
        let some_day = DateTime::constant(2000, 1, 1, 0, 0, 0, 0);
        match cron.first_match(some_day) {
            Some(_) => Ok(cron),
            None => Err(Error::Never {
                expression: cron.source,
            }),
        }
    }

    /// The expression as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The first firing strictly after `after`, by the wall clock of `zone`.
    ///
    /// Calling it again with `at` of its answer lists all firings in order,
    /// each instant once. When several nominal times fall on one instant (the
    /// gap), the earliest gives its name. `None` at the end of the calendar.
    #[must_use]
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Firing> {
        let whole = Timestamp::from_second(after.as_second()).ok()?;
        // Before 1970 the whole second lies after the instant.
        let next = if whole > after {
            whole
        } else {
            whole.checked_add(SignedDuration::from_secs(1)).ok()?
        };
        if self.interval {
            self.next_interval(next, zone)
        } else {
            self.next_fixed(after, zone.to_datetime(next), zone)
        }
    }

    /// The firings after `after` up to and including `until`; of more than
    /// `cap` the latest ones. The work grows with their number, not with
    /// `cap`: bound the time between the two instants.
    #[must_use]
    pub fn missed(
        &self,
        after: Timestamp,
        until: Timestamp,
        zone: &TimeZone,
        cap: usize,
    ) -> Missed {
        let mut firings = VecDeque::new();
        let mut dropped = 0;
        let mut cursor = after;
        while let Some(firing) = self.next_after(cursor, zone).filter(|f| f.at <= until) {
            cursor = firing.at;
            firings.push_back(firing);
            if firings.len() > cap {
                firings.pop_front();
                dropped += 1;
            }
        }
        Missed {
            firings: firings.into(),
            dropped,
        }
    }

    /// Walks nominal times; their instants never go back, so the first one
    /// after `after` is the answer.
    fn next_fixed(&self, after: Timestamp, from: DateTime, zone: &TimeZone) -> Option<Firing> {
        let mut wall = from;
        loop {
            let nominal = self.first_match(wall)?;
            let at = first_instant(nominal, zone)?;
            if at > after {
                return Some(Firing {
                    nominal,
                    at,
                    repeated: false,
                });
            }
            wall = nominal.checked_add(SignedDuration::from_secs(1)).ok()?;
        }
    }

    /// Walks the stretches between clock changes; inside one, wall time and
    /// real time run alike.
    fn next_interval(&self, from: Timestamp, zone: &TimeZone) -> Option<Firing> {
        let mut from = from;
        loop {
            let offset = zone.to_offset(from);
            let nominal = self.first_match(offset.to_datetime(from))?;
            let at = offset.to_timestamp(nominal).ok()?;
            match zone.following(from).next().map(|change| change.timestamp()) {
                Some(change) if change <= at => from = change,
                _ => {
                    let wall = zone.to_ambiguous_timestamp(nominal);
                    let repeated = matches!(wall.offset(), AmbiguousOffset::Fold { after, .. } if after == offset);
                    return Some(Firing {
                        nominal,
                        at,
                        repeated,
                    });
                }
            }
        }
    }

    /// The first wall time that matches, `from` included; fractions of its
    /// second must be zero.
    fn first_match(&self, from: DateTime) -> Option<DateTime> {
        let mut date = from.date();
        let mut time = from.time();
        let last_year = date.year().saturating_add(YEARS);
        while date.year() <= last_year {
            if !has(self.months, date.month()) {
                date = date.last_of_month().tomorrow().ok()?;
                time = Time::midnight();
                continue;
            }
            if self.day_matches(date)
                && let Some(time) = self.first_time(time)
            {
                return Some(date.to_datetime(time));
            }
            date = date.tomorrow().ok()?;
            time = Time::midnight();
        }
        None
    }

    fn day_matches(&self, date: Date) -> bool {
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        if self.either_day {
            day || weekday
        } else {
            day && weekday
        }
    }

    fn first_time(&self, from: Time) -> Option<Time> {
        let (first_hour, first_minute) = (from.hour(), from.minute());
        let mut hour = next(self.hours, first_hour)?;
        loop {
            let same_hour = hour == first_hour;
            let mut minute = next(self.minutes, if same_hour { first_minute } else { 0 });
            while let Some(m) = minute {
                let same_minute = same_hour && m == first_minute;
                let first_second = if same_minute { from.second() } else { 0 };
                if let Some(second) = next(self.seconds, first_second) {
                    return Time::new(hour, m, second, 0).ok();
                }
                minute = next(self.minutes, m + 1);
            }
            hour = next(self.hours, hour + 1)?;
        }
    }
}

fn has(set: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|bit| set.checked_shr(bit).unwrap_or(0) & 1 == 1)
}

/// The smallest member of `set` that is not below `from`.
fn next(set: u64, from: i8) -> Option<i8> {
    let from = u32::try_from(from).ok()?;
    let rest = set.checked_shr(from)?;
    let bit = (rest != 0).then(|| from + rest.trailing_zeros())?;
    i8::try_from(bit).ok()
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod year;
