//! Who asks, and whether they may: the key or the dashboard's session of a
//! request, its scopes, and how often it comes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::keys::{Holder, Scope};
use super::{ApiState, Error};

/// The dashboard's sessions, as the API sees them. The dashboard supplies it.
pub(crate) trait SessionCheck: Send + Sync + 'static {
    /// The key that the session of these headers was opened with; none without a
    /// live session or, with `needs_csrf`, without its token in `x-csrf-token`.
    fn check(&self, headers: &HeaderMap, needs_csrf: bool) -> Option<Holder>;
}

/// Whoever sent this request: its key was right, and it did not come too often.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The key's id; for a session, that of the key it was opened with.
    pub(crate) id: String,
    scopes: Vec<Scope>,
}

impl Caller {
    /// Whether the caller may do this; admins may do everything.
    pub(crate) fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    /// 403, unless the caller may do this.
    ///
    /// # Errors
    /// When the scope is missing.
    pub(crate) fn need(&self, scope: Scope) -> Result<(), Error> {
        if self.has(scope) {
            return Ok(());
        }
        let text = format!("this API key does not have the scope {scope}");
        Err(Error::new(StatusCode::FORBIDDEN, "scope_missing", text))
    }
}

/// Says in the signature of a handler what its caller must be allowed to do, and
/// hands over who it is where handlers want to know.
macro_rules! caller {
    ($(#[$doc:meta])* $name:ident, $scope:expr, $($kept:ty)?) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub(crate) struct $name($(pub(crate) $kept)?);

        impl FromRequestParts<ApiState> for $name {
            type Rejection = Error;

            async fn from_request_parts(
                parts: &mut Parts,
                state: &ApiState,
            ) -> Result<Self, Error> {
                let caller = identify(parts, state)?;
                caller.need($scope)?;
                Ok(Self($(<$kept>::from(caller))?))
            }
        }
    };
}

caller!(
    /// A caller with the scope `read`.
    Reader, Scope::Read,
);
caller!(
    /// A caller with the scope `send`.
    Sender, Scope::Send, Caller
);
caller!(
    /// A caller with the scope `admin`.
    Admin, Scope::Admin, Caller
);

/// Lets only those through who may look, and with an effect only those who may
/// send: for routes that are not the API's own.
pub(super) async fn guard(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let scope = if parts.method.is_safe() {
        Scope::Read
    } else {
        Scope::Send
    };
    identify(&parts, &state)?.need(scope)?;
    Ok(next.run(Request::from_parts(parts, body)).await)
}

fn identify(parts: &Parts, state: &ApiState) -> Result<Caller, Error> {
    let holder = match given(&parts.headers)? {
        Some(key) => state
            .keys
            .check(key)
            .ok_or_else(|| refused("this API key is not valid"))?,
        None => session(parts, state)?,
    };
    state.rates.take(&holder.id)?;
    Ok(Caller {
        id: holder.id,
        scopes: holder.scopes,
    })
}

fn refused(text: &str) -> Error {
    Error::new(StatusCode::UNAUTHORIZED, "unauthorized", text)
}

/// The key that was sent; `x-api-key` comes first when both headers are there.
fn given(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let unreadable = || refused("the API key has characters that no key has");
    if let Some(value) = headers.get("x-api-key") {
        return value
            .to_str()
            .map(|key| Some(key.trim()))
            .map_err(|_| unreadable());
    }
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let value = value.to_str().map_err(|_| unreadable())?;
    match value.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(key.trim())),
        _ => Err(refused(
            "send the API key as `x-api-key: KEY` or `Authorization: Bearer KEY`",
        )),
    }
}

fn session(parts: &Parts, state: &ApiState) -> Result<Holder, Error> {
    let changes = !parts.method.is_safe();
    if let Some(holder) = state.sessions.check(&parts.headers, changes) {
        return Ok(holder);
    }
    if changes && state.sessions.check(&parts.headers, false).is_some() {
        let text = "the header x-csrf-token is missing or wrong; load the page again";
        return Err(Error::new(StatusCode::FORBIDDEN, "csrf", text));
    }
    Err(refused(
        "send an API key as `x-api-key: KEY` or `Authorization: Bearer KEY`",
    ))
}

/// How often each key may ask: a bucket that fills with time.
#[derive(Debug)]
pub(crate) struct Rates {
    per_second: f64,
    burst: f64,
    buckets: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Rates {
    /// At most `per_second` requests in the long run, and `burst` at once.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        Self {
            per_second: f64::from(per_second.max(1)),
            burst: f64::from(burst.max(1)),
            buckets: Mutex::default(),
        }
    }

    /// Counts one request. Only keys that exist get here, so there are no more
    /// buckets than keys.
    fn take(&self, id: &str) -> Result<(), Error> {
        let now = Instant::now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = buckets.entry(id.to_owned()).or_insert((self.burst, now));
        let filled = *left + now.duration_since(*since).as_secs_f64() * self.per_second;
        *left = filled.min(self.burst);
        *since = now;
        if *left >= 1.0 {
            *left -= 1.0;
            return Ok(());
        }
        let text = format!(
            "more than {} requests a second with this key",
            self.per_second
        );
        Err(Error::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", text).retry_after(1))
    }
}
