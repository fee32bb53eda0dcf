//! Key layouts and the plain state: what every store is compared with.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

fn key(byte: u8) -> Key {
    Key::new([b'x', byte])
}

fn value(byte: u8) -> Option<Arc<[u8]>> {
    Some(vec![byte].into())
}

fn batch(preconditions: Vec<Precondition>, writes: Vec<(Key, Option<Arc<[u8]>>)>) -> Batch {
    Batch {
        preconditions,
        writes: writes.into_iter().collect(),
    }
}

#[test]
fn a_batch_happens_as_a_whole_or_not_at_all() {
    let mut state = State::default();
    let first = batch(vec![Precondition::Absent(key(1))], vec![(key(1), value(1))]);
    assert_eq!(state.commit(&first), Ok(1));
    assert_eq!(state.commit(&first), Err(Precondition::Absent(key(1))));
    let stale = batch(
        vec![Precondition::At(key(1), 7)],
        vec![(key(2), value(2)), (key(1), None)],
    );
    assert_eq!(state.commit(&stale), Err(Precondition::At(key(1), 7)));
    assert!(state.get(&key(2)).is_none());
    let second = batch(vec![Precondition::At(key(1), 1)], vec![(key(1), None)]);
    assert_eq!(state.commit(&second), Ok(2));
    // Deleted and never written are the same.
    assert_eq!(state.commit(&first), Ok(3));
}

#[test]
fn a_journal_may_be_replayed_from_any_point() {
    let batches: Vec<Batch> = (0..6_u8)
        .map(|number| {
            let gone = (key(number.wrapping_sub(2)), None);
            batch(vec![], vec![(key(number), value(number)), gone])
        })
        .collect();
    let play = |from: usize, state: &mut State| {
        for (number, batch) in batches.iter().enumerate().skip(from) {
            state.apply(number as u64 + 1, batch);
        }
    };
    let mut once = State::default();
    play(0, &mut once);
    for from in 0..6 {
        let mut again = once.clone();
        play(from, &mut again);
        assert_eq!(again, once);
    }
}

#[test]
fn ids_of_one_step_are_in_order_and_come_again() {
    let now: Timestamp = "2026-11-18T16:00:00Z".parse().unwrap();
    let make = |seed| {
        let mut ids = Ids::new(now, seed);
        (0..2_000).map(|_| ids.message()).collect::<Vec<_>>()
    };
    let ids = make(7);
    assert!(ids.is_sorted());
    assert_eq!(ids, make(7));
    assert_ne!(ids, make(8));
    let later = now + jiff::SignedDuration::from_millis(1);
    assert!(Ids::new(later, 9).message() > *ids.last().unwrap());
    assert_eq!(MessageId::parse(ids[0].as_str()), Some(ids[0].clone()));
    assert_eq!(
        MessageId::parse("con_01a1ef62ec007003b4818e3591a39929"),
        None
    );
}

proptest! {
    #[test]
    fn timers_sort_by_their_due_time(one in 0_i64..4_000_000_000_000, two in 0_i64..4_000_000_000_000) {
        let at = |millis| Timestamp::from_millisecond(millis).unwrap();
        let key = |millis, own| keys::timer(at(millis), [own; 16]);
        prop_assert_eq!(keys::timer_due(&key(one, 255)), Some(at(one)));
        if one != two {
            prop_assert_eq!(key(one, 255) < key(two, 0), one < two);
        }
        let (from, to) = keys::timers_until(at(two));
        let due = key(one, 0) >= from && key(one, 0) < to;
        prop_assert_eq!(due, one < two);
    }

    #[test]
    fn keys_survive_json(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let key = Key::new(bytes);
        let json = serde_json::to_string(&key).unwrap();
        prop_assert_eq!(serde_json::from_str::<Key>(&json).unwrap(), key);
    }

    #[test]
    fn foreign_ids_do_not_reach_into_each_other(a in ".{0,8}", b in ".{0,8}", c in ".{0,8}", d in ".{0,8}") {
        let same = (&a, &b) == (&c, &d);
        prop_assert_eq!(keys::taken(&a, &b) == keys::taken(&c, &d), same);
    }

    #[test]
    fn ranges_are_those_of_a_map(bytes in proptest::collection::btree_set(any::<u8>(), 0..20), from: u8, to: u8) {
        let mut state = State::default();
        let writes: BTreeMap<Key, _> = bytes.iter().map(|byte| (key(*byte), value(*byte))).collect();
        state.apply(1, &Batch { preconditions: vec![], writes });
        let seen: Vec<Key> = state.range(&key(from), &key(to)).map(|(key, _)| key.clone()).collect();
        let expected: Vec<Key> =
            bytes.iter().filter(|byte| (from..to).contains(*byte)).map(|byte| key(*byte)).collect();
        prop_assert_eq!(seen, expected);
    }
}

