//! Public holidays of places whose quiet hours name them.

use jiff::ToSpan as _;
use jiff::civil::Date;

/// The holidays on which a window stays shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holidays {
    /// The eleven of the Code du travail, art. L3133-1; not the two more of
    /// Alsace and Moselle.
    France,
}

impl Holidays {
    /// Whether `date` is one of them.
    #[must_use]
    pub fn contains(self, date: Date) -> bool {
        match self {
            Self::France => {
                let fixed = matches!(
                    (date.month(), date.day()),
                    (1 | 5 | 11, 1) | (5, 8) | (7, 14) | (8, 15) | (11, 11) | (12, 25)
                );
                // Easter Monday, Ascension, Whit Monday.
                fixed
                    || easter(date.year()).is_some_and(|sunday| {
                        [1, 39, 50].iter().any(|days| {
                            sunday.checked_add(days.days()).is_ok_and(|day| day == date)
                        })
                    })
            }
        }
    }
}

/// Easter Sunday of the Gregorian calendar (the rule of Meeus and Jones).
fn easter(year: i16) -> Option<Date> {
    let y = i32::from(year);
    let (golden, century, rest) = (y % 19, y / 100, y % 100);
    let leap = century - century / 4 - (century - (century + 8) / 25 + 1) / 3;
    let moon = (19 * golden + leap + 15) % 30;
    let week = (32 + 2 * (century % 4) + 2 * (rest / 4) - moon - rest % 4) % 7;
    let late = (golden + 11 * moon + 22 * week) / 451;
    let day = moon + week - 7 * late + 114;
    let month = i8::try_from(day / 31).ok()?;
    let day = i8::try_from(day % 31 + 1).ok()?;
    Date::new(year, month, day).ok()
}

#[cfg(test)]
mod tests;
