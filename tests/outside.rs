//! What steps do outside, beside texts and calls, against a server on this machine:
//! requests, a model's words, rows of a file; and what becomes of it when the host
//! is killed in the middle.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use serde_json::{Value, json};

use crate::support::{Host, OURS, Twilio, config, contact, within};

/// A request as it came.
#[derive(Clone, Debug)]
struct Asked {
    what: String,
    key: String,
    auth: String,
    body: Value,
}

/// Takes every request down; those under `/slow` are never answered.
#[derive(Clone, Default)]
struct Server {
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    async fn start() -> (Self, String) {
        let server = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let app = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (server, url)
    }

    fn asked(&self) -> Vec<Asked> {
        let asked = self.asked.lock();
        asked.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many requests of this kind came.
    async fn saw(&self, what: &str, times: usize) -> Vec<Asked> {
        let wanted = format!("{times} of {what}");
        within(Duration::from_secs(20), &wanted, async || {
            let mut asked = self.asked();
            asked.retain(|one| one.what == what);
            (asked.len() >= times).then_some(asked)
        })
        .await
    }
}

async fn answer(
    State(server): State<Server>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> axum::Json<Value> {
    let header = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let asked = Asked {
        what: format!("{method} {}", uri.path()),
        key: header("idempotency-key"),
        auth: header("authorization"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    server
        .asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(asked);
    if uri.path().starts_with("/slow") {
        std::future::pending::<()>().await;
    }
    axum::Json(json!({ "name": "Jo" }))
}

/// The configuration that lets workflows reach the server.
fn reaching(twilio: &Twilio, url: &str) -> String {
    let rest = format!(
        "[people.on-call]\nphone = \"+15125550199\"\n[http]\nhosts = [\"{url}\"]\n[secrets]\n\
         CRM = {{ env = \"TWILIO_AUTH_TOKEN\" }}\n[models.default]\nconnector = \"scripted\"\n\
         answers = [\"Hello from the model\"]\n"
    );
    config(twilio, "", &rest)
}

#[tokio::test]
async fn a_run_asks_composes_decides_and_reads_rows() {
    let twilio = Twilio::start().await;
    let (server, url) = Server::start().await;
    let workflow = format!(
        r#"name: Outside
on: call.missed
steps:
  - id: crm
    http: {{ url: "{url}/lead", headers: {{ Authorization: "Bearer secret:CRM" }} }}
  - compose: "Write to {{{{ crm.body.name }}}}"
  - id: answer
    wait_for: reply
    timeout: 1h
  - id: read
    classify: {{ text: "${{{{ answer.message.body }}}}", labels: [booking, other] }}
  - switch:
      on: ${{{{ read.label }}}}
      booking:
        - for_each:
            in: ${{{{ csv("slots.csv") }}}}
            as: slot
            where: slot.free == "yes"
            steps: [{{ send: "{{{{ crm.body.name }}}}, free: {{{{ slot.time }}}}" }}]
  - http: {{ url: "{url}/log", json: {{ label: "${{{{ read.label }}}}" }} }}
"#
    );
    let host = Host::start(
        &reaching(&twilio, &url),
        &[
            ("workflows/outside.yaml", &workflow),
            ("slots.csv", "time,free\n9 AM,yes\n10 AM,no\n11 AM,yes\n"),
        ],
    )
    .await;
    let caller = contact(151);
    host.miss(&caller).await.expect(202);
    twilio.texted(&caller, 1).await;
    let body =
        json!({ "type": "message.received", "from": caller, "to": OURS, "body": "A booking" });
    host.post("/api/v1/events", &body).await.expect(202);
    let texts = twilio.texted(&caller, 3).await;
    let words: Vec<String> = texts.iter().map(|text| text.field("Body")).collect();
    assert_eq!(
        words,
        ["Hello from the model", "Jo, free: 9 AM", "Jo, free: 11 AM"]
    );
    host.run_becomes(&caller, "finished").await;
    let got = server.saw("GET /lead", 1).await;
    assert!(got[0].auth.starts_with("Bearer ") && got[0].auth.len() > 10);
    let posted = server.saw("POST /log", 1).await;
    assert_eq!(posted[0].body, json!({ "label": "booking" }));
    assert!(!posted[0].key.is_empty());
    // The secret is in no record, and not in the log.
    let secret = got[0].auth.trim_start_matches("Bearer ").to_owned();
    let run = host.runs_for(&caller).await.remove(0);
    let whole = host
        .data(&format!(
            "/api/v1/runs/{}",
            run["id"].as_str().expect("an id")
        ))
        .await;
    assert!(!whole.to_string().contains(&secret));
    assert!(!host.log().contains(&secret));
}

/// A host that dies over a request does one that reads again, and leaves alone one
/// that may have written; unless the file says that a repeat does no harm.
#[tokio::test]
async fn a_killed_request_is_repeated_only_where_that_does_no_harm() {
    let twilio = Twilio::start().await;
    let (server, url) = Server::start().await;
    let file = |name: &str, number: &str, step: &str| {
        format!(
            "name: {name}\non: {{ manual: {{}} }}\nenroll: {{ again: always }}\nsteps:\n  - id: it\n{step}\n  - log: \"{number}\"\n"
        )
    };
    let reads = file("Reads", "1", &format!("    http: {url}/slow/reads"));
    let writes = file(
        "Writes",
        "2",
        &format!("    http: {{ url: \"{url}/slow/writes\", json: {{ a: 1 }} }}"),
    );
    let repeats = file(
        "Repeats",
        "3",
        &format!(
            "    http: {{ url: \"{url}/slow/repeats\", json: {{ a: 1 }} }}\n    retry: {{ max: 5, from: 1s }}"
        ),
    );
    let mut host = Host::start(
        &reaching(&twilio, &url),
        &[
            ("workflows/reads.yaml", &reads),
            ("workflows/writes.yaml", &writes),
            ("workflows/repeats.yaml", &repeats),
        ],
    )
    .await;
    let who = |n: u32| contact(160 + n);
    for (n, id) in (0..).zip(["reads", "writes", "repeats"]) {
        let path = format!("/api/v1/workflows/{id}/runs");
        host.post(&path, &json!({ "contact": who(n) }))
            .await
            .expect(201);
    }
    server.saw("GET /slow/reads", 1).await;
    server.saw("POST /slow/writes", 1).await;
    let first = server.saw("POST /slow/repeats", 1).await;
    host.kill9();
    host.restart().await;
    server.saw("GET /slow/reads", 2).await;
    let both = server.saw("POST /slow/repeats", 2).await;
    assert_eq!(first[0].key, both[1].key);
    let failed = host.run_becomes(&who(1), "failed").await;
    let outcome = failed["outcome"].as_str().expect("an outcome");
    assert!(
        outcome.contains("nobody knows whether it was done: the host stopped meanwhile"),
        "{outcome}"
    );
    assert_eq!(server.saw("POST /slow/writes", 1).await.len(), 1);
}

/// A workflow cannot be made to reach what is on the host's own network.
#[tokio::test]
async fn the_own_network_is_out_of_reach_unless_named() {
    let twilio = Twilio::start().await;
    let (server, url) = Server::start().await;
    let workflow = format!(
        "name: Curious\non: call.missed\nsteps:\n  - id: it\n    http: \"{url}/secret\"\n    on_error: continue\n  - send: \"{{{{ it.error }}}}\"\n"
    );
    let host = Host::start(
        &config(&twilio, "", ""),
        &[("workflows/curious.yaml", &workflow)],
    )
    .await;
    let caller = contact(170);
    host.miss(&caller).await.expect(202);
    let texts = twilio.texted(&caller, 1).await;
    assert_eq!(
        texts[0].field("Body"),
        "127.0.0.1: it is an address of the own network; name it under [http] hosts if workflows may go there"
    );
    assert!(server.asked().is_empty());
}
