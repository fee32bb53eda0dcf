//! Quiet hours: when the law of a place lets a marketing text arrive, in the
//! recipient's wall time, and the next instant that is allowed.
//!
//! The table is engineering input with its sources, not legal advice; whether
//! the rules for telephone solicitations cover texts is debated in courts.
//! This module knows windows and instants only. Which intents are exempt, and
//! that a reply within minutes of the contact's own text always goes, is
//! decided by the send gate.

mod holidays;
mod table;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

pub use holidays::Holidays;
pub use table::{Rule, US_SAFE, marketing_window, rule, rules};

/// A text is handed over this long before the window ends at the latest, so
/// that a provider's queue does not carry it past the limit.
const EARLY: SignedDuration = SignedDuration::from_mins(5);
/// How far ahead an allowed instant is looked for: a week and the day after.
const DAYS_AHEAD: i32 = 8;

/// Why a window cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The end is not later than the start on the same day.
    #[error("the window ends at {to}, which is not after its start at {from}")]
    Backwards {
        /// Wall time of the start.
        from: Time,
        /// Wall time of the end.
        to: Time,
    },
}

/// A stretch of one day in wall time; `to` is not part of it, and midnight as
/// `to` means the end of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    from: Time,
    to: Time,
}

impl Stretch {
    fn shared(self, other: Self) -> Option<Self> {
        let from = self.from.max(other.from);
        let to = if self.to == Time::midnight() {
            other.to
        } else if other.to == Time::midnight() {
            self.to
        } else {
            self.to.min(other.to)
        };
        (to == Time::midnight() || from < to).then_some(Self { from, to })
    }
}

/// When texts may arrive: at most one stretch per weekday, in wall time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Monday first.
    days: [Option<Stretch>; 7],
    holidays: Option<Holidays>,
}

impl Window {
    /// The same stretch on every day. Midnight as `to` is the end of the day.
    ///
    /// # Errors
    ///
    /// [`Error::Backwards`]; a window over midnight is not supported.
    pub fn daily(from: Time, to: Time) -> Result<Self, Error> {
        if to != Time::midnight() && to <= from {
            return Err(Error::Backwards { from, to });
        }
        Ok(Self {
            days: [Some(Stretch { from, to }); 7],
            holidays: None,
        })
    }

    /// What both windows allow.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let mut days = self.days;
        for (day, theirs) in days.iter_mut().zip(other.days) {
            *day = day.zip(theirs).and_then(|(a, b)| a.shared(b));
        }
        Self {
            days,
            holidays: self.holidays.or(other.holidays),
        }
    }

    fn on(&self, date: Date) -> Option<Stretch> {
        if self.holidays.is_some_and(|days| days.contains(date)) {
            return None;
        }
        let day = usize::try_from(date.weekday().to_monday_zero_offset()).ok()?;
        *self.days.get(day)?
    }

    /// The real stretches in `zone` around `now`, with the early end taken off.
    ///
    /// Where clocks change inside a limit, the narrower reading counts: the
    /// later start and the earlier end.
    fn stretches(&self, now: Timestamp, zone: &TimeZone) -> Vec<(Timestamp, Timestamp)> {
        let mut out: Vec<(Timestamp, Timestamp)> = Vec::new();
        let today = zone.to_datetime(now).date();
        let first = today.yesterday().unwrap_or(today);
        for date in first
            .series(jiff::Span::new().days(1))
            .take(DAYS_AHEAD as usize + 2)
        {
            let Some(stretch) = self.on(date) else {
                continue;
            };
            let last = if stretch.to == Time::midnight() {
                date.tomorrow().unwrap_or(date)
            } else {
                date
            };
            let start = zone.to_ambiguous_timestamp(date.to_datetime(stretch.from));
            let end = zone.to_ambiguous_timestamp(last.to_datetime(stretch.to));
            let (Ok(start), Ok(end)) = (start.later(), end.earlier()) else {
                continue;
            };
            match out.last_mut() {
                // An allowed midnight is no end.
                Some(previous) if previous.1 >= start => previous.1 = end,
                _ => out.push((start, end)),
            }
        }
        for (_, end) in &mut out {
            *end = end.checked_sub(EARLY).unwrap_or(*end);
        }
        out
    }
}

/// Whether a text may go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It may go now.
    Allowed,
    /// It may go at this instant, and not before.
    NotBefore(Timestamp),
    /// No zone was known, or the window does not open within eight days.
    Never,
}

/// The next instant at which every one of `zones` (IANA names) is inside
/// `window`.
///
/// Zones that the time-zone data does not know are left out. When no instant
/// of the next eight days suits all zones (a window of eleven hours, and zones
/// from Guam to Newfoundland), the first instant counts at which as many of
/// them as possible are inside: any other choice would never send at all.
#[must_use]
pub fn next_allowed(now: Timestamp, zones: &[&str], window: &Window) -> Decision {
    let stretches: Vec<Vec<(Timestamp, Timestamp)>> = zones
        .iter()
        .filter_map(|name| TimeZone::get(name).ok())
        .map(|zone| window.stretches(now, &zone))
        .collect();
    let inside = |at: Timestamp| {
        let open = |zone: &&Vec<(Timestamp, Timestamp)>| {
            zone.iter().any(|(start, end)| (*start..*end).contains(&at))
        };
        stretches.iter().filter(open).count()
    };
    // The number of open zones grows only where a stretch starts.
    let starts = stretches.iter().flatten().map(|(start, _)| *start);
    let mut instants: Vec<Timestamp> = starts.filter(|start| *start > now).collect();
    instants.push(now);
    instants.sort_unstable();
    instants.dedup();
    let mut best = (0, now);
    for at in instants {
        let open = inside(at);
        if open > best.0 {
            best = (open, at);
        }
        if open == stretches.len() {
            break;
        }
    }
    match best {
        (0, _) => Decision::Never,
        (_, at) if at == now => Decision::Allowed,
        (_, at) => Decision::NotBefore(at),
    }
}

/// The zones that must all allow a text to `e164`: the contact's own zone when
/// it is known, else every candidate zone of the number, else the zone of the
/// business.
///
/// A `+1` number without a known area code (toll-free, fictional) may lie
/// anywhere between Guam and Newfoundland, which is no knowledge at all; it
/// counts as having no zone.
#[must_use]
pub fn zones_for<'a>(contact: Option<&'a str>, e164: &str, business: &'a str) -> Vec<&'a str> {
    if let Some(zone) = contact {
        return vec![zone];
    }
    let zones = super::zones::zones_of(e164);
    let nowhere = super::zones::zones_of("+1");
    if zones.is_empty() || zones == nowhere {
        return vec![business];
    }
    zones.to_vec()
}

#[cfg(test)]
mod tests;
