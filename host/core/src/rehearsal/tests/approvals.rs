//! Texts that a person sees first, played through.

use super::*;

const SUMMARY: &str = r#"
name: Summary
on: call.missed
steps:
  - id: summary
    compose:
      prompt: Write
      approve: { by: support, timeout: 10m, default: send }
  - wait: 1h
  - send: "{% if summary.approved %}{{ summary.by }} saw it{% else %}Nobody saw it{% endif %}"
"#;

fn said(source: &str, approvals: &[&str]) -> Transcript {
    let approvals: Vec<String> = approvals.iter().map(|one| (*one).to_owned()).collect();
    played(
        source,
        &Words {
            approvals: &approvals,
            ..Words::default()
        },
    )
}

#[test]
fn somebody_lets_it_go() {
    snapshot!(said(SUMMARY, &[]));
}

#[test]
fn somebody_rejects_it() {
    snapshot!(said(SUMMARY, &["5m: reject"]));
}

#[test]
fn nobody_answers() {
    let skipped = SUMMARY.replace("default: send", "default: skip");
    let (sent, skipped) = (said(SUMMARY, &["1m: none"]), said(&skipped, &["0s: none"]));
    snapshot!(format!("{sent}\n\n~~~\n\n{skipped}"));
}

/// Whoever is asked without a limit of time is waited for.
#[test]
fn one_answer_for_each_draft() {
    let source = r#"
name: Two
on: call.missed
steps:
  - parallel:
      - - compose: { prompt: One, approve: ann }
      - - compose: { prompt: Two, approve: support }
"#;
    let transcript = said(source, &["5m: reject"]);
    assert_eq!(transcript.texts, 1, "{transcript}");
    assert_eq!(transcript.runs[0].status, "finished", "{transcript}");
    let transcript = said(source, &["5m: reject", "6m: none"]);
    assert_eq!(transcript.texts, 0, "{transcript}");
    assert_eq!(transcript.runs[0].status, "running", "{transcript}");
}

const TESTS: &str = r#"
name: Summary
on: call.missed
steps:
  - id: summary
    compose:
      prompt: Write
      approve: { by: support, timeout: 10m }
tests:
  - name: as it is
    call: missed
    mock: { summary: "See you on Friday." }
    then: [{ after: 5m, approve: send }]
    expect: [{ sent: "See you on Friday." }, { result: { summary: { approved: true, by: support, edited: false } } }]
  - name: nothing is said
    call: missed
    expect: [{ sent: 1 }]
  - name: in other words
    call: missed
    mock: { summary: "See you on Friday." }
    then: [{ after: 5m, approve: { answer: send, body: "See you on Monday." } }]
    expect:
      - sent: 1
      - sent: { contains: on Monday, at: "2026-01-14T10:05:02-06:00" }
      - result: { summary: { edited: true } }
  - name: rejected
    call: missed
    then: [{ after: 0s, approve: { answer: reject, reason: too long } }]
    expect: [{ sent: 0 }, { result: { summary: { approved: false, error: "support rejected it: too long" } } }]
  - name: nobody answers
    call: missed
    then: [{ after: 1m, approve: none }]
    expect: [{ sent: 0 }, { result: { summary: { approved: null, status: canceled } } }]
  - name: the contact says stop meanwhile
    call: missed
    then: [{ after: 2m, receive: STOP }, { after: 5m, approve: send }]
    expect: [{ sent: 0 }, { outcome: opt_out }]
"#;

#[test]
fn tests_say_what_is_answered() {
    let workflow = file(TESTS);
    let outcomes = on_stage(|stage| test(stage, &workflow));
    assert_eq!(outcomes.len(), 6);
    for outcome in outcomes {
        assert!(outcome.passed(), "{}", outcome.render("test.yaml"));
    }
}

#[test]
fn mistakes_in_tests() {
    let head =
        "name: a\non: call.missed\nsteps:\n  - compose: { prompt: a, approve: ann }\ntests:\n";
    let mut out = String::new();
    for then in [
        "[{ after: 1m, approve: perhaps }]",
        "[{ after: 1m, approve: { body: x } }]",
        "[{ after: 1m, approve: { answer: reject, body: x } }]",
        "[{ after: 1m, approve: { answer: send, reason: x } }]",
        "[{ after: 1m, approve: { answer: none, reason: x } }]",
        "[{ after: 1m, approve: send, receive: hi }]",
    ] {
        let test = format!(
            "  - name: t\n    call: missed\n    then: {then}\n    expect: [{{ sent: 1 }}]\n"
        );
        let parsed = parse(&format!("{head}{test}"), "test.yaml", &setup().known());
        let problems = parsed.result.unwrap_err();
        let told: Vec<String> = problems.iter().map(Diagnostic::render).collect();
        out.push_str(&format!("{then}\n~~~\n{}\n\n", told.join("\n")));
    }
    snapshot!(out);
}
