//! A plan from the words of a command line.

use jiff::{Timestamp, Zoned};
use serde_json::{Map, Value as Json};

use super::plan::{Person, Plan, whole, whom};
use crate::engine::Setup;
use crate::model::PhoneNumber;
use crate::sms;
use crate::workflow::{
    Approving, CallEnd, Fate, Happening, Later, On, Starting, When, Workflow, duration_seconds,
    nearest_word,
};

/// What was written, not yet read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words<'w> {
    /// `call.missed`, `message.received`, `manual`, …; without it the first trigger of
    /// the file.
    pub on: Option<&'w str>,
    /// What the contact writes, for a start with a text.
    pub text: Option<&'w str>,
    /// `name=value`, for a start by hand, or fields of the event.
    pub input: &'w [String],
    /// `1d: yes`
    pub replies: &'w [String],
    /// `2h: answered`
    pub calls: &'w [String],
    /// `delivered`, `undelivered`, `failed`, `refused`; `1d: failed` from then on the
    /// last text.
    pub deliver: &'w [String],
    /// `5m: reject`, `send`, `none`: what somebody answers who has to approve a text.
    pub approvals: &'w [String],
    /// When it begins: RFC 3339, or a wall clock of the business.
    pub at: Option<&'w str>,
    /// The contact's number.
    pub contact: Option<&'w str>,
    /// The contact's zone.
    pub zone: Option<&'w str>,
    /// `first_name=Ann`: what is known of the contact.
    pub fields: &'w [String],
    /// An agent's id.
    pub agent: Option<&'w str>,
}

impl Plan {
    /// The plan that these words describe, for a workflow; without a time it begins
    /// at `now`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with which word, and how to write it.
    pub fn from_words(
        words: &Words<'_>,
        workflow: &Workflow,
        setup: &Setup,
        now: Timestamp,
    ) -> Result<Self, String> {
        let mut person = Person::new(match words.contact {
            None => whom(workflow),
            Some(text) => sms::phone::e164(text, None)
                .map_err(|error| format!("--contact {text:?}: {error}"))
                .and_then(|number| {
                    PhoneNumber::parse(&number)
                        .ok_or_else(|| format!("--contact {text:?} is not a phone number"))
                })?,
        });
        if let Some(zone) = words.zone {
            jiff::tz::TimeZone::get(zone).map_err(|_| {
                format!("--zone {zone:?} is not a time zone; write one like America/Chicago")
            })?;
            person.zone = Some(zone.to_owned());
        }
        person.fields = pairs("--field", words.fields)?;
        if let Some(agent) = words.agent
            && !setup.agents.contains_key(agent)
        {
            let all: Vec<&str> = setup.agents.keys().map(String::as_str).collect();
            return Err(format!(
                "--agent {agent:?}: there is no such agent; there is: {}",
                all.join(", ")
            ));
        }
        let at = match words.at {
            None => whole(now),
            Some(text) => time(text, setup)?,
        };
        let mut plan = Self::new(at, person, start(words, workflow)?);
        plan.agent = words.agent.map(str::to_owned);
        for reply in words.replies {
            let example = "--reply \"1d: yes\"";
            let (when, text) = timed("--reply", reply, example, setup)?;
            let what = Happening::Receive(text.to_owned());
            plan.then.push(Later { when, what });
        }
        for call in words.calls {
            let example = "--call \"2h: answered\"";
            let (when, text) = timed("--call", call, example, setup)?;
            let end = match text {
                "answered" => CallEnd::Answered,
                "completed" => CallEnd::Completed,
                "missed" => CallEnd::Missed,
                other => {
                    return Err(format!(
                        "--call {call:?}: a call is answered, completed or missed, not {other:?}"
                    ));
                }
            };
            let what = Happening::Call(end);
            plan.then.push(Later { when, what });
        }
        for approval in words.approvals {
            let example = "--approve \"5m: reject\"";
            let (when, text) = timed("--approve", approval, example, setup)?;
            let said = match text {
                "send" => Approving::Send { body: None },
                "reject" => Approving::Reject { reason: None },
                "none" => Approving::Nobody,
                other => {
                    return Err(format!(
                        "--approve {approval:?}: the answer is send, reject or none, not {other:?}"
                    ));
                }
            };
            let what = Happening::Approve(said);
            plan.then.push(Later { when, what });
        }
        for deliver in words.deliver {
            match fate(deliver.trim()) {
                Some(fate) => plan.fate = fate,
                None => {
                    let example = "--deliver failed, or --deliver \"1d: failed\"";
                    let (when, text) = timed("--deliver", deliver, example, setup)?;
                    let fate = fate(text).ok_or_else(|| {
                        format!("--deliver {deliver:?}: a text is delivered, undelivered, failed or refused, not {text:?}")
                    })?;
                    let what = Happening::Delivery(fate);
                    plan.then.push(Later { when, what });
                }
            }
        }
        Ok(plan)
    }
}

