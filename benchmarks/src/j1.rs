//! J1: a webhook says that a call was not answered, a run starts and is durable,
//! one text goes to the provider, its outcome is stored. The floor and the program
//! are measured by the same code, in turns, so that what else the machine does
//! meets both.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::ensure;
use serde::{Deserialize, Serialize};

use crate::board::{Board, Outcome};
use crate::figures::{Latency, Spread};
use crate::load::{Amount, Target};
use crate::metrics::Counts;
use crate::process::{self, Cpu};
use crate::twilio::Calls;

/// Runs a second at which waiting times are compared.
pub(crate) const SLOW: f64 = 20.0;
/// Connections of the slow part: more than are ever busy at once.
pub(crate) const SLOW_CONNECTIONS: usize = 8;
/// Connections of the fast part.
pub(crate) const CONNECTIONS: usize = 64;
/// Runs under way at once. A small window is how a target answers people, a large
/// one how it shares its writes; the better one counts, for the floor as well.
const WINDOWS: [usize; 2] = [64, 256];
/// How long outcomes may still be written after the last text came.
pub(crate) const LINGER: Duration = Duration::from_millis(300);

/// How long the parts take, and how often they are measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How often each target has its turn.
    pub(crate) rounds: usize,
    /// At 20 a second, each time.
    pub(crate) slow: Duration,
    /// At saturation, each time and for each window.
    pub(crate) full: Duration,
    /// At half of saturation, each time.
    pub(crate) half: Duration,
}

/// What is measured.
pub(crate) struct Side<'a> {
    /// Where webhooks go.
    pub(crate) target: &'a Target,
    /// Its process.
    pub(crate) pid: u32,
    /// Whether it has `/metrics`.
    pub(crate) counts: bool,
}

/// What a saturated target did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Burst {
    /// Runs a second, from the first webhook to the last text.
    pub(crate) per_second: f64,
    /// Processor time for each run, in microseconds.
    pub(crate) user_us: Option<f64>,
    /// The same in the kernel.
    pub(crate) system_us: Option<f64>,
    /// What it wrote to the disk, waited, and counted itself, for each run.
    pub(crate) per_run: BTreeMap<String, f64>,
}

/// What J1 came to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Resident, before the load.
    pub(crate) idle_mb: Option<f64>,
    /// Resident at most while it was saturated.
    pub(crate) loaded_mb: Option<f64>,
    /// Runs a second at saturation, from the first webhook to the last text.
    pub(crate) per_second: Option<Spread>,
    /// The window at which that was.
    pub(crate) window: usize,
    /// Processor time for each run at saturation, in microseconds.
    pub(crate) cpu_us: Option<Spread>,
    /// The part of it in the program itself.
    pub(crate) user_us: Option<Spread>,
    /// The part of it in the kernel.
    pub(crate) system_us: Option<Spread>,
    /// At 20 a second, from the moment at which the webhook was due to the text.
    pub(crate) slow_p50: Option<Spread>,
    /// The same; one in a hundred took longer.
    pub(crate) slow_p99: Option<Spread>,
    /// The same from the moment at which the webhook left.
    pub(crate) sent_p50: Option<Spread>,
    /// One in a hundred.
    pub(crate) sent_p99: Option<Spread>,
    /// From there to the webhook's answer.
    pub(crate) answer_p50: Option<Spread>,
    /// Runs a second at half of saturation.
    pub(crate) half_rate: f64,
    /// Webhook due to text, at half of saturation.
    pub(crate) half_p50: Option<Spread>,
    /// One in a hundred.
    pub(crate) half_p99: Option<Spread>,
    /// What it did for each run at saturation, the median by name.
    pub(crate) per_run: BTreeMap<String, f64>,
    /// Callers who got a text.
    pub(crate) texted: usize,
    /// Webhooks that were not taken.
    pub(crate) refused: usize,
    /// Webhooks that were taken and whose text never came.
    pub(crate) missing: usize,
    /// Callers who got more than one text.
    pub(crate) twice: usize,
}

impl Figures {
    /// What did not work, in words. A low figure is not such a thing.
    pub(crate) fn problems(&self) -> Vec<String> {
        let counts = [
            (self.missing, "texts never came"),
            (self.twice, "callers were texted twice"),
            (self.refused, "webhooks were not taken"),
        ];
        let wrong = counts.into_iter().filter(|(count, _)| *count > 0);
        wrong
            .map(|(count, what)| format!("{count} {what}"))
            .collect()
    }
}

