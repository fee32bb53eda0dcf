//! Files that are taken, and what they mean.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::super::super::*;
use super::{clinic, messages, sound};
use crate::workflow::expression::{NoServices, Pattern, Scope, Template, Value};

/// Example 1 of the language without its `classify`.
pub(super) const MISSED_CALL: &str = r#"
name: Missed-call text-back
description: Text a caller within a minute of an unanswered call, then wait for the answer.

on:
  call.missed:
    direction: inbound
    to: ["+15125550100"]

contact: ${{ event.from }}
intent: customer_care            # not marketing: they just called us
enroll:
  key: ${{ contact.phone }}
  again_after: 4h                # two missed calls in 4 hours = one text
cancel_on: [opt_out, handoff, call.answered]

steps:
  - id: settle                   # people often redial at once
    wait: 45s

  - id: text
    send:
      agent: front-desk
      body: |
        Hi{% if lead.first_name %} {{ lead.first_name }}{% endif %}, sorry we missed your call.
        This is {{ agent.business }}. How can we help? Reply here and a person will see it.
        {% if not in_hours("business") %}We open {{ next_open("business") | when }}.{% endif %}

  - id: answer
    wait_for:
      message.received: {}
      timeout: 24h

  - id: no_answer
    if: answer.timed_out
    send:
      agent: front-desk
      body: "Still happy to help whenever suits. Book a time here: {{ vars.booking_url }}"

  - if: not answer.timed_out and "emergency" in answer.message.body
    handoff: { to: on-call, reason: "Emergency reply to a missed call" }

vars:
  booking_url: https://example.com/book
"#;

/// Example 7, begun by a call that was answered.
pub(super) const REVIEW: &str = r#"
name: Review request
on:
  call.completed:
    where: call.durationSeconds >= 30 and call.summary
contact: "${{ call.toNumber if call.direction == 'OUTBOUND' else call.fromNumber }}"
intent: marketing
enroll: { key: "${{ call.id }}", again_after: 90d }
cancel_on: [opt_out, handoff]
steps:
  - wait: { hours: 3, window: "11:00-19:30" }
  - if: convo.last_sentiment == "negative" or lead.open_complaint
    stop: { reason: unhappy_customer }
  - id: ask
    send:
      agent: front-desk
      body: "Thanks for choosing {{ agent.business }}, {{ lead.first_name }}! How did we do, 1 (bad) to 5 (great)?"
  - id: score
    wait_for:
      message.received: { matches: "^\\s*[1-5]\\b" }
      timeout: 3d
  - if: not score.timed_out and score.message.body | int >= 4
    send: { agent: front-desk, body: "So glad! Would you share it here? {{ vars.review_url }}" }
  - if: not score.timed_out and score.message.body | int <= 3
    handoff: { to: owner, reason: "Rating {{ score.message.body }}" }
vars:
  review_url: https://g.page/r/example/review
"#;

/// Example 8 for one contact, and what else the language has.
pub(super) const CAMPAIGN: &str = r#"
name: Wake cold leads
on:
  schedule: { cron: "0 10 * * tue", zone: America/Chicago, missed: skip, overlap: queue }
  manual: { input: { offer: string, until: string?, phone: phone } }
contact: "+1 (512) 555-0199"
intent: marketing
enroll: { key: "spring-2026:{{ contact.phone }}", again: never }
cancel_on: [reply, opt_out, handoff]
on_delete: cancel
campaign: spring-2026
rate: { per_number: 20/min, total: 250/day, spread: even }
breaker: { opt_out_rate: "> 2% of last 100", failure_rate: "> 5.5% of last 100" }
steps:
  - name: The first text
    send:
      agent: sales
      template: proof
      media: https://example.com/a.png
      valid_until: ${{ now() | plus("2h") }}
      on_unknown: resend
  - wait: { days: 1, at: "10:30" }
  - set: { tries: "${{ 1 + 1 }}", who: "{{ contact.phone }}", list: [1, NO, true] }
  - wait: { until: "${{ run.started_at | plus('3d') }}" }
  - send: "Still thinking, {{ vars.tries }}?"
  - stop: done
