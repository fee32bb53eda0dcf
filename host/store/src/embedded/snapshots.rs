//! The folder of snapshots: a full one, and the increments that go on from it. A
//! rebuild takes the full one, then each increment, then the journal. Here is how they
//! are written, which of them count, and which can go. What is in them is `snapshot`'s.
//!
//! A full snapshot bears the name of its start, an increment those of its start and its
//! end. An increment counts where its start is the end of the one before.

use std::fs;
use std::io::{BufReader, BufWriter, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use ringback_core::model::{Key, Revision, Versioned};

use super::bytes::Reader;
use super::disk::{Disk, FRESH, Stream};
use super::memtable::Written;
use super::snapshot::{self, Encoder, Kind};
use super::tally::{Expected, Tally};
use crate::Error;

const FULL: &str = "snapshot";
const INCREMENT: &str = "increment";

/// A file that is being written under a name that is not its own yet.
pub(super) struct Writer {
    encoder: Encoder<BufWriter<Stream>>,
    kind: Kind,
    fresh: PathBuf,
    path: PathBuf,
    /// What was written, of an increment.
    wrote: Tally,
}

impl Writer {
    /// A full snapshot that begins after a commit.
    pub(super) fn full(dir: &Path, start: Revision, disk: &Disk) -> Result<Self, Error> {
        let path = dir.join(format!("{start:020}.{FULL}"));
        Self::create(Kind::Full, path, start, disk)
    }

    /// An increment of the commits after `start`, up to `end`.
    pub(super) fn increment(
        dir: &Path,
        (start, end): (Revision, Revision),
        disk: &Disk,
    ) -> Result<Self, Error> {
        let path = dir.join(format!("{start:020}-{end:020}.{INCREMENT}"));
        Self::create(Kind::Increment, path, start, disk)
    }

    fn create(kind: Kind, path: PathBuf, start: Revision, disk: &Disk) -> Result<Self, Error> {
        let mut fresh = path.clone().into_os_string();
        fresh.push(format!(".{FRESH}"));
        let fresh = PathBuf::from(fresh);
        let file = BufWriter::with_capacity(256 * 1024, Stream::create(disk, &fresh)?);
        Ok(Self {
            encoder: Encoder::new(file, kind, &fresh, start)?,
            kind,
            fresh,
            path,
            wrote: Tally::default(),
        })
    }

    /// The next pair of a full snapshot.
    pub(super) fn pair(&mut self, key: &Key, value: &Versioned) -> Result<(), Error> {
        self.encoder.pair(key, value)
    }

    /// The next pair of an increment.
    pub(super) fn write(&mut self, key: &Key, written: &Written) -> Result<(), Error> {
        let (revision, value) = (written.revision, written.value.as_deref());
        let mark = mark(revision, value.is_some());
        self.wrote.add(key.as_bytes(), mark);
        self.encoder.write(key, revision, value)
    }

    /// Syncs a full snapshot, reads it back, compares it with what it should hold, if
    /// that is known, and gives it its name. Returns its size.
    pub(super) fn finish(
        self,
        end: Revision,
        disk: &Disk,
        expected: Option<Expected>,
    ) -> Result<u64, Error> {
        self.close(end, disk, |read| match expected {
            None => read.verify().map(drop),
            Some(mut expected) => {
                read.verify_with(|key, revision, _| expected.pair(key, revision))?;
                expected.check()
            }
        })
    }

    /// The same for an increment, which is compared with what was written.
    pub(super) fn finish_increment(self, end: Revision, disk: &Disk) -> Result<u64, Error> {
        let wrote = self.wrote;
        self.close(end, disk, |read| {
            let mut found = Tally::default();
            read.verify_with(|key, revision, is_value| {
                found.add(key, mark(revision, is_value));
            })?;
            wrote.check(found)
        })
    }

    fn close(
        self,
        end: Revision,
        disk: &Disk,
        check: impl FnOnce(snapshot::Reader<BufReader<fs::File>>) -> Result<(), Error>,
    ) -> Result<u64, Error> {
        let fresh = self.fresh;
        let (file, _, bytes) = self.encoder.finish(end)?;
        let file = file.into_inner();
        let file = file.map_err(|error| Error::io("write", &fresh)(error.into_error()))?;
        disk.sync(&file.file, &fresh)?;
        // What it replaces is removed afterwards, so look once more.
        check(snapshot::open(self.kind, &fresh)?)?;
        disk.rename(&fresh, &self.path)?;
        Ok(bytes)
    }
}

/// The revision of a write in the sum over an increment: another one if it deletes.
fn mark(revision: Revision, is_value: bool) -> Revision {
    if is_value { revision } else { !revision }
}

/// An increment, as its name says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Increment {
    start: Revision,
    end: Revision,
    path: PathBuf,
}

/// A full snapshot, as its name says, and the increments that go on from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    start: Revision,
    path: PathBuf,
    increments: Vec<Increment>,
}

impl Chain {
    /// The commit after which the journal is to be replayed.
    pub(super) fn covered(&self) -> Revision {
        self.increments.last().map_or(self.start, |last| last.end)
    }

    /// Whether it takes more than so many percent of the bytes that a full snapshot of
    /// so many pairs would, going by the one that there is.
    pub(super) fn is_overgrown(&self, pairs: u64, percent: u64) -> Result<bool, Error> {
        let (of, bytes) = size(&self.path)?;
        let mut all = u128::from(bytes);
        for increment in &self.increments {
            let about = fs::metadata(&increment.path);
            all += u128::from(about.map_err(Error::io("read", &increment.path))?.len());
        }
        let needed = u128::from(bytes) * u128::from(pairs) / u128::from(of.max(1));
        Ok(all * 100 > needed * u128::from(percent))
    }

