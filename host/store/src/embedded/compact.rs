//! Making a store small again: sled gives no space back while it runs, so its
//! directory is built anew from a fresh snapshot, as a rebuild does it.

use std::fs;
use std::path::Path;

use ringback_core::model::Revision;

use super::claim;
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
