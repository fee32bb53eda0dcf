//! The test of the tests: every planted mistake must be caught by the seeds, and
//! what catches it is printed.

use std::collections::BTreeMap;

use super::super::{Failure, Simulation, shrink};
use super::world::stress;
use super::{HAPPENINGS, interleavings, long};
use crate::planted::{Planted, with};

/// How many seeds a mistake may hide in.
const SEEDS: u64 = 200;
/// The longest story of a planted mistake.
const LINES: usize = 25;
/// And of one about a text that is looked for, sent again, and reported twice.
const DOUBLES: usize = 80;

const ALL: [Planted; 29] = [
    Planted::ForgetTexts,
    Planted::ForgetCalls,
    Planted::UnknownIsRefused,
    Planted::TrustTimeout,
    Planted::CommandsFirst,
    Planted::AnswerFirst,
    Planted::GateForgetsStop,
    Planted::StopLeavesQueue,
    Planted::NoGuard,
    Planted::NoLastLook,
    Planted::ForgetLost,
    Planted::TimerIdle,
    Planted::TimerStays,
    Planted::TimerEarly,
    Planted::NoTimer,
    Planted::IgnoreLane,
    Planted::LateOutcome,
    Planted::NoAttemptLimit,
    Planted::NewDefinition,
    Planted::FireTwice,
    Planted::AbsentTooSoon,
    Planted::DropOutcome,
    Planted::ForgetRequests,
    Planted::ReportsOnTheLast,
    Planted::KeepDoublesQuiet,
    Planted::ForgetFolded,
    Planted::ForgetRate,
    Planted::TextWhilePaused,
    Planted::DraftsLeave,
];

/// The first seed that notices the mistake, and how.
fn caught(mistake: Planted) -> Option<Failure> {
    with(mistake, || {
        (0..SEEDS).find_map(|seed| {
            let played = Simulation::new(seed, stress(seed)).run(HAPPENINGS);
            played.err().map(|failure| *failure)
        })
    })
}

/// The shortest story of the first seeds that notice the mistake.
fn shortest(mistake: Planted) -> Option<Failure> {
    with(mistake, || {
        (0..SEEDS)
            .filter_map(|seed| Simulation::new(seed, stress(seed)).run(HAPPENINGS).err())
            .take(4)
            .map(|failure| shrink(&failure, &stress(failure.seed), HAPPENINGS))
            .inspect(|failure| assert!(failure.shrunk.is_some(), "{failure}"))
            .min_by_key(|failure| failure.story.len())
    })
}

#[test]
fn proof_planted_faults() {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        loop {
            let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let Some(mistake) = ALL.get(at).copied() else {
                return found;
            };
            let failure = caught(mistake);
            match &failure {
                Some(failure) => println!("  {mistake:?}: seed {}, {}", failure.seed, failure.what),
                None => println!("  {mistake:?}: NOT CAUGHT"),
            }
            found.push((mistake, failure));
        }
    };
    let mut found = BTreeMap::new();
    std::thread::scope(|scope| {
        let both = [scope.spawn(work), scope.spawn(work)];
        for one in both {
            found.extend(one.join().unwrap());
        }
    });
    let missed: Vec<_> = found
        .iter()
        .filter(|(_, failure)| failure.is_none())
        .collect();
    println!(
        "planted faults: {} of {} caught",
        found.len() - missed.len(),
        ALL.len()
    );
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

/// A mistake about STOP is also caught by the interleavings alone.
#[test]
fn proof_planted_faults_about_stop() {
    for mistake in [
        Planted::GateForgetsStop,
        Planted::NoGuard,
        Planted::NoLastLook,
    ] {
        let late = with(mistake, || interleavings::first_late(30_000));
        assert!(late.is_some(), "{mistake:?} is not caught");
    }
}

#[test]
fn a_failure_is_shrunk_to_a_story() {
    let story = shortest(Planted::TrustTimeout).unwrap().to_string();
    insta::assert_snapshot!(story);
}

#[test]
fn proof_every_story_is_short() {
    let some = [Planted::GateForgetsStop, Planted::TimerEarly];
    let all: &[Planted] = if long() { &ALL } else { &some };
    for mistake in all {
        let story = shortest(*mistake).unwrap().to_string();
        let most = match mistake {
            Planted::ReportsOnTheLast | Planted::KeepDoublesQuiet => DOUBLES,
            _ => LINES,
        };
        assert!(story.lines().count() <= most, "{mistake:?}\n{story}");
    }
}
