//! What starts, wakes and ends runs beside calls, texts and the clock: from files, as
//! an author writes them.

use super::flow::{file, said};
use super::*;

/// A workflow that writes down which event started it.
fn logs(on: &str) -> Arc<Workflow> {
    file(&format!(
        "name: Logs\non: {on}\nenroll: {{ again: always }}\nsteps:\n  - log: \"{{{{ event.type }}}}\"\n"
    ))
}

/// The lines of all runs of `logs`, in the order of their start.
fn lines(host: &Host) -> Vec<String> {
    let runs = host.runs().into_iter().filter(|run| run.workflow == "logs");
    runs.map(|run| run.results["log-1"]["message"].as_str().unwrap().to_owned())
        .collect()
}

/// What speaks against runs, by the words of the feed.
fn refusals(host: &Host) -> Vec<String> {
    let entries: Vec<crate::model::Entries> = host.records(b'e');
    let all = entries
        .into_iter()
        .flat_map(crate::model::Entries::into_vec);
    all.filter(|one| one.kind == "run.not_started")
        .map(|one| {
            format!(
                "{}: {}",
                one.data["workflow"].as_str().unwrap(),
                one.data["code"].as_str().unwrap()
            )
        })
        .collect()
}

fn report(host: &mut Host, id: &MessageId, delivery: Delivery) {
    let provider_id = host.message(id).provider_id.unwrap();
    host.take(Input::Report(Report {
        connection: "main".to_owned(),
        provider_id,
        id: Some(id.clone()),
        delivery,
    }));
}

#[test]
fn a_status_of_a_text_starts_what_wants_it() {
    fn checked(on: &str, expected: &[&str]) {
        let mut host = Host::new(vec![logs(on)]);
        for (body, last) in [
            ("one", Delivery::Delivered),
            ("two", Delivery::Undelivered(problem("30005"))),
        ] {
            let id = host.send(body);
            host.accept();
            report(&mut host, &id, Delivery::Sent);
            report(&mut host, &id, last.clone());
            // It is told again, and is no news.
            report(&mut host, &id, last);
        }
        assert_eq!(lines(&host), expected, "{on}");
    }
    checked(
        "{ message.status: { status: [delivered] } }",
        &["message.status"],
    );
    checked(
        "{ message.status: { status: [delivered, sent] } }",
        &["message.status"; 3],
    );
    checked("message.failed", &["message.failed"]);
    checked("{ message.failed: { status: failed } }", &[]);
    checked(
        "{ message.failed: { where: event.reason == \"30005\" and event.message.body == \"two\" } }",
        &["message.failed"],
    );
    checked(
        "{ message.failed: { where: event.reason == \"21610\" } }",
        &[],
    );
}

#[test]
fn a_status_of_a_call_starts_what_wants_it() {
    fn checked(on: &str, expected: usize) {
        let mut host = Host::new(vec![logs(on)]);
        for outcome in [
            CallOutcome::Ringing,
            CallOutcome::Ringing,
            CallOutcome::Answered,
        ] {
            host.call("C1", outcome);
        }
        host.call("C1", CallOutcome::Completed);
        assert_eq!(lines(&host).len(), expected, "{on}");
    }
    checked("call.status", 3);
    checked("{ call.status: { status: [RINGING, COMPLETED] } }", 2);
    checked("{ call.status: { direction: outbound } }", 0);
    checked(
        "{ call.status: { where: call.status == \"IN_PROGRESS\" } }",
        1,
    );
}

#[test]
fn handing_over_and_opting_out_start_what_wants_it() {
    fn checked(on: &str, expected: &[&str]) {
        let mut host = Host::new(vec![logs(on)]);
        host.text("hello");
        let id = host.conversation().id;
        host.take(Input::Take(
            id.clone(),
            "ann".to_owned(),
            "curious".to_owned(),
        ));
        host.take(Input::Release(id));
        host.text("STOP");
        host.text("STOP");
        host.text("START");
        assert_eq!(lines(&host), expected, "{on}");
    }
    checked("conversation.handoff", &["conversation.handoff"]);
    checked(
        "{ conversation.handoff: { where: event.to == \"ann\" and event.reason == \"curious\" and convo.handoff.active } }",
        &["conversation.handoff"],
    );
    checked("contact.opted_out", &["contact.opted_out"]);
    checked(
        "[contact.opted_in, contact.opted_out]",
        &["contact.opted_out", "contact.opted_in"],
    );
}

