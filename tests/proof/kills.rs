//! The process is killed under load, over and over, also while it starts.

use std::time::Instant;

use super::books::Figures;
use super::lane::{Lane, summary};
use crate::support::{Chance, long, seed};

/// Hosts side by side, so that the machine is busy while one of them starts.
const LANES: u64 = 4;
/// How many people use a host at a time.
const PEOPLE: u64 = 12;
/// Kills between two checkpoints.
const STRETCH: u64 = 25;
/// The longest time under load before a kill, in milliseconds.
const LATEST: u64 = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proof_kills_lose_nothing_and_repeat_nothing() {
    let (seed, begun) = (seed(), Instant::now());
    let stretches = if long() { 10 } else { 1 };
    println!("kills: RINGBACK_TEST_SEED={seed}");
    let lanes = (0..LANES).map(|lane| killed(Chance::new(seed, lane), stretches));
    let (mut figures, mut starts) = (Figures::default(), Vec::new());
    for (more, took) in futures_util::future::join_all(lanes).await {
        figures.add(&more);
        starts.extend(took);
    }
    let what = format!("{} kills", LANES * STRETCH * stretches);
    summary(&what, &figures, &starts, begun);
    // Otherwise no kill hit a request that was under way, and nothing was tested.
    assert!(figures.unknown > 0 && figures.stops > 0, "{figures:?}");
}

async fn killed(chance: Chance, stretches: u64) -> (Figures, Vec<std::time::Duration>) {
    let mut lane = Lane::start(chance, PEOPLE, None, "").await;
    for _ in 0..stretches {
        lane.go();
        let mut kills = 0;
        while kills < STRETCH {
            lane.busy().await;
            tokio::time::sleep(lane.chance.millis(LATEST)).await;
            lane.host.kill9();
            kills += 1;
            // One of four times it is not let up again at once.
            if lane.chance.below(4) == 0 {
                let usual = lane
                    .starts
                    .last()
                    .map_or(300, |took| took.as_millis() as u64);
                for _ in 0..lane.chance.below(3).min(STRETCH - kills) {
                    lane.host.begin();
                    tokio::time::sleep(lane.chance.millis(usual)).await;
                    lane.host.kill9();
                    kills += 1;
                }
            }
            lane.come_back().await;
        }
        lane.checkpoint().await;
    }
    lane.close().await
}
