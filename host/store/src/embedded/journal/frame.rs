//! One group of commits as bytes. The group is the unit of writing and of
//! checking: one group is under way at a time, so only the last one of a
//! journal can be torn, and whatever stands before a whole one was synced.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringback_core::model::{Batch, Key, Revision};

use crate::embedded::bytes::{Reader, length};

/// "RBGR". Frames begin at multiples of eight, so that a search finds them.
const MAGIC: u32 = 0x5242_4752;

/// Magic, payload length, first revision, count of commits, checksum.
pub(crate) const HEADER: usize = 24;

/// In place of a value's length: the key is deleted.
const DELETED: u32 = u32::MAX;

/// The writes of one commit.
pub(crate) type Writes = BTreeMap<Key, Option<Arc<[u8]>>>;

/// Some commits, with the revision of the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) first: Revision,
    pub(crate) commits: Vec<Writes>,
}

impl Group {
    /// The revision after its last commit.
    pub(crate) fn end(&self) -> Revision {
        self.first + self.commits.len() as u64
    }
}

/// Writes a frame to the end of `out`. The salt is the segment's own: bytes
/// that look like a frame, in a value or in a reused block, are none here.
pub(crate) fn encode<'a>(
    salt: u64,
    first: Revision,
    batches: impl ExactSizeIterator<Item = &'a Batch>,
    out: &mut Vec<u8>,
) {
    let count = length(batches.len());
    let mut payload = Vec::with_capacity(1024 * batches.len());
    for batch in batches {
        payload.extend(length(batch.writes.len()).to_be_bytes());
        for (key, value) in &batch.writes {
            payload.extend(length(key.as_bytes().len()).to_be_bytes());
            payload.extend(key.as_bytes());
            match value {
                Some(value) => {
                    payload.extend(length(value.len()).to_be_bytes());
                    payload.extend(value.iter());
                }
                None => payload.extend(DELETED.to_be_bytes()),
            }
        }
    }
    out.extend(MAGIC.to_be_bytes());
    out.extend(length(payload.len()).to_be_bytes());
    out.extend(first.to_be_bytes());
    out.extend(count.to_be_bytes());
    out.extend(checksum(salt, first, count, &payload).to_be_bytes());
    out.append(&mut payload);
    out.resize(out.len().next_multiple_of(8), 0);
}

/// Reads the frame at the start of `bytes`, and how many bytes it takes.
/// `None` if no whole frame stands there.
pub(crate) fn decode(salt: u64, bytes: &[u8]) -> Option<(Group, usize)> {
    let mut reader = Reader(bytes);
    if reader.u32()? != MAGIC {
        return None;
    }
    let size = reader.length()?;
    let first = reader.u64()?;
    let count = reader.u32()?;
    let expected = reader.u32()?;
    let payload = reader.take(size)?;
    if checksum(salt, first, count, payload) != expected {
        return None;
    }
    let mut reader = Reader(payload);
    let commits = (0..count)
        .map(|_| commit(&mut reader))
        .collect::<Option<Vec<_>>>()?;
    let taken = (HEADER + size).next_multiple_of(8);
    Some((Group { first, commits }, taken))
}

fn commit(reader: &mut Reader<'_>) -> Option<Writes> {
    let writes = reader.u32()?;
    let mut out = Writes::new();
    for _ in 0..writes {
        let size = reader.length()?;
        let key = Key::new(reader.take(size)?);
        let value = match reader.u32()? {
            DELETED => None,
            size => Some(Arc::from(reader.take(usize::try_from(size).ok()?)?)),
        };
        out.insert(key, value);
    }
    Some(out)
}

/// The first whole frame after the start of `bytes`, if there is one.
pub(crate) fn find_later(salt: u64, bytes: &[u8]) -> Option<(usize, Group)> {
    let magic = MAGIC.to_be_bytes();
    (8..bytes.len()).step_by(8).find_map(|at| {
        let rest = bytes.get(at..)?;
        let (group, _) = rest.starts_with(&magic).then(|| decode(salt, rest))??;
        Some((at, group))
    })
}

fn checksum(salt: u64, first: Revision, count: u32, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_be_bytes());
    hasher.update(&length(payload.len()).to_be_bytes());
    hasher.update(&first.to_be_bytes());
    hasher.update(&count.to_be_bytes());
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
