//! How fast the texts of a campaign may leave: arithmetic over what left before. What
//! becomes of a text that has to wait stands in `engine::line`.
//!
//! A day is counted, on the calendar of a zone. What is counted by a shorter time is
//! kept apart: 20/min is one every three seconds, so that there are never more than
//! 20 in any minute. A day's total that is spread evenly is kept apart in the same way.

use jiff::civil::{Date, DateTime, Time, time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::engine::Setup;
use crate::model::{Campaign, Spent};
use crate::schedule::first_instant;
use crate::workflow::{Definition, Intent, Per, Rate, Spread, TimeOfDay, Times, WindowZone};

/// On how many days back is known how many left: a clock may be set back.
const DAYS: usize = 3;

/// The days of a campaign, and their hours.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    from: Time,
    to: Option<Time>,
    days: Option<u8>,
}

/// Why a text does not leave now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotYet {
    /// Not before this time.
    pub until: Timestamp,
    /// Which rate says so: "250 a day".
    pub rate: String,
}

impl Calendar {
    /// The calendar of a workflow: the zone of its window, else that of the business,
    /// and the hours of its window within the legal ones.
    pub fn of(definition: &Definition, setup: &Setup) -> Self {
        let business = setup.business.zone.as_str();
        let window = definition.window.as_ref();
        let name = match window.map(|window| &window.zone) {
            Some(WindowZone::Named(name)) => name,
            _ => business,
        };
        let clock = |at: TimeOfDay| Time::new(at.hour, at.minute, 0, 0).unwrap_or(Time::midnight());
        let between = window.and_then(|window| window.between);
        let mut from = between.map_or(Time::midnight(), |one| clock(one.from));
        let mut to = between.map(|one| clock(one.to));
        if definition.intent == Intent::Marketing && setup.limits.quiet_hours {
            // 47 CFR 64.1200(c)(1), which holds wherever nothing narrower does.
            let (open, close) = (time(8, 0, 0, 0), time(21, 0, 0, 0));
            from = from.max(open);
            to = Some(to.map_or(close, |to| to.min(close)));
        }
        if to.is_some_and(|to| to <= from) {
            // A window that the law closes altogether: nothing leaves, whatever this says.
            (from, to) = (Time::midnight(), None);
        }
        Self {
            zone: TimeZone::get(name).unwrap_or(TimeZone::UTC),
            from,
            to,
            days: window.and_then(|window| window.days),
        }
    }

    fn date(&self, at: Timestamp) -> Date {
        self.zone.to_datetime(at).date()
    }

    fn instant(&self, date: Date, time: Time) -> Option<Timestamp> {
        first_instant(DateTime::from_parts(date, time), &self.zone)
    }

    /// When a day begins.
    fn midnight(&self, date: Date) -> Timestamp {
        self.instant(date, Time::midnight())
            .unwrap_or(Timestamp::MAX)
    }

    /// For how long texts may leave on a day.
    fn hours(&self, date: Date) -> SignedDuration {
        let from = self.instant(date, self.from);
        let to = match self.to {
            Some(to) => self.instant(date, to),
            None => date.tomorrow().ok().map(|next| self.midnight(next)),
        };
        match from.zip(to) {
            Some((from, to)) => to.duration_since(from),
            None => SignedDuration::from_hours(24),
        }
    }

    /// When texts first may leave on a day that is some open days behind today's.
    fn opening(&self, today: Date, days: u64) -> Timestamp {
        let mut date = today;
        let mut left = days;
        for _ in 0..10_000 {
            if left == 0 {
                break;
            }
            let Ok(next) = date.checked_add(1.day()) else {
                return Timestamp::MAX;
            };
            date = next;
            let bit = 1_u8 << date.weekday().to_monday_zero_offset();
            if self.days.is_none_or(|set| set == 0 || set & bit != 0) {
                left -= 1;
            }
        }
        self.instant(date, self.from).unwrap_or(Timestamp::MAX)
    }
}

