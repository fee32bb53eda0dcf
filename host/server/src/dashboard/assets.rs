//! The page's files, as they stand beside this one, and how they are served.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// The page. It holds nothing worth hiding: every fact comes from the API, which
/// asks for the session. So it is served to anybody, and a visitor who comes from
/// another site (with a same-site cookie the browser does not show yet) is not
/// sent to the sign-in by mistake.
pub(super) const PAGE: &str = include_str!("assets/index.html");

const LOGIN: &str = include_str!("assets/login.html");

/// Headers of every answer.
pub(super) const GUARDS: [(&str, &str); 5] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
];

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, media type, content.
pub(super) const FILES: [(&str, &str, &str); 14] = [
    (
        "style.css",
        "text/css; charset=utf-8",
        include_str!("assets/style.css"),
    ),
    (
        "phone.css",
        "text/css; charset=utf-8",
        include_str!("assets/phone.css"),
    ),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ("app.js", SCRIPT, include_str!("assets/app.js")),
    ("api.js", SCRIPT, include_str!("assets/api.js")),
    ("live.js", SCRIPT, include_str!("assets/live.js")),
    ("dom.js", SCRIPT, include_str!("assets/dom.js")),
    ("phone.js", SCRIPT, include_str!("assets/phone.js")),
    ("thread.js", SCRIPT, include_str!("assets/thread.js")),
    ("runs.js", SCRIPT, include_str!("assets/runs.js")),
    ("lists.js", SCRIPT, include_str!("assets/lists.js")),
    ("attention.js", SCRIPT, include_str!("assets/attention.js")),
    ("approvals.js", SCRIPT, include_str!("assets/approvals.js")),
    ("campaigns.js", SCRIPT, include_str!("assets/campaigns.js")),
];

/// The sign-in page, with a sentence about what went wrong, which must not come
/// from outside: it is not escaped.
pub(super) fn login(problem: &'static str) -> String {
    LOGIN.replace("{{problem}}", problem)
}

/// A file of the page. The browser keeps it and asks each time whether it changed.
pub(super) async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some((_, media_type, content)) = FILES.iter().find(|(file, ..)| *file == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tag = format!("\"{}\"", blake3::hash(content.as_bytes()).to_hex());
    let known = headers.get(header::IF_NONE_MATCH);
    let known = known.is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let about = [
        (header::CONTENT_TYPE, (*media_type).to_owned()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::ETAG, tag),
    ];
    if known {
        (StatusCode::NOT_MODIFIED, about).into_response()
    } else {
        (about, *content).into_response()
    }
}
