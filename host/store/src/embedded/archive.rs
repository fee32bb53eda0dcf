//! A whole store as one stream: for carrying it elsewhere, for backups, and for
//! making it small again. It is the snapshot and the journal once more, and what
//! is read back goes through the rebuild that every start knows.
//!
//! ```text
//! "RBARCH2\n"                                  every number big-endian
//! a snapshot, as it stands in `snapshots/`
//! the groups of commits after its start, as they stand in the journal
//! 0: u32  groups: u64  end: u64  CRC-32 of all before: u32
//! ```
//!
//! `RBARCH1`, which is still read, holds a snapshot of the first form.
//!
//! So an archive of a store that is written to is exact as of `end`: all pairs,
//! with the revisions they had, and the next commit after an import is `end + 1`.

use std::fs;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use ringback_core::model::{Batch, Revision};

use super::claim;
use super::journal::Journal;
use super::journal::frame::{self, Group};
use super::keeper::{Task, each_pair};
use super::quiet::quietly;
use super::snapshot::{self, Kind};
use super::snapshots;
use super::start::{self, JOURNAL, SNAPSHOTS};
use super::summed::Summed;
use super::tally::Tally;
use super::{Options, Sled};
use crate::Error;

pub use super::compact::{Compacted, compact, export_offline};

const MAGIC: &[u8; 6] = b"RBARCH";
const VERSION: u8 = b'2';

/// For frames outside a segment; there is nothing that they could be mixed with.
const SALT: u64 = 0;

/// The longest group that is read: far more than is ever written.
const LONGEST: usize = 64 * 1024 * 1024;

/// What to do about an archive that cannot be read.
const ADVICE: &str = "export it again, or fetch it again from where it was copied";

/// What an archive holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Pairs of key and value in its snapshot.
    pub pairs: u64,
    /// Groups of commits that were made while the snapshot was written.
    pub groups: u64,
    /// The last commit in it; the next one of an imported store comes after it.
    pub revision: Revision,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Writes a store that is open, as of a moment near the end of the call. Commits
/// and reads go on meanwhile; the journal is not pruned. Blocks: not for a thread
/// that serves others. The writer is flushed and not synced.
///
/// # Errors
/// The store is closed or cannot be read, or the writer refused. What was written
/// by then is no archive, and `import` says so.
pub fn export(store: &Sled, out: impl Write) -> Result<Summary, Error> {
    let path = Path::new("the export");
    let wrote = || Error::io("write", path);
    let (shared, journal) = (&store.shared, &store.journal);
    match store.wait(Task::Count) {
        Ok(()) => {}
        Err(error @ (Error::Rotten(_) | Error::Closed)) => return Err(error),
        // A full disk, say: an export to another one is the more welcome.
        Err(error) => tracing::warn!(%error, "the export cannot be compared with a count"),
    }
    // Held first: what comes after `start` stays until it is copied.
    let _held = journal.hold();
    let (start, expected) = shared.expected();
    let mut out = Summed::new(BufWriter::with_capacity(256 * 1024, out));
    out.write_all(MAGIC).map_err(wrote())?;
    out.write_all(&[VERSION, b'\n']).map_err(wrote())?;
    let mut encoder = snapshot::Encoder::new(out, Kind::Full, path, start)?;
    let mut read = Tally::default();
    let pairs = || {
        each_pair(shared, |key, value| {
            read.add(key.as_bytes(), value.revision);
            encoder.pair(key, value)
        })
    };
    quietly(pairs).unwrap_or_else(|_| Err(shared.rotten(start::PANICKED)))?;
    let (end, _) = shared.expected();
    // Of other moments than one there is no count.
    if let Some(expected) = expected.filter(|_| start == end) {
        expected
            .check(read)
            .inspect_err(|error| shared.notice(error))?;
    }
    let (mut out, pairs, _) = encoder.finish(end)?;
    let mut groups: u64 = 0;
    let mut buffer = Vec::new();
    journal.follow(start + 1, end, |group| {
        let batches: Vec<_> = group.commits.iter().map(batch).collect();
        buffer.clear();
        frame::encode(SALT, group.first, batches.iter(), &mut buffer);
        groups += 1;
        out.write_all(&buffer).map_err(wrote())
    })?;
    out.write_all(&[0; 4]).map_err(wrote())?;
    out.write_all(&groups.to_be_bytes()).map_err(wrote())?;
    out.write_all(&end.to_be_bytes()).map_err(wrote())?;
    let sum = out.sum();
    out.write_all(&sum.to_be_bytes()).map_err(wrote())?;
    out.flush().map_err(wrote())?;
    Ok(Summary {
        pairs,
        groups,
        revision: end,
        bytes: out.bytes(),
    })
}

