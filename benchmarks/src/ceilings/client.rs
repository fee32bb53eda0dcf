//! The ceiling of anything that calls a provider: reqwest with pooled connections.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use reqwest::Client;
use tokio::task::JoinSet;

use super::{JSON, Rate};
use crate::process::{self, Running};

/// The client that the floor and this ceiling use.
pub(super) fn build() -> anyhow::Result<Client> {
    // Loopback needs no TLS, but the client will not be built without a provider.
    // It is an error only when there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .no_proxy()
        .tcp_nodelay(true)
        .pool_max_idle_per_host(512)
        .build();
    client.context("could not build the HTTP client")
}

/// Posts to the sink as fast as it answers, with so many requests in flight. This
/// runs in a process of its own, whose time is the client's alone.
pub(crate) async fn run(url: &str, connections: usize, time: Duration) -> anyhow::Result<Rate> {
    let client = build()?;
    let before = process::cpu(std::process::id());
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (client, url) = (client.clone(), url.to_owned());
        tasks.spawn(async move {
            let mut count = 0_u64;
            while start.elapsed() < time {
                let request = client.post(&url).header("content-type", "application/json");
                send(request.body(JSON)).await?;
                count += 1;
            }
            anyhow::Ok(count)
        });
    }
    let mut count = 0;
    while let Some(done) = tasks.join_next().await {
        count += done??;
    }
    let (count, after) = (count as f64, process::cpu(std::process::id()));
    Ok(Rate {
        connections,
        per_second: count / start.elapsed().as_secs_f64(),
        cpu_us: after
            .zip(before)
            .map(|(after, before)| after.since(before).total() * 1000.0 / count),
    })
}

/// One request. The answer is read to its end, or the connection is lost.
pub(super) async fn send(request: reqwest::RequestBuilder) -> anyhow::Result<()> {
    let mut response = request.send().await?;
    ensure!(
        response.status().is_success(),
        "the sink answered {}",
        response.status()
    );
    while response.chunk().await?.is_some() {}
    Ok(())
}

/// Has it measured by another process.
pub(super) async fn ask(
    sink: SocketAddr,
    connections: usize,
    time: Duration,
) -> anyhow::Result<Rate> {
    let url = format!("http://{sink}/messages");
    let count = connections.to_string();
    let seconds = time.as_secs_f64().to_string();
    let arguments = [
        "part",
        "client",
        &url,
        "--connections",
        &count,
        "--seconds",
        &seconds,
    ];
    let (_running, line) = Running::part(&arguments).await?;
    let mut words = line.split(' ').map(str::parse::<f64>);
    let per_second = words.next().and_then(Result::ok);
    let per_second = per_second.with_context(|| format!("{line:?} is no rate"))?;
    Ok(Rate {
        connections,
        per_second,
        cpu_us: words.next().and_then(Result::ok),
    })
}