#[test]
fn a_record_of_a_later_program_is_refused() {
    assert!(matches!(
        record::decode::<u8>(&[]),
        Err(record::Error::Empty)
    ));
    assert!(matches!(
        record::decode::<u8>(&[2, b'1']),
        Err(record::Error::Newer(2))
    ));
    assert!(matches!(
        record::decode::<u8>(&[1, b'x']),
        Err(record::Error::Malformed(_))
    ));
    assert_eq!(
        record::decode::<u8>(&record::encode(&7_u8).unwrap()).unwrap(),
        7
    );
}

#[test]
fn phone_numbers() {
    let check = |text: &str, good: bool| assert_eq!(PhoneNumber::parse(text).is_some(), good);
    check("+15125550100", true);
    check("+1234567", false);
    check("15125550100", false);
    check("+05125550100", false);
    check("+1234567890123456", false);
    check("+1512555010x", false);
}

#[test]
fn verdicts_are_stored_together_and_read_as_they_were() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Holder {
        #[serde(with = "super::message::verdicts")]
        verdicts: Vec<Verdict>,
    }
    let at: Timestamp = "2026-11-18T16:00:00Z".parse().unwrap();
    let verdict = |rule: &'static str, verdict: &'static str, reason: &str| Verdict {
        at,
        rule: rule.into(),
        verdict: verdict.into(),
        reason: reason.to_owned(),
        until: None,
    };
    let later = Verdict {
        at: at + jiff::SignedDuration::from_secs(1),
        ..verdict("opt_out", "passed", "")
    };
    let holder = Holder {
        verdicts: vec![
            verdict("opt_out", "passed", ""),
            verdict("country", "passed", ""),
            later,
            verdict("handoff", "passed", "nobody has it"),
            verdict("quiet_hours", "refused", "at night"),
            verdict("quiet_hours", "refused", "still"),
        ],
    };
    let json = serde_json::to_string(&holder).unwrap();
    assert_eq!(
        json,
        r#"{"verdicts":[{"at":"2026-11-18T16:00:00Z","passed":["opt_out","country"]},"#.to_owned()
            + r#"{"at":"2026-11-18T16:00:01Z","passed":["opt_out"]},"#
            + r#"{"at":"2026-11-18T16:00:00Z","rule":"handoff","verdict":"passed","reason":"nobody has it"},"#
            + r#"{"at":"2026-11-18T16:00:00Z","rule":"quiet_hours","verdict":"refused","reason":"at night"},"#
            + r#"{"at":"2026-11-18T16:00:00Z","rule":"quiet_hours","verdict":"refused","reason":"still"}]}"#
    );
    assert_eq!(serde_json::from_str::<Holder>(&json).unwrap(), holder);
    // As version 0.1.0 wrote them.
    let old = r#"{"verdicts":[{"at":"2026-11-18T16:00:00Z","rule":"opt_out","verdict":"passed","reason":""}]}"#;
    let read: Holder = serde_json::from_str(old).unwrap();
    assert_eq!(read.verdicts, [verdict("opt_out", "passed", "")]);
}
