//! J2: many runs wait an hour. What each of them takes, how long a start takes
//! with all of them, whether others that come due meanwhile are on time, and
//! whether they fire once although the program was killed while they waited.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::board::Board;
use crate::figures::{Latency, ratio};
use crate::flat::calm;
use crate::host::{Home, workflow};
use crate::j1;
use crate::load::Target;
use crate::process;
use crate::sink::Sink;
use crate::twilio::OTHER_NUMBER;

/// Runs that come due while the others wait.
const DUE: usize = 10_000;
/// So many of them start, and later come due, in a second: more than three times
/// what a million runs with an hour each come to (278).
const RATE: f64 = 1_000.0;
/// Runs that a host has behind it before its memory counts as the one of an idle
/// host: its threads and connections are there.
const WARM: usize = 500;
/// Connections.
const CONNECTIONS: usize = 64;
/// How long a text that is sent twice may lag behind.
const LINGER: Duration = Duration::from_secs(2);

/// What J2 came to. Memory is resident and in megabytes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Runs that wait an hour.
    pub(crate) waiting: usize,
    /// How many of them a second were taken.
    pub(crate) fill_rate: f64,
    /// Processor time for taking one, in microseconds.
    pub(crate) fill_cpu_us: Option<f64>,
    /// Memory of the same program without them.
    pub(crate) idle_mb: Option<f64>,
    /// Memory with all of them, after they were taken.
    pub(crate) waiting_mb: Option<f64>,
    /// Memory after a start with all of them.
    pub(crate) started_mb: Option<f64>,
    /// Bytes of memory for each that waits: the larger of the two above, less what
    /// the program takes without them.
    pub(crate) memory_bytes: Option<f64>,
    /// Bytes on the disk for each, after a clean end.
    pub(crate) disk_bytes: f64,
    /// Seconds that the clean end took.
    pub(crate) stop_s: f64,
    /// Seconds from start to ready, after a clean end.
    pub(crate) ready_s: f64,
    /// Seconds from start to ready, after a kill.
    pub(crate) killed_ready_s: f64,
    /// Runs that came due, and how late their texts were.
    pub(crate) late: Option<Latency>,
    /// How many of those were to come due.
    pub(crate) due: usize,
    /// Texts that came before their time.
    pub(crate) early: usize,
    /// Runs that came due and whose text never came.
    pub(crate) missing: usize,
    /// Callers who got more than one text.
    pub(crate) twice: usize,
    /// Callers who wait an hour and got a text already.
    pub(crate) too_soon: usize,
    /// Webhooks that were not taken.
    pub(crate) refused: usize,
}

impl Figures {
    /// What did not work, in words.
    pub(crate) fn problems(&self) -> Vec<String> {
        let counts = [
            (self.missing, "runs came due and sent nothing"),
            (self.twice, "callers were texted twice"),
            (self.early, "texts came before their time"),
            (self.too_soon, "texts came an hour before their time"),
            (self.refused, "webhooks were not taken"),
        ];
        let wrong = counts.into_iter().filter(|(count, _)| *count > 0);
        wrong
            .map(|(count, what)| format!("{count} {what}"))
            .collect()
    }
}

/// Measures; data is written to `folder`.
pub(crate) async fn measure(
    binary: &Path,
    folder: &Path,
    waiting: usize,
) -> anyhow::Result<Figures> {
    let board = Board::new(WARM + waiting + DUE);
    let sink = Sink::start(board.clone()).await?;
    let hour = workflow("hour", "front-desk", Some("1h"));
    let home = Home::new(binary, folder, sink.address, &hour)?;
    let measured = all(&home, &board, waiting).await;
    let figures = measured.with_context(|| format!("the program wrote:\n{}", home.log()))?;
    home.remove()?;
    Ok(figures)
}

