//! A file or stream that passes on what it is given, and sums up and counts what
//! went through. It checks nothing itself.

use std::io::{self, Read, Write};

/// See the module.
pub(super) struct Summed<T> {
    inner: T,
    hasher: crc32fast::Hasher,
    bytes: u64,
}

impl<T> Summed<T> {
    pub(super) fn new(inner: T) -> Self {
        Self {
            inner,
            hasher: crc32fast::Hasher::new(),
            bytes: 0,
        }
    }

    /// The CRC-32 of everything so far.
    pub(super) fn sum(&self) -> u32 {
        self.hasher.clone().finalize()
    }

    /// How many bytes went through.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn into_inner(self) -> T {
        self.inner
    }

    fn count(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

impl<T: Write> Write for Summed<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.count(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Summed<T> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        self.count(out.get(..read).unwrap_or_default());
        Ok(read)
    }
}
