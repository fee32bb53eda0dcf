//! Commands that talk to a host.

use super::*;

fn run_record() -> Json {
    json!({ "id": "run_1", "workflow": "missed-call", "version": 7, "status": "running",
        "contact": "+15125550142", "agent": "front-desk", "step": "answer",
        "waiting": { "for": "event", "until": "2026-11-21T12:00:00Z" }, "outcome": null,
        "startedAt": "2026-11-20T12:00:00Z", "updatedAt": "2026-11-20T12:00:10Z",
        "timeline": [
            { "at": "2026-11-20T12:00:10Z", "step": "text", "what": "sent", "text": "msg_1\u{1b}[31m" },
        ] })
}

#[tokio::test]
async fn runs() {
    let list = [(
        "/api/v1/runs",
        200,
        json!({ "data": [run_record()], "next_cursor": null }),
    )];
    let line = [
        "runs",
        "list",
        "--contact",
        "+1 512 555 0142",
        "--limit",
        "3",
    ];
    insta::assert_snapshot!(with_host(&list, &line).await, @r#"
ID     WORKFLOW        STATUS   CONTACT       STEP    UPDATED
run_1  missed-call v7  running  +15125550142  answer  2026-11-20T12:00:10Z
exit 0
--
GET /api/v1/runs?contact=%2B15125550142&limit=3 [local-key]
"#);
    let none = [("/api/v1/runs", 200, json!({ "data": [] }))];
    insta::assert_snapshot!(with_host(&none, &["runs", "list"]).await, @r#"
There are no runs.
exit 0
--
GET /api/v1/runs?limit=20 [local-key]
"#);
    let one = [("/api/v1/runs/run_1", 200, json!({ "data": run_record() }))];
    insta::assert_snapshot!(with_host(&one, &["runs", "show", "run_1"]).await, @r#"
run_1  missed-call v7  running
contact +15125550142, agent front-desk, started 2026-11-20T12:00:00Z
step answer waits for event until 2026-11-21T12:00:00Z

AT                    STEP  WHAT
2026-11-20T12:00:10Z  text  sent  msg_1 [31m
exit 0
--
GET /api/v1/runs/run_1 [local-key]
"#);
    let cancel = [(
        "/api/v1/runs/run_1/cancel",
        200,
        json!({ "data": { "status": "canceled" } }),
    )];
    insta::assert_snapshot!(with_host(&cancel, &["runs", "cancel", "run_1"]).await, @r#"
run_1: canceled
exit 0
--
POST /api/v1/runs/run_1/cancel [local-key] {}
"#);
    insta::assert_snapshot!(with_host(&[], &["runs", "show", "../keys?x"]).await, @r#"
error: there is no such thing
exit 1
--
GET /api/v1/runs/..%2Fkeys%3Fx [local-key]
"#);
}

#[tokio::test]
async fn json_is_what_the_host_said() {
    let one = [(
        "/api/v1/runs/run_1",
        200,
        json!({ "data": { "id": "run_1" } }),
    )];
    insta::assert_snapshot!(with_host(&one, &["runs", "show", "run_1", "--json"]).await, @r#"
{
  "data": {
    "id": "run_1"
  }
}
exit 0
--
GET /api/v1/runs/run_1 [local-key]
"#);
}

#[tokio::test]
async fn why() {
    let texts = json!({ "data": [
        { "id": "msg_2", "direction": "outbound", "status": "scheduled", "reason": "quiet_hours",
          "body": "Still happy to help whenever suits. Book a time here: https://example.com/book\nBye",
          "createdAt": "2026-11-20T23:00:00Z", "verdicts": [
            { "at": "2026-11-20T23:00:00.266433916Z", "rule": "opt_out", "verdict": "passed", "reason": "no opt-out", "until": null },
            { "at": "2026-11-20T23:00:00Z", "rule": "quiet_hours", "verdict": "deferred", "reason": "it is 21:00 there",
              "until": "2026-11-21T14:00:00Z" },
          ] },
        { "id": "msg_x", "direction": "inbound", "status": "received", "body": "hi" },
        { "id": "msg_1", "direction": "outbound", "status": "queued", "reason": null, "body": "Hi",
          "createdAt": "2026-11-20T12:00:00Z", "verdicts": [] },
        { "id": "msg_0", "direction": "outbound", "status": "delivered", "reason": null, "body": "Hi",
          "createdAt": "2026-11-20T11:00:00Z", "waitsUntil": null, "verdicts": [
            { "at": "2026-11-20T11:00:00Z", "rule": "opt_out", "verdict": "passed", "reason": "", "until": null },
          ], "attempts": [
            { "at": "2026-11-20T11:00:00Z", "outcome": { "is": "refused",
              "problem": { "code": "20429", "text": "Too Many Requests." } }, "delivery": null },
            { "at": "2026-11-20T11:01:00Z", "outcome": { "is": "absent" }, "delivery": null },
            { "at": "2026-11-20T11:02:00Z", "outcome": { "is": "unknown",
              "problem": { "code": "", "text": "the connection broke" } }, "delivery": null },
            { "at": "2026-11-20T11:03:00Z", "outcome": { "is": "accepted", "provider_id": "SM1" },
              "delivery": "delivered" },
            { "at": "2026-11-20T11:04:00Z", "outcome": null, "delivery": null },
          ] },
    ] });
    let answers = [("/api/v1/messages", 200, texts)];
    insta::assert_snapshot!(with_host(&answers, &["why", "+15125550142"]).await, @r#"
2026-11-20T23:00:00Z  "Still happy to help whenever suits. Book a time here: https…"  scheduled (quiet_hours)  msg_2
  AT                    RULE         VERDICT
  2026-11-20T23:00:00Z  opt_out      passed    no opt-out
  2026-11-20T23:00:00Z  quiet_hours  deferred  it is 21:00 there, until 2026-11-21T14:00:00Z

2026-11-20T12:00:00Z  "Hi"  queued  msg_1
  the gate has not looked at it yet

2026-11-20T11:00:00Z  "Hi"  delivered  msg_0
  AT                    RULE     VERDICT
  2026-11-20T11:00:00Z  opt_out  passed
  attempt 1 at 2026-11-20T11:00:00Z: the provider did not take it: Too Many Requests (20429)
  attempt 2 at 2026-11-20T11:01:00Z: it counts as never sent: nobody could find it at the provider
  attempt 3 at 2026-11-20T11:02:00Z: nobody knows whether the provider took it: the connection broke
  attempt 4 at 2026-11-20T11:03:00Z: the provider took it as SM1, and reports it delivered
  attempt 5 at 2026-11-20T11:04:00Z: under way
exit 0
--
GET /api/v1/messages?contact=%2B15125550142&direction=outbound&limit=5 [local-key]
"#);
    let none = [("/api/v1/messages", 200, json!({ "data": [] }))];
    insta::assert_snapshot!(with_host(&none, &["why", "+15125550142"]).await, @r#"
No text to +15125550142 was ever planned.
exit 0
--
GET /api/v1/messages?contact=%2B15125550142&direction=outbound&limit=5 [local-key]
"#);
}

#[tokio::test]
async fn send_and_event() {
    let sent = json!({ "data": { "id": "msg_1", "status": "scheduled", "reason": "quiet_hours",
        "scheduledFor": "2026-11-21T14:00:00Z" } });
    let answers = [("/v1/messages", 202, sent)];
    let line = [
        "send",
        "--to",
        "+15125550142",
        "--body",
        "Hi",
        "--agent",
        "front-desk",
    ];
    insta::assert_snapshot!(with_host(&answers, &line).await, @r#"
msg_1: scheduled (quiet_hours), goes out at 2026-11-21T14:00:00Z
exit 0
--
POST /v1/messages [local-key] {"to":"+15125550142","body":"Hi","agentId":"front-desk"}
"#);
    let refused = json!({ "error": { "code": "opted_out", "message": "the contact opted out" } });
    let info = json!({ "data": { "agents": [{ "id": "front-desk" }] } });
    let answers = [("/api/v1/info", 200, info), ("/v1/messages", 409, refused)];
    let line = ["send", "--to", "+15125550142", "--body", "Hi"];
    insta::assert_snapshot!(with_host(&answers, &line).await, @r#"
error: the contact opted out
exit 1
--
GET /api/v1/info [local-key]
POST /v1/messages [local-key] {"to":"+15125550142","body":"Hi","agentId":"front-desk"}
"#);
    let info = json!({ "data": { "agents": [{ "id": "front-desk" }, { "id": "sales" }] } });
    let answers = [("/api/v1/info", 200, info)];
    insta::assert_snapshot!(with_host(&answers, &line).await, @r#"
error: name who texts with --agent; there are front-desk, sales
exit 2
--
GET /api/v1/info [local-key]
"#);
    let answers = [(
        "/api/v1/events",
        202,
        json!({ "data": { "id": "evt_1", "runs": ["run_1"] } }),
    )];
    let line = [
        "event",
        "call.missed",
        "--from",
        "+15125550142",
        "--to",
        "+15125550100",
    ];
    insta::assert_snapshot!(with_host(&answers, &line).await, @r#"
evt_1: started run_1
exit 0
--
POST /api/v1/events [local-key] {"type":"call.missed","from":"+15125550142","to":"+15125550100"}
"#);
    let line = [
        "event",
        "message.received",
        "--from",
        "+15125550142",
        "--to",
        "+15125550100",
    ];
    insta::assert_snapshot!(with_host(&answers, &line).await, @r#"
error: message.received needs --body
exit 2
--
"#);
}

#[tokio::test]
async fn conversations() {
    let thread = json!({ "id": "con_1", "agentId": "front-desk", "contact": "+15125550142",
        "lastAt": "2026-11-20T12:00:00Z", "handoff": { "to": "on-call" }, "optedOut": false });
    let out = json!({ "id": "con_2", "agentId": "front-desk", "contact": "+15125550143",
        "lastAt": null, "handoff": null, "optedOut": true });
    let texts = json!({ "data": [
        { "direction": "outbound", "createdAt": "2026-11-20T12:00:00Z", "body": "Hi", "status": "delivered" },
        { "direction": "inbound", "createdAt": "2026-11-20T12:01:00Z", "body": "a\nb", "status": "received" },
    ] });
    let answers = [
        (
            "/api/v1/conversations",
            200,
            json!({ "data": [thread, out] }),
        ),
        (
            "/api/v1/conversations/con_1",
            200,
            json!({ "data": thread }),
        ),
        ("/api/v1/conversations/con_1/messages", 200, texts),
    ];
    insta::assert_snapshot!(with_host(&answers, &["conversations", "list"]).await, @r#"
ID     AGENT       CONTACT       LAST                  STATE
con_1  front-desk  +15125550142  2026-11-20T12:00:00Z  with on-call
con_2  front-desk  +15125550143  -                     opted out
exit 0
--
GET /api/v1/conversations?limit=20 [local-key]
"#);
    insta::assert_snapshot!(with_host(&answers, &["conversations", "show", "con_1"]).await, @r#"
con_1  front-desk with +15125550142  with on-call
2026-11-20T12:00:00Z > Hi  [delivered]
2026-11-20T12:01:00Z < a b  [received]
exit 0
--
GET /api/v1/conversations/con_1 [local-key]
GET /api/v1/conversations/con_1/messages?limit=50 [local-key]
"#);
    let line = ["conversations", "show", "con_1", "--json"];
    let said = with_host(&answers, &line).await;
    assert!(said.contains("\"messages\": ["), "{said}");
}

#[tokio::test]
async fn keys_of_a_host() {
    let made = json!({ "data": { "id": "key_1", "key": "rb_secret", "scopes": ["send", "read"] } });
    let answers = [("/api/v1/keys", 201, made)];
    insta::assert_snapshot!(with_host(&answers, &["keys", "create", "--name", "crm"]).await, @r#"
rb_secret
Key key_1 for crm. It is not shown again.
exit 0
--
POST /api/v1/keys [local-key] {"name":"crm","scopes":["send","read"]}
"#);
    let answers = [("/api/v1/keys/key_1", 204, json!(null))];
    insta::assert_snapshot!(with_host(&answers, &["keys", "revoke", "key_1"]).await, @r#"
Key key_1 is out of use.
exit 0
--
DELETE /api/v1/keys/key_1 [local-key]
"#);
}

#[tokio::test]
async fn a_host_that_fails() {
    let error = json!({ "error": { "code": "unavailable", "message": "the store is closed" } });
    let line = ["runs", "list"];
    insta::assert_snapshot!(with_host(&[("/api/v1/runs", 503, error)], &line).await, @r#"
error: the store is closed
exit 3
--
GET /api/v1/runs?limit=20 [local-key]
"#);
    let error = json!({ "error": { "code": "unauthorized", "message": "no such key" } });
    insta::assert_snapshot!(with_host(&[("/api/v1/runs", 401, error)], &line).await, @r#"
error: the host does not know this key: no such key
exit 3
--
GET /api/v1/runs?limit=20 [local-key]
"#);
    insta::assert_snapshot!(with_host(&[("/api/v1/runs", 404, json!("?"))], &line).await, @r#"
error: the host answered 404
exit 1
--
GET /api/v1/runs?limit=20 [local-key]
"#);
}

#[tokio::test]
async fn a_host_by_its_address() {
    let (url, asked) = fake_host(&[("/in/api/v1/runs", 200, json!({ "data": [] }))]).await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("{url}/in/");
    let line = ["runs", "list", "--url", &url];
    let said = run_in(folder.path(), &Drawer::default(), &line).await;
    assert_eq!(said, "There are no runs.\nexit 0");
    assert_eq!(
        *asked.lock().unwrap(),
        ["GET /in/api/v1/runs?limit=20 [key-1]"]
    );
}

#[tokio::test]
async fn doctor_finds_the_host() {
    let said = with_host(&[("/readyz", 200, json!({}))], &["doctor"]).await;
    assert!(said.contains("a host runs at URL and is ready"), "{said}");
    let said = with_host(&[("/readyz", 503, json!({}))], &["doctor"]).await;
    assert!(
        said.contains("WRONG the host at URL is not ready"),
        "{said}"
    );
}
