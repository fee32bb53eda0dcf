//! Calls of our own addresses by other programs.

use serde_json::{Map, json};

use super::flow::{file, said};
use super::*;

const CALENDAR: &str = r#"
name: Calendar
on:
  webhook:
    path: calendar
    verify: { hmac_sha256: "secret:CALENDAR", header: X-Signature }
    where: event.body.kind == "no_show" and event.query.v == "2"
    dedupe: ${{ event.body.id }}
contact: ${{ event.body.phone | e164("US") }}
intent: customer_care
enroll: { again: always }
steps:
  - send: "We missed you, {{ event.body.name }} ({{ event.headers['x-id'] }})."
"#;

fn call(path: &str, workflows: &[&str], body: serde_json::Value) -> Input {
    let object = |value: serde_json::Value| match value {
        serde_json::Value::Object(map) => map,
        _ => Map::new(),
    };
    Input::Webhook(IncomingWebhook {
        path: path.to_owned(),
        workflows: workflows.iter().map(|one| (*one).to_owned()).collect(),
        body,
        headers: object(json!({ "x-id": "h1" })),
        query: object(json!({ "v": "2" })),
    })
}

fn no_show(id: &str) -> serde_json::Value {
    json!({ "kind": "no_show", "id": id, "phone": "(312) 555-0123", "name": "Ben" })
}

#[test]
fn a_call_starts_its_workflow_once() {
    let mut host = Host::new(vec![file(CALENDAR)]);
    host.setup.limits.duplicates_ms = 0;
    fn checked(host: &mut Host, input: Input, expected: &str) {
        let answer = host.take(input);
        let word = match &answer {
            Answer::Runs(runs) if runs.is_empty() => "nobody",
            Answer::Runs(_) => "run",
            Answer::Repeat => "repeat",
            Answer::Unknown => "unknown",
            Answer::Refused { code, .. } => code,
            _ => "?",
        };
        assert_eq!(word, expected, "{answer:?}");
    }
    let ours: &[&str] = &["calendar"];
    checked(&mut host, call("calendar", ours, no_show("1")), "run");
    checked(&mut host, call("calendar", ours, no_show("1")), "repeat");
    checked(&mut host, call("calendar", ours, no_show("2")), "run");
    // Not for us, not signed, of another kind, too large.
    checked(&mut host, call("other", ours, no_show("3")), "unknown");
    checked(&mut host, call("calendar", &[], no_show("3")), "unknown");
    checked(
        &mut host,
        call("calendar", ours, json!({ "kind": "booked", "id": "1" })),
        "nobody",
    );
    checked(
        &mut host,
        call("calendar", ours, json!("x".repeat(300_000))),
        "too_large",
    );
    host.accept();
    assert_eq!(said(&host), ["We missed you, Ben (h1)."; 2]);
}

#[test]
fn the_claim_is_in_the_batch_of_the_run() {
    let mut host = Host::new(vec![file(CALENDAR)]);
    let input = call("calendar", &["calendar"], no_show("1"));
    let first = host.decide(&input);
    let second = host.decide(&input);
    host.state.commit(&first.batch).unwrap();
    assert!(host.state.commit(&second.batch).is_err());
    assert_eq!(host.take(input), Answer::Repeat);
}

#[test]
fn what_an_address_wants() {
    let open = "name: Open\non: { webhook: { path: calendar } }\nsteps:\n  - log: x\n";
    let host = Host::new(vec![file(CALENDAR), file(open)]);
    let all = host.catalog.webhooks("calendar");
    let all: Vec<(&str, Option<(&str, &str)>)> = all
        .iter()
        .map(|one| {
            let verify = one
                .verify
                .map(|one| (one.hmac_sha256.as_str(), one.header.as_str()));
            (one.workflow, verify)
        })
        .collect();
    assert_eq!(
        all,
        [
            ("calendar", Some(("CALENDAR", "X-Signature"))),
            ("open", None)
        ]
    );
    assert!(host.catalog.webhooks("elsewhere").is_empty());
}
