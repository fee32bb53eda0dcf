//! The send gate, through the engine.

use super::build;
use super::*;

fn marketing(request: &mut SendRequest) {
    request.intent = Intent::Marketing;
}

#[test]
fn the_same_words_within_two_minutes_are_a_mistake() {
    let mut host = Host::new(vec![]);
    host.send("one");
    host.accept();
    host.wait(60);
    host.send("one");
    host.send("two");
    host.accept();
    host.wait(61);
    host.send("one");
    host.accept();
    check(
        &host,
        &[
            ("one", "accepted", ""),
            ("one", "skipped", "duplicate"),
            ("two", "accepted", ""),
            ("one", "accepted", ""),
        ],
    );
}

#[test]
fn one_of_our_own_numbers_is_never_texted() {
    let mut host = Host::new(vec![]);
    let own = host.setup.agents.values().next().unwrap().numbers[0].clone();
    let id = host.send_as("hello me", |request| request.to = own);
    let text = host.message(&id);
    assert_eq!(text.status.word(), "skipped");
    assert_eq!(text.reason.as_deref(), Some("own_number"));
}

#[test]
fn countries() {
    let mut setup = build::setup();
    setup.limits.countries = vec!["GB".to_owned()];
    let mut host = Host::with(setup, vec![]);
    host.send("one");
    check(&host, &[("one", "skipped", "country_not_allowed")]);
}

/// The number is of Chicago; the window there opens at 09:00.
#[test]
fn marketing_at_night_waits_for_the_morning_and_is_asked_again() {
    let mut host = Host::new(vec![]);
    host.now = "2026-11-18T05:00:00Z".parse().unwrap();
    let id = host.send_as("sale", marketing);
    host.send("your order");
    host.accept();
    // An answer or an order may overtake an advertisement.
    check(
        &host,
        &[
            ("sale", "scheduled", "quiet_hours"),
            ("your order", "accepted", ""),
        ],
    );
    let until = host.message(&id).not_before.unwrap();
    assert_eq!(until.to_string(), "2026-11-18T15:00:00Z");
    host.wait(10 * 3_600 - 1);
    assert!(host.leaving().is_empty());
    host.wait(1);
    host.accept();
    assert_eq!(host.outgoing()[0].1, "accepted");
}

#[test]
fn a_deferred_text_meets_every_rule_again() {
    let mut host = Host::new(vec![]);
    host.now = "2026-11-18T05:00:00Z".parse().unwrap();
    host.send_as("sale", marketing);
    host.text("hello");
    let id = host.conversation().id;
    host.take(Input::Take(id, "ann".to_owned(), String::new()));
    host.wait(10 * 3_600);
    check(&host, &[("sale", "skipped", "human_handoff")]);
}

#[test]
fn a_contact_who_moved_is_texted_by_their_own_clock() {
    let mut host = Host::new(vec![]);
    host.text("hello");
    let mut contact = host.contact();
    contact.zone = Some("Pacific/Honolulu".to_owned());
    let mut batch = crate::model::Batch::default();
    let bytes = record::encode(&contact).unwrap();
    batch.writes.insert(keys::contact(&caller()), Some(bytes));
    host.state.commit(&batch).unwrap();
    // 09:00 in Chicago is 05:00 in Honolulu, where the window opens at 09:00.
    host.now = "2026-11-19T15:00:00Z".parse().unwrap();
    let id = host.send_as("sale", marketing);
    let until = host.message(&id).not_before.unwrap();
    assert_eq!(until.to_string(), "2026-11-19T19:00:00Z");
}

#[test]
fn an_answer_to_the_contacts_own_text_may_go_at_night() {
    let mut host = Host::new(vec![]);
    host.now = "2026-11-18T05:00:00Z".parse().unwrap();
    host.text("what do you offer?");
    host.send_as("this", marketing);
    host.accept();
    check(&host, &[("this", "accepted", "")]);
}

#[test]
fn a_text_that_would_come_too_late_does_not_come() {
    let mut host = Host::new(vec![]);
    host.now = "2026-11-18T05:00:00Z".parse().unwrap();
    let soon = host.now + SignedDuration::from_secs(60);
    host.send_as("never", |request| {
        marketing(request);
        request.valid_until = Some(soon);
    });
    host.send_as("in time", |request| request.valid_until = Some(soon));
    host.send_as("waits too long", |request| request.valid_until = Some(soon));
    host.wait(60);
    host.accept();
    check(
        &host,
        &[
            ("never", "expired", "expired"),
            ("in time", "accepted", ""),
            ("waits too long", "expired", "expired"),
        ],
    );
}