fn fate(word: &str) -> Option<Fate> {
    Some(match word {
        "delivered" => Fate::Delivered,
        "undelivered" => Fate::Undelivered,
        "failed" => Fate::Failed,
        "refused" => Fate::Refused,
        _ => return None,
    })
}

/// How it begins. An event that the file has no trigger for can begin nothing.
fn start(words: &Words<'_>, workflow: &Workflow) -> Result<Starting, String> {
    let triggers = &workflow.definition.triggers;
    let known: Vec<&str> = triggers.iter().map(|trigger| trigger.on.word()).collect();
    let word = match words.on {
        Some(word) => word,
        None => known.first().copied().unwrap_or_default(),
    };
    if !known.contains(&word) {
        let help = match nearest_word(word, known.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("it begins on: {}", known.join(", ")),
        };
        return Err(format!(
            "--on {word:?}: {} does not begin on that; {help}",
            workflow.definition.name
        ));
    }
    let fields = pairs("--input", words.input)?;
    Ok(match word {
        "message.received" => {
            Starting::Receive(words.text.unwrap_or("Hello, are you there?").to_owned())
        }
        "call.missed" if fields.is_empty() => Starting::Call(CallEnd::Missed),
        "call.completed" if fields.is_empty() => Starting::Call(CallEnd::Completed),
        "schedule" => Starting::Schedule,
        "manual" => {
            let manual = triggers.iter().find_map(|trigger| match &trigger.on {
                On::Manual(manual) => Some(manual),
                _ => None,
            });
            let checked = manual.map(|manual| manual.check(fields.clone()));
            match checked {
                Some(Err(bad)) => return Err(format!("--input: {}: {}", bad.path, bad.text)),
                _ => Starting::Input(fields),
            }
        }
        kind => Starting::Event {
            kind: kind.to_owned(),
            fields,
        },
    })
}

/// `name=value`; a value that is JSON keeps its type.
fn pairs(what: &str, all: &[String]) -> Result<Map<String, Json>, String> {
    let mut map = Map::new();
    for one in all {
        let (name, value) = one
            .split_once('=')
            .filter(|(name, _)| !name.trim().is_empty())
            .ok_or_else(|| {
                format!("{what} {one:?}: write a name and a value: {what} name=value")
            })?;
        let value = match serde_json::from_str::<Json>(value) {
            // A number in E.164 and the like is no number of JSON.
            Ok(json) if !value.trim_start().starts_with('+') => json,
            _ => Json::String(value.to_owned()),
        };
        map.insert(name.trim().to_owned(), value);
    }
    Ok(map)
}

/// `1d: yes`: when, and what.
fn timed<'t>(
    what: &str,
    text: &'t str,
    example: &str,
    setup: &Setup,
) -> Result<(When, &'t str), String> {
    let wrong = |why: String| format!("{what} {text:?}: {why}; for example: {example}");
    // A time has colons of its own: the first that is followed by a space parts.
    let (when, rest) = text
        .split_once(": ")
        .or_else(|| text.split_once(':'))
        .ok_or_else(|| wrong("it does not say when".to_owned()))?;
    let rest = rest.trim();
    if rest.is_empty() {
        return Err(wrong("it says when and not what".to_owned()));
    }
    let when = when.trim();
    match duration_seconds(when) {
        Ok(seconds) => Ok((When::After(seconds), rest)),
        Err(_) => match time(when, setup) {
            Ok(at) => Ok((When::At(at), rest)),
            Err(_) => Err(wrong(format!(
                "{when:?} is neither a duration (45s, 10m, 2h, 3d, 1w) nor a time"
            ))),
        },
    }
}

/// A time with its offset, or the wall clock of the business.
fn time(text: &str, setup: &Setup) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(whole(at));
    }
    if let Ok(zoned) = text.parse::<Zoned>() {
        return Ok(whole(zoned.timestamp()));
    }
    let zone = jiff::tz::TimeZone::get(&setup.business.zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let wall = text.parse::<jiff::civil::DateTime>();
    wall.and_then(|wall| wall.to_zoned(zone))
        .map(|zoned| whole(zoned.timestamp()))
        .map_err(|_| {
            format!(
                "--at {text:?} is not a time; write it like 2026-03-08T01:45:00-06:00, or without the offset for the clock of the business"
            )
        })
}
