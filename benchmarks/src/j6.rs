//! J6: a text is asked for over the API. The ceiling is a bare handler that keeps
//! a record, one `fdatasync` for all that came meanwhile, and does nothing more.
//! The program has also sent every one of the texts in the end, and the processor
//! time of that counts.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::board::Board;
use crate::ceilings;
use crate::figures::Spread;
use crate::host::{API_KEY, Home, TEXT, text_back};
use crate::j1::LINGER;
use crate::line::{Line, post};
use crate::load::Target;
use crate::process;
use crate::sink::Sink;
use crate::twilio::{self, NUMBER};

/// Connections; each waits for its answer before it asks again.
const CONNECTIONS: usize = 64;
/// The program's route.
const MESSAGES: &str = "/api/v1/messages";
/// Where keys are made. One key may ask 200 times a second, so there are many
/// clients, as one would have.
const KEYS: &str = "/api/v1/keys";
/// How many clients there are: enough for what two processors can answer.
const CLIENTS: usize = 256;
/// The handler's.
const BARE: &str = "/json";

/// How often each is measured, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Turns.
    pub(crate) rounds: usize,
    /// Each time.
    pub(crate) time: Duration,
}

/// Requests a second, and what one costs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Side {
    /// Answered requests a second.
    pub(crate) per_second: Option<Spread>,
    /// Processor time for each, in microseconds, until nothing of it is left to do.
    pub(crate) cpu_us: Option<Spread>,
}

/// Both.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// The bare handler.
    pub(crate) ceiling: Side,
    /// The program.
    pub(crate) ringback: Side,
    /// Seconds from the last answer to the last text, at most.
    pub(crate) behind_s: f64,
    /// Requests that were not answered with 2xx.
    pub(crate) refused: usize,
    /// Texts that were taken and never came.
    pub(crate) missing: usize,
    /// Recipients who got more than one.
    pub(crate) twice: usize,
}

impl Figures {
    /// What did not work, in words.
    pub(crate) fn problems(&self) -> Vec<String> {
        let counts = [
            (self.missing, "texts that were taken never came"),
            (self.twice, "recipients were texted twice"),
            (self.refused, "requests were not taken"),
        ];
        let wrong = counts.into_iter().filter(|(count, _)| *count > 0);
        wrong
            .map(|(count, what)| format!("{count} {what}"))
            .collect()
    }
}

/// Measures; data is written below `folder`.
pub(crate) async fn measure(binary: &Path, folder: &Path, plan: Plan) -> anyhow::Result<Figures> {
    /// More than a handler can answer in the time of a round.
    const MOST: usize = 150_000;
    let seconds = plan.time.as_secs_f64().max(1.0);
    let most = (MOST as f64 * seconds) as usize;
    let file = folder.join("ceiling6.bin");
    let file = file.to_str().context("the folder's name is no text")?;
    let (bare, address) = ceilings::server(&["part", "floor", "--file", file]).await?;
    let board = Board::new(twilio::CALLERS.min(most * plan.rounds));
    let sink = Sink::start(board.clone()).await?;
    let home = Home::new(binary, &folder.join("messages"), sink.address, &text_back())?;
    let host = home.start().await?;
    let target = crate::j1::target(host.address, &board)?;

    let keys = Arc::new(keys(host.address).await?);

    let mut figures = Figures::default();
    let (mut ceiling, mut ours) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    let warm = plan.time / 10;
    for turn in 0..=plan.rounds {
        // The first turn only warms up.
        let time = if turn == 0 { warm } else { plan.time };
        let before = process::cpu(bare.pid);
        // Nobody is texted by the bare handler, so its recipients need no names.
        let nobody = Target {
            address,
            calls: target.calls.clone(),
            board: Board::new(most),
        };
        let (rate, count) = load(&nobody, BARE, &keys, time).await?;
        if turn > 0 {
            ceiling.0.push(rate);
            ceiling.1.extend(cost(bare.pid, before, count));
        }
        let (first, before) = (board.taken(), process::cpu(host.pid));
        let (rate, count) = load(&target, MESSAGES, &keys, time).await?;
        let answered = Instant::now();
        target.finish(first).await;
        figures.behind_s = figures.behind_s.max(answered.elapsed().as_secs_f64());
        tokio::time::sleep(LINGER).await;
        if turn > 0 {
            ours.0.push(rate);
            ours.1.extend(cost(host.pid, before, count));
        }
    }
    let side = |(rates, costs): (Vec<f64>, Vec<f64>)| Side {
        per_second: Spread::of(rates),
        cpu_us: Spread::of(costs),
    };
    figures.ceiling = side(ceiling);
    figures.ringback = side(ours);
    let all = board.outcome(0..board.taken());
    figures.refused = all.refused;
    figures.missing = all.missing;
    figures.twice = all.twice;
    host.stop().await.with_context(|| home.log())?;
    home.remove()?;
    Ok(figures)
}

