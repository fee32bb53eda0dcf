//! Where a send may stand when a STOP comes: states made by stepping through
//! their past.

use std::sync::Arc;

use jiff::Timestamp;

use crate::engine::tests::build::{agent, manual, phone, send, setup, wait, workflow};
use crate::engine::{
    Act, Catalog, Command, Decision, Facts, Gated, Idempotency, InService, Input, SendRequest,
    SendResult, Setup, StartRequest, WorkResult, World, expected, step,
};
use crate::model::{Attention, Key, MessageId, Origin, PhoneNumber, Problem, State, keys};
use crate::policy::pace::Granted;
use crate::workflow::{Action, Approve, Compose, Intent, OnUnknown, Unanswered};

/// Where a send stands when the STOP comes.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) state: State,
    pub(super) now: Timestamp,
    /// What the host is about to do.
    pub(super) next: Vec<Input>,
    /// What has passed the gate and not left.
    pub(super) leaving: Vec<Gated>,
}

/// The world of the stages, and the stages.
pub(super) struct Past {
    pub(super) setup: Setup,
    pub(super) catalog: Catalog,
    pub(super) stages: Vec<Stage>,
}

pub(super) fn caller() -> PhoneNumber {
    phone("+13125550123")
}

pub(super) fn request(body: &str, intent: Intent) -> Input {
    Input::Send(SendRequest {
        idempotency: Some(Idempotency {
            source: "api".to_owned(),
            key: body.to_owned(),
            digest: String::new(),
        }),
        agent: "desk".to_owned(),
        connection: "main".to_owned(),
        from: Some(phone("+15125550100")),
        to: caller(),
        body: body.to_owned(),
        media: Vec::new(),
        intent,
        origin: Origin::Api,
        valid_until: None,
        on_unknown: OnUnknown::Hold,
    })
}

pub(super) fn accepted(id: &MessageId) -> Input {
    let provider_id = format!("P{id}");
    Input::Sent(id.clone(), SendResult::Accepted { provider_id })
}

fn problem() -> Problem {
    Problem {
        code: "down".to_owned(),
        text: "down".to_owned(),
    }
}

pub(super) fn decide(
    setup: &Setup,
    catalog: &Catalog,
    state: &State,
    input: &Input,
    now: Timestamp,
    seed: u128,
) -> Act {
    let mut facts = Facts::default();
    for key in expected(input) {
        facts.insert(key.clone(), state.get(&key).cloned());
    }
    loop {
        let world = World {
            setup,
            workflows: catalog,
        };
        match step(world, &facts, input, now, seed).unwrap() {
            Decision::Act(act) => return act,
            Decision::Turns(wanted) => {
                for one in wanted {
                    facts.grant(one.message, Granted::Now);
                }
            }
            Decision::Need(wanted) => {
                for key in wanted {
                    facts.insert(key.clone(), state.get(&key).cloned());
                }
            }
        }
    }
}

/// Somebody lets the draft go that waits.
fn approved(state: &State) -> Option<Input> {
    let (from, to) = keys::under(b'q', Attention::PendingApproval.word());
    let (key, _) = state.range(&from, &to).next()?;
    let id = MessageId::parse(keys::name_of(key)?.rsplit('/').next()?)?;
    let given = crate::engine::Approve {
        by: "ann".to_owned(),
        send: true,
        body: None,
        reason: None,
    };
    Some(Input::Approve(id, given))
}

pub(super) fn first_timer(state: &State) -> Option<(Key, Timestamp)> {
    let (from, to) = keys::table(b't');
    let (key, _) = state.range(&from, &to).next()?;
    Some((key.clone(), keys::timer_due(key)?))
}

