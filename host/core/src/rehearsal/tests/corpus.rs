//! Any file that is sound can be played, whatever happens in it, and comes to an end.

use proptest::prelude::*;

use super::*;
use crate::workflow::{Approving, CallEnd, Fate, Happening, Known, Later, When, corpus};

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        prop_oneof![
            Just("yes".to_owned()),
            Just("STOP".to_owned()),
            Just("START".to_owned()),
            Just("{{ 7777 * 7 }}".to_owned()),
            ".{1,40}",
        ]
        .prop_map(Happening::Receive),
        prop_oneof![
            Just(CallEnd::Answered),
            Just(CallEnd::Completed),
            Just(CallEnd::Missed),
        ]
        .prop_map(Happening::Call),
        prop_oneof![
            Just(Fate::Delivered),
            Just(Fate::Undelivered),
            Just(Fate::Failed),
            Just(Fate::Refused),
        ]
        .prop_map(Happening::Delivery),
        prop_oneof![
            Just(Approving::Nobody),
            Just(Approving::Send { body: None }),
            ".{0,40}".prop_map(|body| Approving::Send { body: Some(body) }),
            Just(Approving::Reject { reason: None }),
        ]
        .prop_map(Happening::Approve),
    ]
}

fn later() -> impl Strategy<Value = Later> {
    (0_u64..200_000, happening()).prop_map(|(after, what)| Later {
        when: When::After(after),
        what,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_sound_file_can_be_played(
        which in 0_usize..100,
        trigger in 0_usize..4,
        hour in 0_i64..20_000,
        then in proptest::collection::vec(later(), 0..6),
    ) {
        let files = corpus();
        let source = files[which % files.len()];
        let workflow = parse(source, "test.yaml", &Known::default()).result.unwrap();
        let (setup, _) = stand_in(&workflow, &super::setup());
        let triggers = &workflow.definition.triggers;
        let on = triggers[trigger % triggers.len()].on.word();
        let words = Words { on: Some(on), ..Words::default() };
        let start = morning() + jiff::SignedDuration::from_hours(hour);
        let Ok(mut plan) = Plan::from_words(&words, &workflow, &setup, start) else {
            // An input that must be there.
            return Ok(());
        };
        plan.then = then;
        let others = Catalog::default();
        let stage = Stage { setup: &setup, others: &others, rows: None };
        let transcript = play(&stage, &workflow, &plan);
        let cut = transcript.cut.clone().unwrap_or_default();
        prop_assert!(cut.is_empty() || cut.contains("two years"), "{cut}");
        prop_assert!(!transcript.to_string().contains("54439"), "{transcript}");
        prop_assert!(transcript.entries.is_sorted_by_key(|one| one.at.as_second()));
    }
}
