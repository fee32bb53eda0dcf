//! How people are told of texts that they have to approve, and answer them, by text:
//! with letters that only they have got, since a number can be made up.

use jiff::tz::TimeZone;

use super::super::texts::{self, Draft};
use super::super::{Answer, Approve, Step, Tx, World, threads};
use super::answered;
use crate::model::{Approval, Message, MessageId, Origin, PhoneNumber, Told, keys};
use crate::workflow::{Intent, Unanswered};

/// The most characters of the draft that stand in the text to the person.
const SHOWN: usize = texts::LONGEST - 400;
/// The letters of codes: none that are mixed up, and no vowels, so that they are no
/// words.
const LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";
/// How long a code is.
const CODE: usize = 4;

/// Tells the person by text, if there is one and it is not the contact.
pub(super) fn ask(
    world: World<'_>,
    tx: &mut Tx<'_>,
    message: &Message,
    approval: &Approval,
) -> Step<Option<Told>> {
    let person = world.setup.people.get(&approval.by);
    let agent = world.setup.agents.get(&message.agent);
    let (Some(person), Some(agent)) = (person, agent) else {
        return Ok(None);
    };
    if person.phone == message.contact {
        return Ok(None);
    }
    let code = code(tx, &person.phone, &message.id)?;
    tx.put(keys::approval(&person.phone, &code), &message.id)?;
    let mut draft: String = message.body.chars().take(SHOWN).collect();
    if draft.len() < message.body.len() {
        draft.push_str("...");
    }
    let after = match approval.until {
        None => String::new(),
        Some(until) => {
            let zone = TimeZone::get(&world.setup.business.zone).unwrap_or(TimeZone::UTC);
            let until = until.to_zoned(zone).strftime("%a %-I:%M %p");
            match approval.default {
                Unanswered::Send => format!(" and goes by itself at {until}"),
                Unanswered::Skip | Unanswered::Fail => format!(" until {until}"),
            }
        }
    };
    let body = format!(
        "A text to {} waits for you{after}: \"{draft}\" Reply SEND {code} to send it, \
         SKIP {code} to drop it, or EDIT {code} and your own words.",
        message.contact
    );
    let thread = threads::open(tx, &agent.id, &person.phone)?;
    let notice = Draft::new(agent, body, Origin::Notice, Intent::Transactional);
    texts::queue(tx, thread, notice)?;
    Ok(Some(Told {
        phone: person.phone.clone(),
        code,
    }))
}

/// Letters that this person has for no other text.
fn code(tx: &Tx<'_>, person: &PhoneNumber, id: &MessageId) -> Step<String> {
    let hash = blake3::hash(id.as_str().as_bytes());
    let letter = |byte: &u8| {
        let at = usize::from(*byte) % LETTERS.len();
        char::from(LETTERS.get(at).copied().unwrap_or(b'B'))
    };
    let mut code = String::new();
    for bytes in hash.as_bytes().chunks_exact(CODE) {
        code = bytes.iter().map(letter).collect();
        let key = keys::approval(person, &code);
        if tx.get::<MessageId>(&key)?.is_none() {
            break;
        }
    }
    Ok(code)
}

/// What a person writes: `SEND BKXT`, `SKIP BKXT too pushy`, `EDIT BKXT other words`.
struct Written {
    code: String,
    given: Approve,
}

fn read(body: &str, by: &str) -> Option<Written> {
    let (word, rest) = body.trim().split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (code, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let bare = |text: &str| {
        let text = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        text.to_ascii_uppercase()
    };
    let code = bare(code);
    let is_code = code.len() == CODE && code.bytes().all(|one| LETTERS.contains(&one));
    let rest = rest.trim();
    let said = (!rest.is_empty()).then(|| rest.to_owned());
    let (send, body, reason) = match bare(word).as_str() {
        // What a person adds to a yes is for us, and not for the contact.
        "SEND" | "YES" | "OK" => (true, None, None),
        "EDIT" => (true, Some(rest.to_owned()), None),
        "SKIP" | "NO" => (false, None, said),
        _ => return None,
    };
    is_code.then(|| Written {
        code,
        given: Approve {
            by: by.to_owned(),
            send,
            body,
            reason,
        },
    })
}

/// A person answers by text. Whether the text was that; what could not be done is
/// said to them.
pub(in super::super) fn by_text(world: World<'_>, tx: &mut Tx<'_>, text: &Message) -> Step<bool> {
    let mut people = world.setup.people.iter();
    let Some((name, _)) = people.find(|(_, person)| person.phone == text.contact) else {
        return Ok(false);
    };
    let Some(written) = read(&text.body, name) else {
        return Ok(false);
    };
    let key = keys::approval(&text.contact, &written.code);
    let Some(id) = tx.get::<MessageId>(&key)? else {
        return Ok(false);
    };
    let Answer::Refused { text: why, .. } = answered(tx, &id, &written.given)? else {
        return Ok(true);
    };
    if let Some(agent) = world.setup.agents.get(&text.agent) {
        let why: String = why.replace(id.as_str(), &written.code);
        let mut notice = Draft::new(agent, why, Origin::Notice, Intent::Transactional);
        notice.connection.clone_from(&text.connection);
        notice.number.clone_from(&text.number);
        let thread = threads::open(tx, &agent.id, &text.contact)?;
        texts::queue(tx, thread, notice)?;
    }
    Ok(true)
}

/// Forgets the letters of a text that is removed.
pub(in super::super) fn forget(tx: &mut Tx<'_>, message: &Message) -> Step<()> {
    let approval = message.aside.approval.as_ref();
    let Some(told) = approval.and_then(|one| one.told.as_ref()) else {
        return Ok(());
    };
    let key = keys::approval(&told.phone, &told.code);
    // They may stand for a later text by now.
    if tx.get::<MessageId>(&key)?.as_ref() == Some(&message.id) {
        tx.delete(key);
    }
    Ok(())
}
