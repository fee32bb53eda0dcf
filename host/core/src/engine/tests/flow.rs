//! Ways that part and meet again, steps for each of several things, branches,
//! called workflows, and what becomes of a run whose step fails: from files, as an
//! author writes them.

use super::*;
use crate::workflow::parse;

const HEAD: &str = "name: Flow\non: call.missed\nintent: customer_care\n";

pub(super) fn file(source: &str) -> Arc<Workflow> {
    let known = build::setup().known();
    let parsed = parse(source, "test.yaml", &known);
    Arc::new(parsed.result.unwrap_or_else(|problems| {
        let all: Vec<String> = problems.iter().map(|one| one.render()).collect();
        panic!("{}", all.join("\n"));
    }))
}

/// A missed call runs this file; the provider takes everything.
fn missed_call(source: &str) -> Host {
    let mut host = Host::new(vec![file(&format!("{HEAD}{source}"))]);
    host.call("C1", CallOutcome::NoAnswer);
    host.accept();
    host
}

/// The words of the texts that left.
pub(super) fn said(host: &Host) -> Vec<String> {
    host.outgoing().into_iter().map(|(body, ..)| body).collect()
}

fn root(host: &Host) -> Run {
    let mut runs = host.runs();
    runs.retain(|run| run.parent.is_none());
    assert_eq!(runs.len(), 1, "{runs:?}");
    runs.remove(0)
}

#[track_caller]
fn ended(host: &Host, status: RunStatus, outcome: &str) {
    let run = root(host);
    assert_eq!(
        (run.status, run.outcome.as_deref()),
        (status, Some(outcome)),
        "{run:#?}"
    );
    assert!(host.contact().runs.is_empty(), "{:?}", host.contact().runs);
}

#[test]
fn a_switch_goes_one_way_and_marks_the_others() {
    fn checked(value: &str, expected: &[&str]) {
        let source = format!(
            r#"
steps:
  - set: {{ v: {value} }}
  - id: pick
    switch:
      on: ${{{{ vars.v }}}}
      "1":
        - id: one
          send: "one"
      "2":
        - send: "two"
        - id: deep
          switch:
            on: ${{{{ vars.v }}}}
            "2": [{{ send: "deep two" }}]
      else:
        - send: "else {{{{ pick.value }}}}"
  - if: not one.skipped
    send: "it was one"
  - send: "done {{{{ pick.case }}}}"
"#
        );
        let host = missed_call(&source);
        assert_eq!(said(&host), expected);
        ended(&host, RunStatus::Finished, "finished");
    }
    checked("1", &["one", "it was one", "done 1"]);
    checked("\"2\"", &["two", "deep two", "done 2"]);
    checked("other", &["else other", "done else"]);
}

#[test]
fn a_switch_without_else_goes_on() {
    let host = missed_call(
        "steps:\n  - id: pick\n    switch: { on: \"x\", \"1\": [{ send: \"one\" }] }\n  - send: \"after\"\n",
    );
    assert_eq!(said(&host), ["after"]);
}

#[test]
fn a_split_keeps_a_contact_on_its_way() {
    let source =
        "steps:\n  - id: half\n    split: { a: 1, b: 1, never: 0 }\n  - send: \"{{ half.is }}\"\n";
    let mut ways = std::collections::BTreeSet::new();
    for seed in 0..32 {
        let mut host = Host::new(vec![file(&format!("{HEAD}{source}"))]);
        host.steps = seed * 1_000;
        host.setup.limits.duplicates_ms = 0;
        for call in ["C1", "C2", "C3"] {
            host.call(call, CallOutcome::NoAnswer);
            host.accept();
        }
        let all = said(&host);
        assert_eq!(all.len(), 3);
        assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
        ways.insert(all[0].clone());
    }
    assert_eq!(ways, ["a".to_owned(), "b".to_owned()].into());
}

#[test]
fn a_loop_takes_things_in_order_and_forgets_in_between() {
    let host = missed_call(
        r#"
vars:
  all: [{ n: 3, w: true }, { n: 1, w: true }, { n: 2, w: false }, { n: 5, w: true }, { n: 4, w: true }]
steps:
  - id: each
    for_each:
      in: ${{ vars.all }}
      as: thing
      where: thing.w
      order: n
      limit: 3
      steps:
        - id: odd
          if: thing.n is odd
          send: "odd {{ thing.n }}"
        - id: even
          if: odd.skipped
          send: "even {{ thing.n }}"
        - wait: 1h
  - send: "{{ each.count }} done"
"#,
    );
    let mut host = host;
    for _ in 0..4 {
        host.wait(3_600);
        host.accept();
    }
    assert_eq!(said(&host), ["odd 1", "odd 3", "even 4", "3 done"]);
    ended(&host, RunStatus::Finished, "finished");
}

