//! A small business under stress: two agents, five workflows, providers of all
//! kinds, chosen by the seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::super::random::Random;
use super::super::{Faults, Scenario};
use crate::engine::{Agent, Business, Calls, Connection, Inbound, Person, Setup};
use crate::model::PhoneNumber;
use crate::workflow::expression::{Expression, Pattern, Template, Value};
use crate::workflow::{
    Action, Again, Awaited, CallFilter, CancelOn, Content, Definition, Enroll, Handoff, Intent,
    Manual, Missed, On, OnDelete, OnUnknown, Overlap, Schedule, Send, Set, Step, TextFilter,
    TimeOfDay, Trigger, Wait, WaitFor, Workflow,
};

fn phone(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

fn send(body: &str) -> Action {
    Action::Send(Send {
        agent: None,
        content: Content::Body(Template::new(body).unwrap()),
        media: Vec::new(),
        from: None,
        valid_until: None,
        on_unknown: OnUnknown::Hold,
    })
}

fn send_as(agent: &str, body: &str) -> Action {
    let Action::Send(mut send) = send(body) else {
        unreachable!()
    };
    send.agent = Some(agent.to_owned());
    Action::Send(send)
}

fn wait(seconds: u64) -> Action {
    Action::Wait(Wait {
        seconds,
        ..Wait::default()
    })
}

fn reply(timeout: Option<u64>) -> Action {
    Action::WaitFor(WaitFor {
        events: vec![Awaited::MessageReceived(TextFilter::default())],
        timeout,
    })
}

fn steps(actions: Vec<(&str, &str, Action)>) -> Vec<Step> {
    let step = |(id, condition, action): (&str, &str, Action)| Step {
        id: id.to_owned(),
        name: None,
        condition: (!condition.is_empty()).then(|| Expression::new(condition).unwrap()),
        action,
    };
    actions.into_iter().map(step).collect()
}

fn workflow(
    id: &str,
    on: On,
    intent: Intent,
    again: Again,
    cancel_on: Vec<CancelOn>,
    steps: Vec<Step>,
) -> Arc<Workflow> {
    Arc::new(Workflow {
        definition: Definition {
            format: 1,
            id: id.to_owned(),
            name: id.to_owned(),
            description: None,
            triggers: vec![Trigger {
                on,
                condition: None,
            }],
            contact: None,
            intent,
            enroll: Enroll {
                key: None,
                again,
                again_after: None,
            },
            cancel_on,
            vars: BTreeMap::new(),
            steps,
            on_delete: OnDelete::Finish,
        },
        hash: format!("hash of {id}"),
        source: String::new(),
        positions: Vec::new(),
    })
}

fn workflows() -> Vec<Arc<Workflow>> {
    let answers = Action::Handoff(Handoff {
        to: "ann".to_owned(),
        reason: None,
        reply: Some(Template::new("A person will answer you.").unwrap()),
        release_after: Some(3_600),
    });
    let missed = workflow(
        "missed",
        On::CallMissed(CallFilter::default()),
        Intent::CustomerCare,
        Again::Always,
        vec![CancelOn::OptOut, CancelOn::Handoff, CancelOn::CallAnswered],
        steps(vec![
            ("text", "", send("Sorry we missed you ({{ event.id }}).")),
            ("answer", "", reply(Some(86_400))),
            (
                "again",
                "answer.timed_out",
                send("Still happy to help ({{ event.id }})."),
            ),
            ("person", "not answer.timed_out", answers),
        ]),
    );
    let later = workflow(
        "missed-later",
        On::CallMissed(CallFilter::default()),
        Intent::CustomerCare,
        Again::AfterFinished,
        vec![CancelOn::Reply],
        steps(vec![
            ("settle", "", wait(45)),
            ("text", "", send("We tried to reach you.")),
        ]),
    );
    let nurture = workflow(
        "nurture",
        On::Manual(Manual::default()),
        Intent::Marketing,
        Again::AfterFinished,
        vec![CancelOn::Reply, CancelOn::OptOut],
        steps(vec![
            ("one", "", send_as("desk", "First words.")),
            (
                "day",
                "",
                Action::Wait(Wait {
                    seconds: 86_400,
                    at: Some(TimeOfDay {
                        hour: 10,
                        minute: 30,
                    }),
                    ..Wait::default()
                }),
            ),
            ("two", "", send_as("desk", "Second words.")),
            ("forever", "", reply(None)),
        ]),
    );
    let price = workflow(
        "price",
        On::MessageReceived(TextFilter {
            matches: Some(Pattern::new("price").unwrap()),
            ..TextFilter::default()
        }),
        Intent::Conversation,
        Again::Always,
        vec![],
        steps(vec![
            ("a", "", send("It costs 10 ({{ event.id }}).")),
            ("b", "", send("Shall I book it ({{ event.id }})?")),
        ]),
    );
    let clock = workflow(
        "clock",
        On::Schedule(Schedule {
            cron: "0 */6 * * *".to_owned(),
            zone: None,
            missed: Missed::RunOnce,
            overlap: Overlap::Queue,
        }),
        Intent::Marketing,
        Again::Always,
        vec![],
        steps(vec![
            (
                "set",
                "",
                Action::Set(Set {
                    values: vec![("x".to_owned(), Value::Literal(json!(1)))],
                }),
            ),
            ("wait", "", wait(30_000)),
        ]),
    );
    vec![missed, later, nurture, price, clock]
}

/// The world of a seed.
pub(super) fn stress(seed: u64) -> Scenario {
    let mut random = Random::new(seed ^ 0x5eed);
    let connection = |name: &str, random: &mut Random| Connection {
        name: name.to_owned(),
        idempotent: random.chance(300),
        handles_opt_out: random.chance(200),
        chooses_sender: random.chance(200),
        settle_ms: random.between(20_000, 120_000),
    };
    let connections = ["main", "pool"].map(|name| (name.to_owned(), connection(name, &mut random)));
    let agent = |id: &str, number: &str, connection: &str, calls: Calls| Agent {
        id: id.to_owned(),
        name: id.to_owned(),
        numbers: vec![phone(number)],
        connection: Some(connection.to_owned()),
        calls: Some(calls),
        voice: None,
        inbound: Inbound::Off,
    };
    let desk = agent(
        "desk",
        "+15125550100",
        "main",
        Calls::Forward {
            to: phone("+15125550111"),
            ring_for: 20,
        },
    );
    let night = agent("night", "+15125550101", "pool", Calls::Missed);
    let mut setup = Setup {
        business: Business {
            name: "Brightside".to_owned(),
            zone: "America/Chicago".to_owned(),
        },
        ..Setup::default()
    };
    setup.agents = [desk, night]
        .map(|agent| (agent.id.clone(), agent))
        .into_iter()
        .collect();
    setup.connections = connections.into_iter().collect();
    let ann = Person {
        phone: phone("+15125550199"),
    };
    setup.people.insert("ann".to_owned(), ann);
    setup.limits.attempts = 4;
    let many = random.between(1, 4) as usize;
    Scenario {
        setup,
        workflows: workflows(),
        contacts: ["+13125550123", "+12125550124", "+14155550125"]
            .iter()
            .take(many)
            .map(|text| phone(text))
            .collect(),
        // Just before the night on which clocks go back in the United States.
        start: "2026-10-31T20:00:00Z".parse::<Timestamp>().unwrap(),
        faults: Faults {
            crash: *random.pick(&[0, 20, 60, 150]).unwrap(),
            send: *random.pick(&[0, 200, 600]).unwrap(),
            webhook: *random.pick(&[0, 200, 500]).unwrap(),
            race: *random.pick(&[0, 100, 400]).unwrap(),
            list: random.chance(700),
        },
    }
}
