//! The schedules, without an engine around them.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::engine::tests::build::phone;
use crate::model::Ids;

fn start() -> Timestamp {
    "2026-11-18T16:00:00Z".parse().unwrap()
}

fn sender(number: &str) -> Sender {
    Sender {
        connection: "main".to_owned(),
        number: Some(phone(number)),
    }
}

fn desk() -> Sender {
    sender("+15125550100")
}

fn wanted(id: u128, segments: u32, segment_us: Option<u64>) -> Wanted {
    Wanted {
        message: Ids::new(start(), id).message(),
        sender: desk(),
        segments,
        segment_us,
        turn: None,
    }
}

fn problem() -> Problem {
    Problem {
        code: "401".to_owned(),
        text: "the token is wrong".to_owned(),
    }
}

/// Milliseconds after `now` at which a text leaves.
fn after(granted: &Granted, now: Timestamp) -> i64 {
    match granted {
        Granted::Now => 0,
        Granted::At(turn) => millis(turn.at.duration_since(now)),
        Granted::Held { .. } => panic!("{granted:?}"),
    }
}

/// The milliseconds at which texts of these segments leave, all asked at once.
#[track_caller]
fn check(segment_us: u64, segments: &[u32], expected: &[i64]) {
    let mut pace = Pace::default();
    let all = segments.iter().zip(0..).map(|(count, id)| {
        let granted = pace.turn(&wanted(id, *count, Some(segment_us)), start());
        after(&granted, start())
    });
    assert_eq!(all.collect::<Vec<_>>(), expected);
}

#[test]
fn a_rate_counts_segments_and_allows_a_second_at_once() {
    check(1_000_000, &[1, 1, 1], &[0, 1_000, 2_000]);
    check(1_000_000, &[3, 1, 1], &[0, 3_000, 4_000]);
    check(100_000, &[1; 12], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 200]);
    check(400_000, &[1, 1, 1, 1], &[0, 0, 200, 600]);
    check(2_000_000, &[1, 1, 2, 1], &[0, 2_000, 4_000, 8_000]);
}

#[test]
fn a_number_without_a_rate_never_waits_until_its_provider_asks_for_a_pause() {
    let mut pace = Pace::default();
    for id in 0..100 {
        assert_eq!(pace.turn(&wanted(id, 3, None), start()), Granted::Now);
    }
    assert!(!pace.is_rough(start()));
    let until = start() + SignedDuration::from_secs(30);
    pace.slow(&desk(), until, start());
    assert!(pace.is_rough(start()));
    let leaves: Vec<i64> = (0..3)
        .map(|id| after(&pace.turn(&wanted(id, 1, None), start()), start()))
        .collect();
    assert_eq!(leaves, [30_000, 30_100, 30_200]);
    // Another number is not concerned.
    let other = Wanted {
        sender: sender("+15125550101"),
        ..wanted(9, 1, None)
    };
    assert_eq!(pace.turn(&other, start()), Granted::Now);
    let over = until + SignedDuration::from_secs(1);
    assert!(!pace.is_rough(over));
    assert_eq!(pace.turn(&wanted(10, 1, None), over), Granted::Now);
}

#[test]
fn a_pause_moves_everything_that_waits_and_keeps_its_order() {
    let mut pace = Pace::default();
    let mut turns = Vec::new();
    for id in 0..4 {
        let ask = wanted(id, 1, Some(1_000_000));
        if let Granted::At(turn) = pace.turn(&ask, start()) {
            turns.push(Wanted {
                turn: Some(turn),
                ..ask
            });
        }
    }
    // Two texts are answered "too many requests" at almost the same time.
    let now = start() + SignedDuration::from_millis(500);
    pace.slow(&desk(), now + SignedDuration::from_secs(10), now);
    let later = now + SignedDuration::from_millis(20);
    pace.slow(&desk(), later + SignedDuration::from_secs(10), later);
    let leaves: Vec<i64> = turns
        .iter()
        .map(|one| after(&pace.turn(one, later), start()))
        .collect();
    assert_eq!(leaves, [11_020, 12_020, 13_020]);
    let next = after(&pace.turn(&wanted(9, 1, Some(1_000_000)), later), start());
    assert_eq!(next, 14_020);
}

