//! What the machine can do at most, measured right beside the product: each part
//! of its work alone, and then all that cannot be left out (the floor of J1).

pub(crate) mod bare;
pub(crate) mod client;
pub(crate) mod disk;
pub(crate) mod floor;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::board::Board;
use crate::load;
use crate::process::{self, Running};
use crate::sink::Sink;

/// What the generator posts as JSON.
const JSON: &str = r#"{"id":"bench-000001","to":"+15125550001","text":"Sorry we missed you"}"#;

/// Requests a second, and what one costs the process that is measured.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Rate {
    /// Open connections, or requests in flight.
    pub(crate) connections: usize,
    /// Requests a second.
    pub(crate) per_second: f64,
    /// Microseconds of processor time for each; none where /proc is missing.
    pub(crate) cpu_us: Option<f64>,
}

/// All ceilings but the floor.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ceilings {
    /// One `fdatasync` after 500 bytes at the end of a file.
    pub(crate) append: disk::Cost,
    /// The same inside a file that already has its size.
    pub(crate) overwrite: disk::Cost,
    /// An axum handler that reads JSON and answers.
    pub(crate) bare: Rate,
    /// The same with a record of 500 bytes on the disk before the answer, one
    /// `fdatasync` for all that came in the meantime.
    pub(crate) durable: Vec<Rate>,
    /// A client with pooled connections, to the sink.
    pub(crate) client: Vec<Rate>,
}

/// Measures them one after the other, each part of them for so long, with files
/// in `folder`.
pub(crate) async fn measure(folder: &Path, time: Duration) -> anyhow::Result<Ceilings> {
    let disk = |sized: bool| {
        let folder = folder.to_owned();
        tokio::task::spawn_blocking(move || disk::measure(&folder, sized, time / 2))
    };
    let append = disk(false).await??;
    let overwrite = disk(true).await??;
    let (bare, address) = server(&["part", "bare"]).await?;
    let bare = post(&bare, address, 64, time).await?;
    let file = folder.join("ceiling.bin");
    let file = file.to_str().context("the folder's name is no text")?;
    let (floor, address) = server(&["part", "floor", "--file", file]).await?;
    let mut durable = Vec::new();
    for connections in [1, 32, 128] {
        durable.push(post(&floor, address, connections, time).await?);
    }
    drop(floor);
    let sink = Sink::start(Board::new(1)).await?;
    let mut client = Vec::new();
    for connections in [1, 64] {
        client.push(client::ask(sink.address, connections, time).await?);
    }
    Ok(Ceilings {
        append,
        overwrite,
        bare,
        durable,
        client,
    })
}

/// Starts a part of this program that serves; where it listens.
pub(crate) async fn server(arguments: &[&str]) -> anyhow::Result<(Running, SocketAddr)> {
    let (running, line) = Running::part(arguments).await?;
    let address = line
        .parse()
        .with_context(|| format!("{line:?} is no address"))?;
    Ok((running, address))
}

async fn post(
    server: &Running,
    address: SocketAddr,
    connections: usize,
    time: Duration,
) -> anyhow::Result<Rate> {
    // The first requests pay for threads and pages that the others find.
    load::plain(address, "/json", JSON, connections, time / 10).await?;
    let before = process::cpu(server.pid);
    let plain = load::plain(address, "/json", JSON, connections, time).await?;
    let after = process::cpu(server.pid);
    let answered = plain.answered as f64;
    Ok(Rate {
        connections,
        per_second: answered / plain.seconds,
        cpu_us: after
            .zip(before)
            .map(|(after, before)| after.since(before).total() * 1000.0 / answered),
    })
}