#[test]
fn a_loop_over_nothing_or_too_much() {
    let nothing = missed_call(
        "steps:\n  - id: each\n    for_each: { in: \"${{ [] }}\", steps: [{ id: t, send: \"x\" }] }\n  - if: t.skipped\n    send: \"{{ each.count }}\"\n",
    );
    assert_eq!(said(&nothing), ["0"]);
    let text =
        missed_call("steps:\n  - for_each: { in: \"${{ 5 }}\", steps: [{ send: \"x\" }] }\n");
    ended(
        &text,
        RunStatus::Failed,
        "step for_each-1: `in` is a number, not a list",
    );
    let many = missed_call(
        "steps:\n  - for_each: { in: \"${{ range(2000) | list }}\", steps: [{ log: \"x\" }] }\n",
    );
    assert!(
        root(&many)
            .outcome
            .unwrap()
            .contains("put for_each at the top of the file"),
        "{:?}",
        root(&many).outcome
    );
}

#[test]
fn branches_wait_side_by_side_and_meet() {
    let mut host = missed_call(
        r#"
steps:
  - send: "start"
  - id: both
    parallel:
      - - wait: 2h
        - set: { a: 1 }
        - id: left
          send: "left"
      - - id: right
          send: "right"
        - id: answer
          wait_for: reply
          timeout: 5h
        - set: { b: 2 }
  - send: "{{ left.ok }} {{ answer.timed_out }} {{ vars.a + vars.b }}"
"#,
    );
    assert_eq!(said(&host), ["start", "right"]);
    assert_eq!(host.contact().runs.len(), 3);
    host.wait(2 * 3_600);
    host.accept();
    assert_eq!(said(&host), ["start", "right", "left"]);
    host.text("hello");
    host.accept();
    assert_eq!(said(&host), ["start", "right", "left", "True False 3"]);
    ended(&host, RunStatus::Finished, "finished");
}

#[test]
fn a_branch_that_fails_or_stops_takes_the_others_along() {
    let fails = missed_call(
        "steps:\n  - parallel:\n      - - wait: 2h\n        - send: \"never\"\n      - - wait: 1s\n        - send: \"{{ event.nothing }}\"\n  - send: \"after\"\n",
    );
    let mut host = fails;
    host.wait(7_300);
    host.accept();
    assert!(said(&host).is_empty());
    let outcome = root(&host).outcome.unwrap();
    assert!(
        outcome.starts_with("step parallel-1: step send-2: "),
        "{outcome}"
    );
    assert!(host.contact().runs.is_empty());

    let mut host = missed_call(
        "steps:\n  - parallel:\n      - - wait: 2h\n        - send: \"never\"\n      - - wait: 1s\n        - stop: enough\n  - send: \"after\"\n",
    );
    host.wait(7_300);
    host.accept();
    assert!(said(&host).is_empty());
    ended(&host, RunStatus::Finished, "enough");
}

#[test]
fn an_opt_out_ends_a_run_and_its_branches() {
    let mut host = missed_call(
        "steps:\n  - parallel:\n      - - wait: 2h\n        - send: \"one\"\n      - - wait: 3h\n        - send: \"two\"\n",
    );
    host.text("STOP");
    assert!(
        host.runs()
            .iter()
            .all(|run| run.status == RunStatus::Cancelled)
    );
    assert!(host.contact().runs.is_empty());
    host.wait(4 * 3_600);
    assert_eq!(root(&host).outcome.as_deref(), Some("opt_out"));
}

#[test]
fn a_parallel_that_takes_too_long_fails() {
    let mut host = missed_call(
        "steps:\n  - id: both\n    timeout: 1h\n    on_error: continue\n    parallel:\n      - - wait: 2h\n      - - wait: 3h\n  - send: \"{{ both.error }}\"\n",
    );
    host.wait(3_600);
    host.accept();
    assert_eq!(said(&host), ["it took too long"]);
    ended(&host, RunStatus::Finished, "finished");
}

#[test]
fn a_called_workflow_tells_what_it_came_to() {
    let called = file(
        "name: Offer slots\non:\n  manual:\n    input: { day: string }\nintent: customer_care\nsteps:\n  - send: \"How about {{ event.input.day }}?\"\n  - wait_for: reply\n    timeout: 1d\n  - set: { chosen: \"${{ event.input.day }}\" }\n",
    );
    let caller = file(&format!(
        "{HEAD}steps:\n  - id: slots\n    call_workflow: {{ name: Offer slots, with: {{ day: Monday }} }}\n  - send: \"{{{{ slots.vars.chosen }}}} it is\"\n"
    ));
    let mut host = Host::new(vec![called, caller]);
    host.call("C1", CallOutcome::NoAnswer);
    host.accept();
    assert_eq!(said(&host), ["How about Monday?"]);
    host.text("fine");
    host.accept();
    assert_eq!(said(&host), ["How about Monday?", "Monday it is"]);
    assert!(
        host.runs()
            .iter()
            .all(|run| run.status == RunStatus::Finished)
    );
}

