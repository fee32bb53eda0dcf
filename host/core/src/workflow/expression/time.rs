//! Times as expressions see them, and times in words. Owns the wording
//! (`tomorrow at 9:30 AM`); which zone a time is told in comes from outside.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr, Value as Jinja};

use super::scope::Inner;
use crate::workflow::duration::{self, Unit, short};

/// A moment, and the zone it is told in where one was given. Prints RFC 3339 in
/// UTC, compares by the moment.
#[derive(Clone, Debug)]
pub(crate) struct Time {
    pub(crate) at: Timestamp,
    pub(crate) zone: Option<TimeZone>,
}

impl Object for Time {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<Self>()?;
        Some(self.at.cmp(&other.at))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.at, f)
    }
}

impl Time {
    /// A time from a value: a time, RFC 3339, or a date and time without an
    /// offset, which is then read on the scope's wall clock.
    pub(crate) fn read(value: &Jinja, scope: &Inner) -> Result<Self, String> {
        if let Some(time) = value.downcast_object_ref::<Self>() {
            return Ok(time.clone());
        }
        let Some(text) = value.as_str() else {
            return Err(format!("a {} is not a time", value.kind()));
        };
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self { at, zone: None });
        }
        // The offset-less form must not be mistaken for one with a bad offset.
        text.parse::<DateTime>()
            .ok()
            .filter(|_| !text.contains(['Z', 'z', '+', '[']))
            .and_then(|civil| civil.to_zoned(scope.zone()).ok())
            .map(|zoned| Self {
                at: zoned.timestamp(),
                zone: None,
            })
            .ok_or_else(|| format!("`{}` is not a time", short(text)))
    }

    fn zoned(&self, scope: &Inner) -> Zoned {
        let zone = self.zone.clone().unwrap_or_else(|| scope.zone());
        self.at.to_zoned(zone)
    }

    /// Moved by a duration; days and weeks are calendar days where it is told,
    /// so that tomorrow's appointment keeps its hour when clocks change.
    pub(crate) fn moved(&self, by: &str, back: bool, scope: &Inner) -> Result<Self, String> {
        // Bounds the number as well as checking the text.
        duration::seconds(by)?;
        let (number, unit) = duration::split(by)?;
        let number = i64::try_from(number).map_err(|error| error.to_string())?;
        let number = if back { -number } else { number };
        let span = match unit {
            Unit::Second => Span::new().try_seconds(number),
            Unit::Minute => Span::new().try_minutes(number),
            Unit::Hour => Span::new().try_hours(number),
            Unit::Day => Span::new().try_days(number),
            Unit::Week => Span::new().try_weeks(number),
        };
        span.and_then(|span| self.zoned(scope).checked_add(span))
            .map(|zoned| Self {
                at: zoned.timestamp(),
                zone: self.zone.clone(),
            })
            .map_err(|_| "the time is out of range".to_owned())
    }

    /// `today at 3 PM`, `tomorrow at 9:30 AM`, `Mon, Mar 9 at 9 AM`.
    pub(crate) fn when(&self, scope: &Inner) -> String {
        let zoned = self.zoned(scope);
        let today = scope.now.to_zoned(zoned.time_zone().clone()).date();
        let day = zoned.date();
        let named = if day == today {
            "today".to_owned()
        } else if today.tomorrow().is_ok_and(|d| d == day) {
            "tomorrow".to_owned()
        } else if today.yesterday().is_ok_and(|d| d == day) {
            "yesterday".to_owned()
        } else {
            self.date(scope)
        };
        format!("{named} at {}", self.time(scope))
    }

    /// `Mon, Mar 9`, with the year when it is not this one.
    pub(crate) fn date(&self, scope: &Inner) -> String {
        let zoned = self.zoned(scope);
        let this_year = scope.now.to_zoned(zoned.time_zone().clone()).year();
        if zoned.year() == this_year {
            zoned.strftime("%a, %b %-d").to_string()
        } else {
            zoned.strftime("%a, %b %-d, %Y").to_string()
        }
    }

    /// `9 AM`, `9:30 AM`.
    pub(crate) fn time(&self, scope: &Inner) -> String {
        let zoned = self.zoned(scope);
        if zoned.minute() == 0 {
            zoned.strftime("%-I %p").to_string()
        } else {
            zoned.strftime("%-I:%M %p").to_string()
        }
    }
}
