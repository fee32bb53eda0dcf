//! Texts from contacts, and who answers them: the words of the law first, then a
//! person, then a run that waits, then workflows.

use serde_json::json;

use super::events::{self, Happened, Subject};
use super::{
    Answer, IncomingText, Notice, Step, Tx, World, approvals, breaker, idle, runs, steps, texts,
    threads, turns,
};
use crate::model::{
    Contact, Conversation, Direction, Message, MessageId, OptOut, OptOutSource, Origin,
    PhoneNumber, Status, keys,
};
use crate::planted::{Planted, planted};
use crate::sms::{self, Keyword};
use crate::workflow::{CancelOn, Intent, TextFilter};

/// A contact's text.
pub(super) fn text(world: World<'_>, tx: &mut Tx<'_>, text: &IncomingText) -> Step<Answer> {
    let taken = keys::taken(&text.connection, &text.provider_id);
    if tx.get::<MessageId>(&taken)?.is_some() && !planted(Planted::ForgetTexts) {
        return Ok(Answer::Repeat);
    }
    let id = tx.ids.message();
    tx.put(taken, &id)?;
    let Some(agent) = world.setup.owner(&text.to) else {
        // Nobody's number: kept in the feed, where a person can see it.
        tx.tell("message.unrouted", |entry| {
            entry.contact = Some(text.from.clone());
            entry.data = json!({
                "connection": text.connection, "from": text.from, "to": text.to, "body": text.body,
            });
        });
        // A number of a sender pool need not be listed; the word counts anyway.
        let word = text.keyword.or_else(|| sms::keyword(&text.body));
        if word == Some(Keyword::Stop) {
            stop(world, tx, &text.from, OptOutSource::Text, None)?;
        }
        return Ok(Answer::Done);
    };
    let mut conversation = threads::open(tx, &agent.id, &text.from)?;
    let message = Message {
        id: id.clone(),
        direction: Direction::Inbound,
        conversation: conversation.id.clone(),
        agent: agent.id.clone(),
        connection: text.connection.clone(),
        contact: text.from.clone(),
        number: Some(text.to.clone()),
        body: text.body.clone(),
        media: text.media.clone(),
        segments: count(&text.body),
        status: Status::Received,
        reason: None,
        problem: None,
        provider_id: Some(text.provider_id.clone()),
        origin: Origin::Contact,
        intent: Intent::Conversation,
        call: None,
        valid_until: None,
        not_before: None,
        on_unknown: crate::workflow::OnUnknown::Hold,
        attempts: Vec::new(),
        verdicts: Vec::new(),
        looked: 0,
        called_off: None,
        timer: None,
        aside: crate::model::Aside::default(),
        created_at: tx.now,
        updated_at: tx.now,
    };
    tx.put(keys::message(&id), &message)?;
    tx.put(keys::place(&conversation.id, &id), &())?;
    conversation.last_at = tx.now;
    conversation.last_inbound_at = Some(tx.now);
    conversation.number = Some(text.to.clone());
    idle::wrote(world, tx, &mut conversation, &message)?;
    threads::put(tx, &conversation)?;
    texts::tell(tx, "message.received", &message);
    answer(world, tx, &message, &conversation, text.keyword)
}

/// Radio segments of a text.
pub(super) fn count(body: &str) -> u32 {
    u32::try_from(sms::segments(body).count).unwrap_or(u32::MAX)
}

/// Finds who answers; the first that claims the text ends the search.
fn answer(
    world: World<'_>,
    tx: &mut Tx<'_>,
    message: &Message,
    conversation: &Conversation,
    by_provider: Option<Keyword>,
) -> Step<Answer> {
    let phone = &message.contact;
    if by_provider.is_none() && approvals::by_text(world, tx, message)? {
        return Ok(Answer::Done);
    }
    if keyword(world, tx, message, conversation, by_provider)? {
        return Ok(Answer::Done);
    }
    breaker::replied(tx, phone)?;
    runs::cancel_by_event(world, tx, phone, &CancelOn::Reply, "reply", None)?;
    let handed_over = tx
        .get::<Conversation>(&keys::conversation(&conversation.id))?
        .is_some_and(|conversation| conversation.handoff.is_some());
    if handed_over {
        return Ok(Answer::Done);
    }
    let said: String = message.body.chars().take(80).collect();
    let happened = Happened {
        subject: Subject::Text(message),
        cause: turns::cause(std::slice::from_ref(message), conversation, tx.now),
        more: Some(("message", super::scope::message_value(message))),
        sentence: format!("{phone} wrote: {said}"),
        own: None,
    };
    let claimed = events::wake(world, tx, &happened, false)?;
    if !claimed.is_empty() {
        return Ok(Answer::Runs(claimed));
    }
    // User-written text handlers stand here, in their configured order.
    let started = turns::take(world, tx, message, &happened.cause)?;
    // The agent's own way of answering comes last; `off` leaves the text to be read.
    Ok(Answer::Runs(started))
}

