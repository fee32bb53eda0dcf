//! The arithmetic: percentiles and how numbers are written. It measures nothing.

use serde::{Deserialize, Serialize};

/// What a number of waiting times come to, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    /// Half of them were shorter.
    pub(crate) p50_ms: f64,
    /// One in a hundred was longer.
    pub(crate) p99_ms: f64,
    /// The longest.
    pub(crate) max_ms: f64,
    /// How many there were.
    pub(crate) count: usize,
}

impl Latency {
    /// Of times in microseconds; `None` when there are none.
    pub(crate) fn of(mut micros: Vec<u64>) -> Option<Self> {
        micros.sort_unstable();
        let at = |share| percentile(&micros, share).map(|one| one as f64 / 1000.0);
        Some(Self {
            p50_ms: at(0.5)?,
            p99_ms: at(0.99)?,
            max_ms: at(1.0)?,
            count: micros.len(),
        })
    }
}

/// The same figure measured several times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    /// The one in the middle.
    pub(crate) median: f64,
    /// The lowest.
    pub(crate) low: f64,
    /// The highest.
    pub(crate) high: f64,
}

impl Spread {
    /// Of some figures; `None` when there are none.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().filter(|one| one.is_finite()).collect();
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        let upper = *figures.get(middle)?;
        let median = match figures.len() % 2 {
            0 => (upper + figures.get(middle - 1)?) / 2.0,
            _ => upper,
        };
        Some(Self {
            median,
            low: *figures.first()?,
            high: *figures.last()?,
        })
    }

    /// A figure that was measured once.
    pub(crate) fn one(figure: f64) -> Self {
        Self {
            median: figure,
            low: figure,
            high: figure,
        }
    }

    /// How far apart the lowest and the highest are, as a part of the median.
    pub(crate) fn width(&self) -> Option<f64> {
        ratio(self.high - self.low, self.median)
    }
}

/// The value at a share (0 to 1) of an ascending list: the nearest one, without
/// interpolation, so that it is a time that really occurred.
pub(crate) fn percentile(sorted: &[u64], share: f64) -> Option<u64> {
    let last = sorted.len().checked_sub(1)?;
    let index = (last as f64 * share.clamp(0.0, 1.0)).round() as usize;
    sorted.get(index).copied()
}

/// A part of something, or `None` when there is nothing to divide by.
pub(crate) fn ratio(part: f64, whole: f64) -> Option<f64> {
    let ratio = part / whole;
    (whole > 0.0 && ratio.is_finite()).then_some(ratio)
}

/// Three digits that matter, or a whole number, and commas between thousands.
pub(crate) fn show(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let digits = match value.abs() {
        _ if value.fract() == 0.0 => 0,
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut shown = String::new();
    for (place, digit) in whole.chars().enumerate() {
        let left = whole.len() - place;
        if place > 0 && left.is_multiple_of(3) && !shown.ends_with('-') {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_the_nearest_value() {
        let check = |list: &[u64], share, expected| {
            assert_eq!(percentile(list, share), expected, "{list:?} at {share}");
        };
        let hundred: Vec<u64> = (0..=100).collect();
        check(&[], 0.5, None);
        check(&[7], 0.99, Some(7));
        check(&[1, 2, 3], 0.5, Some(2));
        check(&hundred, 0.5, Some(50));
        check(&hundred, 0.99, Some(99));
        check(&hundred, 1.0, Some(100));
        check(&hundred, 3.0, Some(100));
        // 199 × 0.99 is 197.01.
        let many: Vec<u64> = (0..200).collect();
        check(&many, 0.99, Some(197));
    }

    #[test]
    fn sorts_and_turns_into_milliseconds() {
        let found = Latency::of(vec![3000, 1000, 2500]);
        let expected = Latency {
            p50_ms: 2.5,
            p99_ms: 3.0,
            max_ms: 3.0,
            count: 3,
        };
        assert_eq!(found, Some(expected));
        assert_eq!(Latency::of(Vec::new()), None);
    }

    #[test]
    fn takes_the_middle_of_several() {
        let check = |figures: &[f64], expected: Option<(f64, f64, f64)>| {
            let found = Spread::of(figures.iter().copied());
            let found = found.map(|one| (one.median, one.low, one.high));
            assert_eq!(found, expected, "{figures:?}");
        };
        check(&[], None);
        check(&[f64::NAN], None);
        check(&[4.0], Some((4.0, 4.0, 4.0)));
        check(&[3.0, 1.0], Some((2.0, 1.0, 3.0)));
        check(&[9.0, 1.0, 2.0], Some((2.0, 1.0, 9.0)));
        let one = Spread::of([8.0, 10.0, 12.0]);
        assert_eq!(one.and_then(|one| one.width()), Some(0.4));
        assert_eq!(Spread::one(0.0).width(), None);
    }

    #[test]
    fn divides_only_by_something() {
        assert_eq!(ratio(1.0, 4.0), Some(0.25));
        assert_eq!(ratio(1.0, 0.0), None);
        assert_eq!(ratio(f64::NAN, 1.0), None);
    }

    #[test]
    fn writes_what_matters() {
        let check = |value, expected: &str| assert_eq!(show(value), expected);
        check(0.0, "0");
        check(73.0, "73");
        check(0.0004, "0.000");
        check(0.1234, "0.123");
        check(1.2345, "1.23");
        check(12.345, "12.3");
        check(123.4, "123");
        check(1234.4, "1,234");
        check(-123_456.0, "-123,456");
        check(132_000.0, "132,000");
        check(1_234_567.0, "1,234,567");
        check(f64::NAN, "-");
    }
}
