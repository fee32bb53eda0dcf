//! Following what happens, as server-sent events. The store is what is streamed;
//! the live feed only says when to look, so that a slow client misses nothing
//! and one that comes back goes on where it was.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::{Stream, stream};
use ringback_core::model::{Entry, EventId};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tracing::error;

use super::super::page::Params;
use super::super::{ApiState, Error, Reader};
use super::feed;

/// How many entries are read at a time.
const PAGE: usize = 100;
/// How often the stream looks whether the host stops.
const NAP: Duration = Duration::from_secs(1);

/// `GET /api/v1/events/stream`. Goes on after `Last-Event-ID` (or `after`), else
/// begins with what happens from now on.
pub(super) async fn stream(
    State(state): State<ApiState>,
    _: Reader,
    headers: HeaderMap,
    params: Params,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Error> {
    params.only_of(&["after"])?;
    let last = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok());
    let last = last.map(str::trim).filter(|text| !text.is_empty());
    // Followed from before the first look, so that nothing falls in between.
    let feed = state.host.follow();
    let cursor = feed::start(&state, last.or(params.get("after")).or(Some("latest"))).await?;
    let following = Following {
        state,
        feed,
        cursor,
        ready: VecDeque::new(),
        look: true,
    };
    let events = stream::unfold(following, |mut following| async {
        let entry = following.next().await?;
        Some((Ok(event(&entry)), following))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

fn event(entry: &Entry) -> Event {
    // One line: JSON escapes what would break it, and ids and types are words.
    Event::default()
        .event(&entry.kind)
        .id(entry.id.as_str())
        .data(feed::shown(entry).to_string())
}

/// One client's stream.
struct Following {
    state: ApiState,
    feed: broadcast::Receiver<Entry>,
    cursor: Option<EventId>,
    ready: VecDeque<Entry>,
    look: bool,
}

impl Following {
    /// The next entry; none when the host stops or the store cannot be read,
    /// which ends the stream: the client comes back with its last id.
    async fn next(&mut self) -> Option<Entry> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                self.cursor = Some(entry.id.clone());
                return Some(entry);
            }
            if self.state.host.is_stopping() {
                return None;
            }
            if self.look {
                let page = feed::after(self.state.host.store(), self.cursor.as_ref(), PAGE).await;
                match page {
                    Ok(page) => {
                        self.look = page.len() == PAGE;
                        self.ready.extend(page);
                    }
                    Err(problem) => {
                        error!("a stream of events ends: {problem}");
                        return None;
                    }
                }
                continue;
            }
            match tokio::time::timeout(NAP, self.feed.recv()).await {
                Ok(Ok(_) | Err(RecvError::Lagged(_))) => {
                    // One look answers for everything that came meanwhile.
                    while matches!(
                        self.feed.try_recv(),
                        Ok(_) | Err(broadcast::error::TryRecvError::Lagged(_))
                    ) {}
                    self.look = true;
                }
                Ok(Err(RecvError::Closed)) => return None,
                Err(_) => {}
            }
        }
    }
}
