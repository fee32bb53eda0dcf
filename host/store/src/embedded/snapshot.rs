//! The form of a full snapshot: every pair as bytes, for rebuilding what sled lost and
//! for carrying a store elsewhere. And that of an increment: what the commits after one
//! wrote. It knows bytes and pairs; which files there are is `snapshots`'.
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
//!
//! An increment begins with `RBINCR1`. It holds what the commits after `start` wrote, up
//! to `end`; of a key that was deleted the value length is 2^32 - 1, and no value
//! follows. Where a key stands in it twice, the later one counts.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringback_core::model::{Key, Revision, Versioned};

use super::bytes::{self, length};
use super::summed::Summed;
use crate::{Error, MAX_KEY, MAX_VALUE};

const MAGIC: &[u8; 8] = b"RBSNAP2\n";
/// Of the form in which pairs are not compressed.
const PLAIN: &[u8; 8] = b"RBSNAP1\n";
/// Of an increment.
const INCREMENT: &[u8; 8] = b"RBINCR1\n";

/// In place of a value's length: the key was deleted.
const DELETED: u32 = u32::MAX;

/// How many bytes of pairs make a portion: more would compress hardly better.
const PORTION: usize = 256 * 1024;

/// The longest portion that is read: one pair more than fits.
const LONGEST: usize = PORTION + HEAD + MAX_KEY + MAX_VALUE;

/// What a pair takes beside key and value.
const HEAD: usize = 16;

/// What to do about a snapshot that cannot be read.
const ADVICE: &str = "put this file back from a backup, or import the latest export into a new \
                      folder";

/// What a file of this form holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Every pair there was.
    Full,
    /// What some commits wrote, and which keys they deleted.
    Increment,
}

/// What a pair says of its key: which commit wrote it last, and what; `None` if it
/// deleted it.
pub(super) type Wrote = (Key, Revision, Option<Arc<[u8]>>);

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
    /// The path is for messages.
    pub(super) fn new(out: W, kind: Kind, path: &Path, start: Revision) -> Result<Self, Error> {
        let mut encoder = Self {
            out: Summed::new(out),
            path: path.to_path_buf(),
            pairs: 0,
            portion: Vec::new(),
        };
        let magic = match kind {
            Kind::Full => MAGIC,
            Kind::Increment => INCREMENT,
        };
        encoder.put(&[magic, &start.to_be_bytes()])?;
        Ok(encoder)
    }

    pub(super) fn pair(&mut self, key: &Key, value: &Versioned) -> Result<(), Error> {
        self.write(key, value.revision, Some(&value.value))
    }

    /// A pair, or in an increment that its key was deleted.
    pub(super) fn write(
        &mut self,
        key: &Key,
        revision: Revision,
        value: Option<&[u8]>,
    ) -> Result<(), Error> {
        self.pairs += 1;
        let key = key.as_bytes();
        let bytes = value.map_or(DELETED, |value| length(value.len()));
        self.portion.extend(length(key.len()).to_be_bytes());
        self.portion.extend(bytes.to_be_bytes());
        self.portion.extend(revision.to_be_bytes());
        self.portion.extend(key);
        self.portion.extend(value.unwrap_or_default());
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

/// A snapshot that is being read, from anywhere.
pub(super) struct Reader<R> {
    input: Summed<R>,
    path: PathBuf,
    kind: Kind,
    start: Revision,
    pairs: u64,
    end: Option<Revision>,
    /// Whether pairs come in portions.
    packed: bool,
    /// The portion that is being read, and how far it is.
    portion: Vec<u8>,
    at: usize,
}

/// Opens the file of a snapshot or an increment.
pub(super) fn open(kind: Kind, path: &Path) -> Result<Reader<BufReader<File>>, Error> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    Reader::new(BufReader::with_capacity(256 * 1024, file), kind, path)
}

impl<R: Read> Reader<R> {
    /// Reads on from the start of a snapshot; the path is for messages.
    pub(super) fn new(input: R, kind: Kind, path: &Path) -> Result<Self, Error> {
        let mut reader = Self {
            input: Summed::new(input),
            path: path.to_path_buf(),
            kind,
            start: 0,
            pairs: 0,
            end: None,
            packed: true,
            portion: Vec::new(),
            at: 0,
        };
        match (&reader.array::<8>()?, kind) {
            (MAGIC, Kind::Full) | (INCREMENT, Kind::Increment) => {}
            (PLAIN, Kind::Full) => reader.packed = false,
            (_, Kind::Full) => return Err(reader.damaged("it is not a snapshot")),
            (_, Kind::Increment) => {
                return Err(reader.damaged("it is not an increment of a snapshot"));
            }
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

    /// The next pair of a full snapshot; `None` once the end was reached and its sum is
    /// right.
    pub(super) fn next(&mut self) -> Result<Option<(Key, Versioned)>, Error> {
        match self.next_write()? {
            Some((key, revision, Some(value))) => Ok(Some((key, Versioned { revision, value }))),
            Some((_, _, None)) => Err(self.damaged("a pair in it has no value")),
            None => Ok(None),
        }
    }

    /// The next pair; `None` once the end was reached and its sum is right.
    pub(super) fn next_write(&mut self) -> Result<Option<Wrote>, Error> {
        if self.end.is_some() {
            return Ok(None);
        }
        if self.packed {
            if self.at == self.portion.len() && !self.turn()? {
                return Ok(None);
            }
            let mut rest = bytes::Reader(self.portion.get(self.at..).unwrap_or_default());
            let pair = raw_pair(self.kind, &mut rest).map(|(key, revision, value)| {
                let value = value.map(Arc::from);
                (Key::new(key), revision, value)
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
        let value = Some(self.bytes(value)?.into());
        self.pairs += 1;
        Ok(Some((key, revision, value)))
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
        self.verify_with(|_, _, _| ())
    }

    /// The same, with a look at the key and the revision of every pair, and whether it
    /// has a value.
    pub(super) fn verify_with(
        mut self,
        mut each: impl FnMut(&[u8], Revision, bool),
    ) -> Result<Revision, Error> {
        if !self.packed {
            while let Some((key, revision, value)) = self.next_write()? {
                each(key.as_bytes(), revision, value.is_some());
            }
            return self.end();
        }
        while self.turn()? {
            let mut rest = bytes::Reader(&self.portion);
            while !rest.0.is_empty() {
                let pair = raw_pair(self.kind, &mut rest);
                let pair = pair.ok_or_else(|| self.damaged("a pair in it cannot be read"))?;
                each(pair.0, pair.1, pair.2.is_some());
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
type RawPair<'a> = (&'a [u8], Revision, Option<&'a [u8]>);

fn raw_pair<'a>(kind: Kind, reader: &mut bytes::Reader<'a>) -> Option<RawPair<'a>> {
    let (key, value) = (reader.length()?, reader.u32()?);
    let value = match (value, kind) {
        (DELETED, Kind::Increment) => None,
        (value, _) => Some(usize::try_from(value).ok()?),
    };
    if key == 0 || key > MAX_KEY || value.is_some_and(|value| value > MAX_VALUE) {
        return None;
    }
    let revision = reader.u64()?;
    let key = reader.take(key)?;
    let value = match value {
        Some(value) => Some(reader.take(value)?),
        None => None,
    };
    Some((key, revision, value))
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
