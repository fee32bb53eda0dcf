//! A run for each of several things, and the window of a workflow.

use serde_json::json;

use super::*;
use crate::model::RunId;
use crate::workflow::parse;

fn host(source: &str) -> Host {
    let parsed = parse(source, "test.yaml", &build::setup().known());
    let workflow = parsed.result.unwrap_or_else(|problems| {
        let all: Vec<String> = problems.iter().map(|one| one.render()).collect();
        panic!("{}", all.join("\n"));
    });
    Host::new(vec![Arc::new(workflow)])
}

const REMINDERS: &str = r#"
name: Reminders
on:
  schedule: { cron: "0 * * * *", zone: UTC }
intent: transactional
for_each:
  in: ${{ csv("a.csv") }}
  as: appt
  where: appt.status == "confirmed" and appt.start_at > now()
  order: name
contact: ${{ appt.phone | e164("US") }}
enroll: { key: "${{ appt.id }}", again: never }
steps:
  - send: "See you {{ appt.start_at | local(contact.zone) | when }}, {{ appt.name }}"
"#;

/// The rows that the schedule asks for come.
fn rows(host: &mut Host, rows: serde_json::Value) {
    let commands = std::mem::take(&mut host.commands);
    let [Command::Work(work)] = commands.as_slice() else {
        panic!("{commands:?}")
    };
    let Ask::Rows { of } = &work.ask else {
        panic!("{work:?}")
    };
    let brought = json!([{ "of": of[0], "rows": rows }]);
    host.take(Input::Worked(
        work.run.clone(),
        work.number,
        WorkResult::Done(brought),
    ));
}

fn row(number: usize, status: &str) -> serde_json::Value {
    json!({
        "id": number.to_string(), "name": format!("n{number:03}"), "status": status,
        "phone": format!("(312) 555-{number:04}"), "start_at": "2026-11-19T15:00:00Z",
    })
}

#[test]
fn a_run_for_each_row_once() {
    let mut host = host(REMINDERS);
    host.wait(3_600);
    let all: Vec<_> = (1..=60)
        .map(|n| row(n, if n % 10 == 0 { "moved" } else { "confirmed" }))
        .collect();
    rows(&mut host, json!(all));
    host.wait(1);
    host.accept();
    let texts: Vec<Message> = host.records(b'o');
    assert_eq!(texts.len(), 54);
    assert!(
        texts
            .iter()
            .any(|one| one.body == "See you tomorrow at 9 AM, n001"),
        "{:?}",
        texts[0].body
    );
    let mut root: Vec<Run> = host.runs();
    root.retain(|run| run.fan.is_some());
    assert_eq!(root[0].outcome.as_deref(), Some("started 54 of 54"));
    // Nothing is left over.
    assert!(host.records::<serde_json::Value>(b'F').is_empty());
    // An hour later the same rows start nobody again.
    host.wait(3_600);
    rows(
        &mut host,
        json!([row(1, "confirmed"), row(61, "confirmed")]),
    );
    host.wait(1);
    host.accept();
    assert_eq!(host.records::<Message>(b'o').len(), 55);
    assert_eq!(host.told("run.not_started"), 1);
}

#[test]
fn a_bad_row_is_said_and_stops_nobody_else() {
    let mut host = host(REMINDERS);
    host.wait(3_600);
    let mut bad = row(1, "confirmed");
    bad["phone"] = json!("none");
    rows(&mut host, json!([bad, row(2, "confirmed")]));
    host.wait(1);
    host.accept();
    assert_eq!(host.records::<Message>(b'o').len(), 1);
    assert_eq!(host.told("run.not_started"), 1);
}

