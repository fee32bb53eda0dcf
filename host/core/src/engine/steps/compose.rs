//! Texts that a model writes: what it is asked, the guard in front of its answer,
//! and what is sent instead.

use serde_json::{Map, Value as Json, json};

use super::super::work::{self, Ask};
use super::super::{
    Agent, Compose as Wanted, Step as Result, Tx, World, approvals, runs, texts, threads,
};
use super::{May, Next, failed, no_agent};
use crate::model::{Conversation, Origin, Run, Waiting, keys};
use crate::sms;
use crate::workflow::expression::Scope;
use crate::workflow::{Compose, OnGuardFail, Step};

/// Seconds that a model may take when the file does not say.
const ANSWER: u64 = 60;
/// How many of the last texts it sees when the file does not say.
const HISTORY: u64 = 20;
/// The longest text in segments when the file does not say.
const SEGMENTS: u64 = 3;

/// Asks the model.
pub(super) fn begin(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &Step,
    compose: &Compose,
    scope: &Scope,
) -> Result<Next> {
    let Some(phone) = run.contact.clone() else {
        return Ok(failed("there is no contact to text"));
    };
    let agent = match agent(world, run, compose) {
        Ok(agent) => agent,
        Err(text) => return Ok(Next::Fail(text)),
    };
    let request = match compose.prompt.as_ref().map(|prompt| prompt.render(scope)) {
        None => String::new(),
        Some(Ok(request)) => request,
        Some(Err(error)) => return Ok(failed(format!("`prompt`: {error}"))),
    };
    let conversation = threads::open(tx, &agent.id, &phone)?;
    super::texts::stands_in(run, agent, &conversation.id);
    let number =
        |given: Option<u64>, usual: u64| u32::try_from(given.unwrap_or(usual)).unwrap_or(u32::MAX);
    let mut variables = Map::new();
    for name in ["event", "lead", "vars"] {
        if let Some(value) = scope.get(name) {
            variables.insert(name.to_owned(), value.clone());
        }
    }
    let ask = Ask::Compose(Wanted {
        agent: agent.id.clone(),
        conversation: conversation.id,
        request,
        history: number(compose.history, HISTORY),
        tools: compose.tools.clone(),
        max_segments: number(compose.max_segments, SEGMENTS),
        model: compose.model.clone(),
        variables,
    });
    let waiting = work::begin(tx, run, &step.id, step.timeout.unwrap_or(ANSWER), ask)?;
    Ok(Next::Wait(waiting, "for a model to write".to_owned()))
}

fn agent<'a>(
    world: World<'a>,
    run: &Run,
    compose: &Compose,
) -> std::result::Result<&'a Agent, String> {
    let id = compose.agent.as_deref().or(run.agent.as_deref());
    id.and_then(|id| world.setup.agents.get(id))
        .ok_or_else(|| no_agent(id))
}

/// The model has answered: its words go, or what stands in for them.
pub(super) fn written(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &Step,
    compose: &Compose,
    answer: &Json,
) -> Result<()> {
    let words = answer
        .get("text")
        .and_then(Json::as_str)
        .unwrap_or_default();
    let Some(why) = refused(compose, words.trim(), answer) else {
        return match send(world, tx, run, step, compose, words.trim(), false)? {
            None => Ok(()),
            Some(problem) => runs::fail_for(world, tx, run, &problem, May::BeReplaced),
        };
    };
    let text = format!("the guard refuses the model's words: {why}");
    runs::note(tx, run, Some(&step.id), "guarded", &text)?;
    match compose.on_guard_fail {
        OnGuardFail::Fallback => runs::fail_for(world, tx, run, &text, May::BeReplaced),
        OnGuardFail::Fail => runs::fail_for(world, tx, run, &text, May::Nothing),
        OnGuardFail::Skip => {
            let own = json!({ "ok": false, "error": text, "status": "skipped" });
            let result = work::result(tx, run, &own);
            runs::pass(world, tx, run, result)
        }
        OnGuardFail::Handoff => hand_over(world, tx, run, &text),
    }
}

/// A person takes the conversation: the one whose name says so, or the first.
fn hand_over(world: World<'_>, tx: &mut Tx<'_>, run: &mut Run, why: &str) -> Result<()> {
    let people = &world.setup.people;
    let named = ["on-call", "support"];
    let to = named
        .into_iter()
        .find(|name| people.contains_key(*name))
        .or_else(|| people.keys().next().map(String::as_str));
    let conversation = match &run.conversation {
        Some(id) => tx.get::<Conversation>(&keys::conversation(id))?,
        None => None,
    };
    let (Some(to), Some(mut conversation)) = (to, conversation) else {
        let text = format!("{why}; and there is no person to take over");
        return runs::fail_for(world, tx, run, &text, May::Nothing);
    };
    runs::stop_waiting(tx, run);
    runs::put(tx, run)?;
    let id = run.id.clone();
    threads::take(world, tx, &mut conversation, to, why, Some(&id), None)?;
    let own = json!({ "ok": false, "error": why, "status": "skipped", "to": to });
    let result = work::result(tx, run, &own);
    runs::pass(world, tx, run, result)
}

