//! How things begin: events as the host would hear of them, made so that they fit
//! the trigger of the file that is played.

mod events;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json};

use self::events::Known;
use super::plan::Person;
use super::world::{TALK, Ticks, World};
use crate::engine::{
    Agent, Answer, CallOutcome, CallReport, Calls, Catalog, IncomingText, Input, StartRequest,
};
use crate::model::{Call, Consent, Contact, Direction, PhoneNumber};
use crate::workflow::{
    Action, CallEnd, CallFilter, Definition, InputKind, InputType, Manual, On, Starting, Trigger,
    Workflow,
};

/// Lets something begin.
pub(super) fn begin(world: &mut World<'_>, person: &Person, agent: Option<&str>, start: &Starting) {
    let runs = world.watch.runs();
    let phone = &person.phone;
    if let Starting::Event { kind, fields } = start {
        let (person, told) = events::before(world, person, kind, fields);
        world.meet(&person, kind);
        if event(world, phone, agent, kind, told) == Known::Later {
            return;
        }
    } else {
        world.meet(person, start.word());
        match start {
            Starting::Receive(text) => receive(world, phone, agent, text),
            Starting::Call(end) => call(world, phone, agent, *end, None),
            Starting::Input(input) => manual(world, phone, input),
            Starting::Schedule | Starting::Event { .. } => return fire(world),
        }
    }
    let said = world
        .watch
        .entries
        .last()
        .is_some_and(|one| one.what == "nothing" || one.what == "not_started");
    // Texts that are folded start something when the last of them has come.
    let folds = matches!(
        world.trigger(start.word()),
        Some(On::MessageReceived(filter)) if filter.fold.is_some()
    );
    if world.watch.runs() == runs && !said && !folds {
        let text = format!("{} starts nothing here", start.word());
        world.watch.note(world.now, "nothing", text);
    }
}

/// The schedule fires when it is due; in a backtest it does so anyway.
fn fire(world: &mut World<'_>) {
    if world.ticks == Ticks::Never {
        world.ticks = Ticks::Once;
    }
}

/// Lets an event happen; whether it is known at once if it starts something.
fn event(
    world: &mut World<'_>,
    phone: &PhoneNumber,
    agent: Option<&str>,
    kind: &str,
    told: Map<String, Json>,
) -> Known {
    let word = |name: &str| told.get(name).and_then(Json::as_str);
    match kind {
        "message.received" => {
            let text = word("text").or(word("body")).unwrap_or_default();
            receive(world, phone, agent, text);
        }
        "call.missed" => call(world, phone, agent, CallEnd::Missed, Some(&told)),
        "call.completed" => call(world, phone, agent, CallEnd::Completed, Some(&told)),
        "manual" => {
            let input = told.get("input").and_then(Json::as_object);
            manual(world, phone, &input.cloned().unwrap_or_default());
        }
        "schedule" => {
            fire(world);
            return Known::Later;
        }
        other => return events::happen(world, phone, agent, other, told),
    }
    Known::Now
}

/// The agent that something concerns: the one that is named, the owner of a number
/// that the trigger names, or the first.
fn agent<'s>(
    world: &World<'s>,
    named: Option<&str>,
    numbers: &[String],
) -> Option<(&'s Agent, PhoneNumber)> {
    let agents = &world.setup.agents;
    let listed = |agent: &'s Agent| {
        let mine = agent.numbers.iter();
        mine.filter(|one| numbers.iter().any(|two| two == one.as_str()))
            .map(|number| (agent, number.clone()))
            .next()
    };
    let first = |agent: &'s Agent| agent.numbers.first().map(|number| (agent, number.clone()));
    match named.and_then(|id| agents.get(id)) {
        Some(agent) => listed(agent).or_else(|| first(agent)),
        None => agents
            .values()
            .find_map(listed)
            .or_else(|| agents.values().find_map(first)),
    }
}

fn no_agent(world: &mut World<'_>) {
    let text = "no agent has a number, so nobody can be texted or called".to_owned();
    world.watch.note(world.now, "nothing", text);
}

