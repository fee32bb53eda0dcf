//! The full snapshot: every pair as bytes, for rebuilding what sled lost and
//! for carrying a store elsewhere. It knows files and pairs, not sled.
//!
//! ```text
//! "RBSNAP1\n"  start: u64                      every number big-endian
//! key length: u32 (never 0)  value length: u32  revision: u64  key  value
//! ...
//! 0: u32  pairs: u64  end: u64  CRC-32 of all before: u32
//! ```
//!
//! A snapshot is taken while commits go on: `start` is the last commit applied
//! before the first pair was read, `end` the last one applied when the last
//! pair had been read. So a pair is of some moment between the two. It is exact
//! together with the commits after `start`: a key that none of them touched
//! stands as it was at `start`; every other key gets its absolute value from the
//! last of them that wrote it, whatever the snapshot says. Where `start` and
//! `end` are equal it is exact by itself.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use ringback_core::model::{Key, Revision, Versioned};

use super::bytes::length;
use super::disk::{Disk, FRESH};
use crate::{Error, MAX_KEY, MAX_VALUE};

const MAGIC: &[u8; 8] = b"RBSNAP1\n";
const EXTENSION: &str = "snapshot";

/// A file that passes on what it is given and sums it up.
struct Summed<T> {
    inner: T,
    hasher: crc32fast::Hasher,
    bytes: u64,
}

impl<T> Summed<T> {
    fn new(inner: T) -> Self {
        Self {
            inner,
            hasher: crc32fast::Hasher::new(),
            bytes: 0,
        }
    }

    fn sum(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

/// A snapshot that is being written under a name that is not its own yet.
pub(super) struct Writer {
    file: Summed<BufWriter<File>>,
    fresh: PathBuf,
    path: PathBuf,
    pairs: u64,
}

impl Writer {
    pub(super) fn create(dir: &Path, start: Revision) -> Result<Self, Error> {
        let path = dir.join(format!("{start:020}.{EXTENSION}"));
        let fresh = path.with_extension(format!("{EXTENSION}.{FRESH}"));
        let file = File::create(&fresh).map_err(Error::io("create", &fresh))?;
        let mut writer = Self {
            file: Summed::new(BufWriter::with_capacity(256 * 1024, file)),
            fresh,
            path,
            pairs: 0,
        };
        writer.put(&[MAGIC, &start.to_be_bytes()])?;
        Ok(writer)
    }

    pub(super) fn pair(&mut self, key: &Key, value: &Versioned) -> Result<(), Error> {
        self.pairs += 1;
        self.put(&[
            &length(key.as_bytes().len()).to_be_bytes(),
            &length(value.value.len()).to_be_bytes(),
            &value.revision.to_be_bytes(),
            key.as_bytes(),
            &value.value,
        ])
    }

    /// Syncs it, reads it back and gives it its name. Returns its size.
    pub(super) fn finish(mut self, end: Revision, disk: &Disk) -> Result<u64, Error> {
        let pairs = self.pairs;
        self.put(&[&[0; 4], &pairs.to_be_bytes(), &end.to_be_bytes()])?;
        let sum = self.file.hasher.clone().finalize();
        self.put(&[&sum.to_be_bytes()])?;
        let written = self.file.bytes;
        let fresh = self.fresh;
        let file = self.file.inner.into_inner();
        let file = file.map_err(|error| Error::io("write", &fresh)(error.into_error()))?;
        disk.sync(&file, &fresh)?;
        // What it replaces is removed afterwards, so look once more.
        Reader::open(&fresh)?.verify()?;
        disk.rename(&fresh, &self.path)?;
        Ok(written)
    }

    fn put(&mut self, parts: &[&[u8]]) -> Result<(), Error> {
        for part in parts {
            self.file.sum(part);
            let wrote = self.file.inner.write_all(part);
            wrote.map_err(Error::io("write", &self.fresh))?;
        }
        Ok(())
    }
}

/// A snapshot that is being read.
pub(super) struct Reader {
    file: Summed<BufReader<File>>,
    path: PathBuf,
    start: Revision,
    pairs: u64,
    end: Option<Revision>,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let mut reader = Self {
            file: Summed::new(BufReader::with_capacity(256 * 1024, file)),
            path: path.to_path_buf(),
            start: 0,
            pairs: 0,
            end: None,
        };
        if reader.array::<8>()? != *MAGIC {
            return Err(reader.damaged("it is not a snapshot"));
        }
        reader.start = u64::from_be_bytes(reader.array()?);
        Ok(reader)
    }

    /// The commit after which the journal is to be replayed.
    pub(super) fn start(&self) -> Revision {
        self.start
    }

    /// The next pair; `None` once the end was reached and its sum is right.
    pub(super) fn next(&mut self) -> Result<Option<(Key, Versioned)>, Error> {
        if self.end.is_some() {
            return Ok(None);
        }
        let key = u32::from_be_bytes(self.array()?) as usize;
        if key == 0 {
            self.footer()?;
            return Ok(None);
        }
        let value = u32::from_be_bytes(self.array()?) as usize;
        if key > MAX_KEY || value > MAX_VALUE {
            return Err(self.damaged("a pair is longer than pairs can be"));
        }
        let revision = u64::from_be_bytes(self.array()?);
        let key = Key::new(self.bytes(key)?);
        let value = self.bytes(value)?.into();
        self.pairs += 1;
        Ok(Some((key, Versioned { revision, value })))
    }

    /// Reads it to its end. Returns the last commit it may show the work of.
    pub(super) fn verify(mut self) -> Result<Revision, Error> {
        while self.next()?.is_some() {}
        self.end.ok_or_else(|| self.damaged("it has no end"))
    }

    fn footer(&mut self) -> Result<(), Error> {
        let pairs = u64::from_be_bytes(self.array()?);
        let end = u64::from_be_bytes(self.array()?);
        let sum = self.file.hasher.clone().finalize();
        if pairs != self.pairs || u32::from_be_bytes(self.array()?) != sum {
            return Err(self.damaged("its sum does not fit its content"));
        }
        self.end = Some(end);
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut out = [0; N];
        self.fill(&mut out)?;
        Ok(out)
    }

    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, Error> {
        let mut out = vec![0; length];
        self.fill(&mut out)?;
        Ok(out)
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        self.file.inner.read_exact(out).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                self.damaged("it ends too early")
            } else {
                Error::io("read", &self.path)(error)
            }
        })?;
        self.file.sum(out);
        Ok(())
    }

    fn damaged(&self, what: &str) -> Error {
        Error::Damaged {
            file: self.path.clone(),
            what: what.into(),
        }
    }
}

/// The snapshots of a directory, newest first.
pub(super) fn list(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let path = entry.map_err(Error::io("list", dir))?.path();
        if path.extension().is_some_and(|found| found == EXTENSION) {
            found.push(path);
        }
    }
    // Their names are numbers of one length.
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}
