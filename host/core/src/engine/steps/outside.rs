//! Steps whose work is done outside: what they ask for, and what becomes of the
//! answers. Texts by models stand in `compose`.

use serde_json::{Map, Value as Json, json};

use super::super::work::{self, Ask, Body};
use super::super::{Http as Request, Step as Result, Tx, World, requests, runs, texts, threads};
use super::{Next, failed, no_agent};
use crate::model::{Origin, PhoneNumber, Run, Waiting};
use crate::workflow::expression::{Scope, Value};
use crate::workflow::{Call, Classify, Extract, Http, Intent, Notify, Step, UntilWhen, Uses, what};

/// Seconds that a request may take when the file does not say.
const HTTP: u64 = 15;
/// Seconds that a model or a plugin may take when the file does not say.
const ANSWER: u64 = 60;
/// Seconds that a call rings when the file does not say.
const RING_FOR: u64 = 30;

fn wait(waiting: Waiting, text: impl Into<String>) -> Next {
    Next::Wait(waiting, text.into())
}

pub(super) fn http(
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &Step,
    http: &Http,
    scope: &Scope,
) -> Result<Next> {
    let request = match request(http, scope) {
        Ok(request) => request,
        Err(text) => return Ok(Next::Fail(text)),
    };
    let text = format!("for {} {}", request.method, without_query(&request.url));
    let seconds = http.timeout.or(step.timeout).unwrap_or(HTTP);
    let waiting = work::begin(tx, run, &step.id, seconds, Ask::Http(request))?;
    Ok(wait(waiting, text))
}

/// An address as it may be shown: what stands behind the `?` may be a secret.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

fn request(http: &Http, scope: &Scope) -> std::result::Result<Request, String> {
    let url = http
        .url
        .render(scope)
        .map_err(|error| format!("`url`: {error}"))?;
    let eval = |name: &str, value: &Value| {
        value
            .eval(scope)
            .map_err(|error| format!("`{name}`: {error}"))
    };
    let headers = match &http.headers {
        Some(headers) => pairs("headers", eval("headers", headers)?)?,
        None => Vec::new(),
    };
    let body = if let Some(json) = &http.json {
        Body::Json(eval("json", json)?)
    } else if let Some(form) = &http.form {
        Body::Form(pairs("form", eval("form", form)?)?)
    } else if let Some(body) = &http.body {
        Body::Text(
            body.render(scope)
                .map_err(|error| format!("`body`: {error}"))?,
        )
    } else {
        Body::Empty
    };
    Ok(Request {
        method: http.method.clone(),
        url: url.trim().to_owned(),
        headers,
        body,
        expect: http.expect.clone(),
    })
}

/// Names and values as texts; what is null is left out.
fn pairs(name: &str, value: Json) -> std::result::Result<Vec<(String, String)>, String> {
    let Json::Object(map) = value else {
        return Err(format!(
            "`{name}` must be names and values, and it is {}",
            what(&value)
        ));
    };
    let mut pairs = Vec::with_capacity(map.len());
    for (key, value) in map {
        match value {
            Json::Null => {}
            Json::String(text) => pairs.push((key, text)),
            Json::Array(_) | Json::Object(_) => {
                return Err(format!(
                    "`{name}.{key}` must be a text, and it is {}",
                    what(&value)
                ));
            }
            other => pairs.push((key, other.to_string())),
        }
    }
    Ok(pairs)
}

pub(super) fn uses(
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &Step,
    uses: &Uses,
    scope: &Scope,
) -> Result<Next> {
    let with = match uses.with.as_ref().map(|with| with.eval(scope)) {
        None => Json::Object(Map::new()),
        Some(Ok(with)) => with,
        Some(Err(error)) => return Ok(failed(format!("`with`: {error}"))),
    };
    let ask = Ask::Uses {
        plugin: uses.plugin.clone(),
        with,
    };
    let waiting = work::begin(tx, run, &step.id, step.timeout.unwrap_or(ANSWER), ask)?;
    Ok(wait(waiting, format!("for {}", uses.plugin)))
}

pub(super) fn classify(
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &Step,
    classify: &Classify,
    scope: &Scope,
) -> Result<Next> {
    let text = match words(&classify.text, scope) {
        Ok(text) => text,
        Err(text) => return Ok(Next::Fail(text)),
    };
    let ask = Ask::Classify {
        text,
        labels: classify.labels.clone(),
        model: classify.model.clone(),
    };
    let waiting = work::begin(tx, run, &step.id, step.timeout.unwrap_or(ANSWER), ask)?;
    Ok(wait(waiting, "for a model"))
}

pub(super) fn extract(
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &Step,
    extract: &Extract,
    scope: &Scope,
) -> Result<Next> {
    let text = match words(&extract.text, scope) {
        Ok(text) => text,
        Err(text) => return Ok(Next::Fail(text)),
    };
    let fields = extract.fields.iter();
    let ask = Ask::Extract {
        text,
        fields: fields
            .map(|(name, kind)| (name.clone(), kind.source()))
            .collect(),
        model: extract.model.clone(),
    };
    let waiting = work::begin(tx, run, &step.id, step.timeout.unwrap_or(ANSWER), ask)?;
    Ok(wait(waiting, "for a model"))
}