/// A text from a person.
pub(super) fn receive(world: &mut World<'_>, phone: &PhoneNumber, named: Option<&str>, text: &str) {
    let filter = match world.trigger("message.received") {
        Some(On::MessageReceived(filter)) => filter.to_agent.clone(),
        _ => None,
    };
    // Whoever was texted answers to the number that texted.
    let spoken = world.watch.spoke.get(phone).cloned();
    let chosen = spoken.or_else(|| {
        let (agent, number) = agent(world, named.or(filter.as_deref()), &[])?;
        Some((agent.connection.clone().unwrap_or_default(), number))
    });
    let Some((connection, number)) = chosen else {
        return no_agent(world);
    };
    world.issued += 1;
    let input = Input::Text(IncomingText {
        connection,
        provider_id: format!("I{}", world.issued),
        from: phone.clone(),
        to: number,
        body: text.to_owned(),
        media: Vec::new(),
        keyword: None,
    });
    world.watch.heard(world.now, phone, text);
    world.take(&input);
}

/// A call with a person, as the trigger wants it.
pub(super) fn call(
    world: &mut World<'_>,
    phone: &PhoneNumber,
    named: Option<&str>,
    end: CallEnd,
    fields: Option<&Map<String, Json>>,
) {
    let word = match end {
        CallEnd::Missed => "call.missed",
        CallEnd::Answered | CallEnd::Completed => "call.completed",
    };
    let filter = match world.trigger(word) {
        Some(On::CallMissed(filter) | On::CallCompleted(filter)) => filter.clone(),
        _ => CallFilter::default(),
    };
    let said = |name: &str| fields.and_then(|fields| fields.get(name));
    let text = |name: &str| said(name).and_then(Json::as_str).map(str::to_owned);
    let outbound = match text("direction").as_deref() {
        Some(direction) => direction.eq_ignore_ascii_case("outbound"),
        None => filter.direction == Some(crate::workflow::Direction::Outbound),
    };
    let numbers = if outbound { &filter.from } else { &filter.to };
    let named = named.or(filter.agent.as_deref());
    let Some((agent, number)) = agent(world, named, numbers) else {
        return no_agent(world);
    };
    let (from, to) = match outbound {
        true => (number, phone.clone()),
        false => (phone.clone(), number),
    };
    world.issued += 1;
    let talk = said("duration").and_then(Json::as_u64);
    let talk = talk.and_then(|seconds| u32::try_from(seconds).ok());
    let outcome = match end {
        CallEnd::Missed if said("voicemail").and_then(Json::as_bool) == Some(true) => {
            CallOutcome::Voicemail
        }
        CallEnd::Missed => CallOutcome::NoAnswer,
        CallEnd::Answered => CallOutcome::Answered,
        CallEnd::Completed => CallOutcome::Completed,
    };
    let spoke = end != CallEnd::Missed;
    let seconds = talk.or(spoke.then(|| u32::try_from(TALK.as_secs()).unwrap_or(60)));
    let began = seconds.and_then(|seconds| {
        let span = SignedDuration::from_secs(i64::from(seconds));
        world.now.checked_sub(span).ok()
    });
    let report = CallReport {
        connection: agent.connection.clone().unwrap_or_default(),
        provider_id: format!("C{}", world.issued),
        direction: match outbound {
            true => Direction::Outbound,
            false => Direction::Inbound,
        },
        from: Some(from),
        to: Some(to),
        // Where calls are forwarded, the leg to the owner says whether somebody spoke.
        forwarded: !outbound && matches!(agent.calls, Some(Calls::Forward { .. })),
        started_at: began.filter(|_| end == CallEnd::Completed),
        ended_at: (end == CallEnd::Completed).then_some(world.now),
        duration: seconds.filter(|_| end == CallEnd::Completed),
        summary: text("summary"),
        transcript: said("transcript").cloned(),
        recording_url: text("recording_url"),
        cause: text("cause").or_else(|| text("hangup_cause")),
        ..self::report(outcome)
    };
    let way = match (outbound, end) {
        (false, CallEnd::Missed) => "calls, and nobody answers",
        (false, CallEnd::Answered) => "calls, and somebody answers",
        (false, CallEnd::Completed) => "has called, and somebody spoke with them",
        (true, CallEnd::Missed) => "is called, and does not answer",
        (true, _) => "was called, and spoke with us",
    };
    world.watch.heard_call(world.now, phone, way);
    if end == CallEnd::Answered {
        let over = CallReport {
            duration: u32::try_from(TALK.as_secs()).ok(),
            outcome: CallOutcome::Completed,
            ..report.clone()
        };
        world.input_after(TALK, Input::Call(over));
    }
    world.take(&Input::Call(report));
}

