//! What the pretend network sends to the host: signed JSON, tried again like a
//! provider does. Knows nothing of texts and calls.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use ringback_core::model::Secret;
use serde_json::Value as Json;
use sha2::Sha256;
use tokio::sync::Semaphore;

/// The header that carries the signature.
pub(crate) const SIGNATURE: &str = "x-simulator-signature";

/// How often a webhook is tried in all.
const TRIES: u32 = 5;
/// Webhooks under way at once; a provider does not open a thousand connections either.
const AT_ONCE: usize = 64;
/// How long the host may think.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is read of an answer.
const ANSWER: usize = 64 * 1024;

/// Sends webhooks.
#[derive(Clone)]
pub(super) struct Postman {
    client: reqwest::Client,
    secret: Secret,
    backoff: Duration,
    lanes: Arc<Semaphore>,
}

/// What the host said to one try.
#[derive(Debug)]
pub(super) struct Heard {
    /// The HTTP status; none when no answer came.
    pub(super) status: Option<u16>,
    /// The answer's body, or why there is none.
    pub(super) body: Vec<u8>,
}

impl Heard {
    /// Whether the host took it.
    pub(super) fn taken(&self) -> bool {
        self.status
            .is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether another try may help: the host was down, slow or overloaded.
    pub(super) fn passing(&self) -> bool {
        self.status
            .is_none_or(|status| status >= 500 || status == 408 || status == 429)
    }

    /// The body as JSON; null when it is something else.
    pub(super) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// What a person should see of it: the error's message, or the body's start.
    pub(super) fn words(&self) -> String {
        let json = self.json();
        let message = json
            .pointer("/error/message")
            .or_else(|| json.pointer("/message"))
            .and_then(Json::as_str);
        let body = String::from_utf8_lossy(&self.body);
        let text = message.unwrap_or(body.trim());
        text.chars().take(300).collect()
    }
}

impl Postman {
    pub(super) fn new(client: reqwest::Client, secret: Secret, backoff: Duration) -> Self {
        let lanes = Arc::new(Semaphore::new(AT_ONCE));
        Self {
            client,
            secret,
            backoff,
            lanes,
        }
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// One try.
    pub(super) async fn post(&self, url: &str, body: &Json) -> Heard {
        let _lane = self.lanes.acquire().await;
        let body = body.to_string();
        let signature = sign(&self.secret, url, body.as_bytes());
        let request = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .header(SIGNATURE, signature)
            .timeout(PATIENCE)
            .body(body);
        match request.send().await {
            Ok(response) => Heard {
                status: Some(response.status().as_u16()),
                body: read(response).await,
            },
            Err(error) => Heard {
                status: None,
                body: error.without_url().to_string().into_bytes(),
            },
        }
    }

    /// Tries until the host takes it, refuses it, or the tries are used up.
    pub(super) async fn deliver(&self, url: &str, body: &Json) -> Heard {
        let heard = self.post(url, body).await;
        if heard.passing() {
            self.insist(url, body).await
        } else {
            heard
        }
    }

    /// The tries after a first one that did not help.
    pub(super) async fn insist(&self, url: &str, body: &Json) -> Heard {
        let mut pause = self.backoff;
        let mut tries = 1;
        loop {
            tokio::time::sleep(pause).await;
            pause *= 2;
            tries += 1;
            let heard = self.post(url, body).await;
            if !heard.passing() {
                return heard;
            }
            if tries == TRIES {
                tracing::warn!(
                    url,
                    status = heard.status,
                    "the pretend network gave up on a webhook"
                );
                return heard;
            }
        }
    }
}

/// Lower hexadecimal HMAC-SHA256 over the address, a line break and the raw body.
pub(super) fn sign(secret: &Secret, url: &str, body: &[u8]) -> String {
    // A key of any length is fine for HMAC (RFC 2104), so there is no error to show.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
        return String::new();
    };
    mac.update(url.as_bytes());
    mac.update(b"\n");
    mac.update(body);
    let tag = mac.finalize().into_bytes();
    tag.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The body up to a limit; what is beyond it or fails to come is left out.
async fn read(mut response: reqwest::Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = ANSWER - body.len();
        body.extend(chunk.iter().take(room));
        if body.len() == ANSWER {
            break;
        }
    }
    body
}
