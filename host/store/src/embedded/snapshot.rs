//! The full snapshot: every pair as bytes, for rebuilding what sled lost and
//! for carrying a store elsewhere. It knows files and pairs, not sled.
//!
//! ```text
//! "RBSNAP2\n"  start: u64                      every number big-endian
//! packed length: u32 (never 0)  plain length: u32  a portion, as LZ4
//! ...
//! 0: u32  pairs: u64  end: u64  CRC-32 of all before: u32
//!
//! a portion, any number of
//! key length: u32 (never 0)  value length: u32  revision: u64  key  value
//! ```
//!
//! `RBSNAP1`, which is still read, has the pairs where this one has portions.
//!
//! A snapshot is taken while commits go on: `start` is the last commit applied
//! before the first pair was read, `end` the last one applied when the last
//! pair had been read. So a pair is of some moment between the two. It is exact
//! together with the commits after `start`: a key that none of them touched
//! stands as it was at `start`; every other key gets its absolute value from the
//! last of them that wrote it, whatever the snapshot says. Where `start` and
//! `end` are equal it is exact by itself.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use ringback_core::model::{Key, Revision, Versioned};

use super::bytes::{self, length};
use super::disk::{Disk, FRESH, Stream};
use super::summed::Summed;
use super::tally::Expected;
use crate::{Error, MAX_KEY, MAX_VALUE};

const MAGIC: &[u8; 8] = b"RBSNAP2\n";
/// Of the form in which pairs are not compressed.
const PLAIN: &[u8; 8] = b"RBSNAP1\n";
const EXTENSION: &str = "snapshot";

/// How many bytes of pairs make a portion: more would compress hardly better.
const PORTION: usize = 256 * 1024;

/// The longest portion that is read: one pair more than fits.
const LONGEST: usize = PORTION + HEAD + MAX_KEY + MAX_VALUE;

/// What a pair takes beside key and value.
const HEAD: usize = 16;

/// What to do about a snapshot that cannot be read.
const ADVICE: &str = "put this file back from a backup, or import the latest export into a new \
                      folder";

/// A snapshot on its way to anywhere.
pub(super) struct Encoder<W> {
    out: Summed<W>,
    /// For messages.
    path: PathBuf,
    pairs: u64,
    /// The pairs that wait until there are enough of them.
    portion: Vec<u8>,
}

impl<W: Write> Encoder<W> {
    pub(super) fn new(out: W, path: &Path, start: Revision) -> Result<Self, Error> {
        let mut encoder = Self {
            out: Summed::new(out),
            path: path.to_path_buf(),
            pairs: 0,
            portion: Vec::new(),
        };
        encoder.put(&[MAGIC, &start.to_be_bytes()])?;
        Ok(encoder)
    }

    pub(super) fn pair(&mut self, key: &Key, value: &Versioned) -> Result<(), Error> {
        self.pairs += 1;
        let (key, bytes) = (key.as_bytes(), &*value.value);
        self.portion.extend(length(key.len()).to_be_bytes());
        self.portion.extend(length(bytes.len()).to_be_bytes());
        self.portion.extend(value.revision.to_be_bytes());
        self.portion.extend(key);
        self.portion.extend(bytes);
        if self.portion.len() < PORTION {
            return Ok(());
        }
        self.flush()
    }

    /// Writes the pairs that wait.
    fn flush(&mut self) -> Result<(), Error> {
        if self.portion.is_empty() {
            return Ok(());
        }
        let packed = lz4_flex::block::compress(&self.portion);
        let plain = length(self.portion.len());
        self.portion.clear();
        self.put(&[
            &length(packed.len()).to_be_bytes(),
            &plain.to_be_bytes(),
            &packed,
        ])
    }