"#;

/// The smallest useful file.
pub(super) const SMALL: &str = r#"
name: Missed-call text-back
on: call.missed
steps:
  - send: "Sorry we missed you! How can we help?"
"#;

#[test]
fn the_examples_are_sound() {
    for source in [MISSED_CALL, REVIEW, CAMPAIGN, SMALL] {
        let workflow = sound(source);
        let stored = serde_json::to_string(&workflow.definition).unwrap();
        let read: Definition = serde_json::from_str(&stored).unwrap();
        assert_eq!(read, workflow.definition, "it survives storing");
        assert_eq!(hash(&read), workflow.hash);
        assert_eq!(workflow.positions.len(), workflow.definition.steps.len());
    }
}

#[test]
fn the_first_example_means_this() {
    let Workflow {
        definition,
        positions,
        ..
    } = sound(MISSED_CALL);
    snapshot!(serde_json::to_string_pretty(&definition).unwrap());
    assert_eq!(positions, [18, 21, 29, 34, 40]);
}

#[test]
fn the_campaign_means_this() {
    snapshot!(serde_json::to_string_pretty(&sound(CAMPAIGN).definition).unwrap());
}

#[test]
fn the_first_example_says_this() {
    let Workflow { definition, .. } = sound(MISSED_CALL);
    let Action::Send(send) = &definition.steps[3].action else {
        panic!("step 4 is a send");
    };
    let Content::Body(body) = &send.content else {
        panic!("with a body");
    };
    let mut scope = Scope::new(Timestamp::UNIX_EPOCH, Arc::new(NoServices));
    scope.set("vars", json!(definition.vars));
    assert_eq!(
        body.render(&scope).unwrap(),
        "Still happy to help whenever suits. Book a time here: https://example.com/book"
    );
}

#[test]
fn defaults_follow_from_the_trigger() {
    let intent = |on: &str| {
        sound(&format!("name: a\non: {on}\nsteps:\n  - stop: x\n"))
            .definition
            .intent
    };
    assert_eq!(intent("call.missed"), Intent::CustomerCare);
    assert_eq!(intent("[call.completed]"), Intent::CustomerCare);
    assert_eq!(intent("message.received"), Intent::Conversation);
    assert_eq!(
        intent("{ call.missed: {}, message.received: {} }"),
        Intent::CustomerCare
    );
    assert_eq!(intent("[call.missed, manual]"), Intent::Marketing);
    assert_eq!(
        intent("{ schedule: { cron: '* * * * *' } }"),
        Intent::Marketing
    );
    let enroll = sound(SMALL).definition.enroll;
    assert_eq!(
        enroll,
        Enroll {
            key: None,
            again: Again::AfterFinished,
            again_after: None
        }
    );
}

#[test]
fn short_forms_are_long_forms() {
    let action = |step: &str| {
        let file = format!("name: a\non: call.missed\nsteps:\n  - {step}\n");
        sound(&file).definition.steps.remove(0).action
    };
    for (short, long) in [
        ("send: hello", "send: { body: hello }"),
        ("send: '${{ event.from }}'", "send: '{{ event.from }}'"),
        ("wait: 90m", "wait: { hours: 1, minutes: 30 }"),
        ("wait: 2d", "wait: { days: 2 }"),
        ("wait_for: reply", "wait_for: { message.received: {} }"),
        (
            "wait_for: reply\n    timeout: 2h",
            "wait_for: { message.received: {}, timeout: 2h }",
        ),
        ("handoff: support", "handoff: { to: support }"),
        (
            "compose: { prompt: a, approve: support }",
            "compose: { prompt: a, approve: { by: support } }",
        ),
        (
            "compose: { prompt: a, approve: { by: support, timeout: 90m } }",
            "compose: { prompt: a, approve: { by: support, timeout: 90m, default: skip } }",
        ),
        ("stop: done", "stop: { reason: done }"),
        ("stop:", "stop: {}"),
    ] {
        assert_eq!(action(short), action(long), "{short}");
    }
    assert_eq!(
        action("wait: { days: 1, at: '9:05' }"),
        Action::Wait(Wait {
            seconds: 86_400,
            at: Some(TimeOfDay { hour: 9, minute: 5 }),
            ..Wait::default()
        })
    );
}