/// The time from one text to the next; none where only the days are counted.
fn apart(
    times: Times,
    spread: Option<Spread>,
    calendar: &Calendar,
    date: Date,
) -> Option<SignedDuration> {
    let whole = match (times.per, spread) {
        (Per::Second, _) => SignedDuration::from_secs(1),
        (Per::Minute, _) => SignedDuration::from_mins(1),
        (Per::Hour, _) => SignedDuration::from_hours(1),
        (Per::Day, Some(Spread::Even)) => calendar.hours(date),
        (Per::Day, None) => return None,
    };
    let millis = i64::try_from(whole.as_millis()).unwrap_or(i64::MAX);
    let count = i64::from(times.count.max(1));
    // Rounded up: never more than the rate.
    let one = millis.saturating_add(count - 1) / count;
    Some(SignedDuration::from_millis(one.max(1)))
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn count_of(spent: &Spent, date: Date) -> u32 {
    spent.days.get(&date.to_string()).copied().unwrap_or(0)
}

/// Whether one more may leave now.
fn one(
    times: Times,
    spread: Option<Spread>,
    calendar: &Calendar,
    spent: &Spent,
    counted: bool,
    now: Timestamp,
) -> Result<(), NotYet> {
    let today = calendar.date(now);
    let not_before = |until| {
        Err(NotYet {
            until,
            rate: times.to_string(),
        })
    };
    if times.per == Per::Day && !counted && count_of(spent, today) >= times.count {
        return not_before(calendar.opening(today, 1));
    }
    if let (Some(apart), Some(free_at)) = (apart(times, spread, calendar, today), spent.free_at)
        && free_at > now
        // Else a clock was ahead, and was set right.
        && free_at <= later(now, apart)
    {
        return not_before(free_at);
    }
    Ok(())
}

/// Whether a text may leave now. `number` names our number, or the pool of them;
/// `counted` says that the text was counted on this day already.
///
/// # Errors
/// When it may not: the rate that lets it leave last.
pub fn ask(
    rate: &Rate,
    calendar: &Calendar,
    campaign: &Campaign,
    number: &str,
    counted: bool,
    now: Timestamp,
) -> Result<(), NotYet> {
    let total = rate.total.map_or(Ok(()), |times| {
        one(times, rate.spread, calendar, &campaign.total, counted, now)
    });
    let own = rate
        .per_number
        .map_or(Ok(()), |times| match campaign.numbers.get(number) {
            Some(spent) => one(times, None, calendar, spent, counted, now),
            None => Ok(()),
        });
    match (total, own) {
        (Err(one), Err(two)) if two.until > one.until => Err(two),
        (Err(one), _) => Err(one),
        (Ok(()), own) => own,
    }
}

/// Counts a text that leaves now.
pub fn take(
    rate: &Rate,
    calendar: &Calendar,
    campaign: &mut Campaign,
    number: &str,
    counted: bool,
    now: Timestamp,
) {
    let today = calendar.date(now);
    let note = |times: Times, spread: Option<Spread>, spent: &mut Spent| {
        spent.free_at = apart(times, spread, calendar, today).map(|apart| later(now, apart));
        if times.per == Per::Day && !counted {
            *spent.days.entry(today.to_string()).or_default() += 1;
            while spent.days.len() > DAYS {
                spent.days.pop_first();
            }
        }
    };
    if let Some(times) = rate.total {
        note(times, rate.spread, &mut campaign.total);
    }
    if let Some(times) = rate.per_number {
        let spent = campaign.numbers.entry(number.to_owned()).or_default();
        note(times, None, spent);
    }
}

/// Whether two times are on the same day.
pub fn same_day(calendar: &Calendar, one: Timestamp, two: Timestamp) -> bool {
    calendar.date(one) == calendar.date(two)
}

/// When a text probably leaves that has so many before it, and first of all may not
/// leave before a time. Those before it may still be called off, or have to wait for
/// hours of their own.
pub fn estimate(
    rate: &Rate,
    calendar: &Calendar,
    campaign: &Campaign,
    before: u64,
    from: Timestamp,
    now: Timestamp,
) -> Timestamp {
    let today = calendar.date(now);
    let gaps = [
        rate.total
            .and_then(|times| apart(times, rate.spread, calendar, today)),
        rate.per_number
            .and_then(|times| apart(times, None, calendar, today)),
    ];
    let gap = gaps.into_iter().flatten().max().unwrap_or_default();
    let after = |start: Timestamp, count: u64| {
        let count = i32::try_from(count).unwrap_or(i32::MAX);
        let span = gap.checked_mul(count).unwrap_or(SignedDuration::MAX);
        later(start, span)
    };
    let Some(total) = rate.total.filter(|total| total.per == Per::Day) else {
        return after(from, before);
    };
    let left = u64::from(total.count.saturating_sub(count_of(&campaign.total, today)));
    let by_today = after(from, before);
    let same = calendar.date(from) == today && calendar.date(by_today) == today;
    if before < left && same {
        return by_today;
    }
    let behind = before.saturating_sub(left.min(before));
    let a_day = u64::from(total.count.max(1));
    let day = calendar.opening(today, 1 + behind / a_day);
    after(day, behind % a_day).max(from)
}

#[cfg(test)]
mod tests;