#[test]
fn rows_that_do_not_come_fail_the_run() {
    let mut host = host(REMINDERS);
    host.wait(3_600);
    let commands = std::mem::take(&mut host.commands);
    let [Command::Work(work)] = commands.as_slice() else {
        panic!("{commands:?}")
    };
    host.take(Input::Worked(
        work.run.clone(),
        work.number,
        WorkResult::Failed {
            problem: problem("a.csv: No such file"),
            again: true,
        },
    ));
    let run = host.run();
    assert_eq!(run.status, RunStatus::Failed);
    assert_eq!(
        run.outcome.as_deref(),
        Some("for_each: a.csv: No such file")
    );
}

#[test]
fn a_cancelled_one_starts_no_more() {
    let mut host = host(REMINDERS);
    host.wait(3_600);
    let all: Vec<_> = (1..=60).map(|n| row(n, "confirmed")).collect();
    rows(&mut host, json!(all));
    let root = host
        .runs()
        .into_iter()
        .find(|run| run.fan.is_some())
        .unwrap();
    host.take(Input::Cancel(root.id));
    host.wait(60);
    host.accept();
    assert!(host.records::<Message>(b'o').is_empty());
    assert!(host.records::<serde_json::Value>(b'F').is_empty());
}

#[test]
fn a_window_lets_texts_wait() {
    let mut host = host(
        "name: W\non: call.missed\nintent: customer_care\nwindow: { days: [mon, tue, wed, thu, fri], between: \"11:00-12:00\" }\nsteps:\n  - send: \"hello\"\n  - wait: { at: \"18:00\" }\n",
    );
    // Ten in the morning.
    host.call("C1", CallOutcome::NoAnswer);
    host.accept();
    check(&host, &[("hello", "scheduled", "window")]);
    host.wait(3_600);
    host.accept();
    check(&host, &[("hello", "accepted", "")]);
}

#[test]
fn what_is_wrong_with_a_window() {
    let source = "name: W\non: call.missed\nwindow: { days: [], zone: Mars/Base }\nfor_each: { as: 1x }\nsteps:\n  - log: x\n";
    let parsed = parse(source, "test.yaml", &build::setup().known());
    let all: Vec<String> = parsed
        .result
        .unwrap_err()
        .iter()
        .map(|one| one.message.clone())
        .collect();
    assert_eq!(
        all,
        [
            "`days` names no day",
            "this zone cannot be read: it is not a time zone; write one like America/Chicago",
            "`for_each` needs `in`",
            "`1x` is not a name that expressions can use",
        ]
    );
}

#[test]
fn leads_that_fit() {
    let now: Timestamp = "2026-11-18T16:00:00Z".parse().unwrap();
    let mut contact = Contact::new(caller(), now);
    assert_eq!(lead_row(&contact, None, &[]), Ok(None), "no lead yet");
    contact.lead_since = Some(now);
    contact.tags = vec!["new".to_owned()];
    contact.fields.insert("status".to_owned(), json!("cold"));
    let last: Timestamp = "2026-09-01T00:00:00Z".parse().unwrap();
    let check = |name: &str, wanted: serde_json::Value, fits: bool| {
        let row = lead_row(&contact, Some(last), &[(name.to_owned(), wanted.clone())]);
        assert_eq!(row.unwrap().is_some(), fits, "{name} {wanted}");
    };
    check("status", json!("cold"), true);
    check("status", json!("hot"), false);
    check("source", json!("website"), false);
    check("tag", json!("new"), true);
    check("not_tag", json!("new"), false);
    check("not_tag", json!("old"), true);
    check("last_contact_before", json!("2026-10-01T00:00:00Z"), true);
    check("last_contact_after", json!("2026-10-01T00:00:00Z"), false);
    check("created_after", json!("2026-10-01T00:00:00Z"), true);
    let never = lead_row(
        &contact,
        None,
        &[(
            "last_contact_before".to_owned(),
            json!("2020-01-01T00:00:00Z"),
        )],
    );
    assert!(
        never.unwrap().is_some(),
        "who was never written to is older than all"
    );
    let wrong = lead_row(
        &contact,
        None,
        &[("created_before".to_owned(), json!("soon"))],
    );
    assert_eq!(
        wrong.unwrap_err(),
        "`created_before` is \"soon\", which is not a time"
    );
}

