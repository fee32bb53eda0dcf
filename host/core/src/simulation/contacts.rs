//! Everybody outside: contacts who write, call and say STOP, programs that send,
//! people who take conversations over and decide about unknown texts.

use serde_json::Map;

use super::agenda::Happening;
use super::driver::Simulation;
use super::scenario::Fault;
use super::story::Failure;
use crate::engine::{
    CallOutcome, CallReport, Calls, Decide, Idempotency, IncomingText, Input, PlaceRequest,
    SendRequest, StartRequest,
};
use crate::model::{
    Conversation, Direction, Message, OptOutSource, Origin, PhoneNumber, Run, RunStatus, keys,
};
use crate::sms::Keyword;
use crate::workflow::{Intent, OnUnknown};

/// What contacts write; the words of the law as often as anything else.
const WORDS: &[&str] = &[
    "hello",
    "what is the price?",
    "yes",
    "STOP",
    "please stop texting me",
    "START",
    "START",
    "HELP",
    "tomorrow at ten",
    "who is this",
];

impl Simulation {
    /// Something new happens outside, and something else later.
    pub(super) fn life(&mut self, number: u32) -> Result<(), Box<Failure>> {
        self.lived = number;
        let pause = match self.random.below(10) {
            0 => self.random.between(60_000, 30_000_000),
            1..=5 => self.random.between(1, 2_000),
            _ => self.random.between(1_000, 60_000),
        };
        let left_out = self.plan.dropped.contains(&number);
        let pause = if left_out && self.plan.hurry {
            1
        } else {
            pause
        };
        if number < self.lives {
            self.after_as(number + 1, pause, Happening::Life(number + 1));
        }
        if left_out {
            return Ok(());
        }
        let Some(contact) = self.random.pick(&self.scenario.contacts).cloned() else {
            return Ok(());
        };
        match self.random.below(62) {
            0..=5 => self.writes(&contact),
            6..=10 => self.calls(&contact),
            11..=36 => {
                for _ in 0..self.random.between(1, 4) {
                    self.program_sends(&contact, Origin::Api);
                }
            }
            37 | 38 => self.program_sends(&contact, Origin::Person),
            39 => {
                let out = self.random.chance(400);
                let input = Input::OptOut(contact, out, OptOutSource::Api);
                self.after(0, Happening::Hook(input, 0));
            }
            40..=43 => self.starts(&contact, None),
            44 => self.places(&contact),
            45 => {
                if let Some(input) = self.conversation_changes_hands()? {
                    self.after(0, Happening::Hook(input, 0));
                }
            }
            46 => {
                if let Some(input) = self.run_is_handled()? {
                    self.after(0, Happening::Hook(input, 0));
                }
            }
            58 => self.tells_of(&contact),
            59 => self.calls_in(&contact),
            60 | 61 => match self.approval()? {
                Some(input) => self.hook(0, input),
                None => self.starts(&contact, Some("drafts")),
            },
            47..=52 => {
                if self.scenario.faults.weather {
                    self.weather();
                }
            }
            53 => {
                let input = Input::Pause("spring".to_owned(), String::new());
                self.after(0, Happening::Hook(input, 0));
            }
            54 | 55 => {
                let input = Input::Resume("spring".to_owned());
                self.after(0, Happening::Hook(input, 0));
            }
            _ => {
                if let Some(input) = self.open_review()? {
                    self.after(0, Happening::Hook(input, 0));
                }
            }
        }
        Ok(())
    }

    /// One of our numbers with its connection.
    fn number(&mut self) -> Option<(PhoneNumber, String, String)> {
        let numbers: Vec<(PhoneNumber, String, String)> = self
            .scenario
            .setup
            .agents
            .values()
            .flat_map(|agent| {
                let connection = agent.connection.clone().unwrap_or_default();
                agent
                    .numbers
                    .iter()
                    .map(move |one| (one.clone(), connection.clone(), agent.id.clone()))
            })
            .collect();
        self.random.pick(&numbers).cloned()
    }

