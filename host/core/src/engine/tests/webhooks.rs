//! Steps whose work is done outside: what is asked, what becomes of the answers,
//! and of those that never come.

use serde_json::{Value as Json, json};

use super::build::{self};
use super::*;
use crate::workflow::parse;

const HEAD: &str = "name: Out\non: call.missed\nintent: customer_care\n";

/// A missed call runs this file up to its first work outside.
fn missed_call(source: &str) -> Host {
    let parsed = parse(
        &format!("{HEAD}{source}"),
        "test.yaml",
        &build::setup().known(),
    );
    let workflow = parsed.result.unwrap_or_else(|problems| {
        let all: Vec<String> = problems.iter().map(|one| one.render()).collect();
        panic!("{}", all.join("\n"));
    });
    let mut host = Host::new(vec![Arc::new(workflow)]);
    host.call("C1", CallOutcome::NoAnswer);
    host
}

/// The one work that is under way.
fn work(host: &mut Host) -> Work {
    let commands = std::mem::take(&mut host.commands);
    let mut works: Vec<Work> = commands
        .into_iter()
        .filter_map(|command| match command {
            Command::Work(work) => Some(*work),
            _ => None,
        })
        .collect();
    assert_eq!(works.len(), 1, "{works:?}");
    works.remove(0)
}

fn answer(host: &mut Host, result: WorkResult) -> Work {
    let work = work(host);
    host.take(Input::Worked(work.run.clone(), work.number, result));
    assert!(
        host.state.get(&keys::work_in_flight(&work.run)).is_none() || !host.commands.is_empty()
    );
    work
}

fn done(host: &mut Host, result: Json) -> Work {
    answer(host, WorkResult::Done(result))
}

fn unknown() -> WorkResult {
    WorkResult::Unknown(problem("timeout"))
}

fn said(host: &Host) -> Vec<String> {
    host.outgoing().into_iter().map(|(body, ..)| body).collect()
}

#[test]
fn a_request_is_filled_in_and_its_answer_is_a_result() {
    let mut host = missed_call(
        r#"
steps:
  - id: ask
    http:
      url: "https://crm.example.com/leads/{{ contact.phone }}?k=1"
      headers: { authorization: "Bearer secret:CRM" }
      json: { phone: "{{ contact.phone }}", tags: [new, "{{ event.direction }}"], n: "${{ 1 + 1 }}" }
  - send: "{{ ask.status }} {{ ask.body.name }}"
"#,
    );
    let asked = done(
        &mut host,
        json!({ "status": 200, "headers": {}, "body": { "name": "Jo" } }),
    );
    let Ask::Http(http) = asked.ask else {
        panic!("{asked:?}")
    };
    assert_eq!(http.method, "POST");
    assert_eq!(http.url, "https://crm.example.com/leads/+13125550123?k=1");
    assert_eq!(
        http.headers,
        [("authorization".to_owned(), "Bearer secret:CRM".to_owned())]
    );
    assert_eq!(
        http.body,
        Body::Json(json!({ "phone": "+13125550123", "tags": ["new", "inbound"], "n": 2 }))
    );
    host.accept();
    assert_eq!(said(&host), ["200 Jo"]);
}

#[test]
fn an_answer_to_another_work_counts_for_nothing() {
    let mut host = missed_call(
        "steps:\n  - id: a\n    http: https://example.com/a\n  - http: https://example.com/b\n",
    );
    let first = done(&mut host, json!({ "status": 200 }));
    assert_eq!(
        host.take(Input::Worked(first.run.clone(), first.number, unknown())),
        Answer::Repeat
    );
    assert_eq!(host.run().status, RunStatus::Running);
    done(&mut host, json!({ "status": 200 }));
    assert_eq!(host.run().status, RunStatus::Finished);
}

#[test]
fn what_may_have_had_an_effect_is_not_repeated_unless_the_file_says_so() {
    let post = "steps:\n  - id: a\n    http: { url: https://example.com, method: POST }\n";
    let mut host = missed_call(post);
    answer(&mut host, unknown());
    assert_eq!(host.run().status, RunStatus::Failed);
    assert!(
        host.run()
            .outcome
            .unwrap()
            .contains("nobody knows whether it was done")
    );

    let mut host = missed_call(&format!("{post}    retry: {{ max: 1, from: 5s }}\n"));
    let first = answer(&mut host, unknown());
    host.wait(6);
    let second = answer(&mut host, unknown());
    assert_eq!(first.key, second.key);
    assert_ne!(first.number, second.number);
    assert_eq!(host.run().status, RunStatus::Failed);

    // The same for a process that is gone.
    let mut host = missed_call(post);
    let lost = work(&mut host);
    host.take(Input::LostWork(lost.run));
    assert_eq!(host.run().status, RunStatus::Failed);
}

