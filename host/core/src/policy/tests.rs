//! The rules of the gate, without an engine around them.

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::engine::tests::build::{phone, setup};
use crate::model::{
    Contact, Conversation, Direction, Handoff, Ids, Message, OptOut, OptOutSource, Origin, Recent,
    Status,
};
use crate::workflow::{Intent, OnUnknown};

/// What the gate looks at, to be changed by a test.
struct Case {
    message: Message,
    contact: Contact,
    conversation: Conversation,
    setup: Setup,
    now: Timestamp,
}

fn case() -> Case {
    // 10:00 in Chicago, where the contact's number is from.
    let now: Timestamp = "2026-11-18T16:00:00Z".parse().unwrap();
    let mut ids = Ids::new(now, 1);
    let conversation = Conversation {
        id: ids.conversation(),
        agent: "desk".to_owned(),
        contact: phone("+13125550123"),
        created_at: now,
        last_at: now,
        last_inbound_at: None,
        number: None,
        last_text: None,
        handoff: None,
        lane: Vec::new(),
        deferred: Vec::new(),
        in_flight: None,
    };
    let message = Message {
        id: ids.message(),
        direction: Direction::Outbound,
        conversation: conversation.id.clone(),
        agent: "desk".to_owned(),
        connection: "main".to_owned(),
        contact: phone("+13125550123"),
        number: Some(phone("+15125550100")),
        body: "Hello".to_owned(),
        media: Vec::new(),
        segments: 1,
        status: Status::Queued,
        reason: None,
        problem: None,
        provider_id: None,
        origin: Origin::Api,
        intent: Intent::Transactional,
        call: None,
        valid_until: None,
        not_before: None,
        on_unknown: OnUnknown::Hold,
        attempts: Vec::new(),
        verdicts: Vec::new(),
        looked: 0,
        called_off: None,
        timer: None,
        aside: crate::model::Aside::default(),
        created_at: now,
        updated_at: now,
    };
    Case {
        contact: Contact::new(phone("+13125550123"), now),
        message,
        conversation,
        setup: setup(),
        now,
    }
}

/// `pass`, or the word of the ruling and the rule that spoke last.
#[track_caller]
fn check(change: impl FnOnce(&mut Case), expected: &str) {
    let mut case = case();
    change(&mut case);
    let known = Known {
        message: &case.message,
        contact: &case.contact,
        conversation: &case.conversation,
        setup: &case.setup,
    };
    let (ruling, verdicts) = gate(&known, case.now);
    let seen = match ruling {
        Ruling::Pass => {
            assert!(verdicts.iter().all(|one| one.verdict == "passed"));
            "pass".to_owned()
        }
        Ruling::Refuse { word, .. } => format!("refuse {word}"),
        Ruling::Defer { word, until, .. } => format!("defer {word} {until}"),
    };
    assert_eq!(seen, expected);
}

fn minutes_ago(case: &Case, minutes: i64) -> Timestamp {
    case.now - SignedDuration::from_mins(minutes)
}

fn stop(case: &mut Case, minutes: i64) {
    case.contact.opted_out = Some(OptOut {
        at: minutes_ago(case, minutes),
        how: OptOutSource::Text,
        message: None,
        confirmation: None,
        help: None,
    });
}

#[test]
fn nothing_speaks_against_it() {
    check(|_| {}, "pass");
}

#[test]
fn opt_out() {
    check(|case| stop(case, 0), "refuse opted_out");
    let confirms = |id: u128, stopped: i64| {
        move |case: &mut Case| {
            stop(case, stopped);
            case.message.origin = Origin::Keyword;
            case.message.id = Ids::new(case.now, 7).message();
            let confirmation = Some(Ids::new(case.now, id).message());
            case.contact.opted_out.as_mut().unwrap().confirmation = confirmation;
        }
    };
    check(confirms(7, 0), "pass");
    check(confirms(7, 5), "pass");
    check(confirms(7, 6), "refuse opted_out");
    // The answer to a START.
    check(confirms(8, 0), "refuse opted_out");
    // The answer to a HELP counts from the HELP, whenever the STOP was.
    let helps = |id: u128, ago: i64| {
        move |case: &mut Case| {
            stop(case, 5_000);
            case.message.origin = Origin::Keyword;
            case.message.created_at = minutes_ago(case, ago);
            case.message.id = Ids::new(case.now, 7).message();
            let answer = Some(Ids::new(case.now, id).message());
            case.contact.opted_out.as_mut().unwrap().help = answer;
        }
    };
    check(helps(7, 0), "pass");
    check(helps(7, 5), "pass");
    check(helps(7, 6), "refuse opted_out");
    check(helps(8, 0), "refuse opted_out");
}

#[test]
fn handoff() {
    let taken = |origin: Origin| {
        move |case: &mut Case| {
            case.conversation.handoff = Some(Handoff {
                to: "ann".to_owned(),
                reason: String::new(),
                since: case.now,
                run: None,
                release: None,
            });
            case.message.origin = origin;
        }
    };
    check(taken(Origin::Api), "refuse human_handoff");
    check(taken(Origin::Person), "pass");
    check(taken(Origin::Keyword), "pass");
    check(taken(Origin::Notice), "pass");
}

#[test]
fn duplicate() {
    let said = |body: &'static str, minutes: i64| {
        move |case: &mut Case| {
            case.contact.recent.push(Recent {
                digest: digest(case.message.number.as_ref(), body),
                at: minutes_ago(case, minutes),
                message: Ids::new(case.now, 2).message(),
            });
        }
    };
    check(said("Hello", 1), "refuse duplicate");
    check(said("Hello", 2), "pass");
    check(said("Hello!", 1), "pass");
    let again = |case: &mut Case| {
        said("Hello", 1)(case);
        case.contact.recent[0].message = case.message.id.clone();
    };
    check(again, "pass");
    let off = |case: &mut Case| {
        said("Hello", 1)(case);
        case.setup.limits.duplicates_ms = 0;
    };
    check(off, "pass");
}

#[test]
fn quiet_hours_and_validity() {
    let at = |now: &'static str, intent: Intent| {
        move |case: &mut Case| {
            case.now = now.parse().unwrap();
            case.message.intent = intent;
        }
    };
    let night = "2026-11-18T05:00:00Z";
    check(at(night, Intent::Transactional), "pass");
    check(at(night, Intent::Otp), "pass");
    check(
        at(night, Intent::Marketing),
        "defer quiet_hours 2026-11-18T15:00:00Z",
    );
    check(at("2026-11-18T16:00:00Z", Intent::Marketing), "pass");
    let late = |case: &mut Case| {
        at(night, Intent::Marketing)(case);
        case.message.valid_until = Some("2026-11-18T14:59:00Z".parse().unwrap());
    };
    check(late, "refuse expired");
    let off = |case: &mut Case| {
        at(night, Intent::Marketing)(case);
        case.setup.limits.quiet_hours = false;
    };
    check(off, "pass");
    check(
        |case| case.message.valid_until = Some(case.now),
        "refuse expired",
    );
}
