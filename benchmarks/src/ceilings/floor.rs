//! The floor of J1: what no durable program can leave out. A webhook comes in, a
//! record of it is on the disk before the answer, one request goes out over a
//! pooled connection, a record of its outcome is on the disk. No signature, no
//! rules, no state. Without an address to send to it is the ceiling of J6.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use anyhow::Context as _;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use reqwest::Client;
use tokio::sync::oneshot;

use super::bare::Incoming;
use super::client;
use super::disk::RECORD;
use crate::host::TEXT;
use crate::twilio::{CALL_PATH, NUMBER};

/// At most so many bytes are written at once.
const BATCH: usize = 1024 * 1024;

/// A record, and whom to tell that it is on the disk.
type Write = (Vec<u8>, oneshot::Sender<()>);

#[derive(Clone)]
struct Floor {
    writer: mpsc::Sender<Write>,
    client: Client,
    forward: Option<String>,
}

/// Its routes. Records go to `file`; texts go to `forward`.
pub(crate) fn routes(file: &Path, forward: Option<String>) -> anyhow::Result<Router> {
    let file = File::create(file).context("could not create the file of records")?;
    let (writer, work) = mpsc::channel();
    thread::spawn(move || write(file, &work));
    let floor = Floor {
        writer,
        client: client::build()?,
        forward,
    };
    let app = Router::new()
        .route("/readyz", get(|| async { "ready" }))
        .route("/json", post(json))
        .route(CALL_PATH, post(call));
    Ok(app.with_state(floor))
}

/// Writes what has come, one `fdatasync` for all of it, and tells who waits.
fn write(mut file: File, work: &mpsc::Receiver<Write>) {
    let (mut bytes, mut waiting) = (Vec::with_capacity(BATCH), Vec::new());
    while let Ok((record, told)) = work.recv() {
        bytes.extend_from_slice(&record);
        waiting.push(told);
        while bytes.len() < BATCH
            && let Ok((record, told)) = work.try_recv()
        {
            bytes.extend_from_slice(&record);
            waiting.push(told);
        }
        if file
            .write_all(&bytes)
            .and_then(|()| file.sync_data())
            .is_err()
        {
            // Whoever waits hears that nobody will tell it.
            return;
        }
        bytes.clear();
        for told in waiting.drain(..) {
            // It may have gone away.
            let _ = told.send(());
        }
    }
}

impl Floor {
    async fn keep(&self, kind: &str, what: &[u8]) -> Result<(), StatusCode> {
        let mut record = Vec::with_capacity(RECORD);
        record.extend_from_slice(kind.as_bytes());
        record.extend_from_slice(what);
        record.resize(RECORD, b' ');
        let (tell, told) = oneshot::channel();
        let gone = StatusCode::SERVICE_UNAVAILABLE;
        self.writer.send((record, tell)).map_err(|_| gone)?;
        told.await.map_err(|_| gone)
    }
}

async fn json(
    State(floor): State<Floor>,
    Json(incoming): Json<Incoming>,
) -> Result<StatusCode, StatusCode> {
    let what = format!("{} {} {}", incoming.id, incoming.to, incoming.text);
    floor.keep("message ", what.as_bytes()).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn call(State(floor): State<Floor>, body: Bytes) -> Result<StatusCode, StatusCode> {
    let from = form_urlencoded::parse(&body).find(|(name, _)| name == "From");
    let from = from.ok_or(StatusCode::BAD_REQUEST)?.1.into_owned();
    floor.keep("accepted ", &body).await?;
    tokio::spawn(async move {
        let Some(url) = &floor.forward else { return };
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("To", from.as_str()), ("From", NUMBER), ("Body", TEXT)])
            .finish();
        let request = floor
            .client
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        if client::send(request).await.is_ok() {
            // Nobody waits for this; it is part of the work all the same.
            let _ = floor.keep("done ", from.as_bytes()).await;
        }
    });
    Ok(StatusCode::ACCEPTED)
}