/// What was measured of one target, before it is summed up.
#[derive(Default)]
struct Raw {
    first: usize,
    figures: Figures,
    slow: Vec<Outcome>,
    full: [Vec<Burst>; WINDOWS.len()],
    half: Vec<Outcome>,
}

/// Measures targets in turns. They are ready and idle.
pub(crate) async fn measure(sides: &[Side<'_>], plan: Plan) -> anyhow::Result<Vec<Figures>> {
    let mut all = Vec::new();
    for side in sides {
        let mut raw = Raw {
            first: side.target.board.taken(),
            ..Raw::default()
        };
        raw.figures.idle_mb = process::resident_mb(side.pid);
        // Threads start, connections open, code comes into the caches.
        let time = Amount::For(plan.slow / 10);
        let warm = side.target.saturate(SLOW_CONNECTIONS, 16, time).await?;
        working(&warm, &side.target.board)?;
        all.push(raw);
    }
    for _ in 0..plan.rounds {
        for (side, raw) in sides.iter().zip(&mut all) {
            let slow = side.target.at_rate(SLOW_CONNECTIONS, SLOW, plan.slow);
            raw.slow.push(slow.await?);
        }
        for (turn, window) in WINDOWS.into_iter().enumerate() {
            for (side, raw) in sides.iter().zip(&mut all) {
                let watch = Watch::start(side.pid);
                let burst = burst(side, window, Amount::For(plan.full)).await?;
                let most = watch.stop();
                raw.figures.loaded_mb = larger(raw.figures.loaded_mb, most);
                if let Some(bursts) = raw.full.get_mut(turn) {
                    bursts.push(burst);
                }
            }
        }
    }
    for raw in &mut all {
        raw.saturation();
    }
    for _ in 0..plan.rounds {
        for (side, raw) in sides.iter().zip(&mut all) {
            let rate = raw.figures.half_rate;
            let half = side.target.at_rate(CONNECTIONS, rate, plan.half);
            raw.half.push(half.await?);
        }
    }
    // A text that is sent twice may be sent late.
    tokio::time::sleep(LINGER).await;
    let sums = sides.iter().zip(all);
    Ok(sums
        .map(|(side, raw)| raw.sum(&side.target.board))
        .collect())
}

impl Raw {
    /// Chooses the better window.
    fn saturation(&mut self) {
        let rate = |bursts: &[Burst]| Spread::of(bursts.iter().map(|one| one.per_second));
        let median = |bursts: &[Burst]| rate(bursts).map_or(0.0, |one| one.median);
        let all = self.full.iter().zip(WINDOWS);
        let best = all.max_by(|(one, _), (two, _)| median(one).total_cmp(&median(two)));
        let Some((bursts, window)) = best else { return };
        let figures = &mut self.figures;
        figures.per_second = rate(bursts);
        figures.window = window;
        figures.user_us = Spread::of(bursts.iter().filter_map(|one| one.user_us));
        figures.system_us = Spread::of(bursts.iter().filter_map(|one| one.system_us));
        figures.cpu_us = Spread::of(bursts.iter().filter_map(Burst::cpu_us));
        figures.half_rate = median(bursts) / 2.0;
        let names = bursts.iter().flat_map(|one| one.per_run.keys());
        for name in names {
            let values = bursts.iter().filter_map(|one| one.per_run.get(name));
            if let Some(values) = Spread::of(values.copied()) {
                figures.per_run.insert(name.clone(), values.median);
            }
        }
    }

    fn sum(self, board: &Board) -> Figures {
        let half = |one: &Outcome| one.from_due;
        let all = board.outcome(self.first..board.taken());
        Figures {
            slow_p50: spread(&self.slow, |one| Some(one.from_due?.p50_ms)),
            slow_p99: spread(&self.slow, |one| Some(one.from_due?.p99_ms)),
            sent_p50: spread(&self.slow, |one| Some(one.from_sent?.p50_ms)),
            sent_p99: spread(&self.slow, |one| Some(one.from_sent?.p99_ms)),
            answer_p50: spread(&self.slow, |one| Some(one.answer?.p50_ms)),
            half_p50: spread(&self.half, |one| half(one).map(|one: Latency| one.p50_ms)),
            half_p99: spread(&self.half, |one| half(one).map(|one: Latency| one.p99_ms)),
            texted: all.texted,
            refused: all.refused,
            missing: all.missing,
            twice: all.twice,
            ..self.figures
        }
    }
}

/// The larger of two figures that may not be there.
pub(crate) fn larger(one: Option<f64>, two: Option<f64>) -> Option<f64> {
    let both = one.into_iter().chain(two);
    both.reduce(f64::max)
}

/// One figure of several outcomes.
pub(crate) fn spread(
    outcomes: &[Outcome],
    figure: impl Fn(&Outcome) -> Option<f64>,
) -> Option<Spread> {
    Spread::of(outcomes.iter().filter_map(figure))
}

impl Burst {
    /// Processor time for each run, in microseconds.
    pub(crate) fn cpu_us(&self) -> Option<f64> {
        Some(self.user_us? + self.system_us?)
    }
}

/// Saturates a target once.
pub(crate) async fn burst(side: &Side<'_>, window: usize, amount: Amount) -> anyhow::Result<Burst> {
    let pid = side.pid;
    let counts = async || match side.counts {
        true => Counts::ask(side.target.address).await.map(Some),
        false => Ok(None),
    };
    let counted = counts().await?;
    let (cpu, written, switches) = (
        process::cpu(pid),
        process::written(pid),
        process::switches(pid),
    );
    let full = side.target.saturate(CONNECTIONS, window, amount).await?;
    tokio::time::sleep(LINGER).await;
    let cpu: Option<Cpu> = process::cpu(pid)
        .zip(cpu)
        .map(|(after, before)| after.since(before));
    working(&full, &side.target.board)?;
    let texted = full.texted as f64;
    let mut per_run = match (counts().await?, counted) {
        (Some(after), Some(before)) => after.per_run(&before, texted),
        _ => BTreeMap::new(),
    };
    let mut add = |name: &str, after: Option<u64>, before: Option<u64>| {
        if let Some((after, before)) = after.zip(before) {
            let since = after.saturating_sub(before) as f64;
            per_run.insert(name.to_owned(), since / texted);
        }
    };
    add("bytes written to the disk", process::written(pid), written);
    add("waits of its threads", process::switches(pid), switches);
    Ok(Burst {
        per_second: texted / full.seconds.max(f64::MIN_POSITIVE),
        user_us: cpu.map(|cpu| cpu.user * 1000.0 / texted),
        system_us: cpu.map(|cpu| cpu.system * 1000.0 / texted),
        per_run,
    })
}

/// # Errors
/// When a target does nothing at all: there is nothing to measure then.
pub(crate) fn working(outcome: &Outcome, board: &Board) -> anyhow::Result<()> {
    ensure!(
        outcome.texted > 0,
        "not a single text came: {} webhooks were taken, {} were not, and {} texts went to strangers",
        outcome.accepted,
        outcome.refused,
        board.strangers()
    );
    Ok(())
}

/// A target whose webhooks are signed for this address.
pub(crate) fn target(address: SocketAddr, board: &Arc<Board>) -> anyhow::Result<Target> {
    let calls = Calls::new(crate::host::TOKEN, crate::host::PUBLIC_URL)?;
    Ok(Target {
        address,
        calls,
        board: Arc::clone(board),
    })
}

/// Watches how much memory a process uses.
pub(crate) struct Watch {
    most_kb: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
}

impl Watch {
    /// Begins.
    pub(crate) fn start(pid: u32) -> Self {
        let watch = Self {
            most_kb: Arc::default(),
            done: Arc::default(),
        };
        let (most, done) = (Arc::clone(&watch.most_kb), Arc::clone(&watch.done));
        tokio::spawn(async move {
            while !done.load(Ordering::Acquire) {
                let now = process::resident_mb(pid).unwrap_or_default();
                most.fetch_max((now * 1024.0) as u64, Ordering::AcqRel);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        watch
    }

    /// The most that was seen, in megabytes.
    pub(crate) fn stop(self) -> Option<f64> {
        self.done.store(true, Ordering::Release);
        let most = self.most_kb.load(Ordering::Acquire);
        (most > 0).then_some(most as f64 / 1024.0)
    }
}
