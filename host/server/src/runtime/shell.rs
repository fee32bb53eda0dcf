//! One input at a time: facts, decision, commit, and what follows from it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ringback_core::engine::{
    self, Act, Answer, Command, Decision, Facts, Input, Notice, Records, World,
};
use ringback_core::model::{Entry, Key, MessageId, keys};
use ringback_core::policy::pace::Granted;
use ringback_store::{Outcome, Permit, commit_with};
use tracing::{error, info, warn};

use super::state::{Error, Host};
use super::{clock, perform};

/// How often a step is taken again after it lost to another one.
const TRIES: u32 = 64;

impl Host {
    /// Takes an input from outside: refused while the host stops or the disk is
    /// nearly full, so that nobody is told yes who cannot be served.
    ///
    /// # Errors
    /// See [`Error`]; nothing of the input happened, or it will be seen as a repeat.
    pub(crate) async fn take(self: &Arc<Self>, input: &Input) -> Result<Answer, Error> {
        if self.is_stopping() {
            return Err(Error::Stopping);
        }
        if self.store_failed.load(Ordering::Acquire) {
            return Err(Error::StoreFailed);
        }
        if self.disk_full.load(Ordering::Acquire) {
            return Err(Error::DiskFull);
        }
        self.take_anyway(input).await
    }

    /// Takes an input that must not be refused: the outcome of what was begun.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) async fn take_anyway(self: &Arc<Self>, input: &Input) -> Result<Answer, Error> {
        self.take_knowing(input, Facts::default()).await
    }

    /// Takes an input about which something is known already. What is old by now
    /// shows as a conflict, and is read anew.
    async fn take_knowing(
        self: &Arc<Self>,
        input: &Input,
        mut known: Facts,
    ) -> Result<Answer, Error> {
        let seed = clock::seed();
        // Kept over conflicts, so that no text is charged for a turn twice.
        let mut granted = Vec::new();
        for attempt in 0..TRIES {
            let facts = std::mem::take(&mut known);
            let act = self.decide(input, seed, facts, &mut granted).await?;
            if act.batch.is_empty() && act.commands.is_empty() {
                self.notice(&act.notices);
                return Ok(act.answer);
            }
            let Act {
                batch,
                records,
                commands,
                notices,
                entries,
                answer,
            } = act;
            let timers: Vec<Key> = batch
                .writes
                .iter()
                .filter(|(key, value)| value.is_some() && keys::timer_due(key).is_some())
                .map(|(key, _)| key.clone())
                .collect();
            match commit_with(self.store.as_ref(), batch, commands).await? {
                Outcome::Done(permits) => {
                    self.count(kind(input));
                    self.after(permits, records, &notices, entries, timers);
                    return Ok(answer);
                }
                Outcome::Conflict(_) => {
                    self.count("conflict");
                    if attempt > 8 {
                        tokio::time::sleep(Duration::from_millis(u64::from(attempt))).await;
                    }
                }
            }
        }
        Err(Error::Contended)
    }

    /// Loads facts until the engine can decide.
    async fn decide(
        &self,
        input: &Input,
        seed: u128,
        mut facts: Facts,
        granted: &mut Vec<(MessageId, Granted)>,
    ) -> Result<Act, Error> {
        let setup = self.setup.load();
        let catalog = self.catalog.load();
        let world = World {
            setup: &setup,
            workflows: &catalog,
        };
        let now = clock::now();
        facts.set_rough(self.pacing.is_rough());
        for (message, one) in granted.iter() {
            facts.grant(message.clone(), one.clone());
        }
        let mut expected = engine::expected(input);
        expected.retain(|key| !facts.knows(key));
        self.load(&mut facts, expected).await?;
        loop {
            match engine::step(world, &facts, input, now, seed)? {
                Decision::Act(act) => return Ok(act),
                Decision::Need(wanted) => self.load(&mut facts, wanted).await?,
                Decision::Turns(wanted) => {
                    for (message, one) in self.pacing.turns(wanted, now) {
                        facts.grant(message.clone(), one.clone());
                        granted.push((message, one));
                    }
                }
            }
        }
    }

    async fn load(&self, facts: &mut Facts, wanted: Vec<Key>) -> Result<(), Error> {
        if wanted.is_empty() {
            return Ok(());
        }
        let found = self.store.get_many(&wanted).await?;
        for (key, value) in wanted.into_iter().zip(found) {
            facts.insert(key, value);
        }
        Ok(())
    }

    /// What follows from a durable batch, in this order: what must be known
    /// before anybody is told, then the timers, then the world outside.
    fn after(
        self: &Arc<Self>,
        permits: Vec<Permit<Command>>,
        records: Records,
        notices: &[Notice],
        entries: Vec<Entry>,
        timers: Vec<Key>,
    ) {
        self.notice(notices);
        self.pace(notices);
        for key in timers {
            self.timers.add(key);
        }
        for entry in entries {
            // An error only says that nobody follows.
            let _ = self.feed.send(entry);
        }
        for permit in permits {
            let host = Arc::clone(self);
            let known = Facts::of_commit(records.clone(), permit.revision());
            self.in_flight.fetch_add(1, Ordering::AcqRel);
            tokio::spawn(async move {
                perform::perform(&host, permit, known).await;
                if host.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
                    host.idle.notify_waiters();
                }
            });
        }
    }

    pub(super) fn notice(&self, notices: &[Notice]) {
        if notices.is_empty() {
            return;
        }
        let mut stopped = self.stopped.write().unwrap_or_else(PoisonError::into_inner);
        for notice in notices {
            match notice {
                Notice::Stopped(phone) => stopped.insert(phone.clone()),
                Notice::Resumed(phone) => stopped.remove(phone),
                Notice::Undecided(id) => {
                    warn!(
                        "nobody could say whether the text {id} was sent: decide with `ringback \
                         messages decide {id} sent|resend|drop`, or in the dashboard"
                    );
                    continue;
                }
                Notice::SentAgain(id) => {
                    info!(
                        "nobody could say whether the text {id} was sent: it is sent again, as its \
                         `on_unknown: resend` says; the contact may get it twice"
                    );
                    continue;
                }
                Notice::Slowed(..) | Notice::Broken(..) | Notice::Works(_) => continue,
            };
        }
    }

    /// Stores the outcome of something that was begun, for as long as it takes:
    /// if the process dies before, the next start settles it. `known` is what the
    /// commit that began it wrote.
    pub(super) async fn conclude(self: &Arc<Self>, input: Input, mut known: Facts) {
        let mut pause = Duration::from_millis(50);
        loop {
            match self.take_knowing(&input, std::mem::take(&mut known)).await {
                Ok(_) => return,
                Err(problem) => {
                    error!("could not store an outcome: {problem}");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
            }
        }
    }
}

