//! What the simulator itself saw happen, and the invariants about it: what was
//! acknowledged, what left, what the provider took.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::approvals::Answers;
use super::campaigns::Campaigns;
use super::doubles::Reported;
use super::driver::Simulation;
use super::events::Outside;
use super::invariants::Checked;
use crate::engine::{Act, Answer, CallOutcome, Calls, Delivery, Input};
use crate::model::{
    Contact, Conversation, ConversationId, Direction, Message, MessageId, Origin, Outcome,
    PhoneNumber, Run, RunId, RunStatus, Status, keys,
};
use crate::sms::Keyword;
use crate::workflow::OnUnknown;

/// What the simulator saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth {
    /// Numbers whose opt-out was acknowledged, and since when.
    pub(super) stopped: BTreeMap<PhoneNumber, Timestamp>,
    /// How often each number opted out, and the texts that confirmed it.
    confirmed: BTreeMap<PhoneNumber, (usize, BTreeSet<MessageId>)>,
    /// The texts of each conversation in the order of asking.
    pub(super) asked: BTreeMap<ConversationId, Vec<MessageId>>,
    /// Where each text stands, and how many attempts it had.
    pub(super) texts: BTreeMap<MessageId, (Status, usize)>,
    /// Texts that left their place in the lane for a while: deferred ones.
    pub(super) parked: BTreeSet<MessageId>,
    /// Texts that a person said to send again.
    pub(super) resent: BTreeSet<MessageId>,
    /// How often a contact's text had an effect, by connection and foreign id.
    pub(super) received: BTreeMap<(String, String), u32>,
    /// The foreign texts that were acknowledged.
    pub(super) answered: BTreeSet<(String, String)>,
    /// How often `call.missed` was raised for a call.
    pub(super) missed: BTreeMap<String, u32>,
    /// The missed calls that were acknowledged, by connection and foreign id.
    pub(super) must_be_missed: BTreeSet<(String, String)>,
    /// The definition that each run began with.
    pub(super) began: BTreeMap<RunId, String>,
    /// Whether what happens now is the timer of a schedule.
    pub(super) ticking: bool,
    /// Which schedules fired for which instants.
    pub(super) fired: BTreeSet<(String, String)>,
    /// The texts that requests with an idempotency key made.
    pub(super) requested: BTreeMap<String, MessageId>,
    /// What providers reported of the texts they took.
    pub(super) reported: Reported,
    /// What people answered about drafts.
    pub(super) answers: Answers,
    /// What campaigns did.
    pub(super) campaigns: Campaigns,
    /// What other programs told.
    pub(super) outside: Outside,
}