#[test]
fn leads_are_asked_for_by_their_filters() {
    let mut host = host(
        "name: Wake\non: manual\nfor_each:\n  in: ${{ leads(status=\"cold\", last_contact_before=ago(\"60d\"), not_tag=\"woken\") }}\n  as: lead\ncontact: ${{ lead.phone }}\nsteps:\n  - log: \"{{ lead.name }}\"\n",
    );
    host.take(Input::Start(StartRequest {
        idempotency: None,
        workflow: "wake".to_owned(),
        contact: None,
        input: serde_json::Map::new(),
    }));
    let commands = std::mem::take(&mut host.commands);
    let [Command::Work(work)] = commands.as_slice() else {
        panic!("{commands:?}")
    };
    let Ask::Rows { of } = &work.ask else {
        panic!("{work:?}")
    };
    let asked = serde_json::to_value(of).unwrap();
    assert_eq!(
        asked,
        json!([{ "of": "leads", "filters": [
            ["last_contact_before", "2026-09-19T15:00:00Z"], ["not_tag", "woken"], ["status", "cold"],
        ] }])
    );
    let rows = json!([{ "of": of[0], "rows": [{ "phone": "+13125550123", "name": "Jo" }] }]);
    // Reading takes its time, and `ago` must not ask for other leads by then.
    host.now += SignedDuration::from_secs(5);
    host.take(Input::Worked(
        work.run.clone(),
        work.number,
        WorkResult::Done(rows),
    ));
    host.wait(1);
    let run = host
        .runs()
        .into_iter()
        .find(|run| run.item.is_some())
        .unwrap();
    assert_eq!(run.results["log-1"]["message"], "Jo");
}

/// The works that are under way, with what they ask for.
fn asked(host: &mut Host) -> Vec<(RunId, u32, serde_json::Value)> {
    let commands = std::mem::take(&mut host.commands);
    let work = |command| match command {
        Command::Work(work) => match &work.ask {
            Ask::Rows { of } => Some((
                work.run.clone(),
                work.number,
                serde_json::to_value(of).unwrap(),
            )),
            _ => None,
        },
        _ => None,
    };
    commands.into_iter().filter_map(work).collect()
}

#[test]
fn a_step_that_reads_two_files_gets_both() {
    let mut host = host(
        "name: Two\non: call.missed\nsteps:\n  - set: { n: \"${{ (csv('a.csv') | length) + (csv('b.csv') | length) }}\" }\n  - log: \"{{ vars.n }}\"\n",
    );
    host.call("C1", CallOutcome::NoAnswer);
    for files in 1..=2 {
        let [(run, number, of)] = <[_; 1]>::try_from(asked(&mut host)).unwrap();
        let of = of.as_array().unwrap();
        assert_eq!(of.len(), files, "{of:?}");
        let brought: Vec<_> = of
            .iter()
            .map(|of| json!({ "of": of, "rows": [{}, {}] }))
            .collect();
        host.take(Input::Worked(run, number, WorkResult::Done(json!(brought))));
    }
    assert_eq!(host.run().results["log-1"]["message"], "4");
}

#[test]
fn rows_of_another_shape_are_not_asked_for_again_for_ever() {
    let mut host = host(
        "name: A\non: call.missed\nsteps:\n  - for_each: { in: \"${{ csv('a.csv') }}\", steps: [{ log: x }] }\n",
    );
    host.call("C1", CallOutcome::NoAnswer);
    let [(run, number, _)] = <[_; 1]>::try_from(asked(&mut host)).unwrap();
    host.take(Input::Worked(
        run,
        number,
        WorkResult::Done(json!({ "rows": [] })),
    ));
    assert_eq!(
        host.run().outcome.as_deref(),
        Some("step for_each-1: the rows that it asked for did not come")
    );
}
