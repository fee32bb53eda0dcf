//! Rebuilding sled's directory from snapshot and journal. The old one is moved
//! aside, and only once it is sure that the new one can be made. The last one that
//! was moved aside is kept; those before it go, because every power cut leaves one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use ringback_core::model::Revision;

use super::base::Base;
use super::disk::Disk;
use super::journal::Journal;
use super::memtable::Memtable;
use super::options::Options;
use super::snapshot;
use super::snapshots::{self, Chain};
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
    let end = build(options, state, journal, at_least)?;
    let number = put_aside(state)?.last().map_or(0, |(last, _)| *last) + 1;
    let aside = state.with_extension(format!("{ASIDE}{number}"));
    if state.exists() {
        tracing::error!(
            path = %aside.display(),
            "keeping the state that was not to be trusted; it may be deleted once all is well"
        );
    }
    swap(options, state, &aside)?;
    tracing::warn!(commits = end, "the state is rebuilt");
    Ok(end)
}

/// Builds a state that is not there yet, or merely laid out in another way. That one is removed
/// by the first start that opens the new one.
///
/// # Errors
/// As `rebuild`.
pub(super) fn renew(
    options: &Options,
    state: &Path,
    journal: &Journal,
    at_least: Revision,
) -> Result<Revision, Error> {
    remove_replaced(state, &options.disk)?;
    let end = build(options, state, journal, at_least)?;
    swap(options, state, &state.with_extension(REPLACED))?;
    tracing::info!(commits = end, "the state is built anew");
    Ok(end)
}

/// The extension of a state that was moved aside, before its number.
const ASIDE: &str = "damaged-";

/// The states that were moved aside, with their numbers, the oldest first.
fn put_aside(state: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let dir = state.parent().unwrap_or(state);
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let path = entry.map_err(Error::io("list", dir))?.path();
        let number = path
            .extension()
            .and_then(|one| one.to_str()?.strip_prefix(ASIDE)?.parse().ok());
        if path.file_stem() == state.file_stem()
            && let Some(number) = number
        {
            found.push((number, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Removes all states that were moved aside but the last one.
pub(super) fn remove_older_asides(state: &Path, disk: &Disk) -> Result<(), Error> {
    let mut older = put_aside(state)?;
    older.pop();
    older.iter().try_for_each(|(_, path)| disk.remove_all(path))
}

/// The extension of a state that a new one was put in the place of on purpose.
pub(super) const REPLACED: &str = "replaced";

/// Removes it; nothing needs it once the new one is in its place.
pub(super) fn remove_replaced(state: &Path, disk: &Disk) -> Result<(), Error> {
    let old = state.with_extension(REPLACED);
    if old.exists() {
        disk.remove_all(&old)?;
    }
    Ok(())
}

/// Puts the state that was built in its place, and the old one aside.
pub(super) fn swap(options: &Options, state: &Path, aside: &Path) -> Result<(), Error> {
    if state.exists() {
        options.disk.rename(state, aside)?;
    }
    options.disk.rename(&state.with_extension(BUILT), state)
}

/// The extension of a state that is being built.
const BUILT: &str = "new";

/// Builds a new state beside the old one, up to the last commit of the journal,
/// which is returned.
///
/// # Errors
/// As `rebuild`.
pub(super) fn build(
    options: &Options,
    state: &Path,
    journal: &Journal,
    at_least: Revision,
) -> Result<Revision, Error> {
    let mut whole = snapshots::newest_whole(&options.dir.join(SNAPSHOTS))?;
    let (from, at_least) = match &whole {
        Some(whole) => (whole.chain.covered() + 1, at_least.max(whole.end)),
        None => (1, at_least),
    };
    let replayed = journal.replay(from, |_| Ok(()));
    // An increment that cannot be read is why the journal does not go on from here.
    let why = |error| {
        let problem = whole.as_mut().and_then(|whole| whole.problem.take());
        problem.unwrap_or(error)
    };
    let end = replayed.map_err(why)? - 1;
    if end < at_least {
        return Err(Error::Damaged {
            file: options.dir.clone(),
            what: format!(
                "its journal ends with commit {end}, and {at_least} was acknowledged; put the \
                 folder `journal` back from a backup, or import the latest export into a new folder"
            ),
        });
    }
    let fresh = state.with_extension(BUILT);
    if fresh.exists() {
        options.disk.remove_all(&fresh)?;
    }
    let base = start::open_new(&fresh, options)?;
    if let Some(whole) = &whole {
        load(&base, &whole.chain)?;
    }
    let mut table = Memtable::default();
    journal.replay(from, |group| {
        start::add_group(&mut table, group);
        start::drain(&base, &mut table, PORTION)
    })?;
    base.apply(&table, Some(end))?;
    base.merge_small(u64::MAX)?;
    options.disk.flush(base.db(), &fresh)?;
    drop(base);
    let path = fresh.join("db");
    let file = File::open(&path).map_err(Error::io("open", &path))?;
    options.disk.sync(&file, &path)?;
    options.disk.sync_dir(&fresh)?;
    Ok(end)
}

/// How much is read before it is brought into sled.
const PORTION: usize = 16 * 1024 * 1024;

fn load(base: &Base, chain: &Chain) -> Result<(), Error> {
    // Long values of one commit need places of their own; snapshots do not say which
    // they had, so all are numbered through.
    let mut place = 0_u32;
    let mut table = Memtable::default();
    for (kind, path) in chain.files() {
        let mut reader = snapshot::open(kind, path)?;
        while let Some((key, revision, value)) = reader.next_write()? {
            table.restore(key, revision, place, value);
            place = place.wrapping_add(1);
            start::drain(base, &mut table, PORTION)?;
        }
    }
    base.apply(&table, None)
}
