//! What is known of contacts: fields, tags, consent, notes. Whoever changes it, a
//! program, a person or a run, changes it here; the feed tells of it, and from that
//! [`super::events`] goes on.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json, json};

use super::enroll::Refusal;
use super::requests::{self, Made};
use super::{Answer, LeadRequest, Step, Tx, World, runs, steps};
use crate::model::{Consent, Contact, ContactNote, PhoneNumber, Run, RunId, RunStatus, keys};
use crate::workflow::Definition;

/// The most fields of a contact, and the most bytes of all of them as JSON: the
/// record is read with every text to them.
const MOST_FIELDS: usize = 200;
const MOST_BYTES: usize = 16 * 1024;
/// The longest name of a field or tag, and the most tags.
const LONGEST_NAME: usize = 64;
const MOST_TAGS: usize = 100;
/// The longest line about a contact, in characters.
const LONGEST_NOTE: usize = 2_000;

/// What changes.
#[derive(Default)]
pub(super) struct Change {
    pub(super) set: Map<String, Json>,
    pub(super) zone: Option<String>,
    pub(super) tag: Vec<String>,
    pub(super) untag: Vec<String>,
    pub(super) consent: Vec<super::ConsentChange>,
    pub(super) note: Option<String>,
}

/// What a change came to.
pub(super) struct Changed {
    /// Whether the contact became a lead.
    pub(super) created: bool,
    /// The names of the fields, in their order.
    pub(super) changed: Vec<String>,
}