    /// All files of it, in the order in which they are to be read.
    pub(super) fn files(&self) -> impl Iterator<Item = (Kind, &Path)> {
        let increments = self.increments.iter();
        let increments = increments.map(|one| (Kind::Increment, &*one.path));
        std::iter::once((Kind::Full, &*self.path)).chain(increments)
    }
}

/// What stands after the pairs: a mark, how many they were, the end, the sum.
const FOOTER: usize = 4 + 8 + 8 + 4;

/// How many pairs a file says it has, and how many bytes it takes. Looks at nothing
/// but its end.
fn size(path: &Path) -> Result<(u64, u64), Error> {
    let read = || -> std::io::Result<_> {
        let mut file = fs::File::open(path)?;
        let mut footer = [0; FOOTER];
        let at = file.seek(SeekFrom::End(-(FOOTER as i64)))?;
        file.read_exact(&mut footer)?;
        Ok((footer, at + FOOTER as u64))
    };
    let (footer, bytes) = read().map_err(Error::io("read", path))?;
    let mut footer = Reader(footer.get(4..).unwrap_or_default());
    Ok((footer.u64().unwrap_or(0), bytes))
}

/// The full snapshots of a directory, newest first.
pub(super) fn list(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = of_extension(dir, FULL)?;
    // Their names are numbers of one length.
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}

fn of_extension(dir: &Path, extension: &str) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let path = entry.map_err(Error::io("list", dir))?.path();
        if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    Ok(found)
}

/// The increments of a directory, in order.
fn increments(dir: &Path) -> Result<Vec<Increment>, Error> {
    let named = |path: PathBuf| {
        let (start, end) = path.file_stem()?.to_str()?.split_once('-')?;
        let (start, end) = (start.parse().ok()?, end.parse().ok()?);
        Some(Increment { start, end, path })
    };
    let mut found: Vec<_> = of_extension(dir, INCREMENT)?
        .into_iter()
        .filter_map(named)
        .collect();
    found.sort_unstable_by_key(|one| (one.start, one.end));
    Ok(found)
}

/// What goes on from a full snapshot, by the names of the files.
fn chain(dir: &Path, path: PathBuf) -> Result<Option<Chain>, Error> {
    let start = path
        .file_stem()
        .and_then(|stem| stem.to_str()?.parse().ok());
    let Some(start) = start else {
        return Ok(None);
    };
    let mut chain = Chain {
        start,
        path,
        increments: Vec::new(),
    };
    for increment in increments(dir)? {
        if increment.start == chain.covered() && increment.end > increment.start {
            chain.increments.push(increment);
        }
    }
    Ok(Some(chain))
}

/// The newest full snapshot of a directory with its increments, as their names say.
pub(super) fn newest(dir: &Path) -> Result<Option<Chain>, Error> {
    match list(dir)?.into_iter().next() {
        Some(path) => chain(dir, path),
        None => Ok(None),
    }
}

/// A full snapshot and increments that were read to their ends.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) chain: Chain,
    /// The last commit that they may show the work of.
    pub(super) end: Revision,
    /// Why the next increment cannot be used, if there is one that cannot.
    pub(super) problem: Option<Error>,
}

/// The newest snapshot that is whole, with the increments up to the first that is not.
pub(super) fn newest_whole(dir: &Path) -> Result<Option<Whole>, Error> {
    let mut problem = None;
    for path in list(dir)? {
        let read = || {
            let reader = snapshot::open(Kind::Full, &path)?;
            let start = reader.start();
            Ok::<_, Error>((start, reader.verify()?))
        };
        match (read(), chain(dir, path.clone())?) {
            (Ok((start, end)), Some(chain)) if start == chain.start => {
                return Ok(Some(check(chain, end)));
            }
            (Err(error), _) => {
                tracing::error!(%error, "a snapshot cannot be used");
                problem.get_or_insert(error);
            }
            (Ok(_), _) => {
                let what = "its name is not that of its first commit; give it back the one it had";
                let error = damaged(&path, what);
                tracing::error!(%error, "a snapshot cannot be used");
                problem.get_or_insert(error);
            }
        }
    }
    problem.map_or(Ok(None), Err)
}

/// Reads the increments of a chain, and cuts it off before the first that is not whole.
fn check(mut chain: Chain, end: Revision) -> Whole {
    let read = |one: &Increment| {
        let reader = snapshot::open(Kind::Increment, &one.path)?;
        let start = reader.start();
        match (start, reader.verify()?) == (one.start, one.end) {
            true => Ok(()),
            false => Err(damaged(&one.path, "its name is not that of its commits")),
        }
    };
    let found = chain.increments.iter().map(read);
    let problem = found
        .enumerate()
        .find_map(|(at, one)| Some((at, one.err()?)));
    if let Some((at, error)) = &problem {
        tracing::error!(%error, "an increment of a snapshot cannot be used");
        chain.increments.truncate(*at);
    }
    Whole {
        end: end.max(chain.covered()),
        chain,
        problem: problem.map(|(_, error)| error),
    }
}

fn damaged(path: &Path, what: &str) -> Error {
    Error::Damaged {
        file: path.to_path_buf(),
        what: what.into(),
    }
}

/// Removes what the newest full snapshot replaces.
pub(super) fn tidy(dir: &Path, disk: &Disk) -> Result<(), Error> {
    if let Some(newest) = newest(dir)? {
        for old in list(dir)?.iter().filter(|old| **old != newest.path) {
            disk.remove(old)?;
        }
        for old in increments(dir)? {
            if old.end <= newest.start {
                disk.remove(&old.path)?;
            }
        }
    }
    disk.sync_dir(dir)
}

#[cfg(test)]
#[path = "snapshots_tests.rs"]
mod tests;
