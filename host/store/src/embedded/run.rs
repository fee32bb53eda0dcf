//! One run: pairs in the order of their keys, in a file that is written once and
//! never changed. It knows keys and cells as bytes; what runs there are, and which
//! of them is the newer one, is `runs`'.
//!
//! ```text
//! CRC-32 of the block: u32  a block: see `block`          every number big-endian
//! ...
//! the tail: number of blocks: u32
//!   length with its sum: u32  length: u16  the lowest key it may hold    of each
//!   length: u16  the last key
//!   a filter of all keys: see `filter`
//! ```
//!
//! Where the tail begins, how long it is and its sum stand with the list of runs.
//! An empty cell says that the key was deleted: older runs may still hold it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::block::{Block, Builder, size};
use super::bytes::{Reader, length};
use super::cells::broken;
use super::disk::Disk;
use super::fences::Fences;
use super::filter::Filter;
use super::plant::Plant;
use crate::Error;

/// How much is written at a time.
const BUFFER: usize = 256 * 1024;

/// How much is written before it is made durable: the journal's syncs would wait
/// for a lot of it at once.
const UNSYNCED: usize = 4 * 1024 * 1024;

const SUM: usize = 4;

/// What the list of runs says of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct About {
    pub(super) number: u64,
    /// How many times its pairs were merged, about.
    pub(super) level: u32,
    pub(super) pairs: u64,
    tail_at: u64,
    tail_bytes: u32,
    tail_sum: u32,
}

impl About {
    /// As it is kept.
    pub(super) fn encode(&self, to: &mut Vec<u8>) {
        to.extend(self.number.to_be_bytes());
        to.extend(self.level.to_be_bytes());
        to.extend(self.pairs.to_be_bytes());
        to.extend(self.tail_at.to_be_bytes());
        to.extend(self.tail_bytes.to_be_bytes());
        to.extend(self.tail_sum.to_be_bytes());
    }

    /// The other way round.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            number: reader.u64()?,
            level: reader.u32()?,
            pairs: reader.u64()?,
            tail_at: reader.u64()?,
            tail_bytes: reader.u32()?,
            tail_sum: reader.u32()?,
        })
    }
}

/// The file of a run in the directory of the state.
pub(super) fn path(state: &Path, number: u64) -> PathBuf {
    state.join(format!("{PREFIX}{number:010}"))
}

/// How the names of such files begin.
pub(super) const PREFIX: &str = "run-";

/// A run that can be read.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) about: About,
    path: PathBuf,
    file: File,
    fences: Fences,
    filter: Filter,
}

impl Run {
    /// Opens a run of the list, and reads its tail.
    ///
    /// # Errors
    /// It is not there, or not what was written.
    pub(super) fn open(state: &Path, about: About) -> Result<Self, Error> {
        let path = path(state, about.number);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Rotten(format!("{} is missing", path.display())));
            }
            opened => opened.map_err(Error::io("open", &path))?,
        };
        let tail = read(&file, &path, about.tail_at, about.tail_bytes as usize)?;
        let parts = (crc32fast::hash(&tail) == about.tail_sum).then(|| tail_parts(&tail));
        let parts = parts.flatten();
        let parts = parts.filter(|(fences, _)| fences.end() == about.tail_at);
        let (fences, filter) = parts.ok_or_else(|| broken(&path.display().to_string()))?;
        Ok(Self {
            about,
            path,
            file,
            fences,
            filter,
        })
    }

    /// The block that holds a key, if the run may hold it at all.
    pub(super) fn block_of(&self, key: &[u8], hash: u64, disk: &Disk) -> Option<usize> {
        if disk.planted(Plant::DenyKeys) && hash.is_multiple_of(16) {
            return None;
        }
        if !self.filter.may_hold(hash) {
            return None;
        }
        self.fences.holding(key)
    }

    /// The blocks that may hold keys of a range.
    pub(super) fn blocks(&self, from: &[u8], to: Option<&[u8]>) -> std::ops::Range<usize> {
        self.fences.covering(from, to)
    }

    /// Removes the file. Whoever has the run open can read on.
    pub(super) fn remove(&self, disk: &Disk) -> Result<(), Error> {
        disk.remove(&self.path)
    }

    /// Reads a block.
    ///
    /// # Errors
    /// It is not what was written.
    pub(super) fn block(&self, number: usize) -> Result<Arc<Block>, Error> {
        let what = || broken(&format!("block {number} of {}", self.path.display()));
        let (at, bytes) = self.fences.place(number).ok_or_else(what)?;
        let bytes = read(&self.file, &self.path, at, bytes)?;
        let mut reader = Reader(&bytes);
        let sum = reader.u32();
        let sound = sum == Some(crc32fast::hash(reader.0));
        let block = sound.then(|| Block::unpack(reader.0)).flatten();
        block.map(Arc::new).ok_or_else(what)
    }
}

