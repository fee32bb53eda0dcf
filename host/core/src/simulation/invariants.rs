//! What must always hold, and what the simulator itself saw happen. Nothing here
//! trusts the engine's own notices: an opt-out counts from the moment its
//! webhook was answered, a text from the moment the provider took it.
//!
//! - I1 A run is finished, or something durable will wake it; the same for texts.
//! - I2 No send starts after an opt-out was acknowledged, but its confirmation.
//! - I3 No attempt begins while an earlier one of the text may have had an effect.
//! - I4 Texts of one conversation leave in the order in which they were asked for.
//! - I5 An acknowledged event has its effects once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::driver::Simulation;
use super::story::Failure;
use crate::engine::{Act, Answer, CallOutcome, Calls, Command, Delivery, Input};
use crate::model::{
    Batch, CallId, Contact, Conversation, ConversationId, Direction, Key, Message, MessageId,
    Origin, Outcome, PhoneNumber, Run, RunStatus, Status, Task, Tick, Timer, Waiting, keys, record,
};
use crate::sms::Keyword;
use crate::workflow::OnUnknown;

type Checked = Result<(), Box<Failure>>;

/// What the simulator saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth {
    /// Numbers whose opt-out was acknowledged, since when, and the text that
    /// confirmed it.
    stopped: BTreeMap<PhoneNumber, (Timestamp, Option<MessageId>)>,
    /// The texts of each conversation in the order of asking.
    asked: BTreeMap<ConversationId, Vec<MessageId>>,
    /// Where each text stands, and how many attempts it had.
    texts: BTreeMap<MessageId, (Status, usize)>,
    /// Texts that left their place in the lane for a while: deferred ones.
    parked: BTreeSet<MessageId>,
    /// Texts that a person said to send again.
    resent: BTreeSet<MessageId>,
    /// How often a contact's text had an effect, by connection and foreign id.
    received: BTreeMap<(String, String), u32>,
    /// The foreign texts that were acknowledged.
    answered: BTreeSet<(String, String)>,
    /// How often `call.missed` was raised for a call.
    missed: BTreeMap<String, u32>,
    /// The missed calls that were acknowledged, by connection and foreign id.
    must_be_missed: BTreeSet<(String, String)>,
}

impl Simulation {
    /// What the keys of a batch held before it.
    pub(super) fn state_before(&self, batch: &Batch) -> BTreeMap<Key, Arc<[u8]>> {
        let held = batch.writes.keys().filter_map(|key| {
            let value = self.state.get(key)?;
            Some((key.clone(), Arc::clone(&value.value)))
        });
        held.collect()
    }

