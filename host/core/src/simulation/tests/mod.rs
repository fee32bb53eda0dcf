//! The seeds. `RINGBACK_SEEDS=n` runs n of them, `RINGBACK_SEED=s` only one and
//! tells its story.

mod world;

use super::{Report, Simulation};
use world::stress;

/// Events of one seed before everything comes to rest.
const EVENTS: u64 = 100;
/// Seeds of an ordinary test run.
const SEEDS: u64 = 200;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn play(seed: u64, events: u64) -> Report {
    let mut simulation = Simulation::new(seed, stress(seed));
    match simulation.run(events) {
        Ok(report) => report,
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn invariants_hold_for_every_seed() {
    if let Some(seed) = number("RINGBACK_SEED") {
        println!("{:#?}", play(seed, EVENTS));
        return;
    }
    let seeds = number("RINGBACK_SEEDS").unwrap_or(SEEDS);
    let began = std::time::Instant::now();
    let halves = [0, 1].map(|half| {
        std::thread::spawn(move || {
            let mut sum = Report::default();
            for seed in (0..seeds).filter(|seed| seed % 2 == half) {
                let one = play(seed, EVENTS);
                sum.events += one.events;
                sum.commits += one.commits;
                sum.crashes += one.crashes;
                sum.conflicts += one.conflicts;
                sum.texts += one.texts;
                sum.unknown += one.unknown;
                sum.received += one.received;
                sum.missed += one.missed;
            }
            sum
        })
    });
    for half in halves {
        let sum = half.join().unwrap();
        println!("{sum:?} after {:?}", began.elapsed());
        // A simulation in which nothing happens proves nothing.
        let all = [
            sum.crashes,
            sum.conflicts,
            sum.texts,
            sum.unknown,
            sum.received,
            sum.missed,
        ];
        assert!(all.iter().all(|count| *count > seeds / 4), "{sum:?}");
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    for seed in [7, 8, 9] {
        let mut once = Simulation::new(seed, stress(seed));
        let mut twice = Simulation::new(seed, stress(seed));
        let (one, two) = (once.run(EVENTS), twice.run(EVENTS));
        assert_eq!(one.ok(), two.ok());
        assert_eq!(once.state(), twice.state());
    }
}
