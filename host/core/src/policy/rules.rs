//! The rules of the send gate, one function each.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{Known, Ruling};
use crate::model::{Origin, PhoneNumber};
use crate::planted::{Planted, planted};
use crate::sms;
use crate::workflow::{Intent, WindowZone};

/// A contact's own words open the window for a direct answer this long.
const ANSWER_WINDOW: SignedDuration = SignedDuration::from_mins(15);

/// How long after the contact's word its answer may still go.
const KEYWORD_ANSWER: SignedDuration = SignedDuration::from_mins(5);

/// Nobody who said STOP is texted. The one confirmation of the STOP itself is
/// allowed by 47 CFR 64.1200(a)(12), within five minutes; the answer to a HELP
/// that the contact wrote since is asked for, and wanted (CTIA Messaging
/// Principles and Best Practices), as shortly after. The opt-out names both.
pub(super) fn opt_out(known: &Known<'_>, now: Timestamp) -> Ruling {
    let Some(out) = known
        .contact
        .opted_out
        .as_ref()
        .filter(|_| !planted(Planted::GateForgetsStop))
    else {
        return Ruling::Pass;
    };
    let id = Some(&known.message.id);
    let confirms = out.confirmation.as_ref() == id && now.duration_since(out.at) <= KEYWORD_ANSWER;
    let helps =
        out.help.as_ref() == id && now.duration_since(known.message.created_at) <= KEYWORD_ANSWER;
    if confirms || helps {
        return Ruling::Pass;
    }
    Ruling::Refuse {
        word: "opted_out",
        text: format!("{} opted out on {:.0}", known.contact.phone, out.at),
    }
}

/// A text to one of our own numbers would come back as a contact's, for ever.
pub(super) fn own_number(known: &Known<'_>, _now: Timestamp) -> Ruling {
    match known.setup.owner(&known.contact.phone) {
        None => Ruling::Pass,
        Some(agent) => Ruling::Refuse {
            word: "own_number",
            text: format!("{} is a number of {}", known.contact.phone, agent.id),
        },
    }
}

/// Only the regions that the operator named.
pub(super) fn country(known: &Known<'_>, _now: Timestamp) -> Ruling {
    let allowed = &known.limits().countries;
    if allowed.is_empty() {
        return Ruling::Pass;
    }
    let phone = &known.contact.phone;
    match sms::phone::region_of(phone.as_str()) {
        Some(region) if allowed.iter().any(|one| one == &region) => Ruling::Pass,
        Some(region) => Ruling::Refuse {
            word: "country_not_allowed",
            text: format!("{phone} is in {region}, which [limits] countries does not name"),
        },
        None => Ruling::Refuse {
            word: "country_not_allowed",
            text: format!("the country of {phone} is not known, and [limits] countries is set"),
        },
    }
}

/// While a person has the conversation, nothing automatic speaks in it.
pub(super) fn handoff(known: &Known<'_>, _now: Timestamp) -> Ruling {
    let Some(handoff) = &known.conversation.handoff else {
        return Ruling::Pass;
    };
    match known.message.origin {
        Origin::Person | Origin::Keyword | Origin::Notice => Ruling::Pass,
        // The last words of the step that handed over.
        Origin::Run { ref run, .. }
            if handoff.run.as_ref() == Some(run) && handoff.since == known.message.created_at =>
        {
            Ruling::Pass
        }
        _ => Ruling::Refuse {
            word: "human_handoff",
            text: format!(
                "{} has the conversation since {:.0}",
                handoff.to, handoff.since
            ),
        },
    }
}

/// A short hash of what makes two texts the same to the one who gets them.
pub fn digest(number: Option<&PhoneNumber>, body: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(number.map_or("", PhoneNumber::as_str).as_bytes());
    hasher.update(b"\n");
    hasher.update(body.as_bytes());
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_be_bytes(bytes)
}

/// The same words twice within a short time are a mistake, and they could not be
/// told apart in the provider's list if one of them stayed unknown.
pub(super) fn duplicate(known: &Known<'_>, now: Timestamp) -> Ruling {
    let within = known.limits().duplicates_ms;
    if within == 0 || matches!(known.message.origin, Origin::Keyword | Origin::Notice) {
        return Ruling::Pass;
    }
    let message = known.message;
    let same = digest(message.number.as_ref(), &message.body);
    let window = SignedDuration::from_millis(i64::try_from(within).unwrap_or(i64::MAX));
    let earlier = known.contact.recent.iter().find(|recent| {
        recent.digest == same
            && recent.message != message.id
            && now.duration_since(recent.at) < window
    });
    match earlier {
        None => Ruling::Pass,
        Some(recent) => Ruling::Refuse {
            word: "duplicate",
            text: format!(
                "the same words went to {} as {}",
                known.contact.phone, recent.message
            ),
        },
    }
}

/// Legal quiet hours, in the contact's local time: for advertising only. An
/// answer within a quarter of an hour of the contact's own text always may go.
pub(super) fn quiet_hours(known: &Known<'_>, now: Timestamp) -> Ruling {
    if !known.limits().quiet_hours || known.message.intent != Intent::Marketing {
        return Ruling::Pass;
    }
    let answers = known
        .conversation
        .last_inbound_at
        .is_some_and(|at| now.duration_since(at) <= ANSWER_WINDOW);
    if answers {
        return Ruling::Pass;
    }
    let contact = known.contact;
    let business = known.setup.business.zone.as_str();
    let zones = sms::quiet::zones_for(contact.zone.as_deref(), contact.phone.as_str(), business);
    let window = sms::quiet::marketing_window(contact.phone.as_str());
    match sms::quiet::next_allowed(now, &zones, &window) {
        sms::quiet::Decision::Allowed => Ruling::Pass,
        sms::quiet::Decision::NotBefore(until) => Ruling::Defer {
            until,
            word: "quiet_hours",
            text: format!(
                "it is outside the hours in which {} may be texted",
                contact.phone
            ),
        },
        sms::quiet::Decision::Never => Ruling::Refuse {
            word: "quiet_hours",
            text: format!("there is no hour in which {} may be texted", contact.phone),
        },
    }
}

/// The window of the workflow that the text is of.
pub(super) fn window(known: &Known<'_>, now: Timestamp) -> Ruling {
    let Some(window) = &known.message.aside.window else {
        return Ruling::Pass;
    };
    let contact = known.contact;
    let business = known.setup.business.zone.as_str();
    let name = match &window.zone {
        WindowZone::Contact => contact
            .zone
            .as_deref()
            .or_else(|| sms::zones::zone_of(contact.phone.as_str()))
            .unwrap_or(business),
        WindowZone::Business => business,
        WindowZone::Named(name) => name,
    };
    let zone = TimeZone::get(name).unwrap_or(TimeZone::UTC);
    match super::window::next_open(now, window, &zone) {
        Some(open) if open <= now => Ruling::Pass,
        Some(until) => Ruling::Defer {
            until,
            word: "window",
            text: format!("it is outside the window of its workflow, in {name}"),
        },
        None => Ruling::Refuse {
            word: "window",
            text: "the window of its workflow never opens".to_owned(),
        },
    }
}

/// A text that would come too late does not come at all.
pub(super) fn validity(known: &Known<'_>, now: Timestamp) -> Ruling {
    match known.message.valid_until {
        Some(until) if now >= until => Ruling::Refuse {
            word: "expired",
            text: format!("it was only worth sending until {until:.0}"),
        },
        _ => Ruling::Pass,
    }
}