/// Prepares the stages by stepping through their past.
pub(super) fn world() -> Past {
    let mut setup = setup();
    let night = agent("night", "+15125550101", "main");
    setup.agents.insert("night".to_owned(), night);
    if let Some(main) = setup.connections.get_mut("main") {
        main.idempotent = true;
    }
    let follow_up = workflow(
        "follow-up",
        manual(),
        vec![("pause", "", wait(60)), ("text", "", send("Still there?"))],
        |_| {},
    );
    let draft = Action::Compose(Compose {
        agent: Some("desk".to_owned()),
        approve: Some(Approve {
            by: "ann".to_owned(),
            timeout: Some(600),
            default: Unanswered::Send,
        }),
        ..Compose::default()
    });
    let drafted = workflow("drafted", manual(), vec![("text", "", draft)], |_| {});
    let mut catalog = Catalog::default();
    for one in [follow_up, drafted] {
        let hash = one.hash.clone();
        catalog.by_hash.insert(hash, Arc::clone(&one));
        let id = one.definition.id.clone();
        let in_service = InService {
            workflow: one,
            version: 1,
        };
        catalog.in_service.insert(id, in_service);
    }
    let mut world = Past {
        setup,
        catalog,
        stages: Vec::new(),
    };
    let morning: Timestamp = "2026-11-18T16:00:00Z".parse().unwrap();
    let night: Timestamp = "2026-11-19T05:00:00Z".parse().unwrap();
    let start = |id: &str| {
        Input::Start(StartRequest {
            idempotency: None,
            workflow: id.to_owned(),
            contact: Some(caller()),
            input: serde_json::Map::new(),
        })
    };
    let one = || request("one", Intent::Transactional);
    let offer = request("an offer", Intent::Marketing);
    let pasts: Vec<(Timestamp, Vec<Input>, Option<SendResult>)> = vec![
        // Nothing yet: the request comes with the STOP.
        (morning, vec![], None),
        // Passed the gate and about to leave.
        (morning, vec![one()], None),
        // Queued behind another.
        (
            morning,
            vec![one(), request("two", Intent::Transactional)],
            None,
        ),
        // Deferred, and coming due.
        (night, vec![offer], None),
        // Retrying after a refusal.
        (
            morning,
            vec![one()],
            Some(SendResult::Unavailable(problem())),
        ),
        // Unknown, and repeated to a provider that knows our id.
        (morning, vec![one()], Some(SendResult::Unknown(problem()))),
        // A run that is about to wake.
        (morning, vec![start("follow-up")], None),
        // A draft that somebody lets go, and its time comes.
        (morning, vec![start("drafted")], None),
    ];
    for (number, (now, inputs, result)) in pasts.into_iter().enumerate() {
        let mut stage = Stage {
            state: State::default(),
            now,
            next: Vec::new(),
            leaving: Vec::new(),
        };
        let mut seed = 1_000 * number as u128;
        let works = std::cell::RefCell::new(Vec::new());
        let mut take = |stage: &mut Stage, input: &Input| {
            seed += 1;
            let act = decide(
                &world.setup,
                &world.catalog,
                &stage.state,
                input,
                stage.now,
                seed,
            );
            stage.state.commit(&act.batch).unwrap();
            for command in act.commands {
                match command {
                    Command::Send(gated) => stage.leaving.push(gated),
                    Command::Work(work) => works.borrow_mut().push(work),
                    _ => {}
                }
            }
        };
        for input in &inputs {
            take(&mut stage, input);
        }
        let work = works.borrow_mut().pop();
        if let Some(work) = work {
            let words = WorkResult::Done(serde_json::json!({ "text": "A draft." }));
            take(&mut stage, &Input::Worked(work.run, work.number, words));
            // The notice to Ann is on its way.
            stage.leaving.clear();
            stage.next.extend(approved(&stage.state));
        }
        if let Some(result) = result {
            let gated = stage.leaving.pop().unwrap();
            take(&mut stage, &Input::Sent(gated.message().clone(), result));
        }
        if let Some((key, due)) = first_timer(&stage.state) {
            stage.now = due;
            stage.next.push(Input::Timer(key));
        }
        if inputs.is_empty() {
            stage.next.push(request("fresh", Intent::Transactional));
        }
        if inputs.len() == 2 {
            // The first one has left; its outcome lets the second one go.
            let first = stage.leaving.pop().unwrap();
            stage.next.push(accepted(first.message()));
        }
        let busy = stage.next.len() + stage.leaving.len();
        assert!(busy > 0, "stage {number} has nothing to do");
        world.stages.push(stage);
    }
    world
}
