//! Runs of one group, one at a time.

use super::flow::file;
use super::*;

fn workflow(rule: &str) -> Arc<Workflow> {
    file(&format!(
        "name: One\non: [call.missed, manual]\nenroll: {{ again: always }}\nconcurrency: {rule}\nsteps:\n  - wait: 1h\n  - log: \"{{{{ event.id }}}}\"\n"
    ))
}

/// Three missed calls a minute apart.
fn three(rule: &str) -> Host {
    let mut host = Host::new(vec![workflow(rule)]);
    for call in ["C1", "C2", "C3"] {
        host.call(call, CallOutcome::NoAnswer);
        host.wait(60);
    }
    host
}

/// Minutes after the first start at which each run started and ended, and how.
fn times(host: &Host) -> Vec<(i64, i64, String)> {
    let mut runs = host.runs();
    runs.sort_by_key(|run| run.started_at);
    let first = runs[0].started_at;
    let minutes = |at: Timestamp| (at - first).get_seconds() / 60;
    runs.iter()
        .map(|run| {
            let end = run.finished_at.map_or(-1, minutes);
            (
                minutes(run.started_at),
                end,
                run.outcome.clone().unwrap_or_default(),
            )
        })
        .collect()
}

fn is(times: &[(i64, i64, String)], expected: &[(i64, i64, &str)]) {
    let seen: Vec<(i64, i64, &str)> = times
        .iter()
        .map(|one| (one.0, one.1, one.2.as_str()))
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn one_after_another() {
    for rule in [
        "{}",
        "{ on_new: queue }",
        "{ group: \"${{ event.from }}\" }",
    ] {
        let mut host = three(rule);
        is(&times(&host), &[(0, -1, "")]);
        assert_eq!(host.told("run.queued"), 2);
        host.wait(4 * 3_600);
        is(
            &times(&host),
            &[
                (0, 60, "finished"),
                (60, 120, "finished"),
                (120, 180, "finished"),
            ],
        );
        // In the order of coming.
        let calls: Vec<crate::model::Call> = host.records(b'a');
        let mut runs = host.runs();
        runs.sort_by_key(|run| run.started_at);
        for (run, call) in runs.iter().zip(&calls) {
            assert_eq!(run.call.as_ref(), Some(&call.id));
        }
        assert_eq!(super::retention::count(&host, b'z'), 0, "{rule}");
    }
}

#[test]
fn the_newest_or_the_oldest() {
    let mut host = three("{ on_new: restart }");
    host.wait(4 * 3_600);
    is(
        &times(&host),
        &[
            (0, 1, "restarted"),
            (1, 2, "restarted"),
            (2, 62, "finished"),
        ],
    );
    let mut host = three("{ on_new: drop }");
    host.wait(4 * 3_600);
    is(&times(&host), &[(0, 60, "finished")]);
    assert_eq!(host.told("run.not_started"), 2);
    assert_eq!(super::retention::count(&host, b'z'), 0);
}

#[test]
fn restarting_makes_room_for_a_key_that_may_come_after_the_end() {
    let source =
        "name: One\non: call.missed\nconcurrency: { on_new: restart }\nsteps:\n  - wait: 1h\n";
    let mut host = Host::new(vec![file(source)]);
    host.call("C1", CallOutcome::NoAnswer);
    host.call("C2", CallOutcome::NoAnswer);
    let mut outcomes: Vec<_> = host.runs().into_iter().map(|run| run.outcome).collect();
    outcomes.sort();
    assert_eq!(outcomes, [None, Some("restarted".to_owned())]);
    // And what may not come again does not end the one that is there.
    let source = "name: One\non: call.missed\nenroll: { again: never }\nconcurrency: { on_new: restart }\nsteps:\n  - wait: 1h\n";
    let mut host = Host::new(vec![file(source)]);
    host.call("C1", CallOutcome::NoAnswer);
    host.call("C2", CallOutcome::NoAnswer);
    assert_eq!(host.run().status, RunStatus::Running);
}

#[test]
fn groups_do_not_wait_for_each_other() {
    let host = three("{ group: \"${{ event.id }}\" }");
    is(&times(&host), &[(0, -1, ""), (1, -1, ""), (2, -1, "")]);
}

#[test]
fn a_line_has_an_end() {
    let mut host = Host::new(vec![workflow("{}")]);
    for number in 0..110 {
        host.call(&format!("C{number}"), CallOutcome::NoAnswer);
    }
    assert_eq!(host.told("run.queued"), 100);
    assert_eq!(host.told("run.not_started"), 9);
    host.wait(101 * 3_600);
    assert_eq!(host.runs().len(), 101);
    assert!(
        host.runs()
            .iter()
            .all(|run| run.status == RunStatus::Finished)
    );
    assert_eq!(super::retention::count(&host, b'z'), 0);
}

#[test]
fn who_asks_is_told_that_it_waits() {
    let mut host = Host::new(vec![workflow("{}")]);
    host.start("one");
    let request = StartRequest {
        idempotency: Some(Idempotency {
            source: "start".to_owned(),
            key: "1".to_owned(),
            digest: String::new(),
        }),
        workflow: "one".to_owned(),
        contact: Some(caller()),
        input: serde_json::Map::new(),
    };
    assert_eq!(host.take(Input::Start(request.clone())), Answer::Queued);
    assert_eq!(host.take(Input::Start(request)), Answer::Repeat);
    host.wait(3 * 3_600);
    assert_eq!(host.runs().len(), 2);
}

#[test]
fn what_waits_for_a_file_that_is_gone_is_told_of() {
    let mut host = three("{}");
    host.take(Input::Undefine("one".to_owned()));
    host.catalog.in_service.clear();
    host.wait(4 * 3_600);
    assert_eq!(host.runs().len(), 1);
    assert_eq!(host.told("run.not_started"), 2);
    assert_eq!(super::retention::count(&host, b'z'), 0);
}

#[test]
fn who_may_not_start_is_passed_over() {
    let source = "name: One\non: call.missed\nenroll: { key: \"${{ event.voicemail }}\", again: never }\nconcurrency: { group: all }\nsteps:\n  - wait: 1h\n";
    let mut host = Host::new(vec![file(source)]);
    for (call, outcome) in [
        ("C1", CallOutcome::NoAnswer),
        ("C2", CallOutcome::NoAnswer),
        ("C3", CallOutcome::Voicemail),
    ] {
        host.call(call, outcome);
    }
    host.wait(3 * 3_600);
    is(&times(&host), &[(0, 60, "finished"), (60, 120, "finished")]);
    assert_eq!(host.told("run.not_started"), 1);
}

#[test]
fn a_called_workflow_does_not_wait_in_line() {
    let caller = file(
        "name: Calls\non: call.completed\nsteps:\n  - id: c\n    on_error: continue\n    call_workflow: One\n  - log: \"{{ c.error }}\"\n",
    );
    let mut host = Host::new(vec![workflow("{ on_new: restart }"), caller]);
    host.start("one");
    host.call("C1", CallOutcome::Completed);
    let runs = host.runs();
    let called = runs.iter().find(|run| run.workflow == "calls").unwrap();
    let line = called.results["log-1"]["message"].as_str().unwrap();
    assert!(line.contains("does not wait in line"), "{line}");
}

#[test]
fn a_stop_calls_off_what_waits() {
    let mut host = three("{}");
    host.text("STOP");
    assert!(host.contact().runs.is_empty());
    assert_eq!(host.runs().len(), 1);
    assert_eq!(host.told("run.not_started"), 2);
    assert_eq!(super::retention::count(&host, b'z'), 0);
}

#[test]
fn things_of_one_group_take_turns_and_need_their_own_consent() {
    let source = "name: Rows\non: manual\nrequires_consent: marketing\nenroll: { again: always }\nconcurrency: {}\nvars: { all: [\"+13125550123\", \"+13125550123\", \"+13125550199\"] }\nfor_each: { in: \"${{ vars.all }}\", as: phone }\ncontact: ${{ phone }}\nsteps:\n  - wait: 1h\n";
    let mut host = Host::new(vec![file(source)]);
    let mut lead = LeadRequest::new(caller());
    lead.consent.push(ConsentChange {
        intent: Intent::Marketing,
        given: true,
        source: "form".to_owned(),
        at: None,
    });
    host.take(Input::Lead(lead));
    host.start("rows");
    host.wait(1);
    assert_eq!(
        (host.told("run.queued"), host.told("run.not_started")),
        (1, 1)
    );
    host.wait(3 * 3_600);
    let all = host.runs().into_iter().filter(|run| run.contact.is_some());
    let all: Vec<_> = all.map(|run| run.outcome.unwrap()).collect();
    assert_eq!(all, ["finished", "finished"]);
}
