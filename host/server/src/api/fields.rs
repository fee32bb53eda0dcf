//! Reading a JSON request: the content type, the size, the object, and its
//! fields one by one, so that every error names the field that is at fault.

use std::cell::RefCell;
use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use ringback_core::model::PhoneNumber;
use ringback_core::sms;
use ringback_core::workflow::what;
use serde_json::{Map, Value, json};

use super::Error;

/// The most bytes of a request.
pub(crate) const BODY_LIMIT: usize = 1024 * 1024;

/// A request whose body is a JSON object.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    values: Map<String, Value>,
    /// What was asked for, so that the rest can be named.
    known: RefCell<BTreeSet<&'static str>>,
}

/// As [`Fields`], for requests that may come without a body.
#[derive(Debug, Default)]
pub(crate) struct MaybeFields(pub(crate) Fields);

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        check_type(request.headers())?;
        let bytes = read(request, state).await?;
        Self::parse(&bytes)
    }
}

impl<S: Send + Sync> FromRequest<S> for MaybeFields {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let headers = request.headers().clone();
        let bytes = read(request, state).await?;
        if bytes.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        check_type(&headers)?;
        Fields::parse(&bytes).map(Self)
    }
}

fn check_type(headers: &HeaderMap) -> Result<(), Error> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = given
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    if kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json")) {
        return Ok(());
    }
    let text = match given {
        Some(_) => "the body must be JSON, with the header Content-Type: application/json",
        None => "the header Content-Type: application/json is missing",
    };
    Err(Error::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "content_type",
        text,
    ))
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Error> {
    Bytes::from_request(request, state)
        .await
        .map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Error::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "too_large",
                    "the body has more than 1 MiB",
                )
            } else {
                Error::invalid("invalid_body", "the body could not be read to its end")
            }
        })
}

impl Fields {
    fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let value: Value = serde_json::from_slice(bytes).map_err(|problem| {
            let text = match problem.classify() {
                serde_json::error::Category::Eof if bytes.trim_ascii().is_empty() => {
                    "the body is empty; send a JSON object".to_owned()
                }
                _ => format!("the body is not JSON: {problem}"),
            };
            Error::invalid("invalid_json", text)
        })?;
        match value {
            Value::Object(values) => Ok(Self::new(values)),
            other => {
                let text = format!("the body must be a JSON object, and it is {}", what(&other));
                Err(Error::invalid("invalid_json", text))
            }
        }
    }

    /// Fields of an object.
    pub(crate) fn new(values: Map<String, Value>) -> Self {
        Self {
            values,
            known: RefCell::default(),
        }
    }

    /// The whole object.
    pub(crate) fn object(&self) -> &Map<String, Value> {
        &self.values
    }

    /// A field's value; `null` counts as left out.
    pub(crate) fn value(&self, name: &'static str) -> Option<&Value> {
        self.known.borrow_mut().insert(name);
        self.values.get(name).filter(|value| !value.is_null())
    }

    /// Says that a field exists in this request, whether it is read or not.
    pub(crate) fn know(&self, names: &[&'static str]) {
        self.known.borrow_mut().extend(names);
    }

    /// Text.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<&str>, Error> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(name, "text", other)),
        }
    }

    /// Text that must be there and not be empty.
    pub(crate) fn required(&self, name: &'static str) -> Result<&str, Error> {
        match self.text(name)? {
            Some(text) if !text.trim().is_empty() => Ok(text),
            Some(_) => Err(Error::field(name, "required", format!("`{name}` is empty"))),
            None => Err(missing(name)),
        }
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, name: &'static str) -> Result<Option<bool>, Error> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(wrong(name, "true or false", other)),
        }
    }

    /// A whole number, not negative.
    pub(crate) fn count(&self, name: &'static str) -> Result<Option<u32>, Error> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        match value.as_u64().and_then(|number| u32::try_from(number).ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(wrong(name, "a whole number, 0 or more", value)),
        }
    }

    /// A time in RFC 3339.
    pub(crate) fn time(&self, name: &'static str) -> Result<Option<Timestamp>, Error> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            let text = format!("`{name}` must be a time like 2026-01-31T09:30:00Z");
            Error::field(name, "invalid_time", text)
        })
    }

    /// A phone number, read into E.164.
    pub(crate) fn phone(&self, name: &'static str) -> Result<Option<PhoneNumber>, Error> {
        self.text(name)?.map(|text| phone(name, text)).transpose()
    }

    /// A phone number that must be there.
    pub(crate) fn required_phone(&self, name: &'static str) -> Result<PhoneNumber, Error> {
        self.phone(name)?.ok_or_else(|| missing(name))
    }

    /// An object.
    pub(crate) fn map(&self, name: &'static str) -> Result<Option<&Map<String, Value>>, Error> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(map)),
            Some(other) => Err(wrong(name, "an object", other)),
        }
    }

    /// The first field nobody asked for is an error, with the nearest name.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        let Some(name) = self.unknown().next() else {
            return Ok(());
        };
        let text = match self.nearest(name) {
            Some(near) => format!("there is no field `{name}`; did you mean `{near}`?"),
            None => format!("there is no field `{name}` in this request"),
        };
        Err(Error::field(name, "unknown_field", text))
    }

    /// Every field nobody asked for, as warnings of the seeds' dialects.
    pub(crate) fn ignored(&self) -> Vec<Value> {
        self.unknown()
            .map(|name| {
                let text = match self.nearest(name) {
                    Some(near) => {
                        format!("`{name}` is not known and was ignored; did you mean `{near}`?")
                    }
                    None => format!("`{name}` is not known and was ignored"),
                };
                json!({ "path": name, "code": "ignored_unknown", "message": text })
            })
            .collect()
    }

    fn unknown(&self) -> impl Iterator<Item = &String> {
        self.values
            .keys()
            .filter(|name| !self.known.borrow().contains(name.as_str()))
    }

    fn nearest(&self, name: &str) -> Option<&'static str> {
        nearest(name, self.known.borrow().iter().copied())
    }
}

/// The known name that was probably meant.
pub(crate) fn nearest(
    name: &str,
    known: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let near = known.map(|one| (strsim::jaro_winkler(name, one), one));
    let near = near.filter(|(likeness, _)| *likeness > 0.8);
    near.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, one)| one)
}

/// Reads what a client wrote as a phone number.
pub(crate) fn phone(name: &str, text: &str) -> Result<PhoneNumber, Error> {
    let refuse = |text: String| Error::field(name, "invalid_number", format!("`{name}`: {text}"));
    let number = sms::phone::e164(text, None).map_err(|problem| refuse(problem.to_string()))?;
    PhoneNumber::parse(&number).ok_or_else(|| refuse(format!("{text} is not a phone number")))
}

fn missing(name: &str) -> Error {
    Error::field(name, "required", format!("`{name}` is missing"))
}

/// A value of the wrong kind.
pub(crate) fn wrong(name: &str, wanted: &str, found: &Value) -> Error {
    let text = format!("`{name}` must be {wanted}, and it is {}", what(found));
    Error::field(name, "invalid_type", text)
}
