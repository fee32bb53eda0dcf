//! A configuration for a workflow where there is none: what the file names is there,
//! so that it can be played, and is said to be a stand-in.

use jiff::tz::TimeZone;
use regex::Regex;

use crate::engine::{Agent, Connection, Inbound, OpeningHours, Person, Setup};
use crate::model::PhoneNumber;
use crate::schedule::Hours;
use crate::workflow::expression::Template;
use crate::workflow::{Action, Content, On, Workflow};

/// The connection of agents that stand in.
const LINE: &str = "pretend";

/// What a workflow names and a configuration does not have, made up: agents, people,
/// opening hours (nine to six on working days), templates. The sentences say what was
/// made up; there are none when nothing was.
pub fn stand_in(workflow: &Workflow, setup: &Setup) -> (Setup, Vec<String>) {
    let mut made = setup.clone();
    let mut told = Vec::new();
    if made.business.zone.is_empty() {
        "UTC".clone_into(&mut made.business.zone);
    }
    if made.business.name.is_empty() {
        "Your Business".clone_into(&mut made.business.name);
        told.push("the business is called Your Business".to_owned());
    }
    let mut agents = agents(workflow);
    if agents.is_empty() && made.agents.is_empty() {
        agents.push("front-desk".to_owned());
    }
    for id in agents {
        if made.agents.contains_key(&id) {
            continue;
        }
        let count = made.agents.len();
        let numbers = PhoneNumber::parse(&format!("+151255501{count:02}"));
        let agent = Agent {
            id: id.clone(),
            name: id.clone(),
            numbers: numbers.into_iter().collect(),
            connection: Some(LINE.to_owned()),
            calls: None,
            voice: None,
            inbound: Inbound::Off,
        };
        told.push(format!("agent {id} is made up"));
        made.agents.insert(id, agent);
        let connection = Connection {
            name: LINE.to_owned(),
            idempotent: false,
            handles_opt_out: false,
            chooses_sender: false,
            settle_ms: 60_000,
            segment_us: None,
        };
        made.connections
            .entry(LINE.to_owned())
            .or_insert(connection);
    }
    for name in people(workflow) {
        let count = made.people.len();
        let phone = PhoneNumber::parse(&format!("+151255509{count:02}"));
        if let (false, Some(phone)) = (made.people.contains_key(&name), phone) {
            told.push(format!("person {name} is made up"));
            made.people.insert(name, Person { phone });
        }
    }
    let mut hours = made.hours.0.clone();
    for name in hours_named(workflow) {
        if hours.contains_key(&name) || TimeZone::get(&made.business.zone).is_err() {
            continue;
        }
        let days = [("mon-fri", "09:00-18:00")];
        if let Ok(open) = Hours::parse(&made.business.zone, days, []) {
            told.push(format!(
                "hours {name} are nine to six from Monday to Friday"
            ));
            hours.insert(name, open);
        }
    }
    made.hours = std::sync::Arc::new(OpeningHours(hours));
    for step in &workflow.definition.steps {
        if let Action::Send(send) = &step.action
            && let Content::Template(name) = &send.content
            && !made.templates.contains_key(name)
            && let Ok(template) = Template::new(&format!("[template {name}]"))
        {
            told.push(format!("template {name} is made up"));
            made.templates.insert(name.clone(), template);
        }
    }
    (made, told)
}

fn agents(workflow: &Workflow) -> Vec<String> {
    let triggers = workflow.definition.triggers.iter();
    let of_triggers = triggers.filter_map(|trigger| match &trigger.on {
        On::CallMissed(filter) | On::CallCompleted(filter) => filter.agent.clone(),
        On::MessageReceived(filter) => filter.to_agent.clone(),
        _ => None,
    });
    let steps = workflow.definition.steps.iter();
    let of_steps = steps.filter_map(|step| match &step.action {
        Action::Send(send) => send.agent.clone(),
        Action::Compose(compose) => compose.agent.clone(),
        Action::Call(call) => call.agent.clone(),
        _ => None,
    });
    let mut all: Vec<String> = of_triggers.chain(of_steps).collect();
    all.dedup();
    all
}

fn people(workflow: &Workflow) -> Vec<String> {
    let steps = workflow.definition.steps.iter();
    steps
        .filter_map(|step| match &step.action {
            Action::Handoff(handoff) => Some(handoff.to.clone()),
            Action::Notify(notify) => notify.to.clone(),
            _ => None,
        })
        .collect()
}

/// The names in `in_hours("…")` and its like, wherever they stand in the file.
fn hours_named(workflow: &Workflow) -> Vec<String> {
    let pattern = r#"(?:in_hours|next_open|business_hours)\(\s*["']([^"']+)["']"#;
    let Ok(pattern) = Regex::new(pattern) else {
        return Vec::new();
    };
    let found = pattern.captures_iter(&workflow.source);
    found
        .filter_map(|one| Some(one.get(1)?.as_str().to_owned()))
        .collect()
}