/// Why a contact cannot be changed like that.
pub(super) type Bad = (&'static str, String);

/// What is known of a contact as `lead` in expressions.
pub(super) fn value(
    phone: &PhoneNumber,
    fields: &Map<String, Json>,
    tags: &[String],
    since: Option<Timestamp>,
) -> Json {
    let mut lead = fields.clone();
    lead.insert("phone".to_owned(), json!(phone));
    lead.entry("id").or_insert_with(|| json!(phone));
    lead.insert("tags".to_owned(), json!(tags));
    if let Some(since) = since {
        lead.entry("created_at").or_insert_with(|| json!(since));
    }
    Json::Object(lead)
}

/// The kinds of texts that a contact agreed to, as expressions see them.
pub(super) fn consent_value(contact: &Contact) -> Json {
    let given = contact.consent.iter();
    let given = given.map(|(intent, one)| (intent.word().to_owned(), json!(one)));
    Json::Object(given.collect())
}

/// A program or person tells of a contact.
pub(super) fn told_of(tx: &mut Tx<'_>, request: &LeadRequest) -> Step<Answer> {
    if let Some(answer) = requests::repeated(tx, request.idempotency.as_ref())? {
        return Ok(answer);
    }
    let change = Change {
        set: request.fields.clone(),
        zone: request.zone.clone(),
        tag: request.tag.clone(),
        untag: request.untag.clone(),
        consent: request.consent.clone(),
        note: request.note.clone(),
    };
    match self::change(tx, &request.phone, change, None)? {
        Ok(changed) => {
            let made = Made::Event(tx.ids.event());
            requests::take(tx, request.idempotency.as_ref(), made)?;
            Ok(Answer::Lead {
                created: changed.created,
                changed: changed.changed,
            })
        }
        Err((code, text)) => Ok(Answer::Refused { code, text }),
    }
}

/// Changes what is known of a contact, and tells of what really changed.
pub(super) fn change(
    tx: &mut Tx<'_>,
    phone: &PhoneNumber,
    change: Change,
    run: Option<&RunId>,
) -> Step<Result<Changed, Bad>> {
    let mut contact = tx.contact(phone)?;
    let earlier = contact.clone();
    if let Err(bad) = apply(&mut contact, &change, tx.now) {
        return Ok(Err(bad));
    }
    let created = contact.lead_since.is_none();
    if created {
        contact.lead_since = Some(tx.now);
    }
    let (changed, before) = difference(&earlier, &contact);
    if created || !changed.is_empty() {
        tx.put_contact(&contact)?;
        let kind = match created {
            true => "lead.created",
            false => "lead.updated",
        };
        tx.tell(kind, |entry| {
            entry.contact = Some(phone.clone());
            entry.run = run.cloned();
            entry.data = json!({ "changed": changed, "before": before });
        });
    }
    if let Some(text) = change.note {
        let id = tx.ids.event();
        let note = ContactNote {
            at: tx.now,
            run: run.cloned(),
            text: text.clone(),
        };
        tx.put(keys::contact_note(phone, &id), &note)?;
        tx.tell("lead.note", |entry| {
            entry.contact = Some(phone.clone());
            entry.run = run.cloned();
            entry.data = json!({ "note": text });
        });
    }
    Ok(Ok(Changed { created, changed }))
}

fn apply(contact: &mut Contact, change: &Change, now: Timestamp) -> Result<(), Bad> {
    for (name, value) in &change.set {
        if matches!(name.as_str(), "phone" | "tags" | "consent") {
            return Err(("invalid_field", format!("the field {name:?} cannot be set")));
        }
        if name.is_empty() || name.len() > LONGEST_NAME {
            let text = format!("the name of a field has 1 to {LONGEST_NAME} letters");
            return Err(("invalid_field", text));
        }
        match value {
            Json::Null => contact.fields.shift_remove(name),
            value => contact.fields.insert(name.clone(), value.clone()),
        };
    }
    let bytes: usize = contact
        .fields
        .iter()
        .map(|(name, value)| name.len() + value.to_string().len())
        .sum();
    if contact.fields.len() > MOST_FIELDS || bytes > MOST_BYTES {
        let text = format!(
            "a contact has at most {MOST_FIELDS} fields with {MOST_BYTES} bytes; this would be {} \
             with {bytes}",
            contact.fields.len()
        );
        return Err(("too_large", text));
    }
    if let Some(zone) = &change.zone {
        if TimeZone::get(zone).is_err() {
            let text = format!("{zone:?} is not a time zone; write one like America/Chicago");
            return Err(("invalid_zone", text));
        }
        contact.zone = Some(zone.clone());
    }
    contact.tags.retain(|tag| !change.untag.contains(tag));
    for tag in &change.tag {
        if tag.is_empty() || tag.len() > LONGEST_NAME {
            return Err((
                "invalid_tag",
                format!("a tag has 1 to {LONGEST_NAME} letters"),
            ));
        }
        if !contact.tags.contains(tag) {
            contact.tags.push(tag.clone());
        }
    }
    if contact.tags.len() > MOST_TAGS {
        let text = format!("a contact has at most {MOST_TAGS} tags");
        return Err(("too_large", text));
    }
    let note = change.note.as_ref().map(|note| note.chars().count());
    if note.is_some_and(|characters| characters > LONGEST_NOTE) {
        let text = format!("a note has at most {LONGEST_NOTE} characters");
        return Err(("too_large", text));
    }
    for one in &change.consent {
        if !one.given {
            contact.consent.remove(&one.intent);
            continue;
        }
        if let Some(out) = &contact.opted_out {
            let text = format!(
                "{} opted out on {:.0}; only a START from that number takes it back",
                contact.phone, out.at
            );
            return Err(("opted_out", text));
        }
        let known = contact.consent.get(&one.intent);
        let same = known.is_some_and(|known| {
            known.source == one.source && one.at.is_none_or(|at| at == known.at)
        });
        if !same {
            let consent = Consent {
                at: one.at.unwrap_or(now),
                source: one.source.clone(),
            };
            contact.consent.insert(one.intent, consent);
        }
    }
    Ok(())
}

/// The names of what is not as it was, and how that was.
fn difference(before: &Contact, after: &Contact) -> (Vec<String>, Map<String, Json>) {
    let mut was = Map::new();
    let names = before.fields.keys().chain(after.fields.keys());
    for name in names {
        let (old, new) = (before.fields.get(name), after.fields.get(name));
        if old != new {
            was.insert(name.clone(), old.cloned().unwrap_or_default());
        }
    }
    if before.tags != after.tags {
        was.insert("tags".to_owned(), json!(before.tags));
    }
    if before.zone != after.zone {
        was.insert("zone".to_owned(), json!(before.zone));
    }
    if before.consent != after.consent {
        was.insert("consent".to_owned(), consent_value(before));
    }
    let mut changed: Vec<String> = was.keys().cloned().collect();
    changed.sort_unstable();
    (changed, was)
}

/// Why a run may not start, when it needs a consent that is not recorded.
pub(super) fn without_consent(
    tx: &Tx<'_>,
    definition: &Definition,
    contact: Option<&PhoneNumber>,
) -> Step<Option<Refusal>> {
    let Some(intent) = definition.requires_consent else {
        return Ok(None);
    };
    let refusal = |text| {
        Some(Refusal {
            code: "no_consent",
            text,
        })
    };
    let Some(phone) = contact else {
        return Ok(refusal(
            "there is no contact who could have agreed".to_owned(),
        ));
    };
    Ok(match tx.contact(phone)?.consent.contains_key(&intent) {
        true => None,
        false => refusal(format!(
            "{phone} is not known to have agreed to {} texts",
            intent.word()
        )),
    })
}

/// After a change: runs that have reached their goal, or whose consent is gone, end.
pub(super) fn look_at_runs(
    world: World<'_>,
    tx: &mut Tx<'_>,
    phone: &PhoneNumber,
    own: Option<&RunId>,
) -> Step<()> {
    for mut run in runs::of_contact(tx, phone)? {
        let now: Option<Run> = tx.get(&keys::run(&run.id))?;
        if now.is_none_or(|now| now.status != RunStatus::Running) {
            // It was a branch of one that ended just now.
            continue;
        }
        let Some(workflow) = world.workflows.by_hash.get(&run.definition) else {
            continue;
        };
        let definition = &workflow.definition;
        if without_consent(tx, definition, Some(phone))?.is_some() {
            runs::end_whole(world, tx, &mut run, RunStatus::Cancelled, "no_consent")?;
            continue;
        }
        let Some(goal) = &definition.goal else {
            continue;
        };
        // It asks by itself before its next step.
        if own == Some(&run.id) || run.failing.is_some() {
            continue;
        }
        let scope = steps::scope(world, tx, definition, &run)?;
        // One that cannot be evaluated is told of at the next step.
        if goal.truthy(&scope).unwrap_or(false) {
            runs::end_whole(world, tx, &mut run, RunStatus::Finished, "goal_reached")?;
        }
    }
    Ok(())
}

/// A contact as a row of `leads(…)`, if it is a lead and fits the filters; `last` is
/// when a text last went between it and us.
///
/// # Errors
/// A sentence, when a filter has a value that it cannot be asked by.
pub fn row(
    contact: &Contact,
    last: Option<Timestamp>,
    filters: &[(String, Json)],
) -> Result<Option<Json>, String> {
    let Some(since) = contact.lead_since else {
        return Ok(None);
    };
    let mut lead = value(&contact.phone, &contact.fields, &contact.tags, Some(since));
    if let (Some(lead), Some(last)) = (lead.as_object_mut(), last) {
        lead.entry("last_contact_at").or_insert_with(|| json!(last));
    }
    for (name, wanted) in filters {
        let time = |at: Option<Timestamp>| -> Result<std::cmp::Ordering, String> {
            let limit: Timestamp = wanted
                .as_str()
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| format!("`{name}` is {wanted}, which is not a time"))?;
            // Whoever was never written to was written to before any time.
            Ok(at.map_or(std::cmp::Ordering::Less, |at| at.cmp(&limit)))
        };
        let tagged = || {
            wanted
                .as_str()
                .is_some_and(|tag| contact.tags.iter().any(|one| one == tag))
        };
        let fits = match name.as_str() {
            "status" | "source" => lead.get(name) == Some(wanted),
            "tag" => tagged(),
            "not_tag" => !tagged(),
            "created_before" => time(Some(since))?.is_lt(),
            "created_after" => time(Some(since))?.is_gt(),
            "last_contact_before" => time(last)?.is_lt(),
            "last_contact_after" => time(last)?.is_gt(),
            _ => return Err(format!("`leads` knows no `{name}`")),
        };
        if !fits {
            return Ok(None);
        }
    }
    Ok(Some(lead))
}
