//! One HTTP/1.1 connection that stays open, as the generator uses it, and the
//! requests that go over it. It counts nothing.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(15);

/// One connection, opened again when it breaks.
pub(crate) struct Line {
    address: SocketAddr,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Line {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let sender = Some(connect(address).await?);
        Ok(Self { address, sender })
    }

    /// So many of them.
    pub(crate) async fn several(address: SocketAddr, count: usize) -> anyhow::Result<Vec<Self>> {
        let mut lines = Vec::new();
        for _ in 0..count {
            lines.push(Self::open(address).await?);
        }
        Ok(lines)
    }

    /// The status of the answer to a request.
    ///
    /// # Errors
    /// When there was no answer, or none in time.
    pub(crate) async fn ask(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<u16> {
        Ok(self.fetch(request).await?.0)
    }

    /// The status and the body of the answer to a request.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub(crate) async fn fetch(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> anyhow::Result<(u16, Bytes)> {
        let mut sender = match self.sender.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => connect(self.address).await?,
        };
        let answer = tokio::time::timeout(ANSWER, async {
            sender.ready().await?;
            let answer = sender.send_request(request).await?;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await?.to_bytes();
            anyhow::Ok((status, body))
        });
        let answer = answer.await.context("there was no answer in time")??;
        self.sender = Some(sender);
        Ok(answer)
    }
}

async fn connect(address: SocketAddr) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await;
    let stream = stream.with_context(|| format!("could not connect to {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// A GET request; `key` is an API key.
pub(crate) fn get(
    address: SocketAddr,
    path: &str,
    key: Option<&str>,
) -> anyhow::Result<Request<Full<Bytes>>> {
    let mut request = Request::get(path).header("host", address.to_string());
    if let Some(key) = key {
        request = request.header("x-api-key", key);
    }
    Ok(request.body(Full::default())?)
}

/// The beginning of a POST request.
pub(crate) fn post(host: &str, path: &str, kind: &str) -> hyper::http::request::Builder {
    Request::post(path)
        .header("host", host)
        .header("content-type", kind)
}