/// Reads an archive to its end and says what is in it; writes nothing. The path
/// is for messages.
///
/// # Errors
/// It is none, it was cut off or changed, or a newer ringback wrote it.
pub fn verify(input: impl Read, path: &Path) -> Result<Summary, Error> {
    let mut archive = Archive::open(input, path)?;
    let mut pairs = archive.snapshot()?;
    while pairs
        .next()
        .map_err(|error| archive.explain(error))?
        .is_some()
    {}
    archive.rest(pairs, |_| Ok(()))
}

/// Makes a store of an archive, in the directory of the options. It must be
/// missing or empty; it appears as a whole or not at all, under the name of
/// `DIR.importing` until then, which is removed by the next try. Takes up to
/// three times the archive's size on the disk. Blocks. The path of the input is
/// for messages.
///
/// # Errors
/// There is something in the directory already; the archive is none, was cut off
/// or changed, or a newer ringback wrote it; the disk refused.
pub fn import(input: impl Read, path: &Path, options: Options) -> Result<Summary, Error> {
    let dir = options.dir.clone();
    if !is_free(&dir)? {
        return Err(Error::Occupied { dir });
    }
    let mut archive = Archive::open(input, path)?;
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let fresh = dir.with_file_name(format!("{name}.importing"));
    let options = Options {
        dir: fresh.clone(),
        ..options
    };
    let disk = options.disk.clone();
    disk.create_dir(&fresh)?;
    // Two imports at a time would write into one another.
    let claim = claim::take(&fresh, &disk)?;
    clear(&fresh, &options)?;
    let summary = fill(&mut archive, &options)?;
    drop(claim);

    let store = Sled::open(options)?;
    let found = store.shared.revision();
    store.shut()?;
    drop(store);
    if found != summary.revision {
        return Err(archive.broken(&format!(
            "it promises commit {} and holds commits up to {found}",
            summary.revision
        )));
    }
    if dir.exists() {
        fs::remove_dir(&dir).map_err(Error::io("replace", &dir))?;
    }
    disk.rename(&fresh, &dir)?;
    Ok(summary)
}

/// Whether a store may be put there.
fn is_free(dir: &Path) -> Result<bool, Error> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(Error::io("list", dir)(error)),
    }
}

/// Removes what an earlier import left, all but the lock.
fn clear(fresh: &Path, options: &Options) -> Result<(), Error> {
    for entry in fs::read_dir(fresh).map_err(Error::io("list", fresh))? {
        let path = entry.map_err(Error::io("list", fresh))?.path();
        if path.is_dir() {
            options.disk.remove_all(&path)?;
        } else if path.file_name().is_some_and(|name| name != "lock") {
            options.disk.remove(&path)?;
        }
    }
    Ok(())
}

/// Lays the snapshot and the journal down as a start expects them.
fn fill<R: Read>(archive: &mut Archive<R>, options: &Options) -> Result<Summary, Error> {
    let (dir, disk) = (&options.dir, &options.disk);
    claim::check_format(dir, true, disk)?;
    let folder = dir.join(SNAPSHOTS);
    disk.create_dir(&folder)?;
    let mut pairs = archive.snapshot()?;
    let start = pairs.start();
    let mut writer = snapshots::Writer::full(&folder, start, disk)?;
    while let Some((key, value)) = pairs.next().map_err(|error| archive.explain(error))? {
        writer.pair(&key, &value)?;
    }
    writer.finish(pairs.end()?, disk, None)?;
    let journal = Journal::open(dir.join(JOURNAL), options.segment_bytes, disk.clone())?;
    let mut appender = journal.appender(start + 1);
    appender.begin()?;
    let summary = archive.rest(pairs, |group| {
        let batches: Vec<_> = group.commits.iter().map(batch).collect();
        let batches: Vec<_> = batches.iter().collect();
        appender.append(&batches).map(drop).map_err(Into::into)
    })?;
    start::write_checkpoint(dir, 0, disk)?;
    Ok(summary)
}

fn batch(writes: &frame::Writes) -> Batch {
    Batch {
        preconditions: Vec::new(),
        writes: writes.clone(),
    }
}

/// An archive that is being read.
struct Archive<R> {
    /// `None` while the snapshot in it is read.
    input: Option<Summed<BufReader<R>>>,
    path: PathBuf,
}

type Pairs<R> = snapshot::Reader<Summed<BufReader<R>>>;