#[test]
fn what_does_no_harm_is_done_again() {
    let mut host = missed_call("steps:\n  - http: https://example.com\n");
    let lost = work(&mut host);
    host.take(Input::LostWork(lost.run.clone()));
    let again = work(&mut host);
    assert_eq!((again.key, again.number), (lost.key, 2));
    // Nobody answers at all.
    host.wait(26);
    let third = work(&mut host);
    assert_eq!(third.number, 3);
    host.take(Input::Worked(
        third.run,
        3,
        WorkResult::Done(json!({ "status": 200 })),
    ));
    assert_eq!(host.run().status, RunStatus::Finished);
    assert!(host.records::<crate::model::Timer>(b't').is_empty());
}

#[test]
fn a_definite_failure_is_final_when_another_try_would_fail_too() {
    let mut host = missed_call(
        "steps:\n  - id: crm\n    uses: acme/hubspot@1\n    with: { op: log, who: \"${{ contact.phone }}\" }\n    retry: { max: 3 }\n    on_error: continue\n  - send: \"{{ crm.attempts }} {{ crm.error }}\"\n",
    );
    let failed = WorkResult::Failed {
        problem: problem("no such contact"),
        again: false,
    };
    let asked = answer(&mut host, failed);
    assert_eq!(
        asked.ask,
        Ask::Uses {
            plugin: "acme/hubspot@1".to_owned(),
            with: json!({ "op": "log", "who": "+13125550123" }),
        }
    );
    host.accept();
    assert_eq!(said(&host), ["1 no such contact"]);
}

#[test]
fn labels_and_facts_are_what_the_file_wants() {
    fn checked(step: &str, answers: Json, expected: &str) {
        let mut host = missed_call(&format!(
            "steps:\n  - id: it\n    on_error: continue\n    {step}\n  - send: \"{{{{ it | tojson }}}}\"\n"
        ));
        done(&mut host, answers);
        host.accept();
        let said = said(&host).remove(0);
        assert!(said.contains(expected), "{said}");
    }
    let labels = "classify: { text: \"${{ event.from }}\", labels: [booking, other] }";
    checked(
        labels,
        json!({ "label": " Booking ", "confidence": 0.9 }),
        "\"label\":\"booking\"",
    );
    checked(
        labels,
        json!({ "label": "nonsense" }),
        "the model answered \\\"nonsense\\\", which is none of the labels",
    );
    let facts = "extract: { text: hello, fields: { when: \"datetime?\", price: number, all: \"list[string]\" } }";
    checked(
        facts,
        json!({ "price": "12.5", "all": "one" }),
        "\"when\":null",
    );
    checked(
        facts,
        json!({ "price": "12.5", "all": "one" }),
        "\"all\":[\"one\"]",
    );
    checked(
        facts,
        json!({ "price": "12.5", "all": [] }),
        "\"price\":12.5",
    );
    checked(facts, json!({}), "the model found no `price`");
    checked(
        facts,
        json!({ "price": 1, "when": "soon" }),
        "the model found \\\"soon\\\" for `when`, which is no datetime",
    );
}

#[test]
fn a_text_by_a_model_passes_the_guard_or_something_stands_in_for_it() {
    fn checked(more: &str, result: WorkResult, expected: &[&str]) {
        let mut host = missed_call(&format!(
            "steps:\n  - id: it\n    compose:\n      prompt: \"Write to {{{{ contact.phone }}}}\"\n      max_segments: 1\n{more}  - send: \"then {{{{ it.ok }}}}\"\n"
        ));
        let asked = answer(&mut host, result);
        assert!(matches!(&asked.ask, Ask::Compose(one) if one.request == "Write to +13125550123"));
        host.accept();
        assert_eq!(said(&host), expected);
    }
    let says = |text: &str| WorkResult::Done(json!({ "text": text }));
    let down = || WorkResult::Failed {
        problem: problem("model down"),
        again: true,
    };
    checked("", says("Hello you"), &["Hello you", "then True"]);
    checked(
        "      append: \" Reply STOP to opt out.\"\n",
        says("Hi"),
        &["Hi Reply STOP to opt out.", "then True"],
    );
    checked("", down(), &[]);
    checked(
        "      fallback: \"Hi there\"\n",
        down(),
        &["Hi there", "then True"],
    );
    checked("      fallback: \"{{ event.no.such }}\"\n", down(), &[]);
    checked(
        "      fallback: short\n",
        says(&"long ".repeat(60)),
        &["short", "then True"],
    );
    let never = "      guard: { never_say: [Guarantee] }\n";
    checked(never, says("We guarantee it"), &[]);
    checked(
        &format!("{never}      on_guard_fail: skip\n"),
        says("We guarantee it"),
        &["then False"],
    );
    checked(
        &format!("{never}      fallback: ok\n      on_guard_fail: fail\n"),
        says("We guarantee it"),
        &[],
    );
    checked(
        &format!("{never}      fallback: ok\n"),
        says("We guarantee it"),
        &["ok", "then True"],
    );
    let price = "      guard: { must_ground: [price] }\n      on_guard_fail: skip\n";
    checked(
        price,
        WorkResult::Done(json!({ "text": "It is $40.", "grounds": "a visit is $40" })),
        &["It is $40.", "then True"],
    );
    checked(
        price,
        WorkResult::Done(json!({ "text": "It is $45.", "grounds": "a visit is $40" })),
        &["then False"],
    );
}

