//! A world without chance: what happens, what the provider says to each attempt,
//! and at which effect the host dies. All effects cross two doors: a commit of
//! the store, and a request to the world outside.

use std::collections::VecDeque;

use super::agenda::Happening;
use super::driver::Simulation;
use super::scenario::Scenario;
use super::story::Failure;
use crate::engine::{Input, SendResult};
use crate::model::{Batch, Message, MessageId, State, Status, keys};

/// Where a crash meets an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// Nothing of it happened.
    Before,
    /// All of it happened, and the host does not know.
    After,
    /// The host died over it, and it did not happen.
    TornLost,
    /// The host died over it, and it happened all the same.
    TornKept,
}

/// What becomes of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// The provider takes it and says so.
    Accept,
    /// The provider, or the host who saw the wire, says that.
    Say(SendResult),
    /// It is lost on its way; the host sees a timeout.
    LoseRequest,
    /// The provider takes it, and its answer is lost; the host sees a timeout.
    LoseAnswer,
}

/// What is played, beside the agenda.
#[derive(Clone, Debug, Default)]
pub(super) struct Script {
    /// What becomes of each attempt in its turn; of all others: accepted.
    pub(super) wire: VecDeque<Wire>,
    /// Whether delivery reports come by themselves.
    pub(super) reports: bool,
    /// How many effects crossed a door.
    pub(super) effects: u64,
    /// The effects, counted from 1, at which the host dies.
    pub(super) crashes: VecDeque<(u64, Position)>,
    pub(super) journal: Vec<Batch>,
}

impl Script {
    /// An effect is about to happen: whether the host dies at it.
    pub(super) fn door(&mut self) -> Option<Position> {
        self.effects += 1;
        let (at, position) = *self.crashes.front()?;
        if at != self.effects {
            return None;
        }
        self.crashes.pop_front();
        Some(position)
    }
}

impl Simulation {
    /// A world in which these things happen, at so many milliseconds from the
    /// start, and nothing by chance.
    pub(super) fn scripted(
        scenario: Scenario,
        script: Script,
        happenings: Vec<(u64, Happening)>,
    ) -> Self {
        let mut simulation = Self::new(1, scenario);
        simulation.calm = true;
        simulation.script = Some(script);
        for (at, happening) in happenings {
            simulation.after(at, happening);
        }
        simulation
    }

    /// Plays a script to its end.
    ///
    /// # Errors
    /// The invariant that did not hold.
    pub(super) fn play(&mut self) -> Result<(), Box<Failure>> {
        self.rest(5_000)
    }

    /// What becomes of the next attempt.
    pub(super) fn wire(&mut self) -> Option<Wire> {
        let script = self.script.as_mut()?;
        Some(script.wire.pop_front().unwrap_or(Wire::Accept))
    }

    /// A request is about to leave: whether the host dies at it.
    pub(super) fn crash_at_request(&mut self) -> Option<Position> {
        self.script.as_mut()?.door()
    }

    /// Keeps what was committed, as a journal does.
    pub(super) fn journal(&mut self, batch: &Batch) {
        if let Some(script) = &mut self.script {
            script.journal.push(batch.clone());
        }
    }

    /// After a torn commit the state is made again of the journal.
    pub(super) fn replay(&mut self, position: Position) -> Result<(), Box<Failure>> {
        let Some(script) = &self.script else {
            return Ok(());
        };
        if !matches!(position, Position::TornLost | Position::TornKept) {
            return Ok(());
        }
        let mut state = State::default();
        for (revision, batch) in (1..).zip(&script.journal) {
            state.apply(revision, batch);
        }
        if state != self.state {
            return Err(self.failure("I5: the journal and the state differ"));
        }
        self.state = state;
        Ok(())
    }

    /// A person who knows what the contact got decides about a text.
    pub(super) fn truthful(&self, id: &MessageId) -> Input {
        use crate::engine::Decide;
        let decision = match self.provider.count(id) {
            0 => Decide::Resend,
            _ => Decide::Sent,
        };
        Input::Decide(id.clone(), decision)
    }

    /// The first text that waits for a person.
    pub(super) fn in_review(&self) -> Result<Option<MessageId>, Box<Failure>> {
        let (from, to) = keys::table(b'o');
        for (key, _) in self.state.range(&from, &to) {
            if let Some(message) = self.get::<Message>(key)?
                && message.status == Status::NeedsReview
            {
                return Ok(Some(message.id.clone()));
            }
        }
        Ok(None)
    }
}
