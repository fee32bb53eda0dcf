//! Commands for texts that wait for somebody, and for dead letters.

use super::*;

fn text(status: &str) -> Json {
    json!({ "id": "msg_1", "direction": "outbound", "createdAt": "2026-11-20T12:00:00Z",
        "toNumber": "+15125550142", "status": status, "body": "Sorry we missed you!\nHow can we help?",
        "reason": "unknown",
        "attempts": [{ "at": "2026-11-20T12:00:00Z",
            "outcome": { "is": "unknown", "problem": { "code": "no_answer", "text": "the connection broke" } } }],
        "errorMessage": "the provider could not say whether it took this text" })
}

#[tokio::test]
async fn messages() {
    let path = "/api/v1/messages";
    for (status, answers) in [
        ("needs_review", vec![text("needs_review")]),
        ("failed", vec![text("failed")]),
        ("held", vec![text("queued")]),
        ("needs_review", vec![]),
        ("failed", vec![]),
    ] {
        let name = format!("messages_{status}_{}", answers.len());
        let list = [(
            path,
            200,
            json!({ "data": answers, "next_cursor": "msg_1" }),
        )];
        let line = ["messages", "list", "--status", status];
        insta::assert_snapshot!(name, with_host(&list, &line).await);
    }
    let decided = [(
        "/api/v1/messages/msg_1/decide",
        200,
        json!({ "data": { "status": "accepted" } }),
    )];
    let line = ["messages", "decide", "msg_1", "sent"];
    insta::assert_snapshot!("messages_decide", with_host(&decided, &line).await);
    let held = [(
        "/api/v1/messages/retry",
        200,
        json!({ "data": { "held": 12 } }),
    )];
    let line = ["messages", "retry", "--connection", "main"];
    insta::assert_snapshot!("messages_retry", with_host(&held, &line).await);
}

fn letter(kind: &str) -> Json {
    json!({ "kind": kind, "id": if kind == "text" { "msg_1" } else { "evt_1" },
        "at": "2026-11-20T12:00:00Z", "connection": "main",
        "contact": "+15125550142", "body": if kind == "text" { "Sorry we missed you!" } else { "status" },
        "reason": if kind == "text" { "20003" } else { "unreadable" }, "problem": "it says why", "attempts": 3,
        "runId": null, "advice": "what to do about it" })
}

#[tokio::test]
async fn dead_letters() {
    let path = "/api/v1/dead-letters";
    let all = json!({ "data": [letter("text"), letter("webhook")], "next_cursor": null });
    let list = [(path, 200, all)];
    let line = [
        "dead-letters",
        "list",
        "--since",
        "2h",
        "--connection",
        "main",
    ];
    insta::assert_snapshot!("dead_letters_list", with_host(&list, &line).await);
    let none = [(path, 200, json!({ "data": [] }))];
    insta::assert_snapshot!(
        "dead_letters_none",
        with_host(&none, &["dead-letters", "list"]).await
    );
    let one = [(
        "/api/v1/dead-letters/msg_1/replay",
        200,
        json!({ "data": { "status": "sending" } }),
    )];
    insta::assert_snapshot!(
        "dead_letters_replay_one",
        with_host(&one, &["dead-letters", "replay", "msg_1"]).await
    );
    let many = json!({ "data": { "replayed": 7, "more": null,
        "left": [{ "id": "msg_9", "why": "its run was ended (reply)" }] } });
    let many = [("/api/v1/dead-letters/replay", 200, many)];
    let line = [
        "dead-letters",
        "replay",
        "--all",
        "--reason",
        "20003",
        "--since",
        "3d",
    ];
    insta::assert_snapshot!("dead_letters_replay_all", with_host(&many, &line).await);
    let dropped = [(
        "/api/v1/dead-letters/evt_1/drop",
        200,
        json!({ "data": { "status": "dropped" } }),
    )];
    insta::assert_snapshot!(
        "dead_letters_drop",
        with_host(&dropped, &["dead-letters", "drop", "evt_1"]).await
    );
}

#[tokio::test]
async fn a_run_names_its_open_texts_and_the_command() {
    let mut held = text("queued");
    held["heldSince"] = json!("2026-11-20T12:00:00Z");
    let run = json!({ "data": { "id": "run_1", "workflow": "missed-call", "version": 7,
        "status": "running", "contact": "+15125550142", "agent": "front-desk",
        "startedAt": "2026-11-20T12:00:00Z",
        "openTexts": [text("needs_review"), text("failed"), held], "timeline": [] } });
    let answers = [("/api/v1/runs/run_1", 200, run)];
    insta::assert_snapshot!(
        "run_with_open_texts",
        with_host(&answers, &["runs", "show", "run_1"]).await
    );
}

#[tokio::test]
async fn doctor_says_what_waits_for_somebody() {
    let open = json!({ "data": { "needsReview": 2, "unknown": 0, "failed": 1, "held": 3, "waiting": 9,
        "webhooks": 1, "connections": [{ "name": "main", "code": "20003", "problem": "Authenticate" }],
        "workflows": [
            { "file": "tb.yaml", "line": 7, "problem": "`steps` is here twice", "inService": ["text-back v1"], "certain": true },
            { "file": "new.yaml", "line": 1, "problem": "it is empty", "inService": [], "certain": true },
            { "file": "moved.yaml", "line": 2, "problem": "no key", "inService": ["a v1", "b v2"], "certain": false },
        ] } });
    let answers = [
        ("/readyz", 200, json!({})),
        ("/api/v1/attention", 200, open),
    ];
    let said = with_host(&answers, &["doctor"]).await;
    let said = said.split("is ready").nth(1).unwrap();
    insta::assert_snapshot!("doctor_and_what_waits", said);
}

#[tokio::test]
async fn doctor_says_why_a_host_is_not_ready() {
    let answers = [(
        "/readyz",
        503,
        json!({ "ready": false, "missing": ["the disk is nearly full"] }),
    )];
    let said = with_host(&answers, &["doctor"]).await;
    let line = said.lines().find(|line| line.contains("is not ready"));
    assert_eq!(
        line,
        Some("WRONG the host at URL is not ready: the disk is nearly full")
    );
}