impl<R: Read> Archive<R> {
    fn open(input: R, path: &Path) -> Result<Self, Error> {
        let mut archive = Self {
            input: Some(Summed::new(BufReader::with_capacity(256 * 1024, input))),
            path: path.to_path_buf(),
        };
        let mut head = [0; 8];
        let read = archive.read(&mut head);
        match (head.strip_prefix(MAGIC), read) {
            (Some([b'1' | VERSION, b'\n']), Ok(())) => Ok(archive),
            (Some([b'3'..=b'9', _]), Ok(())) => Err(archive
                .problem("a newer ringback wrote it; import it with that one or a later one")),
            (_, Err(error @ Error::Io { .. })) => Err(error),
            _ if head.starts_with(b"RBSNAP") => Err(archive.problem(
                "it is a snapshot out of a store's folder, which is whole only together with the \
                 journal beside it; copy the whole folder, or export the store",
            )),
            _ => Err(archive.problem("it is not an export of ringback")),
        }
    }

    /// The snapshot in it, to be read to its end and given back to `rest`.
    fn snapshot(&mut self) -> Result<Pairs<R>, Error> {
        let input = self.input.take();
        let input = input.ok_or_else(|| self.broken("it was read before"))?;
        snapshot::Reader::new(input, Kind::Full, &self.path).map_err(|error| self.explain(error))
    }

    /// Reads what comes after the snapshot.
    fn rest(
        &mut self,
        pairs: Pairs<R>,
        mut each: impl FnMut(&Group) -> Result<(), Error>,
    ) -> Result<Summary, Error> {
        let (count, until) = (pairs.pairs(), pairs.end()?);
        let mut next = pairs.start() + 1;
        self.input = Some(pairs.into_inner());
        let mut groups: u64 = 0;
        while let Some(group) = self.group()? {
            if group.first != next {
                let found = group.first;
                return Err(self.broken(&format!("commit {found} stands where {next} belongs")));
            }
            next = group.end();
            groups += 1;
            each(&group)?;
        }
        let promised = (
            u64::from_be_bytes(self.array()?),
            u64::from_be_bytes(self.array()?),
        );
        let sum = self.input.as_ref().map_or(0, Summed::sum);
        if u32::from_be_bytes(self.array()?) != sum || promised != (groups, next - 1) {
            return Err(self.broken("its sum does not fit its content"));
        }
        let bytes = self.input.as_ref().map_or(0, Summed::bytes);
        if next - 1 < until {
            return Err(self.broken("commits are missing at its end"));
        }
        if self.read(&mut [0]).is_ok() {
            return Err(self.broken("something stands behind its end"));
        }
        Ok(Summary {
            pairs: count,
            groups,
            revision: next - 1,
            bytes,
        })
    }

    fn group(&mut self) -> Result<Option<Group>, Error> {
        let magic: [u8; 4] = self.array()?;
        if magic == [0; 4] {
            return Ok(None);
        }
        let size: [u8; 4] = self.array()?;
        let length = frame::HEADER + u32::from_be_bytes(size) as usize;
        if length > LONGEST {
            return Err(self.broken("a group of commits is longer than one can be"));
        }
        let mut bytes = vec![0; length.next_multiple_of(8)];
        let (head, rest) = bytes.split_at_mut(8);
        head.copy_from_slice(&[magic, size].concat());
        self.read(rest)?;
        match frame::decode(SALT, &bytes) {
            Some((group, _)) => Ok(Some(group)),
            None => Err(self.broken("a group of commits does not fit its sum")),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut out = [0; N];
        self.read(&mut out)?;
        Ok(out)
    }

    fn read(&mut self, out: &mut [u8]) -> Result<(), Error> {
        let read = match &mut self.input {
            Some(input) => input.read_exact(out),
            None => Err(ErrorKind::UnexpectedEof.into()),
        };
        read.map_err(|error| {
            if error.kind() == ErrorKind::UnexpectedEof {
                self.broken("it ends too early")
            } else {
                Error::io("read", &self.path)(error)
            }
        })
    }

    /// A snapshot's advice is not an archive's.
    fn explain(&self, error: Error) -> Error {
        match error {
            Error::Damaged { what, .. } => {
                self.broken(what.split_once("; ").map_or(&*what, |(what, _)| what))
            }
            other => other,
        }
    }

    fn broken(&self, what: &str) -> Error {
        self.problem(&format!("{what}; {ADVICE}"))
    }

    fn problem(&self, what: &str) -> Error {
        Error::Archive {
            file: self.path.clone(),
            what: what.into(),
        }
    }
}
