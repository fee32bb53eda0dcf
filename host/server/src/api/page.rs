//! Pages of lists: how many, from where, and how a table is read without
//! reading all of it. A cursor is the id of the last thing that was looked at.

use axum::Json;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use ringback_core::model::{Key, PhoneNumber, Versioned, record};
use ringback_store::{Direction, Store};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Error;
use super::fields::{nearest, phone};

/// The page size when none is asked for.
const USUAL: usize = 50;
/// The largest page.
const MOST: usize = 500;
/// The most records that one request looks at to fill its page.
const EXAMINED: usize = 2_000;
/// How many records are read from the store at a time: writers wait meanwhile.
const CHUNK: usize = 250;

/// The query of a request, as plain pairs. A name that is given twice counts as
/// its last value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map(|Query(pairs)| Self(pairs))
            .map_err(|_| Error::invalid("invalid_query", "the query of the address cannot be read"))
    }
}

impl Params {
    /// A parameter; an empty one counts as left out.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Says which parameters there are; `limit` and `cursor` go without saying.
    ///
    /// # Errors
    /// 400, when there is another one: a filter that is left out because its name is
    /// misspelt would list everything.
    pub(crate) fn only(&self, names: &[&'static str]) -> Result<(), Error> {
        let known = || names.iter().copied().chain(["limit", "cursor"]);
        self.only_of(&known().collect::<Vec<_>>())
    }

    /// The same, where there is no page to turn.
    ///
    /// # Errors
    /// See [`Params::only`].
    pub(crate) fn only_of(&self, names: &[&'static str]) -> Result<(), Error> {
        let mut given = self.0.iter().map(|(name, _)| name.as_str());
        let Some(name) = given.find(|name| !names.contains(name)) else {
            return Ok(());
        };
        let text = match nearest(name, names.iter().copied()) {
            Some(near) => format!("there is no parameter `{name}`; did you mean `{near}`?"),
            None => format!("there is no parameter `{name}` in this request"),
        };
        Err(Error::field(name, "unknown_parameter", text))
    }

    /// A phone number. In a query `+` stands for a space: who forgot to write it as
    /// `%2B` is understood all the same.
    ///
    /// # Errors
    /// 400, when it is none.
    pub(crate) fn phone(&self, name: &str) -> Result<Option<PhoneNumber>, Error> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let meant = match text.strip_prefix(' ') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => format!("+{rest}"),
            _ => text.to_owned(),
        };
        phone(name, &meant).map(Some)
    }

    /// How many are wanted.
    ///
    /// # Errors
    /// 400, when `limit` is not a number from 1 to 500.
    pub(crate) fn limit(&self) -> Result<usize, Error> {
        let Some(text) = self.get("limit") else {
            return Ok(USUAL);
        };
        match text.parse::<usize>() {
            Ok(limit) if (1..=MOST).contains(&limit) => Ok(limit),
            _ => {
                let text = format!("`limit` must be a number from 1 to {MOST}");
                Err(Error::field("limit", "invalid_limit", text))
            }
        }
    }

    /// Where the page before ended.
    ///
    /// # Errors
    /// 400, when `cursor` is none that we gave.
    pub(crate) fn cursor<T>(&self, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Error> {
        let Some(text) = self.get("cursor") else {
            return Ok(None);
        };
        let wrong = || {
            Error::field(
                "cursor",
                "invalid_cursor",
                "`cursor` must be a `next_cursor` of this list",
            )
        };
        parse(text).map(Some).ok_or_else(wrong)
    }
}

/// The answer of a list.
pub(crate) fn answer(data: Vec<Value>, next_cursor: Option<String>) -> Json<Value> {
    Json(json!({ "data": data, "next_cursor": next_cursor }))
}

/// The key just after this one.
pub(crate) fn after(key: &Key) -> Key {
    Key::new([key.as_bytes(), &[0]].concat())
}

/// What stands after the last slash of a key, as text.
pub(crate) fn last_part(key: &Key) -> String {
    let bytes = key
        .as_bytes()
        .rsplit(|byte| *byte == b'/')
        .next()
        .unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

/// Records from the high end of `from..to` down, those that `wants` says; stops
/// at `limit` of them, or after so many others that the request would be slow.
/// The second value is the key that was looked at last, none at the low end.
///
/// # Errors
/// When the store cannot be read, or a record cannot be used.
pub(crate) async fn newest<T: DeserializeOwned>(
    store: &dyn Store,
    from: &Key,
    to: &Key,
    limit: usize,
    wants: impl Fn(&T) -> bool,
) -> Result<(Vec<T>, Option<Key>), Error> {
    let mut found = Vec::new();
    let mut end = to.clone();
    let mut examined = 0;
    loop {
        let chunk = CHUNK.min(limit.saturating_add(1));
        let page = store.scan(from, &end, chunk, Direction::Backward).await?;
        let full = page.len() == chunk;
        for (key, Versioned { value, .. }) in page {
            if found.len() >= limit || examined >= EXAMINED {
                return Ok((found, Some(end)));
            }
            examined += 1;
            let record: T = record::decode(&value)?;
            if wants(&record) {
                found.push(record);
            }
            end = key;
        }
        if !full {
            return Ok((found, None));
        }
    }
}

/// Records by their keys; keys without one are left out.
///
/// # Errors
/// When the store cannot be read, or a record cannot be used.
pub(crate) async fn many<T: DeserializeOwned>(
    store: &dyn Store,
    keys: &[Key],
) -> Result<Vec<T>, Error> {
    let found = store.get_many(keys).await?;
    let records = found
        .into_iter()
        .flatten()
        .map(|one| record::decode(&one.value));
    Ok(records.collect::<Result<_, _>>()?)
}