    /// Writes the end. Returns where it was written to, how many pairs and bytes.
    pub(super) fn finish(mut self, end: Revision) -> Result<(W, u64, u64), Error> {
        self.flush()?;
        let pairs = self.pairs;
        self.put(&[&[0; 4], &pairs.to_be_bytes(), &end.to_be_bytes()])?;
        let sum = self.out.sum();
        self.put(&[&sum.to_be_bytes()])?;
        let bytes = self.out.bytes();
        Ok((self.out.into_inner(), pairs, bytes))
    }

    fn put(&mut self, parts: &[&[u8]]) -> Result<(), Error> {
        for part in parts {
            let wrote = self.out.write_all(part);
            wrote.map_err(Error::io("write", &self.path))?;
        }
        Ok(())
    }
}

/// A snapshot that is being written under a name that is not its own yet.
pub(super) struct Writer {
    encoder: Encoder<BufWriter<Stream>>,
    fresh: PathBuf,
    path: PathBuf,
}

impl Writer {
    pub(super) fn create(dir: &Path, start: Revision, disk: &Disk) -> Result<Self, Error> {
        let path = dir.join(format!("{start:020}.{EXTENSION}"));
        let fresh = path.with_extension(format!("{EXTENSION}.{FRESH}"));
        let file = BufWriter::with_capacity(256 * 1024, Stream::create(disk, &fresh)?);
        Ok(Self {
            encoder: Encoder::new(file, &fresh, start)?,
            fresh,
            path,
        })
    }

    pub(super) fn pair(&mut self, key: &Key, value: &Versioned) -> Result<(), Error> {
        self.encoder.pair(key, value)
    }

    /// Syncs it, reads it back, compares it with what it should hold, if that is
    /// known, and gives it its name. Returns its size.
    pub(super) fn finish(
        self,
        end: Revision,
        disk: &Disk,
        expected: Option<Expected>,
    ) -> Result<u64, Error> {
        let fresh = self.fresh;
        let (file, _, bytes) = self.encoder.finish(end)?;
        let file = file.into_inner();
        let file = file.map_err(|error| Error::io("write", &fresh)(error.into_error()))?;
        disk.sync(&file.file, &fresh)?;
        // What it replaces is removed afterwards, so look once more.
        match expected {
            None => drop(open(&fresh)?.verify()?),
            Some(mut expected) => {
                open(&fresh)?.verify_with(|key, revision| expected.pair(key, revision))?;
                expected.check()?;
            }
        }
        disk.rename(&fresh, &self.path)?;
        Ok(bytes)
    }
}

/// A snapshot that is being read, from anywhere.
pub(super) struct Reader<R> {
    input: Summed<R>,
    path: PathBuf,
    start: Revision,
    pairs: u64,
    end: Option<Revision>,
    /// Whether pairs come in portions.
    packed: bool,
    /// The portion that is being read, and how far it is.
    portion: Vec<u8>,
    at: usize,
}

/// Opens a snapshot's file.
pub(super) fn open(path: &Path) -> Result<Reader<BufReader<File>>, Error> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    Reader::new(BufReader::with_capacity(256 * 1024, file), path)
}

impl<R: Read> Reader<R> {
    /// Reads on from the start of a snapshot; the path is for messages.
    pub(super) fn new(input: R, path: &Path) -> Result<Self, Error> {
        let mut reader = Self {
            input: Summed::new(input),
            path: path.to_path_buf(),
            start: 0,
            pairs: 0,
            end: None,
            packed: true,
            portion: Vec::new(),
            at: 0,
        };
        match &reader.array::<8>()? {
            MAGIC => {}
            PLAIN => reader.packed = false,
            _ => return Err(reader.damaged("it is not a snapshot")),
        }
        reader.start = u64::from_be_bytes(reader.array()?);
        Ok(reader)
    }

    /// The commit after which the journal is to be replayed.
    pub(super) fn start(&self) -> Revision {
        self.start
    }

    /// What comes after it.
    pub(super) fn into_inner(self) -> R {
        self.input.into_inner()
    }