    /// A webhook, as often as its sender feels like.
    pub(super) fn hook(&mut self, after: u64, input: Input) {
        self.after(after, Happening::Hook(input.clone(), 0));
        if self.fault(Fault::Webhook, self.scenario.faults.webhook) {
            let again = after + self.random.between(0, 20_000);
            self.after(again, Happening::Hook(input, 0));
        }
    }

    fn writes(&mut self, contact: &PhoneNumber) {
        if let Some((to, connection, _)) = self.number() {
            self.text(contact, &to, &connection, 0);
        }
    }

    fn text(&mut self, from: &PhoneNumber, to: &PhoneNumber, connection: &str, after: u64) {
        let body = self.random.pick(WORDS).copied().unwrap_or("hello");
        let provider_id = self.provider.issue("I");
        let blocks = self
            .scenario
            .setup
            .connections
            .get(connection)
            .is_some_and(|one| one.handles_opt_out);
        match crate::sms::keyword(body) {
            Some(Keyword::Stop) if blocks => {
                self.provider.blocked.insert(from.clone());
            }
            Some(Keyword::Start) if blocks => {
                self.provider.blocked.remove(from);
            }
            _ => {}
        }
        let input = Input::Text(IncomingText {
            connection: connection.to_owned(),
            provider_id,
            from: from.clone(),
            to: to.clone(),
            body: body.to_owned(),
            media: Vec::new(),
            keyword: None,
        });
        self.hook(after, input);
    }

    /// A contact has got a text, and may answer it.
    pub(super) fn contact_reads(&mut self, message: &Message) {
        if self.calm || !self.random.chance(300) {
            return;
        }
        let (to, connection) = match &message.number {
            Some(number) => (number.clone(), message.connection.clone()),
            None => match self.number() {
                Some((number, connection, _)) => (number, connection),
                None => return,
            },
        };
        let pause = self.random.between(100, 300_000);
        self.text(&message.contact, &to, &connection, pause);
    }

    fn calls(&mut self, contact: &PhoneNumber) {
        let Some((to, connection, agent)) = self.number() else {
            return;
        };
        let forwards = self
            .scenario
            .setup
            .agents
            .get(&agent)
            .is_some_and(|agent| matches!(agent.calls, Some(Calls::Forward { .. })));
        let hidden = self.random.chance(50);
        let report = CallReport {
            connection,
            provider_id: self.provider.issue("C"),
            id: None,
            direction: Direction::Inbound,
            from: (!hidden).then(|| contact.clone()),
            to: Some(to),
            outcome: CallOutcome::Ringing,
            forwarded: false,
            started_at: None,
            ended_at: None,
            duration: None,
            summary: None,
            transcript: None,
            recording_url: None,
            cause: None,
        };
        let end = [
            CallOutcome::NoAnswer,
            CallOutcome::Busy,
            CallOutcome::Failed,
            CallOutcome::Voicemail,
            CallOutcome::Completed,
        ];
        let end = self
            .random
            .pick(&end)
            .copied()
            .unwrap_or(CallOutcome::Failed);
        let at = |outcome, forwarded| {
            Input::Call(CallReport {
                outcome,
                forwarded,
                ..report.clone()
            })
        };
        // Reports may overtake each other.
        let first = self.random.between(0, 2_000);
        let second = self.random.between(500, 20_000);
        self.hook(first, at(CallOutcome::Ringing, false));
        self.hook(second, at(end, forwards));
        if forwards {
            let third = second + self.random.between(0, 2_000);
            self.hook(third, at(CallOutcome::Completed, false));
        }
    }