/// Whether a filter wants a text, whose words may be those of several.
pub(super) fn wanted(filter: &TextFilter, message: &Message, words: &str) -> bool {
    let matches = filter
        .matches
        .as_ref()
        .is_none_or(|pattern| pattern.find(words).is_some());
    wanted_from(filter, message) && matches
}

/// Whether a filter wants texts from there to there.
pub(super) fn wanted_from(filter: &TextFilter, message: &Message) -> bool {
    let agent = filter
        .to_agent
        .as_ref()
        .is_none_or(|agent| *agent == message.agent);
    let from = filter.from.is_empty()
        || filter
            .from
            .iter()
            .any(|number| number == message.contact.as_str());
    agent && from
}

/// STOP, START and HELP. True when the text was one of them.
fn keyword(
    world: World<'_>,
    tx: &mut Tx<'_>,
    message: &Message,
    conversation: &Conversation,
    by_provider: Option<Keyword>,
) -> Step<bool> {
    let Some(word) = by_provider.or_else(|| sms::keyword(&message.body)) else {
        return Ok(false);
    };
    let phone = &message.contact;
    let stopped = tx.contact(phone)?.opted_out.is_some();
    let business = &world.setup.business.name;
    let reply = match word {
        Keyword::Stop => {
            stop(world, tx, phone, OptOutSource::Text, Some(&message.id))?;
            if stopped {
                return Ok(true);
            }
            goodbye(business)
        }
        Keyword::Start | Keyword::Yes if stopped => {
            resume(tx, phone)?;
            format!("{business}: you will get texts from us again. Reply STOP to end them.")
        }
        // A toll-free number's network answers by itself, and lets nothing through.
        Keyword::Help if stopped && message.number.as_ref().is_some_and(is_toll_free) => {
            return Ok(true);
        }
        Keyword::Help if stopped => format!(
            "{business}: you get no texts from us because you opted out. Reply START to change that."
        ),
        Keyword::Help => {
            format!("{business}: reply here and we will answer. Reply STOP to get no more texts.")
        }
        // To everybody else these are ordinary words.
        Keyword::Start | Keyword::Yes => return Ok(false),
    };
    let provider_answers = world
        .setup
        .connections
        .get(&message.connection)
        .is_some_and(|connection| connection.handles_opt_out);
    if provider_answers {
        return Ok(true);
    }
    let Some(agent) = world.setup.agents.get(&message.agent) else {
        return Ok(true);
    };
    let mut draft = texts::Draft::new(agent, reply, Origin::Keyword, Intent::Conversation);
    draft.connection.clone_from(&message.connection);
    draft.number.clone_from(&message.number);
    let conversation = tx
        .get(&keys::conversation(&conversation.id))?
        .unwrap_or_else(|| conversation.clone());
    match word {
        Keyword::Stop => confirm(tx, conversation, draft)?,
        Keyword::Help => {
            let reply = texts::queue(tx, conversation, draft)?;
            let mut contact = tx.contact(phone)?;
            if let Some(out) = &mut contact.opted_out {
                out.help = Some(reply);
                tx.put_contact(&contact)?;
            }
        }
        _ => {
            texts::queue(tx, conversation, draft)?;
        }
    }
    Ok(true)
}

/// What answers a STOP.
pub(super) fn goodbye(business: &str) -> String {
    format!("{business}: you will get no more texts from us. Reply START to change that.")
}

/// Queues the one text that confirms an opt-out.
pub(super) fn confirm(
    tx: &mut Tx<'_>,
    conversation: Conversation,
    draft: texts::Draft,
) -> Step<()> {
    let phone = conversation.contact.clone();
    let reply = texts::queue(tx, conversation, draft)?;
    let mut contact = tx.contact(&phone)?;
    if let Some(out) = &mut contact.opted_out {
        out.confirmation = Some(reply);
        tx.put_contact(&contact)?;
    }
    Ok(())
}

