//! Requests of workflows: to public hosts and those that the operator named, without
//! redirects, with secrets filled in, and with a key by which the receiver can see
//! that two are one.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode, Url};
use ringback_core::engine::{Body, Http, WorkResult};
use ringback_core::model::Secret;
use serde_json::{Map, Value, json};

use super::reach::{self, PublicOnly};
use super::{failed, problem};

/// The most of an answer that is kept: it goes into the run's record.
const ANSWER_LIMIT: usize = 64 * 1024;
/// What stands for a secret.
const SECRET: &str = "secret:";

/// The clients: one for everybody's hosts, one for those that the operator named.
#[derive(Clone)]
pub(super) struct Client {
    public: reqwest::Client,
    named: reqwest::Client,
    hosts: Vec<Url>,
}

impl Client {
    /// # Errors
    /// When the TLS roots of the system cannot be used.
    pub(super) fn new(hosts: &[String]) -> Result<Self, reqwest::Error> {
        let builder = || {
            reqwest::Client::builder()
                .redirect(Policy::none())
                .connect_timeout(Duration::from_secs(5))
                .pool_idle_timeout(Duration::from_secs(50))
                .no_proxy()
                .user_agent(concat!("ringback/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self {
            public: builder().dns_resolver(Arc::new(PublicOnly)).build()?,
            named: builder().build()?,
            hosts: hosts
                .iter()
                .filter_map(|one| Url::parse(one).ok())
                .collect(),
        })
    }

    /// Makes a request, once. `key` is the same for every try at it.
    pub(super) async fn perform(
        &self,
        request: &Http,
        key: &str,
        secrets: &BTreeMap<String, Secret>,
    ) -> WorkResult {
        let (client, url) = match self.check(&request.url) {
            Ok(found) => found,
            Err(text) => return failed("not_allowed", text, false),
        };
        let Ok(method) = Method::try_from(request.method.as_str()) else {
            return failed(
                "no_method",
                format!("{:?} is no method", request.method),
                false,
            );
        };
        let host = url.host_str().unwrap_or_default().to_owned();
        let harmless = matches!(method, Method::GET | Method::HEAD);
        let mut headers = match headers(request, secrets) {
            Ok(headers) => headers,
            Err(text) => return failed("bad_header", text, false),
        };
        let name = HeaderName::from_static("idempotency-key");
        if !harmless
            && !headers.contains_key(&name)
            && let Ok(value) = HeaderValue::try_from(key)
        {
            headers.insert(name, value);
        }
        let (kind, body) = match &request.body {
            Body::Empty => (None, None),
            Body::Json(json) => (Some("application/json"), Some(json.to_string())),
            Body::Form(fields) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                (
                    Some("application/x-www-form-urlencoded"),
                    Some(form.extend_pairs(fields).finish()),
                )
            }
            Body::Text(text) => (Some("text/plain; charset=utf-8"), Some(text.clone())),
        };
        if let Some(kind) = kind.filter(|_| !headers.contains_key(CONTENT_TYPE)) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        let mut builder = client.request(method, url).headers(headers);
        if let Some(body) = body {
            builder = builder.body(body);
        }
        let response = match builder.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() || error.is_builder() => {
                return failed("not_sent", format!("{host}: {}", causes(&error)), true);
            }
            Err(error) => return broken(harmless, &host, &error),
        };
        let status = response.status();
        let headers = kept(response.headers());
        let body = match read(response).await {
            Ok(body) => body,
            Err(Unread::TooLarge) => {
                let text = format!(
                    "the answer of {host} is larger than {} KiB",
                    ANSWER_LIMIT / 1024
                );
                return failed("too_large", text, false);
            }
            Err(Unread::Broken(error)) => return broken(harmless, &host, &error),
        };
        let expected = match request.expect.is_empty() {
            true => status.is_success(),
            false => request.expect.contains(&status.as_u16()),
        };
        if !expected {
            return unexpected(status, harmless, &host, &body);
        }
        WorkResult::Done(json!({
            "status": status.as_u16(),
            "headers": headers,
            "body": content(&headers, &body),
        }))
    }

    /// The client for an address, if it may be asked.
    fn check(&self, address: &str) -> Result<(&reqwest::Client, Url), String> {
        let url = Url::parse(address)
            .map_err(|error| format!("{address:?} is not an address: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("{:?} is not http or https", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("an address must not carry a user name; use a header".to_owned());
        }
        let same = |one: &Url| {
            one.scheme() == url.scheme()
                && one.host_str() == url.host_str()
                && one.port_or_known_default() == url.port_or_known_default()
        };
        if self.hosts.iter().any(same) {
            return Ok((&self.named, url));
        }
        // A literal address is never resolved.
        let host = url.host_str().unwrap_or_default();
        let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        if literal.is_some_and(|ip| !reach::is_public(ip)) {
            return Err(format!("{host}: {}", reach::NOT_PUBLIC));
        }
        Ok((&self.public, url))
    }
}