    /// The pairs read so far.
    pub(super) fn pairs(&self) -> u64 {
        self.pairs
    }

    /// The next pair; `None` once the end was reached and its sum is right.
    pub(super) fn next(&mut self) -> Result<Option<(Key, Versioned)>, Error> {
        if self.end.is_some() {
            return Ok(None);
        }
        if self.packed {
            if self.at == self.portion.len() && !self.turn()? {
                return Ok(None);
            }
            let mut rest = bytes::Reader(self.portion.get(self.at..).unwrap_or_default());
            let pair = raw_pair(&mut rest).map(|(key, revision, value)| {
                let value = value.into();
                (Key::new(key), Versioned { revision, value })
            });
            let at = self.portion.len() - rest.0.len();
            let pair = pair.ok_or_else(|| self.damaged("a pair in it cannot be read"))?;
            self.at = at;
            self.pairs += 1;
            return Ok(Some(pair));
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

    /// Reads the next portion. `false` once the end was reached and its sum is
    /// right.
    fn turn(&mut self) -> Result<bool, Error> {
        let packed = u32::from_be_bytes(self.array()?) as usize;
        if packed == 0 {
            self.footer()?;
            return Ok(false);
        }
        let plain = u32::from_be_bytes(self.array()?) as usize;
        if plain > LONGEST || packed > lz4_flex::block::get_maximum_output_size(LONGEST) {
            return Err(self.damaged("a portion of it is longer than one can be"));
        }
        let packed = self.bytes(packed)?;
        let portion = lz4_flex::block::decompress(&packed, plain).ok();
        let portion = portion.filter(|portion| portion.len() == plain && plain > 0);
        self.portion = portion.ok_or_else(|| self.damaged("a portion of it cannot be read"))?;
        self.at = 0;
        Ok(true)
    }

    /// Reads it to its end. Returns the last commit it may show the work of.
    pub(super) fn verify(self) -> Result<Revision, Error> {
        self.verify_with(|_, _| ())
    }

    /// The same, with a look at the key and the revision of every pair.
    fn verify_with(mut self, mut each: impl FnMut(&[u8], Revision)) -> Result<Revision, Error> {
        if !self.packed {
            while let Some((key, value)) = self.next()? {
                each(key.as_bytes(), value.revision);
            }
            return self.end();
        }
        while self.turn()? {
            let mut rest = bytes::Reader(&self.portion);
            while !rest.0.is_empty() {
                let pair = raw_pair(&mut rest);
                let pair = pair.ok_or_else(|| self.damaged("a pair in it cannot be read"))?;
                each(pair.0, pair.1);
                self.pairs += 1;
            }
        }
        self.end()
    }

    /// The last commit it may show the work of, once it was read to its end.
    pub(super) fn end(&self) -> Result<Revision, Error> {
        self.end.ok_or_else(|| self.damaged("it has no end"))
    }

    fn footer(&mut self) -> Result<(), Error> {
        let pairs = u64::from_be_bytes(self.array()?);
        let end = u64::from_be_bytes(self.array()?);
        let sum = self.input.sum();
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
        self.input.read_exact(out).map_err(|error| {
            if error.kind() == std::io::ErrorKind::UnexpectedEof {
                self.damaged("it ends too early")
            } else {
                Error::io("read", &self.path)(error)
            }
        })
    }

    fn damaged(&self, what: &str) -> Error {
        Error::Damaged {
            file: self.path.clone(),
            what: format!("{what}; {ADVICE}"),
        }
    }
}

/// Key, revision and value of the next pair of a portion.
fn raw_pair<'a>(reader: &mut bytes::Reader<'a>) -> Option<(&'a [u8], Revision, &'a [u8])> {
    let (key, value) = (reader.length()?, reader.length()?);
    if key == 0 || key > MAX_KEY || value > MAX_VALUE {
        return None;
    }
    let revision = reader.u64()?;
    Some((reader.take(key)?, revision, reader.take(value)?))
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

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
