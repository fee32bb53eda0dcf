//! The scenarios of the crash points: what the engine does, one thing at a time.

use std::sync::Arc;

use serde_json::Map;

use super::super::agenda::Happening;
use super::super::script::Wire;
use super::super::{Faults, Scenario};
use super::deeds::{
    api, call, caller, drafted, edited, follow_up, hand_over, hook, nurture, offer, say, schedule,
    start, text,
};
use crate::engine::tests::build::{agent, phone, received, send, setup, workflow};
use crate::engine::{CallOutcome, Calls, Idempotency, Input, PlaceRequest, SendResult};
use crate::model::OptOutSource;
use crate::workflow::Workflow;

/// A scenario, and how else than without a crash it may end.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) scenario: Scenario,
    pub(super) wire: Vec<Wire>,
    pub(super) reports: bool,
    pub(super) happenings: Vec<(u64, Happening)>,
    pub(super) also: Vec<Vec<String>>,
    /// A text that may leave or be called off, as the STOP comes later or earlier.
    pub(super) stopped: Option<&'static str>,
}

fn case(
    name: &'static str,
    workflows: Vec<Arc<Workflow>>,
    happenings: Vec<(u64, Happening)>,
) -> Case {
    Case {
        name,
        scenario: Scenario {
            setup: setup(),
            workflows,
            edits: Vec::new(),
            contacts: vec![caller()],
            // Ten in the morning in Chicago.
            start: "2026-11-18T16:00:00Z".parse().unwrap(),
            faults: Faults::NONE,
        },
        wire: Vec::new(),
        reports: false,
        happenings,
        also: Vec::new(),
        stopped: None,
    }
}

impl Case {
    fn wire(mut self, wire: &[Wire]) -> Self {
        self.wire = wire.to_vec();
        self
    }

    fn reports(mut self) -> Self {
        self.reports = true;
        self
    }

    fn change(mut self, change: impl FnOnce(&mut Scenario)) -> Self {
        change(&mut self.scenario);
        self
    }

    fn stopped(mut self, body: &'static str) -> Self {
        self.stopped = Some(body);
        self
    }

    /// It may end in this way as well.
    fn also(mut self, end: &[&str]) -> Self {
        let mut end: Vec<String> = end.iter().map(|line| (*line).to_owned()).collect();
        end.sort();
        self.also.push(end);
        self
    }
}

fn intake() -> Vec<Case> {
    let answer = workflow(
        "answer",
        received(),
        vec![("a", "", send("We got it."))],
        |_| {},
    );
    vec![
        case(
            "a text comes in",
            vec![],
            vec![(1_000, text("I1", "hello"))],
        ),
        case(
            "a text starts a run",
            vec![answer],
            vec![(1_000, text("I1", "hello"))],
        )
        .reports(),
        case(
            "a missed call, and no answer",
            vec![follow_up()],
            vec![
                (1_000, call("C1", CallOutcome::Ringing)),
                (9_000, call("C1", CallOutcome::NoAnswer)),
            ],
        ),
        case(
            "a missed call, and an answer",
            vec![follow_up()],
            vec![
                (1_000, call("C1", CallOutcome::NoAnswer)),
                (60_000, text("I1", "please call back")),
            ],
        )
        .reports(),
        case("a program sends", vec![], vec![(1_000, api("one"))]).reports(),
        case(
            "a program starts a run",
            vec![nurture()],
            vec![(1_000, start("nurture"))],
        ),
        case(
            "a schedule fires",
            vec![schedule()],
            vec![(50_000_000, Happening::Nothing)],
        ),
        case(
            "a program calls",
            vec![],
            vec![(
                1_000,
                hook(Input::Place(PlaceRequest {
                    idempotency: Some(Idempotency {
                        source: "place".to_owned(),
                        key: "1".to_owned(),
                        digest: String::new(),
                    }),
                    agent: "desk".to_owned(),
                    connection: "main".to_owned(),
                    from: phone("+15125550100"),
                    to: caller(),
                    variables: Map::new(),
                    ring_for: 20,
                })),
            )],
        )
        .also(&["call to the contact: UNKNOWN, placed 1 times"])
        .also(&["call to the contact: UNKNOWN, placed 0 times"]),
    ]
}

fn gate() -> Vec<Case> {
    let night = |scenario: &mut Scenario| scenario.start = "2026-11-19T05:00:00Z".parse().unwrap();
    let out = hook(Input::OptOut(caller(), true, OptOutSource::Api));
    vec![
        case(
            "quiet hours defer",
            vec![],
            vec![(1_000, offer("an offer"))],
        )
        .change(night),
        case(
            "quiet hours, and STOP",
            vec![],
            vec![(1_000, offer("an offer")), (60_000, text("I1", "STOP"))],
        )
        .change(night),
        case(
            "an opt-out refuses",
            vec![],
            vec![(1_000, out), (30_000, api("one"))],
        ),
        case(
            "STOP between two texts of a run",
            vec![nurture()],
            vec![(1_000, start("nurture")), (30_000, text("I1", "STOP"))],
        )
        .stopped("First words."),
        case(
            "STOP while a text is in flight",
            vec![follow_up()],
            vec![
                (1_000, call("C1", CallOutcome::NoAnswer)),
                (1_020, text("I1", "STOP")),
            ],
        )
        .stopped("Sorry we missed you."),
    ]
}

