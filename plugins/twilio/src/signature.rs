//! `X-Twilio-Signature` (twilio.com/docs/usage/security; twilio-python,
//! request_validator.py): base64 of HMAC-SHA1 over the address, followed by the
//! name and value of every form parameter, names sorted, without separators.

use ringback_guest::form::Form;
use ringback_guest::host::{self, Algorithm, KeyForm};
use ringback_guest::message::header;
use ringback_guest::signature::{base64, hex, same};
use ringback_guest::webhook::Request;
use sha2::{Digest, Sha256};

use crate::{AUTH_TOKEN, params};

pub(crate) fn verify(request: &Request) -> Result<bool, String> {
    let Some(given) = header(&request.headers, "x-twilio-signature") else {
        return Ok(false);
    };
    let form = match params::form(request) {
        Some(form) => form,
        None if body_is_covered(request) => Form::default(),
        None => return Ok(false),
    };
    let tail = sorted(&form);
    // Twilio signs the address with or without its port, depending on the
    // product; either is right. Both are computed always.
    let mut genuine = false;
    for url in [without_port(&request.url), with_port(&request.url)] {
        let data = format!("{url}{tail}");
        let tag = host::hmac(
            AUTH_TOKEN,
            KeyForm::Plain,
            Algorithm::HmacSha1,
            data.as_bytes(),
        )?;
        genuine |= same(base64(&tag).as_bytes(), given.as_bytes());
    }
    Ok(genuine)
}

/// A body that is no form is covered by a hash of it in the signed address; an
/// empty one needs none.
fn body_is_covered(request: &Request) -> bool {
    match Form::query(&request.url).get("bodySHA256") {
        Some(wanted) => same(
            hex(&Sha256::digest(&request.body)).as_bytes(),
            wanted.to_ascii_lowercase().as_bytes(),
        ),
        None => request.body.is_empty(),
    }
}

/// Every different pair once, by name and then by value.
fn sorted(form: &Form) -> String {
    let mut pairs: Vec<_> = form.0.iter().collect();
    pairs.sort();
    pairs.dedup();
    pairs
        .iter()
        .map(|(name, value)| format!("{name}{value}"))
        .collect()
}

/// The address in three parts: up to the host, the port with its colon, and the
/// rest.
fn split(url: &str) -> (&str, &str, &str) {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url
        .get(host..)
        .and_then(|rest| rest.find(['/', '?', '#']))
        .map_or(url.len(), |at| host + at);
    let (before, rest) = url.split_at(end);
    let colon = before
        .rfind(':')
        .filter(|at| *at >= host && before.get(at + 1..).is_some_and(all_digits))
        .unwrap_or(end);
    let (before, port) = before.split_at(colon);
    (before, port, rest)
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn without_port(url: &str) -> String {
    let (before, _, rest) = split(url);
    format!("{before}{rest}")
}

fn with_port(url: &str) -> String {
    let (before, port, rest) = split(url);
    let port = match port {
        "" if url.starts_with("https://") => ":443",
        "" => ":80",
        port => port,
    };
    format!("{before}{port}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_the_port() {
        let check = |url: &str, with: &str, without: &str| {
            assert_eq!(
                (with_port(url).as_str(), without_port(url).as_str()),
                (with, without)
            );
        };
        check(
            "https://a.b/c?d=1:2",
            "https://a.b:443/c?d=1:2",
            "https://a.b/c?d=1:2",
        );
        check("http://a.b", "http://a.b:80", "http://a.b");
        check("https://a.b:8443/c", "https://a.b:8443/c", "https://a.b/c");
        check("https://[::1]/c", "https://[::1]:443/c", "https://[::1]/c");
        check(
            "https://[::1]:8443?x",
            "https://[::1]:8443?x",
            "https://[::1]?x",
        );
    }

    #[test]
    fn signs_each_pair_once_in_order() {
        let form = Form::read(b"b=2&a=2&a=1&a=2&b=");
        assert_eq!(sorted(&form), "a1a2bb2");
    }
}
