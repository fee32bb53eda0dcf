//! Definitions, built from their structs: what these tests and the simulator's
//! need of them.

use std::sync::Arc;

use crate::engine::{Agent, Business, Connection, Inbound, Person, Setup};
use crate::model::PhoneNumber;
use crate::workflow::expression::{Expression, Template};
use crate::workflow::{
    Action, Awaited, CallFilter, Content, Definition, Intent, Manual, On, OnUnknown, Send, Step,
    TextFilter, Trigger, Wait, WaitFor, Workflow,
};

pub(crate) fn phone(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

pub(crate) fn send(body: &str) -> Action {
    Action::Send(Send {
        agent: None,
        content: Content::Body(Template::new(body).unwrap()),
        media: Vec::new(),
        from: None,
        valid_until: None,
        on_unknown: OnUnknown::Hold,
    })
}

pub(crate) fn send_with(body: &str, change: impl FnOnce(&mut Send)) -> Action {
    let Action::Send(mut send) = send(body) else {
        unreachable!()
    };
    change(&mut send);
    Action::Send(send)
}

pub(crate) fn wait(seconds: u64) -> Action {
    Action::Wait(Wait {
        seconds,
        ..Wait::default()
    })
}

pub(crate) fn reply(timeout: Option<u64>) -> Action {
    Action::WaitFor(WaitFor {
        events: vec![Awaited::from(received())],
        timeout,
    })
}

/// Steps of an id, a condition (empty for none) and an action.
pub(crate) fn steps(actions: Vec<(&str, &str, Action)>) -> Vec<Step> {
    let step = |(id, condition, action): (&str, &str, Action)| Step {
        condition: (!condition.is_empty()).then(|| Expression::new(condition).unwrap()),
        ..Step::plain(id.to_owned(), action)
    };
    actions.into_iter().map(step).collect()
}

pub(crate) fn missed() -> On {
    On::CallMissed(CallFilter::default())
}

pub(crate) fn received() -> On {
    On::MessageReceived(TextFilter::default())
}

pub(crate) fn manual() -> On {
    On::Manual(Manual::default())
}

/// A workflow for customer care; the hash is its id and steps.
pub(crate) fn workflow(
    id: &str,
    on: On,
    actions: Vec<(&str, &str, Action)>,
    change: impl FnOnce(&mut Definition),
) -> Arc<Workflow> {
    let mut definition = Definition {
        format: 1,
        id: id.to_owned(),
        name: id.to_owned(),
        triggers: vec![Trigger {
            on,
            condition: None,
        }],
        intent: Intent::CustomerCare,
        steps: steps(actions),
        ..Definition::default()
    };
    change(&mut definition);
    let json = serde_json::to_string(&definition).unwrap();
    Arc::new(Workflow {
        hash: blake3::hash(json.as_bytes()).to_string(),
        definition,
        source: String::new(),
        positions: Vec::new(),
        tests: Vec::new(),
    })
}

pub(crate) fn agent(id: &str, number: &str, connection: &str) -> Agent {
    Agent {
        id: id.to_owned(),
        name: id.to_owned(),
        numbers: vec![phone(number)],
        connection: Some(connection.to_owned()),
        calls: None,
        voice: None,
        inbound: Inbound::Off,
    }
}

pub(crate) fn connection(name: &str) -> Connection {
    Connection {
        name: name.to_owned(),
        idempotent: false,
        handles_opt_out: false,
        chooses_sender: false,
        settle_ms: 60_000,
        segment_us: None,
    }
}

/// One agent, `desk`, on one connection, `main`; Ann takes over.
pub(crate) fn setup() -> Setup {
    let mut setup = Setup {
        business: Business {
            name: "Brightside".to_owned(),
            zone: "America/Chicago".to_owned(),
        },
        ..Setup::default()
    };
    let desk = agent("desk", "+15125550100", "main");
    setup.agents.insert("desk".to_owned(), desk);
    setup
        .connections
        .insert("main".to_owned(), connection("main"));
    let ann = Person {
        phone: phone("+15125550199"),
    };
    setup.people.insert("ann".to_owned(), ann);
    setup
}