#[test]
fn values_are_what_they_look_like() {
    let file = "name: a\non: call.missed\nvars:\n  n: 1\n  f: 1.50\n  no: NO\n  yes: yes\n  t: true\n  z: 007\n  q: \"1\"\n  e:\n  d: 2026-01-01\n  l: [a, {b: 1}]\nsteps:\n  - stop: x\n";
    let vars = sound(file).definition.vars;
    assert_eq!(
        serde_json::to_value(vars).unwrap(),
        json!({"n": 1, "f": 1.5, "no": "NO", "yes": "yes", "t": true, "z": "007", "q": "1", "e": null, "d": "2026-01-01", "l": ["a", {"b": 1}]})
    );
}

#[test]
fn a_version_is_what_the_file_means() {
    let first = sound(MISSED_CALL);
    let same = [
        MISSED_CALL.replace("# people often redial at once", ""),
        MISSED_CALL.replace("\n\n", "\n\n# a comment\n\n"),
        MISSED_CALL.replace("to: [\"+15125550100\"]", "to: '+1 512 555 0100'"),
        MISSED_CALL.replace(
            "    direction: inbound\n    to: [\"+15125550100\"]",
            "    to: [\"+15125550100\"]\n    direction: inbound",
        ),
        MISSED_CALL.replace('\n', "\r\n"),
        format!("\u{feff}{MISSED_CALL}"),
    ];
    for source in same {
        assert_eq!(sound(&source).hash, first.hash, "{source}");
    }
    for (from, to) in [
        ("45s", "46s"),
        ("sorry we", "Sorry we"),
        ("4h ", "5h "),
        ("id: settle", "id: settled"),
        ("/book", "/b"),
    ] {
        assert_ne!(
            sound(&MISSED_CALL.replace(from, to)).hash,
            first.hash,
            "{from}"
        );
    }
    let nested = |vars: &str| {
        let file = format!("name: a\non: call.missed\nvars: {vars}\nsteps: [{{ stop: x }}]\n");
        sound(&file).hash
    };
    assert_eq!(
        nested("{ a: { b: 1, c: 2 } }"),
        nested("{ a: { c: 2, b: 1 } }")
    );
    assert_ne!(nested("{ a: [1, 2] }"), nested("{ a: [2, 1] }"));
    assert_eq!(first.hash.len(), 64);
    assert_eq!(first.source, MISSED_CALL);
}

#[test]
fn ids_are_made_from_action_and_place() {
    let file = "name: Ünï & Co.\non: call.missed\nsteps:\n  - send: a\n  - id: x\n    send: b\n  - send: c\n  - wait: 1m\n";
    let definition = sound(file).definition;
    let ids: Vec<_> = definition
        .steps
        .iter()
        .map(|step| step.id.as_str())
        .collect();
    assert_eq!(ids, ["send-1", "x", "send-3", "wait-1"]);
    assert_eq!(definition.id, "ünï-co");
}

#[test]
fn names_that_cannot_be_known_are_warnings() {
    let parsed = parse(MISSED_CALL, "test.yaml", &Known::default());
    assert!(parsed.result.is_ok());
    snapshot!(messages(MISSED_CALL, &Known::default()));
}

#[test]
fn the_schema_knows_what_the_reader_knows() {
    let schema = schema();
    snapshot!(serde_json::to_string_pretty(&schema).unwrap());
}

