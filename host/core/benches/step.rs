//! What the pure part costs: the step of a missed call and of its outcome, the
//! send gate, a template. Figures for comparing two versions on one machine.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark stops at the first surprise"
)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use ringback_core::engine::{
    Act, Agent, Answer, Business, CallOutcome, CallReport, Catalog, Connection, Decision, Facts,
    InService, Inbound, Input, SendResult, Setup, World, expected, step,
};
use ringback_core::model::{
    Contact, Conversation, Direction, Message, PhoneNumber, State, keys, record,
};
use ringback_core::policy;
use ringback_core::workflow::expression::{NoServices, Scope, Template};
use ringback_core::workflow::parse;

const WORKFLOW: &str = r#"
name: bench
on: call.missed
enroll: { again: always }
steps:
  - send: "Sorry we missed you! How can we help?"
"#;

/// The text of the workflow that ships.
const TEMPLATE: &str = "Hi, this is {{ agent.business }}. Sorry we missed your call. \
    {% if contact.first_name %}{{ contact.first_name }}, reply{% else %}Reply{% endif %} here and \
    we will get right back to you. Text STOP to opt out.";

fn phone(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

/// A host without a server: configuration, workflows, state.
struct Host {
    setup: Setup,
    catalog: Catalog,
    state: State,
    now: Timestamp,
}

impl Host {
    fn new() -> Self {
        let connection = Connection {
            name: "main".to_owned(),
            idempotent: false,
            handles_opt_out: true,
            chooses_sender: false,
            settle_ms: 120_000,
            segment_us: None,
        };
        let agent = Agent {
            id: "front-desk".to_owned(),
            name: "front-desk".to_owned(),
            numbers: vec![phone("+15125550100")],
            connection: Some("main".to_owned()),
            calls: None,
            voice: None,
            inbound: Inbound::Off,
        };
        let mut setup = Setup {
            business: Business {
                name: "Benchmark".to_owned(),
                zone: "America/Chicago".to_owned(),
            },
            agents: [("front-desk".to_owned(), agent)].into(),
            connections: [("main".to_owned(), connection)].into(),
            ..Setup::default()
        };
        setup.limits.duplicates_ms = 0;
        let mut host = Self {
            setup,
            catalog: Catalog::default(),
            state: State::default(),
            now: "2026-11-18T16:00:00Z".parse().unwrap(),
        };
        let parsed = parse(WORKFLOW, "bench.yaml", &host.setup.known());
        let workflow = Arc::new(parsed.result.unwrap());
        let input = Input::Define(Arc::clone(&workflow));
        let Answer::Version { now, .. } = host.take(&input).answer else {
            panic!("the workflow is not taken");
        };
        let by_hash = &mut host.catalog.by_hash;
        by_hash.insert(workflow.hash.clone(), Arc::clone(&workflow));
        let id = workflow.definition.id.clone();
        let version = InService {
            workflow,
            version: now,
        };
        host.catalog.in_service.insert(id, version);
        host
    }

    /// The facts that the server loads before the first try.
    fn facts(&self, input: &Input) -> Facts {
        let mut facts = Facts::default();
        for key in expected(input) {
            let value = self.state.get(&key).cloned();
            facts.insert(key, value);
        }
        facts
    }

    /// A decision, with as many more facts as it asks for.
    fn decide(&self, input: &Input, mut facts: Facts) -> Act {
        let world = World {
            setup: &self.setup,
            workflows: &self.catalog,
        };
        loop {
            match step(world, &facts, input, self.now, 7).unwrap() {
                Decision::Act(act) => return act,
                Decision::Turns(turns) => panic!("no number has a rate: {turns:?}"),
                Decision::Need(keys) => {
                    for key in keys {
                        let value = self.state.get(&key).cloned();
                        facts.insert(key, value);
                    }
                }
            }
        }
    }

    fn take(&mut self, input: &Input) -> Act {
        let act = self.decide(input, self.facts(input));
        self.state.commit(&act.batch).unwrap();
        act
    }
}

fn missed() -> Input {
    Input::Call(CallReport {
        connection: "main".to_owned(),
        provider_id: "CA00000000000000000000000000000001".to_owned(),
        id: None,
        direction: Direction::Inbound,
        from: Some(phone("+13125550123")),
        to: Some(phone("+15125550100")),
        outcome: CallOutcome::NoAnswer,
        forwarded: false,
        started_at: None,
        ended_at: None,
        duration: None,
        summary: None,
        transcript: None,
        recording_url: None,
        cause: None,
    })
}

fn steps(c: &mut Criterion) {
    let mut host = Host::new();
    let input = missed();
    c.bench_function("step: missed call", |b| {
        b.iter_batched(
            || host.facts(&input),
            |facts| black_box(host.decide(&input, facts)),
            BatchSize::SmallInput,
        );
    });

    let act = host.take(&input);
    let [command] = act.commands.as_slice() else {
        panic!("{} commands instead of one text", act.commands.len());
    };
    let (from, to) = keys::table(b'o');
    let (_, stored) = host.state.range(&from, &to).next().unwrap();
    let message: Message = record::decode(&stored.value).unwrap();
    black_box(command);
    let sent = Input::Sent(
        message.id.clone(),
        SendResult::Accepted {
            provider_id: "SM00000000000000000000000000000001".to_owned(),
        },
    );
    let revision = host.state.revision();
    c.bench_function("step: text accepted", |b| {
        b.iter_batched(
            || Facts::of_commit(act.records.clone(), revision),
            |facts| black_box(host.decide(&sent, facts)),
            BatchSize::SmallInput,
        );
    });

    let contact: Contact = {
        let stored = host.state.get(&keys::contact(&message.contact)).unwrap();
        record::decode(&stored.value).unwrap()
    };
    let conversation: Conversation = {
        let key = keys::conversation(&message.conversation);
        record::decode(&host.state.get(&key).unwrap().value).unwrap()
    };
    let known = policy::Known {
        message: &message,
        contact: &contact,
        conversation: &conversation,
        setup: &host.setup,
    };
    c.bench_function("gate", |b| {
        b.iter(|| black_box(policy::gate(black_box(&known), host.now)));
    });
}

fn templates(c: &mut Criterion) {
    let template = Template::new(TEMPLATE).unwrap();
    let now: Timestamp = "2026-11-18T16:00:00Z".parse().unwrap();
    let mut scope = Scope::new(now, Arc::new(NoServices));
    scope.set(
        "agent",
        serde_json::json!({ "business": "Brightside Dental" }),
    );
    scope.set("contact", serde_json::json!({ "first_name": "Ada" }));
    c.bench_function("template", |b| {
        b.iter(|| black_box(template.render(black_box(&scope)).unwrap()));
    });
}

criterion_group!(benches, steps, templates);
criterion_main!(benches);
