//! The power is cut under load: the file system under the data folder vanishes
//! with everything that was not synced, and the next start is that of another boot.

use std::time::{Duration, Instant};

use tokio::sync::{Mutex, MutexGuard};

use super::books::Figures;
use super::lane::{Lane, summary};
use super::volume::Volume;
use crate::support::{Chance, Host, long, seed};

/// How many people use the host at a time.
const PEOPLE: u64 = 16;
/// The longest time under load before a cut, in milliseconds.
const LATEST: u64 = 700;
/// How soon a host whose disk is gone must have ended itself: it never goes on
/// after a sync that failed.
pub(crate) const ABORT: Duration = Duration::from_secs(3);
/// What the log says of a state that is not believed.
const REBUILDS: &str = "rebuilding it from snapshot and journal";

/// One file system at a time: a process in a namespace of its own keeps every
/// other one mounted, too.
pub(crate) async fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::const_new(());
    ONE.lock().await
}

/// The next start sees this machine as booted anew: in a namespace of its own,
/// where another file stands in the place of the kernel's boot id.
fn boot_anew(host: &mut Host, chance: &mut Chance) {
    let id = format!(
        "{:08x}-0000-4000-8000-{:012x}\n",
        chance.below(1 << 32),
        chance.below(1 << 48)
    );
    host.files().write("boot_id", id.as_bytes());
    let script = r#"mount --bind boot_id /proc/sys/kernel/random/boot_id && exec "$@""#;
    let words = ["unshare", "--mount", "sh", "-c", script, "sh"];
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    host.files_mut().start_through(words);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proof_power_cuts_lose_nothing_and_repeat_nothing() {
    let _alone = alone().await;
    let Some(mut volume) = Volume::new(1024) else {
        return;
    };
    let (seed, begun) = (seed(), Instant::now());
    let (cuts, stretch) = if long() { (200, 20) } else { (25, 25) };
    println!("power cuts: RINGBACK_TEST_SEED={seed}");
    let data = volume.path().join("data");
    let reserve = "[store]\nreserve = \"16MiB\"";
    let mut lane = Lane::start(Chance::new(seed, 100), PEOPLE, Some(&data), reserve).await;
    let (mut aborts, mut rebuilt) = (0, 0);
    for _ in 0..cuts / stretch {
        lane.go();
        for _ in 0..stretch {
            lane.busy().await;
            tokio::time::sleep(lane.chance.millis(LATEST)).await;
            volume.shut_down();
            // Half of the time the process is let see its disk fail.
            if lane.chance.below(2) == 0 {
                assert!(!lane.host.ended_within(ABORT).await.success());
                aborts += 1;
            }
            lane.host.kill9();
            volume.unmount();
            volume.mount();
            boot_anew(&mut lane.host, &mut lane.chance);
            lane.come_back().await;
            rebuilt += u64::from(lane.host.log().contains(REBUILDS));
        }
        lane.checkpoint().await;
    }
    let (figures, starts) = lane.close().await;
    finish(cuts, aborts, rebuilt, &figures, &starts, begun);
}

fn finish(
    cuts: u64,
    aborts: u64,
    rebuilt: u64,
    figures: &Figures,
    starts: &[Duration],
    begun: Instant,
) {
    let what =
        format!("{cuts} power cuts, {aborts} of them seen by the process, {rebuilt} rebuilds");
    summary(&what, figures, starts, begun);
    // Otherwise the starts believed to be in the same boot, and nothing was tested.
    assert_eq!(rebuilt, cuts, "not every start rebuilt the state");
    assert!(figures.unknown > 0 && figures.stops > 0, "{figures:?}");
}
