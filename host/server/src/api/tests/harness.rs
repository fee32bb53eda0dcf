//! A host to ask.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Json as JsonBody;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use ringback_core::engine::{Agent, Business, Connection, Inbound, Person, Setup, Voice};
use ringback_core::model::{PhoneNumber, Secret};
use ringback_sandbox::{Plugin, Sandbox};
use ringback_store::{Memory, Store};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::api::keys::{Holder, Keys, Scope};
use crate::api::{ApiState, Options, SessionCheck, router};
use crate::runtime::{Connector, Connectors, Host, Parts, Requests, start};
use crate::serve::BUILTIN;

/// The configured key.
pub(crate) const KEY: &str = "a-key-of-the-configuration";
/// The number of the agent `front-desk`.
pub(crate) const OURS: &str = "+15125550100";
/// A contact.
pub(crate) const ALICE: &str = "+15125550142";

const WORKFLOW: &str = r#"
name: Call back
on:
  call.missed: {}
  manual: { input: { offer: string, times: number? } }
intent: customer_care
enroll: { again: always }
steps:
  - id: pause
    wait: 2h
"#;

/// A signed-in browser with one fixed token.
struct Browser;

impl SessionCheck for Browser {
    fn check(&self, headers: &HeaderMap, needs_csrf: bool) -> Option<Holder> {
        let cookie = headers.get("cookie").is_some_and(|cookie| cookie == "s=1");
        let token = headers
            .get("x-csrf-token")
            .is_some_and(|token| token == "t");
        let holder = || Holder {
            id: "browser".to_owned(),
            scopes: vec![Scope::Admin],
        };
        (cookie && (token || !needs_csrf)).then(holder)
    }
}

/// The provider: what it says depends on the words.
async fn provider(JsonBody(text): JsonBody<Value>) -> axum::response::Response {
    let body = text.get("body").and_then(Value::as_str).unwrap_or_default();
    if body.contains("refuse") {
        let body = json!({ "code": "bad_words", "message": "these words are not allowed" });
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    }
    if body.contains("slow") {
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    Json(json!({ "provider_id": "SM1", "segments": 1 })).into_response()
}

async fn plugin() -> Arc<Plugin> {
    let (name, wasm) = BUILTIN
        .iter()
        .find(|(name, _)| *name == "simulator")
        .unwrap();
    let sandbox = Sandbox::new(ringback_sandbox::Options::default()).unwrap();
    sandbox.load(name, wasm).await.unwrap()
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

fn agent(id: &str, ours: &str, connection: &str) -> Agent {
    Agent {
        id: id.to_owned(),
        name: "Ava".to_owned(),
        numbers: vec![number(ours)],
        connection: Some(connection.to_owned()),
        calls: None,
        voice: Some(Voice::Say("Hello".to_owned())),
        inbound: Inbound::Off,
    }
}

/// What the host is configured with: an agent on the simulator, another one
/// whose connection does not work.
pub(crate) fn setup() -> Setup {
    let connection = |name: &str| Connection {
        name: name.to_owned(),
        idempotent: true,
        handles_opt_out: false,
        chooses_sender: name == "pool",
        settle_ms: 1_000,
        segment_us: None,
    };
    let agents = [
        agent("front-desk", OURS, "main"),
        agent("sales", "+15125550101", "pool"),
    ];
    let connections = ["main", "pool"].map(connection);
    Setup {
        business: Business {
            name: "Brightside".to_owned(),
            zone: "America/Chicago".to_owned(),
        },
        agents: agents
            .into_iter()
            .map(|agent| (agent.id.clone(), agent))
            .collect(),
        connections: connections
            .into_iter()
            .map(|one| (one.name.clone(), one))
            .collect(),
        people: BTreeMap::from([(
            "kim".to_owned(),
            Person {
                phone: number("+15125550177"),
            },
        )]),
        ..Setup::default()
    }
}

/// A running host and its routes.
pub(crate) struct World {
    pub(crate) host: Arc<Host>,
    pub(crate) keys: Arc<Keys>,
    app: Router,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Options {
            send_wait: Duration::from_secs(5),
            ..Options::default()
        })
        .await
    }

    pub(crate) async fn with(options: Options) -> Self {
        // The second test of the process finds it installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let network = Router::new()
            .route("/texts", post(provider))
            .route("/calls", post(provider));
        tokio::spawn(async move { axum::serve(listener, network).await.unwrap() });
        let settings = ringback_sandbox::Connection {
            name: "main".to_owned(),
            values: BTreeMap::from([("base_url".to_owned(), base)]),
            secrets: BTreeMap::from([("secret".to_owned(), Secret::new("s"))]),
        };
        let connector = Connector::new(plugin().await, settings, true);
        let requests = Requests::new(Duration::from_secs(30)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("call-back.yaml"), WORKFLOW).unwrap();
        std::fs::write(
            folder.path().join("broken.yaml"),
            "name: Broken\nsteps: [{ snd: 1 }]\n",
        )
        .unwrap();
        let parts = Parts {
            store: Arc::new(Memory::new()),
            setup: setup(),
            connectors: Connectors::new(BTreeMap::from([("main".to_owned(), connector)]), requests),
            outside: crate::runtime::Outside::new(&crate::config::Config::demo(
                &crate::config::Overrides::default(),
                &crate::config::System,
            ))
            .unwrap(),
            base_url: "http://127.0.0.1:1".to_owned(),
        };
        let host = start(parts, folder.path().to_owned()).await.unwrap();
        let keys = Keys::load(host.store(), &[Secret::new(KEY)]).await.unwrap();
        let keys = Arc::new(keys);
        let state = ApiState::new(
            Arc::clone(&host),
            Arc::clone(&keys),
            Arc::new(Browser),
            options,
        );
        Self {
            host,
            keys,
            app: router(state),
            _folder: folder,
        }
    }

    /// The store under the host.
    pub(crate) fn store(&self) -> &dyn Store {
        self.host.store()
    }

    /// One request, as it is.
    pub(crate) async fn ask(&self, request: Request<Body>) -> axum::response::Response {
        self.app.clone().oneshot(request).await.unwrap()
    }

    /// A request with the configured key and these headers.
    pub(crate) async fn with_headers(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> (StatusCode, Value) {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "x-api-key") {
            request = request.header("x-api-key", KEY);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Value::Null => Body::empty(),
            body => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
        };
        json_of(self.ask(request.body(body).unwrap()).await).await
    }

    /// `GET` with the configured key.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self
            .with_headers(&format!("GET {path}"), &[], Value::Null)
            .await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    /// `POST` with the configured key.
    pub(crate) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.with_headers(&format!("POST {path}"), &[], body).await
    }

    /// The status, code and field of a request that must be refused.
    pub(crate) async fn refused(&self, path: &str, body: Value) -> (u16, String, String) {
        let (status, body) = self.post(path, body).await;
        let part = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
        assert!(!part("message").is_empty(), "{body}");
        (status.as_u16(), part("code"), part("field"))
    }
}

/// Status and JSON of an answer.
pub(crate) async fn json_of(response: axum::response::Response) -> (StatusCode, Value) {
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), 10_000_000)
        .await
        .unwrap();
    let body = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    (status, body)
}
