//! The engine, feature by feature, on the plain in-memory state.

mod approvals;
pub(crate) mod build;
mod by_hand;
mod calls;
mod campaigns;
mod events;
mod fan;
mod flow;
mod gate;
mod golden;
mod groups;
mod inbound;
mod leads;
mod outside;
mod pace;
mod replay;
mod reports;
mod requests;
mod retention;
mod runs;
mod schedules;
mod sending;
mod turns;
mod unknown;
mod waits;
mod webhooks;
mod years;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::model::{
    CallId, Contact, Conversation, Direction, Message, MessageId, Note, Notes, Origin, PhoneNumber,
    Problem, Run, RunStatus, State, Status,
};
use crate::policy::pace::Pace;
use crate::workflow::{Intent, OnUnknown, Workflow};
use build::phone;

/// A host without a server: state, clock, and the commands that wait.
struct Host {
    setup: Setup,
    catalog: Catalog,
    state: State,
    now: Timestamp,
    commands: Vec<Command>,
    notices: Vec<Notice>,
    told: Vec<String>,
    asked: Vec<MessageId>,
    pace: Pace,
    steps: u128,
    issued: u32,
}

/// The contact of most tests.
fn caller() -> PhoneNumber {
    phone("+13125550123")
}

fn problem(code: &str) -> Problem {
    Problem {
        code: code.to_owned(),
        text: code.to_owned(),
    }
}

impl Host {
    /// A working day, 10:00 in Chicago.
    fn new(workflows: Vec<Arc<Workflow>>) -> Self {
        Self::with(build::setup(), workflows)
    }

    fn with(setup: Setup, workflows: Vec<Arc<Workflow>>) -> Self {
        let mut host = Self {
            setup,
            catalog: Catalog::default(),
            state: State::default(),
            now: "2026-11-18T16:00:00Z".parse().unwrap(),
            commands: Vec::new(),
            notices: Vec::new(),
            told: Vec::new(),
            asked: Vec::new(),
            pace: Pace::default(),
            steps: 0,
            issued: 0,
        };
        for workflow in workflows {
            host.define(workflow);
        }
        host
    }

    fn define(&mut self, workflow: Arc<Workflow>) -> u32 {
        let answer = self.take(Input::Define(Arc::clone(&workflow)));
        let Answer::Version { now, .. } = answer else {
            panic!("{answer:?}");
        };
        let by_hash = &mut self.catalog.by_hash;
        by_hash.insert(workflow.hash.clone(), Arc::clone(&workflow));
        self.catalog.in_service.insert(
            workflow.definition.id.clone(),
            InService {
                workflow,
                version: now,
            },
        );
        now
    }

    /// One decision on the facts as they are, not committed.
    fn decide(&mut self, input: &Input) -> Act {
        self.steps += 1;
        let mut facts = Facts::default();
        facts.set_rough(self.pace.is_rough(self.now));
        for key in expected(input) {
            facts.insert(key.clone(), self.state.get(&key).cloned());
        }
        loop {
            let world = World {
                setup: &self.setup,
                workflows: &self.catalog,
            };
            match step(world, &facts, input, self.now, self.steps).unwrap() {
                Decision::Act(act) => return act,
                Decision::Turns(wanted) => {
                    assert!(!wanted.is_empty());
                    for one in wanted {
                        let granted = self.pace.turn(&one, self.now);
                        facts.grant(one.message, granted);
                    }
                }
                Decision::Need(keys) => {
                    assert!(!keys.is_empty());
                    for key in keys {
                        facts.insert(key.clone(), self.state.get(&key).cloned());
                    }
                }
            }
        }
    }

    fn take(&mut self, input: Input) -> Answer {
        let act = self.decide(&input);
        self.state.commit(&act.batch).unwrap();
        self.commands.extend(act.commands);
        for notice in &act.notices {
            match notice {
                Notice::Slowed(sender, until) => self.pace.slow(sender, *until, self.now),
                Notice::Broken(sender, until, problem) => {
                    self.pace.hold(sender, *until, problem);
                }
                Notice::Works(sender) => {
                    self.pace.works(sender);
                }
                _ => {}
            }
        }
        self.notices.extend(act.notices);
        let queued = act
            .entries
            .iter()
            .filter(|one| one.kind == "message.queued");
        self.asked
            .extend(queued.filter_map(|one| one.message.clone()));
        self.told
            .extend(act.entries.into_iter().map(|entry| entry.kind));
        act.answer
    }

    fn records<T: serde::de::DeserializeOwned>(&self, table: u8) -> Vec<T> {
        let (from, to) = keys::table(table);
        self.state
            .range(&from, &to)
            .map(|(_, value)| record::decode(&value.value).unwrap())
            .collect()
    }

    fn get<T: serde::de::DeserializeOwned>(&self, key: &Key) -> T {
        record::decode(&self.state.get(key).unwrap().value).unwrap()
    }

    fn told(&self, kind: &str) -> usize {
        self.told.iter().filter(|one| *one == kind).count()
    }