#[test]
fn the_end_of_a_run_starts_what_wants_it() {
    fn checked(filter: &str, expected: usize) {
        let first = file(
            "name: Text back\non: call.missed\nsteps:\n  - set: { n: 7 }\n  - if: event.from\n    stop: booked\n",
        );
        let failing = file("name: Broken\non: call.missed\nsteps:\n  - call_workflow: Missing\n");
        let on = format!("{{ workflow.finished: {filter} }}");
        let mut host = Host::new(vec![first, failing, logs(&on)]);
        host.call("C1", CallOutcome::NoAnswer);
        assert_eq!(lines(&host).len(), expected, "{filter}");
    }
    checked("{}", 2);
    checked("{ workflow: Text back }", 1);
    checked("{ workflow: text-back, outcome: booked }", 1);
    checked("{ workflow: text-back, outcome: finished }", 1);
    checked("{ workflow: text-back, outcome: failed }", 0);
    checked("{ outcome: [failed, nothing] }", 1);
    checked(
        "{ where: event.vars.n == 7 and event.contact == contact.phone }",
        1,
    );
    checked("{ workflow: Nobody }", 0);
}

#[test]
fn a_program_tells_of_something() {
    fn checked(filter: &str, expected: usize) {
        let on = format!("{{ plugin.event: {filter} }}");
        let mut host = Host::new(vec![logs(&on)]);
        let posted = |plugin: &str, contact: Option<PhoneNumber>| {
            Input::Event(PostedEvent {
                idempotency: Some(Idempotency {
                    source: "events".to_owned(),
                    key: plugin.to_owned(),
                    digest: String::new(),
                }),
                plugin: plugin.to_owned(),
                name: "deal_won".to_owned(),
                contact,
                data: serde_json::json!({ "worth": 100 }),
            })
        };
        let first = host.take(posted("acme", Some(caller())));
        assert!(matches!(first, Answer::Runs(_)), "{first:?}");
        assert_eq!(host.take(posted("acme", Some(caller()))), Answer::Repeat);
        host.take(posted("other", None));
        assert_eq!(lines(&host).len(), expected, "{filter}");
    }
    checked("{}", 2);
    checked("{ plugin: acme }", 1);
    checked(
        "{ name: deal_won, where: event.data.worth > 50 and contact.phone }",
        1,
    );
    checked("{ name: deal_lost }", 0);
}

#[test]
fn a_run_waits_for_more_than_replies() {
    fn checked(wait: &str, happens: impl Fn(&mut Host), expected: &str) {
        let source = format!(
            "name: Waits\non: manual\nintent: transactional\nsteps:\n  - set: {{ n: 7 }}\n  - id: w\n    wait_for: {{ {wait}, timeout: 1d }}\n  - log: \"{{{{ w.event.type if not w.timed_out else 'nothing' }}}}\"\n"
        );
        let mut host = Host::new(vec![file(&source)]);
        host.start("waits");
        host.now += SignedDuration::from_secs(1);
        happens(&mut host);
        if expected == "nothing" {
            assert_eq!(host.run().status, RunStatus::Running, "{wait}");
            host.wait(86_400);
        }
        let run = host.run();
        assert_eq!(run.status, RunStatus::Finished, "{wait}: {run:#?}");
        assert_eq!(run.results["log-1"]["message"], expected, "{wait}");
    }
    let delivered = |host: &mut Host| {
        let id = host.send("hello");
        host.accept();
        report(host, &id, Delivery::Delivered);
    };
    checked(
        "message.status: { status: delivered }",
        delivered,
        "message.status",
    );
    checked(
        "message.status: { status: undelivered }",
        delivered,
        "nothing",
    );
    checked(
        "message.status: { status: delivered, where: event.message.body == \"hello\" and vars.n == 7 }",
        delivered,
        "message.status",
    );
    checked(
        "message.status: { where: event.message.body == \"bye\" }",
        delivered,
        "nothing",
    );
    checked(
        "message.failed: {}",
        |host| {
            host.send("hello");
            host.result(SendResult::Rejected(problem("21211")));
        },
        "message.failed",
    );
    let called = |host: &mut Host| {
        host.call("C1", CallOutcome::Answered);
    };
    checked(
        "call.status: { status: IN_PROGRESS }",
        called,
        "call.status",
    );
    checked(
        "call.status: { where: call.fromNumber == contact.phone }",
        called,
        "call.status",
    );
    checked(
        "call.missed: { where: event.direction == \"outbound\" }",
        |host| {
            host.call("C1", CallOutcome::NoAnswer);
        },
        "nothing",
    );
    checked(
        "message.received: { where: \"'yes' in event.text\" }",
        |host| {
            host.text("no");
        },
        "nothing",
    );
    checked(
        "message.received: { where: \"'yes' in event.text\" }",
        |host| {
            host.text("no");
            host.text("oh yes");
        },
        "message.received",
    );
    checked(
        "conversation.handoff: {}",
        |host| {
            host.text("hello");
            let id = host.conversation().id;
            host.take(Input::Take(id, "ann".to_owned(), String::new()));
        },
        "conversation.handoff",
    );
    checked(
        "lead.updated: { changed: status, where: lead.status == \"booked\" }",
        |host| {
            host.take(Input::Lead(LeadRequest::new(caller())));
            let mut lead = LeadRequest::new(caller());
            lead.fields.insert("status".to_owned(), "booked".into());
            host.take(Input::Lead(lead));
        },
        "lead.updated",
    );
    checked(
        "plugin.event: { name: paid }",
        |host| {
            host.take(Input::Event(PostedEvent {
                idempotency: None,
                plugin: "till".to_owned(),
                name: "paid".to_owned(),
                contact: Some(caller()),
                data: serde_json::Value::Null,
            }));
        },
        "plugin.event",
    );
}

