//! The `tests:` of files: those that pass, what is said of those that do not, and
//! what is wrong with how they are written.

use super::*;
use crate::workflow::{Case, Known};

/// The fourth example of the language, as far as this version has it.
const ANSWERS: &str = r#"
name: AI answers texts
on: message.received
steps:
  - id: gate
    if: convo.handoff.active
    stop: human_has_it
  - id: read
    classify:
      text: ${{ event.text }}
      labels: [asks_for_person, complaint, booking, other]
  - id: person
    if: read.label in ["asks_for_person", "complaint"]
    handoff:
      to: support
      reason: ${{ read.label }}
      reply: >-
        {% if in_hours("support") %}Thanks, a person is joining this chat.{% else %}Thanks. Our team is back
        {{ next_open("support") | when }} and will answer here.{% endif %}
      release_after: 2h
  - id: reply
    if: read.label in ["booking", "other"]
    compose: { prompt: "Answer.", max_segments: 3 }
tests:
  - name: angry customer gets a person at night
    at: "2026-03-08T01:45:00-06:00"
    given: { contact: { phone: "+13125550123", zone: America/Chicago } }
    receive: "this is the third time, I want a real person"
    mock: { read: { label: asks_for_person } }
    expect:
      - sent: 1
      - sent: "back tomorrow at 8 AM"
      - handoff: { to: support, reason: asks_for }
      - not_called: reply
"#;

fn outcomes(source: &str) -> Vec<Outcome> {
    let workflow = file(source);
    on_stage(|stage| test(stage, &workflow))
}

#[track_caller]
fn passes(source: &str) {
    for outcome in outcomes(source) {
        assert!(outcome.passed(), "{}", outcome.render("test.yaml"));
    }
}

/// What is said of the tests of a file that fail.
fn told(source: &str) -> String {
    let all = outcomes(source);
    assert!(all.iter().all(|one| !one.passed()), "{source}");
    let all: Vec<String> = all.iter().map(|one| one.render("test.yaml")).collect();
    all.join("\n\n")
}

#[test]
fn the_fourth_example_passes_its_test() {
    assert_eq!(outcomes(ANSWERS).len(), 1);
    passes(ANSWERS);
}

const FOLLOW_UP: &str = r#"
name: Follow up
on:
  call.missed: {}
  manual: { input: { plan: string } }
  schedule: { cron: "30 9 * * mon" }