    fn program_sends(&mut self, contact: &PhoneNumber, origin: Origin) {
        let Some((from, connection, agent)) = self.number() else {
            return;
        };
        let key = self.provider.issue("A");
        let body = match self.random.below(3) {
            0 => "the same words".to_owned(),
            _ => format!("words of {key}"),
        };
        let request = SendRequest {
            idempotency: Some(Idempotency {
                source: "api".to_owned(),
                key,
                digest: body.clone(),
            }),
            agent,
            connection,
            from: Some(from),
            to: contact.clone(),
            body,
            media: Vec::new(),
            intent: match self.random.below(4) {
                0 => Intent::Marketing,
                _ => Intent::Transactional,
            },
            origin,
            valid_until: match self.random.below(6) {
                0 => self
                    .now
                    .checked_add(jiff::SignedDuration::from_mins(30))
                    .ok(),
                _ => None,
            },
            on_unknown: match self.random.below(4) {
                0 => OnUnknown::Resend,
                _ => OnUnknown::Hold,
            },
        };
        self.hook(0, Input::Send(request));
    }

    fn starts(&mut self, contact: &PhoneNumber, which: Option<&str>) {
        let mut ids: Vec<String> = self.catalog.in_service.keys().cloned().collect();
        ids.retain(|id| which.is_none_or(|which| which == id));
        let Some(workflow) = self.random.pick(&ids).cloned() else {
            return;
        };
        let key = self.provider.issue("A");
        let request = StartRequest {
            idempotency: Some(Idempotency {
                source: "start".to_owned(),
                key,
                digest: workflow.clone(),
            }),
            workflow,
            contact: Some(contact.clone()),
            input: Map::new(),
        };
        self.hook(0, Input::Start(request));
    }

    fn places(&mut self, contact: &PhoneNumber) {
        let Some((from, connection, agent)) = self.number() else {
            return;
        };
        let request = PlaceRequest {
            idempotency: None,
            agent,
            connection,
            from,
            to: contact.clone(),
            variables: Map::new(),
            ring_for: 20,
        };
        self.after(0, Happening::Hook(Input::Place(request), 0));
    }

    fn conversation_changes_hands(&mut self) -> Result<Option<Input>, Box<Failure>> {
        let (from, to) = keys::table(b'c');
        let all: Vec<_> = self.state.range(&from, &to).map(|(key, _)| key).collect();
        let Some(key) = self.random.pick(&all).map(|key| (*key).clone()) else {
            return Ok(None);
        };
        let conversation = self.get::<Conversation>(&key)?;
        Ok(conversation.map(|one| match one.handoff {
            Some(_) => Input::Release(one.id.clone()),
            None => Input::Take(one.id.clone(), "ann".to_owned(), "curious".to_owned()),
        }))
    }

    /// Somebody takes a run in hand: ends it or its wait, takes it to the version in
    /// service, or lets one that failed go on.
    fn run_is_handled(&mut self) -> Result<Option<Input>, Box<Failure>> {
        let wanted = self.random.below(4);
        let (from, to) = keys::table(b'r');
        for (key, _) in self.state.range(&from, &to) {
            let Some(run) = self.get::<Run>(key)? else {
                continue;
            };
            match (wanted, run.status) {
                (0, RunStatus::Running) => return Ok(Some(Input::Cancel(run.id.clone()))),
                (1, RunStatus::Running) => return Ok(Some(Input::Wake(run.id.clone()))),
                (2, RunStatus::Running) => return Ok(Some(Input::Move(run.id.clone()))),
                (3, RunStatus::Failed) => return Ok(Some(Input::Retry(run.id.clone()))),
                _ => {}
            }
        }
        Ok(None)
    }

    /// A person decides about a text that stayed unknown: in a script by what
    /// the contact got, else as people do.
    pub(super) fn open_review(&mut self) -> Result<Option<Input>, Box<Failure>> {
        let found = self.in_review()?;
        if self.script.is_some() {
            return Ok(found.map(|id| self.truthful(&id)));
        }
        let decision = match self.random.below(3) {
            0 => Decide::Sent,
            1 => Decide::Resend,
            _ => Decide::Drop,
        };
        Ok(found.map(|id| Input::Decide(id, decision)))
    }
}
