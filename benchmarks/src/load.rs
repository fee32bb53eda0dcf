//! The generator: HTTP/1.1 over connections that stay open, as fast as they are
//! answered or at a given rate. It measures the target, so it does as little as
//! possible itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::board::{Board, Outcome};
use crate::twilio::{CALL_PATH, Calls};

/// How long nothing may happen before a text counts as missing.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(15);

/// One connection, opened again when it breaks.
pub(crate) struct Line {
    address: SocketAddr,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Line {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let sender = Some(connect(address).await?);
        Ok(Self { address, sender })
    }

    /// The status of the answer to a request.
    ///
    /// # Errors
    /// When there was no answer, or none in time.
    pub(crate) async fn ask(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<u16> {
        let mut sender = match self.sender.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => connect(self.address).await?,
        };
        let status = tokio::time::timeout(ANSWER, async {
            sender.ready().await?;
            let answer = sender.send_request(request).await?;
            let status = answer.status().as_u16();
            answer.into_body().collect().await?;
            anyhow::Ok(status)
        });
        let status = status.await.context("there was no answer in time")??;
        self.sender = Some(sender);
        Ok(status)
    }
}

async fn connect(address: SocketAddr) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await;
    let stream = stream.with_context(|| format!("could not connect to {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// A GET request.
pub(crate) fn get(address: SocketAddr, path: &str) -> anyhow::Result<Request<Full<Bytes>>> {
    let request = Request::get(path).header("host", address.to_string());
    Ok(request.body(Full::default())?)
}

fn post(address: &str, path: &str, kind: &str) -> hyper::http::request::Builder {
    Request::post(path)
        .header("host", address)
        .header("content-type", kind)
}

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
    let mut lines = Vec::new();
    for _ in 0..connections {
        lines.push(Line::open(address).await?);
    }
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for mut line in lines {
        tasks.spawn(async move {
            let host = address.to_string();
            let mut answered = 0_u64;
            while start.elapsed() < time {
                let body = Full::new(Bytes::from_static(json.as_bytes()));
                let status = line
                    .ask(post(&host, path, "application/json").body(body)?)
                    .await?;
                anyhow::ensure!((200..300).contains(&status), "{path} answered {status}");
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
        let taken = self
            .call(&mut line, &self.address.to_string(), caller, None)
            .await;
        anyhow::ensure!(taken, "the first webhook was not taken");
        Ok(Instant::now())
    }

    async fn lines(&self, connections: usize) -> anyhow::Result<Vec<Line>> {
        let mut lines = Vec::new();
        for _ in 0..connections {
            lines.push(Line::open(self.address).await?);
        }
        Ok(lines)
    }

    /// As many runs as it takes in this time, with never more than `window` of
    /// them between their webhook and their text. Ends when all texts have come.
    pub(crate) async fn saturate(
        &self,
        connections: usize,
        window: usize,
        time: Duration,
    ) -> anyhow::Result<Outcome> {
        let lines = self.lines(connections).await?;
        let first = self.board.taken();
        self.board.window.forget_permits(usize::MAX);
        self.board.window.add_permits(window);
        let end = tokio::time::Instant::now() + time;
        let mut tasks = JoinSet::new();
        for mut line in lines {
            let target = self.clone();
            tasks.spawn(async move {
                let host = target.address.to_string();
                loop {
                    let room = tokio::time::timeout_at(end, target.board.window.acquire()).await;
                    let Ok(Ok(room)) = room else { break };
                    if tokio::time::Instant::now() >= end {
                        break;
                    }
                    let Some(caller) = target.board.take() else {
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
        Ok(self.finish(first).await)
    }

    /// So many runs a second for this time, whatever becomes of them. Ends when
    /// all texts have come.
    pub(crate) async fn at_rate(
        &self,
        connections: usize,
        rate: f64,
        time: Duration,
    ) -> anyhow::Result<Outcome> {
        let lines = self.lines(connections).await?;
        let first = self.board.taken();
        let count = ((rate * time.as_secs_f64()) as usize).min(self.board.left());
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
        Ok(self.finish(first).await)
    }

    /// Waits for the texts of everybody from this caller on.
    async fn finish(&self, first: usize) -> Outcome {
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
        self.board.outcome(first..end)
    }
}
