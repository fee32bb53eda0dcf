//! J3: the program is killed in the middle of 500 runs of J1 and started again,
//! over and over in the same folder. What it answered with 2xx must lead to
//! exactly one text each; what it did not answer is repeated, as providers do.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::board::Board;
use crate::figures::Spread;
use crate::host::{API_KEY, Home, Host, text_back};
use crate::j1;
use crate::line::{Line, get};
use crate::load::Target;
use crate::sink::Sink;
use crate::twilio;

/// Runs of a round.
const RUNS: usize = 500;
/// Connections that they come over.
const CONNECTIONS: usize = 32;
/// How long the provider thinks before it answers: texts are in flight at any
/// moment then, and a kill leaves some whose fate the program cannot know.
const PAUSE: Duration = Duration::from_millis(10);
/// How long it may take until everything is settled after the start.
const SETTLE: Duration = Duration::from_mins(1);
/// How long a text that is sent twice may lag behind.
const LINGER: Duration = Duration::from_secs(3);

/// One kill.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Round {
    /// Texts that the provider had when the program was killed.
    pub(crate) before: usize,
    /// Webhooks that had not been answered, and were repeated.
    pub(crate) repeated: usize,
    /// Texts whose fate was unknown after the start.
    pub(crate) unknown: usize,
    /// Callers who never got their text, although nobody was told so.
    pub(crate) lost: usize,
    /// Callers who got more than one.
    pub(crate) twice: usize,
    /// Texts that a person was asked to decide about.
    pub(crate) held: usize,
    /// Texts that were neither sent nor given up in the end.
    pub(crate) stuck: usize,
    /// Seconds from the second start to ready.
    pub(crate) ready_s: f64,
    /// Seconds from the second start until nothing was open any more.
    pub(crate) settled_s: f64,
}

/// All of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Runs of each.
    pub(crate) runs: usize,
    /// The kills.
    pub(crate) rounds: Vec<Round>,
}

impl Figures {
    /// A count, over all kills.
    pub(crate) fn sum(&self, count: impl Fn(&Round) -> usize) -> usize {
        self.rounds.iter().map(count).sum()
    }

    /// A time, over all kills.
    pub(crate) fn spread(&self, time: impl Fn(&Round) -> f64) -> Option<Spread> {
        Spread::of(self.rounds.iter().map(time))
    }

    /// What did not work, in words. A text that is held is shown, and is no loss.
    pub(crate) fn problems(&self) -> Vec<String> {
        let counts = [
            (self.sum(|one| one.lost), "callers never got their text"),
            (self.sum(|one| one.twice), "callers were texted twice"),
            (self.sum(|one| one.stuck), "texts were never settled"),
        ];
        let wrong = counts.into_iter().filter(|(count, _)| *count > 0);
        wrong
            .map(|(count, what)| format!("{count} {what}"))
            .collect()
    }
}

/// Kills it so often; data is written to `folder`.
pub(crate) async fn measure(
    binary: &Path,
    folder: &Path,
    rounds: usize,
) -> anyhow::Result<Figures> {
    let board = Board::new(RUNS * rounds);
    let sink = Sink::slow(board.clone(), PAUSE).await?;
    let home = Home::new(binary, folder, sink.address, &text_back())?;
    let mut figures = Figures {
        runs: RUNS,
        rounds: Vec::new(),
    };
    for turn in 0..rounds {
        let callers = board.take_many(RUNS);
        // Spread over the whole of it: early in one round, late in another.
        let moment = RUNS * (2 * turn + 1) / (2 * rounds);
        let round = round(&home, &board, callers, moment).await;
        figures
            .rounds
            .push(round.with_context(|| format!("the program wrote:\n{}", home.log()))?);
    }
    // Looked at once more in the end: a text may be doubled by a later start.
    for (turn, round) in figures.rounds.iter_mut().enumerate() {
        let callers = turn * RUNS..(turn + 1) * RUNS;
        round.twice = callers.filter(|caller| board.texts(*caller) > 1).count();
    }
    home.remove()?;
    Ok(figures)
}

