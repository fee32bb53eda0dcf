//! Requests that come more than once, and decisions on old facts.

use super::build::{manual, send, workflow};
use super::*;

fn named(key: &str, digest: &str) -> Option<Idempotency> {
    Some(Idempotency {
        source: "key/messages".to_owned(),
        key: key.to_owned(),
        digest: digest.to_owned(),
    })
}

#[test]
fn the_same_key_has_one_effect_and_another_body_is_a_conflict() {
    let mut host = Host::new(vec![]);
    let first = host.send_as("one", |request| request.idempotency = named("k", "one"));
    let again = host.send_as("one", |request| request.idempotency = named("k", "one"));
    assert_eq!(first, again);
    let mut other = request("two");
    other.idempotency = named("k", "two");
    assert_eq!(host.take(Input::Send(other)), Answer::Conflict);
    host.accept();
    check(&host, &[("one", "accepted", "")]);
}

#[test]
fn a_start_has_one_effect() {
    let hand = workflow("hand", manual(), vec![("t", "", send("Hi"))], |_| {});
    let mut host = Host::new(vec![hand]);
    let start = || {
        Input::Start(StartRequest {
            idempotency: named("k", "hand"),
            workflow: "hand".to_owned(),
            contact: Some(caller()),
            input: serde_json::Map::new(),
        })
    };
    let first = host.take(start());
    assert_eq!(host.take(start()), first);
    assert_eq!(host.runs().len(), 1);
}

#[test]
fn a_decision_on_old_facts_is_refused_and_taken_again() {
    let mut host = Host::new(vec![]);
    host.send("zero");
    host.accept();
    let text = Input::Send(request("one"));
    let stale = host.decide(&text);
    host.take(Input::OptOut(
        caller(),
        true,
        crate::model::OptOutSource::Api,
    ));
    assert!(host.state.commit(&stale.batch).is_err());
    host.take(text);
    check(
        &host,
        &[("zero", "accepted", ""), ("one", "skipped", "opted_out")],
    );
}

#[test]
fn the_same_seed_decides_the_same() {
    let mut host = Host::new(vec![]);
    let input = Input::Send(request("one"));
    let one = host.decide(&input);
    host.steps -= 1;
    let two = host.decide(&input);
    assert_eq!(one.batch, two.batch);
}