#[test]
fn a_run_waits_for_the_contact_to_opt_in() {
    // STOP ends runs, so it begins after that.
    let mut host = Host::new(vec![file(
        "name: Waits\non: contact.opted_out\nsteps:\n  - wait_for: { contact.opted_in: {} }\n  - log: back\n",
    )]);
    host.text("STOP");
    host.text("START");
    assert_eq!(host.run().status, RunStatus::Finished);
}

#[test]
fn a_report_that_overtakes_the_answer_is_waited_for_all_the_same() {
    let mut host = Host::new(vec![file(
        "name: Waits\non: call.missed\nsteps:\n  - send: hi\n  - wait_for: { message.status: { status: delivered } }\n  - log: done\n",
    )]);
    host.call("C1", CallOutcome::NoAnswer);
    let [id] = host.leaving().try_into().unwrap();
    host.take(Input::Report(Report {
        connection: "main".to_owned(),
        provider_id: "P1".to_owned(),
        id: Some(id),
        delivery: Delivery::Delivered,
    }));
    assert_eq!(host.run().status, RunStatus::Finished);
}

#[test]
fn a_status_that_is_told_again_is_no_news() {
    let mut host = Host::new(vec![logs("{ message.status: { status: delivered } }")]);
    host.send("hi");
    let [id] = host.leaving().try_into().unwrap();
    host.take(Input::Report(Report {
        connection: "main".to_owned(),
        provider_id: String::new(),
        id: Some(id.clone()),
        delivery: Delivery::Delivered,
    }));
    // The answer comes after the report, brings the id, and is told with the status.
    let told = host.told("message.status");
    let provider_id = "P1".to_owned();
    host.take(Input::Sent(id, SendResult::Accepted { provider_id }));
    assert!(host.told("message.status") > told);
    assert_eq!(lines(&host).len(), 1);
}

#[test]
fn further_events_end_runs() {
    fn checked(event: &str, happens: impl Fn(&mut Host)) {
        for (listed, status) in [
            (event, RunStatus::Cancelled),
            ("opt_out", RunStatus::Running),
        ] {
            let source =
                format!("name: Long\non: manual\ncancel_on: [{listed}]\nsteps:\n  - wait: 30d\n");
            let mut host = Host::new(vec![file(&source)]);
            host.take(Input::Lead(LeadRequest::new(caller())));
            host.start("long");
            happens(&mut host);
            let run = host.run();
            assert_eq!(run.status, status, "{event}");
            if status == RunStatus::Cancelled {
                assert_eq!(run.outcome.as_deref(), Some(event));
                assert!(host.contact().runs.is_empty());
            }
        }
    }
    checked("call.missed", |host| {
        host.call("C1", CallOutcome::Busy);
    });
    checked("call.completed", |host| {
        host.call("C1", CallOutcome::Completed);
    });
    checked("message.failed", |host| {
        host.send("hello");
        host.result(SendResult::Rejected(problem("21211")));
    });
    checked("lead.updated", |host| {
        let mut lead = LeadRequest::new(caller());
        lead.tag.push("sold".to_owned());
        host.take(Input::Lead(lead));
    });
}

