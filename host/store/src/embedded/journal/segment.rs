//! One file of the journal: made ahead and filled with zeros, so that a later
//! `fdatasync` writes data and no file system metadata.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use ringback_core::model::{Batch, Revision};

use super::frame::{self, Group};
use crate::Error;
use crate::embedded::bytes::Reader;
use crate::embedded::disk::Disk;
use crate::embedded::plant::Plant;

const MAGIC: &[u8; 8] = b"RBJRNL1\n";

/// What to do about a journal that cannot be read to its end.
pub(crate) const ADVICE: &str = "put this file back from a backup, or import the latest export \
                                 into a new folder";

/// Magic, first revision, salt, checksum, four bytes of nothing.
pub(crate) const HEADER: usize = 32;

/// How many zeros are written at once. A kernel may keep what came in one write as
/// one unit of its cache, and then looks through, and counts as written, the whole
/// of it for every small commit.
const ZEROS: usize = 16 * 1024;

/// A file of zeros, synced, that waits to become a segment.
#[derive(Debug)]
pub(crate) struct Blank {
    file: File,
    path: PathBuf,
    size: u64,
}

impl Blank {
    /// Writes the zeros. A hole or an unwritten extent would make each later
    /// `fdatasync` commit metadata as well.
    pub(crate) fn make(path: PathBuf, size: u64, disk: &Disk) -> Result<Self, Error> {
        let file = disk.create(&path)?;
        let fill = || -> io::Result<()> {
            let zeros = vec![0; ZEROS];
            let mut at = 0;
            while at < size {
                let part = usize::try_from(size - at)
                    .unwrap_or(usize::MAX)
                    .min(zeros.len());
                disk.write_at(&file, &path, zeros.get(..part).unwrap_or_default(), at)?;
                at += part as u64;
            }
            Ok(())
        };
        if let Err(error) = fill() {
            // A half made file only takes the room that is missing.
            let _ = disk.remove(&path);
            return Err(Error::io("fill", &path)(error));
        }
        disk.sync(&file, &path)?;
        Ok(Self { file, path, size })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Makes it the segment that begins with `first`.
    pub(crate) fn begin(
        self,
        path: PathBuf,
        first: Revision,
        disk: &Disk,
    ) -> Result<Writer, Error> {
        // Not a secret, only different for every segment.
        let salt = RandomState::new().hash_one(first);
        disk.write_at(&self.file, &self.path, &header(first, salt), 0)
            .map_err(Error::io("write", &self.path))?;
        disk.sync(&self.file, &self.path)?;
        disk.rename(&self.path, &path)?;
        Ok(Writer {
            file: self.file,
            path,
            salt,
            offset: HEADER as u64,
            size: self.size,
        })
    }
}

/// The segment that is written to.
#[derive(Debug)]
pub(crate) struct Writer {
    file: File,
    path: PathBuf,
    salt: u64,
    offset: u64,
    size: u64,
}

impl Writer {
    pub(crate) fn salt(&self) -> u64 {
        self.salt
    }

    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.offset + bytes as u64 <= self.size
    }

    /// Writes a frame and syncs it.
    ///
    /// # Errors
    /// The frame may be durable or not; nothing may be written after it.
    pub(crate) fn append(&mut self, frame: &[u8], disk: &Disk) -> Result<(), Error> {
        let late = disk.planted(Plant::AcknowledgeFirst);
        if late {
            disk.sync(&self.file, &self.path)?;
        }
        disk.write_at(&self.file, &self.path, frame, self.offset)
            .map_err(Error::io("write", &self.path))?;
        if !late && !disk.planted(Plant::SkipJournalSync) {
            disk.sync(&self.file, &self.path)?;
        }
        self.offset += frame.len() as u64;
        Ok(())
    }

    /// Writes an empty group behind the last one, not synced and to be written
    /// over by the next: so what stands before it is known to have been synced, and
    /// cannot be taken for the torn end of a commit that was never acknowledged if
    /// it is damaged later.
    pub(crate) fn seal(&self, next: Revision, disk: &Disk) {
        let mut seal = Vec::with_capacity(frame::HEADER);
        frame::encode(self.salt, next, std::iter::empty(), &mut seal);
        if !self.has_room(seal.len()) {
            return;
        }
        if let Err(error) = disk.write_at(&self.file, &self.path, &seal, self.offset) {
            // What it speaks of is durable without it.
            tracing::warn!(%error, path = %self.path.display(), "could not seal a commit");
        }
    }
}

/// What stands in a segment.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) first: Revision,
    pub(crate) groups: Vec<Group>,
    /// Everything up to the end of the last whole group.
    pub(crate) whole: Vec<u8>,
    /// Bytes after it that are not zero: the start of a group that was never
    /// acknowledged.
    pub(crate) torn: usize,
}

impl Contents {
    /// The revision that comes after this segment.
    pub(crate) fn end(&self) -> Revision {
        self.groups.last().map_or(self.first, Group::end)
    }
}

