//! Waiting for the provider: the dialects whose clients read the provider's id
//! from the answer get it, when it comes in time.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use ringback_core::model::{
    Attention, Call, CallId, CallStatus, Entry, Message, MessageId, Status, keys,
};
use tokio::sync::broadcast;

use super::Error;
use crate::runtime::Host;

/// A follower of the feed, made before the effect that it waits for.
pub(crate) struct Follower {
    host: Arc<Host>,
    feed: broadcast::Receiver<Entry>,
    deadline: tokio::time::Instant,
}

impl Follower {
    /// Follows from now on, for at most this long.
    pub(crate) fn new(host: &Arc<Host>, patience: Duration) -> Self {
        Self {
            host: Arc::clone(host),
            feed: host.follow(),
            deadline: tokio::time::Instant::now() + patience,
        }
    }

    /// Waits for an entry that may be of interest. False when the time is over.
    pub(crate) async fn next(&mut self, wanted: impl Fn(&Entry) -> bool) -> bool {
        loop {
            match tokio::time::timeout_at(self.deadline, self.feed.recv()).await {
                Ok(Ok(entry)) if !wanted(&entry) => {}
                // Having missed some, the wanted one may be among them.
                Ok(Ok(_) | Err(broadcast::error::RecvError::Lagged(_))) => return true,
                Ok(Err(broadcast::error::RecvError::Closed)) | Err(_) => return false,
            }
        }
    }

    /// The text once its provider has it or never will, or as it stands when
    /// the time is over.
    pub(crate) async fn message(mut self, id: &MessageId) -> Result<Message, Error> {
        let key = keys::message(id);
        loop {
            let message: Option<Message> = self.host.read(&key).await?;
            let message =
                message.ok_or_else(|| Error::not_found(format!("there is no text {id}")))?;
            let open = matches!(
                message.status,
                Status::Queued | Status::Sending | Status::Unknown
            );
            // Held until somebody mends the settings: that is nothing to wait for.
            let open = open && message.attention() != Some(Attention::Held);
            if !open || !self.next(|entry| entry.message.as_ref() == Some(id)).await {
                return Ok(message);
            }
        }
    }

    /// The call once its provider has it or never will, or as it stands when
    /// the time is over.
    pub(crate) async fn call(mut self, id: &CallId) -> Result<Call, Error> {
        let key = keys::call(id);
        loop {
            let call: Option<Call> = self.host.read(&key).await?;
            let call = call.ok_or_else(|| Error::not_found(format!("there is no call {id}")))?;
            let open = call.status == CallStatus::Initiated && call.provider_id.is_none();
            let ours = |entry: &Entry| {
                entry.kind.starts_with("call.")
                    && entry.data.get("id").and_then(|value| value.as_str()) == Some(id.as_str())
            };
            if !open || !self.next(ours).await {
                return Ok(call);
            }
        }
    }
}

/// What a client is told of a text that it asked for: 200 when the provider has
/// it or is being asked, 202 when the gate deferred it, or it is held or waits for
/// its number's turn. (R32)
///
/// # Errors
/// 409 when the gate refused it, 422 when the provider did.
pub(crate) fn outcome(message: &Message) -> Result<StatusCode, Error> {
    let reason = message.reason.as_deref();
    let sentence = |otherwise: &str| {
        let problem = message.problem.as_ref();
        problem.map_or_else(|| otherwise.to_owned(), |problem| problem.text.clone())
    };
    match message.status {
        Status::Scheduled => Ok(StatusCode::ACCEPTED),
        Status::Queued if message.attention().is_some() => Ok(StatusCode::ACCEPTED),
        Status::Skipped | Status::Expired | Status::Canceled => {
            let code = reason.unwrap_or_else(|| message.status.word());
            let text = sentence(match code {
                "opted_out" => "the contact has opted out",
                _ => "the text was called off before it was sent",
            });
            Err(Error::conflict(code, text).about(&message.id))
        }
        Status::Failed => {
            let text = format!("the provider refused it: {}", sentence("it gave no reason"));
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Err(Error::new(status, "provider_refused", text).about(&message.id))
        }
        _ => Ok(StatusCode::OK),
    }
}
