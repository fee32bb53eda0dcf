//! What people, programs and providers do in the scenarios, and the workflows
//! that they meet.

use std::sync::Arc;

use serde_json::Map;

use super::super::agenda::Happening;
use super::super::script::Wire;
use crate::engine::tests::build::{manual, missed, phone, received, reply, send, wait, workflow};
use crate::engine::{
    CallOutcome, CallReport, Idempotency, IncomingText, Input, SendRequest, SendResult,
    StartRequest,
};
use crate::model::{Direction, Origin, PhoneNumber, Problem};
use crate::workflow::expression::{Template, Value};
use crate::workflow::{
    Action, Again, Approve, Compose, Definition, Handoff, Intent, Missed, On, OnUnknown, Overlap,
    Schedule, Set, Unanswered, Workflow,
};

pub(super) fn caller() -> PhoneNumber {
    phone("+13125550123")
}

pub(super) fn hook(input: Input) -> Happening {
    Happening::Hook(input, 0)
}

pub(super) fn text(id: &str, body: &str) -> Happening {
    hook(Input::Text(IncomingText {
        connection: "main".to_owned(),
        provider_id: id.to_owned(),
        from: caller(),
        to: phone("+15125550100"),
        body: body.to_owned(),
        media: Vec::new(),
        keyword: None,
    }))
}

pub(super) fn call(id: &str, outcome: CallOutcome) -> Happening {
    hook(Input::Call(CallReport {
        connection: "main".to_owned(),
        provider_id: id.to_owned(),
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
    }))
}

pub(super) fn request(body: &str) -> SendRequest {
    SendRequest {
        idempotency: Some(Idempotency {
            source: "api".to_owned(),
            key: body.to_owned(),
            digest: body.to_owned(),
        }),
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

pub(super) fn api(body: &str) -> Happening {
    hook(Input::Send(request(body)))
}

pub(super) fn offer(body: &str) -> Happening {
    hook(Input::Send(SendRequest {
        intent: Intent::Marketing,
        ..request(body)
    }))
}

pub(super) fn start(workflow: &str) -> Happening {
    hook(Input::Start(StartRequest {
        idempotency: Some(Idempotency {
            source: "start".to_owned(),
            key: workflow.to_owned(),
            digest: workflow.to_owned(),
        }),
        workflow: workflow.to_owned(),
        contact: Some(caller()),
        input: Map::new(),
    }))
}

pub(super) fn say(code: &str, make: impl FnOnce(Problem) -> SendResult) -> Wire {
    Wire::Say(make(Problem {
        code: code.to_owned(),
        text: code.to_owned(),
    }))
}

pub(super) fn follow_up() -> Arc<Workflow> {
    let steps = vec![
        ("text", "", send("Sorry we missed you.")),
        ("answer", "", reply(Some(3_600))),
        ("again", "answer.timed_out", send("Still happy to help.")),
        ("thanks", "not answer.timed_out", send("Thank you.")),
    ];
    workflow("missed", missed(), steps, |one| {
        one.enroll.again = Again::Always;
    })
}

pub(super) fn edited() -> Arc<Workflow> {
    let steps = vec![("text", "", send("Sorry, once more (v2)."))];
    workflow("missed", missed(), steps, |one: &mut Definition| {
        one.description = Some("v2".to_owned());
        one.enroll.again = Again::Always;
    })
}

pub(super) fn nurture() -> Arc<Workflow> {
    let set = Action::Set(Set {
        values: vec![("seen".to_owned(), Value::Literal(true.into()))],
    });
    let steps = vec![
        ("one", "", send("First words.")),
        ("pause", "", wait(45)),
        ("set", "", set),
        ("two", "", send("Second words.")),
    ];
    workflow("nurture", manual(), steps, |_| {})
}

/// A draft that nobody is told of: the letters of notices are others in each play.
pub(super) fn drafted() -> Arc<Workflow> {
    let draft = Action::Compose(Compose {
        fallback: Some(Template::new("A draft.").unwrap()),
        approve: Some(Approve {
            by: "nobody".to_owned(),
            timeout: Some(600),
            default: Unanswered::Send,
        }),
        ..Compose::default()
    });
    let steps = vec![("draft", "", draft), ("after", "", send("No draft."))];
    workflow("drafted", manual(), steps, |_| {})
}

pub(super) fn schedule() -> Arc<Workflow> {
    let every_six_hours = On::Schedule(Schedule {
        cron: "0 */6 * * *".to_owned(),
        zone: None,
        missed: Missed::RunOnce,
        overlap: Overlap::Queue,
    });
    let set = Action::Set(Set {
        values: vec![("x".to_owned(), Value::Literal(1.into()))],
    });
    workflow("clock", every_six_hours, vec![("set", "", set)], |_| {})
}

pub(super) fn hand_over() -> Arc<Workflow> {
    let handoff = Action::Handoff(Handoff {
        to: "ann".to_owned(),
        reason: None,
        reply: Some(Template::new("A person will answer you.").unwrap()),
        release_after: Some(3_600),
    });
    workflow(
        "hand-over",
        received(),
        vec![("person", "", handoff)],
        |_| {},
    )
}