fn read(file: &File, path: &Path, at: u64, bytes: usize) -> Result<Vec<u8>, Error> {
    // So that a damaged length takes no memory.
    let about = file.metadata().map_err(Error::io("read", path))?;
    if about.len() < at.saturating_add(bytes as u64) {
        return Err(broken(&path.display().to_string()));
    }
    let mut read = vec![0; bytes];
    let outcome = file.read_exact_at(&mut read, at);
    outcome.map_err(Error::io("read", path))?;
    Ok(read)
}

fn tail_parts(tail: &[u8]) -> Option<(Fences, Filter)> {
    let mut reader = Reader(tail);
    let fences = Fences::read(&mut reader)?;
    Some((fences, Filter::read(reader.0)?))
}

/// A run that is being written.
#[derive(Debug)]
pub(super) struct Writer {
    disk: Disk,
    path: PathBuf,
    file: File,
    number: u64,
    level: u32,
    pairs: u64,
    /// What waits to be written, and where it goes.
    buffer: Vec<u8>,
    at: u64,
    unsynced: usize,
    builder: Builder,
    /// How many bytes a block should have before it is compressed, and has.
    block_bytes: usize,
    bytes: usize,
    lowest: Vec<u8>,
    last: Vec<u8>,
    fences: Fences,
    filter: Filter,
}

impl Writer {
    /// A new run of at most so many pairs.
    pub(super) fn create(
        state: &Path,
        (number, level): (u64, u32),
        most: u64,
        block_bytes: usize,
        disk: &Disk,
    ) -> Result<Self, Error> {
        let path = path(state, number);
        Ok(Self {
            file: disk.create(&path)?,
            disk: disk.clone(),
            path,
            number,
            level,
            pairs: 0,
            buffer: Vec::new(),
            at: 0,
            unsynced: 0,
            builder: Builder::default(),
            block_bytes,
            bytes: 0,
            lowest: Vec::new(),
            last: Vec::new(),
            fences: Fences::default(),
            filter: Filter::new(most),
        })
    }

    /// Adds the next pair; keys come in ascending order. `hash` is the filter's.
    pub(super) fn add(&mut self, key: &[u8], cell: &[u8], hash: u64) -> Result<(), Error> {
        if self.bytes == 0 {
            self.lowest.clear();
            // The shortest that is above the last one and not above this one.
            let same = self.last.iter().zip(key).take_while(|(a, b)| a == b);
            let enough = match self.pairs {
                0 => key.len(),
                _ => same.count() + 1,
            };
            self.lowest.extend(key.iter().take(enough));
        }
        self.builder.add(key, cell);
        self.filter.add(hash);
        self.pairs += 1;
        self.bytes += size(key, cell.len());
        self.last.clear();
        self.last.extend(key);
        if self.bytes < self.block_bytes {
            return Ok(());
        }
        self.end_block()
    }

    fn end_block(&mut self) -> Result<(), Error> {
        let packed = self.builder.pack();
        self.bytes = 0;
        self.fences.add(&self.lowest, SUM + packed.len());
        self.buffer.extend(crc32fast::hash(&packed).to_be_bytes());
        self.buffer.extend(packed);
        if self.buffer.len() < BUFFER {
            return Ok(());
        }
        self.write()?;
        if self.unsynced < UNSYNCED {
            return Ok(());
        }
        self.unsynced = 0;
        self.disk.sync(&self.file, &self.path)
    }

    fn write(&mut self) -> Result<(), Error> {
        let wrote = self
            .disk
            .write_at(&self.file, &self.path, &self.buffer, self.at);
        wrote.map_err(Error::io("write", &self.path))?;
        self.at += self.buffer.len() as u64;
        self.unsynced += self.buffer.len();
        self.buffer.clear();
        Ok(())
    }

    /// Makes it durable. `None` if it is empty: then there is no file.
    pub(super) fn finish(mut self) -> Result<Option<Run>, Error> {
        if self.pairs == 0 {
            self.abandon()?;
            return Ok(None);
        }
        if self.bytes > 0 {
            self.end_block()?;
        }
        let tail_at = self.fences.end();
        self.fences.finish(&self.last);
        let mut tail = Vec::new();
        self.fences.encode(&mut tail);
        tail.extend(self.filter.bytes());
        let about = About {
            number: self.number,
            level: self.level,
            pairs: self.pairs,
            tail_at,
            tail_bytes: length(tail.len()),
            tail_sum: crc32fast::hash(&tail),
        };
        self.buffer.extend(tail);
        self.write()?;
        self.disk.sync(&self.file, &self.path)?;
        Ok(Some(Run {
            about,
            path: self.path,
            file: self.file,
            fences: self.fences,
            filter: self.filter,
        }))
    }

    /// Removes what was written.
    pub(super) fn abandon(self) -> Result<(), Error> {
        self.disk.remove(&self.path)
    }
}