/// `text` as a text.
fn words(value: &Value, scope: &Scope) -> std::result::Result<String, String> {
    match value.eval(scope) {
        Ok(Json::String(text)) => Ok(text),
        Ok(Json::Null) => Ok(String::new()),
        Ok(other) => Ok(other.to_string()),
        Err(error) => Err(format!("`text`: {error}")),
    }
}

/// A text to a person goes without waiting; a webhook is waited for, so that a
/// failure is seen.
pub(super) fn notify(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &Step,
    notify: &Notify,
    scope: &Scope,
) -> Result<Next> {
    let words = match notify.text.render(scope) {
        Ok(text) => text.trim().to_owned(),
        Err(error) => return Ok(failed(error)),
    };
    if let Some(problem) = texts::too_long(&words) {
        return Ok(Next::Fail(problem));
    }
    let mut message = None;
    if let Some(to) = notify.to.as_ref().filter(|_| run.tries == 0) {
        let Some(person) = world.setup.people.get(to) else {
            return Ok(Next::Fail(format!("there is no person {to:?}")));
        };
        let agent = run
            .agent
            .as_ref()
            .and_then(|id| world.setup.agents.get(id))
            .or_else(|| world.setup.agents.values().next());
        let Some(agent) = agent else {
            return Ok(Next::Fail(no_agent(run.agent.as_deref())));
        };
        if run.contact.as_ref() == Some(&person.phone) {
            return Ok(Next::Fail(format!("{to} is the contact of this run")));
        }
        let thread = threads::open(tx, &agent.id, &person.phone)?;
        let draft = texts::Draft::new(agent, words.clone(), Origin::Notice, Intent::Transactional);
        message = Some(texts::queue(tx, thread, draft)?);
        let text = format!("{to} is told");
        runs::note(tx, run, Some(&step.id), "notified", &text)?;
    }
    let Some(webhook) = &notify.webhook else {
        return Ok(Next::Go(
            json!({ "ok": true, "at": tx.now, "message": message }),
        ));
    };
    let url = match webhook.render(scope) {
        Ok(url) => url.trim().to_owned(),
        Err(error) => return Ok(failed(format!("`webhook`: {error}"))),
    };
    let ask = Ask::Http(Request {
        method: "POST".to_owned(),
        url,
        headers: Vec::new(),
        body: Body::Json(json!({
            "type": "notify",
            "text": words,
            "workflow": run.workflow,
            "run": run.id,
            "step": step.id,
            "contact": run.contact,
            "to": notify.to,
            "at": tx.now,
        })),
        expect: Vec::new(),
    });
    let waiting = work::begin(tx, run, &step.id, step.timeout.unwrap_or(HTTP), ask)?;
    Ok(wait(waiting, "for the program that is told"))
}

pub(super) fn call(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &Step,
    call: &Call,
    scope: &Scope,
) -> Result<Next> {
    let to = match call.to.as_ref().map(|to| to.eval(scope)) {
        None => run.contact.clone(),
        Some(Ok(Json::String(text))) => match PhoneNumber::parse(text.trim()) {
            Some(phone) => Some(phone),
            None => {
                return Ok(failed(format!(
                    "`to` is {text:?}, which is not a phone number"
                )));
            }
        },
        Some(Ok(other)) => return Ok(failed(format!("`to` is {other}, not a phone number"))),
        Some(Err(error)) => return Ok(failed(format!("`to`: {error}"))),
    };
    let Some(to) = to else {
        return Ok(failed("there is no contact to call"));
    };
    let agent_id = call.agent.as_deref().or(run.agent.as_deref());
    let Some(agent) = agent_id.and_then(|id| world.setup.agents.get(id)) else {
        return Ok(Next::Fail(no_agent(agent_id)));
    };
    let variables = match call.variables.as_ref().map(|one| one.eval(scope)) {
        None => Map::new(),
        Some(Ok(Json::Object(map))) => map,
        Some(Ok(other)) => {
            let text = format!(
                "`variables` must be names and values, and it is {}",
                what(&other)
            );
            return Ok(Next::Fail(text));
        }
        Some(Err(error)) => return Ok(failed(format!("`variables`: {error}"))),
    };
    let ring_for = u32::try_from(call.ring_for.unwrap_or(RING_FOR)).unwrap_or(u32::MAX);
    let Some(from) = run
        .number
        .as_ref()
        .filter(|number| agent.numbers.contains(number))
        .or(agent.numbers.first())
    else {
        return Ok(Next::Fail(format!(
            "{} has no number to call from",
            agent.id
        )));
    };
    let wanted = requests::CallWanted {
        agent: Some(agent),
        connection: agent.connection.clone().unwrap_or_default(),
        from: from.clone(),
        to,
        variables,
        ring_for,
        run: (call.wait == UntilWhen::Finished).then(|| run.id.clone()),
    };
    let placed = match requests::place_for(tx, wanted)? {
        Ok(id) => id,
        Err(text) => return Ok(Next::Fail(text)),
    };
    if call.wait == UntilWhen::None {
        return Ok(Next::Go(
            json!({ "ok": true, "at": tx.now, "call": placed }),
        ));
    }
    let timer = super::others::limit(tx, run, step)?;
    let text = format!("for the call {placed} to end");
    Ok(wait(
        Waiting::Call {
            call: placed,
            timer,
        },
        text,
    ))
}