/// Makes the clients' keys.
async fn keys(address: SocketAddr) -> anyhow::Result<Vec<String>> {
    let mut line = Line::open(address).await?;
    let host = address.to_string();
    let mut keys = Vec::new();
    for client in 0..CLIENTS {
        let body = json!({ "name": format!("client {client}"), "scopes": ["send"] });
        let request = post(&host, KEYS, "application/json").header("x-api-key", API_KEY);
        let request = request.body(Full::new(Bytes::from(body.to_string())))?;
        let (status, answer) = line.fetch(request).await?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        let key = answer.pointer("/data/key").and_then(Value::as_str);
        let key = key.with_context(|| format!("{KEYS} answered {status}: {answer}"))?;
        keys.push(key.to_owned());
    }
    Ok(keys)
}

/// Microseconds of processor time for each of so many requests.
fn cost(pid: u32, before: Option<process::Cpu>, count: usize) -> Option<f64> {
    let used = process::cpu(pid)?.since(before?).total();
    (count > 0).then(|| used * 1000.0 / count as f64)
}

/// Asks for texts to one recipient after the other; requests a second that were
/// answered, and how many.
async fn load(
    target: &Target,
    path: &'static str,
    keys: &Arc<Vec<String>>,
    time: Duration,
) -> anyhow::Result<(f64, usize)> {
    let lines = Line::several(target.address, CONNECTIONS).await?;
    let first = target.board.taken();
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for mut line in lines {
        let (board, address) = (Arc::clone(&target.board), target.address);
        let keys = Arc::clone(keys);
        tasks.spawn(async move {
            let host = address.to_string();
            while start.elapsed() < time {
                let Some(recipient) = board.take() else { break };
                let key = keys
                    .get(recipient % keys.len())
                    .map_or(API_KEY, String::as_str);
                let request = post(&host, path, "application/json")
                    .header("x-api-key", key)
                    .body(Full::new(body(path, recipient)))?;
                board.sent(recipient, None);
                let status = line.ask(request).await.unwrap_or(0);
                board.answered(recipient, status);
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let seconds = start.elapsed().as_secs_f64();
    let answered = target.board.outcome(first..target.board.taken()).accepted;
    Ok((answered as f64 / seconds, answered))
}

/// What is posted: the same words, by the names that each has for them.
fn body(path: &str, recipient: usize) -> Bytes {
    let to = twilio::number(recipient);
    let body = if path == BARE {
        json!({ "id": recipient.to_string(), "to": to, "text": TEXT })
    } else {
        json!({ "to": to, "body": TEXT, "from": NUMBER, "intent": "transactional" })
    };
    Bytes::from(body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_for_a_text() {
        let check = |path, name: &str| {
            let body: serde_json::Value = serde_json::from_slice(&body(path, 1)).unwrap();
            assert_eq!(body["to"], "+15125551001", "{path}");
            assert_eq!(body[name], TEXT, "{path}");
        };
        check(MESSAGES, "body");
        check(BARE, "text");
    }
}