fn sending() -> Vec<Case> {
    let idempotent = |scenario: &mut Scenario| {
        for connection in scenario.setup.connections.values_mut() {
            connection.idempotent = true;
        }
    };
    let blind = |scenario: &mut Scenario| scenario.faults.list = false;
    let one = || vec![(1_000, api("one"))];
    let down = || say("down", SendResult::Unavailable);
    let four = |scenario: &mut Scenario| scenario.setup.limits.attempts = 4;
    vec![
        case("refused, tried again", vec![], one()).wire(&[down(), down()]),
        case("refused until the end", vec![], one())
            .wire(&[
                down(),
                down(),
                down(),
                down(),
                down(),
                down(),
                down(),
                down(),
            ])
            .change(four)
            .also(&["text \"one\" to +13125550123: accepted, 1 at the provider"]),
        case("refused for half a minute", vec![], one()).wire(&[say("busy", |problem| {
            SendResult::RateLimited(Some(30), problem)
        })]),
        case("refused for good", vec![], one())
            .wire(&[say("invalid", SendResult::Rejected)])
            .also(&["text \"one\" to +13125550123: accepted, 1 at the provider"]),
        case("blocked at the provider", vec![], one())
            .wire(&[say("stopped", SendResult::OptedOut)])
            .also(&["text \"one\" to +13125550123: accepted, 1 at the provider"]),
        case(
            "two texts, the first one refused",
            vec![],
            vec![(1_000, api("one")), (1_010, api("two"))],
        )
        .wire(&[down()]),
        case("unknown, then found", vec![], one()).wire(&[Wire::LoseAnswer]),
        case("unknown, then absent", vec![], one()).wire(&[Wire::LoseRequest]),
        case("unknown, then a report", vec![], one())
            .wire(&[Wire::LoseAnswer])
            .change(blind)
            .reports(),
        case("unknown, then a person says sent", vec![], one())
            .wire(&[Wire::LoseAnswer])
            .change(blind),
        case("unknown, then a person says again", vec![], one())
            .wire(&[Wire::LoseRequest])
            .change(blind),
        case(
            "unknown, repeated to a provider that knows our id",
            vec![],
            one(),
        )
        .wire(&[Wire::LoseAnswer, Wire::LoseRequest])
        .change(idempotent),
        case(
            "a run, unknown",
            vec![nurture()],
            vec![(1_000, start("nurture"))],
        )
        .wire(&[Wire::LoseAnswer]),
    ]
}

fn others() -> Vec<Case> {
    let forward = |scenario: &mut Scenario| {
        let mut desk = agent("desk", "+15125550100", "main");
        desk.calls = Some(Calls::Missed);
        scenario.setup.agents.insert("desk".to_owned(), desk);
    };
    vec![
        case(
            "a person takes over for an hour",
            vec![hand_over()],
            vec![
                (1_000, text("I1", "a person please")),
                (60_000, text("I2", "hello?")),
            ],
        ),
        case(
            "a file changes under a run",
            vec![follow_up()],
            vec![
                (1_000, call("C1", CallOutcome::NoAnswer)),
                (60_000, Happening::Edit("missed".to_owned(), Some(edited()))),
                (90_000, call("C2", CallOutcome::NoAnswer)),
                (120_000, Happening::Edit("missed".to_owned(), None)),
                (150_000, call("C3", CallOutcome::NoAnswer)),
                (
                    180_000,
                    Happening::Edit("missed".to_owned(), Some(follow_up())),
                ),
            ],
        )
        .change(|scenario| scenario.edits = vec![edited()]),
        case(
            "nobody looks at a draft",
            vec![drafted()],
            vec![(1_000, start("drafted"))],
        ),
        case(
            "STOP while a draft waits",
            vec![drafted()],
            vec![(1_000, start("drafted")), (300_000, text("I1", "STOP"))],
        ),
        case(
            "every call was missed already",
            vec![follow_up()],
            vec![
                (1_000, call("C1", CallOutcome::Ringing)),
                (3_000, call("C1", CallOutcome::Completed)),
            ],
        )
        .change(forward),
    ]
}

pub(super) fn all() -> Vec<Case> {
    [intake(), gate(), sending(), others()]
        .into_iter()
        .flatten()
        .collect()
}
