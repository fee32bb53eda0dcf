//! The one place that reads the clock, and the one that draws random numbers.

use jiff::Timestamp;

/// The time, in whole milliseconds: stored times and timer keys have no more.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// A random number for one engine step.
pub(crate) fn seed() -> u128 {
    uuid::Uuid::new_v4().as_u128()
}
