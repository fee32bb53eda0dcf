//! `Idempotency-Key`: the same key and body have one effect, the same key with
//! another body is refused. What a key led to is kept by the engine, in the
//! batch of the effect itself; this module only names the request.

use axum::http::HeaderMap;
use ringback_core::engine::Idempotency;
use ringback_core::model::{Batch, Binding, Precondition, StoredBinding, keys, record};
use ringback_store::Outcome;
use serde_json::{Map, Value};

use super::{Caller, Error};
use crate::runtime::{Host, clock};

/// The longest key a client may choose.
const LONGEST: usize = 255;

/// The request's own name, when its client gave it one. `route` is the same for
/// every address a request can be sent to.
///
/// # Errors
/// 400, when the header is empty, too long, or not plain text.
pub(crate) fn of(
    headers: &HeaderMap,
    caller: &Caller,
    route: &str,
    body: &Map<String, Value>,
) -> Result<Option<Idempotency>, Error> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = value.to_str().unwrap_or_default().trim();
    if key.is_empty() || key.len() > LONGEST {
        let text = format!("Idempotency-Key must be 1 to {LONGEST} plain characters");
        return Err(Error::field(
            "Idempotency-Key",
            "invalid_idempotency_key",
            text,
        ));
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(route.as_bytes());
    hasher.update(b"\n");
    hasher.update(canonical(body).to_string().as_bytes());
    Ok(Some(Idempotency {
        source: format!("{} {route}", caller.id),
        key: key.to_owned(),
        digest: hasher.finalize().to_hex().to_string(),
    }))
}

/// The same object with its keys in order, however the client wrote them.
fn canonical(body: &Map<String, Value>) -> Value {
    let mut pairs: Vec<(&String, &Value)> = body.iter().collect();
    pairs.sort_by_key(|(key, _)| *key);
    let pairs = pairs
        .into_iter()
        .map(|(key, value)| (key.clone(), in_order(value)));
    Value::Object(pairs.collect())
}

fn in_order(value: &Value) -> Value {
    match value {
        Value::Object(map) => canonical(map),
        Value::Array(list) => list.iter().map(in_order).collect(),
        other => other.clone(),
    }
}

/// For inputs that the engine knows by a foreign id and not by a request: binds
/// the key to this body, and gives the foreign id that goes with it. Bound
/// before the effect: after a crash between the two, the same request goes on.
///
/// # Errors
/// 409, when the key was bound to another body.
pub(crate) async fn bind(host: &Host, idempotency: &Idempotency) -> Result<String, Error> {
    let at = keys::taken(&idempotency.source, &idempotency.key);
    let mut batch = Batch {
        preconditions: vec![Precondition::Absent(at.clone())],
        ..Batch::default()
    };
    let binding = Binding {
        digest: idempotency.digest.clone(),
        at: clock::now(),
    };
    batch
        .writes
        .insert(at.clone(), Some(record::encode(&binding)?));
    if let Outcome::Conflict(_) = host.store().commit(batch).await? {
        let bound: Option<StoredBinding> = host.read(&at).await?;
        if bound.is_none_or(|bound| bound.digest() != idempotency.digest) {
            return Err(Error::reused_key());
        }
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(idempotency.source.as_bytes());
    hasher.update(b"\n");
    hasher.update(idempotency.key.as_bytes());
    Ok(format!("api-{}", hasher.finalize().to_hex()))
}