    /// Fires the timers that come due, in order.
    fn wait(&mut self, seconds: i64) {
        let end = self.now + SignedDuration::from_secs(seconds);
        loop {
            let (from, to) = keys::table(b't');
            let first = self.state.range(&from, &to).next();
            let first = first.map(|(key, _)| key.clone());
            let Some((key, due)) =
                first.and_then(|key| keys::timer_due(&key).map(|due| (key, due)))
            else {
                break;
            };
            if due > end {
                break;
            }
            self.now = self.now.max(due);
            self.take(Input::Timer(key.clone()));
            assert!(self.state.get(&key).is_none(), "{key:?} is still there");
        }
        self.now = end;
    }

    /// The texts that wait to be handed over.
    fn leaving(&mut self) -> Vec<MessageId> {
        let commands = std::mem::take(&mut self.commands);
        commands
            .into_iter()
            .filter_map(|command| match command {
                Command::Send(gated) => Some(gated.message().clone()),
                _ => None,
            })
            .collect()
    }

    /// Ends the one attempt that is under way.
    fn result(&mut self, result: SendResult) -> MessageId {
        let leaving = self.leaving();
        let [id] = leaving.as_slice() else {
            panic!("{} texts leave", leaving.len());
        };
        self.take(Input::Sent(id.clone(), result));
        id.clone()
    }

    /// The provider takes everything that leaves, until nothing leaves any more.
    fn accept(&mut self) {
        loop {
            let leaving = self.leaving();
            if leaving.is_empty() {
                return;
            }
            for id in leaving {
                self.issued += 1;
                let provider_id = format!("P{}", self.issued);
                // Providers take a moment.
                self.now += SignedDuration::from_millis(1);
                self.take(Input::Sent(id, SendResult::Accepted { provider_id }));
            }
        }
    }

    fn message(&self, id: &MessageId) -> Message {
        self.get(&keys::message(id))
    }

    fn contact(&self) -> Contact {
        self.get(&keys::contact(&caller()))
    }

    fn conversation(&self) -> Conversation {
        let contact = self.contact();
        self.get(&keys::conversation(&contact.threads[0].conversation))
    }

    fn runs(&self) -> Vec<Run> {
        self.records(b'r')
    }

    fn run(&self) -> Run {
        let runs = self.runs();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs.into_iter().next().unwrap()
    }

    /// The outgoing texts to the caller: words, status and reason.
    fn outgoing(&self) -> Vec<(String, &'static str, String)> {
        let mut all: Vec<Message> = self.records(b'o');
        all.retain(|one| one.direction == Direction::Outbound && one.contact == caller());
        // In the order of asking.
        all.sort_by_key(|one| self.asked.iter().position(|id| *id == one.id));
        all.into_iter()
            .map(|one| {
                let reason = one.reason.unwrap_or_default();
                (one.body, one.status.word(), reason)
            })
            .collect()
    }

    fn text(&mut self, body: &str) -> Answer {
        self.issued += 1;
        let id = format!("I{}", self.issued);
        self.text_as(&id, "+15125550100", body)
    }

    fn text_as(&mut self, provider_id: &str, to: &str, body: &str) -> Answer {
        self.take(Input::Text(IncomingText {
            connection: "main".to_owned(),
            provider_id: provider_id.to_owned(),
            from: caller(),
            to: phone(to),
            body: body.to_owned(),
            media: Vec::new(),
            keyword: None,
        }))
    }

    fn call(&mut self, provider_id: &str, outcome: CallOutcome) -> Answer {
        self.take(Input::Call(call(provider_id, outcome)))
    }

    fn send(&mut self, body: &str) -> MessageId {
        self.send_as(body, |_| {})
    }

    fn send_as(&mut self, body: &str, change: impl FnOnce(&mut SendRequest)) -> MessageId {
        let mut request = request(body);
        change(&mut request);
        match self.take(Input::Send(request)) {
            Answer::Message(id) => id,
            other => panic!("{other:?}"),
        }
    }

    fn start(&mut self, workflow: &str) -> Answer {
        self.take(Input::Start(StartRequest {
            idempotency: None,
            workflow: workflow.to_owned(),
            contact: Some(caller()),
            input: serde_json::Map::new(),
        }))
    }
}

fn call(provider_id: &str, outcome: CallOutcome) -> CallReport {
    CallReport {
        connection: "main".to_owned(),
        provider_id: provider_id.to_owned(),
        id: None,
        direction: Direction::Inbound,
        from: Some(caller()),
        to: Some(phone("+15125550100")),
        outcome,
        forwarded: false,
        started_at: None,
        ended_at: None,
        duration: None,
        summary: None,
        transcript: None,
        recording_url: None,
        cause: None,
    }
}

fn request(body: &str) -> SendRequest {
    SendRequest {
        idempotency: None,
        agent: "desk".to_owned(),
        connection: "main".to_owned(),
        from: Some(phone("+15125550100")),
        to: caller(),
        body: body.to_owned(),
        media: Vec::new(),
        intent: Intent::Transactional,
        origin: Origin::Api,
        valid_until: None,
        on_unknown: OnUnknown::Hold,
    }
}

/// Compares the caller's outgoing texts with words, status and reason.
#[track_caller]
fn check(host: &Host, expected: &[(&str, &str, &str)]) {
    let texts = host.outgoing();
    let seen: Vec<(&str, &str, &str)> = texts
        .iter()
        .map(|(body, status, reason)| (body.as_str(), *status, reason.as_str()))
        .collect();
    assert_eq!(seen, expected);
}
