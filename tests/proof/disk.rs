//! A disk that is full, and one that fails: nothing that was acknowledged is lost,
//! sending stops, and once the disk is well again the host goes on.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::lane::{Lane, summary};
use super::power::{ABORT, alone};
use super::volume::Volume;
use crate::support::{Chance, long, seed, within};

/// How many people use the host at a time.
const PEOPLE: u64 = 12;
/// How soon after the disk is full sending has stopped, and webhooks get 503.
const SECOND: Duration = Duration::from_secs(1);
/// A request that was begun before that is on its way meanwhile.
const UNDER_WAY: Duration = Duration::from_millis(500);
const MIB: u64 = 1024 * 1024;

async fn started(volume: &Volume, which: u64, reserve: &str) -> Lane {
    let data = volume.path().join("data");
    let rest = format!("[store]\nreserve = \"{reserve}\"");
    Lane::start(Chance::new(seed(), which), PEOPLE, Some(&data), &rest).await
}

/// The reserve is there for this: the host sees that the disk is nearly full while
/// there is still room for what it has begun, and goes on by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proof_a_full_disk_stops_sending_within_a_second_and_loses_nothing() {
    let _alone = alone().await;
    let Some(volume) = Volume::new(256) else {
        return;
    };
    let begun = Instant::now();
    let mut lane = started(&volume, 200, "32MiB").await;
    let (mut slowest, mut latest) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..if long() { 20 } else { 2 } {
        lane.go();
        lane.busy().await;
        tokio::time::sleep(Duration::from_millis(500) + lane.chance.millis(500)).await;
        volume.fill(24 * MIB);
        let (full, (before, _)) = (Instant::now(), lane.load.answers());
        let moment = Timestamp::now();
        within(SECOND, "a webhook gets 503", async || {
            (lane.load.answers().0 > before).then_some(())
        })
        .await;
        slowest = slowest.max(full.elapsed());
        // Long enough to see whether sending really stops.
        tokio::time::sleep(Duration::from_millis(2500)).await;
        let sent = lane.load.ledger();
        let last = sent.iter().map(|text| text.at).max().unwrap_or(moment);
        let after = Duration::try_from(last.duration_since(moment)).unwrap_or_default();
        assert!(
            after < SECOND + UNDER_WAY,
            "texts {after:?} after the disk was full"
        );
        latest = latest.max(after);
        volume.empty();
        lane.busy().await;
        lane.checkpoint().await;
    }
    let (figures, starts) = lane.close().await;
    let what =
        format!("a full disk, refused after at most {slowest:?}, last text after {latest:?}");
    summary(&what, &figures, &starts, begun);
}

/// Without a reserve a commit meets the end of the disk. The store stops then, and
/// a start goes on once there is room; one that comes too early harms nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proof_a_commit_that_meets_the_end_of_the_disk_loses_nothing() {
    let _alone = alone().await;
    let Some(volume) = Volume::new(256) else {
        return;
    };
    let begun = Instant::now();
    let mut lane = started(&volume, 300, "0MiB").await;
    let mut ended = 0;
    for _ in 0..if long() { 20 } else { 1 } {
        lane.go();
        lane.busy().await;
        tokio::time::sleep(lane.chance.millis(500)).await;
        volume.fill(64 * 1024);
        let (before, _) = lane.load.answers();
        within(
            Duration::from_secs(30),
            "the disk's end is met",
            async || (lane.load.answers().0 > before || lane.host.has_ended()).then_some(()),
        )
        .await;
        let moment = Timestamp::now();
        tokio::time::sleep(Duration::from_millis(2500)).await;
        let sent = lane.load.ledger();
        let last = sent.iter().map(|text| text.at).max().unwrap_or(moment);
        let after = Duration::try_from(last.duration_since(moment)).unwrap_or_default();
        assert!(
            after < SECOND + UNDER_WAY,
            "texts {after:?} after the store stopped"
        );
        let log = lane.host.log();
        assert!(
            log.contains("No space") || log.contains("StorageFull"),
            "{log}"
        );
        ended += u32::from(lane.host.has_ended());
        lane.host.kill9();
        // Too early: it may fail, and says why; it must not spoil anything.
        lane.host.begin();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        lane.host.kill9();
        volume.empty();
        lane.come_back().await;
        lane.busy().await;
        lane.checkpoint().await;
    }
    let (figures, starts) = lane.close().await;
    let what = format!("commits at the end of the disk, {ended} hosts ended themselves");
    summary(&what, &figures, &starts, begun);
}

/// A sync fails: whatever was in the kernel's pages may be gone, so that the process
/// ends itself. Once the disk is back a start goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proof_a_disk_that_fails_ends_the_process_and_loses_nothing() {
    let _alone = alone().await;
    let Some(mut volume) = Volume::new(256) else {
        return;
    };
    let begun = Instant::now();
    let mut lane = started(&volume, 400, "16MiB").await;
    let mut slowest = Duration::ZERO;
    for _ in 0..if long() { 20 } else { 2 } {
        lane.go();
        lane.busy().await;
        tokio::time::sleep(lane.chance.millis(500)).await;
        volume.shut_down();
        let broken = Instant::now();
        let status = lane.host.ended_within(ABORT).await;
        assert!(!status.success(), "{status}");
        slowest = slowest.max(broken.elapsed());
        volume.unmount();
        volume.mount();
        // Within the same boot, and with pages lost all the same.
        lane.come_back().await;
        lane.busy().await;
        lane.checkpoint().await;
    }
    let (figures, starts) = lane.close().await;
    let what = format!("a sync that fails, the process gone after at most {slowest:?}");
    summary(&what, &figures, &starts, begun);
}