intent: marketing
contact: "+13125550177"
vars: { url: https://example.com/book }
steps:
  - id: hello
    send: "Hi {{ lead.first_name | default('there') }}, book at {{ vars.url }}"
    on_error: continue
  - id: answer
    wait_for: reply
    timeout: 2d
  - id: fetch
    if: not answer.timed_out
    http: https://example.com/slots
    retry: { max: 1, from: 5s }
  - id: dial
    if: not answer.timed_out
    call: {}
  - id: last
    if: answer.timed_out
    send: "Still interested?"
"#;

fn follow_up(tests: &str) -> String {
    format!("{FOLLOW_UP}tests:\n{tests}")
}

#[test]
fn every_kind_of_start_event_and_expectation() {
    passes(&follow_up(
        r#"
  - name: they answer, and are called
    given:
      contact: { phone: "+13125550177", first_name: Kim, opted_out: false, consent: marketing }
      vars: { url: here.example }
      agent: desk
    call: missed
    mock:
      fetch: [{ error: "it is down" }, { status: 200, body: [9, 10] }]
      dial: { status: completed, summary: "They come on Friday.", duration: 90 }
    then:
      - { after: 1d, receive: "yes" }
    expect:
      - sent: 1
      - sent: { contains: "Hi Kim,   book at here.example", segments: 1, step: hello }
      - sent: { matches: "^Hi K.m", at: "2026-01-14T10:00:00-06:00" }
      - not_sent: "Still interested"
      - called: [hello, fetch, dial]
        not_called: last
      - result: { fetch: { status: 200, attempts: 2, body: [9, 10] }, dial: { ok: true, summary: "They come on Friday." } }
      - lead: { first_name: Kim }
      - outcome: finished
        status: finished
      - opted_out: false

  - name: nobody answers at night
    at: "2026-03-08T01:45:00-06:00"
    input: { plan: gold }
    expect:
      - deferred_until: "2026-03-08T09:00:00-05:00"
      - sent: { contains: book, at: "2026-03-08T14:00:00Z" }
      - sent: 2
      - called: last

  - name: the clock starts it on Monday
    schedule: true
    then:
      - { at: "2026-01-19T18:00:00Z", receive: STOP }
    expect:
      - sent: { at: "2026-01-19T09:30:00-06:00" }
      - opted_out: true
      - status: cancelled
      - outcome: opt_out
      - sent: "you will get no more texts"
      - sent: 1

  - name: a provider that refuses
    call: missed
    then: [{ after: 0s, delivery: refused }]
    expect:
      - sent: 1
      - not_sent: book at
      - result: { hello: { ok: false } }
      - called: last

  - name: the same contact twice
    event: { type: call.missed, direction: inbound }
    given: { contact: { opted_out: true } }
    expect:
      - sent: 0
      - opted_out: true
"#,
    ));
}

#[test]
fn a_call_of_theirs_ends_one_of_ours_and_rows_can_be_given() {
    passes(
        r#"
name: a
on: call.completed
steps:
  - id: each
    for_each: { in: "${{ csv('a.csv') }}", as: row, steps: [{ set: { last: "${{ row.name }}" } }] }
  - id: dial
    call: { ring_for: 60s }
  - id: tell
    send: "{{ vars.last }}: {{ dial.status }}"
vars: { last: nobody }
tests:
  - name: rows and a call
    event: { type: call.completed, summary: done, duration: 30 }
    mock: { each: [{ name: Ann }, { name: Bo }] }
    then: [{ after: 20s, call: answered }]
    expect: [{ sent: "Bo: completed" }]
  - name: nobody picks up
    call: completed
    mock: { each: [] , dial: { status: busy } }
    expect: [{ sent: "nobody: busy" }]
"#,
    );
}

#[test]
fn a_failure_says_what_was_expected_and_what_happened() {
    snapshot!(told(&follow_up(
        r#"
  - name: everything is wrong
    call: missed
    expect:
      - sent: 3
      - sent: { contains: goodbye, step: last, segments: 2, at: "2026-01-14T10:00:00-06:00" }
      - not_sent: "book at"
      - handoff: { to: ann, reason: angry }
      - called: fetch
      - not_called: hello
      - outcome: sold
      - status: running
      - deferred_until: "2026-01-15T08:00:00-06:00"
      - opted_out: true
      - result: { hello: { ok: false } }
      - lead: { first_name: Kim }

  - name: an input is missing
    input: {}
    expect: [{ sent: 1 }]
"#
    )));
}

fn messages(tests: &str) -> String {
    let source = follow_up(tests);
    let parsed = parse(&source, "test.yaml", &setup().known());
    let errors = parsed.result.err().unwrap_or_default();
    assert!(!errors.is_empty(), "nothing is said about\n{tests}");
    let all: Vec<String> = errors.iter().map(Diagnostic::render).collect();
    all.join("\n")
}

#[test]
fn mistakes_in_tests_are_told_like_all_others() {
    let mistakes = [
        "  name: a\n",
        "  - call: missed\n",
        "  - { name: a, expect: [{ sent: 1 }] }\n",
        "  - { name: a, call: missed, receive: hi, expect: [{ sent: 1 }] }\n",
        "  - { name: a, receive: hi, expect: [{ sent: 1 }] }\n",
        "  - { name: a, call: answered, expect: [{ sent: 1 }] }\n",
        "  - { name: a, event: { kind: x }, expect: [{ sent: 1 }] }\n",
        "  - { name: a, event: { type: call.mised }, expect: [{ sent: 1 }] }\n",
        "  - { name: a, schedule: false, at: tomorrow, expect: [{ sent: 1 }] }\n",
        "  - { name: a, call: missed, at: 2026-03-08T01:45:00, expect: [{ sent: 1 }] }\n",
        "  - name: a\n    call: missed\n    given: { contact: { phone: 123, zone: Mars/Base, opted_out: maybe, consent: [all] }, agent: nobody, lead: 1 }\n    expect: [{ sent: 1 }]\n",
        "  - name: a\n    call: missed\n    given: { contact: { phone: \"555 0123\" } }\n    expect: [{ sent: 1 }]\n",
        "  - name: a\n    call: missed\n    mock: { fech: { status: 200 }, fetch: 200, hello: { ok: true } }\n    expect: [{ sent: 1 }]\n",
        "  - name: a\n    call: missed\n    then: [{ receive: hi }, { after: soon, receive: hi }, { after: 1d }, { after: 1d, receive: hi, call: missed }, { after: 1d, at: 2026-03-08T01:45:00Z, receive: hi }, { after: 1d, delivery: lost }]\n    expect: [{ sent: 1 }]\n",
        "  - name: a\n    call: missed\n    expect: [{}, { snet: 1 }, { called: helo }, { result: { helo: {} } }, { sent: { step: helo, contain: a } }, { handoff: { to: nobody } }, { status: done }, { opted_out: perhaps }]\n",
        "  - { name: a, call: missed, expect: [] }\n",
        "  - { name: a, call: missed, expect: [{ sent: 1 }] }\n  - { name: a, call: missed, expect: [{ sent: 1 }] }\n",
    ];
    let mut out = String::new();
    for mistake in mistakes {
        out.push_str(&format!("{mistake}~~~\n{}\n\n", messages(mistake)));
    }
    let source = ANSWERS.replace("label: asks_for_person", "label: ask_for_person");
    let parsed = parse(&source, "test.yaml", &setup().known());
    for error in parsed.result.err().unwrap_or_default() {
        out.push_str(&error.render());
    }
    snapshot!(out);
}

#[test]
fn tests_are_no_part_of_the_version() {
    let with = file(ANSWERS);
    let (before, _) = ANSWERS.split_once("tests:").unwrap();
    let without = file(before);
    assert_eq!(with.hash, without.hash);
    assert_eq!(with.tests.len(), 1);
    assert!(without.tests.is_empty());
    let Case { line, expect, .. } = &with.tests[0];
    assert_eq!(
        ANSWERS.lines().nth(line - 1),
        Some("  - name: angry customer gets a person at night")
    );
    let place = expect.last().map_or(0, |one| one.line);
    assert_eq!(
        ANSWERS.lines().nth(place - 1),
        Some("      - not_called: reply")
    );
}

#[test]
fn names_that_cannot_be_known_do_not_stop_a_test() {
    let parsed = parse(ANSWERS, "test.yaml", &Known::default());
    let workflow = parsed.result.unwrap();
    let (setup, _) = stand_in(&workflow, &Setup::default());
    let others = Catalog::default();
    let stage = Stage {
        setup: &setup,
        others: &others,
        rows: None,
    };
    let outcomes = test(&stage, &workflow);
    // The stand-in hours are others: the sentence differs, and nothing else does.
    assert_eq!(outcomes[0].failures.len(), 1, "{}", outcomes[0].render("a"));
}

#[test]
fn the_contact_is_whom_the_run_is_about() {
    passes(
        r#"
name: a
on: { manual: { input: { who: phone } } }
contact: ${{ event.input.who }}
intent: transactional
steps:
  - send: Hello
  - id: answer
    wait_for: reply
    timeout: 1d
tests:
  - name: somebody of the input
    input: { who: "+14155550123" }
    then: [{ after: 1h, receive: "yes" }]
    expect: [{ sent: 1 }, { result: { answer: { timed_out: false } } }]
"#,
    );
}

#[test]
fn a_file_that_starts_a_run_for_each_row_is_about_all_of_them() {
    passes(
        r#"
name: a
on: { schedule: { cron: "0 9 * * *" } }
for_each: { in: "${{ csv('a.csv') }}", as: row }
contact: ${{ row.phone | e164 }}
intent: transactional
steps:
  - send: "Hello {{ row.name }}"
tests:
  - name: two rows
    schedule: true
    mock: { for_each: [{ name: Ann, phone: "+13125550124" }, { name: Bo, phone: "+13125550125" }] }
    expect: [{ sent: 2 }, { sent: "Hello Bo" }, { outcome: started 2 of 2 }]
"#,
    );
}

/// A file of one trigger whose test is begun by this event.
fn begun(on: &str, rest: &str, event: &str, sent: &str) -> String {
    format!(
        "name: a\non: {on}\n{rest}intent: transactional\nsteps:\n  - send: \"Hello {{{{ {sent} }}}}\"\ntests:\n  - name: t\n    given: {{ contact: {{ first_name: Kim, status: done, consent: marketing }} }}\n    event: {event}\n    expect: [{{ sent: 1 }}, {{ sent: Hello Kim }}]\n"
    )
}

#[test]
fn every_event_can_start_a_test() {
    let name = "lead.first_name";
    for (on, event) in [
        ("lead.created", "{ type: lead.created, source: web }"),
        (
            "{ lead.updated: { changed: status } }",
            "{ type: lead.updated }",
        ),
        ("lead.updated", "{ type: lead.updated, status: new }"),
        (
            "{ plugin.event: { plugin: crm, name: won } }",
            "{ type: plugin.event }",
        ),
        (
            "{ call.status: { status: RINGING } }",
            "{ type: call.status }",
        ),
        ("contact.opted_in", "{ type: contact.opted_in }"),
        ("message.failed", "{ type: message.failed }"),
        (
            "{ conversation.idle: { after: 2d, last_from: us } }",
            "{ type: conversation.idle }",
        ),
        ("workflow.finished", "{ type: workflow.finished }"),
    ] {
        passes(&begun(on, "", event, name));
    }
    let contact = "contact: \"${{ event.body.phone }}\"\n";
    let event = "{ type: webhook, body: { phone: \"+13125550124\", name: Kim } }";
    passes(&begun(
        "{ webhook: { path: calendar } }",
        contact,
        event,
        "event.body.name",
    ));
}
