//! `campaign`, `rate` and `breaker`: how they are written, and the rules between
//! their keys.

use super::super::definition::{Breaker, Per, Rate, Times, TooMany};
use super::super::duration::short;
use super::reader::{Reader, Record};
use super::rules::slug;

/// More texts in a time than anybody can send.
const MOST: u32 = 1_000_000;
/// Of how many a breaker can keep count.
const LONGEST: u32 = 1_000;

/// `20/min`
pub(super) fn times(text: &str) -> Result<Times, String> {
    let shown = short(text);
    let wrong = |what: &str| {
        format!(
            "`{shown}` {what}: a count and a time, such as 20/min or 250/day (s, min, hour, day)"
        )
    };
    let (count, per) = text.split_once('/').ok_or_else(|| wrong("is not a rate"))?;
    let per = match per.trim() {
        "s" => Per::Second,
        "min" => Per::Minute,
        "hour" => Per::Hour,
        "day" => Per::Day,
        _ => return Err(wrong("has no time that is known here")),
    };
    let count = count.trim();
    if count.is_empty() || !count.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(wrong("does not begin with a whole number"));
    }
    match count.parse() {
        Ok(0) => Err(format!(
            "`{shown}` lets nothing leave; to stop a campaign for a while, pause it"
        )),
        Ok(count) if count <= MOST => Ok(Times { count, per }),
        _ => Err(format!("`{shown}` is more than {MOST}; leave it out")),
    }
}

/// `> 2% of last 100`
pub(super) fn too_many(text: &str) -> Result<TooMany, String> {
    let shown = short(text);
    let shape =
        || format!("`{shown}` is not a condition of a breaker; write it like \"> 2% of last 100\"");
    let rest = text.trim().strip_prefix('>').ok_or_else(shape)?;
    let (share, rest) = rest.split_once('%').ok_or_else(shape)?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let &["of", "last", last] = words.as_slice() else {
        return Err(shape());
    };
    let above = hundredths(share.trim()).ok_or_else(shape)?;
    if !last.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(shape());
    }
    if above == 0 || above >= 10_000 {
        return Err(format!(
            "`{shown}`: the share must be above 0% and below 100%"
        ));
    }
    match last.parse() {
        Ok(last) if (1..=LONGEST).contains(&last) => Ok(TooMany { above, last }),
        _ => Err(format!(
            "`{shown}`: it can be judged by the last 1 to {LONGEST}"
        )),
    }
}

/// A share in percent, with two places at most, in hundredths.
fn hundredths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 2 {
        return None;
    }
    // What is too long to count is too much in any case.
    let whole = whole.parse().unwrap_or(u32::MAX);
    let scale = if part.len() == 1 { 10 } else { 1 };
    Some(
        whole
            .saturating_mul(100)
            .saturating_add(part.parse::<u32>().ok()? * scale),
    )
}

pub(super) fn name(reader: &mut Reader<'_>, record: &mut Record) -> Option<String> {
    let span = record.place("campaign")?;
    let name = record.text("campaign")?;
    if slug(&name).is_empty() {
        reader.error(span, "`campaign` needs at least one letter or digit");
        return None;
    }
    Some(name.trim().to_owned())
}

pub(super) fn rate(reader: &mut Reader<'_>, record: &mut Record) -> Option<Rate> {
    let span = record.place("rate")?;
    let mut block = record.record("rate")?;
    let written = block.place("per_number").is_some() || block.place("total").is_some();
    let total_written = block.place("total").is_some();
    let spread = block.place("spread");
    let rate = Rate {
        per_number: block.times("per_number"),
        total: block.times("total"),
        spread: block.choice("spread"),
    };
    if !written && spread.is_none() {
        reader.error_help(
            span,
            "`rate` does not say how fast",
            "for example: rate: { per_number: 20/min, total: 250/day }",
        );
        return None;
    }
    let by_day = rate.total.is_some_and(|total| total.per == Per::Day);
    if let (Some(span), Some(_), false) = (spread, rate.spread, by_day)
        && (rate.total.is_some() || !total_written)
    {
        reader.error_help(
            span,
            "`spread` spreads what may leave in a day, and `total` does not say how many",
            "write total: 250/day; what is counted by s, min or hour is even by itself",
        );
        return None;
    }
    Some(rate)
}

pub(super) fn breaker(reader: &mut Reader<'_>, record: &mut Record) -> Option<Breaker> {
    let span = record.place("breaker")?;
    let mut block = record.record("breaker")?;
    let judges = ["opt_out_rate", "failure_rate"]
        .iter()
        .any(|key| block.place(key).is_some());
    if !judges {
        reader.error_help(
            span,
            "`breaker` does not say when",
            "for example: breaker: { opt_out_rate: \"> 2% of last 100\", notify: owner }",
        );
        return None;
    }
    Some(Breaker {
        opt_out_rate: block.too_many("opt_out_rate"),
        failure_rate: block.too_many("failure_rate"),
        notify: block.text("notify"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        fn check(text: &str, expected: Option<(u32, Per)>) {
            let read = times(text).ok().map(|times| (times.count, times.per));
            assert_eq!(read, expected, "{text:?}: {:?}", times(text));
        }
        check("20/min", Some((20, Per::Minute)));
        check("1000000 / day", Some((1_000_000, Per::Day)));
        check("1/s", Some((1, Per::Second)));
        check("3/hour", Some((3, Per::Hour)));
        for wrong in [
            "0/day",
            "1000001/day",
            "-1/day",
            "+1/day",
            "1.5/s",
            "20",
            "20/",
            "/min",
            "20/minute",
            "20/Min",
            "20/min/s",
            "99999999999999999999/day",
            "٢٠/min",
            "",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn conditions() {
        fn check(text: &str, expected: Option<(u32, u32)>) {
            let read = too_many(text).ok().map(|one| (one.above, one.last));
            assert_eq!(read, expected, "{text:?}: {:?}", too_many(text));
        }
        check("> 2% of last 100", Some((200, 100)));
        check(">2.5 % of  last 1000", Some((250, 1_000)));
        check("> 0.05% of last 1", Some((5, 1)));
        check("> 99.99% of last 10", Some((9_999, 10)));
        for wrong in [
            "> 0% of last 100",
            "> 0.001% of last 100",
            "> 100% of last 100",
            "> 101% of last 9",
            "> 99999999999999999999% of last 9",
            "> 2% of last 0",
            "> 2% of last 1001",
            "> 2% of last 99999999999999999999",
            "> 2% of last",
            "> 2 of last 100",
            "2% of last 100",
            "< 2% of last 100",
            ">= 2% of last 100",
            "> -2% of last 100",
            "> 2% of the last 100",
            "> 2% of last +5",
            "> % of last 5",
            "> 2.% of last 5",
            "",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn too_many_is_known_as_soon_as_the_rest_cannot_help() {
        let rule = too_many("> 2% of last 100").unwrap();
        assert!(!rule.holds(2) && rule.holds(3));
        let rule = too_many("> 0.5% of last 100").unwrap();
        assert!(!rule.holds(0) && rule.holds(1));
        assert_eq!(rule.percent(), "0.5%");
        assert_eq!(too_many("> 12.34% of last 3").unwrap().percent(), "12.34%");
    }
}