async fn all(
    home: &Home,
    board: &std::sync::Arc<Board>,
    waiting: usize,
) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let host = home.start().await?;
    let target = j1::target(host.address, board)?;
    fill(&target, board.take_many(WARM), &mut figures).await?;
    calm(host.pid).await;
    figures.idle_mb = process::resident_mb(host.pid);

    let cpu = process::cpu(host.pid);
    let start = std::time::Instant::now();
    fill(&target, board.take_many(waiting), &mut figures).await?;
    figures.fill_rate = waiting as f64 / start.elapsed().as_secs_f64();
    let cpu = process::cpu(host.pid).zip(cpu);
    let cpu = cpu.map(|(after, before)| after.since(before).total());
    figures.fill_cpu_us = cpu.and_then(|ms| ratio(ms * 1000.0, waiting as f64));
    figures.waiting = waiting.saturating_sub(figures.refused);
    calm(host.pid).await;
    figures.waiting_mb = process::resident_mb(host.pid);

    let stop = std::time::Instant::now();
    host.stop().await?;
    figures.stop_s = stop.elapsed().as_secs_f64();
    let bytes = home.data_bytes()? as f64;
    figures.disk_bytes = ratio(bytes, (WARM + figures.waiting) as f64).unwrap_or_default();
    let host = home.start().await?;
    figures.ready_s = host.ready.as_secs_f64();
    figures.started_mb = process::resident_mb(host.pid);
    let most = j1::larger(figures.waiting_mb, figures.started_mb);
    let more = most
        .zip(figures.idle_mb)
        .map(|(most, idle)| (most - idle).max(0.0));
    let bytes = more.and_then(|more| ratio(more * 1024.0 * 1024.0, figures.waiting as f64));
    figures.memory_bytes = bytes;

    // Those that come due are taken by a host that was killed, and wait through
    // another kill.
    host.kill().await?;
    let wait = wait(figures.ready_s);
    let seconds = format!("{}s", wait.as_secs());
    home.add_workflow(&workflow("due", "other", Some(&seconds)))?;
    let host = home.start().await?;
    figures.killed_ready_s = host.ready.as_secs_f64();
    let mut target = j1::target(host.address, board)?;
    target.calls = target.calls.to(OTHER_NUMBER);
    let due = target.pace(CONNECTIONS, RATE, DUE).await?;
    let taken = board.outcome(due.clone());
    figures.refused += taken.refused;
    figures.due = taken.accepted;
    host.kill().await?;
    ensure!(
        board.texted(due.clone()) == 0,
        "the kill came too late to be of interest"
    );
    let host = home.start().await?;
    let longest = wait + Duration::from_mins(1);
    arrive(board, due.clone(), longest).await;
    tokio::time::sleep(LINGER).await;

    let outcome = board.outcome(due.clone());
    let (late, early) = board.lateness(due.clone(), wait);
    figures.late = Latency::of(late);
    figures.early = early;
    figures.missing = outcome.missing;
    figures.twice = outcome.twice;
    figures.too_soon = board.texted(0..due.start);
    host.stop().await?;
    Ok(figures)
}

/// How long those wait that come due: they are all taken, and the program is
/// killed and back, before the first of them is due, even if it starts several
/// times as slowly as it did.
fn wait(ready_s: f64) -> Duration {
    let taking = DUE as f64 / RATE;
    Duration::from_secs((taking + 10.0 + 4.0 * ready_s).ceil() as u64)
}

async fn fill(target: &Target, callers: Range<usize>, figures: &mut Figures) -> anyhow::Result<()> {
    let refused = target.call_all(CONNECTIONS, callers.collect()).await?;
    figures.refused += refused.len();
    Ok(())
}

/// Waits until all of them have their text, or for so long.
async fn arrive(board: &Board, callers: Range<usize>, longest: Duration) {
    let start = std::time::Instant::now();
    let count = callers.len();
    while board.texted(callers.clone()) < count && start.elapsed() < longest {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_due_wait_through_a_start() {
        assert_eq!(wait(0.0), Duration::from_secs(20));
        assert_eq!(wait(7.6), Duration::from_secs(51));
    }

    #[test]
    fn only_what_is_wrong_is_a_problem() {
        assert!(
            Figures {
                waiting: 9,
                due: 9,
                ..Figures::default()
            }
            .problems()
            .is_empty()
        );
        let bad = Figures {
            early: 1,
            too_soon: 2,
            missing: 3,
            twice: 4,
            refused: 5,
            ..Figures::default()
        };
        assert_eq!(bad.problems().len(), 5);
    }
}
