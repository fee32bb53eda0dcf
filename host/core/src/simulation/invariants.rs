//! What must always hold, and what the simulator itself saw happen. Nothing here
//! trusts the engine's own notices: an opt-out counts from the moment its
//! webhook was answered, a text from the moment the provider took it.
//!
//! - I1 A run is finished, or something durable will wake it; the same for texts.
//! - I2 No send starts after an opt-out was acknowledged, but its confirmation.
//! - I3 No attempt begins while an earlier one of the text may have had an effect.
//! - I4 Texts of one conversation leave in the order in which they were asked for.
//! - I5 An acknowledged event has its effects once.
//! - I6 A timer acts once and not before its time; a schedule fires once for an
//!   instant.
//! - I7 A run keeps the definition it began with, or was moved to by hand.
//! - I8 A report counts for its own attempt, and a text that arrived twice is shown.
//! - I9 A campaign keeps to its rate, and does not text while it is paused.
//! - I10 A draft leaves when somebody let it go, or by its file's own default in time.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::driver::Simulation;
use super::story::Failure;
use crate::engine::{Act, Command, Input};
use crate::model::{
    Batch, CallId, Contact, Conversation, Direction, Key, Message, MessageId, Origin, Pending, Run,
    RunStatus, Status, Task, Tick, Timer, Waiting, keys, record,
};

pub(super) type Checked = Result<(), Box<Failure>>;

impl Simulation {
    /// The timers that a batch removes.
    pub(super) fn timers_before(&self, batch: &Batch) -> Vec<Arc<[u8]>> {
        let removed = batch.writes.iter().filter_map(|(key, value)| {
            keys::timer_due(key)?;
            let held = self.state.get(key).filter(|_| value.is_none())?;
            Some(Arc::clone(&held.value))
        });
        removed.collect()
    }

    /// Checks everything that a commit touched.
    pub(super) fn check_commit(
        &mut self,
        input: &Input,
        act: &Act,
        removed: &[Arc<[u8]>],
    ) -> Checked {
        let mut timers = Vec::with_capacity(removed.len());
        for bytes in removed {
            let timer: Timer = record::decode(bytes)
                .map_err(|error| self.failure(format!("a timer cannot be read: {error}")))?;
            timers.push(timer);
        }
        let tick = |timer: &Timer| matches!(timer.task, Task::Tick { .. });
        self.truth.ticking = matches!(input, Input::Timer(_)) && timers.iter().any(tick);
        self.note_entries(input, act)?;
        self.note_answer(input, act);
        self.check_turns(act)?;
        self.check_campaigns(act)?;
        self.check_timer(input, act)?;
        if let Input::Decide(id, _) = input {
            self.truth.resent.insert(id.clone());
        }
        // From the commit of the opt-in on, texts may start again.
        if act
            .entries
            .iter()
            .any(|entry| entry.kind == "contact.opted_in")
        {
            for entry in &act.entries {
                if let Some(phone) = &entry.contact {
                    self.truth.stopped.remove(phone);
                }
            }
        }
        let mut texts = Vec::new();
        for (key, value) in &act.batch.writes {
            if let (Some(b'o'), Some(_)) = (key.as_bytes().first(), value)
                && let Some(message) = self.get::<Message>(key)?
            {
                let now = (message.status, message.attempts.len());
                let before = self.truth.texts.insert(message.id.clone(), now);
                texts.push((message, before));
            }
        }
        for (message, before) in texts {
            self.check_attempts(&message, before)?;
            self.check_message(&message)?;
            if let Origin::Run { run, .. } = &message.origin {
                self.check_run_of(run.as_str(), &keys::run(run))?;
            }
            let head = keys::conversation(&message.conversation);
            self.check_key(&head)?;
        }
        for (key, value) in &act.batch.writes {
            if let (Some(b'r' | b'c' | b's' | b'p' | b'f'), Some(_)) =
                (key.as_bytes().first(), value)
            {
                self.check_key(key)?;
            }
        }
        for timer in &timers {
            self.check_owner(timer)?;
        }
        for command in &act.commands {
            if let Command::Send(gated) = command {
                self.check_gate(gated.message())?;
                let mark = keys::text_in_flight(gated.message());
                if self.state.get(&mark).is_none() {
                    let text = format!("I3: {} may be sent without a mark", gated.message());
                    return Err(self.failure(text));
                }
            }
        }
        Ok(())
    }