    /// Checks everything that a commit touched.
    pub(super) fn check_commit(
        &mut self,
        input: &Input,
        act: &Act,
        before: &BTreeMap<Key, Arc<[u8]>>,
    ) -> Checked {
        self.note_entries(input, act)?;
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
            let old = before.get(key);
            match (key.as_bytes().first(), value) {
                (Some(b'r' | b'c' | b's' | b'p'), Some(_)) => self.check_key(key)?,
                (Some(b't'), None) => {
                    if let Some(bytes) = old {
                        let timer: Timer = self.decode(key, bytes)?;
                        self.check_owner(&timer)?;
                    }
                }
                _ => {}
            }
        }
        for command in &act.commands {
            if let Command::Send(gated) = command {
                let mark = keys::text_in_flight(gated.message());
                if self.state.get(&mark).is_none() {
                    let text = format!("I3: {} may be sent without a mark", gated.message());
                    return Err(self.failure(text));
                }
            }
        }
        Ok(())
    }

    fn decode<T: serde::de::DeserializeOwned>(
        &self,
        key: &Key,
        bytes: &[u8],
    ) -> Result<T, Box<Failure>> {
        record::decode(bytes)
            .map_err(|error| self.failure(format!("{key:?} cannot be read: {error}")))
    }

    fn note_entries(&mut self, input: &Input, act: &Act) -> Checked {
        for entry in &act.entries {
            match entry.kind.as_str() {
                "message.queued" => {
                    if let (Some(conversation), Some(message)) =
                        (&entry.conversation, &entry.message)
                    {
                        let asked = self.truth.asked.entry(conversation.clone()).or_default();
                        asked.push(message.clone());
                    }
                }
                "message.received" | "message.unrouted" => {
                    let Input::Text(text) = input else {
                        return Err(self.failure("I5: a text from nowhere"));
                    };
                    let name = (text.connection.clone(), text.provider_id.clone());
                    let times = self.truth.received.entry(name).or_default();
                    *times += 1;
                    self.report.received += 1;
                    if *times > 1 {
                        let text = format!("I5: {} was taken twice", text.provider_id);
                        return Err(self.failure(text));
                    }
                }
                "call.missed" => {
                    let id = entry.data.get("id").and_then(|id| id.as_str());
                    let id = id.unwrap_or_default().to_owned();
                    let times = self.truth.missed.entry(id.clone()).or_default();
                    *times += 1;
                    self.report.missed += 1;
                    if *times > 1 {
                        return Err(self.failure(format!("I5: call {id} was missed twice")));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The host answered a webhook or request.
    pub(super) fn acknowledged(&mut self, input: &Input, answer: &Answer) -> Checked {
        match input {
            Input::Text(text) => {
                let name = (text.connection.clone(), text.provider_id.clone());
                if !self.truth.received.contains_key(&name) {
                    let text = format!("I5: {} was answered and not taken", text.provider_id);
                    return Err(self.failure(text));
                }
                let new = self.truth.answered.insert(name);
                if new && crate::sms::keyword(&text.body) == Some(Keyword::Stop) {
                    self.stop_acknowledged(&text.from)?;
                }
            }
            Input::OptOut(phone, true, _) => self.stop_acknowledged(phone)?,
            Input::Report(report) => {
                if let (Delivery::OptedOut(_), Some(id)) = (&report.delivery, &report.id)
                    && *answer == Answer::Done
                    && let Some(message) = self.get::<Message>(&keys::message(id))?
                {
                    self.stop_acknowledged(&message.contact)?;
                }
            }
            Input::Call(report) => {
                let plan = report
                    .to
                    .as_ref()
                    .and_then(|to| self.scenario.setup.owner(to));
                let plan = plan.and_then(|agent| agent.calls.as_ref());
                let missed = plan == Some(&Calls::Missed)
                    || matches!(
                        report.outcome,
                        CallOutcome::NoAnswer
                            | CallOutcome::Busy
                            | CallOutcome::Failed
                            | CallOutcome::Voicemail
                    );
                if missed {
                    let name = (report.connection.clone(), report.provider_id.clone());
                    self.truth.must_be_missed.insert(name);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// An opt-out counts, unless an opt-in was committed between its commit and
    /// its answer (a repeated webhook, answered late).
    fn stop_acknowledged(&mut self, phone: &PhoneNumber) -> Checked {
        let contact: Option<Contact> = self.get(&keys::contact(phone))?;
        if contact.is_some_and(|contact| contact.opted_out.is_some()) {
            let since = (self.now, None);
            self.truth.stopped.entry(phone.clone()).or_insert(since);
        }
        Ok(())
    }

    /// I2: the first byte is about to leave.
    pub(super) fn check_start(&mut self, message: &Message) -> Checked {
        let (id, origin) = (&message.id, &message.origin);
        let Some((since, confirmation)) = self.truth.stopped.get_mut(&message.contact) else {
            return Ok(());
        };
        let confirms = *origin == Origin::Keyword
            && message.body.contains("no more texts")
            && confirmation.as_ref().is_none_or(|one| one == id)
            && !message.body.contains("reply here");
        if confirms {
            *confirmation = Some(id.clone());
            return Ok(());
        }
        let text = format!(
            "I2: {id} ({:?}) leaves for {}, who opted out on {since}",
            message.body, message.contact
        );
        Err(self.failure(text))
    }

    /// I3: the provider took a text; it may have taken it before.
    pub(super) fn check_taken(&self, message: &Message) -> Checked {
        let doubled = self.provider.count(&message.id) > 1;
        let allowed =
            message.on_unknown == OnUnknown::Resend || self.truth.resent.contains(&message.id);
        if doubled && !allowed {
            return Err(self.failure(format!("I3: {} was really sent twice", message.id)));
        }
        Ok(())
    }

    fn check_attempts(&mut self, message: &Message, before: Option<(Status, usize)>) -> Checked {
        if message.direction == Direction::Inbound {
            return Ok(());
        }
        if message.status == Status::Scheduled {
            self.truth.parked.insert(message.id.clone());
        }
        let had = before.map_or(0, |before| before.1);
        if message.attempts.len() <= had {
            return Ok(());
        }
        let id = &message.id;
        if message.attempts.len() > had + 1 {
            return Err(self.failure(format!("I3: {id} began two attempts at once")));
        }
        let ended = matches!(
            before.map(|before| before.0),
            Some(
                Status::Accepted
                    | Status::Sent
                    | Status::Delivered
                    | Status::Undelivered
                    | Status::Failed
                    | Status::Expired
                    | Status::Canceled
                    | Status::Skipped
            )
        );
        if ended {
            return Err(self.failure(format!("I3: {id} had ended and is sent again")));
        }
        let idempotent = self
            .scenario
            .setup
            .connections
            .get(&message.connection)
            .is_some_and(|connection| connection.idempotent);
        let previous = had.checked_sub(1).and_then(|at| message.attempts.get(at));
        if let Some(previous) = previous {
            let known = match &previous.outcome {
                Some(Outcome::Refused { .. } | Outcome::CalledOff { .. } | Outcome::Absent) => true,
                Some(Outcome::Unknown { .. }) => idempotent,
                Some(Outcome::Accepted { .. }) | None => false,
            };
            if !known {
                let text = format!("I3: {id} is sent again after {:?}", previous.outcome);
                return Err(self.failure(text));
            }
        }
        self.check_order(message)
    }

    /// I4: nothing that was asked for earlier still waits. Deferred texts left
    /// the lane, and a text that a person or a late finding sends again was no
    /// longer in it.
    fn check_order(&self, message: &Message) -> Checked {
        let free =
            |id: &MessageId| self.truth.parked.contains(id) || self.truth.resent.contains(id);
        if free(&message.id) {
            return Ok(());
        }
        let Some(asked) = self.truth.asked.get(&message.conversation) else {
            return Ok(());
        };
        for earlier in asked.iter().take_while(|one| **one != message.id) {
            if free(earlier) {
                continue;
            }
            let waits = matches!(
                self.truth.texts.get(earlier),
                Some((Status::Queued | Status::Sending | Status::Unknown, _))
            );
            if waits {
                let text = format!("I4: {} overtakes {earlier}", message.id);
                return Err(self.failure(text));
            }
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
        }
    }

    /// Whether a timer is there and does this.
    fn armed(&self, timer: Option<&Key>, task: &Task) -> Result<bool, Box<Failure>> {
        let Some(key) = timer else {
            return Ok(false);
        };
        let timer: Option<Timer> = self.get(key)?;
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
            Some(Waiting::Event { until: None, .. }) => true,
            Some(Waiting::Event { timer, .. }) => self.armed(timer.as_ref(), &wake)?,
            Some(Waiting::Text { message }) => {
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
            let contact: Option<Contact> = self.get(&keys::contact(phone))?;
            if !contact.is_some_and(|one| one.runs.iter().any(|one| one.run == run.id)) {
                let text = format!("I1: {phone} does not know of {}", run.id);
                return Err(self.failure(text));
            }
        }
        Ok(())
    }

    fn check_contact(&self, contact: &Contact) -> Checked {
        for one in &contact.runs {
            let run: Option<Run> = self.get(&keys::run(&one.run))?;
            if run.is_none_or(|run| run.status != RunStatus::Running) {
                let text = format!("I1: {} still names {}", contact.phone, one.run);
                return Err(self.failure(text));
            }
        }
        Ok(())
    }

    fn check_message(&self, message: &Message) -> Checked {
        if message.direction == Direction::Inbound {
            return Ok(());
        }
        let id = &message.id;
        let head: Option<Conversation> = self.get(&keys::conversation(&message.conversation))?;
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
                    && self.armed(timer, &text)?,
                "outside the lane with a timer",
            ),
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
        let message: Option<Message> = self.get(&keys::message(first))?;
        let text = Task::Text {
            message: first.clone(),
        };
        self.armed(message.and_then(|one| one.timer).as_ref(), &text)
    }

    fn check_conversation(&self, head: &Conversation) -> Checked {
        if let Some(id) = &head.in_flight {
            let message: Option<Message> = self.get(&keys::message(id))?;
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
            let message: Option<Message> = self.get(&keys::message(id))?;
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
        for table in *b"orcps" {
            let (from, to) = keys::table(table);
            for (key, _) in self.state.range(&from, &to) {
                self.check_key(key)?;
            }
        }
        let (from, to) = keys::table(b'i');
        for (key, _) in self.state.range(&from, &to) {
            let name = String::from_utf8_lossy(key.as_bytes()).into_owned();
            if let Some(id) = MessageId::parse(name.trim_start_matches("i/")) {
                let message: Option<Message> = self.get(&keys::message(&id))?;
                if message.is_none_or(|one| one.status != Status::Sending) {
                    return Err(self.failure(format!("I3: {id} is marked and not sending")));
                }
            }
        }
        Ok(())
    }

    /// Checks what must hold when nothing is going to happen any more.
    pub(super) fn check_rest(&self) -> Checked {
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
        for name in &self.truth.must_be_missed {
            let id: Option<CallId> = self.get(&keys::provider_call(&name.0, &name.1))?;
            let raised = id.and_then(|id| self.truth.missed.get(id.as_str()).copied());
            if raised != Some(1) {
                let text = format!("I5: {} was missed {raised:?} times", name.1);
                return Err(self.failure(text));
            }
        }
        Ok(())
    }
}
