//! Rebuilding sled's directory from snapshot and journal. The old one is moved
//! aside, never deleted, and only once it is sure that the new one can be made.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use ringback_core::model::Revision;

use super::cells;
use super::journal::Journal;
use super::memtable::Memtable;
use super::options::Options;
use super::snapshot;
use super::start::{self, SNAPSHOTS};
use crate::Error;

/// Rebuilds the state, up to the last commit of the journal, which is returned.
///
/// # Errors
/// Snapshot and journal do not reach back to the first commit, or not up to
/// `atleast`, which was acknowledged. Then nothing was touched.
pub(super) fn rebuild(
    options: &Options,
    state: &Path,
    journal: &Journal,
    at_least: Revision,
) -> Result<Revision, Error> {
    let base = newest_whole(&options.dir.join(SNAPSHOTS))?;
    let (from, at_least) = match &base {
        Some((_, start, end)) => (start + 1, at_least.max(*end)),
        None => (1, at_least),
    };
    let end = journal.replay(from, |_| Ok(()))? - 1;
    if end < at_least {
        return Err(Error::Damaged {
            file: options.dir.clone(),
            what: format!("its journal ends with commit {end}, and {at_least} was acknowledged"),
        });
    }
    let fresh = state.with_extension("new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(Error::io("remove", &fresh))?;
    }
    let db = start::open_new(&fresh, options)?;
    if let Some((path, ..)) = &base {
        load(&db, path)?;
    }
    let mut table = Memtable::default();
    journal.replay(from, |group| {
        start::add_group(&mut table, group);
        start::drain(&db, &mut table, PORTION)
    })?;
    cells::apply(&db, &table, Some(end))?;
    db.flush().map_err(cells::state)?;
    drop(db);
    let path = fresh.join("db");
    let file = File::open(&path).map_err(Error::io("open", &path))?;
    options.disk.sync(&file, &path)?;
    options.disk.sync_dir(&fresh)?;
    drop(file);

    if state.exists() {
        let aside = free_name(state);
        options.disk.rename(state, &aside)?;
        tracing::error!(
            path = %aside.display(),
            "kept the state that did not open; it may be deleted once all is well"
        );
    }
    options.disk.rename(&fresh, state)?;
    tracing::warn!(commits = end, "the state is rebuilt");
    Ok(end)
}

/// The newest snapshot that is whole, with its start and end.
fn newest_whole(dir: &Path) -> Result<Option<(PathBuf, Revision, Revision)>, Error> {
    let mut problem = None;
    for path in snapshot::list(dir)? {
        let read = snapshot::Reader::open(&path).and_then(|reader| {
            let start = reader.start();
            Ok((start, reader.verify()?))
        });
        match read {
            Ok((start, end)) => return Ok(Some((path, start, end))),
            Err(error) => {
                tracing::error!(%error, "a snapshot cannot be used");
                problem.get_or_insert(error);
            }
        }
    }
    problem.map_or(Ok(None), Err)
}

/// How much is read before it is brought into sled.
const PORTION: usize = 16 * 1024 * 1024;

fn load(db: &sled::Db, path: &Path) -> Result<(), Error> {
    let mut reader = snapshot::Reader::open(path)?;
    // Long values of one commit need places of their own; the snapshot does not
    // say which they had, so all are numbered through.
    let mut place = 0_u32;
    let mut table = Memtable::default();
    while let Some((key, pair)) = reader.next()? {
        table.restore(key, pair, place);
        place = place.wrapping_add(1);
        start::drain(db, &mut table, PORTION)?;
    }
    cells::apply(db, &table, None)?;
    Ok(())
}

/// Where to keep a directory that did not open.
fn free_name(state: &Path) -> PathBuf {
    (1..)
        .map(|number: u32| state.with_extension(format!("damaged-{number}")))
        .find(|path| !path.exists())
        .unwrap_or_else(|| state.with_extension("damaged"))
}
