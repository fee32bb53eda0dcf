//! When a workflow's own window lets texts leave, on top of the law.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::schedule::first_instant;
use crate::workflow::{TimeOfDay, Window};

/// The first instant from `now` on that lies inside the window, on the wall clock of
/// the zone; `None` when the window never opens within a fortnight.
pub fn next_open(now: Timestamp, window: &Window, zone: &TimeZone) -> Option<Timestamp> {
    let today = zone.to_datetime(now).date();
    (0..15).find_map(|days| {
        let date = today.checked_add(days.days()).ok()?;
        let bit = 1_u8 << date.weekday().to_monday_zero_offset();
        if window.days.is_some_and(|set| set & bit == 0) {
            return None;
        }
        let opens = window
            .between
            .map_or(Time::midnight(), |one| clock(one.from));
        let opens = first_instant(DateTime::from_parts(date, opens), zone)?;
        let from = opens.max(now);
        // Where the clock change swallows the window, there is none that day.
        let inside = match window.between {
            None => zone.to_datetime(from).date() == date,
            Some(between) => {
                let local = zone.to_datetime(from);
                local.date() == date && local.time() < clock(between.to)
            }
        };
        inside.then_some(from)
    })
}

fn clock(at: TimeOfDay) -> Time {
    Time::new(at.hour, at.minute, 0, 0).unwrap_or(Time::midnight())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::{DayWindow, WindowZone};

    fn check(now: &str, days: Option<u8>, between: Option<(i8, i8)>, expected: &str) {
        let at = |hour| TimeOfDay { hour, minute: 0 };
        let window = Window {
            days,
            between: between.map(|(from, to)| DayWindow {
                from: at(from),
                to: at(to),
            }),
            zone: WindowZone::Contact,
        };
        let zone = TimeZone::get("America/Chicago").unwrap();
        let open = next_open(now.parse().unwrap(), &window, &zone);
        let shown = open.map(|open| open.to_zoned(zone).strftime("%a %d %H:%M %Z").to_string());
        assert_eq!(shown.as_deref().unwrap_or("never"), expected, "{now}");
    }

    const WEEKDAYS: Option<u8> = Some(0b001_1111);

    #[test]
    fn the_next_time_inside() {
        // Friday 2026-11-20.
        check(
            "2026-11-20T16:00:00Z",
            WEEKDAYS,
            Some((10, 19)),
            "Fri 20 10:00 CST",
        );
        check(
            "2026-11-20T18:30:00Z",
            WEEKDAYS,
            Some((10, 19)),
            "Fri 20 12:30 CST",
        );
        check(
            "2026-11-21T01:00:00Z",
            WEEKDAYS,
            Some((10, 19)),
            "Mon 23 10:00 CST",
        );
        check(
            "2026-11-20T13:00:00Z",
            WEEKDAYS,
            Some((10, 19)),
            "Fri 20 10:00 CST",
        );
        check("2026-11-21T13:00:00Z", WEEKDAYS, None, "Mon 23 00:00 CST");
        check(
            "2026-11-21T13:00:00Z",
            None,
            Some((10, 19)),
            "Sat 21 10:00 CST",
        );
        check("2026-11-21T13:00:00Z", Some(0), None, "never");
        // The hour from two to three does not exist on this night.
        check(
            "2026-03-08T07:00:00Z",
            None,
            Some((2, 3)),
            "Mon 09 02:00 CDT",
        );
        check(
            "2026-03-08T07:00:00Z",
            None,
            Some((2, 4)),
            "Sun 08 03:00 CDT",
        );
    }
}
