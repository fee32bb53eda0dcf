//! Durations as files and expressions write them: a number and a unit. Owns the
//! units and the words about a bad one; knows nothing of clocks or zones.

/// Ten years; longer than any follow-up, short enough that no sum overflows.
pub(crate) const LONGEST: u64 = 3_660 * 86_400;

/// What a duration must look like, for messages.
pub(crate) const SHAPE: &str = "a duration is a number and a unit: 45s, 10m, 2h, 3d or 1w";

/// Reads `45s`, `10m`, `2h`, `3d`, `1w` as seconds.
///
/// # Errors
///
/// A message that says what a duration looks like.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text)?;
    let seconds = number.checked_mul(unit.seconds()).filter(|s| *s <= LONGEST);
    seconds.ok_or_else(|| format!("`{}` is longer than ten years", short(text)))
}

/// The units of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Sixty to the minute.
    Second,
    /// Sixty to the hour.
    Minute,
    /// Sixty minutes.
    Hour,
    /// 24 hours as a length; a calendar day when it is added to a time.
    Day,
    /// Seven days.
    Week,
}

impl Unit {
    fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Week => 604_800,
        }
    }
}

/// The number and the unit apart, for sums on a calendar.
///
/// # Errors
///
/// A message that says what a duration looks like.
pub(crate) fn split(text: &str) -> Result<(u64, Unit), String> {
    let bad = || format!("`{}` is not a duration; {SHAPE}", short(text));
    let trimmed = text.trim();
    let digits = trimmed.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = trimmed.split_at_checked(digits).ok_or_else(bad)?;
    let unit = match unit.trim_start() {
        "s" => Unit::Second,
        "m" => Unit::Minute,
        "h" => Unit::Hour,
        "d" => Unit::Day,
        "w" => Unit::Week,
        _ => return Err(bad()),
    };
    Ok((number.parse().map_err(|_| bad())?, unit))
}

/// At most forty characters of a text, for messages.
pub(crate) fn short(text: &str) -> String {
    if text.chars().count() <= 40 {
        return text.to_owned();
    }
    let mut start: String = text.chars().take(39).collect();
    start.push('…');
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: Result<u64, &str>) {
        assert_eq!(
            seconds(input),
            expected.map_err(str::to_owned),
            "input {input:?}"
        );
    }

    #[test]
    fn a_number_and_a_unit() {
        check("45s", Ok(45));
        check("10m", Ok(600));
        check("2h", Ok(7_200));
        check("3d", Ok(259_200));
        check("1w", Ok(604_800));
        check(" 5 m ", Ok(300));
        check("0s", Ok(0));
    }

    #[test]
    fn anything_else_is_explained() {
        let words = "is not a duration; a duration is a number and a unit: 45s, 10m, 2h, 3d or 1w";
        for input in ["", "10", "m", "1.5h", "-3m", "10 minutes", "1h30m", "１h"] {
            check(input, Err(&format!("`{input}` {words}")));
        }
        check("99999w", Err("`99999w` is longer than ten years"));
        check(
            "99999999999999999999s",
            Err(&format!("`99999999999999999999s` {words}")),
        );
    }
}