#[test]
fn filters_are_what_was_written() {
    let file = "name: a\non:\n  message.received: { to_agent: sales, from: '+15125550100', matches: 'yes|no', where: event.text }\nsteps:\n  - wait_for: { call.missed: { voicemail: counts_as_missed }, call.completed: }\n";
    let definition = sound(file).definition;
    assert_eq!(
        definition.triggers[0].on,
        On::MessageReceived(TextFilter {
            to_agent: Some("sales".to_owned()),
            from: vec!["+15125550100".to_owned()],
            matches: Some(Pattern::new("yes|no").unwrap()),
            fold: None,
        })
    );
    let Action::WaitFor(wait) = &definition.steps[0].action else {
        panic!("it waits");
    };
    assert_eq!(
        wait.events,
        [
            Awaited::from(On::CallMissed(CallFilter {
                voicemail_counts_as_missed: Some(true),
                ..CallFilter::default()
            })),
            Awaited::from(On::CallCompleted(CallFilter::default())),
        ]
    );
    drop((clinic(), Template::new("x"), Value::Literal(json!(1))));
}

/// Stored definitions are read for ever, and a file that did not change keeps its hash.
#[test]
fn what_is_awaited_is_stored_as_it_always_was() {
    let file = "name: a\non: call.missed\nsteps:\n  - wait_for: { message.received: { matches: 'x' }, call.completed: { direction: inbound }, timeout: 1h }\n";
    let definition = sound(file).definition;
    let stored = json!({
        "do": "wait_for",
        "events": [
            { "event": "message.received", "matches": "x" },
            { "event": "call.completed", "direction": "inbound" },
        ],
        "timeout": 3600,
    });
    let action = &definition.steps[0].action;
    assert_eq!(serde_json::to_value(action).unwrap(), stored);
    assert_eq!(&serde_json::from_value::<Action>(stored).unwrap(), action);
    let whole = serde_json::to_value(&definition).unwrap();
    for key in ["requires_consent", "concurrency"] {
        assert!(whole.get(key).is_none(), "{whole}");
    }
}

#[test]
fn events_are_what_was_written() {
    fn checked(on: &str, expected: serde_json::Value) {
        let file = format!("name: a\ncontact: \"+15125550100\"\non: {on}\nsteps:\n  - stop: x\n");
        let trigger = sound(&file).definition.triggers.remove(0);
        let stored = serde_json::to_value(&trigger).unwrap();
        assert_eq!(stored["on"], expected);
        assert_eq!(serde_json::from_value::<Trigger>(stored).unwrap(), trigger);
    }
    checked("contact.opted_in", json!({ "event": "contact.opted_in" }));
    checked(
        "{ lead.updated: { changed: status } }",
        json!({ "event": "lead.updated", "changed": ["status"] }),
    );
    checked(
        "{ message.received: { fold: 8s, skip: [opt_out_keywords] } }",
        json!({ "event": "message.received", "fold": 8 }),
    );
    checked(
        "{ conversation.idle: { after: 2d, last_from: us } }",
        json!({ "event": "conversation.idle", "after": 172_800, "last_from": "us" }),
    );
    checked(
        "{ webhook: { path: a/b, verify: { hmac_sha256: 'secret:CRM', header: X-Sig } } }",
        json!({
            "event": "webhook", "path": "a/b", "verify": { "hmac_sha256": "CRM", "header": "X-Sig" },
        }),
    );
    checked(
        "{ call.status: { status: [BUSY, FAILED] } }",
        json!({ "event": "call.status", "status": ["BUSY", "FAILED"] }),
    );
}

#[test]
fn the_id_that_a_broken_file_still_says() {
    for (source, id) in [
        ("name: Text back\nsteps: [", Some("text-back")),
        ("\u{feff}name: \"Text back\" # ours\n: :", Some("text-back")),
        ("on: [\nname:   'Zurück'", Some("zurück")),
        ("  name: of something inside", None),
        ("name:\n", None),
        ("nme: Text back", None),
        ("", None),
    ] {
        assert_eq!(id_of_broken(source).as_deref(), id, "{source:?}");
    }
}
