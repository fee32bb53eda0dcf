//! What is known of contacts, and what follows from it.

use serde_json::json;

use super::flow::{file, said};
use super::*;
use crate::model::{ContactNote, Entries, OptOutSource};

fn lead(fields: serde_json::Value) -> LeadRequest {
    let mut request = LeadRequest::new(caller());
    if let serde_json::Value::Object(fields) = fields {
        request.fields = fields;
    }
    request
}

fn consents(given: bool) -> LeadRequest {
    let mut request = lead(json!({}));
    request.consent.push(ConsentChange {
        intent: Intent::Marketing,
        given,
        source: "web form".to_owned(),
        at: None,
    });
    request
}

#[test]
fn what_is_told_is_kept_and_told_on() {
    fn checked(host: &mut Host, request: LeadRequest, created: bool, changed: &[&str]) {
        let told = host.told.len();
        let answer = host.take(Input::Lead(request));
        let changed: Vec<String> = changed.iter().map(|one| (*one).to_owned()).collect();
        let kind = match (created, changed.is_empty()) {
            (true, _) => vec!["lead.created"],
            (false, true) => vec![],
            (false, false) => vec!["lead.updated"],
        };
        assert_eq!(answer, Answer::Lead { created, changed });
        assert_eq!(host.told[told..], kind);
    }
    let mut host = Host::new(vec![]);
    // Known by a text, and no lead yet.
    host.text("hello");
    let first = lead(json!({ "name": "Ben", "status": "new" }));
    checked(&mut host, first.clone(), true, &["name", "status"]);
    checked(&mut host, first, false, &[]);
    checked(
        &mut host,
        lead(json!({ "status": "hot", "name": null })),
        false,
        &["name", "status"],
    );
    let mut tagged = lead(json!({}));
    tagged.tag = vec!["a".to_owned(), "b".to_owned()];
    tagged.zone = Some("America/Denver".to_owned());
    checked(&mut host, tagged.clone(), false, &["tags", "zone"]);
    checked(&mut host, tagged, false, &[]);
    let mut untagged = lead(json!({}));
    untagged.untag = vec!["a".to_owned()];
    checked(&mut host, untagged, false, &["tags"]);
    checked(&mut host, consents(true), false, &["consent"]);
    checked(&mut host, consents(true), false, &[]);
    checked(&mut host, consents(false), false, &["consent"]);
    let contact = host.contact();
    assert_eq!(contact.tags, ["b"]);
    assert_eq!(json!(contact.fields), json!({ "status": "hot" }));
    assert!(contact.lead_since.is_some() && contact.consent.is_empty());
}

#[test]
fn what_cannot_be_told() {
    fn checked(request: LeadRequest, expected: &str) {
        let mut host = Host::new(vec![]);
        host.text("STOP");
        let before = host.contact();
        match host.take(Input::Lead(request)) {
            Answer::Refused { code, .. } => assert_eq!(code, expected),
            other => panic!("{other:?}"),
        }
        assert_eq!(host.contact(), before);
    }
    checked(lead(json!({ "phone": "+1" })), "invalid_field");
    checked(lead(json!({ "": 1 })), "invalid_field");
    checked(lead(json!({ "a": "x".repeat(20_000) })), "too_large");
    let mut zone = lead(json!({}));
    zone.zone = Some("Mars/Base".to_owned());
    checked(zone, "invalid_zone");
    let mut tag = lead(json!({}));
    tag.tag.push(String::new());
    checked(tag, "invalid_tag");
    let mut note = lead(json!({}));
    note.note = Some("x".repeat(3_000));
    checked(note, "too_large");
    // Who said STOP did not agree.
    checked(consents(true), "opted_out");
}

#[test]
fn a_request_has_one_effect() {
    let mut host = Host::new(vec![]);
    let mut request = lead(json!({}));
    request.note = Some("called at noon".to_owned());
    request.idempotency = Some(Idempotency {
        source: "leads".to_owned(),
        key: "1".to_owned(),
        digest: "a".to_owned(),
    });
    host.take(Input::Lead(request.clone()));
    assert_eq!(host.take(Input::Lead(request.clone())), Answer::Repeat);
    request.idempotency.as_mut().unwrap().digest = "b".to_owned();
    assert_eq!(host.take(Input::Lead(request)), Answer::Conflict);
    let notes: Vec<ContactNote> = host.records(b'y');
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].text, "called at noon");
}

