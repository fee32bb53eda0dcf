//! A pretend phone network inside the host, so that everything can be tried
//! without a provider, an account or a cent. It lives in memory, and talks to the
//! host only as a real provider would: the `simulator` connector calls its
//! [`provider_routes`](Network::provider_routes), and it calls the host's
//! webhooks. It must not reach into the runtime or the store.
//!
//! # The provider's side
//!
//! `POST /texts` `{id, from, to, body, media, status_url, valid_for}` answers 201
//! `{provider_id, segments}`, once per `id`; `GET /texts?id=` lists what became of
//! one; `POST /calls` `{id, from, to, script, variables, ring_for, detect_machine,
//! status_url}` answers 201 `{provider_id}`. Errors are `{code, message}`. All of
//! them want `Authorization: Bearer` with the connection's secret.
//!
//! # Webhooks
//!
//! JSON with the header `x-simulator-signature`: to `{hooks}/text`, `{hooks}/call`,
//! `{hooks}/voice`, and to the `status_url` given with each text or call. They are
//! tried up to five times.
//!
//! # Numbers that misbehave
//!
//! The last digits of the contact's number play the faults of real networks; see
//! [`ENDINGS`].

mod faults;
mod ledger;
mod phone;
mod provider;
#[cfg(test)]
mod tests;
mod webhooks;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use jiff::Timestamp;
use ringback_core::model::Secret;

pub(crate) use faults::ENDINGS;

use ledger::Ledger;
use webhooks::Postman;

/// How a network is set up.
pub(crate) struct NetworkOptions {
    /// The connection's secret: the connector shows it, webhooks are signed with it.
    pub secret: Secret,
    /// Where the host takes this connection's webhooks, such as
    /// `http://127.0.0.1:7070/hooks/sim`; the host must see the same address, since
    /// signatures cover it.
    pub hooks_base: String,
    /// The HTTP client for webhooks.
    pub client: reqwest::Client,
    /// How quickly things happen.
    pub pace: Pace,
}

/// How quickly things happen in a network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Between two delivery reports of a text, and two states of a call.
    pub report: Duration,
    /// Before the second try of a webhook; doubles with each further one.
    pub backoff: Duration,
    /// How long a request hangs whose answer never comes.
    pub silence: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            report: Duration::from_millis(250),
            backoff: Duration::from_millis(500),
            silence: Duration::from_secs(60),
        }
    }
}

/// A handle on a pretend network; clones share it.
#[derive(Clone)]
pub(crate) struct Network {
    shared: Arc<Shared>,
}

struct Shared {
    ledger: Mutex<Ledger>,
    postman: Postman,
    hooks_base: String,
    pace: Pace,
    clock: fn() -> Timestamp,
}

impl Network {
    /// A network without texts or calls. It works only inside a tokio runtime.
    pub(crate) fn new(options: NetworkOptions, clock: fn() -> Timestamp) -> Self {
        let pace = options.pace;
        let shared = Shared {
            ledger: Mutex::default(),
            postman: Postman::new(options.client, options.secret, pace.backoff),
            hooks_base: options.hooks_base.trim_end_matches('/').to_owned(),
            pace,
            clock,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// What the connector calls: `/texts` and `/calls`. Checks the secret itself.
    pub(crate) fn provider_routes(&self) -> Router {
        provider::routes(self.clone())
    }

    /// What the dashboard's phone calls: `/call`, `/text`, `/state`, `/endings`.
    /// Whoever mounts them must check who is asking.
    pub(crate) fn phone_routes(&self) -> Router {
        phone::routes(self.clone())
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Every change of the ledger is a single push or assignment, so it is
        // whole even after a panic elsewhere.
        let ledger = self.shared.ledger.lock();
        ledger.unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        (self.shared.clock)()
    }

    fn postman(&self) -> &Postman {
        &self.shared.postman
    }

    fn hook(&self, name: &str) -> String {
        format!("{}/{name}", self.shared.hooks_base)
    }

    async fn pause(&self) {
        if !self.shared.pace.report.is_zero() {
            tokio::time::sleep(self.shared.pace.report).await;
        }
    }
}

/// A new id of the network's own.
fn provider_id(prefix: &str) -> String {
    format!("{prefix}{}", uuid::Uuid::new_v4().simple())
}