fn kind(input: &Input) -> &'static str {
    match input {
        Input::Text(_) => "text",
        Input::Report(_) => "report",
        Input::Call(_) => "call",
        Input::Send(_) => "send",
        Input::Place(_) => "place",
        Input::Start(_) => "start",
        Input::Timer(_) => "timer",
        Input::Sent(..) => "sent",
        Input::Looked(..) => "looked",
        Input::Placed(..) => "placed",
        Input::Worked(..) => "worked",
        Input::LostText(_) | Input::LostCall(_) | Input::LostWork(_) => "lost",
        Input::Cancel(_) => "cancel",
        Input::Wake(_) => "wake",
        Input::Move(_) => "move",
        Input::Retry(_) => "retry",
        Input::Release(_) | Input::Take(..) => "handoff",
        Input::OptOut(..) => "opt_out",
        Input::Decide(..) => "decide",
        Input::Approve(..) => "approve",
        Input::Replay(_) | Input::Dismiss(_) => "replay",
        Input::Define(_) | Input::Undefine(_) => "workflow",
        Input::Pause(..) | Input::Resume(_) => "campaign",
        Input::Lead(_) => "lead",
        Input::Webhook(_) => "webhook",
        Input::Event(_) => "event",
        Input::Expire(_) => "expire",
    }
}
