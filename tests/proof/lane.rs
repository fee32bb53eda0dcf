//! One host, its provider and its load, through as many deaths as a proof wants:
//! what comes back must come back alone, and at every checkpoint the books must
//! agree.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::books::{Figures, Seen, audit};
use super::load::{Load, WORKFLOW, since};
use crate::support::{Chance, Host, Prepared, Twilio, config, within};

/// How long a start may take, on a slow and busy machine.
pub(crate) const START: Duration = Duration::from_secs(30);
/// How long after the last event something may still be open. A run waits two
/// seconds, an unknown text one, and one that was not sent is tried again later.
const SETTLED: Duration = Duration::from_secs(120);

/// See the module.
pub(crate) struct Lane {
    pub(crate) host: Host,
    pub(crate) twilio: Twilio,
    pub(crate) load: Load,
    pub(crate) chance: Chance,
    pub(crate) figures: Figures,
    /// How long each start took.
    pub(crate) starts: Vec<Duration>,
    workers: u64,
    begun: Timestamp,
    /// How far the feed was read.
    feed: String,
}

impl Lane {
    /// Starts a host on this data folder, or one of its own; `rest` belongs to its
    /// configuration.
    pub(crate) async fn start(
        chance: Chance,
        workers: u64,
        data: Option<&std::path::Path>,
        rest: &str,
    ) -> Self {
        let twilio = Twilio::start().await;
        let prepared = Prepared::new(&[("workflows/ask.yaml", WORKFLOW)]);
        prepared.write("ringback.toml", config(&twilio, "", rest).as_bytes());
        let prepared = match data {
            Some(data) => prepared.data_in(data),
            None => prepared,
        };
        let host = prepared.start().await;
        let load = Load::new(&twilio, &host);
        let mut lane = Self {
            host,
            twilio,
            load,
            chance,
            figures: Figures::default(),
            starts: Vec::new(),
            workers,
            begun: Timestamp::now(),
            feed: String::new(),
        };
        let fates = lane.chance.fork();
        lane.twilio.be_unreliable(fates);
        lane
    }

    /// Lets the load loose, until [`Lane::checkpoint`].
    pub(crate) fn go(&mut self) {
        // Ids and records carry the host's milliseconds.
        self.begun = Timestamp::now() - SignedDuration::from_secs(1);
        self.load.begin(self.workers, &mut self.chance);
    }

    /// Starts the host again.
    pub(crate) async fn come_back(&mut self) {
        let begun = Instant::now();
        self.host.restart().await;
        let took = begun.elapsed();
        assert!(took < START, "a start took {took:?}");
        self.starts.push(took);
        self.load.moved(&self.host);
    }

    /// Ends the load, waits until nothing is open any more, and compares what was
    /// promised with what happened.
    pub(crate) async fn checkpoint(&mut self) {
        self.load.end().await;
        self.settle().await;
        let mut seen: HashMap<String, Seen> = HashMap::new();
        for run in since(&self.host, "runs", self.begun).await {
            let contact = run["contact"].as_str().expect("a number").to_owned();
            seen.entry(contact).or_default().runs.push(run);
        }
        for message in since(&self.host, "messages", self.begun).await {
            let side = match message["direction"].as_str() {
                Some("inbound") => "fromNumber",
                _ => "toNumber",
            };
            let contact = message[side].as_str().expect("a number").to_owned();
            seen.entry(contact).or_default().messages.push(message);
        }
        let unknown = self.unknown().await;
        let (mut figures, wrong) = audit(&self.load.people(), &seen, &self.load.ledger());
        assert!(
            wrong.is_empty(),
            "{} people were not treated as promised:\n{}",
            wrong.len(),
            wrong[..wrong.len().min(5)].join("\n")
        );
        assert!(figures.acknowledged > 0 && figures.texts > 0, "{figures:?}");
        figures.unknown = unknown;
        self.figures.add(&figures);
    }

    /// How many texts became unknown since this was last asked. All of them are
    /// settled by now.
    async fn unknown(&mut self) -> usize {
        let mut texts = HashSet::new();
        loop {
            let after = match self.feed.as_str() {
                "" => String::new(),
                cursor => format!("&after={cursor}"),
            };
            let path = format!("/api/v1/events?limit=500{after}");
            let page = self.host.ask("GET", &path, None).await.expect(200).json();
            let entries = page["data"].as_array().expect("a list");
            if entries.is_empty() {
                return texts.len();
            }
            for entry in entries {
                if entry["type"] == "message.status" && entry["data"]["status"] == "unknown" {
                    texts.insert(entry["message"].to_string());
                }
            }
            let cursor = page["next_cursor"].as_str().expect("a cursor");
            cursor.clone_into(&mut self.feed);
        }
    }

    /// Every run ends and every text is settled: whatever would not has lost what
    /// wakes it.
    async fn settle(&self) {
        let end = Instant::now() + SETTLED;
        loop {
            let mut open = since(&self.host, "runs", self.begun).await;
            open.retain(|run| run["status"] == "running");
            for run in &open {
                assert!(!run["waiting"].is_null(), "a run waits for nothing: {run}");
            }
            let mut texts = since(&self.host, "messages", self.begun).await;
            texts.retain(|text| {
                let status = text["status"].as_str().expect("a word");
                matches!(
                    status,
                    "draft" | "pending_approval" | "scheduled" | "queued" | "sending" | "unknown"
                )
            });
            if open.is_empty() && texts.is_empty() {
                return;
            }
            assert!(
                Instant::now() < end,
                "not settled within {SETTLED:?}: {open:?} {texts:?}"
            );
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Stops the host in order, and looks whether anything was texted since the
    /// last checkpoint.
    pub(crate) async fn close(mut self) -> (Figures, Vec<Duration>) {
        let before = self.twilio.ledger(0).len();
        assert!(self.host.stop().await.success());
        assert_eq!(self.twilio.ledger(0).len(), before, "texts after the end");
        let mut ids: Vec<String> = self
            .twilio
            .ledger(0)
            .into_iter()
            .map(|one| one.id)
            .collect();
        ids.sort_unstable();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all, "a text was sent twice");
        (self.figures, self.starts)
    }

    /// Waits until the host works: a load that never gets through proves nothing.
    pub(crate) async fn busy(&self) {
        let (_, before) = self.load.answers();
        within(START, "somebody gets an answer", async || {
            (self.load.answers().1 > before).then_some(())
        })
        .await;
    }
}

/// One line of figures of a proof.
#[expect(clippy::print_stdout, reason = "a proof says what it saw")]
pub(crate) fn summary(what: &str, figures: &Figures, starts: &[Duration], begun: Instant) {
    let mut sorted = starts.to_vec();
    sorted.sort_unstable();
    let p50 = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    let max = sorted.last().copied().unwrap_or_default();
    println!(
        "{what}: {} acknowledged, {} runs, {} texts, {} STOPs, {} unknown and settled, {} held for \
         a person, 0 lost, 0 doubled; {} starts without a hand, p50 {} ms, max {} ms; {:.0} s",
        figures.acknowledged,
        figures.runs,
        figures.texts,
        figures.stops,
        figures.unknown,
        figures.review,
        starts.len(),
        p50.as_millis(),
        max.as_millis(),
        begun.elapsed().as_secs_f64(),
    );
}
