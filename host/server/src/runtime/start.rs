//! Starting a host: what the last process left open is settled before anything
//! new is taken.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ringback_core::engine::Input;
use ringback_core::model::{CallId, Key, MessageId, RunId, Versioned, keys};
use ringback_store::Direction;
use tracing::warn;

use super::state::Parts;
use super::{Error, Host, files, retention, timers};

/// How often the disk's free space is looked at: sending must stop within a second.
const DISK_LOOK: Duration = Duration::from_millis(250);

/// The key just after this one.
pub(super) fn after(key: &Key) -> Key {
    Key::new([key.as_bytes(), &[0]].concat())
}

/// How many records are read from the store at a time.
const PAGE: usize = 1_000;

/// Starts a host over an open store: definitions, workflow files, attempts that
/// were under way, the first timers. When it returns, the host takes work. Nothing
/// on the way there may take longer the more runs there are.
///
/// # Errors
/// When the store cannot be read or written.
pub(crate) async fn start(parts: Parts, workflows: PathBuf) -> Result<Arc<Host>, Error> {
    let host = Host::new(parts);
    files::stored::load(&host).await?;
    files::scan(&host, &workflows).await?;
    files::stored::retire_missing(&host).await?;
    let lost = recover(&host).await?;
    if lost > 0 {
        let lost = match lost {
            1 => "1 request was".to_owned(),
            lost => format!("{lost} requests were"),
        };
        warn!("{lost} under way when the host last stopped; finding out what became of it");
    }
    host.restore_pace().await?;
    timers::load(&host.timers, host.store.as_ref()).await?;
    host.set_ready();
    tokio::spawn(timers::run(Arc::clone(&host)));
    tokio::spawn(files::watch(Arc::clone(&host), workflows));
    tokio::spawn(retention::run(
        Arc::clone(&host),
        retention::Pace::default(),
    ));
    tokio::spawn(watch_disk(Arc::clone(&host)));
    // Whoever mends a wrong token may well restart.
    host.try_held_again_soon();
    Ok(host)
}

/// Every attempt without an outcome becomes an unknown one.
async fn recover(host: &Arc<Host>) -> Result<usize, Error> {
    let (mut from, to) = keys::table(b'i');
    let mut lost = 0;
    loop {
        let open = host
            .store
            .scan(&from, &to, PAGE, Direction::Forward)
            .await?;
        lost += open.len();
        settle(host, &open).await?;
        match open.last() {
            Some((last, _)) if open.len() == PAGE => from = after(last),
            _ => return Ok(lost),
        }
    }
}

async fn settle(host: &Arc<Host>, open: &[(Key, Versioned)]) -> Result<(), Error> {
    for (key, _) in open {
        let id = String::from_utf8_lossy(key.as_bytes().get(2..).unwrap_or_default()).into_owned();
        let input = if let Some(message) = MessageId::parse(&id) {
            Input::LostText(message)
        } else if let Some(run) = RunId::parse(&id) {
            Input::LostWork(run)
        } else if let Some(call) = CallId::parse(&id) {
            Input::LostCall(call)
        } else {
            warn!("an attempt without an outcome has the unreadable name {id:?}");
            continue;
        };
        host.take_anyway(&input).await?;
    }
    Ok(())
}

/// Stops starting texts while the disk is nearly full, or when the store has failed.
async fn watch_disk(host: Arc<Host>) {
    while !host.is_stopping() {
        host.note(&host.store.health().await);
        tokio::time::sleep(DISK_LOOK).await;
    }
}
