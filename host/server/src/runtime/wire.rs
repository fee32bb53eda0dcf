//! The host's HTTP client for connectors: performs a request that a component
//! described, fills in credentials, and judges what is known of its effect.
//!
//! The judgement is the host's, because the host saw the wire: a request that
//! certainly never left may be made again, one that may have arrived may not.

use std::error::Error as _;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use ringback_sandbox::Connection;
use ringback_sandbox::contract::http as contract;

use super::hosts;

/// The most of an answer's body that is read.
const BODY_LIMIT: usize = 1024 * 1024;

/// What came of a request.
#[derive(Debug)]
pub(super) enum Wire {
    /// The provider answered, whatever the status.
    Answered(contract::Response),
    /// Certainly not a byte of it arrived.
    NotSent(String),
    /// It is not allowed: nothing was sent, and nothing will be until someone
    /// changes the settings.
    Denied(String),
    /// It may have arrived.
    Broken(String),
}

/// A client with its pool of connections.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    client: Client,
}

impl Requests {
    /// # Errors
    /// When the TLS roots of the system cannot be used.
    pub(crate) fn new(timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .timeout(timeout)
            .pool_idle_timeout(Duration::from_secs(50))
            .pool_max_idle_per_host(64)
            .tcp_nodelay(true)
            .no_proxy()
            .user_agent(concat!("ringback/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client })
    }

    /// Performs a request for a connection.
    pub(super) async fn perform(
        &self,
        request: &contract::Request,
        connection: &Connection,
        rules: &hosts::Rules,
    ) -> Wire {
        let url = match rules.check(&request.url) {
            Ok(url) => url,
            Err(problem) => return Wire::Denied(problem),
        };
        let method = match request.method {
            contract::Method::Get => Method::GET,
            contract::Method::Post => Method::POST,
            contract::Method::Put => Method::PUT,
            contract::Method::Patch => Method::PATCH,
            contract::Method::Delete => Method::DELETE,
        };
        let headers = match headers(request, connection) {
            Ok(headers) => headers,
            Err(problem) => return Wire::Denied(problem),
        };
        let mut builder = self.client.request(method, url).headers(headers);
        if let contract::Credential::Basic((user, secret)) = &request.credential {
            let Some(secret) = connection.secrets.get(secret) else {
                return Wire::Denied(missing(connection, secret));
            };
            builder = builder.basic_auth(user, Some(secret.expose()));
        }
        builder = match &request.body {
            contract::Body::Empty => builder,
            contract::Body::Form(fields) => builder
                .header("content-type", "application/x-www-form-urlencoded")
                .body(
                    form_urlencoded::Serializer::new(String::new())
                        .extend_pairs(fields)
                        .finish(),
                ),
            contract::Body::Json(text) => builder
                .header("content-type", "application/json")
                .body(text.clone()),
        };
        match builder.send().await {
            Ok(response) => read(response).await,
            Err(error) if error.is_connect() || error.is_builder() => {
                Wire::NotSent(describe(&error))
            }
            Err(error) => Wire::Broken(describe(&error)),
        }
    }
}

/// The request's own headers, and a credential that is one.
fn headers(request: &contract::Request, connection: &Connection) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &str, secret: bool| {
        let parsed = HeaderName::try_from(name)
            .ok()
            .zip(HeaderValue::try_from(value).ok());
        let Some((name, mut value)) = parsed else {
            return Err(format!("the header {name:?} cannot be sent as it is"));
        };
        value.set_sensitive(secret);
        headers.append(name, value);
        Ok(())
    };
    for (name, value) in &request.headers {
        add(name, value, false)?;
    }
    let secret = |name: &String| {
        connection
            .secrets
            .get(name)
            .ok_or_else(|| missing(connection, name))
    };
    match &request.credential {
        contract::Credential::None | contract::Credential::Basic(_) => {}
        contract::Credential::Bearer(name) => {
            add(
                "authorization",
                &format!("Bearer {}", secret(name)?.expose()),
                true,
            )?;
        }
        contract::Credential::Header((header, name)) => {
            add(header, secret(name)?.expose(), true)?;
        }
    }
    Ok(headers)
}

fn missing(connection: &Connection, secret: &str) -> String {
    format!(
        "the connection {} has no secret setting {secret:?}",
        connection.name
    )
}

/// Reads an answer. A body that breaks off leaves the effect unknown.
async fn read(mut response: reqwest::Response) -> Wire {
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > BODY_LIMIT => {
                return Wire::Broken("the answer is larger than 1 MiB".to_owned());
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => {
                return Wire::Answered(contract::Response {
                    status,
                    headers,
                    body,
                });
            }
            Err(error) => return Wire::Broken(describe(&error)),
        }
    }
}

/// Seconds to wait, as the answer's `Retry-After` has them: a number, or a date
/// in any of the three forms of RFC 9110, 5.6.7. What is past means one second.
pub(super) fn retry_after(response: &contract::Response, now: Timestamp) -> Option<u32> {
    let found = response
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(RETRY_AFTER.as_str()));
    let value = found?.1.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.parse().unwrap_or(u32::MAX));
    }
    let date = Timestamp::try_from(httpdate::parse_http_date(value).ok()?).ok()?;
    let seconds = date.duration_since(now).as_millis().div_euclid(1_000) + 1;
    Some(u32::try_from(seconds.max(1)).unwrap_or(u32::MAX))
}

/// An error with its causes, without the address (it may carry ids).
fn describe(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() {
        "no answer in time".to_owned()
    } else if error.is_connect() {
        "no connection".to_owned()
    } else {
        "the connection broke".to_owned()
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