/// A report that says nothing but how it went.
pub(super) fn report(outcome: CallOutcome) -> CallReport {
    CallReport {
        connection: String::new(),
        provider_id: String::new(),
        id: None,
        direction: Direction::Outbound,
        from: None,
        to: None,
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

/// Makes a report one on a call of ours.
pub(super) fn ours(report: &mut CallReport, call: &Call) {
    report.connection.clone_from(&call.connection);
    report.id = Some(call.id.clone());
    report.direction = call.direction;
    report.from = Some(call.number.clone());
    report.to.clone_from(&call.contact);
}

fn manual(world: &mut World<'_>, phone: &PhoneNumber, input: &Map<String, Json>) {
    let wanted = match world.trigger("manual") {
        Some(On::Manual(manual)) => manual.clone(),
        _ => Manual::default(),
    };
    let input = match wanted.check(input.clone()) {
        Ok(input) => input,
        Err(bad) => {
            let text = format!("it cannot start: {}: {}", bad.path, bad.text);
            return world.watch.note(world.now, "nothing", text);
        }
    };
    let request = Input::Start(StartRequest {
        idempotency: None,
        workflow: world.workflow.definition.id.clone(),
        contact: Some(phone.clone()),
        input,
    });
    if let Some(Answer::Refused { text, .. }) = world.take(&request) {
        world.watch.note(world.now, "nothing", text);
    }
}

/// Notes what is known of a person besides their fields, before an event of this
/// kind: to what they agreed, and whether they are a lead already.
pub(super) fn note_known(contact: &mut Contact, person: &Person, kind: &str, now: Timestamp) {
    let known = !contact.fields.is_empty() || kind == "lead.updated";
    contact.lead_since = Some(now).filter(|_| known && kind != "lead.created");
    for intent in &person.consent {
        let consent = Consent {
            at: now,
            source: "the plan".to_owned(),
        };
        contact.consent.insert(*intent, consent);
    }
}

/// The workflows that one calls, and those that they call: as they are, but deaf to
/// events. For one that is not there a stand-in does nothing; that is said.
pub(super) fn called(workflow: &Workflow, others: &Catalog) -> Vec<(Workflow, bool)> {
    let mut found: Vec<(Workflow, bool)> = Vec::new();
    let mut seen = BTreeSet::from([
        workflow.definition.id.clone(),
        workflow.definition.name.clone(),
    ]);
    let mut todo = calls(&workflow.definition);
    while let Some((name, input)) = todo.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let is = |one: &&Workflow| one.definition.id == name || one.definition.name == name;
        let mut all = others.in_service.values().map(|one| &*one.workflow);
        match all.find(|one| is(one)) {
            Some(other) => {
                todo.extend(calls(&other.definition));
                let mut other = other.clone();
                let triggers = &mut other.definition.triggers;
                triggers.retain(|trigger| matches!(trigger.on, On::Manual(_)));
                if seen.insert(other.definition.id.clone()) || other.definition.id == name {
                    found.push((other, false));
                }
            }
            None => found.push((empty(&name, &input), true)),
        }
    }
    found
}

fn calls(definition: &Definition) -> Vec<(String, Vec<String>)> {
    let steps = definition.steps.iter();
    steps
        .filter_map(|step| match &step.action {
            Action::CallWorkflow(call) => {
                let input = call.with.iter().map(|(name, _)| name.clone()).collect();
                Some((call.name.clone(), input))
            }
            _ => None,
        })
        .collect()
}

/// A workflow that does nothing.
pub(super) fn empty(name: &str, input: &[String]) -> Workflow {
    let any = InputType {
        kind: InputKind::Any,
        optional: true,
    };
    let input = input.iter().map(|name| (name.clone(), any)).collect();
    let definition = Definition {
        format: 1,
        id: name.to_owned(),
        name: name.to_owned(),
        triggers: vec![Trigger {
            on: On::Manual(Manual { input }),
            condition: None,
        }],
        ..Definition::default()
    };
    Workflow {
        hash: crate::workflow::hash(&definition),
        definition,
        source: String::new(),
        positions: Vec::new(),
        tests: Vec::new(),
    }
}
