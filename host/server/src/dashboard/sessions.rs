//! Who is signed in: random tokens in a cookie, kept as hashes in memory until
//! they expire or the host stops. Reads no clock; it is given one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, HeaderName, header};
use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::Gatekeeper;

/// The header that a request with an effect must carry besides the cookie.
pub(crate) const CSRF_HEADER: &str = "x-csrf-token";

const SESSION_COOKIE: &str = "ringback_session";
const CSRF_COOKIE: &str = "ringback_csrf";
/// How long a sign-in lasts.
const LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How many can be signed in; one more ends the oldest.
const MOST: usize = 1_000;

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Session<T> {
    /// What the key that was shown allows.
    pub grant: T,
    /// The token a request with an effect must show.
    csrf: String,
    expires: Timestamp,
}

/// Everybody who is signed in.
pub(crate) struct Sessions<G: Gatekeeper> {
    gatekeeper: Arc<G>,
    secure: bool,
    clock: fn() -> Timestamp,
    /// By the hash of the token: what is in memory opens nothing.
    open: Mutex<HashMap<[u8; 32], Session<G::Grant>>>,
}

impl<G: Gatekeeper> Sessions<G> {
    /// Nobody is signed in yet. `secure`: the public address is https, so the
    /// cookies never travel without it.
    pub(crate) fn new(gatekeeper: Arc<G>, secure: bool, clock: fn() -> Timestamp) -> Self {
        Self {
            gatekeeper,
            secure,
            clock,
            open: Mutex::default(),
        }
    }

    /// The session of a request, by its cookie. `needs_csrf`: the request has an
    /// effect, so its `x-csrf-token` must be the session's. None when it has no
    /// session, an expired one, a wrong token, or its key was revoked.
    pub(crate) fn check(&self, headers: &HeaderMap, needs_csrf: bool) -> Option<Session<G::Grant>> {
        let key = hash(cookie(headers, SESSION_COOKIE)?);
        let session = self.open().get(&key).cloned()?;
        if session.expires <= (self.clock)() || !self.gatekeeper.stands(&session.grant) {
            self.open().remove(&key);
            return None;
        }
        if needs_csrf {
            let given = headers.get(CSRF_HEADER)?.as_bytes();
            if !bool::from(given.ct_eq(session.csrf.as_bytes())) {
                return None;
            }
        }
        Some(session)
    }

    /// Signs in with an API key: the cookies to set, or none for an unknown key.
    pub(super) fn begin(&self, key: &str) -> Option<[(HeaderName, String); 2]> {
        let grant = self.gatekeeper.check_key(key)?;
        let (token, csrf) = (random(), random());
        let now = (self.clock)();
        let session = Session {
            grant,
            csrf: csrf.clone(),
            expires: now.saturating_add(LIFE).unwrap_or(Timestamp::MAX),
        };
        let mut open = self.open();
        if open.len() >= MOST {
            open.retain(|_, session| session.expires > now);
        }
        if open.len() >= MOST {
            let oldest = open.iter().min_by_key(|(_, session)| session.expires);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                open.remove(&oldest);
            }
        }
        open.insert(hash(&token), session);
        Some(self.cookies(&token, &csrf, LIFE.as_secs()))
    }

    /// Signs out; the cookies that clear the browser's.
    pub(super) fn end(&self, headers: &HeaderMap) -> [(HeaderName, String); 2] {
        if let Some(token) = cookie(headers, SESSION_COOKIE) {
            self.open().remove(&hash(token));
        }
        self.cookies("", "", 0)
    }

    fn cookies(&self, token: &str, csrf: &str, seconds: i64) -> [(HeaderName, String); 2] {
        let secure = if self.secure { "; Secure" } else { "" };
        let rest = format!("; Path=/; SameSite=Strict; Max-Age={seconds}{secure}");
        [
            (
                header::SET_COOKIE,
                format!("{SESSION_COOKIE}={token}; HttpOnly{rest}"),
            ),
            (header::SET_COOKIE, format!("{CSRF_COOKIE}={csrf}{rest}")),
        ]
    }

    fn open(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session<G::Grant>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(token: &str) -> [u8; 32] {
    *blake3::hash(token.as_bytes()).as_bytes()
}

/// 256 random bits in hexadecimal. A UUID of version 4 holds 122, so three are
/// mixed.
fn random() -> String {
    let mut hasher = blake3::Hasher::new();
    for _ in 0..3 {
        hasher.update(Uuid::new_v4().as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// A cookie's value (RFC 6265, section 4.2.1).
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).into_iter();
    let pairs = all
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}
