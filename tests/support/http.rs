//! A small HTTP client: one request, one answer with everything a test looks at.

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// `Content-Type`, or nothing.
    pub(crate) kind: String,
    /// The body.
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON; null when it is something else.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The word of a refusal.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Fails unless the status is this one, showing the body.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

/// One request. None when no answer came.
pub(crate) async fn ask(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Option<Answer> {
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request = client().request(method, url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.ok()?;
    let kind = response.headers().get("content-type");
    let kind = kind.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    Some(Answer {
        status: response.status().as_u16(),
        kind: kind.unwrap_or_default(),
        text: response.text().await.ok()?,
    })
}

/// A client without a pool: every test has its own runtime, and a connection must
/// not outlive the one it was made in.
fn client() -> reqwest::Client {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        // An error only says that somebody else was faster.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    let make = || {
        reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(40))
            .build()
            .expect("a client")
    };
    CLIENT.get_or_init(make).clone()
}