#[test]
fn leads_start_what_wants_them() {
    fn checked(on: &str, expected: &[&str]) {
        let source = format!(
            "name: Greets\non: {on}\nintent: transactional\nenroll: {{ again: always }}\nsteps:\n  - send: \"{{{{ event.type }}}} {{{{ event.changed | join(',') }}}} {{{{ lead.status }}}} was {{{{ event.before.status | default('-', true) }}}}\"\n"
        );
        let mut host = Host::new(vec![file(&source)]);
        for status in ["new", "new", "hot"] {
            host.take(Input::Lead(lead(
                json!({ "status": status, "source": "website" }),
            )));
            host.accept();
        }
        assert_eq!(said(&host), expected, "{on}");
    }
    let (made, hot) = (
        "lead.created source,status new was -",
        "lead.updated status hot was new",
    );
    checked("lead.created", &[made]);
    checked(
        "{ lead.created: { where: 'lead.source in [\"website\"]' } }",
        &[made],
    );
    checked(
        "{ lead.created: { where: lead.source == \"facebook\" } }",
        &[],
    );
    checked("{ lead.updated: { changed: status } }", &[hot]);
    checked("{ lead.updated: { changed: [name, status] } }", &[hot]);
    checked("{ lead.updated: { changed: source } }", &[]);
    checked("[lead.created, lead.updated]", &[made, hot]);
}

#[test]
fn a_workflow_changes_what_is_known() {
    let mut host = Host::new(vec![file(
        r#"
name: Changes
on: call.missed
steps:
  - id: first
    lead:
      set: { status: called, at_call: "${{ event.at }}", gone: null }
      tag: ["call_{{ event.direction }}", warm]
      note: "Missed {{ contact.phone }}"
  - tag: again
  - id: same
    tag: [again, warm]
  - lead: { untag: warm }
  - log: "{{ lead.status }} {{ lead.tags | join(',') }} {{ first.changed | join(',') }} {{ same.changed | length }} {{ contact.name }}"
"#,
    )]);
    host.take(Input::Lead(lead(json!({ "gone": 1, "name": "Ben" }))));
    host.call("C1", CallOutcome::NoAnswer);
    let run = host.run();
    assert_eq!(
        run.results["log-1"]["message"],
        "called call_inbound,again at_call,gone,status,tags 0 Ben"
    );
    let notes: Vec<ContactNote> = host.records(b'y');
    assert_eq!(notes[0].text, format!("Missed {}", caller()));
    assert_eq!(notes[0].run.as_ref(), Some(&run.id));
}

#[test]
fn a_goal_is_looked_at_when_the_lead_changes() {
    for (status, ends) in [("booked", true), ("hot", false)] {
        let mut host = Host::new(vec![file(
            "name: Nurture\non: manual\ngoal: lead.status == \"booked\"\nsteps:\n  - parallel:\n      - - wait: 30d\n      - - wait: 30d\n",
        )]);
        host.start("nurture");
        host.take(Input::Lead(lead(json!({ "status": status }))));
        let (all, active) = (host.runs(), host.contact().runs.len());
        let root = all.iter().find(|run| run.parent.is_none()).unwrap();
        let outcome = ends.then_some("goal_reached");
        assert_eq!(
            (root.outcome.as_deref(), active),
            (outcome, if ends { 0 } else { 3 })
        );
    }
}