/// The model could not be asked, or its words cannot be sent: the fallback goes,
/// where there is one. Whether it did.
pub(super) fn replaced(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &Step,
    compose: &Compose,
    why: &str,
) -> Result<bool> {
    let Some(fallback) = &compose.fallback else {
        return Ok(false);
    };
    let scope = super::scope_of(world, tx, run)?;
    let problem = match fallback.render(&scope) {
        Ok(words) => send(world, tx, run, step, compose, words.trim(), true)?,
        Err(error) => Some(error.to_string()),
    };
    let text = match &problem {
        None => format!("{why}; the fallback is sent"),
        Some(problem) => format!("{why}; and the fallback cannot be sent: {problem}"),
    };
    runs::note(tx, run, Some(&step.id), "fallback", &text)?;
    Ok(problem.is_none())
}

/// Queues the words, for which the run then waits as for any text; or says why they
/// cannot be sent.
fn send(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &Step,
    compose: &Compose,
    words: &str,
    fallback: bool,
) -> Result<Option<String>> {
    let scope = super::scope_of(world, tx, run)?;
    let appended = match compose.append.as_ref().map(|append| append.render(&scope)) {
        None => String::new(),
        Some(Ok(appended)) => appended,
        Some(Err(error)) => {
            return Ok(Some(format!("`append`: {error}")));
        }
    };
    let body = format!("{words}{appended}");
    let problem = match body.trim().is_empty() {
        true => Some("the text is empty".to_owned()),
        false => texts::too_long(body.trim()),
    };
    if problem.is_some() {
        return Ok(problem);
    }
    let (agent, phone) = match (agent(world, run, compose), run.contact.clone()) {
        (Ok(agent), Some(phone)) => (agent, phone),
        (Err(text), _) => return Ok(Some(text)),
        (_, None) => return Ok(Some("there is no contact to text".to_owned())),
    };
    let definition = world.workflows.by_hash.get(&run.definition);
    let definition = definition.map(|one| &one.definition);
    let intent = definition.map(|one| one.intent).unwrap_or_default();
    let origin = Origin::Run {
        run: run.id.clone(),
        step: step.id.clone(),
    };
    let mut draft = texts::Draft::new(agent, body.trim().to_owned(), origin, intent);
    if let Some(number) = run
        .number
        .as_ref()
        .filter(|number| agent.numbers.contains(number))
    {
        draft.number = Some(number.clone());
    }
    draft.call = run.call.clone();
    if let Some(definition) = definition {
        draft.of(definition);
    }
    let conversation = threads::open(tx, &agent.id, &phone)?;
    runs::stop_waiting(tx, run);
    let what = if fallback {
        "the fallback"
    } else {
        "the model's words"
    };
    if let Some(approve) = &compose.approve {
        let waiting = approvals::keep(world, tx, run, &step.id, approve, conversation, draft)?;
        run.waiting = Some(waiting);
        runs::put(tx, run)?;
        return Ok(None);
    }
    let message = texts::queue(tx, conversation, draft)?;
    let text = format!("texts {phone} {what}");
    runs::note(tx, run, Some(&step.id), "waits", &text)?;
    run.waiting = Some(Waiting::Text { message });
    runs::put(tx, run)?;
    Ok(None)
}

/// Why the guard does not let words through, if it does not.
fn refused(compose: &Compose, words: &str, answer: &Json) -> Option<String> {
    if words.is_empty() {
        return Some("there are none".to_owned());
    }
    let most = compose.max_segments.unwrap_or(SEGMENTS);
    let segments = u64::try_from(sms::segments(words).count).unwrap_or(u64::MAX);
    if segments > most {
        return Some(format!(
            "they take {segments} segments, and {most} are the most"
        ));
    }
    let guard = compose.guard.as_ref()?;
    let lower = words.to_lowercase();
    if let Some(word) = guard
        .never_say
        .iter()
        .find(|word| lower.contains(&word.to_lowercase()))
    {
        return Some(format!("they say {word:?}"));
    }
    if let Some(least) = guard.min_confidence
        && let Some(confidence) = answer.get("confidence").and_then(Json::as_f64)
        && confidence < least
    {
        return Some(format!(
            "the model is sure to {confidence}, and {least} is wanted"
        ));
    }
    let grounds = answer
        .get("grounds")
        .and_then(Json::as_str)
        .unwrap_or_default();
    guard
        .must_ground
        .iter()
        .find_map(|what| ungrounded(what, words, grounds))
}

/// Prices and hours that stand nowhere in what the model was given.
fn ungrounded(what: &str, words: &str, grounds: &str) -> Option<String> {
    let claims: Vec<&str> = match what {
        "price" => words
            .split_whitespace()
            .filter(|word| {
                word.contains(['$', '€', '£']) && word.contains(|c: char| c.is_ascii_digit())
            })
            .collect(),
        _ => words
            .split_whitespace()
            .filter(|word| word.contains(':') && word.contains(|c: char| c.is_ascii_digit()))
            .collect(),
    };
    let claim = claims.into_iter().find(|claim| {
        let bare = claim.trim_matches(|c: char| !c.is_alphanumeric() && !"$€£".contains(c));
        !bare.is_empty() && !grounds.contains(bare)
    })?;
    Some(format!(
        "{claim:?} stands nowhere in what it was given ({what})"
    ))
}
