//! Wall times that a clock skipped or showed twice, as instants.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// The first occurrence of a repeated wall time; the end of the gap for a
/// skipped one. `None` outside jiff's calendar.
pub(crate) fn first_instant(wall: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    end_of_gap(wall, zone).or_else(|| zone.to_ambiguous_timestamp(wall).earlier().ok())
}

/// The last occurrence of a repeated wall time; the end of the gap for a
/// skipped one.
pub(super) fn last_instant(wall: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    end_of_gap(wall, zone).or_else(|| zone.to_ambiguous_timestamp(wall).later().ok())
}

fn end_of_gap(wall: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let wall = zone.to_ambiguous_timestamp(wall);
    let AmbiguousOffset::Gap { after, .. } = wall.offset() else {
        return None;
    };
    // Read with the offset of after the gap, the time lies before it.
    zone.following(wall.earlier().ok()?)
        .find(|change| change.offset() == after)
        .map(|change| change.timestamp())
}
