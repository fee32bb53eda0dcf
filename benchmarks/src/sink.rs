//! The provider that texts go to: answers at once, and writes down when a text
//! to which number came. It keeps no texts.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::board::Board;
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
    texts: AtomicU64,
}

impl Sink {
    /// Serves on a port of its own on loopback.
    pub(crate) async fn start(board: Arc<Board>) -> anyhow::Result<Self> {
        let (listener, address) = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let task = tokio::spawn(async move {
            // Accepting never fails for good.
            let _ = serve(listener, board).await;
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
pub(crate) async fn serve(listener: TcpListener, board: Arc<Board>) -> std::io::Result<()> {
    let shared = Arc::new(Shared {
        board,
        texts: AtomicU64::new(0),
    });
    let app = Router::new().fallback(take).with_state(shared);
    // Nagle's algorithm would hold small answers back.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, app).await
}

async fn take(State(shared): State<Arc<Shared>>, method: Method, body: Bytes) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    if method != Method::POST {
        // Somebody looks up a text whose fate is unknown to it.
        return (json, r#"{"messages":[],"next_page_uri":null}"#).into_response();
    }
    let to = form_urlencoded::parse(&body).find(|(name, _)| name == "To");
    shared
        .board
        .arrived(to.and_then(|(_, number)| twilio::caller(&number)));
    let text = shared.texts.fetch_add(1, Ordering::Relaxed);
    let answer = format!(r#"{{"sid":"SM{text:032x}","status":"queued","num_segments":"1"}}"#);
    (StatusCode::CREATED, json, answer).into_response()
}