#[test]
fn consent_is_needed_from_the_start_to_the_end() {
    let source = "name: Nurture\non: [manual, lead.created]\nrequires_consent: marketing\nsteps:\n  - wait: 30d\n  - log: \"{{ contact.consent.marketing.source }}\"\n";
    // None recorded.
    let mut host = Host::new(vec![file(source)]);
    match host.start("nurture") {
        Answer::Refused { code, .. } => assert_eq!(code, "no_consent"),
        other => panic!("{other:?}"),
    }
    host.take(Input::Lead(lead(json!({}))));
    assert!(host.runs().is_empty());
    assert_eq!(host.told("run.not_started"), 1);
    // Recorded.
    let mut host = Host::new(vec![file(source)]);
    host.take(Input::Lead(consents(true)));
    host.wait(86_400 * 30);
    assert_eq!(host.run().results["log-1"]["message"], "web form");
    // Taken back.
    let mut host = Host::new(vec![file(source)]);
    host.take(Input::Lead(consents(true)));
    host.take(Input::Lead(consents(false)));
    let run = host.run();
    assert_eq!(
        (run.status, run.outcome.as_deref()),
        (RunStatus::Cancelled, Some("no_consent"))
    );
    // Taken back by a STOP, and a START does not bring it back.
    let mut host = Host::new(vec![file(source)]);
    host.take(Input::Lead(consents(true)));
    host.text("STOP");
    host.text("START");
    assert_eq!(host.run().outcome.as_deref(), Some("opt_out"));
    assert!(host.contact().consent.is_empty());
}

#[test]
fn a_workflow_opts_out_with_one_last_text() {
    fn checked(step: &str, expected: &[&str]) {
        let source = format!(
            "name: Out\non: message.received\nsteps:\n  - opt_out: {step}\n  - send: \"never\"\n"
        );
        let waits = "name: Waits\non: call.missed\nsteps:\n  - wait: 30d\n";
        let mut host = Host::new(vec![file(&source), file(waits)]);
        host.call("C1", CallOutcome::NoAnswer);
        host.text("leave me alone please");
        host.accept();
        assert_eq!(said(&host), expected);
        let contact = host.contact();
        let out = contact.opted_out.unwrap();
        assert_eq!(out.how, OptOutSource::Workflow);
        assert!(contact.runs.is_empty());
        let outcomes: Vec<_> = host
            .runs()
            .into_iter()
            .map(|run| run.outcome.unwrap())
            .collect();
        assert_eq!(outcomes, ["opt_out", "opt_out"]);
        // A person may take back what a workflow misread.
        assert_eq!(
            host.take(Input::OptOut(caller(), false, OptOutSource::Api)),
            Answer::Done
        );
    }
    let words = "Brightside: you will get no more texts from us. Reply START to change that.";
    checked("true", &[]);
    checked("{ scope: all }", &[]);
    checked("{ reply: true }", &[words]);
    checked(
        "{ scope: all, reply: \"Bye {{ contact.phone }}\" }",
        &["Bye +13125550123"],
    );
}

#[test]
fn opting_out_in_a_branch_ends_everything() {
    let mut host = Host::new(vec![file(
        "name: Out\non: call.missed\nsteps:\n  - parallel:\n      - - opt_out: { reply: true }\n      - - wait: 1d\n  - send: \"never\"\n",
    )]);
    host.call("C1", CallOutcome::NoAnswer);
    host.accept();
    host.wait(90_000);
    assert_eq!(said(&host).len(), 1);
    assert!(host.contact().runs.is_empty());
    assert!(
        host.runs()
            .iter()
            .all(|run| run.status == RunStatus::Cancelled)
    );
}

#[test]
fn a_workflow_frees_the_conversation() {
    for step in ["release: true", "release: {}", "release:"] {
        let source =
            format!("name: Frees\non: call.missed\nsteps:\n  - handoff: ann\n  - {step}\n");
        let mut host = Host::new(vec![file(&source)]);
        host.call("C1", CallOutcome::NoAnswer);
        assert!(host.conversation().handoff.is_none(), "{step}");
        assert_eq!(host.told("conversation.released"), 1);
        assert_eq!(host.run().status, RunStatus::Finished);
    }
}

#[test]
fn every_change_is_in_the_feed_with_its_run() {
    let mut host = Host::new(vec![file(
        "name: Tags\non: call.missed\nsteps:\n  - tag: x\n",
    )]);
    host.call("C1", CallOutcome::NoAnswer);
    let entries: Vec<Entries> = host.records(b'e');
    let mut all = entries.into_iter().flat_map(Entries::into_vec);
    let told = all.find(|one| one.kind == "lead.created").unwrap();
    assert_eq!(told.run, Some(host.run().id));
    assert_eq!(told.data["changed"], json!(["tags"]));
}
