//! What other programs tell: calls of our own addresses (`webhook`), and events that
//! plugins and programs post (`plugin.event`). Signatures were checked before.

use serde_json::{Value as Json, json};

use super::enroll::{self, Cause};
use super::events::{self, Happened, Subject};
use super::requests::{self, Made, Taken};
use super::{Answer, IncomingWebhook, PostedEvent, Step, Tx, World};
use crate::model::keys;
use crate::workflow::{Definition, On, Webhook};

/// The most bytes that a call or event may have as JSON: a run keeps it to its end.
const MOST_BYTES: usize = 256 * 1024;

fn too_large(value: &Json) -> Option<Answer> {
    let bytes = value.to_string().len();
    (bytes > MOST_BYTES).then(|| Answer::Refused {
        code: "too_large",
        text: format!("it has {bytes} bytes; {MOST_BYTES} is the most"),
    })
}

/// Another program called one of our addresses.
pub(super) fn webhook(
    world: World<'_>,
    tx: &mut Tx<'_>,
    webhook: &IncomingWebhook,
) -> Step<Answer> {
    let event = json!({
        "type": "webhook",
        "path": webhook.path,
        "body": webhook.body,
        "headers": webhook.headers,
        "query": webhook.query,
        "at": tx.now,
    });
    if let Some(answer) = too_large(&event) {
        return Ok(answer);
    }
    let agent = world.setup.agent_or_only(None);
    let cause = Cause {
        event: event.into(),
        agent: agent.map(|agent| agent.id.clone()),
        ..Cause::default()
    };
    let (mut wanted, mut repeats, mut started) = (false, 0, Vec::new());
    for (id, in_service) in &world.workflows.in_service {
        let definition = &in_service.workflow.definition;
        if !webhook.workflows.contains(id) {
            continue;
        }
        for trigger in &definition.triggers {
            let On::Webhook(hook) = &trigger.on else {
                continue;
            };
            if hook.path != webhook.path {
                continue;
            }
            wanted = true;
            if !enroll::holds(world, tx, definition, trigger, &cause)? {
                continue;
            }
            match claim(world, tx, definition, hook, &cause)? {
                Claim::New => match enroll::start(world, tx, in_service, cause.clone())? {
                    Ok(run) => started.push(run),
                    Err(refusal) => enroll::not_started(tx, definition, &cause, &refusal),
                },
                Claim::Repeat => repeats += 1,
                Claim::Failed(text) => {
                    let refusal = enroll::Refusal {
                        code: "dedupe_failed",
                        text,
                    };
                    enroll::not_started(tx, definition, &cause, &refusal);
                }
            }
            break;
        }
    }
    if !wanted {
        return Ok(Answer::Unknown);
    }
    if repeats > 0 && started.is_empty() {
        return Ok(Answer::Repeat);
    }
    let path = webhook.path.clone();
    tx.tell("webhook.received", |entry| {
        entry.data = json!({ "path": path });
    });
    Ok(Answer::Runs(started))
}

/// Whether a call is the first of its name.
enum Claim {
    New,
    Repeat,
    Failed(String),
}

/// Claims the name that a workflow gives a call.
fn claim(
    world: World<'_>,
    tx: &mut Tx<'_>,
    definition: &Definition,
    hook: &Webhook,
    cause: &Cause,
) -> Step<Claim> {
    let Some(dedupe) = &hook.dedupe else {
        return Ok(Claim::New);
    };
    let scope = enroll::cause_names(world, tx, definition, cause, None)?.scope();
    let name = match dedupe.eval(&scope) {
        Ok(Json::String(text)) => text,
        // A call without a name is none that could come again.
        Ok(Json::Null) => return Ok(Claim::New),
        Ok(other) => other.to_string(),
        Err(error) => return Ok(Claim::Failed(format!("`dedupe`: {error}"))),
    };
    let source = format!("webhook/{}/{}", definition.id, hook.path);
    let key = keys::taken(&source, &name);
    if tx.get::<Taken>(&key)?.is_some() {
        return Ok(Claim::Repeat);
    }
    let made = Made::Event(tx.ids.event());
    tx.put(key, &Taken::new(String::new(), made))?;
    Ok(Claim::New)
}

/// A plugin or program tells of something.
pub(super) fn event(world: World<'_>, tx: &mut Tx<'_>, posted: &PostedEvent) -> Step<Answer> {
    if let Some(answer) = requests::repeated(tx, posted.idempotency.as_ref())? {
        return Ok(answer);
    }
    let event = json!({
        "type": "plugin.event",
        "plugin": posted.plugin,
        "name": posted.name,
        "contact": posted.contact,
        "data": posted.data,
        "at": tx.now,
    });
    if let Some(answer) = too_large(&event) {
        return Ok(answer);
    }
    let made = Made::Event(tx.ids.event());
    requests::take(tx, posted.idempotency.as_ref(), made)?;
    tx.tell("plugin.event", |entry| {
        entry.contact.clone_from(&posted.contact);
        entry.data = json!({
            "plugin": posted.plugin, "name": posted.name, "data": posted.data,
        });
    });
    let cause = match &posted.contact {
        Some(phone) => {
            let contact = events::remembered(tx, phone)?;
            events::about(world, tx, &contact, event, None)?
        }
        None => Cause {
            event: event.into(),
            agent: world.setup.agent_or_only(None).map(|one| one.id.clone()),
            ..Cause::default()
        },
    };
    let happened = Happened {
        subject: Subject::Plugin(&posted.plugin, &posted.name),
        cause,
        more: None,
        sentence: format!("{} told of {}", posted.plugin, posted.name),
        own: None,
    };
    Ok(Answer::Runs(events::take_up(
        world,
        tx,
        &happened,
        "plugin.event",
    )?))
}