impl Simulation {
    pub(super) fn note_entries(&mut self, input: &Input, act: &Act) -> Checked {
        for entry in &act.entries {
            match entry.kind.as_str() {
                "message.queued" => {
                    if let (Some(conversation), Some(message)) =
                        (&entry.conversation, &entry.message)
                    {
                        let asked = self.truth.asked.entry(conversation.clone()).or_default();
                        asked.push(message.clone());
                        let message = message.clone();
                        // A draft was written before, perhaps by another version.
                        let text = self.get::<Message>(&keys::message(&message))?;
                        if text.is_none_or(|text| text.aside.approval.is_none()) {
                            self.check_words(&message)?;
                        }
                    }
                }
                "approval.asked" => {
                    if let Some(message) = &entry.message {
                        self.check_words(message)?;
                    }
                }
                "run.started" => {
                    if let Some(run) = &entry.run {
                        self.note_run(run)?;
                    }
                }
                "run.moved" => {
                    if let Some(run) = &entry.run
                        && let Some(moved) = self.get::<Run>(&keys::run(run))?
                    {
                        let version = moved.definition.clone();
                        self.truth.began.insert(run.clone(), version);
                    }
                }
                "schedule.skipped" => {
                    let word = |name| entry.data.get(name).map(ToString::to_string);
                    self.note_firing(word("workflow"), word("at"))?;
                }
                "contact.opted_out" => {
                    self.report.stops += 1;
                    if let Some(phone) = &entry.contact {
                        self.truth.confirmed.entry(phone.clone()).or_default().0 += 1;
                        self.check_stopped(phone)?;
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

    /// I2: an opt-out calls off what waits and ends the runs.
    fn check_stopped(&self, phone: &PhoneNumber) -> Checked {
        let Some(contact) = self.get::<Contact>(&keys::contact(phone))? else {
            return Err(self.failure(format!("I2: {phone} opted out and is not stored")));
        };
        if let Some(run) = contact.runs.first() {
            return Err(self.failure(format!("I2: {} goes on for {phone}", run.run)));
        }
        let confirmation = contact
            .opted_out
            .as_ref()
            .and_then(|out| out.confirmation.as_ref());
        for thread in &contact.threads {
            let key = keys::conversation(&thread.conversation);
            let Some(head) = self.get::<Conversation>(&key)? else {
                continue;
            };
            let mut waiting = head.lane.iter().chain(&head.deferred);
            if let Some(id) = waiting.find(|id| Some(*id) != confirmation) {
                return Err(self.failure(format!("I2: {id} still waits for {phone}")));
            }
        }
        Ok(())
    }

    /// I2: a send starts when its gate commits.
    pub(super) fn check_gate(&mut self, id: &MessageId) -> Checked {
        match self.get::<Message>(&keys::message(id))? {
            Some(message) => {
                self.check_approved(&message)?;
                self.check_start(&message)
            }
            None => Err(self.failure(format!("I3: {id} may be sent and is not stored"))),
        }
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
            Input::Lead(request) => self.lead_acknowledged(request, answer),
            Input::Send(request) => {
                if let (Some(asked), Answer::Message(id)) = (&request.idempotency, answer) {
                    let first = self.truth.requested.entry(asked.key.clone());
                    if first.or_insert_with(|| id.clone()) != id {
                        let text = format!("I5: the request {} made {id} too", asked.key);
                        return Err(self.failure(text));
                    }
                }
            }
            Input::Report(report) => {
                if let (Delivery::OptedOut(_), Some(id)) = (&report.delivery, &report.id)
                    && *answer == Answer::Done
                    && let Some(message) = self.get::<Message>(&keys::message(id))?
                {
                    self.stop_acknowledged(&message.contact)?;
                }
                self.reported(report, answer)?;
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
        let contact = self.get::<Contact>(&keys::contact(phone))?;
        if contact.is_some_and(|contact| contact.opted_out.is_some()) {
            let since = self.now;
            self.truth.stopped.entry(phone.clone()).or_insert(since);
        }
        Ok(())
    }

    /// I2: the first byte is about to leave.
    pub(super) fn check_start(&mut self, message: &Message) -> Checked {
        let (id, origin) = (&message.id, &message.origin);
        let Some(since) = self.truth.stopped.get(&message.contact) else {
            return Ok(());
        };
        if *origin == Origin::Keyword && message.body.contains("because you opted out") {
            // The answer to a HELP, which the contact asked for.
            return Ok(());
        }
        let confirms = *origin == Origin::Keyword
            && message.body.contains("no more texts")
            && !message.body.contains("reply here");
        if confirms {
            // Of two opt-outs, with an opt-in between them, each has its own.
            let confirmed = self.truth.confirmed.entry(message.contact.clone());
            let (opt_outs, texts) = confirmed.or_default();
            texts.insert(id.clone());
            if texts.len() <= *opt_outs {
                return Ok(());
            }
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

    pub(super) fn check_attempts(
        &mut self,
        message: &Message,
        before: Option<(Status, usize)>,
    ) -> Checked {
        if message.direction == Direction::Inbound {
            return Ok(());
        }
        if matches!(message.status, Status::Scheduled | Status::PendingApproval) {
            self.truth.parked.insert(message.id.clone());
        }
        let had = before.map_or(0, |before| before.1);
        if message.attempts.len() <= had {
            return Ok(());
        }
        let id = &message.id;
        self.report.sends += 1;
        self.check_limit(message)?;
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
        self.check_run_alive(message)?;
        self.check_order(message)
    }

    /// I3: refusals are not tried against without end.
    fn check_limit(&self, message: &Message) -> Checked {
        let refused = message
            .attempts
            .iter()
            .filter(|one| matches!(one.outcome, Some(Outcome::Refused { .. })) && !one.limited);
        let most = usize::try_from(self.scenario.setup.limits.attempts).unwrap_or(usize::MAX);
        if refused.count() < most || self.truth.resent.contains(&message.id) {
            return Ok(());
        }
        let text = format!(
            "I3: {} was refused {most} times and is tried again",
            message.id
        );
        Err(self.failure(text))
    }

    /// Nothing leaves for a run that was ended, but what a person sends again.
    fn check_run_alive(&self, message: &Message) -> Checked {
        let Origin::Run { run, .. } = &message.origin else {
            return Ok(());
        };
        if self.truth.resent.contains(&message.id) {
            return Ok(());
        }
        let run = self.get::<Run>(&keys::run(run))?;
        if run.is_some_and(|run| run.status == RunStatus::Cancelled) {
            let text = format!("I2: {} leaves and its run was ended", message.id);
            return Err(self.failure(text));
        }
        Ok(())
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
}
