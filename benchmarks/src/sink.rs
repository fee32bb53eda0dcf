//! The provider that texts go to: answers at once or after a while, writes down
//! when a text to which number came, and lists the texts it took.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use bytes::Bytes;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::board::Board;
use crate::book::{self, Book};
use crate::twilio;

/// A sink that serves until it is dropped.
pub(crate) struct Sink {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Shared {
    board: Arc<Board>,
    book: Book,
    texts: AtomicU64,
    pause: Duration,
}

impl Sink {
    /// Serves on a port of its own on loopback.
    pub(crate) async fn start(board: Arc<Board>) -> anyhow::Result<Self> {
        Self::slow(board, Duration::ZERO).await
    }

    /// One that takes a text at once and answers after a pause, so that there are
    /// always texts whose sender does not know yet what became of them.
    pub(crate) async fn slow(board: Arc<Board>, pause: Duration) -> anyhow::Result<Self> {
        let (listener, address) = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let task = tokio::spawn(async move {
            // Accepting never fails for good.
            let _ = serve(listener, board, pause).await;
        });
        Ok(Self { address, task })
    }
}

/// Opens a port.
pub(crate) async fn listen(address: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("could not listen on {address}"))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves the sink for ever.
pub(crate) async fn serve(
    listener: TcpListener,
    board: Arc<Board>,
    pause: Duration,
) -> std::io::Result<()> {
    let shared = Arc::new(Shared {
        board,
        book: Book::default(),
        texts: AtomicU64::new(0),
        pause,
    });
    let app = Router::new().fallback(take).with_state(shared);
    // Nagle's algorithm would hold small answers back.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, app).await
}

#[expect(
    clippy::disallowed_methods,
    reason = "a provider dates its texts, and this stands for one"
)]
fn now() -> Timestamp {
    Timestamp::now()
}

async fn take(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    if method != Method::POST {
        // Somebody looks up a text whose fate is unknown to it.
        let list = shared
            .book
            .list(uri.path(), uri.query().unwrap_or_default());
        return Json(list).into_response();
    }
    let to = form_urlencoded::parse(&body).find(|(name, _)| name == "To");
    let caller = to.and_then(|(_, number)| twilio::caller(&number));
    let text = shared.texts.fetch_add(1, Ordering::Relaxed);
    if caller.is_some() {
        shared.book.add(text, &body, now());
    }
    shared.board.arrived(caller);
    if !shared.pause.is_zero() {
        tokio::time::sleep(shared.pause).await;
    }
    let sid = book::sid(text);
    let answer = format!(r#"{{"sid":"{sid}","status":"queued","num_segments":"1"}}"#);
    let json = [(header::CONTENT_TYPE, "application/json")];
    (StatusCode::CREATED, json, answer).into_response()
}