#[test]
fn a_run_does_not_end_by_its_own_doing() {
    let mut host = Host::new(vec![file(
        "name: Own\non: manual\ncancel_on: [lead.updated, handoff]\nsteps:\n  - lead: { set: { a: 1 } }\n  - parallel:\n      - - lead: { set: { b: 1 } }\n        - handoff: ann\n        - wait: 1m\n      - - lead: { set: { c: 1 } }\n  - lead: { set: { d: 1 } }\n  - id: w\n    wait_for: { lead.updated: {}, timeout: 1h }\n  - log: \"{{ lead.b }} {{ w.timed_out }}\"\n",
    )]);
    host.start("own");
    host.wait(60);
    let root = |host: &Host| {
        let mut runs = host.runs();
        runs.retain(|run| run.parent.is_none());
        runs.remove(0)
    };
    assert_eq!(root(&host).status, RunStatus::Running, "{:#?}", root(&host));
    host.wait(3_600);
    assert_eq!(root(&host).outcome.as_deref(), Some("finished"));
    assert_eq!(root(&host).results["log-1"]["message"], "1 True");
}

#[test]
fn nothing_is_started_by_its_own_doing() {
    let own = file(
        "name: Own\non: lead.updated\nenroll: { again: always }\nsteps:\n  - lead: { set: { seen: \"${{ run.id }}\" } }\n",
    );
    let mut host = Host::new(vec![own]);
    host.take(Input::Lead(LeadRequest::new(caller())));
    let mut lead = LeadRequest::new(caller());
    lead.tag.push("x".to_owned());
    host.take(Input::Lead(lead));
    assert_eq!(host.runs().len(), 1);
    assert_eq!(refusals(&host), ["own: own_event"]);
}

#[test]
fn circles_of_several_workflows_end() {
    let one = |name: &str, from: &str| {
        file(&format!(
            "name: {name}\non: {{ lead.updated: {{ changed: {from} }} }}\nenroll: {{ again: always }}\nsteps:\n  - lead: {{ set: {{ {name}: \"${{{{ run.id }}}}\" }} }}\n"
        ))
    };
    let mut host = Host::new(vec![one("a", "c"), one("b", "a"), one("c", "b")]);
    host.take(Input::Lead(LeadRequest::new(caller())));
    let mut lead = LeadRequest::new(caller());
    lead.fields.insert("c".to_owned(), 1.into());
    host.take(Input::Lead(lead));
    let runs = host.runs();
    let all: Vec<(&str, u32)> = runs
        .iter()
        .map(|run| (run.workflow.as_str(), run.depth))
        .collect();
    assert_eq!(all, [("a", 0), ("b", 1), ("c", 2)]);
    assert_eq!(refusals(&host), ["a: own_event"]);
}

#[test]
fn long_chains_end() {
    let all: Vec<Arc<Workflow>> = (0..12)
        .map(|number| {
            file(&format!(
                "name: w{number}\non: {{ lead.updated: {{ changed: f{number} }} }}\nsteps:\n  - lead: {{ set: {{ f{}: 1 }} }}\n",
                number + 1
            ))
        })
        .collect();
    let mut host = Host::new(all);
    host.take(Input::Lead(LeadRequest::new(caller())));
    let mut lead = LeadRequest::new(caller());
    lead.fields.insert("f0".to_owned(), 1.into());
    host.take(Input::Lead(lead));
    assert_eq!(host.runs().len(), 9);
    assert_eq!(refusals(&host), ["w9: too_deep"]);
}

#[test]
fn a_storm_of_events_is_stopped() {
    // Eleven workflows that all start one another: without an end, millions of runs.
    let all: Vec<Arc<Workflow>> = (0..11)
        .map(|number| {
            file(&format!(
                "name: w{number}\non: lead.updated\nenroll: {{ again: always }}\nsteps:\n  - lead: {{ set: {{ f: \"${{{{ run.id }}}}\" }} }}\n"
            ))
        })
        .collect();
    let mut host = Host::new(all);
    host.take(Input::Lead(LeadRequest::new(caller())));
    let mut lead = LeadRequest::new(caller());
    lead.tag.push("x".to_owned());
    host.take(Input::Lead(lead));
    assert!(host.runs().len() < 3_000, "{}", host.runs().len());
    assert_eq!(host.told("events.dropped"), 1);
}

#[test]
fn a_text_of_a_run_that_fails_starts_others_and_not_itself() {
    let texts = |name: &str| {
        file(&format!(
            "name: {name}\non: [message.failed, call.missed]\nintent: customer_care\nenroll: {{ again: always }}\nsteps:\n  - send: \"{name}\"\n"
        ))
    };
    let mut host = Host::new(vec![texts("a"), texts("b")]);
    host.call("C1", CallOutcome::NoAnswer);
    for _ in 0..8 {
        for id in host.leaving() {
            host.take(Input::Sent(id, SendResult::Rejected(problem("21211"))));
        }
    }
    // Each by the call, and each by the other's failure.
    assert_eq!(said(&host), ["a", "b", "b", "a"]);
    assert_eq!(host.runs().len(), 4);
}