#[test]
fn the_guard_can_call_a_person() {
    let mut host = missed_call(
        "steps:\n  - id: it\n    compose: { prompt: x, guard: { never_say: [refund] }, on_guard_fail: handoff }\n  - log: \"{{ it.to }}\"\n",
    );
    done(&mut host, json!({ "text": "Your refund is on its way" }));
    assert_eq!(host.conversation().handoff.unwrap().to, "ann");
    assert!(said(&host).is_empty());
}

#[test]
fn rows_are_fetched_and_the_step_is_taken_again() {
    let mut host = missed_call(
        r#"
steps:
  - id: each
    once: "rows"
    for_each:
      in: ${{ csv("data/a.csv") }}
      as: row
      where: row.n | int > 1
      steps:
        - send: "{{ row.name }}"
"#,
    );
    let asked = work(&mut host);
    let Ask::Rows { of } = asked.ask else {
        panic!("{asked:?}")
    };
    let rows = json!([{ "name": "Ann", "n": "1" }, { "name": "Bo", "n": "2" }]);
    let brought = json!([{ "of": of[0], "rows": rows }]);
    host.take(Input::Worked(
        asked.run,
        asked.number,
        WorkResult::Done(brought),
    ));
    host.accept();
    assert_eq!(said(&host), ["Bo"]);
}

#[test]
fn a_call_is_placed_and_waited_for() {
    let mut host = missed_call(
        "steps:\n  - id: ring\n    call: { variables: { reason: no_show } }\n  - send: \"{{ ring.status }}\"\n",
    );
    let commands = std::mem::take(&mut host.commands);
    let [Command::Place(id)] = commands.as_slice() else {
        panic!("{commands:?}")
    };
    let provider_id = "P1".to_owned();
    host.take(Input::Placed(
        id.clone(),
        PlaceResult::Accepted { provider_id },
    ));
    assert_eq!(host.run().status, RunStatus::Running);
    let mut report = call("P1", CallOutcome::NoAnswer);
    report.direction = Direction::Outbound;
    host.take(Input::Call(report));
    host.accept();
    assert_eq!(said(&host)[0], "no-answer");
}

#[test]
fn a_call_that_cannot_be_placed_is_a_result() {
    let mut host = missed_call(
        "steps:\n  - id: ring\n    call: desk\n  - send: \"{{ ring.status }} {{ ring.error }}\"\n",
    );
    let commands = std::mem::take(&mut host.commands);
    let [Command::Place(id)] = commands.as_slice() else {
        panic!("{commands:?}")
    };
    host.take(Input::Placed(
        id.clone(),
        PlaceResult::Refused(problem("no_voice")),
    ));
    host.accept();
    assert_eq!(said(&host), ["failed no_voice"]);
}

#[test]
fn people_and_programs_are_told() {
    let mut host = missed_call(
        "steps:\n  - notify: { to: ann, text: \"Call {{ contact.phone }}\", webhook: \"https://hooks.example.com/x\" }\n",
    );
    let asked = done(&mut host, json!({ "status": 204 }));
    let Ask::Http(http) = asked.ask else {
        panic!("{asked:?}")
    };
    let Body::Json(body) = http.body else {
        panic!("{http:?}")
    };
    assert_eq!(body["text"], "Call +13125550123");
    let texts: Vec<Message> = host.records(b'o');
    let told = texts
        .iter()
        .find(|one| one.contact == phone("+15125550199"));
    assert_eq!(told.unwrap().body, "Call +13125550123");
    assert_eq!(host.run().status, RunStatus::Finished);
}
