//! A small business under stress: two agents, six workflows, providers of all
//! kinds, chosen by the seed.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use serde_json::json;

use super::super::random::Random;
use super::super::{Faults, Scenario};
use crate::engine::tests::build::{
    agent, manual, missed, phone, reply, send, send_with, setup, wait, workflow,
};
use crate::engine::{Calls, Connection};
use crate::workflow::expression::{Expression, Pattern, Template, Value};
use crate::workflow::{
    Action, Again, Approve, Breaker, CancelOn, Compose, Concurrency, Definition, Handoff, Idle,
    Intent, Lead, LeadFilter, Missed, On, OnUnknown, Overlap, Party, Per, Rate, Schedule, Send,
    Set, StatusFilter, TextFilter, TimeOfDay, Times, TooMany, Trigger, Unanswered, Wait, WaitFor,
    Webhook, Workflow,
};

/// The files as they are at first, and what they may be edited to: every text of
/// a second version says `(v2)`.
static FILES: LazyLock<[Vec<Arc<Workflow>>; 2]> =
    LazyLock::new(|| [workflows(""), workflows(" (v2)")]);

fn workflows(mark: &str) -> Vec<Arc<Workflow>> {
    let send = |body: &str| send(&format!("{body}{mark}"));
    let send_with = |body: &str, change: &dyn Fn(&mut Send)| {
        send_with(&format!("{body}{mark}"), |send| change(send))
    };
    let described = |one: &mut Definition| {
        if !mark.is_empty() {
            one.description = Some("v2".to_owned());
        }
    };
    let in_spring = |one: &mut Definition| {
        let times = |count, per| Some(Times { count, per });
        one.campaign = Some("Spring".to_owned());
        one.rate = Some(Rate {
            per_number: times(3, Per::Minute),
            total: times(12, Per::Day),
            spread: None,
        });
        one.breaker = Some(Breaker {
            failure_rate: Some(TooMany {
                above: 4_000,
                last: 5,
            }),
            opt_out_rate: Some(TooMany {
                above: 5_000,
                last: 4,
            }),
            notify: Some("ann".to_owned()),
        });
    };
    let answers = Action::Handoff(Handoff {
        to: "ann".to_owned(),
        reason: None,
        reply: Some(Template::new(&format!("A person will answer you.{mark}")).unwrap()),
        release_after: Some(3_600),
    });
    let first = workflow(
        "missed",
        missed(),
        vec![
            ("text", "", send("Sorry we missed you ({{ event.id }}).")),
            ("answer", "", reply(Some(86_400))),
            (
                "again",
                "answer.timed_out",
                send("Still happy to help ({{ event.id }})."),
            ),
            ("person", "not answer.timed_out", answers),
        ],
        |one| {
            described(one);
            one.enroll.again = Again::Always;
            one.cancel_on = vec![CancelOn::OptOut, CancelOn::Handoff, CancelOn::CallAnswered];
        },
    );
    let later = workflow(
        "missed-later",
        missed(),
        vec![
            ("settle", "", wait(45)),
            ("text", "", send("We tried to reach you.")),
        ],
        |one| {
            described(one);
            one.cancel_on = vec![CancelOn::Reply];
            in_spring(one);
        },
    );
    let by_desk = |body| send_with(body, &|send| send.agent = Some("desk".to_owned()));
    let day = Action::Wait(Wait {
        seconds: 86_400,
        at: Some(TimeOfDay {
            hour: 10,
            minute: 30,
        }),
        ..Wait::default()
    });
    let nurture = workflow(
        "nurture",
        manual(),
        vec![
            ("one", "", by_desk("First words.")),
            ("day", "", day),
            ("two", "", by_desk("Second words.")),
            ("forever", "", reply(None)),
        ],
        |one| {
            described(one);
            one.intent = Intent::Marketing;
            in_spring(one);
            one.cancel_on = vec![CancelOn::Reply, CancelOn::OptOut];
        },
    );
    let price = workflow(
        "price",
        On::MessageReceived(TextFilter {
            matches: Some(Pattern::new("price").unwrap()),
            ..TextFilter::default()
        }),
        vec![
            (
                "a",
                "",
                send_with("It costs 10 ({{ event.id }}).", &|send| {
                    send.on_unknown = OnUnknown::Resend;
                }),
            ),
            ("b", "", send("Shall I book it ({{ event.id }})?")),
        ],
        |one| {
            described(one);
            one.intent = Intent::Conversation;
            one.enroll.again = Again::Always;
        },
    );
    let every_six_hours = On::Schedule(Schedule {
        cron: "0 */6 * * *".to_owned(),
        zone: None,
        missed: Missed::RunOnce,
        overlap: Overlap::Queue,
    });
    let set = Action::Set(Set {
        values: vec![("x".to_owned(), Value::Literal(json!(1)))],
    });
    let clock = workflow(
        "clock",
        every_six_hours,
        vec![("set", "", set), ("wait", "", wait(30_000))],
        described,
    );
    let turns = On::MessageReceived(TextFilter {
        matches: Some(Pattern::new("hello|ten").unwrap()),
        fold: Some(8),
        ..TextFilter::default()
    });
    let calendar = On::Webhook(Webhook {
        path: "calendar".to_owned(),
        verify: None,
        dedupe: Some(Value::Expression(Expression::new("event.body.id").unwrap())),
    });
    let quiet = On::ConversationIdle(Idle {
        after: 7_200,
        last_from: Some(Party::Them),
    });
    let tag = Action::Lead(Lead {
        tag: vec![Template::new("seen_{{ event.type }}").unwrap()],
        ..Lead::default()
    });
    let changes = Action::WaitFor(WaitFor {
        events: vec![
            On::LeadUpdated(LeadFilter::default()).into(),
            On::MessageStatus(StatusFilter {
                status: vec!["undelivered".to_owned()],
            })
            .into(),
        ],
        timeout: Some(600),
    });
    let events = workflow(
        "events",
        turns,
        vec![
            ("tag", "", tag),
            ("wait", "", changes),
            (
                "text",
                "",
                send("Of {{ event.type }} ({{ event.id | default(run.id) }})."),
            ),
        ],
        |one| {
            described(one);
            one.enroll.again = Again::Always;
            one.contact = Some(Value::Expression(
                Expression::new("event.contact or event.from or event.body.phone").unwrap(),
            ));
            one.concurrency = Some(Concurrency::default());
            one.goal = Some(Expression::new("lead.status == 'booked'").unwrap());
            let more = [
                calendar,
                quiet,
                On::LeadUpdated(LeadFilter {
                    changed: vec!["status".to_owned()],
                }),
            ];
            one.triggers.extend(more.map(|on| Trigger {
                on,
                condition: None,
            }));
        },
    );
    // The models of the simulation have no words: the fallback is drafted.
    let draft = |words: &str, timeout, default| {
        Action::Compose(Compose {
            agent: Some("desk".to_owned()),
            prompt: Some(Template::new("Write.").unwrap()),
            fallback: Some(Template::new(&format!("{words}{mark}")).unwrap()),
            approve: Some(Approve {
                by: "ann".to_owned(),
                timeout: Some(timeout),
                default,
            }),
            ..Compose::default()
        })
    };
    let drafts = workflow(
        "drafts",
        manual(),
        vec![
            ("one", "", draft("A draft.", 600, Unanswered::Send)),
            ("two", "", draft("Another draft.", 5_400, Unanswered::Skip)),
            ("three", "", send("No draft.")),
        ],
        |one| {
            described(one);
            one.cancel_on = vec![CancelOn::Reply];
            one.concurrency = Some(Concurrency::default());
            one.enroll.again = Again::Always;
        },
    );
    vec![first, later, nurture, price, clock, events, drafts]
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
        segment_us: random
            .chance(300)
            .then(|| random.between(50_000, 3_000_000)),
    };
    let connections = ["main", "pool"].map(|name| (name.to_owned(), connection(name, &mut random)));
    let mut setup = setup();
    let mut desk = agent("desk", "+15125550100", "main");
    desk.calls = Some(Calls::Forward {
        to: phone("+15125550111"),
        ring_for: 20,
    });
    let mut night = agent("night", "+15125550101", "pool");
    night.calls = Some(Calls::Missed);
    setup.agents = [desk, night]
        .map(|agent| (agent.id.clone(), agent))
        .into_iter()
        .collect();
    setup.connections = connections.into_iter().collect();
    setup.limits.attempts = 4;
    let many = random.between(1, 4) as usize;
    Scenario {
        setup,
        workflows: FILES[0].clone(),
        edits: FILES[1].clone(),
        contacts: ["+13125550123", "+12125550124", "+14155550125"]
            .iter()
            .take(many)
            .map(|text| phone(text))
            .collect(),
        // Just before the night on which clocks go back in the United States.
        start: "2026-10-31T20:00:00Z".parse::<Timestamp>().unwrap(),
        faults: Faults {
            crash: *random.pick(&[0, 10, 30, 100]).unwrap(),
            send: *random.pick(&[0, 200, 600]).unwrap(),
            webhook: *random.pick(&[0, 200, 500]).unwrap(),
            race: *random.pick(&[0, 100, 400]).unwrap(),
            disk: *random.pick(&[0, 0, 10, 50]).unwrap(),
            weather: random.chance(700),
            list: random.chance(700),
        },
    }
}