    /// I6: a timer that is acted on is due, and does not act again.
    fn check_timer(&self, input: &Input, act: &Act) -> Checked {
        let Input::Timer(key) = input else {
            return Ok(());
        };
        let early = keys::timer_due(key).is_none_or(|due| due > self.now);
        if early && !act.batch.is_empty() {
            return Err(self.failure(format!("I6: a timer acts before its time, {}", self.now)));
        }
        if !early && self.state.get(key).is_some() {
            return Err(self.failure("I6: a timer has acted and will act again"));
        }
        Ok(())
    }

    fn check_key(&self, key: &Key) -> Checked {
        match key.as_bytes().first() {
            Some(b'o') => match self.get::<Message>(key)? {
                Some(message) => self.check_message(&message),
                None => Ok(()),
            },
            Some(b'r') => self.check_run_of("", key),
            Some(b'c') => match self.get::<Conversation>(key)? {
                Some(conversation) => self.check_conversation(&conversation),
                None => Ok(()),
            },
            Some(b'p') => match self.get::<Contact>(key)? {
                Some(contact) => self.check_contact(&contact),
                None => Ok(()),
            },
            Some(b'f') => match self.get::<Pending>(key)? {
                Some(pending) if self.state.get(pending.timer()).is_none() => {
                    Err(self.failure(format!("I1: nothing ends {pending:?}")))
                }
                _ => Ok(()),
            },
            Some(b's') => match self.get::<Tick>(key)? {
                Some(tick) if self.state.get(&tick.timer).is_none() => {
                    Err(self.failure(format!("I1: schedule {key:?} has no timer")))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn check_owner(&self, timer: &Timer) -> Checked {
        match &timer.task {
            Task::Wake { run } => self.check_key(&keys::run(run)),
            Task::Text { message } | Task::Settle { message } => {
                self.check_key(&keys::message(message))
            }
            Task::Release { conversation } => self.check_key(&keys::conversation(conversation)),
            Task::Tick { workflow, trigger } => self.check_key(&keys::tick(workflow, *trigger)),
            Task::Turn {
                conversation,
                workflow,
                trigger,
            }
            | Task::Silence {
                conversation,
                workflow,
                trigger,
            } => self.check_key(&keys::pending(conversation, workflow, *trigger)),
            Task::Tally { message } => self.check_key(&keys::message(message)),
            Task::Heard { contact } => self.check_key(&keys::contact(contact)),
            Task::Line { .. } | Task::Relabel { .. } | Task::Begin { .. } => Ok(()),
        }
    }

    /// Whether a timer is there and does this.
    pub(super) fn armed(&self, timer: Option<&Key>, task: &Task) -> Result<bool, Box<Failure>> {
        let Some(key) = timer else {
            return Ok(false);
        };
        let timer = self.get::<Timer>(key)?;
        Ok(timer.is_some_and(|timer| {
            timer.task == *task && keys::timer_due(key).is_some_and(|due| due == timer.due)
        }))
    }

    fn check_run_of(&self, name: &str, key: &Key) -> Checked {
        let Some(run) = self.get::<Run>(key)? else {
            return Err(self.failure(format!("I1: run {name} {key:?} is not stored")));
        };
        if run.status != RunStatus::Running {
            return match run.waiting {
                None => Ok(()),
                Some(_) => Err(self.failure(format!("I1: {} has ended and waits", run.id))),
            };
        }
        let wake = Task::Wake {
            run: run.id.clone(),
        };
        let wakes = match &run.waiting {
            None => false,
            Some(Waiting::Time { timer, .. }) => self.armed(Some(timer), &wake)?,
            Some(Waiting::Call { timer: None, .. }) => true,
            Some(Waiting::Call { timer, .. }) => self.armed(timer.as_ref(), &wake)?,
            Some(Waiting::Retry { timer, .. } | Waiting::Work { timer, .. }) => {
                self.armed(Some(timer), &wake)?
            }
            Some(Waiting::Runs { runs, timer }) => {
                let mut under_way = false;
                for id in runs {
                    under_way |= self
                        .get::<Run>(&keys::run(id))?
                        .is_some_and(|run| run.status == RunStatus::Running);
                }
                under_way || (timer.is_some() && self.armed(timer.as_ref(), &wake)?)
            }
            Some(Waiting::Event { until: None, .. }) => true,
            Some(Waiting::Event { timer, .. }) => self.armed(timer.as_ref(), &wake)?,
            Some(Waiting::Text { message } | Waiting::Approval { message, .. }) => {
                match self.get::<Message>(&keys::message(message))? {
                    Some(message) if !message.status.settled() => {
                        self.check_message(&message)?;
                        true
                    }
                    _ => false,
                }
            }
        };
        if !wakes {
            let text = format!("I1: nothing wakes {} ({:?})", run.id, run.waiting);
            return Err(self.failure(text));
        }
        if let Some(phone) = &run.contact {
            let contact = self.get::<Contact>(&keys::contact(phone))?;
            if !contact.is_some_and(|one| one.runs.iter().any(|one| one.run == run.id)) {
                let text = format!("I1: {phone} does not know of {}", run.id);
                return Err(self.failure(text));
            }
        }
        Ok(())
    }

    fn check_contact(&self, contact: &Contact) -> Checked {
        self.check_group(contact)?;
        for one in &contact.runs {
            let run = self.get::<Run>(&keys::run(&one.run))?;
            if run.is_none_or(|run| run.status != RunStatus::Running) {
                let text = format!("I1: {} still names {}", contact.phone, one.run);
                return Err(self.failure(text));
            }
        }
        Ok(())
    }

    fn check_message(&self, message: &Message) -> Checked {
        self.check_reported(message)?;
        if message.direction == Direction::Inbound {
            return Ok(());
        }
        let id = &message.id;
        let head = self.get::<Conversation>(&keys::conversation(&message.conversation))?;
        let Some(head) = head else {
            return Err(self.failure(format!("I1: {id} has no conversation")));
        };
        let text = Task::Text {
            message: id.clone(),
        };
        let settle = Task::Settle {
            message: id.clone(),
        };
        let in_lane = head.lane.contains(id);
        let in_flight = head.in_flight.as_ref() == Some(id);
        let marked = self.state.get(&keys::text_in_flight(id)).is_some();
        let timer = message.timer.as_ref();
        let (good, should) = match message.status {
            Status::Scheduled => (
                !in_lane
                    && !in_flight
                    && !marked
                    && head.deferred.contains(id)
                    && (self.armed(timer, &text)? || self.is_in_line(message)?),
                "outside the lane with a timer, or in a line that moves",
            ),
            Status::PendingApproval => {
                let asked = message.aside.approval.as_ref();
                let timed = asked.is_some_and(|one| one.until.is_some());
                (
                    !in_lane
                        && !in_flight
                        && !marked
                        && head.deferred.contains(id)
                        && asked.is_some_and(|one| one.answer.is_none())
                        && (!timed || self.armed(timer, &text)?),
                    "outside the lane until somebody answers",
                )
            }
            Status::Queued => (
                in_lane && !in_flight && !marked && self.moves(&head)?,
                "in a lane that moves",
            ),
            Status::Sending => (!in_lane && in_flight && marked, "in flight with a mark"),
            Status::Unknown => (
                !in_lane && in_flight && !marked && self.armed(timer, &settle)?,
                "in flight with a timer to settle it",
            ),
            _ => (
                !in_lane && !in_flight && !marked && !head.deferred.contains(id),
                "out of the lane",
            ),
        };
        if good {
            return Ok(());
        }
        let word = message.status.word();
        Err(self.failure(format!(
            "I1: {id} is {word} and not {should} (timer {timer:?}, lane {:?}, in flight {:?})",
            head.lane, head.in_flight
        )))
    }

    /// Whether something will take the first text of a lane up.
    fn moves(&self, head: &Conversation) -> Result<bool, Box<Failure>> {
        if head.in_flight.is_some() {
            return Ok(true);
        }
        let Some(first) = head.lane.first() else {
            return Ok(true);
        };
        let message = self.get::<Message>(&keys::message(first))?;
        let text = Task::Text {
            message: first.clone(),
        };
        self.armed(message.as_ref().and_then(|one| one.timer.as_ref()), &text)
    }

    fn check_conversation(&self, head: &Conversation) -> Checked {
        if let Some(id) = &head.in_flight {
            let message = self.get::<Message>(&keys::message(id))?;
            let there =
                message.is_some_and(|one| matches!(one.status, Status::Sending | Status::Unknown));
            if !there {
                let text = format!(
                    "I1: {} holds its lane for {id}, which is not in flight",
                    head.id
                );
                return Err(self.failure(text));
            }
        }
        let unique: BTreeSet<&MessageId> = head.lane.iter().collect();
        if unique.len() != head.lane.len() {
            return Err(self.failure(format!("I4: {} has a text twice", head.id)));
        }
        for id in &head.lane {
            let message = self.get::<Message>(&keys::message(id))?;
            if message.is_none_or(|one| one.status != Status::Queued) {
                let text = format!("I4: {} is in the lane of {} and not queued", id, head.id);
                return Err(self.failure(text));
            }
        }
        if !self.moves(head)? {
            return Err(self.failure(format!("I1: the lane of {} stands still", head.id)));
        }
        if let Some(release) = head.handoff.as_ref().and_then(|one| one.release.as_ref())
            && self.state.get(release).is_none()
        {
            return Err(self.failure(format!("I1: nothing frees {}", head.id)));
        }
        Ok(())
    }

    /// Checks every record.
    pub(super) fn check_all(&self) -> Checked {
        for table in *b"orcpsf" {
            let (from, to) = keys::table(table);
            for (key, _) in self.state.range(&from, &to) {
                self.check_key(key)?;
            }
        }
        let (from, to) = keys::table(b'i');
        for (key, _) in self.state.range(&from, &to) {
            let name = String::from_utf8_lossy(key.as_bytes()).into_owned();
            if let Some(id) = MessageId::parse(name.trim_start_matches("i/")) {
                let message = self.get::<Message>(&keys::message(&id))?;
                if message.is_none_or(|one| one.status != Status::Sending) {
                    return Err(self.failure(format!("I3: {id} is marked and not sending")));
                }
            }
        }
        Ok(())
    }

    /// Checks what must hold when nothing is going to happen any more.
    pub(super) fn check_rest(&self) -> Checked {
        self.check_outside()?;
        self.check_lines()?;
        let (from, to) = keys::table(b'o');
        for (key, _) in self.state.range(&from, &to) {
            let Some(message) = self.get::<Message>(key)? else {
                continue;
            };
            let moving = !message.status.settled() || message.status == Status::NeedsReview;
            if moving {
                let word = message.status.word();
                return Err(self.failure(format!("I1: {} is {word} for ever", message.id)));
            }
        }
        for (connection, id) in &self.truth.answered {
            let name = (connection.clone(), id.clone());
            if !self.truth.received.contains_key(&name) {
                return Err(self.failure(format!("I5: {id} was answered and never taken")));
            }
        }
        for name in &self.truth.must_be_missed {
            let id = self.get::<CallId>(&keys::provider_call(&name.0, &name.1))?;
            let raised = id.and_then(|id| self.truth.missed.get(id.as_str()).copied());
            if raised != Some(1) {
                let text = format!("I5: {} was missed {raised:?} times", name.1);
                return Err(self.failure(text));
            }
        }
        Ok(())
    }
}
