//! The workflows folder of a running host: what is dropped serves, what is broken
//! does not, what is gone starts nothing.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Host, TEXT_BACK, Twilio, contact, within};

/// How quickly a change must be taken up, as the format promises.
const TAKEN_UP: Duration = Duration::from_secs(2);

const SECOND: &str = r#"name: Second text
on: call.missed
steps:
  - send: "And this is the second file."
"#;

async fn started() -> (Twilio, Host) {
    let twilio = Twilio::start().await;
    let host = Host::with_text_back(&twilio).await;
    (twilio, host)
}

async fn workflow(host: &Host, file: &str) -> Option<Value> {
    let all = host.list("/api/v1/workflows").await;
    all.into_iter().find(|one| one["file"] == file)
}

/// Waits until the API says this of a file.
async fn becomes(host: &Host, file: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    within(TAKEN_UP, &format!("{file} {what}"), async || {
        workflow(host, file).await.filter(|one| wanted(one))
    })
    .await
}

/// Waits until this workflow is the only one in service.
async fn serves(host: &Host, id: &str) {
    within(TAKEN_UP, &format!("{id} alone is in service"), async || {
        let mut all = host.list("/api/v1/workflows").await;
        all.retain(|one| one["active"] == true);
        (all.len() == 1 && all[0]["id"] == id).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_dropped_file_serves_within_two_seconds() {
    let (twilio, host) = started().await;
    let begun = Instant::now();
    host.files()
        .write("workflows/second.yaml", SECOND.as_bytes());
    becomes(&host, "second.yaml", "is active", |one| {
        one["active"] == true
    })
    .await;
    assert!(begun.elapsed() < TAKEN_UP);
    let caller = contact(120);
    host.miss(&caller).await.expect(202);
    let texts = twilio.texted(&caller, 2).await;
    let mut bodies: Vec<String> = texts.iter().map(|text| text.field("Body")).collect();
    bodies.sort();
    assert_eq!(
        bodies,
        ["And this is the second file.", crate::support::SORRY]
    );
    host.logs("workflow second-text: v1 is in service").await;
}

#[tokio::test]
async fn a_broken_edit_keeps_the_version_that_works_and_says_where_it_is_broken() {
    let (twilio, host) = started().await;
    let broken = TEXT_BACK.replace("  - send: \"Sorry", "  - send: \"So sorry: \" \"we");
    host.files()
        .write("workflows/text-back.yaml", broken.as_bytes());
    let entry = becomes(&host, "text-back.yaml", "has a problem", |one| {
        one["problems"]
            .as_array()
            .is_some_and(|list| !list.is_empty())
    })
    .await;
    assert_eq!(
        (&entry["active"], entry["version"].as_u64()),
        (&Value::Bool(true), Some(1))
    );
    let problem = &entry["problems"][0];
    assert_eq!(
        (problem["severity"].as_str(), problem["line"].as_u64()),
        (Some("error"), Some(4))
    );
    assert!(
        problem["column"].as_u64().is_some_and(|column| column > 1),
        "{problem}"
    );
    host.logs("text-back.yaml:4:").await;
    host.logs(
        "text-back.yaml has errors: missed-call-text-back v1, the version before, stays in service",
    )
    .await;
    let caller = contact(121);
    host.miss(&caller).await.expect(202);
    let [text] = twilio.texted(&caller, 1).await.try_into().expect("one");
    assert_eq!(text.field("Body"), crate::support::SORRY);
    // And once it is mended, the new version serves.
    let mended = TEXT_BACK.replace("Sorry", "So sorry");
    host.files()
        .write("workflows/text-back.yaml", mended.as_bytes());
    becomes(&host, "text-back.yaml", "is v2", |one| one["version"] == 2).await;
    let caller = contact(122);
    host.miss(&caller).await.expect(202);
    let [text] = twilio.texted(&caller, 1).await.try_into().expect("one");
    assert!(text.field("Body").starts_with("So sorry"));
}

#[tokio::test]
async fn an_edit_whose_tests_fail_does_not_serve_and_says_which() {
    let (twilio, host) = started().await;
    let tested = format!(
        "{TEXT_BACK}tests:\n  - name: they are asked\n    call: missed\n    expect:\n      - sent: {{ contains: help }}\n"
    );
    host.files()
        .write("workflows/text-back.yaml", tested.as_bytes());
    host.logs("only comments or spacing changed").await;
    let edited = tested.replace("How can we help?", "");
    host.files()
        .write("workflows/text-back.yaml", edited.as_bytes());
    let entry = becomes(&host, "text-back.yaml", "has a problem", |one| {
        one["problems"]
            .as_array()
            .is_some_and(|list| !list.is_empty())
    })
    .await;
    assert_eq!(
        (&entry["active"], entry["version"].as_u64()),
        (&Value::Bool(true), Some(1))
    );
    let problem = &entry["problems"][0];
    assert_eq!(problem["line"].as_u64(), Some(9), "{problem}");
    host.logs("text-back.yaml:9:7: error: its test \"they are asked\" fails: expected a text")
        .await;
    host.logs("missed-call-text-back v1, the version before, stays in service")
        .await;
    let caller = contact(131);
    host.miss(&caller).await.expect(202);
    let [text] = twilio.texted(&caller, 1).await.try_into().expect("one");
    assert_eq!(text.field("Body"), crate::support::SORRY);
}

#[tokio::test]
async fn a_broken_file_keeps_its_version_over_restarts_and_everybody_is_told() {
    let twilio = Twilio::start().await;
    let mut host = Host::with_text_back(&twilio).await;
    let broken = format!("{TEXT_BACK}steps: [\n");
    host.files()
        .write("workflows/text-back.yaml", broken.as_bytes());
    host.logs("stays in service").await;
    for (restart, file) in [
        (128, "text-back.yaml"),
        (129, "text-back.yaml"),
        (130, "moved.yaml"),
    ] {
        if file == "moved.yaml" {
            host.kill9();
            let folder = host.files().path().join("workflows");
            std::fs::rename(folder.join("text-back.yaml"), folder.join(file)).expect("moved");
        }
        host.restart().await;
        let caller = contact(restart);
        let sid = format!("CA{restart}");
        let call = crate::texts::call(&sid, &caller, "no-answer");
        let answer = twilio.tell(&host, "call", &call).await;
        answer.expect("an answer").expect(204);
        let [text] = twilio.texted(&caller, 1).await.try_into().expect("one");
        assert_eq!(text.field("Body"), crate::support::SORRY);
        host.logs(&format!(
            "{file} has errors: missed-call-text-back v1, the version before, stays in service"
        ))
        .await;
        assert!(!host.log().contains("its file is gone"), "{}", host.log());
        let open = host.data("/api/v1/attention").await;
        let [one] = open["workflows"].as_array().expect("a list").as_slice() else {
            panic!("{open}")
        };
        assert_eq!(
            (&one["file"], &one["inService"]),
            (
                &Value::from(file),
                &serde_json::json!(["missed-call-text-back v1"])
            )
        );
        let (said, _) = host.files().ends(1, &["doctor"]).await;
        for words in [
            &format!("WRONG the workflow file {file} has an error in line 6: "),
            "missed-call-text-back v1, the version before, stays in service",
        ] {
            assert!(said.contains(words), "no {words:?} in {said}");
        }
    }
    // What is deleted goes, as ever.
    let folder = host.files().path().join("workflows");
    std::fs::remove_file(folder.join("moved.yaml")).expect("gone");
    host.logs("workflow missed-call-text-back: its file is gone")
        .await;
    let (said, _) = host.files().ends(0, &["doctor"]).await;
    assert!(!said.contains("workflow file"), "{said}");
}

#[tokio::test]
async fn a_folder_that_is_away_for_a_moment_takes_nothing_out_of_service() {
    let (twilio, host) = started().await;
    let folder = host.files().path().join("workflows");
    let away = host.files().path().join("workflows.away");
    std::fs::rename(&folder, &away).expect("moved");
    host.logs("what is in service stays").await;
    let caller = contact(127);
    host.miss(&caller).await.expect(202);
    twilio.texted(&caller, 1).await;
    std::fs::rename(&away, &folder).expect("moved back");
    host.logs("can be read again").await;
}

#[tokio::test]
async fn a_deleted_file_starts_no_more_runs_and_lets_the_others_end() {
    let (twilio, host) = started().await;
    let waiting = "name: Waits\non: call.missed\nsteps:\n  - wait_for: reply\n    timeout: 1h\n  - send: \"Thanks.\"\n";
    host.files()
        .write("workflows/text-back.yaml", waiting.as_bytes());
    serves(&host, "waits").await;
    let (before, after) = (contact(123), contact(124));
    host.miss(&before).await.expect(202);
    host.run_becomes(&before, "running").await;
    std::fs::remove_file(host.files().path().join("workflows/text-back.yaml")).expect("gone");
    within(TAKEN_UP, "the workflow is out of service", async || {
        let all = host.list("/api/v1/workflows").await;
        all.iter().all(|one| one["active"] == false).then_some(())
    })
    .await;
    let answer = host.miss(&after).await.expect(202).json();
    assert_eq!(answer["data"]["runs"], Value::Array(Vec::new()));
    assert!(host.runs_for(&after).await.is_empty());
    twilio.text(&host, &before, "Hi").await;
    twilio.texted(&before, 1).await;
    host.run_becomes(&before, "finished").await;
}

#[tokio::test]
async fn comments_and_spacing_make_no_new_version_and_a_running_run_keeps_its_own() {
    let (twilio, host) = started().await;
    let ask = "name: Ask\non: call.missed\nsteps:\n  - wait_for: reply\n    timeout: 1h\n  - send: \"OLD\"\n";
    host.files()
        .write("workflows/text-back.yaml", ask.as_bytes());
    serves(&host, "ask").await;
    let caller = contact(125);
    host.miss(&caller).await.expect(202);
    host.run_becomes(&caller, "running").await;
    let spaced = format!("# a comment\n\n{}", ask.replace("name: Ask", "name:   Ask"));
    host.files()
        .write("workflows/text-back.yaml", spaced.as_bytes());
    host.logs("only comments or spacing changed").await;
    host.files().write(
        "workflows/text-back.yaml",
        ask.replace("OLD", "NEW").as_bytes(),
    );
    becomes(&host, "text-back.yaml", "is v2", |one| one["version"] == 2).await;
    host.logs("workflow ask: v1 -> v2, 1 run stays on v1").await;
    twilio.text(&host, &caller, "Hi").await;
    let [text] = twilio.texted(&caller, 1).await.try_into().expect("one");
    assert_eq!(text.field("Body"), "OLD");
}

#[tokio::test]
async fn runs_are_moved_to_the_new_version_by_hand_and_those_that_cannot_say_why() {
    let (twilio, host) = started().await;
    let old = "name: Ask\non: call.missed\nsteps:\n  - if: event.from == '+15125550132'\n    id: gone\n    wait: 5d\n  - id: answer\n    wait_for: reply\n  - send: \"OLD\"\n";
    host.files()
        .write("workflows/text-back.yaml", old.as_bytes());
    serves(&host, "ask").await;
    let (stays, moves) = (contact(132), contact(133));
    for caller in [&stays, &moves] {
        host.miss(caller).await.expect(202);
        host.run_becomes(caller, "running").await;
    }
    let new = "name: Ask\non: call.missed\nsteps:\n  - id: answer\n    wait_for: reply\n  - send: \"NEW\"\n";
    host.files()
        .write("workflows/text-back.yaml", new.as_bytes());
    host.logs("workflow ask: v1 -> v2, 2 runs stay on v1").await;
    let (out, _) = host
        .files()
        .ends(0, &["runs", "move", "ask", "--dry-run"])
        .await;
    for words in [
        "1 run can be moved to v2; 1 run cannot.",
        "stays: there is no step gone in v2",
        "can be moved",
    ] {
        assert!(out.contains(words), "no {words:?} in\n{out}");
    }
    let (out, _) = host.files().ends(0, &["runs", "move", "ask"]).await;
    assert!(out.contains("1 run moved to v2; 1 run cannot."), "{out}");
    twilio.text(&host, &moves, "Hi").await;
    let [text] = twilio.texted(&moves, 1).await.try_into().expect("one");
    assert_eq!(text.field("Body"), "NEW");
    // The other one goes on where it was; its wait is ended by hand.
    let [run] = <[Value; 1]>::try_from(host.runs_for(&stays).await).expect("one run");
    let id = run["id"].as_str().expect("an id");
    host.files().ends(0, &["runs", "wake", id]).await;
    twilio.text(&host, &stays, "Hi").await;
    let [text] = twilio.texted(&stays, 1).await.try_into().expect("one");
    assert_eq!(text.field("Body"), "OLD");
    host.run_becomes(&stays, "finished").await;
    let (_, err) = host.files().ends(1, &["runs", "wake", id]).await;
    assert!(err.contains("has ended: finished"), "{err}");
    let (_, err) = host.files().ends(1, &["runs", "retry", id]).await;
    assert!(err.contains("it has not failed: finished"), "{err}");
    let (_, err) = host.files().ends(1, &["runs", "move", "nobody"]).await;
    assert!(err.contains("no workflow"), "{err}");
}
