//! The generator: webhooks and requests as fast as they are answered, or at a
//! given rate. It measures the target, so it does as little as possible itself.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::Full;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::board::{Board, Outcome};
use crate::line::{Line, post};
use crate::twilio::{CALL_PATH, Calls};

/// How long nothing may happen before a text counts as missing.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many requests were answered (2xx), and in how many seconds.
pub(crate) struct Plain {
    pub(crate) answered: u64,
    pub(crate) seconds: f64,
}

/// Posts the same JSON over and over on so many connections.
///
/// # Errors
/// When a request is not answered, or not with 2xx: these targets are our own.
pub(crate) async fn plain(
    address: SocketAddr,
    path: &'static str,
    json: &'static str,
    connections: usize,
    time: Duration,
) -> anyhow::Result<Plain> {
    let lines = Line::several(address, connections).await?;
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for mut line in lines {
        tasks.spawn(async move {
            let host = address.to_string();
            let mut answered = 0_u64;
            while start.elapsed() < time {
                let body = Full::new(Bytes::from_static(json.as_bytes()));
                let request = post(&host, path, "application/json").body(body)?;
                let status = line.ask(request).await?;
                ensure!((200..300).contains(&status), "{path} answered {status}");
                answered += 1;
            }
            anyhow::Ok(answered)
        });
    }
    let mut answered = 0;
    while let Some(done) = tasks.join_next().await {
        answered += done??;
    }
    Ok(Plain {
        answered,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// How much a saturated target is given.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Amount {
    /// As many runs as it takes in this time.
    For(Duration),
    /// So many runs.
    Runs(usize),
}

/// What is called about missed calls.
#[derive(Clone)]
pub(crate) struct Target {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The webhooks that it takes.
    pub(crate) calls: Calls,
    /// Where the webhooks and texts are written down.
    pub(crate) board: Arc<Board>,
}

impl Target {
    /// One webhook about one caller; whether it was taken.
    async fn call(&self, line: &mut Line, host: &str, caller: usize, due: Option<Instant>) -> bool {
        let (body, signature) = self.calls.missed(caller);
        let request = post(host, CALL_PATH, "application/x-www-form-urlencoded")
            .header("x-twilio-signature", signature)
            .body(Full::new(body));
        self.board.sent(caller, due);
        let status = match request {
            Ok(request) => line.ask(request).await.unwrap_or(0),
            Err(_) => 0,
        };
        self.board.answered(caller, status);
        (200..300).contains(&status)
    }

    /// One webhook; when it was taken. Its text is not waited for.
    ///
    /// # Errors
    /// When it was not taken.
    pub(crate) async fn first(&self) -> anyhow::Result<Instant> {
        let caller = self.board.take().context("there are no callers")?;
        let mut line = Line::open(self.address).await?;
        let host = self.address.to_string();
        let taken = self.call(&mut line, &host, caller, None).await;
        ensure!(taken, "the first webhook was not taken");
        Ok(Instant::now())
    }

    /// Runs with never more than `window` of them between their webhook and their
    /// text. Ends when all texts have come.
    pub(crate) async fn saturate(
        &self,
        connections: usize,
        window: usize,
        amount: Amount,
    ) -> anyhow::Result<Outcome> {
        let lines = Line::several(self.address, connections).await?;
        let first = self.board.taken();
        let last = match amount {
            Amount::For(_) => usize::MAX,
            Amount::Runs(count) => first.saturating_add(count),
        };
        self.board.window.forget_permits(usize::MAX);
        self.board.window.add_permits(window);
        let end = match amount {
            Amount::For(time) => Some(tokio::time::Instant::now() + time),
            Amount::Runs(_) => None,
        };
        let mut tasks = JoinSet::new();
        for mut line in lines {
            let target = self.clone();
            tasks.spawn(async move {
                let host = target.address.to_string();
                loop {
                    // Without an end, a target that stands still ends it.
                    let until = end.unwrap_or_else(|| tokio::time::Instant::now() + PATIENCE);
                    let room = tokio::time::timeout_at(until, target.board.window.acquire()).await;
                    let Ok(Ok(room)) = room else { break };
                    if end.is_some_and(|end| tokio::time::Instant::now() >= end) {
                        break;
                    }
                    let Some(caller) = target.board.take_before(last) else {
                        break;
                    };
                    room.forget();
                    if !target.call(&mut line, &host, caller, None).await {
                        // No text will make room for the next.
                        target.board.window.add_permits(1);
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done?;
        }
        self.finish(first).await;
        Ok(self.board.outcome(first..self.board.taken()))
    }

    /// Webhooks about these callers as fast as they are answered; those that were
    /// not taken. Texts are not waited for.
    pub(crate) async fn call_all(
        &self,
        connections: usize,
        callers: Vec<usize>,
    ) -> anyhow::Result<Vec<usize>> {
        let callers = Arc::new(callers);
        let next = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for mut line in Line::several(self.address, connections).await? {
            let (target, callers, next) = (self.clone(), Arc::clone(&callers), Arc::clone(&next));
            tasks.spawn(async move {
                let host = target.address.to_string();
                let mut refused = Vec::new();
                while let Some(caller) = callers.get(next.fetch_add(1, Ordering::AcqRel)) {
                    if !target.call(&mut line, &host, *caller, None).await {
                        refused.push(*caller);
                    }
                }
                refused
            });
        }
        let mut refused = Vec::new();
        while let Some(done) = tasks.join_next().await {
            refused.extend(done?);
        }
        Ok(refused)
    }

    /// So many webhooks a second, whatever becomes of them; whom they were about.
    /// Texts are not waited for.
    pub(crate) async fn pace(
        &self,
        connections: usize,
        rate: f64,
        count: usize,
    ) -> anyhow::Result<Range<usize>> {
        let lines = Line::several(self.address, connections).await?;
        let first = self.board.taken();
        let count = count.min(self.board.left());
        let (give, work) = mpsc::unbounded_channel();
        let work = Arc::new(Mutex::new(work));
        let mut tasks = JoinSet::new();
        for mut line in lines {
            let (target, work) = (self.clone(), Arc::clone(&work));
            tasks.spawn(async move {
                let host = target.address.to_string();
                loop {
                    let next = work.lock().await.recv().await;
                    let Some((caller, due)) = next else { break };
                    target.call(&mut line, &host, caller, Some(due)).await;
                }
            });
        }
        let start = Instant::now();
        for turn in 0..count {
            let due = start + Duration::from_secs_f64(turn as f64 / rate);
            tokio::time::sleep_until(due.into()).await;
            let Some(caller) = self.board.take() else {
                break;
            };
            give.send((caller, due)).context("the generator stopped")?;
        }
        drop(give);
        while let Some(done) = tasks.join_next().await {
            done?;
        }
        Ok(first..self.board.taken())
    }

    /// So many runs a second for this time, whatever becomes of them. Ends when
    /// all texts have come.
    pub(crate) async fn at_rate(
        &self,
        connections: usize,
        rate: f64,
        time: Duration,
    ) -> anyhow::Result<Outcome> {
        let count = (rate * time.as_secs_f64()) as usize;
        let callers = self.pace(connections, rate, count).await?;
        self.finish(callers.start).await;
        Ok(self.board.outcome(callers))
    }

    /// Waits for the texts of everybody from this caller on.
    pub(crate) async fn finish(&self, first: usize) {
        let end = self.board.taken();
        let mut waiting = first;
        let mut progress = Instant::now();
        while waiting < end && progress.elapsed() < PATIENCE {
            if self.board.settled(waiting) {
                waiting += 1;
                progress = Instant::now();
            } else {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }
}