/// Reads a segment that nobody writes to.
///
/// # Errors
/// It cannot be read, or a broken group stands before a whole one. Then the
/// broken one had been synced and acknowledged, and must not be dropped.
pub(crate) fn read(path: &Path) -> Result<Contents, Error> {
    read_until(path, Revision::MAX)
}

/// Reads a segment up to a commit that is durable by now. What comes after it may
/// be under way, and is not looked at.
///
/// # Errors
/// As `read`.
pub(crate) fn read_until(path: &Path, last: Revision) -> Result<Contents, Error> {
    let mut whole = fs::read(path).map_err(Error::io("read", path))?;
    let damaged = |what: String| Error::Damaged {
        file: path.to_path_buf(),
        what,
    };
    let (first, salt) = read_header(&whole).ok_or_else(|| {
        damaged(format!(
            "its first bytes are not those of a journal segment; {ADVICE}"
        ))
    })?;
    let mut groups: Vec<Group> = Vec::new();
    let mut at = HEADER;
    let mut next = first;
    while next <= last
        && let Some((group, taken)) = whole.get(at..).and_then(|rest| frame::decode(salt, rest))
    {
        if group.first != next {
            let found = group.first;
            return Err(damaged(format!(
                "commit {found} stands where {next} belongs; {ADVICE}"
            )));
        }
        next = group.end();
        at += taken;
        // A seal says nothing but that what stands before it was synced.
        if !group.commits.is_empty() {
            groups.push(group);
        }
    }
    let rest = whole.get(at..).filter(|_| next <= last).unwrap_or_default();
    if let Some((distance, _)) = frame::find_later(salt, rest) {
        return Err(damaged(format!(
            "commit {next} at byte {at} is broken, but what was written after it, at byte {}, is \
             whole; going on would drop acknowledged work; {ADVICE}",
            at + distance
        )));
    }
    let torn = rest
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    // The last frame's padding may lie past the end of a file cut short.
    whole.truncate(at);
    Ok(Contents {
        first,
        groups,
        whole,
        torn,
    })
}

/// What can be read of a segment that may be damaged.
#[derive(Debug)]
pub(crate) struct Salvage {
    /// The whole groups, ascending.
    pub(crate) groups: Vec<Group>,
    /// The revision after the last commit that it is known to have held; `None` if
    /// nothing can be known about it.
    pub(crate) end: Option<Revision>,
    /// Whether anything in it is missing.
    pub(crate) is_damaged: bool,
}

/// Reads what can be read of the segment that is named after a revision.
///
/// # Errors
/// The system refused.
pub(crate) fn salvage(path: &Path, named: Revision) -> Result<Salvage, Error> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let Some((_, salt)) = read_header(&bytes).filter(|(first, _)| *first == named) else {
        return Ok(Salvage {
            groups: Vec::new(),
            end: None,
            is_damaged: true,
        });
    };
    let (mut groups, mut next, mut at) = (Vec::new(), named, HEADER);
    let mut is_damaged = false;
    while let Some(rest) = bytes.get(at..) {
        let found = frame::decode(salt, rest).map(|(group, taken)| (0, group, taken));
        let Some((before, group, taken)) = found.or_else(|| {
            let (before, _) = frame::find_later(salt, rest)?;
            let (group, taken) = frame::decode(salt, rest.get(before..)?)?;
            Some((before, group, taken))
        }) else {
            break;
        };
        at += before + taken;
        is_damaged |= before > 0 || group.first != next;
        next = next.max(group.end());
        // A seal says nothing but that what stands before it was synced.
        if !group.commits.is_empty() {
            groups.push(group);
        }
    }
    Ok(Salvage {
        groups,
        end: Some(next),
        is_damaged,
    })
}

/// A whole segment of these groups, the first of which begins with `first`.
pub(crate) fn build(first: Revision, groups: &[Group]) -> Vec<u8> {
    let salt = RandomState::new().hash_one(first);
    let mut out = header(first, salt).to_vec();
    for group in groups {
        let batches: Vec<_> = group
            .commits
            .iter()
            .map(|writes| Batch {
                preconditions: Vec::new(),
                writes: writes.clone(),
            })
            .collect();
        frame::encode(salt, group.first, batches.iter(), &mut out);
    }
    let next = groups.last().map_or(first, Group::end);
    frame::encode(salt, next, std::iter::empty(), &mut out);
    out
}

fn header(first: Revision, salt: u64) -> [u8; HEADER] {
    let mut out = Vec::with_capacity(HEADER);
    out.extend(MAGIC);
    out.extend(first.to_be_bytes());
    out.extend(salt.to_be_bytes());
    out.extend(crc32fast::hash(&out).to_be_bytes());
    out.resize(HEADER, 0);
    out.try_into().unwrap_or([0; HEADER])
}

fn read_header(bytes: &[u8]) -> Option<(Revision, u64)> {
    let mut reader = Reader(bytes);
    let expected = crc32fast::hash(bytes.get(..24)?);
    let magic = reader.take(8)?;
    let (first, salt) = (reader.u64()?, reader.u64()?);
    (magic == MAGIC && reader.u32()? == expected).then_some((first, salt))
}