async fn round(
    home: &Home,
    board: &std::sync::Arc<Board>,
    callers: Range<usize>,
    moment: usize,
) -> anyhow::Result<Round> {
    let host = home.start().await?;
    let target = j1::target(host.address, board)?;
    let all: Vec<usize> = callers.clone().collect();
    let calling = tokio::spawn({
        let (target, all) = (target.clone(), all.clone());
        async move { target.call_all(CONNECTIONS, all).await }
    });
    let start = Instant::now();
    while board.texted(callers.clone()) < moment {
        ensure!(start.elapsed() < SETTLE, "the runs do not get on");
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    host.kill().await?;
    let before = board.texted(callers.clone());
    let mut open = calling.await??;

    let host = home.start().await?;
    let target = j1::target(host.address, board)?;
    let mut round = Round {
        before,
        repeated: open.len(),
        ready_s: host.ready.as_secs_f64(),
        ..Round::default()
    };
    let list = texts(&host, &callers).await?;
    round.unknown = count(&list, &["unknown"]);
    open = repeat(&target, open).await?;
    ensure!(open.is_empty(), "{} webhooks are not taken", open.len());
    settle(&host, board, &callers, &mut round).await?;
    tokio::time::sleep(LINGER).await;
    host.stop().await?;
    Ok(round)
}

/// Repeats webhooks until all are taken, or it is no use; those that are left.
async fn repeat(target: &Target, mut open: Vec<usize>) -> anyhow::Result<Vec<usize>> {
    for _ in 0..10 {
        if open.is_empty() {
            break;
        }
        open = target.call_all(CONNECTIONS, open).await?;
    }
    Ok(open)
}

/// Waits until every caller has a text or a person is asked about it.
async fn settle(
    host: &Host,
    board: &Board,
    callers: &Range<usize>,
    round: &mut Round,
) -> anyhow::Result<()> {
    loop {
        let list = texts(host, callers).await?;
        let open = count(&list, &["scheduled", "queued", "sending", "unknown"]);
        let held: Vec<usize> = of(&list, &["needs_review"]).collect();
        let lost: Vec<usize> = callers
            .clone()
            .filter(|caller| board.texts(*caller) == 0 && !held.contains(caller))
            .collect();
        if open == 0 && lost.is_empty() || host.started.elapsed() >= SETTLE {
            round.settled_s = host.started.elapsed().as_secs_f64();
            round.held = held.len();
            round.stuck = open;
            round.lost = lost.len();
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The callers whose text is in one of these states.
fn of<'a>(list: &'a [(usize, String)], states: &'a [&str]) -> impl Iterator<Item = usize> + 'a {
    let some = list.iter().filter(|(_, is)| states.contains(&is.as_str()));
    some.map(|(caller, _)| *caller)
}

fn count(list: &[(usize, String)], states: &[&str]) -> usize {
    of(list, states).count()
}

/// The texts to these callers and their states, as the program's API lists them.
async fn texts(host: &Host, callers: &Range<usize>) -> anyhow::Result<Vec<(usize, String)>> {
    let mut line = Line::open(host.address).await?;
    let mut found = Vec::new();
    let mut path = format!("{MESSAGES}?limit={RUNS}");
    loop {
        let request = get(host.address, &path, Some(API_KEY))?;
        let (status, body) = line.fetch(request).await?;
        ensure!(status == 200, "the list of texts answered {status}");
        let page: Value = serde_json::from_slice(&body)?;
        let (some, older) = read(&page, callers);
        found.extend(some);
        match page.get("next_cursor").and_then(Value::as_str) {
            // Texts are listed from the newest on: what follows is of other rounds.
            Some(cursor) if !older => path = format!("{MESSAGES}?limit={RUNS}&cursor={cursor}"),
            _ => return Ok(found),
        }
    }
}

/// Where the program lists texts.
const MESSAGES: &str = "/api/v1/messages";

/// The texts of a page that went to these callers, and whether one to an earlier
/// caller is among the others.
fn read(page: &Value, callers: &Range<usize>) -> (Vec<(usize, String)>, bool) {
    let texts = page.get("data").and_then(Value::as_array);
    let mut older = false;
    let texts = texts.into_iter().flatten().filter_map(|text| {
        let caller = twilio::caller(text.get("toNumber")?.as_str()?)?;
        older |= caller < callers.start;
        let state = text.get("status")?.as_str()?.to_owned();
        callers.contains(&caller).then_some((caller, state))
    });
    (texts.collect(), older)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_a_page_of_texts() {
        let text = |caller, state| json!({ "toNumber": twilio::number(caller), "status": state });
        let page =
            json!({ "data": [text(7, "unknown"), text(5, "accepted"), { "toNumber": null }] });
        let (found, older) = read(&page, &(5..10));
        assert_eq!(
            found,
            [(7, "unknown".to_owned()), (5, "accepted".to_owned())]
        );
        assert!(!older);
        assert_eq!(count(&found, &["unknown", "sending"]), 1);
        let (found, older) = read(&page, &(6..10));
        assert_eq!((found.len(), older), (1, true));
    }

    #[test]
    fn what_is_held_is_no_loss() {
        let check = |round: Round, expected: &[&str]| {
            let rounds = vec![round.clone(), Round::default(), round];
            assert_eq!(Figures { runs: 500, rounds }.problems(), expected);
        };
        let held = Round {
            held: 3,
            unknown: 9,
            repeated: 40,
            ..Round::default()
        };
        check(held, &[]);
        let bad = Round {
            lost: 1,
            twice: 2,
            stuck: 3,
            ..Round::default()
        };
        let words = [
            "2 callers never got their text",
            "4 callers were texted twice",
            "6 texts were never settled",
        ];
        check(bad, &words);
    }
}