#[test]
fn what_cannot_be_called() {
    fn checked(call: &str, others: &str, expected: &str) {
        let caller = file(&format!("{HEAD}steps:\n  - call_workflow: {call}\n"));
        let mut all = vec![caller];
        if !others.is_empty() {
            all.push(file(others));
        }
        let mut host = Host::new(all);
        host.call("C1", CallOutcome::NoAnswer);
        let runs = host.runs();
        let failed = runs.iter().find(|run| run.status == RunStatus::Failed);
        let outcome = failed.and_then(|run| run.outcome.clone());
        assert_eq!(outcome.as_deref(), Some(expected), "{runs:#?}");
    }
    checked(
        "Nobody",
        "",
        "step call_workflow-1: no workflow \"Nobody\" is in service",
    );
    checked(
        "Other",
        "name: Other\non: call.completed\nsteps:\n  - log: x\n",
        "step call_workflow-1: \"Other\" has no `manual` trigger, so it cannot be called",
    );
    checked(
        "{ name: other, with: { a: 1 } }",
        "name: Other\non: { manual: { input: { a: string } } }\nsteps:\n  - log: x\n",
        "step call_workflow-1: `input.a` must be text, and it is a number",
    );
}

#[test]
fn a_circle_of_calls_ends() {
    let one = file(
        "name: One\non: [call.missed, manual]\nenroll: { again: always }\nintent: customer_care\nsteps:\n  - call_workflow: Two\n",
    );
    let two = file(
        "name: Two\non: manual\nenroll: { again: always }\nintent: customer_care\nsteps:\n  - call_workflow: One\n",
    );
    let mut host = Host::new(vec![one, two]);
    host.call("C1", CallOutcome::NoAnswer);
    let runs = host.runs();
    assert_eq!(runs.len(), 9, "{runs:#?}");
    assert!(runs.iter().all(|run| run.status == RunStatus::Failed));
    assert!(host.contact().runs.is_empty());
}

#[test]
fn a_failed_step_is_tried_again_with_growing_pauses() {
    let mut host = missed_call(
        "steps:\n  - id: sub\n    retry: { max: 3, from: 10s, up_to: 30s }\n    on_error: continue\n    call_workflow: Missing\n  - send: \"{{ sub.attempts }} {{ sub.error }}\"\n",
    );
    let start = host.now;
    let mut tries = Vec::new();
    while let Some(crate::model::Waiting::Retry { until, .. }) = host.run().waiting {
        tries.push((until - start).get_seconds());
        host.wait((until - host.now).get_seconds() + 1);
    }
    assert_eq!(tries, [10, 30, 60]);
    host.accept();
    assert_eq!(said(&host), ["4 no workflow \"Missing\" is in service"]);
}

#[test]
fn a_failed_step_goes_the_way_of_its_file() {
    let handled = missed_call(
        "steps:\n  - id: sub\n    call_workflow: Missing\n    on_error:\n      - id: sorry\n        send: \"sorry: {{ sub.error }}\"\n  - send: \"on\"\n",
    );
    assert_eq!(
        said(&handled),
        ["sorry: no workflow \"Missing\" is in service", "on"]
    );
    let sound = missed_call(
        "steps:\n  - id: sub\n    log: fine\n    on_error:\n      - id: sorry\n        send: \"sorry\"\n  - send: \"{{ sorry.skipped }}\"\n",
    );
    assert_eq!(said(&sound), ["True"]);
    let failing = missed_call(
        "steps:\n  - call_workflow: Missing\n  - id: next\n    send: \"never\"\non_failure:\n  - send: \"{{ run.error }}; {{ next.skipped }}\"\n",
    );
    assert_eq!(
        said(&failing),
        ["step call_workflow-1: no workflow \"Missing\" is in service; True"]
    );
    ended(
        &failing,
        RunStatus::Failed,
        "step call_workflow-1: no workflow \"Missing\" is in service",
    );
}

