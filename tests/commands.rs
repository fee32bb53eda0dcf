//! The command line, as a person or a script uses it: what is printed, and the
//! exit codes: 0 fine, 1 the input is at fault, 2 wrong usage, 3 no host.

use serde_json::Value;

use crate::support::{Host, OURS, PUBLIC, Prepared, TEXT_BACK, Twilio, contact};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|problem| panic!("{problem} in\n{text}"))
}

#[tokio::test]
async fn init_writes_a_folder_that_passes_check_and_serves() {
    let prepared = Prepared::new(&[]);
    prepared.ends(0, &["init", "."]).await;
    let (out, _) = prepared.ends(0, &["check"]).await;
    assert!(out.contains("0 errors"), "{out}");
    // Nothing is written over what is there.
    let (_, err) = prepared.ends(1, &["init", "."]).await;
    assert!(err.contains("ringback.toml"), "{err}");
    let host = prepared
        .arguments(&["--listen", "127.0.0.1:0"])
        .start()
        .await;
    let arguments = [
        "event",
        "call.missed",
        "--from",
        "+15125550142",
        "--to",
        OURS,
    ];
    let (out, _) = host.files().ends(0, &arguments).await;
    assert!(out.contains("run_"), "{out}");
}

#[tokio::test]
async fn check_names_every_problem_at_once_with_its_place() {
    let twilio = Twilio::start().await;
    let prepared = Prepared::new(&[
        ("workflows/a.yaml", TEXT_BACK),
        (
            "workflows/b.yaml",
            "name: B\non: call.mised\nsteps:\n  - send: \"Hi\"\n",
        ),
        (
            "workflows/c.yaml",
            "name: C\non: call.missed\nsteps:\n  - sent: \"Hi\"\n  - wait: soon\n",
        ),
    ]);
    prepared.write(
        "ringback.toml",
        crate::support::config(&twilio, "", "").as_bytes(),
    );
    let (out, _) = prepared.ends(1, &["check"]).await;
    for words in ["b.yaml:2:5", "call.missed", "c.yaml:4:", "c.yaml:5:"] {
        assert!(out.contains(words), "no {words:?} in\n{out}");
    }
    let (out, _) = prepared.ends(1, &["check", "--json"]).await;
    let report = json(&out);
    assert!(
        report["errors"].as_u64().is_some_and(|errors| errors >= 3),
        "{report}"
    );
    prepared.ends(0, &["check", "workflows/a.yaml"]).await;
    prepared.ends(1, &["check", "workflows/none.yaml"]).await;
}

#[tokio::test]
async fn wrong_usage_is_2_and_a_host_that_is_not_there_is_3() {
    let prepared = Prepared::new(&[]);
    prepared.ends(2, &["serve", "--colour", "red"]).await;
    prepared.ends(2, &["fly"]).await;
    prepared.ends(2, &["send", "--to", "+15125550240"]).await;
    for arguments in [
        &["runs", "list"][..],
        &["why", "+15125550240"],
        &["send", "--to", "+15125550240", "--body", "Hi"],
        &["runs", "list", "--url", "http://127.0.0.1:9"],
    ] {
        let (_, err) = prepared.ends(3, arguments).await;
        assert!(err.starts_with("error: "), "{err}");
    }
    let (out, _) = prepared.ends(0, &["--version"]).await;
    assert!(out.starts_with("ringback "), "{out}");
    let (out, _) = prepared.ends(0, &["schema", "workflow"]).await;
    assert!(json(&out)["properties"]["steps"].is_object());
}

#[tokio::test]
async fn send_event_runs_and_why_talk_to_the_running_host() {
    let twilio = Twilio::start().await;
    let host = Host::with_text_back(&twilio).await;
    let files = host.files();
    let (to, caller) = (contact(241), contact(242));
    let (out, _) = files
        .ends(0, &["send", "--to", &to, "--body", "Hello from a shell"])
        .await;
    assert!(out.contains("msg_") && out.contains("accepted"), "{out}");
    assert_eq!(twilio.texts_to(&to)[0].field("Body"), "Hello from a shell");
    let event = [
        "event",
        "call.missed",
        "--from",
        &caller,
        "--to",
        OURS,
        "--json",
    ];
    let (out, _) = files.ends(0, &event).await;
    let run = json(&out)["data"]["runs"][0]
        .as_str()
        .expect("a run")
        .to_owned();
    host.run_becomes(&caller, "finished").await;
    let (out, _) = files.ends(0, &["runs", "list"]).await;
    assert!(
        out.contains(&run) && out.contains("missed-call-text-back"),
        "{out}"
    );
    let (out, _) = files.ends(0, &["runs", "show", &run]).await;
    assert!(out.contains(&run) && out.contains("finished"), "{out}");
    files
        .ends(
            1,
            &["runs", "show", "run_01890000-0000-7000-8000-000000000000"],
        )
        .await;
    // Why a text was refused, rule by rule.
    twilio.text(&host, &to, "STOP").await;
    let (_, err) = files
        .ends(1, &["send", "--to", &to, "--body", "One more"])
        .await;
    assert!(err.contains("opted out"), "{err}");
    let (out, _) = files.ends(0, &["why", &to]).await;
    assert!(
        out.contains("skipped") && out.contains("opted_out"),
        "{out}"
    );
    assert!(
        out.contains("accepted"),
        "the first text is explained too: {out}"
    );
    let (out, _) = files.ends(0, &["conversations", "list"]).await;
    assert!(out.contains(&to), "{out}");
}

