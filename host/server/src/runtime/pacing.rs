//! The schedules of the sending numbers, in memory, and the texts that are held
//! because settings do not work: one of each number tries when somebody changed
//! the settings or says so, and when it works the others follow. What a schedule
//! is stands in `ringback_core::policy::pace`.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use ringback_core::engine::{self, Input, Notice};
use ringback_core::model::{Attention, Message, MessageId, Problem, keys};
use ringback_core::policy::pace::{Granted, Pace, Sender, Wanted};
use ringback_store::Direction;
use tracing::{error, info, warn};

use super::{Error, Host, clock, start};

/// How many marks are read from the store at a time.
const PAGE: usize = 500;

/// The schedules.
#[derive(Default)]
pub(super) struct Pacing {
    pace: Mutex<Pace>,
    rough: AtomicBool,
}

impl Pacing {
    fn lock(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the schedules, and keeps what every step asks first.
    fn change<T>(&self, what: impl FnOnce(&mut Pace) -> T) -> T {
        let mut pace = self.lock();
        let done = what(&mut pace);
        self.rough
            .store(pace.is_rough(clock::now()), Ordering::Release);
        done
    }

    /// Whether numbers without a rate must ask, too.
    pub(super) fn is_rough(&self) -> bool {
        self.rough.load(Ordering::Acquire)
    }

    /// Reserves what texts ask for.
    pub(super) fn turns(&self, wanted: Vec<Wanted>, now: Timestamp) -> Vec<(MessageId, Granted)> {
        self.change(|pace| {
            let turn = |one: Wanted| {
                let granted = pace.turn(&one, now);
                (one.message, granted)
            };
            wanted.into_iter().map(turn).collect()
        })
    }
}

impl Host {
    /// What a durable batch says about sending numbers.
    pub(super) fn pace(self: &Arc<Self>, notices: &[Notice]) {
        for notice in notices {
            match notice {
                Notice::Stopped(_)
                | Notice::Resumed(_)
                | Notice::Undecided(_)
                | Notice::SentAgain(_) => {}
                Notice::Slowed(sender, until) => {
                    self.pacing
                        .change(|pace| pace.slow(sender, *until, clock::now()));
                }
                Notice::Broken(sender, until, problem) => {
                    if self
                        .pacing
                        .change(|pace| pace.hold(sender, *until, problem))
                    {
                        error!(
                            connection = sender.connection,
                            code = problem.code,
                            "the settings of this connection do not work, and its texts are held: \
                             {}; correct them and the texts leave by themselves",
                            problem.text
                        );
                    }
                }
                Notice::Works(sender) => {
                    if self.pacing.change(|pace| pace.works(sender)) {
                        warn!(
                            connection = sender.connection,
                            "the settings of this connection work again: the texts of {sender} leave"
                        );
                        let (host, sender) = (Arc::clone(self), sender.clone());
                        tokio::spawn(async move { host.release(&sender).await });
                    }
                }
            }
        }
    }

    /// Where settings do not work, and what is wrong.
    pub(crate) fn broken(&self) -> Vec<(Sender, Problem)> {
        let pace = self.pacing.lock();
        let broken = pace.broken();
        broken
            .map(|(sender, problem)| (sender.clone(), problem.clone()))
            .collect()
    }

    /// The texts of a short list, oldest first, a page at a time, and the last
    /// mark of the page, when there may be more.
    async fn listed(
        &self,
        why: Attention,
        after: Option<&MessageId>,
    ) -> Result<(Vec<Message>, Option<MessageId>), Error> {
        let (mut from, to) = keys::under(b'q', why.word());
        if let Some(after) = after {
            from = start::after(&keys::attention(why, after));
        }
        let marks = self
            .store
            .scan(&from, &to, PAGE, Direction::Forward)
            .await?;
        let full = marks.len() == PAGE;
        let mut last = None;
        let mut texts = Vec::with_capacity(marks.len());
        for (mark, _) in marks {
            let id = mark.as_bytes().rsplit(|byte| *byte == b'/').next();
            let id = String::from_utf8_lossy(id.unwrap_or_default()).into_owned();
            let Some(id) = MessageId::parse(&id) else {
                continue;
            };
            if let Some(text) = self.read::<Message>(&keys::message(&id)).await? {
                texts.push(text);
            }
            last = Some(id);
        }
        Ok((texts, last.filter(|_| full)))
    }

    /// Makes the schedules again from the texts that wait for their turn, and
    /// knows which texts are held.
    pub(super) async fn restore_pace(&self) -> Result<(), Error> {
        let setup = self.setup();
        for why in [Attention::Turn, Attention::Held] {
            let mut after = None;
            loop {
                let (page, last) = self.listed(why, after.as_ref()).await?;
                self.pacing.change(|pace| {
                    for text in &page {
                        match (why, &text.problem) {
                            (Attention::Held, Some(problem)) => {
                                pace.hold(&Sender::of(text), Timestamp::MIN, problem);
                            }
                            _ => pace.restore(&engine::turn_of(&setup, text), clock::now()),
                        }
                    }
                });
                after = last;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Lets one held text of each number try, in the background.
    pub(crate) fn try_held_again_soon(self: &Arc<Self>) {
        let host = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(problem) = host.try_held_again(None).await {
                error!("could not take up the texts that are held: {problem}");
            }
        });
    }

    /// Lets one held text of each number try, of one connection or of all; when
    /// it works, the others follow. Gives how many texts are held.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub(crate) async fn try_held_again(
        self: &Arc<Self>,
        connection: Option<&str>,
    ) -> Result<usize, Error> {
        self.pacing.change(|pace| pace.try_again(connection));
        let (mut after, mut tried, mut held) = (None, BTreeSet::new(), 0);
        loop {
            let (page, last) = self.listed(Attention::Held, after.as_ref()).await?;
            for text in page {
                let sender = Sender::of(&text);
                if connection.is_some_and(|name| name != sender.connection) {
                    continue;
                }
                held += 1;
                if tried.insert(sender) {
                    self.take(&Input::Replay(text.id)).await?;
                }
            }
            after = last;
            if after.is_none() {
                break;
            }
        }
        if held > 0 {
            info!(held, "texts that were held are tried again");
        }
        Ok(held)
    }

    /// All held texts of a number leave.
    async fn release(self: &Arc<Self>, sender: &Sender) {
        let mut after = None;
        loop {
            let (page, last) = match self.listed(Attention::Held, after.as_ref()).await {
                Ok(page) => page,
                // Their timers take them up.
                Err(problem) => return error!("could not release held texts: {problem}"),
            };
            for text in page.into_iter().filter(|one| Sender::of(one) == *sender) {
                if let Err(problem) = self.take(&Input::Replay(text.id)).await {
                    return error!("could not release held texts: {problem}");
                }
            }
            after = last;
            if after.is_none() {
                return;
            }
        }
    }
}