/// Toll-free codes of the North American Numbering Plan (FCC, 47 CFR 52.101).
fn is_toll_free(number: &PhoneNumber) -> bool {
    const CODES: [&str; 7] = ["800", "833", "844", "855", "866", "877", "888"];
    let national = number.as_str().strip_prefix("+1");
    national.is_some_and(|digits| CODES.iter().any(|code| digits.starts_with(code)))
}

/// Opts a contact out: queued texts are called off, runs end, and the shell is
/// told, so that nothing that is about to leave leaves.
pub(super) fn stop(
    world: World<'_>,
    tx: &mut Tx<'_>,
    phone: &PhoneNumber,
    how: OptOutSource,
    message: Option<&MessageId>,
) -> Step<()> {
    let mut contact: Contact = tx.contact(phone)?;
    texts::notice(tx, Notice::Stopped(phone.clone()));
    if contact.opted_out.is_some() {
        return Ok(());
    }
    // Who wants no texts at all does not agree to some.
    contact.consent.clear();
    breaker::opted_out(tx, &mut contact)?;
    contact.opted_out = Some(OptOut {
        at: tx.now,
        how,
        message: message.cloned(),
        confirmation: None,
        help: None,
    });
    tx.put_contact(&contact)?;
    tx.tell("contact.opted_out", |entry| {
        entry.contact = Some(phone.clone());
        entry.message = message.cloned();
        entry.data = json!({ "how": how });
    });
    for thread in contact
        .threads
        .iter()
        .filter(|_| !planted(Planted::StopLeavesQueue))
    {
        let stored = tx.get::<Conversation>(&keys::conversation(&thread.conversation))?;
        let Some(conversation) = stored else {
            continue;
        };
        for queued in conversation.lane.into_iter().chain(conversation.deferred) {
            texts::call_off(tx, &queued, "opted_out")?;
        }
    }
    runs::cancel_by_event(world, tx, phone, &CancelOn::OptOut, "opt_out", None)
}

fn resume(tx: &mut Tx<'_>, phone: &PhoneNumber) -> Step<()> {
    let mut contact = tx.contact(phone)?;
    contact.opted_out = None;
    tx.put_contact(&contact)?;
    texts::notice(tx, Notice::Resumed(phone.clone()));
    tx.tell("contact.opted_in", |entry| {
        entry.contact = Some(phone.clone())
    });
    Ok(())
}

/// A program or person records that a contact opted out, or in again.
pub(super) fn opt_out_by_api(
    world: World<'_>,
    tx: &mut Tx<'_>,
    phone: &PhoneNumber,
    out: bool,
    how: OptOutSource,
) -> Step<Answer> {
    if out {
        stop(world, tx, phone, how, None)?;
        return Ok(Answer::Done);
    }
    let said_by = tx.contact(phone)?.opted_out.map(|out| out.how);
    match said_by {
        None => Ok(Answer::Repeat),
        Some(OptOutSource::Api | OptOutSource::Workflow) => {
            resume(tx, phone)?;
            Ok(Answer::Done)
        }
        // What the contact said, only the contact takes back.
        Some(OptOutSource::Text | OptOutSource::Provider) => Ok(Answer::Refused {
            code: "opted_out",
            text: format!("{phone} said stop; only a START from that number takes it back"),
        }),
    }
}

/// Whether a call filter wants a call.
pub(super) fn wants_call(filter: &crate::workflow::CallFilter, call: &crate::model::Call) -> bool {
    let (from, to) = match call.direction {
        Direction::Inbound => (call.contact.as_ref(), Some(&call.number)),
        Direction::Outbound => (Some(&call.number), call.contact.as_ref()),
    };
    let listed = |list: &[String], number: Option<&PhoneNumber>| {
        list.is_empty() || number.is_some_and(|one| list.iter().any(|two| two == one.as_str()))
    };
    steps::same_direction(filter.direction, call.direction)
        && listed(&filter.from, from)
        && listed(&filter.to, to)
        && filter
            .agent
            .as_ref()
            .is_none_or(|agent| call.agent.as_ref() == Some(agent))
        && (!call.voicemail || filter.voicemail_counts_as_missed.unwrap_or(true))
}
