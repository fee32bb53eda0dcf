//! J1 with a history: whether the program is as quick, as cheap and as quiet with
//! many finished runs in its store as with none. The runs of the history came in
//! through the front door, one webhook and one text each, like all others. A host
//! with a fresh folder and the one with the history are measured in turns.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::board::Board;
use crate::figures::{Spread, ratio};
use crate::host::{Home, Host, text_back};
use crate::j1::{self, Side, burst};
use crate::load::{Amount, Target};
use crate::process::{self, Threads};
use crate::sink::Sink;

/// Runs under way at once while the history is made.
const FILL: usize = 256;
/// Runs under way at once while processor time is measured.
const WINDOW: usize = 64;
/// Runs that a fresh host has behind it before it is measured: its caches are
/// filled and its memory is mapped, as they are in the one with a history.
const WARM: usize = 2_000;
/// How long the program may work on after the last text: snapshots, checkpoints.
const CALM: Duration = Duration::from_mins(1);

/// How long the parts take, and how often they are measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Finished runs of the history.
    pub(crate) finished: usize,
    /// How often each host has its turn.
    pub(crate) rounds: usize,
    /// How long an idle host is watched.
    pub(crate) idle: Duration,
    /// How long runs come at 20 a second.
    pub(crate) slow: Duration,
    /// Runs at saturation.
    pub(crate) runs: usize,
}

/// What one of the two hosts came to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// At 20 a second, from the moment at which the webhook was due to the text.
    pub(crate) slow_p50: Option<Spread>,
    /// One in a hundred took longer.
    pub(crate) slow_p99: Option<Spread>,
    /// Runs a second, with 64 under way.
    pub(crate) per_second: Option<Spread>,
    /// Processor time for each of them, in microseconds.
    pub(crate) cpu_us: Option<Spread>,
    /// Processor time in a second without any work, in milliseconds.
    pub(crate) idle_ms: Option<Spread>,
    /// Resident at the end, in megabytes.
    pub(crate) resident_mb: Option<Spread>,
}

/// Both, and the history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Flat {
    /// How many runs the history has.
    pub(crate) finished: usize,
    /// How many of them a second came in, on the whole.
    pub(crate) fill_rate: f64,
    /// Bytes on the disk for each, after all was measured and the host had ended.
    pub(crate) disk_bytes: f64,
    /// Seconds from a start to ready with all of them.
    pub(crate) ready_s: f64,
    /// The host with a fresh folder.
    pub(crate) empty: Figures,
    /// The host with the history.
    pub(crate) full: Figures,
    /// What did not work.
    pub(crate) problems: Vec<String>,
}

#[derive(Default)]
struct Raw {
    slow: Vec<crate::board::Outcome>,
    rate: Vec<f64>,
    cpu: Vec<f64>,
    idle: Vec<f64>,
    resident: Vec<f64>,
}

impl Raw {
    async fn turn(&mut self, host: &Host, target: &Target, plan: Plan) -> anyhow::Result<()> {
        calm(host.pid).await;
        let before = Threads::of(host.pid);
        let start = Instant::now();
        tokio::time::sleep(plan.idle).await;
        if let Some((after, before)) = Threads::of(host.pid).zip(before) {
            let used = after.since(&before);
            self.idle.push(used / start.elapsed().as_secs_f64());
        }
        let slow = target.at_rate(j1::SLOW_CONNECTIONS, j1::SLOW, plan.slow);
        self.slow.push(slow.await?);
        let side = Side {
            target,
            pid: host.pid,
            counts: false,
        };
        let burst = burst(&side, WINDOW, Amount::Runs(plan.runs)).await?;
        self.rate.push(burst.per_second);
        self.cpu.extend(burst.cpu_us());
        self.resident.extend(process::resident_mb(host.pid));
        Ok(())
    }

    fn sum(self) -> Figures {
        Figures {
            slow_p50: j1::spread(&self.slow, |one| Some(one.from_due?.p50_ms)),
            slow_p99: j1::spread(&self.slow, |one| Some(one.from_due?.p99_ms)),
            per_second: Spread::of(self.rate),
            cpu_us: Spread::of(self.cpu),
            idle_ms: Spread::of(self.idle),
            resident_mb: Spread::of(self.resident),
        }
    }
}

/// Measures; data is written below `folder`.
pub(crate) async fn measure(binary: &Path, folder: &Path, plan: Plan) -> anyhow::Result<Flat> {
    let each = plan.runs + (j1::SLOW * plan.slow.as_secs_f64()) as usize;
    let board = Board::new(plan.finished + plan.rounds * each);
    let sink = Sink::start(board.clone()).await?;
    let home = Home::new(binary, &folder.join("history"), sink.address, &text_back())?;
    let host = home.start().await?;
    let target = j1::target(host.address, &board)?;
    let filled = target
        .saturate(j1::CONNECTIONS, FILL, Amount::Runs(plan.finished))
        .await?;
    j1::working(&filled, &board)?;
    calm(host.pid).await;

    let (mut empty, mut full) = (Raw::default(), Raw::default());
    let mut problems = Vec::new();
    for _ in 0..plan.rounds {
        let board = Board::new(WARM + each);
        let sink = Sink::start(board.clone()).await?;
        let fresh = Home::new(binary, &folder.join("fresh"), sink.address, &text_back())?;
        let one = fresh.start().await?;
        let other = j1::target(one.address, &board)?;
        let warm = Amount::Runs(WARM);
        other.saturate(j1::CONNECTIONS, WINDOW, warm).await?;
        empty.turn(&one, &other, plan).await?;
        problems.extend(trouble("with an empty store", &board));
        one.stop().await.with_context(|| fresh.log())?;
        fresh.remove()?;
        full.turn(&host, &target, plan).await?;
    }
    problems.extend(trouble("with a history", &board));
    host.stop().await.with_context(|| home.log())?;
    let bytes = home.data_bytes()? as f64;
    let host = home.start().await?;
    let ready_s = host.ready.as_secs_f64();
    host.stop().await.with_context(|| home.log())?;
    home.remove()?;
    Ok(Flat {
        finished: filled.texted,
        fill_rate: filled.texted as f64 / filled.seconds.max(f64::MIN_POSITIVE),
        disk_bytes: ratio(bytes, board.taken() as f64).unwrap_or_default(),
        ready_s,
        empty: empty.sum(),
        full: full.sum(),
        problems,
    })
}

fn trouble(which: &str, board: &Board) -> Vec<String> {
    let all = board.outcome(0..board.taken());
    let figures = j1::Figures {
        texted: all.texted,
        refused: all.refused,
        missing: all.missing,
        twice: all.twice,
        ..j1::Figures::default()
    };
    let problems = figures.problems().into_iter();
    problems.map(|what| format!("{which}: {what}")).collect()
}

/// Waits until a process does next to nothing, or for as long as it may go on.
pub(crate) async fn calm(pid: u32) {
    /// Milliseconds of processor time in a second.
    const QUIET: f64 = 20.0;
    let start = Instant::now();
    while start.elapsed() < CALM {
        let Some(before) = Threads::of(pid) else {
            return;
        };
        tokio::time::sleep(Duration::from_secs(1)).await;
        if Threads::of(pid).is_none_or(|after| after.since(&before) < QUIET) {
            return;
        }
    }
}
