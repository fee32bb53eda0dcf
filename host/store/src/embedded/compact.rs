//! What is done to a store that nobody works on: exporting it into a file, and
//! making it small again. sled gives no space back while it runs, so its directory
//! is built anew from a fresh snapshot, as a rebuild does it.

use std::fs;
use std::path::Path;

use ringback_core::model::Revision;

use super::archive::{Summary, export};
use super::claim;
use super::disk::{Disk, own_file};
use super::journal::Journal;
use super::keeper::Task;
use super::rebuild;
use super::start::{self, JOURNAL, REBUILD, STATE};
use super::{Options, Sled};
use crate::Error;

/// What compacting did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes of all files of the store before.
    pub before: u64,
    /// And after.
    pub after: u64,
    /// The last commit of the store; compacting is no commit.
    pub revision: Revision,
}

/// Makes the files of a store that nobody works on as small as they can be, with
/// the same pairs at the same revisions. The old state is removed only after the
/// new one is durable and in its place: a stop at any moment loses nothing, and
/// the next start clears up. Takes room for a second copy. Blocks.
///
/// # Errors
/// As [`Sled::open`], and what the disk refuses.
pub fn compact(options: Options) -> Result<Compacted, Error> {
    let (dir, disk) = (&options.dir, &options.disk);
    let before = if dir.is_dir() { size(dir)? } else { 0 };
    let store = Sled::open(options.clone())?;
    store.wait(Task::Snapshot)?;
    store.shut()?;
    drop(store);

    let claim = claim::take(dir, disk)?;
    let state = dir.join(STATE);
    claim::begin_run(dir, options.boot.as_deref(), &dir.join(REBUILD), disk)?;
    let journal = Journal::open(dir.join(JOURNAL), options.segment_bytes, disk.clone())?;
    journal.settle()?;
    let end = rebuild::build(&options, &state, &journal, start::read_checkpoint(dir)?)?;
    rebuild::swap(&options, &state, &state.with_extension(rebuild::REPLACED))?;
    start::write_checkpoint(dir, end, disk)?;
    claim::end_run(dir, &state, disk)?;
    rebuild::remove_replaced(&state, disk)?;
    drop(claim);
    Ok(Compacted {
        before,
        after: size(dir)?,
        revision: end,
    })
}

/// Bytes of all files in a directory and below.
fn size(dir: &Path) -> Result<u64, Error> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let entry = entry.map_err(Error::io("list", dir))?;
        let about = entry.metadata().map_err(Error::io("read", &entry.path()))?;
        bytes += if about.is_dir() {
            size(&entry.path())?
        } else {
            about.len()
        };
    }
    Ok(bytes)
}

/// Exports a store that nobody works on into a file, which is synced and gets its
/// name only when it is whole.
///
/// # Errors
/// As [`Sled::open`] and [`export`].
pub fn export_offline(options: Options, to: &Path) -> Result<Summary, Error> {
    let disk = options.disk.clone();
    let store = Sled::open(options)?;
    let summary = export_file(&store, to, &disk);
    let closed = store.shut();
    let summary = summary?;
    closed.map(|()| summary)
}

fn export_file(store: &Sled, to: &Path, disk: &Disk) -> Result<Summary, Error> {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let fresh = to.with_file_name(format!("{name}.unfinished"));
    let file = own_file(&fresh).map_err(Error::io("create", &fresh))?;
    let written = export(store, &file).and_then(|summary| {
        file.sync_all().map_err(Error::io("sync", &fresh))?;
        disk.rename(&fresh, to)?;
        Ok(summary)
    });
    written.inspect_err(|_| drop(fs::remove_file(&fresh)))
}