#[test]
fn a_turn_that_was_missed_is_void_and_the_next_one_lasts_longer() {
    let mut pace = Pace::default();
    pace.turn(&wanted(0, 1, Some(1_000_000)), start());
    let ask = wanted(1, 1, Some(1_000_000));
    let Granted::At(turn) = pace.turn(&ask, start()) else {
        panic!("it has to wait")
    };
    let kept = Wanted {
        turn: Some(turn.clone()),
        ..ask.clone()
    };
    let at = |millis| turn.at + SignedDuration::from_millis(millis);
    assert_eq!(pace.clone().turn(&kept, at(1_000)), Granted::Now);
    // A minute later others have had the time; it gets the next that is free.
    for id in 2..6 {
        pace.turn(&wanted(id, 1, Some(1_000_000)), at(60_000));
    }
    let Granted::At(second) = pace.turn(&kept, at(60_000)) else {
        panic!("it has to wait again")
    };
    assert_eq!(second.at, at(64_000));
    assert_eq!(second.given, 2);
    let again = Wanted {
        turn: Some(second),
        ..ask
    };
    assert_eq!(pace.turn(&again, at(66_000)), Granted::Now);
}

#[test]
fn after_a_restart_the_turns_that_wait_are_kept_free() {
    let mut before = Pace::default();
    let mut waiting = Vec::new();
    for id in 0..30 {
        let ask = wanted(id, 1, Some(100_000));
        if let Granted::At(turn) = before.turn(&ask, start()) {
            waiting.push(Wanted {
                turn: Some(turn),
                ..ask
            });
        }
    }
    let now = start() + SignedDuration::from_millis(1_050);
    let mut fresh = Pace::default();
    for one in &waiting {
        fresh.restore(one, now);
    }
    let next = wanted(99, 1, Some(100_000));
    assert_eq!(fresh.turn(&next, now), before.turn(&next, now));
}

#[test]
fn settings_that_do_not_work_hold_the_number_until_it_is_time_to_try() {
    let mut pace = Pace::default();
    let until = start() + SignedDuration::from_mins(1);
    assert!(pace.hold(&desk(), until, &problem()));
    assert!(!pace.hold(&sender("+15125550101"), until, &problem()));
    let held = Granted::Held {
        until,
        problem: problem(),
    };
    assert_eq!(pace.turn(&wanted(1, 1, None), start()), held);
    assert_eq!(pace.turn(&wanted(1, 1, None), until), Granted::Now);
    pace.try_again(Some("other"));
    assert_eq!(pace.turn(&wanted(1, 1, None), start()), held);
    pace.try_again(None);
    assert_eq!(pace.turn(&wanted(1, 1, None), start()), Granted::Now);
    assert_eq!(pace.broken().count(), 2);
    assert!(pace.works(&desk()));
    assert!(!pace.works(&desk()));
}

proptest! {
    /// Whatever is asked when, with pauses or without: in no window leaves more
    /// than the rate allows and a second's worth on top.
    #[test]
    fn never_faster_than_the_rate(
        segment_us in prop_oneof![Just(1_000_000_u64), 20_000_u64..3_000_000],
        asked in proptest::collection::vec((0_u64..3_000, 1_u32..5, any::<bool>()), 1..60),
    ) {
        let mut pace = Pace::default();
        let mut now = start();
        let mut left: Vec<(Timestamp, u32)> = Vec::new();
        let mut waiting: Vec<Wanted> = Vec::new();
        for (id, (pause, segments, slow)) in (0..).zip(asked) {
            now += SignedDuration::from_millis(i64::try_from(pause % 400).unwrap());
            if slow && pause > 2_500 {
                pace.slow(&desk(), now + SignedDuration::from_secs(2), now);
            }
            waiting.push(wanted(id, segments, Some(segment_us)));
            for mut one in std::mem::take(&mut waiting) {
                match pace.turn(&one, now) {
                    Granted::Now => left.push((now, one.segments)),
                    Granted::At(turn) => {
                        one.turn = Some(turn);
                        waiting.push(one);
                    }
                    Granted::Held { .. } => unreachable!(),
                }
            }
        }
        // The rest leaves exactly when it is due.
        while !waiting.is_empty() {
            let due = waiting.iter().filter_map(|one| one.turn.as_ref()).map(|turn| turn.at).min();
            now = now.max(due.unwrap());
            for mut one in std::mem::take(&mut waiting) {
                match pace.turn(&one, now) {
                    Granted::Now => left.push((now, one.segments)),
                    Granted::At(turn) => {
                        one.turn = Some(turn);
                        waiting.push(one);
                    }
                    Granted::Held { .. } => unreachable!(),
                }
            }
        }
        for (from, (begin, _)) in left.iter().enumerate() {
            let mut sum = 0_u64;
            for (end, segments) in left.iter().skip(from) {
                // The first byte of each: a text's own segments count from there.
                let span = u64::try_from(end.duration_since(*begin).as_micros()).unwrap();
                // Lateness of up to 400 ms of this test's own clock steps.
                let allowed = span + 1_000_000_u64.max(segment_us) + 400_000;
                prop_assert!(sum * segment_us <= allowed, "{sum} in {span} us");
                sum += u64::from(*segments);
            }
        }
    }
}
