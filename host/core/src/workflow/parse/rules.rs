//! The rules between the keys of a file, and the defaults that follow from its
//! triggers.

use super::super::definition::{
    Action, Again, CancelOn, Concurrency, Enroll, Intent, On, Step, Trigger, Window, WindowZone,
};
use super::super::diagnostic::Severity;
use super::super::language::DAYS;
use super::super::yaml::{Key, Node, Span};
use super::reader::{Reader, Record};
use super::steps::Draft;
use super::values::Datum;

pub(super) fn cancel_on(record: &mut Record) -> Vec<CancelOn> {
    let mut events = Vec::new();
    for item in record.list("cancel_on").unwrap_or_default() {
        let event = match item {
            Datum::Choice("reply") => CancelOn::Reply,
            Datum::Choice("opt_out") => CancelOn::OptOut,
            Datum::Choice("handoff") => CancelOn::Handoff,
            Datum::Choice("call.answered") => CancelOn::CallAnswered,
            Datum::Choice("call.missed") => CancelOn::CallMissed,
            Datum::Choice("call.completed") => CancelOn::CallCompleted,
            Datum::Choice("message.failed") => CancelOn::MessageFailed,
            Datum::Choice("lead.updated") => CancelOn::LeadUpdated,
            _ => continue,
        };
        if !events.contains(&event) {
            events.push(event);
        }
    }
    events
}

/// When texts may leave.
pub(super) fn window(reader: &mut Reader<'_>, record: &mut Record) -> Option<Window> {
    let span = record.place("window")?;
    let mut block = record.record("window")?;
    let days = block.list("days").map(|days| {
        days.into_iter().fold(0_u8, |set, day| match day {
            Datum::Choice(day) => {
                let place = DAYS.iter().position(|one| *one == day).unwrap_or_default();
                set | (1 << place)
            }
            _ => set,
        })
    });
    if days == Some(0) {
        let span = reader.locate(span, "days");
        reader.error(span, "`days` names no day");
    }
    let zone_span = block.place("zone");
    let zone = match block.text("zone").as_deref() {
        None | Some("contact") => WindowZone::Contact,
        Some("business") => WindowZone::Business,
        Some(name) => {
            let known = reader.known;
            if let (Some(span), Err(message)) = (zone_span, known.checks.zone(name)) {
                reader.error_help(
                    span,
                    format!("this zone cannot be read: {message}"),
                    "or write contact, or business",
                );
            }
            WindowZone::Named(name.to_owned())
        }
    };
    Some(Window {
        days,
        between: block.window("between"),
        zone,
    })
}

pub(super) fn enroll(reader: &mut Reader<'_>, record: &mut Record) -> Enroll {
    let span = record.place("enroll");
    let Some(mut block) = record.record("enroll") else {
        return Enroll::default();
    };
    let enroll = Enroll {
        key: block.value("key"),
        again: block.choice("again").unwrap_or_default(),
        again_after: block.number("again_after"),
    };
    if let (Some(span), Again::Never, Some(_)) = (span, enroll.again, enroll.again_after) {
        let span = reader.locate(span, "again_after");
        reader.error_help(
            span,
            "`again: never` leaves nothing for `again_after`",
            "leave one of the two out",
        );
    }
    enroll
}

/// What the triggers say about why texts are sent; of several the strictest.
pub(super) fn intent(triggers: &[Trigger]) -> Intent {
    let of = |trigger: &Trigger| match trigger.on {
        On::CallMissed(_) | On::CallCompleted(_) | On::CallStatus(_) => Intent::CustomerCare,
        On::MessageReceived(_) => Intent::Conversation,
        _ => Intent::Marketing,
    };
    let all: Vec<_> = triggers.iter().map(of).collect();
    let strictest = [
        Intent::Marketing,
        Intent::CustomerCare,
        Intent::Conversation,
    ];
    strictest
        .into_iter()
        .find(|intent| all.contains(intent))
        .unwrap_or_default()
}

/// A run that ends on a reply never gets to answer the reply it waits for.
pub(super) fn reply_twice(
    reader: &mut Reader<'_>,
    cancel: Option<Span>,
    on: &[CancelOn],
    drafts: &[Draft],
) {
    let waits = |draft: &&Draft| {
        let Some(Step {
            action: Action::WaitFor(wait),
            ..
        }) = &draft.step
        else {
            return false;
        };
        wait.events
            .iter()
            .any(|event| matches!(event.on, On::MessageReceived(_)))
    };
    if let (Some(span), true, Some(draft)) = (
        cancel,
        on.contains(&CancelOn::Reply),
        drafts.iter().find(waits),
    ) {
        let line = draft.span.start.line;
        let span = reader.locate(span, "reply");
        reader.error_help(
            span,
            format!("a reply would end the run before the `wait_for` in line {line} sees it"),
            "leave `reply` out of cancel_on, and use the step's timed_out",
        );
    }
}

pub(super) fn concurrency(record: &mut Record) -> Option<Concurrency> {
    let mut block = record.record("concurrency")?;
    Some(Concurrency {
        group: block.value("group"),
        on_new: block.choice("on_new").unwrap_or_default(),
    })
}

/// The clock knows no contact, and neither does a webhook.
pub(super) fn nobody_to_text(
    reader: &mut Reader<'_>,
    entries: &[(Key, Node)],
    triggers: &[Trigger],
    contact: bool,
    drafts: &[Draft],
) {
    let blind = triggers.iter().find_map(|trigger| match trigger.on {
        On::Schedule(_) => Some(("the clock", "\"+15125550100\"")),
        On::Webhook(_) => Some((
            "a webhook",
            "${{ event.body.phone }}, or where else the number stands",
        )),
        _ => None,
    });
    let needs = drafts.iter().find(|draft| {
        matches!(
            draft.word,
            "send" | "compose" | "call" | "wait_for" | "handoff" | "lead" | "tag" | "opt_out"
        )
    });
    if let (Some((who, example)), false, Some(draft), Some((key, _))) = (
        blind,
        contact,
        needs,
        entries.iter().find(|(key, _)| key.text == "on"),
    ) {
        reader.report(
            Severity::Error,
            key.span,
            format!(
                "{who} knows no contact for the `{}` in line {}",
                draft.word, draft.span.start.line
            ),
            Some(format!("say whom the run is about: contact: {example}")),
        );
    }
}

/// `Missed-call text-back` is `missed-call-text-back`.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.char_indices().nth(80).map_or(slug.len(), |(at, _)| at));
    slug.trim_end_matches('-').to_owned()
}