fn headers(request: &Http, secrets: &BTreeMap<String, Secret>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let (value, secret) = filled(value, secrets)?;
        let parsed = HeaderName::try_from(name.as_str())
            .ok()
            .zip(HeaderValue::try_from(value).ok());
        let Some((name, mut value)) = parsed else {
            return Err(format!("the header {name:?} cannot be sent as it is"));
        };
        value.set_sensitive(secret);
        headers.append(name, value);
    }
    Ok(headers)
}

/// A value with the secrets that it names; and whether there was one.
fn filled(value: &str, secrets: &BTreeMap<String, Secret>) -> Result<(String, bool), String> {
    let mut filled = String::new();
    let mut rest = value;
    let mut any = false;
    while let Some((before, after)) = rest.split_once(SECRET) {
        let end = after
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(after.len());
        let (name, behind) = after.split_at(end);
        let Some(secret) = secrets.get(name) else {
            return Err(format!("there is no secret {name:?} under [secrets]"));
        };
        filled.push_str(before);
        filled.push_str(secret.expose());
        any = true;
        rest = behind;
    }
    filled.push_str(rest);
    Ok((filled, any))
}

/// The headers of an answer, but for cookies: nobody needs them, and they are secrets.
fn kept(headers: &HeaderMap) -> Map<String, Value> {
    let mut kept = Map::new();
    for (name, value) in headers {
        if name != reqwest::header::SET_COOKIE {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            kept.insert(name.as_str().to_owned(), Value::String(value));
        }
    }
    kept
}

enum Unread {
    TooLarge,
    Broken(reqwest::Error),
}

async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, Unread> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Unread::Broken)? {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(Unread::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// JSON as what it says, everything else as text.
fn content(headers: &Map<String, Value>, body: &[u8]) -> Value {
    let kind = headers.get("content-type").and_then(Value::as_str);
    if kind.is_some_and(|kind| kind.contains("json"))
        && let Ok(json) = serde_json::from_slice(body)
    {
        return json;
    }
    Value::String(String::from_utf8_lossy(body).into_owned())
}

fn broken(harmless: bool, host: &str, error: &reqwest::Error) -> WorkResult {
    let text = format!("{host}: {}", causes(error));
    match harmless {
        true => failed("no_answer", text, true),
        false => WorkResult::Unknown(problem("no_answer", text)),
    }
}

/// A status that the file does not expect. After a failure of the server's own,
/// nobody knows what it did before.
fn unexpected(status: StatusCode, harmless: bool, host: &str, body: &[u8]) -> WorkResult {
    let said: String = String::from_utf8_lossy(body).chars().take(200).collect();
    let said = match said.trim() {
        "" => String::new(),
        said => format!(": {said}"),
    };
    let text = format!("{host} answered {}{said}", status.as_u16());
    let code = status.as_u16().to_string();
    match status.as_u16() {
        408 | 429 => failed(&code, text, true),
        500.. if harmless => failed(&code, text, true),
        500.. => WorkResult::Unknown(problem(&code, text)),
        _ => failed(&code, text, false),
    }
}

/// An error with its causes, without the address: it may carry a secret.
fn causes(error: &reqwest::Error) -> String {
    let mut text = match (error.is_timeout(), error.is_connect()) {
        (true, _) => "no answer in time".to_owned(),
        (_, true) => "no connection".to_owned(),
        _ => "the connection broke".to_owned(),
    };
    let mut cause = error.source();
    while let Some(one) = cause {
        text = format!("{text}: {one}");
        cause = one.source();
    }
    text
}

#[cfg(test)]
mod tests;
