//! The three ways Twilio and the host write a moment: RFC 2822, RFC 3339, and a
//! plain date. All in UTC.

/// Seconds since 1970.
pub(crate) type Seconds = i64;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// "Fri, 20 Nov 2026 10:00:00 +0000", as Twilio writes it.
pub(crate) fn rfc2822(text: &str) -> Option<Seconds> {
    let text = text.split_once(", ").map_or(text, |(_, rest)| rest);
    let mut words = text.split_ascii_whitespace();
    let day = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)?;
    let year = words.next()?.parse().ok()?;
    let time = words.next()?;
    matches!(words.next()?, "+0000" | "GMT" | "UTC").then_some(())?;
    Some(days(year, i64::try_from(month).ok()? + 1, day)? * 86_400 + clock(time)?)
}

/// "2026-11-20T10:00:00Z", as the host writes it.
pub(crate) fn rfc3339(text: &str) -> Option<Seconds> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut parts = date.splitn(3, '-').map(|part| part.parse().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let time = time.split('.').next()?;
    Some(days(year, month, day)? * 86_400 + clock(time)?)
}

/// As the host writes it.
pub(crate) fn to_rfc3339(seconds: Seconds) -> String {
    let clock = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", to_date(seconds))
}

/// "2026-11-20".
pub(crate) fn to_date(seconds: Seconds) -> String {
    // Days to a date in the calendar that begins with March, whose leap day
    // comes last, so that months count without a table.
    let days = seconds.div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// "10:00:00" in seconds.
fn clock(text: &str) -> Option<Seconds> {
    let mut parts = text.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let sound = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..61).contains(&second);
    sound.then_some(hour * 3600 + minute * 60 + second)
}

fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let sound =
        (1970..10_000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let shifted = (month + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    sound.then_some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        let check = |mail: &str, seconds: Seconds, text: &str| {
            assert_eq!(rfc2822(mail), Some(seconds), "{mail}");
            assert_eq!(rfc3339(text), Some(seconds), "{text}");
            assert_eq!(to_rfc3339(seconds), text);
        };
        check("Thu, 01 Jan 1970 00:00:00 +0000", 0, "1970-01-01T00:00:00Z");
        check(
            "Thu, 29 Feb 2024 23:59:59 +0000",
            1_709_251_199,
            "2024-02-29T23:59:59Z",
        );
        check(
            "Fri, 20 Nov 2026 10:00:00 +0000",
            1_795_168_800,
            "2026-11-20T10:00:00Z",
        );
        assert_eq!(rfc3339("2026-11-20T10:00:00.25Z"), Some(1_795_168_800));
        for broken in [
            "",
            "soon",
            "Fri, 20 Nov 2026 10:00:00 +0100",
            "Fri, 20 Now 2026 1:0:0 GMT",
        ] {
            assert_eq!(rfc2822(broken), None, "{broken}");
        }
    }
}
