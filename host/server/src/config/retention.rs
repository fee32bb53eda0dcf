//! `[retention]`: how long things are kept. It knows what must not be shorter than
//! what; what is still needed at the end of a time is the engine's matter.

use std::time::Duration;

use jiff::SignedDuration;
use ringback_core::engine::Retention;

use super::reader::{Item, Section, duration};
use super::sections::section;

/// What is not to go at all.
const FOREVER: &str = "forever";
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// Providers repeat an unanswered webhook for hours, and some for days.
const REPEATS: Duration = DAY.saturating_mul(7);
/// Longer is for ever.
const LONGEST: Duration = DAY.saturating_mul(36_500);

/// The section; what it does not say has its default.
pub(super) fn retention(root: &mut Section<'_>) -> Retention {
    let mut kept = Retention::default();
    let Some(mut section) = section(root, "retention") else {
        return kept;
    };
    let repeats = section.take("repeats");
    read(repeats.as_ref(), REPEATS, &mut kept.repeats);
    for (key, into) in [
        ("events", &mut kept.events),
        ("webhooks", &mut kept.webhooks),
    ] {
        read(section.take(key).as_ref(), HOUR, into);
    }
    let repeated = kept.repeats;
    for (key, into) in [
        ("finished_runs", &mut kept.finished_runs),
        ("messages", &mut kept.messages),
        ("calls", &mut kept.calls),
    ] {
        let item = section.take(key);
        read(item.as_ref(), DAY, into);
        let shorter = match (*into, repeated) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(own), Some(repeated)) => own < repeated,
        };
        // Said where it was written; a default may be what the other is shorter than.
        if let Some(item) = item.as_ref().or(repeats.as_ref()).filter(|_| shorter) {
            item.error(
                format!(
                    "`retention.{key}` is shorter than `retention.repeats`: a repeated webhook would \
                     be known to be one, and what it led to would be gone"
                ),
                Some(&format!("make `{key}` at least as long as `repeats` ({})", words(repeated))),
            );
        }
    }
    section.finish();
    kept
}

fn read(item: Option<&Item<'_>>, least: Duration, into: &mut Option<SignedDuration>) {
    const SHAPE: &str = "a time is a number and a unit in quotes: \"30d\", \"2y\"; or \"forever\"";
    let Some(item) = item else { return };
    if item.value.is_integer() {
        item.error(format!("`{}` needs a unit", item.path), Some(SHAPE));
        return;
    }
    let Some(text) = item.text() else { return };
    if text.trim() == FOREVER {
        *into = None;
        return;
    }
    let Some(time) = years(text).or_else(|| duration(text)) else {
        let message = format!("`{}` is not a time: {text:?}", item.path);
        item.error(message, Some(SHAPE));
        return;
    };
    if time < least {
        let least = words(SignedDuration::try_from(least).ok());
        item.error(format!("`{}` must be at least {least}", item.path), None);
        return;
    }
    *into = SignedDuration::try_from(time)
        .ok()
        .filter(|_| time <= LONGEST);
}

/// A number of years of 365 days.
fn years(text: &str) -> Option<Duration> {
    let number = text.trim().strip_suffix('y')?.trim_end();
    let seconds = number.parse::<u64>().ok()?.checked_mul(365 * 86_400)?;
    Some(Duration::from_secs(seconds))
}

fn words(time: Option<SignedDuration>) -> String {
    match time {
        None => FOREVER.to_owned(),
        Some(time) if time.as_secs() % 86_400 == 0 => format!("{}d", time.as_secs() / 86_400),
        Some(time) => format!("{}h", time.as_secs() / 3_600),
    }
}
