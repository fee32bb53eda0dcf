//! JSON Web Tokens with a shared secret (RFC 7519, RFC 7515, HS256).
//!
//! Only HS256: it is what providers sign webhooks with. The algorithm is the
//! caller's and never the token's, so that a token cannot choose a weaker one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Hmac;
use serde_json::Value;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::bindings::generated::ringback::plugin::keys::Error;
use crate::keys::tag;

/// Seconds that two clocks may differ.
const LEEWAY: f64 = 60.0;

/// A token over `claims`, a JSON object.
pub(crate) fn sign(secret: &str, algorithm: &str, claims: &str) -> Result<String, Error> {
    known(algorithm)?;
    match serde_json::from_str::<Value>(claims) {
        Ok(Value::Object(_)) => {}
        _ => return Err(Error::Unfit("the claims are not a JSON object".to_owned())),
    }
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let tag = URL_SAFE_NO_PAD.encode(tag::<Hmac<Sha256>>(secret.as_bytes(), signed.as_bytes())?);
    Ok(format!("{signed}.{tag}"))
}

/// The claims of a token whose signature is right and whose times (`exp`,
/// `nbf`, in seconds since 1970) hold at `now`; `None` for any other token.
pub(crate) fn verify(
    secret: &str,
    algorithm: &str,
    token: &str,
    now: Option<u32>,
) -> Result<Option<String>, Error> {
    known(algorithm)?;
    let now = now.ok_or_else(|| {
        Error::Unfit("tokens can be checked only while a webhook is verified".to_owned())
    })?;
    Ok(claims(secret, token, f64::from(now)))
}

fn claims(secret: &str, token: &str, now: f64) -> Option<String> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let given = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let wanted = tag::<Hmac<Sha256>>(secret.as_bytes(), signed.as_bytes()).ok()?;
    if !bool::from(wanted.ct_eq(&given)) {
        return None;
    }
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    if header.get("alg").and_then(Value::as_str) != Some("HS256") {
        return None;
    }
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let claims: Value = serde_json::from_str(&text).ok()?;
    let time = |name: &str| match claims.get(name) {
        None => Some(None),
        Some(value) => value.as_f64().map(Some),
    };
    let expired = time("exp")?.is_some_and(|at| at + LEEWAY < now);
    let early = time("nbf")?.is_some_and(|at| at - LEEWAY > now);
    (!expired && !early).then_some(text)
}

fn known(algorithm: &str) -> Result<(), Error> {
    if algorithm == "HS256" {
        return Ok(());
    }
    Err(Error::Unfit(format!(
        "tokens with {algorithm} are not supported, only with HS256"
    )))
}

#[cfg(test)]
mod tests;
