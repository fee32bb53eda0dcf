//! J1: a webhook says that a call was not answered, a run starts and is durable,
//! one text goes to the provider, its outcome is stored. The floor and the program
//! are measured by the same code.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;

use crate::board::{Board, Outcome};
use crate::figures::Latency;
use crate::load::Target;
use crate::process;
use crate::twilio::Calls;

/// Runs a second at which waiting times are compared.
const SLOW: f64 = 20.0;
/// Connections of the slow part: more than are ever busy at once.
const SLOW_CONNECTIONS: usize = 8;
/// Connections of the fast part.
const CONNECTIONS: usize = 64;
/// Runs under way at once. A small window is how a target answers people, a large
/// one how it shares its writes; the better one counts, for the floor as well.
const WINDOWS: [usize; 2] = [64, 256];
/// How long outcomes may still be written after the last text came.
const LINGER: Duration = Duration::from_millis(300);

/// How long the parts take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// At 20 a second.
    pub(crate) slow: Duration,
    /// At saturation, for each window.
    pub(crate) full: Duration,
    /// At half of saturation.
    pub(crate) half: Duration,
}

/// What J1 came to.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    /// Resident, before the load.
    pub(crate) idle_mb: Option<f64>,
    /// Resident at most while it was saturated.
    pub(crate) loaded_mb: Option<f64>,
    /// Runs a second at saturation, from the first webhook to the last text.
    pub(crate) per_second: f64,
    /// The window at which that was.
    pub(crate) window: usize,
    /// Processor time for each run at saturation, in microseconds.
    pub(crate) cpu_us: Option<f64>,
    /// At 20 a second, from the moment at which the webhook was due to the text.
    pub(crate) slow: Option<Latency>,
    /// The same from the moment at which the webhook left.
    pub(crate) slow_from_sent: Option<Latency>,
    /// From there to the webhook's answer.
    pub(crate) slow_answer: Option<Latency>,
    /// Runs a second at half of saturation.
    pub(crate) half_rate: f64,
    /// Webhook due to text, at half of saturation.
    pub(crate) half: Option<Latency>,
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

/// Measures one target, which is ready and idle.
pub(crate) async fn measure(target: &Target, pid: u32, plan: Plan) -> anyhow::Result<Figures> {
    let board = &target.board;
    let first = board.taken();
    let idle_mb = process::resident_mb(pid);
    // Threads start, connections open, code comes into the caches.
    let warm = target
        .saturate(SLOW_CONNECTIONS, 16, plan.slow / 10)
        .await?;
    ensure!(
        warm.texted > 0,
        "not a single text came: {}",
        explain(&warm, board)
    );

    let slow = target.at_rate(SLOW_CONNECTIONS, SLOW, plan.slow).await?;

    let watch = Watch::start(pid);
    let mut best: Option<(f64, usize, Option<f64>)> = None;
    for window in WINDOWS {
        let before = process::cpu_ms(pid);
        let full = target.saturate(CONNECTIONS, window, plan.full).await?;
        tokio::time::sleep(LINGER).await;
        let after = process::cpu_ms(pid);
        let texted = full.texted as f64;
        let rate = texted / full.seconds.max(f64::MIN_POSITIVE);
        let cpu = after
            .zip(before)
            .map(|(after, before)| (after - before) * 1000.0 / texted);
        ensure!(
            full.texted > 0,
            "not a single text came: {}",
            explain(&full, board)
        );
        if best.is_none_or(|(so_far, _, _)| rate > so_far) {
            best = Some((rate, window, cpu));
        }
    }
    let loaded_mb = watch.stop();
    let (per_second, window, cpu_us) = best.unwrap_or_default();

    let half_rate = per_second / 2.0;
    let half = target.at_rate(CONNECTIONS, half_rate, plan.half).await?;
    // A text that is sent twice may be sent late.
    tokio::time::sleep(LINGER).await;
    let all = board.outcome(first..board.taken());
    Ok(Figures {
        idle_mb,
        loaded_mb,
        per_second,
        window,
        cpu_us,
        slow: slow.from_due,
        slow_from_sent: slow.from_sent,
        slow_answer: slow.answer,
        half_rate,
        half: half.from_due,
        texted: all.texted,
        refused: all.refused,
        missing: all.missing,
        twice: all.twice,
    })
}

fn explain(outcome: &Outcome, board: &Board) -> String {
    format!(
        "{} webhooks were taken, {} were not, and {} texts went to strangers",
        outcome.accepted,
        outcome.refused,
        board.strangers()
    )
}

/// A target whose webhooks are signed for this address.
pub(crate) fn target(address: std::net::SocketAddr, board: &Arc<Board>) -> anyhow::Result<Target> {
    let calls = Calls::new(crate::host::TOKEN, crate::host::PUBLIC_URL)?;
    Ok(Target {
        address,
        calls,
        board: Arc::clone(board),
    })
}

/// Watches how much memory a process uses.
struct Watch {
    most_kb: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
}

impl Watch {
    fn start(pid: u32) -> Self {
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
    fn stop(self) -> Option<f64> {
        self.done.store(true, Ordering::Release);
        let most = self.most_kb.load(Ordering::Acquire);
        (most > 0).then_some(most as f64 / 1024.0)
    }
}
