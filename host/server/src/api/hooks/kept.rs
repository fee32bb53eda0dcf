//! Webhooks that were genuine and could not be read: reading one again, with the
//! plugin and the configuration of today.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ringback_core::engine::Input;
use ringback_core::model::{Batch, EventId, Precondition, RawWebhook, keys, record};
use ringback_sandbox::VerifyError;
use ringback_sandbox::contract::webhook::Request;

use super::super::Error;
use super::{Hook, Trouble, Work};
use crate::runtime::Host;

/// What came of reading a webhook again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// It was read and taken, and is kept no longer.
    Taken,
    /// There is none of this id: it was read before, or dropped.
    Gone,
    /// It still cannot be read.
    Still(String),
}

/// Reads a kept webhook again and takes what it says. Whatever it had an effect
/// on has that once: a text, call or report is known by its provider's id.
pub(crate) async fn read_again(host: &Arc<Host>, id: &EventId) -> Result<Again, Error> {
    let key = keys::raw_webhook(id);
    let Some(stored) = host.store().get(&key).await? else {
        return Ok(Again::Gone);
    };
    let raw: RawWebhook = record::decode(&stored.value)?;
    let problem = match take(host, &raw).await {
        Ok(()) => None,
        Err(Failed::Still(problem)) => Some(problem),
        Err(Failed::Host(problem)) => return Err(problem.into()),
    };
    let value = match &problem {
        None => None,
        Some(problem) if *problem == raw.problem => return Ok(Again::Still(problem.clone())),
        Some(problem) => Some(record::encode(&RawWebhook {
            problem: problem.clone(),
            ..raw
        })?),
    };
    let mut batch = Batch::default();
    batch
        .preconditions
        .push(Precondition::At(key.clone(), stored.revision));
    batch.writes.insert(key, value);
    // A conflict says that somebody else did the same at the same time.
    drop(host.store().commit(batch).await?);
    Ok(problem.map_or(Again::Taken, Again::Still))
}

enum Failed {
    Still(String),
    Host(crate::runtime::Error),
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self::Still(match trouble {
            Trouble::Host(problem) => return Self::Host(problem),
            Trouble::Ignore => String::new(),
            Trouble::Unreadable(problem) => problem,
            Trouble::Odd(sender) => format!("{sender:?} is not a number that can be answered"),
            Trouble::Plugin(error) => error.to_string(),
        })
    }
}

fn still<T>(problem: impl Into<String>) -> Result<T, Failed> {
    Err(Failed::Still(problem.into()))
}

async fn take(host: &Arc<Host>, raw: &RawWebhook) -> Result<(), Failed> {
    let connectors = host.connectors();
    let Some(connector) = connectors.get(&raw.connection) else {
        return still(format!("there is no connection {:?}", raw.connection));
    };
    let Some(hook) = Hook::parse(&raw.hook) else {
        return still(format!("there is no webhook {:?}", raw.hook));
    };
    let Ok(body) = BASE64_STANDARD.decode(&raw.body) else {
        return still("its stored body is damaged");
    };
    let request = Request {
        method: if body.is_empty() { "GET" } else { "POST" }.to_owned(),
        url: raw.url.clone(),
        headers: raw.headers.clone(),
        body,
        received_at: u32::try_from(raw.at.as_second()).unwrap_or(u32::MAX),
    };
    let context = connector.context(format!("kept webhook {}", hook.word()));
    let kept = connector.plugin.kept(&context, request.clone(), raw);
    let verified = match kept {
        Some(verified) => verified,
        None => match connector.plugin.verify(&context, request).await {
            Ok(verified) => verified,
            Err(VerifyError::Refused) => return still("its signature does not fit any more"),
            Err(VerifyError::Unchecked(problem)) => return still(problem),
        },
    };
    let work = Work {
        host,
        connector,
        connection: &raw.connection,
        verified: &verified,
    };
    let taken = match hook {
        Hook::Text => work.text().await.map(drop),
        Hook::Status => work.status().await.map(drop),
        Hook::Call => work.call().await.map(drop),
        // Whoever called hung up long ago: the call counts, nothing answers it.
        Hook::Voice => match work.read_call().await {
            Ok((report, _)) => {
                let taken = host.take(&Input::Call(report)).await;
                taken.map(drop).map_err(Trouble::Host)
            }
            Err(trouble) => Err(trouble),
        },
    };
    match taken {
        Ok(()) | Err(Trouble::Ignore) => Ok(()),
        Err(trouble) => Err(trouble.into()),
    }
}