#[test]
fn a_text_that_fails_is_an_error_only_where_the_file_says_so() {
    fn checked(more: &str, expected: &[&str]) {
        let source = format!(
            "{HEAD}steps:\n  - id: t\n    send: \"t\"\n{more}  - send: \"on {{{{ t.ok }}}}\"\n"
        );
        let mut host = Host::new(vec![file(&source)]);
        host.call("C1", CallOutcome::NoAnswer);
        host.result(SendResult::Rejected(problem("21211")));
        host.accept();
        assert_eq!(said(&host), expected);
    }
    checked("", &["t", "on False"]);
    checked("    on_error: fail\n", &["t"]);
    checked(
        "    on_error: [{ send: \"again\" }]\n",
        &["t", "again", "on False"],
    );
}

#[test]
fn once_is_once_for_ever() {
    let source = format!(
        "{HEAD}enroll: {{ again: always }}\nsteps:\n  - id: t\n    once: \"hello:{{{{ contact.phone }}}}\"\n    send: \"hello\"\n  - send: \"{{{{ t.skipped | default(false) }}}}\"\n"
    );
    let mut host = Host::new(vec![file(&source)]);
    for call in ["C1", "C2"] {
        host.call(call, CallOutcome::NoAnswer);
        host.accept();
        host.wait(86_400);
    }
    assert_eq!(said(&host), ["hello", "False", "True"]);
}

#[test]
fn a_goal_ends_the_run_before_its_next_step() {
    let mut host = missed_call(
        "goal: vars.done\nvars: { done: false }\nsteps:\n  - send: \"one\"\n  - set: { done: true }\n  - send: \"two\"\n",
    );
    host.accept();
    assert_eq!(said(&host), ["one"]);
    ended(&host, RunStatus::Finished, "goal_reached");
}

#[test]
fn a_reply_that_overtakes_is_seen_over_the_end_of_a_case() {
    let source = format!(
        "{HEAD}steps:\n  - switch:\n      on: \"1\"\n      \"1\": [{{ send: \"ask\" }}]\n  - id: a\n    wait_for: reply\n    timeout: 1d\n  - send: \"got {{{{ a.message.body }}}}\"\n"
    );
    let mut host = Host::new(vec![file(&source)]);
    host.call("C1", CallOutcome::NoAnswer);
    host.text("quick");
    host.accept();
    assert_eq!(said(&host), ["ask", "got quick"]);
}

#[test]
fn what_a_skipped_step_might_have_said_can_be_asked() {
    let host = missed_call(
        "steps:\n  - id: read\n    if: false\n    classify: { text: x, labels: [a, b] }\n  - id: facts\n    if: false\n    extract: { text: x, fields: { when: datetime } }\n  - if: read.label == \"a\" or facts.when\n    send: \"never\"\n  - send: \"on\"\n",
    );
    assert_eq!(said(&host), ["on"]);
    ended(&host, RunStatus::Finished, "finished");
}

#[test]
fn a_step_speaks_for_the_agent_that_it_names() {
    let source = "name: Two\non: manual\nintent: transactional\nsteps:\n  - send: { agent: sales, body: \"{{ agent.name }} here.\" }\n  - handoff: ann\n";
    let mut setup = build::setup();
    let mut sales = setup.agents["desk"].clone();
    sales.id = "sales".to_owned();
    sales.name = "Sam".to_owned();
    sales.numbers = vec![build::phone("+15125550101")];
    setup.agents.insert("sales".to_owned(), sales);
    let parsed = parse(source, "test.yaml", &setup.known());
    let mut host = Host::new(vec![Arc::new(parsed.result.unwrap())]);
    host.setup = setup;
    // Two agents, and nothing that started the run says which of them is meant.
    host.take(Input::Start(StartRequest {
        idempotency: None,
        workflow: "two".to_owned(),
        contact: Some(caller()),
        input: serde_json::Map::new(),
    }));
    assert_eq!(said(&host), ["Sam here."], "{:?}", host.runs());
    // From then on the run is that agent's: their conversation is handed over.
    host.accept();
    let run = host.run();
    assert_eq!(run.outcome.as_deref(), Some("finished"));
    let threads: Vec<Conversation> = host.records(b'c');
    let handed = threads.iter().find(|one| one.handoff.is_some()).unwrap();
    assert_eq!(
        (handed.agent.as_str(), Some(&handed.id)),
        ("sales", run.conversation.as_ref())
    );
}

#[test]
fn every_result_has_what_every_result_has() {
    let mut host = missed_call(
        "steps:\n  - id: a\n    send: Hi\n  - id: b\n    set: { x: 1 }\n  - id: c\n    log: x\n  - id: d\n    wait: 1m\n  - log: \"{{ a.skipped }} {{ a.timed_out }} {{ b.skipped }} {{ b.error }} {{ c.timed_out }} {{ d.skipped }} {{ d.timed_out }}\"\n",
    );
    host.wait(61);
    let run = root(&host);
    assert_eq!(
        run.results["log-2"]["message"], "False False False None False False False",
        "{run:?}"
    );
}
