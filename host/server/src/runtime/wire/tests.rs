//! What a provider's pause means.

use jiff::Timestamp;

use super::*;

#[track_caller]
fn check(header: (&str, &str), expected: Option<u32>) {
    let now: Timestamp = "2026-11-18T16:00:00.250Z".parse().unwrap();
    let response = contract::Response {
        status: 429,
        headers: vec![(header.0.to_owned(), header.1.to_owned())],
        body: Vec::new(),
    };
    assert_eq!(retry_after(&response, now), expected, "{header:?}");
}

#[test]
fn retry_after_in_seconds_and_as_a_date() {
    check(("retry-after", "30"), Some(30));
    check(("Retry-After", " 0 "), Some(0));
    check(("retry-after", "99999999999"), Some(u32::MAX));
    check(("retry-after", "Wed, 18 Nov 2026 16:00:30 GMT"), Some(30));
    check(
        ("retry-after", "Wednesday, 18-Nov-26 16:01:00 GMT"),
        Some(60),
    );
    check(("retry-after", "Wed Nov 18 16:00:01 2026"), Some(1));
    // A clock that is behind, or a page from a cache.
    check(("retry-after", "Wed, 18 Nov 2026 15:00:00 GMT"), Some(1));
    check(("retry-after", "soon"), None);
    check(("retry-after", "-5"), None);
    check(("retry-after", ""), None);
    check(("x-retry", "30"), None);
}