#[tokio::test]
async fn keys_are_made_listed_and_revoked_with_a_host_and_without() {
    let twilio = Twilio::start().await;
    let mut host = Host::with_text_back(&twilio).await;
    let create = [
        "keys", "create", "--name", "a shop", "--scope", "read", "--json",
    ];
    let (out, _) = host.files().ends(0, &create).await;
    let made = json(&out)["data"].take();
    let (id, key) = (
        made["id"].as_str().expect("an id"),
        made["key"].as_str().expect("a key"),
    );
    let tries = async |host: &Host| {
        let answer = host
            .raw("GET", "/api/v1/runs", &[("x-api-key", key)], b"")
            .await;
        answer.expect("an answer").status
    };
    assert_eq!(tries(&host).await, 200);
    let (out, _) = host.files().ends(0, &["keys", "list"]).await;
    assert!(
        out.contains(id) && out.contains("a shop") && !out.contains(key),
        "{out}"
    );
    host.restart().await;
    assert_eq!(tries(&host).await, 200, "the key is gone after a crash");
    assert!(host.stop().await.success());
    // Nobody holds the store now.
    let (out, _) = host.files().ends(0, &["keys", "list"]).await;
    assert!(out.contains(id), "{out}");
    host.files().ends(0, &["keys", "revoke", id]).await;
    host.files().ends(1, &["keys", "revoke", "nobody"]).await;
    host.restart().await;
    assert_eq!(tries(&host).await, 401, "a revoked key still opens");
}

#[tokio::test]
async fn doctor_prints_the_addresses_to_paste_at_the_provider() {
    let twilio = Twilio::start().await;
    let text = crate::support::config(&twilio, "calls = \"missed\"", "");
    let host = Host::start(&text, &[("workflows/text-back.yaml", TEXT_BACK)]).await;
    let (out, _) = host.files().ends(0, &["doctor"]).await;
    for hook in ["text", "voice", "call"] {
        let address = format!("{PUBLIC}/hooks/main/{hook}");
        assert!(out.contains(&address), "no {address} in\n{out}");
    }
    assert!(out.contains("is ready"), "{out}");
    assert!(!out.contains(crate::support::TOKEN), "a secret is printed");
    host.files().write(
        "ringback.toml",
        text.replace("= \"twilio\"", "= \"acme\"").as_bytes(),
    );
    let (out, _) = host.files().ends(1, &["doctor"]).await;
    assert!(out.contains("acme"), "{out}");
}

/// The workflows that ship carry their own tests, and pass them in virtual time.
#[tokio::test]
async fn the_tests_of_the_shipped_workflows_pass() {
    let prepared = Prepared::new(&[]);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../workflows");
    let (out, _) = prepared.ends(0, &["test", folder]).await;
    assert!(
        out.contains("8 workflow files: 14 passed, 0 failed"),
        "{out}"
    );
    let (out, _) = prepared.ends(0, &["test", "--json", folder]).await;
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(json["passed"], 14);
}

#[tokio::test]
async fn a_workflow_is_played_through_as_a_chat() {
    let file = "name: Hello\non: call.missed\nsteps:\n  - send: \"Hi from {{ agent.business }}\"\n  - id: a\n    wait_for: reply\n    timeout: 1d\n  - if: a.timed_out\n    send: \"Still there?\"\ntests:\n  - name: never\n    call: missed\n    expect: [{ sent: 5 }]\n";
    let prepared = Prepared::new(&[("hello.yaml", file)]);
    let play = async |more: &[&str]| {
        let line = [
            &["simulate", "hello.yaml", "--at", "2026-11-18T16:00:00Z"],
            more,
        ]
        .concat();
        prepared.ends(0, &line).await.0
    };
    let silent = play(&[]).await;
    assert!(silent.contains("Still there?"), "{silent}");
    assert!(silent.contains("The contact got 2 texts"), "{silent}");
    let answered = play(&["--reply", "2h: yes"]).await;
    assert!(
        answered.contains("them yes") && !answered.contains("Still there?"),
        "{answered}"
    );
    let failed = play(&["--deliver", "failed"]).await;
    assert!(failed.contains("it does not arrive"), "{failed}");
    let json: Value = serde_json::from_str(&play(&["--json"]).await).expect("JSON");
    assert_eq!(json["transcript"]["texts"], 2);
    // Words that cannot be read say so, and how to write them.
    let (_, said) = prepared
        .ends(1, &["simulate", "hello.yaml", "--reply", "soon"])
        .await;
    assert!(said.contains("--reply"), "{said}");
    let (out, _) = prepared.ends(1, &["test", "hello.yaml"]).await;
    assert!(out.contains("FAIL  never (hello.yaml:"), "{out}");
    assert!(out.contains("expected 5 texts to the contact"), "{out}");
}
