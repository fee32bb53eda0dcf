//! The seeds. `RINGBACK_SEED=s` plays one of them and tells its story,
//! `RINGBACK_SENDS=n` plays as many as it takes to send n texts;
//! `RINGBACK_PROOF=long` is ten million sends.

mod crash_points;
mod deeds;
mod interleavings;
mod planted;
mod scenarios;
mod stages;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::{Failure, Report, Simulation, shrink};
use world::stress;

/// Happenings of one seed before everything comes to rest.
const HAPPENINGS: u32 = 120;
/// Sends of an ordinary test run, and of the long form.
const SENDS: (u64, u64) = (200_000, 10_000_000);

/// Whether the long form of a proof is wanted.
fn long() -> bool {
    std::env::var("RINGBACK_PROOF").is_ok_and(|form| form == "long")
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Plays a seed; what fails comes back as short as it can be made.
fn play(seed: u64, happenings: u32) -> Result<Report, Failure> {
    let scenario = stress(seed);
    let played = Simulation::new(seed, scenario.clone()).run(happenings);
    played.map_err(|failure| shrink(&failure, &scenario, happenings))
}

fn add(sum: &mut Report, one: &Report) {
    sum.events += one.events;
    sum.commits += one.commits;
    sum.crashes += one.crashes;
    sum.conflicts += one.conflicts;
    sum.refused += one.refused;
    sum.jumps += one.jumps;
    sum.edits += one.edits;
    sum.sends += one.sends;
    sum.texts += one.texts;
    sum.unknown += one.unknown;
    sum.stops += one.stops;
    sum.received += one.received;
    sum.missed += one.missed;
    sum.firings += one.firings;
    sum.leads += one.leads;
    sum.turns += one.turns;
    sum.pauses += one.pauses;
    sum.answers += one.answers;
    sum.millis += one.millis;
}

#[test]
fn proof_seeds() {
    if let Some(seed) = number("RINGBACK_SEED") {
        let mut simulation = Simulation::new(seed, stress(seed)).with_story();
        match simulation.run(HAPPENINGS) {
            Ok(report) => println!("{report:#?}"),
            Err(failure) => panic!("{}", shrink(&failure, &stress(seed), HAPPENINGS)),
        }
        return;
    }
    let (short, full) = SENDS;
    let wanted = number("RINGBACK_SENDS").unwrap_or(if long() { full } else { short });
    let began = Instant::now();
    let (next, sent) = (AtomicU64::new(0), AtomicU64::new(0));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let work = || {
        let mut sum = Report::default();
        while sent.load(Ordering::Relaxed) < wanted {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let one = play(seed, HAPPENINGS).unwrap_or_else(|failure| panic!("{failure}"));
            sent.fetch_add(one.sends, Ordering::Relaxed);
            add(&mut sum, &one);
        }
        sum
    };
    let mut sum = Report::default();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for one in all {
            add(&mut sum, &one.join().unwrap());
        }
    });
    let seeds = next.into_inner();
    let years = sum.millis as f64 / (365.25 * 86_400_000.0);
    println!(
        "simulation: {} sends, {} commits, {} crashes, {} unknown outcomes, {} events, \
         {years:.0} years; {seeds} seeds, {} conflicts, {} full disks, {} clock jumps, {} edits, \
         {} opt-outs, {} firings, {} leads, {} turns, {} approvals; 0 broken invariants; {:.1?}",
        sum.sends,
        sum.commits,
        sum.crashes,
        sum.unknown,
        sum.events,
        sum.conflicts,
        sum.refused,
        sum.jumps,
        sum.edits,
        sum.stops,
        sum.firings,
        sum.leads,
        sum.turns,
        sum.answers,
        began.elapsed(),
    );
    // A simulation in which nothing happens proves nothing.
    let all = [
        sum.crashes,
        sum.conflicts,
        sum.refused,
        sum.jumps,
        sum.edits,
        sum.texts,
        sum.unknown,
        sum.stops,
        sum.received,
        sum.missed,
        sum.firings,
        sum.leads,
        sum.turns,
        sum.answers,
    ];
    assert!(all.iter().all(|count| *count > seeds / 4), "{sum:?}");
}

#[test]
fn the_same_seed_tells_the_same_story() {
    for seed in [7, 8, 9] {
        let mut once = Simulation::new(seed, stress(seed)).with_story();
        let mut twice = Simulation::new(seed, stress(seed));
        let (one, two) = (once.run(HAPPENINGS), twice.run(HAPPENINGS));
        assert_eq!(one.ok(), two.ok());
        assert_eq!(once.state(), twice.state());
    }
}
