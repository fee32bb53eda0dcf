//! The table of quiet hours by place, with its sources.

use jiff::civil::{Time, time};

use super::{Holidays, Stretch, Window};

/// What one place allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// ISO 3166-1 region (`FR`), or ISO 3166-2 subdivision (`US-TX`).
    pub place: &'static str,
    /// When marketing may arrive there.
    pub window: Window,
    /// The date, `YYYY-MM`, at which the source was read.
    pub as_of: &'static str,
    /// Where the rule stands.
    pub source: &'static str,
}

const fn hours(from: i8, to: i8) -> Option<Stretch> {
    let (from, to): (Time, Time) = (time(from, 0, 0, 0), time(to, 0, 0, 0));
    Some(Stretch { from, to })
}

const fn week(
    weekdays: Option<Stretch>,
    saturday: Option<Stretch>,
    sunday: Option<Stretch>,
    holidays: Option<Holidays>,
) -> Window {
    let d = weekdays;
    Window {
        days: [d, d, d, d, d, saturday, sunday],
        holidays,
    }
}

const fn daily(from: i8, to: i8) -> Window {
    let day = hours(from, to);
    week(day, day, day, None)
}

/// 09:00 to 20:00 on every day: inside every row of the table except those of
/// Rhode Island, Texas on Sundays, and France.
pub const US_SAFE: Window = daily(9, 20);

const FEDERAL: &str = "47 CFR 64.1200(c)(1); Twilio error 30610";
const FLORIDA: &str = "Fla. Stat. 501.616(6)";
const STATES: &str = "Referrizer's list of state quiet hours (secondary)";
const KLAVIYO: &str = "Klaviyo help centre, quiet hours by country";

const fn row(place: &'static str, window: Window, source: &'static str) -> Rule {
    Rule {
        place,
        window,
        as_of: "2026-11",
        source,
    }
}

static RULES: &[Rule] = &[
    row("US", daily(8, 21), FEDERAL),
    row("US-CT", daily(9, 20), STATES),
    row("US-FL", daily(8, 20), FLORIDA),
    row("US-MD", daily(8, 20), STATES),
    row("US-MS", daily(8, 20), STATES),
    row("US-NJ", daily(8, 20), STATES),
    row("US-OK", daily(8, 20), STATES),
    row(
        "US-RI",
        week(hours(9, 18), hours(10, 17), hours(10, 17), None),
        STATES,
    ),
    row(
        "US-TX",
        week(hours(9, 21), hours(9, 21), hours(12, 21), None),
        STATES,
    ),
    row("AU", daily(8, 21), KLAVIYO),
    row("CA", daily(8, 21), KLAVIYO),
    row("DE", daily(8, 21), KLAVIYO),
    row(
        "FR",
        week(hours(8, 22), hours(8, 22), None, Some(Holidays::France)),
        KLAVIYO,
    ),
    row("GB", daily(8, 21), KLAVIYO),
    row("IE", daily(8, 21), KLAVIYO),
    row("NL", daily(8, 21), KLAVIYO),
    row("NZ", daily(8, 21), KLAVIYO),
];

/// Area codes of the two states that are stricter than [`US_SAFE`] (North
/// American Numbering Plan Administrator). An area code is a presumption of
/// being in its state (Fla. Stat. 501.616(6), taken over for these two).
const RHODE_ISLAND: &[&str] = &["401"];
const TEXAS: &[&str] = &[
    "210", "214", "254", "281", "325", "346", "361", "409", "430", "432", "469", "512", "621",
    "682", "713", "726", "737", "806", "817", "830", "832", "903", "915", "936", "940", "945",
    "956", "972", "979",
];

/// Every row of the table.
#[must_use]
pub fn rules() -> &'static [Rule] {
    RULES
}

/// The row of a place (`FR`, `US-TX`), if it has one.
#[must_use]
pub fn rule(place: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.place == place)
}

/// The default window for marketing to a number in E.164 form: [`US_SAFE`],
/// narrowed by the row of the number's state or country where it has one.
#[must_use]
pub fn marketing_window(e164: &str) -> Window {
    let state = e164
        .strip_prefix("+1")
        .and_then(|national| national.get(..3))
        .and_then(|area| match area {
            _ if RHODE_ISLAND.contains(&area) => Some("US-RI"),
            _ if TEXAS.contains(&area) => Some("US-TX"),
            _ => None,
        });
    let row = match state {
        Some(state) => rule(state),
        None => crate::sms::phone::region_of(e164).and_then(|region| rule(&region)),
    };
    row.map_or(US_SAFE, |row| US_SAFE.intersect(&row.window))
}
