//! Names and numbers of weekdays, as sets.

/// The days of a week in crontab's order, Sunday first.
pub(super) const NAMES: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Reads `mon`, `Monday`, `1`, `7` into 0 (Sunday) to 6, or 7 for a `7`, which
/// matters as the end of a range. Numbers are POSIX: 0 and 7 are Sunday.
fn day(text: &str) -> Option<u8> {
    if let Ok(number) = text.parse::<u8>() {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        return (digits && number <= 7).then_some(number);
    }
    let text = text.to_ascii_lowercase();
    let full = [
        "sunday",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
    ];
    (0..)
        .zip(NAMES.iter().zip(full))
        .find_map(|(number, (short, long))| {
            let abbreviated = text.len() >= 3 && long.starts_with(&text);
            (text == *short || abbreviated).then_some(number)
        })
}

/// A list of days and ranges (`mon-fri,0`) as a set of bits, Sunday lowest.
/// `*` and `?` are the whole week; a range may run over the end of the week
/// (`fri-mon`) and may have a step (`1-5/2`).
pub(super) fn set(text: &str) -> Option<u8> {
    let mut set = 0;
    for item in text.split(',') {
        let (base, step) = match item.split_once('/') {
            Some((base, step)) => (base, Some(step)),
            None => (item, None),
        };
        let (from, to) = match base.split_once('-') {
            Some((from, to)) => (day(from)?, day(to)?),
            None if matches!(base, "*" | "?") => (0, 6),
            // A step needs a range: `1/2` would depend on where the week ends.
            None if step.is_some() => return None,
            None => (day(base)?, day(base)?),
        };
        let step = match step {
            Some(step) if step.bytes().all(|b| b.is_ascii_digit()) => {
                step.parse().ok().filter(|step| (1..=7).contains(step))?
            }
            Some(_) => return None,
            None => 1,
        };
        let to = if to < from { to + 7 } else { to };
        for number in (from..=to).step_by(step) {
            set |= 1 << (number % 7);
        }
    }
    Some(set)
}
