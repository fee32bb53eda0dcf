//! The page a person looks at: its files, its sign-in and its sessions. Plain
//! HTML, CSS and JavaScript modules, embedded; what they show comes from the own
//! API. Must not know the runtime: keys and the page's few facts are given to it.

mod assets;
mod sessions;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use ringback_core::model::PhoneNumber;
use serde::{Deserialize, Serialize};

pub(crate) use sessions::Sessions;

/// Who may sign in. Supplied by whoever owns the API keys.
pub(crate) trait Gatekeeper: Send + Sync + 'static {
    /// What a key allows; kept with the session and handed back by
    /// [`Sessions::check`].
    type Grant: Clone + Send + Sync + 'static;

    /// The grant of a key; none when there is no such key. Must compare hashes.
    fn check_key(&self, key: &str) -> Option<Self::Grant>;

    /// Whether a grant given earlier still stands; false once its key is revoked.
    fn stands(&self, grant: &Self::Grant) -> bool;
}

/// What the page needs to know before anything else: `/dashboard/boot.json`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Boot {
    /// The business' name.
    pub business: String,
    /// The pretend phone's side, where a connection goes through the simulator.
    pub simulator: Option<Simulator>,
    /// ringback's version.
    pub version: String,
}

/// What the pretend phone can reach.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Simulator {
    /// Our numbers that go through it.
    pub our_numbers: Vec<OurNumber>,
}

/// A number of ours.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct OurNumber {
    /// The number.
    pub number: PhoneNumber,
    /// The name of the agent that has it.
    pub agent: String,
}

/// The page, its sign-in, and the sessions the API accepts. Clones share.
pub(crate) struct Dashboard<G: Gatekeeper> {
    sessions: Arc<Sessions<G>>,
    boot: Arc<dyn Fn() -> Boot + Send + Sync>,
}

impl<G: Gatekeeper> Clone for Dashboard<G> {
    fn clone(&self) -> Self {
        Self {
            sessions: self.sessions.clone(),
            boot: self.boot.clone(),
        }
    }
}

impl<G: Gatekeeper> Dashboard<G> {
    /// A dashboard that checks its visitors with `sessions` and asks `boot` for its
    /// facts each time the page is loaded.
    pub(crate) fn new(
        sessions: Arc<Sessions<G>>,
        boot: impl Fn() -> Boot + Send + Sync + 'static,
    ) -> Self {
        let boot = Arc::new(boot);
        Self { sessions, boot }
    }

    /// `/`, `/login`, `/logout` and `/dashboard/…`. Reads the sessions itself;
    /// put no other check before it.
    pub(crate) fn routes(&self) -> Router {
        Router::new()
            .route("/", get(async || Html(assets::PAGE)))
            .route("/login", get(login_page::<G>).post(login::<G>))
            .route("/logout", post(logout::<G>))
            .route("/dashboard/boot.json", get(facts::<G>))
            .route("/dashboard/{file}", get(assets::serve))
            .layer(middleware::map_response(guard))
            .with_state(self.clone())
    }
}

/// The headers that keep the page to itself: nothing from elsewhere, no inline
/// code, no framing (CSP level 3).
async fn guard(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in assets::GUARDS {
        headers.insert(name, header::HeaderValue::from_static(value));
    }
    // Scripts and styles set their own; whatever a session sees is not kept.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(header::HeaderValue::from_static("no-store"));
    response
}

async fn facts<G: Gatekeeper>(
    State(dashboard): State<Dashboard<G>>,
    headers: HeaderMap,
) -> Response {
    match dashboard.sessions.check(&headers, false) {
        Some(_) => Json((dashboard.boot)()).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

#[derive(Deserialize)]
struct Entrance {
    key: Option<String>,
}

async fn login_page<G: Gatekeeper>(State(dashboard): State<Dashboard<G>>, uri: Uri) -> Response {
    match key_of(&uri) {
        Some(key) => dashboard.enter(&key),
        None => Html(assets::login("")).into_response(),
    }
}

/// The form's body has the same shape as a query.
async fn login<G: Gatekeeper>(State(dashboard): State<Dashboard<G>>, body: String) -> Response {
    let uri = Uri::builder().path_and_query(format!("/?{body}")).build();
    let key = uri.ok().and_then(|uri| key_of(&uri)).unwrap_or_default();
    dashboard.enter(&key)
}

fn key_of(uri: &Uri) -> Option<String> {
    let Query(Entrance { key }) = Query::try_from_uri(uri).ok()?;
    key.map(|key| key.trim().to_owned())
}

async fn logout<G: Gatekeeper>(
    State(dashboard): State<Dashboard<G>>,
    headers: HeaderMap,
) -> Response {
    if dashboard.sessions.check(&headers, true).is_none() {
        return StatusCode::FORBIDDEN.into_response();
    }
    let cookies = dashboard.sessions.end(&headers);
    (AppendHeaders(cookies), Redirect::to("/login")).into_response()
}

impl<G: Gatekeeper> Dashboard<G> {
    fn enter(&self, key: &str) -> Response {
        match self.sessions.begin(key) {
            Some(cookies) => (AppendHeaders(cookies), Redirect::to("/")).into_response(),
            None => {
                let page = assets::login("That key is not known here.");
                (StatusCode::UNAUTHORIZED, Html(page)).into_response()
            }
        }
    }
}
